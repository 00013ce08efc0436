//! Classes: numbered as they are met, named and put in order once all are known.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::FixedState;
use rayon::prelude::*;
use serde_json::Value;

use super::literal::{may_be_nested, nested};
use super::{bare, is_invisible, is_missing};
use crate::data::column::Segment;
use crate::data::dataset::{Labels, TaskLabels};
use crate::data::mapping::TaskColumn;
use crate::data::task::TaskKind;

/// Classes in the order in which they are shown: by value when all are whole numbers, else by name.
pub(in crate::data) fn sort_classes(classes: &mut [&str]) {
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| (class.parse::<i64>().unwrap_or_default(), class.len()));
    } else {
        classes.sort_unstable();
    }
}

/// Classes as they are met, and then in order.
#[derive(Default)]
pub(in crate::data) struct Classes {
    numbers: HashMap<String, u32, foldhash::fast::FixedState>,
    met: Vec<String>,
    /// Their names, tidied, in the order in which they are shown.
    pub(in crate::data) sorted: Vec<String>,
}

impl Classes {
    /// The number of a class: the next free one where it is new.
    pub(in crate::data) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.met.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.met.push(name.to_owned());
        number
    }

    pub(in crate::data) fn of_lists(
        &mut self,
        task: &TaskColumn,
        lists: impl Iterator<Item = Option<Vec<String>>>,
    ) -> Result<Vec<Option<Vec<u32>>>, (usize, String)> {
        let numbers: Vec<Option<Vec<u32>>> =
            lists.map(|list| list.map(|list| list.iter().map(|name| self.number(name)).collect())).collect();
        let places = self.sort(&task.classes).map_err(|unnamed| {
            let has =
                |list: &Option<Vec<u32>>| list.as_ref().is_some_and(|list| list.contains(&unnamed.number));
            (numbers.iter().position(has).unwrap_or(0), unnamed.reason.clone())
        })?;
        let placed =
            |list: Vec<u32>| list.iter().filter_map(|number| places.get(*number as usize).copied()).collect();
        Ok(numbers.into_iter().map(|list| list.map(placed)).collect())
    }

    /// Puts the classes in order: as they are listed, where the cells hold their numbers; else by value or name.
    /// Gives the place of each by its number.
    pub(in crate::data) fn sort(&mut self, listed: &[String]) -> Result<Vec<u32>, Unnamed> {
        let mut names: Vec<Cow<str>> = Vec::with_capacity(self.met.len());
        let became_fractions = are_whole(&self.met);
        for (met, number) in self.met.iter().zip(0..) {
            let met = if became_fractions { met.strip_suffix(POINT).unwrap_or(met) } else { met.as_str() };
            names.push(match (listed.is_empty(), met.parse::<usize>()) {
                (false, Ok(index)) => {
                    let reason = || {
                        format!(
                            "holds \"{met}\", and there are names for the classes 0 to {}",
                            listed.len() - 1
                        )
                    };
                    let name = listed.get(index).ok_or_else(|| Unnamed { number, reason: reason() })?;
                    Cow::Borrowed(name.as_str())
                }
                _ => tidy(met),
            });
        }
        let mut sorted: Vec<&str> =
            names.iter().map(Cow::as_ref).collect::<HashSet<_>>().into_iter().collect();
        sort_classes(&mut sorted);
        if !listed.is_empty() {
            sorted.sort_by_key(|name| listed.iter().position(|known| known == name));
        }
        let index: HashMap<&str, u32> = sorted.iter().zip(0..).map(|(name, place)| (*name, place)).collect();
        let places = names.iter().map(|name| index.get(name.as_ref()).copied().unwrap_or_default()).collect();
        self.sorted = sorted.iter().map(|name| (*name).to_owned()).collect();
        Ok(places)
    }
}

/// What whole numbers end in once a missing one among them has made fractions of all.
const POINT: &str = ".0";

/// Whether all classes are whole numbers, some of them written as fractions: 1.0 is the class 1 of another file. Codes
/// are none, such as 1.10, 1.5 and 01.
fn are_whole(classes: &[String]) -> bool {
    let is_whole = |class: &String| {
        let digits = class.strip_suffix(POINT).unwrap_or(class);
        let digits = digits.strip_prefix('-').unwrap_or(digits);
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'))
    };
    classes.iter().any(|class| class.ends_with(POINT)) && classes.iter().all(is_whole)
}

/// A class for whose number the list has no name.
pub(in crate::data) struct Unnamed {
    number: u32,
    reason: String,
}

impl Unnamed {
    /// The first row that has it, and why it cannot be.
    pub(in crate::data) fn in_rows(self, rows: &[Option<u32>]) -> (usize, String) {
        (rows.iter().position(|row| *row == Some(self.number)).unwrap_or(0), self.reason)
    }
}

/// Label cells that lie side by side: a segment of a column, or rows of a table that has no such column.
pub(in crate::data) struct Piece<'a> {
    pub(in crate::data) segment: Option<&'a Segment>,
    /// Per row whether it has a text.
    pub(in crate::data) kept: &'a [bool],
}

/// Cells that were read as no label, and how often.
pub(in crate::data) type Markers<'a> = BTreeMap<&'a str, usize>;

/// What a piece holds: per kept row the number of its class among those met in it.
struct Met<'a> {
    rows: Vec<Option<u32>>,
    names: Vec<&'a str>,
    markers: Markers<'a>,
}

impl<'a> Met<'a> {
    fn of(piece: &Piece<'a>, task: &TaskColumn) -> Self {
        let count = piece.kept.iter().filter(|kept| **kept).count();
        let mut met = Self { rows: Vec::with_capacity(count), names: Vec::new(), markers: Markers::new() };
        let Some(segment) = piece.segment else {
            met.rows.resize(count, None);
            return met;
        };
        let mut numbers: HashMap<&str, u32, FixedState> = HashMap::default();
        for (cell, _) in segment.iter().zip(piece.kept).filter(|(_, kept)| **kept) {
            let cell = bare(cell.unwrap_or_default());
            if let Some(number) = numbers.get(cell) {
                met.rows.push(Some(*number));
            } else if says_nothing(cell, task) || holds_objects(cell) {
                if !cell.is_empty() {
                    *met.markers.entry(cell).or_default() += 1;
                }
                met.rows.push(None);
            } else {
                let number = met.names.len() as u32;
                numbers.insert(cell, number);
                met.names.push(cell);
                met.rows.push(Some(number));
            }
        }
        met
    }
}

/// True for a cell of objects or of lists of lists, which are the name of no class.
fn holds_objects(cell: &str) -> bool {
    may_be_nested(cell)
        && nested(cell).is_some_and(|value| match value {
            Value::Array(items) => items.iter().any(|item| item.is_array() || item.is_object()),
            _ => true,
        })
}

/// True where a trimmed label cell says that there is no label.
pub(in crate::data) fn says_nothing(cell: &str, task: &TaskColumn) -> bool {
    is_missing(cell) || task.missing.iter().any(|marker| marker == cell)
}

/// Labels of a task of one class per row, read piece by piece side by side, and the markers that were met.
///
/// # Errors
/// The row of the first cell whose class has no name in the list, and what is wrong with it.
pub(in crate::data) fn single_labels<'a>(
    task: &TaskColumn,
    pieces: &[Piece<'a>],
) -> Result<(TaskLabels, Markers<'a>), (usize, String)> {
    let found: Vec<Met> = pieces.par_iter().map(|piece| Met::of(piece, task)).collect();
    let mut classes = Classes::default();
    let numbers: Vec<Vec<u32>> =
        found.iter().map(|met| met.names.iter().map(|name| classes.number(name)).collect()).collect();
    // The rows with classes by another list of numbers.
    let rows = |by: &dyn Fn(u32) -> Option<u32>| -> Vec<Option<u32>> {
        let mut all = Vec::with_capacity(found.iter().map(|met| met.rows.len()).sum());
        for (met, numbers) in found.iter().zip(&numbers) {
            let by_place: Vec<Option<u32>> = numbers.iter().map(|number| by(*number)).collect();
            all.extend(met.rows.iter().map(|row| by_place.get((*row)? as usize).copied().flatten()));
        }
        all
    };
    let places = classes.sort(&task.classes).map_err(|unnamed| unnamed.in_rows(&rows(&Some)))?;
    let labels = Labels::Class(rows(&|number| places.get(number as usize).copied()));
    let mut markers = Markers::new();
    for (marker, count) in found.into_iter().flat_map(|met| met.markers) {
        *markers.entry(marker).or_default() += count;
    }
    let labels =
        TaskLabels { name: task.task.clone(), kind: TaskKind::SingleLabel, classes: classes.sorted, labels };
    Ok((labels, markers))
}

/// A class's name as it is meant: spaces of all kinds are spaces, and what cannot be seen is not there. Joiners
/// stay, which emoji and some scripts need.
fn tidy(name: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c != ' ' && (c.is_whitespace() || is_unseen(c));
    if !name.contains(is_odd) {
        return Cow::Borrowed(name);
    }
    let shown = name.chars().filter(|c| !is_unseen(*c));
    Cow::Owned(shown.map(|c| if c.is_whitespace() { ' ' } else { c }).collect())
}

const fn is_unseen(c: char) -> bool {
    is_invisible(c) && !matches!(c, '\u{200c}' | '\u{200d}')
}
