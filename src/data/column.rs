//! A column of strings in one allocation: millions of cells without millions of `String`s.

/// Strings end to end in one buffer; an absent cell is told from an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrColumn {
    bytes: String,
    /// End of cell `i` in `bytes`, with the top bit set when the cell is absent.
    ends: Vec<u64>,
}

const ABSENT: u64 = 1 << 63;

impl StrColumn {
    /// An empty column with room for `rows` cells of `bytes` in all.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self { bytes: String::with_capacity(bytes), ends: Vec::with_capacity(rows) }
    }

    /// Appends a cell; `None` when the row has no such cell at all.
    pub fn push(&mut self, cell: Option<&str>) {
        if let Some(cell) = cell {
            self.bytes.push_str(cell);
        }
        let end = self.bytes.len() as u64;
        self.ends.push(if cell.is_some() { end } else { end | ABSENT });
    }

    /// Cell `row`: `None` past the end or where the row had no such cell.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        let end = *self.ends.get(row)?;
        if end & ABSENT != 0 {
            return None;
        }
        let start = match row {
            0 => 0,
            _ => self.ends.get(row - 1)? & !ABSENT,
        };
        self.bytes.get(start as usize..end as usize)
    }

    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without any cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Every cell in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

impl<S: AsRef<str>> FromIterator<S> for StrColumn {
    fn from_iter<I: IntoIterator<Item = S>>(cells: I) -> Self {
        let mut column = Self::default();
        for cell in cells {
            column.push(Some(cell.as_ref()));
        }
        column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_empty() {
        let mut column = StrColumn::default();
        column.push(Some("one"));
        column.push(None);
        column.push(Some(""));
        column.push(Some("zwei ü"));
        let cells: Vec<_> = column.iter().collect();
        assert_eq!(cells, [Some("one"), None, Some(""), Some("zwei ü")]);
        assert_eq!(column.get(4), None);
    }
}
