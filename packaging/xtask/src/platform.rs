//! The platforms there are pins for, and what pip calls them.

use anyhow::{Result, bail};

/// One platform with libtorch wheels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    LinuxX86_64,
    LinuxAarch64,
    MacosArm64,
    WindowsX86_64,
}

impl Platform {
    /// The platform this tool runs on.
    pub(crate) fn current() -> Result<Self> {
        Self::named(std::env::consts::OS, std::env::consts::ARCH)
    }

    fn named(os: &str, arch: &str) -> Result<Self> {
        Ok(match (os, arch) {
            ("linux", "x86_64") => Self::LinuxX86_64,
            ("linux", "aarch64") => Self::LinuxAarch64,
            ("macos", "aarch64") => Self::MacosArm64,
            ("windows", "x86_64") => Self::WindowsX86_64,
            _ => bail!(
                "there is no libtorch 2.11.0 on the Python package index for {os} on {arch}; build libtorch \
                 2.11 yourself, set LIBTORCH to its folder, and run the same command again"
            ),
        })
    }

    /// The name in file names: `packaging/pins/NAME.txt`, `dist/frostline-NAME`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LinuxX86_64 => "linux-x86_64",
            Self::LinuxAarch64 => "linux-aarch64",
            Self::MacosArm64 => "macos-arm64",
            Self::WindowsX86_64 => "windows-x86_64",
        }
    }

    /// The file of pins in `packaging/pins`.
    pub(crate) fn pins_file(self, cuda: bool) -> Result<String> {
        if cuda && self != Self::LinuxX86_64 {
            bail!("the CUDA libraries are pinned for Linux on x86-64 only; run setup without --cuda");
        }
        Ok(format!("{}{}.txt", self.name(), if cuda { "-cuda" } else { "" }))
    }

    /// Every platform tag that pip may choose from. pip does not derive the older manylinux tags from a newer
    /// one given by hand, and the wheels in the pins use a dozen of them.
    pub(crate) fn pip_tags(self) -> Vec<String> {
        let manylinux = |arch: &str| {
            let mut tags: Vec<String> =
                (5..=28).rev().map(|minor| format!("manylinux_2_{minor}_{arch}")).collect();
            tags.push(format!("manylinux2014_{arch}"));
            tags
        };
        match self {
            Self::LinuxX86_64 => manylinux("x86_64"),
            Self::LinuxAarch64 => manylinux("aarch64"),
            Self::MacosArm64 => vec!["macosx_11_0_arm64".to_owned()],
            Self::WindowsX86_64 => vec!["win_amd64".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Platform; 4] =
        [Platform::LinuxX86_64, Platform::LinuxAarch64, Platform::MacosArm64, Platform::WindowsX86_64];

    #[test]
    fn an_unknown_platform_is_named_with_a_way_out() {
        let message = Platform::named("freebsd", "riscv64").unwrap_err().to_string();
        assert!(message.contains("freebsd on riscv64") && message.contains("LIBTORCH"), "{message}");
    }

    #[test]
    fn cuda_is_for_linux_on_x86_64() {
        assert_eq!(Platform::LinuxX86_64.pins_file(true).unwrap(), "linux-x86_64-cuda.txt");
        assert!(Platform::MacosArm64.pins_file(true).is_err());
    }

    #[test]
    fn every_platform_has_tags() {
        assert!(ALL.iter().all(|platform| !platform.pip_tags().is_empty()));
    }
}
