//! What a window or a command line may ask of the session.

use std::path::PathBuf;

use crate::data::dataset::Split;
use crate::data::edit::fix::Fix;
use crate::data::edit::{Cell, Correction};
use crate::data::mapping::Mapping;
use crate::data::query::RowQuery;
use crate::data::read::overrides::Overrides;
use crate::project::Project;
use crate::project::unsaved::Unsaved;
use crate::train::plan::recipe::Recipe;

/// A change of the project draft: takes effect at once, can be undone.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Replaces the data files; their mapping is guessed anew.
    SetFiles(Vec<PathBuf>),
    /// Replaces the mapping of columns.
    SetMapping(Mapping),
    /// Says of one file which split it is; `None`: by its name, or split by the rule.
    SetFileSplit(PathBuf, Option<Split>),
    /// Lists a folder's files in its place, so that each can be told something of its own.
    ListFolder(PathBuf, Vec<PathBuf>),
    /// Says how a file is read, instead of what would be found out.
    SetOverrides(PathBuf, Overrides),
    /// Carries out a fix of what the data card found, after the others.
    AddFix(Fix),
    /// Takes a fix back, by its place.
    RemoveFix(usize),
    /// Corrects a cell.
    Correct(Correction),
    /// Takes corrections back, by their places.
    ForgetCorrections(Vec<usize>),
    /// Whether bad rows are skipped (else they stop the load).
    SkipBadRows(bool),
    /// Folder of the pretrained model.
    SetModel(PathBuf),
    /// Settings of the next run.
    SetRecipe(Box<Recipe>),
    /// Name of the project.
    Rename(String),
}

/// What is asked about models of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubCommand {
    /// Asks the hub what it has under this name.
    LookUp(String),
    /// Fetches what was found, and makes it the project's model.
    Download,
    /// Ends the download; what was fetched is kept.
    Cancel,
    /// Looks what models are in the cache.
    List,
}

/// What is asked of the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Opens a project folder.
    OpenProject(PathBuf),
    /// Starts a draft without a folder yet.
    NewProject(Box<Project>),
    /// Takes up changes that were not saved, of the project of a folder.
    Restore(Box<Unsaved>),
    /// Writes the draft to its folder, or to the one given.
    SaveProject(Option<PathBuf>),
    /// Changes the draft.
    Edit(Edit),
    /// Corrects a cell of a row of the data set; the label of nothing is an empty one.
    Correct {
        /// Row of the data set.
        row: usize,
        /// Which of its cells.
        cell: Cell,
        /// What it is to hold.
        now: String,
    },
    /// Gives up reading the files; what was there before is gone.
    CancelReading,
    /// Reads the files again.
    ReloadData,
    /// Looks for rows of the data set.
    FindRows(RowQuery),
    /// Takes the last edit back.
    Undo,
    /// Does it again.
    Redo,
    /// Chooses the device of later work: `cpu`, `cuda:0`.
    SelectDevice(String),
    /// Looks for CUDA in a folder the user names (a Python environment, a libtorch).
    FindCuda(PathBuf),
    /// Starts a run of the draft's plan; a free name is chosen when none is given.
    Train {
        /// Name of the run folder.
        name: Option<String>,
    },
    /// Starts a run of the draft's plan from the kept weights of another run, which stays as it is.
    Branch {
        /// Name of the run whose weights it starts from.
        from: String,
        /// Name of the run folder.
        name: Option<String>,
    },
    /// Starts a run that trains the heads alone, from the shown run's kept weights and by its settings, on the data
    /// as they are now. The draft's recipe stays as it is.
    RetrainHeads {
        /// Name of the run folder; a free one is chosen when none is given.
        name: Option<String>,
    },
    /// Goes on with a run that was paused, stopped or cut off, by its own plan, from its last checkpoint.
    Resume(String),
    /// Looks for a learning rate for the draft's plan: some steps with a rising rate, nothing of which is kept.
    FindRate,
    /// Stops what is running, within a batch.
    Stop,
    /// Ends the run within a batch, to be resumed later: its checkpoint is written, nothing is measured.
    Pause,
    /// Shows a run of the project's history again.
    ShowRun(String),
    /// Puts a run of the project's history beside the shown one, or takes it away again.
    Compare(String),
    /// Measures the shown run on a split.
    Evaluate(Split),
    /// Encodes sentences with both weights and compares them.
    Similarity(Vec<String>),
    /// Projects up to this many rows of the data, before and after.
    Map {
        /// Most rows; a seeded sample when there are more.
        limit: usize,
    },
    /// The nearest rows of the map to a row of the data.
    Neighbours {
        /// Row of the data set.
        row: usize,
        /// How many.
        k: usize,
    },
    /// Classifies one text.
    Predict(String),
    /// Shows how a text is cut into tokens.
    Tokenize(String),
    /// Writes the shown run's model to a folder and proves it by reading it back.
    Export(PathBuf),
    /// A model by its name.
    Hub(HubCommand),
    /// Takes a notice off the list.
    Dismiss(u64),
}
