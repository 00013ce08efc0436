//! Parquet: every leaf of the schema a column of text, lists as JSON, structs with dots in their names.
//!
//! Class names that a data set's features carry beside the table take the place of their numbers.

pub(in crate::data) mod cells;
mod pages;

use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;
use parquet::basic::{Repetition, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescPtr, Type};
use rayon::prelude::*;
use serde_json::Value;

use self::cells::Cells;
use super::Records;
use super::progress::Meter;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::table::{Column, Format};
use crate::files::guard;

/// True for what begins as Parquet files do.
pub(in crate::data) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PAR1")
}

/// A column of the file.
pub(in crate::data) struct Leaf {
    index: usize,
    name: String,
    pub(in crate::data) descr: ColumnDescPtr,
    /// Definition level from which on a list holds something; 0 for what is no list.
    pub(in crate::data) list_level: i16,
    /// Names of classes, by number.
    pub(in crate::data) classes: Vec<String>,
}

/// Reads all rows.
pub(in crate::data) fn read(path: &Path, bytes: &Bytes, meter: &Meter) -> Result<Records, DataError> {
    with_columns(path, guarded(path, || rows_of(bytes, None, meter))?)
}

fn with_columns(path: &Path, records: Records) -> Result<Records, DataError> {
    if records.columns.is_empty() {
        return Err(DataError::Unsupported {
            path: path.to_owned(),
            what: "a Parquet file without a column of text or numbers",
            advice: "Choose a file with a text and a label in every row",
        });
    }
    Ok(records)
}

/// Reads the same a row group at a time, and hands each over until `take` has enough.
pub(in crate::data) fn each_group(
    path: &Path,
    bytes: &Bytes,
    meter: &Meter,
    take: &mut dyn FnMut(Records) -> ControlFlow<()>,
) -> Result<(), DataError> {
    let groups = guarded(path, || Ok(SerializedFileReader::new(bytes.clone())?.num_row_groups()))?;
    // Without a group, the columns alone.
    let groups = (0..groups).map(Some).chain((groups == 0).then_some(None));
    let mut first_row = 1;
    for group in groups {
        let mut records = with_columns(path, guarded(path, || rows_of(bytes, group, meter))?)?;
        let rows = records.lines.len() as u64;
        records.lines = (first_row..first_row + rows).collect();
        first_row += rows;
        meter.free_room();
        if take(records).is_break() {
            break;
        }
    }
    Ok(())
}

/// The decoder trusts some lengths that a damaged file may get wrong, and then panics; nothing is shared with it.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, DataError> {
    let damaged = |why: String| {
        DataError::open(
            path,
            std::io::Error::other(format!("the Parquet file is damaged or cut off ({why})")),
        )
    };
    match guard::guarded(work).unwrap_or_else(|_panic| Err(Failure::Panic)) {
        Ok(done) => Ok(done),
        Err(Failure::Stopped(error)) => Err(error),
        Err(Failure::Parquet(error)) => Err(damaged(error.to_string())),
        Err(Failure::Panic) => Err(damaged("its lengths do not fit together".to_owned())),
    }
}

/// Why rows could not be read.
pub(in crate::data) enum Failure {
    /// The reading is to stop, or takes too much memory.
    Stopped(DataError),
    Parquet(parquet::errors::ParquetError),
    Panic,
}

impl From<parquet::errors::ParquetError> for Failure {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// The rows of all groups, or of one.
fn rows_of(bytes: &Bytes, group: Option<usize>, meter: &Meter) -> Result<Records, Failure> {
    let reader = SerializedFileReader::new(bytes.clone())?;
    let metadata = reader.metadata();
    let (leaves, mut notes) = leaves(metadata);
    meter.take_table(leaves.len(), 0).map_err(Failure::Stopped)?;
    let groups = group.map_or(0..reader.num_row_groups(), |group| group..group + 1);
    let pieces: Vec<(usize, &Leaf)> =
        groups.flat_map(|group| leaves.iter().map(move |leaf| (group, leaf))).collect();
    let cells = pieces
        .par_iter()
        .map(|(group, leaf)| {
            // Each on a thread of its own, where the guard around all of them does not reach.
            let piece = || {
                let group = reader.get_row_group(*group)?;
                let chunk = group.metadata().column(leaf.index);
                let (rows, size) = (group.metadata().num_rows(), chunk.compressed_size());
                let (start, length) = chunk.byte_range();
                let end = start.saturating_add(length) as usize;
                let packed = bytes.get(start as usize..end).unwrap_or_default();
                // The decoder holds a page and its packed form, of one column on each thread.
                let page = meter.lend(pages::largest_page(packed)).map_err(Failure::Stopped)?;
                let cells = cells::read(group.get_column_reader(leaf.index)?, leaf, rows, size, meter)?;
                drop(page);
                meter.let_go(packed);
                Ok(cells)
            };
            guard::guarded(piece).unwrap_or_else(|_panic| Err(Failure::Panic))
        })
        .collect::<Result<Vec<Cells>, Failure>>()?;

    let mut columns: Vec<Option<Column>> = leaves
        .iter()
        .map(|leaf| Some(Column { name: leaf.name.clone(), cells: StrColumn::default() }))
        .collect();
    // Row group after row group, each with all columns in order.
    for (piece, cells) in cells.into_iter().enumerate() {
        let Some(slot) = columns.get_mut(piece % leaves.len()) else { continue };
        match (cells, slot.as_mut()) {
            (Cells::Text(cells), Some(column)) => column.cells.append(&cells),
            (Cells::Binary, Some(column)) => {
                notes.push(format!(
                    "The column \"{}\" holds bytes and no text, and is left out.",
                    column.name
                ));
                *slot = None;
            }
            (_, None) => {}
        }
    }
    let columns: Vec<Column> = columns.into_iter().flatten().collect();
    // Those that are there, whatever the file says of their number.
    let rows = columns.first().map_or(0, |column| column.cells.len() as u64);
    Ok(Records {
        format: Format::Parquet,
        has_header: true,
        columns,
        lines: (1..=rows).collect(),
        problems: Vec::new(),
        notes,
    })
}

/// The columns that can be read, and sentences on those that cannot.
fn leaves(metadata: &ParquetMetaData) -> (Vec<Leaf>, Vec<String>) {
    let schema = metadata.file_metadata().schema_descr();
    let features = features(metadata);
    let (mut leaves, mut notes) = (Vec::new(), Vec::new());
    for (index, descr) in schema.columns().iter().enumerate() {
        let path = descr.path().parts();
        let (kept, list_level) = walk(schema.get_column_root(index), path);
        let name = kept.join(".");
        if descr.max_rep_level() > 1 {
            notes.push(format!("The column \"{name}\" holds lists of lists, and is left out."));
            continue;
        }
        if descr.physical_type() == Physical::FIXED_LEN_BYTE_ARRAY && !cells::is_number(descr) {
            notes.push(format!("The column \"{name}\" holds bytes and no text, and is left out."));
            continue;
        }
        let classes = features.as_ref().map(|features| class_names(features, &kept)).unwrap_or_default();
        leaves.push(Leaf { index, name, descr: descr.clone(), list_level, classes });
    }
    (leaves, notes)
}

/// The parts of a path that are names and not the scaffold of a list, and the definition level from which on the
/// list holds something. It starts at the column's own root: another may have the same name.
fn walk(root: &Type, path: &[String]) -> (Vec<String>, i16) {
    let (mut kept, mut level, mut list_level) = (Vec::new(), 0, 0);
    let mut at = root;
    let mut inside_list = 0;
    for (depth, part) in path.iter().enumerate() {
        if depth > 0 {
            let Some(child) = child(at, part) else { return (path.to_vec(), list_level) };
            at = child;
        }
        let info = at.get_basic_info();
        let repetition = if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED };
        level += i16::from(repetition != Repetition::REQUIRED);
        let is_repeated = repetition == Repetition::REPEATED;
        // A list is three levels deep: its name, a repeated group, the element.
        let is_scaffold = !kept.is_empty()
            && (is_repeated && matches!(part.as_str(), "list" | "bag" | "array" | "element" | "item")
                || inside_list == 1
                    && matches!(part.as_str(), "element" | "item" | "array_element" | "array"));
        inside_list = if is_repeated {
            1
        } else if inside_list == 1 {
            2
        } else {
            inside_list
        };
        if is_repeated {
            list_level = level;
        }
        if !is_scaffold {
            kept.push(part.clone());
        }
    }
    (kept, list_level)
}

fn child<'a>(group: &'a Type, name: &str) -> Option<&'a Type> {
    match group {
        Type::GroupType { fields, .. } => {
            fields.iter().find(|field| field.name() == name).map(std::convert::AsRef::as_ref)
        }
        Type::PrimitiveType { .. } => None,
    }
}

/// The features that Hugging Face's datasets write beside a table.
fn features(metadata: &ParquetMetaData) -> Option<Value> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    let text = pairs.iter().find(|pair| pair.key == "huggingface")?.value.as_ref()?;
    let mut value: Value = serde_json::from_str(text).ok()?;
    Some(value.pointer_mut("/info/features")?.take())
}

/// The names of a feature's classes, in the order of their numbers.
fn class_names(features: &Value, path: &[String]) -> Vec<String> {
    let mut at = features;
    for part in path {
        let Some(inner) = unwrapped(at).get(part) else { return Vec::new() };
        at = inner;
    }
    let names = unwrapped(at).get("names").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
}

/// The feature in a list of it.
fn unwrapped(feature: &Value) -> &Value {
    match feature {
        Value::Array(items) => items.first().map_or(feature, unwrapped),
        Value::Object(fields) => match fields.get("feature") {
            Some(inner) if fields.contains_key("_type") => unwrapped(inner),
            _ => feature,
        },
        _ => feature,
    }
}

#[cfg(test)]
mod tests;
