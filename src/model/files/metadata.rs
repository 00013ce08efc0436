//! What a model folder says of itself beside the network: licence, prompts, files.

use std::path::Path;

use serde_json::Value;

use super::read_json_if_there;
use crate::files::regular_file;
use crate::model::error::ModelError;
use crate::model::summary::{FileSize, Prompt};

/// Bytes of a README whose front matter is looked at.
const FRONT: usize = 64 << 10;
/// Files that are listed: a folder that is not a model's may hold any number.
const MOST_FILES: usize = 500;

/// The licence of the README's front matter, or of config.json.
pub(in crate::model) fn licence(dir: &Path, config: &Value) -> Option<String> {
    licence_of_readme(dir).or_else(|| config.get("license").and_then(Value::as_str).map(str::to_owned))
}

/// The licence that the front matter of the folder's README states.
#[must_use]
pub fn licence_of_readme(dir: &Path) -> Option<String> {
    front_of(&dir.join("README.md")).and_then(|text| licence_of(&text))
}

fn front_of(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    regular_file::open(path).ok()?.take(FRONT as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn licence_of(readme: &str) -> Option<String> {
    let mut lines = readme.lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let front: Vec<&str> = lines.take_while(|line| line.trim_end() != "---").collect();
    let value = |key: &str| {
        let at =
            front.iter().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))?;
        let same_line = front.get(at)?.split_once(':')?.1;
        let below = front.iter().skip(at + 1).map_while(|line| line.trim_start().strip_prefix("- "));
        let words = std::iter::once(same_line)
            .chain(below)
            .map(|word| word.trim().trim_matches(['"', '\'', '[', ']']));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        (!words.is_empty()).then(|| words.join(", "))
    };
    match value("license").or_else(|| value("licence"))? {
        other if other == "other" => value("license_name").or(Some(other)),
        known => Some(known),
    }
}

/// The prompts of `config_sentence_transformers.json`, and the name of the one that is put before every text.
pub(in crate::model) fn prompts(dir: &Path) -> Result<(Vec<Prompt>, Option<String>), ModelError> {
    let path = dir.join("config_sentence_transformers.json");
    let Some(config) = read_json_if_there(&path)? else { return Ok((Vec::new(), None)) };
    let bad = |reason: String| ModelError::BadJson { path: path.clone(), reason };
    let mut prompts = Vec::new();
    match config.get("prompts") {
        None | Some(Value::Null) => {}
        Some(Value::Object(named)) => {
            for (name, text) in named {
                match text {
                    Value::Null => {}
                    Value::String(text) => prompts.push(Prompt { name: name.clone(), text: text.clone() }),
                    other => return Err(bad(format!("prompt \"{name}\" is {other}, expected a text"))),
                }
            }
        }
        Some(other) => return Err(bad(format!("prompts is {other}, expected names with texts"))),
    }
    let default = config.get("default_prompt_name").and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = &default
        && !prompts.iter().any(|prompt| prompt.name == *name)
    {
        return Err(bad(format!("default_prompt_name is \"{name}\", and no prompt is called so")));
    }
    Ok((prompts, default))
}

/// Files of the folder and of the folders right in it, with their sizes, by name.
pub(in crate::model) fn files(dir: &Path) -> Vec<FileSize> {
    let mut files = Vec::new();
    list(dir, "", &mut files);
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

fn list(dir: &Path, above: &str, files: &mut Vec<FileSize>) {
    // What cannot be listed is no reason to refuse a model that can be read.
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        // Follows links: snapshots of the hub's cache are made of them.
        let Ok(about) = std::fs::metadata(entry.path()) else { continue };
        if files.len() >= MOST_FILES {
            return;
        }
        if about.is_file() {
            files.push(FileSize { name, bytes: about.len() });
        } else if about.is_dir() && above.is_empty() && !name.starts_with('.') {
            list(&entry.path(), &format!("{name}/"), files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::licence_of;

    #[test]
    fn the_licence_is_read_from_the_front_matter() {
        for (readme, expected) in [
            ("---\nlicense: apache-2.0\ntags:\n- x\n---\n# A model", Some("apache-2.0")),
            ("---\r\nlicense: \"mit\"\r\n---\r\n", Some("mit")),
            ("---\nlicense:\n- mit\n- apache-2.0\nlanguage: en\n---\n", Some("mit, apache-2.0")),
            ("---\nlicense: other\nlicense_name: gemma\n---\n", Some("gemma")),
            ("---\nlicense_name: x\n---\nlicense: mit", None),
            ("# A model\nlicense: mit", None),
            ("", None),
        ] {
            assert_eq!(licence_of(readme).as_deref(), expected, "{readme:?}");
        }
    }
}
