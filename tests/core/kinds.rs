//! Tasks of every kind, from one file through training, figures, curves, predictions and export.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::fmt::Write as _;

use frostline::data::dataset::Split;
use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::task::TaskKind;
use frostline::session::command::{Command, Edit};
use frostline::session::row_results::{RowResults, SpansSaid};
use frostline::session::state::{Loadable, Prediction};
use frostline::train::metrics::{SpanVerdict, THRESHOLD, TaskMetrics};
use frostline::train::plan::monitor::Monitor;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;

use crate::support::tiny_run::{Place, place, recipe, report};

/// Rows whose labels of every kind can be learnt from words.
fn jsonl(rows: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        let (who, place) = (["card", "bank", "flight"][row % 3], ["hotel", "cafe", "zurich"][row / 3 % 3]);
        let good = row / 9 % 2 == 0;
        let how = if good { "changed" } else { "cancelled" };
        let themes = if good { format!("[\"{who}\", \"praise\"]") } else { format!("[\"{who}\"]") };
        let alike = [0.5, 2.0, 4.5][row / 3 % 3];
        writeln!(
            text,
            r#"{{"text": ["the", "{who}", "with", "{place}", "was", "{how}"], "other": "{place} {who} {how} {row}", "topic": "{who}", "themes": {themes}, "stars": {}, "alike": {alike}, "ner": "O B-WHO O B-AT O O"}}"#,
            2 + row % 3,
        )
        .expect("memory");
    }
    text
}

const TASKS: [(&str, TaskKind); 6] = [
    ("topic", TaskKind::SingleLabel),
    ("themes", TaskKind::MultiLabel),
    ("stars", TaskKind::Score),
    ("ner", TaskKind::TokenLabels),
    ("alike", TaskKind::Similarity),
    ("other", TaskKind::Ranking),
];

/// A project of the given tasks on the tiny model.
fn project(tasks: &[(&str, TaskKind)], recipe: Recipe) -> Place {
    let mut place = place("bert", recipe);
    std::fs::write(place.dir.path().join("data.csv"), "").expect("rows");
    let path = place.dir.path().join("kinds.jsonl");
    std::fs::write(&path, jsonl(90)).expect("rows");
    let tasks = tasks.iter().map(|(column, kind)| TaskColumn::of_kind(column, *kind)).collect();
    let mapping = Mapping { text: "text".into(), second: Some("other".into()), tasks, ..Mapping::default() };
    let mut draft = place.session.state().project.clone();
    draft.files[0].path = path;
    draft.mapping = Some(mapping);
    draft.save(&place.home()).expect("the project file");
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    assert_eq!(place.errors(), [""; 0]);
    place
}

fn of<'a>(figures: &'a [TaskMetrics], task: &str) -> &'a TaskMetrics {
    figures.iter().find(|found| found.task == task).expect("the task's figures")
}

/// What became of entities counts up to the figures.
fn check_entities(spans: &SpansSaid, figures: &TaskMetrics) {
    use SpanVerdict::{Invented, Missed, Right, WrongBoundary, WrongKind};
    let count = |wanted: &[SpanVerdict]| {
        let counts = spans.counts.iter().filter(|(verdict, _)| wanted.contains(verdict));
        counts.map(|(_, count)| *count).sum::<usize>()
    };
    let labelled = count(&[Right, Missed, WrongKind, WrongBoundary]);
    let said = count(&[Right, Invented, WrongKind, WrongBoundary]);
    let of_spans = figures.spans.expect("figures of entities");
    assert_eq!(labelled, of_spans.entities);
    assert!((count(&[Right]) as f64 - of_spans.recall * labelled as f64).abs() < 1e-9);
    assert!((count(&[Right]) as f64 - of_spans.precision * said as f64).abs() < 1e-9);
    assert_eq!(spans.wrong_rows, spans.rows.len());
}

/// With rates that move nothing and without dropout, the rows that are trained on are those that are measured afterwards.
#[test]
fn figures_of_training_rows_are_what_they_are_called() {
    let learning =
        Recipe { epochs: 6, lr_encoder: 1e-3, lr_heads: 3e-2, batch_size: 8, ..recipe(Preset::Full) };
    let mut place = project(&TASKS, learning.clone());
    let first = place.train();
    let still = Recipe {
        epochs: 1,
        lr_encoder: 1e-12,
        lr_heads: 1e-12,
        head_dropout: 0.0,
        encoder_dropout: Some(0.0),
        ..learning
    };
    place.session.send(Command::Edit(Edit::SetRecipe(still.into())));
    place.session.send(Command::Branch { from: first.plan.name.clone(), name: None });
    place.settle();
    let run = place.session.state().run.clone().expect("a run");
    let report = report(&run);
    let (_, train) = report.metrics.iter().find(|(split, _)| *split == Split::Train).expect("figures");
    let epoch = run.epochs.last().expect("an epoch");
    for (index, (task, kind)) in TASKS.iter().enumerate() {
        let (running, after) = (epoch.train[index].figure, of(train, task).figure());
        if *kind == TaskKind::Ranking {
            // Within a batch there are few wrong answers.
            assert!(running > after + 0.05, "{task}: {running} in batches, {after} among all");
        } else {
            assert!((running - after).abs() < 1e-6, "{task}: {running} in training, {after} measured");
            assert!(after.abs() > 0.05, "{task}: {after} says nothing");
        }
    }
    // Of a step, too, the figure is that of its own rows: entities are whole or wrong.
    let shares = run.steps.iter().map(|step| step.tasks[3].figure);
    assert!(shares.clone().all(|share| (0.0..=1.0).contains(&share)) && shares.count() > 3);
}

#[test]
fn every_kind_trains_is_measured_and_says_something() {
    let recipe =
        Recipe { epochs: 12, lr_encoder: 1e-3, lr_heads: 3e-2, batch_size: 8, ..recipe(Preset::Full) };
    let mut place = project(&TASKS, recipe);
    let run = place.train();
    let report = report(&run);
    let (_, valid) = report.metrics.iter().find(|(split, _)| *split == Split::Valid).expect("figures");
    assert_eq!(valid.len(), TASKS.len());
    let last = run.epochs.iter().rev().find(|epoch| epoch.best).expect("a kept epoch");
    for (index, (task, kind)) in TASKS.iter().enumerate() {
        let found = of(valid, task);
        assert_eq!((found.kind, found.rows > 0), (*kind, true), "{task}");
        assert!(found.named().iter().all(|(_, value)| value.is_finite()), "{task}: {:?}", found.named());
        let kept = last.valid[index];
        assert!(
            (found.figure() - kept.figure).abs() < 1e-4,
            "{task}: {} is not {}",
            found.figure(),
            kept.figure
        );
        assert!((found.loss - kept.loss).abs() < 1e-3, "{task}: {} is not {}", found.loss, kept.loss);
        // Each task learns its training rows; a dozen validation rows tell little. But the ranking draws together what
        // the similarity holds apart: that one is tried alone below.
        if *kind == TaskKind::Similarity {
            continue;
        }
        let losses: Vec<f64> = run.epochs.iter().skip(1).map(|epoch| epoch.train[index].loss).collect();
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(lowest < 0.95 * losses[0], "{task}: {losses:?}");
    }
    place.session.send(Command::Evaluate(Split::Valid));
    place.session.send(Command::Predict("the card with hotel was cancelled".into()));
    place.session.send(Command::Map { limit: 20 });
    place.session.send(Command::Export(place.dir.path().join("exported")));
    place.settle();
    let state = place.session.state();
    let Loadable::Ready(evaluation) = &state.evaluation else { panic!("{:?}", place.errors()) };
    for (now, then) in evaluation.tasks.iter().zip(valid) {
        assert!((now.figure() - then.figure()).abs() < 1e-6 && now.rows == then.rows, "{}", now.task);
    }
    let [RowResults::Classes(topics), RowResults::Sets(curve), _, RowResults::Spans(spans), ..] =
        evaluation.said.as_slice()
    else {
        panic!("{:?}", evaluation.said)
    };
    assert_eq!(topics.len(), of(&evaluation.tasks, "topic").rows);
    let own = curve.iter().find(|figures| figures.threshold == THRESHOLD).expect("the program's own");
    let themes = of(&evaluation.tasks, "themes");
    assert_eq!((own.micro_f1, own.macro_f1), (themes.figure(), themes.macro_f1));
    check_entities(spans, of(&evaluation.tasks, "ner"));
    let map = state.map.ready().expect("a map");
    assert_eq!(map.predicted.iter().map(Vec::len).collect::<Vec<_>>(), [20, 0, 0, 0, 0, 0]);
    let said = &state.prediction.ready().expect("a prediction").tasks;
    let answers: Vec<&Prediction> = said.iter().map(|(_, answer)| answer).collect();
    assert!(matches!(
        answers.as_slice(),
        [
            Prediction::OneOf(_),
            Prediction::AnyOf(_),
            Prediction::Number(_),
            Prediction::Words(_),
            Prediction::OneText,
            Prediction::OneText
        ]
    ));
    assert_eq!(answers[3].cell().split(' ').count(), 6, "a tag for every word");
    assert_eq!(place.errors(), [""; 0]);
}

/// The tag of a word is learnt at its first token: what a word says alone is then found without a fault.
#[test]
fn words_are_tagged_where_they_stand() {
    let recipe = Recipe {
        epochs: 30,
        lr_encoder: 3e-3,
        lr_heads: 3e-2,
        batch_size: 8,
        head_dropout: 0.0,
        encoder_dropout: Some(0.0),
        ..recipe(Preset::Full)
    };
    let mut place = project(&TASKS[3..4], recipe);
    let run = place.train();
    let report = report(&run);
    let (_, valid) = report.metrics.iter().find(|(split, _)| *split == Split::Valid).expect("figures");
    assert!(of(valid, "ner").figure() > 0.9, "{:?}", of(valid, "ner").named());
    place.session.send(Command::Predict("the card with hotel was cancelled".into()));
    place.settle();
    let said = &place.session.state().prediction.ready().expect("a prediction").tasks;
    assert_eq!(said[0].1.cell(), "O B-WHO O B-AT O O");
}

#[test]
fn a_similarity_is_learnt_by_the_encoder_alone() {
    let recipe = Recipe { epochs: 12, lr_encoder: 1e-3, batch_size: 8, ..recipe(Preset::Full) };
    let run = project(&TASKS[4..5], recipe).train();
    let first = run.epochs.first().expect("the measurement before").valid[0].loss;
    let losses: Vec<f64> = run.epochs.iter().skip(1).map(|epoch| epoch.train[0].loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(lowest < 0.9 * losses[0] && lowest < first, "{first}, {losses:?}");
}

/// Pooled vectors are enough while no task reads tokens: of second texts too.
#[test]
fn a_frozen_encoder_measures_pairs_from_what_it_kept() {
    let tasks = &[TASKS[0], TASKS[2], TASKS[4], TASKS[5]];
    let mut place = project(tasks, Recipe { epochs: 2, ..recipe(Preset::FreezeBackbone) });
    let run = place.train();
    let report = report(&run);
    let (_, valid) = report.metrics.iter().find(|(split, _)| *split == Split::Valid).expect("figures");
    for (index, found) in valid.iter().enumerate() {
        let kept = run.epochs.iter().rev().find(|epoch| epoch.best).expect("a kept epoch").valid[index];
        assert!((found.figure() - kept.figure).abs() < 1e-6, "{}", found.task);
        assert!((found.loss - kept.loss).abs() < 1e-5, "{}", found.task);
    }
}

#[test]
fn any_figure_may_be_watched_and_an_unknown_one_is_refused_before_the_run() {
    let watch = |task: &str, figure: &str| Monitor { task: Some(task.into()), figure: Some(figure.into()) };
    let mut place = project(&TASKS, Recipe { watch: watch("stars", "mae"), ..recipe(Preset::Full) });
    let run = place.train();
    let kept = report(&run);
    let (_, valid) = kept.metrics.iter().find(|(split, _)| *split == Split::Valid).expect("figures");
    let mae = of(valid, "stars").get("mae").expect("a number");
    assert!(mae.is_finite() && run.epochs.iter().any(|epoch| epoch.best));

    let recipe = Recipe { watch: watch("stars", "macro-f1"), ..place.session.state().project.recipe.clone() };
    place.session.send(Command::Edit(Edit::SetRecipe(Box::new(recipe))));
    place.settle();
    let Some(Err(reason)) = &place.session.state().plan else { panic!("the plan was made") };
    assert!(reason.contains("macro-f1") && reason.contains("spearman, pearson, mse"), "{reason}");
}
