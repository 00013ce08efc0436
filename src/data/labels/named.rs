//! Labels in objects: which names a list of objects, a choice or an object of yes and no stands for.

use serde_json::{Map, Value};

use super::offsets;

/// Keys under which an object holds its label, the likeliest first.
const KEYS: [&str; 17] = [
    "choices",
    "labels",
    "label",
    "taxonomy",
    "classes",
    "class",
    "category",
    "categories",
    "tags",
    "tag",
    "intent",
    "topic",
    "name",
    "value",
    "title",
    "text",
    "id",
];

/// Between the names of a path, as labelling tools show it.
const PATH: &str = " > ";

/// The labels that a value stands for; `None` where it is none, among them places in a text.
pub(in crate::data) fn labels(value: &Value) -> Option<Vec<String>> {
    if offsets::are_places(value) {
        return None;
    }
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => {
            let all: Vec<Vec<String>> = items.iter().map(item).collect::<Option<_>>()?;
            Some(all.concat())
        }
        Value::Object(fields) => of_object(fields),
        _ => Some(vec![shown(value)]),
    }
}

/// The labels of an item of a list: of an object its own, of a list a path.
fn item(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(path) if path.iter().all(Value::is_string) && !path.is_empty() => {
            Some(vec![path.iter().map(shown).collect::<Vec<_>>().join(PATH)])
        }
        Value::Array(_) => None,
        // `{"label": "a", "selected": false}` is not chosen.
        Value::Object(fields)
            if fields.len() > 1 && fields.values().any(|field| *field == Value::Bool(false)) =>
        {
            let names = || fields.keys().any(|key| KEYS.contains(&key.as_str()));
            if names() && !is_flags(fields) { Some(Vec::new()) } else { of_object(fields) }
        }
        other => labels(other),
    }
}

fn of_object(fields: &Map<String, Value>) -> Option<Vec<String>> {
    if is_flags(fields) {
        let set = fields.iter().filter(|(_, value)| holds(value) == Some(true));
        return Some(set.map(|(name, _)| name.clone()).collect());
    }
    KEYS.iter().find_map(|key| labels(fields.get(*key)?))
}

/// Whether an object says of names whether they hold: `{"a": 1, "b": 0}`.
pub(in crate::data) fn is_flags(fields: &Map<String, Value>) -> bool {
    fields.len() > 1 && fields.values().all(|value| holds(value).is_some())
}

fn holds(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(holds) => Some(*holds),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        _ => None,
    }
}

/// A value as a name.
pub(in crate::data) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_stand_for_the_labels_in_them() {
        let told = |value: Value| labels(&value).map(|labels| labels.join("|"));
        for (value, expected) in [
            (json!([{"label": "urgent"}, {"label": "billing"}]), "urgent|billing"),
            (json!({"choices": ["a", "b"]}), "a|b"),
            (json!([{"name": "a", "score": 0.5}]), "a"),
            (json!({"a": 1, "b": 0, "c": 1.0}), "a|c"),
            (json!({"a": true, "b": false}), "a"),
            (json!([{"label": "a", "chosen": true}, {"label": "b", "chosen": false}]), "a"),
            (json!({"taxonomy": [["a", "b"], ["c"]]}), "a > b|c"),
            (json!([]), ""),
            (json!(["a", 3]), "a|3"),
        ] {
            assert_eq!(told(value.clone()).as_deref(), Some(expected), "{value}");
        }
        for value in
            [json!([[0, 4, "PER"]]), json!([{"start": 0, "end": 4, "label": "PER"}]), json!({"x": "y"})]
        {
            assert_eq!(told(value.clone()), None, "{value}");
        }
    }
}
