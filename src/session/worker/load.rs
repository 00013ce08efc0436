//! Files to a data set, a folder to a model, both to rows of ids.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::state::{Busy, DataView, FilePreview, TokenLengths};
use super::texts::Texts;
use super::{Base, Cut, Failure, Worker, stopped};
use crate::data::assemble::assemble;
use crate::data::card::DataCard;
use crate::data::dataset::{Dataset, Split};
use crate::data::edit::{Changes, EditReport};
use crate::data::read::folder::expand;
use crate::data::read::{OnProblem, ReadOptions, read_table};
use crate::data::table::Table;
use crate::model::Model;
use crate::model::summary::ModelSummary;
use crate::session::event::{DataRequest, Event};
use crate::text::tokenizer::Tokenizer;

/// Records of a file that the preview shows.
const HEAD: usize = 100;
/// Texts whose tokens are counted at most: enough for a histogram, and done within a second or two.
const MOST_COUNTED: usize = 20_000;
/// Tokens that every tokeniser can cut a text to.
const SHORTEST: usize = 16;
/// Tokens of a very long text that are counted at most.
const MOST_COUNTED_TOKENS: usize = 1 << 16;

impl Worker {
    pub(super) fn load_data(
        &mut self,
        request: &DataRequest,
        stop: &AtomicBool,
    ) -> Result<Arc<DataView>, Failure> {
        self.forget_data();
        let on_problem = if request.skip_bad_rows { OnProblem::Skip } else { OnProblem::Stop };
        let mut tables: Vec<(Table, Option<Split>)> = Vec::new();
        for file in &request.files {
            let options = ReadOptions { on_problem, overrides: file.overrides.clone() };
            for path in expand(&file.path).map_err(|error| error.to_string())? {
                tables.push((self.read(&path, &options, stop)?, file.split));
            }
        }
        self.busy("looking through the rows", None);
        let assembled = assemble(&tables, request.mapping.as_ref(), &request.rule);
        let (dataset, mapping, split_note) = assembled.map_err(|error| error.to_string())?;
        let files = tables.iter().map(|(table, split)| preview(table, *split)).collect();
        drop(tables);
        let read = Arc::new(dataset);
        let (dataset, outcome) = changed(&read, &request.changes);
        let card = DataCard::of_splits(&dataset);
        let view = Arc::new(DataView { files, mapping, dataset, card, split_note, read, outcome });
        self.data = Some(view.clone());
        Ok(view)
    }

    /// Makes other changes on the rows as they were read.
    pub(super) fn change_data(&mut self, changes: &Changes) -> Result<Arc<DataView>, Failure> {
        let view = self.data.clone().ok_or("the data was not read: open the files again")?;
        self.forget_data();
        self.busy("changing rows", None);
        let (dataset, outcome) = changed(&view.read, changes);
        let card = DataCard::of_splits(&dataset);
        let view = Arc::new(DataView { dataset, card, outcome, ..DataView::clone(&view) });
        self.data = Some(view.clone());
        Ok(view)
    }

    pub(super) fn forget_data(&mut self) {
        (self.data, self.map) = (None, None);
        self.tokens.clear();
    }

    /// Counts the tokens of texts, of a sample where there are very many.
    pub(super) fn measure_lengths(
        &mut self,
        prompt: Option<&str>,
        stop: &AtomicBool,
    ) -> Result<TokenLengths, Failure> {
        let dataset = self.dataset()?;
        self.busy("counting tokens", None);
        let Base { model, tokenizer, .. } = self.base()?;
        let prompt = model.summary.prompt(prompt)?;
        let tokenizer = tokenizer.with_prompt(prompt.as_ref().map_or("", |prompt| &prompt.text));
        let rows = dataset.rows();
        let every = rows.div_ceil(MOST_COUNTED).max(1);
        let texts: Vec<&str> = (0..rows).step_by(every).map(|row| dataset.text(row)).collect();
        // Any maximum length that can be chosen is up to the positions, so it is known which texts exceed it.
        let most = model.summary.max_positions.clamp(SHORTEST, MOST_COUNTED_TOKENS);
        let counted = tokenizer.lengths(&texts, most, &|_, _| !stopped(stop));
        let (mut lengths, is_exact) = counted.map_err(|error| error.to_string())?;
        lengths.sort_unstable();
        Ok(TokenLengths { lengths, of: rows, is_open: !is_exact })
    }

    /// Reads one table, and says how far it is.
    fn read(&mut self, path: &Path, options: &ReadOptions, stop: &AtomicBool) -> Result<Table, Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let what = format!("reading {name}");
        self.busy(&what, None);
        // The threads that read share the one outbox.
        let outbox = Mutex::new(&mut self.outbox);
        let progress = |done: u64, total: u64| {
            let busy = Busy { what: what.clone(), fraction: Some(done as f32 / total.max(1) as f32) };
            outbox.lock().unwrap_or_else(PoisonError::into_inner).post(Event::Busy(Some(busy)));
            !stopped(stop)
        };
        read_table(path, options, &progress).map_err(|error| error.to_string())
    }

    pub(super) fn load_model(&mut self, path: PathBuf) -> Result<ModelSummary, Failure> {
        (self.base, self.start, self.map) = (None, None, None);
        self.tokens.clear();
        self.busy("loading the model", None);
        let (model, tokenizer) = self.open_model(&path)?;
        let summary = model.summary.clone();
        self.base = Some(Base { path, model, tokenizer });
        Ok(summary)
    }

    /// A model and the tokeniser beside it, checked to fit each other.
    pub(super) fn open_model(&self, path: &Path) -> Result<(Model, Tokenizer), Failure> {
        let model = Model::load(path, self.device).map_err(|error| error.to_string())?;
        let tokenizer = Tokenizer::load(path).map_err(|error| error.to_string())?;
        tokenizer
            .check_fits(model.summary.vocab_size)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((model, tokenizer))
    }

    pub(super) fn dataset(&self) -> Result<Arc<Dataset>, Failure> {
        let data = self.data.as_ref().map(|view| view.dataset.clone());
        data.ok_or_else(|| "there is no data yet: open labelled files on the Data page".to_owned())
    }

    pub(super) fn base(&self) -> Result<&Base, Failure> {
        self.base.as_ref().ok_or_else(|| "there is no model yet: choose one on the Model page".to_owned())
    }

    /// Ids of all rows of the data as the tokeniser of a model's folder cuts them behind a prompt, at most
    /// `max_length`: made once.
    pub(super) fn tokens(
        &mut self,
        path: &Path,
        prompt: &str,
        max_length: usize,
        stop: &AtomicBool,
    ) -> Result<Arc<Texts>, Failure> {
        let cut = Cut { path: path.to_owned(), prompt: prompt.to_owned(), max_length };
        if let Some((_, tokens)) = self.tokens.iter().find(|(known, _)| *known == cut) {
            return Ok(tokens.clone());
        }
        let dataset = self.dataset()?;
        self.busy("cutting texts into tokens", None);
        let of_base = self.base.iter().chain(&self.start).find(|base| base.path == path);
        let of_run = self.tuned.iter().find(|tuned| tuned.plan.model_path == path);
        let known = of_base.map(|base| &base.tokenizer).or_else(|| of_run.map(|tuned| &tuned.tokenizer));
        let tokenizer = match known {
            Some(tokenizer) => tokenizer.with_prompt(prompt),
            // A run may read texts with another model's tokeniser than that of the Model page.
            None => Tokenizer::load(path).map_err(|error| error.to_string())?.with_prompt(prompt),
        };
        let tokens = Arc::new(Texts::of(&tokenizer, &dataset, max_length, stop)?);
        // Two are enough: the draft's and the shown run's.
        self.tokens.truncate(1);
        self.tokens.insert(0, (cut, tokens.clone()));
        Ok(tokens)
    }
}

/// The rows with the user's changes; the very same where there are none.
fn changed(read: &Arc<Dataset>, changes: &Changes) -> (Arc<Dataset>, EditReport) {
    if changes.is_empty() {
        return (read.clone(), EditReport::default());
    }
    let mut dataset = Dataset::clone(read);
    let outcome = changes.apply(&mut dataset);
    (Arc::new(dataset), outcome)
}

fn preview(table: &Table, split: Option<Split>) -> FilePreview {
    let cell =
        |row: usize| table.columns.iter().map(|column| column.cells.get(row).map(str::to_owned)).collect();
    FilePreview {
        facts: table.facts.clone(),
        split: split.or_else(|| crate::data::split::split_of_name(&table.facts.path)),
        rows: table.rows(),
        columns: table.column_names(),
        head: (0..table.rows().min(HEAD)).map(cell).collect(),
        notes: table.notes.clone(),
        problems: table.problems.clone(),
    }
}
