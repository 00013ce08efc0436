//! The targets: what each reads, and what must hold of it.
//!
//! Nothing panics; every column of a table has a cell for every row; the numbers of lines never go down. The last byte
//! of an input says what the user overrules and the like, so that files serve as inputs as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use frostline::data::card::describe::describe;
use frostline::data::error::DataError;
use frostline::data::read::overrides::FormatName;
use frostline::data::read::{OnProblem, Overrides, ReadOptions, read_bytes};
use frostline::data::table::{Quoting, Table};
use frostline::model::files::safetensors;
use frostline::model::files::weight_files::Stored;
use frostline::model::summary::{Group, TensorInfo};
use frostline::project::runs::{self, RunFolder};
use frostline::project::{Project, file};
use frostline::text::tokenizer::Tokenizer;
use tch::Device;
use tempfile::TempDir;

/// Gives an input to what reads it.
pub(crate) type Target = fn(&[u8]);

/// All of them. `cargo xtask fuzz` has the same list.
pub(crate) const ALL: [(&str, Target); 13] = [
    ("delimited", delimited),
    ("jsonl", |bytes| named("a.jsonl", FormatName::JsonLines, bytes)),
    ("json", |bytes| named("a.json", FormatName::Json, bytes)),
    ("conll", |bytes| named("a.conll", FormatName::Conll, bytes)),
    ("fasttext", |bytes| named("a.txt", FormatName::FastText, bytes)),
    ("parquet", parquet),
    ("any", any),
    ("card", card),
    ("safetensors", |bytes| weights_of("model.safetensors", bytes)),
    ("torch", |bytes| weights_of("pytorch_model.bin", bytes)),
    ("project", project),
    ("run", run),
    ("tokenizer", tokenizer),
];

/// Delimited text with everything a user may say of it.
fn delimited(bytes: &[u8]) {
    let (bytes, last) = split(bytes);
    let overrides = Overrides {
        format: Some(FormatName::Delimited),
        delimiter: choice(last, &[None, Some(b','), Some(b'\t'), Some(b';')]),
        quoting: choice(
            last >> 2,
            &[None, Some(Quoting::Doubled), Some(Quoting::Backslash), Some(Quoting::Literal)],
        ),
        header: choice(last >> 4, &[None, Some(true), Some(false), None]),
        encoding: None,
    };
    let name = choice(last >> 6, &["a.csv", "a.tsv", "a.txt", "a"]);
    look_at(read(name, bytes, overrides));
}

/// A text in a format that is said, and not found out.
fn named(name: &str, format: FormatName, bytes: &[u8]) {
    look_at(read(name, bytes, Overrides { format: Some(format), ..Overrides::default() }));
}

/// Every input begins and ends as Parquet does; what does not is for `any`.
fn parquet(bytes: &[u8]) {
    const MARK: &[u8; 4] = b"PAR1";
    let mut bytes = bytes.to_vec();
    if let [first @ .., _, _, _, _] = bytes.as_mut_slice()
        && let Some(start) = first.first_chunk_mut()
    {
        *start = *MARK;
    }
    if let Some(end) = bytes.last_chunk_mut() {
        *end = *MARK;
    }
    look_at(read("a.parquet", &bytes, Overrides::default()));
}

/// Everything found out: packing, format and encoding, or an encoding that a user names.
fn any(bytes: &[u8]) {
    let (bytes, last) = split(bytes);
    let names = ["a.csv", "a", "a.txt", "a.tsv", "a.json.gz", "a.conllu", "a.jsonl.gz", "a.parquet"];
    let encodings =
        [None, None, None, Some("utf-16"), Some("latin-1"), Some("utf-32"), Some("gbk"), Some("utf-8-sig")];
    let encoding = choice(last >> 3, &encodings).map(str::to_owned);
    look_at(read(choice(last, &names), bytes, Overrides { encoding, ..Overrides::default() }));
}

/// What is made of a table: the guess of its columns, the data set, and the card.
fn card(bytes: &[u8]) {
    let (bytes, last) = split(bytes);
    let name = choice(last, &["a.csv", "a.jsonl", "a.json", "a.conll"]);
    if let Ok(table) = read(name, bytes, Overrides::default()) {
        drop(describe(vec![table], None));
    }
}

/// Opened, and the tensors of the inputs that it starts from read.
fn weights_of(name: &str, bytes: &[u8]) {
    let path = scratch().join(name);
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let expected = [("a.weight", vec![2, 2]), ("a.bias", vec![1])].map(|(name, shape)| TensorInfo {
        name: name.to_owned(),
        shape,
        group: Group::Embeddings,
    });
    match Stored::of_file(&path).and_then(|stored| stored.read("", &expected, Device::Cpu)) {
        Ok(loaded) => drop(loaded),
        Err(error) => drop(error.to_string()),
    }
    if let Err(error) = safetensors::read_all(&path) {
        drop(error.to_string());
    }
}

/// A project that is read can be written, and then read again.
fn project(bytes: &[u8]) {
    if fs::write(scratch().join(file::FILE_NAME), bytes).is_err() {
        return;
    }
    match Project::load(scratch()) {
        Ok(project) => {
            if project.save(scratch()).is_ok() {
                let again = Project::load(scratch()).map_err(|error| error.to_string());
                assert!(again.is_ok(), "what was written is not read: {again:?}");
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

/// What a run's folder holds besides weights, one file of it, as the last byte says: all are read as text.
fn run(bytes: &[u8]) {
    let (bytes, last) = split(bytes);
    let folder = scratch().join("runs").join("a");
    let names = ["run.toml", "history.jsonl", "report.json"];
    let name = choice(last, &names);
    if fs::create_dir_all(&folder).is_err() || fs::write(folder.join(name), bytes).is_err() {
        return;
    }
    if let Ok(listed) = runs::list(scratch()) {
        drop(listed);
    }
    if let Ok(run) = RunFolder::open(scratch(), "a") {
        _ = (
            run.read_plan().is_ok(),
            run.read().is_ok(),
            run.read_outcome().is_ok(),
            run.read_report().is_ok(),
        );
    }
}

/// Loaded, and texts of several kinds encoded, cut and as words. An id that comes out is one of the vocabulary.
fn tokenizer(bytes: &[u8]) {
    let folder = scratch().join("model");
    if fs::create_dir_all(&folder).is_err() || fs::write(folder.join("tokenizer.json"), bytes).is_err() {
        return;
    }
    let tokenizer = match Tokenizer::load(&folder) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return drop(error.to_string()),
    };
    assert!(tokenizer.pad_id() <= tokenizer.max_id(), "padding is of the vocabulary");
    let long = "one two, ".repeat(40);
    let texts = [
        "The card's 2nd PIN, why?",
        "",
        "   ",
        "Wörter 漢字かな e\u{301}\u{fdfa}\0\u{202e} \u{1f600}",
        &long,
    ];
    for text in texts {
        match tokenizer.encode(&[text], 16, &|_, _| true) {
            Ok(set) => {
                let ids = set.ids(0);
                assert!(ids.len() <= 16, "{} ids", ids.len());
                assert!(
                    ids.iter().all(|id| *id <= tokenizer.max_id()),
                    "an id beyond the vocabulary: {ids:?}"
                );
            }
            Err(error) => drop(error.to_string()),
        }
        match tokenizer.word_starts(&[text], 16, &|_, _| true) {
            Ok(starts) => drop(starts),
            Err(error) => drop(error.to_string()),
        }
        _ = tokenizer.tokens(text).is_ok();
    }
}

fn read(name: &str, bytes: &[u8], overrides: Overrides) -> Result<Table, DataError> {
    let options = ReadOptions { on_problem: OnProblem::Skip, overrides };
    read_bytes(Path::new(name), bytes.to_vec(), &options, &|_, _| true)
}

fn look_at(read: Result<Table, DataError>) {
    match read {
        Ok(table) => holds(&table),
        Err(error) => {
            drop(error.to_string());
            if let DataError::HeaderOnly { table } | DataError::NoGoodRow { table } = &error {
                holds(table);
            }
        }
    }
}

/// What must hold of every table.
fn holds(table: &Table) {
    for column in &table.columns {
        let (cells, rows) = (column.cells.len(), table.rows());
        assert!(cells == rows, "column {:?} has {cells} cells in {rows} rows", column.name);
    }
    assert!(table.lines.is_sorted(), "the numbers of lines go down: {:?}", table.lines);
}

/// The input without its last byte, and that.
fn split(bytes: &[u8]) -> (&[u8], u8) {
    bytes.split_last().map_or((bytes, 0), |(last, rest)| (rest, *last))
}

fn choice<T: Copy, const N: usize>(byte: u8, of: &[T; N]) -> T {
    of[usize::from(byte) % N]
}

/// A folder for what is read by its path, in memory where the system has such a place.
fn scratch() -> &'static Path {
    static SCRATCH: LazyLock<Option<TempDir>> = LazyLock::new(|| {
        let memory = PathBuf::from("/dev/shm");
        if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.ok()
    });
    SCRATCH.as_ref().map_or(Path::new("."), TempDir::path)
}
