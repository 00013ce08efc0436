//! The shape of the source: which module may name which, who may name the tensor library and the window's
//! crates, and what every file owes its reader. It reads the files as text, so it needs no build of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The modules, in rows from the bottom up. A module may name those of lower rows, and nothing beside or above.
const LAYERS: [&[&str]; 10] = [
    // What every module may use, and what knows no other.
    &["format", "machine", "random"],
    &["files"],
    &["data"],
    &["text"],
    &["model"],
    &["train"],
    // `hub` needs to know what a model folder holds, and nothing of runs: beside what else is made of models.
    &["explore", "export", "hub"],
    &["project"],
    &["session"],
    &["ui", "cli"],
];

/// The one way across a row: without a command, the command line opens the window.
const LAUNCH: (&str, &str, &str) = ("src/cli/mod.rs", "ui", "launch");

/// Modules that see plain data only: texts, labels and rows of `f32`.
const WITHOUT_TENSORS: [&str; 11] =
    ["files", "format", "machine", "random", "data", "text", "explore", "hub", "project", "ui", "cli"];

/// The crates a window is made of.
const WINDOW_CRATES: [&str; 7] = ["egui", "eframe", "egui_plot", "egui_extras", "rfd", "winit", "image"];

/// More than anyone holds in the head; the aim is 400.
const MOST_LINES: usize = 500;

#[test]
fn modules_name_only_what_is_below_them() {
    let mut wrong = String::new();
    for file in sources("src") {
        let Some(from) = file.module() else { continue };
        for (line, path) in file.paths() {
            let [root, to, rest @ ..] = path.as_slice() else { continue };
            let launches =
                (file.name.as_str(), to.as_str(), rest.first().map_or("", String::as_str)) == LAUNCH;
            if root == "crate" && !launches && !may_name(from, to) {
                writeln!(wrong, "  {}:{line}: `{from}` names `{}`", file.name, path.join("::")).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "dependencies run one way, {}:\n{wrong}", order());
}

#[test]
fn tensors_stay_below_the_session_and_widgets_in_the_window() {
    let mut wrong = String::new();
    for file in sources("src") {
        let module = file.module().unwrap_or("the root");
        for (line, path) in file.paths() {
            // A name alone is a variable or a field.
            let [root, _, ..] = path.as_slice() else { continue };
            let tensor = root == "tch" && (WITHOUT_TENSORS.contains(&module) || module == "the root");
            let window = WINDOW_CRATES.contains(&root.as_str()) && module != "ui";
            if tensor || window {
                writeln!(wrong, "  {}:{line}: {module} names `{}`", file.name, path.join("::")).unwrap();
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "only `ui` may name the crates of the window, and {WITHOUT_TENSORS:?} may not name `tch`:\n{wrong}"
    );
}

#[test]
fn every_module_is_in_the_order_and_in_the_codemap() {
    let codemap = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let known: Vec<&str> = LAYERS.concat();
    for declared in codemap.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = declared.trim_end_matches(';');
        assert!(known.contains(&module), "`{module}` has no place in the order: {}", order());
        assert!(codemap.contains(&format!("//! - [`{module}`]")), "src/lib.rs has no line about `{module}`");
    }
    for module in known {
        assert!(codemap.contains(&format!("pub mod {module};")), "`{module}` is no module any more");
    }
}

#[test]
fn every_source_file_says_what_it_holds() {
    let silent: Vec<String> = ["src", "packaging/xtask/src", "packaging/fuzz/src", "tests"]
        .into_iter()
        .flat_map(sources)
        // The tests of a module are described by the module.
        .filter(|file| !file.name.ends_with("/tests.rs") && !file.text.starts_with("//!"))
        .map(|file| file.name)
        .collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:?}");
}

#[test]
fn no_source_file_is_too_long_to_hold_in_the_head() {
    let long: Vec<String> = ["src", "packaging"]
        .into_iter()
        .flat_map(sources)
        .map(|file| (file.text.lines().count(), file.name))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, name)| format!("{name}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split what is above {MOST_LINES} lines: {long:?}");
}

/// The checks above find nothing where the reading of files finds nothing, so it is tried by itself.
/// Files in which a moment is measured for another reason than to judge it: a measurement that is asked for, a
/// guard against a hang, the choice of when a program is killed.
const MAY_MEASURE_TIME: [&str; 5] = [
    "tests/core/architecture.rs",
    "tests/core/data_files.rs",
    "tests/frames.rs",
    "tests/cli/never_lost.rs",
    "tests/screenshots.rs",
];

/// On a busy machine anything takes long. A test counts work instead: steps, bytes, looks at a switch.
#[test]
fn no_test_asserts_wall_clock_time() {
    let mut wrong = String::new();
    for file in sources("tests").into_iter().chain(sources("src")) {
        // What comes before the tests of a source file is the program, which may well look at the clock.
        let from = if file.name.starts_with("src/") { file.text.find("#[cfg(test)]") } else { Some(0) };
        let Some(tests) = from.and_then(|from| file.text.get(from..)) else { continue };
        if tests.contains(".elapsed()") && !MAY_MEASURE_TIME.contains(&file.name.as_str()) {
            writeln!(wrong, "  {}", file.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "these tests measure time; count work instead:\n{wrong}");
}

#[test]
fn every_skipped_test_is_counted() {
    let mut wrong = String::new();
    for file in sources("tests").into_iter().chain(sources("src")) {
        let counts = ["tests/support/skip.rs", "tests/core/architecture.rs"].contains(&file.name.as_str());
        if file.text.contains("\"skipped: ") && !counts {
            writeln!(wrong, "  {}", file.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "tests are skipped by `skip` of tests/support/skip.rs:\n{wrong}");
}

/// A pipe blocks whoever opens it and a device has no end, so files are opened for reading in one place, which refuses
/// both.
#[test]
fn files_are_opened_for_reading_in_one_place() {
    // Opens a folder, to have a new name in it written to the disk.
    const FOLDER: (&str, &str) =
        ("src/files/atomic_file.rs", "File::open(folder).and_then(|folder| folder.sync_all())");
    let mut wrong = String::new();
    for file in sources("src") {
        let code = file.program();
        if file.name == "src/files/regular_file.rs" || file.name.ends_with("tests.rs") {
            continue;
        }
        for (index, line) in code.lines().enumerate() {
            let opens = ["fs::read(", "fs::read_to_string(", "File::open("].iter().any(|call| {
                line.match_indices(call).any(|(at, _)| {
                    let before = line.get(..at).unwrap_or_default();
                    !before.ends_with("regular_")
                        && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            });
            let folder = file.name == FOLDER.0 && line.contains(FOLDER.1);
            if opens && !folder {
                writeln!(wrong, "  {}:{}: {}", file.name, index + 1, line.trim()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "files::regular_file opens files:\n{wrong}");
}

/// What is written in place is half there after a crash, and goes wherever a link leads. So files are written whole by
/// `files::atomic_file`, and only what follows is written otherwise.
#[test]
fn files_are_written_whole_in_one_place() {
    const OTHERWISE: [(&str, &str, &str); 8] = [
        ("src/export/folder.rs", "File::create_new(", "a file of a new folder that is renamed as a whole"),
        ("src/export/destination.rs", "tempfile::Builder", "that folder"),
        ("src/export/destination.rs", "fs::rename(", "puts it in its place"),
        ("src/hub/mod.rs", "fs::rename(", "a download that is whole and checked becomes a blob"),
        ("src/project/demo.rs", "tempfile::Builder", "a new folder that is renamed as a whole"),
        ("src/project/demo.rs", "File::create_new(", "a file of it"),
        ("src/project/demo.rs", "fs::rename(", "puts it in its place"),
        ("src/project/disk.rs", "fs::rename(", "sets a damaged file aside"),
    ];
    const WRITES: [&str; 8] = [
        "fs::write(",
        "File::create(",
        "File::create_new(",
        "OpenOptions",
        "fs::rename(",
        "tempfile::Builder",
        "NamedTempFile",
        ".persist(",
    ];
    let mut wrong = String::new();
    for file in sources("src") {
        if file.name.starts_with("src/files/") || file.name.ends_with("tests.rs") {
            continue;
        }
        let code = file.program();
        for (index, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            let has_reason =
                |call: &str| OTHERWISE.iter().any(|(name, known, _)| file.name == *name && call == *known);
            if let Some(call) = WRITES
                .iter()
                .find(|call| line.replace("AtomicFile::", "").contains(*call) && !has_reason(call))
            {
                writeln!(wrong, "  {}:{}: {call}", file.name, index + 1).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "files::atomic_file writes files:\n{wrong}");
}

#[test]
fn paths_are_found_in_code_and_only_there() {
    let text = r##"
//! Prose may name crate::ui::app, and a [`link`](crate::cli).
use crate::data::{card::DataCard, table};
use crate::{text::batches::Batches, ui};
use super::super::train::plan;
fn f() -> tch::Tensor { crate::model::load("crate::ui", 'x', r#"egui::Ui"#) } // crate::cli
/* crate::cli */ pub(in crate::session) fn g<'a>(x: &'a str) -> &'a str { x }
use egui::{Ui, epaint::{self, Color32}};
"##;
    let file = Source { name: "src/explore/deep/file.rs".into(), text: text.into() };
    let found: Vec<String> =
        file.paths().into_iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect();
    for expected in [
        "3 crate::data::card::DataCard",
        "3 crate::data::table",
        "4 crate::text::batches::Batches",
        "4 crate::ui",
        "6 tch::Tensor",
        "6 crate::model::load",
        "7 crate::session",
        "8 egui::Ui",
    ] {
        assert!(found.iter().any(|path| path == expected), "{expected} is not in {found:?}");
    }
    let in_prose =
        found.iter().any(|path| path.contains("cli") || path.contains("app") || path.starts_with("6 egui"));
    assert!(!in_prose, "{found:?}");
    assert!(found.iter().any(|path| path == "5 crate::explore::train::plan"), "{found:?}");

    for name in ["src/explore/mod.rs", "src/explore/file.rs"] {
        let ups = if name.ends_with("mod.rs") { "super" } else { "super::super" };
        let file = Source { name: name.into(), text: format!("use {ups}::train::plan;") };
        assert!(file.paths().iter().any(|(_, path)| *path == ["crate", "train", "plan"]), "{name}");
    }
}

#[test]
fn the_order_allows_down_and_refuses_up_and_across() {
    assert!(may_name("train", "data") && may_name("ui", "session") && may_name("ui", "ui"));
    assert!(!may_name("data", "train") && !may_name("explore", "export") && !may_name("cli", "ui"));
}

/// A file and its path from the root of the checkout, with `/`.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// What comes before its tests.
    fn program(&self) -> &str {
        let tests = ["#[cfg(test)]\nmod tests {", "#[cfg(all(test, unix))]\nmod tests {"];
        tests.iter().fold(&self.text, |text, start| text.split(start).next().unwrap_or_default())
    }

    /// The module of `src` that it belongs to; none for `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Option<&str> {
        let (module, _) = self.name.strip_prefix("src/")?.split_once('/')?;
        Some(module)
    }

    /// The module path of the file, as `["crate", "data", "card"]`.
    pub(crate) fn own_path(&self) -> Vec<String> {
        let inside = self.name.strip_prefix("src/").unwrap_or(&self.name).trim_end_matches(".rs");
        let parts = inside.split('/').filter(|part| !["mod", "lib", "main"].contains(part));
        std::iter::once("crate").chain(parts).map(str::to_owned).collect()
    }

    /// Every path in the code with its line, counted from 1. `crate::{a::b, c}` gives `crate::a::b` and
    /// `crate::c`; of `super` that leads out of the file's folder the absolute path is given. Inside a file the
    /// nesting of modules is not followed, so `super` in a module of tests counts from the file; that errs on
    /// the side of finding more.
    pub(crate) fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let tokens = tokens(&self.text);
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let (line, path, next) = path_at(&tokens, at);
            at = next.max(at + 1);
            let path = self.absolute(path);
            if path.is_empty() {
                continue;
            }
            if let [outer @ .., last] = path.as_slice()
                && last == "{"
            {
                let entries = group(&tokens, next - 1).into_iter();
                found.extend(entries.map(|(line, inner)| (line, [outer.to_vec(), inner].concat())));
            } else {
                found.push((line, path));
            }
        }
        found
    }

    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        if ups == 0 {
            return path;
        }
        let own = self.own_path();
        let kept = own.len().saturating_sub(ups).max(1);
        own.into_iter().take(kept).chain(path.into_iter().skip(ups)).collect()
    }
}

/// A name, `::`, or one other character of code.
struct Token {
    line: usize,
    text: String,
}

/// The path that starts at a token: its line, its names (the last one `{` where a group follows), and the token
/// behind it.
fn path_at(tokens: &[Token], start: usize) -> (usize, Vec<String>, usize) {
    let line = tokens.get(start).map_or(0, |token| token.line);
    let (mut names, mut at) = (Vec::new(), start);
    while let Some(token) = tokens.get(at).filter(|token| is_name(&token.text)) {
        names.push(token.text.clone());
        at += 1;
        match tokens.get(at) {
            Some(token) if token.text == "::" => at += 1,
            _ => return (line, names, at),
        }
    }
    if !names.is_empty() && tokens.get(at).is_some_and(|token| token.text == "{") {
        names.push("{".to_owned());
        at += 1;
    }
    (line, names, at)
}

/// The first names of a `{...}` behind `crate::`: one path for each entry, inner groups left out.
fn group(tokens: &[Token], open: usize) -> Vec<(usize, Vec<String>)> {
    let (mut found, mut depth, mut at) = (Vec::new(), 0_usize, open);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            _ if depth == 1 && is_name(&token.text) => {
                let (line, path, next) = path_at(tokens, at);
                depth += usize::from(path.last().is_some_and(|last| last == "{"));
                found.push((line, path));
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The code of a file without comments, strings and characters.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(&c) = chars.get(at) {
        let start = at;
        let rest = chars.get(at..).unwrap_or_default();
        at += match c {
            '/' if rest.get(1) == Some(&'/') => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            '/' if rest.get(1) == Some(&'*') => block_comment(rest),
            '"' => string(rest),
            'r' if raw_hashes(rest).is_some() => raw_string(rest),
            '\'' if rest.get(1) == Some(&'\\') => {
                3 + rest.iter().skip(3).position(|c| *c == '\'').unwrap_or(0) + 1
            }
            '\'' if rest.get(2) == Some(&'\'') => 3,
            ':' if rest.get(1) == Some(&':') => 2,
            _ if c.is_alphanumeric() || c == '_' => {
                rest.iter().position(|c| !(c.is_alphanumeric() || *c == '_')).unwrap_or(rest.len())
            }
            _ => 1,
        };
        let piece: String = chars.get(start..at.min(chars.len())).unwrap_or_default().iter().collect();
        let is_code =
            is_name(&piece) && !piece.contains(['"', '#']) || ["::", "{", "}"].contains(&piece.as_str());
        let is_other = piece.chars().count() == 1 && !piece.trim().is_empty();
        if is_code || is_other {
            found.push(Token { line, text: piece.clone() });
        }
        line += piece.matches('\n').count();
    }
    found
}

fn block_comment(rest: &[char]) -> usize {
    let end = rest.windows(2).skip(2).position(|pair| pair == ['*', '/']);
    end.map_or(rest.len(), |end| end + 4)
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while let Some(&c) = rest.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// How many `#` a raw string at the start has.
fn raw_hashes(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
    (rest.get(hashes + 1) == Some(&'"')).then_some(hashes)
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = raw_hashes(rest).unwrap_or(0);
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = hashes + 2;
    let length = rest.windows(end.len()).skip(body).position(|window| window == end);
    length.map_or(rest.len(), |length| body + length + end.len())
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Whether one module may name another. What is no module (a macro, a constant of the root) is no dependency.
fn may_name(from: &str, to: &str) -> bool {
    from == to || !matches!((layer(from), layer(to)), (Some(from), Some(to)) if from <= to)
}

fn order() -> String {
    let rows = LAYERS.iter().map(|modules| match modules {
        [one] => (*one).to_owned(),
        several => format!("{{{}}}", several.join(", ")),
    });
    rows.collect::<Vec<_>>().join(" -> ")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, in the order of their names.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let files = read_sources(folder).unwrap_or_else(|error| panic!("{folder} cannot be read: {error}"));
    assert!(!files.is_empty(), "no Rust file below {folder}");
    files
}

fn read_sources(folder: &str) -> io::Result<Vec<Source>> {
    let mut folders = vec![root().join(folder)];
    let mut files: Vec<Source> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root()).unwrap_or(&path);
                let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
                files.push(Source { name: parts.join("/"), text: fs::read_to_string(&path)? });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
