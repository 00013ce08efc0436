//! The tokens that are found whole in a text before a sentencepiece model cuts it: those that the model keeps for
//! itself, those that were added, and the special ones of a class.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::error::TokenizerError;
use super::sentencepiece::{Role, Sentencepiece};
use super::spm_class::Class;
use super::vocab_settings::Settings;

/// A token that is found whole.
#[expect(clippy::struct_excessive_bools, reason = "the settings of a token as the library has them")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Its text.
    pub(super) content: String,
    /// Whether it takes the spaces before it.
    left: bool,
    /// Whether it takes the spaces behind it.
    right: bool,
    /// Whether it is found only between words.
    single_word: bool,
    /// Whether it is looked for after a text is prepared.
    normalized: bool,
    special: bool,
}

impl Token {
    /// A token as a library takes a text for one.
    fn plain(content: &str, special: bool) -> Self {
        Self {
            content: content.to_owned(),
            left: false,
            right: false,
            single_word: false,
            normalized: !special,
            special,
        }
    }

    /// A token of which the settings say what is not usual.
    fn of_fields(fields: &Map<String, Value>, special: bool) -> Option<Self> {
        let on = |key: &str| fields.get(key).and_then(Value::as_bool);
        let special = on("special").unwrap_or(false) || special;
        Some(Self {
            content: fields.get("content")?.as_str()?.to_owned(),
            left: on("lstrip").unwrap_or(false),
            right: on("rstrip").unwrap_or(false),
            single_word: on("single_word").unwrap_or(false),
            normalized: on("normalized").unwrap_or(!special),
            special,
        })
    }

    /// Its id and its entry in a `tokenizer.json`.
    pub(super) fn json(&self, ids: &HashMap<&str, u32>) -> Option<(u32, Value)> {
        let id = *ids.get(self.content.as_str())?;
        let json = json!({
            "id": id,
            "content": self.content,
            "single_word": self.single_word,
            "lstrip": self.left,
            "rstrip": self.right,
            "normalized": self.normalized,
            "special": self.special,
        });
        Some((id, json))
    }
}

/// The tokens of a class's texts, each in the place where it is first added: those without an id in the vocabulary get
/// one in this order.
pub(super) fn added_tokens(
    class: Class,
    settings: &Settings,
    model: &Sentencepiece,
) -> Result<Vec<Token>, TokenizerError> {
    let mut added = Added(Vec::new());
    for piece in model.pieces.iter().filter(|piece| piece.role != Role::Text) {
        let special = piece.role == Role::Control;
        added.put(Token { normalized: false, ..Token::plain(&piece.text, special) });
    }

    let specials = specials(class, settings);
    let is_special = |content: &str| specials.iter().any(|special| special.token.content == content);
    let listed = settings.listed()?;
    if listed.is_empty() {
        for (_, content) in settings.plainly_added()? {
            let said = specials.iter().any(|special| special.said && special.token.content == content);
            added.put(Token { special: is_special(content), ..Token::plain(content, said) });
        }
    }
    let listed: Vec<Token> =
        listed.iter().filter_map(|(_, fields)| Token::of_fields(fields, false)).collect();
    for token in &listed {
        added.put(Token { special: token.special || is_special(&token.content), ..token.clone() });
    }

    for special in specials {
        let is_listed = listed.iter().any(|token| token.content == special.token.content);
        // What is a mere text says nothing of a token that is there; what is described fully stands over it.
        if special.described && !(special.said && is_listed) {
            added.put(special.token);
        } else {
            added.put_if_new(special.token);
        }
    }
    Ok(added.0)
}

struct Added(Vec<Token>);

impl Added {
    fn put(&mut self, token: Token) {
        match self.0.iter_mut().find(|known| known.content == token.content) {
            Some(known) => *known = token,
            None => self.0.push(token),
        }
    }

    fn put_if_new(&mut self, token: Token) {
        if !self.0.iter().any(|known| known.content == token.content) {
            self.0.push(token);
        }
    }
}

/// A special token of a class, and where it comes from.
struct Special {
    token: Token,
    /// By the settings, not by the class alone.
    said: bool,
    /// Whether more than its text is known.
    described: bool,
}

/// The special tokens by the names that the settings have for them, in the order in which they are added.
const KEYS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

fn specials(class: Class, settings: &Settings) -> Vec<Special> {
    let of = |default: Option<&str>, key: &str, said: Option<&Value>| {
        let (token, described) = match said {
            Some(Value::Object(fields)) => (Token::of_fields(fields, true)?, true),
            other => {
                let content = other.map_or(default, Value::as_str)?;
                let plain = Token::plain(content, true);
                match class.describes(key) {
                    Some(describe) => (describe(plain), true),
                    None => (plain, false),
                }
            }
        };
        Some(Special { token, said: said.is_some(), described })
    };
    let named = KEYS.iter().zip(class.defaults());
    let mut specials: Vec<Special> =
        named.filter_map(|(key, default)| of(Some(default), key, settings.said(key))).collect();
    let more = settings.said("additional_special_tokens").and_then(Value::as_array);
    match more {
        Some(more) => specials.extend(more.iter().filter_map(|said| of(None, "", Some(said)))),
        None => specials.extend(class.additional().iter().filter_map(|content| of(Some(content), "", None))),
    }
    specials
}

impl Class {
    /// The tokens of [`KEYS`].
    const fn defaults(self) -> [&'static str; 7] {
        match self {
            Self::XlmRoberta | Self::Camembert => ["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"],
            Self::Albert => ["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"],
            Self::DebertaV2 => ["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
        }
    }

    const fn additional(self) -> &'static [&'static str] {
        match self {
            Self::Camembert => &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
            _ => &[],
        }
    }

    /// What the class knows of a special token that the settings give as a mere text.
    fn describes(self, key: &str) -> Option<fn(Token) -> Token> {
        match (self, key) {
            (Self::DebertaV2, "unk_token") => Some(|token| Token { normalized: true, ..token }),
            (Self::DebertaV2, _) => None,
            // It stands for a word, and takes the space before it.
            (_, "mask_token") => Some(|token| Token { left: true, ..token }),
            _ => None,
        }
    }
}
