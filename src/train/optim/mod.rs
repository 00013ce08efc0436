//! Adam, `AdamW`, SGD and clipping by the global norm, equal to `torch.optim` step by step.
//!
//! The state of a parameter is made when its first gradient arrives and waits while it is frozen; a parameter
//! without a gradient is skipped wholly, as `PyTorch` skips one whose gradient is `None`. [`memory`] is one pass over
//! the values, for the CPU; [`queued`] is operations that a device does in its own time.

mod adam;
mod memory;
mod queued;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tch::Tensor;

pub use self::adam::Update;

use self::adam::{State, States};
use super::plan::recipe::OptimizerKind;
use crate::model::ModelError;

/// How a step is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// One pass over the values in memory: parameters on the CPU alone.
    Memory,
    /// Operations that are queued where the parameters are, and that nothing waits for.
    Queued,
}

/// The optimiser: a rule, and a state per parameter that ever had a gradient.
#[derive(Debug)]
pub struct Optimizer {
    kind: OptimizerKind,
    pass: Kernel,
    states: States,
}

impl Optimizer {
    /// Without any state yet.
    #[must_use]
    pub fn new(kind: OptimizerKind, pass: Kernel) -> Self {
        Self { kind, pass, states: BTreeMap::new() }
    }

    /// What it remembers of each parameter, by index: first moment, second moment, steps done on it.
    pub fn states(&self) -> impl Iterator<Item = (usize, &Tensor, &Tensor, i32)> {
        self.states.iter().map(|(index, state)| (*index, &state.first, &state.second, state.steps))
    }

    /// Puts back what it remembered of a parameter.
    pub fn restore(&mut self, index: usize, first: Tensor, second: Tensor, steps: i32) {
        self.states.insert(index, State { first, second, steps });
    }

    /// Updates every parameter, with gradients scaled down where all of them together are longer than `max_norm`. Gives
    /// their 2-norm before that, a float64 scalar where the parameters are: whether it is a number is for the caller
    /// to see.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn step(&mut self, updates: &[Update], max_norm: Option<f64>) -> Result<Tensor, ModelError> {
        let _guard = tch::no_grad_guard();
        if self.kind != OptimizerKind::Sgd {
            count(&mut self.states, updates)?;
        }
        match self.pass {
            Kernel::Memory => memory::step(self.kind, updates, &mut self.states, max_norm),
            Kernel::Queued => queued::step(self.kind, updates, &mut self.states, max_norm),
        }
    }
}

/// Counts a step on every parameter, and makes the moments of those that have none yet.
fn count(states: &mut States, updates: &[Update]) -> Result<(), ModelError> {
    for update in updates {
        let state = match states.entry(update.index) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let (first, second) = (update.param.f_zeros_like()?, update.param.f_zeros_like()?);
                new.insert(State { first, second, steps: 0 })
            }
        };
        state.steps += 1;
    }
    Ok(())
}

/// Whether weight decay applies to a tensor: not to biases and not to the gains of norms.
#[must_use]
pub fn decays(name: &str, shape: &[i64]) -> bool {
    shape.len() > 1 && !name.ends_with("bias")
}
