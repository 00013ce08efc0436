//! Free space, asked for before a download or a build rather than met in the middle of it.

use std::path::Path;

use anyhow::{Result, bail};

/// Fails with a plain sentence where the disk that holds `folder` has less than `needed_bytes` free.
pub(crate) fn require(folder: &Path, needed_bytes: u64, purpose: &str) -> Result<()> {
    // The folder itself may be about to be made; its nearest ancestor lies on the same disk.
    let existing = folder.ancestors().find(|ancestor| ancestor.exists());
    // Some network and overlay file systems cannot tell; then nothing is known against going on.
    match existing.and_then(|folder| fs4::available_space(folder).ok()) {
        Some(free_bytes) if free_bytes < needed_bytes => {
            bail!(too_little(folder, free_bytes, needed_bytes, purpose))
        }
        _ => Ok(()),
    }
}

fn too_little(folder: &Path, free_bytes: u64, needed_bytes: u64, purpose: &str) -> String {
    format!(
        "the disk is too full {purpose}: {} are needed and {} are free; make room and run the same command \
         again\n  folder: {}",
        in_words(needed_bytes),
        in_words(free_bytes),
        folder.display()
    )
}

/// A size as people write it.
pub(crate) fn in_words(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    match megabytes {
        ..1.0 => format!("{:.0} kB", megabytes * 1000.0),
        1.0..1000.0 => format!("{megabytes:.0} MB"),
        _ => format!("{:.1} GB", megabytes / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_words() {
        assert_eq!(in_words(148_047), "148 kB");
        assert_eq!(in_words(530_712_279), "531 MB");
        assert_eq!(in_words(2_500_000_000), "2.5 GB");
    }

    #[test]
    fn a_full_disk_is_named_with_both_figures_and_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not/yet/there");
        assert!(require(&folder, 1, "to build").is_ok());
        let message = require(&folder, u64::MAX, "to unpack libtorch").unwrap_err().to_string();
        assert!(message.contains("too full to unpack libtorch") && message.contains("are free"), "{message}");
        assert!(message.contains("not/yet/there"), "{message}");
    }
}
