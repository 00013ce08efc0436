//! Reading: `frostline inspect`, which loads a table and makes its card, beside pandas, which loads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::lab::{Lab, words};
use super::lines::number;
use super::stats::{Contender, Sample, take_turns};
use super::table::{Comparison, Goal, Row, Unit};

/// Megabytes of a file that are to be read in a second, and how many times its size the memory may be.
const LEAST_PACE: f64 = 150.0;
const MOST_MEMORY: f64 = 2.5;

/// A turn takes two seconds, in which little disturbs much.
const MORE_ROUNDS: usize = 3;

/// A table in one of its formats.
struct Table {
    format: &'static str,
    peer: &'static str,
    path: PathBuf,
    bytes: f64,
}

/// Pace and memory for CSV and for Parquet.
pub(super) fn reading(lab: &Lab) -> Result<Vec<Row>> {
    if let Some(reason) = &lab.no_pandas {
        bail!("{reason}");
    }
    let count = lab.size.table_rows;
    let lines = lab.script("tables.py", &make(lab, count))?;
    let made = lines.event("tables")?;
    let tables = [("CSV", "csv", "pandas.read_csv"), ("Parquet", "parquet", "pandas.read_parquet")]
        .map(|(format, key, peer)| table_of(made, format, key, peer));
    let mut rows = Vec::new();
    for table in tables {
        let table = table?;
        let contenders = [
            Contender::new("frostline inspect", || ours(lab, &table, count)),
            Contender::new(table.peer, || theirs(lab, &table, count)),
        ];
        let tell = |what: &str| println!("reading {}, {what}", table.format);
        let samples = take_turns(lab.size.rounds * MORE_ROUNDS, &contenders, &tell)?;
        if let [ours, theirs] = samples.as_slice() {
            rows.extend(compared(&table, ours, theirs));
        }
    }
    Ok(rows)
}

fn make(lab: &Lab, count: usize) -> Vec<OsString> {
    let folder = lab.kept();
    let mut arguments = words(["--to".as_ref(), folder.as_os_str()]);
    arguments.extend(words(["--rows".as_ref(), count.to_string().as_ref()]));
    arguments
}

fn table_of(made: &Value, format: &'static str, key: &str, peer: &'static str) -> Result<Table> {
    let path = made.get(key).and_then(Value::as_str).context("the table was not made")?;
    Ok(Table { format, peer, path: path.into(), bytes: number(made, &format!("{key}_bytes"))? })
}

/// Reading, the guess of columns and the card: the whole command over the table, less the whole command over one row,
/// since the peer's imports are not counted either.
fn ours(lab: &Lab, table: &Table, count: usize) -> Result<Sample> {
    let inspect =
        |path: &Path| lab.frostline(&words(["inspect".as_ref(), path.as_os_str(), "--json".as_ref()]), None);
    let start = inspect(&lab.path("one.jsonl"))?.measured()?;
    let lines = inspect(&table.path)?;
    let told = lines.objects().iter().find(|object| object.get("kind").is_some_and(|kind| kind == "data"));
    all_there(number(told.context("the program said nothing of the table")?, "rows_with_text")?, count)?;
    let all = lines.measured()?;
    let value = table.bytes / 1e6 / (all.seconds - start.seconds);
    Ok(Sample { value, peak_bytes: all.peak_bytes, others: all.others })
}

/// The reading alone, once everything is imported.
fn theirs(lab: &Lab, table: &Table, count: usize) -> Result<Sample> {
    let lines = lab.script("read_table.py", &words([table.path.as_os_str()]))?;
    all_there(lines.number("read", "rows")?, count)?;
    let measured = lines.measured()?;
    let value = table.bytes / 1e6 / lines.number("read", "seconds")?;
    Ok(Sample { value, peak_bytes: measured.peak_bytes, others: measured.others })
}

fn all_there(found: f64, count: usize) -> Result<()> {
    if found as usize != count {
        bail!("{found} rows of {count} were read");
    }
    Ok(())
}

fn compared(table: &Table, ours: &[Sample], theirs: &[Sample]) -> Vec<Row> {
    let what = format!("Reading {} of {:.0} MB", table.format, table.bytes / 1e6);
    let memory = format!("{what}: peak memory");
    let row = |what: &str, peer: &str, unit, ours: &[Sample], theirs: &[Sample], goal| {
        let (ours, theirs) = (ours.to_vec(), theirs.to_vec());
        Row::Measured(Comparison { what: what.to_owned(), peer: peer.to_owned(), unit, ours, theirs, goal })
    };
    let fixed = |value| vec![Sample { value, ..Sample::default() }; ours.len()];
    let peaks = |samples: &[Sample]| -> Vec<Sample> {
        samples.iter().map(|sample| Sample { value: sample.peak_bytes, ..*sample }).collect()
    };
    let pace = Unit::MegabytesPerSecond;
    vec![
        row(&what, table.peer, pace, ours, theirs, Goal::AtLeast(1.0)),
        row(&what, "aim", pace, ours, &fixed(LEAST_PACE), Goal::AtLeast(1.0)),
        row(&memory, table.peer, Unit::Bytes, &peaks(ours), &peaks(theirs), Goal::None),
        row(
            &memory,
            "size of the file",
            Unit::Bytes,
            &peaks(ours),
            &fixed(table.bytes),
            Goal::AtMost(MOST_MEMORY),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::table::render;

    #[test]
    fn pace_and_memory_are_held_against_the_peer_and_against_the_aim() {
        let table = Table { format: "CSV", peer: "pandas.read_csv", path: PathBuf::new(), bytes: 300e6 };
        let sample = |value, peak_bytes| vec![Sample { value, peak_bytes, others: 0.0 }];
        let text = render(&compared(&table, &sample(200.0, 900e6), &sample(100.0, 1200e6)));
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert!(lines[0].contains("| 200 MB/s | pandas.read_csv | 100 MB/s | **2.00** |"), "{text}");
        assert!(lines[1].contains("| aim | 150 MB/s | **1.33** |") && lines[1].contains("1, met"), "{text}");
        assert!(lines[2].contains("| 900 MB | pandas.read_csv | 1200 MB | **0.75** |"), "{text}");
        assert!(lines[3].contains("| 300 MB | **3.00** |") && lines[3].contains("2.5, not met"), "{text}");
    }

    #[test]
    fn a_reading_that_lost_rows_is_no_measurement() {
        assert!(all_there(2.0, 2).is_ok() && all_there(1.0, 2).is_err());
    }
}
