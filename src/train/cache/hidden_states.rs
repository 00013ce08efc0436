//! Token states of many texts at the frost line: in memory, or in a temporary file where they would not fit.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use crate::model::ModelError;
use crate::model::batch::TokenBatch;
use crate::model::device::{send, upload};
use crate::model::params::tensor_bytes;

/// What kept states may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of memory.
    pub memory: u64,
    /// Whether they are kept as float16: half the room, and no longer exact.
    pub half: bool,
    /// Folder of the temporary file that takes what does not fit; without one nothing is kept then.
    pub spill: Option<PathBuf>,
}

/// Names the megabytes of memory that kept states may take, where 2 GB are too many or too few.
const MEMORY_VARIABLE: &str = "FROSTLINE_CACHE_MB";
/// What they may take where nothing is named.
const MEMORY: u64 = 2 << 30;

impl Default for Budget {
    fn default() -> Self {
        Self { memory: memory(named_memory().as_deref()).unwrap_or(MEMORY), half: false, spill: None }
    }
}

/// What is wrong with the variable that names the memory; `None` where it is right or not set.
pub(in crate::train) fn wrong_memory() -> Option<String> {
    memory(named_memory().as_deref()).err()
}

fn named_memory() -> Option<String> {
    std::env::var_os(MEMORY_VARIABLE).map(|value| value.to_string_lossy().into_owned())
}

/// Bytes that a value of the variable names.
fn memory(value: Option<&str>) -> Result<u64, String> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(MEMORY) };
    match value.parse::<u64>() {
        Ok(megabytes) => Ok(megabytes.saturating_mul(1 << 20)),
        Err(_) => Err(format!(
            "{MEMORY_VARIABLE} is \"{value}\": use a whole number of megabytes. Token states may take 2048 MB of memory"
        )),
    }
}

/// Where kept states go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Into memory.
    Memory,
    /// Into a temporary file.
    Disk,
    /// Nowhere: they are computed batch by batch.
    None,
}

impl Budget {
    /// Bytes that states of so many tokens take.
    #[must_use]
    pub fn bytes(&self, tokens: usize, hidden: usize) -> u64 {
        tokens as u64 * hidden as u64 * if self.half { 2 } else { 4 }
    }

    /// Where states of so many tokens go.
    #[must_use]
    pub fn room(&self, tokens: usize, hidden: usize) -> Room {
        match &self.spill {
            _ if self.bytes(tokens, hidden) <= self.memory => Room::Memory,
            Some(_) => Room::Disk,
            None => Room::None,
        }
    }
}

/// Token states of texts end to end.
#[derive(Debug)]
pub struct HiddenStates {
    /// Layers below them.
    depth: usize,
    hidden: usize,
    /// First token of each text, and one past the last.
    starts: Vec<usize>,
    store: Store,
    device: Device,
}

#[derive(Debug)]
enum Store {
    /// `[tokens, hidden]`, float32 or float16.
    Memory(Tensor),
    /// Row-major float32 or float16 values in a file without a name: it is gone with the program, however it ends.
    Disk { file: File, dir: PathBuf, half: bool },
}

impl HiddenStates {
    /// Room for the states of texts of these lengths after `depth` layers; `None` where the budget has none.
    ///
    /// # Errors
    /// When memory or the temporary file cannot be had.
    pub fn new(
        depth: usize,
        hidden: usize,
        lengths: &[u32],
        budget: &Budget,
        device: Device,
    ) -> Result<Option<Self>, ModelError> {
        let mut starts = vec![0];
        let mut tokens = 0;
        for length in lengths {
            tokens += *length as usize;
            starts.push(tokens);
        }
        let store = match (budget.room(tokens, hidden), &budget.spill) {
            (Room::Memory, _) => {
                let kind = if budget.half { Kind::Half } else { Kind::Float };
                Store::Memory(Tensor::f_zeros([tokens as i64, hidden as i64], (kind, device))?)
            }
            (Room::Disk, Some(dir)) => {
                let file = tempfile::tempfile_in(dir).map_err(ModelError::io(dir))?;
                // The whole length at once, so that a full disk is known before the work and not after it.
                file.set_len(budget.bytes(tokens, hidden)).map_err(ModelError::io(dir))?;
                Store::Disk { file, dir: dir.clone(), half: budget.half }
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { depth, hidden, starts, store, device }))
    }

    /// Layers below the states.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Whether they lie in a file.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        matches!(self.store, Store::Disk { .. })
    }

    /// Keeps the states `[tokens, hidden]` of some texts, end to end in their order.
    ///
    /// # Errors
    /// When there are more or fewer than the texts have tokens, or the file cannot be written.
    pub fn put(&mut self, texts: &[u32], states: &Tensor) -> Result<(), ModelError> {
        let places = self.places(texts, None);
        match &mut self.store {
            Store::Memory(all) => {
                let places = upload(&places, self.device)?;
                drop(all.f_index_copy_(0, &places, &states.f_to_kind(all.kind())?)?);
            }
            Store::Disk { file, dir, half } => {
                let width = self.hidden * if *half { 2 } else { 4 };
                let bytes =
                    if *half { half_bytes(&states.f_to_kind(Kind::Half)?)? } else { tensor_bytes(states)? };
                let mut rest = bytes.as_slice();
                for text in texts {
                    let (Some(start), Some(end)) =
                        (self.starts.get(*text as usize), self.starts.get(*text as usize + 1))
                    else {
                        continue;
                    };
                    let Some((own, after)) = rest.split_at_checked((end - start) * width) else {
                        return Err(ModelError::Unfit("fewer token states than tokens".into()));
                    };
                    seek(file, dir, start * width)?;
                    file.write_all(own).map_err(ModelError::io(dir.as_path()))?;
                    rest = after;
                }
            }
        }
        Ok(())
    }

    /// States of some texts, float32: `[batch, seq, hidden]` with zeros at padded places, or `[tokens, hidden]` where
    /// their batch is packed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn gather(&self, texts: &[u32], batch: &TokenBatch) -> Result<Tensor, ModelError> {
        let packed = batch.groups.is_some();
        let shape = if packed { vec![-1] } else { vec![texts.len() as i64, batch.longest as i64] };
        let shape: Vec<i64> = shape.into_iter().chain([self.hidden as i64]).collect();
        let flat = match &self.store {
            Store::Memory(all) => {
                let places = self.places(texts, (!packed).then_some(batch.longest));
                let places = upload(&places, self.device)?;
                let flat = all.f_index_select(0, &places)?.f_to_kind(Kind::Float)?;
                let padded = batch.lengths.iter().any(|length| *length < batch.longest);
                // What stands at padded places was read from the first token: its values must not be seen.
                if packed || !padded { flat } else { flat.f_mul(&batch.keep.f_view([-1, 1])?)? }
            }
            Store::Disk { file, dir, half } => {
                self.read(file, dir, *half, texts, (!packed).then_some(batch.longest))?
            }
        };
        Ok(flat.f_view(shape.as_slice())?)
    }

    /// Places of the tokens of some texts; each text filled up to `width` with place 0 where there is one.
    fn places(&self, texts: &[u32], width: Option<usize>) -> Vec<i64> {
        let mut places = Vec::new();
        for text in texts {
            let text = *text as usize;
            let (Some(start), Some(end)) = (self.starts.get(text), self.starts.get(text + 1)) else {
                continue;
            };
            let before = places.len();
            places.extend((*start..*end).map(|place| place as i64));
            if let Some(width) = width {
                places.resize(before + width, 0);
            }
        }
        places
    }

    fn read(
        &self,
        mut file: &File,
        dir: &Path,
        half: bool,
        texts: &[u32],
        width: Option<usize>,
    ) -> Result<Tensor, ModelError> {
        let row = self.hidden * if half { 2 } else { 4 };
        let mut bytes = Vec::new();
        for text in texts {
            let text = *text as usize;
            let (Some(start), Some(end)) = (self.starts.get(text), self.starts.get(text + 1)) else {
                continue;
            };
            let before = bytes.len();
            let own = (end - start) * row;
            bytes.resize(before + width.map_or(own, |width| (width * row).max(own)), 0);
            file.seek(SeekFrom::Start((start * row) as u64)).map_err(ModelError::io(dir))?;
            let target = bytes.get_mut(before..before + own).unwrap_or_default();
            file.read_exact(target).map_err(ModelError::io(dir))?;
        }
        let values = (bytes.len() / (row / self.hidden).max(1)) as i64;
        let kind = if half { Kind::Half } else { Kind::Float };
        let tensor = Tensor::f_from_data_size(&bytes, &[values], kind)?;
        Ok(send(tensor, self.device)?.f_to_kind(Kind::Float)?)
    }
}

fn seek(file: &mut File, dir: &Path, to: usize) -> Result<(), ModelError> {
    file.seek(SeekFrom::Start(to as u64)).map_err(ModelError::io(dir))?;
    Ok(())
}

/// Bytes of a float16 tensor, row-major.
fn half_bytes(tensor: &Tensor) -> Result<Vec<u8>, ModelError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0u8; flat.numel() * 2];
    flat.f_copy_data_u8(&mut bytes, flat.numel())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::model::to_vec;

    /// Texts of 2, 3 and 1 tokens whose states are 0, 1, 2 ...
    fn kept(budget: &Budget) -> HiddenStates {
        let mut states = HiddenStates::new(1, 2, &[2, 3, 1], budget, Device::Cpu).unwrap().unwrap();
        let all = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([6, 2]);
        // Sorted by length, as the encoder gives them.
        let sorted = Tensor::cat(&[all.narrow(0, 2, 3), all.narrow(0, 0, 2), all.narrow(0, 5, 1)], 0);
        states.put(&[1, 0, 2], &sorted).unwrap();
        states
    }

    #[test]
    fn what_is_put_is_gathered_in_memory_on_disk_and_halved() {
        let dir = tempfile::tempdir().unwrap();
        for (memory, half) in [(1 << 20, false), (1 << 20, true), (0, false), (0, true)] {
            let budget = Budget { memory, half, spill: Some(dir.path().to_owned()) };
            let states = kept(&budget);
            assert_eq!(states.is_on_disk(), memory == 0);
            let padded = TokenBatch::new(&[&[1], &[1, 1]], Device::Cpu).unwrap();
            let values = to_vec(&states.gather(&[2, 0], &padded).unwrap()).unwrap();
            assert_eq!(values, [10.0, 11.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
            let packed = TokenBatch::packed(&[&[1], &[1, 1]], Device::Cpu).unwrap();
            let values = to_vec(&states.gather(&[2, 0], &packed).unwrap()).unwrap();
            assert_eq!(values, [10.0, 11.0, 0.0, 1.0, 2.0, 3.0]);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn the_memory_is_that_which_is_named() {
        assert_eq!(memory(None), Ok(2 << 30));
        assert_eq!(memory(Some("")), Ok(2 << 30));
        assert_eq!(memory(Some("0")), Ok(0));
        assert_eq!(memory(Some("3")), Ok(3 << 20));
        let error = memory(Some("2 GB")).unwrap_err();
        assert!(error.contains("FROSTLINE_CACHE_MB is \"2 GB\"") && error.contains("megabytes"), "{error}");
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let budget = Budget { memory: 8, half: false, spill: None };
        assert!(HiddenStates::new(1, 2, &[2], &budget, Device::Cpu).unwrap().is_none());
    }
}
