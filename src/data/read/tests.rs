use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::data::column::StrColumn;
use crate::data::table::{Column, Quoting, RowProblem};

fn read(name: &str, bytes: &[u8]) -> Table {
    table_in_memory(name, bytes).expect("a readable table")
}

fn rows(table: &Table) -> Vec<Vec<Option<&str>>> {
    (0..table.rows()).map(|row| table.columns.iter().map(|column| column.cells.get(row)).collect()).collect()
}

fn cells(table: &Table, column: &str) -> Vec<String> {
    let column = table.column(column).expect("the column");
    column.cells.iter().map(|cell| cell.expect("a cell").to_owned()).collect()
}

fn stop(name: &str, bytes: &[u8]) -> String {
    let raw = RawBytes::Owned(bytes.to_vec());
    let error = table_of(Path::new(name), raw, &ReadOptions::default(), &|_, _| true).expect_err("refused");
    error.to_string()
}

#[test]
fn quoted_newlines_keep_the_line_that_a_record_starts_at() {
    let table = read("a.csv", b"text,label\n\"one\r\n\r\ntwo\",x\nthree,y\n\n\n\"fo\nur\",x\n");
    assert_eq!(cells(&table, "text"), ["one\r\n\r\ntwo", "three", "fo\nur"]);
    assert_eq!(table.lines, [2, 5, 8]);
    assert_eq!(table.problems, []);
}

#[test]
fn doubled_quotes_and_formulas_are_text() {
    let table = read("a.csv", b"text,label\n\"She said \"\"hi\"\" twice\",x\n=SUM(A1),y\n+1 and @you,y\n");
    assert_eq!(cells(&table, "text"), ["She said \"hi\" twice", "=SUM(A1)", "+1 and @you"]);
}

#[test]
fn ragged_rows_are_told_and_left_out() {
    let body = b"text,topic,mood\na,b,c\nshort,b\nlong,b,c,d\nlonger,b,,,\ne,f,g\n";
    let table = read("a.csv", body);
    assert_eq!(cells(&table, "text"), ["a", "e"]);
    let problems: Vec<_> = table.problems.iter().map(|p| (p.line, p.reason.as_str())).collect();
    assert_eq!(
        problems,
        [(3, "has 2 cells, expected 3"), (4, "has 4 cells, expected 3"), (5, "has 5 cells, expected 3"),]
    );
    let message = stop("a.csv", body);
    assert!(message.starts_with("a.csv: 3 of 5 rows cannot be read: line 3 has 2 cells"), "{message}");
    assert!(message.ends_with("or allow bad rows to be skipped"), "{message}");
}

#[test]
fn many_problems_are_counted_and_the_first_few_named() {
    let mut body = "text,label\n".to_owned();
    for row in 0..20 {
        body += if row % 2 == 0 { "good,x\n" } else { "bad\n" };
    }
    let message = stop("a.csv", body.as_bytes());
    assert!(message.contains("10 of 20 rows") && message.contains("line 9 has 1 cell"), "{message}");
    assert!(!message.contains("line 11") && message.contains("and 6 more"), "{message}");
}

#[test]
fn an_open_quote_costs_its_own_line_only() {
    let table = read("a.csv", b"text,label\none,x\n\"two,y\nthree,x\nfour,y\nfive,x\n");
    assert_eq!(cells(&table, "text"), ["one", "three", "four", "five"]);
    assert_eq!(table.lines, [2, 4, 5, 6]);
    let problem = RowProblem { line: 3, reason: "opens a quote that is not closed where a cell ends".into() };
    assert_eq!(table.problems, [problem]);
}

#[test]
fn an_open_quote_that_another_one_closes_costs_its_own_line_only() {
    let table = read("a.csv", b"text,label\none,x\n\"two,y\nthree,x\n\"four\",y\nfive,x\n");
    assert_eq!(cells(&table, "text"), ["one", "three", "four", "five"]);
    assert_eq!(table.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [3]);
    // Here the quotes are in order, and only the number of cells tells.
    let table = read("a.csv", b"text,label\none,x\n\"two,y\nthree\",x,x\nfive,x\n");
    assert_eq!(cells(&table, "text"), ["one", "five"]);
    assert_eq!(table.problems[0].line, 3);
    assert!(
        table.problems[0].reason.contains("runs on to line 4: is a quote left open?"),
        "{:?}",
        table.problems
    );
}

#[test]
fn blank_lines_are_no_records_but_empty_cells_are() {
    let table = read("a.csv", b"\n\ntext,label\na,x\n\n   \n,\n  ,x\n\nb,y\n");
    assert_eq!(cells(&table, "text"), ["a", "", "  ", "b"]);
    assert_eq!(table.lines, [4, 7, 8, 10]);
    assert_eq!(table.problems, []);
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_name() {
    let table = read("a.csv", "\u{feff}\"text\",label\r\na,x\r\nb,y\r\n".as_bytes());
    assert_eq!(table.column_names(), ["text", "label"]);
    assert_eq!((table.facts.encoding.as_str(), table.lines.as_slice()), ("utf-8-sig", &[2, 3][..]));
}

#[test]
fn line_ends_of_old_macs_are_line_ends() {
    let table = read("a.csv", b"text,label\ra,x\rb,y\r\rc,x\r");
    assert_eq!(cells(&table, "text"), ["a", "b", "c"]);
    assert_eq!(table.lines, [2, 3, 5]);
}

#[test]
fn unicode_line_separators_end_no_record() {
    let table = read("a.csv", "text,label\none\u{2028}two\u{85}three,x\nfour 👩‍👩‍👧,y\n".as_bytes());
    assert_eq!(cells(&table, "text"), ["one\u{2028}two\u{85}three", "four 👩‍👩‍👧"]);
}

#[test]
fn nul_bytes_stay_in_their_cell() {
    let table = read("a.csv", b"text,label\na\0b,x\nc,y\n");
    assert_eq!(cells(&table, "text"), ["a\0b", "c"]);
}

#[test]
fn a_stray_byte_spoils_its_row_only() {
    let table =
        read("a.csv", "text,label\nmüde Bären,x\nS,y\nschöne Grüße,x\n".replace('S', "\u{1}").as_bytes());
    assert_eq!(table.rows(), 3);
    let mut body = "text,label\nmüde Bären,x\nbad ? here,y\nschöne Grüße,x\n".as_bytes().to_vec();
    let at = body.iter().position(|byte| *byte == b'?').expect("the mark");
    body[at] = 0xff;
    let table = read("a.csv", &body);
    assert_eq!(cells(&table, "text"), ["müde Bären", "schöne Grüße"]);
    assert_eq!(
        table.problems,
        [RowProblem { line: 3, reason: "holds bytes that are not UTF-8, in cell 1".into() }]
    );
}

#[test]
fn without_a_header_the_first_row_is_a_row() {
    let table =
        read("a.csv", b"Is it raining there now?,weather\nplay me a song,music\nwill it snow,weather\n");
    assert!(!table.facts.has_header);
    assert_eq!(table.column_names(), ["column 1", "column 2"]);
    assert_eq!((table.rows(), table.lines[0]), (3, 1));
}

#[test]
fn names_are_trimmed_filled_and_told_apart() {
    let table = read("a.csv", b" Text ,,label,label\na,1,x,y\nb,2,y,x\n");
    assert_eq!(table.column_names(), ["Text", "column 2", "label", "label (2)"]);
}

#[test]
fn literal_quotes_in_tab_separated_text_stay() {
    let table = read("a.tsv", b"sentence\tlabel\n\"Hello\" he said\t1\n\"half open\t0\nplain\t1\n");
    assert_eq!(cells(&table, "sentence"), ["\"Hello\" he said", "\"half open", "plain"]);
    assert_eq!(table.facts.format, Format::Delimited { delimiter: b'\t', quoting: Quoting::Literal });
    let table = read("a.tsv", b"sentence\tlabel\n\"tab\there\"\t1\n\"two\nlines\"\t0\n");
    assert_eq!(cells(&table, "sentence"), ["tab\there", "two\nlines"]);
}

#[test]
fn plain_lines_are_one_column() {
    let table = read("notes.txt", b"Hello, world.\nNo comma.\nOne, two, three.\n");
    assert_eq!(cells(&table, "column 1"), ["Hello, world.", "No comma.", "One, two, three."]);
}

#[test]
fn what_the_user_says_overrules_what_was_found() {
    let body = b"text,label\na;b,c\n";
    let options = ReadOptions {
        overrides: Overrides { delimiter: Some(b';'), header: Some(false), ..Overrides::default() },
        on_problem: OnProblem::Skip,
    };
    let raw = RawBytes::Owned(body.to_vec());
    let table = table_of(Path::new("a.csv"), raw, &options, &|_, _| true).expect("a table");
    assert!(!table.facts.has_header);
    assert_eq!(table.rows() + table.problems.len(), 2);
}

#[test]
fn json_lines_hold_values_of_any_kind() {
    let body = r#"{"text": "a \u00e4 \"q\"", "n": 1.50, "tags": ["x", {"y": null}], "ok": true}

  {"n": -3, "extra": "late", "text": "b", "tags": null, "big": 18446744073709551615}
"#;
    let table = read("a.jsonl", body.as_bytes());
    assert_eq!(table.column_names(), ["text", "n", "tags", "ok", "extra", "big"]);
    assert_eq!(
        rows(&table),
        [
            vec![Some("a ä \"q\""), Some("1.5"), Some(r#"["x",{"y":null}]"#), Some("true"), None, None],
            vec![Some("b"), Some("-3"), None, None, Some("late"), Some("18446744073709551615")],
        ]
    );
    assert_eq!(table.lines, [1, 3]);
    assert_eq!(table.facts.format, Format::JsonLines);
}

#[test]
fn lines_that_are_no_objects_are_told() {
    let table = read("a.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"b\"\n[1]\n\xff\n{\"text\": \"c\"}");
    assert_eq!(cells(&table, "text"), ["a", "c"]);
    let reasons: Vec<_> = table.problems.iter().map(|p| (p.line, p.reason.as_str())).collect();
    assert_eq!(reasons[0].0, 2);
    assert!(
        reasons[0].1.starts_with("is not valid JSON: EOF while parsing an object at column"),
        "{reasons:?}"
    );
    assert_eq!(reasons[1], (3, "is not a JSON object"));
    assert_eq!(reasons[2].0, 4);
}

#[test]
fn files_without_rows_are_refused_in_clear_words() {
    assert!(stop("a.csv", b"").contains("a.csv is empty"));
    assert!(stop("a.csv", b" \n\r\n\t\n").contains("a.csv is empty"));
    assert!(stop("a.csv", b"\xef\xbb\xbf").contains("a.csv is empty"));
    assert!(stop("a.csv", b"text,intent\n").contains("holds a header (text, intent) and no row"));
    assert!(stop("a.jsonl", b"\n\n").contains("is empty"));
    let all_bad = table_in_memory("a.csv", b"text,label\njust one\nand another\n").expect_err("nothing left");
    assert!(all_bad.to_string().contains("none of its 2 rows can be read"), "{all_bad}");
}

#[test]
fn other_kinds_of_files_are_named() {
    assert!(stop("a.csv", b"PK\x03\x04\x14\0").contains("spreadsheet"));
    assert!(stop("a.csv", b"\x1f\x8b\x08\0\0").contains("gzip archive is damaged"));
    assert!(stop("a.parquet", b"PAR1\x15\x04").contains("Parquet file is damaged"));
    let missing = read_table(Path::new("not/there.csv"), &ReadOptions::default(), &|_, _| true);
    assert!(missing.expect_err("no file").to_string().contains("not/there.csv cannot be read"));
    let empty = tempfile::tempdir().expect("a folder");
    let folder = read_table(empty.path(), &ReadOptions::default(), &|_, _| true);
    assert!(folder.expect_err("a folder").to_string().contains("a folder without texts under labels"));
}

#[test]
fn reading_can_be_stopped() {
    let body = [b"text,label\n".to_vec(), b"a row of some length,x\n".repeat(1_000_000)].concat();
    for name in ["a.csv", "a.jsonl"] {
        let raw = RawBytes::Owned(body.clone());
        let calls = AtomicUsize::new(0);
        let stop_at_second = |done: u64, total: u64| {
            assert!(done <= total);
            calls.fetch_add(1, Ordering::Relaxed) == 0
        };
        let outcome = table_of(Path::new(name), raw, &ReadOptions::default(), &stop_at_second);
        assert!(matches!(outcome, Err(DataError::Cancelled)), "{name}");
        assert_eq!(calls.into_inner(), 2, "{name}: stopped at once");
    }
}

/// A cell as people and programs write them: delimiters, quotes, line ends, other scripts.
fn cell() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9 ]{0,8}",
        2 => "[,;|\t\"'\r\n\\\\{}]{1,3}",
        1 => any::<char>().prop_filter("not a mark", |c| *c != '\u{feff}').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn table_cells() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..4).prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 1..12))
}

const NAMES: [&str; 3] = ["text", "label", "topic"];

fn expected(written: &[Vec<String>]) -> Vec<Column> {
    let column = |index: usize| written.iter().map(|row| row[index].as_str()).collect::<StrColumn>();
    (0..written[0].len())
        .map(|index| Column { name: NAMES[index].to_owned(), cells: column(index) })
        .collect()
}

proptest! {
    #[test]
    fn delimited_text_reads_back_as_written(written in table_cells(), tabs: bool, crlf: bool) {
        let delimiter = if tabs { b'\t' } else { b',' };
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        // A line of blanks is a blank line, so a lone blank cell has to be quoted to be seen.
        let quotes = if written[0].len() == 1 { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(terminator)
            .quote_style(quotes)
            .from_writer(Vec::new());
        writer.write_record(&NAMES[..written[0].len()]).expect("to memory");
        for row in &written {
            writer.write_record(row).expect("to memory");
        }
        let body = writer.into_inner().expect("flushed");
        let overrides = Overrides {
            delimiter: Some(delimiter),
            quoting: Some(Quoting::Doubled),
            header: Some(true),
            ..Overrides::default()
        };
        let options = ReadOptions { overrides, on_problem: OnProblem::Stop };
        let table = table_of(Path::new("a.csv"), RawBytes::Owned(body.clone()), &options, &|_, _| true);
        let table = table.expect("a table");
        prop_assert_eq!(&table.columns, &expected(&written));
        for (row, line) in written.iter().zip(&table.lines) {
            // The line that is told is the one at which the record's first cell stands.
            let start = body.split(|byte| *byte == b'\n').nth(*line as usize - 1).unwrap_or_default();
            let first: String = row[0].chars().take_while(|c| c.is_alphanumeric()).collect();
            let shown = String::from_utf8_lossy(start).trim_start_matches('"').to_owned();
            prop_assert!(shown.starts_with(&first), "{shown:?} at {line} is not {first:?}");
        }
    }

    #[test]
    fn json_lines_read_back_as_written(written in table_cells()) {
        let object = |row: &Vec<String>| -> serde_json::Map<String, serde_json::Value> {
            NAMES.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.as_str().into())).collect()
        };
        let lines: Vec<String> = written.iter().map(|row| serde_json::Value::Object(object(row)).to_string()).collect();
        let body = lines.join("\n");
        let table = table_in_memory("a.jsonl", body.as_bytes()).expect("a table");
        prop_assert_eq!(&table.columns, &expected(&written));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0_usize..4) {
        let name = ["a.csv", "a.tsv", "a.jsonl", "a"][kind];
        if let Ok(table) = table_in_memory(name, &bytes) {
            prop_assert!(table.columns.iter().all(|column| column.cells.len() == table.rows()));
        }
    }

    #[test]
    fn bytes_that_look_like_tables_never_panic(text in "[a\",;\t\r\n\\{\\}:\u{feff}é]{0,120}", kind in 0_usize..4) {
        let name = ["a.csv", "a.tsv", "a.jsonl", "a"][kind];
        if let Ok(table) = table_in_memory(name, text.as_bytes()) {
            prop_assert!(table.columns.iter().all(|column| column.cells.len() == table.rows()));
            prop_assert!(table.lines.is_sorted());
        }
    }
}

/// What reading bytes of that name is refused for, with room for a megabyte.
fn refused_within(name: &str, bytes: &[u8]) -> Option<String> {
    let (raw, go_on) = (Arc::new(RawBytes::Owned(bytes.to_vec())), |_, _| true);
    let path = Path::new(name);
    let meter = Meter::new(path, &go_on, bytes.len() as u64).over(&raw).with_room(1 << 20);
    records_of(path, &raw, &Overrides::default(), &meter).err().map(|error| error.to_string())
}

#[test]
fn what_is_not_in_the_file_takes_little_memory() {
    let keys: Vec<String> = (0..1000).map(|key| format!("\"k{key}\":1")).collect();
    let wide = format!("{{{}}}", keys.join(","));
    let empty_rows = |row: &str| vec![row; 2000].join("\n");
    let numbered: Vec<String> = (0..2000).map(|row| format!("\"{row}\":{{}}")).collect();
    for (name, text) in [
        ("first.jsonl", format!("{wide}\n{}", empty_rows("{}"))),
        ("last.jsonl", format!("{}\n{wide}", empty_rows("{}"))),
        ("list.json", format!("[{wide},{}]", empty_rows("{}").replace('\n', ","))),
        ("rows.json", format!("[[{}],{}]", vec!["1"; 1000].join(","), vec!["[1]"; 2000].join(","))),
        ("numbered.json", format!("{{\"9999\":{wide},{}}}", numbered.join(","))),
        ("values.json", format!("{{\"a\":[{}]}}", vec!["[]"; 100_000].join(","))),
    ] {
        let told = refused_within(name, text.as_bytes()).unwrap_or_else(|| panic!("{name} is read"));
        assert!(told.starts_with(&format!("{name} takes more than 1 MB")), "{told}");
    }
    // The same keys in every row are in the file.
    assert_eq!(refused_within("full.jsonl", format!("{wide}\n").repeat(300).as_bytes()), None);
}

#[test]
fn an_archive_that_unpacks_to_far_more_than_it_holds_is_refused() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&b"text,label\nhello,a\n".repeat(200_000)).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 20_000);
    let told = refused_within("bomb.csv.gz", &packed).expect("refused");
    assert!(told.starts_with("bomb.csv.gz takes more than 1 MB"), "{told}");
}

#[test]
fn a_key_of_a_nested_object_is_not_repeated_without_end() {
    let inner: Vec<String> = (0..1000).map(|key| format!("\"{key}\":1")).collect();
    let line = format!("{{\"{}\":{{{}}}}}\n", "k".repeat(100_000), inner.join(","));
    let table = table_in_memory("a.jsonl", format!("{{\"text\":\"a\"}}\n{line}").as_bytes()).unwrap();
    assert_eq!((table.rows(), table.problems.len()), (1, 1));
    assert!(table.problems[0].reason.contains("a key of"), "{:?}", table.problems);
}

#[test]
fn a_table_wider_than_any_is_refused() {
    let header: Vec<String> = (0..20_000).map(|column| format!("c{column}")).collect();
    let told = table_in_memory("wide.csv", format!("{}\n", header.join(",")).as_bytes()).unwrap_err();
    assert!(told.to_string().contains("has 20000 columns"), "{told}");
}
