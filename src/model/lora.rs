//! Low-rank adapters (Hu et al. 2021): two small matrices beside a linear layer that train in its place, and are
//! added into it when the run is over: `W + alpha / rank * up down`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::error::ModelError;
use super::model::Model;
use super::params::Param;
use super::room;
use super::summary::{Group, LORA_DOWN, LORA_UP, ModelSummary, Role, TensorInfo};

/// Adapters of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lora {
    /// Rows of the matrix that leads down, and columns of the one that leads up.
    pub rank: usize,
    /// What the adapter adds is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Which linear layers have one.
    pub targets: LoraTargets,
}

impl Default for Lora {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: LoraTargets::All }
    }
}

impl Lora {
    /// What the adapter's product is multiplied by.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank.max(1) as f64
    }
}

/// Linear layers that get an adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoraTargets {
    /// Queries and values, as in the paper.
    QueryValue,
    /// Every projection of the attention.
    Attention,
    /// Every linear layer of the encoder's layers.
    #[default]
    All,
}

impl LoraTargets {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::QueryValue, Self::Attention, Self::All];

    /// The name in project files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::QueryValue => "query-value",
            Self::Attention => "attention",
            Self::All => "all",
        }
    }

    /// Whether the linear layer of this name has one. Families call the parts differently, but an attention is
    /// called so by all of them, and a query begins with q. Where one layer gives queries, keys and values it cannot
    /// be had in parts.
    fn covers(self, linear: &str) -> bool {
        let last = linear.rsplit('.').next().unwrap_or_default();
        let in_attention = linear.split('.').any(|part| part.starts_with("attention") || part == "attn");
        match self {
            Self::QueryValue => {
                in_attention && (last.starts_with('q') || last.starts_with('v') || last == "Wqkv")
            }
            Self::Attention => in_attention,
            Self::All => true,
        }
    }
}

impl ModelSummary {
    /// The tensors of the adapters, two per linear layer.
    #[must_use]
    pub fn adapters(&self, lora: &Lora) -> Vec<TensorInfo> {
        let rank = i64::try_from(lora.rank).unwrap_or(i64::MAX);
        let beside = |tensor: &TensorInfo| {
            let linear = tensor.name.strip_suffix(".weight")?;
            let [out, input] = tensor.shape[..] else { return None };
            let fits = matches!(tensor.group, Group::Layer(_))
                && tensor.role() == Role::Weight
                && lora.targets.covers(linear);
            fits.then(|| TensorInfo::of_adapter(linear, (out, input), rank, tensor.group))
        };
        self.tensors.iter().filter_map(beside).flatten().collect()
    }
}

impl Model {
    /// Puts adapters beside the linear layers. They add nothing yet: one of the matrices starts at zero, the other
    /// uniform in +-1/sqrt(in), as `peft` starts them.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn attach_lora(&mut self, lora: &Lora, seed: u64) -> Result<(), ModelError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // The heads draw from the streams that follow 0.
        rng.set_stream(u64::MAX);
        let adapters = self.summary.adapters(lora);
        room::check_tensors(&adapters, || format!("adapters of rank {}", lora.rank))?;
        for info in adapters {
            let tensor = if info.name.ends_with(LORA_UP) {
                Tensor::f_zeros(info.shape.as_slice(), (Kind::Float, self.device))?
            } else {
                let bound = 1.0 / info.shape.last().map_or(1.0, |input| (*input).max(1) as f32).sqrt();
                let values: Vec<f32> =
                    (0..info.elements()).map(|_| rng.random_range(-bound..=bound)).collect();
                Tensor::f_from_slice(&values)?.f_view(info.shape.as_slice())?.f_to_device(self.device)?
            };
            self.params.push(Param { name: info.name, group: info.group, tensor });
        }
        self.params.adapter_scale = lora.scale();
        self.rebuild()
    }

    /// Adds the adapters into the weights beside them, and takes them away. Does nothing without any.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn merge_lora(&mut self) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let linears: Vec<String> = self
            .params
            .iter()
            .filter_map(|param| param.name.strip_suffix(LORA_DOWN)?.strip_suffix('.').map(str::to_owned))
            .collect();
        if linears.is_empty() {
            return Ok(());
        }
        for linear in &linears {
            let down = self.params.get(&format!("{linear}.{LORA_DOWN}"))?.f_detach()?;
            let up = self.params.get(&format!("{linear}.{LORA_UP}"))?.f_detach()?;
            let added = up.f_matmul(&down)?.f_mul_scalar(self.params.adapter_scale)?;
            let mut weight = self.params.get(&format!("{linear}.weight"))?.f_detach()?;
            drop(weight.f_add_(&added)?);
        }
        self.params.remove(|param| param.info().role() == Role::Adapter);
        self.rebuild()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_by_the_names_of_every_family() {
        for query in [
            "encoder.layer.0.attention.self.query",
            "transformer.layer.3.attention.q_lin",
            "encoder.layer.1.attention.attn.q",
            "encoder.layer.1.attention.self.query_proj",
            "encoder.albert_layer_groups.0.albert_layers.0.attention.query",
            "layers.1.attn.Wqkv",
        ] {
            assert!(LoraTargets::ALL.into_iter().all(|targets| targets.covers(query)), "{query}");
        }
        for out in [
            "encoder.layer.0.attention.output.dense",
            "transformer.layer.3.attention.k_lin",
            "layers.1.attn.Wo",
        ] {
            assert!(!LoraTargets::QueryValue.covers(out) && LoraTargets::Attention.covers(out), "{out}");
        }
        for inner in ["encoder.layer.0.intermediate.dense", "transformer.layer.3.ffn.lin1"] {
            assert!(!LoraTargets::Attention.covers(inner) && LoraTargets::All.covers(inner), "{inner}");
        }
    }
}
