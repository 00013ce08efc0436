//! Opening files to read them: regular files, and nothing that blocks or never ends.
//!
//! A pipe without a writer blocks whoever opens it, and a device such as `/dev/zero` has no end. So every file that a
//! person names or a folder holds is opened here. Links to regular files are followed.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Bytes that are read of a file whose size the system does not tell.
const UNSIZED: u64 = 1 << 20;

/// Bytes of the largest file that is read whole without another limit.
const LARGEST: u64 = 256 << 20;

/// Opens a regular file for reading.
///
/// # Errors
/// When it cannot be opened, or is a folder, a pipe, a device or a socket.
pub fn open(path: &Path) -> io::Result<File> {
    // Looked at first, since a socket cannot be opened, and opening a device may have an effect ...
    refuse_others(fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    // ... and again, since another file may be there by now. Opened this way a pipe does not block.
    refuse_others(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file: what was in it when it was opened, however fast it grows. What is read whole is small; a file
/// of 256 MB is taken for something else, for instance a hole of any size, which costs nothing on the disk.
///
/// # Errors
/// As [`open`], and when it cannot be read or is larger.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, LARGEST)
}

/// Reads a regular file that has no business being larger than this.
///
/// # Errors
/// As [`read`], and when it is larger.
pub fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        let reason = format!("it is far too large: {size} bytes, where {most} are the most that make sense");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    contents(file, size)
}

/// What is read of a file that had `size` bytes when it was opened.
fn contents(file: impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.take(if size == 0 { UNSIZED } else { size }).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a regular file of UTF-8 text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_bytes| io::Error::new(io::ErrorKind::InvalidData, "it holds bytes that are not UTF-8"))
}

fn refuse_others(kind: FileType) -> io::Result<()> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else {
        special(kind)
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
const fn special(_: FileType) -> &'static str {
    "a pipe or a device"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_files_and_links_to_them_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        fs::write(&path, "one").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "one");
        assert_eq!(read_at_most(&path, 3).unwrap(), b"one");
        assert!(read_at_most(&path, 2).unwrap_err().to_string().contains("far too large"));
        // A hole.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("far too large"));
        assert!(read_to_string(&path).is_err());
        fs::write(&path, "").unwrap();
        assert_eq!(read(&path).unwrap(), b"");
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert_eq!(read(&link).unwrap(), b"");
        }
        assert!(open(dir.path()).unwrap_err().to_string().contains("it is a folder"));
        assert_eq!(open(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn what_blocks_or_never_ends_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(open(&pipe).unwrap_err().to_string(), "it is a pipe, not a regular file");
        assert_eq!(
            read(Path::new("/dev/zero")).unwrap_err().to_string(),
            "it is a device, not a regular file"
        );
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(open(&socket).unwrap_err().to_string(), "it is a socket, not a regular file");
    }

    #[test]
    fn a_file_that_grows_is_read_as_it_was_opened() {
        // An endless writer is the worst case of one.
        assert_eq!(contents(io::repeat(b'a'), 10).unwrap().len(), 10);
        assert_eq!(contents(io::repeat(b'a'), 0).unwrap().len() as u64, UNSIZED);
    }
}
