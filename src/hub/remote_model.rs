//! What the hub says of a model: its files with sizes and checksums, its licence, who may have it.

use std::collections::HashMap;

use serde_json::Value;

use super::error::HubError;
use super::file_selection;
use super::file_selection::Folders;
use super::name::{HubName, is_commit, is_hex, path_of_file};

/// What a file's bytes are checked by; also the name of its blob in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the bytes, as large files have it.
    Sha256(String),
    /// SHA-1 of git's blob: the bytes after a header with their number.
    GitBlob(String),
}

impl Checksum {
    /// Told by the number of digits, as entity tags hold them; `None` for anything else.
    pub(super) fn of_etag(etag: &str) -> Option<Self> {
        let digits = etag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        if is_hex(&digits, 64) {
            Some(Self::Sha256(digits))
        } else if is_hex(&digits, 40) {
            Some(Self::GitBlob(digits))
        } else {
            None
        }
    }

    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::GitBlob(digits) => digits,
        }
    }
}

/// A file that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the model, with slashes.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// What it is checked by.
    pub checksum: Checksum,
    /// Bytes that are in the cache already: all of them, or the beginning.
    pub cached: u64,
}

/// A model as the hub offers it, before anything is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteModel {
    /// What was asked for.
    pub name: HubName,
    /// The commit that its revision stands for now.
    pub commit: String,
    /// The files that are needed, weights last.
    pub files: Vec<RemoteFile>,
    /// As the model's card states it.
    pub licence: Option<String>,
    /// Its terms have to be accepted before it is given.
    pub gated: bool,
    /// Only some may see it.
    pub private: bool,
    /// There is a `modules.json` at that commit; else the encoder alone is the model.
    pub has_modules: bool,
}

impl RemoteModel {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    /// Bytes that are still to be fetched.
    #[must_use]
    pub fn bytes_to_fetch(&self) -> u64 {
        let left = self.files.iter().map(|file| file.bytes.saturating_sub(file.cached));
        left.fold(0, u64::saturating_add)
    }

    /// The model at its commit: the name under which the same bytes are found again.
    #[must_use]
    pub fn pinned(&self) -> HubName {
        self.name.at(&self.commit)
    }
}

/// A file as the hub lists it.
#[derive(Debug)]
pub(super) struct Listed {
    pub name: String,
    pub bytes: Option<u64>,
    pub checksum: Option<Checksum>,
}

/// The reply about a model and a revision, understood.
#[derive(Debug)]
pub(super) struct Listing {
    pub commit: String,
    pub files: Vec<Listed>,
    pub licence: Option<String>,
    pub gated: bool,
    pub private: bool,
}

impl Listing {
    /// Reads the hub's reply. The error says what is wrong with it.
    pub(super) fn read(body: &[u8], name: &HubName, host: &str) -> Result<Self, HubError> {
        let bad = |reason: String| HubError::BadReply { host: host.to_owned(), reason };
        let reply: Value =
            serde_json::from_slice(body).map_err(|error| bad(format!("it is not JSON ({error})")))?;
        let commit = reply.get("sha").and_then(Value::as_str).filter(|sha| is_commit(sha));
        let commit = commit.ok_or_else(|| bad("it names no commit".into()))?.to_owned();
        let siblings = reply.get("siblings").and_then(Value::as_array);
        let siblings = siblings.ok_or_else(|| bad("it lists no files".into()))?;
        let mut files = Vec::with_capacity(siblings.len());
        for sibling in siblings {
            let file = sibling.get("rfilename").and_then(Value::as_str);
            let file = file.ok_or_else(|| bad("it lists a file without a name".into()))?;
            if path_of_file(file).is_none() {
                return Err(HubError::UnsafeFile { repo: name.repo().to_owned(), file: file.to_owned() });
            }
            files.push(listed(file, sibling));
        }
        let gated = match reply.get("gated") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(_) => true, // "auto" or "manual"
        };
        let private = reply.get("private").and_then(Value::as_bool).unwrap_or(false);
        Ok(Self { commit, files, licence: licence(&reply), gated, private })
    }

    /// Whether the model has such a file.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }

    /// The files that are needed. `modules` is what `modules.json` holds, where there is one.
    pub(super) fn choose(&self, name: &HubName, modules: Option<&Value>) -> Result<Vec<&Listed>, HubError> {
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let chosen = file_selection::choose(&names, &Folders::of(modules))
            .map_err(|missing| HubError::NotAnEncoder { repo: name.repo().to_owned(), missing })?;
        let by_name: HashMap<&str, &Listed> =
            self.files.iter().map(|file| (file.name.as_str(), file)).collect();
        Ok(chosen.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect())
    }
}

fn listed(name: &str, sibling: &Value) -> Listed {
    let large = sibling.get("lfs").filter(|lfs| lfs.is_object());
    let digits = |value: Option<&Value>| value.and_then(Value::as_str).and_then(Checksum::of_etag);
    let (bytes, checksum) = match large {
        Some(lfs) => {
            let sha256 = digits(lfs.get("sha256")).or_else(|| digits(lfs.get("oid")));
            (lfs.get("size"), sha256.filter(|sum| matches!(sum, Checksum::Sha256(_))))
        }
        None => (None, digits(sibling.get("blobId")).filter(|sum| matches!(sum, Checksum::GitBlob(_)))),
    };
    let bytes = bytes.or_else(|| sibling.get("size")).and_then(Value::as_u64);
    Listed { name: name.to_owned(), bytes, checksum }
}

/// The card's licence, by its own name where it is none of the usual; else the tag.
fn licence(reply: &Value) -> Option<String> {
    let card = reply.get("cardData");
    let of_card = |key: &str| match card?.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => {
            let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            Some(all.join(", "))
        }
        _ => None,
    };
    let of_tag = || {
        let tags = reply.get("tags")?.as_array()?;
        tags.iter().filter_map(Value::as_str).find_map(|tag| tag.strip_prefix("license:")).map(str::to_owned)
    };
    let stated = of_card("license").filter(|text| !text.is_empty()).or_else(of_tag)?;
    if stated == "other" { of_card("license_name").or(Some(stated)) } else { Some(stated) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(reply: &Value) -> Result<Listing, HubError> {
        Listing::read(reply.to_string().as_bytes(), &"org/name".parse().unwrap(), "hub")
    }

    #[test]
    fn the_reply_is_understood() {
        let sha256 = "ab".repeat(32);
        let listing = read(&json!({
            "sha": COMMIT, "gated": "auto", "private": true,
            "cardData": {"license": "other", "license_name": "gemma"},
            "siblings": [
                {"rfilename": "config.json", "size": 10, "blobId": COMMIT},
                {"rfilename": "model.safetensors", "size": 90, "blobId": COMMIT, "lfs": {"sha256": sha256, "size": 90}},
                {"rfilename": "no-blobs.json"},
            ],
        }));
        let listing = listing.unwrap();
        assert_eq!((listing.commit.as_str(), listing.gated, listing.private), (COMMIT, true, true));
        assert_eq!(listing.licence.as_deref(), Some("gemma"));
        let sums: Vec<_> = listing.files.iter().map(|file| (file.bytes, file.checksum.clone())).collect();
        assert_eq!(sums[0], (Some(10), Some(Checksum::GitBlob(COMMIT.into()))));
        assert_eq!(sums[1], (Some(90), Some(Checksum::Sha256(sha256))));
        assert_eq!(sums[2], (None, None));
    }

    #[test]
    fn a_reply_of_another_shape_is_refused() {
        let file = |name: &str| json!({"sha": COMMIT, "siblings": [{"rfilename": name}]});
        for (reply, told) in [
            (json!([]), "names no commit"),
            (json!({"sha": "../../x", "siblings": []}), "names no commit"),
            (json!({"sha": COMMIT}), "lists no files"),
            (json!({"sha": COMMIT, "siblings": [{"size": 1}]}), "without a name"),
            (file("../../.bashrc"), "could lead out of the cache"),
            (file("C:\\x"), "could lead out of the cache"),
        ] {
            let error = read(&reply).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let error = Listing::read(b"<html>", &"org/name".parse().unwrap(), "hub").unwrap_err().to_string();
        assert!(error.contains("hub") && error.contains("not JSON"), "{error}");
    }

    #[test]
    fn licences_are_found_in_cards_and_tags() {
        for (reply, expected) in [
            (json!({"cardData": {"license": "apache-2.0"}}), Some("apache-2.0")),
            (json!({"cardData": {"license": ["mit", "bsd"]}}), Some("mit, bsd")),
            (json!({"cardData": {}, "tags": ["x", "license:mit"]}), Some("mit")),
            (json!({"cardData": null}), None),
        ] {
            assert_eq!(licence(&reply).as_deref(), expected, "{reply}");
        }
    }

    #[test]
    fn entity_tags_tell_the_kind_of_checksum() {
        assert_eq!(Checksum::of_etag(&format!("W/\"{COMMIT}\"")), Some(Checksum::GitBlob(COMMIT.into())));
        assert_eq!(Checksum::of_etag("\"abc-12\""), None);
        assert_eq!(Checksum::of_etag("../../x"), None);
    }
}
