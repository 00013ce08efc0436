//! What a preset would mean for this very project: rows, steps, parameters.

use crate::model::heads::HeadSpec;
use crate::model::summary::{Group, ModelSummary, TensorInfo};
use crate::session::state::State;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::Recipe;
use crate::train::plan::{Phase, Thaw};
use crate::ui::panels::layout::share;
use crate::ui::widgets::numbers::{short_count, thousands};

/// The sizes of the project that a preset's numbers are made from.
pub(super) struct Facts<'a> {
    model: &'a ModelSummary,
    /// Name and parameters of each task's head.
    heads: Vec<(&'a str, u64)>,
    train_rows: usize,
}

impl<'a> Facts<'a> {
    /// The facts of a project with data and model; `None` before.
    pub(super) fn of(state: &'a State) -> Option<Self> {
        let (data, model) = (state.data.ready()?, state.model.ready()?);
        let head = |task: &'a crate::data::dataset::TaskLabels| {
            let spec = HeadSpec {
                task: task.name.clone(),
                kind: task.kind,
                classes: task.classes.clone(),
                hidden_units: state.project.recipe.task(&task.name).hidden_units,
                ..HeadSpec::default()
            };
            let tensors = spec.tensors(0, model.head_input(task.kind));
            (task.name.as_str(), tensors.iter().map(TensorInfo::elements).sum())
        };
        let heads = data.dataset.tasks.iter().map(head).collect();
        Some(Self { model, heads, train_rows: data.card.rows[0] })
    }

    /// Names of the tasks, in order.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &'a str> {
        self.heads.iter().map(|(name, _)| *name)
    }

    fn total(&self) -> u64 {
        self.model.parameters() + self.heads.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Parameters that train in at least one phase.
    fn trained(&self, phases: &[Phase], recipe: &Recipe) -> u64 {
        let adapters = if recipe.uses_lora() { self.model.adapters(&recipe.lora) } else { Vec::new() };
        let trains = |tensor: &&TensorInfo| phases.iter().any(|phase| phase.rate(tensor).is_some());
        let tensors = self.model.tensors.iter().chain(&adapters).filter(trains);
        let encoder: u64 = tensors.map(TensorInfo::elements).sum();
        let thaws = |index: usize| phases.iter().any(|phase| phase.thaw(Group::Head(index)) != Thaw::Frozen);
        let heads = self.heads.iter().enumerate().filter(|(index, _)| thaws(*index));
        encoder + heads.map(|(_, (_, count))| count).sum::<u64>()
    }

    /// The preset's numbers, each with what it is. `recipe` is the one in force; another preset brings its own
    /// settings.
    pub(super) fn figures(&self, preset: Preset, recipe: &Recipe) -> Vec<(String, &'static str)> {
        let mut recipe = recipe.clone();
        if recipe.preset != preset {
            recipe.choose(preset);
        }
        let names: Vec<&str> = self.tasks().collect();
        let Ok(phases) = recipe.phases_for(self.model.layers, &names) else { return Vec::new() };
        let (trained, total) = (self.trained(&phases, &recipe), self.total());
        let parameters = format!("{} of {}", short_count(trained), short_count(total));
        let mut figures = vec![
            (thousands(self.train_rows as u64), "training rows"),
            (parameters, "parameters train"),
            (share(trained as f64 / total.max(1) as f64), "of all parameters"),
        ];
        if trained > 0 {
            let rows_of_step = recipe.batch_size.max(1) * recipe.accumulate.max(1);
            let steps_per_epoch = self.train_rows.div_ceil(rows_of_step);
            let epochs: u32 = phases.iter().map(|phase| phase.epochs).sum();
            let steps: usize = phases.iter().map(|phase| phase.steps(steps_per_epoch)).sum();
            let per_row = trained as f64 / self.train_rows.max(1) as f64;
            figures.push((short_count(per_row.round() as u64), "trained parameters per row"));
            // Where a phase ends by its steps, the product is another number than the steps below it.
            if steps == epochs as usize * steps_per_epoch {
                figures
                    .push((format!("{} x {}", epochs, thousands(steps_per_epoch as u64)), "epochs x steps"));
            }
            figures.push((thousands(steps as u64), "steps in all"));
        }
        figures
    }
}
