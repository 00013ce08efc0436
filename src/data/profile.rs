//! What the cells of a column look like: counted once, over all rows or an even sample, judged by the mapping.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use rayon::prelude::*;

use super::labels::{has_bars, is_missing, number};
use super::spans::is_tag;
use super::table::{ByName, Table};

/// Counts over the cells of one column, in all tables that have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    /// The column's name.
    pub(super) name: String,
    /// Cells that hold something.
    pub(super) filled: usize,
    /// Different ones among them, trimmed; counting ends at `MOST_DISTINCT`.
    pub(super) distinct: usize,
    /// Characters of all filled cells.
    length: usize,
    numbers: usize,
    fractions: usize,
    nested: usize,
    lists: usize,
    dates_or_links: usize,
    barred: usize,
    /// Numbers with a point or a comma in them: `3.0`.
    pointed: usize,
    /// Cells that are 0 or 1.
    binary: usize,
    /// Cells that are tags of words and nothing else, and those of several.
    tagged: usize,
    tag_sequences: usize,
}

/// No task has that many classes.
const MOST_DISTINCT: usize = 20_000;

/// Rows of a table that are looked at, evenly spaced where it has more.
const MOST_ROWS: usize = 50_000;

impl Profile {
    /// Profiles of all columns of all tables, in order of first sight; and the number of rows they are made from.
    pub(super) fn all(tables: &[&Table]) -> (Vec<Self>, usize) {
        let mut known: HashSet<String> = HashSet::new();
        let names = tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
        let names: Vec<&str> = names.filter(|name| known.insert(name.to_ascii_lowercase())).collect();
        let rows = tables.iter().map(|table| table.rows().div_ceil(step(table))).sum();
        let tables: Vec<(&Table, ByName)> = tables.iter().map(|table| (*table, table.by_name())).collect();
        (names.into_par_iter().map(|name| Self::of(&tables, name)).collect(), rows)
    }

    fn of(tables: &[(&Table, ByName)], name: &str) -> Self {
        let mut profile = Self { name: name.to_owned(), ..Self::default() };
        let mut seen: HashSet<&str, FixedState> = HashSet::default();
        for (table, columns) in tables {
            let Some(column) = columns.column(name) else { continue };
            for row in (0..table.rows()).step_by(step(table)) {
                profile.take(column.cells.get(row).unwrap_or_default().trim(), &mut seen);
            }
        }
        profile.distinct = seen.len();
        profile
    }

    fn take<'a>(&mut self, cell: &'a str, seen: &mut HashSet<&'a str, FixedState>) {
        if is_missing(cell) {
            return;
        }
        self.filled += 1;
        self.length += cell.chars().count();
        if seen.len() < MOST_DISTINCT {
            seen.insert(cell);
        }
        if let Some(number) = number(cell) {
            self.numbers += 1;
            self.fractions += usize::from(number.fract() != 0.0);
            self.pointed += usize::from(cell.contains(['.', ',']));
            self.binary += usize::from(number == 0.0 || number == 1.0);
        }
        self.nested += usize::from(cell.starts_with(['[', '{']));
        self.lists += usize::from(cell.starts_with('['));
        self.barred += usize::from(has_bars(cell));
        self.dates_or_links += usize::from(is_date_or_link(cell));
        let is_tags = cell.split_ascii_whitespace().all(is_tag);
        self.tagged += usize::from(is_tags);
        self.tag_sequences += usize::from(is_tags && cell.contains(' '));
    }

    /// Characters per filled cell.
    pub(super) fn mean_length(&self) -> f64 {
        self.length as f64 / self.filled.max(1) as f64
    }

    /// Most cells are numbers.
    pub(super) fn is_numeric(&self) -> bool {
        self.numbers * 2 > self.filled
    }

    /// Numbers, some of which are not whole.
    pub(super) fn is_fractional(&self) -> bool {
        self.is_numeric() && self.fractions > 0
    }

    /// Numbers that are all written with a point, even where none is needed: `3.0`.
    pub(super) fn is_written_as_fraction(&self) -> bool {
        self.numbers > 0 && self.pointed == self.filled
    }

    /// Nothing but 0 and 1, without a point.
    pub(super) fn is_binary(&self) -> bool {
        self.filled > 0 && self.binary == self.filled && self.pointed == 0
    }

    /// Tags of words with blanks between them.
    pub(super) fn is_tags(&self) -> bool {
        self.tag_sequences > 0 && self.tagged == self.filled
    }

    /// Names of classes rather than lists or links.
    pub(super) fn may_be_label(&self) -> bool {
        !self.is_nested() && !self.is_date_or_link()
    }

    /// Lists or objects written as text.
    pub(super) fn is_nested(&self) -> bool {
        self.nested * 2 > self.filled
    }

    /// Lists written as text.
    pub(super) fn is_list(&self) -> bool {
        self.lists * 2 > self.filled
    }

    /// Some cells hold several names with bars between them.
    pub(super) fn has_bars(&self) -> bool {
        self.barred > 0 && self.barred * 20 >= self.filled
    }

    /// Dates, times or addresses.
    pub(super) fn is_date_or_link(&self) -> bool {
        self.dates_or_links * 2 > self.filled
    }

    /// Language rather than numbers, links or lists, as far as there is anything.
    pub(super) fn may_be_prose(&self) -> bool {
        !self.is_numeric() && !self.is_nested() && !self.is_date_or_link()
    }
}

/// How many rows of a table are passed over for each that is looked at, plus one.
fn step(table: &Table) -> usize {
    table.rows().div_ceil(MOST_ROWS).max(1)
}

fn is_date_or_link(cell: &str) -> bool {
    if cell.starts_with("http://") || cell.starts_with("https://") || cell.starts_with("www.") {
        return true;
    }
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let marks = cell.bytes().filter(|byte| matches!(byte, b'-' | b'/' | b':' | b'.')).count();
    let others = cell.len() - digits - marks;
    // 2024-05-01, 1/5/24, 12:30:00, 2024-05-01T12:30:00Z
    digits >= 3 && marks >= 2 && others <= 4
}
