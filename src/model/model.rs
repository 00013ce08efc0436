//! The whole model: encoder, pooling, optional normalisation, and the task heads on the pooled embedding.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::batch::TokenBatch;
use super::dense;
use super::dense::{DenseFolder, DenseLayers, DenseSpec};
use super::encoder::{Build, Encoder, Family};
use super::error::ModelError;
use super::files::Folder;
use super::files::weight_files::{Loaded, Stored};
use super::heads::{Head, HeadSpec, initial};
use super::layers::Dropout;
use super::parallel_encoder::{Reader, with_places};
use super::params::Params;
use super::pooling::{normalize, pool};
use super::summary::{Group, ModelSummary};
use crate::data::task::TaskKind;

/// A pretrained encoder with pooling, and a head per task.
pub struct Model {
    /// Names, shapes and sizes.
    pub summary: ModelSummary,
    /// The architecture.
    pub family: &'static Family,
    /// config.json, to be written again on export.
    pub config: serde_json::Value,
    /// Every parameter, heads included.
    pub params: Params,
    /// Dropout of trained parts, as config.json says.
    pub dropout: Dropout,
    /// The heads, in task order.
    pub heads: Vec<Head>,
    /// Where the parameters are.
    pub device: Device,
    /// While the vocabulary is cut: the row of each id in the cut table.
    pub(super) vocabulary: Option<Vec<u32>>,
    encoder: Box<dyn Encoder>,
    dense: DenseLayers,
    build: Build,
    /// Names of the parameters that lie side by side.
    together: Vec<[String; 3]>,
}

/// What one forward pass gives.
#[derive(Debug)]
pub struct Outputs {
    /// Sentence embedding before normalisation, `[batch, embedding]`: what is pooled, behind the Dense modules.
    pub pooled: Tensor,
    /// Per head: logits `[batch, outputs]`; of a head on tokens, `[batch, seq, classes]`.
    pub logits: Vec<Tensor>,
}

impl Model {
    /// Loads a model folder.
    ///
    /// # Errors
    /// Whatever is wrong with the folder, its JSON or its weights, in words; see [`ModelError`].
    pub fn load(path: &Path, device: Device) -> Result<Self, ModelError> {
        let folder = Folder::read(path)?;
        let weights = folder.weights()?;
        let blueprint = folder.blueprint;
        let prefix = folder.family.prefix;
        let mut expected = blueprint.tensors;
        expected.extend(blueprint.optional.into_iter().filter(|info| weights.holds(&info.name, prefix)));
        let Loaded { mut params, unexpected } = weights.read(prefix, &expected, device)?;
        for names in &blueprint.together {
            params.lay_together(names)?;
        }
        let dense_weights: Vec<Stored> =
            folder.dense.iter().map(DenseFolder::weights).collect::<Result<_, _>>()?;
        for (index, (module, weights)) in folder.dense.iter().zip(&dense_weights).enumerate() {
            for param in module.load(weights, index, device)? {
                params.push(param);
            }
            expected.extend(module.spec.tensors(index));
        }
        let specs: Vec<DenseSpec> = folder.dense.iter().map(|module| module.spec).collect();
        let dense = DenseLayers::over(&params, &specs)?;
        let (file_bytes, sha256) = dense::digest(&weights, &dense_weights)?;
        let encoder = (blueprint.build)(&params)?;
        let shape = blueprint.shape;
        let origin = folder.origin.with_unexpected(unexpected);
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let summary = ModelSummary {
            path: path.to_owned(),
            name,
            model_type: folder.family.model_type.to_owned(),
            layers: shape.layers,
            applications: shape.applications,
            hidden: shape.hidden,
            dense: specs,
            attention_heads: shape.attention_heads,
            vocab_size: shape.vocab_size,
            max_positions: shape.max_positions,
            max_seq_length: folder.max_seq_length.unwrap_or(shape.max_positions).min(shape.max_positions),
            pooling: folder.pooling.0,
            pooling_source: folder.pooling.1,
            normalize: folder.normalize,
            tensors: expected,
            sha256,
            file_bytes,
            origin,
        };
        Ok(Self {
            summary,
            family: folder.family,
            config: folder.config,
            params,
            dropout: shape.dropout,
            heads: Vec::new(),
            device,
            vocabulary: None,
            encoder,
            dense,
            build: blueprint.build,
            together: blueprint.together,
        })
    }

    /// Replaces all heads by new ones, started from a seed.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn start_heads(&mut self, specs: &[HeadSpec], seed: u64) -> Result<(), ModelError> {
        self.params.remove(|param| matches!(param.group, Group::Head(_)));
        self.heads.clear();
        for (index, spec) in specs.iter().enumerate() {
            let input = self.summary.head_input(spec.kind);
            for param in initial(index, spec, input, seed, self.device)? {
                self.params.push(param);
            }
            self.heads.push(Head::over(&self.params, spec.clone())?);
        }
        Ok(())
    }

    /// Writes values into parameters of the same names; the shapes must be equal.
    ///
    /// # Errors
    /// Names every parameter that got no value or one of another shape.
    pub fn fill(&self, values: &[(String, Tensor)], file: &Path) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let mut problems = Vec::new();
        for param in &self.params {
            let Some((_, value)) = values.iter().find(|(name, _)| *name == param.name) else {
                problems.push(format!("tensor {} is missing", param.name));
                continue;
            };
            if value.size() == param.tensor.size() {
                param.tensor.shallow_clone().f_copy_(value)?;
            } else {
                problems.push(format!(
                    "tensor {} has shape {:?}, expected {:?}",
                    param.name,
                    value.size(),
                    param.tensor.size()
                ));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ModelError::Mismatch { path: file.to_owned(), problems })
        }
    }

    /// Rows of token ids as a padded batch on the model's device.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn batch(&self, rows: &[&[u32]]) -> Result<TokenBatch, ModelError> {
        self.with_places(rows, TokenBatch::new)
    }

    /// Rows of token ids, sorted by length, as a packed batch on the model's device: nothing is computed for
    /// padding.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn packed(&self, rows: &[&[u32]]) -> Result<TokenBatch, ModelError> {
        self.with_places(rows, TokenBatch::packed)
    }

    fn with_places(
        &self,
        rows: &[&[u32]],
        batch: impl Fn(&[&[u32]], Device) -> Result<TokenBatch, ModelError>,
    ) -> Result<TokenBatch, ModelError> {
        with_places(rows, self.vocabulary.as_deref(), self.device, batch)
    }

    /// Handles to the encoder for work without gradients on so many batches: one for each thread that helps.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn readers(&self, batches: usize) -> Result<Vec<Reader>, ModelError> {
        let threads = if self.device == Device::Cpu { tch::get_num_threads().max(1) as usize } else { 1 };
        // A thread without a batch of its own would be one that the others' batches lack.
        let wanted = if batches < 2 * threads { 1 } else { threads };
        let reader = |_| {
            Ok(Reader {
                encoder: (self.build)(&self.params)?,
                layers: self.summary.layers,
                pooling: self.summary.pooling,
                dense: DenseLayers::over(&self.params, &self.summary.dense)?,
                device: self.device,
                vocabulary: self.vocabulary.clone(),
            })
        };
        (0..wanted).map(reader).collect()
    }

    /// Keeps the layers as bfloat16, for encoding only: half the memory, and where the processor multiplies such
    /// numbers twice the speed. The embeddings stay float32, and so do heads and what is pooled.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn reduce(&mut self) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        self.params.convert(|param| matches!(param.group, Group::Layer(_)), Kind::BFloat16)?;
        for names in &self.together {
            self.params.lay_together(names)?;
        }
        self.rebuild()
    }

    /// An encoder over the same parameters, for the steps of training: with `products`, its linear layers and its
    /// attention multiply numbers of that kind, while weights, norms and what is added up stay as they are.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn encoder_for_steps(&self, products: Option<Kind>) -> Result<Box<dyn Encoder>, ModelError> {
        match products {
            None => (self.build)(&self.params),
            Some(kind) => (self.build)(&self.params.multiplied_as(kind)),
        }
    }

    /// Builds the encoder anew over the parameters as they are now.
    pub(super) fn rebuild(&mut self) -> Result<(), ModelError> {
        self.encoder = (self.build)(&self.params)?;
        self.dense = DenseLayers::over(&self.params, &self.summary.dense)?;
        Ok(())
    }

    /// Token states below layer 0, `[batch, seq, hidden]`, or `[tokens, hidden]` of a packed batch.
    pub fn embed(&self, batch: &TokenBatch, dropout: Dropout) -> Result<Tensor, ModelError> {
        self.encoder.embed(batch, dropout)
    }

    /// Token states after layers `range`, shaped as what goes in.
    pub fn layers(
        &self,
        range: std::ops::Range<usize>,
        hidden: Tensor,
        batch: &TokenBatch,
        dropout: &dyn Fn(usize) -> Dropout,
    ) -> Result<Tensor, ModelError> {
        self.encoder.layers(range, hidden, batch, dropout)
    }

    /// Last hidden state in eval mode, `[batch, seq, hidden]`, or `[tokens, hidden]` of a packed batch.
    pub fn last_hidden_state(&self, batch: &TokenBatch) -> Result<Tensor, ModelError> {
        let hidden = self.embed(batch, Dropout::OFF)?;
        self.layers(0..self.summary.layers, hidden, batch, &|_| Dropout::OFF)
    }

    /// Pools token states, and passes that through the Dense modules: `[batch, embedding]`.
    pub fn pool(&self, hidden: &Tensor, batch: &TokenBatch) -> Result<Tensor, ModelError> {
        self.dense.forward(pool(self.summary.pooling, hidden, batch)?)
    }

    /// Pooled embedding and every head's logits, in eval mode, without gradients.
    pub fn infer(&self, batch: &TokenBatch) -> Result<Outputs, ModelError> {
        let _guard = tch::no_grad_guard();
        let states = self.last_hidden_state(batch)?;
        let pooled = self.pool(&states, batch)?;
        let logits = |head: &Head| match head.spec.kind {
            TaskKind::TokenLabels => head.forward(&states, 0.0),
            _ => head.forward(&pooled, 0.0),
        };
        let logits = self.heads.iter().map(logits).collect::<Result<_, _>>()?;
        Ok(Outputs { pooled, logits })
    }

    /// The sentence embedding as it is exported: normalised where the model says so.
    pub fn finish(&self, pooled: &Tensor) -> Result<Tensor, ModelError> {
        if self.summary.normalize { normalize(pooled) } else { Ok(pooled.shallow_clone()) }
    }
}

/// Copies a float tensor to a row-major vector.
///
/// # Errors
/// When libtorch cannot.
pub fn to_vec(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    let _guard = tch::no_grad_guard();
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = vec![0f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(values)
}
