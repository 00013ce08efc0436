//! Columns whose cells have a shape of their own become columns of labels: the exports of annotation tools, choices that
//! are an object in some rows, places given by lists side by side, texts in pieces.
//!
//! It looks at a sample of every column's cells, and touches only those that have such a shape.

mod label_studio;

use serde_json::Value;

use self::label_studio::spread;
use crate::data::column::StrColumn;
use crate::data::labels::list_cell::items;
use crate::data::labels::literal::{may_be_nested, nested};
use crate::data::labels::named::labels;
use crate::data::labels::offsets;
use crate::data::mapping::names_labels;
use crate::data::table::Column;

/// Cells of a column that are looked at.
const SAMPLE: usize = 100;

/// Keys under which a choice lies where it is not the cell itself.
const CHOICES: [&str; 4] = ["choices", "choice", "taxonomy", "labels"];

/// Names of texts that are put together from pieces.
const PIECES: [&str; 4] = ["text", "content", "value", "token"];

/// No tool writes a file of more columns; each is compared with the others here.
const MOST_COLUMNS: usize = 2000;

/// Gives columns of such shapes their labels.
pub(in crate::data) fn settle(columns: &mut Vec<Column>, notes: &mut Vec<String>) {
    if columns.len() > MOST_COLUMNS {
        return;
    }
    spread(columns, notes);
    join_choices(columns);
    zip_places(columns);
    join_pieces(columns, notes);
    for column in columns.iter_mut() {
        name_labels(column);
    }
    prodigy(columns, notes);
}

/// The first cells of a column that hold something, as the lists and objects they may be.
fn sample(column: &Column) -> Vec<&str> {
    let filled = column.cells.iter().flatten().map(str::trim).filter(|cell| !cell.is_empty());
    // A column of prose begins with it.
    let mut cells = Vec::new();
    for cell in filled.take(SAMPLE * 20) {
        if may_be_nested(cell) {
            cells.push(cell);
            if cells.len() == SAMPLE {
                break;
            }
        }
    }
    cells
}

/// A column made cell by cell.
fn column_of<'a>(name: &str, cells: impl Iterator<Item = Option<std::borrow::Cow<'a, str>>>) -> Column {
    let mut column = Column { name: name.to_owned(), cells: StrColumn::default() };
    cells.for_each(|cell| column.cells.push(cell.as_deref()));
    column
}

/// Label Studio writes one choice as its name and several as `{"choices": [..]}`: in JSON they come as `topic` and
/// `topic.choices`, which are one column.
fn join_choices(columns: &mut Vec<Column>) {
    let found: Vec<(String, String)> = columns
        .iter()
        .filter_map(|column| {
            let (of, key) = column.name.rsplit_once('.')?;
            let siblings = columns.iter().filter(|other| other.name.starts_with(&format!("{of}."))).count();
            (CHOICES.contains(&key) && siblings == 1).then(|| (of.to_owned(), column.name.clone()))
        })
        .collect();
    for (of, name) in found {
        let Some(at) = columns.iter().position(|column| column.name == name) else { continue };
        let place = columns.iter().position(|column| column.name == of);
        let Some(place) = place else {
            // A name with a dot that nothing else has: an object in every row.
            if let (Some(column), true) = (columns.get_mut(at), name.ends_with(".choices")) {
                column.name = of;
            }
            continue;
        };
        let several = columns.remove(at);
        let place = if place > at { place - 1 } else { place };
        let Some(column) = columns.get_mut(place) else { continue };
        let clash = column
            .cells
            .iter()
            .zip(several.cells.iter())
            .any(|(one, other)| one.is_some_and(|cell| !cell.trim().is_empty()) && other.is_some());
        if clash {
            columns.insert(at, several);
            continue;
        }
        let cells = column.cells.iter().zip(several.cells.iter()).map(|(one, other)| other.or(one));
        *column = column_of(&of, cells.map(|cell| cell.map(Into::into)).collect::<Vec<_>>().into_iter());
    }
}

/// `spans.start`, `spans.end` and `spans.label`, lists side by side, as columns of structs come: one column of places.
fn zip_places(columns: &mut Vec<Column>) {
    let stems: Vec<String> = columns
        .iter()
        .filter_map(|column| column.name.rsplit_once('.').map(|(stem, _)| stem.to_owned()))
        .collect();
    let mut seen = Vec::new();
    for stem in stems {
        if seen.contains(&stem) || columns.iter().any(|column| column.name == stem) {
            continue;
        }
        seen.push(stem.clone());
        let members: Vec<(String, usize)> = columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| {
                let key = column.name.strip_prefix(&stem)?.strip_prefix('.')?;
                let are_lists = sample(column).iter().take(3).any(|cell| cell.starts_with('['));
                (!key.contains('.') && are_lists).then(|| (key.to_owned(), at))
            })
            .collect();
        if members.len() < 3 {
            continue;
        }
        let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
        let row_of = |row: usize| -> Option<String> {
            let lists: Vec<(&str, Vec<Value>)> = members
                .iter()
                .filter_map(|(key, at)| {
                    let cell = columns.get(*at)?.cells.get(row)?;
                    Some((key.as_str(), serde_json::from_str(cell).ok()?))
                })
                .collect();
            let (_, first) = lists.first()?;
            let item = |place: usize| {
                let fields = lists
                    .iter()
                    .filter_map(|(key, list)| Some(((*key).to_owned(), list.get(place)?.clone())));
                Value::Object(fields.collect())
            };
            Some(Value::Array((0..first.len()).map(item).collect()).to_string())
        };
        let cells: Vec<Option<String>> = (0..rows).map(row_of).collect();
        let mut filled = cells.iter().flatten().filter(|cell| *cell != "[]").take(SAMPLE).peekable();
        if filled.peek().is_none() || !filled.all(|cell| offsets::places(cell).is_some()) {
            continue;
        }
        let column = column_of(&stem, cells.into_iter().map(|cell| cell.map(Into::into)));
        let first = members.iter().map(|(_, at)| *at).min().unwrap_or(0);
        let gone: Vec<usize> = members.into_iter().map(|(_, at)| at).collect();
        let mut at = 0;
        columns.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
        columns.insert(first.min(columns.len()), column);
    }
}

/// `[{"text": "add "}, {"text": "tea", "entity": "drink"}]`: pieces of a text, some of them entities.
fn join_pieces(columns: &mut Vec<Column>, notes: &mut Vec<String>) {
    let has_prose = columns.iter().any(|column| {
        let mut cells = column.cells.iter().flatten().filter(|cell| !cell.trim().is_empty()).take(SAMPLE);
        cells.any(|cell| cell.contains(' ') && !may_be_nested(cell.trim()))
    });
    if has_prose {
        return;
    }
    let are_pieces = |column: &&Column| {
        let cells = sample(column);
        !cells.is_empty() && cells.iter().all(|cell| pieces(cell).is_some())
    };
    let Some(name) = columns.iter().find(are_pieces).map(|column| column.name.clone()) else { return };
    let Some(at) = columns.iter().position(|column| column.name == name) else { return };
    let column = columns.remove(at);
    let (mut texts, mut places) = (StrColumn::default(), StrColumn::default());
    let mut has_places = false;
    for cell in column.cells.iter() {
        let found = cell.and_then(pieces);
        texts.push(found.as_ref().map(|(text, _)| text.as_str()));
        has_places |= found.as_ref().is_some_and(|(_, places)| !places.is_empty());
        places.push(found.map(|(_, places)| Value::Array(places).to_string()).as_deref());
    }
    let free = |name: &str| {
        if columns.iter().any(|column| column.name == name) {
            format!("{name} (joined)")
        } else {
            name.to_owned()
        }
    };
    let (text, entities) = (free("text"), free("entities"));
    notes.push(format!("The texts are in pieces in \"{name}\", which are joined into \"{text}\"."));
    if has_places {
        columns.insert(at, Column { name: entities, cells: places });
    }
    columns.insert(at, Column { name: text, cells: texts });
}

/// The text of a cell of pieces, and the places of its entities.
fn pieces(cell: &str) -> Option<(String, Vec<Value>)> {
    let Value::Array(all) = nested(cell)? else { return None };
    let (mut text, mut places) = (String::new(), Vec::new());
    for piece in &all {
        let fields = piece.as_object()?;
        let part = PIECES.iter().find_map(|key| fields.get(*key)?.as_str())?;
        let start = text.chars().count();
        text.push_str(part);
        let name = ["entity", "slot", "slot_name", "label", "type"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_str());
        if let Some(name) = name {
            places.push(serde_json::json!([start, text.chars().count(), name]));
        }
        if fields.contains_key("start") || fields.contains_key("role") {
            return None;
        }
    }
    (!all.is_empty()).then_some((text, places))
}

/// Objects in a column of labels become the labels that they stand for: lists of them, or bare names where every cell
/// has one.
fn name_labels(column: &mut Column) {
    let cells = sample(column);
    let objects: Vec<&&str> = cells.iter().filter(|cell| cell.contains('{') || cell.contains("[[")).collect();
    let is_plain = objects.is_empty() || !names_labels(&column.name);
    if is_plain || !cells.iter().all(|cell| nested(cell).is_some_and(|value| labels(&value).is_some())) {
        return;
    }
    let read = |cell: &str| nested(cell).and_then(|value| labels(&value));
    let all: Vec<Option<Vec<String>>> = column.cells.iter().map(|cell| cell.and_then(read)).collect();
    let is_single = all.iter().flatten().all(|labels| labels.len() == 1);
    let cell = |(labels, cell): (Option<Vec<String>>, Option<&str>)| match labels {
        None => cell.map(|cell| cell.to_owned().into()),
        Some(labels) if is_single => labels.into_iter().next().map(Into::into),
        // Strings can always be written as JSON.
        Some(labels) => serde_json::to_string(&labels).ok().map(Into::into),
    };
    let cells: Vec<_> = all.into_iter().zip(column.cells.iter()).map(cell).collect();
    *column = column_of(&column.name, cells.into_iter());
}

/// Prodigy's answers: an example that was rejected or ignored does not have its labels.
fn prodigy(columns: &mut Vec<Column>, notes: &mut Vec<String>) {
    const OF_LABELS: [&str; 4] = ["label", "accept", "spans", "labels"];
    let Some(at) = columns.iter().position(|column| column.name == "answer") else { return };
    let is_answer = |cell: &str| matches!(cell, "accept" | "reject" | "ignore");
    let has_labels = columns.iter().any(|column| OF_LABELS.contains(&column.name.as_str()));
    let Some(answers) = columns.get(at) else { return };
    if !has_labels
        || answers.cells.is_empty()
        || !answers.cells.iter().all(|cell| cell.is_some_and(is_answer))
    {
        return;
    }
    let answers = columns.remove(at);
    let refused = answers.cells.iter().filter(|cell| *cell != Some("accept")).count();
    if refused > 0 {
        notes.push(format!(
            "{refused} of the {} answers are \"reject\" or \"ignore\": these rows have no label.",
            answers.cells.len()
        ));
        for column in columns.iter_mut().filter(|column| OF_LABELS.contains(&column.name.as_str())) {
            let cells = column.cells.iter().zip(answers.cells.iter());
            let cells = cells.map(|(cell, answer)| cell.filter(|_| answer == Some("accept")).map(Into::into));
            *column = column_of(&column.name, cells.collect::<Vec<_>>().into_iter());
        }
    }
    let is_free = columns.iter().all(|column| column.name != "label");
    if let Some(column) = columns.iter_mut().find(|column| column.name == "accept").filter(|_| is_free) {
        let one_each =
            column.cells.iter().flatten().all(|cell| items(cell).is_some_and(|items| items.len() == 1));
        if one_each {
            let cells =
                column.cells.iter().map(|cell| cell.and_then(items)?.into_iter().next().map(Into::into));
            *column = column_of("label", cells.collect::<Vec<_>>().into_iter());
        }
        "label".clone_into(&mut column.name);
    }
    columns.retain(|column| column.name != "options");
}
