//! `frostline inspect` of data: a file, or a folder of them, as it was understood, with its labels and its problems.

use std::path::Path;

use serde_json::Value;

use super::args::InspectArgs;
use super::console::{ToldAsJson, count, say, say_json};
use super::init::shortened;
use crate::data::card::TaskCounts;
use crate::data::card::describe::{Description, describe, refused};
use crate::data::dataset::Split;
use crate::data::error::DataError;
use crate::data::mapping::TaskColumn;
use crate::data::read::folder::expand;
use crate::data::read::{OnProblem, ReadOptions, read_table};
use crate::data::split::{SPLIT_SEED, SplitRule};
use crate::data::table::{Format, Quoting, Table};
use crate::data::task::TaskKind;
use crate::format::numbers::thousands;
use crate::project::Project;

/// Problems that are listed to people; programs get all of them.
const SHOWN_PROBLEMS: usize = 20;

/// True for a folder with data in it.
pub(super) fn is_data(path: &Path) -> bool {
    expand(path).is_ok()
}

/// Describes the data at a path. Of what cannot be read, programs get what is known of it, and the error is told.
pub(super) fn run(args: &InspectArgs, path: &Path) -> anyhow::Result<()> {
    let tables = match read(args, path) {
        Ok(tables) => tables,
        Err(error) => {
            if args.json {
                say_json(&refused(path, &error))?;
                return Err(ToldAsJson(error.to_string()).into());
            }
            return Err(error.into());
        }
    };
    let mut lines: Vec<String> = tables.iter().flat_map(file_lines).collect();
    let problems: Vec<String> =
        tables.iter().flat_map(|table| problem_lines(table, tables.len() > 1)).collect();
    // A folder is divided as `init` would divide it; of a lone file all rows are told of, whatever its name.
    let project = Project::default();
    let rule = SplitRule { valid: project.valid_fraction, test: project.test_fraction, seed: SPLIT_SEED };
    let found = describe(tables, path.is_dir().then_some(&rule));
    if args.json {
        return Ok(say_json(&found.object)?);
    }
    lines.extend(label_lines(&found));
    lines.extend(problems);
    Ok(lines.iter().try_for_each(say)?)
}

fn read(args: &InspectArgs, path: &Path) -> Result<Vec<Table>, DataError> {
    let options = ReadOptions { on_problem: OnProblem::Skip, overrides: args.reading.overrides() };
    expand(path)?.iter().map(|file| read_table(file, &options, &|_, _| true)).collect()
}

fn file_lines(table: &Table) -> Vec<String> {
    let facts = &table.facts;
    let mut format = facts.format.title();
    if let Format::Delimited { quoting, .. } = facts.format {
        format += match quoting {
            Quoting::Doubled => "",
            Quoting::Backslash => ", quotes escaped by backslashes",
            Quoting::Literal => ", quotes as ordinary characters",
        };
        format += if facts.has_header { "" } else { ", no header" };
    }
    let packed = if facts.gzip { ", gzip" } else { "" };
    let left_out = match table.problems.len() {
        0 => String::new(),
        bad => format!(", and {} that cannot be read as they should", thousands(bad as u64)),
    };
    let mut lines = vec![
        format!("{}: {format}, {}{packed}", facts.path.display(), facts.encoding),
        format!("columns: {}", table.column_names().join(", ")),
        format!("{}{left_out}", count(table.rows(), "record")),
    ];
    lines.extend(table.notes.iter().cloned());
    lines
}

fn label_lines(found: &Description) -> Vec<String> {
    let mapping = &found.mapping;
    let mut lines = Vec::new();
    let rows = found.object.get("rows_with_text").and_then(Value::as_u64).unwrap_or_default();
    if found.card.is_some() {
        let rows = count(usize::try_from(rows).unwrap_or(usize::MAX), "row");
        lines.push(format!("text: column \"{}\" (guessed), {rows}", mapping.text));
    }
    if let Some(card) = found.card.as_ref().filter(|card| card.rows_of(Split::Train) < card.rows.iter().sum())
    {
        let [train, valid, test] = card.rows;
        lines.push(format!(
            "rows: {train} for training, {valid} for validation, {test} for test. {}",
            found.split_note
        ));
    }
    let left_out = found.card.iter().flat_map(|card| &card.sources).filter_map(|source| {
        Some(format!("left out of {}: {}", source.path.display(), source.left_out.as_ref()?))
    });
    lines.extend(left_out);
    lines.extend(mapping.second.iter().map(|second| format!("second text: column \"{second}\"")));
    lines.extend(mapping.split.iter().map(|split| format!("splits: column \"{split}\"")));
    let card = found.card.iter();
    let tasks = card.flat_map(|card| {
        mapping
            .tasks
            .iter()
            .zip(&card.tasks)
            .map(|(column, counts)| task_line(column, counts, counts.all_labelled(card.rows)))
    });
    lines.extend(tasks);
    lines.extend(found.notes.iter().cloned());
    let findings = found.object.get("findings").and_then(Value::as_array);
    lines.extend(findings.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)));
    lines
}

fn task_line(column: &TaskColumn, counts: &TaskCounts, usable: usize) -> String {
    let classes: Vec<&str> = counts.classes.iter().map(|(class, _)| class.as_str()).collect();
    let what = match column.kind {
        TaskKind::SingleLabel => shortened(&classes),
        kind if kind.has_classes() => format!("{}: {}", kind.key(), shortened(&classes)),
        kind => kind.key().to_owned(),
    };
    format!("task {}: {}, {what}", counts.task, count(usable, "usable row"))
}

fn problem_lines(table: &Table, name_file: bool) -> Vec<String> {
    let file = if name_file { format!("{}, ", table.facts.path.display()) } else { String::new() };
    let shown = table.problems.iter().take(SHOWN_PROBLEMS);
    let mut lines: Vec<String> =
        shown.map(|problem| format!("{file}line {} {}", problem.line, problem.reason)).collect();
    let more = table.problems.len().saturating_sub(SHOWN_PROBLEMS);
    if more > 0 {
        lines.push(format!("{file}and {} more; --json lists the first thousand", count(more, "problem")));
    }
    lines
}
