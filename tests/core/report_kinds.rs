//! Reports and histories of runs keep the figures of every kind of task, in every version ever written.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground is missing")]

use std::fs;
use std::path::PathBuf;

use frostline::data::dataset::Split;
use frostline::data::task::TaskKind;

use frostline::project::runs::{HistoryLine, RunFolder};
use frostline::train::metrics::{EpochPoint, Score, TaskMetrics};
use frostline::train::report::RunReport;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports").join(name)
}

/// A report with a task of every kind; the numbers are such that JSON holds them exactly.
fn report() -> RunReport {
    let names = |classes: &[&str]| classes.iter().map(|class| (*class).to_owned()).collect::<Vec<_>>();
    let tags = names(&["B-PER", "I-PER", "O"]);
    let tasks = vec![
        TaskMetrics::from_probabilities("topic", &names(&["a", "b"]), &[0.75, 0.25, 0.5, 0.5], &[0, 1]),
        TaskMetrics {
            loss: 0.5,
            ..TaskMetrics::of_sets(
                "themes",
                &names(&["a", "b"]),
                &[0.75, 0.25, 0.25, 0.75],
                &[vec![0], vec![]],
            )
        },
        TaskMetrics::of_numbers("stars", TaskKind::Score, &[1.0, 2.0], &[1.0, 4.0]),
        TaskMetrics::of_tags("entities", &tags, &[vec![0, 2, 2, 0]], &[vec![0, 1, 2, 0]]),
        TaskMetrics::of_numbers("alike", TaskKind::Similarity, &[0.5, 0.25], &[1.0, 0.0]),
        TaskMetrics::of_ranking("pairs", &[1, 2, 4, 20], 64, 1.5),
    ];
    RunReport { metrics: vec![(Split::Valid, tasks)], seconds: 1.5, ..RunReport::default() }
}

fn epoch() -> HistoryLine {
    let score = Score { loss: 0.5, figure: 0.75, rows: 8 };
    HistoryLine::Epoch(EpochPoint {
        epoch: 1,
        step: 3,
        phase: 0,
        loss: 1.5,
        train: vec![score],
        valid: vec![score],
        seconds: 0.5,
        best: true,
    })
}

/// A run folder that holds what a fixture says.
fn run_with(fixtures: &[(&str, &str)]) -> (tempfile::TempDir, RunFolder) {
    let project = tempfile::tempdir().unwrap();
    let run = RunFolder::create(project.path(), "full-01").unwrap();
    for (from, to) in fixtures {
        fs::copy(fixture(from), run.dir().join(to)).unwrap();
    }
    (project, run)
}

#[test]
fn version_2_of_a_report_is_read_field_by_field() {
    let (_project, run) = run_with(&[("v2.json", "report.json")]);
    assert_eq!(run.read_report().unwrap(), Some(report()));
}

/// The history had the figure under the name of the one kind that there was.
#[test]
fn both_names_of_a_curve_s_figure_are_read() {
    let (_project, run) = run_with(&[("history.jsonl", "history.jsonl")]);
    let HistoryLine::Epoch(point) = epoch() else { unreachable!() };
    let second = EpochPoint { epoch: 2, step: 6, ..point.clone() };
    assert_eq!(run.read().unwrap().epochs, [point, second]);
}

#[test]
fn what_is_written_comes_back() {
    let (_project, mut run) = run_with(&[]);
    run.write_report(&report()).unwrap();
    assert_eq!(run.read_report().unwrap(), Some(report()));
    run.append(&epoch()).unwrap();
    run.flush().unwrap();
    assert_eq!(run.read().unwrap().epochs.len(), 1);
}

#[test]
fn a_kind_that_is_not_known_is_refused_in_words() {
    let (_project, run) = run_with(&[("v2.json", "report.json")]);
    let path = run.dir().join("report.json");
    let text = fs::read_to_string(&path).unwrap().replace("multi-label", "multi-verse");
    fs::write(&path, text).unwrap();
    let error = run.read_report().unwrap_err().to_string();
    assert!(error.contains("\"multi-verse\"") && error.contains("themes"), "{error}");
}

/// Writes what the fixture of the present version should be. Run by hand, with `--ignored`, when a version is
/// added; a fixture once committed is never written again.
#[test]
#[ignore = "writes a fixture"]
fn write_the_fixture() {
    let (_project, run) = run_with(&[]);
    run.write_report(&report()).unwrap();
    fs::create_dir_all(fixture("")).unwrap();
    fs::copy(run.dir().join("report.json"), fixture("v2.json")).unwrap();
}
