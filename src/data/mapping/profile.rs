//! What the cells of a column look like: counted once, over all rows or an even sample, judged by the mapping.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use rayon::prelude::*;
use serde_json::Value;

use crate::data::labels::list_cell::items;
use crate::data::labels::literal::{may_be_nested, nested};
use crate::data::labels::offsets;
use crate::data::labels::offsets::Kind;
use crate::data::labels::spans::is_tag;
use crate::data::labels::{has_bars, is_missing, is_yes_or_no, number};
use crate::data::table::{ByName, Table};

/// Counts over the cells of one column, in all tables that have it.
#[derive(Clone, Debug, Default)]
pub(in crate::data) struct Profile {
    /// The column's name.
    pub(in crate::data) name: String,
    /// Cells that hold something.
    pub(in crate::data) filled: usize,
    /// Different ones among them, trimmed; counting ends at `MOST_DISTINCT`.
    pub(in crate::data) distinct: usize,
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
    /// Cells that are 0 or 1, however written, and words for it.
    binary: usize,
    /// Cells that are numbers below 0, whole ones.
    negative: usize,
    /// Whole numbers, and the lowest and the highest of them.
    whole: usize,
    lowest: f64,
    highest: f64,
    /// Numbers that begin with a 0 that counts for nothing, as codes do: `007`.
    padded: usize,
    /// Numbers that several spellings have, as codes do: `1.1` and `1.10`.
    spelt_twice: bool,
    /// Cells that are a dash, and those that are a plus.
    dashes: usize,
    pluses: usize,
    /// Lists of names and numbers.
    sets: usize,
    /// Of the nested cells that were looked at: places in a text, with a name and without, and empty lists.
    looked_into: usize,
    places: usize,
    unnamed_places: usize,
    empty_lists: usize,
    /// Lists of objects, and of lists.
    object_lists: usize,
    /// Blanks between words.
    blanks: usize,
    /// Lists of tags of words and nothing else, and those with a tag of an entity.
    tag_lists: usize,
    entity_lists: usize,
    /// Cells that are tags of words and nothing else, and those of several.
    tagged: usize,
    tag_sequences: usize,
}

/// Nested cells of a column that are looked into.
const MOST_LOOKED_INTO: usize = 300;

/// No task has that many classes.
const MOST_DISTINCT: usize = 20_000;

/// Rows of a table that are looked at, evenly spaced where it has more.
pub(in crate::data) const MOST_ROWS: usize = 50_000;

impl Profile {
    /// Profiles of all columns of all tables, in order of first sight; and the number of rows they are made from.
    pub(in crate::data) fn all(tables: &[&Table]) -> (Vec<Self>, usize) {
        let names = names(tables);
        let rows = tables.iter().map(|table| table.rows().div_ceil(step(table))).sum();
        let tables = by_name(tables);
        (names.into_par_iter().map(|name| Self::of(&tables, name, MOST_ROWS)).collect(), rows)
    }

    /// The same from a few rows of every table only.
    pub(in crate::data) fn of_sample(tables: &[&Table], rows: usize) -> Vec<Self> {
        let columns = by_name(tables);
        names(tables).into_iter().map(|name| Self::of(&columns, name, rows)).collect()
    }

    fn of(tables: &[(&Table, ByName)], name: &str, most: usize) -> Self {
        let mut profile = Self { name: name.to_owned(), ..Self::default() };
        let mut seen: HashSet<&str, FixedState> = HashSet::default();
        for (table, columns) in tables {
            let Some(column) = columns.column(name) else { continue };
            for row in (0..table.rows()).step_by(table.rows().div_ceil(most).max(1)) {
                profile.take(column.cells.get(row).unwrap_or_default().trim(), &mut seen);
            }
        }
        profile.distinct = seen.len();
        profile.spelt_twice = profile.is_numeric() && profile.fractions > 0 && are_spelt_twice(&seen);
        profile
    }

    fn take<'a>(&mut self, cell: &'a str, seen: &mut HashSet<&'a str, FixedState>) {
        if is_missing(cell) {
            return;
        }
        self.filled += 1;
        self.length += cell.chars().count();
        self.blanks += cell.bytes().filter(|byte| *byte == b' ').count();
        if seen.len() < MOST_DISTINCT {
            seen.insert(cell);
        }
        if let Some(number) = number(cell) {
            self.numbers += 1;
            self.fractions += usize::from(number.fract() != 0.0);
            self.pointed += usize::from(cell.contains(['.', ',']));
            self.binary += usize::from(number == 0.0 || number == 1.0);
            if number.fract() == 0.0 {
                (self.lowest, self.highest) = match self.whole {
                    0 => (number, number),
                    _ => (self.lowest.min(number), self.highest.max(number)),
                };
                self.whole += 1;
                self.negative += usize::from(number < 0.0);
            }
            self.padded += usize::from(is_padded(cell));
        } else {
            self.binary += usize::from(is_yes_or_no(cell).is_some());
            self.dashes += usize::from(cell == "-");
            self.pluses += usize::from(cell == "+");
        }
        if may_be_nested(cell) && self.looked_into < MOST_LOOKED_INTO {
            self.look_into(cell);
        }
        self.nested += usize::from(cell.starts_with(['[', '{']));
        self.lists += usize::from(cell.starts_with('['));
        self.barred += usize::from(has_bars(cell));
        self.dates_or_links += usize::from(is_date_or_link(cell));
        let is_tags = cell.split_ascii_whitespace().all(is_tag);
        self.tagged += usize::from(is_tags);
        self.tag_sequences += usize::from(is_tags && cell.contains(' '));
    }

    fn look_into(&mut self, cell: &str) {
        self.looked_into += 1;
        let inside = cell.get(1..).unwrap_or_default().trim_start();
        self.object_lists += usize::from(cell.starts_with('[') && inside.starts_with(['{', '[']));
        if offsets::is_none(cell) {
            self.empty_lists += 1;
        } else if let Some(places) = offsets::places(cell) {
            self.places += 1;
            let is_unnamed = |kind: &Kind| !matches!(kind, Kind::Name(_));
            self.unnamed_places += usize::from(places.iter().all(|place| is_unnamed(&place.kind)));
        } else if is_set(cell) {
            self.sets += 1;
            let tags = items(cell).unwrap_or_default();
            let are_tags = !tags.is_empty() && tags.iter().all(|tag| is_tag(tag));
            self.tag_lists += usize::from(are_tags);
            self.entity_lists += usize::from(are_tags && tags.iter().any(|tag| tag != "O"));
        }
    }

    /// Characters per filled cell.
    pub(in crate::data) fn mean_length(&self) -> f64 {
        self.length as f64 / self.filled.max(1) as f64
    }

    /// Most cells are numbers, and none of them is a code.
    pub(in crate::data) fn is_numeric(&self) -> bool {
        self.numbers * 2 > self.filled && !self.are_codes()
    }

    /// Numbers that are names: `007`, `1.10` next to `1.1`.
    fn are_codes(&self) -> bool {
        self.padded > 0 || self.spelt_twice
    }

    /// Places of entities in a text, and nothing else.
    pub(in crate::data) fn is_places(&self) -> bool {
        self.has_only_places() && self.places > self.unnamed_places
    }

    /// The same, and nothing says what the entities are.
    pub(in crate::data) fn is_unnamed_places(&self) -> bool {
        self.has_only_places() && self.places == self.unnamed_places
    }

    fn has_only_places(&self) -> bool {
        self.places > 0
            && self.places + self.empty_lists == self.looked_into
            && self.nested * 10 >= self.filled * 9
    }

    /// Lists of names in some cells at least, and no other lists or objects.
    pub(in crate::data) fn has_sets(&self) -> bool {
        self.sets > 0 && self.sets + self.empty_lists == self.looked_into
    }

    /// A lone dash among words, which is how some write that nobody agreed.
    pub(in crate::data) fn has_dashes(&self) -> bool {
        self.dashes > 0 && self.pluses == 0 && self.distinct > 2
    }

    /// Whole numbers from 0 or 1 on without a gap.
    pub(in crate::data) fn are_consecutive(&self) -> bool {
        self.whole == self.filled
            && (0.0..=1.0).contains(&self.lowest)
            && ((self.highest - self.lowest) as usize).saturating_add(1) == self.distinct
    }

    /// Numbers, some of which are not whole.
    pub(in crate::data) fn is_fractional(&self) -> bool {
        self.is_numeric() && self.fractions > 0
    }

    /// Numbers that are all written with a point, even where none is needed: `3.0`.
    pub(in crate::data) fn is_written_as_fraction(&self) -> bool {
        self.numbers > 0 && self.pointed == self.filled
    }

    /// Nothing but 0 and 1, or words for it.
    pub(in crate::data) fn is_binary(&self) -> bool {
        self.filled > 0 && self.binary == self.filled
    }

    /// 0 and 1, and perhaps numbers below 0 where nothing is known.
    pub(in crate::data) fn is_indicator(&self) -> bool {
        self.binary > 0 && self.binary + self.negative == self.filled
    }

    /// Tags of words with blanks between them.
    pub(in crate::data) fn is_tags(&self) -> bool {
        self.tag_sequences > 0 && self.tagged == self.filled
    }

    /// Names of classes rather than lists or links.
    pub(in crate::data) fn may_be_label(&self) -> bool {
        !self.is_nested() && !self.is_date_or_link()
    }

    /// Lists or objects written as text.
    pub(in crate::data) fn is_nested(&self) -> bool {
        self.nested * 2 > self.filled
    }

    /// Lists of names written as text.
    pub(in crate::data) fn is_word_list(&self) -> bool {
        self.lists * 2 > self.filled && self.has_sets()
    }

    /// Lists of tags of entities, and some entity: `["B-PER", "O"]`.
    pub(in crate::data) fn is_list_of_tags(&self) -> bool {
        self.is_word_list() && self.tag_lists == self.sets && self.entity_lists > 0
    }

    /// Some cells hold several names with bars between them.
    pub(in crate::data) fn has_bars(&self) -> bool {
        self.barred > 0 && self.barred * 20 >= self.filled
    }

    /// Lists of objects, or of lists of them.
    pub(in crate::data) fn has_objects(&self) -> bool {
        self.is_nested() && self.object_lists > 0
    }

    /// Texts rather than names: long, of several words, and hardly ever the same.
    pub(in crate::data) fn is_free_text(&self) -> bool {
        const FEWEST_WORDS: f64 = 2.5;
        let words = (self.blanks + self.filled) as f64 / self.filled.max(1) as f64;
        self.filled > 2 && self.may_be_prose() && words > FEWEST_WORDS && self.distinct * 2 > self.filled
    }

    /// Dates, times or addresses.
    pub(in crate::data) fn is_date_or_link(&self) -> bool {
        self.dates_or_links * 2 > self.filled
    }

    /// Language rather than numbers, links or lists, as far as there is anything.
    pub(in crate::data) fn may_be_prose(&self) -> bool {
        !self.is_numeric() && !self.is_nested() && !self.is_date_or_link()
    }
}

/// A list of names and numbers, as numpy writes it, too.
fn is_set(cell: &str) -> bool {
    match nested(cell) {
        Some(Value::Array(items)) => !items.iter().any(|item| item.is_array() || item.is_object()),
        Some(_) => false,
        None => items(cell).is_some(),
    }
}

/// A number with a 0 before it that counts for nothing.
fn is_padded(cell: &str) -> bool {
    matches!(cell.trim_start_matches(['-', '+']).as_bytes(), [b'0', b'0'..=b'9', ..])
}

/// Whether a number stands there in two spellings, other than with and without `.0`.
fn are_spelt_twice(cells: &HashSet<&str, FixedState>) -> bool {
    const MOST: usize = 5000;
    let mut values: HashSet<u64, FixedState> = HashSet::default();
    let bare = |cell: &str| cell.strip_suffix(".0").unwrap_or(cell).to_owned();
    let spellings: HashSet<String, FixedState> = cells.iter().take(MOST).map(|cell| bare(cell)).collect();
    spellings.iter().filter_map(|cell| number(cell)).any(|number| !values.insert(number.to_bits()))
}

/// The names of all columns of all tables, in order of first sight.
fn names<'a>(tables: &[&'a Table]) -> Vec<&'a str> {
    let mut known: HashSet<String> = HashSet::new();
    let names = tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
    names.filter(|name| known.insert(name.to_ascii_lowercase())).collect()
}

fn by_name<'a>(tables: &[&'a Table]) -> Vec<(&'a Table, ByName<'a>)> {
    tables.iter().map(|table| (*table, table.by_name())).collect()
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
