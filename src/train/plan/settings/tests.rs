use super::*;
use crate::model::lora::{Lora, LoraTargets};
use crate::train::plan::monitor::Monitor;
use crate::train::plan::phase_spec::PhaseSpec;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{Decay, OptimizerKind, Precision, Sampling, Weighting};
use crate::train::plan::{ParamFilter, Until};

/// Recipes in which every setting has another value than by default in at least one.
fn recipes() -> Vec<Recipe> {
    let odd = |text: &str| Some(text.to_owned());
    let task =
        TaskSettings { weight: 0.1, balance_classes: true, label_smoothing: 0.3, hidden_units: Some(64) };
    let first = Recipe {
        preset: Preset::FreezeHead,
        phases: Vec::new(),
        frozen_head: odd("none"),
        part: ParamFilter::Lora,
        lora: Lora { rank: 4, alpha: 0.1 + 0.2, targets: LoraTargets::QueryValue },
        epochs: 17,
        batch_size: 3,
        accumulate: 5,
        sampling: Sampling::Temperature(1.0 / 3.0),
        half_cache: true,
        precision: Precision::Bfloat16,
        optimizer: OptimizerKind::Sgd,
        lr_encoder: 1e-4 / 3.0,
        lr_heads: 1e300,
        layer_decay: 0.85,
        weight_decay: 0.0,
        decay: Decay::Cosine,
        warmup: 0.07,
        clip_norm: None,
        ema: Some(0.999),
        watch: Monitor { task: odd("mood: \"a\""), figure: odd("macro-f1") },
        patience: Some(3),
        weighting: Weighting::Uncertainty,
        tasks: [("a.b".to_owned(), task)].into(),
        max_length: 64,
        prompt: odd("query: "),
        head_dropout: 0.0,
        encoder_dropout: Some(0.25),
        seed: u64::MAX,
    };
    let quoted = ["\"said\"", "", "two\nlines", " ", "plain words"];
    let others = quoted.map(|prompt| Recipe { prompt: odd(prompt), ..Recipe::default() });
    [first, Recipe::default(), Recipe { sampling: Sampling::RoundRobin, ..Recipe::default() }]
        .into_iter()
        .chain(others)
        .collect()
}

#[test]
fn what_is_shown_is_read_back_to_the_same_value() {
    for recipe in recipes() {
        let mut read = Recipe { seed: 99, epochs: 99, half_cache: !recipe.half_cache, ..Recipe::default() };
        for Shown { key, value, .. } in shown(&recipe, &["a.b", "other"]) {
            set(&mut read, &key, &value).unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(read, recipe);
    }
}

#[test]
fn every_setting_has_a_key_a_name_and_a_sentence_of_its_own() {
    let of_run = RECIPE.iter().map(|setting| (setting.key, setting.label, setting.hint));
    let all: Vec<_> = of_run.chain(TASK.iter().map(|s| (s.key, s.label, s.hint))).collect();
    for (index, (key, label, hint)) in all.iter().enumerate() {
        assert!(!key.is_empty() && !label.is_empty() && hint.len() > 15 && !hint.ends_with('.'), "{key}");
        assert!(all[..index].iter().all(|(k, l, h)| k != key && l != label && h != hint), "{key} twice");
    }
}

#[test]
fn what_differs_from_the_preset_is_listed_and_nothing_else() {
    let mut recipe = Recipe::default();
    recipe.choose(Preset::Gradual);
    assert_eq!(set_differently(&recipe, &["topic"]), []);
    recipe.patience = Some(2);
    set(&mut recipe, "tasks.topic.label_smoothing", "0.1").unwrap();
    let listed: Vec<_> = set_differently(&recipe, &["topic"]).into_iter().map(|s| (s.key, s.value)).collect();
    let wanted = [("patience", "2"), ("tasks.topic.label_smoothing", "0.1")];
    assert_eq!(listed, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[test]
fn phases_are_told_apart_by_whatever_they_set() {
    let plain = PhaseSpec::default();
    let others = [
        PhaseSpec { name: "top".into(), ..plain.clone() },
        PhaseSpec { embeddings: true, ..plain.clone() },
        PhaseSpec { layers: "top 2".parse().unwrap(), ..plain.clone() },
        PhaseSpec { heads: crate::train::plan::phase_spec::HeadSet::None, ..plain.clone() },
        PhaseSpec { part: ParamFilter::Norms, ..plain.clone() },
        PhaseSpec { lr_encoder: Some(1e-5), ..plain.clone() },
        PhaseSpec { lr_heads: Some(1e-5), ..plain.clone() },
        PhaseSpec { layer_decay: Some(0.5), ..plain.clone() },
        PhaseSpec { rates: [("layer 1".to_owned(), 1e-5)].into(), ..plain.clone() },
        PhaseSpec { epochs: 2, ..plain.clone() },
        PhaseSpec { until: Until::Steps(3), ..plain.clone() },
        PhaseSpec { until: Until::Plateau { patience: 3 }, ..plain.clone() },
        plain,
    ];
    let mut words: Vec<String> = others.iter().map(phase_in_words).collect();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), others.len(), "{words:?}");
}

#[test]
fn a_wrong_value_is_answered_with_the_right_ones() {
    let answer = |key: &str, text: &str| set(&mut Recipe::default(), key, text).unwrap_err();
    assert_eq!(answer("epochs", "four"), "epochs is \"four\": use a whole number");
    assert_eq!(answer("clip_norm", "off"), "clip_norm is \"off\": use a number, or none");
    assert!(answer("optimizer", "lion").ends_with("use one of adam, adamw, sgd"));
    assert!(answer("sampling", "temperature hot").contains("\"temperature 3\""));
    assert!(answer("phases", "top 2").contains("[[recipe.phases]]"));
    assert!(answer("learning_rate", "1").contains("lr_encoder"));
    assert!(answer("tasks.topic.loss", "1").contains("label_smoothing"));
}
