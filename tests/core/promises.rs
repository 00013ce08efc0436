//! `docs/security.md` says what is promised about files from others, and names the tests that keep it. Here: that those
//! are there, and the promise that is about the source itself.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders, with its text.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}

/// What is written between backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// Names of tests are sentences; no other name on the page has as many words.
fn is_test(name: &str) -> bool {
    name.matches('_').count() >= 3
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether a file has a test of this name: a function below an attribute that makes it one, or in `proptest!`.
fn is_test_of(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let attributes = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
    attributes.contains("#[test]")
}

#[test]
fn every_promise_is_kept_by_a_test_that_is_there() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let sources = sources(&["src", "tests", "packaging/xtask/src"]);
    let is_there = |name: &str| sources.iter().any(|(_, text)| is_test_of(text, name));
    let missing: Vec<&str> = quoted(&page).filter(|name| is_test(name) && !is_there(name)).collect();
    assert!(missing.is_empty(), "docs/security.md names tests that are not there: {missing:#?}");
    let promises: Vec<&str> = page.lines().filter(|line| line.starts_with("| **")).collect();
    assert!(promises.len() > 10, "{promises:#?}");
    for promise in promises {
        assert!(quoted(promise).any(is_test), "no test is named for this promise: {promise}");
    }
    for path in quoted(&page).filter(|name| name.starts_with("tests/") || name.starts_with("packaging/")) {
        assert!(root().join(path).exists(), "docs/security.md names {path}");
    }
}

#[test]
fn libtorch_has_one_version() {
    let version = frostline::model::cuda::LIBTORCH_VERSION;
    for (file, text) in [
        ("packaging/xtask/src/package.rs", format!("LIBTORCH_VERSION: &str = \"{version}\"")),
        ("packaging/xtask/src/setup.rs", format!("libtorch-{version}")),
        ("packaging/xtask/src/platform.rs", format!("libtorch {version}")),
        ("packaging/pins/linux-x86_64.txt", format!("torch=={version} ")),
        ("packaging/pins/windows-x86_64.txt", format!("torch=={version} ")),
        ("docs/security.md", format!("libtorch {version}")),
    ] {
        let page = fs::read_to_string(root().join(file)).unwrap();
        assert!(page.contains(&text), "{file} has no `{text}`");
    }
}

#[test]
fn only_the_hub_knows_of_networks() {
    let hub = root().join("src/hub");
    let wrong: Vec<PathBuf> = sources(&["src"])
        .into_iter()
        .filter(|(path, text)| {
            let names = ["ureq", "std::net", "TcpStream", "TcpListener", "UdpSocket"];
            !path.starts_with(&hub) && names.iter().any(|name| text.contains(name))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "only `hub` makes requests, and only for a model by its name: {wrong:#?}");
}
