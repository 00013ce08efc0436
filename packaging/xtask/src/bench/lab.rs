//! The place where things are measured: the inputs that all contenders get, and the running of programs on them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::lines::{Lines, number};
use super::{Options, Part};
use crate::peers;
use crate::workspace::Workspace;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Turns of what takes seconds.
    pub(super) rounds: usize,
    /// Turns of what takes minutes.
    pub(super) long_rounds: usize,
    /// Training steps of a turn.
    pub(super) steps: usize,
    /// Sentences at most.
    pub(super) sentences: usize,
    /// Rows of the large table.
    pub(super) table_rows: usize,
}

const QUICK: Size = Size { rounds: 2, long_rounds: 1, steps: 24, sentences: 1000, table_rows: 200_000 };
const FULL: Size = Size { rounds: 3, long_rounds: 2, steps: 64, sentences: 5000, table_rows: 2_000_000 };

/// What `inputs.py` made.
pub(super) struct Inputs {
    pub(super) tasks: Vec<String>,
    pub(super) train_rows: usize,
    pub(super) valid_rows: usize,
    pub(super) test_rows: usize,
    pub(super) in_scope_rows: usize,
    pub(super) sentences: usize,
    pub(super) pairs: usize,
}

/// Everything a measurement needs.
pub(super) struct Lab<'a> {
    workspace: &'a Workspace,
    python: PathBuf,
    scratch: TempDir,
    /// Name of the data set's folder.
    pub(super) data: String,
    pub(super) inputs: Inputs,
    pub(super) size: Size,
    pub(super) threads: usize,
    /// Why `OpenVINO` takes no part.
    pub(super) no_openvino: Option<String>,
    /// Why pandas takes no part.
    pub(super) no_pandas: Option<String>,
}

impl<'a> Lab<'a> {
    /// Installs the peers and makes the inputs.
    pub(super) fn set_up(workspace: &'a Workspace, options: &Options) -> Result<Self> {
        let python = peers::ensure(workspace)?;
        // What is not measured is not installed.
        let peer = |part, ensure: fn(&Workspace, &Path) -> Result<()>| {
            let is_measured = options.only.is_empty() || options.only.contains(&part);
            let error = is_measured.then(|| ensure(workspace, &python))?.err()?;
            Some(format!("{error:#}"))
        };
        let no_openvino = peer(Part::Encode, peers::ensure_openvino);
        let no_pandas = peer(Part::Data, peers::ensure_pandas);
        let scratch = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(workspace.target())
            .context("cannot write to the folder of the build")?;
        let data = data_folder(workspace, options);
        let size = if options.quick { QUICK } else { FULL };
        let mut lab = Self {
            workspace,
            python,
            scratch,
            data: data.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            inputs: Inputs::none(),
            size,
            threads: options.threads,
            no_openvino,
            no_pandas,
        };
        lab.inputs = lab.make_inputs(&data, options)?;
        Ok(lab)
    }

    /// A path for something that is needed until the end.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A folder for what takes long to make; it stays for the next time.
    pub(super) fn kept(&self) -> PathBuf {
        self.workspace.target().join("bench")
    }

    /// A folder that goes when its owner does; runs leave the weights of a whole model.
    pub(super) fn folder(&self) -> Result<TempDir> {
        tempfile::tempdir_in(self.scratch.path()).context("cannot make a folder for a measurement")
    }

    pub(super) fn model(&self) -> PathBuf {
        self.workspace.model()
    }

    /// Runs a script of `packaging/bench`.
    pub(super) fn script(&self, name: &str, arguments: &[OsString]) -> Result<Lines> {
        let mut words: Vec<OsString> = vec![self.workspace.bench_script(name).into()];
        words.extend_from_slice(arguments);
        self.measured(self.python.as_os_str(), &words, None)
    }

    /// Runs the program; with `stop_after` it is asked to stop after so many steps.
    pub(super) fn frostline(&self, arguments: &[OsString], stop_after: Option<usize>) -> Result<Lines> {
        self.measured(self.workspace.program().as_os_str(), arguments, stop_after)
    }

    /// The cargo that started this tool.
    pub(super) fn cargo(&self) -> std::process::Command {
        self.workspace.cargo()
    }

    /// The commit that is measured, and whether files differ from it.
    pub(super) fn commit(&self) -> Option<(String, bool)> {
        self.workspace.commit()
    }

    fn measured(&self, program: &OsStr, arguments: &[OsString], stop_after: Option<usize>) -> Result<Lines> {
        let mut command = Command::new(&self.python);
        command.arg(self.workspace.bench_script("measured.py"));
        if let Some(steps) = stop_after {
            command.arg("--stop-after-steps").arg(steps.to_string());
        }
        command.arg(program).args(arguments).stdin(Stdio::null());
        for variable in ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(variable, self.threads.to_string());
        }
        // Cargo sets this for the tests; outside of it neither Frostline's user nor the peer's has it set.
        command.env_remove("OMP_WAIT_POLICY").env_remove("GOMP_SPINCOUNT");
        // The user's own settings play no part.
        command.env("FROSTLINE_CONFIG_DIR", self.path("config")).env("FROSTLINE_DATA_DIR", self.path("data"));
        let output = command.output().with_context(|| format!("cannot start {}", self.python.display()))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let lines = Lines::parse(&String::from_utf8_lossy(&output.stdout));
        let measured = lines.measured().with_context(|| last_lines(&errors))?;
        if measured.exit_code != 0 && !measured.asked_to_stop {
            bail!("{}", last_lines(&errors));
        }
        Ok(lines)
    }

    fn make_inputs(&self, data: &Path, options: &Options) -> Result<Inputs> {
        let mut arguments =
            words(["--data".as_ref(), data.as_os_str(), "--to".as_ref(), self.scratch.path().as_os_str()]);
        arguments.extend(words(["--most".as_ref(), self.size.sentences.to_string().as_ref()]));
        if let Some(file) = &options.sentences {
            arguments.extend(words(["--sentences".as_ref(), file.as_os_str()]));
        }
        let stsb =
            options.stsb.clone().or_else(|| Some(self.workspace.shared_data("stsb")?.join("valid.csv")));
        if let Some(file) = stsb.filter(|file| file.exists()) {
            arguments.extend(words(["--stsb".as_ref(), file.as_os_str()]));
        }
        fs::create_dir_all(self.path("config"))?;
        Inputs::of(self.script("inputs.py", &arguments)?.event("inputs")?)
    }
}

impl Inputs {
    fn none() -> Self {
        Self {
            tasks: Vec::new(),
            train_rows: 0,
            valid_rows: 0,
            test_rows: 0,
            in_scope_rows: 0,
            sentences: 0,
            pairs: 0,
        }
    }

    fn of(object: &Value) -> Result<Self> {
        let count = |field| Ok::<_, anyhow::Error>(number(object, field)? as usize);
        let tasks = object.get("tasks").and_then(Value::as_array).context("there are no tasks")?;
        Ok(Self {
            tasks: tasks.iter().filter_map(|task| Some(task.as_str()?.to_owned())).collect(),
            train_rows: count("train")?,
            valid_rows: count("valid")?,
            test_rows: count("test")?,
            in_scope_rows: count("in_scope")?,
            sentences: count("sentences")?,
            pairs: count("pairs")?,
        })
    }
}

/// Arguments of a program.
pub(super) fn words<const N: usize>(words: [&OsStr; N]) -> Vec<OsString> {
    words.map(OsStr::to_os_string).to_vec()
}

fn data_folder(workspace: &Workspace, options: &Options) -> PathBuf {
    if let Some(folder) = &options.data {
        return folder.clone();
    }
    workspace.shared_data("clinc150").unwrap_or_else(|| {
        println!("no data set is named with --data, so the demo's messages are used: 720 training rows");
        workspace.demo_data()
    })
}

/// What a program said last, as one line: usually why it failed.
fn last_lines(errors: &str) -> String {
    let lines: Vec<&str> = errors.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(2)).copied().collect::<Vec<_>>().join("; ");
    if last.is_empty() { "the program failed and did not say why".to_owned() } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_the_programs_last_words() {
        assert_eq!(
            last_lines("loading\n\nfrostline.toml:20: unknown key\n"),
            "loading; frostline.toml:20: unknown key"
        );
        assert!(last_lines("\n").contains("did not say why"));
    }
}
