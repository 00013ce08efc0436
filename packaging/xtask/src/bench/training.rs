//! Training: pace, wall time and memory of `frostline train` beside the plain loop.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;

use super::lab::{Lab, words};
use super::stats::{Contender, Sample, take_turns};
use super::table::{Comparison, Goal, Row, Unit};

/// What trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything.
    Full,
    /// The heads and the encoder's top two layers.
    TopTwo,
    /// The heads.
    Frozen,
}

/// A run of Frostline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) mode: Mode,
    pub(super) batch: usize,
    pub(super) epochs: usize,
    pub(super) seed: usize,
    /// Validation rows are measured after every epoch, as any user has it; left out where the pace alone counts,
    /// because the plain loop does not validate.
    pub(super) validates: bool,
    /// The rate rises for a tenth of the steps and then falls to 0, instead of staying.
    pub(super) falling_rate: bool,
}

impl Mode {
    /// The name that the plain loop knows it by.
    fn key(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TopTwo => "top2",
            Self::Frozen => "frozen",
        }
    }
}

/// The pace of full fine-tuning at one batch size, beside the plain loop with either Adam; with `memory`, also the
/// most memory held.
pub(super) fn pace(lab: &Lab, batch: usize, goals: [f64; 2], memory: bool) -> Result<Vec<Row>> {
    let run = Run { mode: Mode::Full, batch, epochs: 3, seed: 1, validates: false, falling_rate: false };
    let samples = take_turns(
        lab.size.rounds,
        &[
            Contender::new("frostline train", || our_pace(lab, run)),
            Contender::new("plain loop", || peer_pace(lab, Mode::Full, batch, false)),
            Contender::new("plain loop, fused Adam", || peer_pace(lab, Mode::Full, batch, true)),
        ],
        &|what| println!("full fine-tuning, batch {batch}, {what}"),
    )?;
    let [ours, plain, fused] = samples.as_slice() else { return Ok(Vec::new()) };
    let row = |what: String, peer: &str, unit, goal, of: &dyn Fn(&Sample) -> f64, theirs: &[Sample]| {
        let pick = |samples: &[Sample]| samples.iter().map(|s| Sample { value: of(s), ..*s }).collect();
        Row::Measured(Comparison {
            what,
            peer: peer.to_owned(),
            unit,
            ours: pick(ours),
            theirs: pick(theirs),
            goal,
        })
    };
    let (pace, peak) = (|sample: &Sample| sample.value, |sample: &Sample| sample.peak_bytes);
    let what = format!("Full fine-tuning, batch {batch}");
    let [plain_goal, fused_goal] = goals.map(Goal::AtLeast);
    let mut rows = vec![
        row(what.clone(), "plain loop", Unit::RowsPerSecond, plain_goal, &pace, plain),
        row(what.clone(), "plain loop, fused Adam", Unit::RowsPerSecond, fused_goal, &pace, fused),
    ];
    if memory {
        let what = format!("{what}: peak memory");
        rows.push(row(what, "plain loop", Unit::Bytes, Goal::AtMost(0.6), &peak, plain));
    }
    Ok(rows)
}

/// The wall time of a whole run, ours with caching and validation, the peer's reckoned from its pace.
pub(super) fn wall(lab: &Lab, mode: Mode, epochs: usize, goal: f64) -> Result<Vec<Row>> {
    const BATCH: usize = 32;
    let run = Run { mode, batch: BATCH, epochs, seed: 1, validates: true, falling_rate: false };
    let what = match mode {
        Mode::Full => "Full fine-tuning",
        Mode::TopTwo => "Top two layers and heads",
        Mode::Frozen => "Frozen backbone",
    };
    let samples = take_turns(
        lab.size.long_rounds,
        &[
            Contender::new("frostline train", || our_wall(lab, run)),
            Contender::new("plain loop", || {
                let pace = peer_pace(lab, mode, BATCH, false)?;
                Ok(Sample { value: (epochs * lab.inputs.train_rows) as f64 / pace.value, ..pace })
            }),
        ],
        &|turn| println!("{}, {turn}", what.to_lowercase()),
    )?;
    let [ours, theirs] = samples.as_slice() else { return Ok(Vec::new()) };
    Ok(vec![Row::Measured(Comparison {
        what: format!("{what}, {epochs} epochs"),
        peer: "plain loop (reckoned from its pace)".to_owned(),
        unit: Unit::Seconds,
        ours: ours.clone(),
        theirs: theirs.clone(),
        goal: Goal::AtLeast(goal),
    })])
}

fn our_pace(lab: &Lab, run: Run) -> Result<Sample> {
    let project = project(lab, run)?;
    let lines = lab.frostline(&train(project.path()), Some(lab.size.steps))?;
    let measured = lines.measured()?;
    let value = lines.rows_per_second(run.batch)?;
    Ok(Sample { value, peak_bytes: measured.peak_bytes, others: measured.others })
}

fn our_wall(lab: &Lab, run: Run) -> Result<Sample> {
    let project = project(lab, run)?;
    let measured = lab.frostline(&train(project.path()), None)?.measured()?;
    Ok(Sample { value: measured.seconds, peak_bytes: measured.peak_bytes, others: measured.others })
}

fn peer_pace(lab: &Lab, mode: Mode, batch: usize, fused: bool) -> Result<Sample> {
    let (steps, threads, batch) = (lab.size.steps.to_string(), lab.threads.to_string(), batch.to_string());
    let mut arguments = peer_arguments(lab);
    arguments.extend(words(["--mode".as_ref(), mode.key().as_ref(), "--batch".as_ref(), batch.as_ref()]));
    arguments.extend(words(["--steps".as_ref(), steps.as_ref(), "--threads".as_ref(), threads.as_ref()]));
    arguments.extend(fused.then(|| "--fused".into()));
    let lines = lab.script("plain_loop.py", &arguments)?;
    Ok(Sample {
        value: lines.number("trained", "rows_per_second")?,
        peak_bytes: lines.measured()?.peak_bytes,
        others: lines.number("trained", "others").unwrap_or(0.0),
    })
}

/// What every start of the plain loop is told.
pub(super) fn peer_arguments(lab: &Lab) -> Vec<OsString> {
    let (model, train) = (lab.model(), lab.path("train.jsonl"));
    let tasks = lab.inputs.tasks.join(",");
    let mut arguments = words(["--model".as_ref(), model.as_os_str(), "--train".as_ref(), train.as_os_str()]);
    arguments.extend(words(["--tasks".as_ref(), tasks.as_ref()]));
    arguments
}

/// The command line of a run named `bench`.
pub(super) fn train(project: &Path) -> Vec<OsString> {
    let mut arguments = words(["train".as_ref(), project.as_os_str(), "--json".as_ref()]);
    arguments.extend(words(["--run".as_ref(), "bench".as_ref(), "--device".as_ref(), "cpu".as_ref()]));
    // Its data and its model lie outside the project's folder.
    arguments.push("--trust-paths".into());
    arguments
}

/// A new project for one run.
pub(super) fn project(lab: &Lab, run: Run) -> Result<TempDir> {
    let folder = lab.folder()?;
    let text = project_text(run, &lab.path(""), &lab.model(), &lab.inputs.tasks);
    fs::write(folder.path().join("frostline.toml"), text).context("cannot write a project")?;
    Ok(folder)
}

/// The project's file. Optimiser and rates are those of the plain loop, so that both do the same work.
fn project_text(run: Run, inputs: &Path, model: &Path, tasks: &[String]) -> String {
    // A string in JSON is one in TOML.
    let quoted = |text: &str| json!(text).to_string();
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let mut lines = vec![
        "version = 1".to_owned(),
        "name = \"Benchmark\"".to_owned(),
        format!("model = {}", path(model)),
        "[data]\ntext = \"text\"\nvalid_fraction = 0.0\ntest_fraction = 0.0".to_owned(),
    ];
    let splits: &[&str] = if run.validates { &["train", "valid"] } else { &["train"] };
    lines.extend(splits.iter().map(|split| {
        let file = path(&inputs.join(format!("{split}.jsonl")));
        format!("[[data.file]]\npath = {file}\nsplit = \"{split}\"")
    }));
    lines.extend(tasks.iter().map(|task| format!("[[data.task]]\ncolumn = {}", quoted(task))));
    let (preset, lr_heads) = match run.mode {
        Mode::Full | Mode::TopTwo => ("full", "0.001"),
        Mode::Frozen => ("freeze-backbone", "0.01"),
    };
    let (decay, warmup) = if run.falling_rate { ("linear", "0.1") } else { ("constant", "0.0") };
    lines.push(format!(
        "[recipe]\npreset = \"{preset}\"\nepochs = {}\nbatch_size = {}\noptimizer = \"adam\"\nlr_encoder = 0.0001\n\
         lr_heads = {lr_heads}\ndecay = \"{decay}\"\nwarmup = {warmup}\nclip_norm = \"none\"\nhead_dropout = 0.0\n\
         seed = {}",
        run.epochs, run.batch, run.seed
    ));
    if run.mode == Mode::TopTwo {
        lines.push(top_two_phase(run.epochs));
    }
    lines.join("\n") + "\n"
}

/// One phase in which the heads and the encoder's top two layers train.
fn top_two_phase(epochs: usize) -> String {
    format!("[[recipe.phases]]\nepochs = {epochs}\nlayers = \"top 2\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_names_files_tasks_and_what_trains() {
        let run =
            Run { mode: Mode::Frozen, batch: 32, epochs: 20, seed: 1, validates: true, falling_rate: false };
        let tasks = ["domain".to_owned(), "a \"quoted\" one".to_owned()];
        let text = project_text(run, Path::new("/in"), Path::new("/model"), &tasks);
        for line in [
            "model = \"/model\"",
            "path = \"/in/train.jsonl\"",
            "split = \"valid\"",
            "column = \"a \\\"quoted\\\" one\"",
            "preset = \"freeze-backbone\"",
            "epochs = 20",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let pace = project_text(Run { validates: false, ..run }, Path::new("/in"), Path::new("/m"), &tasks);
        assert!(!pace.contains("valid.jsonl"), "{pace}");
        let top = project_text(Run { mode: Mode::TopTwo, ..run }, Path::new("/in"), Path::new("/m"), &tasks);
        assert!(top.contains("[[recipe.phases]]") && !pace.contains("phases"), "{top}");
    }
}
