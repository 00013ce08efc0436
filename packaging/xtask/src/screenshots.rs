//! `cargo xtask screenshots`: pictures of the real program at work, on a screen of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{needs, run, setup};

/// Those that the README shows: name in `assets/screenshots`, and the picture it is.
const FOR_README: [(&str, &str); 4] = [
    ("data", "demo-data-light-1280x800@1"),
    ("schedule", "demo-schedule-light-1280x800@1"),
    ("train", "demo-train-dark-1280x800@1"),
    ("explore", "demo-explore-dark-1280x800@1"),
];

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "target/screenshots")]
    into: PathBuf,
    /// A project to take pictures of too, beside the empty window and the demo; it is trained in a copy
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Also put those that the README shows into assets/screenshots
    #[arg(long)]
    write: bool,
}

/// The subcommand.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    if !cfg!(target_os = "linux") {
        bail!("pictures are taken on a screen of Xvfb, which is there on Linux only");
    }
    needs::for_tests(workspace.consent)?;
    setup::ensure(workspace, &setup::Options::default())?;
    run::build(workspace)?;
    let into = std::path::absolute(&options.into).context("the folder for the pictures")?;
    fs::create_dir_all(&into).with_context(|| format!("cannot make {}", into.display()))?;

    let cargo = workspace.cargo();
    let mut screen = Command::new("xvfb-run");
    screen.args(["-a", "-s", "-screen 0 3840x2160x24"]).arg(cargo.get_program());
    screen.args(["test", "--release", "--test", "screenshots", "--", "--ignored", "--nocapture"]);
    for (key, value) in cargo.get_envs() {
        match value {
            Some(value) => screen.env(key, value),
            None => screen.env_remove(key),
        };
    }
    if let Some(dir) = cargo.get_current_dir() {
        screen.current_dir(dir);
    }
    screen.env("FROSTLINE_SHOTS", &into);
    if let Some(project) = &options.project {
        let project =
            fs::canonicalize(project).with_context(|| format!("no such project: {}", project.display()))?;
        screen.env("FROSTLINE_SHOTS_PROJECT", project);
    }
    let status = screen.status().context("cannot start xvfb-run; it comes with Xvfb")?;
    if !status.success() {
        bail!("the pictures were not taken; the reason stands above");
    }
    if options.write {
        for (name, picture) in FOR_README {
            let (from, to) = (into.join(format!("{picture}.png")), workspace.screenshot(name));
            fs::copy(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    println!("the pictures are in {}", into.display());
    Ok(ExitCode::SUCCESS)
}
