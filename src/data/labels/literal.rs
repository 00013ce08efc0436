//! Lists and objects that are written in a cell, as JSON or as Python prints them.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Number, Value};

/// Levels of brackets that are followed.
const MOST_DEPTH: usize = 32;

/// True for a cell that may hold a list or an object.
pub(in crate::data) fn may_be_nested(cell: &str) -> bool {
    cell.starts_with(['[', '{', '('])
}

/// The list or object in a cell; `None` for all else.
pub(in crate::data) fn nested(cell: &str) -> Option<Value> {
    let cell = cell.trim();
    if !may_be_nested(cell) {
        return None;
    }
    match serde_json::from_str::<Value>(cell) {
        Ok(value) => Some(value),
        Err(_) => python(cell),
    }
}

/// A literal of Python: `[(0, 4, 'PER')]`, `{'a': True, 'b': None}`.
fn python(cell: &str) -> Option<Value> {
    let mut chars = cell.chars().peekable();
    let value = value(&mut chars, 0)?;
    skip_blank(&mut chars);
    chars.next().is_none().then_some(value)
}

fn skip_blank(chars: &mut Peekable<Chars>) {
    while chars.next_if(|c| c.is_whitespace()).is_some() {}
}

fn value(chars: &mut Peekable<Chars>, depth: usize) -> Option<Value> {
    skip_blank(chars);
    match *chars.peek()? {
        _ if depth > MOST_DEPTH => None,
        '[' => sequence(chars, ']', depth),
        '(' => sequence(chars, ')', depth),
        '{' => object(chars, depth),
        '\'' | '"' => string(chars).map(Value::String),
        _ => word(chars),
    }
}

fn sequence(chars: &mut Peekable<Chars>, close: char, depth: usize) -> Option<Value> {
    chars.next();
    let mut items = Vec::new();
    loop {
        skip_blank(chars);
        if chars.next_if_eq(&close).is_some() {
            return Some(Value::Array(items));
        }
        items.push(value(chars, depth + 1)?);
        skip_blank(chars);
        if chars.next_if_eq(&',').is_none() && chars.peek() != Some(&close) {
            return None;
        }
    }
}

fn object(chars: &mut Peekable<Chars>, depth: usize) -> Option<Value> {
    chars.next();
    let mut fields = Map::new();
    loop {
        skip_blank(chars);
        if chars.next_if_eq(&'}').is_some() {
            return Some(Value::Object(fields));
        }
        let key = match value(chars, depth + 1)? {
            Value::String(key) => key,
            Value::Array(_) | Value::Object(_) => return None,
            other => other.to_string(),
        };
        skip_blank(chars);
        chars.next_if_eq(&':')?;
        fields.insert(key, value(chars, depth + 1)?);
        skip_blank(chars);
        if chars.next_if_eq(&',').is_none() && chars.peek() != Some(&'}') {
            return None;
        }
    }
}

fn string(chars: &mut Peekable<Chars>) -> Option<String> {
    let quote = chars.next()?;
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\\' => match chars.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                other => text.push(other),
            },
            end if end == quote => return Some(text),
            other => text.push(other),
        }
    }
}

fn word(chars: &mut Peekable<Chars>) -> Option<Value> {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')) {
        text.push(c);
    }
    Some(match text.as_str() {
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        "None" | "null" | "nan" | "NaN" => Value::Null,
        digits => Value::Number(match digits.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => Number::from_f64(digits.parse().ok()?)?,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_and_python_say_the_same() {
        for (cell, expected) in [
            ("[(0, 4, 'PER'), (5, 9, \"O'N\")]", json!([[0, 4, "PER"], [5, 9, "O'N"]])),
            ("{'a': True, 'b': 0.5, 'c': None,}", json!({"a": true, "b": 0.5, "c": null})),
            ("[{\"label\": \"x\"}]", json!([{"label": "x"}])),
            ("('a',)", json!(["a"])),
            ("[]", json!([])),
            ("{}", json!({})),
        ] {
            assert_eq!(nested(cell), Some(expected), "{cell}");
        }
        for not in ["", "a", "[", "[1 2]", "[deleted]", "{a}", "['a'", "[1] x", "{'a' 1}", &"[".repeat(5000)]
        {
            assert_eq!(nested(not), None, "{not}");
        }
    }
}
