//! Inside a module, no two files import each other, directly or in a circle of several: what a file needs can then be read
//! without reading what needs it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::architecture::{Source, sources};

/// Pairs of files that form one idea: the first may import the second although the second imports the first.
const PAIRS: [(&str, &str); 0] = [];

/// Files in circles that are still to be taken apart, by module. A number may only get smaller, and a module without one
/// has none.
const OPEN: [(&str, usize); 4] = [("data", 35), ("model", 28), ("session", 15), ("ui", 12)];

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files: Vec<Source> = sources("src").into_iter().filter(|file| !is_of_tests(file)).collect();
    let circles = circles(&files);
    let of = |file: &Source| file.module().unwrap_or_default().to_owned();
    let mut counts: BTreeMap<String, usize> = OPEN.map(|(module, _)| (module.to_owned(), 0)).into();
    for (file, _) in &circles {
        *counts.entry(of(file)).or_default() += 1;
    }
    let open: BTreeMap<String, usize> = OPEN.map(|(module, count)| (module.to_owned(), count)).into();
    let wrong: Vec<&String> =
        counts.keys().filter(|module| counts.get(*module) != open.get(*module)).collect();
    let of_wrong = circles.iter().filter(|(file, _)| wrong.contains(&&of(file)));
    let lines: Vec<String> = of_wrong.map(|(_, circle)| format!("  {}", circle.join("\n    -> "))).collect();
    assert!(
        wrong.is_empty(),
        "files import each other in circles: {counts:?}, and {open:?} are known:\n{}",
        lines.join("\n")
    );
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
    assert_eq!(found.len(), 4, "all but the root of the module");
    let (_, circle) = found.iter().find(|(file, _)| file.name == "src/data/read/mod.rs").unwrap();
    assert_eq!(
        *circle,
        ["src/data/read/mod.rs", "src/data/read/decode.rs", "src/data/table.rs", "src/data/read/mod.rs"]
    );
}

fn is_of_tests(file: &Source) -> bool {
    file.name.ends_with("tests.rs")
}

/// Each file that is in a circle, with the shortest one through it as the names along it.
fn circles(files: &[Source]) -> Vec<(&Source, Vec<String>)> {
    let modules: BTreeMap<Vec<String>, usize> =
        files.iter().enumerate().map(|(index, file)| (file.own_path(), index)).collect();
    let imports: Vec<BTreeSet<usize>> = files.iter().map(|file| imports(file, &modules, files)).collect();
    let named = |circle: Vec<usize>| circle.into_iter().map(|index| files[index].name.clone()).collect();
    let through = |(start, file)| Some((file, named(shortest_circle(start, &imports)?)));
    files.iter().enumerate().filter_map(through).collect()
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
