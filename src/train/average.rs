//! An exponential moving average of the weights: calmer than the weights of any one step.

use std::collections::BTreeMap;

use tch::Tensor;

use crate::model::ModelError;
use crate::model::params::Params;

/// The average of every parameter that ever trains; starts as the weights are at the beginning.
#[derive(Debug)]
pub(super) struct Average {
    decay: f64,
    shadows: BTreeMap<usize, Tensor>,
}

impl Average {
    /// Of the parameters for which `trains` holds, as they are now.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub(super) fn new(
        params: &Params,
        decay: f64,
        trains: impl Fn(usize) -> bool,
    ) -> Result<Self, ModelError> {
        let _guard = tch::no_grad_guard();
        let mut shadows = BTreeMap::new();
        for (index, param) in params.iter().enumerate().filter(|(index, _)| trains(*index)) {
            shadows.insert(index, param.tensor.f_detach()?.f_mul_scalar(1.0)?);
        }
        Ok(Self { decay, shadows })
    }

    /// Moves the average by `1 - decay` towards the weights as they are now.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub(super) fn follow(&mut self, params: &Params) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        for (index, shadow) in &mut self.shadows {
            if let Some(param) = params.at(*index) {
                drop(shadow.f_lerp_(&param.tensor.f_detach()?, 1.0 - self.decay)?);
            }
        }
        Ok(())
    }

    /// Exchanges weights and average; twice is as if nothing had happened.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub(super) fn exchange(&mut self, params: &Params) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        for (index, shadow) in &mut self.shadows {
            let Some(param) = params.at(*index) else { continue };
            let weights = param.tensor.f_detach()?.f_mul_scalar(1.0)?;
            param.tensor.f_detach()?.f_copy_(shadow)?;
            *shadow = weights;
        }
        Ok(())
    }

    /// The averages, by index of their parameter.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Tensor)> {
        self.shadows.iter().map(|(index, shadow)| (*index, shadow))
    }

    /// Puts averages of a checkpoint in place.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub(super) fn restore(&mut self, index: usize, saved: &Tensor) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        if let Some(shadow) = self.shadows.get_mut(&index) {
            shadow.f_copy_(saved)?;
        }
        Ok(())
    }
}
