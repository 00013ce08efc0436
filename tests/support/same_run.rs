//! Whether two runs ended with the same: weights, checkpoint, history and report, in everything but the time that
//! they took.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fs;
use std::path::Path;

use frostline::project::runs::RunFolder;
use frostline::train::metrics::EpochPoint;
use serde_json::Value;

/// Fails where the two runs of a project differ; `what` is said of the second.
pub(crate) fn assert_same_run(project: &Path, expected: &str, run: &str, what: &str) {
    let [expected, run] = [expected, run].map(|name| RunFolder::open(project, name).unwrap());
    let both = [&expected, &run];

    let [best, other] = both.map(|run| fs::read(run.checkpoint_dir().join("best.safetensors")).unwrap());
    assert!(other == best, "{what}: the kept weights are others");

    let [last, other] = both.map(|run| checkpoint(&run.checkpoint_dir().join("last.safetensors")));
    assert_eq!(other.0, last.0, "{what}: the last checkpoint's header");
    assert!(other.1 == last.1, "{what}: the last checkpoint's tensors are others");

    let [history, other] = both.map(|run| run.read().unwrap());
    // As text, because a figure that is no number is not equal to itself.
    for (ours, theirs) in other.steps.iter().zip(&history.steps) {
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{what}: a step of the history");
    }
    assert_eq!(other.steps.len(), history.steps.len(), "{what}: steps in the history");
    let timeless = |epochs: &[EpochPoint]| -> Vec<String> {
        epochs.iter().map(|epoch| format!("{:?}", EpochPoint { seconds: 0.0, ..epoch.clone() })).collect()
    };
    assert_eq!(timeless(&other.epochs), timeless(&history.epochs), "{what}: epochs of the history");
    assert_eq!(other.phases, history.phases, "{what}: phases of the history");
    assert_eq!(other.outcome, history.outcome, "{what}: the outcome");

    let [report, other] = both.map(|run| {
        let mut report: Value =
            serde_json::from_slice(&fs::read(run.dir().join("report.json")).unwrap()).unwrap();
        assert!(report["seconds"].take().is_f64());
        report
    });
    assert_eq!(other, report, "{what}: the report");
}

/// Header and data of a checkpoint, without the seconds that the run took.
fn checkpoint(path: &Path) -> (Value, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let (header, data) = rest.split_at(length);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let state = header["__metadata__"]["frostline"].take();
    let mut state: Value = serde_json::from_str(state.as_str().unwrap()).unwrap();
    assert!(state["place"]["seconds"].take().is_f64());
    header["__metadata__"]["frostline"] = state;
    (header, data.to_vec())
}
