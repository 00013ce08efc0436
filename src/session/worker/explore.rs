//! Measuring the shown run and looking at embeddings, before and after fine-tuning.

use std::sync::atomic::AtomicBool;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use tch::Tensor;

use super::super::answer::Answer;
use super::super::command::Weights;
use super::super::measured::{Said, suspects};
use super::super::state::{DataMap, Evaluation, Neighbours, Prediction, Similarity, Tokenized};
use super::measure::{classes_said, mistakes, said_of, spans_said};
use super::texts::rows_of;
use super::{Failure, Mapped, Tuned, Worker};
use crate::data::dataset::Split;
use crate::explore::Embeddings;
use crate::explore::neighbours::{Labelled, nearest_to, probe};
use crate::explore::projection::{movers, pca, procrustes};
use crate::explore::similarity::cosine_matrix;
use crate::model::Model;
use crate::model::heads::Head;
use crate::model::sentence::to_vec;
use crate::text::tokenizer::Tokenizer;
use crate::train::evaluate::{answers, argmax, metrics};
use crate::train::metrics::{Predictions, Probe};
use crate::train::plan::PlannedTask;
use crate::train::rows::Rows;

/// Neighbours that a probe asks.
const PROBE_K: usize = 10;
/// Biggest movers that are listed.
const MOVERS: usize = 50;
/// Training rows that a probe compares with.
pub(super) const PROBE_ROWS: usize = 5000;
/// Rows of a map that was not drawn but is needed for neighbours.
const SILENT_MAP: usize = 2000;

impl Worker {
    pub(super) fn tuned(&self) -> Result<&Tuned, Failure> {
        self.tuned
            .as_ref()
            .ok_or_else(|| "there is no trained model yet: train one on the Schedule page".to_owned())
    }

    pub(super) fn evaluate(&mut self, split: Split, stop: &AtomicBool) -> Result<Evaluation, Failure> {
        let dataset = self.dataset()?;
        let plan = self.tuned()?.plan.clone();
        let (tasks, heads) = (&plan.tasks, plan.head_specs());
        let tokens = self.tokens(Weights::Tuned, plan.prompt_text(), plan.recipe.max_length, stop)?;
        self.busy(&format!("measuring on the {} rows", split.name()), None);
        let tuned = self.tuned()?;
        let which = dataset.rows_of(split);
        if which.is_empty() {
            return Err(format!("there are no {} rows", split.name()));
        }
        let rows = rows_of(&dataset, &tokens, &which, &heads);
        let said = answers(&tuned.model, &rows, stop, &mut |_| {}).map_err(|error| error.to_string())?;
        let said = said.ok_or("stopped")?;
        let of_task = |task| classes_said(&which, &rows, task, said.predictions.get(task));
        let classes: Vec<_> = (0..tasks.len()).map(of_task).collect();
        let mistaken = classes.iter().map(|said| mistakes(said)).collect();
        let suspected = classes.iter().map(|said| suspects(said)).collect();
        let kept = classes.into_iter().zip(tasks).enumerate().map(|(task, (classes, planned))| {
            let (targets, said) = (rows.targets.get(task), said.predictions.get(task));
            spans_said(&which, &tokens, &planned.classes, targets, rows.unread(task), said)
                .map_or_else(|| said_of(classes, targets, said), Said::Spans)
        });
        let kept = kept.collect();
        let probes = if split == Split::Train {
            Vec::new()
        } else {
            let train_rows: Vec<usize> = sample(dataset.rows_of(Split::Train), PROBE_ROWS);
            let train = rows_of(&dataset, &tokens, &train_rows, &heads);
            match answers(&tuned.model, &train, stop, &mut |_| {}).map_err(|error| error.to_string())? {
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

    pub(super) fn similarity(&mut self, texts: Vec<String>) -> Result<Similarity, Failure> {
        if texts.len() < 2 {
            return Err("type at least two sentences, one per line".into());
        }
        let base = self.base()?;
        let length = base.model.summary.max_seq_length;
        let before = cosine_matrix(&embed_texts(&base.model, &self.base_tokenizer()?, &texts, length)?);
        let after = match &self.tuned {
            Some(tuned) => {
                let length = tuned.plan.recipe.max_length;
                Some(cosine_matrix(&embed_texts(&tuned.model, &tuned.tokenizer, &texts, length)?))
            }
            None => None,
        };
        Ok(Similarity { texts, before, after })
    }

    pub(super) fn map(&mut self, limit: usize, stop: &AtomicBool) -> Result<DataMap, Failure> {
        self.embed_sample(limit, stop)?;
        let mapped = self.map.as_ref().ok_or("stopped")?;
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
            map.predicted = self.predicted(&map.rows, stop)?;
        }
        Ok(map)
    }

    /// Predicted class per task and row.
    fn predicted(&mut self, which: &[usize], stop: &AtomicBool) -> Result<Vec<Vec<u32>>, Failure> {
        let rows = self.tuned_rows(which, stop)?;
        let tuned = self.tuned()?;
        let said = answers(&tuned.model, &rows, stop, &mut |_| {}).map_err(|error| error.to_string())?;
        let Some(said) = said else { return Err("stopped".into()) };
        // A point has one colour: tasks that do not say one class of a row have none.
        let of = |said: &Predictions| match said {
            Predictions::Probabilities { classes, values } => {
                values.chunks((*classes).max(1)).map(|row| argmax(row) as u32).collect()
            }
            _ => Vec::new(),
        };
        Ok(said.predictions.iter().map(of).collect())
    }

    /// Rows as the shown run's own tokeniser cuts them.
    fn tuned_rows(&mut self, which: &[usize], stop: &AtomicBool) -> Result<Rows, Failure> {
        let plan = self.tuned()?.plan.clone();
        let tokens = self.tokens(Weights::Tuned, plan.prompt_text(), plan.recipe.max_length, stop)?;
        Ok(rows_of(self.dataset()?.as_ref(), &tokens, which, &plan.head_specs()))
    }

    /// What the shown run puts before every text: the pretrained model gets it too, so that the two are compared on the
    /// same texts.
    fn shown_prompt(&self) -> String {
        self.tuned.as_ref().map_or_else(String::new, |tuned| tuned.plan.prompt_text().to_owned())
    }

    fn base_tokenizer(&self) -> Result<Tokenizer, Failure> {
        Ok(self.base()?.tokenizer.with_prompt(&self.shown_prompt()))
    }

    /// Embeds a seeded sample of the rows with both weights, each with its own tokeniser, and keeps them for
    /// neighbours.
    fn embed_sample(&mut self, limit: usize, stop: &AtomicBool) -> Result<(), Failure> {
        let dataset = self.dataset()?;
        let base_length = self.base()?.model.summary.max_seq_length;
        let length = self.tuned.as_ref().map_or(base_length, |tuned| tuned.plan.recipe.max_length);
        let length = length.min(self.base()?.model.summary.max_positions);
        let tokens = self.tokens(Weights::Base, &self.shown_prompt(), length, stop)?;
        let which = sample((0..dataset.rows()).collect(), limit.max(3));
        let base_rows = rows_of(&dataset, &tokens, &which, &[]);
        let tuned_rows = if self.tuned.is_some() { Some(self.tuned_rows(&which, stop)?) } else { None };
        self.busy("encoding rows for the map", None);
        let embed = |model: &Model, rows: &Rows| -> Result<Embeddings, Failure> {
            let rows = Rows { tokens: rows.tokens.clone(), ..Rows::default() };
            let pooled =
                crate::train::cache::pooled(model, &rows, stop, &mut |_| {}).map_err(|e| e.to_string())?;
            to_embeddings(model, &pooled.ok_or("stopped")?)
        };
        let before = embed(&self.base()?.model, &base_rows)?;
        let after = match (&self.tuned, &tuned_rows) {
            (Some(tuned), Some(rows)) => Some(embed(&tuned.model, rows)?),
            _ => None,
        };
        self.map = Some(Mapped { rows: which, before, after });
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
        let dataset = self.dataset()?;
        let text = [dataset.text(row).to_owned()];
        let mapped = self.map.as_ref().ok_or("stopped")?;
        let near =
            |model: &Model, tokenizer: &Tokenizer, length, embeddings: &Embeddings| -> Result<_, Failure> {
                let query = embed_texts(model, tokenizer, &text, length)?;
                let found = nearest_to(embeddings, query.row(0), k + 1);
                let named =
                    found.into_iter().filter_map(|(at, cosine)| Some((*mapped.rows.get(at)?, cosine)));
                Ok(named.filter(|(other, _)| *other != row).take(k).collect::<Vec<_>>())
            };
        let base = self.base()?;
        let before =
            near(&base.model, &self.base_tokenizer()?, base.model.summary.max_seq_length, &mapped.before)?;
        let after = match (&self.tuned, &mapped.after) {
            (Some(tuned), Some(after)) => {
                Some(near(&tuned.model, &tuned.tokenizer, tuned.plan.recipe.max_length, after)?)
            }
            _ => None,
        };
        Ok(Neighbours { row, before, after })
    }

    pub(super) fn predict(&mut self, text: String) -> Result<Prediction, Failure> {
        let tuned = self.tuned()?;
        let tokens = tuned
            .tokenizer
            .encode(std::slice::from_ref(&text), tuned.plan.recipe.max_length, &|_, _| true)
            .map_err(|error| error.to_string())?;
        let length = tuned.plan.recipe.max_length;
        let starts = tuned.tokenizer.word_starts(std::slice::from_ref(&text), length, &|_, _| true);
        let starts = starts.map_err(|error| error.to_string())?.pop().unwrap_or_default();
        let rows = Rows { tokens, ..Rows::default() };
        let never = AtomicBool::new(false);
        let said = answers(&tuned.model, &rows, &never, &mut |_| {}).map_err(|error| error.to_string())?;
        let said = said.ok_or("stopped")?;
        let of = |(head, said): (&Head, &Predictions)| {
            let mut answer = Answer::of_row(&head.spec, said, 0, (&text, &starts));
            if let Answer::OneOf(classes) | Answer::AnyOf(classes) = &mut answer {
                classes.sort_by(|a, b| b.1.total_cmp(&a.1));
            }
            (head.spec.task.clone(), answer)
        };
        let tasks = tuned.model.heads.iter().zip(&said.predictions).map(of).collect();
        Ok(Prediction { text, tasks })
    }

    /// A text as the draft of the next run would cut it; `prompt` is its choice.
    pub(super) fn tokenize(
        &mut self,
        text: String,
        prompt: Option<&str>,
        max_length: usize,
    ) -> Result<Tokenized, Failure> {
        let base = self.base()?;
        let length = max_length.min(base.model.summary.max_positions);
        let prompt = base.model.summary.prompt(prompt)?.map_or_else(String::new, |prompt| prompt.text);
        let tokenizer = base.tokenizer.with_prompt(&prompt);
        let tokens = tokenizer.tokens(&text).map_err(|error| error.to_string())?;
        let embeddings = embed_texts(&base.model, &tokenizer, std::slice::from_ref(&text), length)?;
        let truncated = tokens.len() > length;
        Ok(Tokenized { text, tokens, truncated, embedding: embeddings.row(0).to_vec() })
    }
}

/// Sentence embeddings of texts, as they are exported.
pub(in crate::session) fn embed_texts(
    model: &Model,
    tokenizer: &Tokenizer,
    texts: &[String],
    max_length: usize,
) -> Result<Embeddings, Failure> {
    let length = max_length.min(model.summary.max_positions);
    let tokens = tokenizer.encode(texts, length, &|_, _| true).map_err(|error| error.to_string())?;
    let rows = Rows { tokens, ..Rows::default() };
    let never = AtomicBool::new(false);
    let pooled =
        crate::train::cache::pooled(model, &rows, &never, &mut |_| {}).map_err(|error| error.to_string())?;
    to_embeddings(model, &pooled.ok_or("stopped")?)
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
    train: (&Embeddings, &Rows),
    eval: (&Embeddings, &Rows),
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
