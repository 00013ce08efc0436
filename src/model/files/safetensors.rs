//! Safetensors files in and out, whole or not at all. The weights of a model folder are read by [`Stored`].

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Kind, Tensor};

use super::safetensors_header;
use super::weight_files::{Stored, map, sha256_of};
use crate::files::atomic_file::AtomicFile;
use crate::model::error::ModelError;
use crate::model::params::{Params, tensor_bytes};
use crate::model::summary::TensorInfo;

/// Gives a tensor's name in the file its canonical form: the family's prefix and the names of old checkpoints
/// (`LayerNorm.gamma`) are taken off.
#[must_use]
pub fn canonical_name(name: &str, prefix: &str) -> String {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] {
        if let Some(stem) = name.strip_suffix(old) {
            return format!("{stem}{new}");
        }
    }
    name.to_owned()
}

/// Reads the tensors of a safetensors file that are expected, as float32 on a device; others are left aside.
///
/// # Errors
/// A damaged file; every tensor that is missing or of another shape; values that are not finite.
pub fn read_params(
    path: &Path,
    prefix: &str,
    expected: &[TensorInfo],
    device: Device,
) -> Result<Params, ModelError> {
    Ok(Stored::of_file(path)?.read(prefix, expected, device)?.params)
}

/// Names and shapes in a safetensors file, without reading values.
///
/// # Errors
/// A file that is not there or damaged.
pub fn list_tensors(path: &Path) -> Result<Vec<(String, Vec<usize>)>, ModelError> {
    with_safetensors(path, |file| {
        Ok(file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect())
    })
}

/// Every tensor of a file as float32, by its name there; for heads, checkpoints and fixtures.
///
/// # Errors
/// A file that is not there or damaged.
pub fn read_all(path: &Path) -> Result<Vec<(String, Tensor)>, ModelError> {
    with_safetensors(path, |file| {
        let mut tensors = Vec::new();
        for (name, view) in file.tensors() {
            let tensor = match view.dtype() {
                Dtype::I64 => Some(tensor_of(&view, Kind::Int64)?),
                _ => to_float(&view)?,
            };
            let tensor = tensor.ok_or_else(|| ModelError::BadWeights {
                path: path.to_owned(),
                reason: format!("tensor {name} holds {:?}, which is not read here", view.dtype()),
            })?;
            tensors.push((name, tensor));
        }
        Ok(tensors)
    })
}

/// Writes float32 tensors with the metadata `{"format":"pt"}` that transformers asks for, whole or not at all.
///
/// # Errors
/// What the system says, with the path.
pub fn write(path: &Path, tensors: &[(String, &Tensor)]) -> Result<(), ModelError> {
    write_with(path, tensors, &[])
}

/// The same with further metadata. A crash, a full disk or a kill leaves what was there before. Tensors are copied one at
/// a time.
///
/// # Errors
/// What the system says, with the path.
pub fn write_with(
    path: &Path,
    tensors: &[(String, &Tensor)],
    metadata: &[(&str, String)],
) -> Result<(), ModelError> {
    let views: Vec<(&str, FloatView<'_>)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), FloatView::of(tensor))).collect();
    let format = [("format".to_owned(), "pt".to_owned())];
    let more = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let metadata = format.into_iter().chain(more).collect();
    let file = AtomicFile::create(path).map_err(ModelError::io(path))?;
    let part = file.temporary_path();
    safetensors::serialize_to_file(views, Some(metadata), part).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => ModelError::Io { path: path.to_owned(), source },
        other => ModelError::BadWeights { path: path.to_owned(), reason: other.to_string() },
    })?;
    // A file that is not what was meant must not take the place of a good one.
    with_safetensors(part, |_| Ok(()))?;
    file.commit().map_err(ModelError::io(path))
}

/// A tensor as safetensors writes one: its bytes are copied when they are asked for.
struct FloatView<'a> {
    tensor: &'a Tensor,
    shape: Vec<usize>,
}

impl<'a> FloatView<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        Self { tensor, shape: tensor.size().iter().map(|d| (*d).max(0) as usize).collect() }
    }
}

impl safetensors::View for FloatView<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        // A tensor that cannot be copied gives fewer bytes than announced: the file is then refused as torn.
        tensor_bytes(self.tensor).unwrap_or_default().into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * 4
    }
}

/// A text of a file's metadata.
///
/// # Errors
/// A file that is not there or damaged.
pub fn read_metadata(path: &Path, key: &str) -> Result<Option<String>, ModelError> {
    let map = map(path)?;
    let damaged = |reason: String| ModelError::BadWeights { path: path.to_owned(), reason };
    safetensors_header::check(&map).map_err(damaged)?;
    let (_, header) = SafeTensors::read_metadata(&map).map_err(|error| damaged(error.to_string()))?;
    Ok(header.metadata().as_ref().and_then(|metadata| metadata.get(key)).cloned())
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// What the system says, with the path.
pub fn file_sha256(path: &Path) -> Result<String, ModelError> {
    sha256_of([path])
}

fn with_safetensors<T>(
    path: &Path,
    read: impl FnOnce(&SafeTensors<'_>) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let map = map(path)?;
    let damaged = |reason: String| ModelError::BadWeights { path: path.to_owned(), reason };
    safetensors_header::check(&map).map_err(damaged)?;
    let file = SafeTensors::deserialize(&map).map_err(|error| damaged(error.to_string()))?;
    read(&file)
}

fn to_float(view: &TensorView<'_>) -> Result<Option<Tensor>, ModelError> {
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F64 => Kind::Double,
        _ => return Ok(None),
    };
    Ok(Some(tensor_of(view, kind)?.f_to_kind(Kind::Float)?))
}

fn tensor_of(view: &TensorView<'_>, kind: Kind) -> Result<Tensor, ModelError> {
    let shape: Vec<i64> = view.shape().iter().map(|d| *d as i64).collect();
    Ok(Tensor::f_from_data_size(view.data(), &shape, kind)?)
}

/// Whether every value is a number.
///
/// # Errors
/// When libtorch refuses.
pub fn finite(tensor: &Tensor) -> Result<bool, ModelError> {
    let _guard = tch::no_grad_guard();
    // The sum of absolute values is finite exactly when every value is: in float64 no sum of float32 overflows.
    let sum = tensor.f_abs()?.f_sum(Kind::Double)?.f_double_value(&[])?;
    Ok(sum.is_finite())
}
