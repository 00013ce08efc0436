//! What changes from step to step beside the weights, and how all of it goes to disk and comes back.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use tch::Tensor;

use super::checkpoint::{Checkpoint, CheckpointError, Store};
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

/// The course of a run.
pub(in crate::train) struct TrainState {
    /// Where it stands.
    pub(in crate::train) place: Progress,
    /// Moments and step counts.
    pub(in crate::train) optimizer: Optimizer,
    /// The average of the weights, where the recipe asks for one.
    average: Option<Ema>,
    /// Fingerprint of the rows.
    rows: String,
    /// Since when seconds are not in the place yet.
    since: Instant,
}

impl TrainState {
    /// A run's beginning, or where a checkpoint of it stands: its weights are then written into the model.
    ///
    /// # Errors
    /// When the checkpoint is of other rows or of another model, or libtorch refuses.
    pub(in crate::train) fn begin(
        plan: &RunPlan,
        model: &Model,
        rows: [&Examples; 2],
        pass: Kernel,
        from: Option<Checkpoint>,
    ) -> Result<Self, TrainError> {
        let trains = |index: usize| {
            let info = model.params.at(index).map(Param::info);
            info.is_some_and(|info| plan.phases.iter().any(|phase| phase.rate(&info).is_some()))
        };
        let average = plan.recipe.ema.map(|decay| Ema::new(&model.params, decay, trains)).transpose()?;
        let [train, valid] = rows;
        let fingerprint = |by_file| format!("{} {}", train.fingerprint(by_file), valid.fingerprint(false));
        let by_file = plan.recipe.sampling != Sampling::Proportional;
        let mut course = Self {
            place: Progress::start(plan.tasks.len()),
            optimizer: Optimizer::new(plan.recipe.optimizer, pass),
            average,
            rows: fingerprint(by_file),
            since: Instant::now(),
        };
        if let Some(checkpoint) = from {
            if checkpoint.rows != course.rows {
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
            course.restore(checkpoint, model)?;
        }
        Ok(course)
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
            if let (Some(average), Some(saved)) = (&mut self.average, take("average")) {
                average.restore(index, &saved)?;
            }
        }
        self.place = checkpoint.place;
        for (task, tally) in self.place.sums.tallies.iter_mut().enumerate() {
            if let Some(numbers) = saved.remove(&numbers_name(task)) {
                let flat = Vec::<f32>::try_from(&numbers.f_reshape([-1])?)?;
                let pair = |pair: &[f32]| Some((*pair.first()?, *pair.get(1)?));
                tally.numbers = flat.chunks_exact(2).filter_map(pair).collect();
            }
        }
        if let Some(average) = &mut self.average {
            // Earlier versions wrote no count: they took every step in.
            let as_before = EmaState { updates: self.place.step, unused: self.place.unused };
            average.state = checkpoint.average.unwrap_or(as_before);
        }
        Ok(())
    }

    /// Writes everything that the run can be gone on from.
    ///
    /// # Errors
    /// When it cannot be written; the last one is intact.
    pub(in crate::train) fn save(&mut self, model: &Model, store: &mut Store) -> Result<(), TrainError> {
        self.place.seconds += self.since.elapsed().as_secs_f64();
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
        for (index, shadow) in self.average.iter().flat_map(Ema::iter) {
            tensors.push((format!("average/{}", name(index)), shadow.shallow_clone()));
        }
        for (task, tally) in self.place.sums.tallies.iter().enumerate() {
            if !tally.numbers.is_empty() {
                let flat: Vec<f32> = tally.numbers.iter().flat_map(|(p, t)| [*p, *t]).collect();
                tensors.push((numbers_name(task), Tensor::f_from_slice(&flat)?.f_view([-1, 2])?));
            }
        }
        let (place, rows) = (self.place.clone(), self.rows.clone());
        let average = self.average.as_ref().map(|average| average.state);
        Ok(store.write_last(&Checkpoint { place, rows, tensors, updates, average })?)
    }

    /// Seconds of all processes that worked on the run.
    pub(in crate::train) fn seconds(&self) -> f64 {
        self.place.seconds + self.since.elapsed().as_secs_f64()
    }

    /// Whether weights are averaged.
    pub(in crate::train) fn averages(&self) -> bool {
        self.average.is_some()
    }

    /// The average takes the weights of a step in.
    pub(in crate::train) fn follow(&mut self, model: &Model) -> Result<(), TrainError> {
        if let Some(average) = &mut self.average {
            average.follow(&model.params, self.place.unused)?;
        }
        Ok(())
    }

    /// Exchanges weights and their average, where there is one: what is measured and kept is the average.
    pub(in crate::train) fn exchange(&mut self, model: &Model) -> Result<(), TrainError> {
        if let Some(average) = &mut self.average {
            average.exchange(&model.params, &mut self.place.unused)?;
        }
        Ok(())
    }
}
