//! The sizes that the pages of a Parquet column state, read before anything is unpacked: the decoder reserves what a
//! header asks for, and zstd packs a page to a thirty-thousandth.
//!
//! A page begins with a `PageHeader` in Thrift's compact protocol (parquet-format, `PageHeader`: field 2 is the
//! uncompressed size, field 3 the compressed one) and goes on with so many compressed bytes.

/// Levels of structs and lists in a header; the format has three.
const DEEPEST: usize = 8;

/// Bytes of the largest page of a column chunk once it is unpacked, by what the headers state. Where they cannot be read
/// the walk ends: the decoder, which starts at the same byte, ends there too.
pub(super) fn largest_page(chunk: &[u8]) -> usize {
    let (mut largest, mut rest) = (0, chunk);
    while let Some((header, body)) = header(rest) {
        largest = largest.max(header.uncompressed);
        match body.get(header.compressed..) {
            Some(next) if !next.is_empty() => rest = next,
            _ => break,
        }
    }
    largest
}

struct PageHeader {
    uncompressed: usize,
    compressed: usize,
}

/// A header, and what follows it.
fn header(bytes: &[u8]) -> Option<(PageHeader, &[u8])> {
    let mut input = Input(bytes);
    let (mut uncompressed, mut compressed) = (None, None);
    let mut field = 0;
    while let Some(kind) = input.field(&mut field)? {
        match (field, kind) {
            (2, Kind::Integer) => uncompressed = Some(input.integer()?),
            (3, Kind::Integer) => compressed = Some(input.integer()?),
            (_, kind) => input.skip(kind, DEEPEST)?,
        }
    }
    let size = |value: i64| usize::try_from(value).ok();
    let header = PageHeader { uncompressed: size(uncompressed?)?, compressed: size(compressed?)? };
    Some((header, input.0))
}

/// What a value of the compact protocol looks like.
#[derive(Clone, Copy)]
enum Kind {
    /// In the type itself: true or false.
    Nothing,
    Byte,
    Integer,
    Double,
    Text,
    List,
    Struct,
}

impl Kind {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 | 2 => Self::Nothing,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Text,
            9 | 10 => Self::List,
            12 => Self::Struct,
            _ => return None,
        })
    }
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A zigzag number.
    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The kind of the next field, whose number takes the place of the last one's; `None` at the end of a struct.
    #[expect(clippy::option_option, reason = "the outer one ends the reading, the inner one the struct")]
    fn field(&mut self, number: &mut i64) -> Option<Option<Kind>> {
        let first = self.byte()?;
        if first == 0 {
            return Some(None);
        }
        *number = match first >> 4 {
            0 => self.integer()?,
            step => number.checked_add(i64::from(step))?,
        };
        Kind::of(first & 0x0f).map(Some)
    }

    fn skip(&mut self, kind: Kind, depth: usize) -> Option<()> {
        let deeper = depth.checked_sub(1)?;
        match kind {
            Kind::Nothing => Some(()),
            Kind::Byte => self.byte().map(drop),
            Kind::Integer => self.varint().map(drop),
            Kind::Double => self.pass(8),
            Kind::Text => {
                let length = self.varint()?;
                self.pass(usize::try_from(length).ok()?)
            }
            Kind::List => {
                let first = self.byte()?;
                let length = if first >> 4 == 15 { self.varint()? } else { u64::from(first >> 4) };
                let kind = Kind::of(first & 0x0f)?;
                // In a list true and false take a byte each, so that every element takes one.
                let kind = if matches!(kind, Kind::Nothing) { Kind::Byte } else { kind };
                (0..length).try_for_each(|_| self.skip(kind, deeper))
            }
            Kind::Struct => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip(kind, deeper)?;
                }
                Some(())
            }
        }
    }

    fn pass(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with both sizes, a struct with a list and a text in it, and a body.
    fn page(uncompressed: i64, compressed: i64, body: usize) -> Vec<u8> {
        let zigzag = |value: i64| {
            let mut value = ((value << 1) ^ (value >> 63)) as u64;
            let mut bytes = Vec::new();
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut page = vec![0x15, 0x00, 0x15];
        page.extend(zigzag(uncompressed));
        page.push(0x15);
        page.extend(zigzag(compressed));
        // A struct in field 5: true, a list of two numbers, a text of three bytes.
        page.extend([0x2c, 0x11, 0x19, 0x25, 0x02, 0x04, 0x18, 0x03, b'a', b'b', b'c', 0x00, 0x00]);
        page.extend(vec![0xff; body]);
        page
    }

    #[test]
    fn the_largest_page_is_found_among_all() {
        let pages = [page(10, 4, 4), page(i64::from(i32::MAX), 9, 9), page(300, 0, 0)].concat();
        assert_eq!(largest_page(&pages), i32::MAX as usize);
        assert_eq!(largest_page(&page(77, 100, 3)), 77, "a body that is cut off");
    }

    #[test]
    fn what_is_no_header_ends_the_walk() {
        for bytes in [&b""[..], b"\xff\xff\xff", b"\x15", &[0x19; 64], &[0x1c; 64]] {
            assert_eq!(largest_page(bytes), 0, "{bytes:?}");
        }
        assert_eq!(largest_page(&page(-5, 4, 4)), 0);
        let endless = [&[0x19, 0xf5][..], &[0xff; 9], &[0x01]].concat();
        assert_eq!(largest_page(&endless), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            largest_page(&bytes);
        }
    }
}
