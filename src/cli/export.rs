//! `frostline export`: a run's model as a folder, and the proof that it reads back.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::args::ExportArgs;
use super::console::{count, say};
use super::encode::tell_of_untrained;
use super::outside;
use super::session::{Driver, require};
use crate::export::{ExportReport, KeptExport};
use crate::format::numbers::thousands;
use crate::project::runs::RunFolder;
use crate::session::command::Command;

pub(super) fn run(args: &ExportArgs) -> anyhow::Result<()> {
    let (project_dir, name) = place_of(&args.run)?;
    outside::require(&project_dir, args.trust)?;
    RunFolder::open(&project_dir, &name)?;
    refuse_to_replace(&args.to, args.force)?;
    let mut driver = Driver::open(&project_dir, None, args.trust)?;
    driver.ask(Command::ShowRun(name))?;
    export_lines(&export(&mut driver, &args.to)?).iter().try_for_each(say)?;
    let run = driver.state().run.as_ref();
    let report = run.and_then(|run| Some((run.report.as_ref()?, &run.plan)));
    tell_of_untrained(&report.map(|(report, plan)| report.untrained_tasks(plan)).unwrap_or_default());
    Ok(())
}

/// A folder that holds anything is replaced on demand only, and then only where it is an earlier export.
///
/// # Errors
/// When there is something in it.
pub(super) fn refuse_to_replace(to: &Path, force: bool) -> anyhow::Result<()> {
    if !force && std::fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "{} is not empty: name another folder, or replace an earlier export with --force",
            to.display()
        );
    }
    Ok(())
}

/// Writes the shown run's model.
pub(super) fn export(driver: &mut Driver, to: &Path) -> anyhow::Result<ExportReport> {
    let to = std::path::absolute(to)?;
    driver.ask(Command::Export(to))?;
    Ok(require(&driver.state().export, "nothing was exported")?.as_ref().clone())
}

/// What was written, and how close it is to what was meant.
pub(super) fn export_lines(report: &ExportReport) -> Vec<String> {
    let mut lines: Vec<String> =
        report.files.iter().map(|(file, bytes)| format!("  {file}, {} bytes", thousands(*bytes))).collect();
    lines.push(format!(
        "read back and compared on {}: largest difference {:.1e} in embeddings, {:.1e} in logits",
        count(report.probes, "sentence"),
        report.max_difference,
        report.max_logit_difference
    ));
    lines.extend(report.kept.iter().map(KeptExport::in_words));
    lines.push(format!("exported to {}", report.dir.display()));
    lines
}

/// `PROJECT/runs/NAME` taken apart.
fn place_of(run: &Path) -> anyhow::Result<(PathBuf, String)> {
    let run = std::path::absolute(run)?;
    let name = run.file_name().and_then(|name| name.to_str());
    let above = run.parent().filter(|above| above.file_name().is_some_and(|name| name == "runs"));
    match (above.and_then(Path::parent), name) {
        (Some(project), Some(name)) => Ok((project.to_owned(), name.to_owned())),
        _ => bail!("{} is not the folder of a run: name PROJECT/runs/NAME", run.display()),
    }
}
