use super::*;

/// Rows as `(split, text, labels)`; the classes of task `t` are the letters of `CLASSES[t]`.
fn dataset(classes: &[&[&str]], rows: &[(Split, &str, &[Option<u32>])]) -> Dataset {
    let task = |index: usize| {
        let classes = classes[index].iter().map(|class| (*class).to_owned()).collect();
        TaskLabels::single(&format!("task {index}"), classes, rows.iter().map(|row| row.2[index]).collect())
    };
    Dataset {
        texts: rows.iter().map(|row| row.1).collect(),
        tasks: (0..classes.len()).map(task).collect(),
        splits: rows.iter().map(|row| row.0).collect(),
        files: vec!["a.csv".into()],
        origins: (0..rows.len() as u64).map(|row| (0, row + 2)).collect(),
        ..Dataset::default()
    }
}

use Split::{Test, Train, Valid};

fn finding<'a>(card: &'a DataCard, words: &str) -> &'a Finding {
    let found = card.findings.iter().find(|finding| finding.text.contains(words));
    found.unwrap_or_else(|| panic!("no finding says {words:?}: {:#?}", card.findings))
}

/// Balanced, disjoint, complete: nothing to say about it.
fn healthy() -> Dataset {
    dataset(
        &[&["x", "y"]],
        &[
            (Train, "a", &[Some(0)]),
            (Train, "b", &[Some(1)]),
            (Train, "c", &[Some(0)]),
            (Train, "d", &[Some(1)]),
            (Valid, "e", &[Some(0)]),
            (Test, "f", &[Some(1)]),
        ],
    )
}

#[test]
fn nothing_is_said_of_healthy_rows() {
    let card = DataCard::of(&healthy());
    assert_eq!(card.rows, [4, 1, 1]);
    assert_eq!(card.rows_of(Split::Train), 4);
    assert_eq!(card.tasks[0].classes, [("x".into(), [2, 1, 0]), ("y".into(), [2, 0, 1])]);
    assert_eq!(card.findings, []);
    assert_eq!(DataCard::of(&Dataset::default()), DataCard::default());
}

#[test]
fn missing_labels_are_counted_by_split() {
    let rows: &[(Split, &str, &[Option<u32>])] = &[
        (Train, "a", &[Some(0), None]),
        (Train, "b", &[Some(0), Some(1)]),
        (Train, "c", &[Some(1), Some(1)]),
        (Train, "d", &[Some(1), Some(0)]),
        (Train, "e", &[None, Some(0)]),
        (Train, "f", &[None, None]),
        (Valid, "g", &[Some(0), None]),
    ];
    let card = DataCard::of(&dataset(&[&["x", "y"], &["p", "q"]], rows));
    assert_eq!((card.tasks[0].missing, card.tasks[1].missing), ([2, 0, 0], [2, 1, 0]));
    assert_eq!(finding(&card, "1 training row without a label of any task").rows, [5]);
    assert!(finding(&card, "Task \"task 1\" has no label in the valid rows").rows.is_empty());
    assert_eq!(card.findings.len(), 2);
    assert_eq!(card.findings[0].weight, Weight::Warning, "warnings come first");
}

#[test]
fn duplicates_and_conflicts_are_different_things() {
    let rows: &[(Split, &str, &[Option<u32>])] = &[
        (Train, "same", &[Some(0)]),
        (Train, "same", &[Some(0)]),
        (Train, "same", &[Some(0)]),
        (Train, "torn", &[Some(0)]),
        (Train, "torn", &[Some(1)]),
        (Train, "half", &[None]),
        (Train, "half", &[Some(1)]),
    ];
    let card = DataCard::of(&dataset(&[&["x", "y"]], rows));
    assert_eq!(finding(&card, "2 training rows repeat an earlier one").rows, [1, 2]);
    assert_eq!(finding(&card, "1 text carries different labels").rows, [3, 4]);
}

/// A data set of one task with these labels.
fn labelled(kind: TaskKind, texts: &[&str], second: &[&str], labels: Labels) -> Dataset {
    let classes = ["x", "y"].map(str::to_owned).to_vec();
    Dataset {
        texts: texts.iter().collect(),
        second: second.iter().collect(),
        tasks: vec![TaskLabels { name: "it".into(), kind, classes, labels }],
        splits: vec![Split::Train; texts.len()],
        files: vec!["a.csv".into()],
        origins: (0..texts.len() as u64).map(|row| (0, row + 2)).collect(),
        ..Dataset::default()
    }
}

#[test]
fn every_kind_of_task_has_its_conflicts() {
    let texts = ["Good  value", "good value", "other", "GOOD VALUE", "other"];
    let sets = Labels::Classes(vec![Some(vec![0]), Some(vec![0, 1]), Some(vec![]), None, Some(vec![])]);
    let tags = |last: u32| Some(vec![0, last]);
    let kinds = [
        (TaskKind::SingleLabel, Labels::Class(vec![Some(0), Some(1), Some(0), None, Some(0)])),
        (TaskKind::MultiLabel, sets),
        (TaskKind::TokenLabels, Labels::Tags(vec![tags(0), tags(1), Some(vec![0]), None, Some(vec![0])])),
        (TaskKind::Score, Labels::Number(vec![Some(1.0), Some(2.0), Some(3.0), None, Some(3.0)])),
    ];
    for (kind, labels) in kinds {
        let mut data = labelled(kind, &texts, &[], labels);
        let card = DataCard::of(&data);
        assert_eq!(finding(&card, "1 text carries").rows, [0, 1, 3], "{kind:?}");
        assert_eq!(card.conflicting_texts, [1], "{kind:?}");
        let fix = finding(&card, "1 text carries").fix.clone().unwrap();
        fix.apply(&mut data);
        assert!(!data.tasks[0].is_labelled(1) && data.tasks[0].is_labelled(2), "{kind:?}");
        assert_eq!(DataCard::of(&data).conflicting_texts, [0], "{kind:?}");
    }
    // A tenth of the range is no contradiction.
    let near = Labels::Number(vec![Some(1.0), Some(1.4), Some(5.0), None, Some(0.0)]);
    let card = DataCard::of(&labelled(TaskKind::Score, &texts[..4], &[], near));
    assert_eq!(card.conflicting_texts, [0]);
    // Of pairs both texts count, in either order.
    let second = ["b", "c", "x", "B", "Good value"];
    let numbers = |last: f32| Labels::Number([0.0, 5.0, 5.0, last, 3.0].map(Some).to_vec());
    for (last, conflicts) in [(0.0, 0), (5.0, 1)] {
        let data = labelled(TaskKind::Similarity, &texts, &second, numbers(last));
        assert_eq!(DataCard::of(&data).conflicting_texts, [conflicts]);
    }
    let turned = ["c", "x", "Good value", "y", "other one"];
    let data = labelled(TaskKind::Similarity, &["good value", "a", "C", "b", "d"], &turned, numbers(3.0));
    assert_eq!(finding(&DataCard::of(&data), "1 pair carries").rows, [0, 2]);
}

#[test]
fn findings_do_not_depend_on_the_order_of_rows() {
    let rows: Vec<(Split, &str, Option<u32>)> = vec![
        (Train, "Where is the parcel that I ordered three weeks ago?", Some(0)),
        (Test, "where is the parcel that I  ordered three weeks ago?", Some(1)),
        (Valid, "Where is the parcel that I ordered 3 weeks ago", Some(0)),
        (Train, "Where is the parcel that I ordered, three weeks ago", None),
        (Test, "ok", Some(0)),
        (Valid, "OK", Some(0)),
        (Train, "Something else that nobody has written before", Some(1)),
        (Train, "Something else that nobody has written before", Some(1)),
    ];
    let told = |order: &[usize]| {
        let rows: Vec<(Split, &str, Vec<Option<u32>>)> =
            order.iter().map(|row| (rows[*row].0, rows[*row].1, vec![rows[*row].2])).collect();
        let rows: Vec<(Split, &str, &[Option<u32>])> =
            rows.iter().map(|(split, text, labels)| (*split, *text, labels.as_slice())).collect();
        let card = DataCard::of(&dataset(&[&["x", "y"]], &rows));
        card.findings.into_iter().map(|finding| (finding.text, finding.rows.len())).collect::<Vec<_>>()
    };
    let expected = told(&[0, 1, 2, 3, 4, 5, 6, 7]);
    for words in
        ["1 test row has a text that is also in train", "1 test row has a text that is also in valid"]
    {
        assert!(expected.iter().any(|(text, _)| text.contains(words)), "{expected:#?}");
    }
    assert!(expected.iter().any(|(text, _)| text.contains("nearly the same as one in another split")));
    for order in [[7, 6, 5, 4, 3, 2, 1, 0], [3, 1, 4, 0, 5, 2, 6, 7], [1, 0, 3, 2, 5, 4, 7, 6]] {
        assert_eq!(told(&order), expected, "{order:?}");
    }
}

#[test]
fn texts_in_two_splits_are_leaks() {
    let mut data = healthy();
    data.texts = ["a", "b", "c", "d", "a", "e"].into_iter().collect();
    let card = DataCard::of(&data);
    assert_eq!(finding(&card, "1 valid row has a text that is also in train").rows, [4]);
    data.texts = ["a", "b", "c", "d", "a", "a"].into_iter().collect();
    let card = DataCard::of(&data);
    assert_eq!(finding(&card, "1 test row has a text that is also in train").rows, [5]);
    assert_eq!(finding(&card, "1 test row has a text that is also in valid").rows, [5]);
}

#[test]
fn classes_that_cannot_be_learnt_are_named() {
    let rows: &[(Split, &str, &[Option<u32>])] = &[
        (Train, "a", &[Some(0)]),
        (Train, "b", &[Some(0)]),
        (Train, "c", &[Some(1)]),
        (Test, "d", &[Some(2)]),
        (Test, "e", &[Some(1)]),
    ];
    let card = DataCard::of(&dataset(&[&["x", "y", "z"]], rows));
    assert_eq!(finding(&card, "class \"z\" occurs in validation or test only").rows, [3]);
    assert_eq!(finding(&card, "class \"y\" has a single training row").rows, [2, 4]);
}

#[test]
fn one_class_is_nothing_to_tell_apart() {
    let card = DataCard::of(&dataset(&[&["x"]], &[(Train, "a", &[Some(0)]), (Train, "b", &[Some(0)])]));
    assert_eq!(finding(&card, "has one class only, \"x\"").rows, [0, 1]);
    let card = DataCard::of(&dataset(&[&[]], &[(Train, "a", &[None])]));
    assert_eq!(finding(&card, "has no label in any row").weight, Weight::Warning);
}

#[test]
fn imbalance_is_told_beyond_ten_to_one() {
    let rows = |large: usize| -> Vec<(Split, String, Option<u32>)> {
        (0..large + 2).map(|row| (Train, format!("text {row}"), Some(u32::from(row < 2)))).collect()
    };
    for (large, told) in [(20, false), (21, true)] {
        let rows = rows(large);
        let labels: Vec<[Option<u32>; 1]> = rows.iter().map(|row| [row.2]).collect();
        let rows: Vec<(Split, &str, &[Option<u32>])> = rows
            .iter()
            .zip(&labels)
            .map(|(row, labels)| (row.0, row.1.as_str(), labels.as_slice()))
            .collect();
        let card = DataCard::of(&dataset(&[&["often", "seldom"]], &rows));
        let says = card
            .findings
            .iter()
            .any(|f| f.text.contains("out of balance: 21 training rows of \"often\", 2 of"));
        assert_eq!(says, told, "{large} to 2: {:#?}", card.findings);
    }
}

#[test]
fn classes_that_look_alike_are_pointed_out() {
    let rows: &[(Split, &str, &[Option<u32>])] = &[
        (Train, "a", &[Some(0)]),
        (Train, "b", &[Some(0)]),
        (Train, "c", &[Some(1)]),
        (Train, "d", &[Some(1)]),
        (Train, "e", &[Some(2)]),
        (Train, "f", &[Some(2)]),
    ];
    let card = DataCard::of(&dataset(&[&["Get weather", "getWeather", "play"]], rows));
    let found = finding(&card, "differ in capitals or spaces only");
    assert!(found.text.contains("\"Get weather\", \"getWeather\""), "{}", found.text);
    assert_eq!(found.rows, [0, 1, 2, 3]);
    assert_eq!(card.findings.len(), 1);
}

#[test]
fn control_characters_are_pointed_out() {
    let mut data = healthy();
    data.texts = ["a\tb\r\nc", "b\u{2028}", "c\0", "d\u{fffd}", "e\u{1b}[0m", "f"].into_iter().collect();
    let card = DataCard::of(&data);
    assert_eq!(finding(&card, "3 texts hold control characters").rows, [2, 3, 4]);
}

#[test]
fn long_lists_of_names_are_shortened() {
    assert_eq!(quoted(&["a", "b"]), "\"a\", \"b\"");
    assert_eq!(quoted(&["a", "b", "c", "d", "e", "f", "g"]), "\"a\", \"b\", \"c\", \"d\", \"e\" and 2 more");
}
