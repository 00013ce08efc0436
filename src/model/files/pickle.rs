//! The pickle inside a `pytorch_model.bin`, read as a description and never run.
//!
//! A pickle is a small program for a stack machine that may name and call any Python function. This reader knows
//! only what a state dict of tensors needs; anything else is refused by its name, and nothing is ever called. All
//! values live in flat lists and point at each other by index, so that no input makes it recurse, and its memory
//! is bounded by the limits below.

mod value;

use std::collections::{HashMap, HashSet};

use tch::Kind;

pub(in crate::model) use self::value::Refusal;
use self::value::{Global, Storage, Tensor, Value, damaged, empty, shortened, size, too_many};

/// Values, remembered places and stack entries that a pickle may make. A state dict of a thousand tensors makes
/// some twenty thousand. Each takes a hundred bytes at most, and a tensor a few hundred.
const MOST_VALUES: usize = 500_000;
/// Dimensions of a tensor.
const MOST_DIMENSIONS: usize = 8;
/// Bytes of a name. A pickle recalls a text with two bytes, so without this a file of a megabyte could ask for copies
/// of gigabytes.
pub(super) const LONGEST_NAME: usize = 512;

/// A tensor as the pickle describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) struct Pickled {
    /// Its name in the state dict.
    pub(in crate::model) name: String,
    /// Name of the storage's entry in the archive.
    pub(in crate::model) storage: String,
    /// Type of the storage's elements; `None` for one that is not read here.
    pub(in crate::model) kind: Option<Kind>,
    /// What the pickle calls that type: `FloatStorage`.
    pub(in crate::model) kind_name: String,
    /// First element within the storage.
    pub(in crate::model) offset: usize,
    /// Shape.
    pub(in crate::model) shape: Vec<usize>,
    /// Elements from one index to the next, per dimension.
    pub(in crate::model) strides: Vec<usize>,
}

/// Reads the tensors of a pickled state dict, in its order.
pub(in crate::model) fn read(bytes: &[u8]) -> Result<Vec<Pickled>, Refusal> {
    let mut machine = Machine { rest: bytes, ..Machine::default() };
    let top = loop {
        if let Some(top) = machine.step()? {
            break top;
        }
    };
    let Value::Dict(top) = top else {
        return Err(Refusal::Foreign("it holds no dictionary of tensors".into()));
    };
    let items = machine.dict(top)?;
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for (key, value) in items.iter().filter(|(key, _)| *key != Value::Text("_metadata")) {
        let tensor = machine.tensor_of(*key, *value)?;
        if let Value::Text(name) = key
            && !names.insert(*name)
        {
            return Err(damaged(&format!("the tensor {} is there twice", shortened(name))));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

#[derive(Default)]
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value<'a>>,
    memo: HashMap<u32, Value<'a>>,
    sequences: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    storages: Vec<Storage<'a>>,
    tensors: Vec<Tensor>,
    made: usize,
}

impl<'a> Machine<'a> {
    /// One instruction; the value that the pickle stands for once it stops.
    fn step(&mut self) -> Result<Option<Value<'a>>, Refusal> {
        match self.byte()? {
            // Protocol and frame lengths say nothing that the instructions do not.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'.' => return self.pop().map(Some),
            b'(' => self.push(Value::Mark)?,
            b'0' => drop(self.pop()?),
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Bool)?,
            b'K' => {
                let value = self.number(1)?;
                self.push(Value::Int(value))?;
            }
            b'M' => {
                let value = self.number(2)?;
                self.push(Value::Int(value))?;
            }
            b'J' => {
                let value = self.number(4)? as i32;
                self.push(Value::Int(i64::from(value)))?;
            }
            0x8a => {
                let value = self.long()?;
                self.push(Value::Int(value))?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Float)?;
            }
            // U and T are texts of Python 2, plain ASCII where they name tensors and devices.
            b'X' | b'T' => self.text(4)?,
            0x8c | b'U' => self.text(1)?,
            b'}' => self.new_dict()?,
            b']' | b')' => self.new_sequence(Vec::new())?,
            b't' | b'l' => {
                let items = self.pop_to_mark()?;
                self.new_sequence(items)?;
            }
            count @ 0x85..=0x87 => {
                let at = self.stack.len().checked_sub(usize::from(count - 0x84)).ok_or_else(empty)?;
                let items = self.stack.split_off(at);
                self.new_sequence(items)?;
            }
            b'q' => {
                let place = self.number(1)?;
                self.remember(place)?;
            }
            b'r' => {
                let place = self.number(4)?;
                self.remember(place)?;
            }
            0x94 => self.remember(self.memo.len() as i64)?,
            b'h' => {
                let place = self.number(1)?;
                self.recall(place)?;
            }
            b'j' => {
                let place = self.number(4)?;
                self.recall(place)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Global::named(module, name)?))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(damaged("a name is no text"));
                };
                self.push(Value::Global(Global::named(module, name)?))?;
            }
            b'Q' => self.storage()?,
            b'R' => self.call()?,
            b'b' => self.build()?,
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            other => {
                return Err(Refusal::Foreign(format!(
                    "it uses the instruction 0x{other:02x}, which no dictionary of tensors needs"
                )));
            }
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| damaged("it is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        self.take(1)?.first().copied().ok_or_else(|| damaged("it is cut off"))
    }

    /// An unsigned little-endian number of some bytes.
    fn number(&mut self, bytes: usize) -> Result<i64, Refusal> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |value, byte| value << 8 | i64::from(*byte)))
    }

    /// A signed number with its length in front.
    fn long(&mut self) -> Result<i64, Refusal> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        if length > 8 {
            return Err(damaged("a number is too large"));
        }
        let sign = if bytes.last().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
        Ok(bytes.iter().rev().fold(sign, |value: i64, byte| value << 8 | i64::from(*byte)))
    }

    fn text(&mut self, length_bytes: usize) -> Result<(), Refusal> {
        let length = self.number(length_bytes)?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        let text =
            std::str::from_utf8(bytes).map_err(|error| damaged(&format!("a text is not UTF-8: {error}")))?;
        self.push(Value::Text(text))
    }

    fn line(&mut self) -> Result<&'a str, Refusal> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut off"))?;
        let line = self.take(end)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|error| damaged(&format!("a name is not UTF-8: {error}")))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Refusal> {
        self.count(0)?;
        self.stack.push(value);
        if self.stack.len() > MOST_VALUES { Err(too_many()) } else { Ok(()) }
    }

    fn pop(&mut self) -> Result<Value<'a>, Refusal> {
        self.stack.pop().ok_or_else(empty)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, Refusal> {
        let at = self.stack.iter().rposition(|value| *value == Value::Mark).ok_or_else(empty)?;
        let items = self.stack.split_off(at + 1);
        self.stack.truncate(at);
        Ok(items)
    }

    /// Counts what is kept for good.
    fn count(&mut self, more: usize) -> Result<(), Refusal> {
        self.made = self.made.saturating_add(more);
        if self.made > MOST_VALUES { Err(too_many()) } else { Ok(()) }
    }

    fn new_sequence(&mut self, items: Vec<Value<'a>>) -> Result<(), Refusal> {
        self.count(1 + items.len())?;
        self.sequences.push(items);
        self.push(Value::Sequence(self.sequences.len() - 1))
    }

    fn new_dict(&mut self) -> Result<(), Refusal> {
        self.count(1)?;
        self.dicts.push(Vec::new());
        self.push(Value::Dict(self.dicts.len() - 1))
    }

    fn remember(&mut self, place: i64) -> Result<(), Refusal> {
        self.count(1)?;
        let value = *self.stack.last().ok_or_else(empty)?;
        self.memo.insert(place as u32, value);
        Ok(())
    }

    fn recall(&mut self, place: i64) -> Result<(), Refusal> {
        let value = self.memo.get(&(place as u32)).copied();
        self.push(value.ok_or_else(|| damaged("it recalls what it never kept"))?)
    }

    fn sequence(&self, value: Value<'a>) -> Result<&[Value<'a>], Refusal> {
        let Value::Sequence(at) = value else {
            return Err(damaged(&format!("{} is where a list should be", value.what())));
        };
        self.sequences.get(at).map(Vec::as_slice).ok_or_else(empty)
    }

    fn dict(&self, at: usize) -> Result<&[(Value<'a>, Value<'a>)], Refusal> {
        self.dicts.get(at).map(Vec::as_slice).ok_or_else(empty)
    }

    /// `('storage', torch.FloatStorage, '0', 'cpu', 1024)`: what torch keeps beside the pickle.
    fn storage(&mut self) -> Result<(), Refusal> {
        let id = self.pop()?;
        let [Value::Text("storage"), Value::Global(Global::Storage(kind, kind_name)), Value::Text(key), ..] =
            *self.sequence(id)?
        else {
            return Err(damaged("a storage is not described as torch describes one"));
        };
        self.count(1)?;
        self.storages.push(Storage { key, kind, kind_name });
        self.push(Value::Storage(self.storages.len() - 1))
    }

    fn call(&mut self) -> Result<(), Refusal> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        match (function, self.sequence(arguments)?) {
            (Value::Global(Global::OrderedDict), []) => self.new_dict(),
            (Value::Global(Global::RebuildParameter), [Value::Tensor(tensor), ..]) => {
                let tensor = Value::Tensor(*tensor);
                self.push(tensor)
            }
            (
                Value::Global(Global::RebuildTensor),
                [Value::Storage(storage), Value::Int(offset), shape, strides, ..],
            ) => {
                let tensor = Tensor {
                    storage: *storage,
                    offset: size(*offset)?,
                    shape: self.sizes(*shape)?,
                    strides: self.sizes(*strides)?,
                };
                if tensor.shape.len() != tensor.strides.len() {
                    return Err(damaged("a tensor has not as many strides as dimensions"));
                }
                self.count(1)?;
                self.tensors.push(tensor);
                self.push(Value::Tensor(self.tensors.len() - 1))
            }
            (Value::Global(_), _) => Err(damaged("a function is called with something else than it takes")),
            (other, _) => Err(damaged(&format!("{} is called as a function", other.what()))),
        }
    }

    fn sizes(&self, value: Value<'a>) -> Result<Vec<usize>, Refusal> {
        let items = self.sequence(value)?;
        if items.len() > MOST_DIMENSIONS {
            return Err(damaged("a tensor has too many dimensions"));
        }
        let one = |item: &Value<'_>| match item {
            Value::Int(value) => size(*value),
            other => Err(damaged(&format!("{} is where a size should be", other.what()))),
        };
        items.iter().map(one).collect()
    }

    /// Attributes of an `OrderedDict`: `_metadata`, the versions of torch's modules, which nothing here needs.
    fn build(&mut self) -> Result<(), Refusal> {
        let (state, object) = (self.pop()?, self.pop()?);
        let (Value::Dict(_), Value::Dict(_)) = (object, state) else {
            return Err(Refusal::Foreign(format!("it gives attributes to {}", object.what())));
        };
        self.push(object)
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Result<(), Refusal> {
        self.count(items.len())?;
        let Some(Value::Dict(at)) = self.stack.last() else {
            return Err(damaged("an item belongs to no dictionary"));
        };
        let dict = self.dicts.get_mut(*at).ok_or_else(empty)?;
        for pair in items.chunks(2) {
            let [key, value] = *pair else { return Err(damaged("a key has no value")) };
            dict.push((key, value));
        }
        Ok(())
    }

    fn append(&mut self, items: &[Value<'a>]) -> Result<(), Refusal> {
        self.count(items.len())?;
        let Some(Value::Sequence(at)) = self.stack.last() else {
            return Err(damaged("an item belongs to no list"));
        };
        self.sequences.get_mut(*at).ok_or_else(empty)?.extend_from_slice(items);
        Ok(())
    }

    fn tensor_of(&self, key: Value<'a>, value: Value<'a>) -> Result<Pickled, Refusal> {
        let Value::Text(name) = key else {
            return Err(Refusal::Foreign(format!("it has {} for a tensor's name", key.what())));
        };
        let Value::Tensor(at) = value else {
            return Err(Refusal::Foreign(format!(
                "its entry {} is {}, not a tensor",
                shortened(name),
                value.what()
            )));
        };
        let tensor = self.tensors.get(at).ok_or_else(empty)?;
        let storage = self.storages.get(tensor.storage).ok_or_else(empty)?;
        for text in [name, storage.key] {
            if text.len() > LONGEST_NAME {
                return Err(damaged(&format!(
                    "a name of {} bytes begins with {}",
                    text.len(),
                    shortened(text)
                )));
            }
        }
        Ok(Pickled {
            name: name.to_owned(),
            storage: storage.key.to_owned(),
            kind: storage.kind,
            kind_name: storage.kind_name.to_owned(),
            offset: tensor.offset,
            shape: tensor.shape.clone(),
            strides: tensor.strides.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
