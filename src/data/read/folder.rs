//! Folders: a folder per label with a file per text in it, and folders of tables.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use twox_hash::xxhash3_128::Hasher;

use super::conll;
use super::decode::{RawBytes, Text};
use super::ending;
use super::fingerprint::Fingerprint;
use super::progress::{Meter, Progress};
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::split::split_of_word;
use crate::data::table::{Column, FileFacts, Format, RowProblem, Table};

/// Folders within folders that are looked into.
const MOST_DEPTH: usize = 6;

/// Advice where a folder is nothing that can be read.
const ADVICE: &str = "Choose a folder with CSV, TSV, JSON, Parquet or CoNLL files in it, or one with a folder of \
                      text files for each label";

/// The tables that a path stands for: itself for a file and for a folder per label; else the tables in the folder
/// and the folders below it, by name.
///
/// # Errors
/// When a folder cannot be listed, or holds neither tables nor text files under labels.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut tables = Vec::new();
    find_tables(path, 0, &mut HashSet::new(), &mut tables)?;
    tables.sort();
    if !tables.is_empty() {
        return Ok(tables);
    }
    if label_folders(path)?.is_empty() {
        return Err(DataError::Unsupported {
            path: path.to_owned(),
            what: "a folder without data files",
            advice: ADVICE,
        });
    }
    Ok(vec![path.to_owned()])
}

/// True for names that say that a table is in the file.
fn is_table(path: &Path) -> bool {
    let of = |path: &Path| {
        let ending = ending(path);
        conll::is_ending(&ending)
            || matches!(
                ending.as_str(),
                "csv" | "tsv" | "tab" | "json" | "jsonl" | "ndjson" | "jl" | "parquet"
            )
    };
    // Descriptions that lie beside data sets are no data.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_description = matches!(
        name.as_ref(),
        "dataset_info.json"
            | "dataset_infos.json"
            | "dataset_dict.json"
            | "state.json"
            | "config.json"
            | "package.json"
            | "metadata.json"
    );
    let inner = if ending(path) == "gz" { path.with_extension("") } else { path.to_owned() };
    of(&inner) && !is_description
}

/// Looks through each folder once, whatever links lead to it: a link to a folder above would repeat its files, and many
/// such links would never come to an end.
fn find_tables(
    dir: &Path,
    depth: usize,
    seen: &mut HashSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    let real = fs::canonicalize(dir).map_err(|reason| DataError::open(dir, reason))?;
    if !seen.insert(real) {
        return Ok(());
    }
    let mut paths = entries(dir)?;
    // A folder itself comes before links to it.
    paths.sort_by_key(|path| path.is_symlink());
    for path in paths {
        if path.is_dir() && depth < MOST_DEPTH {
            find_tables(&path, depth + 1, seen, found)?;
        } else if path.is_file() && is_table(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// What is in a folder, by name, without what is hidden.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let fail = |reason: io::Error| DataError::open(dir, reason);
    let mut paths = fs::read_dir(dir)
        .map_err(fail)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    let is_hidden = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(['.', '_'])
    };
    paths.retain(|path| !is_hidden(path));
    paths.sort();
    Ok(paths)
}

/// A folder of texts.
struct LabelFolder {
    label: String,
    split: Option<String>,
    files: Vec<PathBuf>,
}

/// The folders of two labels or more, in the folder itself or in folders named after splits.
fn label_folders(dir: &Path) -> Result<Vec<LabelFolder>, DataError> {
    let mut found = Vec::new();
    for path in entries(dir)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if split_of_word(&name).is_some() {
            for inner in entries(&path)?.into_iter().filter(|inner| inner.is_dir()) {
                found.extend(label_folder(&inner, Some(&name))?);
            }
        } else {
            found.extend(label_folder(&path, None)?);
        }
    }
    // A lone folder of text files is no label: there is nothing to tell it from.
    if found.iter().all(|one| found.first().is_some_and(|first| first.label == one.label)) {
        found.clear();
    }
    Ok(found)
}

fn label_folder(dir: &Path, split: Option<&str>) -> Result<Option<LabelFolder>, DataError> {
    let is_text = |path: &PathBuf| path.is_file() && matches!(ending(path).as_str(), "txt" | "text" | "");
    let files: Vec<PathBuf> = entries(dir)?.into_iter().filter(is_text).collect();
    let label = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((!files.is_empty()).then(|| LabelFolder { label, split: split.map(str::to_owned), files }))
}

/// What a text file gave.
type OneText = Result<(String, Vec<u8>), String>;

/// Reads a folder per label. Lines are the places of the files in their order.
pub(in crate::data) fn read(dir: &Path, progress: Progress) -> Result<Table, DataError> {
    let folders = label_folders(dir)?;
    if folders.is_empty() {
        return Err(DataError::Unsupported {
            path: dir.to_owned(),
            what: "a folder without texts under labels",
            advice: "Choose the files in it",
        });
    }
    let all: Vec<(&LabelFolder, &PathBuf)> =
        folders.iter().flat_map(|folder| folder.files.iter().map(move |file| (folder, file))).collect();
    let meter = Meter::new(dir, progress, all.len() as u64);
    let raw = all
        .par_iter()
        .map(|(_, file)| {
            meter.advance(1)?;
            let raw = match RawBytes::open(file) {
                Ok(raw) => raw,
                Err(error) => return Ok(Err(error.to_string())),
            };
            meter.take_room(raw.bytes().len())?;
            Ok(Ok(raw.bytes().to_vec()))
        })
        .collect::<Result<Vec<Result<Vec<u8>, String>>, DataError>>()?;
    meter.finish()?;
    let old = OldFiles::of(raw.iter().flatten());
    let texts: Vec<OneText> = raw.into_par_iter().map(|raw| one_text(raw?, old.as_ref())).collect();

    let mut columns = ["text", "label", "split", "file"]
        .map(|name| Column { name: name.to_owned(), cells: StrColumn::default() });
    let (mut lines, mut problems, mut bytes, mut digest) = (Vec::new(), Vec::new(), 0, Hasher::new());
    for (((folder, file), text), line) in all.iter().zip(texts).zip(1..) {
        let name = file.strip_prefix(dir).unwrap_or(file).to_string_lossy();
        match text {
            Ok((text, raw)) => {
                bytes += raw.len() as u64;
                digest.write(name.as_bytes());
                digest.write(&raw);
                let cells = [
                    Some(text.trim_end()),
                    Some(folder.label.as_str()),
                    folder.split.as_deref(),
                    Some(&name),
                ];
                columns.iter_mut().zip(cells).for_each(|(column, cell)| column.cells.push(cell));
                lines.push(line);
            }
            Err(reason) => {
                problems.push(RowProblem { line, reason: format!("is the file {name}, which {reason}") });
            }
        }
    }
    for column in &mut columns {
        column.cells.seal();
    }
    let has_split = folders.iter().any(|folder| folder.split.is_some());
    Ok(Table {
        facts: FileFacts {
            path: dir.to_owned(),
            format: Format::Folder,
            encoding: "utf-8".to_owned(),
            has_header: false,
            gzip: false,
            lines: 0,
            stamp: Fingerprint::of_folder(dir, bytes, digest.finish_128()),
        },
        columns: columns.into_iter().filter(|column| has_split || column.name != "split").collect(),
        lines,
        problems,
        notes: [format!("{} text files in {} folders of a label.", all.len(), folders.len())]
            .into_iter()
            .chain(old.and_then(|old| old.doubt))
            .collect(),
    })
}

/// Files of a folder that are no UTF-8: one of them alone may be too short to tell its encoding.
struct OldFiles {
    encoding: String,
    /// What the user should know, where another encoding is nearly as likely.
    doubt: Option<String>,
}

impl OldFiles {
    /// Bytes that are looked at.
    const MOST: usize = 1 << 20;

    fn of<'a>(files: impl Iterator<Item = &'a Vec<u8>>) -> Option<Self> {
        let mut all = Vec::new();
        for raw in files.filter(|raw| is_old(raw)) {
            if all.len() > Self::MOST {
                break;
            }
            all.extend_from_slice(raw);
            all.push(b'\n');
        }
        let text = (!all.is_empty()).then(|| Text::of(&all, None))?.ok()?;
        Some(Self { encoding: text.encoding.clone(), doubt: text.doubt.clone() })
    }
}

/// Neither UTF-8 nor marked or built as another form of Unicode.
fn is_old(raw: &[u8]) -> bool {
    !raw.is_ascii()
        && !raw.contains(&0)
        && std::str::from_utf8(raw).is_err()
        && ![&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| raw.starts_with(mark))
}

fn one_text(raw: Vec<u8>, old: Option<&OldFiles>) -> OneText {
    let named = old.filter(|_| is_old(&raw)).map(|old| old.encoding.as_str());
    let text = Text::of(&raw, named).map_err(|label| format!("is in the encoding {label}"))?;
    let text = std::str::from_utf8(text.bytes()).map(str::to_owned);
    Ok((text.map_err(|_where| "holds bytes that are not UTF-8".to_owned())?, raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read::{ReadOptions, read_table};

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_repeat_no_file_and_come_to_an_end() {
        let dir = folder(&[("real/a.csv", "text,label\n")]);
        for link in 0..30 {
            std::os::unix::fs::symlink(".", dir.path().join(format!("l{link}"))).unwrap();
        }
        std::os::unix::fs::symlink("real", dir.path().join("again")).unwrap();
        assert_eq!(expand(dir.path()).unwrap(), [dir.path().join("real/a.csv")]);
    }

    #[test]
    fn files_too_short_to_tell_their_encoding_share_it() {
        let dir = folder(&[("good/0.txt", "dobre"), ("bad/0.txt", "Zażółć gęślą jaźń")]);
        let (bytes, ..) =
            encoding_rs::WINDOWS_1250.encode("Przesyłka dotarła z opóźnieniem, proszę o zwrot pieniędzy");
        fs::write(dir.path().join("bad/1.txt"), bytes).unwrap();
        // By themselves these bytes are "Ÿle" in Latin-1's successor.
        fs::write(dir.path().join("bad/2.txt"), b"\x9fle").unwrap();
        let table = read_table(dir.path(), &ReadOptions::default(), &|_, _| true).unwrap();
        let texts: Vec<&str> = table.column("text").unwrap().cells.iter().flatten().collect();
        let wanted = [
            "Zażółć gęślą jaźń",
            "Przesyłka dotarła z opóźnieniem, proszę o zwrot pieniędzy",
            "źle",
            "dobre",
        ];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn marked_utf_16_without_a_zero_byte_is_unicode() {
        let dir = folder(&[("good/0.txt", "dobre")]);
        let polish = encoding_rs::WINDOWS_1250.encode("Przesyłka dotarła z opóźnieniem, proszę o zwrot").0;
        fs::create_dir_all(dir.path().join("bad")).unwrap();
        fs::write(dir.path().join("bad/1.txt"), polish).unwrap();
        let utf_16: Vec<u8> = "\u{feff}漢字".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!utf_16.contains(&0));
        fs::write(dir.path().join("bad/2.txt"), &utf_16).unwrap();
        let big: Vec<u8> = "\u{feff}漢字".encode_utf16().flat_map(u16::to_be_bytes).collect();
        fs::write(dir.path().join("bad/3.txt"), &big).unwrap();
        assert!(!is_old(&utf_16) && !is_old(&big));
        let table = read_table(dir.path(), &ReadOptions::default(), &|_, _| true).unwrap();
        let texts: Vec<&str> = table.column("text").unwrap().cells.iter().flatten().collect();
        assert_eq!(texts, ["Przesyłka dotarła z opóźnieniem, proszę o zwrot", "漢字", "漢字", "dobre"]);
    }

    #[test]
    fn a_folder_per_label_is_a_table() {
        let dir = folder(&[
            ("train/pos/1.txt", "good\n"),
            ("train/neg/2.txt", "bad"),
            ("test/neg/3.txt", "worse"),
            ("README", "about"),
        ]);
        assert_eq!(expand(dir.path()).unwrap(), [dir.path()]);
        let table = read_table(dir.path(), &ReadOptions::default(), &|_, _| true).unwrap();
        let cells = |name: &str| table.column(name).unwrap().cells.iter().flatten().collect::<Vec<_>>();
        assert_eq!(cells("text"), ["worse", "bad", "good"]);
        assert_eq!(cells("label"), ["neg", "neg", "pos"]);
        assert_eq!(cells("split"), ["test", "train", "train"]);
        assert_eq!(cells("file"), ["test/neg/3.txt", "train/neg/2.txt", "train/pos/1.txt"]);
    }

    #[test]
    fn a_folder_of_tables_stands_for_them() {
        let dir = folder(&[
            ("data/train-00001-of-00002.csv", "a,b\n"),
            ("data/train-00000-of-00002.csv", "a,b\n"),
            ("test.jsonl.gz", ""),
            ("dataset_infos.json", "{}"),
            ("notes.txt", "x"),
            (".cache/old.csv", "x"),
        ]);
        let names: Vec<String> = expand(dir.path())
            .unwrap()
            .iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            names,
            ["data/train-00000-of-00002.csv", "data/train-00001-of-00002.csv", "test.jsonl.gz"]
        );
        let one = folder(&[("docs/a.txt", "x"), ("src/b.rs", "x")]);
        assert!(expand(one.path()).is_err(), "a lone folder is no label");
        let empty = folder(&[("a/b.bin", "x")]);
        assert!(expand(empty.path()).unwrap_err().to_string().contains("a folder without data files"));
    }
}
