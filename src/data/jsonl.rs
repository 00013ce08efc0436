//! JSON lines: one object per line, its keys the columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::column::StrColumn;
use super::error::DataError;
use super::read::{PROGRESS_STRIDE, Progress, Records};
use super::table::{Column, Format, RowProblem};

/// Reads all objects; lines that are none become problems.
pub(super) fn read(body: &[u8], progress: Progress) -> Result<Records, DataError> {
    let newline = if body.contains(&b'\n') { b'\n' } else { b'\r' };
    let mut columns = Columns::default();
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let (mut done, mut reported) = (0, 0);
    for (index, raw) in body.split(|byte| *byte == newline).enumerate() {
        done += raw.len() + 1;
        let raw = raw.trim_ascii();
        if !raw.is_empty() {
            let line = index as u64 + 1;
            match object(raw) {
                Ok(object) => {
                    columns.push(object);
                    lines.push(line);
                }
                Err(reason) => problems.push(RowProblem { line, reason }),
            }
        }
        if done - reported >= PROGRESS_STRIDE {
            reported = done;
            if !progress(done.min(body.len()) as u64, body.len() as u64) {
                return Err(DataError::Cancelled);
            }
        }
    }
    let columns = columns.finish();
    Ok(Records { format: Format::JsonLines, has_header: false, columns, lines, problems })
}

fn object(line: &[u8]) -> Result<Object<'_>, String> {
    let line = std::str::from_utf8(line)
        .map_err(|error| format!("holds bytes that are not UTF-8, after byte {}", error.valid_up_to()))?;
    if !line.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok() {
        return Err("is not a JSON object".to_owned());
    }
    serde_json::from_str(line).map_err(|error| {
        // The parser sees one line only, so its line number is always 1; its column is worth telling.
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        format!("is not valid JSON: {what} at column {}", error.column())
    })
}

/// The columns so far, and where to find one by its key.
#[derive(Default)]
struct Columns<'a> {
    found: Vec<Column>,
    places: HashMap<String, usize>,
    row: Vec<Option<Cow<'a, str>>>,
    rows: usize,
}

impl<'a> Columns<'a> {
    fn push(&mut self, object: Object<'a>) {
        self.row.clear();
        self.row.resize(self.found.len(), None);
        for (position, (key, cell)) in object.0.into_iter().enumerate() {
            let place = self.place(position, &key);
            if let Some(slot) = self.row.get_mut(place) {
                *slot = cell;
            }
        }
        for (column, cell) in self.found.iter_mut().zip(&self.row) {
            column.cells.push(cell.as_deref());
        }
        self.rows += 1;
    }

    /// Objects mostly have their keys in the same order, so the column at the same place is tried first.
    fn place(&mut self, position: usize, key: &str) -> usize {
        if self.found.get(position).is_some_and(|column| column.name == key) {
            return position;
        }
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let mut cells = StrColumn::default();
        for _ in 0..self.rows {
            cells.push(None);
        }
        self.found.push(Column { name: key.to_owned(), cells });
        self.places.insert(key.to_owned(), self.found.len() - 1);
        self.row.push(None);
        self.found.len() - 1
    }

    /// The columns, their names trimmed as those of any table.
    fn finish(self) -> Vec<Column> {
        let mut columns = self.found;
        for index in 0..columns.len() {
            let trimmed = columns.get(index).map(|column| column.name.trim().to_owned()).unwrap_or_default();
            let taken = columns.iter().any(|column| column.name == trimmed);
            if let (false, Some(column)) = (taken || trimmed.is_empty(), columns.get_mut(index)) {
                column.name = trimmed;
            }
        }
        columns
    }
}

/// Keys and cells of one line.
struct Object<'a>(Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object<'de>;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(Cell(key)) = map.next_key()? {
                    let Cell(value) = map.next_value()?;
                    pairs.push((key.unwrap_or_default(), value));
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// One value as the text of a cell: strings as they are, `null` as no cell, all else as compact JSON.
struct Cell<'a>(Option<Cow<'a, str>>);

impl Cell<'_> {
    fn of<T: ToString>(value: &T) -> Self {
        Self(Some(Cow::Owned(value.to_string())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Cell<'de>;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a value")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cell(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cell(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Cell(Some(Cow::Owned(text))))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Cell(None))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Cell::of(&value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Cell::of(&value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Cell::of(&value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Cell::of(&Value::from(value)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                Ok(Cell::of(&Value::deserialize(SeqAccessDeserializer::new(items))?))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Cell::of(&Value::deserialize(MapAccessDeserializer::new(map))?))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}
