//! Inside a module, no two files import each other, directly or in a circle of several: what a file needs can then be read
//! without reading what needs it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::architecture::{Source, sources};

/// Pairs of files that form one idea: the first may import the second although the second imports the first.
const PAIRS: [(&str, &str); 0] = [];

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files: Vec<Source> = sources("src").into_iter().filter(|file| !is_of_tests(file)).collect();
    let circles = circles(&files);
    let told: Vec<String> = circles.iter().map(|circle| format!("  {}", circle.join("\n    -> "))).collect();
    assert!(circles.is_empty(), "these files import each other in circles:\n{}", told.join("\n"));
}

#[test]
fn a_circle_is_found_and_named() {
    let file = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let files = [
        file("src/data/mod.rs", "pub mod read;\npub mod table;\npub use read::decode::decode;"),
        file("src/data/read/mod.rs", "mod decode;\nuse self::decode::decode;"),
        file("src/data/read/decode.rs", "use crate::data::{card, table::Table};"),
        file(
            "src/data/table.rs",
            "use super::read::Records;\n#[cfg(test)]\nmod tests { use super::super::card::X; }",
        ),
        file("src/data/card.rs", "fn f() -> super::table::Table { todo() }"),
    ];
    let found = circles(&files);
    let [circle] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        *circle,
        ["src/data/read/mod.rs", "src/data/read/decode.rs", "src/data/table.rs", "src/data/read/mod.rs"]
    );
}

fn is_of_tests(file: &Source) -> bool {
    file.name.ends_with("tests.rs")
}

/// The shortest circle through each group of files that reach one another, each as the names along it.
fn circles(files: &[Source]) -> Vec<Vec<String>> {
    let modules: BTreeMap<Vec<String>, usize> =
        files.iter().enumerate().map(|(index, file)| (file.own_path(), index)).collect();
    let imports: Vec<BTreeSet<usize>> = files.iter().map(|file| imports(file, &modules, files)).collect();
    let mut known: BTreeSet<usize> = BTreeSet::new();
    let mut found = Vec::new();
    for start in 0..files.len() {
        if known.contains(&start) {
            continue;
        }
        if let Some(circle) = shortest_circle(start, &imports) {
            known.extend(&circle);
            found.push(circle.into_iter().map(|index| files[index].name.clone()).collect());
        }
    }
    found
}

/// Files of the same module that a file names outside its tests.
fn imports(file: &Source, modules: &BTreeMap<Vec<String>, usize>, files: &[Source]) -> BTreeSet<usize> {
    let own = file.own_path();
    let code = file.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = Source { name: file.name.clone(), text: without_visibility(code) };
    let mut found = BTreeSet::new();
    for (_, path) in code.paths() {
        let child = |path: &[String]| [own.as_slice(), path].concat();
        let path = match path.first().map(String::as_str) {
            Some("crate") => path,
            Some("self") => child(&path[1..]),
            Some(_) if path.len() > 1 && modules.contains_key(&child(&path[..1])) => child(&path),
            _ => continue,
        };
        let longest = (2..=path.len()).rev().find_map(|length| modules.get(&path[..length]));
        let Some(index) = longest.copied() else { continue };
        let other = &files[index];
        let is_pair = PAIRS.contains(&(file.name.as_str(), other.name.as_str()));
        if other.name != file.name && other.module() == file.module() && !is_pair {
            found.insert(index);
        }
    }
    found
}

/// Without `(super)` and `(in ...)` behind `pub`, which name a module and import nothing.
fn without_visibility(code: &str) -> String {
    let mut parts = code.split("pub(");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "pub " + part.split_once(')').map_or("", |(_, rest)| rest))
}

fn shortest_circle(start: usize, imports: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in &imports[file] {
            if *next == start {
                let mut circle = vec![start];
                let mut at = file;
                while at != start {
                    circle.push(at);
                    at = from[&at];
                }
                circle.push(start);
                circle.reverse();
                return Some(circle);
            }
            if !from.contains_key(next) {
                from.insert(*next, file);
                queue.push_back(*next);
            }
        }
    }
    None
}
