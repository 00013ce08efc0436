//! The token embeddings cut down to the ids that a run meets.
//!
//! A row of the table that no text names has a gradient of exactly zero, so Adam never moves it; but a dense
//! gradient, its norm and the update walk over all of them, half of a small model's parameters. A run therefore
//! works on the rows that it needs. What decoupled weight decay would have done to the others is one factor.

use tch::{Kind, Tensor};

use super::error::ModelError;
use super::model::Model;
use super::params::Param;

/// What is needed to put the full table back.
#[derive(Debug)]
pub struct CutVocabulary {
    full: Tensor,
    used: Tensor,
}

impl Model {
    /// Cuts the table down to the ids in `used`; batches then hold only these.
    ///
    /// # Errors
    /// When libtorch refuses, or an id is beyond the table.
    pub fn cut_vocabulary(
        &mut self,
        used: impl IntoIterator<Item = u32>,
    ) -> Result<CutVocabulary, ModelError> {
        let _guard = tch::no_grad_guard();
        let full = self.params.get(self.family.words)?;
        let rows = full.size().first().map_or(0, |d| *d as usize);
        let mut map = vec![0u32; rows];
        let mut kept: Vec<i64> = Vec::new();
        let mut seen = vec![false; rows];
        for id in used {
            let slot = seen.get_mut(id as usize).ok_or_else(|| {
                ModelError::Unfit(format!("token id {id} is beyond the {rows} token embeddings of the model"))
            })?;
            *slot = true;
        }
        for (id, _) in seen.iter().enumerate().filter(|(_, seen)| **seen) {
            map[id] = kept.len() as u32;
            kept.push(id as i64);
        }
        let used = Tensor::f_from_slice(&kept)?.f_to_device(self.device)?;
        let table = full.f_detach()?.f_index_select(0, &used)?;
        self.replace_words(table)?;
        self.vocabulary = Some(map);
        Ok(CutVocabulary { full, used })
    }

    /// The full table as it would be, the rows without a text scaled by `unused`: a copy.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn full_words(&self, cut: &CutVocabulary, unused: f64) -> Result<Tensor, ModelError> {
        let _guard = tch::no_grad_guard();
        let words = self.params.get(self.family.words)?.f_detach()?;
        Ok(cut.full.f_detach()?.f_mul_scalar(unused)?.f_index_copy(0, &cut.used, &words)?)
    }

    /// Puts the full table back, the rows without a text scaled by `unused`.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn restore_vocabulary(&mut self, cut: CutVocabulary, unused: f64) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let words = self.params.get(self.family.words)?.f_detach()?;
        let mut full = cut.full;
        if unused < 1.0 {
            drop(full.f_mul_scalar_(unused)?);
        }
        drop(full.f_index_copy_(0, &cut.used, &words)?);
        self.vocabulary = None;
        self.replace_words(full)
    }

    fn replace_words(&mut self, tensor: Tensor) -> Result<(), ModelError> {
        let name = self.family.words;
        let group = self.params.iter().find(|param| param.name == name).map(|param| param.group);
        let group = group.ok_or_else(|| ModelError::Unfit(format!("no tensor named {name}")))?;
        debug_assert_eq!(tensor.kind(), Kind::Float);
        self.params.push(Param { name: name.to_owned(), group, tensor });
        self.rebuild()
    }
}
