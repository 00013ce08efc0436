//! What a model's tokenizer is told from another one by.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::encoder_dir::{SMALL, VOCABULARY, encoder_dir, read_at_most, settings_of};
use super::spm_classes;

/// SHA-256 of the files that the tokenizer of a model's folder is made of, in hexadecimal; `None` where it has none.
#[must_use]
pub fn tokenizer_sha256(dir: &Path) -> Option<String> {
    let dir = &encoder_dir(dir);
    let mut digest = Sha256::new();
    let mut add = |name: &str, bytes: &[u8]| {
        digest.update(name.as_bytes());
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    for path in vocabulary(dir)? {
        let name = path.file_name()?.to_string_lossy().into_owned();
        add(&name, &read_at_most(&path, VOCABULARY).ok()?);
    }
    for name in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
        // A tokenizer.json holds its own special tokens.
        if name != "tokenizer_config.json" && dir.join("tokenizer.json").is_file() {
            continue;
        }
        if let Ok(bytes) = read_at_most(&dir.join(name), SMALL) {
            add(name, &bytes);
        }
    }
    // Of the encoder's settings one alone is about the tokenizer.
    let settings = settings_of(dir).and_then(|path| read_at_most(&path, SMALL).ok());
    let settings = settings.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    if settings.is_some_and(|settings| settings.get("do_lower_case") == Some(&true.into())) {
        add("do_lower_case", b"true");
    }
    Some(format!("{:x}", digest.finalize()))
}

/// The files of the vocabulary, in the order in which the tokenizer looks for them.
fn vocabulary(dir: &Path) -> Option<Vec<PathBuf>> {
    let kinds: [&[&str]; 3] = [&["tokenizer.json"], &["vocab.json", "merges.txt"], &["vocab.txt"]];
    let paths = kinds.iter().map(|names| names.iter().map(|name| dir.join(name)).collect::<Vec<_>>());
    let mut whole = paths.filter(|paths| paths.iter().all(|path| path.is_file()));
    whole.next().or_else(|| Some(vec![spm_classes::model_file(dir)?]))
}
