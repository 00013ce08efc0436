//! Cells for spreadsheets, which take some texts for formulas. It knows nothing of the file that they are written to.

use std::borrow::Cow;

/// The text of a cell with a `'` in front where a spreadsheet would compute it: what begins with `=`, `+`, `-`, `@`, a
/// tab or an end of line. Numbers that the program computed are no texts and need none of this.
///
/// Reading such a file back gives the `'` too, so the step loses which texts had one.
#[must_use]
pub fn text_cell(text: &str) -> Cow<'_, str> {
    // The wide forms are what input methods of East Asia type, and spreadsheets take them as well.
    let is_formula = text
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_texts() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert_eq!(text_cell(text), format!("'{text}"));
        }
        for text in ["", "a=b", "'=1", " =1", "1-2", "größer"] {
            assert_eq!(text_cell(text), text);
        }
    }
}
