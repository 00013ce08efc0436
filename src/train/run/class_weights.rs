//! Weights of classes that balance how often each occurs among the training rows.

use tch::{Device, Kind, Tensor};

use crate::model::ModelError;
use crate::train::examples::{NO_LABEL, NO_TAG, Targets};

/// The largest weight of a class. A single label's weights have a mean of 1 over the training rows, so one row counts at
/// most as much as this many average rows; beyond that a few rows, right or wrong, decide every step they are in.
pub(in crate::train) const MOST: f64 = 100.0;

/// The weights of a task's classes.
#[derive(Debug)]
pub(in crate::train) struct ClassWeights {
    /// By class; 0 for a class without training rows.
    weights: Vec<f32>,
    /// The same where the model is, `[classes]`.
    on_device: Tensor,
    /// Classes whose weight was capped, with the weight they would have.
    pub(in crate::train) capped: Vec<(usize, f64)>,
}

impl ClassWeights {
    /// Weights that balance the classes of some targets; `None` for a kind without classes.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub(in crate::train) fn balanced(
        targets: &Targets,
        classes: usize,
        device: Device,
    ) -> Result<Option<Self>, ModelError> {
        let Some(balanced) = balanced(targets, classes) else { return Ok(None) };
        let over = |(_, weight): &(usize, f64)| *weight > MOST;
        let capped = balanced.iter().copied().enumerate().filter(over).collect();
        let weights: Vec<f32> = balanced.into_iter().map(|weight| weight.min(MOST) as f32).collect();
        let on_device = Tensor::f_from_slice(&weights)?.f_to_device(device)?;
        Ok(Some(Self { weights, on_device, capped }))
    }

    /// The weight of a class.
    pub(in crate::train) fn of(&self, class: u32) -> f64 {
        self.weights.get(class as usize).copied().map_or(0.0, f64::from)
    }

    /// The weight of every label of `[n]`, 0 where there is none.
    ///
    /// # Errors
    /// When libtorch refuses a label.
    pub(in crate::train) fn of_labels(&self, labels: &Tensor) -> Result<Tensor, ModelError> {
        let is_labelled = labels.f_ne(NO_LABEL)?.f_to_kind(Kind::Float)?;
        Ok(self.on_device.f_index_select(0, &labels.f_clamp_min(0)?)?.f_mul(&is_labelled)?)
    }

    /// The weight of every class of rows of zeros and ones `[n, classes]`: its own where it is 1, else 1.
    ///
    /// # Errors
    /// When libtorch refuses the shape.
    pub(in crate::train) fn of_sets(&self, sets: &Tensor) -> Result<Tensor, ModelError> {
        Ok(sets.f_mul(&self.on_device.f_sub_scalar(1.0)?)?.f_add_scalar(1.0)?)
    }
}

/// `rows / (classes * rows of class)` for single labels, as scikit-learn's `class_weight="balanced"`, over the classes
/// that occur; for sets, how much more often a class is absent than present. 0 for a class that never occurs.
fn balanced(targets: &Targets, classes: usize) -> Option<Vec<f64>> {
    let mut counts = vec![0usize; classes];
    let mut rows = 0usize;
    let mut add = |class: &u32| {
        if let Some(count) = counts.get_mut(*class as usize) {
            *count += 1;
        }
    };
    match targets {
        Targets::Class(labels) => {
            for class in labels.iter().flatten() {
                rows += 1;
                add(class);
            }
        }
        Targets::Classes(labels) => {
            for set in labels.iter().flatten() {
                rows += 1;
                set.iter().for_each(&mut add);
            }
        }
        Targets::Tags(labels) => {
            for tag in labels.iter().flatten().flatten().filter(|tag| **tag != NO_TAG) {
                rows += 1;
                add(tag);
            }
        }
        Targets::Number(_) | Targets::Pair(_) => return None,
    }
    let occurring = counts.iter().filter(|count| **count > 0).count() as f64;
    let is_sets = matches!(targets, Targets::Classes(_));
    let weight = |count: &usize| match (*count, is_sets) {
        (0, _) => 0.0,
        (count, true) => rows.saturating_sub(count).max(1) as f64 / count as f64,
        (count, false) => rows as f64 / (occurring * count as f64),
    };
    Some(counts.iter().map(weight).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(targets: &Targets, classes: usize) -> ClassWeights {
        ClassWeights::balanced(targets, classes, Device::Cpu).unwrap().unwrap()
    }

    fn single(counts: &[usize]) -> Targets {
        let classes = (0..).zip(counts).flat_map(|(class, count)| vec![Some(class); *count]);
        Targets::Class(classes.chain([None]).collect())
    }

    #[test]
    fn a_class_without_rows_weighs_nothing_and_leaves_the_others_as_they_are() {
        let without = weights(&single(&[6, 3]), 2);
        let with = weights(&single(&[6, 0, 3]), 3);
        assert_eq!(without.weights, [0.75, 1.5]);
        assert_eq!(with.weights, [0.75, 0.0, 1.5]);
        let tags = Targets::Tags(vec![Some(vec![0, NO_TAG, 0, 2]), None, Some(vec![0])]);
        assert_eq!(weights(&tags, 3).weights, [4.0 / 6.0, 0.0, 2.0]);
        let sets = Targets::Classes(vec![Some(vec![0]), Some(vec![]), None, Some(vec![0, 2]), Some(vec![])]);
        assert_eq!(weights(&sets, 3).weights, [1.0, 0.0, 3.0]);
        assert!(balanced(&Targets::Number(vec![Some(1.0)]), 0).is_none());
    }

    #[test]
    fn weights_are_capped_and_remember_what_they_would_be() {
        let rare = weights(&single(&[1000, 1]), 2);
        assert_eq!(rare.weights, [0.5005, 100.0]);
        assert_eq!(rare.capped, [(1, 500.5)]);
        assert!(weights(&single(&[180, 19, 1]), 3).capped.is_empty());
    }
}
