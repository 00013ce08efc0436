//! Lines for people and programs: results to stdout, everything else to stderr.
//!
//! Every line passes [`visible`]: names, labels and licences come from files, and none of them may act on the terminal,
//! nor look like a line of the program's own.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::format::numbers::thousands;
use crate::format::visible::{VisibleWriter, clipped, visible};

/// A line of the result, on one line whatever is in it.
///
/// # Errors
/// When stdout cannot be written, as when its reader has gone; see [`is_closed_pipe`].
pub(super) fn say(line: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(visible(line.as_ref()).as_bytes())?;
    out.write_all(b"\n")?;
    // A line per epoch must be seen when the epoch ends, also through a pipe.
    out.flush()
}

/// One JSON object as a line of the result: what is escaped of it is escaped as JSON escapes it.
pub(super) fn say_json(object: &Value) -> io::Result<()> {
    say(object.to_string())
}

/// An error whose JSON object is printed already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ToldAsJson(pub(super) String);

/// Several reasons why something could not be done, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(super) struct Reasons(pub(super) Vec<String>);

/// A line beside the result, on one line whatever is in it. Where stderr cannot be written either, nobody is there to
/// be told.
pub(super) fn tell(line: &str) {
    drop(writeln!(io::stderr().lock(), "{}", visible(line)));
}

/// Says why something could not be done.
pub(super) fn tell_error(error: &anyhow::Error) {
    match error.downcast_ref::<Reasons>() {
        Some(Reasons(reasons)) => {
            let lines = reasons.iter().enumerate();
            lines.for_each(|(index, reason)| match index {
                0 => tell(&clipped(&format!("error: {reason}"))),
                _ => tell(&clipped(reason)),
            });
        }
        None => tell(&clipped(&format!("error: {error:#}"))),
    }
}

/// Stdout for data: as it is for a program or a file, filtered where a person looks at it.
pub(super) fn data_out() -> Box<dyn Write + Send> {
    let out = io::stdout();
    if out.is_terminal() { Box::new(VisibleWriter::new(out)) } else { Box::new(out) }
}

/// True for the error of writing to a pipe whose reader has gone.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_closed))
}

/// `1 row`, `2 rows`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{} {what}{}", thousands(number as u64), if number == 1 { "" } else { "s" })
}

/// Bytes as people read them, in powers of 1000 as shops and the hub count them: `532 bytes`, `90.9 MB`.
pub(super) fn size(bytes: u64) -> String {
    let scaled = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")].into_iter().find(|(unit, _)| bytes as f64 >= *unit);
    match scaled {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => count(bytes as usize, "byte"),
    }
}

/// Columns of text under each other: the first to the left, the others to the right.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    // Measured as they are shown: wide letters of East Asia take two columns, accents none, and escapes some.
    let rows: Vec<Vec<(String, usize)>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| visible(cell).into_owned()))
        .map(|row| row.map(|cell| (cell.clone(), cell.width())).collect())
        .collect();
    let width_of = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|(_, width)| *width).max().unwrap_or(0)
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width_of).collect();
    let line = |row: &Vec<(String, usize)>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(index, ((cell, width), widest))| {
            let room = " ".repeat(widest - width);
            if index == 0 { format!("{cell}{room}") } else { format!("{room}{cell}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 22_713_216].map(thousands), ["0", "999", "1,000", "22,713,216"]);
        assert_eq!([count(1, "row"), count(2000, "row")], ["1 row", "2,000 rows"]);
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [1, 532, 90_868_373, 2_270_000_000].map(size),
            ["1 byte", "532 bytes", "90.9 MB", "2.3 GB"]
        );
    }

    #[test]
    fn cells_stand_under_each_other() {
        let rows = [vec!["tâche".into(), "rows".into()], vec!["t".into(), "12".into()], vec![]];
        assert_eq!(table(&rows), ["tâche  rows", "t        12", ""]);
        let rows =
            [["感情", "1"], ["e\u{301}", "2"], ["a\n", "3"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), ["感情  1", "e\u{301}     2", "a\\n   3"]);
    }
}
