//! A model without a project: texts in, embeddings and probabilities out, as plain numbers.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::prediction::Prediction;
use super::worker::{Texts, open_run, rows_of, to_embeddings};
use crate::data::assemble::in_words;
use crate::data::column::StrColumn;
use crate::data::dataset::{Dataset, Labels, Split, TaskLabels};
use crate::data::task::TaskKind;
use crate::explore::Embeddings;
use crate::export::load::{load_exported, untrained_heads};
use crate::model::Model;
use crate::model::device;
use crate::model::heads::HeadSpec;
use crate::model::summary::ModelSummary;
use crate::project::settings::Settings;
use crate::text::tokenizer::Tokenizer;
use crate::train::cache;
use crate::train::evaluate::{answers, metrics};
use crate::train::examples::Examples;
use crate::train::metrics::TaskMetrics;

/// Texts that are tokenised and encoded at a time. Whoever hands over so many at a time gets what all of them together
/// give, to the bit.
pub const CHUNK: usize = 2048;

/// A model folder, an exported one, or a run, ready to encode.
pub struct Predictor {
    model: Model,
    tokenizer: Tokenizer,
    max_length: usize,
    truncated: usize,
    untrained: Vec<String>,
    cuda_library: Option<String>,
    stop: Arc<AtomicBool>,
}

impl Predictor {
    /// Opens a model folder; heads too, where it is an exported one. Its default prompt, if it has one, is put before
    /// every text.
    ///
    /// # Errors
    /// A sentence: what is wrong with the folder, or which devices there are.
    pub fn open(model_dir: &Path, device: &str) -> Result<Self, String> {
        let (device, cuda_library) = find(device)?;
        let (model, _) = load_exported(model_dir, device).map_err(|error| error.to_string())?;
        let tokenizer = Tokenizer::load(model_dir).map_err(|error| error.to_string())?;
        tokenizer
            .check_fits(model.summary.vocab_size)
            .map_err(|error| format!("{}: {error}", model_dir.display()))?;
        let max_length = model.summary.max_seq_length;
        let default = model.summary.origin.default_prompt.clone();
        let untrained = untrained_heads(model_dir).map_err(|error| error.to_string())?;
        let mut offline = Self {
            model,
            tokenizer,
            max_length,
            truncated: 0,
            untrained,
            cuda_library,
            stop: Arc::default(),
        };
        // A model that leaves its prompt out of the pooling is opened without it: see `lacks_its_prompt`.
        if let Some(prompt) = default.filter(|_| !offline.lacks_its_prompt()) {
            offline.put_before(&prompt)?;
        }
        Ok(offline)
    }

    /// Opens the kept weights of a run folder, `PROJECT/runs/NAME`.
    ///
    /// # Errors
    /// A sentence: what is wrong with the run, or which devices there are.
    pub fn open_run(run_dir: &Path, device: &str) -> Result<Self, String> {
        let (device, cuda_library) = find(device)?;
        let project = run_dir.parent().and_then(Path::parent);
        let name = run_dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(project), Some(name)) = (project, name) else {
            return Err(format!("{} is not a run folder (PROJECT/runs/NAME)", run_dir.display()));
        };
        let run = open_run(project, &name, device)?;
        let untrained = run.untrained();
        let parts = run.into_parts()?;
        let (model, tokenizer, plan) = parts.ok_or_else(|| {
            format!("run {name} kept no weights: it ended before its first epoch did. Train again")
        })?;
        let max_length = plan.recipe.max_length;
        Ok(Self { model, tokenizer, max_length, truncated: 0, untrained, cuda_library, stop: Arc::default() })
    }

    /// The folder that the model was loaded from; of a run, that of its pretrained model.
    #[must_use]
    pub fn model_dir(&self) -> &Path {
        &self.model.summary.path
    }

    /// From now on gives up within a batch once this switch is set.
    pub fn stop_by(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    /// Tasks whose heads never trained: what they predict is random.
    #[must_use]
    pub fn untrained(&self) -> &[String] {
        &self.untrained
    }

    /// From now on puts a prompt before every text, instead of the folder's default or the run's own: one of the
    /// model's by its name, or else a text; an empty one is none.
    ///
    /// # Errors
    /// A sentence, for a model that cannot be given one.
    pub fn put_before(&mut self, prompt: &str) -> Result<(), String> {
        let prompt = self.model.summary.prompt(Some(prompt))?;
        self.tokenizer = self.tokenizer.with_prompt(prompt.as_ref().map_or("", |prompt| &prompt.text));
        Ok(())
    }

    /// Whether the model means to have a prompt before every text that it is not given here, since its tokens would
    /// have to be left out of the pooling: embeddings are then not those of sentence-transformers.
    #[must_use]
    pub fn lacks_its_prompt(&self) -> bool {
        let origin = &self.model.summary.origin;
        let named = origin.prompts.iter().find(|prompt| Some(&prompt.name) == origin.default_prompt.as_ref());
        origin.pools_no_prompt && named.is_some_and(|prompt| !prompt.text.is_empty())
    }

    /// The file of libtorch's CUDA part, and who put it there, where the work is done with it.
    #[must_use]
    pub fn cuda_library(&self) -> Option<&str> {
        self.cuda_library.as_deref()
    }

    /// Most tokens of a text, and how many texts had more until now and were cut.
    #[must_use]
    pub const fn truncated(&self) -> (usize, usize) {
        (self.max_length, self.truncated)
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

    /// The tasks with their kinds and classes; empty for a model without heads.
    #[must_use]
    pub fn tasks(&self) -> Vec<HeadSpec> {
        self.model.heads.iter().map(|head| head.spec.clone()).collect()
    }

    /// Values of a sentence embedding.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.model.summary.embedding()
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

    /// Per task and text, what its head says. `second` are the partners of the texts, for tasks on pairs; `progress`
    /// is told how many are done.
    ///
    /// # Errors
    /// A sentence.
    pub fn predict(
        &mut self,
        texts: &[&str],
        second: Option<&[&str]>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Vec<Prediction>>, String> {
        let heads = self.tasks();
        let mut all: Vec<Vec<Prediction>> = heads.iter().map(|_| Vec::with_capacity(texts.len())).collect();
        for (chunk, texts) in texts.chunks(CHUNK).enumerate() {
            let done = chunk * CHUNK;
            let second = second.and_then(|second| second.get(done..(done + texts.len()).min(second.len())));
            let data = unlabelled(texts, second.unwrap_or_default(), &heads);
            let stop = self.stop.clone();
            let tokens = Texts::of(&self.tokenizer, &data, self.max_length, &stop)?;
            let which: Vec<usize> = (0..texts.len()).collect();
            let mut rows = rows_of(&data, &tokens, &which, &heads);
            self.truncated += rows.truncated_rows();
            // Nothing is known to belong together, so nothing is ranked: pairs get their cosine.
            rows.targets.clear();
            let said = answers(&self.model, &rows, &stop, &mut |rows| progress(done + rows.min(texts.len())));
            let said = said.map_err(|error| error.to_string())?;
            for ((answers, head), said) in all.iter_mut().zip(&heads).zip(&said.predictions) {
                let words = |row: &usize| (data.text(*row), tokens.word_starts(*row));
                answers.extend(which.iter().map(|row| Prediction::of_row(head, said, *row, words(row))));
            }
        }
        Ok(all)
    }

    /// Figures of every task over all rows of a data set, whatever their split.
    ///
    /// # Errors
    /// A sentence.
    pub fn evaluate(
        &mut self,
        dataset: &Dataset,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<TaskMetrics>, String> {
        let stop = self.stop.clone();
        let texts = Texts::of(&self.tokenizer, dataset, self.max_length, &stop)?;
        let which: Vec<usize> = (0..dataset.rows()).collect();
        let rows = rows_of(dataset, &texts, &which, &self.tasks());
        self.truncated += rows.truncated_rows();
        let said = answers(&self.model, &rows, &stop, &mut |done| progress(done.min(which.len())));
        let said = said.map_err(|error| error.to_string())?;
        Ok(metrics(&self.model, &rows, &said.predictions))
    }

    fn each_chunk(
        &mut self,
        texts: &[&str],
        progress: &mut dyn FnMut(usize),
        mut take: impl FnMut(&Model, &tch::Tensor) -> Result<(), String>,
    ) -> Result<(), String> {
        let stop = self.stop.clone();
        let mut done = 0;
        for chunk in texts.chunks(CHUNK) {
            let tokens = self
                .tokenizer
                .encode(chunk, self.max_length, &|_, _| !stop.load(Ordering::Relaxed))
                .map_err(|error| error.to_string())?;
            self.truncated += tokens.truncated_rows();
            let rows = Examples { tokens, ..Examples::default() };
            let pooled = cache::pooled(&self.model, &rows, &stop, &mut |rows| progress(done + rows));
            let pooled = pooled.map_err(|error| error.to_string())?;
            take(&self.model, &pooled)?;
            done += chunk.len();
        }
        Ok(())
    }
}

/// Texts without labels, as a data set of the tasks of some heads.
fn unlabelled(texts: &[&str], second: &[&str], heads: &[HeadSpec]) -> Dataset {
    let task = |head: &HeadSpec| TaskLabels {
        name: head.task.clone(),
        kind: head.kind,
        classes: Vec::new(),
        labels: Labels::default(),
    };
    let has_words = heads.iter().any(|head| head.kind == TaskKind::TokenLabels);
    Dataset {
        texts: texts
            .iter()
            .map(|text| if has_words { in_words(text) } else { Cow::Borrowed(*text) })
            .collect(),
        second: second.iter().copied().collect::<StrColumn>(),
        tasks: if has_words { heads.iter().map(task).collect() } else { Vec::new() },
        splits: vec![Split::Test; texts.len()],
        ..Dataset::default()
    }
}

/// The device of a key, and the file of libtorch's CUDA part where it is one of CUDA's.
fn find(key: &str) -> Result<(tch::Device, Option<String>), String> {
    let devices = device::find(Settings::load().0.cuda_dir.as_deref());
    let device = device::parse(key, &devices)?;
    Ok((device, devices.cuda_library.filter(|_| device.is_cuda())))
}
