//! Commands in, state out: the one place that changes a project, and the worker thread that owns every tensor.

pub mod command;
pub mod state;

use command::Command;
use state::State;

/// The session as its owner (window or command line) holds it. The worker thread behind it does the work.
pub struct Session {
    state: State,
}

impl Session {
    /// Starts the worker. `wake` is called from the worker's thread whenever there is news to [`poll`](Self::poll).
    #[must_use]
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> Self {
        drop(wake);
        Self { state: State::default() }
    }

    /// Asks for something. Edits take effect before this returns; work is queued for the worker. Never blocks.
    pub fn send(&mut self, _command: Command) {}

    /// Takes the news into the state; true when there was any. Never blocks.
    pub fn poll(&mut self) -> bool {
        false
    }

    /// What to show.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// A session without a worker that shows a given state: for tests of the window.
    #[must_use]
    pub const fn with_state(state: State) -> Self {
        Self { state }
    }
}
