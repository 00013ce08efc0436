//! How masks are drawn, and where the families apply dropout: as transformers does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::model::Model;
use crate::model::layers::Dropout;

/// A call: the probability, and the shape of what is dropped.
type Call = (f64, Vec<i64>);

thread_local! {
    /// The calls on this thread, while they are recorded.
    static CALLS: RefCell<Option<Vec<Call>>> = const { RefCell::new(None) };
}

pub(super) fn record(p: f64, x: &Tensor) {
    CALLS.with_borrow_mut(|calls| {
        if let Some(calls) = calls {
            calls.push((p, x.size()));
        }
    });
}

/// Libtorch's generator is the process's: tests that draw from it take turns.
static GENERATOR: Mutex<()> = Mutex::new(());

fn recorded(run: impl FnOnce()) -> Vec<Call> {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    CALLS.set(Some(Vec::new()));
    run();
    CALLS.take().unwrap_or_default()
}

#[test]
fn the_share_is_dropped_and_the_mean_is_kept() {
    let mask = mask(&[1, 1_000_003], 0.1, 7, &[]);
    let dropped = mask.iter().filter(|value| **value == 0.0).count() as f64 / mask.len() as f64;
    // Five standard deviations of a million draws.
    assert!((dropped - 0.1).abs() < 0.0015, "{dropped}");
    let mean = mask.iter().map(|value| f64::from(*value)).sum::<f64>() / mask.len() as f64;
    assert!((mean - 1.0).abs() < 0.002, "{mean}");
    // Neighbours know nothing of each other.
    let both = mask.windows(2).filter(|two| two == &[0.0, 0.0]).count() as f64 / mask.len() as f64;
    assert!((both - 0.01).abs() < 0.0006, "{both}");
}

#[test]
fn the_seed_of_libtorch_says_which() {
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let drawn = |seed| {
        tch::manual_seed(seed);
        let ones = Tensor::ones([3, 50], (Kind::Float, Device::Cpu));
        Vec::<f32>::try_from(dropout(ones, 0.5).unwrap().view(-1)).unwrap()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn what_is_dropped_of_a_row_is_its_own_affair() {
    // [rows * heads, seq, seq] and [rows, seq, hidden], padded to 6 and to 5.
    let masks = |rows: &[u64], seq: i64| {
        let count = rows.len() as i64;
        with_masks(3, rows.to_vec(), || {
            let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
            let heads = dropout(ones(&[count * 2, seq, seq]), 0.5).unwrap();
            (heads.view([count, 2, seq, seq]), dropout(ones(&[count, seq, 7]), 0.5).unwrap())
        })
    };
    let (heads, hidden) = masks(&[4, 9, 6], 6);
    let (of_one, hidden_of_one) = masks(&[9], 5);
    assert!(heads.select(0, 1).narrow(1, 0, 5).narrow(2, 0, 5).equal(&of_one.select(0, 0)));
    assert!(hidden.select(0, 1).narrow(0, 0, 5).equal(&hidden_of_one.select(0, 0)));
    assert!(!heads.select(0, 0).equal(&heads.select(0, 1)), "rows differ");
    assert!(!heads.select(1, 0).equal(&heads.select(1, 1)), "heads differ");
    let (again, _) = masks(&[4, 9, 6], 6);
    assert!(again.equal(&heads));
    let shared = |first, rows| {
        let ones = Tensor::ones([rows, 7], (Kind::Float, Device::Cpu));
        with_masks(3, vec![1, 2], || dropout_shared(ones, 0.5, first).unwrap())
    };
    assert!(shared(2, 8).narrow(0, 2, 4).equal(&shared(4, 4)));
}

/// What transformers did with a model; `make.py` beside the models documents it.
#[derive(Deserialize)]
struct Recorded {
    keys: BTreeMap<String, f64>,
    calls: Vec<Call>,
    default_calls: Vec<Call>,
}

/// The same values are dropped if there are as many of them in rows of the same length: a packed batch holds its
/// tokens in one dimension, and the attention its texts and heads.
fn is_same((p, shape): &Call, (wanted_p, wanted): &Call) -> bool {
    let elements = |shape: &[i64]| shape.iter().product::<i64>();
    // Of a table of distances only the rows that the batch meets are computed.
    let is_table = wanted.len() == 2;
    (p - wanted_p).abs() < 1e-9
        && shape.last() == wanted.last()
        && (elements(shape) == elements(wanted) || is_table && elements(shape) < elements(wanted))
}

#[test]
fn every_family_drops_what_transformers_drops() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a fixture");
    let recorded_there: BTreeMap<String, Recorded> =
        serde_json::from_str(&read(&models.join("dropout.json"))).expect("a recording");
    let types: Vec<&str> = crate::model::encoder::FAMILIES.iter().map(|family| family.model_type).collect();
    let mut met = std::collections::BTreeSet::new();
    let ids: Vec<Vec<u32>> =
        (0..2).map(|row| (0..20).map(|place| (row * 20 + place) % 90 + 5).collect()).collect();
    let rows: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    for (name, there) in &recorded_there {
        let source = models.join(if name == "camembert" { "roberta" } else { name });
        let mut config: Value = serde_json::from_str(&read(&source.join("config.json"))).expect("JSON");
        if name == "camembert" {
            config["model_type"] = "camembert".into();
        }
        met.insert(config["model_type"].as_str().unwrap_or_default().to_owned());
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::copy(source.join("model.safetensors"), dir.path().join("model.safetensors"))
            .expect("weights");
        let calls = |config: &Value| -> [Vec<Call>; 2] {
            std::fs::write(dir.path().join("config.json"), config.to_string()).expect("a file");
            let model = Model::load(dir.path(), Device::Cpu).expect("a model");
            let batches = [model.batch(&rows), model.packed(&rows)];
            batches.map(|batch| {
                let batch = batch.expect("a batch");
                recorded(|| {
                    let states = model.embed(&batch, model.dropout).expect("embeddings");
                    let layers = 0..model.summary.layers;
                    drop(model.layers(layers, states, &batch, &|_| model.dropout).expect("states"));
                })
            })
        };
        let mut patched = config.clone();
        for (key, p) in &there.keys {
            patched[key] = (*p).into();
        }
        let fields = config.as_object_mut().expect("an object");
        fields.retain(|key, _| !there.keys.contains_key(key));
        for (what, config, wanted) in
            [("distinct", &patched, &there.calls), ("left out", &config, &there.default_calls)]
        {
            for (layout, here) in ["padded", "packed"].into_iter().zip(calls(config)) {
                let agree = here.len() == wanted.len()
                    && here.iter().zip(wanted).all(|(here, wanted)| is_same(here, wanted));
                assert!(agree, "{name}, {what}, {layout}:\n{here:?}\ntransformers:\n{wanted:?}");
            }
        }
    }
    assert_eq!(types.len(), met.len(), "a family without a recording: {types:?} {met:?}");
}

/// One probability for the whole encoder goes where the family has dropout, and nowhere else.
#[test]
fn one_probability_is_put_where_the_family_has_dropout() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    for (name, wanted) in [("distilbert", 7), ("albert", 7), ("modernbert", 13), ("bert", 10)] {
        let model = Model::load(&models.join(name), Device::Cpu).expect("a model");
        let batch = model.packed(&[&[5, 6, 7, 8]]).expect("a batch");
        let calls = recorded(|| {
            let p = Dropout::all(0.3);
            let states = model.embed(&batch, p).expect("embeddings");
            drop(model.layers(0..model.summary.layers, states, &batch, &|_| p).expect("states"));
        });
        assert_eq!(calls.len(), wanted, "{name}");
        assert!(calls.iter().all(|(p, _)| *p == 0.3), "{name}: {calls:?}");
    }
}

#[test]
fn a_panic_leaves_no_masks_behind() {
    let panicked = std::panic::catch_unwind(|| with_masks(7, vec![1], || panic!("as a broken text might")));
    assert!(panicked.is_err());
    DRAWN_FROM.with_borrow(|drawn| assert!(drawn.is_none(), "later work would draw from the broken step"));
}
