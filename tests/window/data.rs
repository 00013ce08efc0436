//! The Data page by its accessible names: findings, changes, rows and how files are read.
#![cfg(feature = "window")]

use crate::support::page;
use crate::support::states;
use std::sync::Arc;

use crate::support::page::{page, sees, sees_not, settle};
use eframe::egui::{Key, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use frostline::data::dataset::Split;
use frostline::data::edit::Cell;
use frostline::data::edit::fix::Fix;
use frostline::data::query::SortBy;
use frostline::data::read::overrides::Overrides;
use frostline::session::command::{Command, Edit};
use frostline::session::state::{Loadable, State};
use frostline::ui::actions::{Action, Actions};
use frostline::ui::panels::data::{DataPageView, data_ui};

type DataPage = Harness<'static, (DataPageView, Actions)>;

/// The one thing that was asked of the session.
fn asked(page: &mut DataPage) -> Command {
    settle(page);
    match page.state_mut().1.take().as_slice() {
        [Action::Session(command)] => command.clone(),
        other => panic!("sent {other:?}"),
    }
}

fn press(page: &mut DataPage, role: Role, label: &str) {
    page.get_by_role_and_label(role, label).click();
    settle(page);
}

#[test]
fn a_finding_shows_its_rows_and_is_mended_by_a_click() {
    let mut page = page::<DataPageView>(states::loaded(), data_ui);
    press(&mut page, Role::Button, "Move them to one split");
    assert_eq!(asked(&mut page), Command::Edit(Edit::AddFix(Fix::JoinLeaks)));
    page.get_all_by_role_and_label(Role::Button, "Show 2 rows").next().expect("a button").click();
    let Command::FindRows(query) = asked(&mut page) else { panic!("no rows are looked for") };
    assert_eq!(query.among.as_deref(), Some(&vec![0, 6]));
}

#[test]
fn a_cell_that_hides_labels_is_confirmed_by_a_click() {
    let mut state = states::loaded();
    let Loadable::Ready(data) = &mut state.data else { panic!("no data") };
    let data = Arc::make_mut(data);
    let mut mapping = data.mapping.clone();
    let task = mapping.tasks[0].task.clone();
    Arc::make_mut(&mut data.dataset).unconfirmed.insert(task, "-1".into());
    let mut page = page::<DataPageView>(state, data_ui);
    press(&mut page, Role::Button, "Treat -1 as not annotated");
    mapping.tasks[0].missing.push("-1".into());
    assert_eq!(asked(&mut page), Command::Edit(Edit::SetMapping(mapping)));
    sees_not(&self::page::page::<DataPageView>(states::loaded(), data_ui), "Treat -1 as not annotated");
}

#[test]
fn changes_are_listed_and_taken_back() {
    let mut page = page::<DataPageView>(states::rows::changed(states::loaded()), data_ui);
    sees(&page, "texts that stood in several splits are in one");
    sees(&page, "107 rows");
    sees(&page, "1 correction does not fit the file any more");
    page.get_all_by_role_and_label(Role::Button, "Take this fix back").nth(1).expect("a button").click();
    assert_eq!(asked(&mut page), Command::Edit(Edit::RemoveFix(1)));
    press(&mut page, Role::Button, "Forget what does not fit");
    assert_eq!(asked(&mut page), Command::Edit(Edit::ForgetCorrections(vec![1])));
    sees(&page, "Changed on the disk since it was read: valid.csv.");
    sees(&page, "Gone from where it was read: test.csv.");
    press(&mut page, Role::Button, "Read the files again");
    assert_eq!(asked(&mut page), Command::ReloadData);
    sees(&page, "The first 2 lines stand above the table.");
}

#[test]
fn rows_are_looked_for_and_ordered() {
    let mut page = page::<DataPageView>(states::loaded(), data_ui);
    sees(&page, "960 rows");
    let words = "Find words in the texts";
    page.get_by_role_and_label(Role::TextInput, words).focus();
    settle(&mut page);
    page.get_by_role_and_label(Role::TextInput, words).type_text("jacket");
    let Command::FindRows(query) = asked(&mut page) else { panic!("no rows are looked for") };
    assert_eq!(query.words, "jacket");
    press(&mut page, Role::Button, "sentiment");
    let Command::FindRows(query) = asked(&mut page) else { panic!("no rows are looked for") };
    assert_eq!(query.sort, Some((SortBy::Label(1), false)));

    let mut found = self::page::<DataPageView>(states::rows::changed(states::loaded()), data_ui);
    sees(&found, "4 of 960 rows");
    sees_not(&found, "Lovely jacket, warm and light.");
    press(&mut found, Role::Button, "Show all rows");
    let Command::FindRows(query) = asked(&mut found) else { panic!("no rows are looked for") };
    assert!(query.is_all());
    press(&mut found, Role::ComboBox, "Split of the rows");
    press(&mut found, Role::Button, "test");
    let Command::FindRows(query) = asked(&mut found) else { panic!("no rows are looked for") };
    assert_eq!((query.split, query.words.as_str()), (Some(Split::Test), "phone"));
}

#[test]
fn a_row_is_read_in_full_and_corrected() {
    let mut page = page::<DataPageView>(states::loaded(), data_ui);
    page.get_all_by_label("Lovely jacket, warm and light.").next().expect("a row").click();
    settle(&mut page);
    sees(&page, "train.csv, line 7");
    let text = "Text of the row";
    page.get_by_role_and_label(Role::TextInput, text).focus();
    settle(&mut page);
    page.key_press(Key::End);
    page.get_by_role_and_label(Role::TextInput, text).type_text(" Yes.");
    settle(&mut page);
    assert!(page.state().1.queued().is_empty(), "nothing is sent while typing");
    press(&mut page, Role::Button, "Correct the text");
    let now = "Lovely jacket, warm and light. Yes.".to_owned();
    assert_eq!(asked(&mut page), Command::Correct { row: 5, cell: Cell::Text, now });
    press(&mut page, Role::ComboBox, "Label of sentiment");
    press(&mut page, Role::Button, "negative");
    let cell = Cell::Label("sentiment".into());
    assert_eq!(asked(&mut page), Command::Correct { row: 5, cell, now: "negative".into() });
}

#[test]
fn how_a_file_is_read_is_overruled() {
    for state in [states::loaded(), states::failed()] {
        let mut page = page::<DataPageView>(state, data_ui);
        page.get_all_by_label("Read it differently").next().expect("a line that opens").click();
        settle(&mut page);
        page.get_all_by_role(Role::ComboBox)
            .find(|node| node.accesskit_node().label().is_some_and(|label| label.starts_with("Delimiter of")))
            .expect("a choice")
            .click();
        settle(&mut page);
        press(&mut page, Role::Button, "semicolon");
        let Command::Edit(Edit::SetOverrides(_, said)) = asked(&mut page) else { panic!("nothing is said") };
        assert_eq!(said, Overrides { delimiter: Some(b';'), ..Overrides::default() });
    }
}

/// Also the only file, and what was never read.
#[test]
fn a_file_is_removed_whatever_became_of_it() {
    let alone = |mut state: State| {
        state.project.files.truncate(1);
        if let Loadable::Ready(data) = &mut state.data {
            Arc::make_mut(data).files.truncate(1);
        }
        state
    };
    let cancelled = State { data: Loadable::Cancelled, ..states::loaded() };
    for state in [states::failed(), alone(states::loaded()), alone(cancelled)] {
        let mut page = page::<DataPageView>(state, data_ui);
        press(&mut page, Role::Button, "Remove train.csv");
        assert_eq!(asked(&mut page), Command::Edit(Edit::SetFiles(Vec::new())));
    }
    let mut state = states::loaded();
    state.data = Loadable::Failed("valid.csv cannot be read: permission denied".into());
    let mut page = page::<DataPageView>(state, data_ui);
    press(&mut page, Role::Button, "Remove valid.csv");
    let others = ["/home/kim/messages/train.csv", "/home/kim/messages/test.csv"].map(Into::into).to_vec();
    assert_eq!(asked(&mut page), Command::Edit(Edit::SetFiles(others)));
}

#[test]
fn reading_shows_how_far_it_is_and_can_be_given_up() {
    let mut page = page::<DataPageView>(states::loading(), data_ui);
    press(&mut page, Role::Button, "Cancel");
    assert_eq!(asked(&mut page), Command::CancelReading);
    let mut page = self::page::<DataPageView>(states::failed(), data_ui);
    press(&mut page, Role::Button, "Read them again");
    assert_eq!(asked(&mut page), Command::ReloadData);
}
