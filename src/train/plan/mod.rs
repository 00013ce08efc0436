//! The run plan: one immutable value that says what trains, when and at which rate.
//!
//! The preview that the window draws, the parameters that the loop updates and the claims of the report are
//! all computed from it. It holds no tensor; it knows tensors by name and shape only.

pub mod monitor;
pub mod phase;
pub mod phase_edits;
pub mod phase_spec;
mod plan_error;
mod planned_task;
pub mod preset;
mod preset_phases;
pub mod quality;
pub mod recipe;
mod room;
mod run_plan;
pub mod schedule;
pub mod settings;
pub mod timeline;

pub use self::phase::{ParamFilter, Phase, Thaw, Until};
pub use self::plan_error::PlanError;
pub use self::planned_task::PlannedTask;
pub use self::run_plan::{Parent, RunPlan, Trainable};

use self::quality::check_judged;
use self::recipe::{Recipe, Weighting};
use crate::data::task::TaskKind;
use crate::model::summary::{ModelSummary, TensorInfo};

impl RunPlan {
    /// Makes the plan of a recipe for a model and tasks.
    ///
    /// # Errors
    /// When it could not be run, or would train nothing though its preset means to; see [`PlanError`].
    pub fn build(
        name: &str,
        recipe: &Recipe,
        model: &ModelSummary,
        tasks: Vec<PlannedTask>,
        train_rows: usize,
        device: &str,
    ) -> Result<Self, PlanError> {
        recipe.check()?;
        if tasks.is_empty() {
            return Err(PlanError::NoTask);
        }
        for task in &tasks {
            if let Some(error) = PlanError::of_classes(&task.name, task.kind, task.classes.len()) {
                return Err(error);
            }
        }
        if recipe.batch_size.saturating_mul(recipe.accumulate) < 2
            && tasks.iter().any(|task| task.kind == TaskKind::Ranking)
        {
            return Err(PlanError::BadSetting {
                setting: "the batch size".to_owned(),
                value: "1".to_owned(),
                wanted: "use at least 2 with a ranking task, which tells a pair from the other pairs of its batch",
            });
        }
        recipe.watch.check(&tasks)?;
        if train_rows == 0 {
            return Err(PlanError::NoRows);
        }
        let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        if !recipe.trains_nothing() && names.iter().all(|task| recipe.has_no_weight(task)) {
            return Err(PlanError::NoWeight);
        }
        let phases = recipe.phases_for(model.layers, &names)?;
        let prompt = model.prompt(recipe.prompt.as_deref()).map_err(PlanError::NoPrompt)?;
        let tensors = tensors(recipe, model, &tasks);
        room::check(recipe, model, &tasks)?;
        let batches = train_rows.div_ceil(recipe.batch_size);
        let plan = Self {
            name: name.to_owned(),
            model_path: model.path.clone(),
            model_sha256: model.sha256.clone(),
            tokenizer_sha256: model.origin.tokenizer_sha256.clone(),
            tensors,
            tasks,
            prompt,
            recipe: recipe.clone(),
            phases,
            train_rows,
            parent: None,
            steps_per_epoch: batches.div_ceil(recipe.accumulate),
            device: device.to_owned(),
        };
        let trains = (0..plan.phases.len()).any(|phase| plan.trainable(phase).next().is_some());
        if !trains && !recipe.trains_nothing() {
            return Err(PlanError::TrainsNothing);
        }
        check_judged(&plan)?;
        Ok(plan)
    }
}

/// Every tensor of the run: the model's, its adapters', the heads' and the learnt weights of their losses.
fn tensors(recipe: &Recipe, model: &ModelSummary, tasks: &[PlannedTask]) -> Vec<TensorInfo> {
    let mut tensors = model.tensors.clone();
    if recipe.uses_lora() {
        tensors.extend(model.adapters(&recipe.lora));
    }
    for (index, task) in tasks.iter().enumerate() {
        let hidden_units = recipe.task(&task.name).hidden_units;
        tensors.extend(task.head(hidden_units).tensors(index, model.head_input(task.kind)));
    }
    if recipe.weighting == Weighting::Uncertainty {
        let weights = tasks.iter().enumerate();
        tensors.extend(weights.map(|(index, task)| TensorInfo::of_loss_weight(index, &task.name)));
    }
    tensors
}
