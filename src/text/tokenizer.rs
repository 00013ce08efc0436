//! The model's own tokenizer, with our cut at the maximum length, nobody's padding, and a prompt where one is wanted.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use tokenizers::NormalizerWrapper;
use tokenizers::normalizers::{Lowercase, Sequence};

use super::encoder_dir::{SMALL, VOCABULARY, encoder_dir, read_at_most, settings_of};
pub use super::error::TokenizerError;
use super::long_text::Beginnings;
use super::soundness;
use super::token_set::TokenSet;
use super::tokenizer_class::ClassSettings;
use super::vocab_files;
use crate::files::guard::guarded;

/// Texts that are tokenized between two looks at whether to go on.
const CHUNK: usize = 1024;

/// In place of a word where a token begins none.
pub const NO_WORD: u32 = u32::MAX;

/// A text as cut.
struct Cut {
    ids: Vec<u32>,
    /// Ids that it has uncut, or at least so many.
    full_length: usize,
    /// Whether all of the text was tokenized.
    is_counted: bool,
}

/// Turns texts into ids.
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    beginnings: Arc<Beginnings>,
    /// The file that it comes from.
    path: Arc<Path>,
    /// Put before every text.
    prompt: String,
    special_tokens: usize,
    vocab_size: usize,
    max_id: u32,
    pad_id: u32,
}

impl Tokenizer {
    /// Loads the tokenizer of a model's folder, or of the folder in it where `modules.json` says the encoder is:
    /// `tokenizer.json`, or else the older files that one can be made of.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is damaged.
    pub fn load(dir: &Path) -> Result<Self, TokenizerError> {
        let dir = &encoder_dir(dir);
        let (path, json) = json_of(dir)?;
        let damaged = |reason: String| TokenizerError::Damaged { path: path.clone(), reason };
        soundness::check(&json).map_err(damaged)?;
        let class = path.ends_with("tokenizer.json").then(|| ClassSettings::read(dir)).transpose()?;
        guarded(|| Self::of_json(&path, &json, class.as_ref(), lower_cases(dir)))
            .unwrap_or_else(|panic| Err(gave_up(&panic)))
            .map_err(damaged)
    }

    /// Builds one, on the library's word.
    fn of_json(
        path: &Path,
        json: &[u8],
        class: Option<&ClassSettings>,
        lower_cases: bool,
    ) -> Result<Self, String> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|error| error.to_string())?;
        if let Some(class) = class {
            class.apply(&mut inner)?;
        }
        if lower_cases {
            let mut steps = vec![NormalizerWrapper::Lowercase(Lowercase)];
            steps.extend(inner.get_normalizer().cloned());
            inner.with_normalizer(Some(NormalizerWrapper::Sequence(Sequence::new(steps))));
        }
        let stored_pad = inner.get_padding().map(|padding| padding.pad_id);
        // Published files store the padding and the cut of whoever saved them (MiniLM: both to 128).
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| error.to_string())?;

        let vocabulary = inner.get_vocab(true);
        let Some(max_id) = vocabulary.values().max().copied() else {
            return Err("its vocabulary is empty".to_owned());
        };
        let processor = inner.get_post_processor().map(serde_json::to_value).transpose();
        let processor = processor.map_err(|error| error.to_string())?.unwrap_or_default();
        let around = soundness::ids_around(&processor)?;
        if let Some(id) =
            around.into_iter().chain(stored_pad.map(u64::from)).find(|id| *id > u64::from(max_id))
        {
            return Err(format!("it puts the id {id} around texts, and its vocabulary ends at {max_id}"));
        }
        let named_pad = ["[PAD]", "<pad>"].iter().find_map(|token| inner.token_to_id(token));
        let special_tokens = inner
            .get_post_processor()
            .map_or(0, |processor| tokenizers::PostProcessor::added_tokens(processor, false));
        Ok(Self {
            special_tokens,
            vocab_size: vocabulary.len(),
            max_id,
            pad_id: stored_pad.or(named_pad).unwrap_or(0),
            beginnings: Arc::new(Beginnings::of(&inner)),
            inner: Arc::new(inner),
            path: path.into(),
            prompt: String::new(),
        })
    }

    /// The same tokenizer, which puts this text before every other: `query: `. An empty one is none.
    #[must_use]
    pub fn with_prompt(&self, prompt: &str) -> Self {
        let (inner, beginnings) = (self.inner.clone(), self.beginnings.clone());
        Self { inner, beginnings, path: self.path.clone(), prompt: prompt.to_owned(), ..*self }
    }

    #[cfg(test)]
    pub(super) fn inner(&self) -> &tokenizers::Tokenizer {
        &self.inner
    }

    /// Tokens of the vocabulary, added ones included.
    #[must_use]
    pub const fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The highest id that can come out.
    #[must_use]
    pub const fn max_id(&self) -> u32 {
        self.max_id
    }

    /// The id that fills short rows of a batch.
    #[must_use]
    pub const fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Every id must have an embedding.
    ///
    /// # Errors
    /// When the model has fewer embeddings than the tokenizer has ids; both numbers are named.
    pub const fn check_fits(&self, embeddings: usize) -> Result<(), TokenizerError> {
        if (self.max_id as usize) < embeddings {
            Ok(())
        } else {
            Err(TokenizerError::DoesNotFit { max_id: self.max_id, embeddings })
        }
    }

    /// Ids of many texts, on all cores, special tokens included, cut at `max_length`. Of a very long text no more is
    /// tokenized than its ids need: its full length is then a lower bound, larger than `max_length`.
    ///
    /// `progress` is called now and then with texts done and texts in all; `false` stops the work.
    ///
    /// # Errors
    /// When `max_length` leaves no room for text, a text is refused, or the work was stopped.
    pub fn encode<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        max_length: usize,
        progress: &dyn Fn(usize, usize) -> bool,
    ) -> Result<TokenSet, TokenizerError> {
        let mut set = TokenSet::with_capacity(texts.len());
        self.each(texts, max_length, progress, |cut| set.push(&cut.ids, cut.full_length))?;
        Ok(set)
    }

    /// How many tokens texts have, special ones and those of the prompt included, and whether all were counted to the
    /// end: very long texts are counted up to `most` at least.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn lengths<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        most: usize,
        progress: &dyn Fn(usize, usize) -> bool,
    ) -> Result<(Vec<u32>, bool), TokenizerError> {
        let mut lengths = Vec::with_capacity(texts.len());
        let mut all = true;
        self.each(texts, most, progress, |cut| {
            lengths.push(u32::try_from(cut.full_length).unwrap_or(u32::MAX));
            all &= cut.is_counted;
        })?;
        Ok((lengths, all))
    }

    /// Cuts texts on all cores, and hands them on in order.
    fn each<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        max_length: usize,
        progress: &dyn Fn(usize, usize) -> bool,
        mut take: impl FnMut(Cut),
    ) -> Result<(), TokenizerError> {
        let least = self.special_tokens + 1;
        if max_length < least {
            return Err(TokenizerError::TooShort { max_length, least });
        }
        let mut done = 0;
        for chunk in texts.chunks(CHUNK) {
            let cut = chunk.par_iter().enumerate().map(|(index, text)| {
                let fail = |reason| TokenizerError::Text { row: done + index, reason };
                self.guarded(|| self.encode_one(text.as_ref(), max_length)).map_err(fail)
            });
            cut.collect::<Result<Vec<Cut>, _>>()?.into_iter().for_each(&mut take);
            done += chunk.len();
            if !progress(done, texts.len()) {
                return Err(TokenizerError::Cancelled);
            }
        }
        Ok(())
    }

    /// Has the library do something with a text. It panics where a regular expression of the file takes too long.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let failed = |panic: String| Err(format!("{}, which is in {}", gave_up(&panic), self.path.display()));
        guarded(work).unwrap_or_else(failed)
    }

    /// A text behind the prompt.
    fn prompted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.prompt.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(self.prompt.clone() + text) }
    }

    /// How a text is cut into tokens, special ones and those of the prompt included, whatever its length.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn tokens(&self, text: &str) -> Result<Vec<(String, u32)>, TokenizerError> {
        let encode = || self.inner.encode_fast(self.prompted(text), true).map_err(|error| error.to_string());
        let encoding = self.guarded(encode).map_err(|reason| TokenizerError::Text { row: 0, reason })?;
        Ok(encoding.get_tokens().iter().cloned().zip(encoding.get_ids().iter().copied()).collect())
    }

    /// For every token of every text as cut, the word that begins there, or [`NO_WORD`]: special tokens and the second
    /// and later pieces of a word begin none, nor does the prompt. Words are what single spaces divide, counted from 0.
    ///
    /// # Errors
    /// When a text is refused, or the work was stopped.
    pub fn word_starts<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        max_length: usize,
        progress: &dyn Fn(usize, usize) -> bool,
    ) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let mut all: Vec<Vec<u32>> = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(CHUNK) {
            let first = all.len();
            let starts = chunk.par_iter().enumerate().map(|(index, text)| {
                let fail = |reason| TokenizerError::Text { row: first + index, reason };
                self.guarded(|| self.word_starts_of(text.as_ref(), max_length)).map_err(fail)
            });
            all.extend(starts.collect::<Result<Vec<_>, _>>()?);
            if !progress(all.len(), texts.len()) {
                return Err(TokenizerError::Cancelled);
            }
        }
        Ok(all)
    }

    fn word_starts_of(&self, text: &str, max_length: usize) -> Result<Vec<u32>, String> {
        let tokens = max_length.saturating_sub(self.special_tokens);
        let beginning = self.beginnings.find(&self.inner, &self.prompt, text, tokens, false)?;
        let whole = beginning.text;
        let encoding = self.inner.encode(&*whole, true).map_err(|error| error.to_string())?;
        let behind = self.prompt.len();
        // Where every word ends, so that the word of a byte is the first that does not end before it.
        let text = whole.get(behind..).unwrap_or_default();
        let ends: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).chain([text.len()]).collect();
        let mut before = NO_WORD;
        let mut starts = Vec::with_capacity(encoding.len());
        let tokens = encoding.get_offsets().iter().zip(encoding.get_special_tokens_mask());
        for ((from, to), is_special) in tokens {
            let piece = whole.get(*from..*to).unwrap_or_default();
            // Byte-level tokenizers may count the space before a word to its first piece.
            let from = from + piece.len() - piece.trim_start().len();
            let is_of_text = *is_special == 0 && from < *to && from >= behind;
            let word = ends.partition_point(|end| *end <= from.saturating_sub(behind)) as u32;
            let begins = is_of_text && word != before;
            if begins {
                before = word;
            }
            starts.push(if begins { word } else { NO_WORD });
        }
        let full_length = starts.len();
        if full_length > max_length {
            let special = encoding.get_special_tokens_mask();
            let trailing = special.iter().rev().take_while(|mark| **mark == 1).count();
            starts.truncate(full_length.min(max_length.saturating_sub(trailing)));
            starts.resize(starts.len() + trailing, NO_WORD);
        }
        Ok(starts)
    }

    /// Ids of one text as cut.
    ///
    /// The library cuts before it adds special tokens. Cutting afterwards between the leading and the trailing
    /// ones gives the same ids, and the full length besides, in one pass.
    fn encode_one(&self, text: &str, max_length: usize) -> Result<Cut, String> {
        let tokens = max_length.saturating_sub(self.special_tokens);
        let beginning = self.beginnings.find(&self.inner, &self.prompt, text, tokens, true)?;
        let encoding = self.inner.encode_fast(beginning.text, true).map_err(|error| error.to_string())?;
        let (ids, length) = (encoding.get_ids(), encoding.len());
        let full_length = beginning.certain.map_or(length, |certain| certain + self.special_tokens);
        let is_counted = beginning.certain.is_none();
        if length <= max_length {
            return Ok(Cut { ids: ids.to_vec(), full_length, is_counted });
        }
        let added = encoding.get_special_tokens_mask();
        let trailing = added.iter().rev().take_while(|mark| **mark == 1).count();
        let (body, tail) = ids.split_at_checked(length.saturating_sub(trailing)).unwrap_or((ids, &[]));
        let kept = body.get(..max_length.saturating_sub(trailing)).unwrap_or(body);
        let mut ids = [kept, tail].concat();
        // A file may put more behind a text than it says.
        ids.truncate(max_length);
        Ok(Cut { ids, full_length, is_counted })
    }
}

/// The `tokenizer.json` of a folder, as it is there or made of older files, and the file that it comes from.
///
/// # Errors
/// When there is none, or the older files make no sense.
pub fn json_of(dir: &Path) -> Result<(PathBuf, Vec<u8>), TokenizerError> {
    let path = dir.join("tokenizer.json");
    match read_at_most(&path, VOCABULARY) {
        Ok(json) => return Ok((path, json)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(reason) => return Err(TokenizerError::Unreadable { path, reason }),
    }
    match vocab_files::build(dir)? {
        Some((path, json)) => Ok((path, json.to_string().into_bytes())),
        None => Err(missing(dir)),
    }
}

/// What a panic of the library means.
fn gave_up(panic: &str) -> String {
    format!("the library for tokenizers gave up ({panic}) on the file's rules")
}

/// Whether sentence-transformers' settings ask for texts in lower case, whatever the tokenizer does. What is wrong
/// with those settings is told by whoever loads the model.
fn lower_cases(dir: &Path) -> bool {
    let settings = settings_of(dir).and_then(|path| read_at_most(&path, SMALL).ok());
    let settings = settings.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    settings.is_some_and(|settings| settings.get("do_lower_case") == Some(&serde_json::Value::Bool(true)))
}

fn missing(dir: &Path) -> TokenizerError {
    let advice = if !dir.is_dir() {
        "The folder is not there: choose the folder of a model"
    } else if dir.join("vocab.json").exists() {
        "It has a vocab.json without the merges.txt that belongs to it: copy that from the model's page, or better its tokenizer.json"
    } else {
        "Choose the folder of a model from the Hugging Face hub, or copy its tokenizer.json there"
    };
    TokenizerError::Missing { dir: dir.to_owned(), advice }
}

#[cfg(test)]
mod tests;
