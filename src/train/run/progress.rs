//! The progress of a run: everything that the loop remembers between two steps, except weights and moments. Plain data.

use super::loss::Sums;
use crate::train::metrics::Score;
use crate::train::plan::quality::{Patience, Quality};
use crate::train::plan::{Phase, RunPlan, Until};

/// The epoch whose weights are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// How good they are.
    pub quality: Quality,
    /// The epoch, from 1; 0 for the weights before the first step.
    pub epoch: u32,
    /// Phases that had a part in them.
    pub phases: usize,
    /// Scores on the validation rows.
    pub valid: Vec<Score>,
}

/// The progress of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Index of the phase.
    pub phase: usize,
    /// Epochs done, in all phases.
    pub epoch: u32,
    /// Epochs done in this phase.
    pub phase_epoch: u32,
    /// Optimiser steps done in this phase.
    pub phase_step: usize,
    /// Optimiser steps done in this epoch.
    pub epoch_step: usize,
    /// Optimiser steps done.
    pub step: usize,
    /// Step of the learning-rate schedule: ahead of `step` where a phase ended early.
    pub position: usize,
    /// Phases of which a step moved something.
    pub moved: usize,
    /// What weight decay left of the embeddings that no text names.
    pub unused: f64,
    /// Sums over the steps of this epoch so far.
    pub sums: Sums,
    /// Whether the untrained model was measured.
    pub measured: bool,
    /// The epoch whose weights are kept.
    pub best: Option<Best>,
    /// For the end of a phase at a plateau.
    pub plateau: Patience,
    /// For the early end of the run.
    pub early_stopping: Patience,
    /// Seconds that the run took so far, in all processes.
    pub seconds: f64,
}

impl Progress {
    /// The beginning.
    #[must_use]
    pub fn start(tasks: usize) -> Self {
        Self {
            phase: 0,
            epoch: 0,
            phase_epoch: 0,
            phase_step: 0,
            epoch_step: 0,
            step: 0,
            position: 0,
            moved: 0,
            unused: 1.0,
            sums: Sums::new(tasks),
            measured: false,
            best: None,
            plateau: Patience::default(),
            early_stopping: Patience::default(),
            seconds: 0.0,
        }
    }

    /// A step is done, at a rate of `factor` of its peak; `kept` is what weight decay leaves of unused embeddings, `None`
    /// where the step updated nothing, because none of its rows is labelled.
    pub fn stepped(&mut self, factor: f64, kept: Option<f64>) {
        self.step += 1;
        self.epoch_step += 1;
        self.phase_step += 1;
        self.position += 1;
        self.unused *= kept.unwrap_or(1.0);
        // The first step of a warm-up has rate 0 and moves nothing.
        if factor > 0.0 && kept.is_some() {
            self.moved = self.phase + 1;
        }
    }

    /// An epoch is done: its sums, and a fresh start for those of the next.
    pub fn end_epoch(&mut self) -> Sums {
        self.epoch += 1;
        self.phase_epoch += 1;
        self.epoch_step = 0;
        let fresh = Sums::new(self.sums.tasks.len());
        std::mem::replace(&mut self.sums, fresh)
    }

    /// Steps of the epoch that runs, of which the sampler has `all`: the phase may end within it.
    #[must_use]
    pub fn steps_of_epoch(&self, phase: &Phase, all: usize) -> usize {
        match phase.until {
            Until::Steps(steps) => all.min(self.epoch_step + steps.saturating_sub(self.phase_step)),
            Until::Epochs | Until::Plateau { .. } => all,
        }
    }

    /// The next phase begins, at its own step of the schedule.
    pub fn next_phase(&mut self, plan: &RunPlan) {
        self.phase += 1;
        self.phase_epoch = 0;
        self.phase_step = 0;
        // A phase improves on what was the best before its first step, as the run's patience has it.
        self.plateau = Patience { best: self.best.as_ref().map(|best| best.quality), epochs: 0 };
        self.position = plan.first_step(self.phase);
    }

    /// Whether the phase has had all its steps, or came to its plateau: a run that was cut off right after that does not
    /// train another epoch of it.
    #[must_use]
    pub fn phase_is_full(&self, phase: &Phase) -> bool {
        let steps = matches!(phase.until, Until::Steps(steps) if self.phase_step >= steps);
        // A phase that ends by steps still has its last, shortened epoch measured.
        let plateau = matches!(phase.until, Until::Plateau { patience } if self.plateau.epochs >= patience);
        self.phase_epoch >= phase.epochs || ((steps || plateau) && self.epoch_step == 0)
    }

    /// Whether no further step belongs to the phase.
    #[must_use]
    pub fn steps_are_over(&self, phase: &Phase) -> bool {
        matches!(phase.until, Until::Steps(steps) if self.phase_step >= steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::plan::Thaw;

    #[test]
    fn a_phase_at_its_plateau_is_over_after_a_restart_too() {
        let phase = Phase {
            name: String::new(),
            embeddings: Thaw::Frozen,
            layers: Vec::new(),
            heads: Vec::new(),
            loss_weights: 0.0,
            epochs: 9,
            until: Until::Plateau { patience: 1 },
        };
        let quality = |figure| Quality { unmeasured: 0, figure, minus_loss: 0.0 };
        let mut progress = Progress::start(1);
        // What the start was counts as the first to improve on.
        progress.plateau.best = Some(quality(0.5));
        assert!(!progress.phase_is_full(&phase));
        assert!(progress.plateau.take(quality(0.5), 1), "one epoch without an improvement");
        assert!(progress.phase_is_full(&phase));
    }
}
