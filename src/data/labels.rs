//! What a label cell says: a class, several, a number, tags of words, a pair, or nothing.

use std::collections::{HashMap, HashSet};

use super::dataset::{Labels, TaskLabels};
use super::lists::items;
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

/// True where a label cell says that there is no label. The cell must be trimmed already.
pub(super) fn is_missing(trimmed: &str) -> bool {
    trimmed.is_empty() || MISSING.contains(&trimmed)
}

/// Classes in the order in which they are shown: by value when all are whole numbers, else by name.
pub(super) fn sort_classes(classes: &mut [&str]) {
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| (class.parse::<i64>().unwrap_or_default(), class.len()));
    } else {
        classes.sort_unstable();
    }
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
    let of_all = |lists: Vec<Option<Vec<String>>>| {
        let names: Vec<&str> = lists.iter().flatten().flatten().map(String::as_str).collect();
        let (classes, index) = classes_of(names.into_iter());
        let indices =
            |list: &Vec<String>| list.iter().filter_map(|name| index.get(name.as_str()).copied()).collect();
        let labels: Vec<Option<Vec<u32>>> = lists.iter().map(|list| list.as_ref().map(indices)).collect();
        (classes, labels)
    };
    let (classes, labels) = match task.kind {
        TaskKind::SingleLabel => {
            let (classes, index) = classes_of(cells.iter().flatten().copied());
            let labels = cells.iter().map(|cell| cell.and_then(|cell| index.get(cell).copied()));
            let labels = Labels::Class(labels.collect());
            (classes, labels)
        }
        TaskKind::MultiLabel => {
            let (classes, mut labels) = of_all(cells.iter().map(|cell| cell.map(several)).collect());
            for classes in labels.iter_mut().flatten() {
                classes.sort_unstable();
                classes.dedup();
            }
            (classes, Labels::Classes(labels))
        }
        TaskKind::TokenLabels => {
            let mut lists = Vec::with_capacity(cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let tags = cell.map(|cell| {
                    items(cell).unwrap_or_else(|| cell.split_whitespace().map(str::to_owned).collect())
                });
                let words = rows.words(row);
                if let Some(tags) = tags.as_ref().filter(|tags| tags.len() != words) {
                    return Err((row, format!("has {} tags for {words} words", tags.len())));
                }
                lists.push(tags);
            }
            let (classes, labels) = of_all(lists);
            (classes, Labels::Tags(labels))
        }
        TaskKind::Score | TaskKind::Similarity => {
            let mut numbers = Vec::with_capacity(cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let number = cell
                    .map(|cell| number(cell).ok_or((row, format!("holds \"{cell}\", which is no number"))));
                let counts = task.kind == TaskKind::Score || rows.has_second(row);
                numbers.push(number.transpose()?.filter(|_| counts));
            }
            (Vec::new(), Labels::Number(numbers))
        }
        TaskKind::Ranking => {
            let mut pairs = Vec::with_capacity(cells.len());
            for (row, cell) in cells.iter().enumerate() {
                let belong = match cell {
                    Some(_) if column_is_second => true,
                    Some(cell) => belongs(cell)
                        .ok_or((row, format!("holds \"{cell}\", which is neither 1 nor 0, yes nor no")))?,
                    None => false,
                };
                pairs.push(belong && rows.has_second(row));
            }
            (Vec::new(), Labels::Pair(pairs))
        }
    };
    Ok(TaskLabels { name: task.task.clone(), kind: task.kind, classes, labels })
}

/// The classes that occur, in order, and the index of each.
fn classes_of<'a>(names: impl Iterator<Item = &'a str>) -> (Vec<String>, HashMap<&'a str, u32>) {
    let mut classes: Vec<&str> = names.collect::<HashSet<_>>().into_iter().collect();
    sort_classes(&mut classes);
    let index = classes.iter().zip(0..).map(|(class, index)| (*class, index)).collect();
    (classes.iter().map(|class| (*class).to_owned()).collect(), index)
}

/// The classes of a cell: a list, or names with bars between them.
fn several(cell: &str) -> Vec<String> {
    let all = items(cell).unwrap_or_else(|| cell.split(BAR).map(str::to_owned).collect());
    let trimmed = all.iter().map(|class| class.trim()).filter(|class| !class.is_empty());
    trimmed.map(str::to_owned).collect()
}

/// True for a cell that holds several names with bars between them.
pub(super) fn has_bars(cell: &str) -> bool {
    cell.contains(BAR) && cell.split(BAR).all(|part| !part.trim().is_empty())
}

/// A finite number; a comma may stand for the point.
fn number(cell: &str) -> Option<f32> {
    let parsed = cell.parse::<f32>().or_else(|_| cell.replacen(',', ".", 1).parse());
    parsed.ok().filter(|number| number.is_finite())
}

/// Whether a cell says that two texts belong together.
fn belongs(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "yes" | "true" | "y" | "t" => Some(true),
        "no" | "false" | "n" | "f" => Some(false),
        other => number(other).map(|number| number > 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(pairs.labels, Labels::Pair(vec![true, false, false, false]));
        let tags = read(TaskKind::TokenLabels, &["[\"O\", \"B-X\"]", "O O", ""]).unwrap();
        assert_eq!(tags.classes, ["B-X", "O"]);
        assert_eq!(tags.labels, Labels::Tags(vec![Some(vec![1, 0]), Some(vec![1, 1]), None]));
    }

    #[test]
    fn cells_that_make_no_sense_are_told_with_their_row() {
        let (row, reason) = read(TaskKind::Score, &["1", "many"]).unwrap_err();
        assert_eq!((row, reason.as_str()), (1, "holds \"many\", which is no number"));
        let (row, reason) = read(TaskKind::TokenLabels, &["O O", "O"]).unwrap_err();
        assert_eq!((row, reason.as_str()), (1, "has 1 tags for 2 words"));
        assert!(read(TaskKind::Ranking, &["perhaps"]).is_err());
    }
}
