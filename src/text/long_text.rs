//! The beginning of a very long text that gives the first tokens of the whole text, so that memory depends on the
//! maximum length and not on the text.
//!
//! The beginning ends between two characters where neither the normalizer nor the pre-tokenizer looks across, and where
//! no added token can lie. Then all pieces that the pre-tokenizer makes of it are those of the whole text, but for the
//! last, which may go on: the *open* piece. The tokens of the other pieces are certain.
//!
//! A text without blanks is one open piece. For byte-level BPE and Unigram some of its tokens are certain too. What
//! either makes of a piece up to a boundary between two tokens is what it makes of the piece up to there alone: merges
//! are applied in order of rank and none of them crosses such a boundary; the best path to a position does not depend
//! on what follows. A token has at most `longest` bytes, so among the last `longest` positions of the part that is known
//! there is a boundary of the whole text. Tokens on which the parts up to all these positions agree are tokens of the
//! whole text.
//!
//! `WordPiece` makes one unknown token of a word that is too long, and blanks and control characters vanish, so a text of
//! any length may have few tokens. Such stretches are shortened to what has the same effect.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;
use tokenizers::{
    Model, ModelWrapper, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType,
    PreTokenizer, PreTokenizerWrapper, Tokenizer,
};

/// Bytes per token of the first beginning that is tried.
const BYTES_PER_TOKEN: usize = 16;

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Texts of up to so many are tokenized as a whole: with what the library keeps of each, some 10 MB a thread.
    whole: usize,
    /// The smallest beginning that is tried.
    least: usize,
    /// The largest one. A text that has too few tokens there is refused rather than read into memory as a whole.
    most: usize,
}

const LIMITS: Limits = Limits { whole: 128 << 10, least: 4 << 10, most: 8 << 20 };

/// What is known of a tokenizer's parts.
pub(super) struct Beginnings {
    /// Whether normalizer and pre-tokenizer are of kinds that do not look across the boundaries that are chosen.
    is_known: bool,
    /// Neighbours in an added token, or in a text that the normalizer replaces, in lower case.
    together: HashSet<(char, char)>,
    /// Added tokens that take the blanks before them.
    take_blanks: Vec<String>,
    /// Bytes of the longest token, where an open piece has certain tokens.
    longest: Option<usize>,
    shorten: Option<Shorten>,
    limits: Limits,
}

/// A beginning of a text.
pub(super) struct Beginning<'a> {
    /// It may be shortened.
    pub(super) text: Cow<'a, str>,
    /// Its tokens that are those of the whole text, special ones apart; `None` where it is the whole text.
    pub(super) certain: Option<usize>,
}

impl Beginnings {
    /// Looks at the parts of a tokenizer.
    pub(super) fn of(tokenizer: &Tokenizer) -> Self {
        let json = |part: Option<Result<Value, serde_json::Error>>| match part {
            Some(part) => part.unwrap_or(Value::Bool(false)),
            None => Value::Null,
        };
        let normalizer = json(tokenizer.get_normalizer().map(serde_json::to_value));
        let pre_tokenizer = json(tokenizer.get_pre_tokenizer().map(serde_json::to_value));
        let mut replaced = Vec::new();
        let is_known = knows_normalizer(&normalizer, &mut replaced) && knows_pre_tokenizer(&pre_tokenizer);
        let added: Vec<_> = tokenizer.get_added_tokens_decoder().into_values().collect();
        let contents = added.iter().map(|token| token.content.as_str());
        let together =
            contents.chain(replaced.iter().map(String::as_str)).flat_map(neighbours).collect::<HashSet<_>>();
        let take_blanks = added.iter().filter(|token| token.lstrip).map(|token| token.content.clone());
        Self {
            is_known,
            take_blanks: take_blanks.collect(),
            longest: longest(tokenizer, &pre_tokenizer),
            shorten: Shorten::of(tokenizer, &together),
            together,
            limits: LIMITS,
        }
    }

    /// A beginning of `prompt` and `text` with more than `tokens` certain tokens, or the whole of both. `shortens` says
    /// whether stretches without effect may be left out, so that offsets are others.
    pub(super) fn find<'a>(
        &self,
        tokenizer: &Tokenizer,
        prompt: &str,
        text: &'a str,
        tokens: usize,
        shortens: bool,
    ) -> Result<Beginning<'a>, String> {
        let whole = |text: &'a str| Beginning { text: prompted(prompt, Cow::Borrowed(text)), certain: None };
        if text.len() <= self.limits.whole {
            return Ok(whole(text));
        }
        let largest = self.limits.most;
        let mut most = tokens.saturating_mul(BYTES_PER_TOKEN).clamp(self.limits.least, largest);
        loop {
            let (read, is_all) = match &self.shorten {
                Some(shorten) if shortens => shorten.read(tokenizer, text, most),
                _ => (Cow::Borrowed(up_to(text, most)), most >= text.len()),
            };
            if is_all {
                return Ok(Beginning { text: prompted(prompt, read), certain: None });
            }
            let rest = if matches!(read, Cow::Borrowed(_)) { text.get(read.len()..) } else { None };
            let beginning = prompted(prompt, read);
            if self.is_known
                && let Some(end) = self.boundary(&beginning, rest)
                && let Some(part) = beginning.get(..end)
            {
                let certain = self.certain(tokenizer, part)?;
                if certain > tokens {
                    return Ok(Beginning { text: Cow::Owned(part.to_owned()), certain: Some(certain) });
                }
            }
            if most == largest {
                return if text.len() <= largest { Ok(whole(text)) } else { Err(self.too_long(text)) };
            }
            most = most.saturating_mul(4).min(largest);
        }
    }

    fn too_long(&self, text: &str) -> String {
        let why = if self.is_known {
            format!("its first {} MB give fewer tokens than fit", self.limits.most >> 20)
        } else {
            "this tokenizer may look at all of it before it gives the first token".to_owned()
        };
        format!("it has {} MB, and {why}. Shorten it", text.len() >> 20)
    }

    /// The last place in the second half of a text where a beginning may end. `rest` is what follows, where it is known.
    fn boundary(&self, text: &str, rest: Option<&str>) -> Option<usize> {
        let mut last: Option<(usize, char)> = None;
        for (at, before) in text.char_indices().rev() {
            if at < text.len() / 2 {
                return None;
            }
            if let Some((end, behind)) = last
                && self.is_boundary(text, end, before, behind, rest)
            {
                return Some(end);
            }
            last = Some((at, before));
        }
        None
    }

    fn is_boundary(&self, text: &str, end: usize, before: char, behind: char, rest: Option<&str>) -> bool {
        let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
        if self.together.contains(&(lower(before), lower(behind))) {
            return false;
        }
        let Some(kind) = Kind::of(before) else { return false };
        if behind == ' ' && kind != Kind::Blank {
            return true;
        }
        // Within a run: what ends there is too far behind for a contraction to reach across.
        let same =
            text.get(..end).map(|text| text.chars().rev().take(4).filter(|c| Kind::of(*c) == Some(kind)));
        let is_run = Kind::of(behind) == Some(kind) && same.is_some_and(|same| same.count() == 4);
        is_run && (kind != Kind::Blank || self.blanks_are_free(text.get(end..), rest))
    }

    /// Whether no added token takes the blanks of a run away from the text.
    fn blanks_are_free(&self, text: Option<&str>, rest: Option<&str>) -> bool {
        if self.take_blanks.is_empty() {
            return true;
        }
        let (Some(text), Some(rest)) = (text, rest) else { return false };
        let next = match text.trim_start() {
            "" => rest.trim_start(),
            next => next,
        };
        let next: String = next.chars().take(64).collect::<String>().to_lowercase();
        !self.take_blanks.iter().any(|token| next.starts_with(&token.to_lowercase()))
    }

    /// Tokens of a beginning that are those of the whole text.
    fn certain(&self, tokenizer: &Tokenizer, beginning: &str) -> Result<usize, String> {
        let words = |error: tokenizers::Error| error.to_string();
        let added = tokenizer.get_added_vocabulary();
        let mut pieces = added.extract_and_normalize(tokenizer.get_normalizer(), beginning);
        if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces).map_err(words)?;
        }
        let model = tokenizer.get_model();
        let pieces = pieces.get_splits(OffsetReferential::Normalized, OffsetType::None);
        let Some(((open, _, is_added), closed)) = pieces.split_last() else { return Ok(0) };
        let mut certain = 0;
        for (piece, _, tokens) in closed {
            certain += match tokens {
                Some(tokens) => tokens.len(),
                None => model.tokenize(piece).map_err(words)?.len(),
            };
        }
        match self.longest {
            Some(longest) if is_added.is_none() => Ok(certain + certain_of_open(model, open, longest)?),
            _ => Ok(certain),
        }
    }
}

/// Tokens of the known part of a piece that are those of the whole piece.
fn certain_of_open(model: &ModelWrapper, open: &str, longest: usize) -> Result<usize, String> {
    let Some(first) = open.len().checked_sub(longest).filter(|first| *first > longest) else { return Ok(0) };
    let mut agreed: Option<Vec<(u32, (usize, usize))>> = None;
    for end in (first..=open.len()).filter(|end| open.is_char_boundary(*end)) {
        let part = open.get(..end).unwrap_or_default();
        let tokens = model.tokenize(part).map_err(|error| error.to_string())?;
        let tokens = tokens.iter().map(|token| (token.id, token.offsets));
        agreed = Some(match agreed {
            None => tokens.collect(),
            Some(agreed) => {
                agreed.into_iter().zip(tokens).map_while(|(a, b)| (a == b).then_some(a)).collect()
            }
        });
    }
    // The last one may be unknown and grow.
    Ok(agreed.map_or(0, |agreed| agreed.len().saturating_sub(1)))
}

fn prompted<'a>(prompt: &str, text: Cow<'a, str>) -> Cow<'a, str> {
    if prompt.is_empty() { text } else { Cow::Owned(prompt.to_owned() + &text) }
}

/// The first bytes of a text, no character cut in two.
fn up_to(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Kinds of characters between two of which no normalizer composes anything and no pre-tokenizer looks ahead by more
/// than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    Mark,
    Blank,
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Greek,
    Arabic,
    Thai,
}

impl Kind {
    const fn of(c: char) -> Option<Self> {
        Some(match c {
            'a'..='z' | 'A'..='Z' => Self::Letter,
            '0'..='9' => Self::Digit,
            ' ' => Self::Blank,
            '!'..='~' => Self::Mark,
            '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => Self::Han,
            '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' => Self::Kana,
            '\u{ac00}'..='\u{d7a3}' => Self::Hangul,
            '\u{0410}'..='\u{044f}' => Self::Cyrillic,
            '\u{03b1}'..='\u{03c9}' => Self::Greek,
            '\u{0621}'..='\u{063a}' | '\u{0641}'..='\u{064a}' => Self::Arabic,
            '\u{0e01}'..='\u{0e2e}' => Self::Thai,
            _ => return None,
        })
    }
}

/// Neighbouring characters, in lower case.
fn neighbours(text: &str) -> Vec<(char, char)> {
    let lower: Vec<char> = text.to_lowercase().chars().collect();
    lower.windows(2).filter_map(|two| Some((*two.first()?, *two.get(1)?))).collect()
}

fn kind_of(part: &Value) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn parts<'a>(part: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    part.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a normalizer works on each character, or on a character and the marks on it. What it replaces is added to
/// `replaced`.
fn knows_normalizer(normalizer: &Value, replaced: &mut Vec<String>) -> bool {
    if normalizer.is_null() {
        return true;
    }
    match kind_of(normalizer) {
        "BertNormalizer" | "NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase" | "Strip" | "StripAccents"
        | "Nmt" | "Precompiled" | "Prepend" | "ByteLevel" => true,
        "Replace" => {
            let pattern = normalizer.get("pattern");
            let text = |key: &str| pattern.and_then(|pattern| pattern.get(key)).and_then(Value::as_str);
            replaced.extend(text("String").map(str::to_owned));
            // A run of blanks becomes one, wherever it is cut.
            text("String").is_some() || text("Regex") == Some(" {2,}")
        }
        "Sequence" => parts(normalizer, "normalizers").all(|part| knows_normalizer(part, replaced)),
        _ => false,
    }
}

/// Whether a pre-tokenizer decides by a character and its neighbour, or by runs of a kind.
fn knows_pre_tokenizer(pre_tokenizer: &Value) -> bool {
    if pre_tokenizer.is_null() {
        return true;
    }
    match kind_of(pre_tokenizer) {
        "BertPreTokenizer" | "ByteLevel" | "Metaspace" | "WhitespaceSplit" | "Whitespace" | "Digits" => true,
        "Punctuation" => pre_tokenizer.get("behavior") == Some(&Value::from("Isolated")),
        "Sequence" => parts(pre_tokenizer, "pretokenizers").all(knows_pre_tokenizer),
        _ => false,
    }
}

/// Bytes of the longest token of a model whose tokens in an open piece can be certain.
fn longest(tokenizer: &Tokenizer, pre_tokenizer: &Value) -> Option<usize> {
    let is_suitable = match tokenizer.get_model() {
        ModelWrapper::Unigram(_) => true,
        ModelWrapper::BPE(bpe) => {
            let plain = |part: &Option<String>| part.as_deref().unwrap_or_default().is_empty();
            let is_byte_level = kind_of(pre_tokenizer) == "ByteLevel"
                || parts(pre_tokenizer, "pretokenizers").any(|part| kind_of(part) == "ByteLevel");
            // Without all of the 256 characters some would be unknown, or vanish, in runs of any length.
            let mut alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter();
            bpe.dropout.is_none()
                && plain(&bpe.continuing_subword_prefix)
                && plain(&bpe.end_of_word_suffix)
                && is_byte_level
                && alphabet.all(|c| bpe.token_to_id(&c.to_string()).is_some())
        }
        _ => false,
    };
    // A character without a token of its own is one too.
    let longest = || tokenizer.get_vocab(false).keys().map(String::len).max().map(|longest| longest.max(4));
    is_suitable.then(longest).flatten()
}

/// What is left out of a text for BERT's normalizer and pre-tokenizer before `WordPiece`.
struct Shorten {
    /// A word of more characters is unknown.
    most_chars: usize,
    /// Control characters vanish, so of several in a row one is kept.
    drops_controls: bool,
    /// Blanks only divide, so of several in a row one is kept.
    drops_blanks: bool,
    /// No added token begins in a word, or looks at the end of one.
    drops_letters: bool,
}

impl Shorten {
    fn of(tokenizer: &Tokenizer, together: &HashSet<(char, char)>) -> Option<Self> {
        let ModelWrapper::WordPiece(model) = tokenizer.get_model() else { return None };
        let Some(NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() else {
            return None;
        };
        let Some(PreTokenizerWrapper::BertPreTokenizer(_)) = tokenizer.get_pre_tokenizer() else {
            return None;
        };
        let any = |is: fn(char) -> bool| together.iter().any(|(one, other)| is(*one) || is(*other));
        let added = tokenizer.get_added_tokens_decoder();
        Some(Self {
            most_chars: model.max_input_chars_per_word,
            drops_controls: normalizer.clean_text && !any(is_dropped),
            drops_blanks: !any(char::is_whitespace),
            drops_letters: !added
                .values()
                .any(|token| token.single_word || token.content.starts_with(is_of_word)),
        })
    }

    /// What is left of the text, up to so many bytes, and whether that is all of it.
    fn read<'a>(&self, tokenizer: &Tokenizer, text: &'a str, most: usize) -> (Cow<'a, str>, bool) {
        // Longer than any word that is known, so that what is kept of one is unknown too.
        let longest_word = self.most_chars.saturating_mul(8).max(64);
        let mut kept = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next().filter(|_| kept.len() < most) {
            let is_same: fn(char) -> bool = match c {
                _ if self.drops_blanks && is_blank(c) => is_blank,
                _ if self.drops_controls && is_dropped(c) => is_dropped,
                _ if self.drops_letters && is_of_word(c) => is_of_word,
                _ => {
                    kept.push(c);
                    rest = rest.get(c.len_utf8()..).unwrap_or_default();
                    continue;
                }
            };
            let end = rest.find(|c| !is_same(c)).unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if !is_of_word(c) {
                kept.push(c);
            } else if let Some((start, _)) = run.char_indices().nth(longest_word)
                && let Some(start) = run.get(..start)
                && self.is_unknown(tokenizer, start)
            {
                kept.push_str(start);
            } else {
                // Cut by whoever asked for less than the run.
                kept.push_str(up_to(run, most.saturating_mul(2)));
                if run.len() > most.saturating_mul(2) {
                    return (Cow::Owned(kept), false);
                }
            }
            rest = behind;
        }
        let is_all = rest.is_empty();
        if kept.len() + rest.len() == text.len() {
            return (Cow::Borrowed(up_to(text, kept.len())), is_all);
        }
        (Cow::Owned(kept), is_all)
    }

    /// Whether a piece of a word alone makes the word too long to be known.
    fn is_unknown(&self, tokenizer: &Tokenizer, piece: &str) -> bool {
        let mut normalized = NormalizedString::from(piece);
        let is_normal = tokenizer.get_normalizer().is_some_and(|of| of.normalize(&mut normalized).is_ok());
        is_normal && normalized.get().chars().filter(|c| !c.is_whitespace()).count() > self.most_chars
    }
}

/// Control characters and others without a form that `clean_text` takes away: some of them.
const fn is_dropped(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}'
        | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fffd}')
}

/// Blanks that divide words, whether or not control characters are taken away.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || c.is_whitespace() && !c.is_control()
}

/// Characters that a word goes on with, whatever follows: no blank, no punctuation, and none that stands for itself;
/// letters and digits of all alphabets, marks on them, and emoji.
fn is_of_word(c: char) -> bool {
    let is_mark = matches!(c, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{963}'
        | '\u{e31}'..='\u{e4e}' | '\u{fe00}'..='\u{fe0f}');
    c.is_alphanumeric() && c < '\u{2e80}' || is_mark || matches!(c, '\u{1f300}'..='\u{1faff}')
}

#[cfg(test)]
mod tests;
