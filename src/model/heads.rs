//! Task heads on the sentence embedding, or on the token states.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use super::error::ModelError;
use super::layers::dropout;
use super::params::{Param, Params};
use super::room;
use super::summary::{Group, TensorInfo};
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
    /// Units of a hidden layer with tanh before the output; `None` for a linear head.
    pub hidden_units: Option<usize>,
}

impl HeadSpec {
    /// Values that the head gives per text, or per token; 0 for a kind without parameters.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.kind {
            TaskKind::SingleLabel | TaskKind::MultiLabel | TaskKind::TokenLabels => self.classes.len(),
            TaskKind::Score => 1,
            TaskKind::Similarity | TaskKind::Ranking => 0,
        }
    }

    /// Its tensors, for an encoder of `hidden` values: linear weights `[out, in]` and biases `[out]`.
    #[must_use]
    pub fn tensors(&self, index: usize, hidden: usize) -> Vec<TensorInfo> {
        if !self.kind.has_head() {
            return Vec::new();
        }
        let group = Group::Head(index);
        let both = |name: String, out: usize, input: usize| {
            let size = |units: usize| i64::try_from(units).unwrap_or(i64::MAX);
            let (out, input) = (size(out), size(input));
            [
                TensorInfo { name: format!("{name}.weight"), shape: vec![out, input], group },
                TensorInfo { name: format!("{name}.bias"), shape: vec![out], group },
            ]
        };
        let name = format!("heads.{}", self.task);
        let mut tensors = Vec::new();
        if let Some(units) = self.hidden_units {
            tensors.extend(both(format!("{name}.{HIDDEN}"), units, hidden));
        }
        tensors.extend(both(name, self.outputs(), self.hidden_units.unwrap_or(hidden)));
        tensors
    }
}

/// What the tensors of a head's hidden layer are called below the head's own name.
const HIDDEN: &str = "hidden";

/// `logits = embedding W^T + b`, with a hidden layer and tanh before it where the task asks for one.
#[derive(Debug)]
pub struct Head {
    /// What it predicts.
    pub spec: HeadSpec,
    hidden: Option<(Tensor, Tensor)>,
    /// `None` for a kind without parameters.
    output: Option<(Tensor, Tensor)>,
}

impl Head {
    /// The head over parameters that are there already.
    pub fn over(params: &Params, spec: HeadSpec) -> Result<Self, ModelError> {
        let both = |name: &str| -> Result<(Tensor, Tensor), ModelError> {
            Ok((params.get(&format!("{name}.weight"))?, params.get(&format!("{name}.bias"))?))
        };
        let name = format!("heads.{}", spec.task);
        let hidden_units = spec.hidden_units.filter(|_| spec.kind.has_head());
        let hidden = hidden_units.map(|_| both(&format!("{name}.{HIDDEN}"))).transpose()?;
        let output = spec.kind.has_head().then(|| both(&name)).transpose()?;
        Ok(Self { spec, hidden, output })
    }

    /// `[..., hidden]` to `[..., outputs]`; `p` is the dropout on what comes in. A kind without parameters gives
    /// back what came in.
    pub fn forward(&self, states: &Tensor, p: f64) -> Result<Tensor, ModelError> {
        let Some((weight, bias)) = &self.output else { return Ok(states.shallow_clone()) };
        let mut states = dropout(states.shallow_clone(), p)?;
        if let Some((weight, bias)) = &self.hidden {
            states = dropout(states.f_linear(weight, Some(bias))?.f_tanh()?, p)?;
        }
        Ok(states.f_linear(weight, Some(bias))?)
    }
}

/// New head parameters, uniform in +-1/sqrt(in) as `torch.nn.Linear` starts them. Each head draws from a stream of
/// its own, so that adding a task does not change how another starts.
pub fn initial(
    index: usize,
    spec: &HeadSpec,
    hidden: usize,
    seed: u64,
    device: Device,
) -> Result<Vec<Param>, ModelError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 + index as u64);
    let mut bound = 1.0;
    let mut params = Vec::new();
    let tensors = spec.tensors(index, hidden);
    room::check_tensors(&tensors, || {
        let units =
            spec.hidden_units.map_or_else(String::new, |units| format!(" with hidden_units = {units}"));
        format!("the head of task \"{}\"{units}", spec.task)
    })?;
    for info in tensors {
        // A bias follows its weight, and is drawn from the same range.
        if let [_, input] = info.shape[..] {
            bound = 1.0 / (input.max(1) as f32).sqrt();
        }
        let values: Vec<f32> = (0..info.elements()).map(|_| rng.random_range(-bound..=bound)).collect();
        let tensor = Tensor::f_from_slice(&values)?.f_view(info.shape.as_slice())?.f_to_device(device)?;
        params.push(Param { name: info.name, group: info.group, tensor });
    }
    Ok(params)
}
