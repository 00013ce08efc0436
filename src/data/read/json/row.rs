//! One JSON object as a row: keys and cells, nested objects flattened to keys with dots.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Keys and cells in order; a cell is `None` where the value is null.
#[derive(Debug, Default, PartialEq)]
pub(in crate::data) struct Row<'a>(pub(in crate::data) Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>);

/// Bytes of a key, with those of the objects around it: every field of an object has them in front of its own.
const LONGEST_KEY: usize = 1024;

/// Objects within objects that become columns; what is deeper stays JSON.
const MOST_DEPTH: usize = 4;

/// Reads one object, or a list or string that stands for one.
pub(in crate::data) fn parse(text: &[u8]) -> Result<Row<'_>, String> {
    let text = std::str::from_utf8(text)
        .map_err(|error| format!("holds bytes that are not UTF-8, after byte {}", error.valid_up_to()))?;
    let error = match row_of(text) {
        Ok(row) => return Ok(row),
        Err(error) => error,
    };
    if let Some(row) = of_pair(text) {
        return Ok(row);
    }
    // Python writes numbers that are none.
    if let Some(plain) = without_nan(text)
        && let Ok(row) = row_of(&plain)
    {
        let own = |text: Cow<str>| Cow::Owned(text.into_owned());
        return Ok(Row(row.0.into_iter().map(|(key, cell)| (own(key), cell.map(own))).collect()));
    }
    if !text.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Err("is not a JSON object".to_owned());
    }
    // The parser sees one record only, so its line number means nothing; its column is worth telling.
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or(&message);
    Err(format!("is not valid JSON: {what} at column {}", error.column()))
}

fn row_of(text: &str) -> Result<Row<'_>, serde_json::Error> {
    let mut row = Row::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Fields { row: &mut row, prefix: None, depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(row)
}

/// A text and its label: `["text", "label"]`.
pub(in crate::data) fn pair(text: &[u8]) -> Option<Row<'static>> {
    let [text, label] = serde_json::from_slice::<[String; 2]>(text).ok()?;
    let cell = |name, text| (Cow::Borrowed(name), Some(Cow::Owned(text)));
    Some(Row(vec![cell("text", text), cell("label", label)]))
}

/// A text and its annotations, as spaCy writes its examples: `["text", {"entities": []}]`.
fn of_pair(text: &str) -> Option<Row<'static>> {
    let Ok([Value::String(first), said @ Value::Object(_)]) = serde_json::from_str::<[Value; 2]>(text) else {
        return None;
    };
    let said = said.to_string();
    let mut row = Row(vec![(Cow::Borrowed("text"), Some(Cow::Owned(first)))]);
    let own = |text: Cow<str>| Cow::Owned(text.into_owned());
    row.0.extend(row_of(&said).ok()?.0.into_iter().map(|(key, cell)| (own(key), cell.map(own))));
    Some(row)
}

/// The text with `null` for `NaN` and the infinities; `None` where there is none outside of strings.
fn without_nan(text: &str) -> Option<String> {
    const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    if !WORDS.iter().any(|word| text.contains(word)) {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(next) = rest.chars().next() {
        let word = if in_string { None } else { WORDS.iter().find(|word| rest.starts_with(**word)) };
        let taken = match (word, next) {
            (Some(word), _) => {
                plain.push_str("null");
                word.len()
            }
            (None, '\\') if in_string => {
                let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
                plain.push_str(rest.get(..1 + escaped).unwrap_or_default());
                1 + escaped
            }
            (None, next) => {
                in_string ^= next == '"';
                plain.push(next);
                next.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    Some(plain)
}

/// The fields of an object, its own and those of the objects in it.
struct Fields<'r, 'a> {
    row: &'r mut Row<'a>,
    prefix: Option<&'r str>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Fields<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            let length = key.len() + self.prefix.map_or(0, |prefix| prefix.len() + 1);
            if length > LONGEST_KEY {
                return Err(A::Error::custom(format_args!("a key of {length} bytes")));
            }
            let key = match self.prefix {
                Some(prefix) => Cow::Owned(format!("{prefix}.{key}")),
                None => key,
            };
            map.next_value_seed(Field { row: &mut *self.row, key, depth: self.depth })?;
        }
        Ok(())
    }
}

/// The value of a field.
struct Field<'r, 'a> {
    row: &'r mut Row<'a>,
    key: Cow<'a, str>,
    depth: usize,
}

impl<'a> Field<'_, 'a> {
    fn set(self, cell: Option<Cow<'a, str>>) {
        self.row.0.push((self.key, cell));
    }

    fn set_shown<T: ToString>(self, value: &T) {
        self.set(Some(Cow::Owned(value.to_string())));
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Strings as they are, `null` as no cell, objects as further fields, all else as compact JSON.
impl<'de> Visitor<'de> for Field<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.set(Some(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.set(Some(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.set(None);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.set_shown(&value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.set_shown(&value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.set_shown(&value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.set_shown(&Value::from(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        let list = Value::deserialize(SeqAccessDeserializer::new(items))?;
        self.set_shown(&list);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.depth == MOST_DEPTH {
            let object = Value::deserialize(MapAccessDeserializer::new(map))?;
            self.set_shown(&object);
            return Ok(());
        }
        Fields { row: self.row, prefix: Some(&self.key), depth: self.depth + 1 }.visit_map(map)
    }
}

/// A key, borrowed where it holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = Text<'de>;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<String, String> {
        let row = parse(text.as_bytes())?;
        let cells = row.0.iter().map(|(key, cell)| format!("{key}={}", cell.as_deref().unwrap_or("-")));
        Ok(cells.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn objects_in_objects_become_keys_with_dots() {
        assert_eq!(
            told(r#"{"a": {"b": 1, "c": {"d": [1, {"e": null}], "f": null}}, "g": {}}"#).unwrap(),
            r#"a.b=1 a.c.d=[1,{"e":null}] a.c.f=-"#
        );
        let deep = r#"{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}"#;
        assert_eq!(told(deep).unwrap(), r#"a.a.a.a.a={"a":1}"#);
    }

    #[test]
    fn numbers_that_are_none_are_no_values() {
        assert_eq!(
            told(r#"{"a": NaN, "b": -Infinity, "c": "NaN \" NaN"}"#).unwrap(),
            r#"a=- b=- c=NaN " NaN"#
        );
        assert!(told(r#"{"a": NaN, "b": }"#).unwrap_err().starts_with("is not valid JSON: expected value"));
    }

    #[test]
    fn what_is_no_object_is_told() {
        assert_eq!(told("[1]").unwrap_err(), "is not a JSON object");
        assert!(
            told(r#"{"a": 1"#).unwrap_err().starts_with("is not valid JSON: EOF while parsing an object")
        );
        assert!(told(r#"{"a": 1} x"#).unwrap_err().contains("trailing characters"));
    }
}
