//! `frostline.toml`: the mirror of [`Project`] on disk, its versions, and how it is read and written.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::changes_file::{self, EditEntry, FixEntry};
use super::disk::{absolute, parse_toml, path_from_text, path_to_text, read_text, to_toml, write_whole};
use super::error::ProjectError;
use super::model_ref::{model_from_text, model_to_text};
use super::recipe_file::RecipeFile;
use super::{DataFile, Project};
use crate::data::dataset::Split;
use crate::data::mapping::{Mapping, TaskColumn};
use crate::data::read::overrides::{FormatName, Overrides};
use crate::data::table::Quoting;
use crate::data::task::TaskKind;
use crate::files::inside;
use crate::files::lock::{Lock, NoLock};

/// Name of the project file in its folder.
pub const FILE_NAME: &str = "frostline.toml";

/// Held while a project is saved.
const LOCK: &str = ".frostline.lock";
/// How long another process may take to save it.
const SAVED_WITHIN: Duration = Duration::from_secs(3);

/// The version that is written, and the latest that is read.
const VERSION: u32 = 1;

const HEADER: &str = "\
# A Frostline project. Edit it here or in the window; the window writes it anew and keeps no other comments.
# Paths are relative to this folder. A key that is left out has its default.
";

const RECIPE_NOTE: &str = "\
# preset: freeze-all, freeze-backbone, freeze-head, gradual, full. optimizer: adamw, adam, sgd.
# decay: linear, cosine, constant. clip_norm: a number or \"none\". encoder_dropout: left out, the model's own.
# Keys that may be added (the README says more): part = all, lora, biases, norms; accumulate, sampling, ema,
# patience, weighting = fixed, uncertainty; [recipe.tasks.NAME] and [[recipe.phases]].
";

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ProjectFile {
    #[serde(default = "first_version")]
    version: u32,
    name: Option<String>,
    model: Option<String>,
    #[serde(default)]
    data: DataTable,
    #[serde(default)]
    recipe: RecipeFile,
}

const fn first_version() -> u32 {
    1
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct DataTable {
    /// Column of the text. The mapping is guessed where it is left out.
    text: Option<String>,
    /// Column of the second text, for tasks on pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_text: Option<String>,
    split_column: Option<String>,
    /// Rows that hold the same in this column are drawn into one split.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_column: Option<String>,
    skip_bad_rows: Option<bool>,
    valid_fraction: Option<f64>,
    test_fraction: Option<f64>,
    #[serde(default)]
    file: Vec<FileEntry>,
    #[serde(default)]
    task: Vec<TaskEntry>,
    /// Fixes of what the data card found, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fix: Vec<FixEntry>,
    /// Cells that were corrected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    edit: Vec<EditEntry>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    path: String,
    split: Option<SplitKey>,
    /// How it is read, where the user knows better than what would be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quoting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
}

impl FileEntry {
    /// What is said of how the file is read; or why that cannot be.
    fn overrides(&self) -> Result<Overrides, String> {
        let unknown = |key: &str, value: &str, known: &[&str]| {
            format!("{}: {key} = \"{value}\" is none of {}", self.path, known.join(", "))
        };
        let format = self.format.as_deref().map(|key| {
            let known = FormatName::ALL.map(FormatName::key);
            FormatName::from_key(key).ok_or_else(|| unknown("format", key, &known))
        });
        let quoting = self.quoting.as_deref().map(|key| {
            Quoting::from_key(key).ok_or_else(|| unknown("quoting", key, &Quoting::ALL.map(Quoting::key)))
        });
        let delimiter = self.delimiter.as_deref().map(Overrides::delimiter_of);
        Ok(Overrides {
            format: format.transpose()?,
            delimiter: delimiter.transpose()?,
            quoting: quoting.transpose()?,
            header: self.header,
            encoding: self.encoding.clone(),
        })
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TaskEntry {
    column: String,
    /// The column's name where it is left out.
    name: Option<String>,
    /// One class per text where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Columns of 0 and 1, one for each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    indicators: Vec<String>,
    /// Cells that say that there is no label, besides the usual ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    /// Names of the classes, where the cells hold their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SplitKey {
    Train,
    Valid,
    Test,
}

impl From<Split> for SplitKey {
    fn from(split: Split) -> Self {
        match split {
            Split::Train => Self::Train,
            Split::Valid => Self::Valid,
            Split::Test => Self::Test,
        }
    }
}

impl From<SplitKey> for Split {
    fn from(split: SplitKey) -> Self {
        match split {
            SplitKey::Train => Self::Train,
            SplitKey::Valid => Self::Valid,
            SplitKey::Test => Self::Test,
        }
    }
}

impl Project {
    /// Reads the project of a folder.
    ///
    /// # Errors
    /// When there is none, it cannot be read, is of a newer version, or holds a key or value that is not known;
    /// each names the file and, where it can, the line.
    pub fn load(dir: &Path) -> Result<Self, ProjectError> {
        let dir = absolute(dir);
        let path = dir.join(FILE_NAME);
        if fs::symlink_metadata(&path).is_err() {
            return Err(ProjectError::NoProject { dir });
        }
        inside::refuse_links(&dir, &path).map_err(|error| ProjectError::read(&path, &error))?;
        let file: ProjectFile = parse_toml(&path, &read_text(&path)?, VERSION)?;
        file.into_project(&dir)
    }

    /// Writes the project into a folder, which is made where it is missing. What is there already is replaced
    /// in one step, or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written (read-only, disk full), another process is saving it, or a path is not Unicode.
    pub fn save(&self, dir: &Path) -> Result<(), ProjectError> {
        self.save_as(dir, true)
    }

    /// The same where no project is yet.
    ///
    /// # Errors
    /// When there is one, also one that another process saved a moment ago.
    pub fn save_new(&self, dir: &Path) -> Result<(), ProjectError> {
        self.save_as(dir, false)
    }

    /// Writes the project into the folder it is from, or into another one, where no project may be: that one would be
    /// lost.
    ///
    /// # Errors
    /// As [`save`](Self::save) and [`save_new`](Self::save_new).
    pub fn save_from(&self, own: Option<&Path>, dir: &Path) -> Result<(), ProjectError> {
        self.save_as(dir, own.is_some_and(|own| absolute(own) == absolute(dir)))
    }

    fn save_as(&self, dir: &Path, replace: bool) -> Result<(), ProjectError> {
        let dir = absolute(dir);
        let path = dir.join(FILE_NAME);
        let text = to_toml(&path, HEADER, &ProjectFile::of(self, &dir)?, false)?;
        let text = text.replacen("\n[recipe]\n", &format!("\n[recipe]\n{RECIPE_NOTE}"), 1);
        let refused = |error: &std::io::Error| ProjectError::write(&path, error);
        fs::create_dir_all(&dir).map_err(|error| refused(&error))?;
        let _lock = Lock::take_within(&dir.join(LOCK), SAVED_WITHIN).map_err(|reason| match reason {
            NoLock::Held(holder) => ProjectError::ProjectLocked { dir: dir.clone(), holder },
            NoLock::Refused(error) => refused(&error),
        })?;
        inside::refuse_links(&dir, &path).map_err(|error| refused(&error))?;
        if !replace && path.exists() {
            return Err(ProjectError::ProjectExists { path });
        }
        write_whole(&path, text.as_bytes())
    }
}

impl ProjectFile {
    fn of(project: &Project, dir: &Path) -> Result<Self, ProjectError> {
        let file = |file: &DataFile| {
            let said = &file.overrides;
            Ok(FileEntry {
                path: path_to_text(&file.path, dir)?,
                split: file.split.map(Into::into),
                format: said.format.map(|format| format.key().to_owned()),
                delimiter: said.delimiter.map(Overrides::delimiter_text),
                quoting: said.quoting.map(|quoting| quoting.key().to_owned()),
                header: said.header,
                encoding: said.encoding.clone(),
            })
        };
        let task = |task: &TaskColumn| TaskEntry {
            column: task.column.clone(),
            name: (task.task != task.column).then(|| task.task.clone()),
            kind: (task.kind != TaskKind::SingleLabel).then(|| task.kind.key().to_owned()),
            indicators: task.indicators.clone(),
            missing: task.missing.clone(),
            classes: task.classes.clone(),
        };
        let mapping = project.mapping.as_ref();
        let (fix, edit) = changes_file::entries(&project.changes, dir)?;
        Ok(Self {
            version: VERSION,
            name: Some(project.name.clone()),
            model: project.model.as_deref().map(|model| model_to_text(model, dir)).transpose()?,
            data: DataTable {
                text: mapping.map(|mapping| mapping.text.clone()),
                second_text: mapping.and_then(|mapping| mapping.second.clone()),
                split_column: mapping.and_then(|mapping| mapping.split.clone()),
                group_column: mapping.and_then(|mapping| mapping.group.clone()),
                skip_bad_rows: Some(project.skip_bad_rows),
                valid_fraction: Some(project.valid_fraction),
                test_fraction: Some(project.test_fraction),
                file: project.files.iter().map(file).collect::<Result<_, _>>()?,
                task: mapping.map(|mapping| mapping.tasks.iter().map(task).collect()).unwrap_or_default(),
                fix,
                edit,
            },
            recipe: RecipeFile::from(&project.recipe),
        })
    }

    fn into_project(self, dir: &Path) -> Result<Project, ProjectError> {
        let Self { version: _, name, model, mut data, recipe } = self;
        let (fixes, edits) = (std::mem::take(&mut data.fix), std::mem::take(&mut data.edit));
        let defaults = Project::default();
        let file = |entry: &FileEntry| {
            let reason = |reason| ProjectError::malformed(&dir.join(FILE_NAME), None, reason);
            Ok::<_, ProjectError>(DataFile {
                path: path_from_text(&entry.path, dir),
                split: entry.split.map(Into::into),
                overrides: entry.overrides().map_err(reason)?,
            })
        };
        let named_as_folder = || dir.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        Ok(Project {
            name: name.or_else(named_as_folder).unwrap_or(defaults.name),
            files: data.file.iter().map(file).collect::<Result<_, _>>()?,
            skip_bad_rows: data.skip_bad_rows.unwrap_or(defaults.skip_bad_rows),
            valid_fraction: data.valid_fraction.unwrap_or(defaults.valid_fraction),
            test_fraction: data.test_fraction.unwrap_or(defaults.test_fraction),
            mapping: mapping(data, dir)?,
            changes: changes_file::changes(fixes, edits, dir),
            model: model.map(|model| model_from_text(&model, dir)),
            recipe: recipe.into(),
        })
    }
}

/// The mapping of a file that names a text column; a part of one without it would be guessed over, unsaid.
fn mapping(data: DataTable, dir: &Path) -> Result<Option<Mapping>, ProjectError> {
    let Some(text) = data.text else {
        let given = [
            (!data.task.is_empty(), "[[data.task]]"),
            (data.split_column.is_some(), "split_column"),
            (data.second_text.is_some(), "second_text"),
            (data.group_column.is_some(), "group_column"),
        ];
        let Some((_, key)) = given.into_iter().find(|(is_given, _)| *is_given) else { return Ok(None) };
        let reason =
            format!("{key} is given, but not the column of the text: add text = \"...\" under [data]");
        return Err(ProjectError::malformed(&dir.join(FILE_NAME), None, reason));
    };
    let task = |entry: TaskEntry| {
        let key = entry.kind.as_deref().unwrap_or(TaskKind::SingleLabel.key());
        let Some(kind) = TaskKind::from_key(key) else {
            let known: Vec<&str> = TaskKind::ALL.iter().map(|kind| kind.key()).collect();
            let reason = format!(
                "the task of column \"{}\" is of the kind \"{key}\", which is none of {}",
                entry.column,
                known.join(", ")
            );
            return Err(ProjectError::malformed(&dir.join(FILE_NAME), None, reason));
        };
        Ok(TaskColumn {
            task: entry.name.unwrap_or_else(|| entry.column.clone()),
            column: entry.column,
            kind,
            indicators: entry.indicators,
            missing: entry.missing,
            classes: entry.classes,
        })
    };
    Ok(Some(Mapping {
        text,
        second: data.second_text,
        tasks: data.task.into_iter().map(task).collect::<Result<_, _>>()?,
        split: data.split_column,
        group: data.group_column,
    }))
}
