use super::*;
use crate::data::read::table_in_memory;

fn table(name: &str, body: &str) -> Table {
    table_in_memory(name, body.as_bytes()).expect("a readable table")
}

/// Text, tasks and split column that are guessed for a CSV file.
fn guessed(body: &str) -> (String, Vec<String>, Option<String>) {
    let mapping = guess(&[table("a.csv", body)]);
    (mapping.text, mapping.tasks.into_iter().map(|task| task.column).collect(), mapping.split)
}

/// A file of `rows` rows, each made from its number.
fn generated(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    (0..rows).fold(format!("{header}\n"), |body, index| body + &row(index) + "\n")
}

fn parts(text: &str, tasks: &[&str], split: Option<&str>) -> (String, Vec<String>, Option<String>) {
    (text.to_owned(), tasks.iter().map(|task| (*task).to_owned()).collect(), split.map(str::to_owned))
}

#[test]
fn usual_names_are_understood_whatever_their_case() {
    let body = generated(" Text ,TOPIC,Sentiment ", 40, |i| {
        format!("message number {i} of many,t{},s{}", i % 6, i % 3)
    });
    assert_eq!(guessed(&body), parts("Text", &["TOPIC", "Sentiment"], None));
}

#[test]
fn few_values_make_a_task_whatever_the_name() {
    let body =
        generated("utterance,channel,weird", 60, |i| format!("utterance {i} it is,c{},w{}", i % 4, i * 7));
    assert_eq!(guessed(&body), parts("utterance", &["channel"], None));
}

#[test]
fn many_classes_on_many_rows_are_a_task() {
    let body = generated("text,domain,intent", 3020, |i| format!("utterance {i},d{},i{}", i % 10, i % 151));
    assert_eq!(guessed(&body), parts("text", &["domain", "intent"], None));
}

#[test]
fn six_rows_are_enough() {
    let body =
        "sentence,mood,subject_label\na b c,x,p\nd e f,y,q\ng h i,z,r\nj k l,x,p\nm n o,y,q\np q r,z,r\n";
    assert_eq!(guessed(body), parts("sentence", &["mood", "subject_label"], None));
}

#[test]
fn ids_links_dates_and_measures_are_no_tasks() {
    let header = "id,text,url,created_at,price,score,review_id,stars";
    let body = generated(header, 80, |i| {
        format!(
            "{i},some text {i},https://a.example/{},2024-05-{:02},{}.5,{:.2},{},{}",
            i % 3,
            i % 28 + 1,
            i % 4,
            (i % 40) as f64 / 40.0,
            i % 5,
            i % 5 + 1
        )
    });
    assert_eq!(guessed(&body), parts("text", &["stars"], None));
}

#[test]
fn label_text_names_the_numbers_of_label() {
    let body = generated("text,label,label_text", 30, |i| format!("text {i},{},class {}", i % 3, i % 3));
    assert_eq!(guessed(&body), parts("text", &["label_text"], None));
    let body = generated("text,label", 30, |i| format!("text {i},{}", i % 3));
    assert_eq!(guessed(&body), parts("text", &["label"], None), "numbers alone stay classes");
}

#[test]
fn one_class_under_a_label_name_is_still_the_task() {
    assert_eq!(guessed("text,intent\na b,Play\nc d,Play\ne f,Play\n"), parts("text", &["intent"], None));
}

#[test]
fn a_split_column_is_no_task() {
    let body = generated("text,label,split", 30, |i| {
        format!("text {i},{},{}", i % 2, ["train", "Dev", "test"][i % 3])
    });
    assert_eq!(guessed(&body), parts("text", &["label"], Some("split")));
    let body = generated("text,label,fold", 30, |i| format!("text {i},{},{}", i % 2, i % 5));
    assert_eq!(guessed(&body), parts("text", &["label"], None), "numbered folds name no split");
}

#[test]
fn without_a_usual_name_the_longest_prose_is_the_text() {
    let body = generated("ref,klass,utt", 30, |i| {
        format!("AB-{i},k{},\"when does the {i}th parcel arrive, please?\"", i % 3)
    });
    assert_eq!(guessed(&body), parts("utt", &["klass"], None));
    let body =
        generated("customer_message_text,x", 30, |i| format!("hi {i},a much longer remark about {i} things"));
    assert_eq!(guessed(&body).0, "customer_message_text", "a word of the name decides first");
}

#[test]
fn a_file_without_header_is_mapped_by_its_values() {
    let body = generated("what a lovely day it is,good", 40, |i| {
        format!("this is remark {i} on it,{}", ["good", "bad"][i % 2])
    });
    assert_eq!(guessed(&body), parts("column 1", &["column 2"], None));
}

#[test]
fn markers_of_missing_labels_are_no_class() {
    let body = generated("text,mood", 30, |i| format!("text {i},{}", ["good", "NA", "?", ""][i % 4]));
    assert_eq!(guessed(&body).1, [] as [&str; 0], "one class is left, under a name that says nothing");
}

#[test]
fn tasks_are_gathered_from_all_files() {
    let first = generated("text,intent", 20, |i| format!("text {i},i{}", i % 4));
    let second = generated("text,sentiment", 20, |i| format!("other {i},s{}", i % 2));
    let mapping = guess(&[table("a.csv", &first), table("b.csv", &second)]);
    assert_eq!(mapping.tasks, [TaskColumn::named("intent"), TaskColumn::named("sentiment")]);
    assert_eq!(guess(&[]), Mapping::default());
}

#[test]
fn names_are_cut_into_words() {
    assert_eq!(words("topicLabel"), ["topic", "label"]);
    assert_eq!(normal(" Label-Text "), "label_text");
    assert_eq!(words("--"), [] as [&str; 0]);
}
