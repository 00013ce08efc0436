//! `frostline eval`: a trained model on labelled files that it has not seen.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::args::EvalArgs;
use super::console::{count, say, say_json, tell};
use super::encode;
use super::figures::{classes_table, metrics_json, metrics_table};
use super::{outside, tables};
use crate::data::assemble::assemble;
use crate::data::dataset::{Dataset, Split, TaskLabels};
use crate::data::mapping::{self, Mapping, TaskColumn};
use crate::data::split::SplitRule;
use crate::data::table::Table;
use crate::data::task::TaskKind;
use crate::model::heads::HeadSpec;
use crate::project::{Project, file, runs};
use crate::train::metrics::TaskMetrics;
use crate::train::report::UNTRAINED;

/// Every row is measured, so no rule splits anything.
const NO_SPLIT: SplitRule = SplitRule { valid: 0.0, test: 0.0, seed: 0 };

/// How a run that came to its end is listed.
const FINISHED: &str = "finished";

pub(super) fn run(args: &EvalArgs) -> anyhow::Result<()> {
    // The columns may have to be guessed on the project's own files.
    if let Some(project_dir) = project_dir_of(&args.model) {
        outside::require(&project_dir, args.trust)?;
    }
    let project =
        if args.model.join(file::FILE_NAME).is_file() { Some(Project::load(&args.model)?) } else { None };
    let model_dir = match &project {
        Some(_) => newest_finished(&args.model)?,
        None => args.model.clone(),
    };
    let mut model = encode::open(&model_dir, &args.device, args.trust)?;
    let tasks = model.tasks();
    if tasks.is_empty() {
        bail!(
            "{} has no heads, so there is nothing to measure: name a project, a run or an exported model",
            model_dir.display()
        );
    }

    let skip = args.bad_rows.skip_bad_rows || project.as_ref().is_some_and(|project| project.skip_bad_rows);
    let tables = tables::read_all(&args.data, skip, &args.reading.overrides())?;
    let project = project.or_else(|| project_of_run(&model_dir));
    // What labels were said to mean holds for other files, too; rows that were left out or moved do not.
    let changes = project.as_ref().map(|project| project.changes.of_meaning()).unwrap_or_default();
    let mapping = match project {
        Some(project) => of_project(project)?,
        None => by_task_names(&tables, &tasks)?,
    };
    // Who brings files to be measured may well have no split in them; who has, means all of them here.
    let mapping = Mapping { split: None, group: None, ..mapping };
    let chosen: Vec<(Table, Option<Split>)> =
        tables.into_iter().map(|table| (table, Some(Split::Test))).collect();
    let (mut dataset, _, note) = assemble(&chosen, Some(&present(mapping, &chosen)), &NO_SPLIT)?;
    drop(changes.apply(&mut dataset));
    if note.contains("left out") || note.contains("no label") {
        tell(&note);
    }

    for task in &tasks {
        match dataset.tasks.iter().find(|labels| labels.name == task.task) {
            Some(labels) => tell_unknown(task, labels, dataset.rows()),
            None => tell(&format!("warning: no file has labels for the task \"{}\"", task.task)),
        }
    }
    let mut progress = tables::row_progress("measuring", dataset.rows());
    let measured = model.evaluate(&dataset, &mut |done| progress.advance(done));
    progress.finish();
    encode::tell_of_cut(&model);
    let mut figures = measured.map_err(|reason| anyhow!(reason))?;
    figures.retain(|found| dataset.tasks.iter().any(|labels| labels.name == found.task));
    tell_figures(args, &model_dir, &dataset, (&figures, model.untrained()))
}

fn tell_figures(
    args: &EvalArgs,
    model_dir: &Path,
    dataset: &Dataset,
    (figures, untrained): (&[TaskMetrics], &[String]),
) -> anyhow::Result<()> {
    if args.json {
        for task in figures {
            let mut object = metrics_json(task);
            if let Some(fields) = object.as_object_mut() {
                fields.insert("model".into(), json!(model_dir));
                if untrained.contains(&task.task) {
                    fields.insert(UNTRAINED.into(), json!(true));
                }
            }
            say_json(&object)?;
        }
        return Ok(());
    }
    say(format!("{} on {}", model_dir.display(), count(dataset.rows(), "row")))?;
    metrics_table(figures).iter().try_for_each(say)?;
    if !untrained.is_empty() {
        say(format!("{UNTRAINED}, with random weights: the heads of {}", untrained.join(", ")))?;
    }
    for task in figures {
        say("")?;
        classes_table(task).iter().try_for_each(say)?;
    }
    Ok(())
}

/// Labels that the model does not know are not measured: that is told.
fn tell_unknown(task: &HeadSpec, labels: &TaskLabels, rows: usize) {
    if let Some(text) = unknown(task, labels, rows) {
        tell(&text);
    }
}

fn unknown(task: &HeadSpec, labels: &TaskLabels, rows: usize) -> Option<String> {
    let name = &task.task;
    if labels.kind != task.kind {
        return Some(format!(
            "warning: the labels of the task \"{name}\" are of the kind {}, its model is of the kind {}: not measured",
            labels.kind.key(),
            task.kind.key()
        ));
    }
    let is_unknown =
        |class: &u32| labels.classes.get(*class as usize).is_some_and(|class| !task.classes.contains(class));
    let of_row = |row: usize| labels.classes_of(row).into_iter().filter(is_unknown).collect::<Vec<_>>();
    let found: Vec<Vec<u32>> = (0..rows).map(of_row).filter(|classes| !classes.is_empty()).collect();
    if found.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = found
        .iter()
        .flatten()
        .filter_map(|class| labels.classes.get(*class as usize))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    let (labelled, names) = (count(found.len(), "row"), names.join("\", \""));
    Some(match task.kind {
        TaskKind::SingleLabel => format!(
            "warning: {labelled} not measured for the task \"{name}\": its model knows no class \"{names}\""
        ),
        _ => format!(
            "warning: {labelled} measured without a part of their labels for the task \"{name}\": its model knows no \
             class \"{names}\""
        ),
    })
}

fn newest_finished(project_dir: &Path) -> anyhow::Result<PathBuf> {
    let all = runs::list(project_dir)?;
    let Some(newest) = all.iter().rev().find(|run| run.outcome == FINISHED) else {
        let others = if all.is_empty() { "no run" } else { "no run that came to its end" };
        bail!("{} has {others}: train it first, or name a run's folder", project_dir.display());
    };
    Ok(runs::RunFolder::open(project_dir, &newest.name)?.dir().to_owned())
}

/// The folder of the project that is meant, or that the run lies in.
fn project_dir_of(model: &Path) -> Option<PathBuf> {
    let is_there = |path: PathBuf| fs::symlink_metadata(path).is_ok();
    let dir = std::path::absolute(model).ok()?;
    if is_there(dir.join(file::FILE_NAME)) {
        return Some(dir);
    }
    let project_dir = dir.parent()?.parent()?;
    (is_there(dir.join("run.toml")) && is_there(project_dir.join(file::FILE_NAME)))
        .then(|| project_dir.to_owned())
}

/// The project that a run folder lies in.
fn project_of_run(dir: &Path) -> Option<Project> {
    let dir = std::path::absolute(dir).ok()?;
    let project_dir = dir.parent()?.parent()?;
    if dir.join("run.toml").is_file() { Project::load(project_dir).ok() } else { None }
}

/// The project's mapping; where it is left to be guessed, the guess is made on the project's own files.
fn of_project(project: Project) -> anyhow::Result<Mapping> {
    if let Some(mapping) = project.mapping {
        return Ok(mapping);
    }
    Ok(mapping::guess(&tables::read_project(&project)?))
}

/// For a model without a project: the text column is guessed, a label column is called as its task is.
fn by_task_names(tables: &[Table], tasks: &[HeadSpec]) -> anyhow::Result<Mapping> {
    let found: Vec<TaskColumn> = tasks
        .iter()
        .filter(|task| tables.iter().any(|table| table.column(&task.task).is_some()))
        .map(|task| TaskColumn::of_kind(&task.task, task.kind))
        .collect();
    if found.is_empty() {
        let names: Vec<&str> = tasks.iter().map(|task| task.task.as_str()).collect();
        bail!(
            "no file has a column for a task of the model. A column must be called as its task is: {}",
            names.join(", ")
        );
    }
    let guess = mapping::guess(tables);
    let second = guess.second.filter(|_| found.iter().any(|task| task.kind.takes_pairs()));
    Ok(Mapping { text: guess.text, second, tasks: found, split: None, group: None })
}

/// Files to be measured may be labelled for some of the tasks only.
fn present(mapping: Mapping, tables: &[(Table, Option<Split>)]) -> Mapping {
    let has = |column: &str| tables.iter().any(|(table, _)| table.column(column).is_some());
    let some: Vec<TaskColumn> = mapping.tasks.iter().filter(|task| has(&task.column)).cloned().collect();
    // Without any, what is missing is said by the reader, in its own words.
    if some.is_empty() { mapping } else { Mapping { tasks: some, ..mapping } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_the_model_does_not_know_are_told() {
        let classes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let labels =
            TaskLabels::single("topic", classes(&["b", "new"]), vec![Some(0), Some(1), None, Some(1)]);
        let known = |names: &[&str]| HeadSpec {
            task: "topic".into(),
            classes: classes(names),
            ..HeadSpec::default()
        };
        assert_eq!(unknown(&known(&["a", "b", "new"]), &labels, 4), None);
        let told = unknown(&known(&["a", "b"]), &labels, 4).unwrap();
        assert!(told.contains("2 rows not measured") && told.contains("\"new\""), "{told}");
        let other = HeadSpec { kind: TaskKind::MultiLabel, ..known(&["b"]) };
        assert!(unknown(&other, &labels, 4).unwrap().contains("multi-label"));
    }
}
