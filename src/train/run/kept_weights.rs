//! The weights that a run keeps: those of the epoch that is best on the validation rows.

use std::sync::atomic::AtomicBool;

use tch::Tensor;

use super::checkpoint::Checkpointer;
use super::progress::{Best, Progress};
use crate::model::vocabulary::CutVocabulary;
use crate::model::{Model, ModelError};
use crate::train::cache::Prefix;
use crate::train::error::TrainError;
use crate::train::evaluate::{answers_above, metrics};
use crate::train::examples::Examples;
use crate::train::interrupt::Interrupt;
use crate::train::metrics::{Score, TaskMetrics};
use crate::train::plan::RunPlan;
use crate::train::plan::quality::Quality;

/// What the validation rows say of some weights.
pub(super) struct Measured {
    /// Per task; empty without validation rows.
    pub(super) scores: Vec<Score>,
    /// What the choice compares.
    pub(super) quality: Quality,
}

/// Measures the model on the validation rows, above what is cached of them.
///
/// # Errors
/// When it is stopped, or libtorch refuses.
pub(super) fn measure(
    plan: &RunPlan,
    model: &Model,
    valid: &Examples,
    cache: &Prefix,
    stop: &AtomicBool,
) -> Result<Measured, Interrupt<ModelError>> {
    let metrics = if valid.is_empty() {
        Vec::new()
    } else {
        metrics(model, valid, &answers_above(model, valid, cache, stop, &mut |_| {})?.predictions)
    };
    let quality = Quality::of_run(plan, &metrics);
    Ok(Measured { scores: metrics.iter().map(TaskMetrics::score).collect(), quality })
}

/// Writes the weights where they are the best so far, and returns whether they are. Where nothing was ever measured, no
/// epoch is the best: the last one is written.
///
/// # Errors
/// When they cannot be written; the earlier ones are intact.
pub(super) fn keep_if_best(
    progress: &mut Progress,
    measured: &Measured,
    checkpointer: &Checkpointer,
    named: impl FnOnce(f64) -> Result<Vec<(String, Tensor)>, ModelError>,
) -> Result<bool, TrainError> {
    let best = progress.best.as_ref().map(|best| best.quality);
    let is_best = !measured.scores.is_empty() && measured.quality.beats(best);
    if is_best {
        let (quality, valid) = (measured.quality, measured.scores.clone());
        progress.best = Some(Best { quality, epoch: progress.epoch, phases: progress.moved, valid });
    }
    if is_best || (progress.best.is_none() && progress.epoch > 0) {
        checkpointer.write_best(&named(progress.unused)?)?;
    }
    Ok(is_best)
}

/// Every parameter under its name, with the full table of token embeddings. `unused` is what weight decay left of the
/// embeddings that no text uses.
///
/// # Errors
/// When libtorch refuses.
pub(super) fn named(
    model: &Model,
    cut: Option<&CutVocabulary>,
    unused: f64,
) -> Result<Vec<(String, Tensor)>, ModelError> {
    let words = cut.map(|cut| model.full_words(cut, unused)).transpose()?;
    let named = model.params.iter().map(|param| {
        let tensor = match &words {
            Some(words) if param.name == model.family.words => words.shallow_clone(),
            _ => param.tensor.shallow_clone(),
        };
        (param.name.clone(), tensor)
    });
    Ok(named.collect())
}
