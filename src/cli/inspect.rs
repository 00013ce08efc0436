//! `frostline inspect`: what a data file, a model, a run or a project holds.

use std::fs;
use std::path::Path;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::args::InspectArgs;
use super::console::{count, say, say_json, table};
use super::figures::{epoch_lines, json_key, probe_json, probe_line, run_json, run_tables};
use super::{hub, inspect_data, inspect_model, outside};
use crate::data::dataset::Split;
use crate::project::model_ref::model_name;
use crate::project::runs::{self, RunFolder};
use crate::project::{Project, file};
use crate::train::metrics::{Headline, figure_key, format_headline};
use crate::train::plan::recipe::Recipe;
use crate::train::plan::settings;
use crate::train::report::{RunReport, START_KEPT};

/// What was found, for people and for programs.
struct Found {
    lines: Vec<String>,
    object: Value,
}

pub(super) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let path = &hub::folder_of(&args.path)?;
    let is_there = |name: &str| fs::symlink_metadata(path.join(name)).is_ok();
    if is_there(file::FILE_NAME) {
        outside::require_links(path, args.trust)?;
    } else if is_there("run.toml") {
        let dir = std::path::absolute(path)?;
        outside::require_links(dir.parent().and_then(Path::parent).unwrap_or(path), args.trust)?;
    }
    let found = if !path.exists() {
        bail!("{} is not there", path.display())
    } else if path.is_file() {
        return inspect_data::run(args, path);
    } else if path.join(file::FILE_NAME).is_file() {
        project(path)?
    } else if path.join("run.toml").is_file() {
        a_run(path)?
    } else if path.join("config.json").is_file() || path.join("modules.json").is_file() {
        let (lines, object) = inspect_model::describe(path)?;
        Found { lines, object }
    } else if inspect_data::is_data(path) {
        return inspect_data::run(args, path);
    } else {
        bail!(
            "{} holds no project (frostline.toml), no run (run.toml) and no model (config.json), and no data file or \
             text file under a label either",
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

fn a_run(dir: &Path) -> anyhow::Result<Found> {
    let dir = std::path::absolute(dir)?;
    let name = dir.file_name().and_then(|name| name.to_str());
    let (Some(project_dir), Some(name)) = (dir.parent().and_then(Path::parent), name) else {
        return Err(anyhow!("{} is not the folder of a run: name PROJECT/runs/NAME", dir.display()));
    };
    let folder = RunFolder::open(project_dir, name)?;
    let (plan, mut history, report) = (folder.read_plan()?, folder.read()?, folder.read_report()?);
    history.drop_stand_ins(&plan);
    let outcome = match (&history.outcome, folder.holder()) {
        (Some(outcome), _) => outcome.to_string(),
        (None, Some(_)) => runs::RUNNING.to_owned(),
        (None, None) => "unfinished".to_owned(),
    };
    let mut lines = vec![
        format!("run {name}: {}, {outcome}", plan.recipe.title()),
        format!("model {}, on {}, seed {}", model_name(&plan.model_path), plan.device, plan.recipe.seed),
    ];
    let tasks: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    lines.extend(settings_lines(&plan.recipe, &tasks));
    lines.extend(epoch_lines(&plan, &history.epochs));
    let report = report.unwrap_or_default();
    let probes: Vec<String> = report.probes.iter().map(|probe| format!("  {}", probe_line(probe))).collect();
    if plan.epochs() == 0 && !probes.is_empty() {
        lines.push("what the embeddings alone tell:".to_owned());
        lines.extend(probes);
    }
    let mut metrics = serde_json::Map::new();
    for (split, tasks) in &report.metrics {
        lines.push(format!("on the {} rows:", split.name()));
        lines.extend(run_tables(&plan, &report, tasks));
        let tasks = tasks.iter().map(|figures| run_json(&plan, &report, figures));
        metrics.insert(split.name().to_owned(), tasks.collect::<Vec<_>>().into());
    }
    if report.keeps_the_start(&plan) {
        lines.push(START_KEPT.to_owned());
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
        "settings": settings_json(&plan.recipe, &tasks),
        "tasks": plan.tasks.iter().map(|task| json!({"task": task.name, "classes": task.classes})).collect::<Vec<_>>(),
        "epochs": history.epochs.len().saturating_sub(1),
        "kept_epoch": report.kept_epoch,
        "probes": report.probes.iter().map(probe_json).collect::<Vec<_>>(),
        "metrics": metrics,
        "seconds": (report != RunReport::default()).then_some(report.seconds),
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
    let tasks = tasks_of(&project);
    lines.extend(settings_lines(&project.recipe, &tasks));
    lines.push(count(all.len(), "run"));
    let figures = |run: &runs::RunListing| {
        let text = |figure: &Headline| {
            let value = format_headline(figure.kind, figure.value);
            format!("{} {} {value}", figure.task, figure.kind.figure())
        };
        run.figures.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let rows: Vec<Vec<String>> =
        all.iter().map(|run| vec![format!("  {}", run.name), run.outcome.clone(), figures(run)]).collect();
    lines.extend(table(&rows));

    let files =
        project.files.iter().map(|file| json!({"path": file.path, "split": file.split.map(Split::name)}));
    let mapping = project.mapping.as_ref().map(|mapping| {
        let tasks = mapping.tasks.iter().map(|task| json!({"task": task.task, "column": task.column, "kind": task.kind.key()}));
        json!({"text": mapping.text, "second_text": mapping.second, "split_column": mapping.split, "tasks": tasks.collect::<Vec<_>>()})
    });
    let run_objects = all.iter().map(|run| {
        let figures = run.figures.iter().map(|figure| {
            let key = json_key(figure_key(figure.kind));
            (figure.task.clone(), json!({key: figure.value}))
        });
        json!({
            "name": run.name,
            "preset": run.preset,
            "outcome": run.outcome,
            "figures": Value::Object(figures.collect()),
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
        "settings": settings_json(&project.recipe, &tasks),
        "runs": run_objects.collect::<Vec<_>>(),
    });
    Ok(Found { lines, object })
}

/// Tasks of a project that its mapping or its settings name.
fn tasks_of(project: &Project) -> Vec<&str> {
    let mapped = project.mapping.iter().flat_map(|mapping| &mapping.tasks).map(|task| task.task.as_str());
    let mut tasks: Vec<&str> = mapped.collect();
    let set = project.recipe.tasks.keys().map(String::as_str);
    tasks.extend(set.filter(|task| !project.mapping.iter().any(|m| m.tasks.iter().any(|t| t.task == *task))));
    tasks
}

/// What was set otherwise than the preset does by itself, a line each.
fn settings_lines(recipe: &Recipe, tasks: &[&str]) -> Vec<String> {
    let set = settings::set_differently(recipe, tasks);
    if set.is_empty() {
        return vec!["settings: those of the preset".to_owned()];
    }
    let lines = set.into_iter().map(|shown| format!("  {} = {}", shown.key, shown.value));
    std::iter::once("set differently from the preset:".to_owned()).chain(lines).collect()
}

/// Every setting with its value as text.
fn settings_json(recipe: &Recipe, tasks: &[&str]) -> Value {
    let all = settings::shown(recipe, tasks).into_iter();
    Value::Object(all.map(|shown| (shown.key, Value::from(shown.value))).collect())
}
