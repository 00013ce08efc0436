//! Writes `pytorch_model.bin` as `torch.save` does: a pickled state dict and the bytes of every storage.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use tch::{Device, Kind, Tensor};
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipWriter};

/// One tensor of a state dict.
pub(crate) struct Saved {
    pub(crate) name: String,
    pub(crate) tensor: Tensor,
    /// Whether the matrix is stored by columns, as a transposed view is.
    pub(crate) transposed: bool,
}

impl Saved {
    pub(crate) fn new(name: &str, tensor: &Tensor) -> Self {
        Self { name: name.to_owned(), tensor: tensor.shallow_clone(), transposed: false }
    }
}

/// The archive of these tensors.
pub(crate) fn write(path: &Path, tensors: &[Saved]) {
    let mut pickle = start();
    for (key, saved) in tensors.iter().enumerate() {
        text(&mut pickle, &saved.name);
        tensor(&mut pickle, saved, &key.to_string());
    }
    pickle.extend(b"u.");
    let entries: Vec<(String, Vec<u8>)> =
        tensors.iter().enumerate().map(|(key, saved)| (format!("data/{key}"), bytes(saved))).collect();
    archive(path, &pickle, &entries);
}

/// An archive of any pickle and any other entries.
pub(crate) fn archive(path: &Path, pickle: &[u8], entries: &[(String, Vec<u8>)]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let options = FileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |name: &str, bytes: &[u8]| {
        zip.start_file(format!("archive/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    add("data.pkl", pickle);
    add("byteorder", b"little");
    for (name, bytes) in entries {
        add(name, bytes);
    }
    add("version", b"3\n");
    zip.finish().unwrap();
}

/// Protocol 2, an `OrderedDict`, and the mark before its items.
pub(crate) fn start() -> Vec<u8> {
    b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec()
}

pub(crate) fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn number(pickle: &mut Vec<u8>, number: i64) {
    pickle.push(b'J');
    pickle.extend((number as i32).to_le_bytes());
}

fn tensor(pickle: &mut Vec<u8>, saved: &Saved, key: &str) {
    let shape = saved.tensor.size();
    let mut strides = saved.tensor.stride();
    if saved.transposed {
        strides = vec![1, shape[0]];
    }
    rebuild(
        pickle,
        storage_name(saved.tensor.kind()),
        key,
        saved.tensor.numel() as i64,
        (0, &shape, &strides),
    );
}

/// A call that gives a tensor: the part (first element, shape, strides) of a storage.
pub(crate) fn rebuild(
    pickle: &mut Vec<u8>,
    storage: &str,
    key: &str,
    elements: i64,
    (offset, shape, strides): (i64, &[i64], &[i64]),
) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(format!("ctorch\n{storage}\n").as_bytes());
    text(pickle, key);
    text(pickle, "cpu");
    number(pickle, elements);
    pickle.extend(b"tQ");
    number(pickle, offset);
    for sizes in [shape, strides] {
        pickle.push(b'(');
        for size in sizes {
            number(pickle, *size);
        }
        pickle.push(b't');
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

fn storage_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Float => "FloatStorage",
        Kind::Half => "HalfStorage",
        Kind::BFloat16 => "BFloat16Storage",
        Kind::Double => "DoubleStorage",
        Kind::Int64 => "LongStorage",
        other => panic!("{other:?} is not written here"),
    }
}

fn bytes(saved: &Saved) -> Vec<u8> {
    let tensor = if saved.transposed { saved.tensor.tr() } else { saved.tensor.shallow_clone() };
    let flat = tensor.contiguous().to_device(Device::Cpu);
    let mut bytes = vec![0; flat.numel() * flat.kind().elt_size_in_bytes()];
    flat.copy_data_u8(&mut bytes, flat.numel());
    bytes
}
