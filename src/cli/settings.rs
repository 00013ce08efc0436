//! `--set KEY=VALUE`, which changes a recipe for one command, and `frostline settings`, which lists what can be set.

use std::str::FromStr;

use anyhow::bail;
use serde_json::json;

use super::console::{say, say_json};
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{Recipe, TaskSettings};
use crate::train::plan::settings::{Group, RECIPE, Setting, TASK, idle_reasons, set};

const GROUPS: [Group; 6] =
    [Group::Trains, Group::Rows, Group::Steps, Group::Guards, Group::Keeps, Group::Task];

/// The reason that would stand below almost every setting, and is given once instead.
const OF_ALMOST_ALL: &str = "Nothing trains with this preset";

/// Arguments of `frostline settings`.
#[derive(Debug, clap::Args)]
pub(super) struct SettingsArgs {
    /// Print one JSON object per line instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// A setting and its new value, as `--set` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    key: String,
    value: String,
}

impl FromStr for Change {
    type Err = String;

    /// Refuses keys that no setting has, and values that are none of theirs: that is known without a project.
    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as lr_encoder=5e-5")?;
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        set(&mut Recipe::default(), &key, &value)
            .map_err(|reason| format!("{reason}. `frostline settings` lists all"))?;
        Ok(Self { key, value })
    }
}

impl Change {
    /// The task whose setting it is.
    fn task(&self) -> Option<&str> {
        self.key.strip_prefix("tasks.")?.rsplit_once('.').map(|(task, _)| task)
    }
}

/// Applies changes to a recipe whose tasks are known. A preset comes first, with the epochs and rates that suit it, so that
/// the order of the options does not matter; of two values for one setting the later counts.
///
/// # Errors
/// When a change names a task that is not there.
pub(super) fn apply(recipe: &mut Recipe, changes: &[Change], tasks: &[&str]) -> anyhow::Result<()> {
    let (presets, others): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.key == "preset");
    for change in presets {
        if let Some(preset) = Preset::from_key(&change.value) {
            recipe.choose(preset);
        }
    }
    for change in others {
        if let Some(task) = change.task().filter(|task| !tasks.contains(task)) {
            bail!("--set {}: there is no task \"{task}\". The tasks are {}", change.key, tasks.join(", "));
        }
        set(recipe, &change.key, &change.value).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

pub(super) fn run(args: &SettingsArgs) -> anyhow::Result<()> {
    let of_run = RECIPE.iter().map(|setting| Listed::of(setting, &Recipe::default(), ""));
    let of_task = TASK.iter().map(|setting| Listed::of(setting, &TaskSettings::default(), "tasks.NAME."));
    let all: Vec<Listed> = of_run.chain(of_task).collect();
    if args.json {
        return all.iter().try_for_each(|listed| Ok(say_json(&listed.json())?));
    }
    let width = |text: fn(&Listed) -> &str| all.iter().map(|listed| text(listed).len()).max().unwrap_or(0);
    let widths = (width(|listed| &listed.key), width(|listed| &listed.default));
    for group in GROUPS {
        say(group.title())?;
        for listed in all.iter().filter(|listed| listed.group == group) {
            listed.lines(widths).iter().try_for_each(say)?;
        }
    }
    say("")?;
    let idle = all.iter().filter(|listed| listed.idle.contains(&OF_ALMOST_ALL)).count();
    say(format!(
        "With the preset freeze-all nothing trains, and {idle} of these {} have no effect.",
        all.len()
    ))?;
    say("Set them in [recipe] of frostline.toml, on the Schedule page, or with --set KEY=VALUE.")?;
    Ok(())
}

/// A setting as it is listed.
struct Listed {
    key: String,
    default: String,
    meaning: &'static str,
    group: Group,
    /// When it has no effect.
    idle: Vec<&'static str>,
}

impl Listed {
    fn of<T>(setting: &Setting<T>, default: &T, before: &str) -> Self {
        Self {
            key: format!("{before}{}", setting.key),
            default: setting.show(default),
            meaning: setting.hint,
            group: setting.group,
            idle: idle_reasons(setting),
        }
    }

    fn lines(&self, (key, default): (usize, usize)) -> Vec<String> {
        let mut lines = vec![format!("  {:key$}  {:default$}  {}", self.key, self.default, self.meaning)];
        let reasons: Vec<&str> =
            self.idle.iter().copied().filter(|reason| *reason != OF_ALMOST_ALL).collect();
        if !reasons.is_empty() {
            lines.push(format!("  {:key$}  {:default$}  no effect: {}", "", "", reasons.join("; ")));
        }
        lines
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "key": self.key,
            "default": self.default,
            "meaning": self.meaning,
            "group": self.group.title(),
            "no_effect": self.idle,
        })
    }
}
