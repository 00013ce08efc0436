//! `Dense` modules of sentence-transformers: linear layers behind the pooling, each with an activation, whose output
//! is the sentence embedding. They must never know a head.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tch::{Device, Tensor};

use super::error::ModelError;
use super::files::read_json;
use super::files::weight_files::Stored;
use super::layers::Linear;
use super::params::{Param, Params};
use super::summary::{Group, TensorInfo};

/// What follows the linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenseActivation {
    /// Nothing.
    Identity,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `x Phi(x)`.
    Gelu,
    /// `x sigmoid(x)`.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
}

/// Each activation with the class of torch that its config.json names.
const ACTIVATIONS: [(DenseActivation, &str); 6] = [
    (DenseActivation::Identity, "torch.nn.modules.linear.Identity"),
    (DenseActivation::Tanh, "torch.nn.modules.activation.Tanh"),
    (DenseActivation::Relu, "torch.nn.modules.activation.ReLU"),
    (DenseActivation::Gelu, "torch.nn.modules.activation.GELU"),
    (DenseActivation::Silu, "torch.nn.modules.activation.SiLU"),
    (DenseActivation::Sigmoid, "torch.nn.modules.activation.Sigmoid"),
];

impl DenseActivation {
    /// The class of torch.
    #[must_use]
    pub fn class(self) -> &'static str {
        ACTIVATIONS.iter().find(|(known, _)| *known == self).map_or("", |(_, class)| class)
    }

    /// The class without its package: `Tanh`.
    #[must_use]
    pub fn name(self) -> &'static str {
        last_part(self.class())
    }

    fn of_class(class: &str) -> Option<Self> {
        // `torch.nn.Tanh` is the same class by a shorter road.
        let known = ACTIVATIONS.iter().find(|(_, known)| last_part(known) == last_part(class));
        known.filter(|_| class.starts_with("torch.nn.")).map(|(activation, _)| *activation)
    }

    fn forward(self, x: Tensor) -> Result<Tensor, ModelError> {
        Ok(match self {
            Self::Identity => x,
            Self::Tanh => x.f_tanh()?,
            Self::Relu => x.f_relu()?,
            Self::Gelu => x.f_gelu("none")?,
            Self::Silu => x.f_silu()?,
            Self::Sigmoid => x.f_sigmoid()?,
        })
    }
}

fn last_part(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// Sizes of a Dense module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseSpec {
    /// Values that come in.
    pub input: usize,
    /// Values that go out.
    pub output: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// What follows.
    pub activation: DenseActivation,
}

impl DenseSpec {
    /// What a person reads: `768 to 512, Tanh`.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{} to {}, {}", self.input, self.output, self.activation.name())
    }

    /// Its tensors as the `index`th Dense module: a weight `[out, in]` and, where it has one, a bias `[out]`.
    #[must_use]
    pub fn tensors(&self, index: usize) -> Vec<TensorInfo> {
        let tensor = |last: &str, shape: Vec<i64>| TensorInfo {
            name: format!("{}.{last}", name(index)),
            shape,
            group: Group::Dense,
        };
        let (input, output) = (self.input as i64, self.output as i64);
        let mut tensors = vec![tensor("weight", vec![output, input])];
        tensors.extend(self.bias.then(|| tensor("bias", vec![output])));
        tensors
    }
}

/// What its tensors' names start with.
fn name(index: usize) -> String {
    format!("dense.{index}")
}

/// A Dense module of a model folder.
#[derive(Clone, Debug)]
pub(super) struct DenseFolder {
    pub(super) spec: DenseSpec,
    /// Holds `config.json` and the weights.
    dir: PathBuf,
}

impl DenseFolder {
    /// Reads its `config.json`.
    pub(super) fn read(dir: PathBuf) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let config = read_json(&path)?;
        let bad = |reason: String| ModelError::BadJson { path: path.clone(), reason };
        let size = |key: &str| {
            let size = config.get(key).and_then(Value::as_u64).filter(|size| *size > 0);
            let found = config.get(key).unwrap_or(&Value::Null);
            size.map(|size| size as usize)
                .ok_or_else(|| bad(format!("{key} is {found}, expected a number of values")))
        };
        for (key, usual) in [("module_input_name", EMBEDDING), ("module_output_name", EMBEDDING)] {
            if let Some(other) = config.get(key).and_then(Value::as_str).filter(|name| *name != usual) {
                return Err(bad(format!(
                    "{key} is {other}; only Dense modules on the {usual} are supported"
                )));
            }
        }
        let activation = match config.get("activation_function") {
            None | Some(Value::Null) => DenseActivation::Identity,
            Some(Value::String(class)) => DenseActivation::of_class(class).ok_or_else(|| {
                let known = ACTIVATIONS.map(|(activation, _)| activation.name()).join(", ");
                bad(format!("its activation_function is {class}, which is not supported; known are {known}"))
            })?,
            Some(other) => {
                return Err(bad(format!("activation_function is {other}, expected the name of a class")));
            }
        };
        let bias = match config.get("bias") {
            None => true,
            Some(Value::Bool(bias)) => *bias,
            Some(other) => return Err(bad(format!("bias is {other}, expected true or false"))),
        };
        let spec = DenseSpec { input: size("in_features")?, output: size("out_features")?, bias, activation };
        Ok(Self { spec, dir })
    }

    /// What comes in must be what the module before gives.
    pub(super) fn check_input(&self, given: usize) -> Result<(), ModelError> {
        let wanted = self.spec.input;
        if wanted == given {
            return Ok(());
        }
        let reason = format!("in_features is {wanted}, but {given} values come from the module before it");
        Err(ModelError::BadJson { path: self.dir.join("config.json"), reason })
    }

    /// Its weights, opened.
    pub(super) fn weights(&self) -> Result<Stored, ModelError> {
        Stored::of_folder(&self.dir)
    }

    /// Reads its weights as the `index`th Dense module.
    pub(super) fn load(
        &self,
        weights: &Stored,
        index: usize,
        device: Device,
    ) -> Result<Vec<Param>, ModelError> {
        let own = |info: TensorInfo| TensorInfo { name: last_part(&info.name).to_owned(), ..info };
        let expected: Vec<TensorInfo> = self.spec.tensors(index).into_iter().map(own).collect();
        let loaded = weights.read("linear.", &expected, device)?;
        let renamed = |param: Param| Param { name: format!("{}.{}", name(index), param.name), ..param };
        Ok(loaded.params.into_iter().map(renamed).collect())
    }
}

/// What Dense modules of sentence-transformers read and write where they say nothing.
const EMBEDDING: &str = "sentence_embedding";

/// The Dense modules of a model, in order, over its parameters.
#[derive(Debug, Default)]
pub(super) struct DenseLayers(Vec<(Linear, DenseActivation)>);

impl DenseLayers {
    pub(super) fn over(params: &Params, specs: &[DenseSpec]) -> Result<Self, ModelError> {
        let layer =
            |(index, spec): (usize, &DenseSpec)| Ok((Linear::new(params, &name(index))?, spec.activation));
        specs.iter().enumerate().map(layer).collect::<Result<_, ModelError>>().map(Self)
    }

    /// `[batch, hidden]` to `[batch, embedding]`.
    pub(super) fn forward(&self, pooled: Tensor) -> Result<Tensor, ModelError> {
        self.0.iter().try_fold(pooled, |x, (linear, activation)| activation.forward(linear.forward(&x)?))
    }
}

/// A module's weight and, where it has one, its bias.
pub(crate) fn tensors_of(params: &Params, index: usize) -> Result<(Tensor, Option<Tensor>), ModelError> {
    let name = name(index);
    Ok((params.get(&format!("{name}.weight"))?, params.find(&format!("{name}.bias"))))
}

/// What the user should know of a model with Dense modules.
pub(super) fn note(specs: &[DenseSpec]) -> Option<String> {
    let told: Vec<String> = specs.iter().map(DenseSpec::told).collect();
    let modules = if specs.len() == 1 { "A Dense module follows" } else { "Dense modules follow" };
    (!specs.is_empty()).then(|| {
        format!(
            "{modules} the pooling ({}): what comes out is the sentence embedding, which the heads read. Dense \
             modules train and are frozen with the encoder's last layer.",
            told.join("; ")
        )
    })
}

/// Bytes of all files, and the files one behind the other: the encoder's weights, then those of the Dense modules.
pub(super) fn digest(encoder: &Stored, dense: &[Stored]) -> Result<(u64, String), ModelError> {
    let all = || std::iter::once(encoder).chain(dense);
    let paths: Vec<&Path> = all().flat_map(Stored::paths).collect();
    Ok((all().map(Stored::bytes).sum(), super::files::weight_files::sha256_of(paths)?))
}
