//! The Evaluate page row by row: what its lists show, and what pressing things asks for.
#![cfg(feature = "window")]

use crate::support::fake_measured as fake;
use crate::support::page::{page, sees, sees_not, settle};
use crate::support::tiny_run;
use eframe::egui::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use frostline::data::edit::Cell;
use frostline::session::command::Command;
use frostline::session::row_results::RowResults;
use frostline::session::state::State;
use frostline::ui::actions::{Action, Actions, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::panels::evaluate::{EvaluateView, evaluate_ui};
use frostline::ui::prefs::Prefs;

type Alone = Harness<'static, (EvaluateView, Actions)>;

/// The page, on which every control has a name.
fn evaluate(state: State) -> Alone {
    let page = page::<EvaluateView>(state, evaluate_ui);
    page.check_accessibility();
    for node in page.root().children_recursive() {
        let right = node.accesskit_node().raw_bounds().map_or(0.0, |bounds| bounds.x1);
        assert!(right <= 1120.5, "{:?} reaches to {right}", node.accesskit_node().label());
    }
    page
}

/// The topmost button of that name.
fn press(page: &mut Alone, name: &str) {
    let all = page.get_all_by_role_and_label(Role::Button, name);
    let top = all.min_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
    top.unwrap_or_else(|| panic!("no button {name}")).click();
    settle(page);
}

fn sent(page: &mut Alone) -> Vec<Action> {
    page.state_mut().1.take()
}

/// The first suspect of the state: its row, and the class that the model says instead.
fn first_suspect(state: &State) -> (usize, String) {
    let evaluation = state.evaluation.ready().unwrap_or_else(|| panic!("measured"));
    let suspect = evaluation.suspects[0][0];
    (suspect.row, evaluation.tasks[0].classes[suspect.predicted as usize].name.clone())
}

#[test]
fn a_suspect_s_label_is_changed_by_a_click() {
    let state = fake::suspicious();
    let (row, predicted) = first_suspect(&state);
    let mut page = evaluate(state);
    sees(&page, "12 suspects to look at");
    sees(&page, "at least 50 points more");
    // The most suspicious one stands on top, and its button names its own prediction.
    let all = page.get_all_by_role(Role::Button).filter(|node| {
        node.accesskit_node().label().is_some_and(|label| label.starts_with("Change label to "))
    });
    let top = all.min_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
    top.unwrap_or_else(|| panic!("a button")).click();
    settle(&mut page);
    let correct = Command::Correct { row, cell: Cell::Label("topic".into()), now: predicted };
    assert_eq!(sent(&mut page), [Action::Session(correct)]);
}

#[test]
fn a_label_that_is_right_leaves_the_list_until_it_is_asked_for_again() {
    let mut page = evaluate(fake::suspicious());
    press(&mut page, "The label is right");
    sees(&page, "11 suspects to look at; 1 said to be right");
    assert_eq!(sent(&mut page), [], "the page alone remembers it");
    press(&mut page, "List those again");
    sees(&page, "12 suspects to look at");
    sees_not(&page, "said to be right");
}

#[test]
fn a_corrected_row_is_no_suspect_any_more() {
    let mut state = fake::suspicious();
    let (row, _) = first_suspect(&state);
    fake::relabel(&mut state, row);
    let page = evaluate(state);
    sees(&page, "11 suspects to look at; 1 corrected");
    sees(&page, "Labels were corrected since this was measured");
}

#[test]
fn heads_are_trained_again_by_a_click_or_it_says_why_not() {
    let mut page = evaluate(fake::suspicious());
    sees(&page, "in seconds");
    press(&mut page, "Retrain the heads");
    assert_eq!(sent(&mut page), [Action::RetrainHeads]);

    let mut state = fake::suspicious();
    if let Some(run) = &mut state.run {
        run.report = None;
    }
    let page = evaluate(state);
    let button = page.get_by_role_and_label(Role::Button, "Retrain the heads");
    assert!(button.accesskit_node().is_disabled());
    sees(&page, "The shown run kept no weights to start from");
}

#[test]
fn without_suspects_the_card_says_where_to_look() {
    let page = evaluate(crate::support::fake_state::evaluated());
    sees(&page, "Label suspects");
    sees(&page, "There is none among these rows. Most labels are on train rows");
}

#[test]
fn without_another_run_the_card_says_how_to_get_a_comparison() {
    let mut page = evaluate(crate::support::fake_state::evaluated());
    sees(&page, "measure another run on the test rows too");
    press(&mut page, "Train");
    assert_eq!(sent(&mut page), [Action::GoTo(Page::Train)]);
}

#[test]
fn what_a_run_mends_and_breaks_is_listed_by_a_click() {
    let mut page = evaluate(fake::compared());
    sees(&page, "Compared with heads");
    sees(&page, "run-1 is right about 4 rows more than heads, on the test split.");
    sees(&page, "heads said");
    sees(&page, "both right");
    sees(&page, "7 fixed");
    press(&mut page, "3 broken");
    let broken = "Where do I change the language of the app?";
    page.get_all_by_role_and_label(Role::Button, broken).last().unwrap_or_else(|| panic!("a row")).click();
    settle(&mut page);
    sees(&page, "messages.csv, line 307");
    press(&mut page, "2 still wrong");
    sees_not(&page, "messages.csv, line 307");
}

#[test]
fn another_earlier_run_can_be_chosen() {
    let mut page = evaluate(fake::compared());
    page.get_by_role_and_label(Role::ComboBox, "Earlier run").click();
    settle(&mut page);
    page.get_by_role_and_label(Role::Button, "probe").click();
    settle(&mut page);
    sees(&page, "Compared with probe");
    sees(&page, "run-1 is right about as many rows as probe, if not about the same.");
}

#[test]
fn a_task_that_the_earlier_run_had_not_is_not_compared() {
    let mut page = evaluate(fake::compared());
    press(&mut page, "sentiment");
    sees(&page, "Compared with an earlier run");
}

#[test]
fn another_threshold_shows_other_figures() {
    let mut page = evaluate(fake::every_kind_in_full());
    press(&mut page, "themes");
    sees(&page, "The program uses 0.50");
    sees(&page, "0.50, chosen");
    sees(&page, "0.50, the program");
    let curve = |page: &Alone| {
        let curve = page.get_by_role(Role::Image);
        curve.accesskit_node().label().unwrap_or_default()
    };
    let before = curve(&page);
    assert!(before.contains("at the chosen 0.50"), "{before}");
    let slider = page.get_by_role_and_label(Role::Slider, "Threshold");
    slider.focus();
    settle(&mut page);
    page.key_press(eframe::egui::Key::ArrowLeft);
    settle(&mut page);
    sees(&page, "0.49, chosen");
    sees(&page, "log(0.49 / 0.51) = -0.040");
    let best = best_name(&page);
    press(&mut page, &best);
    assert_ne!(curve(&page), before);
    press(&mut page, "The program's: 0.50");
    assert_eq!(curve(&page), before);
    assert_eq!(sent(&mut page), [], "nothing is asked of the session");
    page.check_accessibility();
}

fn best_name(page: &Alone) -> String {
    let buttons = page.get_all_by_role(Role::Button).filter_map(|node| node.accesskit_node().label());
    buttons.into_iter().find(|label| label.starts_with("Best here: ")).unwrap_or_default()
}

#[test]
fn wrong_entities_are_marked_in_the_text_by_words() {
    let mut page = evaluate(fake::every_kind_in_full());
    press(&mut page, "entities");
    sees(&page, "Entities in the text");
    sees(&page, "The courier [wrong boundary THING] rang once");
    sees(&page, "My invoice [right THING] for March [missed TIME] shows");
    sees(&page, "Honestly the [invented THING] best support chat [right THING]");
    sees(&page, "[wrong kind: TIME, said THING]");
    sees(&page, "[the text was cut here] could you send it again?");
    sees(&page, "1 to 20 of 50");
    press(&mut page, "Further rows");
    sees(&page, "21 to 40 of 50");
    assert_eq!(sent(&mut page), []);
}

#[test]
fn a_kind_of_error_shows_its_rows_alone() {
    let mut page = evaluate(fake::every_kind_in_full());
    press(&mut page, "entities");
    let missed = page
        .get_all_by_role(Role::Button)
        .filter_map(|node| node.accesskit_node().label())
        .find(|label| label.ends_with(" missed"));
    press(&mut page, &missed.unwrap_or_default());
    sees(&page, "My invoice [right THING] for March [missed TIME] shows");
    sees_not(&page, "wrong boundary THING");
    let all = page
        .get_all_by_role(Role::Button)
        .filter_map(|node| node.accesskit_node().label())
        .find(|label| label.ends_with(" wrong rows"));
    press(&mut page, &all.unwrap_or_default());
    sees(&page, "wrong boundary THING");
}

#[test]
fn without_a_wrong_entity_the_card_says_so() {
    let mut state = fake::every_kind_in_full();
    fake::change(&mut state, |evaluation| {
        if let RowResults::Spans(said) = &mut evaluation.said[3] {
            (said.wrong_rows, said.rows) = (0, Vec::new());
        }
    });
    let mut page = evaluate(state);
    press(&mut page, "entities");
    sees(&page, "Every entity of this split was found as it is labelled");
}

/// The app on a real session, drawn until the state is as wanted.
fn until(window: &mut Harness<'static, App>, what: &str, wanted: impl Fn(&State) -> bool) {
    let deadline = std::time::Instant::now() + tiny_run::PATIENCE;
    loop {
        window.step();
        let state = window.state().state();
        if wanted(state) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "waited in vain until {what}: {:?}", state.notices);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    settle(window);
}

/// The topmost button whose name begins so.
fn press_like(window: &mut Harness<'static, App>, begins: &str) {
    let names = |node: &egui_kittest::Node<'_>| {
        node.accesskit_node().label().is_some_and(|label| label.starts_with(begins))
    };
    let all = window.get_all_by_role(Role::Button).filter(names);
    let top = all.min_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
    top.unwrap_or_else(|| panic!("no button {begins}")).click();
    settle(window);
}

#[test]
fn from_a_suspect_to_a_comparison_on_a_real_session() {
    let mut place = tiny_run::mislabelled();
    let first = place.train().plan.name.clone();
    // The folder is kept to the end; the session goes to the window.
    let tiny_run::Place { dir, session, .. } = place;
    let builder = Harness::builder().with_size(eframe::egui::vec2(1280.0, 3000.0));
    let mut window = builder.build_eframe(move |creation| {
        let dialogs = Dialogs::scripted([]);
        let mut app =
            App::new(&creation.egui_ctx, session, Prefs::default(), dialogs, Environment::default());
        app.ask(Action::GoTo(Page::Evaluate));
        app
    });
    settle(&mut window);
    press_like(&mut window, "train: ");
    until(&mut window, "the run is measured", |state| state.evaluation.ready().is_some());
    sees(&window, "Label suspects");
    sees(&window, "The model was trained on these rows");

    press_like(&mut window, "Change label to ");
    until(&mut window, "the label is corrected", |state| {
        state.evaluation.ready().is_some_and(|evaluation| evaluation.labels_changed)
    });
    assert_eq!(window.state().state().project.changes.corrections.len(), 1);
    sees(&window, "; 1 corrected");

    press_like(&mut window, "Retrain the heads");
    assert_eq!(window.state().page(), Page::Train);
    until(&mut window, "the heads are trained", |state| {
        let run = state.run.as_ref().filter(|run| run.plan.name != first);
        !state.is_training() && run.is_some_and(|run| run.report.is_some())
    });
    let second = window.state().state().run.as_ref().expect("a run").plan.name.clone();
    window.state_mut().ask(Action::GoTo(Page::Evaluate));
    settle(&mut window);
    press_like(&mut window, "train: ");
    until(&mut window, "the heads are measured", |state| state.evaluation.ready().is_some());
    sees(&window, &format!("Compared with {first}"));
    sees(&window, &format!("{second} is right"));
    sees_not(&window, "Labels were corrected since");
    drop((window, dir));
}

/// The smallest window leaves a page this much.
const NARROW: f32 = 700.0;

#[test]
fn every_list_fits_a_narrow_page() {
    let states = [
        crate::support::fake_state::evaluated(),
        fake::suspicious(),
        fake::compared(),
        fake::alone(1),
        fake::alone(3),
    ];
    for (index, state) in states.into_iter().enumerate() {
        let builder = Harness::builder().with_size(eframe::egui::vec2(NARROW, 3000.0));
        let mut page = builder.with_context_setup(frostline::ui::theme::apply).build_ui_state(
            move |ui, (view, actions): &mut (EvaluateView, Actions)| evaluate_ui(ui, &state, view, actions),
            (EvaluateView::default(), Actions::default()),
        );
        settle(&mut page);
        let too_far: Vec<_> = page
            .root()
            .children_recursive()
            .map(|node| (node.accesskit_node().label(), node.accesskit_node().raw_bounds()))
            .filter(|(_, bounds)| bounds.is_some_and(|bounds| bounds.x1 > f64::from(NARROW) + 0.5))
            .collect();
        assert!(too_far.is_empty(), "{index}: {too_far:?}");
    }
}

/// What the last frame put on the clipboard.
fn copied(page: &Alone) -> Option<String> {
    page.output().platform_output.commands.iter().find_map(|command| match command {
        eframe::egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn tables_are_copied_as_spreadsheets_take_them() {
    let mut page = evaluate(fake::suspicious());
    page.get_by_role_and_label(Role::Button, "Copy the confusion matrix").click();
    let text = (0..6)
        .find_map(|_| {
            page.step();
            copied(&page)
        })
        .expect("a table");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let classes = lines.len() - 1;
    assert!(classes > 1 && lines.iter().all(|line| line.len() == classes + 1), "{text}");
    page.get_by_role_and_label(Role::Button, "Copy the figures of each class");
}
