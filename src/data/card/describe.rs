//! Everything that is found out about data files, as one JSON object; `docs/data.md` says what the fields mean.
//!
//! It is what `frostline inspect FILE --json` prints, and what tests look at.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::sources::SourceCounts;
use super::{DataCard, TaskCounts};
use crate::data::assemble::with_notes;
use crate::data::dataset::{Dataset, Labels, Split, TaskLabels};
use crate::data::error::DataError;
use crate::data::labels::spans::SpanCount;
use crate::data::labels::{bare, is_missing};
use crate::data::mapping::{Mapping, TaskColumn, guess_of};
use crate::data::split::SplitRule;
use crate::data::table::{ByName, Format, Quoting, RowProblem, Table};
use crate::data::task::TaskKind;

/// Records that are shown.
const HEAD: usize = 5;

/// What was made of tables that belong together, before it is put into words.
pub struct Description {
    /// The mapping in force; empty where no column holds texts.
    pub mapping: Mapping,
    /// Counts and findings, where there is a data set.
    pub card: Option<DataCard>,
    /// How rows came to their splits, in a sentence.
    pub split_note: String,
    /// How rows came to their labels and what was left out, in sentences.
    pub notes: Vec<String>,
    /// All of it.
    pub object: Value,
}

/// Describes tables that belong together. Names of files and a column may say the splits; the rule draws what they do
/// not say, and without a rule all other rows count as training rows.
#[must_use]
pub fn describe(tables: Vec<Table>, rule: Option<&SplitRule>) -> Description {
    let mut files: Vec<Value> = tables.iter().map(facts).collect();
    let mut object = if files.len() == 1 { files.pop().unwrap_or_default() } else { joint(&tables, &files) };
    let mapping = guess_of(&tables.iter().collect::<Vec<_>>());
    let columns: Vec<ByName> = tables.iter().map(Table::by_name).collect();
    let markers: Vec<Value> = mapping.tasks.par_iter().map(|task| markers(task, &columns)).collect();
    drop(columns);
    let tables: Vec<(Table, Option<Split>)> = tables.into_iter().map(|table| (table, None)).collect();
    let all_in_one = SplitRule { valid: 0.0, test: 0.0, seed: 0 };
    let assembled = with_notes(&tables, Some(&mapping), rule.unwrap_or(&all_in_one));
    drop(tables);
    let name = |column: &str| if column.is_empty() { Value::Null } else { json!(column) };
    let mut more = Map::new();
    more.insert("text".into(), name(&mapping.text));
    more.insert("second_text".into(), json!(mapping.second));
    more.insert("split_column".into(), json!(mapping.split));
    let (mut card, mut notes, mut split_note) = (None, Vec::new(), String::new());
    // A file without a text is described as far as it goes.
    match assembled {
        Ok((dataset, _, said)) => {
            // How rows came to their splits is nothing that the files say.
            let mut said = said.into_iter();
            split_note = said.next().unwrap_or_default();
            notes = said.collect();
            match object.get_mut("notes").and_then(Value::as_array_mut) {
                Some(known) => known.extend(notes.iter().cloned().map(Value::from)),
                None => drop(more.insert("notes".into(), json!(notes))),
            }
            let found = if rule.is_some() { DataCard::of_splits(&dataset) } else { DataCard::of(&dataset) };
            more.insert("split_note".into(), json!(split_note));
            more.extend(of_rows(&dataset, &mapping, &found, markers));
            card = Some(found);
        }
        Err(error) => {
            more.insert("usable_rows".into(), json!(0));
            more.insert("tasks".into(), json!([]));
            more.insert("findings".into(), json!([error.to_string()]));
        }
    }
    if let Some(fields) = object.as_object_mut() {
        fields.extend(more);
    }
    Description { mapping, card, split_note, notes, object }
}

/// Describes a file that could not be read at all.
#[must_use]
pub fn refused(path: &Path, error: &DataError) -> Value {
    let mut object = match error {
        DataError::HeaderOnly { table } | DataError::NoGoodRow { table } => facts(table),
        _ => json!({"kind": "data", "path": path, "columns": [], "records": 0, "rows": 0, "problems": []}),
    };
    if let Some(fields) = object.as_object_mut() {
        fields.insert("error".into(), json!(error.to_string()));
        fields.insert("usable_rows".into(), json!(0));
        fields.insert("tasks".into(), json!([]));
    }
    object
}

/// How one file was understood.
fn facts(table: &Table) -> Value {
    let facts = &table.facts;
    let (delimiter, quoting, escape) = match facts.format {
        Format::Delimited { delimiter, quoting } => (
            json!(char::from(delimiter).to_string()),
            json!(quoting != Quoting::Literal),
            json!(quoting.key()),
        ),
        _ => (Value::Null, Value::Null, Value::Null),
    };
    let cell = |row: usize| table.columns.iter().map(|column| column.cells.get(row)).collect::<Vec<_>>();
    json!({
        "kind": "data",
        "path": facts.path,
        "format": facts.format.key(),
        "encoding": facts.encoding,
        "gzip": facts.gzip,
        "delimiter": delimiter,
        "quoting": quoting,
        "quotes": escape,
        "has_header": facts.has_header,
        "bytes": facts.stamp.bytes,
        "xxh3": facts.stamp.digest,
        "physical_lines": facts.lines,
        "columns": table.column_names(),
        "records": table.rows() + table.problems.len(),
        "rows": table.rows(),
        "problem_count": table.problems.len(),
        "problems": problems_json(&table.problems),
        "notes": table.notes,
        "head": (0..table.rows().min(HEAD)).map(cell).collect::<Vec<_>>(),
    })
}

/// Most problems that are listed; a file may consist of them.
const MOST_PROBLEMS: usize = 1000;

fn problems_json(problems: &[RowProblem]) -> Vec<Value> {
    problems
        .iter()
        .take(MOST_PROBLEMS)
        .map(|problem| json!({"line": problem.line, "reason": problem.reason}))
        .collect()
}

fn joint(tables: &[Table], files: &[Value]) -> Value {
    let mut known: HashSet<&str> = HashSet::new();
    let names = tables.iter().flat_map(|table| &table.columns).map(|column| column.name.as_str());
    let columns: Vec<&str> = names.filter(|name| known.insert(name)).collect();
    let rows: usize = tables.iter().map(Table::rows).sum();
    let bad: usize = tables.iter().map(|table| table.problems.len()).sum();
    json!({"kind": "data", "files": files, "columns": columns, "records": rows + bad, "rows": rows})
}

fn of_rows(dataset: &Dataset, mapping: &Mapping, card: &DataCard, markers: Vec<Value>) -> Map<String, Value> {
    let rows = dataset.rows();
    let usable = (0..rows).filter(|row| dataset.is_labelled(*row)).count();
    let tasks = mapping.tasks.iter().zip(&dataset.tasks).zip(card.tasks.iter().zip(markers));
    let tasks: Vec<Value> = tasks
        .zip(&card.conflicting_texts)
        .map(|(((column, labels), (counts, markers)), conflicts)| {
            task(column, labels, counts, card, (&markers, *conflicts))
        })
        .collect();
    let longest = dataset.texts.iter().flatten().max_by_key(|text| text.len());
    let findings: Vec<&str> = card.findings.iter().map(|finding| finding.text.as_str()).collect();
    [
        ("rows_with_text", json!(rows)),
        // Rows with a text and at least one label.
        ("usable_rows", json!(usable)),
        ("unlabelled_rows", json!(rows - usable)),
        ("first_text", json!(dataset.texts.get(0))),
        ("longest_chars", json!(longest.map_or(0, |text| text.chars().count()))),
        ("repeated_rows", json!(card.repeated_rows)),
        ("rows_by_split", Split::ALL.iter().map(|split| (split.name(), card.rows_of(*split))).collect()),
        ("sources", json!(card.sources.iter().map(source).collect::<Vec<_>>())),
        ("tasks", json!(tasks)),
        ("findings", json!(findings)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// What one file gives, and what of it is left out.
fn source(source: &SourceCounts) -> Value {
    let [train, valid, test] = source.rows;
    json!({"path": source.path, "train": train, "valid": valid, "test": test, "left_out": source.left_out})
}

fn task(
    column: &TaskColumn,
    labels: &TaskLabels,
    counts: &TaskCounts,
    card: &DataCard,
    (markers, conflicts): (&Value, usize),
) -> Value {
    let usable = counts.all_labelled(card.rows);
    let by_class =
        counts.classes.iter().map(|(class, rows)| (class.clone(), rows.iter().sum::<usize>().into()));
    let mut object = json!({
        "task": counts.task,
        "column": column.column,
        "kind": column.kind.key(),
        "usable_rows": usable,
        "missing_rows": card.rows.iter().sum::<usize>() - usable,
        "missing_markers": markers,
        "classes": Value::Object(by_class.collect()),
    });
    let mut more = vec![("conflicting_texts", json!(conflicts))];
    if !column.indicators.is_empty() {
        more.push(("indicators", json!(column.indicators)));
    }
    match &labels.labels {
        Labels::Number(numbers) => {
            let found = || numbers.iter().flatten().copied();
            let (lowest, highest) = (found().min_by(f32::total_cmp), found().max_by(f32::total_cmp));
            more.push(("range", json!([lowest, highest])));
        }
        Labels::Tags(_) if column.kind == TaskKind::TokenLabels => {
            let count = spans(labels);
            more.push(("entities", json!(count.entities)));
            more.push(("unstarted_tags", json!(count.unstarted)));
        }
        _ => {}
    }
    if let Some(fields) = object.as_object_mut() {
        fields.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    object
}

/// Entities of all rows.
fn spans(labels: &TaskLabels) -> SpanCount {
    let Labels::Tags(rows) = &labels.labels else { return SpanCount::default() };
    let name = |class: &u32| labels.classes.get(*class as usize).map_or("O", String::as_str);
    rows.iter().flatten().map(|tags| SpanCount::of(tags.iter().map(name))).fold(
        SpanCount::default(),
        |all, one| SpanCount {
            entities: all.entities + one.entities,
            unstarted: all.unstarted + one.unstarted,
        },
    )
}

/// What stands in cells that are read as no label, as it stands there, and how often; empty cells are not counted.
fn markers(task: &TaskColumn, tables: &[ByName]) -> Value {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for column in task.columns() {
        let cells =
            tables.iter().filter_map(|columns| columns.column(column)).flat_map(|column| column.cells.iter());
        for cell in cells.flatten().filter(|cell| !cell.is_empty() && is_missing(bare(cell))) {
            *found.entry(cell).or_default() += 1;
        }
    }
    json!(found)
}
