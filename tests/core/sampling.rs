//! Which files the rows of an epoch come from, through the session: what is drawn and learnt, with one setting changed.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use frostline::project::DataFile;
use frostline::session::command::Command;
use frostline::train::examples::Examples;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::{Recipe, Sampling};
use frostline::train::report::RunOutcome;
use frostline::train::run::checkpoint::Checkpointer;
use frostline::train::run::dispatch::Dispatch;
use frostline::train::run::fit::Fit;
use frostline::train::run::fit_event::{FitEvent, Fitted};

use crate::support::recorded::{BATCH, STEPS, model, plan, rows};
use crate::support::tiny_run::{TURN, place, recipe, report};

/// Rows that are labelled for one of two tasks: what was drawn of a file is what its task was trained on.
fn file(path: &Path, rows: usize, first: bool) -> DataFile {
    let mut text = String::from("text,first,second\n");
    for row in 0..rows {
        let (words, class) = [("the train was cancelled", "go"), ("my account starts", "pay")][row % 2];
        let labels = if first { format!("{class},") } else { format!(",{class}") };
        writeln!(text, "{words} number {row},{labels}").expect("memory");
    }
    std::fs::write(path, text).expect("rows");
    DataFile::new(path)
}

/// Labelled rows of both tasks in each epoch, and the kept weights, from files of 200 and of 20 rows.
fn learnt(sampling: Sampling) -> (Vec<[usize; 2]>, Vec<u8>) {
    let mut place =
        place("bert", Recipe { batch_size: 10, epochs: 3, sampling, ..recipe(Preset::FreezeBackbone) });
    let files = [("large.csv", 200), ("small.csv", 20)];
    let mut draft = place.session.state().project.clone();
    let dir = place.dir.path().to_owned();
    draft.files = files.map(|(name, rows)| file(&dir.join(name), rows, rows == 200)).into();
    (draft.valid_fraction, draft.test_fraction) = (0.0, 0.0);
    draft.save(&place.home()).expect("the project file");
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    assert_eq!(place.errors(), [""; 0]);
    let run = place.train();
    report(&run);
    let drawn = run.epochs.iter().filter(|epoch| epoch.epoch > 0);
    let drawn = drawn.map(|epoch| [epoch.train[0].rows, epoch.train[1].rows]).collect();
    let weights = std::fs::read(run.dir.join("checkpoints/best.safetensors")).expect("the kept weights");
    (drawn, weights)
}

#[test]
fn rows_are_drawn_from_files_as_the_recipe_says() {
    let (by_size, a) = learnt(Sampling::Proportional);
    assert_eq!(by_size, [[200, 20]; 3]);
    // 22 batches of 10 rows, by turns.
    let (by_turns, b) = learnt(Sampling::RoundRobin);
    assert_eq!(by_turns, [[110, 110]; 3]);
    // 220 rows in the proportion of the roots of 200 and 20.
    let (by_temperature, c) = learnt(Sampling::Temperature(2.0));
    assert_eq!(by_temperature, [[167, 53]; 3]);
    assert!(a != b && b != c && a != c, "the weights are the same");
}

/// Earlier versions did not say which file a row came from.
#[test]
fn checkpoints_of_earlier_versions_are_resumed_where_they_drew_as_their_recipe_says() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fit = |sampling, rows: &Examples, dir: &Path, stop_at: Option<usize>| {
        let recipe = Recipe { batch_size: BATCH, epochs: 1, sampling, ..Recipe::default() };
        let mut model = model();
        let plan = plan("run", &recipe, &model, rows);
        let mut checkpointer = Checkpointer::new(dir, Duration::from_hours(1));
        let from = checkpointer.read_last().expect("readable");
        let stop = AtomicBool::new(false);
        let report = &mut |event: FitEvent| {
            if let FitEvent::Step(point) = &event {
                stop.fetch_or(stop_at == Some(point.step), Ordering::Relaxed);
            }
            Ok(())
        };
        let (valid, dispatch) = (&Examples::default(), Dispatch::STEPWISE);
        let (plan, model, checkpointer) = (&plan, &mut model, &mut checkpointer);
        let fitted =
            Fit { plan, model, train: rows, valid, dispatch, stop: &stop, checkpointer, report }.run(from);
        fitted.map(|Fitted { outcome, .. }| outcome).map_err(|error| error.to_string())
    };
    let before = rows(false);
    let sources = (0..STEPS * BATCH).map(|row| u32::from(row >= 100)).collect();
    let now = Examples { sources, ..rows(false) };
    for (sampling, resumed) in [(Sampling::Proportional, true), (Sampling::RoundRobin, false)] {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(fit(sampling, &before, dir.path(), Some(3)), Ok(RunOutcome::Stopped { at_step: 3 }));
        let ended = fit(sampling, &now, dir.path(), None);
        if resumed {
            assert_eq!(ended, Ok(RunOutcome::Finished));
        } else {
            let reason = ended.expect_err("it cannot be resumed");
            assert!(
                reason.contains("an earlier version, which drew the rows of all files by size"),
                "{reason}"
            );
        }
    }
}
