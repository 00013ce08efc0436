//! `.venv`: the Python libraries that an exported folder has to open in, and that the benchmark runs beside.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::place;
use crate::progress::duration_in_words;
use crate::stamp::{self, Stamp};
use crate::workspace::Workspace;
use crate::{disk, needs};

/// The wheel of torch and what is unpacked of it, with the rest.
const NEEDED_BYTES: u64 = 3_500_000_000;

/// The wheels of `OpenVINO` and what is unpacked of them.
const OPENVINO_BYTES: u64 = 600_000_000;

/// The wheels of pandas and pyarrow and what is unpacked of them.
const PANDAS_BYTES: u64 = 400_000_000;

/// The CUDA libraries that importing torch's Linux wheel loads and that nothing on a CPU calls. They are 2 GB;
/// empty libraries of the same names do.
const STAND_INS: [&str; 10] = [
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcurand.so.10",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvshmem_host.so.3",
];

/// Read by every start of this Python: functions are then looked up when they are first called, which for those
/// of the stand-ins is never, and no GPU is seen.
const AT_START: &str =
    "import os, sys; sys.setdlopenflags(os.RTLD_LAZY); os.environ[\"CUDA_VISIBLE_DEVICES\"] = \"\"\n";

/// Makes the environment where it is not complete, and gives its Python.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let venv = workspace.venv();
    let list = workspace.pins("python-peers.txt");
    let digest = digest_of(&list, AT_START)?;
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if stamp::is_complete(&venv, &[&digest]) && python.exists() {
        return Ok(python);
    }
    let started = Instant::now();
    let base = needs::python_with_venv(workspace.consent)?;
    disk::require(&venv, NEEDED_BYTES, "to install the Python libraries")?;
    println!("installing sentence-transformers and transformers into {}", venv.display());
    place::remove(&venv)?;
    run(Command::new(&base).args(["-m", "venv"]).arg(&venv), "cannot make a virtual environment")?;
    install(&python, &list, &venv)?;
    if cfg!(target_os = "linux") {
        stand_in(&python)?;
    }
    run(
        Command::new(&python).args(["-c", "import torch, sentence_transformers"]),
        "the Python libraries were installed but do not load",
    )?;
    Stamp { digest, files: Vec::new() }.write(&venv)?;
    println!("installed in {}", duration_in_words(started.elapsed()));
    Ok(python)
}

/// Adds `OpenVINO` to the environment that [`ensure`] made. The benchmark does without it where this fails.
pub(crate) fn ensure_openvino(workspace: &Workspace, python: &Path) -> Result<()> {
    More {
        what: "OpenVINO",
        pins: "python-bench.txt",
        stamp: "bench",
        bytes: OPENVINO_BYTES,
        import: "from optimum.intel import OVModelForFeatureExtraction",
    }
    .ensure(workspace, python)
}

/// Adds pandas. The benchmark does without it where this fails.
pub(crate) fn ensure_pandas(workspace: &Workspace, python: &Path) -> Result<()> {
    More {
        what: "pandas",
        pins: "python-data.txt",
        stamp: "data",
        bytes: PANDAS_BYTES,
        import: "import pandas, pyarrow.parquet",
    }
    .ensure(workspace, python)
}

/// Libraries that only some measurements need.
struct More {
    what: &'static str,
    pins: &'static str,
    stamp: &'static str,
    bytes: u64,
    import: &'static str,
}

impl More {
    fn ensure(&self, workspace: &Workspace, python: &Path) -> Result<()> {
        let (what, list) = (self.what, workspace.pins(self.pins));
        let digest = digest_of(&list, "")?;
        // A stamp of its own, inside the environment: it goes when that is made anew.
        let stamped = workspace.venv().join(self.stamp);
        if stamp::is_complete(&stamped, &[&digest]) {
            return Ok(());
        }
        disk::require(&stamped, self.bytes, &format!("to install {what}"))?;
        println!("installing {what} into {}", workspace.venv().display());
        install(python, &list, &workspace.venv())?;
        run(
            Command::new(python).args(["-c", self.import]),
            &format!("{what} was installed but does not load"),
        )?;
        fs::create_dir_all(&stamped).with_context(|| format!("cannot make {}", stamped.display()))?;
        Stamp { digest, files: Vec::new() }.write(&stamped)
    }
}

fn digest_of(list: &Path, salt: &str) -> Result<String> {
    let text = fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(format!("{:x}", Sha256::new().chain_update(text).chain_update(salt).finalize()))
}

/// The list is the whole of it, so what a library says it requires is left alone.
fn install(python: &Path, list: &Path, venv: &Path) -> Result<()> {
    run(
        Command::new(python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
            .args((!std::io::stdout().is_terminal()).then_some("--quiet"))
            .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "-r"])
            .arg(list)
            // `/tmp` is often too small for the wheel of torch.
            .env("TMPDIR", venv),
        "the Python libraries could not be installed; check the network and run the same command again",
    )
}

fn stand_in(python: &Path) -> Result<()> {
    let output = Command::new(python)
        .args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let packages = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let libraries = packages.join("nvidia/cu13/lib");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    for name in STAND_INS {
        let mut build = Command::new(&compiler);
        build.args(["-shared", "-fPIC", "-x", "c++", "/dev/null"]).arg(format!("-Wl,-soname,{name}"));
        run(build.arg("-o").arg(libraries.join(name)), "cannot build an empty library")?;
    }
    let path = packages.join("frostline_cpu.pth");
    fs::write(&path, AT_START).with_context(|| format!("cannot write {}", path.display()))
}

fn run(command: &mut Command, failure: &str) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().context(failure.to_owned())?;
    if !status.success() {
        bail!("{failure}");
    }
    Ok(())
}
