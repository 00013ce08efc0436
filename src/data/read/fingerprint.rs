//! What tells one state of a file from another: size, time of change, and a digest of the bytes.
//!
//! The digest notices changes and hides nothing from anyone who would forge one: it must be quick.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::SystemTime;

use twox_hash::XxHash3_128;
use twox_hash::xxhash3_128::Hasher;

use crate::files::regular_file;

/// A file as it was when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Bytes on the disk.
    pub bytes: u64,
    /// When it was last written, as far as the system tells.
    pub modified: Option<SystemTime>,
    /// XXH3 (128 bits) of the bytes on the disk, in hexadecimal; empty for what is no file.
    pub digest: String,
}

impl Fingerprint {
    /// The stamp of a file with these bytes.
    pub(in crate::data) fn of(path: &Path, bytes: &[u8]) -> Self {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        Self { bytes: bytes.len() as u64, modified, digest: digest(bytes) }
    }

    /// The stamp of a folder of so many bytes, and what is in it.
    pub(in crate::data) fn of_folder(path: &Path, bytes: u64, digest: u128) -> Self {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        Self { bytes, modified, digest: format!("{digest:032x}") }
    }

    /// True when the file at that path is another one now, or gone. Its bytes are read only where its time has
    /// changed and its size has not.
    #[must_use]
    pub fn is_stale(&self, path: &Path) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return true };
        let same_time = metadata.modified().ok() == self.modified;
        if metadata.is_dir() {
            return !same_time;
        }
        if metadata.len() != self.bytes {
            return true;
        }
        !same_time && digest_of_file(path).map_or(true, |digest| digest != self.digest)
    }

    /// Remembers the time of a file that was found to be the same, so that its bytes are not read again.
    pub fn renew(&mut self, path: &Path) {
        self.modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    }
}

/// The digest of what a file holds, read in pieces: it may be larger than the memory.
fn digest_of_file(path: &Path) -> io::Result<String> {
    let mut file = regular_file::open(path)?;
    let (mut hasher, mut piece) = (Hasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(format!("{:032x}", hasher.finish_128())),
            count => hasher.write(piece.get(..count).unwrap_or_default()),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:032x}", XxHash3_128::oneshot(bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_is_stale_when_its_bytes_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(&path, "one").unwrap();
        let stamp = Fingerprint::of(&path, b"one");
        assert!(!stamp.is_stale(&path));
        let later = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(5);
        let touch = || fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        touch();
        assert!(!stamp.is_stale(&path), "touched, but the same");
        fs::write(&path, "two").unwrap();
        touch();
        assert!(stamp.is_stale(&path), "of the same size");
        fs::write(&path, "three").unwrap();
        assert!(stamp.is_stale(&path));
        fs::remove_file(&path).unwrap();
        assert!(stamp.is_stale(&path));
    }
}
