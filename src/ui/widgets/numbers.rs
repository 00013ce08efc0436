//! Numbers as people read them: thousands, bytes, durations, shares.

pub use crate::format::numbers::thousands;
pub use crate::train::metrics::share as percent;

/// `22.7 M`, `384`, `11.9 k`: for parameters.
#[must_use]
pub fn short_count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.2} G", number as f64 / 1e9),
    }
}

/// `90.9 MB`, `612 bytes`.
#[must_use]
pub fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".into(),
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}

/// `45 s`, `3 min 20 s`, `2 h 05 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 if seconds < 9.95 => format!("{:.1} s", seconds.max(0.0)),
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// `1 row`, `12 rows`, with thousands.
#[must_use]
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number as u64), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [(0, "0"), (12, "12"), (999, "999"), (1_000, "1,000"), (22_713_216, "22,713,216")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn units_change_where_they_should() {
        assert_eq!(short_count(384), "384");
        assert_eq!(short_count(11_900), "11.9 k");
        assert_eq!(short_count(22_713_216), "22.7 M");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(612), "612 bytes");
        assert_eq!(bytes(90_868_376), "90.9 MB");
        assert_eq!(duration(0.26), "0.3 s");
        assert_eq!(duration(59.8), "1 min 00 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 05 min");
        assert_eq!(duration(-3.0), "0.0 s");
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(2_085, "row", "rows"), "2,085 rows");
    }
}
