//! Which files the rows of an epoch come from, through the session: what is drawn and learnt, with one setting changed.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::fmt::Write as _;
use std::path::Path;

use frostline::project::DataFile;
use frostline::session::command::Command;
use frostline::train::preset::Preset;
use frostline::train::recipe::{Recipe, Sampling};

#[path = "common/tiny_run.rs"]
mod tiny_run;

use tiny_run::{place, recipe, report};

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
