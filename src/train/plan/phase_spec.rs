//! Phases as a user writes them, and how they become the phases of a plan.
//!
//! A phase names layers, heads and rates in general terms (`top 2`, `0-3, 5`), so that the same recipe can be
//! used with encoders of different depths.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::phase::{ParamFilter, Phase, Thaw, Until};
use super::plan_error::PlanError;

/// Layers of an encoder, counted from 0 next to the embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerSet {
    /// Every one.
    All,
    /// None.
    None,
    /// So many from the top.
    Top(usize),
    /// Ranges, both ends included.
    Ranges(Vec<(usize, usize)>),
}

impl LayerSet {
    /// Whether layer `index` of `layers` is among them.
    #[must_use]
    pub fn holds(&self, index: usize, layers: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Top(count) => index + count >= layers,
            Self::Ranges(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&index)),
        }
    }

    /// The highest layer that is named, for telling a range that leads past the encoder's top.
    fn highest(&self) -> Option<usize> {
        match self {
            Self::Ranges(ranges) => ranges.iter().map(|(_, to)| *to).max(),
            _ => None,
        }
    }
}

impl fmt::Display for LayerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::None => f.write_str("none"),
            Self::Top(count) => write!(f, "top {count}"),
            Self::Ranges(ranges) => {
                let range = |(from, to): &(usize, usize)| {
                    if from == to { from.to_string() } else { format!("{from}-{to}") }
                };
                f.write_str(&ranges.iter().map(range).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl FromStr for LayerSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "\"{text}\" names no layers: use \"all\", \"none\", \"top 2\", or numbers such as \"0-3, 5\""
            )
        };
        let text = text.trim();
        match text {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            _ => {}
        }
        if let Some(count) = text.strip_prefix("top ") {
            return count.trim().parse().map(Self::Top).map_err(|_not_a_number| wrong());
        }
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (Ok(from), Ok(to)) = (from.trim().parse(), to.trim().parse()) else { return Err(wrong()) };
            if from > to {
                return Err(wrong());
            }
            ranges.push((from, to));
        }
        Ok(Self::Ranges(ranges))
    }
}

/// Heads of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadSet {
    /// Every one.
    All,
    /// None.
    None,
    /// Those of these tasks.
    Only(Vec<String>),
}

/// A phase as the user writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseSpec {
    /// Shown to the user; what trains, in words, where it is empty.
    pub name: String,
    /// Whether the embeddings train.
    pub embeddings: bool,
    /// Layers that train.
    pub layers: LayerSet,
    /// Heads that train.
    pub heads: HeadSet,
    /// Which parameters of the thawed layers and embeddings train.
    pub part: ParamFilter,
    /// Rate of the encoder's top layer; the recipe's when `None`.
    pub lr_encoder: Option<f64>,
    /// Rate of the heads; the recipe's when `None`.
    pub lr_heads: Option<f64>,
    /// Factor per layer of depth; the recipe's when `None`.
    pub layer_decay: Option<f64>,
    /// Rates of their own, by `embeddings`, `layer 3` or the name of a task.
    pub rates: BTreeMap<String, f64>,
    /// How many epochs it lasts, or lasts at most.
    pub epochs: u32,
    /// What ends it before that.
    pub until: Until,
}

impl Default for PhaseSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            embeddings: false,
            layers: LayerSet::None,
            heads: HeadSet::All,
            part: ParamFilter::All,
            lr_encoder: None,
            lr_heads: None,
            layer_decay: None,
            rates: BTreeMap::new(),
            epochs: 1,
            until: Until::Epochs,
        }
    }
}

/// Rates of a recipe, which hold in phases that set none of their own.
#[derive(Clone, Copy, Debug)]
pub struct DefaultRates {
    /// Peak rate of the encoder's top layer.
    pub encoder: f64,
    /// Peak rate of the heads.
    pub heads: f64,
    /// Factor per layer of depth.
    pub layer_decay: f64,
}

impl PhaseSpec {
    /// The phase for an encoder of `layers` layers and these tasks; `index` counts phases from 0.
    ///
    /// # Errors
    /// When it names a layer or a task that is not there, or a number makes no sense.
    pub fn phase(
        &self,
        index: usize,
        defaults: DefaultRates,
        layers: usize,
        tasks: &[&str],
    ) -> Result<Phase, PlanError> {
        self.check(index, layers, tasks)?;
        let lr_encoder = self.lr_encoder.unwrap_or(defaults.encoder);
        let lr_heads = self.lr_heads.unwrap_or(defaults.heads);
        let decay = self.layer_decay.unwrap_or(defaults.layer_decay);
        let own = |key: &str| self.rates.get(key).copied();
        let thaw = |on: bool, lr: f64, part: ParamFilter| {
            if on { Thaw::Trains { lr, part } } else { Thaw::Frozen }
        };
        let layer = |i: usize| {
            let lr = own(&format!("layer {i}")).unwrap_or(lr_encoder * decay.powi((layers - 1 - i) as i32));
            thaw(self.layers.holds(i, layers), lr, self.part)
        };
        let head = |task: &&str| {
            let on = match &self.heads {
                HeadSet::All => true,
                HeadSet::None => false,
                HeadSet::Only(names) => names.iter().any(|name| name == task),
            };
            thaw(on, own(task).unwrap_or(lr_heads), ParamFilter::All)
        };
        // An adapter stands beside a linear layer, and the embeddings have none.
        let embeddings = self.embeddings && self.part != ParamFilter::Lora;
        let lr_embeddings = own("embeddings").unwrap_or(lr_encoder * decay.powi(layers as i32));
        Ok(Phase {
            name: if self.name.is_empty() { self.in_words(layers) } else { self.name.clone() },
            embeddings: thaw(embeddings, lr_embeddings, self.part),
            layers: (0..layers).map(layer).collect(),
            heads: tasks.iter().map(head).collect(),
            loss_weights: lr_heads,
            epochs: self.epochs,
            until: self.until,
        })
    }

    fn check(&self, index: usize, layers: usize, tasks: &[&str]) -> Result<(), PlanError> {
        let wrong = |reason: String| Err(PlanError::BadPhase { phase: index + 1, reason });
        if self.epochs == 0 {
            return wrong("it lasts 0 epochs; use at least 1, or leave the phase out".to_owned());
        }
        match self.until {
            Until::Steps(0) => return wrong("it ends after 0 steps; use at least 1".to_owned()),
            Until::Plateau { patience: 0 } => {
                return wrong("its patience is 0 epochs; use at least 1".to_owned());
            }
            _ => {}
        }
        if let Some(highest) = self.layers.highest().filter(|highest| *highest >= layers) {
            let top = layers.saturating_sub(1);
            return wrong(format!("it names layer {highest}, and the encoder's top layer is {top}"));
        }
        if let HeadSet::Only(names) = &self.heads
            && let Some(name) = names.iter().find(|name| !tasks.contains(&name.as_str()))
        {
            return wrong(format!("it names the head \"{name}\", and there is no such task"));
        }
        let rates = [("lr_encoder", self.lr_encoder), ("lr_heads", self.lr_heads)];
        let rates = rates.into_iter().filter_map(|(name, rate)| Some((name, rate?)));
        for (name, rate) in rates.chain(self.rates.iter().map(|(name, rate)| (name.as_str(), *rate))) {
            if !(rate.is_finite() && rate > 0.0) {
                return wrong(format!("the rate of {name} is {rate}; use a number above 0"));
            }
        }
        if let Some(decay) = self.layer_decay.filter(|decay| !(*decay > 0.0 && *decay <= 1.0)) {
            return wrong(format!("its decay per layer is {decay}; use a number above 0, up to 1"));
        }
        let known = |name: &str| {
            let layer = name.strip_prefix("layer ").and_then(|index| index.parse::<usize>().ok());
            name == "embeddings" || tasks.contains(&name) || layer.is_some_and(|index| index < layers)
        };
        if let Some(name) = self.rates.keys().find(|name| !known(name)) {
            return wrong(format!(
                "it sets a rate for \"{name}\", which is neither \"embeddings\", a layer such as \"layer 0\", nor a \
                 task"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: DefaultRates = DefaultRates { encoder: 1e-4, heads: 1e-3, layer_decay: 1.0 };

    #[test]
    fn layers_are_named_as_people_would() {
        for (text, held) in [
            ("all", "012345"),
            ("none", ""),
            ("top 2", "45"),
            ("0-2, 5", "0125"),
            ("3", "3"),
            ("top 9", "012345"),
        ] {
            let set: LayerSet = text.parse().unwrap();
            let names: String = (0..6).filter(|i| set.holds(*i, 6)).map(|i| i.to_string()).collect();
            assert_eq!(names, held, "{text}");
            assert_eq!(set.to_string().parse::<LayerSet>().unwrap(), set);
        }
        for text in ["", "top", "bottom 2", "5-2", "1,,2", "-1"] {
            assert!(text.parse::<LayerSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_group_may_have_a_rate_of_its_own() {
        let spec = PhaseSpec {
            embeddings: true,
            layers: LayerSet::Top(2),
            heads: HeadSet::Only(vec!["tone".into()]),
            layer_decay: Some(0.5),
            rates: [("layer 2".to_owned(), 7e-6), ("tone".to_owned(), 3e-3)].into(),
            ..PhaseSpec::default()
        };
        let phase = spec.phase(0, DEFAULTS, 4, &["topic", "tone"]).unwrap();
        assert_eq!(phase.embeddings.lr(), Some(1e-4 * 0.5f64.powi(4)));
        assert_eq!(
            phase.layers.iter().map(|l| l.lr()).collect::<Vec<_>>(),
            [None, None, Some(7e-6), Some(1e-4)]
        );
        assert_eq!(phase.heads.iter().map(|h| h.lr()).collect::<Vec<_>>(), [None, Some(3e-3)]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let refused = |spec: PhaseSpec| spec.phase(1, DEFAULTS, 4, &["topic"]).unwrap_err().to_string();
        let layers = PhaseSpec { layers: LayerSet::Ranges(vec![(2, 4)]), ..PhaseSpec::default() };
        assert!(refused(layers).contains("phase 2: it names layer 4, and the encoder's top layer is 3"));
        let head = PhaseSpec { heads: HeadSet::Only(vec!["mood".into()]), ..PhaseSpec::default() };
        assert!(refused(head).contains("\"mood\""));
        let rate = PhaseSpec { rates: [("layer 9".to_owned(), 1e-4)].into(), ..PhaseSpec::default() };
        assert!(refused(rate).contains("layer 9"));
    }
}
