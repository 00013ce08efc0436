//! What steps tell, while it is still on the device: losses, figures and norms are read several steps at a time, because
//! reading waits until the device has nothing left to do.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

use super::drive::Drive;
use super::error::TrainError;
use super::loss::Losses;
use super::metrics::{Score, StepPoint};
use super::plan::RunPlan;
use super::step::At;
use crate::model::ModelError;

/// A step that is done as far as the host knows. Whether its losses are numbers is seen when they are read.
pub struct Pending {
    pub(super) at: At,
    /// Of the gradients before clipping: a scalar.
    pub(super) norm: Tensor,
    /// Whether anything was updated: not where no row is labelled for a task that trains.
    pub(super) updated: bool,
    /// Of each of its batches.
    pub(super) losses: Vec<Losses>,
}

impl Pending {
    /// The point of the curve; waits for the device.
    ///
    /// # Errors
    /// A loss or a gradient that is not a number, or a refusal of libtorch.
    pub fn read(self, plan: &RunPlan) -> Result<StepPoint, TrainError> {
        let step = [self];
        let mut values = values(&step)?.into_iter();
        let [step] = &step;
        step.point(plan, &mut values)
    }

    /// Everything that is on the device, in the order in which [`point`](Self::point) takes it.
    fn scalars(&self) -> impl Iterator<Item = &Tensor> {
        let batches = self.losses.iter().flat_map(|losses| {
            let tasks = losses.tasks.iter().flatten().flat_map(|task| [&task.loss, &task.figure]);
            losses.total.iter().chain(tasks)
        });
        std::iter::once(&self.norm).chain(batches)
    }

    /// The batches of the step together, from what was read of its scalars.
    fn point(&self, plan: &RunPlan, values: &mut impl Iterator<Item = f64>) -> Result<StepPoint, TrainError> {
        let step = self.at.step + 1;
        let not_finite = |task: &str, value| {
            let (task, kept) = (task.to_owned(), None);
            Err(TrainError::NotFinite { task, value, step, kept })
        };
        let mut next = || values.next().unwrap_or(f64::NAN);
        let grad_norm = next();
        let (mut loss, mut tasks) = (0.0, vec![Score::default(); plan.tasks.len()]);
        for batch in &self.losses {
            loss += if batch.total.is_some() { next() } else { 0.0 };
            for ((planned, sum), task) in plan.tasks.iter().zip(&mut tasks).zip(&batch.tasks) {
                let Some(task) = task else { continue };
                let (loss, figure) = (next(), next());
                if !loss.is_finite() {
                    return not_finite(&planned.name, loss);
                }
                add(sum, Score { loss, figure, rows: task.labelled });
            }
        }
        if !grad_norm.is_finite() {
            return not_finite("all (its gradient)", grad_norm);
        }
        let epoch = step as f64 / plan.steps_per_epoch.max(1) as f64;
        Ok(StepPoint { step, epoch, loss, tasks, rate_factor: self.at.factor, grad_norm })
    }
}

/// Takes the figures of further rows into means.
fn add(mean: &mut Score, score: Score) {
    let (before, more) = (mean.rows as f64, score.rows as f64);
    let both = |x: f64, y: f64| (x * before + y * more) / (before + more).max(1.0);
    (mean.loss, mean.figure) = (both(mean.loss, score.loss), both(mean.figure, score.figure));
    mean.rows += score.rows;
}

/// The scalars of some steps, brought over at once.
fn values(steps: &[Pending]) -> Result<Vec<f64>, ModelError> {
    let scalars = steps.iter().flat_map(Pending::scalars);
    let scalars = scalars.map(|scalar| scalar.f_to_kind(Kind::Double)).collect::<Result<Vec<_>, _>>()?;
    Ok(Vec::try_from(&Tensor::f_stack(&scalars, 0)?.f_to_device(Device::Cpu)?)?)
}

/// Steps that were not read yet, in order.
pub(super) struct Backlog {
    drive: Drive,
    steps: Vec<Pending>,
    /// Per step, how many epochs are done after it: an epoch that a phase ends within is shorter than others.
    epochs: Vec<f64>,
    /// So many are read together next time.
    together: usize,
    /// Since when it is not empty.
    since: Instant,
}

impl Backlog {
    /// Empty.
    pub(super) fn new(drive: Drive) -> Self {
        Self { drive, steps: Vec::new(), epochs: Vec::new(), together: 1, since: Instant::now() }
    }

    /// Takes a step in, after which so many epochs are done.
    pub(super) fn push(&mut self, step: Pending, epoch: f64) {
        if self.steps.is_empty() {
            self.since = Instant::now();
        }
        self.steps.push(step);
        self.epochs.push(epoch);
    }

    /// Whether it is to be read now.
    pub(super) fn is_due(&self) -> bool {
        self.steps.len() >= self.together
    }

    /// Empties it: the points of the curve up to the first that is no number, which is then the error.
    pub(super) fn read(&mut self, plan: &RunPlan) -> (Vec<StepPoint>, Result<(), TrainError>) {
        let (steps, epochs) = (std::mem::take(&mut self.steps), std::mem::take(&mut self.epochs));
        if steps.is_empty() {
            return (Vec::new(), Ok(()));
        }
        let mut points = Vec::with_capacity(steps.len());
        let read = values(&steps).map_err(TrainError::from).and_then(|values| {
            let mut values = values.into_iter();
            for (step, epoch) in steps.iter().zip(epochs) {
                points.push(StepPoint { epoch, ..step.point(plan, &mut values)? });
            }
            Ok(())
        });
        self.together = self.fitting(steps.len());
        (points, read)
    }

    /// How many steps to read together, if they go on as those that were just read.
    fn fitting(&self, steps: usize) -> usize {
        let seconds_per_step = self.since.elapsed().as_secs_f64() / steps as f64;
        let fitting = self.drive.read_within.as_secs_f64() / seconds_per_step.max(1e-9);
        (fitting as usize).clamp(1, self.drive.read_every.max(1))
    }
}
