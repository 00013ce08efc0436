//! Names: of models on the hub, and of the files in them. Both become parts of paths, so nothing else passes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::error::HubError;
use crate::files::names;

/// The branch that is meant where no revision is named.
const DEFAULT_REVISION: &str = "main";

/// A model of the hub at a revision: `ORG/NAME`, or `ORG/NAME@REVISION` with a branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubName {
    repo: String,
    revision: String,
}

impl HubName {
    /// `ORG/NAME`; a few old models are a `NAME` alone.
    #[must_use]
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Branch, tag or commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The same model at another revision, which is taken as it is: commits come from the hub or the cache.
    #[must_use]
    pub(super) fn at(&self, revision: &str) -> Self {
        Self { repo: self.repo.clone(), revision: revision.to_owned() }
    }

    /// The commit, where the revision is one.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        is_commit(&self.revision).then_some(self.revision.as_str())
    }

    /// Whether an organisation or a user is named: without one, a word might be anything.
    #[must_use]
    pub fn has_owner(&self) -> bool {
        self.repo.contains('/')
    }
}

impl FromStr for HubName {
    type Err = HubError;

    /// Reads a name as people type or paste it, the address of the model's page included.
    fn from_str(text: &str) -> Result<Self, HubError> {
        let text = text.trim();
        let bad = |reason| HubError::BadName { name: text.to_owned(), reason };
        let name = text.strip_prefix("https://huggingface.co/").unwrap_or(text).trim_end_matches('/');
        let (repo, revision) = name.split_once('@').unwrap_or((name, DEFAULT_REVISION));
        if repo.is_empty() {
            return Err(bad("it is empty"));
        }
        if repo.split('/').count() > 2 {
            return Err(bad("there is more than one slash in it"));
        }
        if repo.len() > 96 {
            return Err(bad("it is longer than 96 characters"));
        }
        if !repo.split('/').all(is_part_of_repo) {
            return Err(bad(
                "each part is made of letters, digits, and single - _ . between them, as in sentence-transformers/all-MiniLM-L6-v2",
            ));
        }
        if !is_revision(revision) {
            return Err(bad("what follows the @ is no branch, tag or commit"));
        }
        Ok(Self { repo: repo.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if self.revision != DEFAULT_REVISION {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

/// The rules of the hub itself: no `--`, which separates the parts in the cache, and no `..`.
fn is_part_of_repo(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: char| matches!(c, '-' | '.');
    !part.is_empty()
        && part.chars().all(plain)
        && !part.starts_with(edge)
        && !part.ends_with(edge)
        && !part.contains("--")
        && !part.contains("..")
        && part.rsplit('.').next() != Some("git")
}

/// Names of branches and tags may hold slashes (`refs/pr/1`); they are paths below `refs`.
fn is_revision(revision: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(plain) && !part.starts_with(['-', '.']) && !part.ends_with('.')
    };
    revision.len() <= 200 && revision.split('/').all(|part| is_part(part) && !part.contains(".."))
}

/// Forty hexadecimal digits, as git writes them.
pub(super) fn is_commit(text: &str) -> bool {
    is_hex(text, 40)
}

pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The path of a model's file below its folder; `None` for a name that would lead elsewhere, on any platform.
pub(super) fn path_of_file(name: &str) -> Option<PathBuf> {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let is_part = |part: &str| {
        let plain = part.chars().all(is_plain) && !part.ends_with(['.', ' ']) && part.len() <= 255;
        !part.is_empty() && plain && !names::is_device(part)
    };
    name.split('/').all(is_part).then(|| name.split('/').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for (text, repo, revision) in [
            ("sentence-transformers/all-mpnet-base-v2", "sentence-transformers/all-mpnet-base-v2", "main"),
            (" BAAI/bge-small-en-v1.5@main ", "BAAI/bge-small-en-v1.5", "main"),
            ("bert-base-uncased", "bert-base-uncased", "main"),
            ("org/name@refs/pr/1", "org/name", "refs/pr/1"),
            ("https://huggingface.co/org/name/", "org/name", "main"),
        ] {
            let name: HubName = text.parse().unwrap();
            assert_eq!((name.repo(), name.revision()), (repo, revision));
        }
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let name: HubName = format!("org/name@{commit}").parse().unwrap();
        assert_eq!(name.commit(), Some(commit));
        assert_eq!(name.to_string(), format!("org/name@{commit}"));
        assert_eq!("org/name@main".parse::<HubName>().unwrap().to_string(), "org/name");
    }

    #[test]
    fn what_would_lead_out_of_the_cache_is_no_name() {
        for text in [
            "",
            "/",
            "a/b/c",
            "../x",
            "org/..",
            "org/.name",
            "org/na--me",
            "org/na me",
            "/org/name",
            "~/x",
            "org\\name",
            "C:/x",
            "org/name@",
            "org/name@../x",
            "org/name@/x",
            "org/name@a//b",
            "org/name@a b",
            "org/name@a@b",
            "org/n\u{e4}me",
            "org/name.git",
            "org/name\0",
        ] {
            assert!(text.parse::<HubName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn files_stay_below_their_folder() {
        assert_eq!(
            path_of_file("1_Pooling/config.json"),
            Some(["1_Pooling", "config.json"].iter().collect())
        );
        for name in [
            "",
            "/",
            "..",
            "../x",
            "a/../b",
            "a//b",
            "/etc/passwd",
            "a\\b",
            "C:x",
            "C:/x",
            "a\0b",
            "a/",
            "./a",
            "a.",
            "a\nb",
        ] {
            assert_eq!(path_of_file(name), None, "{name:?}");
        }
    }
}
