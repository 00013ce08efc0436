//! Runs of the project's history: read back, shown again, exported.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::state::{RunOutcome, RunView, Severity};
use super::{Failure, Tuned, Unopened, Worker};
use crate::data::dataset::Split;
use crate::export::CardInputs;
use crate::export::ExportReport;
use crate::export::card::{known_base_model, model_card};
use crate::export::folder::{ExportRequest, write_folder_until};
use crate::model::Model;
use crate::model::cuda::LIBTORCH_VERSION;
use crate::model::files::safetensors;
use crate::project::model_ref::model_name;
use crate::project::runs::RunFolder;
use crate::session::event::Event;
use crate::text::tokenizer::Tokenizer;
use crate::train::plan::RunPlan;
use crate::train::plan::timeline::place_steps;
use crate::train::report::RunReport;
use crate::train::run::checkpoint::best_path;

/// Why a run has no model although nothing is missing.
pub(super) const KEPT_NONE: &str =
    "it kept no weights, as it did not come to its end. Resume it, or train again";

impl Worker {
    /// Reads a run back from its folder and shows it.
    pub(super) fn show_run(&mut self, project_dir: &Path, name: &str) -> Result<(), Failure> {
        self.busy("opening the run", None);
        let run = open_run(project_dir, name, self.device)?;
        self.forget_run();
        self.outbox.post(Event::Run(Box::new(run.view)));
        // The curves and the report are worth showing without the weights too.
        match run.tuned {
            Ok(Some(tuned)) => self.tuned = Some(tuned),
            Ok(None) => self.shown_without_model(project_dir, name, KEPT_NONE.into()),
            Err(reason) => {
                let text = format!("Run {name} is shown without its model: {reason}");
                self.outbox.post(Event::Notice(Severity::Warning, text));
                self.shown_without_model(project_dir, name, reason);
            }
        }
        Ok(())
    }

    /// Notes why the shown run has no model, for everything that asks for one.
    pub(super) fn shown_without_model(&mut self, project_dir: &Path, name: &str, reason: Failure) {
        self.unopened = Some(Unopened { project_dir: project_dir.to_owned(), name: name.to_owned(), reason });
    }

    /// Tries the shown run's model again, where it could not be loaded: what was missing may be back.
    pub(super) fn open_again(&mut self) {
        let Some(unopened) = &self.unopened else { return };
        let opened = open_run(&unopened.project_dir, &unopened.name, self.device).and_then(|run| run.tuned);
        match opened {
            Ok(Some(tuned)) => (self.tuned, self.unopened) = (Some(tuned), None),
            Ok(None) => {}
            Err(reason) => self.unopened.iter_mut().for_each(|unopened| unopened.reason.clone_from(&reason)),
        }
    }

    /// The model of the shown run.
    pub(super) fn tuned(&self) -> Result<&Tuned, Failure> {
        self.tuned.as_ref().ok_or_else(|| match &self.unopened {
            Some(Unopened { name, reason, .. }) => format!("run {name} cannot be used: {reason}"),
            None => "there is no trained model yet: train one on the Schedule page".to_owned(),
        })
    }

    pub(super) fn export(&mut self, to: &Path, stop: &AtomicBool) -> Result<ExportReport, Failure> {
        self.busy("writing the model and reading it back", None);
        let rows = self.data.as_ref().map_or([0; 3], |data| Split::ALL.map(|split| data.card.rows_of(split)));
        self.open_again();
        let tuned = self.tuned()?;
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
            versions: &[("Frostline", env!("CARGO_PKG_VERSION")), ("libtorch", LIBTORCH_VERSION)],
        });
        let request = ExportRequest {
            model: &tuned.model,
            base: &tuned.plan.model_path,
            to,
            max_seq_length: tuned.plan.recipe.max_length,
            prompt: tuned.plan.prompt.as_ref(),
            card: &card,
            untrained: &tuned.untrained(),
        };
        write_folder_until(&request, stop).map_err(|error| error.to_string())
    }
}

/// A run read back: what is shown, and its model where it kept one.
pub(in crate::session) struct OpenRun {
    pub(super) view: RunView,
    /// `None` when it kept no weights; a sentence when they cannot be read.
    pub(super) tuned: Result<Option<Tuned>, Failure>,
}

impl OpenRun {
    /// Tasks whose heads never trained.
    pub(in crate::session) fn untrained(&self) -> Vec<String> {
        let tuned = self.tuned.as_ref().ok().and_then(Option::as_ref);
        tuned.map(Tuned::untrained).unwrap_or_default()
    }

    /// The model, its tokeniser and its plan.
    pub(in crate::session) fn into_parts(self) -> Result<Option<(Model, Tokenizer, Arc<RunPlan>)>, Failure> {
        Ok(self.tuned?.map(|tuned| (tuned.model, tuned.tokenizer, tuned.plan)))
    }
}

impl Tuned {
    /// Tasks whose heads never trained.
    pub(super) fn untrained(&self) -> Vec<String> {
        self.report.untrained_tasks(&self.plan)
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
    let mut history = folder.read().map_err(|error| error.to_string())?;
    history.drop_stand_ins(&plan);
    place_steps(&mut history.steps, &history.epochs);
    let report = folder.read_report().map_err(|error| error.to_string())?.map(Arc::new);
    let holder = folder.holder();
    let outcome = history.outcome.unwrap_or_else(|| {
        RunOutcome::Failed(match &holder {
            Some(holder) => format!("it is not finished: {holder} is training it"),
            None => "it was interrupted: the program ended before the run did".into(),
        })
    });
    let can_resume = outcome.can_be_resumed() && folder.has_checkpoint() && holder.is_none();
    let view = RunView {
        phase: history.phases.last().map_or(0, |(phase, _)| *phase),
        steps: history.steps,
        epochs: history.epochs,
        note: String::new(),
        outcome: Some(outcome.clone()),
        report: report.clone(),
        can_resume,
        ..RunView::starting(plan.clone(), folder.dir())
    };
    let best = best_path(&folder.checkpoint_dir());
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
    if !plan.model_path.is_dir() {
        let name = model_name(&plan.model_path);
        return Err(format!(
            "its pretrained model is not here any more: {name}. Put it back, or download it again"
        ));
    }
    let mut model = Model::load(&plan.model_path, device).map_err(text)?;
    // The run's weights over another vocabulary or architecture would mean nothing.
    if let Some(what) = plan.other_in(&model.summary) {
        return Err(format!(
            "the {what} in {} changed since it was trained. Put the earlier files back, or train again",
            plan.model_path.display()
        ));
    }
    let tokenizer = Tokenizer::load(&plan.model_path).map_err(|error| error.to_string())?;
    let tokenizer = tokenizer.with_prompt(plan.prompt_text());
    model.start_heads(&plan.head_specs(), plan.recipe.seed).map_err(text)?;
    if plan.recipe.uses_lora() {
        model.attach_lora(&plan.recipe.lora, plan.recipe.seed).map_err(text)?;
    }
    model.fill(&safetensors::read_all(best).map_err(text)?, best).map_err(text)?;
    model.merge_lora().map_err(text)?;
    Ok(Tuned { plan, model, tokenizer, report, outcome })
}

/// Tasks of a plan whose heads another plan's fit: of the same name, kind, classes and shape.
pub(super) fn fit_heads(plan: &RunPlan, other: &RunPlan) -> Vec<usize> {
    let specs = other.head_specs();
    let fits = |(_, spec): &(usize, crate::model::heads::HeadSpec)| specs.contains(spec);
    plan.head_specs().into_iter().enumerate().filter(fits).map(|(task, _)| task).collect()
}
