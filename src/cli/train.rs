//! `frostline train`: a run of a project, watched from the terminal.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::args::TrainArgs;
use super::console::{Reasons, count, say, say_json, tell};
use super::figures::{epoch_json, epoch_lines, probe_json, probe_line, run_json, run_tables};
use super::interrupt;
use super::progress::Progress;
use super::session::Driver;
use crate::project::runs::{self, RunFolder};
use crate::session::command::Command;
use crate::session::parent::inherited_in_words;
use crate::session::state::{RunOutcome, RunReport, RunView};
use crate::train::metrics::{EpochPoint, Probe, TaskMetrics, format_headline};
use crate::train::plan::{Phase, PlannedTask, RunPlan, Until};
use crate::train::report::START_KEPT;

/// Between two objects on how many steps are done.
const STEPS_EVERY: Duration = Duration::from_secs(1);

/// What is told of a run while it goes on.
pub(super) enum News<'a> {
    /// It began.
    Started(&'a RunView),
    /// Steps are done, and so long after the run began. Told every second or less often.
    Steps(&'a RunView, Duration),
    /// An epoch is done.
    Epoch {
        /// The run.
        view: &'a RunView,
        /// Its figures.
        point: &'a EpochPoint,
        /// The same as a line.
        line: &'a str,
    },
}

pub(super) fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let mut driver = Driver::open(&args.project, args.device.device.as_deref(), args.trust)?;
    driver.set(&args.settings.changes)?;
    let found: Vec<String> =
        driver.state().data.ready().map(|data| data.card.reading.clone()).unwrap_or_default();
    for text in &found {
        tell(&format!("warning: {text}"));
    }
    driver.checkpoint_every(Duration::from_secs(args.checkpoint_every));
    let asked = Asked { name: args.run.clone(), resume: args.resume, from: args.from.clone() };
    let view = train(&mut driver, &args.project, asked, &mut |news| match (news, args.json) {
        (News::Started(view), true) => say_json(&start_json(view, &found)),
        (News::Started(view), false) => start_lines(view).iter().try_for_each(say),
        (News::Steps(view, since_start), true) => say_json(&steps_json(view, since_start)),
        (News::Steps(..), false) => Ok(()), // the progress bar says it
        (News::Epoch { view, point, .. }, true) => say_json(&epoch_json(&view.plan.tasks, point)),
        (News::Epoch { line, .. }, false) => say(line),
    })?;
    if args.json {
        say_json(&end_json(&view))?;
    } else {
        end_lines(&view).iter().try_for_each(say)?;
    }
    ended_well(&view)
}

/// Which run is asked for.
#[derive(Default)]
pub(super) struct Asked {
    /// Its name; a free one, or that of the newest run that can be resumed, when `None`.
    pub(super) name: Option<String>,
    /// Resume a run.
    pub(super) resume: bool,
    /// Start from the weights of a run.
    pub(super) from: Option<String>,
}

/// Runs the project's plan to its end and shows how far it has come; Ctrl+C stops it in good order.
///
/// # Errors
/// When the run cannot start, or the news cannot be told. How it ended, the view says.
pub(super) fn train(
    driver: &mut Driver,
    project_dir: &Path,
    asked: Asked,
    tell_news: &mut dyn FnMut(News) -> io::Result<()>,
) -> anyhow::Result<RunView> {
    let is_reserved = asked.name.is_none() && !asked.resume;
    let (name, command) = command_for(driver, project_dir, asked)?;
    let ended = watch(driver, &name, command, tell_news);
    if is_reserved && ended.is_err() {
        runs::release_name(project_dir, &name);
    }
    ended
}

/// Sends a command that begins a run, and watches that run to its end.
fn watch(
    driver: &mut Driver,
    name: &str,
    command: Command,
    tell_news: &mut dyn FnMut(News) -> io::Result<()>,
) -> anyhow::Result<RunView> {
    driver.send(command);

    let mut errors: Vec<String> = Vec::new();
    let mut progress: Option<Progress> = None;
    let (mut told, mut stopping) = (0, false);
    let (started, mut told_steps) = (Instant::now(), (Instant::now(), 0));
    loop {
        errors.extend(driver.wait());
        if interrupt::is_asked() && !stopping {
            stopping = true;
            tell("stopping after this batch; Ctrl+C once more ends the program at once");
            driver.send(Command::Stop);
        }
        let idle = driver.is_idle();
        // A resumed run was shown before, as it had ended, and is so still where it cannot be.
        let is_it = |view: &&RunView| {
            view.plan.name == name && (view.outcome.is_none() || told > 0 || (idle && errors.is_empty()))
        };
        if let Some(view) = driver.state().run.as_ref().filter(is_it) {
            let bar = match &mut progress {
                Some(bar) => bar,
                none => {
                    tell_news(News::Started(view))?;
                    none.insert(Progress::start("training", steps_of(&view.plan), "step"))
                }
            };
            if view.epochs.len() > told {
                let lines = epoch_lines(&view.plan, &view.epochs);
                for (point, line) in view.epochs.iter().zip(&lines).skip(told) {
                    bar.around(|| tell_news(News::Epoch { view, point, line }))?;
                }
            }
            told = view.epochs.len();
            let step = view.steps.last().map_or(0, |step| step.step);
            bar.set(step, &doing(view));
            if step > told_steps.1 && told_steps.0.elapsed() >= STEPS_EVERY {
                told_steps = (Instant::now(), step);
                bar.around(|| tell_news(News::Steps(view, started.elapsed())))?;
            }
            if view.outcome.is_some() && idle {
                break;
            }
        } else if idle {
            break;
        }
    }
    let began = progress.is_some();
    if let Some(progress) = progress {
        progress.finish();
    }
    // A run that could not be resumed is still shown as it had ended.
    let view = driver.state().run.as_ref().filter(|view| view.plan.name == name).cloned();
    match view.filter(|_| began) {
        Some(view) => {
            // A failed run gives its own reason; what else went wrong is told beside the result.
            let reason = match &view.outcome {
                Some(RunOutcome::Failed(reason)) => Some(reason),
                _ => None,
            };
            errors.iter().filter(|error| Some(*error) != reason).for_each(|error| tell(error));
            Ok(view)
        }
        None if errors.is_empty() => Err(anyhow!("the run \"{name}\" did not start")),
        None => Err(Reasons(errors).into()),
    }
}

/// What to ask of the session, and the name of the run. It is named here, so that the run is told from those of the
/// history, which the session shows too.
fn command_for(driver: &Driver, project_dir: &Path, asked: Asked) -> anyhow::Result<(String, Command)> {
    let is_there = |name: &str| RunFolder::open(project_dir, name).is_ok();
    if asked.resume {
        let name = match asked.name {
            Some(name) => name,
            None => newest_unfinished(project_dir)?,
        };
        return Ok((name.clone(), Command::Resume(name)));
    }
    match &driver.state().plan {
        Some(Ok(_)) => {}
        Some(Err(reason)) => bail!("{reason}"),
        None => bail!("there is no plan to run: the project needs data and a model"),
    }
    let name = match asked.name {
        Some(name) if is_there(&name) => {
            bail!(
                "there is already a run \"{name}\" in {}: choose another name, or resume it with --resume",
                project_dir.display()
            )
        }
        Some(name) => name,
        None => runs::reserve_name(project_dir, driver.state().project.recipe.preset.key())?,
    };
    Ok(match asked.from {
        Some(from) => (name.clone(), Command::Branch { from, name: Some(name) }),
        None => (name.clone(), Command::Train { name: Some(name) }),
    })
}

/// The newest run that did not come to its end and has a checkpoint.
fn newest_unfinished(project_dir: &Path) -> anyhow::Result<String> {
    let mut names: Vec<String> = runs::list(project_dir)?.into_iter().map(|run| run.name).collect();
    names.reverse();
    for name in names {
        let folder = RunFolder::open(project_dir, &name)?;
        if folder.has_checkpoint() && folder.read_outcome()?.is_none_or(|outcome| outcome.can_be_resumed()) {
            return Ok(name);
        }
    }
    bail!("there is no run to resume in {}: all are finished", project_dir.display())
}

/// An error unless the run came to its end.
pub(super) fn ended_well(view: &RunView) -> anyhow::Result<()> {
    match &view.outcome {
        Some(RunOutcome::Finished) => Ok(()),
        Some(RunOutcome::Stopped { at_step }) if view.kept_epoch() == Some(0) && view.epochs.len() < 2 => {
            bail!(
                "the run was stopped at step {at_step}, before its first epoch ended: the starting weights are kept. Resume it \
                 with --resume"
            )
        }
        Some(RunOutcome::Stopped { at_step }) => {
            bail!(
                "the run was stopped at step {at_step}; its weights are in {}. Resume it with --resume",
                view.dir.display()
            )
        }
        Some(RunOutcome::Paused { at_step }) => {
            bail!("the run was paused at step {at_step}. Resume it with --resume")
        }
        Some(RunOutcome::Failed(reason)) => bail!("{reason}"),
        None => bail!("the run was cut off; its weights are in {}", view.dir.display()),
    }
}

fn steps_of(plan: &RunPlan) -> usize {
    plan.total_steps()
}

fn doing(view: &RunView) -> String {
    if !view.note.is_empty() {
        return view.note.clone();
    }
    let phase = view.plan.phases.get(view.phase).map_or("training", |phase| phase.name.as_str());
    match view.seconds_left {
        Some(left) => format!("{phase}: {:.0} rows/s, {left:.0} s left", view.rows_per_second),
        None => phase.to_owned(),
    }
}

/// What the run is about to do.
pub(super) fn start_lines(view: &RunView) -> Vec<String> {
    let plan = &view.plan;
    let preset = plan.recipe.title();
    let rows = count(plan.train_rows, "training row");
    let mut lines = vec![format!("run {}: {preset}, {rows}, on {}", plan.name, plan.device)];
    lines.extend(inherited_in_words(plan).map(|text| format!("  starts from {text}")));
    lines.extend(view.resumed_at.map(|step| format!("  resumes from the checkpoint of step {step}")));
    for (index, phase) in plan.phases.iter().enumerate() {
        let trains = plan.tensors.iter().filter(|tensor| phase.rate(tensor).is_some());
        lines.push(format!(
            "  phase {}: {}, {}; {} of {} train",
            index + 1,
            phase.name,
            length(phase),
            trains.count(),
            count(plan.tensors.len(), "tensor"),
        ));
    }
    lines
}

/// How long a phase lasts: `4 epochs`, `60 steps, at most 9 epochs`.
fn length(phase: &Phase) -> String {
    let epochs = count(phase.epochs as usize, "epoch");
    match phase.until {
        Until::Epochs => epochs,
        Until::Steps(steps) => format!("{}, at most {epochs}", count(steps, "step")),
        Until::Plateau { patience } => {
            format!("until {} without an improvement, at most {epochs}", count(patience as usize, "epoch"))
        }
    }
}

fn start_json(view: &RunView, found: &[String]) -> Value {
    let plan = &view.plan;
    let inherited = plan.inherited();
    let fresh = plan.parent.as_ref().map(|parent| {
        let fresh = parent.fresh.iter().flatten();
        fresh.map(|(task, reason)| (task.clone(), json!(reason))).collect::<serde_json::Map<_, _>>()
    });
    let tasks = plan.tasks.iter().map(|task| {
        json!({
            "task": task.name,
            "classes": task.classes,
            "labelled_train": task.labelled_train,
            "labelled_valid": task.labelled_valid,
        })
    });
    json!({
        "event": "start",
        "findings": found,
        "run": plan.name,
        "dir": view.dir,
        "from": plan.parent.as_ref().map(|parent| &parent.run),
        "tensors_loaded": inherited.map(|(loaded, _)| loaded),
        "tensors_to_load": inherited.map(|(_, all)| all),
        "fresh_heads": fresh,
        "resumed_at": view.resumed_at,
        "preset": plan.recipe.preset.key(),
        "device": plan.device,
        "seed": plan.recipe.seed,
        "train_rows": plan.train_rows,
        "steps": steps_of(plan),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

fn steps_json(view: &RunView, since_start: Duration) -> Value {
    json!({
        "event": "steps",
        "step": view.steps.last().map_or(0, |step| step.step),
        "seconds": since_start.as_secs_f64(),
        "rows_per_second": view.rows_per_second,
    })
}

/// How the run ended, its figures and its proof.
pub(super) fn end_lines(view: &RunView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(report) = &view.report {
        let none = |task: &PlannedTask| Probe::none_in_words(&task.name, task.kind);
        let probes = report.probes.iter().map(probe_line);
        let mut probes: Vec<String> = probes.chain(view.plan.tasks.iter().filter_map(none)).collect();
        for line in &mut probes {
            line.insert_str(0, "  ");
        }
        probes.insert(0, "what the embeddings alone tell:".to_owned());
        // Where nothing trained, this is the result, and figures of random heads are a footnote to it.
        let probes_first = view.plan.epochs() == 0 && probes.len() > 1;
        if probes_first {
            lines.push(String::new());
            lines.append(&mut probes);
        }
        for (split, tasks) in &report.metrics {
            lines.push(String::new());
            lines.push(format!("on the {} rows:", split.name()));
            lines.extend(run_tables(&view.plan, report, tasks));
        }
        lines.push(String::new());
        if !report.probes.is_empty() {
            lines.append(&mut probes);
        }
        for drift in &report.drifts {
            let head = if report.is_untrained(&view.plan, &drift.task) { "untrained head" } else { "head" };
            let kind = view.plan.kind_of(&drift.task);
            lines.push(format!(
                "the frozen {head} of {}: its validation {} went from {} to {} as the encoder below it moved",
                drift.task,
                kind.figure(),
                format_headline(kind, drift.before),
                format_headline(kind, drift.after)
            ));
        }
        if report.truncated_rows > 0 {
            let most = view.plan.recipe.max_length;
            lines.push(format!("{} cut at {most} tokens", count(report.truncated_rows, "row")));
        }
        lines.push(proof(&view.plan, report));
        lines.extend(kept(view, report));
    }
    lines.extend(view.early_end());
    let outcome = view.outcome.as_ref().map_or_else(|| "cut off".to_owned(), ToString::to_string);
    lines.push(format!("{outcome}: {}", view.dir.display()));
    lines
}

/// Which weights are kept, where there was a choice.
fn kept(view: &RunView, report: &RunReport) -> Option<String> {
    if report.keeps_the_start(&view.plan) && view.epochs.len() > 1 {
        return Some(START_KEPT.to_owned());
    }
    match report.kept_epoch? {
        0 if view.plan.epochs() > 0 => Some("no epoch finished; the starting weights are kept".to_owned()),
        0 => None,
        epoch => Some(format!("the weights of epoch {epoch} are kept")),
    }
}

/// Whether exactly what the plan meant to train has changed.
fn proof(plan: &RunPlan, report: &RunReport) -> String {
    let changed = report.changes.iter().filter(|change| change.changed).count();
    let strays: Vec<&str> = report
        .changes
        .iter()
        .filter(|change| change.changed != change.planned)
        .map(|change| change.name.as_str())
        .collect();
    let all = count(report.changes.len(), "tensor");
    if report.keeps_the_start(plan) && changed == 0 {
        format!("{changed} of {all} changed: the kept weights are those of the start")
    } else if strays.is_empty() {
        format!("{changed} of {all} changed: exactly those that the plan trains")
    } else {
        format!("{changed} of {all} changed; not as the plan says: {}", strays.join(", "))
    }
}

fn end_json(view: &RunView) -> Value {
    let outcome = view.outcome.as_ref().map(ToString::to_string);
    let mut object = json!({"event": "end", "run": view.plan.name, "dir": view.dir, "outcome": outcome});
    let (Some(report), Some(fields)) = (&view.report, object.as_object_mut()) else { return object };
    let of_task = |figures: &TaskMetrics| run_json(&view.plan, report, figures);
    let metrics = report.metrics.iter().map(|(split, tasks)| {
        (split.name().to_owned(), tasks.iter().map(of_task).collect::<Vec<_>>().into())
    });
    let probes = report.probes.iter().map(probe_json);
    let drifts = report
        .drifts
        .iter()
        .map(|drift| json!({"task": drift.task, "before": drift.before, "after": drift.after}));
    let changed = report.changes.iter().filter(|change| change.changed).map(|change| &change.name);
    fields.insert("kept_epoch".into(), json!(report.kept_epoch));
    fields.insert("ended_early_after".into(), json!(view.ended_early().map(|(epoch, _)| epoch)));
    // What the run is about stands first.
    let probes: Value = probes.collect::<Vec<_>>().into();
    let metrics = Value::Object(metrics.collect());
    let results = [("metrics", metrics), ("probes", probes)];
    let results =
        if view.plan.epochs() == 0 { results.into_iter().rev().collect() } else { Vec::from(results) };
    fields.extend(results.into_iter().map(|(key, value)| (key.to_owned(), value)));
    fields.insert("frozen_heads".into(), drifts.collect::<Vec<_>>().into());
    fields.insert("changed_tensors".into(), json!(changed.collect::<Vec<_>>()));
    fields.insert("truncated_rows".into(), json!(report.truncated_rows));
    fields.insert("seconds".into(), json!(report.seconds));
    object
}
