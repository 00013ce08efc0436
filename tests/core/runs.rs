//! Runs through the session, on a tiny model: what is frozen stays bit-identical, what thaws moves, a run repeats
//! to the byte, stops within a batch, and what goes wrong is said.

use std::time::{Duration, Instant};

use frostline::data::dataset::Split;
use frostline::session::Session;
use frostline::session::command::{Command, Edit};
use frostline::session::state::{Loadable, RunOutcome};
use frostline::train::metrics::EpochPoint;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;

use crate::support::tiny_run::{PATIENCE, Place, place, place_on, recipe, report, tiny_model};

#[test]
fn every_preset_moves_exactly_what_it_says() {
    for model in ["bert", "distilbert"] {
        for preset in Preset::ALL {
            let mut place = place(model, recipe(preset));
            let run = place.train();
            let report = report(&run);
            assert!(!report.changes.is_empty());
            for change in &report.changes {
                assert_eq!(change.changed, change.planned, "{model}, {preset:?}: {}", change.name);
            }
            let moved = report.changes.iter().filter(|change| change.changed).count();
            let expected = match preset {
                Preset::FreezeAll => 0,
                Preset::FreezeBackbone => 4,
                Preset::FreezeHead => {
                    report.changes.iter().filter(|c| !c.name.starts_with("pooler")).count() - 2
                }
                Preset::Gradual | Preset::Full => {
                    report.changes.iter().filter(|c| !c.name.starts_with("pooler")).count()
                }
            };
            assert_eq!(moved, expected, "{model}, {preset:?}");
            assert_eq!(report.probes.len(), 2, "{preset:?}: both tasks are probed");
            assert_eq!(report.drifts.len(), usize::from(preset == Preset::FreezeHead), "{preset:?}");
            let epochs: Vec<u32> = run.epochs.iter().map(|epoch| epoch.epoch).collect();
            assert_eq!(epochs, (0..=run.plan.epochs()).collect::<Vec<_>>());
            assert_eq!(run.steps.len(), run.plan.total_steps(), "{preset:?}: no step is lost");
        }
    }
}

#[test]
fn heads_learn_on_vectors_computed_once() {
    let mut recipe = recipe(Preset::FreezeBackbone);
    recipe.epochs = 30;
    recipe.lr_heads = 0.05;
    let mut place = place("bert", recipe);
    let run = place.train();
    let (first, last) = (run.steps.first().expect("a step").loss, run.steps.last().expect("a step").loss);
    assert!(last < 0.7 * first, "the loss went from {first} to {last}");
}

#[test]
fn a_run_repeats_to_the_byte() {
    let kept = || {
        let mut place = place("bert", recipe(Preset::Gradual));
        let run = place.train();
        std::fs::read(run.dir.join("checkpoints/best.safetensors")).expect("the kept weights")
    };
    assert!(kept() == kept(), "the same plan, data and seed gave other weights");
}

#[test]
fn stop_in_the_first_batch_leaves_a_run_that_says_so() {
    let mut place = place("bert", Recipe { epochs: 10_000, ..recipe(Preset::Full) });
    place.session.send(Command::Train { name: Some("stopped".into()) });
    place.session.send(Command::Stop);
    place.settle();
    let run = place.session.state().run.clone().expect("a run");
    assert!(matches!(run.outcome, Some(RunOutcome::Stopped { at_step: 0 })), "{:?}", run.outcome);
    // The app still stands: the next run goes through.
    place.session.send(Command::Edit(Edit::SetRecipe(recipe(Preset::FreezeBackbone).into())));
    let run = place.train();
    assert_eq!(run.outcome, Some(RunOutcome::Finished));
    let outcomes: Vec<&str> = place.session.state().runs.iter().map(|run| run.outcome.as_str()).collect();
    assert_eq!(outcomes, ["stopped at step 0", "finished"]);
}

#[test]
fn stop_is_honoured_within_a_batch() {
    let mut place = place("bert", Recipe { epochs: 100_000, ..recipe(Preset::Full) });
    place.session.send(Command::Train { name: None });
    let deadline = Instant::now() + PATIENCE;
    while place.session.state().run.as_ref().is_none_or(|run| run.steps.is_empty()) {
        assert!(Instant::now() < deadline, "no step was reported");
        place.session.wait(Duration::from_millis(20));
    }
    place.session.send(Command::Stop);
    place.settle();
    let run = place.session.state().run.clone().expect("a run");
    let Some(RunOutcome::Stopped { at_step }) = run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(run.steps.len(), at_step, "every step up to the stop is there");
    assert!(run.report.is_some() && run.dir.join("report.json").is_file());
}

#[test]
fn a_shown_run_measures_as_it_did_when_it_ended() {
    let mut place = place("distilbert", recipe(Preset::Full));
    let first = report(&place.train());
    let home = place.home();
    drop(place.session);
    place.session = Session::start(|| {});
    place.session.send(Command::OpenProject(home));
    place.settle();
    place.session.send(Command::Evaluate(Split::Test));
    place.settle();
    let Loadable::Ready(evaluation) = &place.session.state().evaluation else {
        panic!("{:?}", place.errors())
    };
    let (_, recorded) = first.metrics.iter().find(|(split, _)| *split == Split::Test).expect("test figures");
    for (now, then) in evaluation.tasks.iter().zip(recorded) {
        assert_eq!(now.confusion, then.confusion);
        assert!((now.loss - then.loss).abs() < 1e-5, "{} is not {}", now.loss, then.loss);
    }
    place.session.send(Command::Map { limit: 50 });
    place.session.send(Command::Neighbours { row: 3, k: 5 });
    place.session.send(Command::Similarity(vec!["the train was late".into(), "a card".into()]));
    place.session.send(Command::Predict("the bank was cancelled".into()));
    place.session.send(Command::Export(place.dir.path().join("exported")));
    place.settle();
    let state = place.session.state();
    let map = state.map.ready().expect("a map");
    assert_eq!((map.rows.len(), map.after.as_ref().map(Vec::len)), (50, Some(50)));
    let neighbours = state.neighbours.ready().expect("neighbours");
    assert!(neighbours.before.len() == 5 && neighbours.before.iter().all(|(row, _)| *row != 3));
    assert!(state.similarity.ready().is_some_and(|similarity| similarity.after.is_some()));
    assert_eq!(state.prediction.ready().map(|prediction| prediction.tasks.len()), Some(2));
    assert_eq!(state.export.ready().map(|export| export.max_difference), Some(0.0));
}

#[test]
fn wrong_input_is_said_and_survived() {
    let mut place = place("bert", recipe(Preset::FreezeBackbone));
    let write = |name: &str, text: &str| {
        let path = place.dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let empty = write("empty.csv", "");
    let one_class = write("one.csv", "text,label\nfirst thing,same\nsecond thing,same\nthird thing,same\n");
    let sound = place.session.state().project.files[0].path.clone();

    place.session.send(Command::Edit(Edit::SetFiles(vec![empty])));
    place.settle();
    assert!(matches!(&place.session.state().data, Loadable::Failed(reason) if reason.contains("empty")));

    place.session.send(Command::Edit(Edit::SetFiles(vec![one_class])));
    place.settle();
    let plan = place.session.state().plan.clone().expect("a verdict on the plan");
    assert!(plan.is_err_and(|reason| reason.contains("at least two")));

    place.session.send(Command::Edit(Edit::SetFiles(vec![sound])));
    place.settle();
    let mut mapping = place.session.state().data.ready().expect("data").mapping.clone();
    mapping.text = "message".into();
    place.session.send(Command::Edit(Edit::SetMapping(mapping)));
    place.settle();
    assert!(matches!(&place.session.state().data, Loadable::Failed(reason) if reason.contains("message")));
    place.session.send(Command::Undo);
    place.settle();
    assert!(place.session.state().data.ready().is_some());

    let nowhere = place.dir.path().to_owned();
    place.session.send(Command::Edit(Edit::SetModel(nowhere)));
    place.settle();
    assert!(
        matches!(&place.session.state().model, Loadable::Failed(reason) if reason.contains("config.json"))
    );
    place.session.send(Command::Undo);
    place.settle();
    assert_eq!(place.train().outcome, Some(RunOutcome::Finished));
}

#[test]
fn a_project_folder_that_vanished_is_said() {
    let mut place = place("bert", recipe(Preset::FreezeBackbone));
    std::fs::remove_dir_all(place.home()).expect("it was there");
    // A file in its place: nobody, not even root, can write a run below it.
    std::fs::write(place.home(), "not a folder").expect("a file");
    place.session.send(Command::Train { name: Some("lost".into()) });
    place.settle();
    assert!(place.session.state().run.is_none());
    assert!(place.errors().iter().any(|error| error.contains("cannot write")), "{:?}", place.errors());
}

#[test]
fn stop_does_not_mean_what_waits_to_be_loaded() {
    let mut place = place("bert", Recipe { epochs: 100_000, ..recipe(Preset::Full) });
    let data = place.session.state().project.files[0].path.clone();
    place.session.send(Command::Train { name: None });
    place.session.send(Command::Train { name: None });
    place.session.send(Command::Edit(Edit::SetFiles(vec![data.clone(), data])));
    place.session.send(Command::Stop);
    place.settle();
    assert!(place.session.state().data.ready().is_some(), "{:?}", place.session.state().data);
    assert_eq!(
        place.session.state().runs.len(),
        1,
        "the second Train was asked for while the first was coming"
    );
}

#[test]
fn data_of_one_project_never_lands_in_another() {
    let mut place = place("bert", recipe(Preset::Full));
    let home = place.home();
    place.session.send(Command::OpenProject(home));
    place.session.send(Command::NewProject(Box::default()));
    place.settle();
    assert_eq!(place.session.state().data, Loadable::Empty);
    assert!(place.session.state().project.files.is_empty() && place.session.state().run.is_none());
}

#[test]
fn a_run_without_its_pretrained_model_is_still_shown_and_stands_in_nobodys_way() {
    let mut place = place("bert", recipe(Preset::FreezeBackbone));
    let moved = place.dir.path().join("moved");
    std::fs::create_dir(&moved).expect("a folder");
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(tiny_model("bert").join(file), moved.join(file)).expect("a copy");
    }
    place.session.send(Command::Edit(Edit::SetModel(moved.clone())));
    place.settle();
    assert_eq!(place.train().outcome, Some(RunOutcome::Finished));
    std::fs::remove_dir_all(moved).expect("it was there");

    let home = place.home();
    place.session.send(Command::OpenProject(home));
    place.settle();
    let state = place.session.state();
    assert!(state.run.as_ref().is_some_and(|run| !run.epochs.is_empty() && run.report.is_some()));
    assert!(
        state.notices.iter().any(|notice| notice.text.contains("without its model")),
        "{:?}",
        state.notices
    );
    assert!(place.errors().is_empty(), "{:?}", place.errors());
    assert_eq!(place.train().outcome, Some(RunOutcome::Finished));
}

#[test]
fn an_earlier_run_is_laid_beside_a_later_one_and_taken_away_again() {
    let mut place = place("bert", recipe(Preset::FreezeBackbone));
    let first = place.train();
    let second = place.train();
    assert_ne!(first.plan.name, second.plan.name);
    let compare = |session: &mut Session, name: &str, wanted: usize| {
        session.send(Command::Compare(name.to_owned()));
        let until = Instant::now() + PATIENCE;
        while session.state().compared.len() != wanted && Instant::now() < until {
            session.poll();
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    compare(&mut place.session, &first.plan.name, 1);
    let compared = place.session.state().compared.first().expect("the first run").clone();
    assert_eq!(compared.plan.name, first.plan.name);
    let losses = |epochs: &[EpochPoint]| epochs.iter().map(|epoch| epoch.valid[0].loss).collect::<Vec<_>>();
    let (told, known) = (losses(&compared.epochs), losses(&first.epochs));
    assert!(told.len() == known.len() && told.iter().zip(&known).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!(compared.seconds.is_some_and(|seconds| seconds > 0.0));
    compare(&mut place.session, &first.plan.name, 0);
    assert!(place.session.state().compared.is_empty());
    place.session.send(Command::Compare("run-that-is-not-there".into()));
    let until = Instant::now() + PATIENCE;
    let told = |session: &Session| {
        session.state().notices.iter().any(|notice| notice.text.contains("run-that-is-not-there"))
    };
    while !told(&place.session) && Instant::now() < until {
        place.session.poll();
    }
    assert!(told(&place.session) && place.session.state().compared.is_empty());
}

#[test]
fn a_tokenizer_that_was_replaced_is_refused() {
    let models = tempfile::tempdir().expect("a folder");
    let model = models.path().join("bert");
    for part in ["", "1_Pooling"] {
        std::fs::create_dir_all(model.join(part)).expect("a folder");
        for file in std::fs::read_dir(tiny_model("bert").join(part)).expect("the model") {
            let file = file.expect("a file").path();
            if file.is_file() {
                let name = file.file_name().expect("a name");
                std::fs::copy(&file, model.join(part).join(name)).expect("a copy");
            }
        }
    }
    let mut place = place_on(&model, Recipe { epochs: 1, ..recipe(Preset::Full) });
    let run = place.train();
    assert!(run.plan.tokenizer_sha256.is_some());
    let path = model.join("tokenizer.json");
    let text = std::fs::read_to_string(&path).expect("the tokenizer");
    std::fs::write(&path, format!("{text}\n")).expect("another tokenizer");
    let told = |place: &Place| {
        place.session.state().notices.iter().any(|notice| notice.text.contains("the tokenizer in"))
    };
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    place.session.send(Command::ShowRun(run.plan.name.clone()));
    place.settle();
    assert!(told(&place), "{:?}", place.session.state().notices);
    place.session.send(Command::Branch { from: run.plan.name.clone(), name: Some("next".into()) });
    place.settle();
    let errors = place.errors();
    assert!(errors.iter().any(|error| error.contains("another tokenizer")), "{errors:?}");
}
