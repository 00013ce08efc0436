//! What is measured of a run row by row, through a real session on the tiny model.

use std::sync::Arc;

use frostline::data::dataset::Split;
use frostline::data::edit::Cell;
use frostline::session::command::{Command, Edit};
use frostline::session::state::{Evaluation, Loadable};
use frostline::train::plan::preset::Preset;

use crate::support::tiny_run::{Place, mislabelled, place, recipe, report};

fn measured(place: &mut Place, split: Split) -> Arc<Evaluation> {
    place.session.send(Command::Evaluate(split));
    place.settle();
    let Loadable::Ready(evaluation) = &place.session.state().evaluation else {
        panic!("not measured: {:?}", place.errors())
    };
    evaluation.clone()
}

#[test]
fn suspects_are_corrected_and_the_heads_learn_it_while_the_encoder_stays() {
    let mut place = mislabelled();
    let first = place.train();
    report(&first);
    let found = measured(&mut place, Split::Train);
    let suspects = &found.suspects[0];
    assert!(!suspects.is_empty(), "accuracy {}", found.tasks[0].accuracy);
    assert!(suspects.windows(2).all(|pair| pair[0].doubt() >= pair[1].doubt()));
    let suspect = suspects[0];
    let dataset = place.session.state().data.ready().expect("data").dataset.clone();
    let line = dataset.origins[suspect.row].1 as usize - 1;
    assert_eq!(line % 13, 5, "the wrong labels are the suspects: {}", dataset.text(suspect.row));
    assert_eq!(dataset.tasks[0].class(suspect.row), Some(suspect.label));

    let draft = place.session.state().project.recipe.clone();
    let right = found.tasks[0].classes[suspect.predicted as usize].name.clone();
    place.session.send(Command::Correct { row: suspect.row, cell: Cell::Label("topic".into()), now: right });
    place.settle();
    let state = place.session.state();
    assert_eq!(
        state.data.ready().expect("data").dataset.tasks[0].class(suspect.row),
        Some(suspect.predicted)
    );
    let kept = state.evaluation.ready().expect("what was measured stays");
    assert!(kept.labels_changed && kept.suspects == found.suspects);

    place.session.send(Command::RetrainHeads { name: None });
    place.settle();
    let second = place.session.state().run.clone().expect("a run");
    assert_ne!(second.plan.name, first.plan.name);
    let parent = second.plan.parent.as_ref().expect("it starts from the first");
    assert_eq!(parent.run, first.plan.name);
    let moved: Vec<String> =
        report(&second).changes.iter().filter(|t| t.changed).map(|t| t.name.clone()).collect();
    assert!(moved.iter().all(|name| name.starts_with("heads.")), "{moved:?}");
    // Where no epoch is better on the validation rows than the run that it started from, that one's heads are kept.
    assert_eq!(moved.is_empty(), report(&second).kept_epoch == Some(0), "{moved:?}");
    assert!(second.epochs.len() > 1, "it trained");
    assert_eq!(place.session.state().project.recipe, draft, "the draft stays as it is");
    let anew = measured(&mut place, Split::Train);
    assert!(!anew.labels_changed);
    assert!(anew.suspects[0].iter().all(|found| found.row != suspect.row), "its label is right by now");
    assert_eq!(place.errors(), [""; 0]);
}

#[test]
fn without_a_run_there_are_no_heads_to_train_again() {
    let mut place = place("bert", recipe(Preset::FreezeBackbone));
    place.session.send(Command::RetrainHeads { name: None });
    place.settle();
    assert!(place.errors().iter().any(|text| text.contains("train one first")), "{:?}", place.errors());
}

#[test]
fn two_runs_are_compared_row_by_row_until_the_rows_are_others() {
    let mut place = mislabelled();
    let good = place.train();
    let right = |evaluation: &Evaluation| {
        let metrics = &evaluation.tasks[0];
        (metrics.accuracy * metrics.rows as f64).round() as usize
    };
    let first = measured(&mut place, Split::Valid);
    assert_eq!(first.compared, [], "there is nothing to compare with yet");
    // A run that trains nothing: its heads guess.
    place.session.send(Command::Edit(Edit::SetRecipe(Box::new(recipe(Preset::FreezeAll)))));
    let guessing = place.train();
    let second = measured(&mut place, Split::Valid);
    assert_eq!(second.run, guessing.plan.name);
    let [compared] = second.compared.as_slice() else { panic!("{:?}", second.compared) };
    assert_eq!(compared.run, good.plan.name);
    for (task, metrics) in compared.tasks.iter().zip(&second.tasks) {
        let task = task.as_ref().expect("both are single-label tasks");
        let rows = task.fixed.len() + task.broken.len() + task.still_wrong.len() + task.both_right;
        assert_eq!(rows, metrics.rows);
    }
    let task = compared.tasks[0].as_ref().expect("a task");
    assert_eq!(task.both_right + task.fixed.len(), right(&second));
    assert_eq!(task.both_right + task.broken.len(), right(&first));
    assert!(!task.broken.is_empty());

    // The other way round, by showing the first run again.
    place.session.send(Command::ShowRun(good.plan.name.clone()));
    place.settle();
    let again = measured(&mut place, Split::Valid);
    let back = again.compared[0].tasks[0].as_ref().expect("a task");
    assert_eq!((back.fixed.len(), back.broken.len()), (task.broken.len(), task.fixed.len()));
    assert_eq!(measured(&mut place, Split::Test).compared, [], "other rows");

    // Rows that are read anew may be others.
    place.session.send(Command::ReloadData);
    place.settle();
    place.session.send(Command::ShowRun(guessing.plan.name.clone()));
    place.settle();
    assert_eq!(measured(&mut place, Split::Valid).compared, []);
    assert_eq!(place.errors(), [""; 0]);
}
