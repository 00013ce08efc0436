//! Everything that the window can be asked to do, defined once: label, tooltip, shortcut, and why it is not
//! possible now. Menus, buttons and shortcuts are all made from here. It must never know how a thing is drawn.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{Key, KeyboardShortcut, Modifiers, ThemePreference};

pub use super::page::{Mark, Page};
use crate::data::dataset::Split;
use crate::session::command::{Command, Edit};
use crate::session::state::{Loadable, State};

const TRAINING: &str = "A run is in progress: stop it first";

/// Something that the user wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Asks for data files and opens them in place of the project's.
    OpenData,
    /// Asks for further data files and adds them to the project's.
    AddData,
    /// Asks for a folder of data files and adds it to the project's.
    AddDataFolder,
    /// Asks for the folder of a pretrained model.
    OpenModel,
    /// Uses the model that comes with the app.
    UseDefaultModel,
    /// Asks for a project folder.
    OpenProject,
    /// Starts an empty project.
    NewProject,
    /// Opens the demo project.
    OpenDemo,
    /// Saves the project; asks for a folder when it has none.
    SaveProject,
    /// Asks for a folder and saves the project there.
    SaveProjectAs,
    /// Takes the last edit back.
    Undo,
    /// Does it again.
    Redo,
    /// Starts a run.
    Train,
    /// Looks for learning rates.
    FindRate,
    /// Stops the run.
    Stop,
    /// Stops the run to go on with it later.
    Pause,
    /// Goes on with the shown run.
    Resume,
    /// Starts a run from the shown run's kept weights.
    Branch,
    /// Trains the heads again, on the shown run's kept encoder.
    RetrainHeads,
    /// Measures the shown run on a split.
    Evaluate(Split),
    /// Asks for a folder and writes the shown run's model there.
    Export,
    /// Asks for a folder in which to look for CUDA.
    FindCuda,
    /// Shows a page.
    GoTo(Page),
    /// Dark to light and back.
    ToggleTheme,
    /// Dark, light, or as the system says.
    SetTheme(ThemePreference),
    /// How large everything is; 1 is as it comes.
    SetZoom(f32),
    /// Everything larger.
    ZoomIn,
    /// Everything smaller.
    ZoomOut,
    /// As large as it comes.
    ZoomReset,
    /// Shows what the app is, and the facts that a bug report needs.
    About,
    /// Opens a folder in the system's file manager.
    ShowFolder(PathBuf),
    /// Asks where, then writes these bytes: tables and plots.
    SaveFile {
        /// Proposed name, with the extension that says what it is.
        name: String,
        /// What to write.
        bytes: Arc<[u8]>,
    },
    /// Finds an action by its words.
    Find,
    /// Closes the window.
    Quit,
    /// Anything with data.
    Session(Command),
}

impl Action {
    /// What is written on its button and in its menu entry.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::OpenData => "Open files…",
            Self::AddData => "Add files…",
            Self::AddDataFolder => "Add a folder…",
            Self::OpenModel => "Open a model folder…",
            Self::UseDefaultModel => "Use the default model",
            Self::OpenProject => "Open project…",
            Self::NewProject => "New project",
            Self::OpenDemo => "Open the demo",
            Self::SaveProject => "Save",
            Self::SaveProjectAs => "Save as…",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::Train => "Train",
            Self::FindRate => "Find rates",
            Self::Stop => "Stop",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Branch => "Train on from it",
            Self::RetrainHeads => "Retrain the heads",
            Self::Evaluate(Split::Train) => "Evaluate on train",
            Self::Evaluate(Split::Valid) => "Evaluate on valid",
            Self::Evaluate(Split::Test) => "Evaluate on test",
            Self::Export => "Export…",
            Self::FindCuda => "Find CUDA…",
            Self::GoTo(page) => page.title(),
            Self::ToggleTheme => "Dark or light",
            Self::SetTheme(ThemePreference::System) => "As the system",
            Self::SetTheme(ThemePreference::Dark) => "Dark",
            Self::SetTheme(ThemePreference::Light) => "Light",
            Self::SetZoom(_) => "Zoom",
            Self::ZoomIn => "Zoom in",
            Self::ZoomOut => "Zoom out",
            Self::ZoomReset => "Actual size",
            Self::About => "About and diagnostics",
            Self::ShowFolder(_) => "Show folder",
            Self::SaveFile { .. } => "Save file…",
            Self::Find => "Find an action…",
            Self::Quit => "Quit",
            Self::Session(_) => "Apply",
        }
    }

    /// What it does, in a sentence.
    #[must_use]
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::OpenData => {
                "Choose CSV, JSON, Parquet or CoNLL files with labelled texts; they replace the open ones"
            }
            Self::AddData => "Choose further files for the same project, say a test file",
            Self::AddDataFolder => {
                "Choose a folder: the tables in it and in the folders below, or a folder of texts for each label"
            }
            Self::OpenModel => "Choose a folder with config.json, model.safetensors and tokenizer.json",
            Self::UseDefaultModel => "all-MiniLM-L6-v2: small, quick and good; it came with the setup",
            Self::OpenProject => "Choose a folder with a frostline.toml",
            Self::NewProject => "Start over with an empty project",
            Self::OpenDemo => "Customer messages with a topic and a sentiment each: ready to train",
            Self::SaveProject => "Write frostline.toml, the project file",
            Self::SaveProjectAs => "Write the project to another folder",
            Self::Undo => "Take the last change of the project back",
            Self::Redo => "Make the change again that was taken back",
            Self::Train => "Start a run of the schedule as it is drawn",
            Self::FindRate => "Train some steps with rising rates and see where the loss falls fastest",
            Self::Stop => "Stop after the current batch; what was learnt so far is kept",
            Self::Pause => {
                "Write a checkpoint after the current batch and end the run; it can be resumed at any time"
            }
            Self::Resume => "Go on from the last checkpoint, by this run's own plan, to the same result",
            Self::RetrainHeads => {
                "Start a new run from this run's kept weights: the encoder stays frozen, so that it takes seconds, and the \
                 heads learn the labels as they are now"
            }
            Self::Branch => "Start a new run of the schedule as it is drawn, from this run's kept weights",
            Self::Evaluate(_) => "Measure the shown run on these rows",
            Self::Export => "Write the shown run's model, read it back and compare",
            Self::FindCuda => "Choose a Python environment or a libtorch that has the CUDA libraries",
            Self::GoTo(page) => page.purpose(),
            Self::ToggleTheme => "Switch between the dark and the light look",
            Self::SetTheme(ThemePreference::System) => "Follow the system's choice of dark or light",
            Self::SetTheme(ThemePreference::Dark) => "Light text on dark",
            Self::SetTheme(ThemePreference::Light) => "Dark text on light",
            Self::SetZoom(_) => "How large everything is",
            Self::ZoomIn => "Make everything larger",
            Self::ZoomOut => "Make everything smaller",
            Self::ZoomReset => "Undo all zooming",
            Self::About => "Versions, device and libtorch, to copy into a bug report",
            Self::ShowFolder(_) => "Open it in the file manager",
            Self::SaveFile { .. } => "Choose where to write it",
            Self::Find => "Everything that Frostline can do, by its words, with its keys",
            Self::Quit => "Close Frostline",
            Self::Session(_) => "",
        }
    }

    /// The keys that do it.
    #[must_use]
    pub const fn shortcut(&self) -> Option<KeyboardShortcut> {
        const SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
        let (modifiers, key) = match self {
            Self::OpenData => (Modifiers::COMMAND, Key::O),
            Self::OpenProject => (SHIFT, Key::O),
            Self::NewProject => (Modifiers::COMMAND, Key::N),
            Self::SaveProject => (Modifiers::COMMAND, Key::S),
            Self::SaveProjectAs => (SHIFT, Key::S),
            Self::Undo => (Modifiers::COMMAND, Key::Z),
            Self::Redo => (SHIFT, Key::Z),
            Self::Train => (Modifiers::COMMAND, Key::Enter),
            Self::Pause => (SHIFT, Key::Period),
            // Two keys, because Esc alone closes menus and popups and would end a long run by accident.
            Self::Stop => (Modifiers::COMMAND, Key::Period),
            Self::Export => (Modifiers::COMMAND, Key::E),
            Self::ToggleTheme => (SHIFT, Key::L),
            Self::ZoomIn => (Modifiers::COMMAND, Key::Plus),
            Self::ZoomOut => (Modifiers::COMMAND, Key::Minus),
            Self::ZoomReset => (Modifiers::COMMAND, Key::Num0),
            Self::Find => (Modifiers::COMMAND, Key::K),
            Self::Quit => (Modifiers::COMMAND, Key::Q),
            Self::GoTo(page) => (
                Modifiers::COMMAND,
                match page {
                    Page::Data => Key::Num1,
                    Page::Model => Key::Num2,
                    Page::Schedule => Key::Num3,
                    Page::Train => Key::Num4,
                    Page::Evaluate => Key::Num5,
                    Page::Explore => Key::Num6,
                    Page::Export => Key::Num7,
                    Page::Settings => Key::Comma,
                },
            ),
            _ => return None,
        };
        Some(KeyboardShortcut::new(modifiers, key))
    }

    /// Every action that has a shortcut.
    #[must_use]
    pub fn with_shortcut() -> Vec<Self> {
        // Longer combinations first: `consume_shortcut` ignores extra Shift keys.
        let mut actions = vec![
            Self::SaveProjectAs,
            Self::Redo,
            Self::OpenProject,
            Self::ToggleTheme,
            Self::Pause,
            Self::OpenData,
            Self::NewProject,
            Self::SaveProject,
            Self::Undo,
            Self::Train,
            Self::Stop,
            Self::Export,
            Self::ZoomIn,
            Self::ZoomOut,
            Self::ZoomReset,
            Self::Find,
            Self::Quit,
            Self::GoTo(Page::Settings),
        ];
        actions.extend(Page::RAIL.map(Self::GoTo));
        actions
    }

    /// Every action that needs nothing more to be said: what can be found by words.
    #[must_use]
    pub fn listed() -> Vec<Self> {
        let mut actions = Page::RAIL.map(Self::GoTo).to_vec();
        let further = [
            Self::AddData,
            Self::AddDataFolder,
            Self::OpenModel,
            Self::UseDefaultModel,
            Self::OpenDemo,
            Self::FindRate,
            Self::Resume,
            Self::Branch,
            Self::RetrainHeads,
            Self::Evaluate(Split::Train),
            Self::Evaluate(Split::Valid),
            Self::Evaluate(Split::Test),
            Self::FindCuda,
            Self::About,
        ];
        let with_keys = Self::with_shortcut();
        actions.extend(
            with_keys
                .into_iter()
                .filter(|action| !matches!(action, Self::GoTo(page) if *page != Page::Settings)),
        );
        actions.extend(further);
        actions
    }

    /// Whether it is possible now.
    ///
    /// # Errors
    /// Says why it is not, in a sentence for the user.
    pub fn enabled<'a>(&self, state: &'a State) -> Result<(), &'a str> {
        let need = |possible: bool, reason: &'a str| if possible { Ok(()) } else { Err(reason) };
        match self {
            Self::Undo => need(state.can_undo, "There is no change to take back"),
            Self::Redo => need(state.can_redo, "There is no change to make again"),
            Self::Train => {
                need(!state.is_training(), "A run is in progress")?;
                match (&state.plan, &state.data, &state.model) {
                    (Some(Ok(_)), ..) => Ok(()),
                    (Some(Err(reason)), ..) => Err(reason),
                    (None, Loadable::Loading, _) => Err("The data are being read"),
                    (None, _, Loadable::Loading) => Err("The model is being loaded"),
                    (None, Loadable::Failed(_), _) => Err("The data could not be read: see the Data page"),
                    (None, _, Loadable::Failed(_)) => {
                        Err("The model could not be loaded: see the Model page")
                    }
                    (None, Loadable::Empty | Loadable::Cancelled, _) => {
                        Err("Open data first, on the Data page")
                    }
                    (None, _, Loadable::Empty | Loadable::Cancelled) => {
                        Err("Choose a model first, on the Model page")
                    }
                    (None, ..) => Err("The plan is being made"),
                }
            }
            Self::FindRate => {
                Self::Train.enabled(state)?;
                let trains = state.plan.as_ref().and_then(|plan| plan.as_ref().ok());
                need(trains.is_some_and(|plan| plan.epochs() > 0), "Nothing trains with this preset")?;
                need(!matches!(state.rate_search, Loadable::Loading), "A search is going on")
            }
            Self::Stop => need(state.is_training() || state.busy.is_some(), "Nothing is running"),
            Self::Pause => need(state.is_training(), "No run is in progress"),
            Self::Resume => {
                need(!state.is_training(), "A run is in progress")?;
                let can = state.run.as_ref().is_some_and(|run| run.can_resume);
                need(can, "The shown run is finished, or ended before its first checkpoint")?;
                need(matches!(state.data, Loadable::Ready(_)), "The data are not loaded: see the Data page")
            }
            Self::Branch => {
                Self::Train.enabled(state)?;
                let kept = state.run.as_ref().is_some_and(|run| run.report.is_some());
                need(kept, "The shown run kept no weights to start from")
            }
            Self::RetrainHeads => retrain_heads(state),
            Self::Evaluate(split) => {
                need(state.run.is_some(), "Train first: there is no run to measure")?;
                need(!state.is_training(), TRAINING)?;
                let rows = state.data.ready().map_or(0, |data| data.card.rows_of(*split));
                need(rows > 0, "This split has no rows")
            }
            Self::Export => {
                need(state.run.is_some(), "Train first: there is no run to export")?;
                need(!state.is_training(), TRAINING)?;
                let trained = state.run.as_ref().is_some_and(|run| run.report.is_some());
                need(trained, "The shown run ended before it had weights to export")?;
                need(!matches!(state.export, Loadable::Loading), "An export is being written")
            }
            Self::OpenProject
            | Self::NewProject
            | Self::OpenDemo
            | Self::FindCuda
            | Self::Session(Command::OpenProject(_) | Command::NewProject(_) | Command::SelectDevice(_)) => {
                need(!state.is_training(), TRAINING)
            }
            _ => Ok(()),
        }
    }
}

/// Whether heads can be trained again: the draft's own plan has no say in it.
fn retrain_heads(state: &State) -> Result<(), &str> {
    let need = |possible: bool, reason| if possible { Ok(()) } else { Err(reason) };
    need(!state.is_training(), "A run is in progress")?;
    let run = state.run.as_ref().ok_or("Train first: there is no run with heads")?;
    need(run.report.is_some(), "The shown run kept no weights to start from")?;
    need(state.data.ready().is_some(), "The data are not loaded: see the Data page")?;
    let model = state.model.ready().ok_or("The model is not loaded: see the Model page")?;
    need(run.plan.other_in(model).is_none(), "The shown run is of another model than the project's")
}

impl From<Command> for Action {
    fn from(command: Command) -> Self {
        Self::Session(command)
    }
}

impl From<Edit> for Action {
    fn from(edit: Edit) -> Self {
        Self::Session(Command::Edit(edit))
    }
}

/// What the user did in this frame, in order; the app carries it out after the frame is drawn.
#[derive(Debug, Default)]
pub struct Actions {
    queue: Vec<Action>,
}

impl Actions {
    /// Asks for something: an [`Action`], a [`Command`] or an [`Edit`].
    pub fn send(&mut self, action: impl Into<Action>) {
        self.queue.push(action.into());
    }

    /// Takes everything that was asked for.
    pub fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.queue)
    }

    /// What was asked for so far.
    #[must_use]
    pub fn queued(&self) -> &[Action] {
        &self.queue
    }
}
