//! A run from its plan to its report, with everything written to its folder.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tch::Tensor;

use super::super::command::Weights;
use super::super::news::{News, Pace};
use super::super::outbox::Outbox;
use super::super::state::{RunOutcome, RunView, Severity};
use super::explore::{PROBE_ROWS, probes, sample, to_embeddings};
use super::load::rows_of;
use super::{Failure, Tuned, Worker, stopped};
use crate::data::dataset::Split;
use crate::explore::Embeddings;
use crate::export::ExportReport;
use crate::export::card::{CardInputs, known_base_model, model_card};
use crate::export::folder::{ExportRequest, write_folder};
use crate::model::heads::HeadSpec;
use crate::model::summary::Group;
use crate::model::{Model, weights};
use crate::project::runs::{HistoryLine, RunEvent, RunFolder};
use crate::text::tokenizer::Tokenizer;
use crate::train::TrainError;
use crate::train::evaluate::{answers, metrics};
use crate::train::fit::{Fit, FitEvent, Fitted};
use crate::train::metrics::{EpochPoint, StepPoint};
use crate::train::plan::{RunPlan, Thaw};
use crate::train::report::{HeadDrift, RunReport, TensorChange};
use crate::train::rows::{Rows, Targets};

/// Weights of the best epoch, in the run's `checkpoints` folder.
const BEST: &str = "best.safetensors";
/// The pace is measured over so long, or up to twice as long: steady to read, quick to follow a change.
const PACE_WINDOW: Duration = Duration::from_secs(5);

impl Worker {
    pub(super) fn train(&mut self, plan: RunPlan, project_dir: &Path, stop: &AtomicBool) {
        let started = Instant::now();
        let mut folder = match RunFolder::create(project_dir, &plan.name) {
            Ok(folder) => folder,
            Err(error) => return self.outbox.post(News::Notice(Severity::Error, error.to_string())),
        };
        (self.tuned, self.map) = (None, None);
        let plan = Arc::new(plan);
        let view = RunView {
            plan: plan.clone(),
            dir: folder.dir().to_owned(),
            steps: Vec::new(),
            epochs: Vec::new(),
            phase: 0,
            note: "getting ready".into(),
            rows_per_second: 0.0,
            seconds_left: None,
            outcome: None,
            report: None,
        };
        self.outbox.post(News::Run(Box::new(view)));
        let ended = self.train_in(&plan, &mut folder, started, stop);
        let (mut outcome, report) = match ended {
            Ok((outcome, report)) => (outcome, Some(report)),
            // Stopped before the first step: while texts were cut into tokens, say.
            Err(_) if stopped(stop) && folder.read().is_ok_and(|history| history.steps.is_empty()) => {
                (RunOutcome::Stopped { at_step: 0 }, None)
            }
            Err(reason) => (RunOutcome::Failed(reason), None),
        };
        if let Err(error) = folder.set_outcome(&outcome)
            && !matches!(outcome, RunOutcome::Failed(_))
        {
            outcome = RunOutcome::Failed(error.to_string());
        }
        self.outbox.post(News::RunEnded { outcome, report });
    }

    fn train_in(
        &mut self,
        plan: &Arc<RunPlan>,
        folder: &mut RunFolder,
        started: Instant,
        stop: &AtomicBool,
    ) -> Result<(RunOutcome, Arc<RunReport>), Failure> {
        folder.write_plan(plan).map_err(|error| error.to_string())?;
        let dataset = self.dataset()?;
        let tokens = self.tokens(Weights::Base, plan.recipe.max_length, stop)?;
        let split_rows = |split: Split| {
            let labelled = |row: &usize| {
                dataset.tasks.iter().any(|task| task.labels.get(*row).is_some_and(Option::is_some))
            };
            let which: Vec<usize> = dataset.rows_of(split).into_iter().filter(|row| labelled(row)).collect();
            rows_of(&dataset, &tokens, &which, &plan.tasks)
        };
        let splits: Vec<(Split, Rows)> = Split::ALL.map(|split| (split, split_rows(split))).into();
        let rows = |split: Split| splits.iter().find(|(s, _)| *s == split).map(|(_, rows)| rows);
        let (Some(train), Some(valid)) = (rows(Split::Train), rows(Split::Valid)) else {
            return Err("the data has no training rows".into());
        };

        self.outbox.post(News::Busy(None));
        let (mut model, tokenizer) = self.start_model(plan)?;
        let before = model.params.snapshot().map_err(|error| error.to_string())?;
        let fitted = self.fit(plan, &mut model, train, valid, folder, stop)?;

        self.outbox.post(News::Note("measuring the kept weights".into()));
        let kept: Vec<(String, Tensor)> =
            model.params.iter().map(|param| (param.name.clone(), param.tensor.shallow_clone())).collect();
        save(&kept, &folder.checkpoint_dir().join(BEST)).map_err(|error| error.to_string())?;
        let mut report = RunReport {
            changes: changes(plan, &model, &before, fitted.kept_phases)?,
            drifts: Self::drifts(plan, &model, &before, &fitted, valid, stop)?,
            truncated_rows: train.tokens.truncated_rows() + valid.tokens.truncated_rows(),
            ..RunReport::default()
        };
        drop(before);
        // A stopped run is measured too, but the user is not kept waiting for the training rows; a second Stop
        // ends the measuring. One without a whole epoch has nothing worth measuring.
        let measured = match (&fitted.outcome, fitted.kept_epoch) {
            (RunOutcome::Finished, _) => &[Split::Valid, Split::Test, Split::Train][..],
            (_, Some(_)) => &[Split::Valid, Split::Test][..],
            (_, None) => &[],
        };
        stop.store(false, Ordering::Relaxed);
        let mut embedded = Vec::new();
        for split in measured {
            let Some(rows) = rows(*split).filter(|rows| !rows.is_empty()) else { continue };
            let Some(said) = answers(&model, rows, stop, &mut |_| {}).map_err(|error| error.to_string())?
            else {
                continue;
            };
            report.metrics.push((*split, metrics(&model, rows, &said.probabilities)));
            embedded.push((*split, to_embeddings(&model, &said.pooled)?));
        }
        report.metrics.sort_by_key(|(split, _)| *split);
        report.probes = run_probes(plan, &splits, &embedded);
        report.seconds = started.elapsed().as_secs_f64();
        folder.write_report(&report).map_err(|error| error.to_string())?;
        let (report, outcome) = (Arc::new(report), fitted.outcome);
        self.tuned = Some(Tuned {
            plan: plan.clone(),
            model,
            tokenizer,
            report: report.clone(),
            outcome: outcome.clone(),
        });
        Ok((outcome, report))
    }

    /// The pretrained model with new heads.
    fn start_model(&mut self, plan: &RunPlan) -> Result<(Model, Tokenizer), Failure> {
        self.outbox.post(News::Note("loading the pretrained weights".into()));
        let (mut model, tokenizer) = self.open_model(&plan.model_path)?;
        if model.summary.sha256 != plan.model_sha256 {
            return Err(format!(
                "the weights in {} changed since the plan was made. Open the model again on the Model page",
                plan.model_path.display()
            ));
        }
        model.start_heads(&specs(plan), plan.recipe.seed).map_err(|error| error.to_string())?;
        Ok((model, tokenizer))
    }

    /// The loop, its news sent on and written down.
    fn fit(
        &mut self,
        plan: &RunPlan,
        model: &mut Model,
        train: &Rows,
        valid: &Rows,
        folder: &mut RunFolder,
        stop: &AtomicBool,
    ) -> Result<Fitted, Failure> {
        let best = folder.checkpoint_dir().join(BEST);
        let mut reporter = Reporter::new(&mut self.outbox, self.steps_every, folder, plan);
        reporter.outbox.post(News::Note("measuring before the first step".into()));
        let fitted = Fit {
            plan,
            model,
            train,
            valid,
            stop,
            keep: &mut |named| save(named, &best),
            report: &mut |event| reporter.take(event),
        }
        .run();
        reporter.send_steps();
        fitted.map_err(|error| error.to_string())
    }

    /// Frozen heads over an encoder that moved: their accuracy at the start and now.
    fn drifts(
        plan: &RunPlan,
        model: &Model,
        before: &[Tensor],
        fitted: &Fitted,
        valid: &Rows,
        stop: &AtomicBool,
    ) -> Result<Vec<HeadDrift>, Failure> {
        let reached = plan.phases.iter().take(fitted.kept_phases);
        let frozen: Vec<usize> = (0..plan.tasks.len())
            .filter(|task| reached.clone().all(|phase| phase.thaw(Group::Head(*task)) == Thaw::Frozen))
            .collect();
        let moved = reached.clone().any(|phase| !phase.encoder_is_frozen());
        if frozen.is_empty() || !moved || valid.is_empty() || fitted.valid.is_empty() {
            return Ok(Vec::new());
        }
        let text = |error: crate::model::ModelError| error.to_string();
        let now = model.params.snapshot().map_err(text)?;
        model.params.restore(before).map_err(text)?;
        let said = answers(model, valid, stop, &mut |_| {}).map_err(text)?;
        model.params.restore(&now).map_err(text)?;
        let Some(said) = said else { return Ok(Vec::new()) };
        let start = crate::train::evaluate::scores(valid, &said.probabilities);
        let drift = |task: &usize| {
            let (before, after) = (start.get(*task)?.figure, fitted.valid.get(*task)?.figure);
            Some(HeadDrift { task: plan.tasks.get(*task)?.name.clone(), before, after })
        };
        Ok(frozen.iter().filter_map(drift).collect())
    }

    /// Reads a run back from its folder and shows it.
    pub(super) fn show_run(&mut self, project_dir: &Path, name: &str) -> Result<(), Failure> {
        self.busy("opening the run", None);
        let run = open_run(project_dir, name, self.device)?;
        self.map = None;
        self.outbox.post(News::Run(Box::new(run.view)));
        // The curves and the report are worth showing without the weights too.
        self.tuned = run.tuned.unwrap_or_else(|reason| {
            let text = format!("Run {name} is shown without its model: {reason}");
            self.outbox.post(News::Notice(Severity::Warning, text));
            None
        });
        Ok(())
    }

    pub(super) fn export(&mut self, to: &Path) -> Result<ExportReport, Failure> {
        self.busy("writing the model and reading it back", None);
        let rows =
            self.data.as_ref().map_or([0; 3], |dataset| Split::ALL.map(|split| dataset.rows_of(split).len()));
        let tuned = self.tuned.as_ref().ok_or("there is no trained model yet: train one first")?;
        let title = to
            .file_name()
            .map_or_else(|| tuned.plan.name.clone(), |name| name.to_string_lossy().into_owned());
        let card = model_card(&CardInputs {
            title: &title,
            base_model: known_base_model(&tuned.plan.model_sha256),
            license: None,
            model: &tuned.model.summary,
            plan: &tuned.plan,
            report: &tuned.report,
            outcome: &tuned.outcome,
            rows,
            versions: &[("Frostline", env!("CARGO_PKG_VERSION")), ("libtorch", "2.11.0")],
        });
        let request = ExportRequest {
            model: &tuned.model,
            base: &tuned.plan.model_path,
            to,
            max_seq_length: tuned.plan.recipe.max_length,
            card: &card,
        };
        write_folder(&request).map_err(|error| error.to_string())
    }
}

/// A run read back: what is shown, and its model where it kept one.
pub(in crate::session) struct OpenRun {
    pub(super) view: RunView,
    /// `None` when it kept no weights; a sentence when they cannot be read.
    pub(super) tuned: Result<Option<Tuned>, Failure>,
}

impl OpenRun {
    /// The model, its tokeniser and its plan.
    pub(in crate::session) fn into_parts(self) -> Result<Option<(Model, Tokenizer, Arc<RunPlan>)>, Failure> {
        Ok(self.tuned?.map(|tuned| (tuned.model, tuned.tokenizer, tuned.plan)))
    }
}

/// Reads a run back from its folder.
pub(in crate::session) fn open_run(
    project_dir: &Path,
    name: &str,
    device: tch::Device,
) -> Result<OpenRun, Failure> {
    let folder = RunFolder::open(project_dir, name).map_err(|error| error.to_string())?;
    let plan = Arc::new(folder.read_plan().map_err(|error| error.to_string())?);
    let history = folder.read().map_err(|error| error.to_string())?;
    let report = folder.read_report().map_err(|error| error.to_string())?.map(Arc::new);
    let outcome = history.outcome.unwrap_or_else(|| {
        RunOutcome::Failed("it was interrupted: the program ended before the run did".into())
    });
    let view = RunView {
        plan: plan.clone(),
        dir: folder.dir().to_owned(),
        phase: history.phases.last().map_or(0, |(phase, _)| *phase),
        steps: history.steps,
        epochs: history.epochs,
        note: String::new(),
        rows_per_second: 0.0,
        seconds_left: None,
        outcome: Some(outcome.clone()),
        report: report.clone(),
    };
    let best = folder.checkpoint_dir().join(BEST);
    let tuned = if best.is_file() {
        open_tuned(plan, &best, report.unwrap_or_default(), outcome, device).map(Some)
    } else {
        Ok(None)
    };
    Ok(OpenRun { view, tuned })
}

/// The kept weights of a run, over its pretrained model.
fn open_tuned(
    plan: Arc<RunPlan>,
    best: &Path,
    report: Arc<RunReport>,
    outcome: RunOutcome,
    device: tch::Device,
) -> Result<Tuned, Failure> {
    let text = |error: crate::model::ModelError| error.to_string();
    let mut model = Model::load(&plan.model_path, device).map_err(text)?;
    let tokenizer = Tokenizer::load(&plan.model_path).map_err(|error| error.to_string())?;
    model.start_heads(&specs(&plan), plan.recipe.seed).map_err(text)?;
    model.fill(&weights::read_all(best).map_err(text)?, best).map_err(text)?;
    Ok(Tuned { plan, model, tokenizer, report, outcome })
}

fn specs(plan: &RunPlan) -> Vec<HeadSpec> {
    plan.tasks
        .iter()
        .map(|task| HeadSpec {
            task: task.name.clone(),
            kind: task.kind,
            classes: task.classes.clone(),
            scale: task.scale,
        })
        .collect()
}

fn save(named: &[(String, Tensor)], path: &Path) -> Result<(), TrainError> {
    let tensors: Vec<(String, &Tensor)> = named.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    Ok(weights::write(path, &tensors)?)
}

/// The proof of freezing: every tensor's bytes compared with those at the start.
fn changes(
    plan: &RunPlan,
    model: &Model,
    before: &[Tensor],
    reached: usize,
) -> Result<Vec<TensorChange>, Failure> {
    let mut changes = Vec::new();
    for (param, before) in model.params.iter().zip(before) {
        let same = param.tensor.f_equal(before).map_err(|error| error.to_string())?;
        let trains =
            |phase: &crate::train::plan::Phase| phase.epochs > 0 && phase.thaw(param.group) != Thaw::Frozen;
        let planned = plan.phases.iter().take(reached).any(trains);
        changes.push(TensorChange { name: param.name.clone(), changed: !same, planned });
    }
    Ok(changes)
}

/// Probes on validation rows, on test rows where there are none.
fn run_probes(
    plan: &RunPlan,
    splits: &[(Split, Rows)],
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
    let rows = Rows { targets: rows.targets.iter().map(label).collect(), ..Rows::default() };
    let Some(eval) = of(Split::Valid).or_else(|| of(Split::Test)) else { return Vec::new() };
    probes(&plan.tasks, (&embeddings, &rows), eval)
}

/// Sends the loop's news on and writes them down.
struct Reporter<'a> {
    outbox: &'a mut Outbox,
    /// How often steps are sent on.
    every: Duration,
    folder: &'a mut RunFolder,
    plan: &'a RunPlan,
    steps: Vec<StepPoint>,
    sent: Instant,
    /// When steps were counted for the pace, and how many there were: from the first mark on, which the second
    /// replaces after a while, so that the window moves but never shrinks to nothing.
    marks: [(Instant, usize); 2],
    pace: Pace,
    step: usize,
}

impl<'a> Reporter<'a> {
    fn new(outbox: &'a mut Outbox, every: Duration, folder: &'a mut RunFolder, plan: &'a RunPlan) -> Self {
        let now = Instant::now();
        let (steps, pace) = (Vec::new(), Pace::default());
        Self { outbox, every, folder, plan, steps, sent: now, marks: [(now, 0); 2], pace, step: 0 }
    }

    fn take(&mut self, event: FitEvent) -> Result<(), TrainError> {
        let line = match event {
            FitEvent::Note(note) => {
                self.outbox.post(News::Note(note));
                return Ok(());
            }
            FitEvent::Phase(phase) => {
                self.send_steps();
                self.outbox.post(News::Phase(phase));
                self.marks = [(Instant::now(), self.step); 2];
                let name = self.plan.phases.get(phase).map(|phase| phase.name.clone()).unwrap_or_default();
                HistoryLine::Event(RunEvent::PhaseStarted { phase, name, step: self.step })
            }
            FitEvent::Step(point) => {
                self.step = point.step;
                self.steps.push(point.clone());
                if self.sent.elapsed() >= self.every {
                    self.measure_pace();
                    self.send_steps();
                }
                HistoryLine::Step(point)
            }
            FitEvent::Epoch(point) => self.epoch(point),
        };
        self.folder.append(&line).map_err(|error| TrainError::Unfit(error.to_string()))
    }

    fn epoch(&mut self, point: EpochPoint) -> HistoryLine {
        self.measure_pace();
        self.send_steps();
        self.outbox.post(News::Epoch(point.clone()));
        HistoryLine::Epoch(point)
    }

    fn measure_pace(&mut self) {
        let [(since, at), (newer, _)] = self.marks;
        let (seconds, steps) = (since.elapsed().as_secs_f64(), self.step.saturating_sub(at));
        if steps == 0 || seconds <= 0.0 {
            return;
        }
        let per_second = steps as f64 / seconds;
        let rows = self.plan.train_rows as f64 / self.plan.steps_per_epoch.max(1) as f64;
        let left = self.plan.total_steps().saturating_sub(self.step);
        self.pace = Pace { rows_per_second: per_second * rows, seconds_left: Some(left as f64 / per_second) };
        if newer.elapsed() > PACE_WINDOW {
            self.marks = [self.marks[1], (Instant::now(), self.step)];
        }
    }

    fn send_steps(&mut self) {
        self.sent = Instant::now();
        let points = std::mem::take(&mut self.steps);
        if !points.is_empty() {
            self.outbox.post(News::Steps { points, pace: self.pace });
        }
    }
}
