//! Paths outside a project's folder: its user decides, once per project, whether they are read.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::args::TrustArg;
use super::console::{Reasons, count, tell};
use crate::project::ProjectError;
use crate::project::outside::{OutsidePath, Role, listed};
use crate::project::trust::Trust;

/// Lets a command go on that reads all that a project names.
///
/// # Errors
/// When the project names paths outside its folder that its user does not agree to; none of them was touched.
pub(super) fn require(project_dir: &Path, trust: TrustArg) -> anyhow::Result<()> {
    agree(project_dir, trust, &|user| user.unconfirmed(project_dir))
}

/// The same for a command that reads a run alone, by its folder, `PROJECT/runs/NAME`.
///
/// # Errors
/// As [`require`].
pub(super) fn require_of_run(run_dir: &Path, trust: TrustArg) -> anyhow::Result<()> {
    let run_dir = std::path::absolute(run_dir)?;
    let project_dir = run_dir.parent().and_then(Path::parent);
    let (Some(project_dir), Some(name)) = (project_dir, run_dir.file_name()) else { return Ok(()) };
    let name = name.to_string_lossy();
    agree(project_dir, trust, &|user| user.unconfirmed_of_run(project_dir, &name))
}

/// The same for a command that reads the files of a project's folder, and none that they name: only links lead out of it.
///
/// # Errors
/// As [`require`].
pub(super) fn require_links(project_dir: &Path, trust: TrustArg) -> anyhow::Result<()> {
    agree(project_dir, trust, &|user| {
        let mut paths = user.unconfirmed(project_dir)?;
        paths.retain(|outside| matches!(outside.role, Role::Link(_)));
        Ok(paths)
    })
}

fn agree(
    project_dir: &Path,
    trust: TrustArg,
    unconfirmed: &dyn Fn(&Trust) -> Result<Vec<OutsidePath>, ProjectError>,
) -> anyhow::Result<()> {
    // A folder that is not there is for the command itself to refuse.
    if !project_dir.is_dir() {
        return Ok(());
    }
    let user = Trust::of_user();
    let mut agreed: Vec<PathBuf> = Vec::new();
    // Behind a link that is agreed to there may be further paths.
    loop {
        let mut paths = unconfirmed(&user)?;
        paths.retain(|outside| !agreed.contains(&outside.path));
        if paths.is_empty() {
            return Ok(());
        }
        let list: Vec<String> =
            listed(&paths).into_iter().map(|(path, what)| format!("  {path} ({what})")).collect();
        let agreed_to = if trust.trust_paths { Some(true) } else { asked(project_dir, &paths, &list)? };
        match agreed_to {
            Some(true) => {}
            Some(false) => bail!("nothing outside {} was read, and nothing was done", project_dir.display()),
            None => {
                let mut lines = vec![format!(
                    "{} names {} outside its folder, which nobody on this computer agreed to yet, and which {} not read:",
                    project_dir.display(),
                    count(paths.len(), "path"),
                    if paths.len() == 1 { "was" } else { "were" },
                )];
                lines.extend(list);
                lines.push(
                    "If you trust whoever made the project, agree once with --trust-paths, or open the project in the window"
                        .to_owned(),
                );
                return Err(Reasons(lines).into());
            }
        }
        let paths: Vec<PathBuf> = paths.into_iter().map(|outside| outside.path).collect();
        if let Err(error) = user.confirm(project_dir, &paths) {
            tell(&format!("warning: what you agreed to is not remembered: {error}"));
        }
        agreed.extend(paths);
    }
}

/// The answer, where somebody is there to give one; an empty one is a no.
fn asked(project_dir: &Path, paths: &[OutsidePath], list: &[String]) -> io::Result<Option<bool>> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(None);
    }
    tell(&format!("{} names {} outside its folder:", project_dir.display(), count(paths.len(), "path")));
    for line in list {
        tell(line);
    }
    tell(
        "A project from someone else can have your own files read this way. Read them, now and later? [y/N]",
    );
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
}
