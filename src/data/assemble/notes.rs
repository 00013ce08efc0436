//! What a user should know of how rows came to their labels, in sentences.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use super::super::dataset::{Dataset, Labels, Split, TaskLabels};
use super::super::labels::Hidden;
use super::super::mapping::{self, Mapping, TaskColumn};
use super::super::table::Table;
use super::super::task::TaskKind;
use crate::data::mapping::profile::Profile;

/// Names that are listed before the rest is counted.
const SHOWN: usize = 6;

/// Where the text is called otherwise.
pub(super) fn other_text_note(column: &str, files: &[PathBuf]) -> String {
    let name = |file: &PathBuf| file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let names: Vec<String> = files.iter().map(name).collect();
    format!("The text of {} is the column \"{column}\".", names.join(", "))
}

/// What was left out for want of a text.
pub(super) fn blank_note(blank: usize, first: Option<&str>) -> Option<String> {
    let first = first?;
    Some(match blank {
        1 => format!("1 row without a text was left out ({first})."),
        many => format!("{many} rows without a text were left out (the first: {first})."),
    })
}

pub(super) fn marker_note(markers: &BTreeMap<String, usize>) -> Option<String> {
    let count: usize = markers.values().sum();
    let quoted: Vec<String> = markers.keys().map(|marker| format!("\"{marker}\"")).collect();
    let cells = if count == 1 { "1 label cell is".to_owned() } else { format!("{count} label cells are") };
    (count > 0).then(|| format!("{cells} read as no label: {}.", quoted.join(", ")))
}

/// The class -1 among whole numbers mostly stands for labels that are kept secret, and may be a class: only the user
/// knows.
pub(super) fn hidden_label_note(task: &TaskLabels) -> Option<String> {
    unconfirmed_class(task).map(|class| {
        format!(
            "Task \"{}\" has a class {class}: if it stands for rows without a label, say so (missing = [\"{class}\"]).",
            task.name
        )
    })
}

/// The class that may stand for rows without a label: -1 among whole numbers.
pub(super) fn unconfirmed_class(task: &TaskLabels) -> Option<String> {
    const HIDDEN: [&str; 2] = ["-1", "-100"];
    let are_numbers = task.classes.len() > 1 && task.classes.iter().all(|class| class.parse::<i64>().is_ok());
    let is_of_rows = matches!(task.kind, TaskKind::SingleLabel | TaskKind::MultiLabel);
    task.classes.iter().find(|class| are_numbers && is_of_rows && HIDDEN.contains(&class.as_str())).cloned()
}

/// Numbers of a few values are as well classes.
pub(super) fn few_numbers_note(task: &TaskLabels) -> Option<String> {
    const MOST: usize = 20;
    let Labels::Number(numbers) = &task.labels else { return None };
    let values: BTreeSet<u32> =
        numbers.iter().flatten().map(|number| number.to_bits()).take(100_000).collect();
    let are_few = values.len() <= MOST && numbers.iter().flatten().count() >= values.len() * 3;
    let one = values.len() == 1;
    (task.kind == TaskKind::Score && are_few && !values.is_empty()).then(|| {
        format!(
            "The {} of the task \"{}\" {} read as a score; kind = \"single-label\" reads {} as {}.",
            if one { "single number".to_owned() } else { format!("{} different numbers", values.len()) },
            task.name,
            if one { "is" } else { "are" },
            if one { "it" } else { "them" },
            if one { "a class" } else { "classes" },
        )
    })
}

/// Rows of 0 and 1 that hold -1: nothing is known of them, which the user may confirm.
pub(super) fn hidden_rows_note(task: &TaskColumn, hidden: &Hidden, dataset: &Dataset) -> Option<String> {
    let (first, marker) = (*hidden.rows.first()?, &hidden.marker);
    let (file, line) = dataset.origins.get(first).copied().unwrap_or_default();
    let path = dataset.files.get(file as usize).map_or_else(String::new, |path| path.display().to_string());
    let rows = match hidden.rows.len() {
        1 => format!("1 row holds {marker} (line {line} of {path})"),
        many => format!("{many} rows hold {marker} (the first: line {line} of {path})"),
    };
    let name = &task.task;
    Some(if task.missing.contains(marker) {
        format!("Task \"{name}\": {rows}, which is read as not annotated: they have no label.")
    } else {
        format!(
            "Task \"{name}\": {rows}, where 0 or 1 belongs. They count as rows with no label; confirm it with \
             missing = [\"{marker}\"] under the task, or correct the file."
        )
    })
}

/// Rows that lack some of the columns of 0 and 1.
pub(super) fn partly_blank_note(task: &TaskColumn, hidden: &Hidden) -> Option<String> {
    let rows = hidden.partly_blank;
    let hold = if rows == 1 { "row lacks" } else { "rows lack" };
    (rows > 0).then(|| {
        format!("Task \"{}\": {rows} {hold} a value in some of its columns, which counts as 0.", task.task)
    })
}

/// Tags that are numbers say nothing of which words belong together.
pub(super) fn numbered_tags_note(task: &TaskLabels) -> Option<String> {
    let are_numbers = task.classes.len() > 1 && task.classes.iter().all(|class| class.parse::<u64>().is_ok());
    (task.kind == TaskKind::TokenLabels && are_numbers).then(|| {
        format!(
            "The tags of the task \"{}\" are numbers, and nothing says what they stand for: every one of them, 0 too, \
             counts as a kind of entity. Give the names of the tags, that of 0 first: classes = [\"O\", \"B-...\", ...].",
            task.name
        )
    })
}

/// A label on two texts, read as one on the first: that must be known.
pub(super) fn pair_note(mapping: &Mapping, tables: &[(Table, Option<Split>)]) -> Option<String> {
    let reads_one = mapping.second.is_none() && mapping.tasks.iter().any(|task| !task.kind.takes_pairs());
    let (first, second) = tables.iter().find_map(|(table, _)| mapping::pair_names(table))?;
    (reads_one && mapping.text.eq_ignore_ascii_case(&first)).then(|| {
        format!("The rows are pairs ({first}, {second}); a task on single texts reads the first text only.")
    })
}

/// Columns that hold texts, or lists and objects, and that nothing reads.
pub(super) fn unread_notes(mapping: &Mapping, tables: &[(Table, Option<Split>)]) -> Vec<String> {
    const SAMPLE: usize = 200;
    const MOST_COLUMNS: usize = 2000;
    if tables.iter().any(|(table, _)| table.columns.len() > MOST_COLUMNS) {
        return Vec::new();
    }
    let tables: Vec<&Table> = tables.iter().map(|(table, _)| table).collect();
    let others = [&mapping.second, &mapping.split, &mapping.group].into_iter().flatten();
    let read = mapping.tasks.iter().flat_map(TaskColumn::columns).chain(others).chain([&mapping.text]);
    let read: HashSet<String> = read.map(|name| name.to_ascii_lowercase()).collect();
    let is_read = |name: &str| read.contains(&name.to_ascii_lowercase());
    let pair = tables.iter().find_map(|table| mapping::pair_names(table));
    let is_paired = |name: &str| pair.as_ref().is_some_and(|(_, second)| second == name);
    let (mut texts, mut places, mut nested) = (Vec::new(), Vec::new(), Vec::new());
    for profile in Profile::of_sample(&tables, SAMPLE) {
        let name = profile.name.as_str();
        if is_read(name) || is_paired(name) {
            continue;
        }
        // The words of a text with their places, beside the text.
        if profile.is_unnamed_places() && matches!(name, "tokens" | "words") {
            continue;
        }
        if profile.is_places() || profile.is_unnamed_places() {
            places.push(format!("\"{name}\""));
        } else if profile.has_objects() {
            nested.push(format!("\"{name}\""));
        } else if profile.is_free_text() && !mapping.text.is_empty() {
            texts.push(format!("\"{name}\""));
        }
    }
    let named = |names: &[String]| {
        let first = names.get(..SHOWN.min(names.len())).unwrap_or_default().join(", ");
        match names.len().saturating_sub(SHOWN) {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    };
    let note = |names: &[String], one: &str, many: &str| {
        let column = if names.len() == 1 { "column" } else { "columns" };
        let rest = if names.len() == 1 { one } else { many };
        (!names.is_empty()).then(|| format!("The {column} {} {rest}.", named(names)))
    };
    [
        note(&texts, "holds texts, too, and no task reads them", "hold texts, too, and no task reads them"),
        note(
            &places,
            "holds spans (offsets in the text) whose labels have no names, and is not read",
            "hold spans (offsets in the text) whose labels have no names, and are not read",
        ),
        note(
            &nested,
            "holds lists of objects within a record, and is not read",
            "hold lists of objects within a record, and are not read",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A file without anything to learn.
pub(super) fn no_task_note(mapping: &Mapping) -> Option<String> {
    mapping.tasks.is_empty().then(|| "No column looks like labels.".to_owned())
}
