//! Files of texts and labels as the commands read them.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::args::InputArgs;
use super::console::{count, tell};
use super::interrupt;
use super::progress::Progress;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::mapping;
use crate::data::read::blocks::Blocks;
use crate::data::read::folder;
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
    let options = ReadOptions { on_problem: on_problem(skip_bad_rows), overrides };
    let table = read_table(path, &options, &|_, _| goes_on()).map_err(in_words)?;
    tell_problems(path, &table);
    Ok(table)
}

const fn on_problem(skip_bad_rows: bool) -> OnProblem {
    if skip_bad_rows { OnProblem::Skip } else { OnProblem::Stop }
}

fn in_words(error: DataError) -> anyhow::Error {
    match error {
        DataError::BadRows { .. } => anyhow!("{error} with --skip-bad-rows"),
        DataError::Cancelled => interrupt::or_interrupted(error.into()),
        error => error.into(),
    }
}

/// Rows that were left out, the first of them one by one.
fn tell_problems(path: &Path, table: &Table) {
    for problem in table.problems.iter().take(SHOWN_PROBLEMS) {
        tell(&format!("warning: {}, line {} {}: left out", path.display(), problem.line, problem.reason));
    }
    if table.problems.len() > SHOWN_PROBLEMS {
        let all = count(table.problems.len(), "row");
        tell(&format!("warning: {}: {all} left out; `frostline inspect` lists them", path.display()));
    }
}

/// Takes texts, and their partners where there are any.
type Take<'a> = dyn FnMut(&[&str], Option<&[&str]>) -> anyhow::Result<()> + 'a;

/// The texts of a file, read as they are needed.
pub(super) struct Texts {
    blocks: Blocks<'static>,
    /// Column of the texts, and of their partners where they are named or easily guessed.
    text: String,
    second: Option<String>,
    /// Rows of the file.
    rows: usize,
}

impl Texts {
    /// Opens a file and reads it through once: which column it is, how many rows there are, what is wrong with them.
    pub(super) fn open(input: &InputArgs, second: Option<&str>) -> anyhow::Result<Self> {
        let is_plain = input.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt"));
        let said = input.reading.overrides();
        let overrides = match (is_plain, &input.column) {
            (true, None) if said.is_empty() => Overrides::plain_lines(),
            _ => said,
        };
        let options = ReadOptions { on_problem: on_problem(input.bad_rows.skip_bad_rows), overrides };
        let mut blocks = Blocks::open(&input.path, &options, &goes_on).map_err(in_words)?;
        let mut survey = blocks.survey().map_err(in_words)?;
        let sample = std::slice::from_ref(&survey.sample);
        tell_problems(&input.path, &survey.sample);
        let guess = mapping::guess(sample);
        let name = input.column.clone().unwrap_or(guess.text);
        let names = survey.sample.column_names();
        let find = |name: &str| {
            names.iter().find(|known| known.eq_ignore_ascii_case(name)).cloned().ok_or_else(|| {
                anyhow!(
                    "{}: there is no column \"{name}\". The file has: {}",
                    input.path.display(),
                    names.join(", ")
                )
            })
        };
        let text = find(&name)?;
        let guessed = guess.second.filter(|_| input.column.is_none());
        let second = second.map(str::to_owned).or(guessed).map(|name| find(&name)).transpose()?;
        if ![Some(&text), second.as_ref()].into_iter().flatten().all(|name| survey.is_as_read(name)) {
            blocks = blocks.whole().map_err(in_words)?;
            survey = blocks.survey().map_err(in_words)?;
        }
        let blank = survey.blank(&text);
        if blank > 0 {
            // Kept, so that row i of the output is row i of the file.
            tell(&format!("warning: {} without a text: kept, as the empty text", count(blank, "row")));
        }
        if input.column.is_none() && names.len() > 1 {
            tell(&format!("text column: {text} (name another with --column)"));
        }
        Ok(Self { blocks, text, second, rows: survey.rows })
    }

    /// Rows of the file.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there is a column of second texts.
    pub(super) const fn has_second(&self) -> bool {
        self.second.is_some()
    }

    /// Hands over the texts of a range of rows, `most` at a time, with their partners where there are any.
    pub(super) fn each(&self, range: Range<usize>, most: usize, take: &mut Take<'_>) -> anyhow::Result<()> {
        let (mut held, mut row, mut outcome) = (Held::default(), 0, Ok(()));
        let mut pass_on = |held: &mut Held| {
            let done = take(&held.texts(), self.second.is_some().then(|| held.partners()).as_deref());
            held.clear();
            done
        };
        self.blocks
            .each(&mut |block| {
                let columns = [Some(&self.text), self.second.as_ref()];
                let [text, second] = columns.map(|name| name.and_then(|name| cells_of(block, name)));
                let rows = row..row + block.rows();
                row = rows.end;
                let wanted = rows.start.max(range.start)..rows.end.min(range.end);
                for index in wanted.map(|row| row - rows.start) {
                    held.push(
                        text.and_then(|cells| cells.get(index)),
                        second.and_then(|cells| cells.get(index)),
                    );
                    if held.rows() == most {
                        outcome = pass_on(&mut held);
                        if outcome.is_err() {
                            return ControlFlow::Break(());
                        }
                    }
                }
                if row < range.end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .map_err(in_words)?;
        outcome?;
        if held.rows() > 0 { pass_on(&mut held) } else { Ok(()) }
    }
}

fn cells_of<'t>(block: &'t Table, name: &str) -> Option<&'t StrColumn> {
    block.columns.iter().find(|column| column.name == name).map(|column| &column.cells)
}

/// Texts that wait to be encoded together. A cell that is absent is the empty text.
#[derive(Default)]
struct Held {
    texts: StrColumn,
    second: StrColumn,
}

impl Held {
    fn push(&mut self, text: Option<&str>, second: Option<&str>) {
        self.texts.push(Some(text.unwrap_or_default()));
        self.second.push(Some(second.unwrap_or_default()));
    }

    fn rows(&self) -> usize {
        self.texts.len()
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(Option::unwrap_or_default).collect()
    }

    fn partners(&self) -> Vec<&str> {
        self.second.iter().map(Option::unwrap_or_default).collect()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

fn goes_on() -> bool {
    !interrupt::is_asked()
}

/// Progress over rows.
pub(super) fn row_progress(what: &str, rows: usize) -> Progress {
    Progress::start(what, rows, "row")
}
