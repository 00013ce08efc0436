//! What must hold of a `tokenizer.json` before the library gets it, which trusts the file: its tables of characters lead
//! nowhere else, what is put around a text is in the vocabulary, and a text does not grow without bounds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer as _, NormalizerWrapper};

use super::sentencepiece::charsmap_is_sound;
use crate::files::guard::guarded;

/// Bytes that a normalizer may put in one place: the longest in use are a few.
const LONGEST_CONTENT: usize = 256;

/// How many times as long as it was a text may become while it is normalized. Decomposition makes 18 characters of one
/// at most, byte-level characters have two bytes each.
const MOST_GROWTH: usize = 32;

/// Bytes of the text that is tried.
const PROBE: usize = 2048;

/// Steps of normalizers and of processors, nested ones included.
const MOST_STEPS: usize = 1024;

/// Characters of a word that is cut into pieces; the library takes a time that grows with its square. In use are 100
/// and 200.
const LONGEST_WORD: u64 = 1000;

/// Tokens beside the vocabulary; models have up to some thousands. The library takes seconds for each hundred thousand.
const MOST_ADDED: usize = 1 << 16;

/// Special tokens around a text; in use are two or three.
const MOST_AROUND: usize = 64;

/// The parts that are looked at; the vocabulary, which is most of the file, is passed by.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Option<Model>,
    #[serde(default)]
    added_tokens: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Model {
    max_input_chars_per_word: Option<u64>,
    vocab: Option<IgnoredAny>,
}

/// Looks at a file before the library does. Ids are looked at afterwards, by [`ids_around`].
///
/// # Errors
/// In words, what is wrong with it.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let parts: Parts = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if parts.added_tokens.len() > MOST_ADDED {
        let count = parts.added_tokens.len();
        return Err(format!(
            "it adds {count} tokens to its vocabulary; more than {MOST_ADDED} take too long to read"
        ));
    }
    for part in [&parts.normalizer, &parts.pre_tokenizer] {
        charsmaps(part)?;
    }
    if let Some(model) = &parts.model {
        if model.vocab.is_none() {
            return Err("its model has no vocabulary".into());
        }
        if let Some(longest) = model.max_input_chars_per_word.filter(|longest| *longest > LONGEST_WORD) {
            return Err(format!(
                "its model cuts words of up to {longest} characters into pieces; more than {LONGEST_WORD} take too long"
            ));
        }
    }
    ids_around(&parts.post_processor)?;
    growth(&parts.normalizer)
}

/// Every table of characters in a part of the file, wherever it is nested.
fn charsmaps(part: &Value) -> Result<(), String> {
    match part {
        Value::Array(parts) => parts.iter().try_for_each(charsmaps),
        Value::Object(fields) => {
            if let Some(table) = fields.get("precompiled_charsmap") {
                let bytes = table.as_str().map(|text| STANDARD.decode(text));
                let Some(Ok(bytes)) = bytes else {
                    return Err("its table of characters (precompiled_charsmap) is no text in base64".into());
                };
                if !charsmap_is_sound(&bytes) {
                    return Err("its table of characters (precompiled_charsmap) makes no sense".into());
                }
            } else if fields.get("type").and_then(Value::as_str) == Some("Precompiled") {
                return Err("it has a Precompiled normalizer without a precompiled_charsmap".into());
            }
            fields.values().try_for_each(charsmaps)
        }
        _ => Ok(()),
    }
}

/// The ids that a post-processor puts around a text.
///
/// # Errors
/// In words, where a template names a token that it does not describe, or the ids of one do not match its tokens.
pub(super) fn ids_around(processor: &Value) -> Result<Vec<u64>, String> {
    let mut ids = Vec::new();
    for step in steps_of(processor, "processors")? {
        let list = |key: &str| step.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        match step.get("type").and_then(Value::as_str) {
            Some("BertProcessing" | "RobertaProcessing") => {
                // Each a token with its id.
                ids.extend(["sep", "cls"].iter().flat_map(|key| list(key)).filter_map(Value::as_u64));
            }
            Some("TemplateProcessing") => {
                let described = step.get("special_tokens").and_then(Value::as_object);
                for (name, token) in described.into_iter().flatten() {
                    let list = |key: &str| token.get(key).and_then(Value::as_array);
                    let (Some(of_it), Some(tokens)) = (list("ids"), list("tokens")) else { continue };
                    if of_it.len() != tokens.len() {
                        return Err(format!("its special token {name:?} has other ids than tokens"));
                    }
                    ids.extend(of_it.iter().filter_map(Value::as_u64));
                }
                for key in ["single", "pair"] {
                    let around =
                        list(key).iter().filter_map(|piece| piece.get("SpecialToken")?.get("id")?.as_str());
                    let around: Vec<&str> = around.collect();
                    if around.len() > MOST_AROUND {
                        return Err(format!("it puts {} special tokens around a text", around.len()));
                    }
                    let missing = |name: &&str| described.is_none_or(|known| !known.contains_key(*name));
                    if let Some(name) = around.into_iter().find(missing) {
                        return Err(format!("it puts {name:?} around a text and does not say what that is"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(ids)
}

/// A part's steps, those of nested sequences in their place.
fn steps_of<'a>(part: &'a Value, key: &str) -> Result<Vec<&'a Value>, String> {
    fn collect<'a>(part: &'a Value, key: &str, steps: &mut Vec<&'a Value>) {
        match part.get(key).and_then(Value::as_array) {
            Some(nested) => nested.iter().for_each(|step| collect(step, key, steps)),
            None if part.is_null() => {}
            None => steps.push(part),
        }
    }
    let mut steps = Vec::new();
    collect(part, key, &mut steps);
    if steps.len() > MOST_STEPS {
        return Err(format!("it takes {} steps where a few are usual", steps.len()));
    }
    Ok(steps)
}

/// Normalizes a text that holds what the steps look for, step by step, and looks at its length.
fn growth(normalizer: &Value) -> Result<(), String> {
    let steps = steps_of(normalizer, "normalizers")?;
    let mut probe: String = (' '..='~').chain("äßéœΩжابकあ漢한①Ａ".chars()).collect();
    for step in &steps {
        let pattern = step.get("pattern").and_then(|is| is.get("String").or_else(|| is.get("Regex")));
        for text in [step.get("content"), step.get("prepend")].into_iter().flatten() {
            let length = text.as_str().map_or(0, str::len);
            if length > LONGEST_CONTENT {
                return Err(format!("it puts {length} bytes into a text in one place"));
            }
        }
        for text in [pattern, step.get("content")].into_iter().flatten().filter_map(Value::as_str) {
            if probe.len() + text.len() < PROBE {
                probe.push_str(text);
            }
        }
    }
    let most = probe.len() * MOST_GROWTH;
    let mut text = NormalizedString::from(probe);
    for step in steps {
        let done = guarded(|| {
            // What is wrong with a step as such is told by the library when it reads the whole.
            let Ok(step) = serde_json::from_value::<NormalizerWrapper>(step.clone()) else { return Ok(()) };
            step.normalize(&mut text).map_err(|error| error.to_string())
        });
        done.and_then(|done| done).map_err(|reason| format!("its normalizer fails: {reason}"))?;
        if text.get().len() > most {
            return Err(format!("its normalizer makes a text more than {MOST_GROWTH} times as long"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
