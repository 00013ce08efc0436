//! What a user says of a file where what was found out is wrong. It knows no file.

use super::delimited::scan::Quoting;
use super::delimited::sniff::ONE_COLUMN;

/// The formats that a user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatName {
    /// Delimited text.
    Delimited,
    /// One JSON object per line.
    JsonLines,
    /// A JSON text.
    Json,
    /// A word per line.
    Conll,
    /// A text per line with labels that begin with `__label__`.
    FastText,
}

impl FormatName {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Delimited, Self::JsonLines, Self::Json, Self::Conll, Self::FastText];

    /// The name in project files and on the command line.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Delimited => "delimited",
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Conll => "conll",
            Self::FastText => "fasttext",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.key() == key)
    }
}

/// What the user says of a file. What is `None` is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The format; Parquet and folders are what they are.
    pub format: Option<FormatName>,
    /// The byte between cells of delimited text.
    pub delimiter: Option<u8>,
    /// What quotes mean in delimited text.
    pub quoting: Option<Quoting>,
    /// Whether the first record names the columns.
    pub header: Option<bool>,
    /// The encoding: a name as the web and Python have it.
    pub encoding: Option<String>,
}

impl Overrides {
    /// A text per line: no cells, no quotes, no header.
    #[must_use]
    pub fn plain_lines() -> Self {
        Self {
            format: Some(FormatName::Delimited),
            delimiter: Some(ONE_COLUMN),
            quoting: Some(Quoting::Literal),
            header: Some(false),
            encoding: None,
        }
    }

    /// What is between cells, from what people write for it: the character itself, `tab`, or `none` where a line is
    /// one cell.
    ///
    /// # Errors
    /// When it is more than a character, not ASCII, or one that means something else.
    pub fn delimiter_of(text: &str) -> Result<u8, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(b'\t'),
            b"none" => Ok(ONE_COLUMN),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | b'\\') => Ok(*byte),
            _ => Err(format!(
                "{text:?} divides no cells: use one character such as \",\" or \";\", or tab, or none"
            )),
        }
    }

    /// The way back.
    #[must_use]
    pub fn delimiter_text(delimiter: u8) -> String {
        match delimiter {
            b'\t' => "tab".to_owned(),
            ONE_COLUMN => "none".to_owned(),
            other => char::from(other).to_string(),
        }
    }

    /// True when nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_delimiters_are_read_back() {
        for byte in [b',', b';', b'\t', b'|', b' ', ONE_COLUMN] {
            assert_eq!(Overrides::delimiter_of(&Overrides::delimiter_text(byte)), Ok(byte));
        }
        for text in ["", "\"", "\n", "ab", "\u{a7}"] {
            assert!(Overrides::delimiter_of(text).is_err(), "{text:?}");
        }
        assert!(FormatName::ALL.into_iter().all(|name| FormatName::from_key(name.key()) == Some(name)));
        assert!(Quoting::ALL.into_iter().all(|quoting| Quoting::from_key(quoting.key()) == Some(quoting)));
    }
}
