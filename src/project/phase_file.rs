//! `[[recipe.phases]]`: phases that the user wrote, as files hold them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::serde_enum::Keyed;
use crate::train::plan::phase_spec::{HeadSet, LayerSet, PhaseSpec};
use crate::train::plan::{ParamFilter, Until};

/// Every key but the layers may be left out.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhaseEntry {
    name: Option<String>,
    /// `"all"`, `"none"`, `"top 2"`, `"0-3, 5"`.
    layers: Layers,
    embeddings: Option<bool>,
    heads: Option<Heads>,
    part: Option<Keyed<ParamFilter>>,
    epochs: Option<u32>,
    /// Ends the phase after so many optimiser steps.
    steps: Option<usize>,
    /// Ends the phase after so many epochs without an improvement.
    patience: Option<u32>,
    lr_encoder: Option<f64>,
    lr_heads: Option<f64>,
    layer_decay: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rates: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
struct Layers(LayerSet);

impl TryFrom<String> for Layers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Layers> for String {
    fn from(layers: Layers) -> Self {
        layers.0.to_string()
    }
}

/// `true`, `false`, or the names of tasks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected true, false or a list of tasks")]
enum Heads {
    All(bool),
    Only(Vec<String>),
}

impl From<&PhaseSpec> for PhaseEntry {
    fn from(spec: &PhaseSpec) -> Self {
        let (steps, patience) = match spec.until {
            Until::Epochs => (None, None),
            Until::Steps(steps) => (Some(steps), None),
            Until::Plateau { patience } => (None, Some(patience)),
        };
        Self {
            name: (!spec.name.is_empty()).then(|| spec.name.clone()),
            layers: Layers(spec.layers.clone()),
            embeddings: Some(spec.embeddings),
            heads: Some(match &spec.heads {
                HeadSet::All => Heads::All(true),
                HeadSet::None => Heads::All(false),
                HeadSet::Only(names) => Heads::Only(names.clone()),
            }),
            part: (spec.part != ParamFilter::All).then_some(Keyed(spec.part)),
            epochs: Some(spec.epochs),
            steps,
            patience,
            lr_encoder: spec.lr_encoder,
            lr_heads: spec.lr_heads,
            layer_decay: spec.layer_decay,
            rates: spec.rates.clone(),
        }
    }
}

impl From<PhaseEntry> for PhaseSpec {
    fn from(entry: PhaseEntry) -> Self {
        let defaults = Self::default();
        Self {
            name: entry.name.unwrap_or_default(),
            embeddings: entry.embeddings.unwrap_or(defaults.embeddings),
            layers: entry.layers.0,
            heads: match entry.heads {
                None | Some(Heads::All(true)) => HeadSet::All,
                Some(Heads::All(false)) => HeadSet::None,
                Some(Heads::Only(names)) => HeadSet::Only(names),
            },
            part: entry.part.map_or(defaults.part, |part| part.0),
            lr_encoder: entry.lr_encoder,
            lr_heads: entry.lr_heads,
            layer_decay: entry.layer_decay,
            rates: entry.rates,
            epochs: entry.epochs.unwrap_or(defaults.epochs),
            until: match (entry.steps, entry.patience) {
                (Some(steps), _) => Until::Steps(steps),
                (None, Some(patience)) => Until::Plateau { patience },
                (None, None) => Until::Epochs,
            },
        }
    }
}
