//! `pytorch_model.bin`: a zip archive of a pickle and, stored as they are, the bytes of every tensor.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use tch::Kind;
use zip::{CompressionMethod, ZipArchive};

use super::pickle;
use super::pickle::Refusal;
use super::weight_files::Place;
use crate::model::error::ModelError;

/// The pickle of a model of a thousand tensors has a tenth of a megabyte.
const LARGEST_PICKLE: usize = 8 << 20;
/// What the files of torch before 1.6 start with: a pickled number of ten bytes.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Where every tensor of the archive lies in it.
///
/// # Errors
/// A file that is no such archive or is damaged, or a pickle that holds more than tensors.
pub(in crate::model) fn places(path: &Path, bytes: &[u8]) -> Result<Vec<Place>, ModelError> {
    let damaged = |reason: String| ModelError::BadTorchFile { path: path.to_owned(), reason };
    if bytes.starts_with(LEGACY) {
        return Err(ModelError::LegacyTorchFile(path.to_owned()));
    }
    if !bytes.starts_with(b"PK\x03\x04") {
        let pointer = bytes.starts_with(b"version https://git-lfs");
        let what =
            if pointer { "it is a git-lfs pointer, not the file itself" } else { "it is no zip archive" };
        return Err(damaged(what.to_owned()));
    }
    let entries = entries(bytes).map_err(damaged)?;
    let Some(name) = entries.keys().find(|name| is_pickle(name)) else {
        return Err(damaged("the archive has no data.pkl".into()));
    };
    let folder = name.trim_end_matches("data.pkl");
    let entry = |name: &str| entries.get(&format!("{folder}{name}")).copied();
    if let Some(order) = entry("byteorder").and_then(|(start, length)| bytes.get(start..start + length))
        && order != b"little"
    {
        return Err(damaged("its numbers are not little-endian".into()));
    }
    let (start, length) = entry("data.pkl").unwrap_or_default();
    if length > LARGEST_PICKLE {
        return Err(damaged("its data.pkl is larger than that of any model".into()));
    }
    let pickle = bytes.get(start..start + length).unwrap_or_default();
    let tensors = pickle::read(pickle).map_err(|refusal| match refusal {
        Refusal::Damaged(reason) => damaged(format!("in its data.pkl {reason}")),
        Refusal::Foreign(reason) => ModelError::ForeignPickle { path: path.to_owned(), reason },
    })?;
    let place = |tensor: pickle::Pickled| -> Result<Place, String> {
        let (start, length) = entry(&format!("data/{}", tensor.storage))
            .ok_or_else(|| format!("the bytes of tensor {} are not in the archive", tensor.name))?;
        let width = tensor.kind.map_or(1, Kind::elt_size_in_bytes);
        let outside = || format!("tensor {} reaches beyond its bytes", tensor.name);
        let first = tensor.offset.checked_mul(width).ok_or_else(outside)?;
        let span = span(&tensor.shape, &tensor.strides).and_then(|elements| elements.checked_mul(width));
        let span = span.ok_or_else(outside)?;
        // The width of what is not read here is not known, so its place is not looked at either.
        if tensor.kind.is_some() && first.checked_add(span).is_none_or(|end| end > length) {
            return Err(outside());
        }
        let elements = tensor.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        if elements.is_none_or(|elements| elements.saturating_mul(width) > span.max(width)) {
            return Err(format!("tensor {} claims more numbers than it has", tensor.name));
        }
        let contiguous = is_contiguous(&tensor.shape, &tensor.strides);
        Ok(Place {
            name: tensor.name,
            kind: tensor.kind,
            kind_name: tensor.kind_name,
            strides: (!contiguous).then_some(tensor.strides),
            shape: tensor.shape,
            file: 0,
            start: start + first,
            bytes: span,
        })
    };
    tensors.into_iter().map(place).collect::<Result<_, _>>().map_err(damaged)
}

/// `archive/data.pkl`: one folder deep, whatever the folder is called.
fn is_pickle(name: &str) -> bool {
    name.strip_suffix("/data.pkl").is_some_and(|folder| !folder.contains('/'))
}

/// Start and length of every entry. One that is compressed is refused: torch compresses nothing, and what is
/// unpacked may be of any size.
fn entries(bytes: &[u8]) -> Result<HashMap<String, (usize, usize)>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut entries = HashMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| error.to_string())?;
        if entry.name().len() > pickle::LONGEST_NAME {
            return Err(format!("an entry has a name of {} bytes", entry.name().len()));
        }
        let name = entry.name().to_owned();
        if entry.compression() != CompressionMethod::Stored {
            return Err(format!("its entry {name} is compressed, which torch never does"));
        }
        let range =
            usize::try_from(entry.data_start()).ok().zip(usize::try_from(entry.compressed_size()).ok());
        let within =
            range.filter(|(start, length)| start.checked_add(*length).is_some_and(|end| end <= bytes.len()));
        let Some(range) = within else { return Err(format!("its entry {name} reaches beyond the file")) };
        if entries.insert(name.clone(), range).is_some() {
            return Err(format!("its entry {name} is there twice"));
        }
    }
    Ok(entries)
}

/// Elements from the first to the last one of a tensor; 0 of an empty one.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let steps = shape.iter().zip(strides);
    steps
        .into_iter()
        .try_fold(1_usize, |span, (size, stride)| span.checked_add((size - 1).checked_mul(*stride)?))
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    shape.iter().zip(strides).rev().all(|(size, stride)| {
        let fits = *size == 1 || *stride == expected;
        expected = expected.saturating_mul(*size);
        fits
    })
}
