//! The table: a row per comparison, its target, and whether that is met.

use super::stats::{Sample, extremes, median};

/// Above this share of the machine taken by others, a row is marked.
const SUSPECT: f64 = 0.05;

/// What a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// More is better.
    RowsPerSecond,
    /// More is better.
    MegabytesPerSecond,
    /// Less is better.
    Seconds,
    /// Less is better; the ratio is the part of the peer's.
    Bytes,
}

/// What was set out to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Only to be known.
    None,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    Measured(Comparison),
    /// What could not be measured, and why.
    LeftOut {
        what: String,
        why: String,
    },
}

/// Frostline beside a peer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) what: String,
    pub(super) peer: String,
    pub(super) unit: Unit,
    /// Round by round.
    pub(super) ours: Vec<Sample>,
    pub(super) theirs: Vec<Sample>,
    pub(super) goal: Goal,
}

impl Comparison {
    /// Ratio of the medians: how many times as fast, and for memory which part.
    fn ratio(&self) -> Option<f64> {
        let middle = |samples: &[Sample]| median(&values(samples));
        Some(self.unit.ratio(middle(&self.ours)?, middle(&self.theirs)?))
    }

    /// The lowest and highest ratio of a single round.
    fn spread(&self) -> Option<(f64, f64)> {
        let rounds = self.ours.iter().zip(&self.theirs);
        extremes(&rounds.map(|(ours, theirs)| self.unit.ratio(ours.value, theirs.value)).collect::<Vec<_>>())
    }

    /// The largest share of the machine that others took during any of the measurements.
    fn others(&self) -> f64 {
        self.ours.iter().chain(&self.theirs).map(|sample| sample.others).fold(0.0, f64::max)
    }

    fn cells(&self) -> [String; 8] {
        let middle = |samples: &[Sample]| {
            median(&values(samples)).map_or_else(|| "-".to_owned(), |value| self.unit.in_words(value))
        };
        let spread = self.spread().map(|(low, high)| format!("{} to {}", two(low), two(high)));
        let met = self.ratio().and_then(|ratio| self.goal.is_met(ratio));
        let others = self.others();
        [
            self.what.clone(),
            middle(&self.ours),
            self.peer.clone(),
            middle(&self.theirs),
            self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("**{}**", two(ratio))),
            spread.unwrap_or_else(|| "-".to_owned()),
            format!(
                "{}{}",
                self.goal.in_words(),
                met.map_or("", |met| if met { ", met" } else { ", not met" })
            ),
            format!("{:.0} %{}", others * 100.0, if others > SUSPECT { " (!)" } else { "" }),
        ]
    }
}

impl Unit {
    fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::RowsPerSecond | Self::MegabytesPerSecond | Self::Bytes => ours / theirs,
            Self::Seconds => theirs / ours,
        }
    }

    fn in_words(self, value: f64) -> String {
        match self {
            Self::RowsPerSecond => format!("{} rows/s", three_digits(value)),
            Self::MegabytesPerSecond => format!("{} MB/s", three_digits(value)),
            Self::Seconds => format!("{} s", three_digits(value)),
            Self::Bytes => format!("{:.0} MB", value / 1e6),
        }
    }
}

impl Goal {
    fn is_met(self, ratio: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(ratio >= least),
            Self::AtMost(most) => Some(ratio <= most),
            Self::None => None,
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
            Self::None => "-".to_owned(),
        }
    }
}

/// The table in Markdown; what was left out stands below it.
pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "| Work | Frostline | Peer | | Ratio | Spread | Target | Others |\n|---|--:|---|--:|--:|--:|---|--:|\n",
    );
    for row in rows {
        if let Row::Measured(comparison) = row {
            text += &line(&comparison.cells());
        }
    }
    let left_out: Vec<String> = rows
        .iter()
        .filter_map(|row| match row {
            Row::LeftOut { what, why } => Some(format!("- Not measured: {what}: {why}.\n")),
            Row::Measured(_) => None,
        })
        .collect();
    if !left_out.is_empty() {
        text += "\n";
    }
    text + &left_out.concat()
}

/// A line of a table.
pub(super) fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.value).collect()
}

fn two(ratio: f64) -> String {
    if ratio < 20.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

fn three_digits(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Vec<Sample> {
        values.iter().map(|value| Sample { value: *value, ..Sample::default() }).collect()
    }

    fn comparison(unit: Unit, ours: &[f64], theirs: &[f64], goal: Goal) -> Comparison {
        let (what, peer) = ("Full fine-tuning".to_owned(), "plain loop".to_owned());
        Comparison { what, peer, unit, ours: samples(ours), theirs: samples(theirs), goal }
    }

    #[test]
    fn a_row_has_medians_their_ratio_the_spread_of_the_rounds_and_a_verdict() {
        let mut row =
            comparison(Unit::RowsPerSecond, &[100.0, 120.0, 110.0], &[40.0, 40.0, 55.0], Goal::AtLeast(2.5));
        row.theirs[1].others = 0.31;
        assert_eq!(
            render(&[Row::Measured(row)]).lines().last().unwrap(),
            "| Full fine-tuning | 110 rows/s | plain loop | 40.0 rows/s | **2.75** | 2.00 to 3.00 | at least 2.5, met \
             | 31 % (!) |"
        );
    }

    #[test]
    fn time_is_compared_as_speed_and_memory_as_a_part() {
        let wall = comparison(Unit::Seconds, &[10.0], &[430.0], Goal::AtLeast(40.0));
        assert_eq!(wall.cells()[4..7], ["**43**", "43 to 43", "at least 40, met"]);
        let memory = comparison(Unit::Bytes, &[0.7e9], &[1.0e9], Goal::AtMost(0.6));
        assert_eq!(
            memory.cells()[1..7],
            ["700 MB", "plain loop", "1000 MB", "**0.70**", "0.70 to 0.70", "at most 0.6, not met"]
        );
    }

    #[test]
    fn what_was_left_out_is_told_below() {
        let left_out = Row::LeftOut { what: "OpenVINO".to_owned(), why: "it is not installed".to_owned() };
        let row = Row::Measured(comparison(Unit::Seconds, &[], &[], Goal::None));
        let text = render(&[left_out, row]);
        assert!(text.ends_with("| Full fine-tuning | - | plain loop | - | - | - | - | 0 % |\n\n- Not measured: OpenVINO: it is not installed.\n"), "{text}");
    }
}
