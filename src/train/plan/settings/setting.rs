//! One setting: what is said of it, and how its value is shown, read and judged.

use crate::data::task::TaskKind;
use crate::train::plan::recipe::Recipe;

/// What a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What trains, and when.
    Trains,
    /// Which rows are read, and how.
    Rows,
    /// Steps and their rates.
    Steps,
    /// Against overfitting and odd batches.
    Guards,
    /// Which weights are kept, and when a run ends.
    Keeps,
    /// One task.
    Task,
}

impl Group {
    /// As the title of a list.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Trains => "What trains, and when",
            Self::Rows => "Rows",
            Self::Steps => "Steps and their rates",
            Self::Guards => "Against overfitting and odd batches",
            Self::Keeps => "What is kept, and when a run ends",
            Self::Task => "Of each task: tasks.NAME.KEY",
        }
    }
}

/// What decides, apart from the settings themselves, whether one has an effect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// Files with training rows, where that is known.
    pub files: Option<usize>,
    /// The kind of the task, for a task's setting.
    pub kind: Option<TaskKind>,
}

/// A setting of a `T`: a [`Recipe`], or the [`TaskSettings`](crate::train::plan::recipe::TaskSettings) in it.
#[derive(Debug)]
pub struct Setting<T: 'static> {
    /// Its key in `frostline.toml`.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// What it does, in a sentence.
    pub hint: &'static str,
    /// What it is about.
    pub group: Group,
    pub(super) show: fn(&T) -> String,
    pub(super) parse: fn(&mut T, &str) -> Result<(), String>,
    pub(super) idle: fn(&Recipe, Around) -> Option<&'static str>,
}

impl<T> Setting<T> {
    /// The value as text. [`parse`](Self::parse) reads it back to the same value.
    pub fn show(&self, of: &T) -> String {
        (self.show)(of)
    }

    /// Sets the value from text.
    ///
    /// # Errors
    /// Names the setting, the text, and what would be right.
    pub fn parse(&self, of: &mut T, text: &str) -> Result<(), String> {
        (self.parse)(of, text.trim()).map_err(|wanted| format!("{} is \"{text}\": use {wanted}", self.key))
    }

    /// Why the setting has no effect with the others as they are; `None` where it has one.
    #[must_use]
    pub fn idle_because(&self, recipe: &Recipe, around: Around) -> Option<&'static str> {
        (self.idle)(recipe, around)
    }
}
