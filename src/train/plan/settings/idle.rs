//! Settings of a recipe that have no effect in a project: sentences for the user, who may have meant something by them.

use std::collections::BTreeMap;

use super::setting::{Around, Setting};
use super::table::{RECIPE, TASK};
use crate::data::task::TaskKind;
use crate::train::plan::phase_spec::PhaseSpec;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{OptimizerKind, Recipe, Weighting};

/// A sentence for each reason why settings that differ from the preset's have no effect, and for each that names a task
/// that is not there. `files` is the number of files with training rows.
#[must_use]
pub fn idle_notes(recipe: &Recipe, tasks: &[(&str, TaskKind)], files: Option<usize>) -> Vec<String> {
    let mut preset = Recipe::default();
    preset.choose(recipe.preset);
    let around = Around { files, kind: None };
    let mut idle: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for setting in RECIPE.iter().filter(|setting| setting.show(recipe) != setting.show(&preset)) {
        if let Some(reason) = setting.idle_because(recipe, around) {
            idle.entry(reason).or_default().push(setting.key.to_owned());
        }
    }
    for (name, kind) in tasks {
        let (settings, around) = (recipe.task(name), Around { files, kind: Some(*kind) });
        let defaults = crate::train::plan::recipe::TaskSettings::default();
        for setting in TASK.iter().filter(|setting| setting.show(&settings) != setting.show(&defaults)) {
            if let Some(reason) = setting.idle_because(recipe, around) {
                idle.entry(reason).or_default().push(format!("tasks.{name}.{}", setting.key));
            }
        }
    }
    let in_words = |(reason, keys): (&str, Vec<String>)| {
        let have = if keys.len() == 1 { "has" } else { "have" };
        format!("In [recipe], {} {have} no effect: {}.", keys.join(", "), lowered(reason))
    };
    let mut notes: Vec<String> = idle.into_iter().map(in_words).collect();
    let is_task = |name: &str| tasks.iter().any(|(task, _)| *task == name);
    let unknown = recipe.tasks.keys().filter(|name| !is_task(name));
    let unknown = unknown.map(|name| (format!("[recipe.tasks.{name}]"), name));
    let frozen = recipe.frozen_head.iter().filter(|name| !is_task(name));
    let unknown = unknown.chain(frozen.map(|name| ("frozen_head".to_owned(), name)));
    notes.extend(unknown.map(|(key, name)| {
        let all: Vec<&str> = tasks.iter().map(|(task, _)| *task).collect();
        let meant = nearest(name, &all).map_or_else(String::new, |near| format!(" Did you mean \"{near}\"?"));
        format!("{key} has no effect: \"{name}\" is not one of the tasks: {}.{meant}", all.join(", "))
    }));
    notes
}

/// Every reason for which a setting can have no effect, each once: found by asking with each choice that decides it.
#[must_use]
pub fn idle_reasons<T>(setting: &Setting<T>) -> Vec<&'static str> {
    let presets = Preset::ALL.map(|preset| Recipe { preset, ..Recipe::default() });
    let others = [
        Recipe { phases: vec![PhaseSpec::default()], ..Recipe::default() },
        Recipe { optimizer: OptimizerKind::Sgd, ..Recipe::default() },
        Recipe { weighting: Weighting::Uncertainty, ..Recipe::default() },
    ];
    let mut reasons = Vec::new();
    for recipe in presets.iter().chain(&others) {
        for kind in TaskKind::ALL.map(Some).into_iter().chain([None]) {
            let reason = setting.idle_because(recipe, Around { files: Some(1), kind });
            reasons.extend(reason.filter(|reason| !reasons.contains(reason)));
        }
    }
    reasons
}

/// The name that a mistyped one most likely stands for.
pub(super) fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    const ALIKE: f64 = 0.8;
    let alike = |other: &str| strsim::jaro_winkler(name, other);
    let best = names.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(best) >= ALIKE).then_some(*best)
}

/// A sentence as the end of another one.
fn lowered(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::plan::recipe::{Sampling, TaskSettings};

    #[test]
    fn what_has_no_effect_is_named_with_the_reason() {
        let tasks = [("label", TaskKind::SingleLabel), ("stars", TaskKind::Score)];
        assert_eq!(idle_notes(&Recipe::default(), &tasks, Some(1)), [""; 0]);
        let mut recipe = Recipe { sampling: Sampling::RoundRobin, ..Recipe::default() };
        recipe.lora.rank = 3;
        recipe.frozen_head = Some("nope".into());
        let smooth = TaskSettings { label_smoothing: 0.1, balance_classes: true, ..TaskSettings::default() };
        for name in ["label", "stars", "lable"] {
            recipe.tasks.insert(name.into(), smooth.clone());
        }
        let notes = idle_notes(&recipe, &tasks, Some(1));
        for wanted in [
            "In [recipe], tasks.stars.balance_classes, tasks.stars.label_smoothing have no effect: the task has no \
             classes.",
            "In [recipe], sampling has no effect: there is one file of training rows.",
            "In [recipe], lora_rank has no effect: only adapters have these: choose LoRA.",
            "In [recipe], frozen_head has no effect: used only by the freeze-head preset.",
            "[recipe.tasks.lable] has no effect: \"lable\" is not one of the tasks: label, stars. Did you mean \"label\"?",
            "frozen_head has no effect: \"nope\" is not one of the tasks: label, stars.",
        ] {
            assert!(notes.iter().any(|note| note == wanted), "{wanted}: {notes:#?}");
        }
        assert_eq!(notes.len(), 6, "{notes:#?}");
        assert_eq!(
            idle_notes(&Recipe { frozen_head: None, tasks: [].into(), ..recipe }, &tasks, Some(2)).len(),
            1
        );
    }
}
