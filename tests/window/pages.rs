//! The pages Schedule, Train, Evaluate and Explore on states made by hand: every state draws, fits the window,
//! names what can be acted on, and a click sends the action that it promises.
#![cfg(feature = "window")]

use std::sync::Arc;

use crate::support::fake_state as fake;
use eframe::egui::epaint::Primitive;
use eframe::egui::{Role, Ui, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use frostline::data::dataset::Split;
use frostline::data::task::TaskKind;
use frostline::session::command::{Command, Edit};
use frostline::session::state::{Loadable, RateSearch, RunReport, State};
use frostline::train::lr_finder::{FindPoint, RateCurve};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use frostline::ui::actions::{Action, Actions, Page};
use frostline::ui::panels::evaluate::{EvaluateView, evaluate_ui};
use frostline::ui::panels::explore::{ExploreView, explore_ui};
use frostline::ui::panels::schedule::{ScheduleView, schedule_ui};
use frostline::ui::panels::train::{TrainView, train_ui};
use frostline::ui::theme;

/// Width of a page in a window of 1280 points, beside the rail.
const WIDTH: f32 = 1060.0;

struct Bench<V> {
    state: State,
    view: V,
    actions: Vec<Action>,
}

type Draw<V> = fn(&mut Ui, &State, &mut V, &mut Actions);

/// A page as high as its content, so that everything on it can be seen and clicked.
fn page<V: Default + 'static>(state: State, draw: Draw<V>) -> Harness<'static, Bench<V>> {
    let bench = Bench { state, view: V::default(), actions: Vec::new() };
    let app = move |ui: &mut Ui, bench: &mut Bench<V>| {
        let mut actions = Actions::default();
        draw(ui, &bench.state, &mut bench.view, &mut actions);
        bench.actions.extend(actions.take());
    };
    let builder = Harness::builder().with_size(vec2(WIDTH, 2600.0)).with_context_setup(theme::apply);
    let mut harness = builder.build_ui_state(app, bench);
    settle(&mut harness);
    harness
}

/// A few frames; a spinner never settles, so waiting for that would not end.
fn settle<V>(harness: &mut Harness<'_, Bench<V>>) {
    harness.run_steps(4);
}

fn click<V>(harness: &mut Harness<'_, Bench<V>>, name: &str) {
    harness.get_by_label(name).click();
    settle(harness);
}

fn click_role<V>(harness: &mut Harness<'_, Bench<V>>, role: Role, name: &str) {
    harness.get_by_role_and_label(role, name).click();
    settle(harness);
}

/// Every input has a name, and nothing reaches beyond the page's right edge.
fn check<V>(harness: &Harness<'_, Bench<V>>, what: &str) {
    assert_eq!(harness.unnamed_widgets(), Vec::<String>::new(), "{what}");
    for node in harness.root().children_recursive() {
        let node = node.accesskit_node();
        let right = node.raw_bounds().map_or(0.0, |bounds| bounds.x1);
        assert!(right <= f64::from(WIDTH) + 0.5, "{what}: {:?} reaches to {right}", node.label());
    }
}

fn recipes(actions: &[Action]) -> Vec<&Recipe> {
    let recipe = |action| match action {
        &Action::Session(Command::Edit(Edit::SetRecipe(ref recipe))) => Some(&**recipe),
        _ => None,
    };
    actions.iter().filter_map(recipe).collect()
}

#[test]
fn every_state_of_the_schedule_draws_and_fits() {
    check(&page::<ScheduleView>(fake::empty(), schedule_ui), "empty");
    check(&page::<ScheduleView>(fake::refused(), schedule_ui), "refused");
    for preset in Preset::ALL {
        check(&page::<ScheduleView>(fake::ready(preset), schedule_ui), preset.key());
    }
}

/// Tasks of every kind are drawn with the figures that they have.
#[test]
fn every_kind_of_task_draws_with_its_own_figures() {
    let train = page::<TrainView>(fake::every_kind(), train_ui);
    for text in ["train sp. F1", "valid Sp.man"] {
        assert!(train.query_all_by_label(text).next().is_some(), "{text}");
    }
    let explore = page::<ExploreView>(fake::every_kind(), explore_ui);
    assert!(explore.query_all_by_label("Kim [B-PER]").next().is_some());
    check(&explore, "answers of every kind");
    let mut evaluate = page::<EvaluateView>(fake::every_kind(), evaluate_ui);
    for (tab, figure) in [
        ("themes", "samples F1"),
        ("stars", "Spearman"),
        ("entities", "span F1"),
        ("alike", "Pearson"),
        ("pairs", "MRR@10"),
        ("topic", "MCC"),
    ] {
        click_role(&mut evaluate, Role::Button, tab);
        assert!(evaluate.query_all_by_label(figure).next().is_some(), "{tab}: {figure}");
        let no_probe = evaluate.query_all_by_label_contains("has no probe: ").next().is_some();
        assert_eq!(no_probe, tab != "topic", "{tab}");
        assert!(evaluate.query_all_by_label("Embeddings without a head").next().is_some(), "{tab}");
        check(&evaluate, tab);
    }
}

#[test]
fn choosing_a_preset_sends_its_recipe_once() {
    let mut harness = page::<ScheduleView>(fake::ready(Preset::Full), schedule_ui);
    click(&mut harness, "Gradual unfreezing");
    let mut expected = fake::recipe(Preset::Full);
    expected.choose(Preset::Gradual);
    assert_eq!(recipes(&harness.state().actions), [&expected]);
    click(&mut harness, "Full fine-tuning");
    assert_eq!(recipes(&harness.state().actions).len(), 1, "the chosen preset is not chosen again");
}

#[test]
fn a_preset_is_explained_with_the_projects_own_numbers() {
    let harness = page::<ScheduleView>(fake::ready(Preset::FreezeBackbone), schedule_ui);
    for text in ["For", "Against", "When to use it", "240", "2.3 k of 22.6 M", "20 x 15", "300"] {
        assert!(harness.query_all_by_label(text).next().is_some(), "{text}");
    }
}

#[test]
fn the_head_to_freeze_is_chosen_from_the_tasks() {
    let mut harness = page::<ScheduleView>(fake::ready(Preset::FreezeHead), schedule_ui);
    click_role(&mut harness, Role::ComboBox, "Head to keep frozen");
    click(&mut harness, "sentiment");
    let frozen: Vec<_> =
        recipes(&harness.state().actions).iter().map(|recipe| recipe.frozen_head.clone()).collect();
    assert_eq!(frozen, [Some("sentiment".to_owned())]);
}

#[test]
fn a_number_that_is_typed_is_sent_once_it_is_whole() {
    let mut harness = page::<ScheduleView>(fake::ready(Preset::Full), schedule_ui);
    harness.get_by_role_and_label(Role::SpinButton, "Epochs").set_value_accesskit(7.0);
    settle(&mut harness);
    let epochs: Vec<u32> = recipes(&harness.state().actions).iter().map(|recipe| recipe.epochs).collect();
    assert_eq!(epochs, [7]);
}

#[test]
fn settings_without_effect_are_switched_off() {
    let enabled = |preset| {
        let harness = page::<ScheduleView>(fake::ready(preset), schedule_ui);
        let names = ["Epochs", "Encoder rate", "Heads' rate", "Seed"];
        names
            .map(|name| !harness.get_by_role_and_label(Role::SpinButton, name).accesskit_node().is_disabled())
    };
    assert_eq!(enabled(Preset::Full), [true, true, true, true]);
    assert_eq!(enabled(Preset::FreezeBackbone), [true, false, true, true]);
    assert_eq!(enabled(Preset::FreezeAll), [false, false, false, true]);
}

#[test]
fn the_preview_lists_what_the_plan_trains() {
    let mut harness = page::<ScheduleView>(fake::ready(Preset::Gradual), schedule_ui);
    assert!(harness.query_by_label("4 tensors, 2,310 of 22,567,686 parameters (0.01 %)").is_some());
    click(&mut harness, "head: topic: 1,155 parameters at 1e-3");
    for text in ["heads.topic.weight", "3 x 384", "heads.topic.bias"] {
        assert!(harness.query_by_label(text).is_some(), "{text}");
    }
}

#[test]
fn a_refused_plan_shows_its_sentence_and_cannot_be_trained() {
    let harness = page::<ScheduleView>(fake::refused(), schedule_ui);
    assert!(harness.query_by_label_contains("classification needs at least two").is_some());
    assert!(harness.get_by_label("Train").accesskit_node().is_disabled());
}

#[test]
fn a_question_mark_opens_its_answer() {
    let mut harness = page::<ScheduleView>(fake::ready(Preset::Full), schedule_ui);
    assert!(harness.query_by_label_contains("the rate rises from zero to its peak").is_none());
    click_role(&mut harness, Role::Button, "What does warm-up do?");
    assert!(harness.query_by_label_contains("the rate rises from zero to its peak").is_some());
}

#[test]
fn every_state_of_training_draws_and_fits() {
    check(&page::<TrainView>(fake::empty(), train_ui), "empty");
    check(&page::<TrainView>(fake::ready(Preset::Full), train_ui), "ready");
    check(&page::<TrainView>(fake::starting(), train_ui), "starting");
    check(&page::<TrainView>(fake::running(), train_ui), "running");
    check(&page::<TrainView>(fake::finished(), train_ui), "finished");
    check(&page::<TrainView>(fake::drifted(), train_ui), "drifted");
    check(&page::<TrainView>(fake::measured(), train_ui), "measured");
    check(&page::<TrainView>(fake::failed(), train_ui), "failed");
}

#[test]
fn an_empty_train_page_leads_to_the_next_step() {
    let mut harness = page::<TrainView>(fake::empty(), train_ui);
    click(&mut harness, "Data");
    assert_eq!(harness.state().actions, [Action::GoTo(Page::Data)]);
    let mut harness = page::<TrainView>(fake::ready(Preset::Full), train_ui);
    click_role(&mut harness, Role::Button, "Train");
    assert!(harness.state().actions.contains(&Action::Train));
}

#[test]
fn a_live_run_says_where_it_stands_and_can_be_stopped() {
    let mut harness = page::<TrainView>(fake::running(), train_ui);
    for text in ["phase 3 of 5", "2.8 of 5", "42 of 75", "412", "1 min 35 s"] {
        assert!(harness.query_all_by_label(text).next().is_some(), "{text}");
    }
    click(&mut harness, "Stop");
    assert_eq!(harness.state().actions, [Action::Stop]);
}

#[test]
fn a_run_that_is_being_prepared_says_what_it_does() {
    let harness = page::<TrainView>(fake::starting(), train_ui);
    assert!(harness.query_by_label("computing pooled vectors once: 96 of 300").is_some());
}

#[test]
fn a_finished_run_proves_what_changed_and_leads_on() {
    let mut harness = page::<TrainView>(fake::finished(), train_ui);
    let proof = "105 of 105 tensors that were to train changed; 0 of 1 frozen ones changed.";
    for text in [proof, "Finished in 1 min 14 s. The weights of epoch 5 are kept."] {
        assert!(harness.query_by_label(text).is_some(), "{text}");
    }
    for next in ["Evaluate", "Explore", "Export"] {
        click(&mut harness, next);
    }
    let pages = [Page::Evaluate, Page::Explore, Page::Export].map(Action::GoTo);
    assert_eq!(harness.state().actions, pages);
}

#[test]
fn a_run_that_trains_nothing_shows_its_probes() {
    let harness = page::<TrainView>(fake::measured(), train_ui);
    let proof = "No tensor was to train; 0 of 106 frozen ones changed.";
    for text in ["Measured in 1 min 14 s, without training.", proof, "k-NN (k = 10)", "88.0 %"] {
        assert!(harness.query_by_label(text).is_some(), "{text}");
    }
    assert!(harness.query_by_label("Curves").is_none(), "there is no curve of nothing");
    assert!(harness.query_by_label_contains("has no probe").is_none());
}

#[test]
fn a_run_that_trains_nothing_says_which_tasks_have_no_probes() {
    let mut state = fake::measured();
    let Some(run) = &mut state.run else { panic!("no run") };
    let mut plan = (*run.plan).clone();
    plan.tasks.iter_mut().for_each(|task| task.kind = TaskKind::TokenLabels);
    (run.plan, run.report) = (plan.into(), Some(RunReport::default().into()));
    let harness = page::<TrainView>(state, train_ui);
    assert!(harness.query_by_label_contains("sentiment (token-labels) has no probe: ").is_some());
}

#[test]
fn a_drifted_head_and_cut_texts_are_pointed_out() {
    let harness = page::<TrainView>(fake::drifted(), train_ui);
    assert!(harness.query_by_label_contains("validation accuracy fell from 34.0 % to 21.0 %").is_some());
    assert!(harness.query_by_label_contains("12 texts were longer than the maximum length").is_some());
    assert!(harness.query_by_label_contains("Stopped by you at step 60").is_some());
}

#[test]
fn a_failed_run_says_why() {
    let harness = page::<TrainView>(fake::failed(), train_ui);
    assert!(harness.query_by_label_contains("The run failed: the disk is full").is_some());
}

#[test]
fn an_earlier_run_is_shown_again_by_a_click() {
    let mut harness = page::<TrainView>(fake::finished(), train_ui);
    click_role(&mut harness, Role::Button, "heads");
    assert_eq!(harness.state().actions, [Action::Session(Command::ShowRun("heads".into()))]);
}

#[test]
fn a_task_can_be_hidden_from_the_curves() {
    let mut harness = page::<TrainView>(fake::finished(), train_ui);
    let shown = |harness: &Harness<'_, Bench<TrainView>>| {
        harness.get_by_label("show topic").accesskit_node().toggled()
    };
    let before = shown(&harness);
    click(&mut harness, "show topic");
    assert_ne!(shown(&harness), before);
}

#[test]
fn curves_of_200_000_steps_are_drawn_with_few_points() {
    // What a frame costs is what is drawn in it; the curves are smoothed and thinned out once, in the first.
    let drawn = |state| {
        let mut harness = page::<TrainView>(state, train_ui);
        harness.run_steps(2);
        let shapes = harness.output().shapes.clone();
        let meshes = harness.ctx.tessellate(shapes, 1.0).into_iter().map(|one| match one.primitive {
            Primitive::Mesh(mesh) => mesh.vertices.len(),
            Primitive::Callback(_) => 0,
        });
        meshes.sum::<usize>()
    };
    let (short, long) = (drawn(fake::finished()), drawn(fake::long_run()));
    assert!(long < 2 * short, "{long} vertices, and {short} for a short run");
}

#[test]
fn every_state_of_evaluation_draws_and_fits() {
    check(&page::<EvaluateView>(fake::empty(), evaluate_ui), "empty");
    check(&page::<EvaluateView>(fake::finished(), evaluate_ui), "not measured");
    check(&page::<EvaluateView>(fake::evaluated(), evaluate_ui), "three classes");
    check(&page::<EvaluateView>(fake::evaluated_151(), evaluate_ui), "151 classes");
    let loading = State { evaluation: Loadable::Loading, ..fake::finished() };
    check(&page::<EvaluateView>(loading, evaluate_ui), "loading");
    let reason = "run-1 has no checkpoint: it was stopped before its first epoch".to_owned();
    let failed = State { evaluation: Loadable::Failed(reason.clone()), ..fake::finished() };
    let harness = page::<EvaluateView>(failed, evaluate_ui);
    check(&harness, "failed");
    assert!(harness.query_by_label(&reason).is_some());
}

#[test]
fn a_split_is_measured_by_a_click() {
    let mut harness = page::<EvaluateView>(fake::evaluated(), evaluate_ui);
    click(&mut harness, "valid: 60 rows");
    assert_eq!(harness.state().actions, [Action::Evaluate(Split::Valid)]);
}

#[test]
fn a_cell_of_the_confusion_matrix_filters_the_mistakes() {
    let mut harness = page::<EvaluateView>(fake::evaluated(), evaluate_ui);
    let predicted = |harness: &Harness<'_, Bench<EvaluateView>>| {
        // Predictions in the list; the matrix, its heads and the table of classes have names of their own.
        harness.query_all_by_label("product").count()
    };
    let all = predicted(&harness);
    click(&mut harness, "4 rows labelled billing, predicted delivery (20.0 % of the label)");
    assert!(harness.query_by_label("labelled billing, predicted delivery").is_some());
    assert!(predicted(&harness) < all);
    click(&mut harness, "Show all");
    assert_eq!(predicted(&harness), all);
}

#[test]
fn a_mistake_asks_for_its_neighbours_and_they_lead_on() {
    let mut harness = page::<EvaluateView>(fake::evaluated(), evaluate_ui);
    // Row 301 is the one whose neighbours the state holds.
    click(&mut harness, "My invoice for March shows the old address, could you send it again?");
    assert_eq!(harness.state().actions, [Action::Session(Command::Neighbours { row: 301, k: 8 })]);
    for text in ["Before fine-tuning", "After fine-tuning", "messages.csv, line 303, test"] {
        assert!(harness.query_by_label(text).is_some(), "{text}");
    }
    // The text is a mistake too; its last mention is the neighbour.
    let neighbour = harness.query_all_by_label("Charged twice for the same order and nobody answers.").last();
    neighbour.expect("a neighbour").click();
    settle(&mut harness);
    let row = match harness.state().actions.as_slice() {
        [_, Action::Session(Command::Neighbours { row, k: 8 })] => *row,
        actions => panic!("{actions:?}"),
    };
    assert!(row != 301 && row % 12 == 3, "row {row}");
}

#[test]
fn classes_are_sorted_by_a_click_on_a_head() {
    let mut harness = page::<EvaluateView>(fake::evaluated_151(), evaluate_ui);
    // The highest text of the column; the heads of other columns are beside it, not in it.
    let column = harness.get_by_label("sort by class").rect();
    let first = |harness: &Harness<'_, Bench<EvaluateView>>| {
        let names = harness.query_all_by_label_contains("intent_");
        let in_column = names.filter(|node| (node.rect().left() - column.left()).abs() < 40.0);
        in_column.map(|node| (node.rect().top() as i32, node.value())).min()
    };
    assert!(first(&harness).is_some());
    let before = first(&harness);
    click(&mut harness, "sort by F1");
    assert_ne!(first(&harness), before);
}

#[test]
fn with_151_classes_the_pairs_are_listed() {
    let mut harness = page::<EvaluateView>(fake::evaluated_151(), evaluate_ui);
    assert!(harness.query_by_label("Mixed up most often").is_some());
    let pair = harness.query_all_by_label_contains(" as intent").next().expect("a pair");
    pair.click();
    settle(&mut harness);
    assert!(harness.query_by_label("Show all").is_some());
}

#[test]
fn the_other_task_is_shown_by_its_tab() {
    let mut harness = page::<EvaluateView>(fake::evaluated(), evaluate_ui);
    assert!(harness.query_by_label("confusion matrix of sentiment").is_none());
    click_role(&mut harness, Role::Button, "sentiment");
    assert!(harness.query_by_label("confusion matrix of sentiment").is_some());
}

#[test]
fn every_state_of_exploring_draws_and_fits() {
    check(&page::<ExploreView>(fake::empty(), explore_ui), "empty");
    check(&page::<ExploreView>(fake::ready(Preset::Full), explore_ui), "ready");
    check(&page::<ExploreView>(fake::explored(), explore_ui), "explored");
    let loading = State {
        similarity: Loadable::Loading,
        map: Loadable::Loading,
        prediction: Loadable::Loading,
        ..fake::finished()
    };
    check(&page::<ExploreView>(loading, explore_ui), "loading");
    let reason = || "the model could not be read".to_owned();
    let failed = State {
        similarity: Loadable::Failed(reason()),
        map: Loadable::Failed(reason()),
        prediction: Loadable::Failed(reason()),
        ..fake::finished()
    };
    let harness = page::<ExploreView>(failed, explore_ui);
    check(&harness, "failed");
    assert_eq!(harness.query_all_by_label("the model could not be read").count(), 3);
}

#[test]
fn without_a_run_there_is_no_after() {
    let mut state = fake::explored();
    state.run = None;
    for loadable in [&mut state.similarity] {
        if let Loadable::Ready(similarity) = loadable {
            let mut base = (**similarity).clone();
            base.after = None;
            *similarity = base.into();
        }
    }
    let harness = page::<ExploreView>(state, explore_ui);
    check(&harness, "base only");
    assert!(harness.query_by_label("Largest changes").is_none());
    assert!(harness.get_by_label("Classify").accesskit_node().is_disabled());
}

#[test]
fn typed_sentences_are_compared() {
    let mut harness = page::<ExploreView>(fake::finished(), explore_ui);
    click(&mut harness, "Compare");
    let [Action::Session(Command::Similarity(sentences))] = harness.state().actions.as_slice() else {
        panic!("{:?}", harness.state().actions);
    };
    assert_eq!(sentences.len(), 6);
    assert_eq!(sentences[0], "My parcel still has not arrived.");
}

#[test]
fn the_map_is_drawn_on_demand() {
    let mut harness = page::<ExploreView>(fake::finished(), explore_ui);
    click(&mut harness, "Draw the map");
    assert_eq!(harness.state().actions, [Action::Session(Command::Map { limit: 2000 })]);
}

#[test]
fn nothing_is_encoded_while_a_run_is_in_progress() {
    let harness = page::<ExploreView>(fake::running(), explore_ui);
    for button in ["Compare", "Draw the map", "Classify"] {
        assert!(harness.get_by_label(button).accesskit_node().is_disabled(), "{button}");
    }
}

#[test]
fn a_text_is_classified() {
    let mut harness = page::<ExploreView>(fake::finished(), explore_ui);
    click(&mut harness, "Classify");
    let expected = Command::Predict("The parcel came early, lovely!".into());
    assert_eq!(harness.state().actions, [Action::Session(expected)]);
}

#[test]
fn a_mover_asks_for_its_neighbours() {
    let mut harness = page::<ExploreView>(fake::explored(), explore_ui);
    let moved = harness.query_all_by_label("Charged twice for the same order and nobody answers.").next();
    moved.expect("a mover").click();
    settle(&mut harness);
    let [Action::Session(Command::Neighbours { row, k: 8 })] = harness.state().actions.as_slice() else {
        panic!("{:?}", harness.state().actions);
    };
    assert_eq!(row % 12, 3, "row {row} has that text");
}

#[test]
fn a_point_of_the_map_is_clicked_where_it_is_drawn() {
    let mut harness = page::<ExploreView>(fake::explored(), explore_ui);
    let rect = harness.get_by_label("map after fine-tuning").rect();
    // Somewhere on a coarse net a point lies within reach.
    for step in 0..400_u16 {
        let (column, row) = (step % 20, step / 20);
        let part = vec2(f32::from(column) + 0.5, f32::from(row) + 0.5) / 20.0;
        let at = rect.min + rect.size() * part;
        harness.hover_at(at);
        harness.run_steps(1);
        for pressed in [true, false] {
            harness.event(eframe::egui::Event::PointerButton {
                pos: at,
                button: eframe::egui::PointerButton::Primary,
                pressed,
                modifiers: eframe::egui::Modifiers::NONE,
            });
            harness.run_steps(1);
        }
        if !harness.state().actions.is_empty() {
            break;
        }
    }
    assert!(matches!(harness.state().actions.as_slice(), [Action::Session(Command::Neighbours { .. })]));
}

#[test]
fn the_search_counts_what_it_finds() {
    let mut harness = page::<ExploreView>(fake::explored(), explore_ui);
    harness.get_by_role_and_label(Role::TextInput, "Find").focus();
    harness.run_steps(1);
    harness.get_by_role_and_label(Role::TextInput, "Find").type_text("invoice");
    settle(&mut harness);
    assert!(harness.query_by_label("30 texts with \"invoice\"").is_some());
}

#[test]
fn further_settings_of_a_run_and_of_its_tasks_are_sent() {
    let mut harness = page::<ScheduleView>(fake::ready(Preset::Full), schedule_ui);
    click(&mut harness, "Further settings");
    // The header opens over some frames.
    for _ in 0..10 {
        settle(&mut harness);
    }
    click_role(&mut harness, Role::ComboBox, "What trains in a layer");
    click(&mut harness, "adapters (LoRA)");
    click_role(&mut harness, Role::CheckBox, "balance the classes of sentiment");
    let sent = recipes(&harness.state().actions);
    assert_eq!(sent[0].part, frostline::train::plan::ParamFilter::Lora);
    assert!(sent.iter().any(|recipe| recipe.task("sentiment").balance_classes), "{sent:?}");
}

#[test]
fn found_rates_are_drawn_and_taken_over() {
    let point = |step: u32| FindPoint {
        factor: 10f64.powf(f64::from(step) / 10.0 - 4.0),
        loss: 3.0 - f64::from(step) / 30.0,
        smoothed: 3.0 - f64::from(step) / 30.0,
    };
    let curve = RateCurve { points: (0..60).map(point).collect(), suggestion: Some(5.0) };
    let search = RateSearch { lr_encoder: 1e-4, lr_heads: 1e-3, curve };
    let mut state = fake::ready(Preset::Full);
    state.rate_search = Loadable::Ready(Arc::new(search));
    let mut harness = page::<ScheduleView>(state, schedule_ui);
    click(&mut harness, "Use these rates");
    let sent = recipes(&harness.state().actions);
    assert_eq!((sent[0].lr_encoder, sent[0].lr_heads), (5e-4, 5e-3));
}
