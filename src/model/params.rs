//! The parameters by name: what the encoder reads, what the optimiser updates, what is written to disk.

use std::borrow::Borrow;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::error::ModelError;
use super::summary::{Group, TensorInfo};

/// A named tensor and the part of the model it belongs to.
#[derive(Debug)]
pub struct Param {
    /// Name without the family's prefix; `heads.TASK.weight` for a head.
    pub name: String,
    /// The group.
    pub group: Group,
    /// The values: contiguous float32. Clones of it in the encoder share its memory.
    pub tensor: Tensor,
}

impl Param {
    /// Name, shape and group.
    #[must_use]
    pub fn info(&self) -> TensorInfo {
        TensorInfo { name: self.name.clone(), shape: self.tensor.size(), group: self.group }
    }
}

/// All parameters, in the order of the model from the input upward.
#[derive(Debug, Default)]
pub struct Params {
    /// What low-rank adapters, where there are any, are multiplied by.
    pub(super) adapter_scale: f64,
    /// Kind of number that linear layers over these parameters multiply; that of their weights when `None`.
    pub(super) products: Option<Kind>,
    list: Vec<Param>,
    index: HashMap<String, usize>,
}

impl Params {
    /// Adds a parameter; one of the same name is replaced.
    pub fn push(&mut self, param: Param) {
        if let Some(&at) = self.index.get(&param.name) {
            self.list[at] = param;
            return;
        }
        self.index.insert(param.name.clone(), self.list.len());
        self.list.push(param);
    }

    /// Takes away every parameter that `gone` says.
    pub fn remove(&mut self, gone: impl Fn(&Param) -> bool) {
        self.list.retain(|param| !gone(param));
        self.index = self.list.iter().enumerate().map(|(at, param)| (param.name.clone(), at)).collect();
    }

    /// The same parameters, in the same memory, for layers that multiply another kind of number.
    pub(super) fn multiplied_as(&self, kind: Kind) -> Self {
        let share = |param: &Param| Param {
            name: param.name.clone(),
            group: param.group,
            tensor: param.tensor.shallow_clone(),
        };
        Self {
            adapter_scale: self.adapter_scale,
            products: Some(kind),
            list: self.list.iter().map(share).collect(),
            index: self.index.clone(),
        }
    }

    /// Copies some parameters to another kind of number.
    pub(super) fn convert(&mut self, which: impl Fn(&Param) -> bool, kind: Kind) -> Result<(), ModelError> {
        for param in self.list.iter_mut().filter(|param| which(param)) {
            param.tensor = param.tensor.f_detach()?.f_to_kind(kind)?;
        }
        Ok(())
    }

    /// Moves some parameters of one width into one piece of memory, in this order. Nothing else changes about them.
    ///
    /// # Errors
    /// When there is no parameter of such a name, or their shapes do not fit together.
    pub(super) fn lay_together(&mut self, names: &[String; 3]) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let parts = [self.get(&names[0])?, self.get(&names[1])?, self.get(&names[2])?];
        let piece = Tensor::f_cat(&parts, 0)?;
        let mut start = 0;
        for (name, part) in names.iter().zip(parts) {
            let rows = part.size().first().copied().unwrap_or(0);
            let at = self.index.get(name).and_then(|at| self.list.get_mut(*at));
            if let Some(param) = at {
                param.tensor = piece.f_narrow(0, start, rows)?;
            }
            start += rows;
        }
        Ok(())
    }

    /// A parameter's tensor; shares its memory.
    ///
    /// # Errors
    /// When there is no parameter of that name: the caller's family asks for one it did not declare.
    pub fn get(&self, name: &str) -> Result<Tensor, ModelError> {
        let at = self.index.get(name).ok_or_else(|| ModelError::Unfit(format!("no tensor named {name}")))?;
        Ok(self.list[*at].tensor.shallow_clone())
    }

    /// A parameter's tensor, where there is one of that name; shares its memory.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Tensor> {
        let at = self.index.get(name)?;
        self.list.get(*at).map(|param| param.tensor.shallow_clone())
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Param> {
        self.list.iter()
    }

    /// The parameter at a place in the order.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&Param> {
        self.list.get(index)
    }

    /// Number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A copy of every value, in order, on the same device.
    pub fn snapshot(&self) -> Result<Vec<Tensor>, ModelError> {
        let _guard = tch::no_grad_guard();
        self.list.iter().map(|param| Ok(param.tensor.f_detach()?.f_copy()?)).collect()
    }

    /// Writes a snapshot back into the same memory.
    pub fn restore(&self, snapshot: &[Tensor]) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        for (param, saved) in self.list.iter().zip(snapshot) {
            param.tensor.shallow_clone().f_copy_(saved)?;
        }
        Ok(())
    }

    /// Bytes of a parameter as they lie in memory, little-endian float32.
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, ModelError> {
        let Some(param) = self.list.get(index) else { return Ok(Vec::new()) };
        tensor_bytes(&param.tensor)
    }
}

impl<'a> IntoIterator for &'a Params {
    type Item = &'a Param;
    type IntoIter = std::slice::Iter<'a, Param>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Params {
    type Item = Param;
    type IntoIter = std::vec::IntoIter<Param>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// One tensor `[values]` over several that follow each other in memory; nothing is copied, so what is written to either
/// is read in both. `None` where they lie apart.
#[must_use]
pub fn in_one_piece<T: Borrow<Tensor>>(parts: &[T]) -> Option<Tensor> {
    let first = parts.first()?.borrow();
    let (mut values, start) = (0, first.data_ptr() as usize);
    for part in parts {
        let part = part.borrow();
        let here = start + values * first.kind().elt_size_in_bytes();
        if part.kind() != first.kind() || !part.is_contiguous() || part.data_ptr() as usize != here {
            return None;
        }
        values += part.numel();
    }
    let _guard = tch::no_grad_guard();
    // libtorch refuses what would reach beyond the storage, so neighbours by chance are told from one piece.
    first.f_detach().ok()?.f_as_strided([values as i64], [1], None).ok()
}

/// Bytes of a float32 tensor, row-major, little-endian.
pub fn tensor_bytes(tensor: &Tensor) -> Result<Vec<u8>, ModelError> {
    let _guard = tch::no_grad_guard();
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0u8; flat.numel() * 4];
    flat.f_copy_data_u8(&mut bytes, flat.numel())?;
    Ok(bytes)
}

trait Copied {
    fn f_copy(&self) -> Result<Tensor, tch::TchError>;
}

impl Copied for Tensor {
    fn f_copy(&self) -> Result<Tensor, tch::TchError> {
        let mut copy = self.f_zeros_like()?;
        copy.f_copy_(self)?;
        Ok(copy)
    }
}
