//! What a pickle's values are while it is read, what they may name, and why one is refused.

use tch::Kind;

/// Why a pickle was not read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::model) enum Refusal {
    /// It is cut off or makes no sense.
    Damaged(String),
    /// It holds or calls something that is no tensor.
    Foreign(String),
}

/// What may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Option<Kind>, &'static str),
}

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Result<Self, Refusal> {
        const STORAGES: [(&str, Option<Kind>); 10] = [
            ("FloatStorage", Some(Kind::Float)),
            ("HalfStorage", Some(Kind::Half)),
            ("BFloat16Storage", Some(Kind::BFloat16)),
            ("DoubleStorage", Some(Kind::Double)),
            ("LongStorage", None),
            ("IntStorage", None),
            ("ShortStorage", None),
            ("CharStorage", None),
            ("ByteStorage", None),
            ("BoolStorage", None),
        ];
        match (module, name) {
            ("collections", "OrderedDict") => Ok(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Ok(Self::RebuildParameter),
            _ => {
                let storage = STORAGES.iter().find(|(known, _)| module == "torch" && name == *known);
                storage.map(|(name, kind)| Self::Storage(*kind, name)).ok_or_else(|| {
                    Refusal::Foreign(format!("it names {}", shortened(&format!("{module}.{name}"))))
                })
            }
        }
    }
}

/// A value on the stack; what is larger than a number lies in a list of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Mark,
    None,
    Bool,
    Int(i64),
    Float,
    Text(&'a str),
    /// A tuple or a list.
    Sequence(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

impl Value<'_> {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Mark => "a mark",
            Self::None => "nothing",
            Self::Bool => "a truth value",
            Self::Int(_) | Self::Float => "a number",
            Self::Text(_) => "a text",
            Self::Sequence(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Global(_) => "a function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}

pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) kind: Option<Kind>,
    pub(super) kind_name: &'static str,
}

pub(super) struct Tensor {
    pub(super) storage: usize,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A size as a pickle has it.
pub(super) fn size(value: i64) -> Result<usize, Refusal> {
    usize::try_from(value).ok().ok_or_else(|| damaged("a size is negative"))
}

/// A name from the file, kept to a length that fits a sentence, without what would break a line.
pub(super) fn shortened(name: &str) -> String {
    const LONGEST: usize = 80;
    let clean = name.chars().filter(|c| !c.is_control());
    if name.chars().count() > LONGEST {
        clean.take(LONGEST).chain(['\u{2026}']).collect()
    } else {
        clean.collect()
    }
}

pub(super) fn damaged(reason: &str) -> Refusal {
    Refusal::Damaged(reason.to_owned())
}

pub(super) fn empty() -> Refusal {
    damaged("it uses a value that is not there")
}

pub(super) fn too_many() -> Refusal {
    damaged("it holds more values than any model has")
}
