//! Keeps unsaved changes while they are made, so that a crash loses none, and offers them back after one.
//!
//! Where they are kept is not known here.

use std::path::Path;
use std::time::{Duration, Instant};

use eframe::egui::Context;

use crate::project::Project;
use crate::project::unsaved::Unsaved;
use crate::session::state::State;

/// How long a change may wait until it is kept: while something is dragged not every value is written.
const SETTLED: Duration = Duration::from_secs(1);

/// What becomes of unsaved changes.
#[derive(Debug)]
pub enum Keep<'a> {
    /// The draft, and the folder of its project if it has one.
    Draft(&'a Project, Option<&'a Path>),
    /// They were saved or given up.
    Forget,
    /// Those that were found are left for another time.
    SetAside,
}

/// Where unsaved changes go, and what was found there.
pub struct Unsaveds {
    /// Called with what is to be kept.
    pub keep: Box<dyn FnMut(Keep<'_>)>,
    /// What a window that did not end as it should left behind.
    pub found: Option<Unsaved>,
}

impl Default for Unsaveds {
    fn default() -> Self {
        Self { keep: Box::new(|_| {}), found: None }
    }
}

/// Follows the draft.
#[derive(Default)]
pub(super) struct Autosave {
    pub(super) unsaveds: Unsaveds,
    kept: Option<Project>,
    waiting_since: Option<Instant>,
}

impl Autosave {
    /// After each frame: keeps the draft once it has settled, forgets it once it is saved.
    pub(super) fn follow(&mut self, ctx: &Context, state: &State) {
        if !state.dirty {
            if self.kept.take().is_some() {
                (self.unsaveds.keep)(Keep::Forget);
            }
            self.waiting_since = None;
            return;
        }
        if self.kept.as_ref() == Some(&state.project) {
            self.waiting_since = None;
            return;
        }
        let waited = self.waiting_since.get_or_insert_with(Instant::now).elapsed();
        if waited < SETTLED {
            ctx.request_repaint_after(SETTLED.saturating_sub(waited));
            return;
        }
        (self.unsaveds.keep)(Keep::Draft(&state.project, state.dir.as_deref()));
        self.kept = Some(state.project.clone());
        self.waiting_since = None;
    }

    /// The user gave the changes up, or keeps them for later.
    pub(super) fn end(&mut self, how: Keep<'_>) {
        self.kept = None;
        (self.unsaveds.keep)(how);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_draft_is_kept_once_it_has_settled_and_forgotten_once_it_is_saved() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let hears = told.clone();
        let keep = Box::new(move |what: Keep<'_>| {
            hears.borrow_mut().push(match what {
                Keep::Draft(project, _) => project.name.clone(),
                Keep::Forget => "forgotten".into(),
                Keep::SetAside => "set aside".into(),
            });
        });
        let mut keeper = Autosave { unsaveds: Unsaveds { keep, found: None }, ..Autosave::default() };
        let mut state = State { dirty: true, ..State::default() };
        state.project.name = "messages".into();
        let ctx = Context::default();
        keeper.follow(&ctx, &state);
        assert!(told.borrow().is_empty(), "it may still be dragged");
        keeper.waiting_since = Instant::now().checked_sub(SETTLED);
        keeper.follow(&ctx, &state);
        keeper.follow(&ctx, &state);
        assert_eq!(*told.borrow(), ["messages"]);
        state.dirty = false;
        keeper.follow(&ctx, &state);
        keeper.follow(&ctx, &state);
        assert_eq!(*told.borrow(), ["messages", "forgotten"]);
    }
}
