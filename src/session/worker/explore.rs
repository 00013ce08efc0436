//! Measuring the shown run and looking at embeddings, before and after fine-tuning.

use std::sync::atomic::AtomicBool;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use tch::Tensor;

use super::super::state::{DataMap, Evaluation, Neighbours, Similarity, TextPrediction, Tokenized};
use super::measure::{classes_said, mistakes, said_of, spans_said};
use super::texts::rows_of;
use super::{Base, Failure, Mapped, STOPPED, Worker, stopped};
use crate::data::assemble::in_words;
use crate::data::dataset::Split;
use crate::data::task::TaskKind;
use crate::explore::Embeddings;
use crate::explore::neighbours::{Labelled, nearest_to, probe};
use crate::explore::projection::{movers, pca, procrustes};
use crate::explore::similarity::cosine_matrix;
use crate::model::Model;
use crate::model::heads::Head;
use crate::model::model::to_vec;
use crate::session::prediction::Prediction;
use crate::session::row_results::{RowResults, suspects};
use crate::text::tokenizer::Tokenizer;
use crate::train::cache;
use crate::train::evaluate::{answers, argmax, from_pooled, metrics};
use crate::train::examples::Examples;
use crate::train::interrupt::Interrupt;
use crate::train::metrics::{Predictions, Probe};
use crate::train::plan::PlannedTask;

/// Neighbours that a probe asks.
const PROBE_K: usize = 10;
/// Biggest movers that are listed.
const MOVERS: usize = 50;
/// Training rows that a probe compares with.
pub(super) const PROBE_ROWS: usize = 5000;
/// Rows of a map that was not drawn but is needed for neighbours.
const SILENT_MAP: usize = 2000;

impl Worker {
    pub(super) fn evaluate(&mut self, split: Split, stop: &AtomicBool) -> Result<Evaluation, Failure> {
        let dataset = self.dataset()?;
        self.open_again();
        let plan = self.tuned()?.plan.clone();
        let (tasks, heads) = (&plan.tasks, plan.head_specs());
        let tokens = self.tokens(&plan.model_path, plan.prompt_text(), plan.recipe.max_length, stop)?;
        self.busy(&format!("measuring on the {} rows", split.name()), None);
        let tuned = self.tuned()?;
        let which = dataset.rows_of(split);
        if which.is_empty() {
            return Err(format!("there are no {} rows", split.name()));
        }
        let rows = rows_of(&dataset, &tokens, &which, &heads);
        let said = answers(&tuned.model, &rows, stop, &mut |_| {}).map_err(|error| error.to_string())?;
        let of_task = |task| classes_said(&which, &rows, task, said.predictions.get(task));
        let classes: Vec<_> = (0..tasks.len()).map(of_task).collect();
        let mistaken = classes.iter().map(|said| mistakes(said)).collect();
        let suspected = classes.iter().map(|said| suspects(said)).collect();
        let kept = classes.into_iter().zip(tasks).enumerate().map(|(task, (classes, planned))| {
            let (targets, said) = (rows.targets.get(task), said.predictions.get(task));
            spans_said(&which, &tokens, &planned.classes, targets, rows.unread(task), said)
                .map_or_else(|| said_of(classes, targets, said), RowResults::Spans)
        });
        let kept = kept.collect();
        let probes = if split == Split::Train {
            Vec::new()
        } else {
            let train_rows: Vec<usize> = sample(dataset.rows_of(Split::Train), PROBE_ROWS);
            let train = rows_of(&dataset, &tokens, &train_rows, &heads);
            let answered = answers(&tuned.model, &train, stop, &mut |_| {});
            match Interrupt::stopped_is_none(answered).map_err(|error| error.to_string())? {
                Some(answered) => {
                    let train_embeddings = to_embeddings(&tuned.model, &answered.pooled)?;
                    let eval_embeddings = to_embeddings(&tuned.model, &said.pooled)?;
                    probes(tasks, (&train_embeddings, &train), (&eval_embeddings, &rows))
                }
                None => Vec::new(),
            }
        };
        Ok(Evaluation {
            run: tuned.plan.name.clone(),
            split,
            tasks: metrics(&tuned.model, &rows, &said.predictions),
            mistakes: mistaken,
            suspects: suspected,
            said: kept,
            compared: Vec::new(),
            labels_changed: false,
            probes,
            untrained: tuned.untrained(),
        })
    }

    pub(super) fn similarity(
        &mut self,
        texts: Vec<String>,
        stop: &AtomicBool,
    ) -> Result<Similarity, Failure> {
        if texts.len() < 2 {
            return Err("type at least two sentences, one per line".into());
        }
        self.load_start()?;
        let reading = self.reading()?;
        let cosines = |model: &Model| -> Result<_, Failure> {
            Ok(cosine_matrix(&embed_texts(model, &reading, &texts, stop)?))
        };
        let before = cosines(&self.before()?.model)?;
        let after = self.tuned.as_ref().map(|tuned| cosines(&tuned.model)).transpose()?;
        Ok(Similarity { texts, before, after })
    }

    pub(super) fn map(&mut self, limit: usize, stop: &AtomicBool) -> Result<DataMap, Failure> {
        self.embed_sample(limit, stop)?;
        let mapped = self.map.as_ref().ok_or(STOPPED)?;
        let first = pca(&mapped.before);
        let mut map = DataMap {
            rows: mapped.rows.clone(),
            before: first.points,
            after: None,
            explained: (first.explained, None),
            movers: Vec::new(),
            predicted: Vec::new(),
        };
        if let Some(after) = &mapped.after {
            let second = pca(after);
            let mut points = second.points;
            procrustes(&map.before, &mut points);
            map.after = Some(points);
            map.explained.1 = Some(second.explained);
            map.movers = movers(&mapped.before, after, MOVERS);
            map.predicted.clone_from(&mapped.predicted);
        }
        Ok(map)
    }

    /// Rows as the shown run's own tokeniser cuts them.
    fn tuned_rows(&mut self, which: &[usize], stop: &AtomicBool) -> Result<Examples, Failure> {
        let plan = self.tuned()?.plan.clone();
        let tokens = self.tokens(&plan.model_path, plan.prompt_text(), plan.recipe.max_length, stop)?;
        Ok(rows_of(self.dataset()?.as_ref(), &tokens, which, &plan.head_specs()))
    }

    /// Loads the pretrained model that the shown run started from, where the Model page has another one.
    fn load_start(&mut self) -> Result<(), Failure> {
        let Some(plan) = self.tuned.as_ref().map(|tuned| tuned.plan.clone()) else { return Ok(()) };
        if self.before().is_ok() {
            return Ok(());
        }
        self.start = None;
        self.busy("loading the model that the run started from", None);
        let path = plan.model_path.clone();
        let (model, tokenizer) = self.open_model(&path)?;
        if let Some(what) = plan.other_in(&model.summary) {
            return Err(format!(
                "the {what} in {} changed since run {} started, so there is nothing to compare it with: put the earlier \
                 files back, or train again",
                path.display(),
                plan.name
            ));
        }
        self.start = Some(Base { path, model, tokenizer });
        Ok(())
    }

    /// The model before fine-tuning: the one that the shown run started from, or the Model page's without a run.
    fn before(&self) -> Result<&Base, Failure> {
        let Some(tuned) = &self.tuned else { return self.base() };
        let is_its = |base: &&Base| {
            base.path == tuned.plan.model_path && tuned.plan.other_in(&base.model.summary).is_none()
        };
        let mut known = self.base.iter().chain(&self.start);
        known.find(is_its).ok_or_else(|| "the model that the run started from is not loaded".to_owned())
    }

    /// How texts are read, before and after alike: as the shown run reads them, or as the pretrained model does by
    /// itself without a run.
    fn reading(&self) -> Result<Reading<'_>, Failure> {
        if let Some(tuned) = &self.tuned {
            return Ok(Reading { tokenizer: &tuned.tokenizer, max_length: tuned.plan.recipe.max_length });
        }
        let base = self.base()?;
        Ok(Reading { tokenizer: &base.tokenizer, max_length: base.model.summary.max_seq_length })
    }

    /// Embeds a seeded sample of the rows with both weights, on the same tokens, and keeps them for neighbours.
    fn embed_sample(&mut self, limit: usize, stop: &AtomicBool) -> Result<(), Failure> {
        self.load_start()?;
        let dataset = self.dataset()?;
        let which = sample((0..dataset.rows()).collect(), limit.max(3));
        let rows = if self.tuned.is_some() {
            self.tuned_rows(&which, stop)?
        } else {
            let (path, summary) = (self.base()?.path.clone(), &self.base()?.model.summary);
            let length = summary.max_seq_length.min(summary.max_positions);
            rows_of(&dataset, &*self.tokens(&path, "", length, stop)?, &which, &[])
        };
        self.busy("encoding rows for the map", None);
        let rows = Examples { tokens: rows.tokens, ..Examples::default() };
        let pooled = |model: &Model| -> Result<Tensor, Failure> {
            cache::pooled(model, &rows, stop, &mut |_| {}).map_err(|error| error.to_string())
        };
        let model = &self.before()?.model;
        let before = to_embeddings(model, &pooled(model)?)?;
        let (mut after, mut predicted) = (None, Vec::new());
        if let Some(tuned) = &self.tuned {
            let model = &tuned.model;
            let pooled = pooled(model)?;
            after = Some(to_embeddings(model, &pooled)?);
            // The heads read what is encoded already.
            let of_heads = from_pooled(model, &rows, &pooled).map_err(|error| error.to_string())?;
            predicted = of_heads.iter().map(predicted_classes).collect();
        }
        self.map = Some(Mapped { rows: which, before, after, predicted });
        Ok(())
    }

    pub(super) fn neighbours(
        &mut self,
        row: usize,
        k: usize,
        stop: &AtomicBool,
    ) -> Result<Neighbours, Failure> {
        if self.map.is_none() {
            self.embed_sample(SILENT_MAP, stop)?;
        }
        self.load_start()?;
        let dataset = self.dataset()?;
        let text = [dataset.text(row).to_owned()];
        let (reading, mapped) = (self.reading()?, self.map.as_ref().ok_or(STOPPED)?);
        let near = |model: &Model, embeddings: &Embeddings| -> Result<_, Failure> {
            let query = embed_texts(model, &reading, &text, stop)?;
            let found = nearest_to(embeddings, query.row(0), k + 1);
            let named = found.into_iter().filter_map(|(at, cosine)| Some((*mapped.rows.get(at)?, cosine)));
            Ok(named.filter(|(other, _)| *other != row).take(k).collect::<Vec<_>>())
        };
        let before = near(&self.before()?.model, &mapped.before)?;
        let after = match (&self.tuned, &mapped.after) {
            (Some(tuned), Some(after)) => Some(near(&tuned.model, after)?),
            _ => None,
        };
        Ok(Neighbours { row, before, after })
    }

    pub(super) fn predict(&mut self, text: String, stop: &AtomicBool) -> Result<TextPrediction, Failure> {
        self.open_again();
        let tuned = self.tuned()?;
        // As the rows of a data set with tagged words, and as `frostline predict`.
        let has_words = tuned.plan.tasks.iter().any(|task| task.kind == TaskKind::TokenLabels);
        let read = if has_words { in_words(&text).into_owned() } else { text.clone() };
        let texts = std::slice::from_ref(&read);
        let length = tuned.plan.recipe.max_length;
        let go_on = |_, _| !stopped(stop);
        let tokens = tuned.tokenizer.encode(texts, length, &go_on).map_err(|error| error.to_string())?;
        let starts = tuned.tokenizer.word_starts(texts, length, &go_on);
        let starts = starts.map_err(|error| error.to_string())?.pop().unwrap_or_default();
        let rows = Examples { tokens, ..Examples::default() };
        let said = answers(&tuned.model, &rows, stop, &mut |_| {}).map_err(|error| error.to_string())?;
        let of = |(head, said): (&Head, &Predictions)| {
            let mut answer = Prediction::of_row(&head.spec, said, 0, (&read, &starts));
            if let Prediction::OneOf(classes) | Prediction::AnyOf(classes) = &mut answer {
                classes.sort_by(|a, b| b.1.total_cmp(&a.1));
            }
            (head.spec.task.clone(), answer)
        };
        let tasks = tuned.model.heads.iter().zip(&said.predictions).map(of).collect();
        Ok(TextPrediction { text, tasks })
    }

    /// A text as the draft of the next run would cut it; `prompt` is its choice.
    pub(super) fn tokenize(
        &mut self,
        text: String,
        prompt: Option<&str>,
        max_length: usize,
        stop: &AtomicBool,
    ) -> Result<Tokenized, Failure> {
        let base = self.base()?;
        let length = max_length.min(base.model.summary.max_positions);
        let prompt = base.model.summary.prompt(prompt)?.map_or_else(String::new, |prompt| prompt.text);
        let tokenizer = base.tokenizer.with_prompt(&prompt);
        let tokens = tokenizer.tokens(&text).map_err(|error| error.to_string())?;
        let truncated = tokens.len() > length;
        let reading = Reading { tokenizer: &tokenizer, max_length: length };
        let embeddings = embed_texts(&base.model, &reading, std::slice::from_ref(&text), stop)?;
        Ok(Tokenized { text, tokens, truncated, embedding: embeddings.row(0).to_vec() })
    }
}

/// How texts become tokens: which tokeniser, its prompt included, and how many tokens at most.
struct Reading<'a> {
    tokenizer: &'a Tokenizer,
    max_length: usize,
}

/// Sentence embeddings of texts, as they are exported.
fn embed_texts(
    model: &Model,
    reading: &Reading<'_>,
    texts: &[String],
    stop: &AtomicBool,
) -> Result<Embeddings, Failure> {
    let length = reading.max_length.min(model.summary.max_positions);
    let tokens = reading.tokenizer.encode(texts, length, &|_, _| !stopped(stop));
    let rows = Examples { tokens: tokens.map_err(|error| error.to_string())?, ..Examples::default() };
    let pooled = cache::pooled(model, &rows, stop, &mut |_| {}).map_err(|error| error.to_string())?;
    to_embeddings(model, &pooled)
}

/// The class that a head predicts for each row, the colour of its point; empty for tasks that do not have one class per
/// row.
fn predicted_classes(predictions: &Predictions) -> Vec<u32> {
    match predictions {
        Predictions::Probabilities { classes, values } => {
            values.chunks((*classes).max(1)).map(|row| argmax(row) as u32).collect()
        }
        _ => Vec::new(),
    }
}

/// Pooled vectors `[rows, embedding]` to the embeddings that are exported.
pub(in crate::session) fn to_embeddings(model: &Model, pooled: &Tensor) -> Result<Embeddings, Failure> {
    let values =
        model.finish(pooled).and_then(|finished| to_vec(&finished)).map_err(|error| error.to_string())?;
    Ok(Embeddings { values, dim: model.summary.embedding() })
}

/// Both probes of every task.
pub(super) fn probes(
    tasks: &[PlannedTask],
    train: (&Embeddings, &Examples),
    eval: (&Embeddings, &Examples),
) -> Vec<Probe> {
    let of = |(index, task): (usize, &PlannedTask)| {
        let train = Labelled { embeddings: train.0, labels: train.1.targets.get(index)?.classes() };
        let eval = Labelled { embeddings: eval.0, labels: eval.1.targets.get(index)?.classes() };
        probe(&task.name, train, eval, task.classes.len(), PROBE_K)
    };
    tasks.iter().enumerate().filter_map(of).collect()
}

/// At most `limit` of the rows, always the same ones, in order.
pub(super) fn sample(mut rows: Vec<usize>, limit: usize) -> Vec<usize> {
    if rows.len() > limit {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        rows.shuffle(&mut rng);
        rows.truncate(limit);
        rows.sort_unstable();
    }
    rows
}
