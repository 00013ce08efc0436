//! Text from files made safe to show: characters that act on a terminal, or that nobody sees, become escapes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The text on one line, with every character that would move the cursor, start a command of the terminal, reorder
/// what stands around it or be invisible written as JSON writes it: `\n`, `\u001b`, `\u202e`.
///
/// A backslash stays as it is, so a second pass changes nothing, and JSON that passes means what it meant. What belongs
/// to a script stays too: letters of scripts from right to left, and the joiners of Indic scripts and emoji.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    _ = write!(shown, "\\u{unit:04x}");
                }
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Characters of a message; a name from a file may have millions.
const LONGEST_MESSAGE: usize = 4000;

/// A message at a length that somebody can read: of a longer one the beginning and the end.
#[must_use]
pub fn clipped(text: &str) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= LONGEST_MESSAGE {
        return Cow::Borrowed(text);
    }
    let half = LONGEST_MESSAGE / 2;
    let beginning = text.chars().take(half);
    let end = text.chars().skip(count - half);
    Cow::Owned(beginning.chain(" [\u{2026}] ".chars()).chain(end).collect())
}

/// True for control characters, for those that set the direction of text, and for those that take no room or leave a
/// gap that nobody can tell from a space.
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        // C0 with line feed and escape, DEL, and C1 with the one-character forms of escape sequences.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Marks, embeddings, overrides and isolates of direction.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Separators of lines and paragraphs, which some programs break lines at.
        | '\u{2028}' | '\u{2029}'
        // Soft hyphen, fillers, zero-width space, word joiner, invisible operators, byte order mark. The joiners
        // U+200C and U+200D are part of words and emoji.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'
        | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        // Tags, which can hold a whole hidden text.
        | '\u{e0000}'..='\u{e00ff}'
    )
}

/// Passes text on to a terminal: as [`visible`] shows it, but for line feeds and tabs, which tables are made of.
#[derive(Debug)]
pub struct VisibleWriter<W: Write> {
    out: W,
    /// The line that has begun.
    line: Vec<u8>,
}

impl<W: Write> VisibleWriter<W> {
    /// Nothing is written yet.
    pub const fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }

    fn pass(&mut self, upto: usize) -> io::Result<()> {
        let bytes: Vec<u8> = self.line.drain(..upto).collect();
        for (index, line) in String::from_utf8_lossy(&bytes).split('\n').enumerate() {
            if index > 0 {
                self.out.write_all(b"\n")?;
            }
            for (index, cell) in line.split('\t').enumerate() {
                if index > 0 {
                    self.out.write_all(b"\t")?;
                }
                self.out.write_all(visible(cell).as_bytes())?;
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for VisibleWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        // A character may be cut at the end of `bytes`, never at the end of a line.
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            self.pass(end + 1)?;
        }
        Ok(bytes.len())
    }

    /// Passes on what there is, a line that is not ended too.
    fn flush(&mut self) -> io::Result<()> {
        self.pass(self.line.len())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_of_any_length_can_be_read() {
        assert_eq!(clipped("short"), "short");
        let long = format!("begins {} ends", "\u{e9}".repeat(1 << 20));
        let shown = clipped(&long);
        assert!(shown.starts_with("begins") && shown.ends_with("ends") && shown.chars().count() < 4100);
    }

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        for (text, shown) in [
            ("plain text, größer", "plain text, größer"),
            ("\x1b]52;c;cm0=\x07", "\\u001b]52;c;cm0=\\u0007"),
            ("topic\nerror: no\r\t", "topic\\nerror: no\\r\\t"),
            ("\u{9b}2J \u{7f}", "\\u009b2J \\u007f"),
            ("invoice\u{202e}fdp.exe", "invoice\\u202efdp.exe"),
            ("a\u{2028}b\u{feff}c\u{e0041}", "a\\u2028b\\ufeffc\\udb40\\udc41"),
            ("C:\\new", "C:\\new"),
        ] {
            assert_eq!(visible(text), shown);
            assert_eq!(visible(shown), shown, "a second pass changes nothing");
        }
    }

    #[test]
    fn what_belongs_to_a_script_stays() {
        for text in ["مرحبا بالعالم", "שלום", "क्‍ष نمی‌خواهم", "👩‍👩‍👧 ❤️", "日本語", "e\u{301}"]
        {
            assert_eq!(visible(text), text);
        }
    }

    proptest! {
        #[test]
        fn json_that_passes_means_what_it_meant(text in "\\PC*|[\\x00-\\x20\\x7f-\\xa0\u{202e}\u{e0041}\"\\\\]*") {
            let json = serde_json::Value::from(text).to_string();
            let shown = visible(&json);
            prop_assert!(!shown.contains(is_hidden));
            let (before, after): (serde_json::Value, serde_json::Value) =
                (serde_json::from_str(&json).unwrap(), serde_json::from_str(&shown).unwrap());
            prop_assert_eq!(before, after);
        }

        #[test]
        fn a_writer_shows_the_same_however_it_is_fed(text in any::<String>(), size in 1..7_usize) {
            let text = format!("{text}\u{9b}é\n\tэ\u{202e}");
            let mut writer = VisibleWriter::new(Vec::new());
            for part in text.as_bytes().chunks(size) {
                writer.write_all(part).unwrap();
            }
            writer.flush().unwrap();
            let shown = String::from_utf8(writer.out).unwrap();
            prop_assert!(!shown.contains(|c| is_hidden(c) && c != '\n' && c != '\t'));
            let cells = text.split('\n').map(|line| line.split('\t').map(visible).collect::<Vec<_>>().join("\t"));
            prop_assert_eq!(cells.collect::<Vec<_>>().join("\n"), shown);
        }
    }
}
