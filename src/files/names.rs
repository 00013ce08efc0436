//! Names of files and folders that mean the same on every platform, so that what has them can be moved between them.

use crate::format::visible::is_hidden;

/// The longest name, in bytes, that leaves room for endings on every file system.
const LONGEST: usize = 100;

/// Why a name cannot be that of a file or folder on every platform; `None` for one that can.
#[must_use]
pub fn fault(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        return Some("it is empty");
    }
    if name.len() > LONGEST {
        return Some("it is longer than 100 bytes");
    }
    if name.chars().any(|c| is_hidden(c) || r#"/\:*?"<>|"#.contains(c)) {
        return Some(r#"it holds one of / \ : * ? " < > | or a character that cannot be seen"#);
    }
    if name.starts_with([' ', '.']) || name.ends_with([' ', '.']) {
        return Some("it starts or ends with a space or a full stop");
    }
    is_device(name).then_some("Windows keeps this name for a device")
}

/// Whether Windows takes a name, whatever its ending, for a device: `NUL`, `com1.txt`, `CONIN$`.
#[must_use]
pub fn is_device(name: &str) -> bool {
    // What follows the first full stop, and spaces before it, do not count.
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end().to_uppercase();
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].contains(&stem.as_str()) {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let mut digits = port.unwrap_or_default().chars();
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '\u{b9}' | '\u{b2}' | '\u{b3}');
    matches!((digits.next(), digits.next()), (Some(digit), None) if is_digit(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_known_in_every_spelling() {
        for name in [
            "con",
            "NUL",
            "nul.txt",
            "Aux .csv",
            "COM1",
            "lpt9.log",
            "com\u{b9}",
            "CONIN$",
            "conout$",
            "prn:x",
        ] {
            assert!(is_device(name), "{name}");
        }
        for name in ["console", "com", "com10", "lpt", "null", "auxiliary", "full-01", "a.con"] {
            assert!(!is_device(name), "{name}");
        }
    }

    #[test]
    fn what_no_platform_could_keep_is_refused() {
        for name in ["", " ", "a/b", "..", ".hidden", "a.", "a ", "a\nb", "a:b", &"x".repeat(101), "NUL"] {
            assert!(fault(name).is_some(), "{name}");
        }
        for name in ["full-01", "Größe 2", "a.b", "run_3"] {
            assert_eq!(fault(name), None, "{name}");
        }
    }
}
