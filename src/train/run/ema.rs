//! An exponential moving average of the weights: calmer than the weights of any one step.

use std::collections::BTreeMap;

use tch::Tensor;

use crate::model::ModelError;
use crate::model::params::Params;

/// The average of every parameter that ever trains; starts as the weights are at the beginning.
///
/// The decay warms up: of few steps, one close to 1 would keep little but the start.
#[derive(Debug)]
pub(in crate::train) struct Ema {
    /// The decay that the recipe asks for.
    decay: f64,
    /// How far it is.
    pub(in crate::train) state: EmaState,
    shadows: BTreeMap<usize, Tensor>,
}

/// What an average remembers beside its tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmaState {
    /// Steps taken in.
    pub updates: usize,
    /// The average of what weight decay left of the embeddings that no text names.
    pub unused: f64,
}

impl Default for EmaState {
    fn default() -> Self {
        Self { updates: 0, unused: 1.0 }
    }
}

impl EmaState {
    /// The decay of the next step: `min(decay, (1 + t) / (10 + t))` after `t` steps.
    fn decay(self, decay: f64) -> f64 {
        let t = self.updates as f64;
        decay.min((1.0 + t) / (10.0 + t))
    }

    /// Takes a step in.
    fn update(&mut self, decay: f64, unused: f64) {
        self.unused = decay * self.unused + (1.0 - decay) * unused;
        self.updates += 1;
    }
}

impl Ema {
    /// Of the parameters for which `trains` holds, as they are now.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub(in crate::train) fn new(
        params: &Params,
        decay: f64,
        trains: impl Fn(usize) -> bool,
    ) -> Result<Self, ModelError> {
        let _guard = tch::no_grad_guard();
        let mut shadows = BTreeMap::new();
        for (index, param) in params.iter().enumerate().filter(|(index, _)| trains(*index)) {
            shadows.insert(index, param.tensor.f_detach()?.f_mul_scalar(1.0)?);
        }
        Ok(Self { decay, state: EmaState::default(), shadows })
    }

    /// Moves the average by `1 - decay` towards the weights as they are now, and to `unused` of the embeddings that no
    /// text names.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub(in crate::train) fn update(&mut self, params: &Params, unused: f64) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let decay = self.state.decay(self.decay);
        for (index, shadow) in &mut self.shadows {
            if let Some(param) = params.at(*index) {
                drop(shadow.f_lerp_(&param.tensor.f_detach()?, 1.0 - decay)?);
            }
        }
        self.state.update(decay, unused);
        Ok(())
    }

    /// Exchanges weights and average, `unused` too; twice is as if nothing had happened.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub(in crate::train) fn swap(&mut self, params: &Params, unused: &mut f64) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        std::mem::swap(&mut self.state.unused, unused);
        for (index, shadow) in &mut self.shadows {
            let Some(param) = params.at(*index) else { continue };
            let weights = param.tensor.f_detach()?.f_mul_scalar(1.0)?;
            param.tensor.f_detach()?.f_copy_(shadow)?;
            *shadow = weights;
        }
        Ok(())
    }

    /// The averages, by index of their parameter.
    pub(in crate::train) fn iter(&self) -> impl Iterator<Item = (usize, &Tensor)> {
        self.shadows.iter().map(|(index, shadow)| (*index, shadow))
    }

    /// Puts averages of a checkpoint in place.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub(in crate::train) fn restore(&mut self, index: usize, saved: &Tensor) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        if let Some(shadow) = self.shadows.get_mut(&index) {
            shadow.f_copy_(saved)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_warms_up_to_the_recipe_s() {
        let after = |updates| EmaState { updates, unused: 1.0 }.decay(0.999);
        assert_eq!((after(0), after(1), after(90)), (0.1, 2.0 / 11.0, 0.91));
        assert_eq!(after(8990), 0.999);
        assert_eq!(EmaState::default().decay(0.05), 0.05);
    }

    #[test]
    fn what_is_left_of_unused_embeddings_is_averaged_as_a_weight_is() {
        let (mut state, mut left) = (EmaState::default(), 1.0);
        let mut average = 1.0;
        for step in 0..30_u32 {
            left *= 0.99;
            let decay = 0.9_f64.min(f64::from(1 + step) / f64::from(10 + step));
            average += (1.0 - decay) * (left - average);
            let decay = state.decay(0.9);
            state.update(decay, left);
        }
        assert!((state.unused - average).abs() < 1e-12 && state.updates == 30, "{state:?} is not {average}");
        assert!(state.unused > left + 0.01, "it lags behind");
    }
}
