//! What a project would read outside its own folder: the paths that its files name, and where the links in it lead.
//!
//! A project may come from anyone, so none of those places is touched here, not even to see whether it is there: on
//! Windows that alone sends a hash of the user's password to the computer of a network share. Names are compared, and
//! links are read, never followed.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::disk::{absolute, path_from_text};
use super::error::ProjectError;
use super::file::FILE_NAME;
use super::model_ref::model_from_text;
use super::runs::{PLAN, RUNS};
use crate::files::{inside, names, regular_file};
use crate::format::visible::visible;
use crate::hub::Hub;

/// Bytes of the largest project or plan that is looked through.
const LARGEST: u64 = 1 << 26;
/// Links behind each other, as systems count them.
const MOST_LINKS: usize = 40;

/// What a path is to the project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A file or folder of data.
    Data,
    /// The pretrained model.
    Model,
    /// The pretrained model of a run, by the run's name.
    RunModel(String),
    /// What a link leads to, by the link's place in the project.
    Link(PathBuf),
}

impl Role {
    const fn is_of_model(&self) -> bool {
        matches!(self, Self::Model | Self::RunModel(_))
    }
}

/// A path outside the folder of the project that names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutsidePath {
    /// The path, absolute.
    pub path: PathBuf,
    /// What it is to the project.
    pub role: Role,
    /// Whether it is on another computer, whose owner learns of every look at it.
    pub is_network: bool,
}

impl OutsidePath {
    /// What it is, in words.
    #[must_use]
    pub fn role_in_words(&self) -> String {
        let role = match &self.role {
            Role::Data => "data".to_owned(),
            Role::Model => "pretrained model".to_owned(),
            Role::RunModel(run) => format!("pretrained model of run {}", visible(run)),
            Role::Link(link) => format!("the link {} leads there", visible(&link.to_string_lossy())),
        };
        if self.is_network { format!("{role}; {SHARE}") } else { role }
    }
}

/// What opening a path on another computer does.
const SHARE: &str =
    "a network share: opening it sends your user name and a hash of your password to that computer";

/// Most paths that are listed one by one.
const MOST_LISTED: usize = 50;

/// The paths as a question lists them, each with what it is; many of them by the folders they are in, so that none is
/// hidden behind the others.
#[must_use]
pub fn listed(paths: &[OutsidePath]) -> Vec<(String, String)> {
    let text = |path: &Path| visible(&path.to_string_lossy()).into_owned();
    if paths.len() <= MOST_LISTED {
        return paths.iter().map(|outside| (text(&outside.path), outside.role_in_words())).collect();
    }
    let mut folders: BTreeMap<(bool, &Path), Vec<&OutsidePath>> = BTreeMap::new();
    for outside in paths {
        let folder = outside.path.parent().unwrap_or(&outside.path);
        folders.entry((!outside.is_network, folder)).or_default().push(outside);
    }
    let line = |((_, folder), inside): ((bool, &Path), Vec<&OutsidePath>)| match inside.as_slice() {
        [outside] => (text(&outside.path), outside.role_in_words()),
        several => {
            let share = several.first().filter(|outside| outside.is_network).map(|_| format!("; {SHARE}"));
            (text(folder), format!("{} paths in this folder{}", several.len(), share.unwrap_or_default()))
        }
    };
    folders.into_iter().map(line).collect()
}

/// Everything that opening the project of a folder, and working with its runs, would read outside that folder; sorted,
/// each path once. None where there is no project.
///
/// # Errors
/// When a path is that of a device, which nobody may confirm; or when the folder cannot be read.
pub fn outside_paths(dir: &Path) -> Result<Vec<OutsidePath>, ProjectError> {
    let mut look = Look::at(dir)?;
    if let Some(table) = look.table(Path::new(FILE_NAME))? {
        let model = table.get("model").and_then(toml::Value::as_str);
        if let Some(model) = model {
            look.model(model, Role::Model)?;
        }
        let files = table.get("data").and_then(|data| data.get("file")).and_then(toml::Value::as_array);
        for file in files.into_iter().flatten() {
            if let Some(path) = file.get("path").and_then(toml::Value::as_str) {
                look.path(path, Role::Data)?;
            }
        }
    }
    for name in look.runs() {
        look.run(&name)?;
    }
    Ok(look.sorted())
}

/// What opening one run of a project would read outside the project's folder.
///
/// # Errors
/// As [`outside_paths`].
pub fn outside_paths_of_run(project_dir: &Path, run: &str) -> Result<Vec<OutsidePath>, ProjectError> {
    let mut look = Look::at(project_dir)?;
    look.run(run)?;
    Ok(look.sorted())
}

/// Whether a path of a project lies outside its folder, by its name alone.
#[must_use]
pub fn is_outside(path: &Path, dir: &Path) -> bool {
    !absolute(path).starts_with(absolute(dir))
}

/// Whether a folder is that of a model in the hub's cache.
fn is_in_cache(path: &Path) -> bool {
    Hub::from_env().is_ok_and(|hub| hub.name_of(path).is_some())
}

struct Look {
    /// The folder as it is named, which is what its paths are relative to ...
    dir: PathBuf,
    /// ... and as it is called without links.
    root: PathBuf,
    found: Vec<OutsidePath>,
    /// Folders that were looked through.
    seen: HashSet<PathBuf>,
}

impl Look {
    /// A folder that the user named: links in its own name are the user's affair.
    fn at(dir: &Path) -> Result<Self, ProjectError> {
        let dir = absolute(dir);
        let root = fs::canonicalize(&dir).map_err(|error| ProjectError::read(&dir, &error))?;
        Ok(Self { dir, root, found: Vec::new(), seen: HashSet::new() })
    }

    fn sorted(mut self) -> Vec<OutsidePath> {
        self.found.sort();
        self.found.dedup_by(|a, b| a.path == b.path);
        // What reaches another computer comes first.
        self.found.sort_by_key(|outside| !outside.is_network);
        self.found
    }

    /// Whether a link leads to a file of the program's own or to a run: whoever opens it refuses that, so there is nothing
    /// to agree to.
    fn is_refused(&self, relative: &Path) -> bool {
        inside::refuse_links(&self.root, &self.root.join(relative)).is_err()
    }

    /// The TOML file there, where it is one; whoever opens it tells what is wrong with it.
    fn table(&self, relative: &Path) -> Result<Option<toml::Table>, ProjectError> {
        if self.is_refused(relative) {
            return Ok(None);
        }
        let path = self.root.join(relative);
        // Others might read it whole: what is not looked through here is not to be opened.
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.len() > LARGEST) {
            return Err(ProjectError::malformed(&path, None, "it is far too large for such a file"));
        }
        let text = regular_file::read_to_string(&path).ok();
        Ok(text.and_then(|text| toml::from_str(&text).ok()))
    }

    /// Names of the folders of runs.
    fn runs(&self) -> Vec<String> {
        if self.is_refused(Path::new(RUNS)) {
            return Vec::new();
        }
        let entries = fs::read_dir(self.root.join(RUNS)).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn run(&mut self, name: &str) -> Result<(), ProjectError> {
        if let Some(table) = self.table(&Path::new(RUNS).join(name).join(PLAN))?
            && let Some(model) = table.get("model").and_then(toml::Value::as_str)
        {
            self.model(model, Role::RunModel(name.to_owned()))?;
        }
        Ok(())
    }

    /// A model by its path, or by its name on the hub: that is in the hub's cache, and no path.
    fn model(&mut self, text: &str, role: Role) -> Result<(), ProjectError> {
        let path = path_from_text(text, &self.dir);
        if text.contains('@')
            && let Ok(inside) = path.strip_prefix(&self.dir)
        {
            let inside = inside.to_owned();
            let known = self.found.len();
            self.followed(&inside)?;
            let is_name = self.found.len() == known && model_from_text(text, &self.dir) != path;
            if is_name {
                return Ok(());
            }
        }
        self.path(text, role)
    }

    /// A path as a file of the project has it.
    fn path(&mut self, text: &str, role: Role) -> Result<(), ProjectError> {
        let path = path_from_text(text, &self.dir);
        self.refuse_device(text, &path)?;
        let inside = path.strip_prefix(&self.dir).or_else(|_| path.strip_prefix(&self.root));
        // Elsewhere than on Windows a share's name is that of a file in the folder, and is told all the same.
        let is_share = is_network(text) && (cfg!(not(windows)) || inside.is_err());
        match inside {
            Ok(inside) if !is_share => {
                let inside = inside.to_owned();
                self.look_through(&inside)
            }
            _ if !is_share && role.is_of_model() && is_in_cache(&path) => Ok(()),
            _ => {
                let is_network = is_share || is_network(&path.to_string_lossy());
                let path = if is_share { PathBuf::from(text) } else { path };
                self.found.push(OutsidePath { path, role, is_network });
                Ok(())
            }
        }
    }

    /// Looks where the links in a file or folder of the project lead, below it too.
    fn look_through(&mut self, relative: &Path) -> Result<(), ProjectError> {
        let mut pending = vec![relative.to_owned()];
        while let Some(relative) = pending.pop() {
            let Some(path) = self.followed(&relative)? else { continue };
            if !path.is_dir() || !self.seen.insert(path.clone()) {
                continue;
            }
            let Ok(place) = path.strip_prefix(&self.root).map(Path::to_owned) else { continue };
            for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink()) {
                    pending.push(place.join(entry.file_name()));
                }
            }
        }
        Ok(())
    }

    /// Where a name in the project leads without leaving it; one that leads out of it is noted down.
    fn followed(&mut self, relative: &Path) -> Result<Option<PathBuf>, ProjectError> {
        let (mut at, mut links) = (self.root.clone(), 0);
        let mut pending = parts(relative);
        while let Some(name) = pending.pop() {
            if name == ".." {
                at.pop();
                if !at.starts_with(&self.root) {
                    return self.leads_out(relative, &at, pending);
                }
                continue;
            }
            at.push(name);
            let Ok(metadata) = fs::symlink_metadata(&at) else { return Ok(None) };
            if !metadata.is_symlink() {
                continue;
            }
            let Ok(target) = fs::read_link(&at) else { return Ok(None) };
            links += 1;
            if links > MOST_LINKS {
                return Ok(None);
            }
            at.pop();
            if target.has_root() || target.is_absolute() {
                let inside = target.strip_prefix(&self.root).or_else(|_| target.strip_prefix(&self.dir));
                let Ok(inside) = inside else { return self.leads_out(relative, &target, pending) };
                at.clone_from(&self.root);
                pending.extend(parts(inside));
            } else {
                pending.extend(parts(&target));
            }
        }
        Ok(Some(at))
    }

    fn leads_out(
        &mut self,
        link: &Path,
        target: &Path,
        rest: Vec<OsString>,
    ) -> Result<Option<PathBuf>, ProjectError> {
        let path = absolute(&rest.into_iter().rev().fold(target.to_owned(), |path, name| path.join(name)));
        self.refuse_device(&target.to_string_lossy(), &path)?;
        let is_network = is_network(&path.to_string_lossy());
        self.found.push(OutsidePath { path, role: Role::Link(link.to_owned()), is_network });
        Ok(None)
    }

    fn refuse_device(&self, text: &str, path: &Path) -> Result<(), ProjectError> {
        let is_named_as_device =
            || cfg!(windows) && path.iter().any(|name| names::is_device(&name.to_string_lossy()));
        if is_device_of_windows(text) || is_device_of_unix(path) || is_named_as_device() {
            return Err(ProjectError::DevicePath { dir: self.dir.clone(), path: visible(text).into_owned() });
        }
        Ok(())
    }
}

/// The parts of a relative path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    let mut names: Vec<OsString> = path.components().filter_map(named).collect();
    names.reverse();
    names
}

/// With the separators that Windows takes for each other made one.
fn backslashed(text: &str) -> String {
    text.replace('/', "\\")
}

/// `\\?\C:\` is a folder like any other; what else begins so is a device or leads around every rule of names.
fn is_device_of_windows(text: &str) -> bool {
    let text = backslashed(text);
    let device = text.strip_prefix("\\\\?\\");
    let is_folder = |rest: &str| {
        let drive = matches!(rest.as_bytes(), [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic());
        drive || rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("UNC\\"))
    };
    text.starts_with("\\\\.\\") || text.starts_with("\\??\\") || device.is_some_and(|rest| !is_folder(rest))
}

/// `\\server\share`, on every system: a project is the same wherever it is opened.
fn is_network(text: &str) -> bool {
    let text = backslashed(text);
    let name = text.strip_prefix("\\\\").unwrap_or_default();
    let is_long = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("?\\UNC\\"));
    is_long || (!name.is_empty() && !name.starts_with(['?', '.']))
}

fn is_device_of_unix(path: &Path) -> bool {
    let is_of_system = ["/dev", "/proc", "/sys"].iter().any(|folder| path.starts_with(folder));
    // Memory that people keep data in.
    cfg!(unix) && is_of_system && !path.starts_with("/dev/shm")
}

#[cfg(test)]
mod tests;
