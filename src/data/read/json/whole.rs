//! JSON texts in which a record does not stand in one place: objects of columns, lists of lists, lists of texts.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::read::delimited::header::{column_names, first_is_header};
use crate::data::read::progress::Meter;
use crate::data::table::Column;

/// Such a text.
#[derive(Debug, PartialEq)]
pub(in crate::data) enum Whole {
    /// Names and values, all of the same length: `{"text": [..], "label": [..]}`, and as pandas writes columns.
    Columns(Vec<(String, Vec<Value>)>),
    /// Rows of cells, with their names where they are given.
    Rows(Option<Vec<String>>, Vec<Vec<Value>>),
    /// Names, and rows that have some of them.
    Objects(Vec<String>, Vec<Map<String, Value>>),
    /// Texts and nothing else.
    Texts(Vec<Value>),
}

impl Whole {
    /// What a value holds, if it is of one of these layouts.
    pub(in crate::data) fn of(value: Value) -> Option<Self> {
        match value {
            Value::Array(items) if items.iter().all(Value::is_string) => Some(Self::Texts(items)),
            Value::Array(items) => {
                let rows = rows(items)?;
                // A text and an object of its annotations is a record.
                let is_pair =
                    |row: &Vec<Value>| matches!(row.as_slice(), [Value::String(_), Value::Object(_)]);
                (!rows.first().is_some_and(is_pair)).then_some(Self::Rows(None, rows))
            }
            Value::Object(fields) => Self::of_object(fields),
            _ => None,
        }
    }

    fn of_object(mut fields: Map<String, Value>) -> Option<Self> {
        let is_split_layout = matches!(fields.get("columns"), Some(Value::Array(names)) if !names.is_empty())
            && matches!(fields.get("data"), Some(Value::Array(rows)) if rows.iter().all(Value::is_array));
        if is_split_layout {
            let names = fields.remove("columns").and_then(|names| serde_json::from_value(names).ok());
            let Some(Value::Array(data)) = fields.remove("data") else { return None };
            return rows(data).map(|rows| Self::Rows(names, rows));
        }
        let same_length = |lengths: Vec<usize>| {
            lengths.first().is_some_and(|first| *first > 0 && lengths.iter().all(|length| length == first))
        };
        let lists: Vec<usize> = fields.values().filter_map(Value::as_array).map(Vec::len).collect();
        if lists.len() == fields.len() && same_length(lists) {
            let list = |(name, value)| match value {
                Value::Array(cells) => Some((name, cells)),
                _ => None,
            };
            return fields.into_iter().map(list).collect::<Option<_>>().map(Self::Columns);
        }
        // As pandas writes a table: {"text": {"0": .., "1": ..}, ..}, or {"0": {"text": .., ..}, ..}.
        let objects: Vec<&Map<String, Value>> = fields.values().filter_map(Value::as_object).collect();
        let is_numbered = |name: &String| name.parse::<u64>().is_ok();
        if objects.len() != fields.len() || objects.is_empty() {
            return None;
        }
        if fields.keys().all(is_numbered) {
            let mut known = HashSet::new();
            let all = objects.iter().flat_map(|object| object.keys());
            let names: Vec<String> = all.filter(|name| known.insert(*name)).cloned().collect();
            let row = |(_, value)| match value {
                Value::Object(cells) => Some(cells),
                _ => None,
            };
            let rows = fields.into_iter().map(row).collect::<Option<_>>()?;
            return Some(Self::Objects(names, rows));
        }
        let lengths = objects.iter().map(|object| object.len()).collect();
        let numbered = objects.iter().all(|object| object.keys().all(is_numbered));
        if !numbered || !same_length(lengths) {
            return None;
        }
        let column = |(name, value)| match value {
            Value::Object(cells) => Some((name, cells.into_iter().map(|(_, cell)| cell).collect())),
            _ => None,
        };
        fields.into_iter().map(column).collect::<Option<_>>().map(Self::Columns)
    }

    /// The columns, the number of rows, and what to tell of them.
    ///
    /// # Errors
    /// When there are too many columns, or cells that rows do not have take more memory than the file may ask for.
    pub(in crate::data) fn into_columns(
        self,
        meter: &Meter,
    ) -> Result<(Vec<Column>, usize, Vec<String>), DataError> {
        match self {
            Self::Columns(named) => {
                let rows = named.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
                meter.take_table(named.len(), rows)?;
                let columns = named.into_iter().map(|(name, values)| {
                    let cells = values.iter().map(Some).chain(std::iter::repeat(None)).take(rows);
                    column(name, cells)
                });
                Ok((columns.collect(), rows, Vec::new()))
            }
            Self::Texts(texts) => {
                Ok((vec![column("text".to_owned(), texts.iter().map(Some))], texts.len(), Vec::new()))
            }
            Self::Objects(names, rows) => {
                meter.take_table(names.len(), rows.len())?;
                let cells = |name: String| {
                    let cells: Vec<Option<&Value>> = rows.iter().map(|row| row.get(&name)).collect();
                    column(name, cells.into_iter())
                };
                Ok((names.into_iter().map(cells).collect(), rows.len(), Vec::new()))
            }
            Self::Rows(names, rows) => from_rows(names, rows, meter),
        }
    }
}

/// A column of values; an absent one is no cell.
fn column<'v>(name: String, values: impl Iterator<Item = Option<&'v Value>>) -> Column {
    let mut cells = StrColumn::default();
    for value in values {
        match value {
            None | Some(Value::Null) => cells.push(None),
            Some(Value::String(text)) => cells.push(Some(text)),
            Some(other) => cells.push(Some(&other.to_string())),
        }
    }
    Column { name, cells }
}

fn rows(items: Vec<Value>) -> Option<Vec<Vec<Value>>> {
    let row = |item| match item {
        Value::Array(cells) => Some(cells),
        _ => None,
    };
    items.into_iter().map(row).collect()
}

fn from_rows(
    names: Option<Vec<String>>,
    mut rows: Vec<Vec<Value>>,
    meter: &Meter,
) -> Result<(Vec<Column>, usize, Vec<String>), DataError> {
    let shown = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    meter.take_table(width, rows.len())?;
    let sample: Vec<Vec<String>> = rows.iter().take(500).map(|row| row.iter().map(shown).collect()).collect();
    let names = names.unwrap_or_else(|| match sample.first() {
        Some(first) if first_is_header(&sample) => {
            rows.remove(0);
            first.clone()
        }
        _ => Vec::new(),
    });
    let header = names.iter().map(String::as_str).chain(std::iter::repeat("")).take(width);
    let columns = column_names(header)
        .into_iter()
        .enumerate()
        .map(|(index, name)| column(name, rows.iter().map(|row| row.get(index))))
        .collect();
    let uneven = rows.iter().filter(|row| row.len() != width).count();
    let note = (uneven > 0).then(|| format!("{uneven} rows have fewer cells than the others."));
    Ok((columns, rows.len(), note.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn told(text: &str) -> Option<String> {
        let go_on = |_, _| true;
        let meter = Meter::new(Path::new("a.json"), &go_on, 0);
        let (columns, rows, _) =
            Whole::of(serde_json::from_str(text).unwrap())?.into_columns(&meter).unwrap();
        let shown = columns.iter().map(|column| {
            let cells: Vec<&str> = column.cells.iter().map(|cell| cell.unwrap_or("-")).collect();
            format!("{}={}", column.name, cells.join(","))
        });
        Some(format!("{rows}: {}", shown.collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn columns_are_found_in_every_way_that_pandas_writes_them() {
        let expected = Some("2: text=a,b label=1,-".to_owned());
        for text in [
            r#"{"text": ["a", "b"], "label": [1, null]}"#,
            r#"{"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": null}}"#,
            r#"{"0": {"text": "a", "label": 1}, "1": {"text": "b", "label": null}}"#,
            r#"{"columns": ["text", "label"], "index": [0, 1], "data": [["a", 1], ["b", null]]}"#,
            r#"[["text", "label"], ["a", 1], ["b", null]]"#,
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert_eq!(told(r#"["a", "b"]"#).unwrap(), "2: text=a,b");
        assert_eq!(told(r#"{"text": "a", "labels": {"x": 1}}"#), None);
        assert_eq!(told("[1, 2]"), None);
    }
}
