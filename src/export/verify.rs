//! The proof of an export: sentences encoded by the model in memory and by the one that was read back.

use std::path::Path;

use super::error::ExportError;
use crate::model::batch::TokenBatch;
use crate::model::model::to_vec;
use crate::model::{Model, ModelError};
use crate::text::tokenizer::Tokenizer;

/// Sentences of several lengths and scripts: none, a word, one that is cut at any usual maximum length.
const PROBES: [&str; 15] = [
    "",
    "Hello.",
    "The parcel came two days late, and nobody could say why.",
    "Can I still change the delivery address?",
    "I was charged twice for one order; please refund the second payment to my card.",
    "what a wonderful little film",
    "Not bad at all, though the last act drags.",
    "Wo liegt die Frostgrenze, wenn der Boden bis in den März gefroren bleibt?",
    "La neige fond d'abord là où le soleil touche la pente.",
    "昨日の会議の議事録を送ってください。",
    "Сколько стоит доставка в другой город?",
    "Version 2.0.1 crashes with error 0x80070057 on line 42 (see https://example.org/log?id=7).",
    "ALL CAPITALS, AND AN EXCLAMATION MARK!",
    "🙂 thanks!! 10/10, would order again",
    "a b c d e f g 1 2 3 4 5 6 7 8 9 0 - + = % & * ( ) [ ] { } < > / \\ | ' \" ; : , . ?",
];

/// How far the read-back model is from the one in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) probes: usize,
    pub(super) embeddings: f64,
    pub(super) logits: f64,
}

impl Difference {
    /// More than this is no rounding: something was written that means something else.
    const LARGEST: f64 = 1e-3;

    pub(super) fn accept(self) -> Result<Self, ExportError> {
        if self.embeddings <= Self::LARGEST && self.logits <= Self::LARGEST {
            Ok(self)
        } else {
            Err(ExportError::Differs { embeddings: self.embeddings, logits: self.logits })
        }
    }
}

/// The sentences that every export is tried with.
fn probes() -> Vec<String> {
    let mut probes: Vec<String> = PROBES.iter().map(|&probe| probe.to_owned()).collect();
    probes.push("Snow falls on the upper slopes while the valley is already green. ".repeat(48));
    probes
}

/// A model and how it reads texts.
pub(super) struct Side<'a> {
    pub(super) model: &'a Model,
    pub(super) tokenizer: Tokenizer,
    pub(super) max_seq_length: usize,
}

impl<'a> Side<'a> {
    /// A model as its folder says that it reads texts.
    pub(super) fn of_folder(model: &'a Model, dir: &Path) -> Result<Self, ExportError> {
        let summary = &model.summary;
        let prompt = summary.prompt(summary.origin.default_prompt.as_deref()).map_err(ModelError::Unfit)?;
        let prompt = prompt.map_or_else(String::new, |prompt| prompt.text);
        let tokenizer = Tokenizer::load(dir)?.with_prompt(&prompt);
        Ok(Self { model, tokenizer, max_seq_length: summary.max_seq_length })
    }
}

/// Encodes the probes with both models, each with the tokenizer of its own folder.
pub(super) fn compare(meant: &Side<'_>, found: &Side<'_>) -> Result<Difference, ExportError> {
    let probes = probes();
    let meant = encode(meant, &probes)?;
    let found = encode(found, &probes)?;
    Ok(Difference {
        probes: probes.len(),
        embeddings: largest_difference(&meant.0, &found.0),
        logits: largest_difference(&meant.1, &found.1),
    })
}

/// Values of all embeddings, and of the logits of all heads.
fn encode(side: &Side<'_>, probes: &[String]) -> Result<(Vec<f32>, Vec<f32>), ExportError> {
    let model = side.model;
    side.tokenizer.check_fits(model.summary.vocab_size)?;
    let tokens = side.tokenizer.encode(probes, side.max_seq_length, &|_, _| true)?;
    let rows: Vec<&[u32]> = (0..tokens.rows()).map(|row| tokens.ids(row)).collect();
    let outputs = model.infer(&TokenBatch::new(&rows, model.device)?)?;
    let embeddings = to_vec(&model.finish(&outputs.pooled)?)?;
    let logits = outputs.logits.iter().map(to_vec).collect::<Result<Vec<_>, ModelError>>()?.concat();
    Ok((embeddings, logits))
}

/// The largest absolute difference; infinite where there is no such number.
fn largest_difference(meant: &[f32], found: &[f32]) -> f64 {
    if meant.len() != found.len() {
        return f64::INFINITY;
    }
    let differences = meant.iter().zip(found).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    differences.fold(0.0, |largest, d| if d.is_finite() { largest.max(d) } else { f64::INFINITY })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_compared_is_never_close() {
        assert_eq!(largest_difference(&[1.0, -2.0, 0.0], &[1.0, -2.5, 0.25]), 0.5);
        assert_eq!(largest_difference(&[], &[]), 0.0);
        assert_eq!(largest_difference(&[1.0], &[]), f64::INFINITY);
        assert_eq!(largest_difference(&[f32::NAN, 1.0], &[f32::NAN, 1.0]), f64::INFINITY);
    }

    #[test]
    fn only_rounding_is_accepted() {
        let of = |embeddings, logits| Difference { probes: 1, embeddings, logits }.accept().is_ok();
        assert!(of(0.0, 0.0) && of(1e-6, 2e-5));
        assert!(!of(0.1, 0.0) && !of(0.0, 0.1) && !of(f64::INFINITY, 0.0));
    }
}
