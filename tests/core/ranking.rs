//! Ranking, through the session: second texts that are there again, hard negatives, and batches of one pair.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::task::TaskKind;
use frostline::project::DataFile;
use frostline::session::command::Command;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;

use crate::support::tiny_run::{Place, place, recipe, report};

/// A project on rows of a CSV file, all for training, with the columns `text` and `answer` and these tasks.
fn project(csv: &str, tasks: &[(&str, TaskKind)], recipe: Recipe) -> Place {
    let mut place = place("bert", recipe);
    let data = place.dir.path().join("data.csv");
    std::fs::write(&data, csv).expect("rows");
    let tasks = tasks.iter().map(|(column, kind)| TaskColumn::of_kind(column, *kind)).collect();
    let mut draft = place.session.state().project.clone();
    draft.files = vec![DataFile::new(data)];
    (draft.valid_fraction, draft.test_fraction) = (0.0, 0.0);
    draft.mapping =
        Some(Mapping { text: "text".into(), second: Some("answer".into()), tasks, ..Mapping::default() });
    draft.save(&place.home()).expect("the project file");
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    assert_eq!(place.errors(), [""; 0]);
    place
}

const QUESTIONS: [&str; 4] = ["the train", "a card", "my account", "this recipe"];
const ANSWERS: [&str; 4] = ["was cancelled", "starts tomorrow", "was wonderful", "our test"];

/// Four answers for all rows: of the other fifteen of a batch a few are the same as the true one.
fn four_answers(rows: usize) -> String {
    let line = |row: usize| format!("{} number {row},{}\n", QUESTIONS[row % 4], ANSWERS[row % 4]);
    format!("text,answer\n{}", (0..rows).map(line).collect::<String>())
}

#[test]
fn an_answer_that_is_there_again_is_no_wrong_one() {
    let recipe = Recipe { epochs: 20, lr_encoder: 1e-3, batch_size: 16, ..recipe(Preset::Full) };
    let run = project(&four_answers(96), &[("answer", TaskKind::Ranking)], recipe).train();
    let losses: Vec<f64> =
        run.epochs.iter().filter(|epoch| epoch.epoch > 0).map(|epoch| epoch.train[0].loss).collect();
    // With each of about four equal answers as a wrong one, it cannot fall below ln 4.
    assert!(losses.last().is_some_and(|loss| *loss < 0.7), "{losses:?}");
    let figures = &report(&run).metrics[0].1[0];
    assert!(figures.accuracy > 0.8, "{figures:?}");
}

/// Four questions with many answers each: the other answers to the same question are right too.
#[test]
fn other_right_answers_to_the_same_question_are_no_wrong_ones() {
    let line = |row: usize| format!("{},{} number {row}\n", QUESTIONS[row % 4], ANSWERS[row % 4]);
    let csv = format!("text,answer\n{}", (0..96).map(line).collect::<String>());
    let recipe = Recipe { epochs: 20, lr_encoder: 1e-3, batch_size: 16, ..recipe(Preset::Full) };
    let run = project(&csv, &[("answer", TaskKind::Ranking)], recipe).train();
    let losses: Vec<f64> =
        run.epochs.iter().filter(|epoch| epoch.epoch > 0).map(|epoch| epoch.train[0].loss).collect();
    // With about three other right answers as wrong ones, it cannot fall below ln 4; in the pool of all answers, with 23 as
    // wrong ones, not below ln 24 = 3.2, nor the accuracy rise above 1 in 24.
    assert!(losses.last().is_some_and(|loss| *loss < 0.7), "{losses:?}");
    let figures = &report(&run).metrics[0].1[0];
    assert!(figures.accuracy > 0.7 && figures.loss < 2.8, "{figures:?}");
}

#[test]
fn pairs_labelled_0_are_hard_negatives() {
    let rows = |zero: &str| {
        let line = |row: usize| {
            let (answer, label) =
                if row % 3 == 2 { (ANSWERS[(row + 1) % 4], zero) } else { (ANSWERS[row % 4], "1") };
            let topic = ["a", "b"][row % 2];
            format!("{} number {row},{answer} {row},{label},{topic}\n", QUESTIONS[row % 4])
        };
        format!("text,answer,good,topic\n{}", (0..60).map(line).collect::<String>())
    };
    let recipe = Recipe { epochs: 1, ..recipe(Preset::Full) };
    let tasks = [("good", TaskKind::Ranking), ("topic", TaskKind::SingleLabel)];
    let learnt = |zero| {
        let run = project(&rows(zero), &tasks, recipe.clone()).train();
        let figures = report(&run).metrics[0].1.clone();
        // What is labelled 0 asks nothing, and is not measured.
        assert_eq!((figures[0].rows, figures[1].rows), (40, 60));
        let epoch = run.epochs.iter().find(|epoch| epoch.epoch == 1).expect("an epoch");
        assert_eq!((epoch.train[0].rows, epoch.train[1].rows), (40, 60));
        epoch.train[0].loss
    };
    // The same rows in the same batches: only the zeros are gone.
    let (with, without) = (learnt("0"), learnt(""));
    assert!(with > without + 0.1, "{with} with negatives, {without} without");
    // Rows that are labelled 0 and nothing else are there too.
    let alone = project(&rows("0"), &tasks[..1], recipe.clone()).train();
    assert_eq!(alone.plan.train_rows, 60);
}

#[test]
fn a_batch_of_one_pair_is_refused() {
    let plan_of = |batch_size, accumulate| {
        let recipe = Recipe { batch_size, accumulate, ..recipe(Preset::Full) };
        let place = project(&four_answers(24), &[("answer", TaskKind::Ranking)], recipe);
        place.session.state().plan.clone().expect("a plan or a reason")
    };
    let refused = plan_of(1, 1).expect_err("it cannot be run");
    assert!(refused.contains("the batch size is 1") && refused.contains("ranking"), "{refused}");
    assert!(plan_of(1, 4).is_ok() && plan_of(2, 1).is_ok());
}

/// Negatives of a step are those of all of its batches, so that it does not depend on how it is cut.
#[test]
fn small_batches_add_up_to_a_large_one() {
    let rows = |row: usize| format!("{} number {row},{} {row}\n", QUESTIONS[row % 4], ANSWERS[row % 4]);
    let csv = format!("text,answer\n{}", (0..48).map(rows).collect::<String>());
    let learnt = |batch_size, accumulate| {
        let recipe = Recipe {
            batch_size,
            accumulate,
            epochs: 1,
            optimizer: frostline::train::plan::recipe::OptimizerKind::Sgd,
            lr_encoder: 0.02,
            ..recipe(Preset::Full)
        };
        let mut place = project(&csv, &[("answer", TaskKind::Ranking)], recipe);
        let run = place.train();
        let path = run.dir.join("checkpoints/best.safetensors");
        let mut weights = frostline::model::files::safetensors::read_all(&path).expect("the kept weights");
        weights.sort_by(|(a, _), (b, _)| a.cmp(b));
        (weights, run.epochs.last().expect("an epoch").train[0])
    };
    let (whole, told) = learnt(16, 1);
    for (size, accumulate) in [(8, 2), (4, 4), (1, 16)] {
        let (cut, curve) = learnt(size, accumulate);
        for ((name, a), (_, b)) in whole.iter().zip(&cut) {
            let off = (a - b).abs().max().double_value(&[]);
            assert!(off <= 1e-6, "batches of {size}: {name} is {off} off");
        }
        assert!((told.loss - curve.loss).abs() < 1e-5 && told.rows == curve.rows, "{told:?} {curve:?}");
    }
}
