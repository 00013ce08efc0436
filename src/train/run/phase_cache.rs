//! What is computed once for a phase: everything below its frost line, for the training and the validation texts.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::fit_event::FitEvent;
use super::step::reads_tokens;
use crate::model::{Model, ModelError};
use crate::train::cache::{self, Budget, Depth, Prefix};
use crate::train::examples::Examples;
use crate::train::interrupt::Interrupt;
use crate::train::plan::{Phase, RunPlan};

/// How often a note says how far the computation is.
const NOTE_EVERY: Duration = Duration::from_millis(500);

/// The cached part of the encoder in a phase; `None` where caching does not pay. Pooled vectors where the whole encoder
/// is frozen; else the token states at the frost line, which pay from the second epoch on.
fn depth(plan: &RunPlan, phase: &Phase) -> Option<Depth> {
    let frozen = phase.frozen_prefix().filter(|_| phase.epochs > 0)?;
    if phase.encoder_is_frozen() && !reads_tokens(plan) {
        Some(Depth::Pooled)
    } else {
        (phase.epochs > 1).then_some(Depth::Layer(frozen))
    }
}

/// Computes the caches of a phase for the training and the validation texts, in this order. States that outgrow the
/// memory budget go to a temporary file in `spill_dir`.
///
/// # Errors
/// When it is stopped, the model refuses a text, or the temporary file cannot be written.
pub(super) fn build(
    plan: &RunPlan,
    phase: &Phase,
    model: &Model,
    rows: [&Examples; 2],
    spill_dir: &Path,
    stop: &AtomicBool,
    report: &mut dyn FnMut(FitEvent),
) -> Result<[Prefix; 2], Interrupt<ModelError>> {
    let Some(depth) = depth(plan, phase) else { return Ok([Prefix::None, Prefix::None]) };
    let budget =
        Budget { half: plan.recipe.half_cache, spill: Some(spill_dir.to_owned()), ..Budget::default() };
    let [train, valid] = rows;
    let mut notes = Notes { depth, total: train.texts() + valid.texts(), last: Instant::now(), report };
    let train_prefix = cache::build(model, train, depth, &budget, stop, &mut |done| notes.progress(done))?;
    let before = train.texts();
    let valid_prefix =
        cache::build(model, valid, depth, &budget, stop, &mut |done| notes.progress(before + done))?;
    Ok([train_prefix, valid_prefix])
}

/// Reports how far the computation is, twice a second.
struct Notes<'a> {
    depth: Depth,
    total: usize,
    last: Instant,
    report: &'a mut dyn FnMut(FitEvent),
}

impl Notes<'_> {
    fn progress(&mut self, done: usize) {
        if self.last.elapsed() <= NOTE_EVERY && done < self.total {
            return;
        }
        self.last = Instant::now();
        let what = match self.depth {
            Depth::Pooled => "pooled vectors",
            Depth::Layer(_) => "token states at the frost line",
        };
        (self.report)(FitEvent::Note(format!("computing {what} once: {done} of {}", self.total)));
    }
}

/// Whether nothing below a prefix trains in any phase of the plan.
pub(super) fn holds_throughout(plan: &RunPlan, prefix: &Prefix) -> bool {
    match prefix {
        Prefix::None => false,
        Prefix::Pooled(_) => plan.phases.iter().all(Phase::encoder_is_frozen),
        Prefix::HiddenStates(states) => {
            let is_frozen =
                |phase: &Phase| phase.frozen_prefix().is_some_and(|frozen| frozen >= states.depth());
            plan.phases.iter().all(is_frozen)
        }
    }
}
