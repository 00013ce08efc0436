//! The bytes of a file as UTF-8 text, and which encoding they came in.
//!
//! UTF-8 files are mapped, not copied; archives are unpacked. It knows nothing of records or columns.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::{Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::read::MultiGzDecoder;
use memmap2::Mmap;
use rayon::prelude::*;

use super::legacy_encoding;
use super::progress::Meter;
use crate::data::error::DataError;
use crate::files::regular_file;

/// A file's content. Valid UTF-8 but for stray bytes, which the readers report row by row.
pub(in crate::data) struct Text<'a> {
    /// Without a byte-order mark.
    bytes: Cow<'a, [u8]>,
    /// Name of the encoding: `utf-8`, `utf-8-sig`, `utf-16`, `cp1252`, `iso-8859-1` ...
    pub(in crate::data) encoding: String,
    /// What the user should know, where another encoding is nearly as likely.
    pub(in crate::data) doubt: Option<String>,
}

/// A file's bytes as they lie there.
pub(in crate::data) enum RawBytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl RawBytes {
    /// Opens a regular file.
    pub(in crate::data) fn open(path: &Path) -> Result<Self, DataError> {
        let fail = |reason: std::io::Error| DataError::open(path, reason);
        let file = regular_file::open(path).map_err(fail)?;
        if file.metadata().map_err(fail)?.len() > 0 {
            return Ok(Self::Mapped(map(&file).map_err(fail)?));
        }
        // Nothing cannot be mapped.
        Ok(Self::Owned(regular_file::read(path).map_err(fail)?))
    }

    /// All of them.
    pub(in crate::data) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }

    /// Gives the memory of a part back that has been read: whoever reads it again fetches it from the file again.
    /// What is no part of a mapped file is left alone.
    pub(in crate::data) fn let_go(&self, part: &[u8]) {
        let Self::Mapped(map) = self else { return };
        let is_inside = map.as_ptr_range().contains(&part.as_ptr()) && part.len() <= map.len();
        if !is_inside {
            return;
        }
        let start = (part.as_ptr() as usize - map.as_ptr() as usize).next_multiple_of(PAGE);
        let end = (part.as_ptr() as usize - map.as_ptr() as usize + part.len()) / PAGE * PAGE;
        if start < end {
            let_go(map, start, end - start);
        }
    }
}

/// A file's bytes for someone who keeps them.
pub(in crate::data) struct Shared(pub(in crate::data) Arc<RawBytes>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// True for what gzip wrote.
pub(in crate::data) fn is_gzip(raw: &[u8]) -> bool {
    raw.starts_with(b"\x1f\x8b\x08")
}

/// What was in an archive.
pub(in crate::data) struct Unpacked {
    pub(in crate::data) bytes: Vec<u8>,
    /// Why there is no more, where the archive is damaged or cut off.
    pub(in crate::data) broken: Option<String>,
}

/// Bytes that are unpacked at a time.
const UNPACKED: usize = 1 << 20;

/// Unpacks a gzip archive, as far as it goes. One that is made to fill the memory is refused by what comes out of it.
pub(in crate::data) fn unpack(path: &Path, raw: &[u8], meter: &Meter) -> Result<Unpacked, DataError> {
    let mut bytes = Vec::new();
    let mut reader = MultiGzDecoder::new(raw);
    let broken = loop {
        meter.take_room(UNPACKED)?;
        bytes.try_reserve(UNPACKED).map_err(|error| DataError::open(path, std::io::Error::from(error)))?;
        match reader.by_ref().take(UNPACKED as u64).read_to_end(&mut bytes) {
            Ok(0) => break None,
            // Progress is told of what is made of them.
            Ok(_) if !meter.goes_on() => return Err(DataError::Cancelled),
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    if let (Some(error), true) = (&broken, bytes.is_empty()) {
        let reason = std::io::Error::new(error.kind(), format!("the gzip archive is damaged: {error}"));
        return Err(DataError::open(path, reason));
    }
    let broken = broken
        .map(|error| format!("is where the gzip archive is damaged or cut off ({error}): the rest is lost"));
    Ok(Unpacked { bytes, broken })
}

impl<'a> Text<'a> {
    /// The text of bytes that are known to be UTF-8.
    pub(in crate::data) fn of_utf8(raw: &'a [u8]) -> Self {
        let rest = raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw);
        Self { bytes: Cow::Borrowed(rest), encoding: "utf-8".to_owned(), doubt: None }
    }

    /// Finds out the encoding, or takes the one named, and decodes what is not UTF-8 already.
    ///
    /// # Errors
    /// The name, when it is of no encoding.
    pub(in crate::data) fn of(raw: &'a [u8], named: Option<&str>) -> Result<Self, String> {
        let marked = |encoding, mark: usize, name: &str| {
            Self::decoded(encoding, raw.get(mark..).unwrap_or_default(), name)
        };
        if let Some(named) = named {
            return Self::as_named(raw, named);
        }
        if let Some(text) = utf32(raw) {
            return Ok(Self {
                bytes: Cow::Owned(text.into_bytes()),
                encoding: "utf-32".to_owned(),
                doubt: None,
            });
        }
        if raw.starts_with(b"\xff\xfe") {
            return Ok(marked(UTF_16LE, 2, "utf-16"));
        }
        if raw.starts_with(b"\xfe\xff") {
            return Ok(marked(UTF_16BE, 2, "utf-16"));
        }
        if let Some(rest) = raw.strip_prefix(BYTE_ORDER_MARK) {
            return Ok(Self { bytes: Cow::Borrowed(rest), encoding: "utf-8-sig".to_owned(), doubt: None });
        }
        if let Some((encoding, name)) = utf16_without_mark(raw) {
            return Ok(Self::decoded(encoding, raw, name));
        }
        if is_utf8(raw) {
            return Ok(Self { bytes: Cow::Borrowed(raw), encoding: "utf-8".to_owned(), doubt: None });
        }
        let guess = legacy_encoding::guess(raw);
        let doubt = guess.doubt.map(|doubt| doubt.sentence(&guess.name));
        Ok(Self { doubt, ..Self::decoded(guess.encoding, raw, &guess.name) })
    }

    fn as_named(raw: &'a [u8], named: &str) -> Result<Self, String> {
        let label = named.trim().to_ascii_lowercase().replace('_', "-");
        if label.replace("utf-32", "utf32").starts_with("utf32") {
            let text = utf32(raw).ok_or_else(|| named.to_owned())?;
            return Ok(Self { bytes: Cow::Owned(text.into_bytes()), encoding: label, doubt: None });
        }
        // Python's names for what the web has others for.
        let encoding = match label.as_str() {
            "utf-8-sig" | "utf8" => Some(UTF_8),
            "utf-16-le" | "utf-16" if !raw.starts_with(b"\xfe\xff") => Some(UTF_16LE),
            "utf-16-be" | "utf-16" => Some(UTF_16BE),
            "mac-roman" => Some(MACINTOSH),
            "latin-1" => Some(WINDOWS_1252),
            other => {
                let windows = other.strip_prefix("cp125").map(|rest| format!("windows-125{rest}"));
                Encoding::for_label(windows.as_deref().unwrap_or(other).as_bytes())
            }
        };
        let encoding = encoding.ok_or_else(|| named.to_owned())?;
        let marks: [&[u8]; 3] = [BYTE_ORDER_MARK, b"\xff\xfe", b"\xfe\xff"];
        let is_unicode = [UTF_8, UTF_16LE, UTF_16BE].contains(&encoding);
        let mark = marks.into_iter().find(|mark| is_unicode && raw.starts_with(mark)).unwrap_or_default();
        let rest = raw.get(mark.len()..).unwrap_or_default();
        if encoding == UTF_8 {
            return Ok(Self { bytes: Cow::Borrowed(rest), encoding: label, doubt: None });
        }
        Ok(Self::decoded(encoding, rest, &label))
    }

    fn decoded(encoding: &'static Encoding, raw: &[u8], name: &str) -> Self {
        let (text, _) = encoding.decode_without_bom_handling(raw);
        Self { bytes: Cow::Owned(text.into_owned().into_bytes()), encoding: name.to_owned(), doubt: None }
    }

    /// The text, without a byte-order mark.
    pub(in crate::data) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a file is UTF-8 from end to end. It is looked at piece by piece, and the memory of each is given back; of
/// what is not, [`Text::of`] finds out what it is.
pub(in crate::data) fn is_whole_utf8(raw: &RawBytes) -> bool {
    utf8_pieces(raw).is_some()
}

fn utf8_pieces(raw: &RawBytes) -> Option<()> {
    const PIECE: usize = 1 << 20;
    let bytes = raw.bytes();
    let wide: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", &[0, 0, 0xfe, 0xff]];
    if wide.iter().any(|mark| bytes.starts_with(mark)) || utf16_without_mark(bytes).is_some() {
        return None;
    }
    let mut start = 0;
    while start < bytes.len() {
        let near = (start + PIECE).min(bytes.len());
        // A character is at most four bytes long; what does not begin within them is none.
        let end = (near..near + 4).find(|at| bytes.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80))?;
        let piece = bytes.get(start..end.min(bytes.len()))?;
        std::str::from_utf8(piece).ok()?;
        raw.let_go(piece);
        start = end;
    }
    Some(())
}

/// UTF-8, as far as most of it tells. Looked at in pieces side by side, since it may be long.
fn is_utf8(raw: &[u8]) -> bool {
    const PIECE: usize = 4 << 20;
    let starts_character = |at: &usize| raw.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let border = |near: usize| (near..near + 4).find(starts_character).unwrap_or(near).min(raw.len());
    let is_valid = |index: usize| {
        let piece = raw.get(border(index * PIECE)..border((index + 1) * PIECE)).unwrap_or_default();
        std::str::from_utf8(piece).is_ok()
    };
    (0..=raw.len() / PIECE).into_par_iter().all(is_valid) || is_utf8_with_stray_bytes(raw)
}

/// UTF-32 with its mark.
fn utf32(raw: &[u8]) -> Option<String> {
    let (rest, is_little) = match raw {
        [0xff, 0xfe, 0, 0, rest @ ..] => (rest, true),
        [0, 0, 0xfe, 0xff, rest @ ..] => (rest, false),
        _ => return None,
    };
    let to_number = |bytes| if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let numbers = rest.chunks(4).map(|bytes| <[u8; 4]>::try_from(bytes).map_or(u32::MAX, to_number));
    Some(numbers.map(|number| char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// Memory is given back in multiples of this, which is one of every system's page.
const PAGE: usize = 64 << 10;

#[cfg(unix)]
#[expect(unsafe_code, reason = "the peak of memory would count the whole file beside what was made of it")]
fn let_go(map: &Mmap, start: usize, length: usize) {
    // SAFETY: the map is shared with a file and never written to, so that its pages come back as they are there;
    // `map` below says why a file that changes does no harm either. A system that refuses keeps the memory.
    drop(unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, length) });
}

#[cfg(not(unix))]
fn let_go(_: &Mmap, _: usize, _: usize) {}

#[expect(unsafe_code, reason = "mapping is the only way to read a large table without holding it twice")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and is only ever seen as bytes: every cell is checked to be UTF-8 as it is
    // copied into a column, so a file that another program rewrites meanwhile gives other cells, not bad strings.
    unsafe { Mmap::map(file) }
}

/// UTF-16 that lacks its mark: of its units some are ASCII, blanks and line ends at the least, and have a NUL for
/// their upper byte. Seen from the wrong end next to none have.
fn utf16_without_mark(raw: &[u8]) -> Option<(&'static Encoding, &'static str)> {
    let sample = raw.get(..raw.len().min(8192) & !1)?;
    if sample.len() < 16 {
        return None;
    }
    let is_text = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
    let (mut little, mut big) = (0, 0);
    for pair in sample.chunks_exact(2) {
        match pair {
            [0, text] if is_text(*text) => big += 1,
            [text, 0] if is_text(*text) => little += 1,
            _ => {}
        }
    }
    let many = (sample.len() / 2 / 12).max(3);
    if little > many && little > 8 * big {
        Some((UTF_16LE, "utf-16-le"))
    } else if big > many && big > 8 * little {
        Some((UTF_16BE, "utf-16-be"))
    } else {
        None
    }
}

/// UTF-8 in the main: more characters of several bytes than sequences that are none. Text in a one-byte
/// encoding hardly ever forms such a character by chance.
fn is_utf8_with_stray_bytes(raw: &[u8]) -> bool {
    let (mut characters, mut strays) = (0_usize, 0_usize);
    for chunk in raw.utf8_chunks() {
        characters += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count();
        strays += usize::from(!chunk.invalid().is_empty());
    }
    characters > strays
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> (String, String) {
        let text = Text::of(bytes, None).unwrap();
        (text.encoding.clone(), String::from_utf8_lossy(text.bytes()).into_owned())
    }

    fn wide(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn each_encoding_is_told_and_decoded() {
        let text = "text,label\ncafé at noon,open\n";
        let named = |encoding: &str| (encoding.to_owned(), text.to_owned());
        assert_eq!(told(text.as_bytes()), named("utf-8"));
        assert_eq!(told(format!("\u{feff}{text}").as_bytes()), named("utf-8-sig"));
        assert_eq!(told(&wide(&format!("\u{feff}{text}"), u16::to_le_bytes)), named("utf-16"));
        assert_eq!(told(&wide(&format!("\u{feff}{text}"), u16::to_be_bytes)), named("utf-16"));
        assert_eq!(told(&wide(text, u16::to_le_bytes)), named("utf-16-le"));
        assert_eq!(told(&wide(text, u16::to_be_bytes)), named("utf-16-be"));
        let four: Vec<u8> =
            format!("\u{feff}{text}").chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(told(&four), named("utf-32"));
        assert_eq!(told(b"text,label\ncaf\xe9 at noon,open\n"), named("iso-8859-1"));
    }

    #[test]
    fn what_is_utf8_from_end_to_end_is_known_without_decoding() {
        let whole = |bytes: &[u8]| {
            let raw = RawBytes::Owned(bytes.to_vec());
            let text = Text::of(raw.bytes(), None).unwrap();
            let is_whole = is_whole_utf8(&raw);
            assert!(!is_whole || Text::of_utf8(raw.bytes()).bytes() == text.bytes());
            is_whole
        };
        let long = "größer ".repeat(400_000);
        for text in ["text\none\n", "", "\u{feff}text\n", long.as_str()] {
            assert!(whole(text.as_bytes()));
        }
        assert!(!whole(&[long.as_bytes(), b"\xe9", long.as_bytes()].concat()));
        assert!(!whole(b"text\ncaf\xe9\n"));
        assert!(!whole(&wide("text,label\none thing,a\n", u16::to_le_bytes)));
        assert!(!whole(&wide("\u{feff}text,label\n", u16::to_be_bytes)));
    }

    #[test]
    fn bytes_that_latin1_has_no_character_for_mean_windows_1252() {
        let (encoding, text) = told(b"text\nit\x92s \x93fine\x94 \x97 really\n");
        assert_eq!(encoding, "cp1252");
        assert_eq!(text, "text\nit’s “fine” — really\n");
        let (encoding, _) = told(b"text\ncaf\xe9 ni\xf1o, and a stray \xc5\x8d\n");
        assert_eq!(encoding, "iso-8859-1");
    }

    #[test]
    fn a_stray_byte_in_utf8_does_not_turn_it_into_latin1() {
        let mut bytes = "text\nmüde Bären, größer\n".as_bytes().to_vec();
        bytes.extend(b"one \xff stray\n");
        let text = Text::of(&bytes, None).unwrap();
        assert_eq!(text.encoding, "utf-8");
        assert_eq!(text.bytes(), bytes);
    }

    #[test]
    fn text_in_another_script_is_believed_to_be_what_the_detector_says() {
        let (russian, _, _) = encoding_rs::WINDOWS_1251.encode(
            "text,label\nмой заказ не пришёл уже третью неделю,жалоба\nспасибо, всё отлично,похвала\n",
        );
        let (encoding, text) = told(&russian);
        assert_eq!(encoding, "windows-1251");
        assert!(text.contains("заказ"));
    }

    #[test]
    fn utf16_of_other_scripts_is_known_without_its_mark() {
        let text =
            "текст,метка\nмой заказ не пришёл уже третью неделю,жалоба\nспасибо, всё отлично,похвала\n";
        assert_eq!(told(&wide(text, u16::to_be_bytes)), ("utf-16-be".to_owned(), text.to_owned()));
        let (encoding, _) = told(b"text,label\na\0b,x\nc\0\0d,y\n");
        assert_eq!(encoding, "utf-8", "a few NULs are only that");
    }

    #[test]
    fn old_macs_are_known_by_their_line_ends() {
        assert_eq!(
            told(b"text,label\rcaf\x8e,x\r"),
            ("macintosh".to_owned(), "text,label\rcafé,x\r".to_owned())
        );
    }

    #[test]
    fn a_named_encoding_overrules() {
        let read = |bytes, name| {
            let text = Text::of(bytes, Some(name)).ok()?;
            Some((text.encoding.clone(), String::from_utf8_lossy(text.bytes()).into_owned()))
        };
        let is = |name: &str, text: &str| Some((name.to_owned(), text.to_owned()));
        assert_eq!(read(b"caf\xe9", "latin_1"), is("latin-1", "café"));
        assert_eq!(read(b"\xe9", "CP1251"), is("cp1251", "й"));
        assert_eq!(read("é".as_bytes(), "windows-1252"), is("windows-1252", "Ã©"));
        assert_eq!(read(b"\xff\xfea\0", "utf-16"), is("utf-16", "a"));
        assert_eq!(read(b"\0a", "utf-16-be"), is("utf-16-be", "a"));
        assert_eq!(read(b"a", "klingon"), None);
    }
}
