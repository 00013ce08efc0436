//! `[[data.fix]]` and `[[data.edit]]`: what the user changed in the rows, as files hold it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{path_from_text, path_to_text};
use super::error::ProjectError;
use crate::data::edit::fix::Fix;
use crate::data::edit::{Cell, Changes, Correction};

/// A fix of many rows.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "kebab-case")]
pub(super) enum FixEntry {
    MergeClasses { task: String, from: Vec<String>, into: String },
    ForgetConflicts { task: String },
    DropRepeats {},
    JoinLeaks {},
    StripControls {},
}

impl From<&Fix> for FixEntry {
    fn from(fix: &Fix) -> Self {
        match fix.clone() {
            Fix::MergeClasses { task, from, into } => Self::MergeClasses { task, from, into },
            Fix::ForgetConflicts { task } => Self::ForgetConflicts { task },
            Fix::DropRepeats => Self::DropRepeats {},
            Fix::JoinLeaks => Self::JoinLeaks {},
            Fix::StripControls => Self::StripControls {},
        }
    }
}

impl From<FixEntry> for Fix {
    fn from(entry: FixEntry) -> Self {
        match entry {
            FixEntry::MergeClasses { task, from, into } => Self::MergeClasses { task, from, into },
            FixEntry::ForgetConflicts { task } => Self::ForgetConflicts { task },
            FixEntry::DropRepeats {} => Self::DropRepeats,
            FixEntry::JoinLeaks {} => Self::JoinLeaks,
            FixEntry::StripControls {} => Self::StripControls,
        }
    }
}

/// A cell that was corrected.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EditEntry {
    file: String,
    line: u64,
    /// Which of the rows that begin on the line, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    nth: usize,
    /// The task whose label it is; left out, it is the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    was: String,
    now: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_first(nth: &usize) -> bool {
    *nth == 0
}

impl EditEntry {
    fn of(correction: &Correction, dir: &Path) -> Result<Self, ProjectError> {
        let Correction { file, line, nth, cell, was, now } = correction.clone();
        let task = match cell {
            Cell::Text => None,
            Cell::Label(task) => Some(task),
        };
        Ok(Self { file: path_to_text(&file, dir)?, line, nth, task, was, now })
    }

    fn into_correction(self, dir: &Path) -> Correction {
        let Self { file, line, nth, task, was, now } = self;
        let cell = task.map_or(Cell::Text, Cell::Label);
        Correction { file: path_from_text(&file, dir), line, nth, cell, was, now }
    }
}

/// The entries of all changes.
pub(super) fn entries(
    changes: &Changes,
    dir: &Path,
) -> Result<(Vec<FixEntry>, Vec<EditEntry>), ProjectError> {
    let edits = changes.corrections.iter().map(|correction| EditEntry::of(correction, dir));
    Ok((changes.fixes.iter().map(Into::into).collect(), edits.collect::<Result<_, _>>()?))
}

/// The changes of all entries.
pub(super) fn changes(fixes: Vec<FixEntry>, edits: Vec<EditEntry>, dir: &Path) -> Changes {
    Changes {
        corrections: edits.into_iter().map(|edit| edit.into_correction(dir)).collect(),
        fixes: fixes.into_iter().map(Into::into).collect(),
    }
}
