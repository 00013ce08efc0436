//! Columns that grow as keys are met: rows need not have the same ones.

use std::borrow::Cow;
use std::collections::HashMap;

use super::row::Row;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::read::progress::Meter;
use crate::data::table::Column;

/// A file with more keys than that is no table.
const MOST_COLUMNS: usize = 2000;

/// Bytes of an absent cell.
const ABSENT: usize = size_of::<u32>();

/// Bytes that are taken between two looks at how much may be taken.
const UNTOLD: usize = 1 << 16;

/// Why a row is not kept.
pub(in crate::data) enum Refused {
    /// What is wrong with it.
    Row(String),
    /// Nothing more is read of the file.
    File(DataError),
}

/// The columns so far, and where to find one by its key.
#[derive(Default)]
pub(in crate::data) struct Columns {
    found: Vec<Column>,
    places: HashMap<String, usize>,
    rows: usize,
    /// Counts the rows that were tried, to know cells of the row at hand.
    tries: usize,
    /// Per column the try that it was last met in, and its place among the cells of that row.
    met: Vec<(usize, usize)>,
    /// Bytes of absent cells that the meter has not heard of.
    untold: usize,
}

impl Columns {
    /// Appends a row.
    ///
    /// # Errors
    /// When it has new keys and there are too many already; then nothing of it is kept. And when the cells that rows do
    /// not have take more memory than the file may ask for.
    pub(in crate::data) fn push(&mut self, row: Row, meter: &Meter) -> Result<(), Refused> {
        self.tries += 1;
        let mut cells: Vec<(usize, Option<Cow<str>>)> = Vec::with_capacity(row.0.len());
        for (position, (key, cell)) in row.0.into_iter().enumerate() {
            let columns = self.found.len();
            let place = self.place(position, &key).ok_or_else(|| {
                let many =
                    format!("has the key \"{key}\", and there are {MOST_COLUMNS} different ones before it");
                Refused::Row(many)
            })?;
            let missed = if self.found.len() > columns { self.rows } else { 0 };
            self.take_absent(missed, meter).map_err(Refused::File)?;
            match self.met.get(place) {
                // The last of equal keys counts, as in Python.
                Some((tried, earlier)) if *tried == self.tries => {
                    if let Some((_, slot)) = cells.get_mut(*earlier) {
                        *slot = cell;
                    }
                }
                _ => {
                    if let Some(met) = self.met.get_mut(place) {
                        *met = (self.tries, cells.len());
                    }
                    cells.push((place, cell));
                }
            }
        }
        self.rows += 1;
        self.take_absent(self.found.len().saturating_sub(cells.len()), meter).map_err(Refused::File)?;
        for (place, cell) in cells {
            if let Some(column) = self.found.get_mut(place) {
                column.cells.push(cell.as_deref());
            }
        }
        for (column, (tried, _)) in self.found.iter_mut().zip(&self.met) {
            if *tried != self.tries {
                column.cells.push_absent(self.rows - column.cells.len());
            }
        }
        Ok(())
    }

    /// Takes note of cells that are not there.
    fn take_absent(&mut self, cells: usize, meter: &Meter) -> Result<(), DataError> {
        self.untold += cells.saturating_mul(ABSENT);
        if self.untold >= UNTOLD {
            meter.take_room(std::mem::take(&mut self.untold))?;
        }
        Ok(())
    }

    /// Objects mostly have their keys in the same order, so the column at the same place is tried first.
    fn place(&mut self, position: usize, key: &str) -> Option<usize> {
        if self.found.get(position).is_some_and(|column| column.name == key) {
            return Some(position);
        }
        if let Some(place) = self.places.get(key) {
            return Some(*place);
        }
        (self.found.len() < MOST_COLUMNS).then(|| {
            let mut cells = StrColumn::default();
            cells.push_absent(self.rows);
            self.found.push(Column { name: key.to_owned(), cells });
            self.met.push((0, 0));
            self.places.insert(key.to_owned(), self.found.len() - 1);
            self.found.len() - 1
        })
    }

    /// Appends the rows of others.
    ///
    /// # Errors
    /// When the cells that rows do not have take more memory than the file may ask for.
    pub(in crate::data) fn append(&mut self, other: Self, meter: &Meter) -> Result<(), DataError> {
        let rows = self.rows + other.rows;
        let new = other.found.iter().filter(|column| !self.places.contains_key(&column.name)).count();
        let missed = (self.found.len() + new).saturating_sub(other.found.len());
        self.take_absent(new.saturating_mul(self.rows), meter)?;
        self.take_absent(missed.saturating_mul(other.rows), meter)?;
        for (position, column) in other.found.into_iter().enumerate() {
            let mut cells = column.cells;
            cells.seal();
            // Each side is within the bound, so that both together hold at most twice as many.
            let place = self.place(position, &column.name).unwrap_or_else(|| {
                let mut absent = StrColumn::default();
                absent.push_absent(self.rows);
                self.found.push(Column { name: column.name.clone(), cells: absent });
                self.met.push((0, 0));
                self.places.insert(column.name, self.found.len() - 1);
                self.found.len() - 1
            });
            if let Some(mine) = self.found.get_mut(place) {
                mine.cells.append(&cells);
            }
        }
        self.rows = rows;
        for column in &mut self.found {
            column.cells.push_absent(rows - column.cells.len());
        }
        Ok(())
    }

    /// The columns, their names trimmed as those of any table.
    pub(in crate::data) fn finish(self) -> Vec<Column> {
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
