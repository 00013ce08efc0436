//! The project draft: edited, undone, saved. What an edit makes stale is said, not done.

use std::path::PathBuf;

use super::command::Edit;
use crate::project::{DataFile, Project};

/// Most edits that can be undone.
const MOST_UNDO: usize = 200;

/// What has to be done anew after an edit.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state machine")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stale {
    pub data: bool,
    /// What the user changed in the rows, but nothing of how they are read.
    pub changes: bool,
    pub model: bool,
    pub plan: bool,
}

/// Earlier and later versions of the draft.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    undo: Vec<Project>,
    redo: Vec<Project>,
    saved: Option<Project>,
}

impl Drafts {
    /// Forgets all versions: another project is open, saved as `saved` says.
    pub(super) fn reset(&mut self, saved: Option<Project>) {
        *self = Self { saved, ..Self::default() };
    }

    pub(super) fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    pub(super) fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    pub(super) fn is_dirty(&self, project: &Project) -> bool {
        self.saved.as_ref() != Some(project)
    }

    pub(super) fn saved(&mut self, project: &Project) {
        self.saved = Some(project.clone());
    }

    /// Applies an edit, and says what it makes stale.
    pub(super) fn edit(&mut self, project: &mut Project, edit: Edit) -> Stale {
        let before = project.clone();
        apply(project, edit);
        if *project == before {
            return Stale::default();
        }
        let stale = difference(&before, project);
        self.undo.push(before);
        if self.undo.len() > MOST_UNDO {
            self.undo.remove(0);
        }
        self.redo.clear();
        stale
    }

    pub(super) fn undo(&mut self, project: &mut Project) -> Stale {
        let Some(earlier) = self.undo.pop() else { return Stale::default() };
        let stale = difference(project, &earlier);
        self.redo.push(std::mem::replace(project, earlier));
        stale
    }

    pub(super) fn redo(&mut self, project: &mut Project) -> Stale {
        let Some(later) = self.redo.pop() else { return Stale::default() };
        let stale = difference(project, &later);
        self.undo.push(std::mem::replace(project, later));
        stale
    }
}

fn apply(project: &mut Project, edit: Edit) {
    match edit {
        Edit::SetFiles(paths) => {
            // A file that stays keeps what the user said of it.
            let known = |path: PathBuf| {
                let known = project.files.iter().find(|file| file.path == path).cloned();
                known.unwrap_or_else(|| DataFile::new(path))
            };
            project.files = paths.into_iter().map(known).collect();
            project.mapping = None;
        }
        Edit::SetMapping(mapping) => project.mapping = Some(mapping),
        Edit::SetFileSplit(path, split) => {
            for file in project.files.iter_mut().filter(|file| file.path == path) {
                file.split = split;
            }
        }
        Edit::SetOverrides(path, overrides) => {
            for file in project.files.iter_mut().filter(|file| file.path == path) {
                file.overrides = overrides.clone();
            }
        }
        Edit::AddFix(fix) => {
            if !project.changes.fixes.contains(&fix) {
                project.changes.fixes.push(fix);
            }
        }
        Edit::RemoveFix(index) => {
            if index < project.changes.fixes.len() {
                project.changes.fixes.remove(index);
            }
        }
        Edit::Correct(correction) => project.changes.correct(correction),
        Edit::ForgetCorrections(places) => {
            let mut place = 0..;
            project.changes.corrections.retain(|_| place.next().is_none_or(|at| !places.contains(&at)));
        }
        Edit::SkipBadRows(skip) => project.skip_bad_rows = skip,
        Edit::SetModel(path) => project.model = Some(path),
        Edit::SetRecipe(recipe) => project.recipe = *recipe,
        Edit::Rename(name) => project.name = name,
    }
}

fn difference(a: &Project, b: &Project) -> Stale {
    let data = a.files != b.files
        || a.mapping != b.mapping
        || a.skip_bad_rows != b.skip_bad_rows
        || a.valid_fraction != b.valid_fraction
        || a.test_fraction != b.test_fraction;
    Stale { data, changes: a.changes != b.changes, model: a.model != b.model, plan: a.recipe != b.recipe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_undone_and_done_again() {
        let (mut drafts, mut project) = (Drafts::default(), Project::default());
        drafts.reset(Some(project.clone()));
        let stale = drafts.edit(&mut project, Edit::SetFiles(vec!["a.csv".into()]));
        assert!(stale.data && !stale.model && drafts.is_dirty(&project));
        assert_eq!(drafts.edit(&mut project, Edit::Rename("Untitled".into())), Stale::default());
        assert!(drafts.undo(&mut project).data);
        assert!(project.files.is_empty() && !drafts.is_dirty(&project) && drafts.can_redo());
        assert!(drafts.redo(&mut project).data);
        assert_eq!(project.files.len(), 1);
    }
}
