//! Lists that are written in a cell: as JSON, as Python prints them, or as numpy does.

use serde_json::Value;

/// The items of a list; `None` where the cell holds none.
pub(in crate::data) fn items(cell: &str) -> Option<Vec<String>> {
    let cell = cell.trim();
    if !cell.starts_with(['[', '(']) {
        return None;
    }
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    match serde_json::from_str::<Vec<Value>>(cell) {
        Ok(values) => Some(values.into_iter().map(text).collect()),
        Err(_) => python_items(cell),
    }
}

/// `['a', "b's", 3]`, `('a',)`, and numpy's `['a' 'b']`.
fn python_items(cell: &str) -> Option<Vec<String>> {
    let inner = cell
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .or_else(|| cell.strip_prefix('(')?.strip_suffix(')'))?;
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            ',' => {}
            space if space.is_whitespace() => {}
            quote @ ('\'' | '"') => {
                let mut item = String::new();
                loop {
                    match chars.next()? {
                        '\\' => item.push(chars.next()?),
                        end if end == quote => break,
                        other => item.push(other),
                    }
                }
                items.push(item);
            }
            '[' | '{' | '(' => return None,
            bare => {
                let mut item = String::from(bare);
                while let Some(next) = chars.next_if(|c| *c != ',' && !c.is_whitespace()) {
                    item.push(next);
                }
                items.push(item);
            }
        }
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_all_ways_of_writing_them() {
        let read = |cell: &str| items(cell).map(|items| items.join("|"));
        assert_eq!(read(r#"["a", "b c", 3]"#).as_deref(), Some("a|b c|3"));
        assert_eq!(read(r#"['a', "b's", 'it\'s', 3]"#).as_deref(), Some("a|b's|it's|3"));
        assert_eq!(read("['EU' 'rejects'\n 'German']").as_deref(), Some("EU|rejects|German"));
        assert_eq!(read("[3 0 7]").as_deref(), Some("3|0|7"));
        assert_eq!(read("('a',)").as_deref(), Some("a"));
        assert_eq!(items("[]"), Some(Vec::new()));
        for not in ["a", "[1", "['a", "[['a'], ['b']", "", "[{'a': 1}]"] {
            assert_eq!(items(not), None, "{not}");
        }
    }
}
