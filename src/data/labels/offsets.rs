//! Entities by their places in a text, as annotation tools write them: `[0, 4, "PER"]`, `{"start": 0, "end": 4, ...}`.
//!
//! Only what a cell says is read here; what words a place takes in is found elsewhere.

use serde_json::{Map, Value};

use super::literal::nested;
use super::named::shown;

/// Names of where an entity begins.
const STARTS: [&str; 11] = [
    "start",
    "start_offset",
    "startOffset",
    "begin",
    "from",
    "start_char",
    "char_start",
    "startIndex",
    "beginOffset",
    "start_pos",
    "begin_offset",
];
/// Names of where it ends.
const ENDS: [&str; 12] = [
    "end",
    "end_offset",
    "endOffset",
    "stop",
    "to",
    "end_char",
    "char_end",
    "endIndex",
    "finish",
    "end_pos",
    "endOffset",
    "until",
];
/// Names of a pair of both.
const PAIRS: [&str; 7] = ["span", "offsets", "offset", "indices", "position", "range", "loc"];
/// Names of its kind, the likeliest first.
const KINDS: [&str; 13] = [
    "entity_group",
    "entity_type",
    "label",
    "labels",
    "entity",
    "type",
    "tag",
    "tags",
    "class",
    "category",
    "ner",
    "kind",
    "name",
];
/// Names of the text that it takes in.
const TEXTS: [&str; 5] = ["text", "word", "value", "surface", "mention"];

/// An entity as a cell has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Place {
    /// Where it begins and ends, in what the file counts in.
    pub(in crate::data) start: usize,
    pub(in crate::data) end: usize,
    pub(in crate::data) kind: Kind,
    /// The text that the file says is there.
    pub(in crate::data) text: Option<String>,
}

/// What an entity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) enum Kind {
    Name(String),
    /// A number for whose meaning one has to look elsewhere.
    Number(String),
    /// Nothing says.
    None,
}

/// The entities of a cell; `None` where it holds none, an empty list among them.
pub(in crate::data) fn places(cell: &str) -> Option<Vec<Place>> {
    of_value(&nested(cell)?).filter(|places| !places.is_empty())
}

/// True for a value that holds places in a text, and at least one.
pub(in crate::data) fn are_places(value: &Value) -> bool {
    of_value(value).is_some_and(|places| !places.is_empty())
}

/// The kinds of the entities of a value, where they have names.
pub(in crate::data) fn kinds(value: &Value) -> Option<Vec<String>> {
    let name = |place: Place| match place.kind {
        Kind::Name(name) => Some(name),
        Kind::Number(_) | Kind::None => None,
    };
    of_value(value)?.into_iter().map(name).collect()
}

/// A list without anything in it: no entity.
pub(in crate::data) fn is_none(cell: &str) -> bool {
    matches!(cell.trim(), "[]" | "()")
        || nested(cell).is_some_and(|value| of_value(&value) == Some(Vec::new()))
}

fn of_value(value: &Value) -> Option<Vec<Place>> {
    match value {
        Value::Array(items) => Some(items.iter().map(of_item).collect::<Option<Vec<_>>>()?.concat()),
        Value::Object(fields) => {
            match ["entities", "spans", "annotations"].iter().find_map(|key| fields.get(*key)) {
                Some(inner) if fields.len() == 1 => of_value(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

fn of_item(item: &Value) -> Option<Vec<Place>> {
    match item {
        Value::Array(parts) => of_triple(parts).map(|place| vec![place]),
        Value::Object(fields) => of_object(fields),
        _ => None,
    }
}

/// `[0, 4, "PER"]`, or with the name first.
fn of_triple(parts: &[Value]) -> Option<Place> {
    let (start, end, kind) = match parts {
        [start, end, kind, ..] if start.is_u64() && end.is_u64() => (start, end, kind),
        [kind, start, end] if start.is_u64() && end.is_u64() => (start, end, kind),
        _ => return None,
    };
    let kind = kind_of(kind);
    (kind != Kind::None).then_some(())?;
    Some(Place { start: number(start)?, end: number(end)?, kind, text: None })
}

fn of_object(fields: &Map<String, Value>) -> Option<Vec<Place>> {
    // Label Studio puts all of it one level below.
    if let Some(Value::Object(inner)) = fields.get("value")
        && let Some(places) = of_object(inner)
    {
        return Some(places);
    }
    let get = |names: &[&str]| names.iter().find_map(|name| fields.get(*name));
    let kind = get(&KINDS).map_or(Kind::None, kind_of);
    // DataTurks: one label, several places.
    if let Some(Value::Array(points)) = fields.get("points") {
        let places =
            points.iter().map(|point| of_object(point.as_object()?)).collect::<Option<Vec<_>>>()?.concat();
        return Some(places.into_iter().map(|place| Place { kind: kind.clone(), ..place }).collect());
    }
    let text = TEXTS.iter().find_map(|name| fields.get(*name)?.as_str()).map(str::to_owned);
    let starts = get(&STARTS).and_then(number);
    let ends = get(&ENDS).and_then(number);
    let length = fields.get("length").and_then(number);
    let offset = starts.or_else(|| fields.get("offset").and_then(number));
    if let (Some(start), Some(end)) =
        (offset, ends.or(offset.zip(length).map(|(start, length)| start.saturating_add(length))))
    {
        return Some(vec![Place { start, end, kind, text }]);
    }
    // `"offsets": [[0, 4]]` and `"span": [0, 4]`.
    let pair = get(&PAIRS)?.as_array()?;
    let pairs: Vec<&Vec<Value>> = match pair.first()? {
        Value::Array(_) => pair.iter().map(Value::as_array).collect::<Option<_>>()?,
        _ => vec![pair],
    };
    pairs
        .into_iter()
        .map(|pair| match pair.as_slice() {
            [start, end] => Some(Place {
                start: number(start)?,
                end: number(end)?,
                kind: kind.clone(),
                text: text.clone(),
            }),
            _ => None,
        })
        .collect()
}

/// A whole number, also where it is written as a string or with a point.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::String(digits) => digits.trim().parse().ok(),
        Value::Number(number) => match number.as_u64() {
            Some(number) => usize::try_from(number).ok(),
            None => {
                number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n)).map(|n| n as usize)
            }
        },
        _ => None,
    }
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::String(name) if !name.trim().is_empty() => Kind::Name(name.trim().to_owned()),
        Value::Number(number) => Kind::Number(number.to_string()),
        // Of several names of one entity the first is read.
        Value::Array(names) => names.first().map_or(Kind::None, kind_of),
        Value::Object(fields) => fields.get("name").map_or(Kind::None, |name| Kind::Name(shown(name))),
        _ => Kind::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_the_tools_write_them() {
        for cell in [
            r#"[[0, 4, "PER"]]"#,
            "[(0, 4, 'PER')]",
            r#"[["PER", 0, 4]]"#,
            r#"[{"start": 0, "end": 4, "label": "PER"}]"#,
            r#"[{"start_offset": 0, "end_offset": 4, "label": "PER", "id": 7}]"#,
            r#"[{"entity_group": "PER", "start": 0, "end": 4}]"#,
            r#"[{"start": 0, "end": 4, "labels": ["PER"]}]"#,
            r#"[{"value": {"start": 0, "end": 4, "labels": ["PER"]}, "type": "labels"}]"#,
            r#"[{"offset": 0, "length": 4, "type": "PER"}]"#,
            r#"[{"offsets": [[0, 4]], "type": "PER", "id": "e1"}]"#,
            r#"{"entities": [[0, 4, "PER"]]}"#,
            r#"[{"label": ["PER"], "points": [{"start": 0, "end": 4}]}]"#,
        ] {
            let found = places(cell).unwrap_or_default();
            let [place] = found.as_slice() else { panic!("{cell}: {found:?}") };
            assert_eq!((place.start, place.end, &place.kind), (0, 4, &Kind::Name("PER".into())), "{cell}");
        }
        let own = places(r#"[{"start": 17, "end": 21, "value": "Lima", "entity": "city"}]"#).unwrap();
        assert_eq!((own[0].text.as_deref(), &own[0].kind), (Some("Lima"), &Kind::Name("city".into())));
        let numbered = places(r#"[{"id": 0, "label": 1, "start_offset": 0, "end_offset": 4}]"#).unwrap();
        assert_eq!(numbered[0].kind, Kind::Number("1".into()));
        for cell in ["[]", "[1, 2, 3]", r#"["a", "b"]"#, "[[1, 2, 3, 4], 5]", r#"[{"label": "x"}]"#, "{}"] {
            assert_eq!(places(cell), None, "{cell}");
        }
        assert!(is_none("[]") && is_none(r#"{"entities": []}"#) && !is_none("[1]"));
    }
}
