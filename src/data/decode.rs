//! The bytes of a file as UTF-8 text, and which encoding they came in.
//!
//! UTF-8 files are mapped, not copied. It knows nothing of records or columns.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memmap2::Mmap;

use super::error::DataError;

/// A file's content. Valid UTF-8 but for stray bytes, which the readers report row by row.
pub(super) struct Text {
    raw: RawBytes,
    /// Bytes of the byte-order mark at the start.
    skip: usize,
    /// Name of the encoding: `utf-8`, `utf-8-sig`, `utf-16`, `cp1252`, `iso-8859-1` ...
    pub(super) encoding: String,
}

/// A file's bytes as they lie there.
pub(super) enum RawBytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl RawBytes {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let fail = |reason: std::io::Error| DataError::open(path, reason);
        let mut file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(DataError::Unsupported {
                path: path.to_owned(),
                what: "a folder",
                advice: "Choose the files in it",
            });
        }
        if metadata.is_file() && metadata.len() > 0 {
            return Ok(Self::Mapped(map(&file).map_err(fail)?));
        }
        // Pipes cannot be mapped, and neither can nothing.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        Ok(Self::Owned(bytes))
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Text {
    /// Finds out the encoding, and decodes what is not UTF-8 already.
    pub(super) fn of(raw_bytes: RawBytes) -> Self {
        let raw: &[u8] = raw_bytes.bytes();
        if let Some(rest) = raw.strip_prefix(b"\xff\xfe") {
            return Self::decoded(UTF_16LE, rest, "utf-16");
        }
        if let Some(rest) = raw.strip_prefix(b"\xfe\xff") {
            return Self::decoded(UTF_16BE, rest, "utf-16");
        }
        if raw.starts_with(b"\xef\xbb\xbf") {
            return Self { raw: raw_bytes, skip: 3, encoding: "utf-8-sig".into() };
        }
        if let Some(encoding) = utf16_without_mark(raw) {
            return Self::decoded(encoding, raw, "utf-16");
        }
        if std::str::from_utf8(raw).is_ok() || is_utf8_with_stray_bytes(raw) {
            return Self { raw: raw_bytes, skip: 0, encoding: "utf-8".into() };
        }
        let (encoding, name) = legacy(raw);
        Self::decoded(encoding, raw, &name)
    }

    fn decoded(encoding: &'static Encoding, raw: &[u8], name: &str) -> Self {
        let (text, _) = encoding.decode_without_bom_handling(raw);
        Self { raw: RawBytes::Owned(text.into_owned().into_bytes()), skip: 0, encoding: name.to_owned() }
    }

    /// The text, without a byte-order mark.
    pub(super) fn bytes(&self) -> &[u8] {
        self.raw.bytes().get(self.skip..).unwrap_or_default()
    }
}

#[expect(unsafe_code, reason = "mapping is the only way to read a large table without holding it twice")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and is only ever seen as bytes: every cell is checked to be UTF-8 as it is
    // copied into a column, so a file that another program rewrites meanwhile gives other cells, not bad strings.
    unsafe { Mmap::map(file) }
}

/// UTF-16 that lacks its mark: Latin text then has a NUL in every second byte, and next to none in the others.
fn utf16_without_mark(raw: &[u8]) -> Option<&'static Encoding> {
    let sample = raw.get(..raw.len().min(4096) & !1)?;
    if sample.len() < 16 {
        return None;
    }
    let nuls = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (nuls(0), nuls(1), sample.len() / 2);
    let (many, few) = (pairs * 2 / 5, pairs / 20);
    if odd > many && even <= few {
        Some(UTF_16LE)
    } else if even > many && odd <= few {
        Some(UTF_16BE)
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

/// The encoding of text that is not Unicode, and its name.
///
/// The detector is believed when it had enough to go by; else, and for Western text, what is told apart is
/// Latin-1 from Windows-1252, by the bytes 0x80 to 0x9f that only the latter uses for characters.
fn legacy(raw: &[u8]) -> (&'static Encoding, String) {
    let foreign = raw.iter().filter(|byte| **byte >= 0x80).count();
    let letters = raw.iter().filter(|byte| byte.is_ascii_alphabetic()).count() + foreign;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    // From the first byte that tells anything, and no more than it needs.
    let telling = raw.iter().position(|byte| *byte >= 0x80).unwrap_or(0);
    let sample = raw.get(telling.saturating_sub(64)..).unwrap_or(raw);
    detector.feed(sample.get(..DETECTOR_SAMPLE).unwrap_or(sample), true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let believed = foreign * 5 >= letters || foreign >= 200;
    if guess != WINDOWS_1252 && believed {
        return (guess, guess.name().to_ascii_lowercase());
    }
    // Five of those bytes are characters in neither.
    let only_1252 =
        |byte: &u8| matches!(byte, 0x80..=0x9f) && !matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    (WINDOWS_1252, if raw.iter().any(only_1252) { "cp1252" } else { "iso-8859-1" }.to_owned())
}

const DETECTOR_SAMPLE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> (String, String) {
        let text = Text::of(RawBytes::Owned(bytes.to_vec()));
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
        assert_eq!(told(&wide(text, u16::to_le_bytes)), named("utf-16"));
        assert_eq!(told(&wide(text, u16::to_be_bytes)), named("utf-16"));
        assert_eq!(told(b"text,label\ncaf\xe9 at noon,open\n"), named("iso-8859-1"));
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
        let text = Text::of(RawBytes::Owned(bytes.clone()));
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
}
