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
    /// What is put before every text, which counts among its tokens.
    pub prompt: bool,
}

/// Earlier and later versions of the draft.
#[derive(Debug, Default)]
pub(super) struct UndoStack {
    undo: Vec<Project>,
    redo: Vec<Project>,
    saved: Option<Project>,
}

impl UndoStack {
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
        Edit::ListFolder(folder, paths) => {
            if let Some(at) = project.files.iter().position(|file| file.path == folder) {
                let overrides = project.files.remove(at).overrides;
                let files = paths
                    .into_iter()
                    .map(|path| DataFile { overrides: overrides.clone(), ..DataFile::new(path) });
                project.files.splice(at..at, files);
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
    Stale {
        data,
        changes: a.changes != b.changes,
        model: a.model != b.model,
        plan: a.recipe != b.recipe,
        prompt: a.recipe.prompt != b.recipe.prompt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read::overrides::Overrides;

    #[test]
    fn edits_are_undone_and_done_again() {
        let (mut drafts, mut project) = (UndoStack::default(), Project::default());
        drafts.reset(Some(project.clone()));
        let stale = drafts.edit(&mut project, Edit::SetFiles(vec!["a.csv".into()]));
        assert!(stale.data && !stale.model && drafts.is_dirty(&project));
        assert_eq!(drafts.edit(&mut project, Edit::Rename("Untitled".into())), Stale::default());
        assert!(drafts.undo(&mut project).data);
        assert!(project.files.is_empty() && !drafts.is_dirty(&project) && drafts.can_redo());
        assert!(drafts.redo(&mut project).data);
        assert_eq!(project.files.len(), 1);
    }
    #[test]
    fn a_folder_gives_way_to_its_files_and_keeps_what_was_said_of_it() {
        let (mut drafts, mut project) = (UndoStack::default(), Project::default());
        let overrides = Overrides { header: Some(false), ..Overrides::default() };
        project.files = ["first.csv", "folder", "last.csv"].map(DataFile::new).to_vec();
        project.files[1].overrides = overrides.clone();
        let files = vec!["folder/a.csv".into(), "folder/b.csv".into()];
        assert!(drafts.edit(&mut project, Edit::ListFolder("folder".into(), files)).data);
        let paths: Vec<_> = project.files.iter().map(|file| file.path.to_string_lossy()).collect();
        assert_eq!(paths, ["first.csv", "folder/a.csv", "folder/b.csv", "last.csv"]);
        assert_eq!(project.files[2].overrides, overrides);
        assert!(drafts.undo(&mut project).data);
        assert_eq!(project.files.len(), 3);
    }

    #[test]
    fn another_prompt_makes_lengths_stale_and_another_rate_does_not() {
        let (mut drafts, mut project) = (UndoStack::default(), Project::default());
        let mut recipe = project.recipe.clone();
        recipe.epochs += 1;
        assert!(!drafts.edit(&mut project, Edit::SetRecipe(Box::new(recipe.clone()))).prompt);
        recipe.prompt = Some("query: ".into());
        assert!(drafts.edit(&mut project, Edit::SetRecipe(Box::new(recipe))).prompt);
    }
}
