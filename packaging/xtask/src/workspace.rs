//! Where things lie in the checkout and in the per-user cache.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use directories::ProjectDirs;

use crate::needs::Consent;

/// The checkout this tool was started in.
pub(crate) struct Workspace {
    root: PathBuf,
    /// Whether what the system lacks may be installed.
    pub(crate) consent: Consent,
}

impl Workspace {
    /// Two folders above this package. Cargo names the package's folder when it starts a program; the folder
    /// known at build time is right for a program started by hand.
    pub(crate) fn find(consent: Consent) -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.ancestors().nth(2).context("this tool lies outside a checkout of Frostline")?;
        Ok(Self { root: root.to_path_buf(), consent })
    }

    /// The checkout's own folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A package, by its name.
    pub(crate) fn dist(&self, name: &str) -> PathBuf {
        self.root.join("dist").join(name)
    }

    pub(crate) fn libtorch(&self) -> PathBuf {
        self.root.join(".libtorch")
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.root.join(".models").join("all-MiniLM-L6-v2")
    }

    pub(crate) fn venv(&self) -> PathBuf {
        self.root.join(".venv")
    }

    pub(crate) fn pins(&self, file: &str) -> PathBuf {
        self.root.join("packaging").join("pins").join(file)
    }

    /// What the dependencies are held against.
    pub(crate) fn dependency_rules(&self) -> PathBuf {
        self.root.join("deny.toml")
    }

    /// A script of the benchmark.
    pub(crate) fn bench_script(&self, file: &str) -> PathBuf {
        self.root.join("packaging").join("bench").join(file)
    }

    /// What the fuzzer keeps.
    pub(crate) fn fuzz(&self) -> PathBuf {
        self.root.join(".fuzz")
    }

    /// The page with the benchmark's results.
    pub(crate) fn benchmarks_page(&self) -> PathBuf {
        self.root.join("BENCHMARKS.md")
    }

    /// A picture that the README shows.
    pub(crate) fn screenshot(&self, name: &str) -> PathBuf {
        self.root.join("assets").join("screenshots").join(format!("{name}.png"))
    }

    /// The data of the demo project.
    pub(crate) fn demo_data(&self) -> PathBuf {
        self.root.join("assets").join("demo").join("data")
    }

    /// A data set in the folder `shared` beside the checkout, where there is such a thing.
    pub(crate) fn shared_data(&self, name: &str) -> Option<PathBuf> {
        let path = self.root.parent()?.join("shared").join("data").join(name);
        path.exists().then_some(path)
    }

    /// The commit that is checked out, and whether files differ from it.
    pub(crate) fn commit(&self) -> Option<(String, bool)> {
        let git = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).current_dir(&self.root).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = git(&["rev-parse", "--short", "HEAD"])?;
        Some((commit, !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty()))
    }

    /// Where `cargo` puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |dir| self.root.join(dir))
    }

    /// The program that a release build leaves.
    pub(crate) fn program(&self) -> PathBuf {
        self.built("frostline")
    }

    /// A program of that name that a release build leaves.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The cargo that started this tool, in the checkout.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        // What the cargo that started this tool says of its package. Build scripts that look at it would run again whenever
        // cargo is used by hand and by this tool in turn, and all that is above them be built again.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                cargo.env_remove(name);
            }
        }
        cargo
    }

    /// A program that works on the checkout.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// A program that finds libtorch. Linux and macOS look where the program itself says; Windows looks only
    /// beside it and on the path.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if cfg!(windows) {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(self.libtorch_libraries()).chain(std::env::split_paths(&path));
            if let Ok(path) = std::env::join_paths(folders) {
                command.env("PATH", path);
            }
        }
        command
    }

    /// The folder of libtorch's libraries.
    pub(crate) fn libtorch_libraries(&self) -> PathBuf {
        self.chosen_libtorch().unwrap_or_else(|| self.libtorch()).join("lib")
    }

    /// A libtorch that the user chose. `.cargo/config.toml` sets `LIBTORCH` to `.libtorch` unless it is set
    /// already, so any other value comes from the user.
    pub(crate) fn chosen_libtorch(&self) -> Option<PathBuf> {
        let chosen = PathBuf::from(std::env::var_os("LIBTORCH").filter(|value| !value.is_empty())?);
        (resolved(&chosen) != resolved(&self.libtorch())).then_some(chosen)
    }
}

/// The path with links in the folders above it resolved; the last part need not exist.
fn resolved(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}

/// The per-user cache: downloads, and what was unpacked from them, shared by every checkout.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let dirs = ProjectDirs::from("", "", "frostline")
        .context("no home folder is known for this user, so there is nowhere to keep downloads; set HOME")?;
    Ok(dirs.cache_dir().to_path_buf())
}
