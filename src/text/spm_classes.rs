//! What the classes of transformers make of a sentencepiece model: which ids its pieces get, which tokens are put
//! around a text, and how a text is prepared. Each gives the `tokenizer.json` that its fast tokenizer would write.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokenizers::normalizers::Precompiled;

use super::encoder_dir::{SENTENCEPIECE, read_at_most};
use super::error::TokenizerError;
use super::sentencepiece::{Kind, Sentencepiece};
use super::spm_class::Class;
use super::spm_tokens::{Token, added_tokens};
use super::vocab_settings::{Settings, base_of, damaged};

/// What the file is called, by the classes that it was written for.
const NAMES: [&str; 5] =
    ["spm.model", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "sentencepiece.model"];

/// The sentencepiece model of a folder: the file of a usual name, or else the only `.model` there is.
pub(super) fn model_file(dir: &Path) -> Option<PathBuf> {
    if let Some(named) = NAMES.iter().map(|name| dir.join(name)).find(|path| path.is_file()) {
        return Some(named);
    }
    let is_model = |path: &PathBuf| path.extension().is_some_and(|is| is == "model") && path.is_file();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut models = entries.map(|entry| entry.path()).filter(is_model);
    let first = models.next()?;
    models.next().is_none().then_some(first)
}

/// Each class, its name in transformers, and the `model_type` that has it where a folder names none.
const CLASSES: [(Class, &str, &str); 4] = [
    (Class::XlmRoberta, "XLMRoberta", "xlm-roberta"),
    (Class::Camembert, "Camembert", "camembert"),
    (Class::Albert, "Albert", "albert"),
    (Class::DebertaV2, "DebertaV2", "deberta-v2"),
];

/// The `tokenizer.json` of a sentencepiece model.
pub(super) fn build(settings: &Settings, path: &Path) -> Result<Value, TokenizerError> {
    let Some(named) = settings.class_or_model_type() else {
        return Err(TokenizerError::NoClass { path: path.to_owned() });
    };
    let is_named = |class: &str, model_type: &str| base_of(&named) == class || named == model_type;
    let Some((class, ..)) = CLASSES.iter().find(|(_, class, model_type)| is_named(class, model_type)) else {
        return Err(settings.unknown(&named));
    };
    let bytes = read_at_most(path, SENTENCEPIECE)
        .map_err(|reason| TokenizerError::Unreadable { path: path.to_owned(), reason })?;
    let bad = |reason: String| damaged(path, &reason);
    let model = Sentencepiece::parse(&bytes).map_err(bad)?;

    let pieces = class.pieces(&model);
    let added = added_tokens(*class, settings, &model)?;
    let ids = ids(&pieces, &added);
    let listed: Value = {
        let mut listed: Vec<(u32, Value)> = added.iter().filter_map(|token| token.json(&ids)).collect();
        listed.sort_by_key(|(id, _)| *id);
        listed.into_iter().map(|(_, json)| json).collect()
    };
    let [first, last] = class.around();
    let (Some(first_id), Some(last_id)) = (ids.get(first), ids.get(last)) else {
        return Err(bad(format!("it has no pieces {first} and {last}, which are put around every text")));
    };
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": listed,
        "normalizer": class.normalizer(settings, charsmap(&model).map_err(bad)?)?,
        "pre_tokenizer": class.pre_tokenizer(settings)?,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special(first, 0), sequence("A", 0), special(last, 0)],
            "pair": class.pair(),
            "special_tokens": {
                first: {"id": first, "ids": [first_id], "tokens": [first]},
                last: {"id": last, "ids": [last_id], "tokens": [last]},
            },
        },
        "decoder": metaspace(),
        "model": match model.kind {
            Kind::Unigram => json!({
                "type": "Unigram", "unk_id": class.unknown(&model), "vocab": pieces, "byte_fallback": false,
            }),
            Kind::Bpe => bpe(&pieces, &model),
        },
    }))
}

/// The id of every piece, and of the added tokens that are none, which follow them.
fn ids<'a>(pieces: &'a [(String, f64)], added: &'a [Token]) -> HashMap<&'a str, u32> {
    let mut ids: HashMap<&str, u32> = HashMap::with_capacity(pieces.len() + added.len());
    ids.extend((0..).zip(pieces).map(|(id, (text, _))| (text.as_str(), id)));
    let mut next = pieces.len() as u32;
    for token in added {
        ids.entry(&token.content).or_insert_with(|| {
            next += 1;
            next - 1
        });
    }
    ids
}

impl Class {
    /// The pieces with their scores, in the order of their ids.
    fn pieces(self, model: &Sentencepiece) -> Vec<(String, f64)> {
        let scored = |text: &str, score: f64| (text.to_owned(), score);
        let from = |first: usize| {
            model.pieces.iter().skip(first).map(|piece| (piece.text.clone(), f64::from(piece.score)))
        };
        match self {
            // fairseq's own order of the first four; sentencepiece's are <unk>, <s> and </s>.
            Self::XlmRoberta => {
                let first = ["<s>", "<pad>", "</s>", "<unk>"].map(|text| scored(text, 0.0));
                first.into_iter().chain(from(3)).chain([scored("<mask>", 0.0)]).collect()
            }
            Self::Camembert => {
                let first = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"].map(|text| scored(text, 0.0));
                let first = first.into_iter().chain([scored("<unk>NOTUSED", -100.0)]);
                first.chain(from(1)).chain([scored("<mask>", 0.0)]).collect()
            }
            // A comma stays a token of its own behind a number.
            Self::Albert => from(0)
                .map(|(text, score)| {
                    let number_and_comma = ends_in_number_and_comma(&text);
                    (text, if number_and_comma { score - 100.0 } else { score })
                })
                .collect(),
            Self::DebertaV2 => from(0).collect(),
        }
    }

    /// The id of what no piece fits.
    fn unknown(self, model: &Sentencepiece) -> usize {
        match self {
            Self::XlmRoberta | Self::Camembert => 3,
            Self::Albert | Self::DebertaV2 => model.unknown,
        }
    }

    /// What is put before and behind a text.
    const fn around(self) -> [&'static str; 2] {
        match self {
            Self::XlmRoberta | Self::Camembert => ["<s>", "</s>"],
            Self::Albert | Self::DebertaV2 => ["[CLS]", "[SEP]"],
        }
    }

    /// How two texts become one row.
    fn pair(self) -> Value {
        let [first, last] = self.around();
        match self {
            Self::XlmRoberta | Self::Camembert => json!([
                special(first, 0),
                sequence("A", 0),
                special(last, 0),
                special(last, 0),
                sequence("B", 0),
                special(last, 0),
            ]),
            Self::Albert | Self::DebertaV2 => json!([
                special(first, 0),
                sequence("A", 0),
                special(last, 0),
                sequence("B", 1),
                special(last, 1),
            ]),
        }
    }

    /// What is done to a text before it is cut.
    fn normalizer(self, settings: &Settings, charsmap: Option<Value>) -> Result<Value, TokenizerError> {
        let replace = |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
        let spaces = |content: &str| replace(json!({"Regex": " {2,}"}), content);
        let strip = |left: bool| json!({"type": "Strip", "strip_left": left, "strip_right": true});
        let plain = |kind: &str| json!({"type": kind});
        let mut steps: Vec<Value> = Vec::new();
        match self {
            Self::XlmRoberta | Self::Camembert => {
                steps.extend(charsmap);
                steps.extend([strip(false), spaces("▁")]);
            }
            Self::Albert => {
                steps.extend(["``", "''"].map(|quotes| replace(json!({"String": quotes}), "\"")));
                if !settings.flag("keep_accents")?.unwrap_or(false) {
                    steps.extend([plain("NFKD"), plain("StripAccents")]);
                }
                if settings.flag("do_lower_case")?.unwrap_or(true) {
                    steps.push(plain("Lowercase"));
                }
                steps.extend(charsmap);
                steps.push(spaces(" "));
            }
            Self::DebertaV2 => {
                if settings.flag("do_lower_case")?.unwrap_or(false) {
                    steps.push(plain("Lowercase"));
                }
                steps.push(strip(true));
                steps.extend(charsmap);
                steps.push(spaces(" "));
            }
        }
        Ok(json!({"type": "Sequence", "normalizers": steps}))
    }

    /// Where a text is cut before its pieces are looked for.
    fn pre_tokenizer(self, settings: &Settings) -> Result<Value, TokenizerError> {
        if self != Self::DebertaV2 {
            return Ok(metaspace());
        }
        let mut steps = vec![metaspace()];
        if settings.flag("split_by_punct")?.unwrap_or(false) {
            steps.insert(0, json!({"type": "Punctuation", "behavior": "Isolated"}));
        }
        Ok(json!({"type": "Sequence", "pretokenizers": steps}))
    }
}

fn special(token: &str, part: u8) -> Value {
    json!({"SpecialToken": {"id": token, "type_id": part}})
}

fn sequence(name: &str, part: u8) -> Value {
    json!({"Sequence": {"id": name, "type_id": part}})
}

fn metaspace() -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})
}

/// The model's own table of characters as a step of a normalizer, where it has one.
fn charsmap(model: &Sentencepiece) -> Result<Option<Value>, String> {
    if model.charsmap.is_empty() {
        return Ok(None);
    }
    let step = Precompiled::from(&model.charsmap).map_err(|error| error.to_string())?;
    serde_json::to_value(step).map(Some).map_err(|error| error.to_string())
}

/// Whether a piece ends in a digit and a comma. A model's pieces went through NFKC, after which no fraction or
/// circled number, which Python would not count as a digit, is left.
fn ends_in_number_and_comma(piece: &str) -> bool {
    piece.strip_suffix(',').and_then(|rest| rest.chars().next_back()).is_some_and(char::is_numeric)
}

/// A byte-pair model: sentencepiece keeps no list of merges, they follow from the scores.
fn bpe(pieces: &[(String, f64)], model: &Sentencepiece) -> Value {
    let known: HashMap<&str, usize> =
        model.pieces.iter().enumerate().map(|(id, piece)| (piece.text.as_str(), id)).collect();
    let mut merges: Vec<(f64, usize, usize, &str, &str)> = Vec::new();
    for (text, score) in pieces {
        let splits = text.char_indices().skip(1).filter_map(|(at, _)| text.split_at_checked(at));
        let mut of_piece: Vec<(usize, usize, &str, &str)> = splits
            .filter_map(|(left, right)| Some((*known.get(left)?, *known.get(right)?, left, right)))
            .collect();
        of_piece.sort_unstable();
        let length = |part: &str| part.chars().count();
        merges.extend(
            of_piece.iter().map(|(_, _, left, right)| (*score, length(left), length(right), *left, *right)),
        );
    }
    // Highest score first; equals keep the order of the pieces.
    merges.sort_by(|one, other| other.0.total_cmp(&one.0).then((other.1, other.2).cmp(&(one.1, one.2))));
    let merges: Vec<[&str; 2]> = merges.iter().map(|(_, _, _, left, right)| [*left, *right]).collect();
    let vocab: serde_json::Map<String, Value> =
        (0..).zip(pieces).map(|(id, (text, _))| (text.clone(), json!(id as u32))).collect();
    json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": model.unknown_text,
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": true,
        "byte_fallback": false,
        "ignore_merges": false,
        "vocab": vocab,
        "merges": merges,
    })
}
