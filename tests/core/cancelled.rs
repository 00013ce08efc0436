//! What the user stops was cancelled: no error, and nothing half made. Through the session, for whatever can be asked.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use crate::support::tiny_run;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use frostline::data::dataset::Split;
use frostline::session::command::{Command, Edit};
use frostline::session::state::{Loadable, Severity, State};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;

use crate::support::tiny_run::{PATIENCE, Place, place, recipe};

fn cancelled<T>(loadable: &Loadable<T>) -> bool {
    matches!(loadable, Loadable::Cancelled)
}

/// Everything that can be asked of a run, and what its answer is.
type Query = (&'static str, fn(&Place) -> Command, fn(&State) -> bool);

const QUERIES: [Query; 7] = [
    ("evaluate", |_| Command::Evaluate(Split::Valid), |state| cancelled(&state.evaluation)),
    (
        "similarity",
        |_| Command::Similarity(vec!["one".into(), "two".into()]),
        |state| cancelled(&state.similarity),
    ),
    ("map", |_| Command::Map { limit: 50 }, |state| cancelled(&state.map)),
    ("neighbours", |_| Command::Neighbours { row: 3, k: 4 }, |state| cancelled(&state.neighbours)),
    ("playground", |_| Command::Predict("the train".into()), |state| cancelled(&state.prediction)),
    ("tokens", |_| Command::Tokenize("the train".into()), |state| cancelled(&state.tokenized)),
    ("export", |place| Command::Export(place.dir.path().join("exported")), |state| cancelled(&state.export)),
];

fn no_errors(place: &Place) {
    let notices = &place.session.state().notices;
    assert!(notices.iter().all(|notice| notice.severity != Severity::Error), "{notices:?}");
}

#[test]
fn every_query_that_waits_behind_a_run_is_cancelled_with_it() {
    let mut place = place("bert", Recipe { epochs: 1000, ..recipe(Preset::Full) });
    place.session.send(Command::Train { name: None });
    wait_for(&mut place, |state| state.run.as_ref().is_some_and(|run| !run.steps.is_empty()));
    for (_, command, _) in QUERIES {
        let command = command(&place);
        place.session.send(command);
    }
    place.session.send(Command::Stop);
    place.settle();
    for (name, _, is_cancelled) in QUERIES {
        assert!(is_cancelled(place.session.state()), "{name}: {:?}", place.session.state().export);
    }
    assert!(!place.dir.path().join("exported").exists());
    no_errors(&place);
    // And each can be asked again.
    place.session.send(Command::Similarity(vec!["one".into(), "two".into()]));
    place.settle();
    assert!(matches!(place.session.state().similarity, Loadable::Ready(_)));
}

#[test]
fn a_query_that_is_stopped_at_work_is_never_an_error() {
    let mut place = place("bert", Recipe { epochs: 1, ..recipe(Preset::FreezeBackbone) });
    std::fs::write(place.dir.path().join("data.csv"), tiny_run::csv(900)).expect("rows");
    place.session.send(Command::ReloadData);
    place.settle();
    place.train();
    let mut stopped = 0;
    for (name, command, is_cancelled) in QUERIES.iter().filter(|(name, ..)| *name != "export") {
        let command = command(&place);
        place.session.send(command);
        place.session.send(Command::Stop);
        place.settle();
        let state = place.session.state();
        stopped += usize::from(is_cancelled(state));
        let failed = [
            matches!(state.evaluation, Loadable::Failed(_)),
            matches!(state.similarity, Loadable::Failed(_)),
            matches!(state.map, Loadable::Failed(_)),
            matches!(state.neighbours, Loadable::Failed(_)),
            matches!(state.prediction, Loadable::Failed(_)),
            matches!(state.tokenized, Loadable::Failed(_)),
        ];
        assert_eq!(failed, [false; 6], "{name}");
    }
    assert!(stopped > 0, "nothing was stopped in time");
    no_errors(&place);
}

#[test]
fn a_search_for_a_rate_that_is_stopped_was_cancelled() {
    let mut place = place("bert", recipe(Preset::Full));
    place.session.send(Command::FindRate);
    wait_for(&mut place, |state| state.busy.as_ref().is_some_and(|busy| busy.fraction.is_some()));
    place.session.send(Command::Stop);
    place.settle();
    assert!(cancelled(&place.session.state().rate_search), "{:?}", place.session.state().rate_search);
    no_errors(&place);
}

/// So many rows that reading them is not over before it is stopped.
fn with_many_rows() -> Place {
    let place = place("bert", recipe(Preset::Full));
    let mut text = String::from("text,topic\n");
    for row in 0..400_000 {
        writeln!(text, "the train number {row} was cancelled again,{}", ["go", "pay"][row % 2])
            .expect("memory");
    }
    std::fs::write(place.dir.path().join("many.csv"), text).expect("rows");
    place
}

#[test]
fn reading_that_is_stopped_was_cancelled_by_either_button() {
    let mut place = with_many_rows();
    let files = vec![place.dir.path().join("many.csv")];
    for command in [Command::CancelReading, Command::Stop] {
        place.session.send(Command::Edit(Edit::SetFiles(files.clone())));
        place.session.send(Command::ReloadData);
        place.session.send(command.clone());
        if command == Command::Stop {
            // Stop means what is at work; the second reading waits behind it.
            wait_for(&mut place, |state| state.busy.is_some());
            place.session.send(Command::Stop);
        }
        place.settle();
        assert!(cancelled(&place.session.state().data), "{command:?}: {:?}", place.session.state().data);
        no_errors(&place);
    }
}

fn wait_for(place: &mut Place, is_so: impl Fn(&State) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(place.session.state()) {
        assert!(Instant::now() < deadline, "{:?}", place.session.state().notices);
        place.session.wait(Duration::from_millis(5));
    }
}
