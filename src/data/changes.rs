//! What the user changes in the rows after they were read: cells corrected, and fixes of what the data card found.
//! The project keeps these, and the user's files stay as they are, so that a run can be repeated from both.
//!
//! It must never know a file's bytes, a window or a session.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::column::StrColumn;
use super::dataset::{Dataset, Labels, Split, TaskLabels};
use super::same;

/// The cell of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// The text that is read.
    Text,
    /// The label of a task with one class per text.
    Label(String),
}

/// A cell that the user corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The file of the row.
    pub file: PathBuf,
    /// Line of the row there, from 1.
    pub line: u64,
    /// Which of the rows that begin on that line, from 0: a file may hold all of its rows on one.
    pub nth: usize,
    /// The cell.
    pub cell: Cell,
    /// What it held when it was corrected; empty for no label. Where it holds something else by now, the file was
    /// changed, and the correction is left out.
    pub was: String,
    /// What it is to hold; empty for no label.
    pub now: String,
}

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

/// Everything that the user changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Cells, corrected first.
    pub corrections: Vec<Correction>,
    /// Fixes, in the order in which they are carried out.
    pub fixes: Vec<Fix>,
}

/// What came of the changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Cells that were corrected.
    pub corrected: usize,
    /// Corrections whose row or cell is not as it was any more, so that they were left out: by their index.
    pub stale: Vec<usize>,
    /// Rows that each fix changed or left out.
    pub fixed: Vec<usize>,
}

impl Changes {
    /// True where nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.corrections.is_empty() && self.fixes.is_empty()
    }

    /// Takes a correction in: over an earlier one of the same cell, or away where the cell is to hold again what the
    /// file says.
    pub fn correct(&mut self, mut correction: Correction) {
        let same = |known: &Correction| {
            known.file == correction.file
                && (known.line, known.nth, &known.cell) == (correction.line, correction.nth, &correction.cell)
        };
        if let Some(at) = self.corrections.iter().position(same) {
            // What the file says is what it said before the first of them.
            correction.was = self.corrections.remove(at).was;
        }
        if correction.was != correction.now {
            self.corrections.push(correction);
        }
    }

    /// Changes the rows.
    #[must_use]
    pub fn apply(&self, dataset: &mut Dataset) -> Outcome {
        let mut outcome = Outcome::default();
        let had_rows: Vec<Vec<bool>> = dataset.tasks.iter().map(used_classes).collect();
        let mut texts = BTreeMap::new();
        for (index, correction) in self.corrections.iter().enumerate() {
            let done = row_of(dataset, correction)
                .is_some_and(|row| correct(dataset, row, correction, &mut texts));
            outcome.corrected += usize::from(done);
            if !done {
                outcome.stale.push(index);
            }
        }
        replace_texts(dataset, texts);
        outcome.fixed = self.fixes.iter().map(|fix| fix.apply(dataset)).collect();
        for (task, had_rows) in dataset.tasks.iter_mut().zip(&had_rows) {
            forget_emptied_classes(task, had_rows);
        }
        outcome
    }
}

impl Correction {
    /// The correction of a row's cell, from what it holds now.
    #[must_use]
    pub fn of_row(dataset: &Dataset, row: usize, cell: Cell, now: &str) -> Option<Self> {
        let (file, line) = *dataset.origins.get(row)?;
        let first = dataset.origins.partition_point(|origin| *origin < (file, line));
        let was = match &cell {
            Cell::Text => dataset.text(row).to_owned(),
            Cell::Label(name) => {
                let task = dataset.tasks.iter().find(|task| task.name == *name)?;
                task.in_words(row).unwrap_or_default()
            }
        };
        let file = dataset.files.get(file as usize)?.clone();
        Some(Self { file, line, nth: row - first, cell, was, now: now.to_owned() })
    }

    /// Whether it is of a file.
    #[must_use]
    pub fn is_of(&self, file: &Path) -> bool {
        self.file == file
    }
}

/// The row of a correction. Rows stand in the order of files and lines.
fn row_of(dataset: &Dataset, correction: &Correction) -> Option<usize> {
    let file = dataset.files.iter().position(|file| correction.is_of(file))? as u32;
    let place = (file, correction.line);
    let row = dataset.origins.partition_point(|origin| *origin < place) + correction.nth;
    (dataset.origins.get(row) == Some(&place)).then_some(row)
}

/// Corrects a cell; false where it does not hold what it held. Texts are only gathered.
fn correct(
    dataset: &mut Dataset,
    row: usize,
    correction: &Correction,
    texts: &mut BTreeMap<usize, String>,
) -> bool {
    match &correction.cell {
        Cell::Text => {
            let fits = dataset.text(row) == correction.was && !correction.now.trim().is_empty();
            if fits {
                texts.insert(row, correction.now.clone());
            }
            fits
        }
        Cell::Label(name) => {
            let Some(task) = dataset.tasks.iter_mut().find(|task| task.name == *name) else { return false };
            if task.in_words(row).unwrap_or_default() != correction.was {
                return false;
            }
            let class = (!correction.now.is_empty()).then(|| class_named(task, &correction.now));
            match &mut task.labels {
                Labels::Class(labels) => labels.get_mut(row).map(|label| *label = class).is_some(),
                _ => false,
            }
        }
    }
}

/// The class of that name, which is added where there is none.
fn class_named(task: &mut TaskLabels, name: &str) -> u32 {
    let known = task.classes.iter().position(|class| class == name);
    known.unwrap_or_else(|| {
        task.classes.push(name.to_owned());
        task.classes.len() - 1
    }) as u32
}

fn replace_texts(dataset: &mut Dataset, texts: BTreeMap<usize, String>) {
    if texts.is_empty() {
        return;
    }
    let mut column = StrColumn::with_capacity(dataset.texts.len(), dataset.texts.bytes());
    for (row, text) in dataset.texts.iter().enumerate() {
        column.push(texts.get(&row).map(String::as_str).or(text));
    }
    dataset.texts = column;
}

impl Fix {
    /// Carries it out; the number of rows that it changed or left out.
    fn apply(&self, dataset: &mut Dataset) -> usize {
        match self {
            Self::MergeClasses { task, from, into } => {
                let task = dataset.tasks.iter_mut().find(|known| known.name == *task);
                task.map_or(0, |task| merge_classes(task, from, into))
            }
            Self::ForgetConflicts { task } => forget_conflicts(dataset, task),
            Self::DropRepeats => {
                let repeats = same::repeated_rows(dataset, &same::repeated(&dataset.texts));
                let mut keep = vec![true; dataset.rows()];
                for row in &repeats {
                    if let Some(keep) = keep.get_mut(*row) {
                        *keep = false;
                    }
                }
                keep_rows(dataset, &keep);
                repeats.len()
            }
            Self::JoinLeaks => join_leaks(dataset),
            Self::StripControls => {
                let odd = |c: char| same::is_odd(c);
                let texts: BTreeMap<usize, String> = dataset
                    .texts
                    .iter()
                    .enumerate()
                    .filter_map(|(row, text)| text.filter(|text| text.contains(odd)).map(|text| (row, text)))
                    .map(|(row, text)| (row, text.chars().filter(|c| !odd(*c)).collect::<String>()))
                    .filter(|(_, text)| !text.trim().is_empty())
                    .collect();
                let count = texts.len();
                replace_texts(dataset, texts);
                count
            }
        }
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
    let mut merge = |class: &mut u32| {
        let goes = gone.contains(class);
        if goes {
            *class = target;
        }
        goes
    };
    match &mut task.labels {
        Labels::Class(labels) => changed = labels.iter_mut().flatten().filter_map(|class| merge(class).then_some(())).count(),
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
    let groups = same::repeated(&dataset.texts);
    let Some(task) = dataset.tasks.iter_mut().find(|task| task.name == *name) else { return 0 };
    let rows: Vec<usize> = same::conflicting(&groups, task).into_iter().flatten().copied().collect();
    let Labels::Class(labels) = &mut task.labels else { return 0 };
    for row in &rows {
        if let Some(label) = labels.get_mut(*row) {
            *label = None;
        }
    }
    rows.len()
}

fn join_leaks(dataset: &mut Dataset) -> usize {
    let mut moved = 0;
    for group in same::repeated(&dataset.texts) {
        let first = group.iter().filter_map(|row| dataset.splits.get(*row)).min().copied();
        let first = first.unwrap_or(Split::Train);
        for row in group {
            if let Some(split) = dataset.splits.get_mut(row).filter(|split| **split != first) {
                *split = first;
                moved += 1;
            }
        }
    }
    moved
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

fn kept<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}

/// Per class whether any row has it.
fn used_classes(task: &TaskLabels) -> Vec<bool> {
    let mut used = vec![false; task.classes.len()];
    let mut see = |class: &u32| {
        if let Some(used) = used.get_mut(*class as usize) {
            *used = true;
        }
    };
    match &task.labels {
        Labels::Class(labels) => labels.iter().flatten().for_each(&mut see),
        Labels::Classes(labels) | Labels::Tags(labels) => labels.iter().flatten().flatten().for_each(&mut see),
        Labels::Number(_) | Labels::Pair(_) => {}
    }
    used
}

/// Classes that lost all of their rows are no classes any more; one that never had any is of the user's own list, and
/// stays.
fn forget_emptied_classes(task: &mut TaskLabels, had_rows: &[bool]) {
    let used = used_classes(task);
    let had = had_rows.iter().copied().chain(std::iter::repeat(true));
    let stays: Vec<bool> = used.into_iter().zip(had).map(|(used, had)| used || !had).collect();
    if stays.iter().all(|stays| *stays) {
        return;
    }
    let mut next = 0;
    let places: Vec<u32> = stays
        .iter()
        .map(|stays| {
            let place = next;
            next += u32::from(*stays);
            place
        })
        .collect();
    kept(&mut task.classes, &stays);
    let place = |class: &mut u32| *class = places.get(*class as usize).copied().unwrap_or_default();
    match &mut task.labels {
        Labels::Class(labels) => labels.iter_mut().flatten().for_each(place),
        Labels::Classes(labels) | Labels::Tags(labels) => labels.iter_mut().flatten().flatten().for_each(place),
        Labels::Number(_) | Labels::Pair(_) => {}
    }
}

#[cfg(test)]
mod tests;
