//! One file: fetched from where an earlier attempt ended, checked, and never taken for whole when it is not.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::HubError;
use super::http_client::{Attempts, Fault, HttpClient, Reply};
use super::remote_model::{Checksum, RemoteFile};
use crate::files::inside;

/// An attempt that brought so much was worth it: those before it are forgotten.
const WORTH_IT: u64 = 1 << 20;
/// Bytes that are read at a time to check what is there.
const CHUNK: usize = 1 << 20;

/// Told how many bytes of the file are there, and how many of them have just come.
pub(super) type OnBytes<'a> = &'a mut dyn FnMut(u64, u64);

/// Fetches a file into `partial`, which afterwards holds exactly what the hub announced. `path` is its address on
/// the hub.
pub(super) fn fetch(
    wire: &HttpClient,
    path: &str,
    file: &RemoteFile,
    partial: &Path,
    stop: &dyn Fn() -> bool,
    on_bytes: OnBytes,
) -> Result<(), Fault> {
    let mut part = Part::open(partial, file, stop)?;
    on_bytes(part.there, 0);
    let mut attempts = Attempts::new(wire.patience);
    // What was fetched twice, because the server began again, is no progress.
    let mut furthest = part.there;
    loop {
        match once(wire, path, file, &mut part, stop, on_bytes) {
            Ok(()) => {
                let Some(error) = part.check(file) else { return part.settle() };
                // The beginning that was found on disk may have been damaged there; what came now was not.
                if !part.begun_earlier {
                    fs::remove_file(partial).map_err(|error| HubError::disk(partial, &error))?;
                    return Err(error.into());
                }
                part.restart()?;
            }
            Err(fault) => {
                if part.there >= furthest + WORTH_IT {
                    furthest = part.there;
                    attempts.begin_anew();
                }
                attempts.pause_after(fault, stop)?;
            }
        }
    }
}

/// One request for what is missing.
fn once(
    wire: &HttpClient,
    path: &str,
    file: &RemoteFile,
    part: &mut Part,
    stop: &dyn Fn() -> bool,
    on_bytes: OnBytes,
) -> Result<(), Fault> {
    if part.there == file.bytes {
        return Ok(());
    }
    let reply = wire.get(path, part.there, stop)?;
    let (first, total) = match reply.status {
        200 => (0, number(&reply, "content-length")),
        206 => content_range(&reply).ok_or_else(|| Fault::Lost("a part came, and not which".into()))?,
        // The server knows nothing beyond what is there: from the beginning, then.
        416 => {
            part.restart()?;
            return Err(Fault::Lost("the server does not go on from there".into()));
        }
        _ => return Err(Fault::Status(HttpClient::status_of(&reply))),
    };
    let wrong_size =
        |sent: String| HubError::WrongSize { file: file.name.clone(), announced: file.bytes, sent };
    if let Some(other) = total.filter(|total| *total != file.bytes) {
        return Err(wrong_size(format!("{other} bytes")).into());
    }
    if first != part.there {
        // 200: the server does not do parts, and begins anew.
        part.restart()?;
        if first != 0 {
            return Err(Fault::Lost("another part came than was asked for".into()));
        }
    }
    let done = reply.each_piece(stop, |piece| {
        if part.there + piece.len() as u64 > file.bytes {
            part.restart()?;
            return Err(wrong_size("more".into()).into());
        }
        part.append(piece)?;
        on_bytes(part.there, piece.len() as u64);
        Ok(())
    });
    done?;
    if part.there < file.bytes {
        let reason = format!("it ended after {} of {} bytes", part.there, file.bytes);
        return Err(Fault::Lost(reason));
    }
    Ok(())
}

fn number(reply: &Reply, header: &str) -> Option<u64> {
    reply.headers.get(header)?.to_str().ok()?.trim().parse().ok()
}

/// First byte and, where it is stated, the number of all bytes: `bytes 100-199/200`.
fn content_range(reply: &Reply) -> Option<(u64, Option<u64>)> {
    let text = reply.headers.get("content-range")?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// A file that is on its way.
struct Part<'a> {
    path: &'a Path,
    file: File,
    hash: Hash,
    bytes: u64,
    there: u64,
    /// Its beginning is of an earlier download.
    begun_earlier: bool,
}

impl<'a> Part<'a> {
    /// Opens what an earlier download left, and takes it into the checksum; or begins.
    fn open(path: &'a Path, file: &RemoteFile, stop: &dyn Fn() -> bool) -> Result<Self, HubError> {
        let opened = inside::open_to_write(path).map_err(|error| HubError::disk(path, &error))?;
        let hash = Hash::new(&file.checksum, file.bytes);
        let mut part = Self { path, file: opened, hash, bytes: file.bytes, there: 0, begun_earlier: false };
        let length = part.told(|file| Ok(file.metadata()?.len()))?;
        if length > file.bytes {
            part.restart()?;
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            if stop() {
                return Err(HubError::Cancelled);
            }
            let read = part.told(|file| file.read(&mut chunk))?;
            if read == 0 {
                break;
            }
            part.hash.update(chunk.get(..read).unwrap_or_default());
            part.there += read as u64;
        }
        part.begun_earlier = part.there > 0;
        Ok(part)
    }

    fn told<T>(&mut self, work: impl FnOnce(&mut File) -> io::Result<T>) -> Result<T, HubError> {
        work(&mut self.file).map_err(|error| HubError::disk(self.path, &error))
    }

    fn restart(&mut self) -> Result<(), HubError> {
        self.told(|file| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))
        })?;
        self.hash.restart(self.bytes);
        (self.there, self.begun_earlier) = (0, false);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.told(|file| file.write_all(bytes))?;
        self.hash.update(bytes);
        self.there += bytes.len() as u64;
        Ok(())
    }

    /// What is wrong with the whole file, if anything is.
    fn check(&mut self, file: &RemoteFile) -> Option<HubError> {
        let (found, stated) = (self.hash.digits(), file.checksum.digits());
        self.hash.restart(self.bytes);
        let damaged =
            || HubError::Damaged { file: file.name.clone(), stated: stated.to_owned(), found: found.clone() };
        (found != stated).then(damaged)
    }

    /// The bytes are on the disk when this returns: what is renamed to be whole has to stay so.
    fn settle(mut self) -> Result<(), Fault> {
        Ok(self.told(|file| file.sync_all())?)
    }
}

/// A checksum that grows with the file.
enum Hash {
    Sha256(Sha256),
    GitBlob(Sha1),
}

impl Hash {
    fn new(checksum: &Checksum, bytes: u64) -> Self {
        let mut hash = match checksum {
            Checksum::Sha256(_) => Self::Sha256(Sha256::new()),
            Checksum::GitBlob(_) => Self::GitBlob(Sha1::new()),
        };
        hash.restart(bytes);
        hash
    }

    fn restart(&mut self, bytes: u64) {
        match self {
            Self::Sha256(hash) => *hash = Sha256::new(),
            // Git hashes the kind and the size before the contents.
            Self::GitBlob(hash) => *hash = Sha1::new_with_prefix(format!("blob {bytes}\0")),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::GitBlob(hash) => hash.update(bytes),
        }
    }

    fn digits(&self) -> String {
        match self {
            Self::Sha256(hash) => format!("{:x}", hash.clone().finalize()),
            Self::GitBlob(hash) => format!("{:x}", hash.clone().finalize()),
        }
    }
}

/// Where a file is fetched to when the file system has no locks: two programs then never write to the same file.
pub(super) fn own_partial(partial: &Path) -> PathBuf {
    partial.with_extension(format!("{:x}.incomplete", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_git_and_of_sha256sum() {
        let of = |checksum: &Checksum, text: &str| {
            let mut hash = Hash::new(checksum, text.len() as u64);
            hash.update(text.as_bytes());
            hash.digits()
        };
        let git = Checksum::GitBlob(String::new());
        // `printf 'hello\n' | git hash-object --stdin`, and the empty blob.
        assert_eq!(of(&git, "hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(of(&git, ""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let sha256 = Checksum::Sha256(String::new());
        assert_eq!(
            of(&sha256, "hello\n"),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
    }

    #[test]
    fn a_file_of_ones_own_is_still_incomplete_by_its_name() {
        let own = own_partial(Path::new("/cache/blobs/abc.incomplete"));
        let name = own.file_name().unwrap().to_str().unwrap();
        assert!(
            name.starts_with("abc.") && name.ends_with(".incomplete") && name != "abc.incomplete",
            "{name}"
        );
    }
}
