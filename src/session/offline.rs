//! A model without a project: texts in, embeddings and probabilities out, as plain numbers.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::worker::{open_run, to_embeddings};
use crate::explore::Embeddings;
use crate::export::load::load_exported;
use crate::model::Model;
use crate::model::device;
use crate::model::summary::ModelSummary;
use crate::project::settings::Settings;
use crate::text::tokenizer::Tokenizer;
use crate::train::cache;
use crate::train::evaluate::probabilities;
use crate::train::rows::Rows;

/// Texts that are tokenised and encoded at a time.
const CHUNK: usize = 2048;

/// A model folder, an exported one, or a run, ready to encode.
pub struct Offline {
    model: Model,
    tokenizer: Tokenizer,
    max_length: usize,
}

impl Offline {
    /// Opens a model folder; heads too, where it is an exported one.
    ///
    /// # Errors
    /// A sentence: what is wrong with the folder, or which devices there are.
    pub fn open(model_dir: &Path, device: &str) -> Result<Self, String> {
        let device = find(device)?;
        let (model, _) = load_exported(model_dir, device).map_err(|error| error.to_string())?;
        let tokenizer = Tokenizer::load(model_dir).map_err(|error| error.to_string())?;
        tokenizer
            .check_fits(model.summary.vocab_size)
            .map_err(|error| format!("{}: {error}", model_dir.display()))?;
        let max_length = model.summary.max_seq_length;
        Ok(Self { model, tokenizer, max_length })
    }

    /// Opens the kept weights of a run folder, `PROJECT/runs/NAME`.
    ///
    /// # Errors
    /// A sentence: what is wrong with the run, or which devices there are.
    pub fn open_run(run_dir: &Path, device: &str) -> Result<Self, String> {
        let device = find(device)?;
        let project = run_dir.parent().and_then(Path::parent);
        let name = run_dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(project), Some(name)) = (project, name) else {
            return Err(format!("{} is not a run folder (PROJECT/runs/NAME)", run_dir.display()));
        };
        let parts = open_run(project, &name, device)?.into_parts()?;
        let (model, tokenizer, plan) = parts.ok_or_else(|| {
            format!("run {name} kept no weights: it ended before its first epoch did. Train again")
        })?;
        Ok(Self { model, tokenizer, max_length: plan.recipe.max_length })
    }

    /// From now on encodes with bfloat16 layers.
    ///
    /// # Errors
    /// A sentence: where the processor has no such numbers, they would be slower and not faster.
    pub fn reduce(&mut self) -> Result<(), String> {
        if !device::multiplies_bfloat16(self.model.device) {
            return Err("this processor cannot multiply bfloat16 numbers, so they would be slower than float32: leave out --precision".into());
        }
        self.model.reduce().map_err(|error| error.to_string())
    }

    /// The tasks with their classes; empty for a model without heads.
    #[must_use]
    pub fn tasks(&self) -> Vec<(String, Vec<String>)> {
        self.model.heads.iter().map(|head| (head.spec.task.clone(), head.spec.classes.clone())).collect()
    }

    /// Values of a sentence embedding.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.model.summary.hidden
    }

    /// Names, shapes and sizes.
    #[must_use]
    pub fn summary(&self) -> &ModelSummary {
        &self.model.summary
    }

    /// Sentence embeddings, in the order of the texts. `progress` is told how many are done.
    ///
    /// # Errors
    /// A sentence.
    pub fn embed(&mut self, texts: &[&str], progress: &mut dyn FnMut(usize)) -> Result<Embeddings, String> {
        let mut all = Embeddings { values: Vec::with_capacity(texts.len() * self.dim()), dim: self.dim() };
        self.each_chunk(texts, progress, |model, pooled| {
            all.values.extend(to_embeddings(model, pooled)?.values);
            Ok(())
        })?;
        Ok(all)
    }

    /// Per task and text, the probability of every class. `progress` is told how many are done.
    ///
    /// # Errors
    /// A sentence.
    pub fn predict(
        &mut self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Vec<f32>>>, String> {
        let classes: Vec<usize> =
            self.model.heads.iter().map(|head| head.spec.classes.len().max(1)).collect();
        let mut all = vec![Vec::with_capacity(texts.len()); classes.len()];
        self.each_chunk(texts, progress, |model, pooled| {
            let said = probabilities(model, pooled).map_err(|error| error.to_string())?;
            for ((rows, said), classes) in all.iter_mut().zip(said).zip(&classes) {
                rows.extend(said.chunks(*classes).map(<[f32]>::to_vec));
            }
            Ok(())
        })?;
        Ok(all)
    }

    fn each_chunk(
        &self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
        mut take: impl FnMut(&Model, &tch::Tensor) -> Result<(), String>,
    ) -> Result<(), String> {
        let never = AtomicBool::new(false);
        let mut done = 0;
        for chunk in texts.chunks(CHUNK) {
            let tokens = self
                .tokenizer
                .encode(chunk, self.max_length, &|_, _| true)
                .map_err(|error| error.to_string())?;
            let rows = Rows { tokens, ..Rows::default() };
            let pooled = cache::pooled(&self.model, &rows, &never, &mut |rows| progress(done + rows));
            let pooled = pooled.map_err(|error| error.to_string())?.ok_or("stopped")?;
            take(&self.model, &pooled)?;
            done += chunk.len();
        }
        Ok(())
    }
}

fn find(key: &str) -> Result<tch::Device, String> {
    let devices = device::find(Settings::load().0.cuda_dir.as_deref());
    device::parse(key, &devices)
}
