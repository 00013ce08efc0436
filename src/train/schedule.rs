//! The learning-rate schedule: a factor per step that multiplies every peak rate.

use super::preset::{Decay, Recipe};

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
