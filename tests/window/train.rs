//! What the Train page says of runs: sentences, runs side by side, files of the curves.
#![cfg(feature = "window")]
#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture should stop the test")]

use crate::support::page::{page, sees, settle};
use crate::support::states;
use eframe::egui::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use frostline::session::command::Command;
use frostline::session::state::ResourceUsage;
use frostline::ui::actions::{Action, Actions};
use frostline::ui::panels::train::{TrainView, train_ui};

type TrainPage = Harness<'static, (TrainView, Actions)>;

/// The file that a button asked to be saved.
fn saved(page: &mut TrainPage, button: &str) -> (String, String) {
    page.get_by_role_and_label(Role::Button, button).click();
    settle(page);
    match page.state_mut().1.take().as_slice() {
        [Action::SaveFile { name, bytes }] => {
            (name.clone(), String::from_utf8(bytes.to_vec()).expect("text"))
        }
        other => panic!("asked for {other:?}"),
    }
}

#[test]
fn overfitting_is_told_in_words() {
    let page = page::<TrainView>(states::compared(), train_ui);
    sees(&page, "topic overfits since epoch 2");
    sees(&page, "its loss rose from 0.6000 to 0.9000");
    sees(&page, "The weights of epoch 2 are the ones that are kept.");
}

#[test]
fn runs_stand_side_by_side_with_what_was_set_differently() {
    let mut page = page::<TrainView>(states::compared(), train_ui);
    sees(&page, "Side by side");
    sees(&page, "encoder rate");
    sees(&page, "2e-5");
    assert!(page.query_by_label("weight decay").is_none(), "it was the same in both");
    page.get_by_role_and_label(Role::CheckBox, "compare run-1").click();
    settle(&mut page);
    assert_eq!(page.state_mut().1.take(), [Action::from(Command::Compare("run-1".into()))]);
}

#[test]
fn a_live_run_tells_its_pace_and_what_it_takes() {
    let mut state = states::training();
    state.load = Some(ResourceUsage { memory: 1_234_000_000, cores: 1.9, of_cores: 2 });
    let page = page::<TrainView>(state, train_ui);
    sees(&page, "71");
    sees(&page, "1.23 GB");
    sees(&page, "1.9 of 2");
}

#[test]
fn curves_are_saved_as_a_table_and_as_a_drawing() {
    let mut page = page::<TrainView>(states::compared(), train_ui);
    let (name, csv) = saved(&mut page, "CSV");
    assert_eq!(name, "run-2-curves.csv");
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = rows.records().map(|record| record.expect("a row")).collect();
    // Two tasks: five epochs of both splits, and every step.
    assert_eq!(records.len(), 2 * (2 * 5 + 192));
    let best = records.iter().find(|row| &row[0] == "epoch" && &row[1] == "2" && &row[4] == "valid");
    assert_eq!(best.expect("epoch 2").get(6), Some("0.6"));

    let (name, svg) = saved(&mut page, "SVG");
    assert_eq!(name, "run-2-curves.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<polyline").count(), 8, "two tasks, two splits, two figures");
}

#[test]
fn the_log_tells_phases_epochs_and_the_end() {
    let mut page = page::<TrainView>(states::compared(), train_ui);
    page.get_by_label("Log").click();
    settle(&mut page);
    sees(&page, "phase 1: everything trains");
    sees(&page, "epoch 2, step 96, 11 s: training loss 1.0000; validation: topic loss 0.6000");
    sees(&page, "finished");
    page.get_by_role_and_label(Role::Button, "Copy log");
}
