//! What strangers write into files, as a terminal gets to see it: every command of the program on names, labels, texts
//! and a licence that would act on a terminal, a spreadsheet or a shell.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground is missing")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::program::{Place, stderr, tiny_model};

/// Writes to the clipboard, clears the screen, rings, returns, reorders, forges a line, is markup and a command.
const EVIL: &str =
    "\u{1b}]52;c;cm0=\u{7}\u{1b}[2J\u{9b}31m\rx\u{202e}fdp\nerror: forged | <img onerror=x> $(touch pwned)";
/// What a file can be called as well.
const EVIL_FILE: &str = "\u{1b}]52;c;cm0=\u{7}\u{202e}\nerror: forged $(touch pwned)";

/// Nothing that a terminal acts on, and no line that a file forged.
#[track_caller]
fn is_harmless(args: &[&str], output: &Output) {
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = std::str::from_utf8(bytes).unwrap();
        let acts = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}')
        };
        assert!(!text.contains(acts), "{args:?}, {stream}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{args:?}, {stream}: {text}");
    }
    let pwned = |dir: &Path| dir.join("pwned").exists();
    assert!(!pwned(Path::new(".")), "{args:?}");
}

/// A folder whose files are all as hostile as their systems and formats allow.
fn hostile() -> (Place, String) {
    let place = Place::new();
    let model = place.path("model");
    fs::create_dir_all(model.join("1_Pooling")).unwrap();
    for folder in ["", "1_Pooling"] {
        for entry in fs::read_dir(Path::new(&tiny_model()).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                fs::copy(entry.path(), model.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let licence = EVIL.replace('\n', " ");
    fs::write(model.join("README.md"), format!("---\nlicense: {licence}\n---\n# A model\n")).unwrap();
    let mut csv = format!("text,\"{EVIL}\",topic\n");
    for row in 0..60 {
        let class = [EVIL, "other"][row % 2];
        writeln!(csv, "\"the {} number {row} {EVIL}\",\"{class}\",\"{class}2\"", ["card", "bank"][row % 2])
            .unwrap();
    }
    let file = if cfg!(windows) { "data.csv".to_owned() } else { format!("{EVIL_FILE}.csv") };
    place.write(&file, &csv);
    (place, file)
}

#[test]
fn no_command_lets_a_file_act_on_the_terminal() {
    let (place, file) = hostile();
    let told = std::cell::RefCell::new(String::new());
    let run = |code: i32, args: &[&str]| {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        is_harmless(args, &output);
        let both = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        told.borrow_mut().push_str(&both);
        both
    };
    let file = file.as_str();
    run(0, &["inspect", file]);
    let json = run(0, &["inspect", file, "--json"]);
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(object["path"].as_str(), Some(file), "what is escaped is read back");
    let of_model = run(0, &["inspect", "model"]);
    assert!(of_model.contains("\\u001b]52;c;cm0=\\u0007"), "the licence is told: {of_model}");
    run(0, &["inspect", "model", "--json"]);
    let project = if cfg!(windows) { "p" } else { EVIL_FILE };
    let told_next = run(0, &["init", project, "--data", file, "--model", "model"]);
    if cfg!(unix) {
        assert!(told_next.contains("Next: frostline train $'\\033]52;c;cm0=\\007"), "{told_next}");
    }
    let toml = place.path(project).join("frostline.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("epochs = 4", "epochs = 1").replace("max_length = 128", "max_length = 16"))
        .unwrap();
    run(0, &["inspect", project]);
    run(0, &["inspect", project, "--json"]);
    run(0, &["train", project, "--run", "one"]);
    run(0, &["train", project, "--run", "two", "--json"]);
    run(0, &["find-rate", project]);
    run(0, &["inspect", project]);
    let one = &format!("{project}/runs/one");
    run(0, &["inspect", one]);
    run(0, &["inspect", one, "--json"]);
    run(0, &["eval", project, file]);
    run(0, &["eval", one, file, "--json"]);
    run(0, &["export", one, "--to", "out"]);
    run(0, &["inspect", "out"]);
    run(0, &["tour", project, "--out", "toured"]);
    run(0, &["similar", one, EVIL, "another"]);
    run(0, &["similar", one, EVIL, "another", "--json"]);
    run(0, &["predict", one, file, "-o", "said.csv"]);
    run(0, &["embed", one, file, "-o", "said.jsonl"]);
    // Data is data: what goes to a program or a file is as it was.
    let piped = place.run(&["predict", one, file, "-o", "-"]);
    assert!(String::from_utf8(piped.stdout).unwrap().contains(EVIL));
    assert!(fs::read_to_string(place.path("said.csv")).unwrap().contains(EVIL));
    // What goes wrong is told in the same way.
    let missing = &format!("{EVIL_FILE}/missing");
    run(1, &["predict", one, file, "-o", "said.csv"]);
    run(1, &["predict", one, file, "-o", "x.csv", "--column", EVIL]);
    run(1, &["inspect", missing]);
    run(1, &["train", missing]);
    run(1, &["eval", missing, file]);
    run(1, &["export", one, "--to", "out"]);
    run(1, &["download", EVIL]);
    run(2, &[EVIL, "p"]);
    run(2, &["train", "p", EVIL]);
    run(2, &["inspect", file, file]);
    run(2, &["predict", one, file, "-o", EVIL]);
    place.write("broken.csv", &format!("text,topic\na,\"{EVIL}\",{EVIL}\n"));
    is_harmless(&["inspect", "broken.csv"], &place.run(&["inspect", "broken.csv"]));
    fs::write(
        &toml,
        format!("version = 1\n'''{}''' = 1\n", EVIL.replace(['\u{1b}', '\u{7}', '\r'], "\u{202e}")),
    )
    .unwrap();
    run(1, &["train", project]);
    assert!(told.borrow().contains("\\u202e"), "the names were told at all");
    assert!(!place.path("pwned").exists());
}

#[test]
fn cells_are_as_they_are_unless_they_are_meant_for_a_spreadsheet() {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1"));
    place.ok(&["train", "p", "--run", "one"]);
    place.write("in.txt", "=1+1\n+1\n-1\n@SUM(A1)\nplain\n");
    let first_cells = |output: &str| -> Vec<String> {
        let text = fs::read_to_string(place.path(output)).unwrap();
        text.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect()
    };
    for command in ["predict", "embed"] {
        let (as_is, safe) = (format!("{command}.csv"), format!("{command}-safe.csv"));
        place.ok(&[command, "p/runs/one", "in.txt", "-o", &as_is]);
        assert_eq!(first_cells(&as_is), ["text", "=1+1", "+1", "-1", "@SUM(A1)", "plain"]);
        place.ok(&[command, "p/runs/one", "in.txt", "-o", &safe, "--for-spreadsheet"]);
        assert_eq!(first_cells(&safe), ["text", "'=1+1", "'+1", "'-1", "'@SUM(A1)", "plain"]);
        let told = place.fails(2, &[command, "p/runs/one", "in.txt", "-o", "x.jsonl", "--for-spreadsheet"]);
        assert!(told.contains("--for-spreadsheet"), "{told}");
    }
    // Numbers stay numbers, below zero as well.
    let numbers = fs::read_to_string(place.path("embed-safe.csv")).unwrap();
    assert!(numbers.contains(",-0.") && !numbers.contains(",'-"), "{numbers}");
}

/// A terminal shows data with what would act on it written out.
#[cfg(target_os = "linux")]
#[test]
fn data_on_a_terminal_is_filtered() {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1"));
    place.ok(&["train", "p", "--run", "one"]);
    place.write("in.csv", "text\n\"evil \u{1b}]52;c;cm0=\u{7}\u{202e} é\"\n");
    let line = format!("'{}' predict p/runs/one in.csv -o - 2>/dev/null", crate::support::program::PROGRAM);
    let command = place.command(&[]);
    let env: Vec<_> =
        command.get_envs().map(|(k, v)| (k.to_owned(), v.map(std::ffi::OsStr::to_owned))).collect();
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(command.get_current_dir().unwrap());
    for (key, value) in env {
        match value {
            Some(value) => script.env(key, value),
            None => script.env_remove(key),
        };
    }
    // A system without `script` has no terminal to lend.
    let Ok(output) = script.stdin(std::process::Stdio::null()).output() else { return };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("evil \\u001b]52;c;cm0=\\u0007\\u202e é,"), "{text:?}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
