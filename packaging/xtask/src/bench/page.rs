//! `BENCHMARKS.md`: prose that people write, with the results of the last run in the middle of it.

use anyhow::{Context as _, Result};

const START: &str = "<!-- results: written by `cargo xtask bench --write` -->\n";
const END: &str = "<!-- end of results -->\n";

/// The page with other results between its marks.
pub(super) fn with_results(page: &str, results: &str) -> Result<String> {
    let no_mark = || format!("BENCHMARKS.md has lost one of its marks: {} and {}", START.trim(), END.trim());
    let (before, rest) = page.split_once(START).with_context(no_mark)?;
    let (_, after) = rest.split_once(END).with_context(no_mark)?;
    Ok(format!("{before}{START}\n{}\n\n{END}{after}", results.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_take_the_place_of_the_earlier_ones_and_prose_stays() {
        let page = format!("# Benchmarks\n\nWhat.\n\n{START}{END}\nHow.\n");
        let once = with_results(&page, "| a |\n").unwrap();
        assert!(once.starts_with("# Benchmarks\n\nWhat.\n\n") && once.ends_with("-->\n\nHow.\n"), "{once}");
        assert!(once.contains("-->\n\n| a |\n\n<!--"), "{once}");
        let twice = with_results(&once, "| b |").unwrap();
        assert_eq!(twice, once.replace("| a |", "| b |"));
    }

    #[test]
    fn a_page_without_its_marks_is_left_alone() {
        assert!(with_results("# Benchmarks\n", "x").unwrap_err().to_string().contains("marks"));
    }
}
