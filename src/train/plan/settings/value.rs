//! Values of settings as text, and text as values: what is shown is read back to the same value.

use super::choice::Choice;
use crate::train::plan::phase_spec::{HeadSet, PhaseSpec};
use crate::train::plan::recipe::Sampling;
use crate::train::plan::{ParamFilter, Until};

/// The word for what is not set.
const NONE: &str = "none";

/// A value of a setting.
pub trait Value: Sized {
    /// As text.
    fn show(&self) -> String;

    /// From text.
    ///
    /// # Errors
    /// What would be right: `a whole number`.
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! whole {
    ($($type:ty),+) => {$(
        impl Value for $type {
            fn show(&self) -> String {
                self.to_string()
            }

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_not_one| "a whole number".to_owned())
            }
        }
    )+};
}

whole!(u32, u64, usize);

impl Value for f64 {
    /// With the fewest digits that are read back to the same number; small ones as rates are written, `5e-5`.
    fn show(&self) -> String {
        if *self != 0.0 && self.abs() < 0.01 { format!("{self:e}") } else { self.to_string() }
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_not_one| "a number".to_owned())
    }
}

impl<T: Choice> Value for T {
    fn show(&self) -> String {
        T::words().into_iter().find(|(value, _)| value == self).map_or("", |(_, word)| word).to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found = T::words().into_iter().find(|(_, word)| *word == text).map(|(value, _)| value);
        found.ok_or_else(|| {
            let words: Vec<&str> = T::words().into_iter().map(|(_, word)| word).collect();
            format!("one of {}", words.join(", "))
        })
    }
}

impl Value for String {
    /// In quotes where the bare text would be read otherwise.
    fn show(&self) -> String {
        let bare = !self.is_empty() && self.trim() == self && self != NONE && !self.starts_with('"');
        if bare && !self.contains(char::is_control) {
            self.clone()
        } else {
            serde_json::Value::from(self.as_str()).to_string()
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('"') {
            return Ok(text.to_owned());
        }
        serde_json::from_str(text)
            .map_err(|_no_string| "a text, with both quotes where it has one".to_owned())
    }
}

impl<T: Value> Value for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| NONE.to_owned(), Value::show)
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(None);
        }
        T::parse(text).map(Some).map_err(|wanted| format!("{wanted}, or {NONE}"))
    }
}

impl Value for Sampling {
    fn show(&self) -> String {
        match self {
            Self::Proportional => "proportional".to_owned(),
            Self::RoundRobin => "round-robin".to_owned(),
            Self::Temperature(temperature) => format!("temperature {}", temperature.show()),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "proportional, round-robin, or a temperature such as \"temperature 3\"".to_owned();
        match text {
            "proportional" => Ok(Self::Proportional),
            "round-robin" => Ok(Self::RoundRobin),
            _ => {
                let number = text.strip_prefix("temperature ").ok_or_else(wanted)?;
                f64::parse(number.trim()).map(Self::Temperature).map_err(|_not_one| wanted())
            }
        }
    }
}

/// A list of phases is shown whole; of text, only that there are none is understood.
impl Value for Vec<PhaseSpec> {
    fn show(&self) -> String {
        if self.is_empty() {
            return NONE.to_owned();
        }
        self.iter().map(phase_in_words).collect::<Vec<_>>().join("; ")
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Vec::new());
        }
        Err(format!(
            "{NONE} for those of the preset; phases of your own are drawn on the Schedule page or written in \
             frostline.toml, under [[recipe.phases]]"
        ))
    }
}

/// A phase with everything that it sets: two phases read alike only where they are the same.
#[must_use]
pub fn phase_in_words(phase: &PhaseSpec) -> String {
    let PhaseSpec {
        name,
        embeddings,
        layers,
        heads,
        part,
        lr_encoder,
        lr_heads,
        layer_decay,
        rates,
        epochs,
        until,
    } = phase;
    let mut parts = vec![format!("layers {layers}")];
    if *embeddings {
        parts.push("embeddings".to_owned());
    }
    match heads {
        HeadSet::All => {}
        HeadSet::None => parts.push("no heads".to_owned()),
        HeadSet::Only(names) => parts.push(format!("heads {}", names.join(" and "))),
    }
    if *part != ParamFilter::All {
        parts.push(format!("part {}", part.key()));
    }
    for (key, value) in [("lr_encoder", lr_encoder), ("lr_heads", lr_heads), ("layer_decay", layer_decay)] {
        parts.extend(value.map(|value| format!("{key} {}", value.show())));
    }
    parts.extend(rates.iter().map(|(group, rate)| format!("{group} at {}", rate.show())));
    parts.push(if *epochs == 1 { "1 epoch".to_owned() } else { format!("{epochs} epochs") });
    match until {
        Until::Epochs => {}
        Until::Steps(steps) => parts.push(format!("up to {steps} steps")),
        Until::Plateau { patience } => parts.push(format!("up to {patience} epochs without improvement")),
    }
    let what = parts.join(", ");
    if name.is_empty() { what } else { format!("{}: {what}", name.show()) }
}
