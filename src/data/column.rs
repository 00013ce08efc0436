//! A column of strings in few allocations: millions of cells without millions of `String`s.
//!
//! Cells lie end to end in segments of some megabytes. Sealed segments are never changed again, so that a table,
//! its copies and the data set made of it share them. It knows nothing of what the cells mean.

use std::fmt;
use std::sync::Arc;

/// Strings end to end; an absent cell is told from an empty one.
///
/// A cell is at most [`StrColumn::MOST_BYTES`] long; a longer one is kept as absent, so readers refuse it before.
#[derive(Clone, Default)]
pub struct StrColumn {
    sealed: Vec<Arc<Segment>>,
    /// First row of each sealed segment.
    firsts: Vec<usize>,
    /// Rows in the sealed segments.
    sealed_rows: usize,
    /// What is still being written.
    tail: Segment,
}

/// Cells end to end in one buffer.
#[derive(Clone, Default)]
pub(super) struct Segment {
    bytes: String,
    /// End of cell `i` in `bytes`, with the top bit set when the cell is absent.
    ends: Vec<u32>,
}

const ABSENT: u32 = 1 << 31;

/// Bytes from which on a segment is sealed.
const SEAL_BYTES: usize = 8 << 20;

/// Cells from which on a segment is sealed, whatever their size.
const SEAL_CELLS: usize = 1 << 20;

impl Segment {
    /// A segment of cells that lie end to end in `bytes`; none of them absent.
    ///
    /// `None` where an end is not the end of a character, lies beyond the bytes or before the end before.
    pub(super) fn of(bytes: Vec<u8>, ends: Vec<u32>) -> Option<Self> {
        let mut bytes = String::from_utf8(bytes).ok()?;
        let total = u32::try_from(bytes.len()).ok().filter(|total| total & ABSENT == 0)?;
        let whole = ends.iter().all(|end| *end <= total && bytes.is_char_boundary(*end as usize));
        if !whole || !ends.is_sorted() {
            return None;
        }
        bytes.shrink_to_fit();
        Some(Self { bytes, ends })
    }

    /// Number of cells.
    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Cell `index`: `None` past the end and where it is absent.
    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        if end & ABSENT != 0 {
            return None;
        }
        let start = match index {
            0 => 0,
            _ => self.ends.get(index - 1)? & !ABSENT,
        };
        self.bytes.get(start as usize..end as usize)
    }

    /// Every cell in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let from = std::mem::replace(&mut start, (end & !ABSENT) as usize);
            if end & ABSENT == 0 { self.bytes.get(from..start) } else { None }
        })
    }

    /// All cells as one text.
    pub(super) fn text(&self) -> &str {
        &self.bytes
    }

    fn push(&mut self, cell: Option<&str>) {
        let cell = cell.filter(|cell| self.bytes.len() + cell.len() <= StrColumn::MOST_BYTES);
        self.bytes.push_str(cell.unwrap_or_default());
        let end = self.bytes.len() as u32;
        self.ends.push(if cell.is_some() { end } else { end | ABSENT });
    }
}

impl StrColumn {
    /// Bytes of the longest cell that is kept.
    pub const MOST_BYTES: usize = (ABSENT - 1) as usize;

    /// An empty column with room for `rows` cells of `bytes` in all.
    #[must_use]
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let tail = Segment {
            bytes: String::with_capacity(bytes.min(SEAL_BYTES)),
            ends: Vec::with_capacity(rows.min(SEAL_CELLS)),
        };
        Self { tail, ..Self::default() }
    }

    /// Appends a cell; `None` when the row has no such cell at all.
    pub fn push(&mut self, cell: Option<&str>) {
        let more = cell.map_or(0, str::len);
        let is_full = self.tail.bytes.len() + more > SEAL_BYTES || self.tail.ends.len() >= SEAL_CELLS;
        if is_full {
            self.seal();
        }
        self.tail.push(cell);
    }

    /// Appends `count` cells that are absent.
    pub(super) fn push_absent(&mut self, count: usize) {
        for _ in 0..count {
            self.push(None);
        }
    }

    /// Appends the cells of another column, most of them shared and not copied.
    pub fn append(&mut self, other: &Self) {
        for segment in &other.sealed {
            self.append_segment(segment.clone());
        }
        other.tail.iter().for_each(|cell| self.push(cell));
    }

    /// Appends the cells of another column that `keep` says yes to, by their rows in it. What is kept whole is
    /// shared and not copied.
    pub(super) fn append_where(&mut self, other: &Self, keep: &[bool]) {
        let mut row = 0;
        for (segment, shared) in other.segments() {
            let kept = keep.get(row..row + segment.len()).unwrap_or_default();
            row += segment.len();
            match shared {
                Some(shared) if kept.iter().all(|kept| *kept) => self.append_segment(shared.clone()),
                _ => {
                    segment.iter().zip(kept).filter(|(_, kept)| **kept).for_each(|(cell, _)| self.push(cell));
                }
            }
        }
    }

    /// Appends a finished segment.
    pub(super) fn append_segment(&mut self, segment: Arc<Segment>) {
        self.seal();
        if segment.len() > 0 {
            self.firsts.push(self.sealed_rows);
            self.sealed_rows += segment.len();
            self.sealed.push(segment);
        }
    }

    /// Ends the segment that is being written, so that copies of the column share it.
    pub(super) fn seal(&mut self) {
        if !self.tail.ends.is_empty() {
            let mut segment = std::mem::take(&mut self.tail);
            segment.bytes.shrink_to_fit();
            segment.ends.shrink_to_fit();
            self.firsts.push(self.sealed_rows);
            self.sealed_rows += segment.len();
            self.sealed.push(Arc::new(segment));
        }
    }

    /// Cell `row`: `None` past the end or where the row had no such cell.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        if row >= self.sealed_rows {
            return self.tail.get(row - self.sealed_rows);
        }
        let segment = self.firsts.partition_point(|first| *first <= row).checked_sub(1)?;
        self.sealed.get(segment)?.get(row - self.firsts.get(segment)?)
    }

    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sealed_rows + self.tail.len()
    }

    /// True without any cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all cells together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.segments().map(|(segment, _)| segment.bytes.len()).sum()
    }

    /// Every cell in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.segments().flat_map(|(segment, _)| segment.iter())
    }

    /// The segments in order, and those that can be shared once more as such.
    pub(super) fn segments(&self) -> impl Iterator<Item = (&Segment, Option<&Arc<Segment>>)> {
        let sealed = self.sealed.iter().map(|segment| (segment.as_ref(), Some(segment)));
        sealed.chain((self.tail.len() > 0).then_some((&self.tail, None)))
    }

    /// The segments in order, each with its first row.
    pub(super) fn numbered_segments(&self) -> Vec<(usize, &Segment)> {
        let mut row = 0;
        self.segments()
            .map(|(segment, _)| {
                row += segment.len();
                (row - segment.len(), segment)
            })
            .collect()
    }
}

impl fmt::Debug for StrColumn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

/// How the cells are cut into segments does not matter.
impl PartialEq for StrColumn {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for StrColumn {}

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

    fn mixed() -> StrColumn {
        let mut column = StrColumn::default();
        column.push(Some("one"));
        column.push(None);
        column.seal();
        column.push(Some(""));
        column.push(Some("zwei ü"));
        column
    }

    #[test]
    fn absent_is_not_empty() {
        let column = mixed();
        let cells: Vec<_> = column.iter().collect();
        assert_eq!(cells, [Some("one"), None, Some(""), Some("zwei ü")]);
        assert_eq!((0..5).map(|row| column.get(row)).collect::<Vec<_>>(), [cells, vec![None]].concat());
    }

    #[test]
    fn segments_are_shared_and_make_no_difference() {
        let mut whole = StrColumn::default();
        mixed().iter().for_each(|cell| whole.push(cell));
        assert_eq!(whole, mixed());
        let mut twice = mixed();
        twice.append(&mixed());
        assert_eq!((twice.len(), twice.get(3), twice.get(4)), (8, Some("zwei ü"), Some("one")));
        let mut some = StrColumn::default();
        some.append_where(&twice, &[true, true, false, true, false, false, true, false]);
        assert_eq!(some.iter().collect::<Vec<_>>(), [Some("one"), None, Some("zwei ü"), Some("")]);
    }

    #[test]
    fn a_segment_of_bytes_must_cut_them_between_characters() {
        let bytes = || "aüb".as_bytes().to_vec();
        let segment = Segment::of(bytes(), vec![1, 3, 4]).unwrap();
        assert_eq!(segment.iter().collect::<Vec<_>>(), [Some("a"), Some("ü"), Some("b")]);
        assert!(Segment::of(bytes(), vec![2, 4]).is_none());
        assert!(Segment::of(bytes(), vec![3, 1]).is_none());
        assert!(Segment::of(vec![b'a', 0xff], vec![1, 2]).is_none());
    }
}
