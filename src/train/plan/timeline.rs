//! Where the phases of a run stand on the axis of its epochs. A phase may end before its time, so they are not always
//! where the plan has them: those behind it then stand earlier.

use super::RunPlan;
use crate::train::metrics::{EpochPoint, StepPoint};

/// A phase on the axis of epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseSpan {
    /// Its index in the plan.
    pub phase: usize,
    /// Epochs done when it began.
    pub start: f64,
    /// Epochs done when it ended; where that is still to come, at most.
    pub end: f64,
}

/// The phases that were, where they were, and those to come, where they will be if none ends before its time.
///
/// `current` is the phase that runs or ran last. Of a run that is `finished` no phase is to come.
#[must_use]
pub fn phase_spans(
    plan: &RunPlan,
    epochs: &[EpochPoint],
    steps: &[StepPoint],
    current: usize,
    finished: bool,
) -> Vec<PhaseSpan> {
    let reached = steps.last().map_or(0.0, |step| step.epoch);
    let last_of = |phase: usize| {
        let of_phase = epochs.iter().filter(|epoch| epoch.epoch > 0 && epoch.phase == phase);
        of_phase
            .map(|epoch| f64::from(epoch.epoch))
            .fold(None, |last: Option<f64>, at| Some(last.map_or(at, |last| last.max(at))))
    };
    let newest = epochs.iter().filter(|epoch| epoch.epoch > 0).map(|epoch| epoch.phase).max().unwrap_or(0);
    let current = current.max(newest);
    let mut spans = Vec::with_capacity(plan.phases.len());
    let mut start = 0.0;
    for (phase, planned) in plan.phases.iter().enumerate() {
        let measured = last_of(phase).unwrap_or(start);
        let end = if phase < current {
            measured
        } else if finished {
            if phase > current {
                break;
            }
            measured.max(reached)
        } else {
            (start + f64::from(planned.planned_epochs(plan.steps_per_epoch))).max(measured)
        };
        spans.push(PhaseSpan { phase, start, end });
        start = end;
    }
    spans
}

/// Puts the steps of every epoch between its ends. Earlier releases counted each epoch as one of full length, so that
/// steps fell behind their epochs once a phase had ended within one.
pub fn place_steps(steps: &mut [StepPoint], epochs: &[EpochPoint]) {
    let mut ends = epochs.iter().peekable();
    let (mut epoch, mut first) = (0, 0);
    for point in steps {
        while let Some(end) = ends.next_if(|end| end.step < point.step) {
            (epoch, first) = (end.epoch, end.step);
        }
        let Some(end) = ends.peek().filter(|end| end.epoch == epoch + 1) else { continue };
        let part = point.step.saturating_sub(first) as f64 / end.step.saturating_sub(first).max(1) as f64;
        let place = f64::from(epoch) + part;
        if (point.epoch - place).abs() > 1e-9 {
            point.epoch = place;
        }
    }
}

/// The last epoch of a finished run that its patience ended early, and the patience; `None` where it ran to its end.
#[must_use]
pub fn ended_early(plan: &RunPlan, epochs: &[EpochPoint]) -> Option<(u32, u32)> {
    let patience = plan.recipe.patience?;
    let last = epochs.last()?;
    // An epoch whose weights were kept is one that improved on those before it.
    let kept = epochs.iter().rev().find(|epoch| epoch.best)?.epoch;
    let in_phase = epochs.iter().filter(|epoch| epoch.epoch > 0 && epoch.phase == last.phase).count();
    let phase = plan.phases.get(last.phase)?;
    let is_over = last.phase + 1 >= plan.phases.len()
        && in_phase >= phase.planned_epochs(plan.steps_per_epoch) as usize;
    (!is_over && last.epoch - kept.min(last.epoch) >= patience).then_some((last.epoch, patience))
}

/// The end of the axis: epochs that were done or are to be done at most.
#[must_use]
pub fn last_epoch(spans: &[PhaseSpan]) -> f64 {
    spans.last().map_or(0.0, |span| span.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::plan::recipe::Recipe;
    use crate::train::plan::{Phase, Thaw, Until};

    fn plan(until: Until) -> RunPlan {
        let phase = |epochs, until| Phase {
            name: String::new(),
            embeddings: Thaw::Frozen,
            layers: Vec::new(),
            heads: Vec::new(),
            loss_weights: 0.0,
            epochs,
            until,
        };
        RunPlan {
            name: "run".into(),
            model_path: "model".into(),
            model_sha256: String::new(),
            tokenizer_sha256: None,
            tensors: Vec::new(),
            tasks: Vec::new(),
            prompt: None,
            recipe: Recipe::default(),
            phases: vec![phase(10, until), phase(3, Until::Epochs)],
            train_rows: 40,
            parent: None,
            steps_per_epoch: 10,
            device: "cpu".into(),
        }
    }

    fn epoch(epoch: u32, phase: usize) -> EpochPoint {
        EpochPoint {
            epoch,
            step: 10 * epoch as usize,
            phase,
            loss: 0.0,
            train: Vec::new(),
            valid: Vec::new(),
            seconds: 0.0,
            best: false,
        }
    }

    fn ends(plan: &RunPlan, epochs: &[EpochPoint], current: usize, finished: bool) -> Vec<(f64, f64)> {
        let spans = phase_spans(plan, epochs, &[], current, finished);
        spans.iter().map(|span| (span.start, span.end)).collect()
    }

    #[test]
    fn phases_stand_where_they_began_and_not_where_they_were_to_begin() {
        let plan = plan(Until::Plateau { patience: 1 });
        assert_eq!(ends(&plan, &[epoch(0, 0)], 0, false), [(0.0, 10.0), (10.0, 13.0)]);
        let early = [epoch(0, 0), epoch(1, 0), epoch(2, 0)];
        assert_eq!(ends(&plan, &early, 0, false), [(0.0, 10.0), (10.0, 13.0)], "it may go on");
        assert_eq!(ends(&plan, &early, 1, false), [(0.0, 2.0), (2.0, 5.0)], "it ended after two epochs");
        let later = [&early[..], &[epoch(3, 1)]].concat();
        // Read back from a folder, the phase is known from the epochs alone.
        assert_eq!(ends(&plan, &later, 0, false), [(0.0, 2.0), (2.0, 5.0)]);
        assert_eq!(ends(&plan, &later, 1, true), [(0.0, 2.0), (2.0, 3.0)], "the run ended early too");
        assert_eq!(ends(&plan, &early, 0, true), [(0.0, 2.0)], "the second phase never began");
        assert_eq!(last_epoch(&phase_spans(&plan, &later, &[], 1, false)), 5.0);
    }

    #[test]
    fn patience_that_ended_a_run_is_known_from_its_epochs() {
        let mut plan = plan(Until::Epochs);
        let epochs = |kept: u32, last: u32| -> Vec<EpochPoint> {
            let point = |number| EpochPoint {
                best: number == kept,
                phase: usize::from(number > 10),
                ..epoch(number, 0)
            };
            (0..=last).map(point).collect()
        };
        assert_eq!(ended_early(&plan, &epochs(1, 3)), None, "there is no patience");
        plan.recipe.patience = Some(2);
        assert_eq!(ended_early(&plan, &epochs(1, 3)), Some((3, 2)));
        assert_eq!(ended_early(&plan, &epochs(2, 3)), None, "it was stopped in another way");
        assert_eq!(ended_early(&plan, &epochs(8, 10)), Some((10, 2)), "the second phase never began");
        assert_eq!(ended_early(&plan, &epochs(11, 13)), None, "nothing was left to do");
    }

    #[test]
    fn steps_of_earlier_releases_are_put_where_their_epochs_are() {
        let step = |step: usize, epoch| StepPoint {
            step,
            epoch,
            loss: 0.0,
            tasks: Vec::new(),
            rate_factor: 1.0,
            grad_norm: 0.0,
        };
        // Ten steps to an epoch; the second ended after five, with its phase.
        let mut steps: Vec<StepPoint> = (1..=30).map(|at| step(at, at as f64 / 10.0)).collect();
        let end = |number, step| EpochPoint { step, ..epoch(number, 0) };
        place_steps(&mut steps, &[end(0, 0), end(1, 10), end(2, 15), end(3, 25)]);
        let placed = [1, 10, 15, 16, 25].map(|at: usize| steps[at - 1].epoch);
        for (found, wanted) in placed.into_iter().zip([0.1, 1.0, 2.0, 2.1, 3.0]) {
            assert!((found - wanted).abs() < 1e-12, "{placed:?}");
        }
        assert_eq!(steps[29].epoch, 3.0, "of an epoch that did not end nothing better is known");
    }

    #[test]
    fn a_phase_that_ends_by_steps_is_as_long_as_these_are() {
        let plan = plan(Until::Steps(15));
        assert_eq!(ends(&plan, &[], 0, false), [(0.0, 2.0), (2.0, 5.0)]);
        assert_eq!(plan.epochs(), 5);
    }
}
