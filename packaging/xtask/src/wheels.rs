//! The cache of wheels: downloaded once per user by pip, checked by SHA-256 each time before use.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::pins::Pin;
use crate::platform::Platform;
use crate::progress::Progress;

/// A folder of wheels.
pub(crate) struct Wheels {
    folder: PathBuf,
}

impl Wheels {
    pub(crate) fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the cache folder {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The wheels that a download has to bring.
    pub(crate) fn missing<'pin>(&self, pins: &[&'pin Pin]) -> Vec<&'pin Pin> {
        let is_here =
            |pin: &Pin| fs::metadata(self.path(pin)).is_ok_and(|metadata| metadata.len() == pin.size_bytes);
        pins.iter().copied().filter(|pin| !is_here(pin)).collect()
    }

    /// The wheel, its content proven to be the pinned one. A damaged file is removed and said to be.
    pub(crate) fn verified(&self, pin: &Pin) -> Result<PathBuf> {
        let path = self.path(pin);
        if sha256_of(&path)? == pin.sha256 {
            return Ok(path);
        }
        remove_file(&path)?;
        bail!(
            "the download of {} {} was damaged on the disk and has been removed; run the same command again",
            pin.name,
            pin.version
        )
    }

    /// Downloads one wheel with pip. The file takes its name in the cache only once it is whole and is what the
    /// pin says, so whatever interrupts this leaves nothing behind that would be believed later.
    pub(crate) fn download(&self, pin: &Pin, python: &Path, platform: Platform) -> Result<()> {
        let partial = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempdir_in(&self.folder)
            .with_context(|| format!("cannot write to the cache folder {}", self.folder.display()))?;
        let requirements = partial.path().join("requirements.txt");
        fs::write(&requirements, pin.requirement())?;
        let log_path = partial.path().join("pip.log");
        let log = File::create(&log_path)?;

        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"])
            .args(["--python-version", "3.12", "--implementation", "cp"])
            .args(platform.pip_tags().iter().flat_map(|tag| ["--platform", tag.as_str()]))
            // A second copy in pip's own cache would only take room.
            .args(["--no-cache-dir", "--progress-bar", "off", "--no-input", "--disable-pip-version-check"])
            .arg("--dest")
            .arg(partial.path())
            .arg("-r")
            .arg(&requirements)
            .envs(["TMPDIR", "TEMP", "TMP"].map(|name| (name, partial.path())))
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        let mut progress =
            Progress::start(format!("downloading {} {}", pin.name, pin.version), pin.size_bytes);
        let mut child = pip.spawn().with_context(|| format!("cannot start {}", python.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            thread::sleep(Duration::from_millis(100));
            progress.set(size_of(partial.path()));
        };
        if !status.success() {
            drop(progress);
            bail!(explain(&fs::read_to_string(&log_path).unwrap_or_default(), pin));
        }
        let wheel = wheel_in(partial.path())?.context("pip reported success but left no wheel")?;
        if sha256_of(&wheel)? != pin.sha256 {
            bail!("{} {} is not the file that packaging/pins names; it was not kept", pin.name, pin.version);
        }
        fs::rename(&wheel, self.path(pin)).context("cannot name the finished download")?;
        progress.finish();
        Ok(())
    }

    /// Removes what interrupted downloads left.
    pub(crate) fn clean(&self) -> Result<()> {
        crate::place::remove_leftovers(&self.folder, PARTIAL)
    }

    fn path(&self, pin: &Pin) -> PathBuf {
        self.folder.join(pin.file_name())
    }
}

const PARTIAL: &str = "partial-";

fn wheel_in(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The bytes of all files below a folder that may be changing meanwhile.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The SHA-256 of a file, in lower-case hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
    }
    Ok(format!("{:x}", hasher.finalize()))
}

fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

/// Turns pip's log into what happened and what to do, its own last words below.
fn explain(log: &str, pin: &Pin) -> String {
    let says = |needles: &[&str]| needles.iter().any(|needle| log.contains(needle));
    let reason = if says(&["DO NOT MATCH THE HASHES"]) {
        "what the Python package index sent is not the file that packaging/pins names, and was not kept. \
         Check the index or mirror that pip is set to use"
    } else if says(&["No space left on device", "Errno 28"]) {
        "the disk ran full during the download. Make room and run the same command again; finished downloads \
         are kept"
    } else if says(&[
        "Retrying",
        "onnection",
        "Temporary failure",
        "timed out",
        "resolve",
        "HTTPError",
        "SSL",
    ]) {
        "the download failed. Check the network and run the same command again; finished downloads are kept"
    } else if says(&["No matching distribution"]) {
        "the Python package index or mirror that pip is set to use does not have this file"
    } else {
        "pip failed. Run the same command again; finished downloads are kept"
    };
    let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last: Vec<String> = lines
        .iter()
        .skip(lines.len().saturating_sub(3))
        .map(|line| format!("\n  pip: {}", line.chars().take(160).collect::<String>()))
        .collect();
    format!("{} {}: {reason}{}", pin.name, pin.version, last.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin_of(content: &[u8]) -> Pin {
        Pin {
            name: "torch".to_owned(),
            version: "2.11.0".to_owned(),
            sha256: format!("{:x}", Sha256::digest(content)),
            size_bytes: content.len() as u64,
        }
    }

    #[test]
    fn a_whole_wheel_is_kept_and_a_damaged_one_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let wheels = Wheels::open(folder.path().join("wheels")).unwrap();
        let pin = pin_of(b"wheel");
        assert_eq!(wheels.missing(&[&pin]), [&pin]);
        fs::write(wheels.path(&pin), b"wheel").unwrap();
        assert!(wheels.missing(&[&pin]).is_empty());
        assert_eq!(wheels.verified(&pin).unwrap(), wheels.path(&pin));
        fs::write(wheels.path(&pin), b"whee1").unwrap();
        assert!(wheels.verified(&pin).unwrap_err().to_string().contains("damaged"));
        assert!(!wheels.path(&pin).exists());
    }

    #[test]
    fn a_wheel_cut_short_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let wheels = Wheels::open(folder.path().to_path_buf()).unwrap();
        let pin = pin_of(b"wheel");
        fs::write(wheels.path(&pin), b"whe").unwrap();
        assert_eq!(wheels.missing(&[&pin]), [&pin]);
    }

    #[test]
    fn pips_failures_are_told_apart() {
        let pin = pin_of(b"wheel");
        let network = "WARNING: Retrying (Retry(total=4)) after connection broken\n\
                       ERROR: Could not find a version\nERROR: No matching distribution found for torch\n";
        let message = explain(network, &pin);
        assert!(message.contains("Check the network and run the same command again"), "{message}");
        assert!(message.contains("finished downloads are kept"), "{message}");
        assert!(message.ends_with("pip: ERROR: No matching distribution found for torch"), "{message}");
        assert!(explain("ERROR: No matching distribution found", &pin).contains("does not have this file"));
        assert!(explain("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", &pin).contains("packaging/pins"));
        assert!(explain("OSError: [Errno 28] No space left on device", &pin).contains("ran full"));
    }
}
