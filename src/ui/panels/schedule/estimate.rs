//! What a plan would cost: parameters, what is kept at the frost line, memory, and time by what a run took.
//!
//! Estimates from sizes alone, told as such. It reads the plan and never runs anything.

use crate::session::state::{RunOutcome, RunView, State};
use crate::train::plan::{Phase, RunPlan};
use crate::ui::widgets::numbers::{bytes, duration, short_count};

/// Bytes of a value that is kept.
const FLOAT: f64 = 4.0;
/// A pass backward costs two forward.
const FORWARD_AND_BACKWARD: f64 = 3.0;
/// A row's step of the heads alone, in passes of a layer: heads on a six-layer model took 8 s for 302,080 rows where 18,200
/// rows took 26 s through six layers (`docs/speed.md`).
const HEADS: f64 = 0.11;

/// The plan's figures, each with what it is.
pub(super) fn figures(state: &State, plan: &RunPlan) -> Vec<(String, &'static str)> {
    let most = (0..plan.phases.len()).map(|phase| plan.trainable_parameters(phase)).max().unwrap_or(0);
    let mut figures = vec![(short_count(most), "parameters train at most")];
    if let Some(kept) = kept_bytes(state, plan).filter(|kept| *kept > 0) {
        figures.push((bytes(kept), "kept at the frost line, about"));
    }
    if let Some(seconds) = seconds(state, plan) {
        figures.push((duration(seconds), "about, by the shown run"));
    }
    figures
}

/// Bytes of what is computed once at the frost line, where it is highest; `None` while lengths are not counted.
fn kept_bytes(state: &State, plan: &RunPlan) -> Option<u64> {
    let (model, lengths) = (state.model.ready()?, state.lengths.ready()?);
    let rows = plan.train_rows as f64;
    let tokens = lengths.mean(plan.recipe.max_length);
    let of_phase = |phase: &Phase| match phase.frozen_prefix() {
        None => 0.0,
        // With all of the encoder frozen an embedding is left of each text, else a state of each token.
        Some(_) if phase.encoder_is_frozen() => rows * model.hidden as f64 * FLOAT,
        Some(_) => {
            let value = if plan.recipe.half_cache { FLOAT / 2.0 } else { FLOAT };
            rows * tokens * model.hidden as f64 * value
        }
    };
    Some(plan.phases.iter().map(of_phase).fold(0.0, f64::max) as u64)
}

/// Seconds that the plan would take, by what the shown run took; `None` without a finished run of this encoder.
pub(super) fn seconds(state: &State, plan: &RunPlan) -> Option<f64> {
    // Of a run that was gone on with, the report may tell the last part alone.
    let whole = |run: &&RunView| run.outcome == Some(RunOutcome::Finished) && run.resumed_at.is_none();
    let run = state.run.as_ref().filter(whole)?;
    let report = run.report.as_ref()?;
    let same = run.plan.model_sha256 == plan.model_sha256 && run.plan.device == plan.device;
    let (of_run, of_plan) = (work(&run.plan), work(plan));
    (same && of_run > 0.0 && of_plan > 0.0).then(|| report.seconds * of_plan / of_run)
}

/// The work of a plan, in passes of one row through one layer.
fn work(plan: &RunPlan) -> f64 {
    let rows = plan.train_rows as f64;
    let measured = plan.tasks.iter().map(|task| task.labelled_valid).max().unwrap_or(0) as f64;
    let mut kept_at = None;
    let mut work = 0.0;
    for phase in plan.phases.iter().filter(|phase| phase.epochs > 0) {
        let layers = phase.layers.len() as f64;
        let frozen = phase.frozen_prefix();
        let below = frozen.map_or(0.0, |frozen| frozen as f64);
        if frozen.is_some_and(|frozen| frozen > 0) && kept_at != frozen {
            work += below * (rows + measured);
        }
        kept_at = frozen;
        let above = layers - below;
        let epoch = rows * (FORWARD_AND_BACKWARD * above + HEADS) + measured * above;
        work += f64::from(phase.epochs) * epoch;
    }
    work
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::plan::{Thaw, Until};

    fn plan(frozen: &[usize], epochs: u32) -> RunPlan {
        let rate = Thaw::whole(1e-4);
        let phase = |frozen: &usize| Phase {
            name: String::new(),
            embeddings: Thaw::Frozen,
            layers: (0..6).map(|layer| if layer < *frozen { Thaw::Frozen } else { rate }).collect(),
            heads: vec![rate],
            loss_weights: 1e-3,
            epochs,
            until: Until::Epochs,
        };
        RunPlan {
            parent: None,
            name: "run".into(),
            model_path: "model".into(),
            model_sha256: String::new(),
            tokenizer_sha256: None,
            tensors: Vec::new(),
            tasks: Vec::new(),
            prompt: None,
            recipe: crate::train::plan::recipe::Recipe::default(),
            phases: frozen.iter().map(phase).collect(),
            train_rows: 100,
            steps_per_epoch: 10,
            device: "cpu".into(),
        }
    }

    #[test]
    fn frozen_layers_are_passed_once_and_trained_ones_three_times_an_epoch() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(work(&plan(&[4], 3)), 100.0 * (4.0 + 3.0 * (6.0 + HEADS))));
        assert!(near(work(&plan(&[6], 20)), 100.0 * (6.0 + 20.0 * HEADS)));
        // The second phase keeps what the first kept.
        assert!(near(work(&plan(&[6, 6], 10)), work(&plan(&[6], 20))));
        assert!(work(&plan(&[2], 3)) > work(&plan(&[4], 3)));
    }
}
