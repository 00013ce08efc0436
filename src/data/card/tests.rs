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
