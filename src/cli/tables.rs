//! Files of texts and labels as the commands read them.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::args::InputArgs;
use super::console::{count, tell};
use super::progress::Progress;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::folder;
use crate::data::mapping;
use crate::data::read::{OnProblem, Overrides, ReadOptions, read_table};
use crate::data::table::Table;
use crate::project::Project;

/// Problems that are told one by one.
const SHOWN_PROBLEMS: usize = 5;

/// Reads files in order, and the tables of folders; rows that are left out are told.
pub(super) fn read_all(
    paths: &[PathBuf],
    skip_bad_rows: bool,
    overrides: &Overrides,
) -> anyhow::Result<Vec<Table>> {
    let mut tables = Vec::new();
    for path in paths {
        for file in folder::expand(path)? {
            tables.push(read_as(&file, skip_bad_rows, overrides.clone())?);
        }
    }
    Ok(tables)
}

/// Reads the files of a project, each as the project says; rows that are left out are told.
pub(super) fn read_project(project: &Project) -> anyhow::Result<Vec<Table>> {
    let mut tables = Vec::new();
    for file in &project.files {
        tables.extend(read_all(std::slice::from_ref(&file.path), project.skip_bad_rows, &file.overrides)?);
    }
    Ok(tables)
}

fn read_as(path: &Path, skip_bad_rows: bool, overrides: Overrides) -> anyhow::Result<Table> {
    let on_problem = if skip_bad_rows { OnProblem::Skip } else { OnProblem::Stop };
    let options = ReadOptions { on_problem, overrides };
    let table = read_table(path, &options, &|_, _| true).map_err(|error| match error {
        DataError::BadRows { .. } => anyhow!("{error} with --skip-bad-rows"),
        error => error.into(),
    })?;
    for problem in table.problems.iter().take(SHOWN_PROBLEMS) {
        tell(&format!("warning: {}, line {} {}: left out", path.display(), problem.line, problem.reason));
    }
    if table.problems.len() > SHOWN_PROBLEMS {
        let all = count(table.problems.len(), "row");
        tell(&format!("warning: {}: {all} left out; `frostline inspect` lists them", path.display()));
    }
    Ok(table)
}

/// The texts of a file, in its order.
pub(super) fn texts(input: &InputArgs) -> anyhow::Result<StrColumn> {
    Ok(pairs(input, None)?.0)
}

/// The same with the second texts, where they are named or easily guessed.
pub(super) fn pairs(
    input: &InputArgs,
    second: Option<&str>,
) -> anyhow::Result<(StrColumn, Option<StrColumn>)> {
    let is_plain = input.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt"));
    let (skip, said) = (input.bad_rows.skip_bad_rows, input.reading.overrides());
    let table = match (is_plain, &input.column) {
        (true, None) if said.is_empty() => read_as(&input.path, skip, Overrides::plain_lines())?,
        _ => read_as(&input.path, skip, said)?,
    };
    let guess = mapping::guess(std::slice::from_ref(&table));
    let name = input.column.clone().unwrap_or(guess.text);
    let names = table.column_names();
    let find = |name: &str| {
        let found = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            anyhow!(
                "{}: there is no column \"{name}\". The file has: {}",
                input.path.display(),
                names.join(", ")
            )
        })
    };
    let found = find(&name)?;
    let guessed = guess.second.filter(|_| input.column.is_none());
    let second = second.map(str::to_owned).or(guessed).map(|name| find(&name)).transpose()?;
    let blank = found.cells.iter().filter(|cell| cell.unwrap_or_default().trim().is_empty()).count();
    if blank > 0 {
        // Kept, so that row i of the output is row i of the file.
        tell(&format!("warning: {} without a text: kept, as the empty text", count(blank, "row")));
    }
    if input.column.is_none() && names.len() > 1 {
        tell(&format!("text column: {} (name another with --column)", found.name));
    }
    Ok((found.cells, second.map(|column| column.cells)))
}

/// A cell that may be absent, as the text it is encoded as.
pub(super) fn cells(column: &StrColumn) -> Vec<&str> {
    column.iter().map(Option::unwrap_or_default).collect()
}

/// Progress over rows.
pub(super) fn row_progress(what: &str, rows: usize) -> Progress {
    Progress::start(what, rows, "row")
}
