use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::data::card::DataCard;
use crate::data::dataset::Labels;
use crate::data::mapping::TaskColumn;
use crate::data::read::table_in_memory;

const RULE: SplitRule = SplitRule { valid: 0.1, test: 0.2, seed: 1 };

fn table(name: &str, body: &str) -> Table {
    table_in_memory(name, body.as_bytes()).expect("a readable table")
}

fn guessed(tables: Vec<Table>) -> (Dataset, Mapping, String) {
    let tables: Vec<_> = tables.into_iter().map(|table| (table, None)).collect();
    assemble(&tables, None, &RULE).expect("a data set")
}

fn refused(tables: &[(Table, Option<Split>)], mapping: &Mapping) -> String {
    assemble(tables, Some(mapping), &RULE).expect_err("refused").to_string()
}

/// `rows` rows of text and two labels.
fn generated(from: usize, rows: usize) -> String {
    (from..from + rows)
        .fold("text,topic,mood\n".to_owned(), |body, i| body + &format!("text {i},t{},m{}\n", i % 4, i % 3))
}

fn sizes(dataset: &Dataset) -> [usize; 3] {
    Split::ALL.map(|split| dataset.rows_of(split).len())
}

#[test]
fn labels_become_classes_and_what_is_not_annotated_stays_missing() {
    let body = "text,topic,stars\na,Tops ,10\nb,dresses,2\nc,,2\nd,NA,\ne,None,10\nf,none,2\ng,Tops,?\n";
    let (dataset, mapping, note) = guessed(vec![table("a.csv", body)]);
    assert_eq!(mapping.tasks, [TaskColumn::named("topic"), TaskColumn::named("stars")]);
    assert_eq!(dataset.tasks[0].classes, ["Tops", "dresses", "none"]);
    assert_eq!(
        dataset.tasks[0].labels,
        Labels::Class(vec![Some(0), Some(1), None, None, None, Some(2), Some(0)])
    );
    assert_eq!(dataset.tasks[1].classes, ["2", "10"]);
    assert_eq!(
        dataset.tasks[1].labels,
        Labels::Class(vec![Some(1), Some(0), Some(0), None, Some(1), Some(0), None])
    );
    assert!(note.contains("3 label cells are read as no label: \"?\", \"NA\", \"None\"."), "{note}");
}

#[test]
fn rows_without_a_text_are_left_out_and_told() {
    let body = "text,label\nfirst text,x\n,y\n   ,x\nlast text,y\n";
    let (dataset, _, note) = guessed(vec![table("a.csv", body)]);
    assert_eq!((dataset.text(0), dataset.text(1), dataset.rows()), ("first text", "last text", 2));
    assert_eq!(dataset.origins, [(0, 2), (0, 5)]);
    assert!(note.contains("2 rows without a text were left out (the first: line 3 of a.csv)."), "{note}");
}

#[test]
fn the_word_none_is_a_text_like_any_other() {
    let (dataset, _, _) = guessed(vec![table("a.csv", "text,label\nNone,x\nNA,y\n")]);
    assert_eq!((dataset.text(0), dataset.text(1)), ("None", "NA"));
}

#[test]
fn names_of_files_split_the_rows() {
    let files = vec![
        table("train.csv", &generated(0, 30)),
        table("dev.csv", &generated(100, 6)),
        table("test.csv", &generated(200, 9)),
    ];
    let (dataset, _, note) = guessed(files);
    assert_eq!(sizes(&dataset), [30, 6, 9]);
    assert_eq!(note, "Rows are split by the files' names.");
    assert_eq!(dataset.origins[30], (1, 2));
}

#[test]
fn validation_rows_that_no_file_has_come_from_the_training_rows() {
    let files = vec![table("train.csv", &generated(0, 100)), table("test.csv", &generated(200, 20))];
    let (dataset, _, note) = guessed(files);
    assert_eq!(sizes(&dataset), [90, 10, 20]);
    assert!(dataset.rows_of(Split::Test).iter().all(|row| *row >= 100), "test rows stay as they are given");
    assert_eq!(
        note,
        "Rows are split by the files' names; of the training rows, 10 % for validation drawn by seed 1 in \
         proportion to the classes, equal texts kept together."
    );

    let (dataset, _, _) = guessed(vec![table("train.csv", &generated(0, 100))]);
    assert_eq!(sizes(&dataset), [70, 10, 20]);

    let files = vec![table("train.csv", &generated(0, 100)), table("valid.csv", &generated(200, 20))];
    let (dataset, _, _) = guessed(files);
    assert_eq!(sizes(&dataset), [100, 20, 0], "no test rows are taken where validation rows are given");
}

#[test]
fn a_lone_test_file_is_split_by_the_rule_unless_chosen() {
    let (dataset, _, note) = guessed(vec![table("test.csv", &generated(0, 100))]);
    assert_eq!(sizes(&dataset), [70, 10, 20]);
    assert!(note.starts_with("No file is named as training data"), "{note}");

    let chosen = [(table("whatever.csv", &generated(0, 100)), Some(Split::Test))];
    let (dataset, _, note) = assemble(&chosen, None, &RULE).expect("a data set to measure on");
    assert_eq!(sizes(&dataset), [0, 0, 100]);
    assert_eq!(note, "Rows are split as you chose per file; none of them trains.");
}

#[test]
fn what_the_user_chose_beats_column_and_name() {
    let body = "text,label,split\na,x,train\nb,y,dev\nc,x,test\nd,y,train\n";
    let (dataset, mapping, note) = guessed(vec![table("train.csv", body)]);
    assert_eq!(mapping.split.as_deref(), Some("split"));
    assert_eq!(dataset.splits, [Split::Train, Split::Valid, Split::Test, Split::Train]);
    assert_eq!(note, "Rows are split by the split column.");

    let chosen = [(table("train.csv", body), Some(Split::Test)), (table("b.csv", body), None)];
    let (dataset, _, _) = assemble(&chosen, None, &RULE).expect("a data set");
    assert!(dataset.splits[..4].iter().all(|split| *split == Split::Test));
    assert_eq!(dataset.splits[5], Split::Valid);
}

#[test]
fn files_without_a_word_on_splits_follow_the_rule() {
    let (dataset, _, note) = guessed(vec![table("a.csv", &generated(0, 100))]);
    assert_eq!(sizes(&dataset), [70, 10, 20]);
    assert!(note.starts_with("10 % for validation and 20 % for test drawn by seed 1"), "{note}");

    let all = [(table("a.csv", &generated(0, 100)), None)];
    let (dataset, _, note) =
        assemble(&all, None, &SplitRule { valid: 0.0, test: 0.0, seed: 1 }).expect("a data set");
    assert_eq!((sizes(&dataset), note.as_str()), ([100, 0, 0], "All rows are training rows."));
}

#[test]
fn a_singleton_class_stays_in_train() {
    let body = generated(0, 60) + "only one,lonely,m1\n";
    for seed in 0..20 {
        let rule = SplitRule { seed, ..RULE };
        let (dataset, _, _) = assemble(&[(table("a.csv", &body), None)], None, &rule).expect("a data set");
        assert_eq!(dataset.splits[60], Split::Train, "seed {seed}");
    }
}

#[test]
fn classes_of_any_split_are_classes() {
    let train = "text,label\na b,x\nc d,y\ne f,x\n";
    let (dataset, _, _) =
        guessed(vec![table("train.csv", train), table("test.csv", "text,label\ng h,new\ni j,x\n")]);
    assert_eq!(dataset.tasks[0].classes, ["new", "x", "y"]);
}

#[test]
fn tasks_may_come_from_different_files() {
    let first = generated(0, 20).replace("mood", "intent");
    let second = generated(50, 20);
    let (dataset, mapping, _) = guessed(vec![table("a.csv", &first), table("b.csv", &second)]);
    let names: Vec<&str> = mapping.tasks.iter().map(|task| task.task.as_str()).collect();
    assert_eq!(names, ["topic", "intent", "mood"]);
    assert!((20..40).all(|row| !dataset.tasks[1].is_labelled(row)));
    assert!((0..20).all(|row| !dataset.tasks[2].is_labelled(row)));
}

#[test]
fn mistakes_in_the_mapping_are_named() {
    let tables = [(table("a.csv", &generated(0, 9)), None)];
    let mapping = |text: &str, tasks: &[(&str, &str)], split: Option<&str>| Mapping {
        text: text.to_owned(),
        tasks: tasks
            .iter()
            .map(|(column, task)| TaskColumn { task: (*task).to_owned(), ..TaskColumn::named(column) })
            .collect(),
        split: split.map(str::to_owned),
        ..Mapping::default()
    };
    let message = refused(&tables, &mapping("review", &[("topic", "topic")], None));
    assert_eq!(message, "a.csv: there is no column \"review\" for the text. The file has: text, topic, mood");
    let message = refused(&tables, &mapping("text", &[("intent", "goal")], None));
    assert!(message.contains("no column \"intent\" for the task \"goal\""), "{message}");
    let message = refused(&tables, &mapping("text", &[("topic", "a"), ("mood", "a")], None));
    assert!(message.contains("two tasks are called \"a\""), "{message}");
    let message = refused(&tables, &mapping("text", &[("topic", " ")], None));
    assert!(message.contains("column \"topic\" has no name"), "{message}");
    let message = refused(&tables, &mapping("text", &[("topic", "t")], Some("mood")));
    assert!(message.contains("line 2 of a.csv: the split column holds \"m0\""), "{message}");
    let blank = [(table("b.csv", "text,label\n,x\n ,y\n"), None)];
    let message = refused(&blank, &mapping("text", &[("label", "label")], None));
    assert!(message.contains("holds no text in any of the 2 rows"), "{message}");
}

#[test]
fn fractions_that_leave_nothing_are_refused() {
    let tables = [(table("a.csv", &generated(0, 9)), None)];
    for (valid, test) in [(0.5, 0.5), (-0.1, 0.2), (1.0, 0.0), (f64::NAN, 0.1)] {
        let outcome = assemble(&tables, None, &SplitRule { valid, test, seed: 0 });
        assert!(matches!(outcome, Err(DataError::BadFractions { .. })), "{valid} {test}");
    }
    assert!(matches!(assemble(&[], None, &RULE), Err(DataError::NoFiles)));
}

proptest! {
    #[test]
    fn splits_are_disjoint_complete_and_repeatable(rows in 1_usize..200, seed: u64) {
        let tables = [(table("a.csv", &generated(0, rows)), None)];
        let rule = SplitRule { seed, ..RULE };
        let (dataset, _, _) = assemble(&tables, None, &rule).expect("a data set");
        let all: Vec<usize> = Split::ALL.iter().flat_map(|split| dataset.rows_of(*split)).collect();
        prop_assert_eq!(all.len(), rows);
        prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), rows);
        let (again, _, _) = assemble(&tables, None, &rule).expect("a data set");
        prop_assert_eq!(again, dataset);
    }
}

/// Every kind of label from one file, and the words of a text divided by single spaces.
#[test]
fn labels_of_every_kind_come_from_their_columns() {
    let body = "{\"text\": [\"New York\", \"sleeps\"], \"other\": \"It sleeps\", \"themes\": [\"a\", \"b\"], \"stars\": 2.5, \
                \"alike\": 4, \"tags\": [\"B-LOC\", \"O\"]}\n\
                {\"text\": \"plain  text\", \"themes\": [], \"alike\": 1}\n";
    let task = |column: &str, kind| TaskColumn::of_kind(column, kind);
    let mapping = Mapping {
        text: "text".into(),
        second: Some("other".into()),
        tasks: vec![
            task("themes", TaskKind::MultiLabel),
            task("stars", TaskKind::Score),
            task("alike", TaskKind::Similarity),
            task("tags", TaskKind::TokenLabels),
            task("other", TaskKind::Ranking),
        ],
        split: None,
        group: None,
    };
    let tables = [(table("a.jsonl", body), Some(Split::Train))];
    let (dataset, _, _) = assemble(&tables, Some(&mapping), &RULE).expect("a data set");
    assert_eq!((dataset.text(0), dataset.text(1)), ("New\u{a0}York sleeps", "plain text"));
    assert_eq!((dataset.second_text(0), dataset.second_text(1)), ("It sleeps", ""));
    let said: Vec<[Option<String>; 2]> =
        dataset.tasks.iter().map(|task| [0, 1].map(|row| task.in_words(row))).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(said[0], [text("a, b"), text("none")]);
    assert_eq!(said[1], [text("2.5"), None]);
    assert_eq!(said[2], [text("4"), None], "one text is no pair");
    assert_eq!(said[3], [text("B-LOC O"), None]);
    assert_eq!(said[4], [text("a pair"), None]);
    assert_eq!(DataCard::of(&dataset).rows, [2, 0, 0]);

    let without = refused(&tables, &Mapping { second: None, ..mapping.clone() });
    assert!(without.contains("alike") && without.contains("second text"), "{without}");
    let wrong = Mapping { tasks: vec![task("other", TaskKind::Score)], ..mapping };
    let wrong = refused(&tables, &wrong);
    assert!(wrong.contains("line 1 of a.jsonl") && wrong.contains("It sleeps"), "{wrong}");
}

#[test]
fn kinds_are_guessed_from_names_and_values() {
    let guess = |name: &str, body: &str| {
        let mapping = crate::data::mapping::guess(&[table(name, body)]);
        let task = mapping.tasks.first().map(|task| (task.column.clone(), task.kind));
        (mapping.text, mapping.second, task)
    };
    let found = |text: &str, second: Option<&str>, column: &str, kind| {
        (text.to_owned(), second.map(str::to_owned), Some((column.to_owned(), kind)))
    };
    let stsb = "sentence1,sentence2,score\nA man sings,A man is singing,4.8\nA cat,A dog barks,0.6\nIt rains,It pours,3.2\n";
    assert_eq!(guess("a.csv", stsb), found("sentence1", Some("sentence2"), "score", TaskKind::Similarity));
    let pairs = "query,answer\nWhere is it?,It is over there.\nWho are you?,Nobody of note.\n";
    assert_eq!(guess("a.csv", pairs), found("query", Some("answer"), "answer", TaskKind::Ranking));
    let stars = "text,rating\ngood,4.5\nbad,1.25\nfine,3.5\n";
    assert_eq!(guess("a.csv", stars), found("text", None, "rating", TaskKind::Score));
    let bars = "text,labels\ngood,a|b\nbad,b\nfine,a|c\n";
    assert_eq!(guess("a.csv", bars), found("text", None, "labels", TaskKind::MultiLabel));
    let lists = "{\"text\": \"good one\", \"topics\": [\"a\"]}\n{\"text\": \"bad one\", \"topics\": [\"a\", \"b\"]}\n";
    assert_eq!(guess("a.jsonl", lists), found("text", None, "topics", TaskKind::MultiLabel));
    let words = "{\"id\": 1, \"tokens\": [\"a\", \"b\"], \"ner_tags\": [0, 3]}\n{\"id\": 2, \"tokens\": [\"c\"], \"ner_tags\": [0]}\n";
    assert_eq!(guess("a.jsonl", words), found("tokens", None, "ner_tags", TaskKind::TokenLabels));
    let conll = "EU B-ORG\nrejects O\n\nRome B-LOC\nfell O\n\n";
    assert_eq!(guess("a.conll", conll), found("tokens", None, "tags", TaskKind::TokenLabels));
}

#[test]
fn files_that_call_their_text_differently_belong_together() {
    let one = table("topics_train.csv", "text,topic\na b,x\nc d,y\ne f,x\ng h,y\n");
    let two = table("moods_train.csv", "sentence,mood\ni j,good\nk l,bad\nm n,good\no p,bad\n");
    let tables = [(one, Some(Split::Train)), (two, Some(Split::Train))];
    let (dataset, mapping, note) = assemble(&tables, None, &RULE).expect("a data set");
    let names: Vec<&str> = mapping.tasks.iter().map(|task| task.task.as_str()).collect();
    assert_eq!((mapping.text.as_str(), names), ("text", vec!["topic", "mood"]));
    assert_eq!((dataset.rows(), dataset.text(4)), (8, "i j"));
    assert_eq!(dataset.tasks[1].in_words(4).as_deref(), Some("good"));
    assert!(!dataset.tasks[0].is_labelled(4) && !dataset.tasks[1].is_labelled(0));
    assert!(note.contains("The text of moods_train.csv is the column \"sentence\"."), "{note}");
    // A column that no file has stays an error.
    let wrong = Mapping { text: "body".into(), ..mapping };
    assert!(matches!(assemble(&tables, Some(&wrong), &RULE), Err(DataError::NoColumn { .. })));
}

#[test]
fn each_file_says_what_it_gives_to_each_task() {
    let first = table("train.csv", "text,topic,mood\none,a,x\ntwo,b,\nthree,,y\nsix,a,x\n");
    let second = table("valid.csv", "text,topic\nfour,a\nfive,b\n");
    let mapping = Mapping {
        text: "text".into(),
        tasks: vec![TaskColumn::named("topic"), TaskColumn::named("mood")],
        ..Mapping::default()
    };
    let (dataset, ..) =
        assemble(&[(first, None), (second, None)], Some(&mapping), &RULE).expect("a data set");
    let card = DataCard::of(&dataset);
    let counts: Vec<_> = card.sources.iter().map(|source| (source.rows, source.labelled.clone())).collect();
    assert_eq!(counts, [([4, 0, 0], vec![[3, 0, 0], [3, 0, 0]]), ([0, 2, 0], vec![[0, 2, 0], [0, 0, 0]])]);
}
