//! String literals for the code that the program shows. It knows nothing of what the code does.

use std::fmt::Write as _;

use super::visible::is_hidden;

/// The text as a string in double quotes that Python and YAML read alike; nothing in it is hidden from who reads the
/// code.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        // Writing to a string does not fail.
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c if is_hidden(c) && u32::from(c) > 0xffff => _ = write!(literal, "\\U{:08x}", u32::from(c)),
            c if is_hidden(c) => _ = write!(literal, "\\u{:04x}", u32::from(c)),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_ends_of_lines_and_hidden_characters_are_escaped() {
        assert_eq!(quoted("say \"hi\"\n\\"), "\"say \\\"hi\\\"\\n\\\\\"");
        assert_eq!(
            quoted("\u{1b}\u{85}\u{202e}\u{e0041} größer"),
            "\"\\u001b\\u0085\\u202e\\U000e0041 größer\""
        );
    }
}
