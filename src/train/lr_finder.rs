//! The learning-rate finder (Smith 2017): some steps of training whose rate rises from one to the next, and what the
//! loss does meanwhile. What it trains is thrown away.

use std::sync::atomic::{AtomicBool, Ordering};

use super::cache::Prefix;
use super::error::TrainError;
use super::examples::Examples;
use super::interrupt::Interrupt;
use super::optim::Optimizer;
use super::plan::RunPlan;
use super::run::dispatch::Dispatch;
use super::run::metric_queue::StepRate;
use super::run::sampler;
use super::run::step::Stepper;
use crate::model::Model;

/// Steps of a search.
const STEPS: usize = 120;
/// Peak rates are multiplied by this in the first step ...
const LOWEST: f64 = 1e-4;
/// ... and by this in the last.
const HIGHEST: f64 = 1e3;
/// Weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.9;
/// The search ends where the smoothed loss is so many times the lowest.
const DIVERGED: f64 = 3.0;
/// Part of the first loss that must be gained for a suggestion.
const LEAST_GAIN: f64 = 0.02;

/// A step of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FindPoint {
    /// What the recipe's peak rates were multiplied by.
    pub factor: f64,
    /// Loss of the batch before the step.
    pub loss: f64,
    /// Exponential average of the losses so far, corrected for its start.
    pub smoothed: f64,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateCurve {
    /// Steps in order of their rates; ends early where the loss grows without bound.
    pub points: Vec<FindPoint>,
    /// Factor at which the smoothed loss falls fastest; `None` where it hardly falls at all.
    pub suggestion: Option<f64>,
}

/// Trains the first phase of a plan that trains anything with rising rates. The model's weights are of no use
/// afterwards.
///
/// # Errors
/// When it is stopped, or libtorch refuses.
pub fn find(
    plan: &RunPlan,
    model: &Model,
    train: &Examples,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f32),
) -> Result<RateCurve, Interrupt<TrainError>> {
    let Some(phase) = plan.phases.iter().find(|phase| phase.epochs > 0) else {
        return Ok(RateCurve::default());
    };
    let stepper = Stepper::new(plan, model, train)?;
    stepper.thaw(phase);
    let mut optimizer = Optimizer::new(plan.recipe.optimizer, Dispatch::of(model.device).kernel);
    let mut points: Vec<FindPoint> = Vec::with_capacity(STEPS);
    let batches = (0..).flat_map(|epoch| sampler::steps(train, &plan.recipe, epoch));
    for (step, batches) in batches.take(STEPS).enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupt::Stopped);
        }
        let factor = factor(step);
        let done = stepper.step(&mut optimizer, phase, &Prefix::None, &batches, StepRate { step, factor })?;
        let loss = match done.read(plan) {
            Ok(point) => point.loss,
            // Where the rate is much too high that is what is to be found out.
            Err(TrainError::NotFinite { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        if loss.is_nan() {
            continue; // No row of the step has a label: it says nothing about its rate.
        }
        points.push(FindPoint { factor, loss, smoothed: smoothed(&points, loss) });
        let lowest = points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
        if points.last().is_some_and(|point| point.smoothed > DIVERGED * lowest) {
            break;
        }
        progress((step + 1) as f32 / STEPS as f32);
    }
    let suggestion = suggestion(&points);
    Ok(RateCurve { points, suggestion })
}

/// Equal steps of the logarithm.
fn factor(step: usize) -> f64 {
    LOWEST * (HIGHEST / LOWEST).powf(step as f64 / (STEPS - 1) as f64)
}

fn smoothed(before: &[FindPoint], loss: f64) -> f64 {
    let weight = |steps: usize| 1.0 - SMOOTHING.powi(steps as i32);
    let past = before.last().map_or(0.0, |point| point.smoothed * weight(before.len()));
    (SMOOTHING * past + (1.0 - SMOOTHING) * loss) / weight(before.len() + 1)
}

/// Where the smoothed loss falls fastest, before it is lowest.
fn suggestion(points: &[FindPoint]) -> Option<f64> {
    let lowest = points.iter().enumerate().min_by(|(_, a), (_, b)| a.smoothed.total_cmp(&b.smoothed))?.0;
    let falling = points.get(..=lowest)?;
    let (first, last) = (falling.first()?.smoothed, falling.last()?.smoothed);
    if first - last < LEAST_GAIN * first.abs() {
        return None;
    }
    // Over a few steps, so that one easy batch does not decide; their rates are equally far apart.
    let fall = |window: &[FindPoint]| Some(window.last()?.smoothed - window.first()?.smoothed);
    let width = (falling.len() / 4).clamp(2, 9).min(falling.len());
    let steepest = falling
        .windows(width)
        .filter_map(|window| Some((fall(window)?, window.get(width / 2)?.factor)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    Some(steepest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses that fall around one factor and rise past another.
    fn curve(falls_at: f64, rises_at: f64) -> Vec<FindPoint> {
        let mut points = Vec::new();
        for step in 0..STEPS {
            let factor = factor(step);
            let away = |center: f64, sharp: f64| 1.0 / (1.0 + (-(factor / center).ln() * sharp).exp());
            let loss = 3.0 - 2.0 * away(falls_at, 2.0) + 40.0 * away(rises_at, 2.0);
            points.push(FindPoint { factor, loss, smoothed: smoothed(&points, loss) });
        }
        points
    }

    #[test]
    fn the_suggestion_lies_where_the_loss_falls() {
        for falls_at in [0.05, 0.5, 5.0] {
            let found = suggestion(&curve(falls_at, falls_at * 100.0)).expect("it falls");
            // Smoothing looks back over ten steps, a factor of 4 here.
            assert!((falls_at / 2.0..falls_at * 8.0).contains(&found), "{found} for {falls_at}");
        }
    }

    #[test]
    fn nothing_is_suggested_where_nothing_is_gained() {
        let flat: Vec<FindPoint> =
            (0..STEPS).map(|step| FindPoint { factor: factor(step), loss: 1.0, smoothed: 1.0 }).collect();
        assert_eq!(suggestion(&flat), None);
        assert_eq!(suggestion(&[]), None);
    }

    #[test]
    fn the_average_of_equal_losses_is_that_loss() {
        let mut points = Vec::new();
        for step in 0..30 {
            points.push(FindPoint { factor: factor(step), loss: 2.5, smoothed: smoothed(&points, 2.5) });
        }
        assert!(points.iter().all(|point| (point.smoothed - 2.5).abs() < 1e-12));
    }
}
