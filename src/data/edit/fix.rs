//! Changes of many rows at once, as the data card offers them for what it finds.
//!
//! It must never know a file's bytes, a window or a session.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::column::StrColumn;
use crate::data::dataset::{Dataset, Labels, Split, TaskLabels};
use crate::data::duplicates::exact;
use crate::data::duplicates::exact::SameTexts;
use crate::data::labels::bare;

/// A change of many rows at once, as the data card offers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Classes of a task become one.
    MergeClasses {
        /// The task.
        task: String,
        /// The classes that go.
        from: Vec<String>,
        /// The class that they become.
        into: String,
    },
    /// Texts that carry different labels of a task lose them: the task is not trained or measured on them.
    ForgetConflicts {
        /// The task.
        task: String,
    },
    /// Training rows that say what an earlier one says, text and labels, are left out.
    DropRepeats,
    /// A text that stands in several splits goes wholly to the first of train, valid and test that has it.
    JoinLeaks,
    /// Control characters, and the marks of undecodable bytes, are taken out of the texts.
    StripControls,
}

/// What came of a fix.
pub(in crate::data) struct Effect {
    /// Rows that it changed or left out.
    pub(in crate::data) rows: usize,
    /// Where it left rows out: per row whether it is kept.
    pub(in crate::data) keep: Option<Vec<bool>>,
}

impl Fix {
    /// Carries it out.
    pub(in crate::data) fn apply(&self, dataset: &mut Dataset) -> Effect {
        let rows = match self {
            Self::MergeClasses { task, from, into } => {
                let task = dataset.tasks.iter_mut().find(|known| known.name == *task);
                task.map_or(0, |task| merge_classes(task, from, into))
            }
            Self::ForgetConflicts { task } => forget_conflicts(dataset, task),
            Self::DropRepeats => return drop_repeats(dataset),
            Self::JoinLeaks => join_leaks(dataset),
            Self::StripControls => strip_controls(dataset),
        };
        Effect { rows, keep: None }
    }

    /// What it does, in words for a list of what was done.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::MergeClasses { task, from, into } => {
                let from: Vec<String> = from.iter().map(|class| format!("\"{class}\"")).collect();
                format!("{task}: {} became \"{into}\"", from.join(", "))
            }
            Self::ForgetConflicts { task } => format!("{task}: labels of texts that disagree are left out"),
            Self::DropRepeats => "repeated training rows are left out".into(),
            Self::JoinLeaks => "texts that stood in several splits are in one".into(),
            Self::StripControls => "control characters are taken out of texts".into(),
        }
    }

    /// What its button says.
    #[must_use]
    pub fn verb(&self) -> String {
        match self {
            Self::MergeClasses { into, .. } => format!("Merge into \"{into}\""),
            Self::ForgetConflicts { .. } => "Leave these labels out".into(),
            Self::DropRepeats => "Leave them out".into(),
            Self::JoinLeaks => "Move them to one split".into(),
            Self::StripControls => "Take them out".into(),
        }
    }
}

fn merge_classes(task: &mut TaskLabels, from: &[String], into: &str) -> usize {
    let target = class_named(task, into);
    let gone: BTreeSet<u32> = (0..)
        .zip(&task.classes)
        .filter(|(index, class)| *index != target && from.contains(class))
        .map(|(index, _)| index)
        .collect();
    let mut changed = 0;
    let merge = |class: &mut u32| {
        let goes = gone.contains(class);
        if goes {
            *class = target;
        }
        goes
    };
    match &mut task.labels {
        Labels::Class(labels) => {
            for class in labels.iter_mut().flatten() {
                changed += usize::from(merge(class));
            }
        }
        Labels::Classes(labels) => {
            for classes in labels.iter_mut().flatten() {
                let any = classes.iter_mut().fold(false, |any, class| merge(class) | any);
                changed += usize::from(any);
                classes.sort_unstable();
                classes.dedup();
            }
        }
        Labels::Tags(labels) => {
            for tags in labels.iter_mut().flatten() {
                let any = tags.iter_mut().fold(false, |any, tag| merge(tag) | any);
                changed += usize::from(any);
            }
        }
        Labels::Number(_) | Labels::Pair(_) => {}
    }
    changed
}

fn forget_conflicts(dataset: &mut Dataset, name: &str) -> usize {
    let texts = SameTexts::of(dataset);
    let Some(task) = dataset.tasks.iter_mut().find(|task| task.name == *name) else { return 0 };
    let rows: Vec<usize> = texts.conflicting(task).into_iter().flatten().copied().collect();
    match &mut task.labels {
        Labels::Class(labels) => forget(labels, &rows),
        Labels::Classes(labels) | Labels::Tags(labels) => forget(labels, &rows),
        Labels::Number(labels) => forget(labels, &rows),
        Labels::Pair(labels) => forget(labels, &rows),
    }
    rows.len()
}

/// Takes the labels of rows away.
fn forget<T: Default>(labels: &mut [T], rows: &[usize]) {
    for row in rows {
        if let Some(label) = labels.get_mut(*row) {
            *label = T::default();
        }
    }
}

fn join_leaks(dataset: &mut Dataset) -> usize {
    let mut moved = 0;
    let texts = SameTexts::of(dataset);
    for group in texts.seen_alike() {
        let first = group.iter().filter_map(|row| dataset.splits.get(*row)).min().copied();
        let first = first.unwrap_or(Split::Train);
        for row in group {
            if let Some(split) = dataset.splits.get_mut(*row).filter(|split| **split != first) {
                *split = first;
                moved += 1;
            }
        }
    }
    moved
}

fn drop_repeats(dataset: &mut Dataset) -> Effect {
    let repeats = SameTexts::of(dataset).repeated_rows(dataset);
    if repeats.is_empty() {
        return Effect { rows: 0, keep: None };
    }
    let mut keep = vec![true; dataset.rows()];
    for row in &repeats {
        if let Some(keep) = keep.get_mut(*row) {
            *keep = false;
        }
    }
    keep_rows(dataset, &keep);
    Effect { rows: repeats.len(), keep: Some(keep) }
}

/// Texts of nothing but such characters stay as they are.
fn strip_controls(dataset: &mut Dataset) -> usize {
    let texts: BTreeMap<usize, String> = (0..)
        .zip(dataset.texts.iter())
        .filter_map(|(row, text)| text.filter(|text| text.contains(exact::is_odd)).map(|text| (row, text)))
        .map(|(row, text)| (row, text.chars().filter(|c| !exact::is_odd(*c)).collect::<String>()))
        .filter(|(_, text)| !bare(text).is_empty())
        .collect();
    replace_texts(dataset, &texts);
    texts.len()
}

fn keep_rows(dataset: &mut Dataset, keep: &[bool]) {
    let kept_column = |column: &StrColumn| {
        let mut kept = StrColumn::default();
        kept.append_where(column, keep);
        kept
    };
    dataset.texts = kept_column(&dataset.texts);
    if !dataset.second.is_empty() {
        dataset.second = kept_column(&dataset.second);
    }
    for task in &mut dataset.tasks {
        match &mut task.labels {
            Labels::Class(labels) => kept(labels, keep),
            Labels::Classes(labels) | Labels::Tags(labels) => kept(labels, keep),
            Labels::Number(labels) => kept(labels, keep),
            Labels::Pair(labels) => kept(labels, keep),
        }
    }
    kept(&mut dataset.splits, keep);
    kept(&mut dataset.origins, keep);
}

pub(in crate::data) fn kept<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}

/// The class of that name, which is added where there is none.
pub(in crate::data) fn class_named(task: &mut TaskLabels, name: &str) -> u32 {
    let known = task.classes.iter().position(|class| class == name);
    known.unwrap_or_else(|| {
        task.classes.push(name.to_owned());
        task.classes.len() - 1
    }) as u32
}

pub(in crate::data) fn replace_texts(dataset: &mut Dataset, texts: &BTreeMap<usize, String>) {
    if texts.is_empty() {
        return;
    }
    let mut column = StrColumn::with_capacity(dataset.texts.len(), dataset.texts.bytes());
    for (row, text) in dataset.texts.iter().enumerate() {
        column.push(texts.get(&row).map(String::as_str).or(text));
    }
    dataset.texts = column;
}
