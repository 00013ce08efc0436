//! A run from its plan to its report, with everything written to its folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tch::Tensor;

use super::super::state::{RunOutcome, RunView, Severity};
use super::explore::{PROBE_ROWS, probes, sample, to_embeddings};
use super::reporter::Reporter;
use super::runs::{KEPT_NONE, fit_heads, open_run};
use super::{Failure, Tuned, Worker, rows_of, stopped};
use crate::data::dataset::Split;
use crate::explore::Embeddings;
use crate::model::files::safetensors;
use crate::model::summary::Group;
use crate::model::{Model, ModelError};
use crate::project::runs::{HistoryLine, RunEvent, RunFolder};
use crate::session::event::Event;
use crate::text::tokenizer::Tokenizer;
use crate::train::TrainError;
use crate::train::cache::Prefix;
use crate::train::evaluate::{answers, answers_above, metrics};
use crate::train::examples::{Examples, Targets};
use crate::train::interrupt::Interrupt;
use crate::train::plan::timeline::place_steps;
use crate::train::plan::{Parent, RunPlan, Thaw};
use crate::train::report::{HeadDrift, RunReport, TensorChange};
use crate::train::run::checkpoint::{Checkpoint, Checkpointer, best_path};
use crate::train::run::dispatch::Dispatch;
use crate::train::run::fit::Fit;
use crate::train::run::fit_event::Fitted;

/// How a run begins.
#[derive(Debug)]
pub(in crate::session) enum Begin {
    /// By a plan of its own.
    New(Box<RunPlan>),
    /// Where a run of that name stands.
    Resume(String),
}

/// A run that is asked for.
#[derive(Debug)]
pub(in crate::session) struct RunRequest {
    pub(in crate::session) begin: Begin,
    pub(in crate::session) project_dir: PathBuf,
    /// How often a checkpoint is written.
    pub(in crate::session) checkpoint_every: Duration,
    /// Set, with the job's stop switch, when the run is to be gone on with: it is then not measured.
    pub(in crate::session) pause: Arc<AtomicBool>,
}

/// A run at work.
struct Running<'a> {
    plan: Arc<RunPlan>,
    folder: RunFolder,
    checkpointer: Checkpointer,
    /// Where it goes on from.
    from: Option<Checkpoint>,
    pause: &'a AtomicBool,
    stop: &'a AtomicBool,
}

/// How a run ended, and the report of one that was measured.
type Ended = (RunOutcome, Option<Arc<RunReport>>);

impl Worker {
    pub(super) fn train(&mut self, request: RunRequest, stop: &AtomicBool) {
        let RunRequest { begin, project_dir, checkpoint_every, pause } = request;
        let opened = match begin {
            Begin::New(plan) => begin_run(*plan, &project_dir, checkpoint_every, &pause, stop),
            Begin::Resume(name) => resume_run(&name, &project_dir, checkpoint_every, &pause, stop),
        };
        let (mut running, view) = match opened {
            Ok(opened) => opened,
            Err(reason) => return self.outbox.post(Event::Notice(Severity::Error, reason)),
        };
        self.forget_run();
        self.outbox.post(Event::Run(Box::new(view)));
        let ended = self.train_in(&mut running, &project_dir);
        let (mut outcome, report) = match ended {
            Ok(ended) => ended,
            // Stopped before the first step: while texts were cut into tokens, say.
            Err(_)
                if stopped(stop) && running.folder.read().is_ok_and(|history| history.steps.is_empty()) =>
            {
                (RunOutcome::Stopped { at_step: 0 }, None)
            }
            Err(reason) => (RunOutcome::Failed(reason), None),
        };
        if self.tuned.is_none() {
            self.shown_without_model(&project_dir, &running.plan.name, KEPT_NONE.into());
        }
        if let Err(error) = running.folder.set_outcome(&outcome)
            && !matches!(outcome, RunOutcome::Failed(_))
        {
            outcome = RunOutcome::Failed(error.to_string());
        }
        let can_resume = outcome.can_be_resumed() && running.folder.has_checkpoint();
        self.outbox.post(Event::RunEnded { outcome, report, can_resume });
    }

    fn train_in(&mut self, running: &mut Running<'_>, project_dir: &Path) -> Result<Ended, Failure> {
        let plan = running.plan.clone();
        let stop = running.stop;
        let splits = self.splits(&plan, stop)?;
        let rows = |split: Split| splits.iter().find(|(s, _)| *s == split).map(|(_, rows)| rows);
        let (Some(train), Some(valid)) = (rows(Split::Train), rows(Split::Valid)) else {
            return Err("the data has no training rows".into());
        };

        self.outbox.post(Event::Busy(None));
        self.outbox.post(Event::Note("loading the weights that the run starts from".into()));
        let (mut model, tokenizer) = self.start_model(&plan, project_dir)?;
        let fitted = self.fit(running, &mut model, train, valid)?;
        if let RunOutcome::Stopped { at_step } = fitted.outcome
            && running.pause.load(Ordering::Relaxed)
        {
            return Ok((RunOutcome::Paused { at_step }, None));
        }

        self.outbox.post(Event::Note("measuring the kept weights".into()));
        let kept: Vec<(String, Tensor)> =
            model.params.iter().map(|param| (param.name.clone(), param.tensor.shallow_clone())).collect();
        running.checkpointer.write_best(&kept).map_err(|error| error.to_string())?;
        drop(kept);
        // Made again rather than kept through the run: it is needed once, and would be a copy of everything.
        let (start, _) = self.start_model(&plan, project_dir)?;
        let untrained =
            (0..plan.tasks.len()).filter(|task| plan.head_is_untrained(*task, fitted.kept_phases));
        let mut report = RunReport {
            kept_epoch: fitted.kept_epoch,
            untrained: Some(untrained.filter_map(|task| Some(plan.tasks.get(task)?.name.clone())).collect()),
            changes: changes(&plan, &model, &start, fitted.kept_phases)?,
            drifts: drifts(&plan, &start, &fitted, valid, stop)?,
            truncated_rows: train.truncated_rows() + valid.truncated_rows(),
            ..RunReport::default()
        };
        drop(start);
        model.merge_lora().map_err(|error| error.to_string())?;
        // A stopped run is measured too, but the user is not kept waiting for the training rows; a second Stop
        // ends the measuring. One that kept no epoch of its own has nothing worth measuring.
        let measured = match (&fitted.outcome, fitted.kept_epoch) {
            (RunOutcome::Finished, _) => &[Split::Valid, Split::Test, Split::Train][..],
            (_, Some(1..)) => &[Split::Valid, Split::Test][..],
            (_, None | Some(0)) => &[],
        };
        stop.store(false, Ordering::Relaxed);
        let mut embedded = Vec::new();
        for split in measured {
            let Some(rows) = rows(*split).filter(|rows| !rows.is_empty()) else { continue };
            let prefix = match (fitted.prefixes.as_deref(), split) {
                (Some([train, _]), Split::Train) => train,
                (Some([_, valid]), Split::Valid) => valid,
                _ => &Prefix::None,
            };
            let said = answers_above(&model, rows, prefix, stop, &mut |_| {});
            let said = Interrupt::stopped_is_none(said).map_err(|error| error.to_string())?;
            let Some(said) = said else { continue };
            report.metrics.push((*split, metrics(&model, rows, &said.predictions)));
            embedded.push((*split, to_embeddings(&model, &said.pooled)?));
        }
        report.metrics.sort_by_key(|(split, _)| *split);
        report.probes = run_probes(&plan, &splits, &embedded);
        report.seconds = fitted.seconds;
        running.folder.write_report(&report).map_err(|error| error.to_string())?;
        let (report, outcome) = (Arc::new(report), fitted.outcome);
        let tokenizer = tokenizer.with_prompt(plan.prompt_text());
        self.tuned = Some(Tuned { plan, model, tokenizer, report: report.clone(), outcome: outcome.clone() });
        Ok((outcome, Some(report)))
    }

    /// Rows of every split that carry a label.
    pub(super) fn splits(
        &mut self,
        plan: &RunPlan,
        stop: &AtomicBool,
    ) -> Result<Vec<(Split, Examples)>, Failure> {
        let dataset = self.dataset()?;
        let tokens = self.tokens(&plan.model_path, plan.prompt_text(), plan.recipe.max_length, stop)?;
        let split_rows = |split: Split| {
            let labelled = |row: &usize| dataset.is_labelled(*row);
            let which: Vec<usize> = dataset.rows_of(split).into_iter().filter(labelled).collect();
            rows_of(&dataset, &tokens, &which, &plan.head_specs())
        };
        Ok(Split::ALL.map(|split| (split, split_rows(split))).into())
    }

    /// What a run starts from: the pretrained model or the kept weights of another run, with new heads where those
    /// have none, and adapters where the recipe asks for them.
    fn start_model(&mut self, plan: &RunPlan, project_dir: &Path) -> Result<(Model, Tokenizer), Failure> {
        let text = |error: ModelError| error.to_string();
        let (mut model, tokenizer) = self.pretrained(plan)?;
        if let Some(parent) = &plan.parent {
            self.take_over(&model, plan, parent, project_dir)?;
        }
        complete(&mut model, plan).map_err(text)?;
        Ok((model, tokenizer))
    }

    /// The same for a plan that starts from the pretrained model.
    pub(super) fn fresh_model(&mut self, plan: &RunPlan) -> Result<(Model, Tokenizer), Failure> {
        let (mut model, tokenizer) = self.pretrained(plan)?;
        complete(&mut model, plan).map_err(|error| error.to_string())?;
        Ok((model, tokenizer))
    }

    /// The plan's pretrained model with new heads.
    fn pretrained(&mut self, plan: &RunPlan) -> Result<(Model, Tokenizer), Failure> {
        let (mut model, tokenizer) = self.open_model(&plan.model_path)?;
        if let Some(what) = plan.other_in(&model.summary) {
            return Err(format!(
                "the {what} in {} changed since the plan was made. Put the earlier files back, or open the model again on \
                 the Model page and start a new run",
                plan.model_path.display()
            ));
        }
        model.start_heads(&plan.head_specs(), plan.recipe.seed).map_err(|error| error.to_string())?;
        Ok((model, tokenizer))
    }

    /// Copies the kept weights of another run: the encoder's, and those of every head that the plan takes from it.
    fn take_over(
        &self,
        model: &Model,
        plan: &RunPlan,
        parent: &Parent,
        project_dir: &Path,
    ) -> Result<(), Failure> {
        let text = |error: ModelError| error.to_string();
        let folder = RunFolder::open(project_dir, &parent.run).map_err(|error| error.to_string())?;
        let best = best_path(&folder.checkpoint_dir());
        if safetensors::file_sha256(&best).map_err(text)? != parent.sha256 {
            return Err(format!(
                "the kept weights of run {} are no longer those that the plan was made for. Start again from it",
                parent.run
            ));
        }
        let (other, _, other_plan) = open_run(project_dir, &parent.run, self.device)?
            .into_parts()?
            .ok_or_else(|| format!("run {} kept no weights", parent.run))?;
        // Plans of earlier releases do not say which heads they take.
        let fitting = parent.fresh.is_none().then(|| fit_heads(plan, &other_plan));
        let is_taken = |group: Group| match (group, &fitting) {
            (Group::Head(task), Some(heads)) => heads.contains(&task),
            (Group::Head(task), None) => !plan.head_starts_fresh(task),
            _ => true,
        };
        let _guard = tch::no_grad_guard();
        for param in model.params.iter().filter(|param| is_taken(param.group)) {
            let value = other.params.find(&param.name);
            let Some(value) = value.filter(|value| value.size() == param.tensor.size()) else {
                return Err(format!(
                    "the weights of run {} do not fit the model: they hold no tensor {} of shape {:?}",
                    parent.run,
                    param.name,
                    param.tensor.size()
                ));
            };
            let copied = param.tensor.f_detach().and_then(|mut tensor| tensor.f_copy_(&value));
            copied.map_err(|error| text(error.into()))?;
        }
        Ok(())
    }

    /// The loop, its news sent on and written down.
    fn fit(
        &mut self,
        running: &mut Running<'_>,
        model: &mut Model,
        train: &Examples,
        valid: &Examples,
    ) -> Result<Fitted, Failure> {
        let Running { plan, folder, checkpointer, from, stop, .. } = running;
        let from = from.take();
        let at = from
            .as_ref()
            .map_or((0, 0), |checkpoint| (checkpoint.progress.step, checkpoint.progress.position));
        let mut reporter = Reporter::new(&mut self.outbox, self.steps_every, folder, plan, at);
        reporter.note("measuring before the first step");
        let fitted = Fit {
            plan,
            model,
            train,
            valid,
            dispatch: Dispatch::of(self.device),
            stop,
            checkpointer: &mut *checkpointer,
            report: &mut |event| reporter.take(event),
        }
        .run(from);
        reporter.send_steps();
        fitted.map_err(|error| in_words(&error, checkpointer))
    }
}

/// Adapters and weights of the losses, where the recipe asks for them.
fn complete(model: &mut Model, plan: &RunPlan) -> Result<(), ModelError> {
    if plan.recipe.uses_lora() {
        model.attach_lora(&plan.recipe.lora, plan.recipe.seed)?;
    }
    model.start_loss_weights(plan)
}

/// What a history is told from now on.
const BY_DEFINITION: HistoryLine = HistoryLine::Event(RunEvent::FiguresByDefinition);

/// A new run's folder with its plan in it.
fn begin_run<'a>(
    plan: RunPlan,
    project_dir: &Path,
    every: Duration,
    pause: &'a AtomicBool,
    stop: &'a AtomicBool,
) -> Result<(Running<'a>, RunView), Failure> {
    let mut folder = RunFolder::create(project_dir, &plan.name).map_err(|error| error.to_string())?;
    folder.write_plan(&plan).map_err(|error| error.to_string())?;
    folder.append(&BY_DEFINITION).map_err(|error| error.to_string())?;
    let checkpointer = Checkpointer::new(&folder.checkpoint_dir(), every);
    let plan = Arc::new(plan);
    let view = RunView::starting(plan.clone(), folder.dir());
    Ok((Running { plan, folder, checkpointer, from: None, pause, stop }, view))
}

/// A run that was stopped, paused or cut off, as far as its last checkpoint goes.
fn resume_run<'a>(
    name: &str,
    project_dir: &Path,
    every: Duration,
    pause: &'a AtomicBool,
    stop: &'a AtomicBool,
) -> Result<(Running<'a>, RunView), Failure> {
    let mut folder = RunFolder::open(project_dir, name).map_err(|error| error.to_string())?;
    // Before anything is read: what another process writes is complete once it lets go.
    folder.lock().map_err(|error| error.to_string())?;
    let plan = Arc::new(folder.read_plan().map_err(|error| error.to_string())?);
    let mut history = folder.read().map_err(|error| error.to_string())?;
    if history.outcome == Some(RunOutcome::Finished) {
        return Err(format!("run {name} is finished. To continue from its weights, start a new run from it"));
    }
    let mut checkpointer = Checkpointer::new(&folder.checkpoint_dir(), every);
    let from = checkpointer.read_last().map_err(|error| error.to_string())?;
    if let Some(checkpoint) = &from {
        history.rewind(checkpoint.progress.step);
    } else {
        // Cut off before its first checkpoint: it begins again.
        history = crate::project::runs::History::default();
    }
    if !history.names_figures() {
        folder.append(&BY_DEFINITION).map_err(|error| error.to_string())?;
    }
    history.drop_stand_ins(&plan);
    place_steps(&mut history.steps, &history.epochs);
    let mut view = RunView::starting(plan.clone(), folder.dir());
    (view.steps, view.epochs) = (history.steps, history.epochs);
    view.resumed_at = from.as_ref().map(|checkpoint| checkpoint.progress.step);
    view.phase = history.phases.last().map_or(0, |(phase, _)| *phase);
    Ok((Running { plan, folder, checkpointer, from, pause, stop }, view))
}

/// Why a run broke off, and what is left of it.
fn in_words(error: &TrainError, checkpointer: &Checkpointer) -> Failure {
    let text = error.to_string();
    match (error, checkpointer.last_step()) {
        // These say it themselves.
        (TrainError::NotFinite { .. } | TrainError::Checkpoint(_), _) | (_, None) => text,
        (_, Some(step)) => {
            format!("{text}. The checkpoint of step {step} is intact: the run can be resumed from it")
        }
    }
}

/// The proof of freezing: every tensor's bytes compared with those at the start.
fn changes(
    plan: &RunPlan,
    model: &Model,
    start: &Model,
    reached: usize,
) -> Result<Vec<TensorChange>, Failure> {
    let mut changes = Vec::new();
    for param in &model.params {
        let before = start.params.get(&param.name).map_err(|error| error.to_string())?;
        let same = param.tensor.f_equal(&before).map_err(|error| error.to_string())?;
        let info = param.info();
        let reached = plan.phases.iter().take(reached);
        let planned = reached.clone().any(|phase| phase.epochs > 0 && phase.rate(&info).is_some());
        changes.push(TensorChange { name: param.name.clone(), changed: !same, planned });
    }
    Ok(changes)
}

/// Frozen heads over an encoder that moved: their figure at the start and now.
fn drifts(
    plan: &RunPlan,
    start: &Model,
    fitted: &Fitted,
    valid: &Examples,
    stop: &AtomicBool,
) -> Result<Vec<HeadDrift>, Failure> {
    let reached = plan.phases.iter().take(fitted.kept_phases);
    let is_frozen =
        |task: &usize| reached.clone().all(|phase| phase.thaw(Group::Head(*task)) == Thaw::Frozen);
    let has_head = |task: &usize| plan.tasks.get(*task).is_some_and(|task| task.kind.has_head());
    let frozen: Vec<usize> = (0..plan.tasks.len()).filter(has_head).filter(is_frozen).collect();
    let moved = reached.clone().any(|phase| !phase.encoder_is_frozen());
    if frozen.is_empty() || !moved || valid.is_empty() || fitted.valid.is_empty() {
        return Ok(Vec::new());
    }
    let said = Interrupt::stopped_is_none(answers(start, valid, stop, &mut |_| {}));
    let Some(said) = said.map_err(|error| error.to_string())? else { return Ok(Vec::new()) };
    let at_start = metrics(start, valid, &said.predictions);
    let drift = |task: &usize| {
        let (before, after) = (at_start.get(*task)?.figure(), fitted.valid.get(*task)?.figure);
        Some(HeadDrift { task: plan.tasks.get(*task)?.name.clone(), before, after })
    };
    Ok(frozen.iter().filter_map(drift).collect())
}

/// Probes on validation rows, on test rows where there are none.
fn run_probes(
    plan: &RunPlan,
    splits: &[(Split, Examples)],
    embedded: &[(Split, Embeddings)],
) -> Vec<crate::train::metrics::Probe> {
    let of = |split: Split| {
        let embeddings = embedded.iter().find(|(s, _)| *s == split).map(|(_, e)| e)?;
        let rows = splits.iter().find(|(s, _)| *s == split).map(|(_, rows)| rows)?;
        Some((embeddings, rows))
    };
    let Some((embeddings, rows)) = of(Split::Train) else { return Vec::new() };
    // As many as the Evaluate page compares with, so that the figures are the same.
    let kept = sample((0..rows.len()).collect(), PROBE_ROWS);
    let values = kept.iter().flat_map(|row| embeddings.row(*row).iter().copied()).collect();
    let embeddings = Embeddings { values, dim: embeddings.dim };
    let label = |targets: &Targets| Targets::Class(kept.iter().map(|row| targets.class(*row)).collect());
    let rows = Examples { targets: rows.targets.iter().map(label).collect(), ..Examples::default() };
    let Some(eval) = of(Split::Valid).or_else(|| of(Split::Test)) else { return Vec::new() };
    probes(&plan.tasks, (&embeddings, &rows), eval)
}
