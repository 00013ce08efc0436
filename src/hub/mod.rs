//! The Hugging Face hub: a model by its name, looked up, fetched, checked, and found again in the cache.
//!
//! The cache is the Python ecosystem's own, so that a model is fetched once for both. A request is made only by
//! [`Hub::look_up`] and [`Hub::download`], only about the model that the user named, and carries nothing but that
//! name, the names of its files, and the token where there is one. It must never know a tensor, a project or a session.

mod cache;
mod certificates;
mod config;
mod download;
mod endpoint;
pub mod error;
mod file_selection;
mod http_client;
mod name;
mod progress;
mod remote_model;

pub use self::config::{HubConfig, Token};
pub use self::endpoint::{Endpoint, TokenUse};
pub use self::http_client::Timeouts;
pub use self::progress::Progress;
pub use self::remote_model::{Checksum, RemoteFile, RemoteModel};
pub use error::HubError;
pub use name::HubName;

use std::fs;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::cache::{Cache, make_parent, partial};
use self::download::own_partial;
use self::file_selection::MODULES;
use self::http_client::{Fault, HttpClient, Status};
use self::progress::Meter;
use self::remote_model::{Listed, Listing};
use crate::model::files::metadata;

/// The hub and its cache.
#[derive(Clone, Debug)]
pub struct Hub {
    place: HubConfig,
    patience: Timeouts,
    cache: Cache,
}

/// A model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedModel {
    /// Its name, at the branch or tag that stands for this commit, else at the commit.
    pub name: HubName,
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// As its README states it.
    pub licence: Option<String>,
    /// What it lacks to be opened; empty when it is whole.
    pub missing: Vec<String>,
}

/// A model that was asked of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// Nothing is missing for all that is known. When false, another library may have fetched the encoder alone, and
    /// only the hub knows whether the model says how to pool.
    pub is_sure: bool,
}

impl Hub {
    /// As the environment says; see [`HubConfig::from_env`].
    ///
    /// # Errors
    /// When the environment names no cache, or something that cannot be used.
    pub fn from_env() -> Result<Self, HubError> {
        HubConfig::from_env().map(|place| Self::at(place, Timeouts::default()))
    }

    /// A hub and a cache at a place, waited for as long as said.
    #[must_use]
    pub fn at(place: HubConfig, patience: Timeouts) -> Self {
        let cache = Cache::at(&place.cache);
        Self { place, patience, cache }
    }

    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> &HubConfig {
        &self.place
    }

    /// The folder of a model that is in the cache, whole. Asks nobody.
    ///
    /// # Errors
    /// When it is not there, or not whole; says what to do.
    pub fn find(&self, name: &HubName) -> Result<Found, HubError> {
        let not_there = || {
            let (name, cache) = (name.to_string(), self.cache.root().to_owned());
            if self.place.offline {
                HubError::Offline { name, cache }
            } else {
                HubError::NotCached { name, cache }
            }
        };
        let commit = self.cache.commit_of(name).ok_or_else(not_there)?;
        let folder = self.cache.snapshot(name, &commit);
        if !folder.is_dir() {
            return Err(not_there());
        }
        let missing = self.cache.missing(name, &commit);
        if missing.is_empty() {
            Ok(Found { folder, is_sure: self.cache.knows_modules(name, &commit) })
        } else {
            Err(HubError::Incomplete { name: name.to_string(), missing })
        }
    }

    /// The folder that a model has or would have in the cache. Where it is not known which commit the revision stands
    /// for, the revision takes the commit's place, and no such folder will ever be there.
    #[must_use]
    pub fn folder_of(&self, name: &HubName) -> PathBuf {
        let commit = self.cache.commit_of(name);
        self.cache.snapshot(name, commit.as_deref().unwrap_or(name.revision()))
    }

    /// The model and revision whose folder in the cache this is, whether it is there or not.
    #[must_use]
    pub fn name_of(&self, folder: &Path) -> Option<HubName> {
        self.cache.name_of(folder)
    }

    /// Models of the cache with a config.json, by name. Asks nobody.
    #[must_use]
    pub fn list(&self) -> Vec<CachedModel> {
        let mut models = Vec::new();
        for (name, commit) in self.cache.snapshots() {
            let folder = self.cache.snapshot(&name, &commit);
            let missing = self.cache.missing(&name, &commit);
            if missing.iter().any(|file| file.ends_with("config.json")) {
                continue; // no encoder, or nothing of one yet
            }
            let is_main = self.cache.commit_of(&name).as_ref() == Some(&commit);
            let name = if is_main { name } else { name.at(&commit) };
            let licence = metadata::licence_of_readme(&folder);
            models.push(CachedModel { name, bytes: bytes_below(&folder), folder, licence, missing });
        }
        models
    }

    /// Asks the hub what it has under a name.
    ///
    /// # Errors
    /// When there is no such model or revision, it may not be had, nobody answers, or the answer makes no sense; or
    /// the user stopped it, within a fraction of a second.
    pub fn look_up(&self, name: &HubName, stop: &dyn Fn() -> bool) -> Result<RemoteModel, HubError> {
        let wire = self.wire(name)?;
        let told = |fault| told(&wire, name, fault);
        let path =
            format!("/api/models/{}/revision/{}?blobs=true", name.repo(), encoded(name.revision(), false));
        let body = wire.get_small(&path, stop).map_err(told)?;
        let listing = Listing::read(&body, name, wire.host())?;
        let has_modules = listing.has(MODULES);
        let modules = if has_modules {
            let body = wire.get_small(&file_path(name, &listing.commit, MODULES), stop).map_err(told)?;
            let bad = |error| HubError::BadReply {
                host: wire.host().to_owned(),
                reason: format!("{MODULES} is not JSON ({error})"),
            };
            Some(serde_json::from_slice(&body).map_err(bad)?)
        } else {
            None
        };
        let mut files = Vec::new();
        for listed in listing.choose(name, modules.as_ref())? {
            files.push(self.remote_file(&wire, name, &listing.commit, listed, stop)?);
        }
        let Listing { commit, licence, gated, private, .. } = listing;
        Ok(RemoteModel { name: name.clone(), commit, files, licence, gated, private, has_modules })
    }

    /// Fetches what is missing of an offer, checks it, and gives the folder of the model. Where it ends early, what was
    /// fetched stays, and the next download goes on from there.
    ///
    /// # Errors
    /// As [`Self::look_up`]; and when the cache cannot be written, or what arrives is not what was announced.
    pub fn download(
        &self,
        offer: &RemoteModel,
        stop: &dyn Fn() -> bool,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<PathBuf, HubError> {
        let (name, commit) = (&offer.name, &offer.commit);
        let wire = self.wire(name)?;
        self.require_room(offer)?;
        let mut meter = Meter::new(offer.bytes());
        for file in &offer.files {
            on_progress(meter.file(&file.name));
            self.fetch(&wire, offer, file, stop, &mut meter, on_progress)?;
            self.cache.place(name, commit, &file.name, &file.checksum)?;
            on_progress(meter.done(file.bytes));
        }
        if !offer.has_modules {
            self.cache.mark_without_modules(name, commit)?;
        }
        // Last, so that an earlier commit that is whole stays found until this one is.
        self.cache.remember(name, commit)?;
        let missing = self.cache.missing(name, commit);
        if missing.is_empty() {
            Ok(self.cache.snapshot(name, commit))
        } else {
            Err(HubError::NotAnEncoder { repo: name.repo().to_owned(), missing: missing.join(", ") })
        }
    }

    /// The offer with the bytes counted anew that are in the cache. Asks nobody.
    #[must_use]
    pub fn measured(&self, offer: &RemoteModel) -> RemoteModel {
        let mut offer = offer.clone();
        for file in &mut offer.files {
            file.cached = self.cache.bytes_of(&offer.name, &offer.commit, &file.name, &file.checksum);
        }
        offer
    }

    fn wire(&self, name: &HubName) -> Result<HttpClient, HubError> {
        if self.place.offline {
            return Err(HubError::Offline { name: name.to_string(), cache: self.cache.root().to_owned() });
        }
        HttpClient::new(&self.place, self.patience)
    }

    /// Size and checksum of a file; a hub whose list lacks them is asked for each.
    fn remote_file(
        &self,
        wire: &HttpClient,
        name: &HubName,
        commit: &str,
        listed: &Listed,
        stop: &dyn Fn() -> bool,
    ) -> Result<RemoteFile, HubError> {
        let file = listed.name.clone();
        let (bytes, checksum) = if let (Some(bytes), Some(checksum)) = (listed.bytes, listed.checksum.clone())
        {
            (bytes, checksum)
        } else {
            let headers = wire.headers(&file_path(name, commit, &file), stop);
            let headers = headers.map_err(|fault| told(wire, name, fault))?;
            let text = |header: &str| headers.get(header).and_then(|value| value.to_str().ok());
            let size = text("x-linked-size").or_else(|| text("content-length"));
            let size = size.and_then(|size| size.trim().parse().ok());
            let checksum = text("x-linked-etag").or_else(|| text("etag")).and_then(Checksum::of_etag);
            size.zip(checksum).ok_or_else(|| HubError::NoChecksum { file: file.clone() })?
        };
        let cached = self.cache.bytes_of(name, commit, &file, &checksum);
        Ok(RemoteFile { name: file, bytes, checksum, cached })
    }

    fn fetch(
        &self,
        wire: &HttpClient,
        offer: &RemoteModel,
        file: &RemoteFile,
        stop: &dyn Fn() -> bool,
        meter: &mut Meter,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), HubError> {
        let blob = self.cache.blob(&offer.name, &file.checksum);
        let is_whole = || fs::metadata(&blob).is_ok_and(|about| about.len() == file.bytes);
        if is_whole() {
            return Ok(());
        }
        make_parent(&blob)?;
        let lock =
            self.cache.lock(&offer.name, &file.checksum, stop, &mut || on_progress(meter.waiting()))?;
        if is_whole() {
            return Ok(()); // another program was quicker
        }
        let shared = partial(&blob);
        let part = if lock.is_held() { shared } else { own_partial(&shared) };
        let path = file_path(&offer.name, &offer.commit, &file.name);
        let fetched = download::fetch(wire, &path, file, &part, stop, &mut |there, came| {
            on_progress(meter.bytes(there, came));
        });
        if fetched.is_err() && !lock.is_held() {
            // Nobody could go on from it; that it may not be deleted is no news beside the failure.
            drop(fs::remove_file(&part));
        }
        fetched.map_err(|fault| match fault {
            Fault::Lost(reason) => HubError::Broken { file: file.name.clone(), reason },
            Fault::Status(Status { number: 401 | 403, .. }) if offer.gated => gated(wire, &offer.name),
            fault => told(wire, &offer.name, fault),
        })?;
        fs::rename(&part, &blob).map_err(|error| HubError::disk(&blob, &error))
    }

    fn require_room(&self, offer: &RemoteModel) -> Result<(), HubError> {
        let root = self.cache.root();
        fs::create_dir_all(root).map_err(|error| HubError::disk(root, &error))?;
        // Where it cannot be asked, the disk says it when it is full.
        let free = fs4::available_space(root).unwrap_or(u64::MAX);
        let needed = offer.bytes_to_fetch();
        if needed > free {
            return Err(HubError::NoRoom { needed, free, path: root.to_owned() });
        }
        Ok(())
    }
}

/// Where a file is on the hub.
fn file_path(name: &HubName, commit: &str, file: &str) -> String {
    format!("/{}/resolve/{commit}/{}", name.repo(), encoded(file, true))
}

/// What stays as it is in an address (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The same, and what divides folders.
const OF_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// A name as a part of an address.
fn encoded(text: &str, keeps_slashes: bool) -> String {
    utf8_percent_encode(text, if keeps_slashes { OF_PATH } else { UNRESERVED }).to_string()
}

/// A fault in the words for a model.
fn told(wire: &HttpClient, name: &HubName, fault: Fault) -> HubError {
    let (host, repo, token) = (wire.host().to_owned(), name.repo().to_owned(), wire.token_use());
    let Status { number: status, code, retry_after } = match fault {
        Fault::Final(error) => return error,
        Fault::Lost(reason) => return HubError::Unreachable { host, reason },
        Fault::Status(status) => status,
    };
    match (status, code.as_deref()) {
        (401 | 403, Some("GatedRepo")) => gated(wire, name),
        // The hub does not tell what is private from what is not there, unless one may know.
        (401 | 404, Some("RepoNotFound")) | (404, None) => HubError::UnknownModel { host, repo, token },
        (401, None) if token == TokenUse::None => HubError::UnknownModel { host, repo, token },
        (404, _) => HubError::UnknownRevision { repo, revision: name.revision().to_owned() },
        (401 | 403, _) => HubError::Refused { host, repo, token, status },
        (429, _) => HubError::TooMany { host, seconds: retry_after, token },
        (408 | 500..=599, _) => HubError::Server { host, status },
        _ => HubError::BadReply { host, reason: format!("its status is {status}") },
    }
}

fn gated(wire: &HttpClient, name: &HubName) -> HubError {
    let page = format!("{}/{}", wire.endpoint(), name.repo());
    HubError::Gated { repo: name.repo().to_owned(), page, token: wire.token_use() }
}

/// Bytes of the files in a folder and in the folders right in it, through links.
fn bytes_below(folder: &Path) -> u64 {
    let of = |path: &Path, deep: bool| -> u64 {
        match fs::metadata(path) {
            Ok(about) if about.is_file() => about.len(),
            Ok(about) if about.is_dir() && deep => {
                let inner = fs::read_dir(path).into_iter().flatten().flatten();
                inner
                    .filter_map(|entry| fs::metadata(entry.path()).ok())
                    .filter(fs::Metadata::is_file)
                    .map(|f| f.len())
                    .sum()
            }
            _ => 0,
        }
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| of(&entry.path(), true)).sum()
}
