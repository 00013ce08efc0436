use super::*;
use crate::data::dataset::Split;
use crate::data::task::TaskKind;

/// Rows of two files, three to one line of the second.
fn dataset() -> Dataset {
    let class = |classes: [Option<u32>; 6]| classes.to_vec();
    Dataset {
        texts: ["a", "b", "a", "c\u{7}", "a", "d"].iter().collect(),
        tasks: vec![
            TaskLabels::single(
                "mood",
                vec!["GOOD".into(), "bad".into(), "good".into(), "never".into()],
                class([Some(0), Some(1), Some(2), Some(2), None, Some(1)]),
            ),
            TaskLabels {
                name: "tags".into(),
                kind: TaskKind::MultiLabel,
                classes: vec!["x".into(), "y".into()],
                labels: Labels::Classes(vec![
                    Some(vec![0, 1]),
                    None,
                    Some(vec![]),
                    None,
                    None,
                    Some(vec![1]),
                ]),
            },
        ],
        splits: vec![Split::Train, Split::Train, Split::Test, Split::Train, Split::Train, Split::Valid],
        files: vec!["one.csv".into(), "two.json".into()],
        origins: vec![(0, 2), (0, 3), (0, 4), (1, 1), (1, 1), (1, 1)],
        ..Dataset::default()
    }
}

fn label(task: &str) -> Cell {
    Cell::Label(task.into())
}

fn fixed(fix: Fix) -> (Dataset, usize) {
    let mut data = dataset();
    let outcome = Changes { fixes: vec![fix], ..Changes::default() }.apply(&mut data);
    (data, outcome.fixed[0])
}

#[test]
fn a_cell_is_corrected_where_it_stands_and_only_while_it_holds_what_it_held() {
    let mut changes = Changes::default();
    let data = dataset();
    for (row, cell, now) in [(4, Cell::Text, "e"), (4, label("mood"), "fine"), (1, label("mood"), "")] {
        changes.correct(Correction::of_row(&data, row, cell, now).expect("a row"));
    }
    assert_eq!((changes.corrections[0].line, changes.corrections[0].nth), (1, 1));
    let mut changed = data.clone();
    let outcome = changes.apply(&mut changed);
    assert_eq!((outcome.corrected, outcome.stale.len()), (3, 0));
    assert_eq!(changed.texts.iter().flatten().collect::<Vec<_>>(), ["a", "b", "a", "c\u{7}", "e", "d"]);
    assert_eq!(changed.tasks[0].in_words(4).as_deref(), Some("fine"));
    assert_eq!(changed.tasks[0].in_words(1), None);
    assert_eq!(changed.tasks[0].classes, ["GOOD", "bad", "good", "never", "fine"]);

    // The file has other contents by now.
    let mut other = dataset();
    other.texts = ["a", "b", "a", "c", "another", "d"].iter().collect();
    let outcome = changes.apply(&mut other);
    assert_eq!((outcome.corrected, outcome.stale), (2, vec![0]));
    assert_eq!(other.text(4), "another");
    // A task or a file that is not there any more.
    other.tasks.remove(0);
    other.files[0] = "elsewhere.csv".into();
    assert_eq!(changes.apply(&mut other).stale, [0, 1, 2]);
}

#[test]
fn correcting_twice_is_one_correction_and_correcting_back_is_none() {
    let mut data = dataset();
    let mut changes = Changes::default();
    changes.correct(Correction::of_row(&data, 0, label("mood"), "bad").expect("a row"));
    drop(changes.apply(&mut data));
    changes.correct(Correction::of_row(&data, 0, label("mood"), "good").expect("a row"));
    assert_eq!(changes.corrections.len(), 1);
    assert_eq!((changes.corrections[0].was.as_str(), changes.corrections[0].now.as_str()), ("GOOD", "good"));
    let mut data = dataset();
    drop(changes.apply(&mut data));
    changes.correct(Correction::of_row(&data, 0, label("mood"), "GOOD").expect("a row"));
    assert!(changes.is_empty());
}

#[test]
fn an_empty_text_is_no_correction() {
    let (mut data, mut changes) = (dataset(), Changes::default());
    changes.correct(Correction::of_row(&data, 0, Cell::Text, "  ").expect("a row"));
    assert_eq!(changes.apply(&mut data).stale, [0]);
    assert_eq!(data.text(0), "a");
}

#[test]
fn classes_are_merged_and_those_that_are_empty_then_go() {
    let merge = |task: &str, from: &str, into: &str| Fix::MergeClasses {
        task: task.into(),
        from: vec![from.into()],
        into: into.into(),
    };
    let (data, rows) = fixed(merge("mood", "GOOD", "good"));
    assert_eq!(rows, 1);
    assert_eq!(data.tasks[0].classes, ["bad", "good", "never"], "a class of the user's own list stays");
    let labels: Vec<Option<String>> = (0..6).map(|row| data.tasks[0].in_words(row)).collect();
    assert_eq!(
        labels.iter().map(Option::as_deref).collect::<Vec<_>>(),
        [Some("good"), Some("bad"), Some("good"), Some("good"), None, Some("bad")]
    );
    let (data, rows) = fixed(merge("tags", "x", "y"));
    assert_eq!((rows, data.tasks[1].classes_of(0)), (1, vec![0]));
    assert_eq!(fixed(merge("absent", "x", "y")).1, 0);
}

#[test]
fn leaks_conflicts_repeats_and_control_characters_are_mended() {
    let (data, rows) = fixed(Fix::JoinLeaks);
    assert_eq!((rows, data.splits[2]), (1, Split::Train));
    let (data, rows) = fixed(Fix::ForgetConflicts { task: "mood".into() });
    assert_eq!((rows, data.tasks[0].is_labelled(0), data.tasks[0].is_labelled(1)), (3, false, true));
    let (data, rows) = fixed(Fix::StripControls);
    assert_eq!((rows, data.text(3)), (1, "c"));

    let mut repeated = dataset();
    repeated.tasks[0].labels = Labels::Class(vec![Some(0), Some(1), Some(2), Some(2), Some(0), Some(1)]);
    repeated.tasks[1].labels = Labels::Classes(vec![None; 6]);
    let outcome = Changes { fixes: vec![Fix::DropRepeats], ..Changes::default() }.apply(&mut repeated);
    assert_eq!((outcome.fixed[0], repeated.rows()), (1, 5));
    assert_eq!(repeated.texts.iter().flatten().collect::<Vec<_>>(), ["a", "b", "a", "c\u{7}", "d"]);
    assert_eq!(repeated.origins, [(0, 2), (0, 3), (0, 4), (1, 1), (1, 1)]);
    assert_eq!(repeated.tasks[0].in_words(4).as_deref(), Some("bad"));
}
