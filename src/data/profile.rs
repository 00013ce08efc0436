//! What the cells of a column look like: counted once, judged by the mapping.

use std::collections::HashSet;

use super::labels::{has_bars, is_missing};
use super::table::Table;

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
}

/// No task has that many classes.
const MOST_DISTINCT: usize = 20_000;

impl Profile {
    /// Profiles of all columns of all tables, in order of first sight.
    pub(super) fn all(tables: &[&Table]) -> Vec<Self> {
        let mut names: Vec<&str> = Vec::new();
        for name in tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str()) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name);
            }
        }
        names.into_iter().map(|name| Self::of(tables, name)).collect()
    }

    fn of(tables: &[&Table], name: &str) -> Self {
        let mut profile = Self { name: name.to_owned(), ..Self::default() };
        let mut seen: HashSet<&str> = HashSet::new();
        let columns = tables.iter().filter_map(|table| table.column(name));
        for cell in columns.flat_map(|column| column.cells.iter()).flatten() {
            let cell = cell.trim();
            if is_missing(cell) {
                continue;
            }
            profile.filled += 1;
            profile.length += cell.chars().count();
            if seen.len() < MOST_DISTINCT {
                seen.insert(cell);
            }
            if let Ok(number) = cell.parse::<f64>() {
                profile.numbers += 1;
                profile.fractions += usize::from(number.fract() != 0.0);
            }
            profile.nested += usize::from(cell.starts_with(['[', '{']));
            profile.lists += usize::from(cell.starts_with('['));
            profile.barred += usize::from(has_bars(cell));
            profile.dates_or_links += usize::from(is_date_or_link(cell));
        }
        profile.distinct = seen.len();
        profile
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
