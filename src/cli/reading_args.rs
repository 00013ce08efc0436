//! The arguments that overrule what is found out about a data file.

use clap::builder::PossibleValuesParser;

use crate::data::read::overrides::{FormatName, Overrides};
use crate::data::table::Quoting;

/// How a file is read, where the user knows better than what would be found out.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Reading")]
pub(super) struct ReadingArgs {
    /// Format of the file, instead of the one found out.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(FormatName::ALL.map(FormatName::key)))]
    format: Option<String>,
    /// What is between cells: a character, tab, or none where a line is one cell.
    #[arg(long, value_name = "CHARACTER", value_parser = Overrides::delimiter_of)]
    delimiter: Option<u8>,
    /// What quotes mean: doubled inside cells, escaped by a backslash, or characters like any other.
    #[arg(long, value_name = "HOW", value_parser = PossibleValuesParser::new(Quoting::ALL.map(Quoting::key)))]
    quoting: Option<String>,
    /// Whether the first record names the columns.
    #[arg(long, value_name = "BOOL")]
    header: Option<bool>,
    /// Encoding of the text: utf-8, utf-16, cp1252, latin-1 ...
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
}

impl ReadingArgs {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            format: self.format.as_deref().and_then(FormatName::from_key),
            delimiter: self.delimiter,
            quoting: self.quoting.as_deref().and_then(Quoting::from_key),
            header: self.header,
            encoding: self.encoding.clone(),
        }
    }
}
