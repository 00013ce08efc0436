//! Real and awkward files, from the disk to the data set.
//!
//! The pack of awkward files lies beside the repository, not in it; where it is absent the tests that read it
//! are skipped. The traps themselves are tested in small beside the readers.

use crate::support::skip;
use std::path::{Path, PathBuf};

use frostline::data::assemble::assemble;
use frostline::data::card::DataCard;
use frostline::data::dataset::{Dataset, Split};
use frostline::data::error::DataError;
use frostline::data::mapping::{Mapping, guess};
use frostline::data::read::folder::expand;
use frostline::data::read::{OnProblem, ReadOptions, read_table};
use frostline::data::split::{SplitRule, split_of_name};
use frostline::data::table::{Format, Table};
use frostline::data::task::TaskKind;
use serde_json::Value;

const RULE: SplitRule = SplitRule { valid: 0.1, test: 0.2, seed: 1 };

fn read(path: &Path, on_problem: OnProblem) -> Result<Table, DataError> {
    read_table(path, &ReadOptions { on_problem, ..ReadOptions::default() }, &|_, _| true)
}

fn folder(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.is_dir() {
        return Some(path);
    }
    skip::skip(&format!("{} is not there", path.display()));
    None
}

/// A file of the awkward pack, bad rows skipped, or `None` where the pack is absent.
fn awkward(name: &str) -> Option<Table> {
    let table = read(&folder("awkward")?.join(name), OnProblem::Skip);
    Some(table.unwrap_or_else(|error| panic!("{error}")))
}

/// All rows of a table as training rows.
fn all_in_train(table: Table) -> (Dataset, Mapping, String) {
    assemble(&[(table, Some(Split::Train))], None, &SplitRule { valid: 0.0, test: 0.0, seed: 0 })
        .unwrap_or_else(|error| panic!("{error}"))
}

fn task_names(mapping: &Mapping) -> Vec<&str> {
    mapping.tasks.iter().map(|task| task.column.as_str()).collect()
}

#[test]
fn every_awkward_file_is_understood_as_recorded() {
    let Some(pack) = folder("awkward") else { return };
    let recorded: Value =
        serde_json::from_slice(&std::fs::read(pack.join("expected.json")).expect("the record"))
            .expect("JSON");
    let mut seen = 0;
    for (name, expected) in recorded.as_object().expect("an object") {
        let path = pack.join(name);
        let kind = path.extension().and_then(|e| e.to_str());
        if !matches!(kind, Some("csv" | "jsonl")) {
            continue;
        }
        seen += 1;
        let records = expected.get("records").and_then(Value::as_u64);
        let table = match read(&path, OnProblem::Skip) {
            Ok(table) => table,
            Err(error) => {
                assert_eq!(records, Some(0), "{name} must be readable: {error}");
                assert!(
                    matches!(error, DataError::Empty { .. } | DataError::HeaderOnly { .. }),
                    "{name}: {error}"
                );
                continue;
            }
        };
        if let Some(encoding) = expected.get("encoding") {
            assert_eq!(table.facts.encoding, *encoding, "{name}");
        }
        if let (Some(delimiter), Format::Delimited { delimiter: found, .. }) =
            (expected.get("delimiter").and_then(Value::as_str), table.facts.format)
        {
            assert_eq!(delimiter.as_bytes(), [found], "{name}");
        }
        if let Some(columns) = expected.get("columns") {
            assert_eq!(serde_json::json!(table.column_names()), *columns, "{name}");
            assert!(table.facts.has_header, "{name}");
        }
        if let Some(records) = records {
            assert_eq!((table.rows() + table.problems.len()) as u64, records, "{name}");
        }
        if let Some(first) = expected.get("first_text").and_then(Value::as_str) {
            assert_eq!(table.columns[0].cells.get(0), Some(first), "{name}");
        }
        let bad_lines: Vec<u64> = table.problems.iter().map(|problem| problem.line).collect();
        let expected_bad =
            expected.get("bad_physical_lines").cloned().unwrap_or_else(|| serde_json::json!([]));
        if name != "12_ragged.csv" {
            assert_eq!(serde_json::json!(bad_lines), expected_bad, "{name}");
        }
        if let Some(usable) = expected.get("usable").and_then(Value::as_u64)
            && table.column("text").is_some()
        {
            let (dataset, _, _) = all_in_train(table);
            // The pack counts rows with text and label.
            let labelled = |row: &usize| dataset.is_labelled(*row);
            assert_eq!((0..dataset.rows()).filter(labelled).count() as u64, usable, "{name}");
        }
    }
    assert!(seen >= 25, "only {seen} files were looked at");
}

#[test]
fn awkward_bad_rows_stop_the_reading_unless_allowed() {
    let Some(table) = awkward("12_ragged.csv") else { return };
    assert_eq!((table.rows(), table.problems.len()), (56, 4));
    let error = read(&table.facts.path, OnProblem::Stop).expect_err("bad rows");
    let message = error.to_string();
    assert!(message.contains("4 of 60 rows cannot be read") && message.contains("expected 3"), "{message}");
}

#[test]
fn awkward_lines_are_those_of_an_editor() {
    let Some(table) = awkward("06_embedded_newlines.csv") else { return };
    let body = std::fs::read_to_string(&table.facts.path).expect("UTF-8");
    let physical: Vec<&str> = body.split('\n').collect();
    let texts = &table.column("text").expect("text").cells;
    for (row, line) in table.lines.iter().enumerate() {
        let start: String = texts.get(row).expect("a text").chars().take(12).collect();
        let there = physical[*line as usize - 1].trim_start_matches('"');
        assert!(
            there.starts_with(start.lines().next().unwrap_or_default()),
            "row {row}, line {line}: {there}"
        );
    }
    assert!(texts.iter().flatten().any(|text| text.contains("\r\n\r\n")), "line ends inside cells are kept");
}

#[test]
fn awkward_labels_are_mapped_and_counted() {
    let Some(table) = awkward("10_missing_labels.csv") else { return };
    let (dataset, mapping, _) = all_in_train(table);
    assert_eq!(task_names(&mapping), ["department", "sentiment"]);
    let card = DataCard::of(&dataset);
    assert_eq!((card.tasks[0].missing[0], card.tasks[1].missing[0]), (12, 9));
    assert!(card.findings.iter().any(|f| f.text.starts_with("2 training rows without a label")));

    let (dataset, _, note) = all_in_train(awkward("11_na_markers.csv").expect("the pack"));
    assert_eq!((0..dataset.rows()).filter(|row| !dataset.tasks[0].is_labelled(*row)).count(), 6);
    assert!(note.contains("5 label cells are read as no label"), "{note}");

    let (dataset, mapping, _) = all_in_train(awkward("25_numeric_labels.csv").expect("the pack"));
    assert_eq!(task_names(&mapping), ["sentiment", "stars"]);
    assert_eq!(dataset.tasks[1].classes, ["1", "2", "3", "4", "5"]);

    let (dataset, mapping, _) = all_in_train(awkward("26_jsonl.jsonl").expect("the pack"));
    assert_eq!(task_names(&mapping), ["department", "sentiment"]);
    assert_eq!(DataCard::of(&dataset).tasks[1].missing[0], 10);

    let (_, mapping, _) = all_in_train(awkward("30_header_spaces_case.csv").expect("the pack"));
    assert_eq!((mapping.text.as_str(), task_names(&mapping)), ("Text", vec!["DEPARTMENT", "Sentiment"]));

    let (dataset, mapping, _) = all_in_train(awkward("17_no_header.csv").expect("the pack"));
    assert_eq!((mapping.text.as_str(), task_names(&mapping)), ("column 1", vec!["column 2"]));
    assert_eq!(dataset.text(0), "Can I get the movie times");
}

#[test]
fn awkward_findings_are_on_the_card() {
    let Some(table) = awkward("14_duplicates_conflicts.csv") else { return };
    let card = DataCard::of(&all_in_train(table).0);
    let says =
        |card: &DataCard, words: &str| card.findings.iter().any(|finding| finding.text.contains(words));
    // Ten were planted, and the sentences that they were planted among hold one pair by themselves.
    assert!(says(&card, "11 training rows repeat an earlier one"), "{:#?}", card.findings);
    assert!(says(&card, "10 texts carry different labels"), "{:#?}", card.findings);

    let card = DataCard::of(&all_in_train(awkward("21_one_class.csv").expect("the pack")).0);
    assert!(says(&card, "one class only, \"PlayMusic\""), "{:#?}", card.findings);

    let card = DataCard::of(&all_in_train(awkward("22_singleton_class.csv").expect("the pack")).0);
    assert!(says(&card, "class \"Volume\" has a single training row"), "{:#?}", card.findings);

    let (train, test) = ("23a_train_without_one_label.csv", "23b_test_with_unseen_label.csv");
    let both = [train, test].map(|name| (awkward(name).expect("the pack"), None));
    let (dataset, _, _) = assemble(&both, None, &RULE).expect("a data set");
    assert_eq!(dataset.rows_of(Split::Test).len(), 60, "the names of the files are understood");
    assert!(says(&DataCard::of(&dataset), "\"AddToPlaylist\" occurs in validation or test only"));
}

/// Tables of a data set of the pack, in the order of the splits.
fn three_files(name: &str) -> Option<Vec<(Table, Option<Split>)>> {
    let folder = folder(name)?;
    let open =
        |file: &str| read(&folder.join(file), OnProblem::Stop).unwrap_or_else(|error| panic!("{error}"));
    Some(["train.csv", "valid.csv", "test.csv"].into_iter().map(|file| (open(file), None)).collect())
}

#[test]
fn published_data_sets_are_mapped_and_split() {
    type Expected<'a> = (&'a str, &'a [&'a str], &'a [usize], [usize; 3]);
    let cases: [Expected; 3] = [
        ("sentiment_sentences", &["domain", "sentiment"], &[3, 2], [2085, 297, 596]),
        ("clinc150", &["domain", "intent"], &[11, 151], [15100, 3100, 5500]),
        ("snips", &["intent"], &[7], [13084, 700, 700]),
    ];
    for (name, tasks, classes, rows) in cases {
        let Some(tables) = three_files(name) else { return };
        let (dataset, mapping, _) = assemble(&tables, None, &RULE).expect("a data set");
        assert_eq!((mapping.text.as_str(), task_names(&mapping)), ("text", tasks.to_vec()), "{name}");
        let counts: Vec<usize> = dataset.tasks.iter().map(|task| task.classes.len()).collect();
        assert_eq!(counts, classes, "{name}");
        assert_eq!(DataCard::of(&dataset).rows, rows, "{name}");
    }
}

#[test]
fn published_words_and_pairs_are_mapped() {
    type Expected<'a> = (&'a str, &'a [&'a str], TaskKind, usize, [usize; 3]);
    let cases: [Expected; 3] = [
        (
            "snips",
            &["train.conll", "valid.conll", "test.conll"],
            TaskKind::TokenLabels,
            72,
            [13084, 700, 700],
        ),
        (
            "wnut17",
            &["train.conll", "valid.conll", "test.conll"],
            TaskKind::TokenLabels,
            13,
            [3394, 1009, 1287],
        ),
        ("stsb", &["train.csv", "valid.csv"], TaskKind::Similarity, 0, [5749, 1500, 0]),
    ];
    for (name, files, kind, classes, rows) in cases {
        let Some(folder) = folder(name) else { return };
        let open = |file: &&str| (read(&folder.join(file), OnProblem::Stop).expect("a table"), None);
        let tables: Vec<(Table, Option<Split>)> = files.iter().map(open).collect();
        let (dataset, mapping, _) = assemble(&tables, None, &RULE).expect("a data set");
        let [task] = dataset.tasks.as_slice() else { panic!("{name}: {mapping:?}") };
        assert_eq!((task.kind, task.classes.len()), (kind, classes), "{name}");
        assert_eq!(mapping.second.is_some(), kind == TaskKind::Similarity, "{name}");
        assert_eq!(DataCard::of(&dataset).rows, rows, "{name}");
        assert!((0..dataset.rows()).all(|row| dataset.is_labelled(row)), "{name}");
    }
}

/// A whole folder is its tables, in order, shards and packed ones among them.
#[test]
fn a_folder_of_shards_is_one_data_set() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    for shard in 0..3 {
        let rows: Vec<String> =
            (0..10).map(|row| format!("text {shard} {row},{}\n", ["x", "y"][row % 2])).collect();
        let rows = rows.concat();
        let path = data.join(format!("train-{shard:05}-of-00003.csv"));
        std::fs::write(path, format!("text,label\n{rows}")).expect("written");
    }
    let lines = "{\"text\": \"one\", \"label\": \"x\"}\n{\"text\": \"two\", \"label\": \"y\"}\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, lines.as_bytes()).expect("to memory");
    std::fs::write(data.join("test.jsonl.gz"), packer.finish().expect("to memory")).expect("written");
    let files = expand(dir.path()).expect("tables");
    let tables: Vec<_> =
        files.iter().map(|file| (read(file, OnProblem::Stop).expect("a table"), None)).collect();
    let (dataset, mapping, _) = assemble(&tables, None, &RULE).expect("a data set");
    assert_eq!((files.len(), task_names(&mapping)), (4, vec!["label"]));
    // A tenth of the rows that may train is drawn for validation; test rows are given.
    assert_eq!(DataCard::of(&dataset).rows, [27, 3, 2]);
}

/// Whoever stops a reading waits for what its threads have in hand and for nothing else: `data/read/progress.rs` shows that
/// each of them ends with the piece that it is at.
#[test]
fn a_reading_is_stopped_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("big.csv");
    let row = |i: usize| format!("\"a text of some length, number {i}\",x\n");
    let rows = (0..600_000).map(row).collect::<Vec<_>>().concat();
    std::fs::write(&path, format!("text,label\n{rows}")).expect("written");
    let calls = std::sync::Mutex::new(Vec::new());
    let outcome = read_table(&path, &ReadOptions::default(), &|done, total| {
        calls.lock().expect("no panic").push((done, total));
        false
    });
    assert!(matches!(outcome, Err(DataError::Cancelled)));
    let calls = calls.into_inner().expect("no panic");
    assert_eq!(calls.len(), 1, "it is asked once, and never again");
    let (done, total) = calls[0];
    assert!(0 < done && done < total / 4, "asked after {done} of {total} bytes");
}

#[test]
fn a_file_on_disk_goes_all_the_way() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("reviews_train.tsv");
    let body: Vec<String> =
        (0..50).map(|i| format!("review number {i}\t{}", ["good", "bad"][i % 2])).collect();
    std::fs::write(&path, format!("review\tmood\n{}\n", body.join("\n"))).expect("written");
    assert_eq!(split_of_name(&path), Some(Split::Train));

    let calls = std::sync::Mutex::new(Vec::new());
    let table = read_table(&path, &ReadOptions::default(), &|done, total| {
        calls.lock().expect("no panic").push((done, total));
        true
    })
    .expect("a table");
    let size = std::fs::metadata(&path).expect("its size").len();
    assert_eq!(calls.lock().expect("no panic").last(), Some(&(size, size)), "progress ends at the end");
    assert_eq!(guess(std::slice::from_ref(&table)).text, "review");
    let (dataset, _, _) = assemble(&[(table, None)], None, &RULE).expect("a data set");
    assert_eq!(DataCard::of(&dataset).rows, [35, 5, 10]);
    assert_eq!(dataset.files, [path]);
}

/// A yardstick, not a gate: machines differ. `cargo test --release --test data_files -- --ignored --nocapture`.
#[test]
#[ignore = "takes the time of the machine it runs on; prints megabytes per second"]
fn speed_of_reading() {
    let dir = tempfile::tempdir().expect("a folder");
    let text =
        "The parcel came two days late, and the box was torn open at one side; nobody answered my letter";
    let csv: Vec<String> = (0..1_500_000).map(|i| format!("\"{text} {i}\",delivery,negative")).collect();
    let csv = format!("text,topic,sentiment\n{}\n", csv.join("\n"));
    let object =
        |i: usize| serde_json::json!({"text": format!("{text} {i}"), "topic": "delivery", "mood": "bad"});
    let json = (0..1_000_000).map(|i| object(i).to_string()).collect::<Vec<_>>().join("\n");
    for (name, body) in [("big.csv", csv), ("big.jsonl", json)] {
        let path = dir.path().join(name);
        std::fs::write(&path, &body).expect("written");
        let start = std::time::Instant::now();
        let table = read(&path, OnProblem::Stop).expect("a table");
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{name}: {} rows, {:.0} MB/s", table.rows(), body.len() as f64 / 1e6 / seconds);
        let start = std::time::Instant::now();
        let (dataset, _, note) = assemble(&[(table, None)], None, &RULE).expect("a data set");
        eprintln!("{name}: data set in {:.2} s: {note}", start.elapsed().as_secs_f64());
        let start = std::time::Instant::now();
        let card = DataCard::of(&dataset);
        eprintln!("{name}: card in {:.2} s: {:?}", start.elapsed().as_secs_f64(), card.rows);
    }
}
