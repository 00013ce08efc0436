//! `frostline download`, and the models that other commands name instead of a folder.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::args::DownloadArgs;
use super::console::{count, say, say_json, size, tell};
use super::interrupt;
use crate::format::visible::visible;
use crate::hub::{Hub, HubError, HubName, Progress, RemoteModel};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// What data files end with: a mistyped one is not to be asked of the hub.
const OF_DATA: [&str; 9] = [".csv", ".tsv", ".json", ".jsonl", ".txt", ".parquet", ".conll", ".gz", ".toml"];

pub(super) fn download(args: &DownloadArgs) -> anyhow::Result<()> {
    let hub = Hub::from_env()?;
    let name: HubName = args.name.parse()?;
    let offer = look_up(&hub, &name)?;
    if offer.bytes_to_fetch() > 0 && !args.yes && !agreed(&offer)? {
        bail!("nothing was downloaded");
    }
    let folder = fetch(&hub, &offer)?;
    if args.json {
        let files = offer.files.iter().map(|file| json!({"name": file.name, "bytes": file.bytes}));
        say_json(&json!({
            "name": offer.name.repo(),
            "revision": offer.name.revision(),
            "commit": offer.commit,
            "licence": offer.licence,
            "bytes": offer.bytes(),
            "fetched": offer.bytes_to_fetch(),
            "files": files.collect::<Vec<_>>(),
            "folder": folder,
        }))?;
    } else {
        say(folder.display().to_string())?;
    }
    Ok(())
}

/// The folder that MODEL means: itself where it is there, else the model of that name, from the cache or from the hub.
///
/// # Errors
/// When it is the name of a model that cannot be had.
pub(super) fn folder_of(model: &Path) -> anyhow::Result<PathBuf> {
    match meant_name(model) {
        Some(name) => open(&Hub::from_env()?, &name, false),
        None => Ok(model.to_owned()),
    }
}

/// Fetches the model of a project or a run where it is one of the hub's and is not here, or not whole.
///
/// # Errors
/// When it cannot be had.
pub(super) fn require(model: &Path) -> anyhow::Result<()> {
    // Without a cache no folder is of it, and whoever opens the folder tells what is wrong with it.
    let Ok(hub) = Hub::from_env() else { return Ok(()) };
    if let Some(name) = hub.name_of(model) {
        open(&hub, &name, true)?;
    }
    Ok(())
}

/// The name of a model, where it can only be one: there is no such path, and it is not below a folder that is there.
fn meant_name(model: &Path) -> Option<HubName> {
    let text = model.to_str()?;
    let name: HubName = text.parse().ok()?;
    let owner = text.split('/').next()?;
    let may_be = (name.has_owner() || text.contains('@')) && !text.ends_with('/');
    let is_path =
        model.exists() || Path::new(owner).exists() || OF_DATA.iter().any(|ending| text.ends_with(ending));
    (may_be && !is_path).then_some(name)
}

/// From the cache where it is whole there; else from the hub. `as_is`: a model that another library fetched is taken
/// as whole although it might say more of its modules.
fn open(hub: &Hub, name: &HubName, as_is: bool) -> anyhow::Result<PathBuf> {
    let (found, why_not) = match hub.find(name) {
        Ok(found) if found.is_sure || as_is || hub.place().offline => return Ok(found.folder),
        Ok(found) => (Some(found.folder), None),
        Err(error) => (None, Some(error)),
    };
    if let Some(error) = why_not.filter(|_| hub.place().offline) {
        return Err(error.into());
    }
    let fetched = look_up(hub, name).and_then(|offer| fetch(hub, &offer));
    match (fetched, found) {
        (
            Err(
                error @ (HubError::Unreachable { .. }
                | HubError::Certificate { .. }
                | HubError::NoCertificates { .. }),
            ),
            Some(folder),
        ) => {
            tell(&format!(
                "warning: nobody can be asked whether {name} says more than is in the cache: {error}"
            ));
            Ok(folder)
        }
        (fetched, _) => Ok(fetched?),
    }
}

/// Asks the hub, and says what it has.
fn look_up(hub: &Hub, name: &HubName) -> Result<RemoteModel, HubError> {
    tell(&format!("looking for {name} on {}", hub.place().host()));
    if let Some(warning) = hub.place().token_warning() {
        tell(&format!("warning: {warning}"));
    }
    let offer = hub.look_up(name, &interrupt::is_asked)?;
    let whole = format!("{name}: {} in {}", size(offer.bytes()), count(offer.files.len(), "file"));
    let cached = match offer.bytes_to_fetch() {
        0 => ", all in the cache".to_owned(),
        left if left < offer.bytes() => format!(", {} of them in the cache", size(offer.bytes() - left)),
        _ => String::new(),
    };
    let licence = offer.licence.as_deref().unwrap_or("not stated");
    tell(&format!("{whole}{cached}; licence: {licence}; commit {}", offer.commit));
    if offer.gated {
        tell(&format!("its terms have to be accepted first, on {}/{}", hub.place().endpoint, name.repo()));
    }
    Ok(offer)
}

/// Asked only where somebody is there to answer.
fn agreed(offer: &RemoteModel) -> io::Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(true);
    }
    tell(&format!("Download {}? [Y/n]", size(offer.bytes_to_fetch())));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer)?;
    Ok(read > 0 && !answer.trim().to_lowercase().starts_with('n'))
}

fn fetch(hub: &Hub, offer: &RemoteModel) -> Result<PathBuf, HubError> {
    let bar = Bar::new(offer);
    let mut last_line = Instant::now();
    let done = hub.download(offer, &interrupt::is_asked, &mut |progress| match &bar {
        Some(bar) => bar.set(progress),
        None if last_line.elapsed() >= LINE_EVERY => {
            last_line = Instant::now();
            let (done, total) = (size(progress.done), size(progress.total));
            tell(&format!("{}: {done} of {total}, {}", offer.name, pace(progress)));
        }
        None => {}
    });
    if let Some(bar) = bar {
        bar.0.finish_and_clear();
    }
    done
}

/// Where stderr is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new(offer: &RemoteModel) -> Option<Self> {
        if !io::stderr().is_terminal() || offer.bytes_to_fetch() == 0 {
            return None;
        }
        let bar = ProgressBar::new(offer.bytes());
        let template = "{msg} [{wide_bar}] {decimal_bytes}/{decimal_total_bytes}, {prefix}";
        // The template is ours; where it were wrong, the plain bar does.
        Some(Self(match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }))
    }

    fn set(&self, progress: &Progress) {
        self.0.set_message(visible(&progress.file).into_owned());
        self.0.set_prefix(pace(progress));
        self.0.set_position(progress.done);
    }
}

fn pace(progress: &Progress) -> String {
    if progress.waiting {
        return "waiting for another program that fetches it".to_owned();
    }
    let left = progress.seconds_left().map(|seconds| format!(", {seconds:.0} s left"));
    format!("{}/s{}", size(progress.bytes_per_second as u64), left.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_a_path_is_asked_of_the_hub() {
        let meant = |text: &str| meant_name(Path::new(text)).map(|name| name.to_string());
        assert_eq!(meant("sentence-transformers/LaBSE").as_deref(), Some("sentence-transformers/LaBSE"));
        assert_eq!(meant("bert-base-uncased@main").as_deref(), Some("bert-base-uncased"));
        for path in [
            "model",
            "./org/name",
            "../org",
            "/org/name",
            "org/name/deep",
            "src/nothing",
            "my-data/train.csv",
            "org/name/",
        ] {
            assert_eq!(meant(path), None, "{path}");
        }
    }
}
