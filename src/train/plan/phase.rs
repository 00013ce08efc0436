//! A phase: a stretch of training during which the same parameters are frozen, and at which rates the others train.

use crate::model::summary::{Group, Role, TensorInfo};

/// Which parameters of a group train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParamFilter {
    /// Every one.
    #[default]
    All,
    /// `LayerNorm`s only.
    Norms,
    /// Biases only, those of `LayerNorm`s too (`BitFit`, Ben Zaken et al. 2022).
    Biases,
    /// Low-rank adapters beside the linear layers, which stay as they are (`LoRA`, Hu et al. 2021).
    Lora,
}

impl ParamFilter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::Norms, Self::Biases, Self::Lora];

    /// The name in project files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Norms => "norms",
            Self::Biases => "biases",
            Self::Lora => "lora",
        }
    }

    /// Whether a tensor of a group that trains in this way does train.
    #[must_use]
    pub fn covers(self, tensor: &TensorInfo) -> bool {
        match self {
            Self::All => tensor.role() != Role::Adapter,
            Self::Norms => tensor.role() == Role::Norm,
            Self::Biases => tensor.is_bias(),
            Self::Lora => tensor.role() == Role::Adapter,
        }
    }
}

/// What a group of parameters does during a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Thaw {
    /// Not updated, and run in eval mode.
    Frozen,
    /// Updated, with this peak learning rate.
    Trains {
        /// Peak learning rate; the schedule multiplies it by a factor of 0 to 1.
        lr: f64,
        /// Which of its parameters.
        part: ParamFilter,
    },
}

impl Thaw {
    /// All parameters of the group, at this rate.
    #[must_use]
    pub const fn whole(lr: f64) -> Self {
        Self::Trains { lr, part: ParamFilter::All }
    }

    /// The rate, when it trains.
    #[must_use]
    pub const fn lr(self) -> Option<f64> {
        match self {
            Self::Frozen => None,
            Self::Trains { lr, .. } => Some(lr),
        }
    }
}

/// What ends a phase before its epochs are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Nothing.
    #[default]
    Epochs,
    /// So many optimiser steps.
    Steps(usize),
    /// No improvement of the watched figure.
    Plateau {
        /// For so many epochs.
        patience: u32,
    },
}

/// A stretch of training during which the same parameters are frozen.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Shown to the user: `heads only`, `top 2 layers` ...
    pub name: String,
    /// Token, position and type embeddings with their `LayerNorm`.
    pub embeddings: Thaw,
    /// Each encoder layer, from the one next to the embeddings upward.
    pub layers: Vec<Thaw>,
    /// Each task's head, in task order.
    pub heads: Vec<Thaw>,
    /// Peak rate of the learnt weights of the losses, where there are any.
    pub loss_weights: f64,
    /// How long it lasts at most; 0 for a phase that trains nothing.
    pub epochs: u32,
    /// What ends it before that.
    pub until: Until,
}

impl Phase {
    /// What the phase does with a group of parameters.
    #[must_use]
    pub fn thaw(&self, group: Group) -> Thaw {
        match group {
            Group::Embeddings => self.embeddings,
            Group::Layer(index) => self.layers.get(index).copied().unwrap_or(Thaw::Frozen),
            // What turns the last layer's states into the embedding goes along with it.
            Group::Dense => self.layers.last().copied().unwrap_or(Thaw::Frozen),
            Group::Head(index) => self.heads.get(index).copied().unwrap_or(Thaw::Frozen),
            Group::LossWeight(_) if self.trains() => Thaw::whole(self.loss_weights),
            Group::LossWeight(_) | Group::Unused => Thaw::Frozen,
        }
    }

    /// The peak rate of a tensor; `None` when it stays as it is.
    #[must_use]
    pub fn rate(&self, tensor: &TensorInfo) -> Option<f64> {
        match self.thaw(tensor.group) {
            Thaw::Trains { lr, part } if part.covers(tensor) => Some(lr),
            _ => None,
        }
    }

    /// True when a layer, the embeddings or a head trains.
    fn trains(&self) -> bool {
        let all = self.layers.iter().chain(&self.heads).chain([&self.embeddings]);
        all.into_iter().any(|thaw| *thaw != Thaw::Frozen)
    }

    /// Optimiser steps at most, with so many to an epoch.
    #[must_use]
    pub fn steps(&self, steps_per_epoch: usize) -> usize {
        let all = self.epochs as usize * steps_per_epoch;
        match self.until {
            Until::Steps(steps) => steps.min(all),
            Until::Epochs | Until::Plateau { .. } => all,
        }
    }

    /// Epochs at most, the last of which may be cut short by the phase's own number of steps.
    #[must_use]
    pub fn planned_epochs(&self, steps_per_epoch: usize) -> u32 {
        match self.until {
            Until::Steps(steps) => {
                let epochs = u32::try_from(steps.div_ceil(steps_per_epoch.max(1))).unwrap_or(u32::MAX);
                epochs.min(self.epochs)
            }
            Until::Epochs | Until::Plateau { .. } => self.epochs,
        }
    }

    /// The frost line: how many layers, counted from the embeddings, stay frozen below everything that trains.
    /// `None` when the embeddings train, so that nothing is frozen below.
    #[must_use]
    pub fn frozen_prefix(&self) -> Option<usize> {
        if self.embeddings != Thaw::Frozen {
            return None;
        }
        Some(self.layers.iter().take_while(|layer| **layer == Thaw::Frozen).count())
    }

    /// True when only heads train, or nothing at all.
    #[must_use]
    pub fn encoder_is_frozen(&self) -> bool {
        self.frozen_prefix() == Some(self.layers.len())
    }
}
