//! Whether the machine's memory has room for the sizes that a recipe asks for.

use super::plan_error::PlanError;
use super::planned_task::PlannedTask;
use super::recipe::{OptimizerKind, Recipe};
use crate::model::room;
use crate::model::summary::{ModelSummary, TensorInfo};

/// Refuses sizes that the machine's memory cannot hold. Counted are the values that a setting asks for, with their
/// gradients and moments, beside the model's weights: less than a run needs, so that no plan is refused that may run.
pub(super) fn check(recipe: &Recipe, model: &ModelSummary, tasks: &[PlannedTask]) -> Result<(), PlanError> {
    let copies = if recipe.optimizer == OptimizerKind::Sgd { 2 } else { 4 };
    let weights = room::bytes_of(&model.tensors, 1);
    let refuse = |tensors: &[TensorInfo], setting: String, value: usize| {
        let needs = weights.saturating_add(room::bytes_of(tensors, copies));
        room::check(needs).map_err(|shortage| PlanError::NoRoom {
            setting,
            value: value.to_string(),
            shortage,
        })
    };
    for (index, task) in tasks.iter().enumerate() {
        let Some(units) = recipe.task(&task.name).hidden_units else { continue };
        let tensors = task.head(Some(units)).tensors(index, model.head_input(task.kind));
        refuse(&tensors, format!("the hidden layer (hidden_units) of task \"{}\"", task.name), units)?;
    }
    if recipe.uses_lora() {
        let adapters = model.adapters(&recipe.lora);
        refuse(&adapters, "the rank of the adapters (lora_rank)".into(), recipe.lora.rank)?;
    }
    Ok(())
}
