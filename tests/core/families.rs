//! Every family trains as its plan says (what thaws moves, nothing else does, with adapters and without), encodes with
//! fewer bits, and refuses what it does not compute.

use crate::support::families::FAMILIES;
use frostline::model::Model;
use frostline::model::lora::{Lora, LoraTargets};
use frostline::model::pooling::normalize;
use frostline::train::metrics::StepPoint;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::{ParamFilter, Thaw};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use crate::support::tiny_run::{place, recipe, report, tiny_model};

/// Encoding with layers of fewer bits: the direction of an embedding stays what it was.
#[test]
fn layers_as_bfloat16_give_nearly_the_same_embeddings() {
    let _guard = tch::no_grad_guard();
    for name in FAMILIES {
        let mut model = Model::load(&tiny_model(name), Device::Cpu).expect("a model");
        let rows: [&[u32]; 3] =
            [&[5, 9, 12, 30], &[7, 41, 22, 13], &[8, 19, 51, 60, 33, 17, 5, 90, 100, 44, 6, 12]];
        let embeddings = |model: &Model| -> Tensor {
            let batch = model.packed(&rows).expect("a batch");
            let pooled = model.infer(&batch).expect("embeddings").pooled;
            normalize(&pooled.to_kind(Kind::Float)).expect("lengths of 1")
        };
        let whole = embeddings(&model);
        model.reduce().expect("fewer bits");
        let cosines = (embeddings(&model) * whole).sum_dim_intlist(-1, false, Kind::Float);
        let least = cosines.min().double_value(&[]);
        assert!(least > 0.995 && least < 1.0 - 1e-9, "{name}: {least}");
    }
}

/// What config.json may ask for and nothing here computes is refused by its name, not computed differently.
#[test]
fn what_a_family_cannot_be_is_refused_by_name() {
    for (name, key, value, told) in [
        ("roberta", "position_embedding_type", json!("relative_key"), "position_embedding_type"),
        ("bert", "type_vocab_size", json!(0), "type_vocab_size is 0"),
        ("albert", "num_hidden_groups", json!(9), "num_hidden_groups is 9"),
        ("albert", "inner_group_num", json!(0), "inner_group_num is 0"),
        ("mpnet", "relative_attention_num_buckets", json!(3), "relative_attention_num_buckets"),
        ("deberta_v2", "relative_attention", json!(false), "relative_attention is off"),
        ("deberta_v2", "conv_kernel_size", json!(4), "expected an odd number"),
        ("deberta_v2", "conv_act", json!("swish"), "conv_act \"swish\""),
        ("deberta_v2", "max_relative_positions", json!(1_u64 << 40), "the number of distances"),
        ("modernbert", "rope_scaling", json!({"rope_type": "yarn"}), "rope_scaling"),
        ("modernbert", "layer_types", json!(["full_attention"]), "layer_types has 1 entries"),
        ("modernbert", "num_attention_heads", json!(16), "odd"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let config = std::fs::read_to_string(tiny_model(name).join("config.json")).expect("a config");
        let mut config: Value = serde_json::from_str(&config).expect("JSON");
        config[key] = value;
        std::fs::write(dir.path().join("config.json"), config.to_string()).expect("a file");
        let Err(error) = Model::load(dir.path(), Device::Cpu) else { panic!("{name} with {key} was loaded") };
        assert!(error.to_string().contains(told), "{name}, {key}: {error}");
    }
}

/// Newer versions of transformers write `ModernBERT`'s rotations and windows in another way.
#[test]
fn modernbert_as_transformers_5_writes_it_is_the_same_model() {
    let dir = tempfile::tempdir().expect("a folder");
    let old = tiny_model("modernbert");
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(old.join("config.json")).expect("a config"))
            .expect("JSON");
    let fields = config.as_object_mut().expect("an object");
    for key in ["global_rope_theta", "local_rope_theta", "global_attn_every_n_layers"] {
        fields.remove(key).expect("a field of the older form");
    }
    fields.insert(
        "layer_types".into(),
        json!(["full_attention", "sliding_attention", "sliding_attention", "full_attention"]),
    );
    fields.insert(
        "rope_parameters".into(),
        json!({"full_attention": {"rope_type": "default", "rope_theta": 160_000.0},
               "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}}),
    );
    std::fs::write(dir.path().join("config.json"), config.to_string()).expect("a file");
    std::fs::copy(old.join("model.safetensors"), dir.path().join("model.safetensors")).expect("weights");
    let rows: [&[u32]; 1] = [&[8, 19, 51, 60, 33, 17, 5, 90, 100, 44, 6, 12]];
    let pooled = |dir: &std::path::Path| {
        let model = Model::load(dir, Device::Cpu).expect("a model");
        model.infer(&model.packed(&rows).expect("a batch")).expect("embeddings").pooled
    };
    assert_eq!(pooled(dir.path()), pooled(&old));
}

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
        let mut recipe = Recipe { part: ParamFilter::Lora, lora, epochs: 2, ..recipe(Preset::Full) };
        recipe.lr_encoder = 1e-2;
        // The loss falls in every family, so that an epoch is kept and not the start.
        recipe.watch.figure = Some("loss".into());
        let run = place(name, recipe).train();
        let changes = &report(&run).changes;
        assert!(changes.iter().any(|change| change.changed && !change.name.starts_with("heads.")), "{name}");
        for change in changes {
            assert_eq!(change.changed, change.planned, "{name}: {}", change.name);
        }
    }
}
