//! The promises about run folders: every version ever written can be read, a history survives a crash and a
//! resumed run, and names lead nowhere else.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use frostline::data::dataset::Split;
use frostline::data::task::{Scale, TaskKind};
use frostline::model::lora::{Lora, LoraTargets};
use frostline::model::summary::{Group, TensorInfo};
use frostline::project::ProjectError;
use frostline::project::runs::{HistoryLine, RunEvent, RunFolder, RunListing, list, next_name};
use frostline::train::metrics::{EpochPoint, Headline, Probe, Score, StepPoint, TaskMetrics};
use frostline::train::plan::monitor::Monitor;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::recipe::{OptimizerKind, Sampling, TaskSettings, Weighting};
use frostline::train::plan::{ParamFilter, Parent, Phase, PlannedTask, RunPlan, Thaw, Until};
use frostline::train::report::{HeadDrift, RunOutcome, RunReport, TensorChange};
use proptest::prelude::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/project/v1")
}

/// The plan that the fixture of version 1 holds.
fn plan(name: &str, project_dir: &Path) -> RunPlan {
    let tensor =
        |name: &str, shape: &[i64], group| TensorInfo { name: name.into(), shape: shape.into(), group };
    let task = |name: &str, classes: &[&str], labelled_train, labelled_valid| PlannedTask {
        name: name.into(),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        labelled_train,
        labelled_valid,
        ..PlannedTask::default()
    };
    RunPlan {
        prompt: None,
        parent: None,
        name: name.into(),
        model_path: project_dir.parent().unwrap().join("models/tiny"),
        model_sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db".into(),
        tokenizer_sha256: None,
        tensors: vec![
            tensor("embeddings.word_embeddings.weight", &[100, 8], Group::Embeddings),
            tensor("encoder.layer.0.attention.self.query.weight", &[8, 8], Group::Layer(0)),
            tensor("encoder.layer.1.output.dense.bias", &[8], Group::Layer(1)),
            tensor("pooler.dense.weight", &[8, 8], Group::Unused),
            tensor("heads.topic.weight", &[3, 8], Group::Head(0)),
            tensor("heads.mood of writer.bias", &[2], Group::Head(1)),
        ],
        tasks: vec![
            task("topic", &["billing", "delivery", "other, \"quoted\""], 40, 8),
            task("mood of writer", &["calm", "größer"], 31, 0),
        ],
        recipe: Recipe { preset: Preset::Gradual, clip_norm: None, seed: 7, ..Recipe::default() },
        phases: vec![
            Phase {
                name: "heads only".into(),
                embeddings: Thaw::Frozen,
                layers: vec![Thaw::Frozen, Thaw::Frozen],
                heads: vec![Thaw::whole(1e-3), Thaw::whole(1e-3)],
                loss_weights: 1e-3,
                epochs: 1,
                until: Until::Epochs,
            },
            Phase {
                name: "+ top layer".into(),
                embeddings: Thaw::Frozen,
                layers: vec![Thaw::Frozen, Thaw::whole(2e-5)],
                heads: vec![Thaw::whole(1e-3), Thaw::Frozen],
                loss_weights: 1e-3,
                epochs: 2,
                until: Until::Epochs,
            },
        ],
        train_rows: 42,
        steps_per_epoch: 3,
        device: "cpu".into(),
    }
}

fn score(loss: f64, figure: f64, rows: usize) -> Score {
    Score { loss, figure, rows }
}

fn step(step: usize) -> HistoryLine {
    HistoryLine::Step(step_point(step))
}

fn step_point(step: usize) -> StepPoint {
    StepPoint {
        step,
        epoch: step as f64 / 4.0,
        loss: 2.0 / step as f64,
        tasks: vec![score(1.0, 0.5, 14), score(0.75, 0.25, 0)],
        rate_factor: 0.5,
        grad_norm: 1.25,
    }
}

fn epoch(epoch: u32, step: usize, best: bool) -> HistoryLine {
    HistoryLine::Epoch(epoch_point(epoch, step, best))
}

fn epoch_point(epoch: u32, step: usize, best: bool) -> EpochPoint {
    EpochPoint {
        epoch,
        step,
        phase: 0,
        loss: 1.5,
        train: vec![score(0.5, 0.75, 40), score(0.5, 0.5, 31)],
        valid: vec![score(0.25, 0.875, 8), score(0.0, 0.0, 0)],
        seconds: 0.5,
        best,
    }
}

fn report() -> RunReport {
    let classes = ["billing", "delivery"].map(str::to_owned);
    let probs = [0.75, 0.25, 0.5, 0.5, 0.125, 0.875];
    let figures = TaskMetrics::from_probabilities("topic", &classes, &probs, &[0, 1, 1]);
    let change = |name: &str, changed, planned| TensorChange { name: name.into(), changed, planned };
    RunReport {
        kept_epoch: Some(3),
        untrained: Some(vec!["tone".into()]),
        metrics: vec![(Split::Valid, vec![figures.clone()]), (Split::Test, vec![figures])],
        probes: vec![Probe {
            task: "topic".into(),
            rows: 8,
            nearest_centroid: 0.75,
            nearest_neighbours: 0.5,
            k: 5,
            majority: 0.375,
        }],
        changes: vec![change("heads.topic.weight", true, true), change("pooler.dense.weight", false, false)],
        drifts: vec![HeadDrift { task: "mood of writer".into(), before: 0.875, after: 0.625 }],
        truncated_rows: 3,
        seconds: 12.5,
    }
}

fn new_run(project: &Path, name: &str) -> RunFolder {
    let run = RunFolder::create(project, name).unwrap();
    run.write_plan(&plan(name, project)).unwrap();
    run
}

fn history_file(run: &RunFolder) -> PathBuf {
    run.dir().join("history.jsonl")
}

#[test]
fn version_1_of_a_run_is_read_field_by_field() {
    let run = RunFolder::open(&fixture(), "gradual-01").unwrap();
    assert_eq!(run.read_plan().unwrap(), plan("gradual-01", &fixture()));
    let as_then = RunReport { kept_epoch: None, untrained: None, ..report() };
    assert_eq!(run.read_report().unwrap(), Some(as_then));
    let history = run.read().unwrap();
    assert_eq!(history.steps, [step_point(1), step_point(2), step_point(3)]);
    assert_eq!(history.epochs, [epoch_point(0, 0, false), epoch_point(1, 3, true)]);
    assert_eq!(history.phases, [(0, 0)]);
    assert_eq!(history.outcome, Some(RunOutcome::Stopped { at_step: 3 }));
    let listing = RunListing {
        name: "gradual-01".into(),
        preset: "gradual".into(),
        outcome: "stopped at step 3".into(),
        figures: vec![accuracy("topic", 2.0 / 3.0)],
    };
    assert_eq!(list(&fixture()).unwrap(), [listing]);
}

fn accuracy(task: &str, value: f64) -> Headline {
    Headline { task: task.into(), kind: TaskKind::SingleLabel, value }
}

fn fixture_2() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/project/v2")
}

/// The plan that the fixture of version 2 holds: all that version 1 did not have.
fn plan_2(name: &str, project_dir: &Path) -> RunPlan {
    let trains = |lr, part| Thaw::Trains { lr, part };
    let settings =
        TaskSettings { weight: 0.5, balance_classes: true, label_smoothing: 0.1, hidden_units: Some(16) };
    let task = |name: &str, kind, classes: &[&str], scale| PlannedTask {
        name: name.into(),
        kind,
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        scale,
        labelled_train: 30,
        labelled_valid: 6,
    };
    let plan = plan(name, project_dir);
    RunPlan {
        prompt: None,
        parent: Some(Parent { run: "gradual-01".into(), sha256: "0f".repeat(32), fresh: None }),
        tasks: vec![
            task("topics", TaskKind::MultiLabel, &["a", "b"], Scale::default()),
            task("alike", TaskKind::Similarity, &[], Scale { offset: 0.0, factor: 5.0 }),
        ],
        recipe: Recipe {
            part: ParamFilter::Lora,
            lora: Lora { rank: 4, alpha: 8.0, targets: LoraTargets::QueryValue },
            accumulate: 2,
            sampling: Sampling::Temperature(3.0),
            optimizer: OptimizerKind::Sgd,
            ema: Some(0.99),
            watch: Monitor { task: Some("topics".into()), figure: Some("macro-f1".into()) },
            patience: Some(3),
            weighting: Weighting::Uncertainty,
            tasks: [("topics".to_owned(), settings)].into(),
            ..Recipe::default()
        },
        phases: vec![
            Phase {
                name: "adapters".into(),
                embeddings: Thaw::Frozen,
                layers: vec![Thaw::Frozen, trains(2e-4, ParamFilter::Lora)],
                heads: vec![Thaw::whole(1e-3), Thaw::Frozen],
                loss_weights: 5e-3,
                epochs: 4,
                until: Until::Plateau { patience: 2 },
            },
            Phase {
                name: "biases".into(),
                embeddings: trains(1e-6, ParamFilter::Biases),
                layers: vec![trains(1e-5, ParamFilter::Biases), trains(1e-5, ParamFilter::Biases)],
                heads: vec![Thaw::Frozen, Thaw::Frozen],
                loss_weights: 5e-3,
                epochs: 2,
                until: Until::Steps(5),
            },
        ],
        ..plan
    }
}

#[test]
fn version_2_of_a_plan_is_read_field_by_field() {
    let run = RunFolder::open(&fixture_2(), "branched-02").unwrap();
    assert_eq!(run.read_plan().unwrap(), plan_2("branched-02", &fixture_2()));
    let history = run.read().unwrap();
    assert_eq!(history.steps, [step_point(1), step_point(2)]);
    assert_eq!(history.outcome, Some(RunOutcome::Paused { at_step: 2 }));
}

/// Earlier releases recorded the accuracy of tokens and means over batches as figures of training rows.
#[test]
fn stand_ins_of_earlier_releases_do_not_come_back_under_other_names() {
    let project = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(project.path(), "mixed").unwrap();
    let plan = plan_2("mixed", project.path());
    run.write_plan(&plan).unwrap();
    let by_definition = HistoryLine::Event(RunEvent::FiguresByDefinition);
    for line in [step(1), epoch(1, 1, true), by_definition, step(2), epoch(2, 2, true)] {
        run.append(&line).unwrap();
    }
    let mut history = run.read().unwrap();
    assert!(history.names_figures());
    history.drop_stand_ins(&plan);
    let figures = |scores: &[Score]| scores.iter().map(|score| score.figure).collect::<Vec<_>>();
    assert!(figures(&history.steps[0].tasks).iter().all(|figure| figure.is_nan()));
    assert!(figures(&history.epochs[0].train).iter().all(|figure| figure.is_nan()));
    assert_eq!(
        history.epochs[0].valid,
        epoch_point(1, 1, true).valid,
        "those always were what they are called"
    );
    assert_eq!((&history.steps[1], &history.epochs[1]), (&step_point(2), &epoch_point(2, 2, true)));
    // An accuracy always was one.
    let mut history = run.read().unwrap();
    history.drop_stand_ins(&self::plan("single", project.path()));
    assert_eq!(history.steps[0], step_point(1));
}

#[test]
fn heads_that_start_fresh_are_recorded() {
    let project = tempfile::tempdir().unwrap();
    let run = RunFolder::create(project.path(), "branched").unwrap();
    let mut plan = plan_2("branched", project.path());
    if let Some(parent) = &mut plan.parent {
        parent.fresh = Some(vec![("topics".into(), "a new task".into())]);
    }
    run.write_plan(&plan).unwrap();
    assert_eq!(run.read_plan().unwrap(), plan);
    assert!(plan.head_starts_fresh(0) && !plan.head_starts_fresh(1), "the second task has no head");
}

/// Writes what the fixture of the present version should be. Run by hand, with `--ignored`, when a version is
/// added; a fixture once committed is never written again.
#[test]
#[ignore = "writes a fixture"]
fn write_the_fixture() {
    let dir = fixture_2();
    let mut run = RunFolder::create(&dir, "branched-02").unwrap();
    run.write_plan(&plan_2("branched-02", &dir)).unwrap();
    run.append(&HistoryLine::Event(RunEvent::PhaseStarted { phase: 0, name: "adapters".into(), step: 0 }))
        .unwrap();
    run.append(&step(1)).unwrap();
    // Cut off after a second step, and gone on with after the first.
    run.append(&step(2)).unwrap();
    run.append(&HistoryLine::Event(RunEvent::Resumed { at_step: 1 })).unwrap();
    run.append(&step(2)).unwrap();
    run.set_outcome(&RunOutcome::Paused { at_step: 2 }).unwrap();
    std::fs::remove_dir(run.checkpoint_dir()).unwrap();
}

#[test]
fn what_a_run_records_is_what_is_read() {
    let project = tempfile::tempdir().unwrap();
    let mut run = new_run(project.path(), "full-01");
    assert_eq!(run.read_plan().unwrap(), plan("full-01", project.path()));
    assert!(run.checkpoint_dir().is_dir());
    assert_eq!(run.read_report().unwrap(), None);
    assert_eq!(run.read_outcome().unwrap(), None);
    assert_eq!(run.read_history().unwrap(), (vec![], vec![]));

    // Steps are held back until an epoch is written.
    run.append(&step(1)).unwrap();
    run.append(&step(2)).unwrap();
    assert_eq!(run.read_history().unwrap().0, []);
    run.append(&epoch(1, 2, true)).unwrap();
    assert_eq!(
        run.read_history().unwrap(),
        (vec![step_point(1), step_point(2)], vec![epoch_point(1, 2, true)])
    );
    run.append(&step(3)).unwrap();
    run.flush().unwrap();
    assert_eq!(run.read_history().unwrap().0.len(), 3);

    for outcome in
        [RunOutcome::Finished, RunOutcome::Stopped { at_step: 3 }, RunOutcome::Failed("no \"room\"\n".into())]
    {
        run.set_outcome(&outcome).unwrap();
        assert_eq!(run.read_outcome().unwrap(), Some(outcome.clone()));
        assert_eq!(run.read().unwrap().outcome, Some(outcome));
    }
    run.write_report(&report()).unwrap();
    assert_eq!(run.read_report().unwrap(), Some(report()));
}

#[test]
fn figures_that_are_no_numbers_are_kept() {
    let project = tempfile::tempdir().unwrap();
    let mut run = new_run(project.path(), "diverged");
    run.append(&HistoryLine::Step(StepPoint { loss: f64::NAN, grad_norm: f64::INFINITY, ..step_point(1) }))
        .unwrap();
    run.set_outcome(&RunOutcome::Failed("the loss is not a number".into())).unwrap();
    let steps = run.read_history().unwrap().0;
    assert!(steps[0].loss.is_nan() && steps[0].grad_norm.is_nan());
    assert_eq!(steps[0].epoch, 0.25);
    run.write_report(&RunReport { seconds: f64::NAN, ..report() }).unwrap();
    assert!(run.read_report().unwrap().unwrap().seconds.is_nan());
}

#[test]
fn a_torn_last_line_costs_that_line_only() {
    let project = tempfile::tempdir().unwrap();
    let mut run = new_run(project.path(), "torn");
    run.append(&step(1)).unwrap();
    run.append(&epoch(1, 1, true)).unwrap();
    let whole = fs::read(history_file(&run)).unwrap();
    run.append(&step(2)).unwrap();
    run.append(&HistoryLine::Event(RunEvent::PhaseStarted { phase: 1, name: "größer".into(), step: 2 }))
        .unwrap();
    drop(run);
    let longer = fs::read(project.path().join("runs/torn/history.jsonl")).unwrap();
    // Cut anywhere, even inside a character, the history reads; and going on after the cut loses nothing.
    for cut in whole.len()..longer.len() {
        let mut run = RunFolder::open(project.path(), "torn").unwrap();
        fs::write(history_file(&run), &longer[..cut]).unwrap();
        let (steps, epochs) = run.read_history().unwrap();
        assert!(steps.len() == 1 || steps == [step_point(1), step_point(2)], "cut at {cut}");
        assert_eq!(epochs, [epoch_point(1, 1, true)], "cut at {cut}");
        assert_eq!(run.read_outcome().unwrap(), None);

        run.append(&epoch(2, 2, false)).unwrap();
        run.set_outcome(&RunOutcome::Finished).unwrap();
        let history = run.read().unwrap();
        assert_eq!(history.epochs, [epoch_point(1, 1, true), epoch_point(2, 2, false)], "cut at {cut}");
        assert_eq!(run.read_outcome().unwrap(), Some(RunOutcome::Finished));
    }
}

#[test]
fn a_line_broken_otherwise_is_told_with_its_number() {
    let project = tempfile::tempdir().unwrap();
    let run = new_run(project.path(), "broken");
    fs::write(history_file(&run), "\n{\"step\": 12}\n{\"epoch\":").unwrap();
    let error = run.read_history().unwrap_err().to_string();
    assert!(error.contains("history.jsonl, line 2"), "{error}");
    // Zeros after the last line are what a power failure leaves.
    fs::write(history_file(&run), b"\0\0\0\0\n\0\0").unwrap();
    assert_eq!(run.read_history().unwrap(), (vec![], vec![]));
}

#[test]
fn a_resumed_run_forgets_what_it_does_again() {
    let project = tempfile::tempdir().unwrap();
    let mut run = new_run(project.path(), "resumed");
    for line in [step(1), step(2), epoch(1, 2, true), step(3), epoch(2, 3, true)] {
        run.append(&line).unwrap();
    }
    run.set_outcome(&RunOutcome::Stopped { at_step: 3 }).unwrap();
    run.append(&HistoryLine::Event(RunEvent::Resumed { at_step: 2 })).unwrap();
    assert_eq!(run.read_outcome().unwrap(), None);
    run.append(&step(3)).unwrap();
    run.flush().unwrap();
    let history = run.read().unwrap();
    assert_eq!(history.steps, [step_point(1), step_point(2), step_point(3)]);
    assert_eq!(history.epochs, [epoch_point(1, 2, true)]);
    assert_eq!(history.outcome, None);
}

#[test]
fn a_run_that_was_cut_off_as_a_phase_began_has_every_phase_once() {
    let project = tempfile::tempdir().unwrap();
    let mut run = new_run(project.path(), "resumed");
    let begins = |phase, step| {
        let name = format!("phase {phase}");
        HistoryLine::Event(RunEvent::PhaseStarted { phase, name, step })
    };
    // The checkpoint of step 2 was written before the second phase began.
    for line in [begins(0, 0), step(1), step(2), begins(1, 2), step(3)] {
        run.append(&line).unwrap();
    }
    run.append(&HistoryLine::Event(RunEvent::Resumed { at_step: 2 })).unwrap();
    run.append(&begins(0, 2)).unwrap();
    assert_eq!(run.read().unwrap().phases, [(0, 0)]);
    run.append(&begins(1, 2)).unwrap();
    assert_eq!(run.read().unwrap().phases, [(0, 0), (1, 2)]);
}

#[test]
fn the_outcome_of_a_long_history_is_found_at_its_end() {
    let project = tempfile::tempdir().unwrap();
    let mut run = new_run(project.path(), "long");
    for index in 1..=400 {
        run.append(&step(index)).unwrap();
    }
    run.flush().unwrap();
    assert!(fs::metadata(history_file(&run)).unwrap().len() > 40_000);
    assert_eq!(run.read_outcome().unwrap(), None);
    let outcome = RunOutcome::Failed("x".repeat(50_000));
    run.set_outcome(&outcome).unwrap();
    assert_eq!(run.read_outcome().unwrap(), Some(outcome));
}

#[test]
fn runs_are_listed_oldest_first_with_what_is_known() {
    let project = tempfile::tempdir().unwrap();
    assert_eq!(list(project.path()).unwrap(), []);
    let mut old = new_run(project.path(), "zz-old");
    old.append(&epoch(1, 3, true)).unwrap();
    old.append(&epoch(2, 6, false)).unwrap();
    let damaged = new_run(project.path(), "damaged");
    fs::write(damaged.dir().join("run.toml"), "version = 1\nname = 3\n").unwrap();
    let mut new = new_run(project.path(), "aa-new");
    new.write_report(&report()).unwrap();
    new.set_outcome(&RunOutcome::Finished).unwrap();
    RunFolder::create(project.path(), "without-a-plan").unwrap();
    for (run, seconds) in [(&old, 1000), (&damaged, 2000), (&new, 3000)] {
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = OpenOptions::new().append(true).open(run.dir().join("run.toml")).unwrap();
        file.set_modified(time).unwrap();
    }
    // Who writes to a run holds its lock, and it is not given up yet.
    assert_eq!(list(project.path()).unwrap()[0].outcome, "running");
    drop((old, damaged, new));

    let found = list(project.path()).unwrap();
    assert_eq!(
        found.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(),
        ["zz-old", "damaged", "aa-new"]
    );
    // Without a report: the epoch whose weights were kept, and only tasks that were measured.
    assert_eq!(found[0].outcome, "unfinished");
    assert_eq!(found[0].figures, [accuracy("topic", 0.875)]);
    assert!(found[1].outcome.starts_with("unreadable: ") && found[1].outcome.contains("run.toml, line 2"));
    assert_eq!((found[2].outcome.as_str(), found[2].preset.as_str()), ("finished", "gradual"));
    assert_eq!(found[2].figures, [accuracy("topic", 2.0 / 3.0)]);
}

#[test]
fn names_are_free_and_stay_in_the_folder() {
    let project = tempfile::tempdir().unwrap();
    assert_eq!(next_name(project.path(), "full").unwrap(), "full-01");
    for name in ["full-01", "full-07", "full-extra", "gradual-12", "full"] {
        RunFolder::create(project.path(), name).unwrap();
    }
    assert_eq!(next_name(project.path(), "full").unwrap(), "full-08");
    // What a program leaves that was killed before it had written a plan is in nobody's way.
    let again = RunFolder::create(project.path(), "full-07").unwrap();
    again.write_plan(&plan("full-07", project.path())).unwrap();
    let taken = RunFolder::create(project.path(), "full-07").unwrap_err();
    assert!(matches!(&taken, ProjectError::RunExists { name, .. } if name == "full-07"), "{taken}");
    for name in ["", "  ", ".", "..", "../up", "a/b", "a\\b", "c:", "x.", " x", "nul", "Com1.old", "a\nb"] {
        let refused = [RunFolder::create(project.path(), name), RunFolder::open(project.path(), name)];
        for result in refused {
            assert!(matches!(result, Err(ProjectError::RunName { .. })), "{name:?}: {result:?}");
        }
    }
    assert!(matches!(RunFolder::open(project.path(), "gone"), Err(ProjectError::NoRun { .. })));
    // A folder without a plan is no run yet.
    assert!(matches!(RunFolder::open(project.path(), "full"), Err(ProjectError::NoRun { .. })));
}

#[test]
fn newer_files_are_refused_by_version() {
    let project = tempfile::tempdir().unwrap();
    let run = new_run(project.path(), "newer");
    fs::write(run.dir().join("run.toml"), "version = 9\n").unwrap();
    fs::write(run.dir().join("report.json"), "{\"version\": 9, \"figures\": []}").unwrap();
    assert!(matches!(run.read_plan(), Err(ProjectError::Newer { found: 9, .. })));
    assert!(matches!(run.read_report(), Err(ProjectError::Newer { found: 9, .. })));
    fs::write(run.dir().join("report.json"), "{\"version\": 1, ").unwrap();
    assert!(run.read_report().unwrap_err().to_string().contains("report.json, line 1"));
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("runs"), "a file").unwrap();
    let error = RunFolder::create(project.path(), "full-01").unwrap_err().to_string();
    assert!(error.contains("runs") && error.contains("a file lies where a folder is needed"), "{error}");
}

proptest! {
    #[test]
    fn a_history_of_any_bytes_never_panics(
        lines in prop::collection::vec(prop_oneof![
            Just(b"{\"event\":{\"ended\":\"finished\"}}\n".to_vec()),
            Just(b"{\"event\":{\"resumed\":{\"at_step\":0}}}\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..60),
        ], 0..6),
    ) {
        let project = tempfile::tempdir().unwrap();
        let run = new_run(project.path(), "any");
        let mut file = fs::File::create(history_file(&run)).unwrap();
        file.write_all(&lines.concat()).unwrap();
        drop((run.read_history(), run.read_outcome()));
    }

    #[test]
    fn figures_come_back_to_the_last_digit_or_nearly(loss in any::<f64>(), figure in 0.0_f64..1.0) {
        let project = tempfile::tempdir().unwrap();
        let mut run = new_run(project.path(), "figures");
        let point = StepPoint { loss, tasks: vec![score(loss, figure, 1)], ..step_point(1) };
        run.append(&HistoryLine::Step(point)).unwrap();
        run.flush().unwrap();
        let found = &run.read_history().unwrap().0[0];
        if loss.is_finite() {
            // serde_json's fast reader may be off by one unit in the last place.
            prop_assert!((found.loss - loss).abs() <= loss.abs() * 1e-15 + f64::MIN_POSITIVE);
        } else {
            prop_assert!(found.loss.is_nan());
        }
        prop_assert!((found.tasks[0].figure - figure).abs() < 1e-15);
    }
}
