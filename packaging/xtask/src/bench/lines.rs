//! What programs say in JSON, an object a line: the scripts in `packaging/bench`, and `frostline ... --json`.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::stats::median;

/// The objects that a program printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines(Vec<Value>);

/// What `measured.py` says of the program that it ran.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) exit_code: i64,
    /// It was told to stop before its end, so its exit code means nothing.
    pub(super) asked_to_stop: bool,
    pub(super) seconds: f64,
    pub(super) peak_bytes: f64,
    pub(super) others: f64,
}

impl Lines {
    /// Lines that are no JSON, a warning of a library for one, are passed over.
    pub(super) fn parse(text: &str) -> Self {
        let objects = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Self(objects.filter(Value::is_object).collect())
    }

    /// The objects.
    pub(super) fn objects(&self) -> &[Value] {
        &self.0
    }

    /// The last object of a kind.
    pub(super) fn event(&self, name: &str) -> Result<&Value> {
        let found = self.0.iter().rev().find(|line| line.get("event").is_some_and(|event| event == name));
        found.with_context(|| format!("the program said nothing of the kind \"{name}\""))
    }

    /// A number of the last object of a kind.
    pub(super) fn number(&self, event: &str, field: &str) -> Result<f64> {
        number(self.event(event)?, field)
    }

    /// What was measured of the program.
    pub(super) fn measured(&self) -> Result<Measured> {
        let line = self.event("measured")?;
        Ok(Measured {
            exit_code: number(line, "exit_code")? as i64,
            asked_to_stop: line.get("asked_to_stop").and_then(Value::as_bool).unwrap_or(false),
            seconds: number(line, "seconds")?,
            peak_bytes: number(line, "peak_bytes")?,
            others: number(line, "others").unwrap_or(0.0),
        })
    }

    /// Rows per second of `frostline train --json`: the median over the stretches between two of its lines on
    /// steps. What comes before the first of them is warming up.
    pub(super) fn rows_per_second(&self, batch: usize) -> Result<f64> {
        let told: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter(|line| line.get("event").is_some_and(|event| event == "steps"))
            .map(|line| Ok((number(line, "step")?, number(line, "seconds")?)))
            .collect::<Result<_>>()?;
        let rates: Vec<f64> = told
            .windows(2)
            .filter_map(|pair| match pair {
                [(from, since), (to, until)] if until > since => {
                    Some((to - from) * batch as f64 / (until - since))
                }
                _ => None,
            })
            .collect();
        median(&rates).context("the run was over before its pace could be measured; use more rows")
    }
}

/// A number in an object.
pub(super) fn number(object: &Value, field: &str) -> Result<f64> {
    object
        .get(field)
        .and_then(Value::as_f64)
        .with_context(|| format!("there is no number \"{field}\" in {object}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_by_kind_among_other_output() {
        let lines = Lines::parse(
            "a warning\n{\"event\":\"trained\",\"rows_per_second\":40.5}\n7\n\
             {\"event\":\"measured\",\"exit_code\":-2,\"asked_to_stop\":true,\"seconds\":1.5,\"peak_bytes\":1024,\
             \"others\":null}\n",
        );
        assert_eq!(lines.number("trained", "rows_per_second").unwrap(), 40.5);
        let measured =
            Measured { exit_code: -2, asked_to_stop: true, seconds: 1.5, peak_bytes: 1024.0, others: 0.0 };
        assert_eq!(lines.measured().unwrap(), measured);
        assert!(lines.event("encoded").unwrap_err().to_string().contains("encoded"));
        assert!(lines.number("trained", "steps").unwrap_err().to_string().contains("steps"));
    }

    #[test]
    fn the_pace_is_the_median_stretch_without_the_first_steps() {
        let line = |step: u32, seconds: f64| {
            format!("{{\"event\":\"steps\",\"step\":{step},\"seconds\":{seconds}}}\n")
        };
        // The first second has 1 step; then 8, 2 (disturbed) and 8 a second.
        let text: String = [line(1, 1.0), line(9, 2.0), line(11, 3.0), line(19, 4.0), line(27, 5.0)].concat();
        assert_eq!(Lines::parse(&text).rows_per_second(16).unwrap(), 128.0);
        assert!(Lines::parse(&line(1, 1.0)).rows_per_second(16).is_err());
    }
}
