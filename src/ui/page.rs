//! The pages, and how far each one's part of the road has come, read off the state.

use crate::session::state::{Loadable, RunOutcome, State};

/// A page of the rail, in the order in which a project is walked through; and the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Page {
    /// Files, mapping, data card.
    #[default]
    Data,
    /// The pretrained encoder.
    Model,
    /// What thaws when.
    Schedule,
    /// The live run.
    Train,
    /// Figures and mistakes.
    Evaluate,
    /// Similarity, map, playground.
    Explore,
    /// The folder that leaves the app.
    Export,
    /// Look, device, diagnostics.
    Settings,
}

/// How far a page's part of the road has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Something that comes before is missing.
    NotStarted,
    /// All that it needs is there.
    Ready,
    /// At work.
    Running,
    /// Its result is there.
    Done,
    /// Something is wrong, or should be looked at.
    Attention,
}

impl Mark {
    /// In words, for screen readers and tooltips.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Attention => "needs attention",
        }
    }
}

fn mark_of<T>(loadable: &Loadable<T>, empty: Mark) -> Mark {
    match loadable {
        Loadable::Empty | Loadable::Cancelled => empty,
        Loadable::Loading => Mark::Running,
        Loadable::Ready(_) => Mark::Done,
        Loadable::Failed(_) => Mark::Attention,
    }
}

impl Page {
    /// The pages of the rail, in order.
    pub const RAIL: [Self; 7] =
        [Self::Data, Self::Model, Self::Schedule, Self::Train, Self::Evaluate, Self::Explore, Self::Export];

    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Model => "Model",
            Self::Schedule => "Schedule",
            Self::Train => "Train",
            Self::Evaluate => "Evaluate",
            Self::Explore => "Explore",
            Self::Export => "Export",
            Self::Settings => "Settings",
        }
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Data => "Open labelled texts, say which columns are which, and see what is in them.",
            Self::Model => "The pretrained encoder that turns a text into a vector: what it is made of.",
            Self::Schedule => "Decide what stays frozen, what trains, when, and how fast.",
            Self::Train => "Run the schedule and watch every task learn.",
            Self::Evaluate => "How good the model is, class by class, and where it is wrong.",
            Self::Explore => "See what fine-tuning did to the space of sentences.",
            Self::Export => "Write a folder that Python and inference servers load as it is.",
            Self::Settings => "How Frostline looks, and what it runs on.",
        }
    }

    /// How far its part of the road has come.
    #[must_use]
    pub fn mark(self, state: &State) -> Mark {
        let run = state.run.as_ref();
        let trained = run.is_some_and(|run| run.report.is_some());
        let later = if trained { Mark::Ready } else { Mark::NotStarted };
        match self {
            Self::Data => match mark_of(&state.data, Mark::Ready) {
                Mark::Done if state.data.ready().is_some_and(|data| data.mapping.tasks.is_empty()) => {
                    Mark::Attention
                }
                mark => mark,
            },
            Self::Model => mark_of(&state.model, Mark::Ready),
            Self::Schedule => match &state.plan {
                None => Mark::NotStarted,
                Some(Ok(_)) => Mark::Done,
                Some(Err(_)) => Mark::Attention,
            },
            Self::Train => match (run, &state.plan) {
                (Some(run), _) => match &run.outcome {
                    None => Mark::Running,
                    Some(RunOutcome::Failed(_)) => Mark::Attention,
                    Some(_) => Mark::Done,
                },
                (None, Some(Ok(_))) => Mark::Ready,
                (None, _) => Mark::NotStarted,
            },
            Self::Evaluate => mark_of(&state.evaluation, later),
            Self::Explore => {
                let ready = state.model.ready().is_some();
                let empty = if ready { Mark::Ready } else { Mark::NotStarted };
                match mark_of(&state.map, empty) {
                    mark if mark == empty => mark_of(&state.similarity, empty),
                    mark => mark,
                }
            }
            Self::Export => mark_of(&state.export, later),
            Self::Settings => Mark::Ready,
        }
    }
}
