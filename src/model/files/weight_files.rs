//! Weights as they lie on disk, in whichever form: mapped files, and the place of every tensor in them.
//!
//! A tensor is copied out piece by piece, turned into float32 on the way, and the mapped pages are given back
//! behind it: loading needs hardly more memory than the float32 weights themselves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::read_json;
use super::safetensors::{canonical_name, finite};
use super::safetensors_header;
use super::torch_file;
use crate::files::regular_file;
use crate::model::error::ModelError;
use crate::model::params::{Param, Params};
use crate::model::summary::TensorInfo;

/// Bytes that are copied at a time: small enough for a cache, a multiple of every element's width.
const PIECE: usize = 2 << 20;

/// One tensor's place.
#[derive(Clone, Debug)]
pub(in crate::model) struct Place {
    /// Its name in the file.
    pub(in crate::model) name: String,
    /// Type of its elements; `None` for one that is not floating-point.
    pub(in crate::model) kind: Option<Kind>,
    /// What the file calls that type.
    pub(in crate::model) kind_name: String,
    /// Shape.
    pub(in crate::model) shape: Vec<usize>,
    /// Elements from one index to the next, where it does not lie row by row.
    pub(in crate::model) strides: Option<Vec<usize>>,
    /// Index of the file.
    pub(in crate::model) file: usize,
    /// First byte in the file.
    pub(in crate::model) start: usize,
    /// Bytes from its first element to its last.
    pub(in crate::model) bytes: usize,
}

/// The weights of a model, opened and not yet read.
pub struct Stored {
    path: PathBuf,
    files: Vec<(PathBuf, Mmap)>,
    places: Vec<Place>,
}

/// A tensor that is expected, and its place.
type Fitting<'a> = (&'a TensorInfo, &'a Place);

/// What [`Stored::read`] gives.
pub struct Loaded {
    /// The tensors that were asked for, as float32.
    pub params: Params,
    /// Names in the file of those that nobody asked for.
    pub unexpected: Vec<String>,
}

impl Stored {
    /// Opens the weights of a model folder: `model.safetensors`, its shards, `pytorch_model.bin`, or its shards,
    /// whichever comes first.
    ///
    /// # Errors
    /// When there are none, or they are damaged.
    pub fn of_folder(dir: &Path) -> Result<Self, ModelError> {
        for name in ["model.safetensors", "pytorch_model.bin"] {
            let (whole, index) = (dir.join(name), dir.join(format!("{name}.index.json")));
            if whole.is_file() {
                return Self::of_file(&whole);
            }
            if index.is_file() {
                return Self::of_index(dir, &index);
            }
        }
        Err(ModelError::NoWeights(dir.to_owned()))
    }

    /// Opens one file; it is read as a torch archive where its name ends in `.bin`, and as safetensors otherwise.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn of_file(path: &Path) -> Result<Self, ModelError> {
        let map = map(path)?;
        let places = places(path, &map)?;
        Ok(Self { path: path.to_owned(), files: vec![(path.to_owned(), map)], places })
    }

    /// Opens the shards that an index names.
    fn of_index(dir: &Path, index: &Path) -> Result<Self, ModelError> {
        let bad = |reason: String| ModelError::BadJson { path: index.to_owned(), reason };
        let json = read_json(index)?;
        let Some(weight_map) = json.get("weight_map").and_then(Value::as_object) else {
            return Err(bad("expected \"weight_map\", which says of each tensor where it is".into()));
        };
        let mut shard_of: HashMap<&str, usize> = HashMap::new();
        let (mut names, mut places): (Vec<&str>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
        for (tensor, shard) in weight_map {
            let shard =
                shard.as_str().ok_or_else(|| bad(format!("the file of tensor {tensor} is no text")))?;
            let place = match places.entry(shard) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    check_shard(dir, index, shard)?;
                    names.push(shard);
                    *new.insert(names.len() - 1)
                }
            };
            shard_of.insert(tensor, place);
        }
        let mut stored = Self { path: index.to_owned(), files: Vec::new(), places: Vec::new() };
        for (at, shard) in names.into_iter().enumerate() {
            let one = Self::of_file(&dir.join(shard))?;
            stored.files.extend(one.files);
            let here = one.places.into_iter().filter(|place| shard_of.get(place.name.as_str()) == Some(&at));
            stored.places.extend(here.map(|place| Place { file: at, ..place }));
        }
        Ok(stored)
    }

    /// The file, or the index of the shards.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, map)| map.len() as u64).fold(0, u64::saturating_add)
    }

    /// Its files, in order.
    pub(in crate::model) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// Whether a tensor of this name, without the family's prefix, is there.
    #[must_use]
    pub fn holds(&self, name: &str, prefix: &str) -> bool {
        self.places.iter().any(|place| canonical_name(&place.name, prefix) == name)
    }

    /// Reads the tensors a family expects, as float32 on a device. What nobody expects (a language-model head,
    /// counters of positions) is named and left aside.
    ///
    /// # Errors
    /// Every tensor that is missing, twice there, or of another shape; values that are not finite.
    pub fn read(&self, prefix: &str, expected: &[TensorInfo], device: Device) -> Result<Loaded, ModelError> {
        let (wanted, unexpected) = self.fitting(prefix, expected)?;
        let mut params = Params::default();
        for (info, place) in wanted {
            let tensor = self.tensor(place, &info.name)?.f_to_device(device)?;
            params.push(Param { name: info.name.clone(), group: info.group, tensor });
        }
        Ok(Loaded { params, unexpected })
    }

    /// Whether the tensors that a family expects are there; their values are not read.
    ///
    /// # Errors
    /// Every tensor that is missing, twice there, or of another shape.
    pub fn check(&self, prefix: &str, expected: &[TensorInfo]) -> Result<(), ModelError> {
        self.fitting(prefix, expected).map(drop)
    }

    /// The place of every tensor that is expected, and the names of the others.
    fn fitting<'a>(
        &'a self,
        prefix: &str,
        expected: &'a [TensorInfo],
    ) -> Result<(Vec<Fitting<'a>>, Vec<String>), ModelError> {
        let mut found: HashMap<String, Vec<&Place>> = HashMap::new();
        for place in &self.places {
            found.entry(canonical_name(&place.name, prefix)).or_default().push(place);
        }
        let (mut problems, mut wanted) = (Vec::new(), Vec::new());
        for info in expected {
            match found.remove(&info.name).as_deref() {
                None | Some([]) => problems.push(format!("tensor {} is missing", info.name)),
                Some([place]) => match unfit(place, info) {
                    Some(problem) => problems.push(problem),
                    None => wanted.push((info, *place)),
                },
                Some([one, other, ..]) => problems.push(format!(
                    "tensor {} is there twice, as {} and as {}",
                    info.name, one.name, other.name
                )),
            }
        }
        // A small file may claim the same bytes for every tensor of a large model.
        let bytes = wanted.iter().map(|(_, place)| place.bytes).fold(0, usize::saturating_add);
        if bytes as u64 > self.bytes() {
            problems.push("its tensors lie over each other, and would be larger than the file".into());
        }
        if !problems.is_empty() {
            return Err(ModelError::Mismatch { path: self.path.clone(), problems });
        }
        let mut unexpected: Vec<String> =
            found.into_values().flatten().map(|place| place.name.clone()).collect();
        unexpected.sort();
        Ok((wanted, unexpected))
    }

    /// One tensor as float32 on the CPU.
    fn tensor(&self, place: &Place, name: &str) -> Result<Tensor, ModelError> {
        let _guard = tch::no_grad_guard();
        let unreadable = || ModelError::Unfit(format!("tensor {name} cannot be read"));
        let (path, map) = self.files.get(place.file).ok_or_else(unreadable)?;
        let kind = place.kind.ok_or_else(unreadable)?;
        let bytes = map.get(place.start..place.start + place.bytes).ok_or_else(unreadable)?;
        let width = kind.elt_size_in_bytes();
        let flat = Tensor::f_empty([(bytes.len() / width) as i64], (Kind::Float, Device::Cpu))?;
        for (index, piece) in bytes.chunks(PIECE).enumerate() {
            let count = (piece.len() / width) as i64;
            let mut slot = flat.f_narrow(0, (index * (PIECE / width)) as i64, count)?;
            slot.f_copy_(&Tensor::f_from_data_size(piece, &[count], kind)?)?;
            if !finite(&slot)? {
                return Err(ModelError::NotFinite { path: path.clone(), tensor: name.to_owned() });
            }
            give_back(map, place.start + index * PIECE, piece.len());
        }
        let shape: Vec<i64> = place.shape.iter().map(|size| *size as i64).collect();
        let Some(strides) = &place.strides else { return Ok(flat.f_view(shape.as_slice())?) };
        let strides: Vec<i64> = strides.iter().map(|stride| *stride as i64).collect();
        Ok(flat.f_as_strided(&shape, &strides, 0)?.f_contiguous()?)
    }
}

/// What keeps a tensor of the file from being the expected one.
fn unfit(place: &Place, info: &TensorInfo) -> Option<String> {
    let shape: Vec<i64> = place.shape.iter().map(|size| *size as i64).collect();
    if shape != info.shape {
        return Some(format!("tensor {} has shape {shape:?}, expected {:?}", info.name, info.shape));
    }
    place
        .kind
        .is_none()
        .then(|| format!("tensor {} holds {}, expected floating-point numbers", info.name, place.kind_name))
}

/// A shard is a file of the folder itself.
fn check_shard(dir: &Path, index: &Path, shard: &str) -> Result<(), ModelError> {
    let bad = |reason: String| ModelError::BadJson { path: index.to_owned(), reason };
    let mut parts = Path::new(shard).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(bad(format!("it names {shard:?}, which is no file of this folder")));
    }
    if !dir.join(shard).is_file() {
        return Err(bad(format!("it names {shard}, which is not in the folder")));
    }
    Ok(())
}

/// The tensors of one file.
fn places(path: &Path, map: &Mmap) -> Result<Vec<Place>, ModelError> {
    if path.extension().is_some_and(|extension| extension == "bin") {
        return torch_file::places(path, map);
    }
    let damaged = |reason: String| ModelError::BadWeights { path: path.to_owned(), reason };
    safetensors_header::check(map).map_err(damaged)?;
    let (header, metadata) = SafeTensors::read_metadata(map).map_err(|error| damaged(error.to_string()))?;
    let kind = |dtype| match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::F64 => Some(Kind::Double),
        _ => None,
    };
    let base = header.saturating_add(size_of::<u64>());
    let mut places: Vec<Place> = metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| Place {
            name,
            kind: kind(info.dtype),
            kind_name: format!("{:?}", info.dtype),
            shape: info.shape.clone(),
            strides: None,
            file: 0,
            start: base.saturating_add(info.data_offsets.0),
            bytes: info.data_offsets.1.saturating_sub(info.data_offsets.0),
        })
        .collect();
    places.sort_by_key(|place| place.start);
    Ok(places)
}

/// SHA-256 of files one behind the other, in hexadecimal. They are read in pieces, not mapped: mapped pages would
/// count as memory of the program.
pub(in crate::model) fn sha256_of<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<String, ModelError> {
    use sha2::{Digest, Sha256};
    use std::io::Read;
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    for path in paths {
        let mut file = regular_file::open(path).map_err(ModelError::io(path))?;
        loop {
            let count = file.read(&mut buffer).map_err(ModelError::io(path))?;
            if count == 0 {
                break;
            }
            digest.update(buffer.get(..count).unwrap_or_default());
        }
    }
    Ok(format!("{:x}", digest.finalize()))
}

#[expect(unsafe_code, reason = "memory-mapping a file; it is only read, and copied out piece by piece")]
pub(in crate::model) fn map(path: &Path) -> Result<Mmap, ModelError> {
    let file = regular_file::open(path).map_err(ModelError::io(path))?;
    // SAFETY: undefined only if another process truncates the file while it is being copied out of the map.
    unsafe { Mmap::map(&file) }.map_err(ModelError::io(path))
}

/// Lets the system drop pages that were copied out. They are read from the file again should anyone ask.
#[cfg_attr(not(unix), expect(unused_variables, reason = "only Unix can be told"))]
fn give_back(map: &Mmap, start: usize, length: usize) {
    #[cfg(unix)]
    {
        use memmap2::UncheckedAdvice;
        #[expect(unsafe_code, reason = "advice that would lose what was written into a map")]
        // SAFETY: the map is of a file and read-only, so nothing in it can be lost.
        let told = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, length) };
        if let Err(error) = told {
            tracing::debug!("pages of a weights file stay in memory: {error}");
        }
    }
}
