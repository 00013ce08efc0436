//! The encoder computes what `PyTorch` with transformers computed, to 2e-5 in any value.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::skip;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use frostline::model::Model;
use frostline::model::batch::TokenBatch;
use frostline::model::files::safetensors::read_all;
use frostline::model::layers::Dropout;
use frostline::model::model::to_vec;
use frostline::model::pooling::{normalize, pool};
use frostline::model::summary::{Group, Pooling, Role};
use frostline::text::batches::inference_batches;
use frostline::text::tokenizer::Tokenizer;
use tch::{Device, Kind, Tensor};

/// How far the recordings themselves move with the kernel and the batch is up to 7e-6.
const TOLERANCE: f64 = 2e-5;

const MODELS: [&str; 13] = [
    "albert",
    "bert",
    "bert_gelu_new",
    "bert_mlm_prefixed",
    "deberta_v2",
    "deberta_v3",
    "distilbert",
    "distilbert_sinusoidal",
    "electra",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm_roberta",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn largest_difference(ours: &Tensor, recorded: &Tensor) -> f64 {
    assert_eq!(ours.size(), recorded.size());
    let _guard = tch::no_grad_guard();
    let difference = (ours - recorded).abs().max().double_value(&[]);
    // A NaN is smaller than no tolerance.
    if difference.is_finite() { difference } else { f64::INFINITY }
}

/// A model with the batch that was recorded for it.
struct Recorded {
    model: Model,
    rows: Vec<Vec<u32>>,
    tensors: HashMap<String, Tensor>,
}

impl Recorded {
    fn load(name: &str) -> Self {
        let dir = fixtures().join("models").join(name);
        let tensors: HashMap<String, Tensor> =
            read_all(&dir.join("io.safetensors")).unwrap().into_iter().collect();
        let integers = |name: &str| Vec::<Vec<i64>>::try_from(&tensors[name]).unwrap();
        let rows = integers("input_ids")
            .into_iter()
            .zip(integers("attention_mask"))
            .map(|(ids, mask)| {
                ids.into_iter().zip(mask).filter(|(_, m)| *m == 1).map(|(id, _)| id as u32).collect()
            })
            .collect();
        Self { model: Model::load(&dir, Device::Cpu).unwrap(), rows, tensors }
    }

    fn batch(&self) -> TokenBatch {
        let rows: Vec<&[u32]> = self.rows.iter().map(Vec::as_slice).collect();
        TokenBatch::new(&rows, Device::Cpu).unwrap()
    }
}

#[test]
fn token_states_and_every_pooling_are_those_of_pytorch() {
    for name in MODELS {
        let recorded = Recorded::load(name);
        let batch = recorded.batch();
        let hidden = tch::no_grad(|| recorded.model.last_hidden_state(&batch).unwrap());
        // What stands at padded places is nobody's promise.
        let states = largest_difference(
            &(&hidden * &batch.keep),
            &(&recorded.tensors["last_hidden_state"] * &batch.keep),
        );
        assert!(states <= TOLERANCE, "{name}: token states differ by {states:e}");
        let mean = pool(Pooling::Mean, &hidden, &batch).unwrap();
        let pooled = [
            ("pool_mean_l2", normalize(&mean).unwrap()),
            ("pool_mean", mean),
            ("pool_cls", pool(Pooling::Cls, &hidden, &batch).unwrap()),
            ("pool_max", pool(Pooling::Max, &hidden, &batch).unwrap()),
            ("pool_mean_sqrt_len", pool(Pooling::MeanSqrtLen, &hidden, &batch).unwrap()),
        ];
        for (stage, ours) in pooled {
            let difference = largest_difference(&ours, &recorded.tensors[stage]);
            assert!(difference <= TOLERANCE, "{name}: {stage} differs by {difference:e}");
        }
    }
}

#[test]
fn the_folder_says_how_to_pool_and_its_tokenizer_gives_the_recorded_ids() {
    for name in MODELS {
        let recorded = Recorded::load(name);
        let summary = &recorded.model.summary;
        assert_eq!((summary.pooling, summary.normalize), (Pooling::Mean, true), "{name}");
        let texts = fs::read_to_string(summary.path.join("texts.json")).unwrap();
        let texts: Vec<String> = serde_json::from_str(&texts).unwrap();
        let tokenizer = Tokenizer::load(&summary.path).unwrap();
        tokenizer.check_fits(summary.vocab_size).unwrap();
        let set = tokenizer.encode(&texts, summary.max_seq_length, &|_, _| true).unwrap();
        let ids: Vec<Vec<u32>> = (0..set.rows()).map(|row| set.ids(row).to_vec()).collect();
        assert_eq!(ids, recorded.rows, "{name}");
        let outputs = recorded.model.infer(&recorded.batch()).unwrap();
        let embedding = recorded.model.finish(&outputs.pooled).unwrap();
        let difference = largest_difference(&embedding, &recorded.tensors["pool_mean_l2"]);
        assert!(difference <= TOLERANCE, "{name}: embeddings differ by {difference:e}");
    }
}

#[test]
fn a_row_alone_is_the_row_in_a_batch() {
    for name in MODELS {
        let recorded = Recorded::load(name);
        let together = recorded.model.infer(&recorded.batch()).unwrap().pooled;
        for (index, row) in recorded.rows.iter().enumerate() {
            let batch = TokenBatch::new(&[row], Device::Cpu).unwrap();
            assert!(batch.bias.is_none(), "a row alone is not padded");
            let alone = recorded.model.infer(&batch).unwrap().pooled;
            let difference = largest_difference(&alone, &together.narrow(0, index as i64, 1));
            assert!(difference <= TOLERANCE, "{name}, row {index}: {difference:e}");
        }
    }
}

/// That the comparison can fail: a thousandth in one value of any tensor of the top layer is seen.
#[test]
fn a_changed_weight_is_a_difference() {
    for name in MODELS {
        let recorded = Recorded::load(name);
        let top = Group::Layer(recorded.model.summary.layers - 1);
        let norm = recorded.model.params.iter().rfind(|p| p.group == top && p.info().role() == Role::Norm);
        let _changed = tch::no_grad(|| norm.unwrap().tensor.get(0).f_add_scalar_(1e-3).unwrap());
        let pooled = recorded.model.infer(&recorded.batch()).unwrap().pooled;
        assert!(largest_difference(&pooled, &recorded.tensors["pool_mean"]) > TOLERANCE, "{name}");
    }
}

/// Rows sorted by length and laid end to end give what they give padded, and so does every way of going through the
/// layers in two parts.
#[test]
fn packed_rows_and_parts_of_the_way_give_the_same() {
    for name in MODELS {
        let recorded = Recorded::load(name);
        let mut rows: Vec<&[u32]> = recorded.rows.iter().map(Vec::as_slice).collect();
        // Two of a length, so that a group has more than one row.
        rows.push(&recorded.rows[1]);
        rows.sort_by_key(|row| row.len());
        let model = &recorded.model;
        let (padded, packed) = (model.batch(&rows).unwrap(), model.packed(&rows).unwrap());
        assert!(packed.groups.is_some());
        let _guard = tch::no_grad_guard();
        let of_padded = model.pool(&model.last_hidden_state(&padded).unwrap(), &padded).unwrap();
        for depth in 0..=model.summary.layers {
            let below = model.embed(&packed, Dropout::OFF).unwrap();
            let below = model.layers(0..depth, below, &packed, &|_| Dropout::OFF).unwrap();
            let above = depth..model.summary.layers;
            let states = model.layers(above, below, &packed, &|_| Dropout::OFF).unwrap();
            let difference = largest_difference(&model.pool(&states, &packed).unwrap(), &of_padded);
            assert!(difference <= TOLERANCE, "{name}, split at {depth}: {difference:e}");
        }
    }
}

/// The backward pass, too: fixtures/models/make.py says which gradients were recorded.
#[test]
fn gradients_are_those_of_pytorch() {
    let text = fs::read_to_string(fixtures().join("models/gradients.json")).unwrap();
    let recorded_gradients: HashMap<String, HashMap<String, [f64; 2]>> = serde_json::from_str(&text).unwrap();
    for name in MODELS {
        let recorded = Recorded::load(name);
        let gradients = &recorded_gradients[name];
        let mut rows: Vec<&[u32]> = recorded.rows.iter().map(Vec::as_slice).collect();
        let padded = TokenBatch::new(&rows, Device::Cpu).unwrap();
        rows.sort_by_key(|row| row.len());
        let packed = TokenBatch::packed(&rows, Device::Cpu).unwrap();
        for (batch, form) in [(&padded, "padded"), (&packed, "packed")] {
            for param in &recorded.model.params {
                let mut tensor = param.tensor.set_requires_grad(true);
                tensor.zero_grad();
            }
            let hidden = recorded.model.last_hidden_state(batch).unwrap();
            let places = batch.places().unwrap().unsqueeze(-1);
            let size = recorded.model.summary.hidden as i64;
            let direction =
                (places + Tensor::arange(size, (Kind::Int64, Device::Cpu))).to_kind(Kind::Float).sin();
            (hidden * direction * &batch.keep).sum(Kind::Float).backward();
            let mut compared = 0;
            for param in &recorded.model.params {
                let gradient = param.tensor.grad();
                if !gradient.defined() {
                    assert!(!gradients.contains_key(&param.name), "{name}: {} has no gradient", param.name);
                    continue;
                }
                let flat = gradient.to_kind(Kind::Double).flatten(0, -1);
                let along = Tensor::arange(flat.numel() as i64, (Kind::Double, Device::Cpu)).sin();
                let ours = [flat.norm().double_value(&[]), flat.dot(&along).double_value(&[])];
                let [norm, product] = gradients[&param.name];
                // A bias of the keys moves all scores of a query alike: its gradient is rounding.
                let tolerance = 2e-4 * norm + 2e-4;
                assert!(
                    (ours[0] - norm).abs() <= tolerance && (ours[1] - product).abs() <= tolerance,
                    "{name}, {form}: the gradient of {} is {ours:?}, recorded is [{norm}, {product}]",
                    param.name
                );
                compared += usize::from(norm > 0.01);
            }
            assert!(compared > 20, "{name}: {compared} gradients");
        }
    }
}

#[test]
fn minilm_gives_the_embeddings_of_sentence_transformers() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(".models/all-MiniLM-L6-v2");
    if !skip::is_set_up(&dir.join("model.safetensors")) {
        return;
    }
    let minilm = fixtures().join("minilm");
    let recorded: HashMap<String, Tensor> =
        read_all(&minilm.join("embeddings.safetensors")).unwrap().into_iter().collect();
    let sentences: Vec<String> =
        serde_json::from_str(&fs::read_to_string(minilm.join("sentences.json")).unwrap()).unwrap();
    assert_eq!(sentences.len(), 50);

    let model = Model::load(&dir, Device::Cpu).unwrap();
    let set = Tokenizer::load(&dir).unwrap().encode(&sentences, 256, &|_, _| true).unwrap();
    let lengths: Vec<i64> = set.lengths().into_iter().map(i64::from).collect();
    assert_eq!(lengths, Vec::<i64>::try_from(&recorded["lengths"]).unwrap());
    let mut largest: [f64; 2] = [0.0; 2];
    for rows in inference_batches(&set.lengths(), 2048) {
        let ids: Vec<&[u32]> = rows.iter().map(|row| set.ids(*row as usize)).collect();
        let pooled = model.infer(&TokenBatch::new(&ids, Device::Cpu).unwrap()).unwrap().pooled;
        let places: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
        let places = Tensor::from_slice(&places);
        let embeddings = model.finish(&pooled).unwrap();
        for (at, (ours, name)) in
            [(&pooled, "pool_mean"), (&embeddings, "embeddings")].into_iter().enumerate()
        {
            let theirs = recorded[name].index_select(0, &places);
            largest[at] = largest[at].max(largest_difference(ours, &theirs));
            assert_eq!(to_vec(ours).unwrap().len(), rows.len() * 384);
        }
    }
    println!("largest differences: pooled {:.1e}, embeddings {:.1e}", largest[0], largest[1]);
    assert!(largest.iter().all(|difference| *difference <= TOLERANCE), "{largest:?}");
}
