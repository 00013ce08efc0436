//! The factor of the learning rate over a run, for drawing.

use crate::train::preset::Decay;

/// Factor at a step, 0 to 1: straight up from 0 during the warm-up, then as the decay says.
#[must_use]
pub(crate) fn rate_factor(step: f64, total_steps: usize, warmup: f64, decay: Decay) -> f64 {
    let total = total_steps.max(1) as f64;
    let warm = warmup * total;
    if step < warm {
        return step / warm;
    }
    let left = ((total - step) / (total - warm).max(f64::EPSILON)).clamp(0.0, 1.0);
    match decay {
        Decay::Constant => 1.0,
        Decay::Linear => left,
        Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * (1.0 - left)).cos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_peaks_and_falls() {
        let factor = |step: f64, decay| rate_factor(step, 100, 0.1, decay);
        for decay in [Decay::Constant, Decay::Linear, Decay::Cosine] {
            assert_eq!(factor(0.0, decay), 0.0);
            assert_eq!(factor(5.0, decay), 0.5);
            assert_eq!(factor(10.0, decay), 1.0);
        }
        assert_eq!(factor(55.0, Decay::Linear), 0.5);
        assert!((factor(55.0, Decay::Cosine) - 0.5).abs() < 1e-12);
        assert_eq!(factor(100.0, Decay::Linear), 0.0);
        assert_eq!(factor(100.0, Decay::Constant), 1.0);
        assert_eq!(rate_factor(0.0, 10, 0.0, Decay::Linear), 1.0);
    }
}
