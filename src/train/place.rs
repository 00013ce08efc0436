//! Where a run stands: everything that the loop remembers between two steps, beside weights and moments. Plain data.

use super::loss::Sums;
use super::metrics::Score;
use super::plan::{Phase, RunPlan, Until};
use super::watch::{Quality, Stall};

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

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
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
    /// Place in the schedule of the rates: ahead of `step` where a phase ended before its time.
    pub position: usize,
    /// Phases of which a step moved something.
    pub moved: usize,
    /// What weight decay left of the embeddings that no text names.
    pub unused: f64,
    /// What this epoch's steps told so far.
    pub sums: Sums,
    /// Whether the untrained model was measured.
    pub measured: bool,
    /// The epoch whose weights are kept.
    pub best: Option<Best>,
    /// For the end of a phase at a plateau.
    pub plateau: Stall,
    /// For the early end of the run.
    pub stall: Stall,
    /// Seconds that the run took so far, in all processes.
    pub seconds: f64,
}

impl Place {
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
            plateau: Stall::default(),
            stall: Stall::default(),
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
        let fresh = Sums::new(self.sums.tasks().len());
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

    /// The next phase begins, at its own place in the schedule.
    pub fn next_phase(&mut self, plan: &RunPlan) {
        self.phase += 1;
        self.phase_epoch = 0;
        self.phase_step = 0;
        self.plateau = Stall::default();
        self.position = plan.first_step(self.phase);
    }

    /// Whether the phase has had all its steps.
    #[must_use]
    pub fn phase_is_full(&self, phase: &Phase) -> bool {
        let steps = matches!(phase.until, Until::Steps(steps) if self.phase_step >= steps);
        // A phase that ends by steps still has its last, shortened epoch measured.
        self.phase_epoch >= phase.epochs || (steps && self.epoch_step == 0)
    }

    /// Whether no further step belongs to the phase.
    #[must_use]
    pub fn steps_are_over(&self, phase: &Phase) -> bool {
        matches!(phase.until, Until::Steps(steps) if self.phase_step >= steps)
    }
}
