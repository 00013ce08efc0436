//! Label Studio's whole export: the labels of a record lie in a list of annotations, each a list of results.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{column_of, sample};
use crate::data::labels::literal::nested;
use crate::data::labels::named::shown;
use crate::data::labels::offsets;
use crate::data::table::Column;

/// Columns that hold such lists; `completions` is what earlier versions called them.
const NAMES: [&str; 2] = ["annotations", "completions"];

/// Most columns that the results of a file may name.
const MOST_COLUMNS: usize = 100;

/// What a record's results say under one name.
#[derive(Default)]
struct Said {
    choices: Vec<String>,
    places: Vec<Value>,
    number: Option<String>,
}

/// Labels of a file by the names of their controls, row by row.
#[derive(Default)]
struct Results {
    names: Vec<String>,
    rows: Vec<Vec<(usize, Said)>>,
    /// Records that several people annotated.
    several: usize,
}

/// Takes the labels out of the annotations and into columns of their own.
pub(super) fn spread(columns: &mut Vec<Column>, notes: &mut Vec<String>) {
    for name in NAMES {
        let Some(at) = columns.iter().position(|column| column.name == name) else { continue };
        let Some(column) = columns.get(at) else { continue };
        let has_results = |cell: &&&str| nested(cell).is_some_and(|value| results(&value).is_some());
        let cells = sample(column);
        if cells.is_empty() || cells.iter().filter(has_results).count() * 2 < cells.len() {
            continue;
        }
        let column = columns.remove(at);
        let mut all = Results::default();
        for cell in column.cells.iter() {
            all.take(cell.and_then(nested).as_ref());
        }
        if all.several > 0 {
            notes.push(format!(
                "{} annotated more than once: the first annotation is read.",
                if all.several == 1 {
                    "1 record is".to_owned()
                } else {
                    format!("{} records are", all.several)
                }
            ));
        }
        // What a model guessed is no label.
        columns.retain(|column| column.name != "predictions");
        for (place, column) in all.columns(columns).into_iter().enumerate() {
            columns.insert((at + place).min(columns.len()), column);
        }
    }
}

/// The results of the first annotation that was not skipped, and how many annotations there are.
fn results(value: &Value) -> Option<(&Vec<Value>, usize)> {
    let all = value.as_array()?;
    let skipped = |annotation: &Value| {
        ["was_cancelled", "skipped"].iter().any(|key| annotation.get(*key) == Some(&Value::Bool(true)))
    };
    let mut kept = all.iter().filter(|annotation| !skipped(annotation));
    let count = kept.clone().count();
    let first = kept.next().or_else(|| all.first())?;
    let results = first.get("result")?.as_array()?;
    Some((results, count))
}

impl Results {
    fn take(&mut self, cell: Option<&Value>) {
        let mut row: Vec<(usize, Said)> = Vec::new();
        let found = cell.and_then(results).filter(|(_, count)| *count > 0);
        self.several += usize::from(found.is_some_and(|(_, count)| count > 1));
        for result in found.map(|(results, _)| results).into_iter().flatten() {
            let name = result.get("from_name").and_then(Value::as_str).unwrap_or("label");
            let Some(value) = result.get("value").and_then(Value::as_object) else { continue };
            let Some(place) = self.place(name) else { continue };
            if row.iter().all(|(known, _)| *known != place) {
                row.push((place, Said::default()));
            }
            if let Some((_, said)) = row.iter_mut().find(|(known, _)| *known == place) {
                said.take(result, value);
            }
        }
        if found.is_some() {
            // Annotated, and nothing marked: no entity, no choice.
            for place in 0..self.names.len() {
                if row.iter().all(|(known, _)| *known != place) {
                    row.push((place, Said::default()));
                }
            }
        }
        self.rows.push(row);
    }

    fn place(&mut self, name: &str) -> Option<usize> {
        let known = self.names.iter().position(|known| known == name);
        known.or_else(|| {
            (self.names.len() < MOST_COLUMNS).then(|| {
                self.names.push(name.to_owned());
                self.names.len() - 1
            })
        })
    }

    fn columns(self, others: &[Column]) -> Vec<Column> {
        let mut columns = Vec::new();
        for (place, name) in self.names.iter().enumerate() {
            let said = || {
                self.rows
                    .iter()
                    .map(|row| row.iter().find(|(known, _)| *known == place).map(|(_, said)| said))
            };
            let has_places = said().flatten().any(|said| !said.places.is_empty());
            let has_several = said().flatten().any(|said| said.choices.len() > 1);
            let is_list = has_places || has_several;
            let cell = |said: Option<&Said>| -> Option<Cow<str>> {
                let said = said?;
                if has_places {
                    return Some(Value::Array(said.places.clone()).to_string().into());
                }
                if let Some(number) = &said.number {
                    return Some(number.clone().into());
                }
                if is_list {
                    return serde_json::to_string(&said.choices).ok().map(Into::into);
                }
                said.choices.first().map(|choice| choice.clone().into())
            };
            let cells: Vec<_> = said().map(cell).collect();
            let taken = others.iter().any(|column| column.name == *name);
            let name = if taken { format!("{name} (annotated)") } else { name.clone() };
            columns.push(column_of(&name, cells.into_iter()));
        }
        columns
    }
}

impl Said {
    fn take(&mut self, result: &Value, value: &Map<String, Value>) {
        if offsets::are_places(&Value::Array(vec![result.clone()])) {
            return self.places.push(result.clone());
        }
        for key in ["choices", "taxonomy", "labels", "rating", "number"] {
            match value.get(key) {
                Some(Value::Array(items)) => self.choices.extend(items.iter().map(path)),
                Some(Value::Number(number)) => self.number = Some(number.to_string()),
                _ => {}
            }
        }
    }
}

/// A choice, or the path to one in a taxonomy.
fn path(item: &Value) -> String {
    match item {
        Value::Array(parts) => parts.iter().map(shown).collect::<Vec<_>>().join(" > "),
        other => shown(other),
    }
}
