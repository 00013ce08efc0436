//! Task heads on the sentence embedding.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use super::error::ModelError;
use super::layers::dropout;
use super::params::{Param, Params};
use super::summary::TensorInfo;
use crate::data::task::{Scale, TaskKind};

/// A task as its head knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadSpec {
    /// The task.
    pub task: String,
    /// What it predicts.
    pub kind: TaskKind,
    /// The classes in the order of the logits; none where the kind has no classes.
    pub classes: Vec<String>,
    /// How numbers are told to the model; for kinds that predict one.
    pub scale: Scale,
}

/// A linear classifier on the pooled embedding: `logits = embedding W^T + b`.
#[derive(Debug)]
pub struct Head {
    /// What it tells apart.
    pub spec: HeadSpec,
    weight: Tensor,
    bias: Tensor,
}

impl Head {
    /// The head over parameters that are there already.
    pub fn over(params: &Params, spec: HeadSpec) -> Result<Self, ModelError> {
        let weight = params.get(&format!("heads.{}.weight", spec.task))?;
        let bias = params.get(&format!("heads.{}.bias", spec.task))?;
        Ok(Self { spec, weight, bias })
    }

    /// `[batch, hidden]` to logits `[batch, classes]`; `p` is the dropout on the embedding.
    pub fn forward(&self, embedding: &Tensor, p: f64) -> Result<Tensor, ModelError> {
        let embedding = dropout(embedding.shallow_clone(), p)?;
        Ok(embedding.f_linear(&self.weight, Some(&self.bias))?)
    }
}

/// New head parameters, uniform in +-1/sqrt(hidden) as `torch.nn.Linear` starts them. Each head draws from a
/// stream of its own, so that adding a task does not change how another starts.
pub fn initial(
    index: usize,
    spec: &HeadSpec,
    hidden: usize,
    seed: u64,
    device: Device,
) -> Result<[Param; 2], ModelError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 + index as u64);
    let bound = 1.0 / (hidden.max(1) as f32).sqrt();
    let infos = TensorInfo::of_head(index, &spec.task, hidden, spec.classes.len());
    let mut draw = |info: TensorInfo| -> Result<Param, ModelError> {
        let values: Vec<f32> = (0..info.elements()).map(|_| rng.random_range(-bound..=bound)).collect();
        let tensor = Tensor::f_from_slice(&values)?.f_view(info.shape.as_slice())?.f_to_device(device)?;
        Ok(Param { name: info.name, group: info.group, tensor })
    };
    let [weight, bias] = infos;
    Ok([draw(weight)?, draw(bias)?])
}
