//! Losses, figures and gradient norms of steps, while they are still on the device: several steps are read at a time,
//! because reading waits until the device has nothing left to do.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

use super::dispatch::Dispatch;
use super::loss::Losses;
use super::running_figures::Tally;
use crate::model::ModelError;
use crate::train::error::TrainError;
use crate::train::metrics::{Score, StepPoint};
use crate::train::plan::RunPlan;

/// Which step it is, and its rate.
#[derive(Clone, Copy, Debug)]
pub struct StepRate {
    /// Optimiser steps before it.
    pub step: usize,
    /// What the peak rates of the phase are multiplied by.
    pub factor: f64,
}

/// A step that is done as far as the host knows. Whether its losses are numbers is seen when they are read.
pub struct PendingStep {
    pub(in crate::train) rate: StepRate,
    /// Of the gradients before clipping: a scalar.
    pub(in crate::train) norm: Tensor,
    /// Whether anything was updated: not where no row is labelled for a task that trains.
    pub(in crate::train) updated: bool,
    /// Of each of its batches.
    pub(in crate::train) losses: Vec<Losses>,
}

impl PendingStep {
    /// The point of the curve; waits for the device.
    ///
    /// # Errors
    /// A loss or a gradient that is not a number, or a refusal of libtorch.
    pub fn read(self, plan: &RunPlan) -> Result<StepPoint, TrainError> {
        let step = [self];
        let mut values = values(&step)?.into_iter();
        let [step] = &step;
        step.point(plan, &mut values).map(|(point, _)| point)
    }

    /// Everything that is on the device, in the order in which [`point`](Self::point) takes it.
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let batches = self.losses.iter().flat_map(|losses| {
            let tasks = losses.tasks.iter().flatten().flat_map(|task| [&task.loss, &task.shown.values]);
            losses.total.iter().chain(tasks)
        });
        std::iter::once(&self.norm).chain(batches)
    }

    /// The batches of the step together, from what was read; and what its figures come from.
    fn point(
        &self,
        plan: &RunPlan,
        values: &mut impl Iterator<Item = f64>,
    ) -> Result<(StepPoint, Vec<Tally>), TrainError> {
        let step = self.rate.step + 1;
        let not_finite = |task: &str, value| {
            let (task, kept) = (task.to_owned(), None);
            Err(TrainError::NotFinite { task, value, step, kept })
        };
        let grad_norm = values.next().unwrap_or(f64::NAN);
        // A step without a label has no loss, rather than one of 0.
        let has_loss = self.losses.iter().any(|batch| batch.total.is_some());
        let (mut loss, mut tasks) =
            (if has_loss { 0.0 } else { f64::NAN }, vec![Score::default(); plan.tasks.len()]);
        let mut tallies = vec![Tally::default(); plan.tasks.len()];
        for batch in &self.losses {
            loss += if batch.total.is_some() { values.next().unwrap_or(f64::NAN) } else { 0.0 };
            let sums = tasks.iter_mut().zip(&mut tallies);
            for ((planned, (sum, tally)), task) in plan.tasks.iter().zip(sums).zip(&batch.tasks) {
                let Some(task) = task else { continue };
                let loss = values.next().unwrap_or(f64::NAN);
                if !loss.is_finite() {
                    return not_finite(&planned.name, loss);
                }
                tally.add(task.shown.tally(planned, values));
                let rows = sum.rows + task.labelled;
                sum.loss = (sum.loss * sum.rows as f64 + loss * task.labelled as f64) / rows.max(1) as f64;
                sum.rows = rows;
            }
        }
        for ((planned, score), tally) in plan.tasks.iter().zip(&mut tasks).zip(&tallies) {
            if score.rows > 0 {
                score.figure = tally.step_figure(planned.kind);
            }
        }
        if !grad_norm.is_finite() {
            return not_finite("all (its gradient)", grad_norm);
        }
        let epoch = step as f64 / plan.steps_per_epoch.max(1) as f64;
        Ok((StepPoint { step, epoch, loss, tasks, rate_factor: self.rate.factor, grad_norm }, tallies))
    }
}

/// Everything that some steps tell, brought over at once.
fn values(steps: &[PendingStep]) -> Result<Vec<f64>, ModelError> {
    let tensors = steps.iter().flat_map(PendingStep::tensors);
    let flat = tensors.map(|tensor| tensor.f_to_kind(Kind::Double)?.f_reshape([-1]));
    let flat = flat.collect::<Result<Vec<_>, _>>()?;
    Ok(Vec::try_from(&Tensor::f_cat(&flat, 0)?.f_to_device(Device::Cpu)?)?)
}

/// The point of a step, and per task what its figure comes from.
type ReadStep = (StepPoint, Vec<Tally>);

/// Steps that were not read yet, in order.
pub(in crate::train) struct MetricQueue {
    dispatch: Dispatch,
    steps: Vec<PendingStep>,
    /// Per step, how many epochs are done after it: an epoch that a phase ends within is shorter than others.
    epochs: Vec<f64>,
    /// So many are read together next time.
    together: usize,
    /// Since when it is not empty.
    since: Instant,
}

impl MetricQueue {
    /// Empty.
    pub(in crate::train) fn new(dispatch: Dispatch) -> Self {
        Self { dispatch, steps: Vec::new(), epochs: Vec::new(), together: 1, since: Instant::now() }
    }

    /// Takes a step in, after which so many epochs are done.
    pub(in crate::train) fn push(&mut self, step: PendingStep, epoch: f64) {
        if self.steps.is_empty() {
            self.since = Instant::now();
        }
        self.steps.push(step);
        self.epochs.push(epoch);
    }

    /// Whether it is to be read now.
    pub(in crate::train) fn is_due(&self) -> bool {
        self.steps.len() >= self.together
    }

    /// Empties it: the points of the curve up to the first that is no number, which is then the error, each with what its
    /// figures come from.
    pub(in crate::train) fn read(&mut self, plan: &RunPlan) -> (Vec<ReadStep>, Result<(), TrainError>) {
        let (steps, epochs) = (std::mem::take(&mut self.steps), std::mem::take(&mut self.epochs));
        if steps.is_empty() {
            return (Vec::new(), Ok(()));
        }
        let mut points = Vec::with_capacity(steps.len());
        let read = values(&steps).map_err(TrainError::from).and_then(|values| {
            let mut values = values.into_iter();
            for (step, epoch) in steps.iter().zip(epochs) {
                let (point, tallies) = step.point(plan, &mut values)?;
                points.push((StepPoint { epoch, ..point }, tallies));
            }
            Ok(())
        });
        self.together = self.fitting(steps.len());
        (points, read)
    }

    /// How many steps to read together, if they go on as those that were just read.
    fn fitting(&self, steps: usize) -> usize {
        let seconds_per_step = self.since.elapsed().as_secs_f64() / steps as f64;
        let fitting = self.dispatch.read_within.as_secs_f64() / seconds_per_step.max(1e-9);
        (fitting as usize).clamp(1, self.dispatch.read_every.max(1))
    }
}
