//! What the user changes in the rows after they were read: cells corrected, and fixes of what the data card found.
//! The project keeps these, and the user's files stay as they are, so that a run can be repeated from both.
//!
//! It must never know a file's bytes, a window or a session.

pub mod fix;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::fix::{Fix, class_named, kept, replace_texts};
use super::dataset::{Dataset, Labels, TaskLabels};
use super::labels::{Rows, bare, number, several};

/// The cell of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// The text that is read.
    Text,
    /// The label of a task: a class, several classes with bars between them, or a number.
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
pub struct EditReport {
    /// Cells that were corrected.
    pub corrected: usize,
    /// Corrections whose row or cell is not as it was any more, so that they were left out: by their index.
    pub stale: Vec<usize>,
    /// Rows that each fix changed or left out.
    pub fixed: Vec<usize>,
    /// Where rows were left out: of every row that is there the row that it was before.
    pub rows: Option<Vec<u32>>,
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

    /// Those that say what cells mean, wherever their rows stand: corrections, merged classes, and signs to take out.
    #[must_use]
    pub fn of_meaning(&self) -> Self {
        let of_meaning = |fix: &&Fix| matches!(fix, Fix::MergeClasses { .. } | Fix::StripControls);
        Self {
            corrections: self.corrections.clone(),
            fixes: self.fixes.iter().filter(of_meaning).cloned().collect(),
        }
    }

    /// Changes the rows.
    #[must_use]
    pub fn apply(&self, dataset: &mut Dataset) -> EditReport {
        let mut outcome = EditReport::default();
        let had_rows: Vec<Vec<bool>> = dataset.tasks.iter().map(used_classes).collect();
        let mut texts = BTreeMap::new();
        for (index, correction) in self.corrections.iter().enumerate() {
            let done =
                correction.row_in(dataset).filter(|row| correct(dataset, *row, correction, &mut texts));
            outcome.corrected += usize::from(done.is_some());
            if done.is_none() {
                outcome.stale.push(index);
            }
        }
        replace_texts(dataset, &texts);
        for fix in &self.fixes {
            let effect = fix.apply(dataset);
            outcome.fixed.push(effect.rows);
            if let Some(keep) = effect.keep {
                let rows = outcome.rows.get_or_insert_with(|| (0..keep.len() as u32).collect());
                kept(rows, &keep);
            }
        }
        for (task, had_rows) in dataset.tasks.iter_mut().zip(&had_rows) {
            forget_emptied_classes(task, had_rows);
        }
        outcome
    }
}

impl Correction {
    /// The correction of a row's cell. The data set is that of the files, without any change.
    #[must_use]
    pub fn of_row(dataset: &Dataset, row: usize, cell: Cell, now: &str) -> Option<Self> {
        let (file, line) = *dataset.origins.get(row)?;
        let first = dataset.origins.partition_point(|origin| *origin < (file, line));
        let was = match &cell {
            Cell::Text => dataset.text(row).to_owned(),
            Cell::Label(name) => written(dataset.tasks.iter().find(|task| task.name == *name)?, row),
        };
        let file = dataset.files.get(file as usize)?.clone();
        let now = match cell {
            Cell::Text => now.to_owned(),
            Cell::Label(_) => bare(now).to_owned(),
        };
        Some(Self { file, line, nth: row.checked_sub(first)?, cell, was, now })
    }

    /// Whether it is of a file.
    #[must_use]
    pub fn is_of(&self, file: &Path) -> bool {
        self.file == file
    }

    /// The row of the data set that it is of. Rows stand in the order of files and lines.
    #[must_use]
    pub fn row_in(&self, dataset: &Dataset) -> Option<usize> {
        let file = dataset.files.iter().position(|file| self.is_of(file))? as u32;
        let place = (file, self.line);
        let row = dataset.origins.partition_point(|origin| *origin < place) + self.nth;
        (dataset.origins.get(row) == Some(&place)).then_some(row)
    }
}

/// The label of a row as a user would write it: classes with bars between them; empty for none.
#[must_use]
pub fn written(task: &TaskLabels, row: usize) -> String {
    match &task.labels {
        Labels::Classes(labels) => {
            let classes = labels.get(row).and_then(Option::as_deref).unwrap_or_default();
            let names = classes.iter().filter_map(|class| task.classes.get(*class as usize));
            names.map(String::as_str).collect::<Vec<_>>().join("|")
        }
        _ => task.in_words(row).unwrap_or_default(),
    }
}

/// Whether labels of a task can be corrected.
#[must_use]
pub const fn can_correct(task: &TaskLabels) -> bool {
    matches!(task.labels, Labels::Class(_) | Labels::Classes(_) | Labels::Number(_))
}

/// Corrects a cell; false where it does not hold what it held, or cannot hold what it should. Texts are only gathered.
fn correct(
    dataset: &mut Dataset,
    row: usize,
    correction: &Correction,
    texts: &mut BTreeMap<usize, String>,
) -> bool {
    let name = match &correction.cell {
        Cell::Label(name) => name,
        Cell::Text => {
            let fits = dataset.text(row) == correction.was && can_be_text(dataset, row, &correction.now);
            if fits {
                texts.insert(row, correction.now.clone());
            }
            return fits;
        }
    };
    let Some(task) = dataset.tasks.iter_mut().find(|task| task.name == *name) else { return false };
    written(task, row) == correction.was && set_label(task, row, &correction.now)
}

/// Whether a row may have such a text: there must be something to read in it, and its words must stay as many as its
/// tags are.
#[must_use]
pub fn can_be_text(dataset: &Dataset, row: usize, text: &str) -> bool {
    let has_tags = dataset
        .tasks
        .iter()
        .any(|task| matches!(&task.labels, Labels::Tags(tags) if tags.get(row).is_some_and(Option::is_some)));
    !bare(text).is_empty() && (!has_tags || text.split(' ').count() == dataset.words(row))
}

/// Writes a label over another; false where the task's kind has no such labels.
fn set_label(task: &mut TaskLabels, row: usize, now: &str) -> bool {
    let is_none = now.is_empty();
    let classes: Vec<u32> = match &task.labels {
        Labels::Class(_) if !is_none => vec![class_named(task, now)],
        Labels::Classes(_) if !is_none => {
            let mut classes: Vec<u32> = several(now).iter().map(|class| class_named(task, class)).collect();
            classes.sort_unstable();
            classes.dedup();
            classes
        }
        _ => Vec::new(),
    };
    match &mut task.labels {
        Labels::Class(labels) => labels.get_mut(row).map(|label| *label = classes.first().copied()).is_some(),
        Labels::Classes(labels) => {
            labels.get_mut(row).map(|label| *label = (!is_none).then_some(classes)).is_some()
        }
        Labels::Number(labels) => {
            let number = number(now).map(|number| number as f32);
            let fits = is_none || number.is_some();
            labels.get_mut(row).filter(|_| fits).map(|label| *label = number).is_some()
        }
        Labels::Tags(_) | Labels::Pair(_) => false,
    }
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
        Labels::Classes(labels) | Labels::Tags(labels) => {
            labels.iter().flatten().flatten().for_each(&mut see);
        }
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
        Labels::Classes(labels) | Labels::Tags(labels) => {
            labels.iter_mut().flatten().flatten().for_each(place);
        }
        Labels::Number(_) | Labels::Pair(_) => {}
    }
}

#[cfg(test)]
mod tests;
