//! Every setting of a recipe, one entry each: its key, its name, what it does, and its value as text and back.
//!
//! Whatever lists settings (the comparison of runs, the model card, `inspect`) walks this table. A field that is
//! added to [`Recipe`], [`TaskSettings`] or what they hold does not compile until the table has an entry for it.

mod choice;
mod idle;
mod setting;
mod table;
mod value;

pub use self::choice::Choice;
pub use self::idle::{idle_notes, idle_reasons};
pub use self::setting::{Around, Group, Setting};
pub use self::table::{RECIPE, TASK};
pub use self::value::{Value, phase_in_words};

use self::idle::nearest;
use super::recipe::{Recipe, TaskSettings};

/// A setting of a recipe with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `epochs`, `tasks.topic.weight`.
    pub key: String,
    /// `epochs`, `weight of topic`.
    pub label: String,
    /// The value as text.
    pub value: String,
}

/// Every setting of a recipe with its value: those of the run, then those of each of `tasks`. The same tasks give the
/// same list in the same order.
#[must_use]
pub fn shown(recipe: &Recipe, tasks: &[&str]) -> Vec<Shown> {
    let of_run = RECIPE.iter().map(|setting| Shown {
        key: setting.key.to_owned(),
        label: setting.label.to_owned(),
        value: setting.show(recipe),
    });
    let of_task = tasks.iter().flat_map(|task| {
        let settings = recipe.task(task);
        TASK.iter().map(move |setting| Shown {
            key: format!("tasks.{task}.{}", setting.key),
            label: format!("{} of {task}", setting.label),
            value: setting.show(&settings),
        })
    });
    of_run.chain(of_task).collect()
}

/// What a recipe sets otherwise than its preset does by itself, the choice of the preset apart.
#[must_use]
pub fn set_differently(recipe: &Recipe, tasks: &[&str]) -> Vec<Shown> {
    let mut preset = Recipe::default();
    preset.choose(recipe.preset);
    let own = shown(&preset, tasks);
    shown(recipe, tasks).into_iter().zip(own).filter(|(is, own)| is != own).map(|(is, _)| is).collect()
}

/// Sets a value by its key: `epochs`, or `tasks.NAME.weight` for a task's.
///
/// # Errors
/// When there is no such setting, or the text is no value of it.
pub fn set(recipe: &mut Recipe, key: &str, text: &str) -> Result<(), String> {
    if let Some((task, key)) = key.strip_prefix("tasks.").and_then(|rest| rest.rsplit_once('.')) {
        let Some(setting) = TASK.iter().find(|setting| setting.key == key) else {
            let known: Vec<&str> = TASK.iter().map(|setting| setting.key).collect();
            return Err(format!("a task has no setting \"{key}\": there are {}", known.join(", ")));
        };
        let mut settings = recipe.task(task);
        setting.parse(&mut settings, text)?;
        if settings == TaskSettings::default() {
            recipe.tasks.remove(task);
        } else {
            recipe.tasks.insert(task.to_owned(), settings);
        }
        return Ok(());
    }
    if let Some(setting) = RECIPE.iter().find(|setting| setting.key == key) {
        return setting.parse(recipe, text);
    }
    let mut known: Vec<&str> = RECIPE.iter().map(|setting| setting.key).collect();
    known.extend(TASK.iter().map(|setting| setting.key));
    let meant = match nearest(key, &known) {
        Some(near) if TASK.iter().any(|setting| setting.key == near) => {
            format!(". Did you mean tasks.NAME.{near}, with the name of a task?")
        }
        Some(near) => format!(". Did you mean {near}?"),
        None => format!(": there are {}", known.join(", ")),
    };
    Err(format!("there is no setting \"{key}\"{meant}"))
}

#[cfg(test)]
mod tests;
