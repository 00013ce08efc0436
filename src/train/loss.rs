//! The losses of a batch, and their sums over an epoch.

use tch::Tensor;

use super::error::TrainError;
use super::metrics::{Score, StepPoint};
use super::plan::RunPlan;
use crate::model::ModelError;

/// One task's share of a batch.
pub(super) struct TaskLoss {
    pub(super) loss: Tensor,
    pub(super) right: Tensor,
    pub(super) labelled: usize,
}

/// The losses of a batch; `None` for a task without a label in it.
pub(super) struct Losses {
    pub(super) total: Tensor,
    pub(super) tasks: Vec<Option<TaskLoss>>,
}

impl Losses {
    pub(super) fn point(
        &self,
        plan: &RunPlan,
        step: usize,
        factor: f64,
        norm: f64,
    ) -> Result<StepPoint, TrainError> {
        let read = |tensor: &Tensor| tensor.f_double_value(&[]).map_err(ModelError::from);
        let mut tasks = Vec::with_capacity(self.tasks.len());
        for (planned, task) in plan.tasks.iter().zip(&self.tasks) {
            let Some(task) = task else {
                tasks.push(Score::default());
                continue;
            };
            let loss = read(&task.loss)?;
            if !loss.is_finite() {
                return Err(TrainError::NotFinite { task: planned.name.clone(), value: loss, step });
            }
            let figure = read(&task.right)? / task.labelled as f64;
            tasks.push(Score { loss, figure, rows: task.labelled });
        }
        let epoch = step as f64 / plan.steps_per_epoch.max(1) as f64;
        let loss = read(&self.total.f_detach()?)?;
        Ok(StepPoint { step, epoch, loss, tasks, rate_factor: factor, grad_norm: norm })
    }
}

/// Running sums over an epoch.
pub(super) struct Sums {
    loss: f64,
    steps: usize,
    tasks: Vec<Score>,
}

impl Sums {
    pub(super) fn new(tasks: usize) -> Self {
        Self { loss: 0.0, steps: 0, tasks: vec![Score::default(); tasks] }
    }

    pub(super) fn add(&mut self, point: &StepPoint) {
        self.loss += point.loss;
        self.steps += 1;
        for (sum, score) in self.tasks.iter_mut().zip(&point.tasks) {
            sum.loss += score.loss * score.rows as f64;
            sum.figure += score.figure * score.rows as f64;
            sum.rows += score.rows;
        }
    }

    pub(super) fn loss(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }

    pub(super) fn tasks(&self) -> Vec<Score> {
        let mean = |sum: &Score| {
            let n = sum.rows.max(1) as f64;
            Score { loss: sum.loss / n, figure: sum.figure / n, rows: sum.rows }
        };
        self.tasks.iter().map(mean).collect()
    }
}
