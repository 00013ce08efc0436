//! Any table that is written reads back the same in every format, and whatever the bytes, no reader panics.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use frostline::data::card::describe::{describe, refused};
use frostline::data::error::DataError;
use frostline::data::read::overrides::{FormatName, Overrides};
use frostline::data::read::{OnProblem, ReadOptions, read_table};
use frostline::data::table::{Quoting, Table};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Rows of cells; `None` where a row has none, in formats that can say so.
type Rows = Vec<Vec<Option<String>>>;

const NAMES: [&str; 3] = ["text", "label", "topic"];

/// A cell as people and programs write them: delimiters, quotes, line ends, other scripts.
fn cell() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9 ]{0,8}",
        2 => "[,;|\t\"'\r\n\\\\{}#]{1,3}",
        1 => any::<char>().prop_filter("not a mark", |c| *c != '\u{feff}').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn rows() -> impl Strategy<Value = Rows> {
    (1_usize..4).prop_flat_map(|width| {
        prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, cell()), width), 1..12)
    })
}

fn read(name: &str, bytes: &[u8], overrides: Overrides) -> Result<Table, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read_table(&path, &ReadOptions { on_problem: OnProblem::Skip, overrides }, &|_, _| true)
}

fn cells(table: &Table) -> Rows {
    let cell = |row: usize| table.columns.iter().map(move |column| column.cells.get(row).map(str::to_owned));
    (0..table.rows()).map(|row| cell(row).collect()).collect()
}

/// The same rows where what is absent is written as nothing.
fn filled(rows: &Rows) -> Rows {
    rows.iter().map(|row| row.iter().map(|cell| Some(cell.clone().unwrap_or_default())).collect()).collect()
}

fn delimited(rows: &Rows, delimiter: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    writer.write_record(&NAMES[..rows[0].len()]).unwrap();
    for row in rows {
        writer.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or_default())).unwrap();
    }
    writer.into_inner().unwrap()
}

fn objects(rows: &Rows) -> Vec<Value> {
    let object = |row: &Vec<Option<String>>| {
        let fields = NAMES.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.clone().into()));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    rows.iter().map(object).collect()
}

fn parquet_of(rows: &Rows, per_group: usize) -> Vec<u8> {
    let field = |name: &&str| format!("optional binary {name} (UTF8);");
    let fields = NAMES[..rows[0].len()].iter().map(field).collect::<Vec<_>>().concat();
    let schema = Arc::new(parse_message_type(&format!("message schema {{ {fields} }}")).unwrap());
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).unwrap();
    for group in rows.chunks(per_group) {
        let mut groups = writer.next_row_group().unwrap();
        for column in 0..rows[0].len() {
            let mut out = groups.next_column().unwrap().unwrap();
            let levels: Vec<i16> = group.iter().map(|row| i16::from(row[column].is_some())).collect();
            let values: Vec<ByteArray> =
                group.iter().filter_map(|row| row[column].as_deref().map(ByteArray::from)).collect();
            out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            out.close().unwrap();
        }
        groups.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn as_delimited(delimiter: u8) -> Overrides {
    Overrides {
        delimiter: Some(delimiter),
        quoting: Some(Quoting::Doubled),
        header: Some(true),
        ..Overrides::default()
    }
}

/// Nothing panics, and what is read is a table: its columns as long as it has rows, and it can be described.
fn is_sound(path: &Path, outcome: Result<Table, DataError>) {
    match outcome {
        Ok(table) => {
            assert!(table.columns.iter().all(|column| column.cells.len() == table.rows()), "{table:?}");
            assert!(describe(vec![table], None).object.is_object());
        }
        Err(error) => assert!(refused(path, &error)["error"].as_str().is_some_and(|said| !said.is_empty())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn delimited_text_reads_back(rows in rows(), place in 0_usize..4, gzip: bool) {
        let delimiter = b",;\t|"[place];
        let body = delimited(&rows, delimiter);
        let (name, body) = if gzip { ("a.csv.gz", packed(&body)) } else { ("a.csv", body) };
        let table = read(name, &body, as_delimited(delimiter)).unwrap();
        prop_assert_eq!(cells(&table), filled(&rows));
        prop_assert_eq!(table.column_names(), &NAMES[..rows[0].len()]);
    }

    #[test]
    fn other_encodings_read_back(rows in rows(), big: bool) {
        let text = String::from_utf8(delimited(&rows, b',')).unwrap();
        let to_bytes = if big { u16::to_be_bytes } else { u16::to_le_bytes };
        let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect();
        let table = read("a.csv", &wide, as_delimited(b',')).unwrap();
        prop_assert_eq!(cells(&table), filled(&rows));
        let marked = format!("\u{feff}{text}");
        let table = read("a.csv", marked.as_bytes(), as_delimited(b',')).unwrap();
        prop_assert_eq!(cells(&table), filled(&rows));
    }

    #[test]
    fn json_reads_back(rows in rows()) {
        let objects = objects(&rows);
        let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
        let table = read("a.jsonl", lines.join("\n").as_bytes(), Overrides::default()).unwrap();
        prop_assert_eq!(cells(&table), rows.clone());
        let list = Value::Array(objects);
        for body in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
            let table = read("a.json", body.as_bytes(), Overrides::default()).unwrap();
            prop_assert_eq!(cells(&table), rows.clone());
        }
    }

    #[test]
    fn parquet_reads_back(rows in rows(), per_group in 1_usize..12) {
        let body = parquet_of(&rows, per_group);
        let table = read("train-00000-of-00001.parquet", &body, Overrides::default()).unwrap();
        prop_assert_eq!(cells(&table), rows.clone());
        prop_assert_eq!(table.column_names(), &NAMES[..rows[0].len()]);
    }

    #[test]
    fn conll_reads_back(
        sentences in prop::collection::vec(
            prop::collection::vec(("[a-zA-Z\u{e9}\u{4e2d}.,!?#-]{1,8}", "(O|[BI]-(PER|LOC))"), 1..8),
            1..10,
        ),
        tabs: bool, crlf: bool, final_newline: bool,
    ) {
        let (blank, end) = (if tabs { "\t" } else { " " }, if crlf { "\r\n" } else { "\n" });
        // What opens a document, or looks like a comment, is another thing.
        let word = |word: &str| word.replace("-DOCSTART-", "x").replace('#', "x");
        let lines = |sentence: &Vec<(String, String)>| -> String {
            let line = |(text, tag): &(String, String)| format!("{}{blank}{tag}{end}", word(text));
            sentence.iter().map(line).collect::<Vec<_>>().concat()
        };
        let mut body = sentences.iter().map(lines).collect::<Vec<_>>().join(end);
        if !final_newline {
            body.truncate(body.trim_end().len());
        }
        let table = read("a.conll", body.as_bytes(), Overrides::default()).unwrap();
        let expected: Rows = sentences.iter().map(|sentence| {
            let words: Vec<String> = sentence.iter().map(|(text, _)| word(text)).collect();
            let tags: Vec<&String> = sentence.iter().map(|(_, tag)| tag).collect();
            vec![serde_json::to_string(&words).ok(), serde_json::to_string(&tags).ok()]
        }).collect();
        prop_assert_eq!(cells(&table), expected, "{:?}", body);
    }

    #[test]
    fn arbitrary_bytes_panic_in_no_parser(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        ending in prop::sample::select(vec!["csv", "tsv", "jsonl", "json", "conll", "conllu", "parquet", "txt", "gz", ""]),
    ) {
        let name = format!("a.{ending}");
        is_sound(Path::new(&name), read(&name, &bytes, Overrides::default()));
        is_sound(Path::new(&name), read(&name, &packed(&bytes), Overrides::default()));
    }

    #[test]
    fn bytes_that_look_like_data_panic_in_no_parser(
        text in "[a1\",;|\t\r\n\\\\{}:\\[\\]#' \u{feff}\u{e9}BIO-]{0,160}",
        format in prop::option::of(prop::sample::select(FormatName::ALL.to_vec())),
        encoding in prop::option::of(prop::sample::select(vec!["utf-16", "cp1252", "utf-32", "nonsense"])),
    ) {
        let overrides = Overrides { format, encoding: encoding.map(str::to_owned), ..Overrides::default() };
        is_sound(Path::new("a"), read("a", text.as_bytes(), overrides));
    }

    #[test]
    fn damaged_parquet_is_told(rows in rows(), at in any::<prop::sample::Index>(), to: u8, cut: bool) {
        let mut body = parquet_of(&rows, 5);
        let at = at.index(body.len());
        if cut { body.truncate(at) } else { body[at] = to }
        is_sound(Path::new("a.parquet"), read("a.parquet", &body, Overrides::default()));
    }
}
