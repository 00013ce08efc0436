use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::data::read::table_in_memory;

/// A file of one row group, or none: a text, a class, a list of classes, a score and bytes.
fn written(rows: bool, features: Option<&str>) -> Vec<u8> {
    let schema = "message rows {
        required binary text (UTF8);
        optional int64 label;
        optional group ner_tags (LIST) { repeated group list { optional int32 element; } }
        optional group info { optional double score; optional binary raw; }
        optional int32 day (DATE);
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let pairs = features.map(|text| vec![KeyValue::new("huggingface".to_owned(), text.to_owned())]);
    let properties = Arc::new(WriterProperties::builder().set_key_value_metadata(pairs).build());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties).unwrap();
    if rows {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let texts = ["one", "zwei ü", "three"].map(ByteArray::from);
        column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, -1], Some(&[1, 0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let (defined, repeated) = ([3, 2, 3, 1, 0], [0, 1, 1, 0, 0]);
        column.typed::<Int32Type>().write_batch(&[0, 2], Some(&defined), Some(&repeated)).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[1.5, 3.0], Some(&[2, 1, 2]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let raw = [ByteArray::from(vec![0xff, 0xfe])];
        column.typed::<ByteArrayType>().write_batch(&raw, Some(&[0, 2, 0]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[0], Some(&[0, 0, 1]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
    file
}

fn cells<'a>(table: &'a crate::data::table::Table, name: &str) -> Vec<Option<&'a str>> {
    table
        .column(name)
        .unwrap_or_else(|| panic!("{name} of {:?}", table.column_names()))
        .cells
        .iter()
        .collect()
}

#[test]
fn every_kind_of_column_becomes_text() {
    let table = table_in_memory("a.parquet", &written(true, None)).unwrap();
    assert_eq!(table.facts.format, Format::Parquet);
    assert_eq!(table.column_names(), ["text", "label", "ner_tags", "info.score", "day"]);
    assert_eq!(cells(&table, "text"), [Some("one"), Some("zwei ü"), Some("three")]);
    assert_eq!(cells(&table, "label"), [Some("1"), None, Some("-1")]);
    assert_eq!(cells(&table, "ner_tags"), [Some("[0,null,2]"), Some("[]"), None]);
    assert_eq!(cells(&table, "info.score"), [Some("1.5"), None, Some("3")]);
    assert_eq!(cells(&table, "day"), [None, None, Some("1970-01-01")]);
    assert_eq!(table.notes, ["The column \"info.raw\" holds bytes and no text, and is left out."]);
    assert_eq!(table.lines, [1, 2, 3]);
}

#[test]
fn names_of_classes_take_the_place_of_their_numbers() {
    let features = r#"{"info": {"features": {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
        "ner_tags": {"feature": {"names": ["O", "B-X", "I-X"], "_type": "ClassLabel"}, "_type": "List"}
    }}}"#;
    let table = table_in_memory("a.parquet", &written(true, Some(features))).unwrap();
    assert_eq!(cells(&table, "label"), [Some("pos"), None, None]);
    assert_eq!(cells(&table, "ner_tags"), [Some(r#"["O",null,"I-X"]"#), Some("[]"), None]);
}

#[test]
fn a_file_without_rows_and_a_damaged_one_are_refused_in_words() {
    let error = table_in_memory("a.parquet", &written(false, None)).unwrap_err().to_string();
    assert!(error.contains("holds a header (text, label"), "{error}");
    let whole = written(true, None);
    let error = table_in_memory("a.parquet", &whole[..whole.len() / 2]).unwrap_err().to_string();
    assert!(error.contains("the Parquet file is damaged or cut off"), "{error}");
}

/// A finding of the fuzzer: the list was looked for in the other column of its name, and came out as a row per element.
#[test]
fn a_list_that_shares_its_name_with_another_column_stays_a_list() {
    let schema = "message rows {
        required binary tags (UTF8);
        optional group tags (LIST) { repeated group list { optional int32 element; } }
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&["one", "two"].map(ByteArray::from), None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[4, 5, 6], Some(&[3, 3, 3]), Some(&[0, 1, 0])).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let table = table_in_memory("a.parquet", &file).unwrap();
    assert_eq!(table.columns[1].cells.iter().collect::<Vec<_>>(), [Some("[4,5]"), Some("[6]")]);
    assert_eq!(table.rows(), 2);
}

#[test]
fn rows_are_those_that_are_there_whatever_the_file_says_of_their_number() {
    let mut file = written(true, None);
    // The number of rows, 3, and the list of row groups behind it.
    let said = b"\x16\x06\x19";
    let at = file.windows(said.len()).rposition(|bytes| bytes == said).unwrap();
    file[at + 1] = 0x7e;
    let table = table_in_memory("a.parquet", &file).unwrap();
    assert_eq!(table.lines, [1, 2, 3]);
    assert!(table.columns.iter().all(|column| column.cells.len() == 3));
}

#[test]
fn one_text_for_many_rows_counts_in_each_of_them() {
    let schema = Arc::new(parse_message_type("message m { required binary text (UTF8); }").unwrap());
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().set_dictionary_enabled(true).build());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let text = ByteArray::from("long ".repeat(200).as_str());
    column.typed::<ByteArrayType>().write_batch(&vec![text; 400_000], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    let told = table_in_memory("bomb.parquet", &bytes).unwrap_err().to_string();
    assert!(told.starts_with("bomb.parquet takes more than 256 MB"), "{told}");
}

/// A page header that asks for gigabytes is answered before the decoder reserves them.
#[test]
fn a_page_that_states_more_than_there_is_room_for_is_not_unpacked() {
    let schema = Arc::new(parse_message_type("message rows { required binary text (UTF8); }").unwrap());
    let properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let text = ByteArray::from("a".repeat(70_000).as_str());
    column.typed::<ByteArrayType>().write_batch(&[text], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    assert!(table_in_memory("a.parquet", &file).is_ok());

    // After the four bytes of the mark: field 1, field 2 with the size in three bytes, which hold a megabyte as well.
    assert_eq!(file[4..7], [0x15, 0x00, 0x15]);
    file[7..10].copy_from_slice(&[0xfe, 0xff, 0x7f]);
    let path = Path::new("a.parquet");
    let meter = Meter::new(path, &|_, _| true, 0).with_room(1 << 19);
    let refused = read(path, &Bytes::from(file), &meter).err().unwrap();
    assert!(matches!(refused, DataError::TooMuch { .. }), "{refused}");
}
