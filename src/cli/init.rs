//! `frostline init`: a project file for labelled files, with everything guessed that can be, and told.

use std::path::PathBuf;

use super::args::InitArgs;
use super::console::{count, say, tell};
use super::{hub, settings, tables};
use crate::data::assemble::assemble;
use crate::data::card::{DataCard, Weight};
use crate::data::dataset::{Dataset, Split, TaskLabels};
use crate::data::mapping::{self, Mapping};
use crate::data::split::{SPLIT_SEED, SplitRule};
use crate::data::table::Table;
use crate::data::task::TaskKind;
use crate::format::shell;
use crate::model::files::check::check;
use crate::project::model_ref::model_name;
use crate::project::trust::Trust;
use crate::project::{DataFile, Project, ProjectError, demo, file};
use crate::train::plan::PlanError;
use crate::train::plan::preset::Preset;

pub(super) fn run(args: &InitArgs) -> anyhow::Result<()> {
    let target = args.dir.join(file::FILE_NAME);
    if target.exists() {
        return Err(ProjectError::ProjectExists { path: target }.into());
    }
    let tables = tables::read_all(&args.data, args.bad_rows.skip_bad_rows, &args.reading.overrides())?;
    let mut project = Project { skip_bad_rows: args.bad_rows.skip_bad_rows, ..Project::default() };
    let rule = SplitRule { valid: project.valid_fraction, test: project.test_fraction, seed: SPLIT_SEED };
    let tables: Vec<(Table, Option<Split>)> = tables.into_iter().map(|table| (table, None)).collect();
    let mapping = (!args.missing.is_empty()).then(|| {
        let read: Vec<&Table> = tables.iter().map(|(table, _)| table).collect();
        let mut mapping = mapping::guess_of(&read);
        // Of a task on numbers, a marker such as -1 may be a value.
        let marked = mapping.tasks.iter_mut().filter(|task| task.kind != TaskKind::Score);
        marked.for_each(|task| task.missing.extend(args.missing.iter().cloned()));
        mapping
    });
    let (dataset, mapping, split_note) = assemble(&tables, mapping.as_ref(), &rule)?;

    let dir = std::path::absolute(&args.dir)?;
    if let Some(name) = dir.file_name().and_then(|name| name.to_str()) {
        name.clone_into(&mut project.name);
    }
    for path in &args.data {
        let (path, overrides) = (std::path::absolute(path)?, args.reading.overrides());
        project.files.push(DataFile { path, overrides, ..DataFile::default() });
    }
    if let Some(preset) = Preset::from_key(&args.preset) {
        project.recipe.choose(preset);
    }
    let tasks: Vec<&str> = mapping.tasks.iter().map(|task| task.task.as_str()).collect();
    settings::apply(&mut project.recipe, &args.changes, &tasks)?;
    project.recipe.check()?;
    let model = model_dir(args)?;
    // A folder that cannot be loaded would be found out when the run starts.
    let notes = check(&model)?;
    project.model = Some(model);
    let mut lines = guess_lines(&project, &mapping, &dataset, &split_note);
    lines.extend(tables.iter().flat_map(|(table, _)| {
        let name = table.facts.path.display();
        table.notes.iter().map(move |note| format!("  {name}: {note}"))
    }));
    lines.extend(notes.iter().map(|note| format!("  note on the model: {note}")));
    let missing = what_is_missing(&dataset);
    project.mapping = Some(mapping);
    project.save_new(&dir)?;
    // Named here by the user: nobody has to agree to them again.
    if let Err(error) = Trust::of_user().confirm_chosen(&dir, &project) {
        tell(&format!("warning: the next command will ask about the paths outside the project: {error}"));
    }

    say(format!("{} written", target.display()))?;
    lines.iter().try_for_each(say)?;
    match missing {
        None => say(format!("Next: frostline train {}", shell::path(&args.dir)))?,
        Some(missing) => say(format!("Before it can be trained: {missing}."))?,
    }
    Ok(())
}

/// What keeps the tasks from being trained, with what to do about it.
fn what_is_missing(dataset: &Dataset) -> Option<String> {
    if dataset.tasks.is_empty() {
        return Some("add [[data.task]] with column = \"...\" to the file".to_owned());
    }
    let short = |task: &TaskLabels| PlanError::of_classes(&task.name, task.kind, task.classes.len());
    let short = dataset.tasks.iter().find_map(short);
    let is_learnt = |row: &usize| dataset.tasks.iter().any(|task| task.is_labelled(*row));
    let none = || (!dataset.rows_of(Split::Train).iter().any(is_learnt)).then_some(PlanError::NoRows);
    short.or_else(none).map(|error| error.to_string())
}

fn model_dir(args: &InitArgs) -> anyhow::Result<PathBuf> {
    let Some(dir) = &args.model else {
        return demo::default_model_dir().ok_or_else(|| {
            anyhow::anyhow!(
                "the default model, {}, is not here: name a model folder with --model, or fetch it with \
                 `cargo xtask setup`",
                demo::DEFAULT_MODEL
            )
        });
    };
    let dir = hub::folder_of(dir)?;
    Ok(std::path::absolute(dir)?)
}

fn guess_lines(project: &Project, mapping: &Mapping, dataset: &Dataset, split_note: &str) -> Vec<String> {
    let card = DataCard::of_splits(dataset);
    let mut lines = vec![format!("  text: column \"{}\"", mapping.text)];
    lines.extend(mapping.second.iter().map(|second| format!("  second text: column \"{second}\"")));
    for (task, counts) in mapping.tasks.iter().zip(&card.tasks) {
        let labelled = counts.all_labelled(card.rows);
        let classes: Vec<&str> = counts.classes.iter().map(|(class, _)| class.as_str()).collect();
        let what = match task.kind {
            kind if kind.has_classes() => {
                let noun = if classes.len() == 1 { "class" } else { "classes" };
                format!("{} {noun}: {}", classes.len(), shortened(&classes))
            }
            kind => kind.key().to_owned(),
        };
        let kind = match task.kind {
            TaskKind::MultiLabel | TaskKind::TokenLabels => format!("{}, ", task.kind.key()),
            _ => String::new(),
        };
        let labelled = count(labelled, "row");
        lines.push(format!("  task: column \"{}\", {labelled} labelled, {kind}{what}", task.column));
    }
    let [train, valid, test] = card.rows;
    lines
        .push(format!("  rows: {train} for training, {valid} for validation, {test} for test. {split_note}"));
    let model = project.model.as_ref().map(|model| model_name(model)).unwrap_or_default();
    lines.push(format!("  model: {model}"));
    lines.push(format!("  preset: {}", project.recipe.preset.key()));
    let warnings = card.findings.iter().filter(|finding| finding.weight == Weight::Warning);
    lines.extend(warnings.map(|finding| format!("  look at this: {}", finding.text)));
    lines
}

/// The first classes of many.
pub(super) fn shortened(classes: &[&str]) -> String {
    const SHOWN: usize = 12;
    match classes.get(..SHOWN) {
        Some(first) if classes.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), classes.len() - SHOWN)
        }
        _ => classes.join(", "),
    }
}
