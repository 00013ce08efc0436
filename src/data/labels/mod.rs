//! What a label cell says: a class, several, a number, tags of words, a pair, or nothing.

pub(in crate::data) mod align;
pub(in crate::data) mod classes;
pub(in crate::data) mod list_cell;
pub(in crate::data) mod literal;
pub(in crate::data) mod named;
pub(in crate::data) mod offsets;
pub mod spans;

use self::classes::Classes;
use self::list_cell::items;
use self::literal::nested;
use super::dataset::{Labels, TaskLabels};
use super::mapping::TaskColumn;

use super::task::TaskKind;

/// What stands between the classes of a cell that has several.
const BAR: char = '|';

/// What tables hold where nobody annotated: what pandas reads as missing, and the question mark.
///
/// Matched exactly, so that `None`, which Python writes for no value, is missing, while `none`, which people
/// write for a class of its own, is a class.
const MISSING: [&str; 13] =
    ["?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NULL", "null", "None", "-NaN"];

/// The largest number of a score: its square is still a 32-bit number.
const LARGEST_NUMBER: f64 = 1.8e19;

/// Bytes of the longest of them.
const MISSING_BYTES: usize = 4;

/// True where a label cell says that there is no label. The cell must be trimmed already.
pub(super) fn is_missing(trimmed: &str) -> bool {
    trimmed.len() <= MISSING_BYTES && (trimmed.is_empty() || MISSING.contains(&trimmed))
}

/// The rows that label cells belong to.
pub(super) trait Rows {
    /// Words of a row's text.
    fn words(&self, row: usize) -> usize;
    /// Whether it has a second text.
    fn has_second(&self, row: usize) -> bool;
}

/// Labels of a task from its cells, `None` where a cell says nothing.
///
/// # Errors
/// The row of the first cell that makes no sense for the task's kind, and what is wrong with it.
pub(super) fn task_labels(
    task: &TaskColumn,
    cells: &[Option<&str>],
    rows: &dyn Rows,
    column_is_second: bool,
) -> Result<TaskLabels, (usize, String)> {
    let mut classes = Classes::default();
    let labels = match task.kind {
        TaskKind::SingleLabel => {
            let numbers: Vec<Option<u32>> =
                cells.iter().map(|cell| cell.map(|cell| classes.number(cell))).collect();
            let places = classes.sort(&task.classes).map_err(|unnamed| unnamed.in_rows(&numbers))?;
            let place = |number: u32| places.get(number as usize).copied();
            Labels::Class(numbers.into_iter().map(|number| number.and_then(place)).collect())
        }
        TaskKind::MultiLabel => {
            let lists: Vec<Option<Option<Vec<String>>>> =
                cells.iter().map(|cell| cell.map(classes_of)).collect();
            if let Some(row) = lists.iter().position(|list| matches!(list, Some(None))) {
                return Err((row, "holds a list or an object that stands for no labels".to_owned()));
            }
            let mut labels = classes.of_lists(task, lists.into_iter().map(Option::flatten))?;
            for classes in labels.iter_mut().flatten() {
                classes.sort_unstable();
                classes.dedup();
            }
            Labels::Classes(labels)
        }
        TaskKind::TokenLabels => {
            let tags = |cell: &str| {
                items(cell).unwrap_or_else(|| cell.split_whitespace().map(str::to_owned).collect())
            };
            let lists: Vec<Option<Vec<String>>> = cells.iter().map(|cell| cell.map(tags)).collect();
            for (row, tags) in lists.iter().enumerate() {
                let words = rows.words(row);
                if let Some(tags) = tags.as_ref().filter(|tags| tags.len() != words) {
                    return Err((row, format!("has {} tags for {words} words", tags.len())));
                }
            }
            Labels::Tags(classes.of_lists(task, lists.into_iter())?)
        }
        TaskKind::Score | TaskKind::Similarity => {
            let mut numbers = Vec::with_capacity(cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let number = cell.map(|cell| {
                    let number =
                        number(cell).ok_or((row, format!("holds \"{cell}\", which is no number")))?;
                    let is_computable = number.abs() <= LARGEST_NUMBER;
                    let reason = || (row, format!("holds \"{cell}\", which is too large to compute with"));
                    is_computable.then_some(number as f32).ok_or_else(reason)
                });
                let counts = task.kind == TaskKind::Score || rows.has_second(row);
                numbers.push(number.transpose()?.filter(|_| counts));
            }
            Labels::Number(numbers)
        }
        TaskKind::Ranking => {
            let mut pairs = Vec::with_capacity(cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let belong =
                    match cell {
                        Some(_) if column_is_second => Some(true),
                        Some(cell) => Some(belongs(cell).ok_or((
                            row,
                            format!("holds \"{cell}\", which is neither 1 nor 0, yes nor no"),
                        ))?),
                        None => None,
                    };
                pairs.push(belong.filter(|_| rows.has_second(row)));
            }
            Labels::Pair(pairs)
        }
    };
    Ok(TaskLabels { name: task.task.clone(), kind: task.kind, classes: classes.sorted, labels })
}

/// What was found in columns of 0 and 1 that is neither.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Hidden {
    /// Rows with a number below 0, which has no label then, and what stands there.
    pub(super) rows: Vec<usize>,
    pub(super) marker: String,
    /// Rows in which some of the columns are blank and others are not.
    pub(super) partly_blank: usize,
}

/// Labels of a multi-label task from a column of 0 and 1 for each class; a row is annotated where any column says
/// something. A number below 0 says that nobody knows: a row that holds one has no label.
///
/// # Errors
/// The row of the first cell that is neither, and what is wrong with it.
pub(super) fn indicated(
    task: &TaskColumn,
    columns: &[Vec<Option<&str>>],
) -> Result<(TaskLabels, Hidden), (usize, String)> {
    let mut order: Vec<(&str, &Vec<Option<&str>>)> =
        task.indicators.iter().map(String::as_str).zip(columns).collect();
    order.sort_unstable_by_key(|(name, _)| *name);
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut labels: Vec<Option<Vec<u32>>> = vec![None; rows];
    let (mut hidden, mut filled) = (Hidden::default(), vec![0_usize; rows]);
    for ((name, cells), class) in order.iter().zip(0..) {
        for (row, (cell, label)) in cells.iter().zip(&mut labels).enumerate() {
            let Some(cell) = cell else { continue };
            if number(cell).is_some_and(|number| number < 0.0) {
                hidden.rows.push(row);
                if hidden.marker.is_empty() {
                    (*cell).clone_into(&mut hidden.marker);
                }
                continue;
            }
            if let Some(filled) = filled.get_mut(row) {
                *filled += 1;
            }
            let holds = belongs(cell).ok_or_else(|| {
                (
                    row,
                    format!(
                        "holds \"{cell}\" in the column \"{name}\", which is neither 1 nor 0, yes nor no"
                    ),
                )
            })?;
            let classes = label.get_or_insert_default();
            if holds {
                classes.push(class);
            }
        }
    }
    hidden.rows.sort_unstable();
    hidden.rows.dedup();
    for row in &hidden.rows {
        if let (Some(label), Some(filled)) = (labels.get_mut(*row), filled.get_mut(*row)) {
            *label = None;
            *filled = 0;
        }
    }
    hidden.partly_blank = filled.iter().filter(|filled| (1..columns.len()).contains(*filled)).count();
    let classes = order.iter().map(|(name, _)| task.class_of(name).to_owned()).collect();
    let labels = Labels::Classes(labels);
    Ok((TaskLabels { name: task.task.clone(), kind: task.kind, classes, labels }, hidden))
}

/// A label cell without what is around the label and cannot be seen.
pub(super) fn bare(cell: &str) -> &str {
    if let [first, .., last] = cell.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return cell;
    }
    let trimmed = cell.trim();
    match (trimmed.as_bytes().first(), trimmed.as_bytes().last()) {
        (Some(first), Some(last)) if first.is_ascii() && last.is_ascii() => trimmed,
        _ => trimmed.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)),
    }
}

/// The classes of a cell: a list, names with bars between them, or what objects stand for.
pub(super) fn several(cell: &str) -> Vec<String> {
    classes_of(cell).unwrap_or_default()
}

/// The same; `None` for a list or an object that stands for no labels.
fn classes_of(cell: &str) -> Option<Vec<String>> {
    let all = match nested(cell) {
        Some(value) => named::labels(&value).or_else(|| offsets::kinds(&value))?,
        // As numpy writes them.
        None => items(cell).unwrap_or_else(|| cell.split(BAR).map(str::to_owned).collect()),
    };
    let trimmed = all.iter().map(|class| class.trim()).filter(|class| !class.is_empty());
    Some(trimmed.map(str::to_owned).collect())
}

/// True for a cell that holds several names with bars between them.
pub(super) fn has_bars(cell: &str) -> bool {
    cell.contains(BAR) && cell.split(BAR).all(|part| !part.trim().is_empty())
}

/// A finite number; a comma may stand for the point.
pub(super) fn number(cell: &str) -> Option<f64> {
    // Most cells are words, and a number is told from them by how it begins.
    let first = cell.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.' | b',')) {
        return None;
    }
    let parsed = cell.parse::<f64>().or_else(|_| cell.replacen(',', ".", 1).parse());
    parsed.ok().filter(|number| number.is_finite())
}

/// Characters of no width that word processors and web pages leave in text.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

/// Whether a cell says that two texts belong together.
fn belongs(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "y" | "t" => Some(true),
        "n" | "f" => Some(false),
        other => is_yes_or_no(other).or_else(|| number(other).map(|number| number > 0.5)),
    }
}

/// Words for 1 and 0.
pub(super) fn is_yes_or_no(cell: &str) -> Option<bool> {
    const LONGEST: usize = 5;
    if cell.len() > LONGEST {
        return None;
    }
    match cell.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::labels::classes::sort_classes;

    #[test]
    fn markers_are_missing_and_classes_are_not() {
        for marker in ["", "NA", "n/a", "None", "null", "?", "nan"] {
            assert!(is_missing(marker), "{marker}");
        }
        for class in ["none", "no", "0", "-1", "other", "na", "not applicable"] {
            assert!(!is_missing(class), "{class}");
        }
    }

    #[test]
    fn numbers_sort_by_value_and_words_by_name() {
        let mut stars = ["10", "2", "1"];
        sort_classes(&mut stars);
        assert_eq!(stars, ["1", "2", "10"]);
        let mut mixed = ["b", "10", "2"];
        sort_classes(&mut mixed);
        assert_eq!(mixed, ["10", "2", "b"]);
    }

    struct Words(usize);

    impl Rows for Words {
        fn words(&self, _: usize) -> usize {
            self.0
        }

        fn has_second(&self, row: usize) -> bool {
            row != 1
        }
    }

    fn read(kind: TaskKind, cells: &[&str]) -> Result<TaskLabels, (usize, String)> {
        let task = TaskColumn { kind, ..TaskColumn::named("it") };
        let cells: Vec<Option<&str>> =
            cells.iter().map(|cell| Some(*cell).filter(|c| !c.is_empty())).collect();
        task_labels(&task, &cells, &Words(2), false)
    }

    #[test]
    fn every_kind_reads_its_cells() {
        let many = read(TaskKind::MultiLabel, &["b|a", "[]", "['b', 'c']", "", "a|a"]).unwrap();
        assert_eq!(many.classes, ["a", "b", "c"]);
        let wanted = vec![Some(vec![0, 1]), Some(vec![]), Some(vec![1, 2]), None, Some(vec![0])];
        assert_eq!(many.labels, Labels::Classes(wanted));
        let score = read(TaskKind::Score, &["3.5", "", "2,25", "-1"]).unwrap();
        assert_eq!(score.labels, Labels::Number(vec![Some(3.5), None, Some(2.25), Some(-1.0)]));
        let alike = read(TaskKind::Similarity, &["3", "4", "5"]).unwrap();
        assert_eq!(alike.labels, Labels::Number(vec![Some(3.0), None, Some(5.0)]), "one text is no pair");
        let pairs = read(TaskKind::Ranking, &["1", "1", "no", ""]).unwrap();
        assert_eq!(pairs.labels, Labels::Pair(vec![Some(true), None, Some(false), None]));
        let tags = read(TaskKind::TokenLabels, &["[\"O\", \"B-X\"]", "O O", ""]).unwrap();
        assert_eq!(tags.classes, ["B-X", "O"]);
        assert_eq!(tags.labels, Labels::Tags(vec![Some(vec![1, 0]), Some(vec![1, 1]), None]));
    }

    #[test]
    fn classes_may_have_names_and_columns_of_their_own() {
        let named = |cells: &[Option<&str>]| {
            let names = ["neg", "pos", "mixed"].map(str::to_owned).to_vec();
            task_labels(&TaskColumn { classes: names, ..TaskColumn::named("it") }, cells, &Words(2), false)
        };
        let labels = named(&[Some("1"), Some("0"), None, Some("pos")]).unwrap();
        assert_eq!(labels.classes, ["neg", "pos"]);
        assert_eq!(labels.labels, Labels::Class(vec![Some(1), Some(0), None, Some(1)]));
        let (row, reason) = named(&[Some("1"), Some("3")]).unwrap_err();
        assert_eq!((row, reason.as_str()), (1, "holds \"3\", and there are names for the classes 0 to 2"));

        let task = TaskColumn {
            indicators: ["toxic", "rude"].map(str::to_owned).to_vec(),
            ..TaskColumn::of_kind("toxic", TaskKind::MultiLabel)
        };
        let columns = [vec![Some("1"), Some("0"), None], vec![Some("1"), None, None]];
        let (labels, _) = indicated(&task, &columns).unwrap();
        assert_eq!(labels.classes, ["rude", "toxic"]);
        assert_eq!(labels.labels, Labels::Classes(vec![Some(vec![0, 1]), Some(vec![]), None]));
        assert_eq!(indicated(&task, &[vec![Some("2,5x")], vec![None]]).unwrap_err().0, 0);
        let columns = [vec![Some("-1"), Some("1.0"), Some("True")], vec![Some("0"), None, Some("FALSE")]];
        let (labels, hidden) = indicated(&task, &columns).unwrap();
        assert_eq!(labels.labels, Labels::Classes(vec![None, Some(vec![1]), Some(vec![1])]));
        assert_eq!(hidden, Hidden { rows: vec![0], marker: "-1".into(), partly_blank: 1 });
    }

    #[test]
    fn names_that_look_the_same_are_one_class() {
        let labels =
            read(TaskKind::SingleLabel, &["a b", "a\u{a0}b", "a\u{200b} b", "👩\u{200d}👧"]).unwrap();
        assert_eq!(labels.classes, ["a b", "👩\u{200d}👧"]);
        assert_eq!(labels.labels, Labels::Class(vec![Some(0), Some(0), Some(0), Some(1)]));
        assert_eq!((bare(" x\u{a0}\u{200b}"), bare("\u{feff}é ")), ("x", "é"));
    }

    #[test]
    fn cells_that_make_no_sense_are_told_with_their_row() {
        let (row, reason) = read(TaskKind::Score, &["1", "many"]).unwrap_err();
        assert_eq!((row, reason.as_str()), (1, "holds \"many\", which is no number"));
        let (row, reason) = read(TaskKind::TokenLabels, &["O O", "O"]).unwrap_err();
        assert_eq!((row, reason.as_str()), (1, "has 1 tags for 2 words"));
        assert!(read(TaskKind::Ranking, &["perhaps"]).is_err());
        for kind in [TaskKind::Score, TaskKind::Similarity] {
            for large in ["1e308", "-1e39", "1e20"] {
                let (row, reason) = read(kind, &["1", "1", large]).unwrap_err();
                assert_eq!(
                    (row, reason),
                    (2, format!("holds \"{large}\", which is too large to compute with"))
                );
            }
            let (row, reason) = read(kind, &["1", "1", "inf"]).unwrap_err();
            assert_eq!((row, reason.as_str()), (2, "holds \"inf\", which is no number"));
            assert!(read(kind, &["1", "1", "1e19"]).is_ok());
        }
    }
}
