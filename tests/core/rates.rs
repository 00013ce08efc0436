//! The rates that the Schedule page draws are the rates that steps were trained with.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use frostline::session::state::RunView;
use frostline::train::plan::Until;
use frostline::train::plan::phase_spec::{LayerSet, PhaseSpec};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::{Decay, Recipe};

use crate::support::tiny_run::{place, recipe};

/// Every step against the curve at its place: where its phase begins on the axis, and how far into the phase it is.
fn check(run: &RunView, ends: &[usize]) {
    let plan = &run.plan;
    let mut at = run.steps.iter();
    let mut start = 0.0;
    for (phase, steps) in plan.phases.iter().zip(ends) {
        for step in 0..*steps {
            let trained = at.next().expect("as many steps as were told").rate_factor;
            let epoch = start + step as f64 / plan.steps_per_epoch as f64;
            let drawn = plan.rate_factor_at(epoch).expect("a rate");
            assert!((drawn - trained).abs() < 1e-12, "{}, step {step}: {drawn} is not {trained}", phase.name);
        }
        start += f64::from(phase.epochs);
    }
    assert_eq!(at.count(), 0, "steps of all phases were looked at");
}

fn phase(name: &str, epochs: u32, until: Until) -> PhaseSpec {
    PhaseSpec { name: name.into(), layers: LayerSet::None, epochs, until, ..PhaseSpec::default() }
}

#[test]
fn the_drawn_rate_is_the_trained_one() {
    for decay in [Decay::Linear, Decay::Cosine, Decay::Constant] {
        for (warmup, accumulate) in [(0.0, 1), (0.3, 1), (0.3, 3)] {
            let recipe = Recipe { decay, warmup, accumulate, batch_size: 8, ..recipe(Preset::Gradual) };
            let run = place("bert", recipe).train();
            let steps = run.plan.steps_per_epoch;
            let ends: Vec<usize> =
                run.plan.phases.iter().map(|phase| phase.epochs as usize * steps).collect();
            check(&run, &ends);
        }
    }
}

#[test]
fn also_where_phases_end_by_steps_and_at_a_plateau() {
    let phases = vec![
        phase("by steps", 5, Until::Steps(7)),
        PhaseSpec { lr_heads: Some(1e-12), ..phase("at a plateau", 9, Until::Plateau { patience: 1 }) },
        phase("to the end", 2, Until::Epochs),
    ];
    let recipe = Recipe { phases, warmup: 0.2, batch_size: 16, ..recipe(Preset::Full) };
    let run = place("bert", recipe).train();
    let of_phase = |phase| run.epochs.iter().filter(|epoch| epoch.epoch > 0 && epoch.phase == phase).count();
    let steps = run.plan.steps_per_epoch;
    assert!(of_phase(1) < 9, "the plateau ended nothing");
    check(&run, &[7, of_phase(1) * steps, 2 * steps]);
    // Between the seventh step and the end of the first phase's epochs there is no rate.
    let last = 6.0 / steps as f64;
    assert!(run.plan.rate_factor_at(last).is_some() && run.plan.rate_factor_at(4.5).is_none());
    assert_eq!(run.plan.rate_factor_at(16.5), None);
}
