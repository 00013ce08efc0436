//! The values of one Parquet column as cells of text.

use std::fmt::Write as _;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::ParquetError;
use parquet::record::Field;
use parquet::schema::types::ColumnDescriptor;

use super::{Failure, Leaf};
use crate::data::column::StrColumn;
use crate::data::read::progress::Meter;

/// Rows that are read at once.
const BATCH: usize = 8192;

/// More than a column of a file takes; a damaged file may say anything.
const MOST_BYTES: i64 = 1 << 40;

/// What a column turned out to hold.
pub(in crate::data) enum Cells {
    Text(StrColumn),
    /// Bytes that are no text and are not said to be.
    Binary,
}

/// True for bytes of fixed length that are a number.
pub(in crate::data) fn is_number(descr: &ColumnDescriptor) -> bool {
    descr.converted_type() == ConvertedType::DECIMAL
        || descr.logical_type_ref() == Some(&LogicalType::Float16)
}

/// Reads a column of one row group: `rows` of them, `bytes` in the file.
pub(in crate::data) fn read(
    reader: ColumnReader,
    leaf: &Leaf,
    rows: i64,
    bytes: i64,
    meter: &Meter,
) -> Result<Cells, Failure> {
    let work = Work { leaf, rows: rows.max(0) as usize, bytes: bytes.clamp(0, MOST_BYTES) as usize, meter };
    match reader {
        ColumnReader::BoolColumnReader(reader) => work.column(reader, |_, value, out| shown(value, out)),
        ColumnReader::Int32ColumnReader(reader) => work.column(reader, int32),
        ColumnReader::Int64ColumnReader(reader) => work.column(reader, int64),
        ColumnReader::Int96ColumnReader(reader) => work.column(reader, int96),
        ColumnReader::FloatColumnReader(reader) => work.column(reader, |_, value, out| shown(value, out)),
        ColumnReader::DoubleColumnReader(reader) => work.column(reader, |_, value, out| shown(value, out)),
        ColumnReader::ByteArrayColumnReader(reader) => work.column_of(reader, text, plain_text),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => work.column(reader, fixed),
    }
}

/// A value that has no text.
struct NoText;

type ToText<T> = fn(&Leaf, &T, &mut String) -> Result<(), NoText>;

struct Work<'a> {
    leaf: &'a Leaf,
    rows: usize,
    bytes: usize,
    meter: &'a Meter<'a>,
}

impl Work<'_> {
    fn column<T: DataType>(
        &self,
        reader: ColumnReaderImpl<T>,
        to_text: ToText<T::T>,
    ) -> Result<Cells, Failure> {
        self.column_of(reader, to_text, |_, _| None)
    }

    /// The same with a shorter way for values that are text as they are.
    fn column_of<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        to_text: ToText<T::T>,
        as_is: for<'v> fn(&Leaf, &'v T::T) -> Option<&'v str>,
    ) -> Result<Cells, Failure> {
        let most = self.leaf.descr.max_def_level();
        let mut cells = StrColumn::default();
        let mut list = List::default();
        let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        let mut text = String::new();
        let mut room = Room { meter: self.meter, untold: 0 };
        loop {
            values.clear();
            defined.clear();
            repeated.clear();
            let (records, _, levels) =
                reader.read_records(BATCH, Some(&mut defined), Some(&mut repeated), &mut values)?;
            if records == 0 && levels == 0 {
                break;
            }
            let mut values = values.iter();
            let levels = if most == 0 { values.len() } else { defined.len() };
            for at in 0..levels {
                let level = defined.get(at).copied().unwrap_or(most);
                text.clear();
                let value = if level == most { values.next() } else { None };
                if self.leaf.list_level == 0
                    && let Some(plain) = value.and_then(|value| as_is(self.leaf, value))
                {
                    room.take(plain.len())?;
                    cells.push(Some(plain));
                    continue;
                }
                if let Some(value) = value
                    && to_text(self.leaf, value, &mut text).is_err()
                {
                    return Ok(Cells::Binary);
                }
                let cell = value.map(|_| text.as_str()).filter(|_| !self.is_no_class(&text));
                room.take(text.len())?;
                if self.leaf.list_level == 0 {
                    cells.push(cell);
                    continue;
                }
                if repeated.get(at) == Some(&0) {
                    list.end(&mut cells);
                }
                list.take(cell, level, self.leaf.list_level, self.is_quoted());
            }
            room.tell()?;
            let share = self.bytes * records / self.rows.max(1);
            self.meter.advance(share).map_err(Failure::Stopped)?;
        }
        if self.leaf.list_level > 0 {
            list.end(&mut cells);
        }
        // A column of another length than the others would shift its rows; and what a damaged file says of its length
        // may be more than any memory.
        if cells.len() != self.rows {
            let path = self.leaf.descr.path();
            let reason = format!("column {path} holds {} rows of {}", cells.len(), self.rows);
            return Err(ParquetError::General(reason).into());
        }
        // So that the column it becomes a part of shares it.
        cells.seal();
        Ok(Cells::Text(cells))
    }

    /// Class -1 is how datasets hide a label.
    fn is_no_class(&self, text: &str) -> bool {
        !self.leaf.classes.is_empty() && text == "-1"
    }

    /// Whether elements of a list are strings in JSON.
    fn is_quoted(&self) -> bool {
        let physical = self.leaf.descr.physical_type();
        !self.leaf.classes.is_empty()
            || matches!(physical, Physical::BYTE_ARRAY | Physical::INT96)
            || is_time(&self.leaf.descr)
    }
}

/// Memory for cells: what a file repeats in a few bytes takes its whole length in each of them.
struct Room<'a> {
    meter: &'a Meter<'a>,
    /// Bytes that the meter has not heard of.
    untold: usize,
}

impl Room<'_> {
    fn take(&mut self, text: usize) -> Result<(), Failure> {
        const OFTEN: usize = 1 << 20;
        // Each cell has an end as well, and each value in a list a comma and quotes.
        self.untold += text + size_of::<u32>();
        if self.untold < OFTEN { Ok(()) } else { self.tell() }
    }

    fn tell(&mut self) -> Result<(), Failure> {
        self.meter.take_room(std::mem::take(&mut self.untold)).map_err(Failure::Stopped)
    }
}

/// A list that is being written as JSON.
#[derive(Default)]
struct List {
    text: String,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    /// Before the first row.
    #[default]
    None,
    /// The row has no list.
    Absent,
    /// The row has one, perhaps empty.
    Open,
}

impl List {
    fn take(&mut self, cell: Option<&str>, level: i16, list_level: i16, is_quoted: bool) {
        if level < list_level - 1 {
            self.state = State::Absent;
            return;
        }
        if self.state != State::Open {
            self.state = State::Open;
            self.text.push('[');
        }
        if level < list_level {
            return;
        }
        if self.text.len() > 1 {
            self.text.push(',');
        }
        match cell {
            None => self.text.push_str("null"),
            Some(cell) if is_quoted => {
                // Strings can always be written as JSON.
                self.text.push_str(&serde_json::to_string(cell).unwrap_or_default());
            }
            Some(cell) => self.text.push_str(cell),
        }
    }

    fn end(&mut self, cells: &mut StrColumn) {
        match self.state {
            State::None => {}
            State::Absent => cells.push(None),
            State::Open => {
                self.text.push(']');
                cells.push(Some(&self.text));
            }
        }
        self.text.clear();
        self.state = State::None;
    }
}

fn is_time(descr: &ColumnDescriptor) -> bool {
    matches!(
        descr.converted_type(),
        ConvertedType::DATE
            | ConvertedType::TIME_MILLIS
            | ConvertedType::TIME_MICROS
            | ConvertedType::TIMESTAMP_MILLIS
            | ConvertedType::TIMESTAMP_MICROS
    )
}

/// Writing to a string cannot fail.
fn shown<T: std::fmt::Display>(value: &T, out: &mut String) -> Result<(), NoText> {
    write!(out, "{value}").map_err(|_| NoText)
}

fn class_or_number(leaf: &Leaf, number: i64, out: &mut String) -> Result<(), NoText> {
    match usize::try_from(number).ok().and_then(|number| leaf.classes.get(number)) {
        Some(name) => {
            out.push_str(name);
            Ok(())
        }
        None => shown(&number, out),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "values of all types are given alike")]
fn int32(leaf: &Leaf, value: &i32, out: &mut String) -> Result<(), NoText> {
    match leaf.descr.converted_type() {
        ConvertedType::DATE | ConvertedType::TIME_MILLIS | ConvertedType::DECIMAL => {
            shown(&Field::convert_int32(&leaf.descr, *value), out)
        }
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 => {
            class_or_number(leaf, i64::from(*value as u32), out)
        }
        _ => class_or_number(leaf, i64::from(*value), out),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "values of all types are given alike")]
fn int64(leaf: &Leaf, value: &i64, out: &mut String) -> Result<(), NoText> {
    match leaf.descr.converted_type() {
        ConvertedType::TIME_MICROS
        | ConvertedType::TIMESTAMP_MILLIS
        | ConvertedType::TIMESTAMP_MICROS
        | ConvertedType::DECIMAL => shown(&Field::convert_int64(&leaf.descr, *value), out),
        ConvertedType::UINT_64 => shown(&(*value as u64), out),
        _ => class_or_number(leaf, *value, out),
    }
}

fn int96(leaf: &Leaf, value: &Int96, out: &mut String) -> Result<(), NoText> {
    shown(&Field::convert_int96(&leaf.descr, *value), out)
}

/// Bytes that are text and mean nothing else.
fn plain_text<'v>(leaf: &Leaf, value: &'v ByteArray) -> Option<&'v str> {
    let is_text = leaf.descr.converted_type() != ConvertedType::DECIMAL && leaf.classes.is_empty();
    if is_text { std::str::from_utf8(value.data()).ok() } else { None }
}

fn text(leaf: &Leaf, value: &ByteArray, out: &mut String) -> Result<(), NoText> {
    let converted = leaf.descr.converted_type();
    if converted == ConvertedType::DECIMAL {
        return decimal(leaf, value.clone(), out);
    }
    let is_text = matches!(converted, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON);
    match std::str::from_utf8(value.data()) {
        Ok(text) => out.push_str(text),
        // What is said to be text and is not: the card points at the marks.
        Err(_) if is_text => out.push_str(&String::from_utf8_lossy(value.data())),
        Err(_) => return Err(NoText),
    }
    Ok(())
}

fn fixed(leaf: &Leaf, value: &FixedLenByteArray, out: &mut String) -> Result<(), NoText> {
    decimal(leaf, value.clone().into(), out)
}

fn decimal(leaf: &Leaf, value: ByteArray, out: &mut String) -> Result<(), NoText> {
    let field = Field::convert_byte_array(&leaf.descr, value).map_err(|_no_number| NoText)?;
    shown(&field, out)
}
