//! `frostline inspect`: what a data file, a model, a run or a project holds.

use std::path::Path;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::args::InspectArgs;
use super::console::{count, say, say_json, table, thousands};
use super::figures::{epoch_line, metrics_json, metrics_table};
use super::hub;
use super::init::shortened;
use super::inspect_model;
use crate::data::assemble::assemble;
use crate::data::card::DataCard;
use crate::data::dataset::Split;
use crate::data::mapping;
use crate::data::read::{OnProblem, ReadOptions, read_table};
use crate::data::split::SplitRule;
use crate::data::table::{Format, Table};
use crate::data::task::TaskKind;
use crate::project::model_place::model_name;
use crate::project::runs::{self, RunFolder};
use crate::project::{Project, file};

/// What was found, for people and for programs.
struct Found {
    lines: Vec<String>,
    object: Value,
}

pub(super) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let path = &hub::folder_of(&args.path)?;
    let found = if !path.exists() {
        bail!("{} is not there", path.display())
    } else if path.is_file() {
        data(path)?
    } else if path.join(file::FILE_NAME).is_file() {
        project(path)?
    } else if path.join("run.toml").is_file() {
        a_run(path)?
    } else if path.join("config.json").is_file() || path.join("modules.json").is_file() {
        let (lines, object) = inspect_model::describe(path)?;
        Found { lines, object }
    } else {
        bail!(
            "{} holds no project (frostline.toml), no run (run.toml) and no model (config.json)",
            path.display()
        )
    };
    if args.json {
        say_json(&found.object)?;
    } else {
        found.lines.iter().try_for_each(say)?;
    }
    Ok(())
}

fn data(path: &Path) -> anyhow::Result<Found> {
    let options = ReadOptions { on_problem: OnProblem::Skip, ..ReadOptions::default() };
    let table = read_table(path, &options, &|_, _| true)?;
    let mut object = facts_json(&table);
    let mut lines = facts_lines(&table);
    let (problems, all_in_one) = (table.problems.clone(), SplitRule { valid: 0.0, test: 0.0, seed: 0 });
    let mapping = mapping::guess(std::slice::from_ref(&table));
    let (mut tasks, mut findings, mut labelled_rows) = (Vec::new(), Vec::new(), 0);
    // A file without a text is described as far as it goes.
    if let Ok((dataset, mapping, _)) = assemble(&[(table, Some(Split::Train))], Some(&mapping), &all_in_one) {
        let card = DataCard::of(&dataset);
        labelled_rows = (0..dataset.rows()).filter(|row| dataset.is_labelled(*row)).count();
        lines.push(format!("text: column \"{}\" (guessed), {}", mapping.text, count(dataset.rows(), "row")));
        for (column, counts) in mapping.tasks.iter().zip(&card.tasks) {
            let usable = counts.all_labelled(card.rows);
            let classes: Vec<&str> = counts.classes.iter().map(|(class, _)| class.as_str()).collect();
            let labelled = count(usable, "usable row");
            let what = match column.kind {
                TaskKind::SingleLabel => shortened(&classes),
                kind if kind.has_classes() => format!("{}: {}", kind.key(), shortened(&classes)),
                kind => kind.key().to_owned(),
            };
            lines.push(format!("task {}: {labelled}, {what}", counts.task));
            let by_class =
                counts.classes.iter().map(|(class, rows)| (class.clone(), rows.iter().sum::<usize>().into()));
            tasks.push(json!({
                "task": counts.task,
                "column": column.column,
                "kind": column.kind.key(),
                "usable_rows": usable,
                "classes": Value::Object(by_class.collect()),
            }));
        }
        for finding in &card.findings {
            lines.push(finding.text.clone());
            findings.push(finding.text.clone());
        }
    }
    for problem in &problems {
        lines.push(format!("line {} {}", problem.line, problem.reason));
    }
    if let Some(fields) = object.as_object_mut() {
        let column = |name: &str| if name.is_empty() { Value::Null } else { json!(name) };
        fields.insert("text".into(), column(&mapping.text));
        fields.insert("second_text".into(), json!(mapping.second));
        fields.insert("split_column".into(), json!(mapping.split));
        // Rows with a text and at least one label.
        fields.insert("usable_rows".into(), json!(labelled_rows));
        fields.insert("tasks".into(), tasks.into());
        fields.insert("findings".into(), findings.into());
    }
    Ok(Found { lines, object })
}

fn facts_json(table: &Table) -> Value {
    let (format, delimiter, quoting) = match table.facts.format {
        Format::Delimited { delimiter, quoting } => {
            ("delimited", json!(char::from(delimiter).to_string()), json!(quoting))
        }
        Format::JsonLines => ("jsonl", Value::Null, Value::Null),
        Format::Conll => ("conll", Value::Null, Value::Null),
    };
    let problems =
        table.problems.iter().map(|problem| json!({"line": problem.line, "reason": problem.reason}));
    json!({
        "kind": "data",
        "path": table.facts.path,
        "format": format,
        "encoding": table.facts.encoding,
        "delimiter": delimiter,
        "quoting": quoting,
        "has_header": table.facts.has_header,
        "columns": table.column_names(),
        "records": table.rows() + table.problems.len(),
        "rows": table.rows(),
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn facts_lines(table: &Table) -> Vec<String> {
    let format = match table.facts.format {
        Format::JsonLines => "JSON lines".to_owned(),
        Format::Conll => "CoNLL, a word per line".to_owned(),
        Format::Delimited { delimiter, quoting } => {
            let name = match delimiter {
                b'\t' => "tabs".to_owned(),
                byte => format!("\"{}\"", char::from(byte)),
            };
            let quotes = if quoting { "" } else { ", quotes as ordinary characters" };
            let header = if table.facts.has_header { "" } else { ", no header" };
            format!("delimited by {name}{quotes}{header}")
        }
    };
    let left_out = match table.problems.len() {
        0 => String::new(),
        bad => format!(", {} of which cannot be read as they should", thousands(bad as u64)),
    };
    vec![
        format!("{}: {format}, {}", table.facts.path.display(), table.facts.encoding),
        format!("columns: {}", table.column_names().join(", ")),
        format!("{}{}", count(table.rows(), "record"), left_out),
    ]
}

fn a_run(dir: &Path) -> anyhow::Result<Found> {
    let dir = std::path::absolute(dir)?;
    let name = dir.file_name().and_then(|name| name.to_str());
    let (Some(project_dir), Some(name)) = (dir.parent().and_then(Path::parent), name) else {
        return Err(anyhow!("{} is not the folder of a run: name PROJECT/runs/NAME", dir.display()));
    };
    let folder = RunFolder::open(project_dir, name)?;
    let (plan, history, report) = (folder.read_plan()?, folder.read()?, folder.read_report()?);
    let outcome = history.outcome.as_ref().map_or_else(|| "unfinished".to_owned(), ToString::to_string);
    let mut lines = vec![
        format!("run {name}: {}, {outcome}", plan.recipe.preset.title()),
        format!("model {}, on {}, seed {}", model_name(&plan.model_path), plan.device, plan.recipe.seed),
    ];
    lines.extend(history.epochs.iter().map(|point| epoch_line(&plan, point)));
    let mut metrics = serde_json::Map::new();
    for (split, tasks) in report.iter().flat_map(|report| &report.metrics) {
        lines.push(format!("on the {} rows:", split.name()));
        lines.extend(metrics_table(tasks));
        metrics.insert(split.name().to_owned(), tasks.iter().map(metrics_json).collect::<Vec<_>>().into());
    }
    let object = json!({
        "kind": "run",
        "path": dir,
        "name": name,
        "preset": plan.recipe.preset.key(),
        "model": plan.model_path,
        "device": plan.device,
        "seed": plan.recipe.seed,
        "outcome": outcome,
        "tasks": plan.tasks.iter().map(|task| json!({"task": task.name, "classes": task.classes})).collect::<Vec<_>>(),
        "epochs": history.epochs.len().saturating_sub(1),
        "metrics": metrics,
        "seconds": report.map(|report| report.seconds),
    });
    Ok(Found { lines, object })
}

fn project(dir: &Path) -> anyhow::Result<Found> {
    let project = Project::load(dir)?;
    let all = runs::list(dir)?;
    let model = project.model.as_ref().map_or_else(|| "none".to_owned(), |model| model_name(model));
    let mut lines = vec![format!("project {}", project.name), format!("model: {model}")];
    for file in &project.files {
        let split = file.split.map(|split| format!(" ({})", split.name())).unwrap_or_default();
        lines.push(format!("data: {}{split}", file.path.display()));
    }
    if let Some(mapping) = &project.mapping {
        let tasks: Vec<&str> = mapping.tasks.iter().map(|task| task.task.as_str()).collect();
        lines.push(format!("text: column \"{}\"; tasks: {}", mapping.text, tasks.join(", ")));
    }
    lines.push(format!(
        "preset: {}, {}",
        project.recipe.preset.key(),
        count(project.recipe.epochs as usize, "epoch")
    ));
    lines.push(count(all.len(), "run"));
    let accuracies = |run: &runs::RunListing| {
        run.accuracy
            .iter()
            .map(|(task, accuracy)| format!("{task} {accuracy:.3}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let rows: Vec<Vec<String>> =
        all.iter().map(|run| vec![format!("  {}", run.name), run.outcome.clone(), accuracies(run)]).collect();
    lines.extend(table(&rows));

    let files =
        project.files.iter().map(|file| json!({"path": file.path, "split": file.split.map(Split::name)}));
    let mapping = project.mapping.as_ref().map(|mapping| {
        let tasks = mapping.tasks.iter().map(|task| json!({"task": task.task, "column": task.column, "kind": task.kind.key()}));
        json!({"text": mapping.text, "second_text": mapping.second, "split_column": mapping.split, "tasks": tasks.collect::<Vec<_>>()})
    });
    let run_objects = all.iter().map(|run| {
        let accuracy = run.accuracy.iter().map(|(task, accuracy)| (task.clone(), json!(accuracy)));
        json!({
            "name": run.name,
            "preset": run.preset,
            "outcome": run.outcome,
            "accuracy": Value::Object(accuracy.collect()),
        })
    });
    let object = json!({
        "kind": "project",
        "path": dir,
        "name": project.name,
        "model": project.model,
        "files": files.collect::<Vec<_>>(),
        "mapping": mapping,
        "preset": project.recipe.preset.key(),
        "epochs": project.recipe.epochs,
        "runs": run_objects.collect::<Vec<_>>(),
    });
    Ok(Found { lines, object })
}
