//! A file of records in blocks, for work that looks at each text once: memory does not grow with the file.
//!
//! CSV and its relatives, JSON lines and Parquet are read so, some hundred kilobytes or a row group at a time; other formats are
//! read whole and handed over as one block. Rows, columns and problems are those of
//! [`read_table`](super::read_table), but for columns whose cells it gives another shape: [`Survey::is_as_read`].

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::decode;
use super::decode::{RawBytes, Shared, Text};
use super::fingerprint::Fingerprint;
use super::overrides::FormatName;
use super::progress::Meter;
use super::{OnProblem, ReadOptions, Records};
use super::{annotations, delimited, json, parquet};
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::mapping::profile::MOST_ROWS;
use crate::data::read;
use crate::data::table::{Column, FileFacts, Format, Table};

/// Bytes of a block of lines.
const BLOCK_BYTES: usize = 1 << 18;

/// A file that is read in blocks, several times where needed.
pub struct Blocks<'a> {
    path: PathBuf,
    options: ReadOptions,
    source: Source,
    block_bytes: usize,
    /// Asked now and then whether to go on.
    goes_on: &'a (dyn Fn() -> bool + Sync),
}

/// Where blocks come from.
enum Source {
    /// A format that is read whole.
    Whole(Box<Table>),
    /// A Parquet file.
    Groups(Bytes),
    /// Lines of text.
    Lines {
        raw: Arc<RawBytes>,
        /// It is UTF-8 from end to end, so that nothing has to be found out or decoded.
        is_utf8: bool,
    },
}

/// What is known of a file once it was read through.
pub struct Survey {
    /// Rows of the file, evenly spaced where there are many: what a mapping is guessed from.
    pub sample: Table,
    /// Rows of the file, without those that cannot be read.
    pub rows: usize,
    /// Per column the cells that hold something.
    filled: HashMap<String, usize>,
    /// Columns whose cells are as they are in the file.
    as_read: HashSet<String>,
}

impl Survey {
    /// Rows whose cell in a column is blank or not there.
    #[must_use]
    pub fn blank(&self, column: &str) -> usize {
        self.rows - self.filled.get(column).copied().unwrap_or(0)
    }

    /// Whether the blocks hold a column as the whole table would: not where its cells have a shape of their own, as the
    /// exports of annotation tools do. See [`Blocks::whole`].
    #[must_use]
    pub fn is_as_read(&self, column: &str) -> bool {
        self.as_read.contains(column)
    }
}

impl<'a> Blocks<'a> {
    /// Opens a file, or a folder of texts.
    ///
    /// # Errors
    /// When it cannot be opened or is of no known format.
    pub fn open(
        path: &Path,
        options: &ReadOptions,
        goes_on: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, DataError> {
        let source = Source::of(path, options, goes_on)?;
        Ok(Self {
            path: path.to_owned(),
            options: options.clone(),
            source,
            block_bytes: BLOCK_BYTES,
            goes_on,
        })
    }

    /// Reads the file through: counts its rows, looks for problems, keeps a sample.
    ///
    /// # Errors
    /// As [`read_table`](super::read_table).
    pub fn survey(&self) -> Result<Survey, DataError> {
        let (mut rows, mut has_header, mut format) = (0, false, Format::Json);
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        let mut filled: HashMap<String, usize> = HashMap::new();
        let mut sample = Sample::default();
        self.each(&mut |block| {
            rows += block.rows();
            (has_header, format) = (block.facts.has_header, block.facts.format);
            for column in &block.columns {
                let count = column.cells.iter().flatten().filter(|cell| !cell.trim().is_empty()).count();
                *filled.entry(column.name.clone()).or_default() += count;
            }
            problems.extend(block.problems.iter().cloned());
            if notes.is_empty() {
                notes.clone_from(&block.notes);
            }
            // Enough for every row of most files; of a longer one, the rows are chosen once their number is known.
            if rows <= MOST_ROWS {
                sample.take(block, 1);
            }
            ControlFlow::Continue(())
        })?;
        if self.options.on_problem == OnProblem::Stop && rows > 0 && !problems.is_empty() {
            return Err(DataError::BadRows {
                path: self.path.clone(),
                records: rows + problems.len(),
                problems,
            });
        }
        if rows > MOST_ROWS {
            sample = Sample::default();
            self.each(&mut |block| {
                sample.take(block, rows.div_ceil(MOST_ROWS));
                ControlFlow::Continue(())
            })?;
        }
        let facts = self.facts(format, has_header);
        let Sample { mut columns, lines, .. } = sample;
        let mut as_read: HashSet<String> = columns.iter().map(|column| column.name.clone()).collect();
        if !matches!(self.source, Source::Whole(_)) {
            let before = columns.clone();
            annotations::settle(&mut columns, &mut notes);
            as_read.retain(|name| {
                let of = |columns: &[Column]| columns.iter().find(|column| column.name == *name).cloned();
                of(&before) == of(&columns)
            });
        }
        let sample = read::judge(Table { facts, columns, lines, problems, notes }, self.options.on_problem)?;
        Ok(Survey { sample, rows, filled, as_read })
    }

    /// The same file read whole, for columns that are not as they are read.
    ///
    /// # Errors
    /// As [`read_table`](super::read_table).
    pub fn whole(self) -> Result<Self, DataError> {
        let go_on = |_, _| (self.goes_on)();
        let table = read::read_table(&self.path, &self.options, &go_on)?;
        Ok(Self { source: Source::Whole(Box::new(table)), ..self })
    }

    /// Hands every block over, in order, until `take` has enough.
    ///
    /// # Errors
    /// When the file cannot be read on, or the reading is to stop.
    pub fn each(&self, take: &mut dyn FnMut(&Table) -> ControlFlow<()>) -> Result<(), DataError> {
        let go_on = |_, _| (self.goes_on)();
        let meter = Meter::new(&self.path, &go_on, u64::MAX);
        if !(self.goes_on)() {
            return Err(DataError::Cancelled);
        }
        let mut hand_over = |records: Records| {
            let Records { format, has_header, columns, lines, problems, notes } = records;
            take(&Table { facts: self.facts(format, has_header), columns, lines, problems, notes })
        };
        match &self.source {
            Source::Whole(table) => {
                // There is no other block, whether this one was enough or not.
                let (ControlFlow::Continue(()) | ControlFlow::Break(())) = take(table);
                Ok(())
            }
            Source::Groups(bytes) => parquet::each_group(&self.path, bytes, &meter, &mut hand_over),
            Source::Lines { raw, is_utf8 } => {
                let meter = meter.over(raw);
                let text = Source::text(&self.path, raw, *is_utf8, &self.options)?;
                let (body, ending) = (text.bytes(), read::ending(&self.path));
                match read::format_in(&ending, body, &self.options.overrides) {
                    FormatName::Delimited => delimited::each_block(
                        &self.path,
                        &ending,
                        body,
                        &self.options.overrides,
                        &meter,
                        self.block_bytes,
                        &mut hand_over,
                    ),
                    _ => json::each_block(body, &meter, self.block_bytes, &mut hand_over),
                }
            }
        }
    }

    fn facts(&self, format: Format, has_header: bool) -> FileFacts {
        FileFacts {
            path: self.path.clone(),
            format,
            encoding: String::new(),
            has_header,
            gzip: false,
            lines: 0,
            stamp: Fingerprint::default(),
        }
    }
}

impl Source {
    fn of(
        path: &Path,
        options: &ReadOptions,
        goes_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, DataError> {
        let go_on = |_, _| goes_on();
        if path.is_dir() {
            return Ok(Self::Whole(Box::new(read::read_table(path, options, &go_on)?)));
        }
        let raw = RawBytes::open(path)?;
        if parquet::is_parquet(raw.bytes()) {
            return Ok(Self::Groups(Bytes::from_owner(Shared(Arc::new(raw)))));
        }
        if !decode::is_gzip(raw.bytes()) {
            read::refuse_other_formats(path, raw.bytes())?;
            let is_utf8 = options.overrides.encoding.is_none() && decode::is_whole_utf8(&raw);
            if Self::is_in_lines(path, Self::text(path, &raw, is_utf8, options)?.bytes(), options) {
                return Ok(Self::Lines { raw: Arc::new(raw), is_utf8 });
            }
        }
        Ok(Self::Whole(Box::new(read::table_of(path, raw, options, &go_on)?)))
    }

    fn text<'t>(
        path: &Path,
        raw: &'t RawBytes,
        is_utf8: bool,
        options: &ReadOptions,
    ) -> Result<Text<'t>, DataError> {
        if is_utf8 {
            return Ok(Text::of_utf8(raw.bytes()));
        }
        Text::of(raw.bytes(), options.overrides.encoding.as_deref())
            .map_err(|label| DataError::Encoding { path: path.to_owned(), label })
    }

    /// Whether a text's records can be found line by line; one that is blank is left to who reads it whole.
    fn is_in_lines(path: &Path, body: &[u8], options: &ReadOptions) -> bool {
        if read::is_blank(body) {
            return false;
        }
        match read::format_in(&read::ending(path), body, &options.overrides) {
            FormatName::Delimited => true,
            FormatName::JsonLines => json::is_in_lines(body, true),
            FormatName::Json => json::is_in_lines(body, false),
            FormatName::Conll | FormatName::FastText => false,
        }
    }
}

/// Rows that are kept of all.
#[derive(Default)]
struct Sample {
    columns: Vec<Column>,
    /// Where a column is, by its name.
    places: HashMap<String, usize>,
    lines: Vec<u64>,
    /// Rows that were passed.
    passed: usize,
}

impl Sample {
    /// Keeps every `step`-th row of all that were handed over.
    fn take(&mut self, block: &Table, step: usize) {
        let first = self.passed.next_multiple_of(step) - self.passed;
        let kept = self.lines.len();
        self.lines.extend(block.lines.iter().skip(first).step_by(step));
        for column in &block.columns {
            let place = self.places.get(&column.name).copied().unwrap_or_else(|| {
                let mut cells = StrColumn::default();
                cells.push_absent(kept);
                self.columns.push(Column { name: column.name.clone(), cells });
                self.places.insert(column.name.clone(), self.columns.len() - 1);
                self.columns.len() - 1
            });
            if let Some(mine) = self.columns.get_mut(place) {
                column.cells.iter().skip(first).step_by(step).for_each(|cell| mine.cells.push(cell));
            }
        }
        for column in &mut self.columns {
            column.cells.push_absent(self.lines.len() - column.cells.len());
        }
        self.passed += block.rows();
    }
}

#[cfg(test)]
mod tests;
