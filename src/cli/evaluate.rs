//! `frostline eval`: a trained model on labelled files that it has not seen.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use serde_json::json;

use super::args::EvalArgs;
use super::console::{count, say, say_json, tell};
use super::encode;
use super::figures::{classes_table, metrics_json, metrics_table};
use super::tables;
use crate::data::assemble::assemble;
use crate::data::dataset::{Dataset, Split, TaskLabels};
use crate::data::mapping::{self, Mapping, TaskColumn};
use crate::data::split::SplitRule;
use crate::data::table::Table;
use crate::project::{Project, file, runs};
use crate::train::metrics::TaskMetrics;

/// Every row is measured, so no rule splits anything.
const NO_SPLIT: SplitRule = SplitRule { valid: 0.0, test: 0.0, seed: 0 };

/// How a run that came to its end is listed.
const FINISHED: &str = "finished";

pub(super) fn run(args: &EvalArgs) -> anyhow::Result<()> {
    let project =
        if args.model.join(file::FILE_NAME).is_file() { Some(Project::load(&args.model)?) } else { None };
    let model_dir = match &project {
        Some(_) => newest_finished(&args.model)?,
        None => args.model.clone(),
    };
    let mut model = encode::open(&model_dir, &args.device)?;
    let tasks = model.tasks();
    if tasks.is_empty() {
        bail!(
            "{} has no heads, so there is nothing to measure: name a project, a run or an exported model",
            model_dir.display()
        );
    }

    let skip = args.bad_rows.skip_bad_rows || project.as_ref().is_some_and(|project| project.skip_bad_rows);
    let tables = tables::read_all(&args.data, skip)?;
    let mapping = match project.or_else(|| project_of_run(&model_dir)) {
        Some(project) => of_project(project)?,
        None => by_task_names(&tables, &tasks)?,
    };
    // Who brings files to be measured may well have no split in them; who has, means all of them here.
    let mapping = Mapping { split: None, ..mapping };
    let chosen: Vec<(Table, Option<Split>)> =
        tables.into_iter().map(|table| (table, Some(Split::Test))).collect();
    let (dataset, _, note) = assemble(&chosen, Some(&present(mapping, &chosen)), &NO_SPLIT)?;
    if note.contains("left out") || note.contains("no label") {
        tell(&note);
    }

    let texts: Vec<&str> = (0..dataset.rows()).map(|row| dataset.text(row)).collect();
    let mut progress = tables::row_progress("measuring", texts.len());
    let predicted = model.predict(&texts, &mut |done| progress.advance(done));
    progress.finish();
    let predicted = predicted.map_err(|reason| anyhow!(reason))?;

    let mut figures = Vec::new();
    for ((task, classes), probabilities) in tasks.iter().zip(&predicted) {
        match dataset.tasks.iter().find(|labels| labels.name == *task) {
            Some(labels) => figures.push(measure(task, classes, labels, probabilities)),
            None => tell(&format!("warning: no file has labels for the task \"{task}\"")),
        }
    }
    tell_figures(args, &model_dir, &dataset, &figures)
}

fn tell_figures(
    args: &EvalArgs,
    model_dir: &Path,
    dataset: &Dataset,
    figures: &[TaskMetrics],
) -> anyhow::Result<()> {
    if args.json {
        for task in figures {
            let mut object = metrics_json(task);
            if let Some(fields) = object.as_object_mut() {
                fields.insert("model".into(), json!(model_dir));
            }
            say_json(&object)?;
        }
        return Ok(());
    }
    say(format!("{} on {}", model_dir.display(), count(dataset.rows(), "row")))?;
    metrics_table(figures).iter().try_for_each(say)?;
    for task in figures {
        say("")?;
        classes_table(task).iter().try_for_each(say)?;
    }
    Ok(())
}

/// Figures over the rows whose label is a class of the model; others are told.
fn measure(task: &str, classes: &[String], labels: &TaskLabels, probabilities: &[Vec<f32>]) -> TaskMetrics {
    let index_of = |label: u32| {
        let name = labels.classes.get(label as usize)?;
        Some(classes.iter().position(|class| class == name).map(|index| index as u32).ok_or(name.as_str()))
    };
    let (mut known, mut rows, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (label, row) in labels.labels.iter().zip(probabilities) {
        match label.and_then(index_of) {
            Some(Ok(index)) => {
                known.push(index);
                rows.extend_from_slice(row);
            }
            Some(Err(name)) => unknown.push(name),
            None => {}
        }
    }
    if !unknown.is_empty() {
        let labelled = count(unknown.len(), "row");
        unknown.sort_unstable();
        unknown.dedup();
        tell(&format!(
            "warning: {labelled} not measured for the task \"{task}\": its model knows no class \"{}\"",
            unknown.join("\", \"")
        ));
    }
    TaskMetrics::from_probabilities(task, classes, &rows, &known)
}

fn newest_finished(project_dir: &Path) -> anyhow::Result<PathBuf> {
    let all = runs::list(project_dir)?;
    let Some(newest) = all.iter().rev().find(|run| run.outcome == FINISHED) else {
        let others = if all.is_empty() { "no run" } else { "no run that came to its end" };
        bail!("{} has {others}: train it first, or name a run's folder", project_dir.display());
    };
    Ok(runs::RunFolder::open(project_dir, &newest.name)?.dir().to_owned())
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
    let paths: Vec<PathBuf> = project.files.into_iter().map(|file| file.path).collect();
    Ok(mapping::guess(&tables::read_all(&paths, project.skip_bad_rows)?))
}

/// For a model without a project: the text column is guessed, a label column is called as its task is.
fn by_task_names(tables: &[Table], tasks: &[(String, Vec<String>)]) -> anyhow::Result<Mapping> {
    let found: Vec<TaskColumn> = tasks
        .iter()
        .filter(|(task, _)| tables.iter().any(|table| table.column(task).is_some()))
        .map(|(task, _)| TaskColumn::named(task))
        .collect();
    if found.is_empty() {
        let names: Vec<&str> = tasks.iter().map(|(task, _)| task.as_str()).collect();
        bail!(
            "no file has a column for a task of the model. A column must be called as its task is: {}",
            names.join(", ")
        );
    }
    Ok(Mapping { text: mapping::guess(tables).text, tasks: found, split: None })
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
    fn labels_are_matched_by_name_and_unknown_ones_left_out() {
        let labels = TaskLabels {
            name: "topic".into(),
            classes: vec!["b".into(), "new".into(), "z".into()],
            labels: vec![Some(0), Some(1), None, Some(2)],
        };
        let classes = ["a".to_owned(), "b".to_owned(), "z".to_owned()];
        let rows = [vec![0.1, 0.8, 0.1], vec![1.0, 0.0, 0.0], vec![1.0, 0.0, 0.0], vec![0.6, 0.2, 0.2]];
        let figures = measure("topic", &classes, &labels, &rows);
        assert_eq!((figures.rows, figures.accuracy), (2, 0.5));
        assert_eq!(figures.confusion, [[0, 0, 0], [0, 1, 0], [1, 0, 0]]);
    }
}
