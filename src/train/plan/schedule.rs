//! The learning-rate schedule: a factor per step that multiplies every peak rate.

use super::RunPlan;
use super::recipe::{Decay, Recipe};

/// Factor of step `step` (from 0) of `total`: rises in a line from 0 during `warmup` steps, then falls by
/// `decay`. The linear form is transformers' `get_linear_schedule_with_warmup`, the cosine form its
/// `get_cosine_schedule_with_warmup`: step 0 of a warm-up has rate 0.
#[must_use]
pub fn rate_factor(step: usize, total: usize, warmup: usize, decay: Decay) -> f64 {
    if step < warmup {
        return step as f64 / warmup as f64;
    }
    let left = total.saturating_sub(step) as f64;
    let span = total.saturating_sub(warmup).max(1) as f64;
    match decay {
        Decay::Constant => 1.0,
        Decay::Linear => left / span,
        Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * (1.0 - left / span)).cos()),
    }
}

/// Steps of warm-up of a recipe in a run of `total` steps.
#[must_use]
pub fn warmup_steps(recipe: &Recipe, total: usize) -> usize {
    (recipe.warmup * total as f64).round() as usize
}

impl RunPlan {
    /// What the peak rates are multiplied by at a place in the schedule, from 0: the step's number, or one ahead of it
    /// where a phase ended early.
    #[must_use]
    pub fn rate_factor(&self, position: usize) -> f64 {
        let total = self.total_steps();
        rate_factor(position, total, warmup_steps(&self.recipe, total), self.recipe.decay)
    }

    /// The place in the schedule of the first step of a phase.
    #[must_use]
    pub fn first_step(&self, phase: usize) -> usize {
        self.phases.iter().take(phase).map(|phase| phase.steps(self.steps_per_epoch)).sum()
    }

    /// The same factor along the axis of epochs, on which every phase has all its epochs: that of a step where it begins,
    /// and on a line between two steps. `None` behind the last step of a phase that ends before its epochs are over, and
    /// beyond the last epoch.
    #[must_use]
    pub fn rate_factor_at(&self, epoch: f64) -> Option<f64> {
        let starts = self.phases.iter().scan(0.0, |next, phase| {
            let start = *next;
            *next += f64::from(phase.epochs);
            Some((start, *next))
        });
        let last = f64::from(self.drawn_epochs());
        let mut phases = self.phases.iter().zip(starts).enumerate();
        let (index, (phase, (start, _))) = phases.find(|(_, (_, (start, end)))| {
            epoch >= *start && (epoch < *end || epoch == last && *end == last)
        })?;
        let within = epoch - start;
        // A step begins at the very part of the epoch that it is, however that is rounded.
        let step = (within * self.steps_per_epoch as f64 * 1e9).round() / 1e9;
        if step > phase.steps(self.steps_per_epoch) as f64 {
            return None;
        }
        let position = self.first_step(index) + step.floor() as usize;
        let (from, to) = (self.rate_factor(position), self.rate_factor(position + 1));
        Some(from + (to - from) * step.fract())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_table() {
        let factors: Vec<f64> = (0..20).map(|step| rate_factor(step, 20, 4, Decay::Linear)).collect();
        assert_eq!(factors[..5], [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(factors[12], 0.5);
        assert_eq!(factors[19], 1.0 / 16.0);
    }

    #[test]
    fn without_warmup_the_first_step_is_full() {
        for decay in [Decay::Constant, Decay::Linear, Decay::Cosine] {
            assert!((rate_factor(0, 10, 0, decay) - 1.0).abs() < 1e-12);
        }
        assert!((rate_factor(5, 10, 0, Decay::Cosine) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_run_of_nothing_but_warmup_is_finite() {
        assert!(rate_factor(3, 3, 3, Decay::Linear).is_finite());
        assert!(rate_factor(0, 0, 0, Decay::Cosine).is_finite());
    }
}
