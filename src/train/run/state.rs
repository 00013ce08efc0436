//! What changes from step to step beside the weights, and how all of it goes to disk and comes back.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use tch::Tensor;

use super::checkpoint::{Checkpoint, CheckpointError, Checkpointer};
use super::ema::{Ema, EmaState};
use super::progress::Progress;
use crate::model::Model;
use crate::model::params::Param;
use crate::train::error::TrainError;
use crate::train::examples::Examples;
use crate::train::optim::{Kernel, Optimizer};
use crate::train::plan::RunPlan;
use crate::train::plan::recipe::Sampling;

/// What the numbers are called in a checkpoint that a task of that index predicted in the epoch so far, with the true ones.
fn numbers_name(task: usize) -> String {
    format!("numbers/{task}")
}

/// The state of a run.
pub(in crate::train) struct TrainState {
    /// What was done so far.
    pub(in crate::train) progress: Progress,
    /// Moments and step counts.
    pub(in crate::train) optimizer: Optimizer,
    /// The average of the weights, where the recipe asks for one.
    ema: Option<Ema>,
    /// Fingerprint of the rows.
    rows: String,
    /// Since when seconds are not part of the progress yet.
    since: Instant,
}

impl TrainState {
    /// The beginning of a run, or its state at a checkpoint, whose weights are then written into the model.
    ///
    /// # Errors
    /// When the checkpoint is of other rows or of another model, or libtorch refuses.
    pub(in crate::train) fn begin(
        plan: &RunPlan,
        model: &Model,
        rows: [&Examples; 2],
        kernel: Kernel,
        from: Option<Checkpoint>,
    ) -> Result<Self, TrainError> {
        let trains = |index: usize| {
            let info = model.params.at(index).map(Param::info);
            info.is_some_and(|info| plan.phases.iter().any(|phase| phase.rate(&info).is_some()))
        };
        let ema = plan.recipe.ema.map(|decay| Ema::new(&model.params, decay, trains)).transpose()?;
        let [train, valid] = rows;
        let fingerprint = |by_file| format!("{} {}", train.fingerprint(by_file), valid.fingerprint(false));
        let by_file = plan.recipe.sampling != Sampling::Proportional;
        let mut state = Self {
            progress: Progress::start(plan.tasks.len()),
            optimizer: Optimizer::new(plan.recipe.optimizer, kernel),
            ema,
            rows: fingerprint(by_file),
            since: Instant::now(),
        };
        if let Some(checkpoint) = from {
            if checkpoint.rows != state.rows {
                let by_size = by_file && checkpoint.rows == fingerprint(false);
                let other = if by_size {
                    CheckpointError::OtherSampling
                } else if train.has_negatives() || valid.has_negatives() {
                    CheckpointError::OtherNegatives
                } else {
                    CheckpointError::OtherData
                };
                return Err(other.into());
            }
            state.restore(checkpoint, model)?;
        }
        Ok(state)
    }

    fn restore(&mut self, checkpoint: Checkpoint, model: &Model) -> Result<(), TrainError> {
        let _guard = tch::no_grad_guard();
        let mut saved: HashMap<String, Tensor> = checkpoint.tensors.into_iter().collect();
        for (index, param) in model.params.iter().enumerate() {
            let shape = param.tensor.size();
            let mut take = |part: &str| {
                saved.remove(&format!("{part}/{}", param.name)).filter(|tensor| tensor.size() == shape)
            };
            let weight = take("weight").ok_or_else(|| CheckpointError::OtherModel {
                tensor: param.name.clone(),
                shape: shape.clone(),
            })?;
            param.tensor.f_detach()?.f_copy_(&weight)?;
            if let (Some(first), Some(second)) = (take("first"), take("second")) {
                let steps = checkpoint.updates.get(&param.name).copied().unwrap_or(0);
                let (first, second) = (first.f_to_device(model.device)?, second.f_to_device(model.device)?);
                self.optimizer.restore(index, first, second, steps);
            }
            if let (Some(ema), Some(saved)) = (&mut self.ema, take("average")) {
                ema.restore(index, &saved)?;
            }
        }
        self.progress = checkpoint.progress;
        for (task, tally) in self.progress.sums.tallies.iter_mut().enumerate() {
            if let Some(numbers) = saved.remove(&numbers_name(task)) {
                let flat = Vec::<f32>::try_from(&numbers.f_reshape([-1])?)?;
                let pair = |pair: &[f32]| Some((*pair.first()?, *pair.get(1)?));
                tally.numbers = flat.chunks_exact(2).filter_map(pair).collect();
            }
        }
        if let Some(ema) = &mut self.ema {
            // Earlier versions wrote no count: they took every step in.
            let as_before = EmaState { updates: self.progress.step, unused: self.progress.unused };
            ema.state = checkpoint.ema.unwrap_or(as_before);
        }
        Ok(())
    }

    /// Writes everything that the run can resume from.
    ///
    /// # Errors
    /// When it cannot be written; the last one is intact.
    pub(in crate::train) fn save(
        &mut self,
        model: &Model,
        checkpointer: &mut Checkpointer,
    ) -> Result<(), TrainError> {
        self.progress.seconds += self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        let params = &model.params;
        let name = |index: usize| params.at(index).map(|param| param.name.clone()).unwrap_or_default();
        let mut tensors: Vec<(String, Tensor)> = params
            .iter()
            .map(|param| (format!("weight/{}", param.name), param.tensor.shallow_clone()))
            .collect();
        let mut updates = BTreeMap::new();
        for (index, first, second, steps) in self.optimizer.states() {
            tensors.push((format!("first/{}", name(index)), first.shallow_clone()));
            tensors.push((format!("second/{}", name(index)), second.shallow_clone()));
            updates.insert(name(index), steps);
        }
        for (index, shadow) in self.ema.iter().flat_map(Ema::iter) {
            tensors.push((format!("average/{}", name(index)), shadow.shallow_clone()));
        }
        for (task, tally) in self.progress.sums.tallies.iter().enumerate() {
            if !tally.numbers.is_empty() {
                let flat: Vec<f32> = tally.numbers.iter().flat_map(|(p, t)| [*p, *t]).collect();
                tensors.push((numbers_name(task), Tensor::f_from_slice(&flat)?.f_view([-1, 2])?));
            }
        }
        let (progress, rows) = (self.progress.clone(), self.rows.clone());
        let ema = self.ema.as_ref().map(|ema| ema.state);
        Ok(checkpointer.write_last(&Checkpoint { progress, rows, tensors, updates, ema })?)
    }

    /// Seconds of all processes that worked on the run.
    pub(in crate::train) fn seconds(&self) -> f64 {
        self.progress.seconds + self.since.elapsed().as_secs_f64()
    }

    /// Whether weights are averaged.
    pub(in crate::train) fn has_ema(&self) -> bool {
        self.ema.is_some()
    }

    /// Takes the weights of a step into their average.
    pub(in crate::train) fn update_ema(&mut self, model: &Model) -> Result<(), TrainError> {
        if let Some(ema) = &mut self.ema {
            ema.update(&model.params, self.progress.unused)?;
        }
        Ok(())
    }

    /// Swaps weights and their average, where there is one: the average is what is measured and kept.
    pub(in crate::train) fn swap_ema(&mut self, model: &Model) -> Result<(), TrainError> {
        if let Some(ema) = &mut self.ema {
            ema.swap(&model.params, &mut self.progress.unused)?;
        }
        Ok(())
    }
}
