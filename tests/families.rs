//! Every family trains as its plan says: what thaws moves, nothing else does, with adapters and without.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use frostline::model::lora::{Lora, LoraTargets};
use frostline::train::metrics::StepPoint;
use frostline::train::plan::{Part, Thaw};
use frostline::train::preset::Preset;
use frostline::train::recipe::Recipe;

#[path = "common/tiny_run.rs"]
mod tiny_run;

use tiny_run::{place, recipe, report};

const FAMILIES: [&str; 9] = [
    "albert",
    "deberta_v2",
    "deberta_v3",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm_roberta",
];

/// Heads first on what is computed once, then layer by layer on what is computed up to there.
#[test]
fn thawing_layer_by_layer_moves_what_has_thawed() {
    for name in FAMILIES {
        let run = place(name, Recipe { epochs: 4, ..recipe(Preset::Gradual) }).train();
        let plan = &run.plan;
        let report = report(&run);
        for change in &report.changes {
            assert_eq!(change.changed, change.planned, "{name}: {}", change.name);
        }
        let first = plan.phases.first().expect("a phase");
        assert!(first.layers.iter().all(|layer| *layer == Thaw::Frozen), "{name}: heads come first");
        let top = plan.phases.iter().any(|phase| phase.layers.last() != Some(&Thaw::Frozen));
        assert!(top, "{name}: the top layer thaws");
    }
}

#[test]
fn the_whole_encoder_trains_and_learns() {
    for name in FAMILIES {
        let mut recipe = Recipe { epochs: 4, ..recipe(Preset::Full) };
        recipe.lr_encoder = 1e-3;
        let run = place(name, recipe).train();
        for change in &report(&run).changes {
            assert_eq!(change.changed, change.planned, "{name}: {}", change.name);
            assert!(change.planned || change.name.starts_with("pooler."), "{name}: {}", change.name);
        }
        let quarter = run.steps.len() / 4;
        let mean =
            |steps: &[StepPoint]| steps.iter().map(|step| step.loss).sum::<f64>() / quarter.max(1) as f64;
        let (first, last) = (mean(&run.steps[..quarter]), mean(&run.steps[run.steps.len() - quarter..]));
        assert!(last < first, "{name}: the loss went from {first} to {last}");
    }
}

#[test]
fn adapters_stand_beside_the_linear_layers_of_every_family() {
    for name in FAMILIES {
        let lora = Lora { rank: 2, alpha: 8.0, targets: LoraTargets::Attention };
        let mut recipe = Recipe { part: Part::Lora, lora, epochs: 2, ..recipe(Preset::Full) };
        recipe.lr_encoder = 1e-2;
        let run = place(name, recipe).train();
        let changes = &report(&run).changes;
        assert!(changes.iter().any(|change| change.changed && !change.name.starts_with("heads.")), "{name}");
        for change in changes {
            assert_eq!(change.changed, change.planned, "{name}: {}", change.name);
        }
    }
}
