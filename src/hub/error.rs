//! What can go wrong between the hub, the network and the cache, worded for a user: what, where, what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::endpoint::TokenUse;

/// Why a model could not be had from the hub or from its cache.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HubError {
    /// The user asked to stop.
    #[error("the download was cancelled; what was fetched is kept, and the next download goes on from there")]
    Cancelled,
    /// A name that no model can have.
    #[error("\"{name}\" is no name of a model on the hub: {reason}")]
    BadName {
        /// As it was typed.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A setting of the environment that cannot be used.
    #[error("{variable} cannot be used: {reason}")]
    BadSetting {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The hub knows no such model, or hides it.
    #[error("{host} has no model {repo}, or it is private. Check the spelling{}", hidden(*.token))]
    UnknownModel {
        /// The hub.
        host: String,
        /// The model.
        repo: String,
        /// What the hub got of the user's token.
        token: TokenUse,
    },
    /// The model has no such revision.
    #[error("{repo} has no revision \"{revision}\". Leave out what follows the @ to get its main branch")]
    UnknownRevision {
        /// The model.
        repo: String,
        /// The branch, tag or commit.
        revision: String,
    },
    /// Its owner wants the licence to be accepted first.
    #[error(
        "{repo} is given only to those who accepted its terms. Accept them on {page}{}, and try again",
        match .token {
            TokenUse::Sent => " as the owner of your token",
            TokenUse::None => ", set HF_TOKEN to a token of your account",
            TokenUse::Withheld => ", give HF_ENDPOINT an https address, since the token is sent to no other",
        }
    )]
    Gated {
        /// The model.
        repo: String,
        /// Where they are accepted.
        page: String,
        /// What the hub got of the user's token.
        token: TokenUse,
    },
    /// The token is not taken.
    #[error(
        "{host} refuses {}{repo} (status {status}): {}",
        if *.token == TokenUse::Sent { "the token for " } else { "" },
        match .token {
            TokenUse::Sent => "it may have expired, or may not read this model. Set HF_TOKEN to another",
            TokenUse::None => "a token is needed. Set HF_TOKEN to one that may read this model",
            TokenUse::Withheld => "the token is sent to https addresses only. Give HF_ENDPOINT one",
        }
    )]
    Refused {
        /// The hub.
        host: String,
        /// The model.
        repo: String,
        /// What the hub got of the user's token.
        token: TokenUse,
        /// Status of the reply.
        status: u16,
    },
    /// Too many requests.
    #[error("{host} takes no more requests from here for now{}. Try again later{}",
        .seconds.map(|seconds| format!(": it asks to wait {seconds} s")).unwrap_or_default(),
        if *.token == TokenUse::None { "; with HF_TOKEN set, it takes more" } else { "" })]
    TooMany {
        /// The hub.
        host: String,
        /// How long it asks to wait.
        seconds: Option<u64>,
        /// What the hub got of the user's token.
        token: TokenUse,
    },
    /// The server is in trouble.
    #[error("{host} answers with status {status}. The fault is there, not here: try again later")]
    Server {
        /// The host.
        host: String,
        /// Status of the reply.
        status: u16,
    },
    /// No connection.
    #[error("{host} cannot be reached: {reason}. Check the network, or HF_ENDPOINT where you use a mirror")]
    Unreachable {
        /// The hub.
        host: String,
        /// Why.
        reason: String,
    },
    /// Who the server is, nobody vouches for.
    #[error(
        "{host} shows a certificate that this system does not trust ({reason}). Where your network has certificates of \
         its own, install them in the system, or set SSL_CERT_FILE to a file with them; otherwise somebody may stand \
         between"
    )]
    Certificate {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system trusts nobody.
    #[error(
        "{host} cannot be reached safely: this system has no list of certificates that it trusts. Install the package \
         ca-certificates, or set SSL_CERT_FILE to such a list"
    )]
    NoCertificates {
        /// The host.
        host: String,
    },
    /// The connection was lost over and over.
    #[error(
        "the connection broke at {file} again and again ({reason}). What was fetched is kept: download again to go on"
    )]
    Broken {
        /// The file.
        file: String,
        /// What happened last.
        reason: String,
    },
    /// The reply is not what the hub says.
    #[error("the reply of {host} makes no sense: {reason}. Is HF_ENDPOINT the address of a hub?")]
    BadReply {
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file whose name would lead out of the cache.
    #[error("{repo} has a file called {file:?}, which could lead out of the cache: nothing of it is fetched")]
    UnsafeFile {
        /// The model.
        repo: String,
        /// The name.
        file: String,
    },
    /// A file that could not be checked.
    #[error(
        "the hub states no checksum for {file}, so nobody could tell whether it arrived whole: it is not fetched"
    )]
    NoChecksum {
        /// The file.
        file: String,
    },
    /// Not a model that transformers would load.
    #[error("{repo} holds no encoder to load: {missing} is missing")]
    NotAnEncoder {
        /// The model.
        repo: String,
        /// What it would need.
        missing: String,
    },
    /// Something else comes than what the hub announced.
    #[error(
        "the server sends {sent} for {file}, and the hub announced {announced} bytes: it is not taken. A proxy or a \
         sign-in page may stand between; try again"
    )]
    WrongSize {
        /// The file.
        file: String,
        /// Bytes, as the hub states them.
        announced: u64,
        /// What comes instead.
        sent: String,
    },
    /// What arrived has another checksum than the hub states.
    #[error(
        "{file} arrived damaged: its checksum is {found}, and the hub states {stated}. It was deleted; download again"
    )]
    Damaged {
        /// The file.
        file: String,
        /// The hub's checksum.
        stated: String,
        /// That of what arrived.
        found: String,
    },
    /// The cache cannot be written or read.
    #[error("{}: {reason}", .path.display())]
    Disk {
        /// File or folder.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Less room than the model needs.
    #[error(
        "{} are needed and {} are free on the disk of {}. Make room, or set HF_HOME to a folder on another disk",
        needed_mb(*.needed), free_mb(*.free), .path.display()
    )]
    NoRoom {
        /// Bytes still to be fetched.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// The cache.
        path: PathBuf,
    },
    /// Asked to stay offline.
    #[error("{name} is not in the cache ({}), and HF_HUB_OFFLINE forbids to fetch it", .cache.display())]
    Offline {
        /// The model.
        name: String,
        /// The cache.
        cache: PathBuf,
    },
    /// Not there.
    #[error("{name} is not in the cache ({}). Download it first: `frostline download {name}`", .cache.display())]
    NotCached {
        /// The model.
        name: String,
        /// The cache.
        cache: PathBuf,
    },
    /// There in part.
    #[error("{name} is in the cache, but not whole: {} missing. Download it again to complete it: `frostline download {name}`", listed(.missing))]
    Incomplete {
        /// The model.
        name: String,
        /// Files, or what they would hold.
        missing: Vec<String>,
    },
}

const fn hidden(token: TokenUse) -> &'static str {
    match token {
        TokenUse::Sent => "; the token that was sent may not see it",
        TokenUse::None => "; for a private model, set HF_TOKEN to a token that may read it",
        TokenUse::Withheld => {
            "; for a private model, give HF_ENDPOINT an https address: the token is sent to no other"
        }
    }
}

fn listed(missing: &[String]) -> String {
    let verb = if missing.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", missing.join(", "))
}

/// What is needed, rounded up.
fn needed_mb(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// What is free, rounded down: it is never told as enough where it is not.
fn free_mb(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

impl HubError {
    pub(super) fn disk(path: &Path, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "the disk is full. Make room, or set HF_HOME to a folder on another disk; what was fetched is kept"
                    .into()
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "the cache is read-only. Make it writable, or set HF_HOME to a folder of your own".into()
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                "something else lies there. Move it away, or set HF_HOME to another folder".into()
            }
            _ => error.to_string(),
        };
        Self::Disk { path: path.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_meet_is_said_with_a_way_out() {
        let told = |token| {
            let gated = HubError::Gated { repo: "a/b".into(), page: "https://hub/a/b".into(), token };
            let unknown = HubError::UnknownModel { host: "hub".into(), repo: "a/b".into(), token };
            (gated.to_string(), unknown.to_string())
        };
        let (gated, unknown) = told(TokenUse::None);
        assert!(gated.contains("https://hub/a/b, set HF_TOKEN"), "{gated}");
        assert!(unknown.contains("Check the spelling; for a private model, set HF_TOKEN"), "{unknown}");
        assert!(told(TokenUse::Sent).0.contains("as the owner of your token"));
        let (gated, unknown) = told(TokenUse::Withheld);
        assert!(gated.contains("give HF_ENDPOINT an https address"), "{gated}");
        assert!(unknown.contains("give HF_ENDPOINT an https address"), "{unknown}");
        let full = HubError::disk(Path::new("/cache/x"), &io::ErrorKind::StorageFull.into()).to_string();
        assert!(full.starts_with("/cache/x: the disk is full. Make room"), "{full}");
        let few = HubError::NoRoom { needed: 90_900_000, free: 12_000_000, path: "/cache".into() };
        assert!(few.to_string().starts_with("91 MB are needed and 12 MB are free on the disk of /cache"));
    }
}
