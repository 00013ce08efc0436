//! `cargo xtask fuzz`: libFuzzer over every reader of files, with the stable compiler.
//!
//! libFuzzer learns from counters in the code which inputs reach something new. The compiler has the pass that puts them
//! in; the flags for it are given to Frostline's own library alone, by this tool standing in for the compiler
//! (`RUSTC_WORKSPACE_WRAPPER`), so that the libraries below are those that the program is built with.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::progress::duration_in_words;
use crate::run::BUILD_BYTES;
use crate::workspace::Workspace;
use crate::{disk, needs, setup};

/// Says that this tool is called in the compiler's place.
const AS_COMPILER: &str = "FROSTLINE_FUZZ_AS_COMPILER";

/// Counters on every edge, comparisons told to the fuzzer; numbers that overflow are a panic; and compiled sooner.
const FLAGS: [&str; 10] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=yes",
    "-Coverflow-checks=yes",
    "-Copt-level=2",
    "--cfg",
    "fuzzing",
];

/// Seconds after which an input is taken to hang.
const HANGS_AFTER: u32 = 20;

/// More than any input so small may need.
const MOST_MEGABYTES: u32 = 2048;

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Only this one
    target: Option<Target>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Give TARGET this input and no other: one that was kept
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

/// What is given inputs; `packaging/fuzz` has the same list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// CSV and its relatives, with everything that a user may overrule
    Delimited,
    /// An object on each line
    Jsonl,
    /// JSON texts of every layout
    Json,
    /// A word on each line
    Conll,
    /// Texts with labels that begin with `__label__`
    Fasttext,
    /// Parquet
    Parquet,
    /// Any file: gzip, encodings, and which format it is
    Any,
    /// The guess of columns, the data set and the card
    Card,
    /// Weights
    Safetensors,
    /// Weights as torch.save writes them
    Torch,
    /// frostline.toml, read, written and read again
    Project,
    /// A run's plan, history and report
    Run,
    /// tokenizer.json, loaded and given texts
    Tokenizer,
}

impl Target {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Longer inputs only take longer: what there is to find is in the small.
    fn most_bytes(self) -> u32 {
        match self {
            Self::Parquet | Self::Any => 8192,
            Self::Tokenizer => 20_480,
            _ => 4096,
        }
    }
}

/// How it went.
enum Outcome {
    Nothing { inputs: u64 },
    Found { kept: Option<PathBuf>, why: String },
}

/// Compiles in the compiler's place, where cargo started this tool for that.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(AS_COMPILER)?;
    let mut words = std::env::args_os().skip(1);
    let compiler = words.next()?;
    let words: Vec<OsString> = words.collect();
    let mut command = Command::new(compiler);
    command.args(&words);
    if is_the_library(&words) {
        command.args(FLAGS);
    }
    let succeeded = command.status().is_ok_and(|status| status.success());
    Some(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether Frostline's library is compiled, and not its build script or a question of cargo's.
fn is_the_library(words: &[OsString]) -> bool {
    words.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == "frostline")
        && words.windows(2).any(|pair| pair[0] == "--crate-type" && pair[1] == "lib")
}

/// The subcommand. A finding in one target does not keep the others from running.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    if cfg!(windows) {
        bail!("libFuzzer as it is built here needs Linux or macOS");
    }
    needs::for_build(workspace.consent)?;
    setup::ensure(workspace, &setup::Options::default())?;
    build(workspace)?;
    let fuzzer = Fuzzer { workspace, folder: workspace.fuzz() };
    fuzzer.write_seeds()?;
    let targets = options.target.map_or_else(|| Target::value_variants().to_vec(), |target| vec![target]);
    let mut found = Vec::new();
    for target in targets {
        let started = Instant::now();
        let name = target.name();
        match fuzzer.run(target, options)? {
            Outcome::Nothing { inputs } => {
                let took = duration_in_words(started.elapsed());
                println!("{name}: nothing found in {inputs} inputs and {took}");
            }
            Outcome::Found { kept, why } => {
                println!("{name}: FOUND: {why}");
                if let Some(kept) = kept {
                    println!(
                        "  the input is kept: {}\n  again: cargo xtask fuzz {name} --input {}",
                        kept.display(),
                        kept.display()
                    );
                }
                found.push(name);
            }
        }
    }
    if found.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nfound something in: {}", found.join(", "));
    Ok(ExitCode::FAILURE)
}

fn build(workspace: &Workspace) -> Result<()> {
    if !workspace.built("frostline-fuzz").exists() {
        disk::require(&workspace.target(), BUILD_BYTES, "to build Frostline for the fuzzer")?;
        println!("building Frostline for the fuzzer; the first time takes several minutes");
    }
    let this = std::env::current_exe().context("this tool does not know its own path")?;
    let status = workspace
        .cargo()
        .args(["build", "--release", "--package", "frostline-fuzz", "--features", "libfuzzer"])
        .env("RUSTC_WORKSPACE_WRAPPER", this)
        .env(AS_COMPILER, "1")
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the build failed; the compiler says why above");
    }
    Ok(())
}

struct Fuzzer<'a> {
    workspace: &'a Workspace,
    /// `seeds`, `corpus`, `found` and `log` lie in it.
    folder: PathBuf,
}

impl Fuzzer<'_> {
    fn program(&self) -> Command {
        let mut command = self.workspace.command(self.workspace.built("frostline-fuzz"));
        // Only the program itself is linked with a path to libtorch.
        command.env("LD_LIBRARY_PATH", self.workspace.libtorch_libraries());
        // An input is far too small to be shared out.
        command.env("RAYON_NUM_THREADS", "1").env("OMP_NUM_THREADS", "1").stdin(Stdio::null());
        command
    }

    fn write_seeds(&self) -> Result<()> {
        let output = self.program().env("FROSTLINE_FUZZ_SEEDS", self.folder.join("seeds")).output();
        let output = output.context("cannot start the fuzzer")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn run(&self, target: Target, options: &Options) -> Result<Outcome> {
        let name = target.name();
        let (corpus, found) = (self.made("corpus", &name)?, self.made("found", &name)?);
        let log = self.made("log", "")?.join(format!("{name}.txt"));
        let mut command = self.program();
        command.env("FROSTLINE_FUZZ_TARGET", &name);
        command.arg(format!("-artifact_prefix={}/", found.display()));
        command.arg(format!("-timeout={HANGS_AFTER}")).arg(format!("-rss_limit_mb={MOST_MEGABYTES}"));
        if let Some(input) = &options.input {
            command.arg(input);
        } else {
            println!("{name}: {} s", options.seconds);
            command.arg(format!("-max_total_time={}", options.seconds)).arg("-print_final_stats=1");
            command.arg(format!("-max_len={}", target.most_bytes()));
            // The first takes what is new. What was found once is tried again.
            command.arg(corpus).arg(self.made("seeds", &name)?).arg(found);
            command.args(self.workspace.shared_data("awkward"));
        }
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let status =
            command.stdout(Stdio::null()).stderr(file).status().context("cannot start the fuzzer")?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok(if status.success() {
            Outcome::Nothing { inputs: inputs(&said).unwrap_or(1) }
        } else {
            Outcome::Found { kept: kept(&said), why: why(&said, &log) }
        })
    }

    fn made(&self, kind: &str, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(kind).join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// How many inputs libFuzzer tried.
fn inputs(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

/// Where the input lies that ended the run.
fn kept(said: &str) -> Option<PathBuf> {
    said.lines().find_map(|line| Some(PathBuf::from(line.split_once("Test unit written to ")?.1.trim())))
}

/// Why the run ended: what a panic said, or what libFuzzer made of it.
fn why(said: &str, log: &Path) -> String {
    let line = |word: &str| said.lines().find(|line| line.contains(word)).map(|line| line.trim().to_owned());
    let reason = line("panic: ").or_else(|| line("ERROR: libFuzzer")).or_else(|| line("there is no target"));
    reason.unwrap_or_else(|| format!("the fuzzer ended; see {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_of_targets_are_the_same() {
        let source = include_str!("../../fuzz/src/targets.rs");
        let list = source.split_once("const ALL").and_then(|(_, rest)| rest.split_once("];")).unwrap().0;
        let theirs: Vec<&str> = list.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        // The first target's pair is the type's own.
        let ours: Vec<String> = Target::value_variants().iter().map(|target| target.name()).collect();
        let theirs: Vec<&str> = theirs.into_iter().filter(|name| !name.contains('.')).collect();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn only_the_library_gets_the_flags() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_the_library(&words(
            "--crate-name frostline --edition=2024 src/lib.rs --crate-type lib --emit=x"
        )));
        assert!(!is_the_library(&words("--crate-name build_script_build build.rs --crate-type bin")));
        assert!(!is_the_library(&words("--crate-name frostline src/main.rs --crate-type bin")));
        assert!(!is_the_library(&words("-vV")));
    }

    #[test]
    fn what_libfuzzer_says_is_understood() {
        let said = "INFO: Seed: 1\npanic: panicked at src/data/read/json/mod.rs:10:4: no\n==7== ERROR: libFuzzer: deadly signal\n\
                    artifact_prefix='x/'; Test unit written to x/crash-0a1b\nstat::number_of_executed_units: 1234\n";
        assert_eq!(inputs(said), Some(1234));
        assert_eq!(kept(said), Some(PathBuf::from("x/crash-0a1b")));
        assert!(why(said, Path::new("log")).starts_with("panic: panicked at src/data/read/json/mod.rs"));
        assert!(why("", Path::new("log")).contains("log"));
    }
}
