//! Safetensors in and out. Reading is memory-mapped; what is missing or misshapen is named, never made up.

use std::fs::File;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::SafeTensors;
use tch::{Device, Kind, Tensor};

use super::error::ModelError;
use super::params::{tensor_bytes, Param, Params};
use super::summary::TensorInfo;

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

/// Reads the tensors a family expects, as float32 on a device.
///
/// Tensors that nobody expects (a language-model head, counters of positions) are left aside.
///
/// # Errors
/// A damaged file; every tensor that is missing or of another shape; values that are not finite.
pub fn read_params(path: &Path, prefix: &str, expected: &[TensorInfo], device: Device) -> Result<Params, ModelError> {
    with_safetensors(path, |file| {
        let mut found = std::collections::HashMap::new();
        for name in file.names() {
            found.insert(canonical_name(name, prefix), name);
        }
        let mut problems = Vec::new();
        let mut params = Params::default();
        for info in expected {
            let Some(view) = found.get(&info.name).and_then(|name| file.tensor(name).ok()) else {
                problems.push(format!("tensor {} is missing", info.name));
                continue;
            };
            let shape: Vec<i64> = view.shape().iter().map(|d| *d as i64).collect();
            if shape != info.shape {
                problems.push(format!("tensor {} has shape {shape:?}, expected {:?}", info.name, info.shape));
                continue;
            }
            let Some(tensor) = to_float(&view)? else {
                problems.push(format!("tensor {} holds {:?}, expected floating-point numbers", info.name, view.dtype()));
                continue;
            };
            if !finite(&tensor)? {
                return Err(ModelError::NotFinite { path: path.to_owned(), tensor: info.name.clone() });
            }
            let tensor = tensor.f_to_device(device)?;
            params.push(Param { name: info.name.clone(), group: info.group, tensor });
        }
        if problems.is_empty() {
            Ok(params)
        } else {
            Err(ModelError::Mismatch { path: path.to_owned(), problems })
        }
    })
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

/// Writes float32 tensors with the metadata `{"format":"pt"}` that transformers asks for: to a temporary file
/// beside, then renamed, so that a crash or a full disk leaves what was there before.
///
/// # Errors
/// What the system says, with the path.
pub fn write(path: &Path, tensors: &[(String, &Tensor)]) -> Result<(), ModelError> {
    let mut parts = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let shape: Vec<usize> = tensor.size().iter().map(|d| *d as usize).collect();
        parts.push((name.clone(), shape, tensor_bytes(tensor)?));
    }
    let bad = |reason: String| ModelError::BadWeights { path: path.to_owned(), reason };
    let mut views = Vec::with_capacity(parts.len());
    for (name, shape, bytes) in &parts {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| bad(e.to_string()))?;
        views.push((name.as_str(), view));
    }
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| bad(e.to_string()))?;
    write_atomically(path, &bytes)
}

/// Writes a whole file or nothing: temporary file in the same folder, synced, renamed.
///
/// # Errors
/// What the system says, with the path.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    use std::io::Write;
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(ModelError::io(dir))?;
    file.write_all(bytes).map_err(ModelError::io(path))?;
    file.as_file().sync_all().map_err(ModelError::io(path))?;
    // Temporary files are private by default; what is exported is read by servers and colleagues.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(ModelError::io(path))?;
    }
    file.persist(path).map_err(|e| ModelError::Io { path: path.to_owned(), source: e.error })?;
    Ok(())
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// What the system says, with the path.
pub fn file_sha256(path: &Path) -> Result<String, ModelError> {
    use sha2::{Digest, Sha256};
    let map = map(path)?;
    Ok(format!("{:x}", Sha256::digest(&map[..])))
}

#[expect(unsafe_code, reason = "memory-mapping a file; it is only read, and copied out at once")]
fn map(path: &Path) -> Result<memmap2::Mmap, ModelError> {
    let file = File::open(path).map_err(ModelError::io(path))?;
    // SAFETY: undefined only if another process truncates the file while it is being copied out of the map.
    unsafe { memmap2::Mmap::map(&file) }.map_err(ModelError::io(path))
}

fn with_safetensors<T>(
    path: &Path,
    read: impl FnOnce(&SafeTensors<'_>) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let map = map(path)?;
    let file = SafeTensors::deserialize(&map).map_err(|error| ModelError::BadWeights {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
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
