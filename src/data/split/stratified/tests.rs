use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// Rows with repeated texts and two tasks, some labels missing.
fn some_rows() -> impl Strategy<Value = Vec<(String, Vec<Option<u32>>)>> {
    let label = || prop::option::weighted(0.8, 0_u32..4);
    prop::collection::vec(("[ab]{1,6}", prop::collection::vec(label(), 2)), 0..150)
}

fn placed(rows: &[(String, Vec<Option<u32>>)], valid: f64, test: f64, seed: u64) -> Vec<Split> {
    let texts = rows.iter().map(|(text, _)| text.as_str()).collect();
    let tasks = rows.first().map_or(0, |(_, labels)| labels.len());
    place(
        &Candidates { texts, groups: None, tasks, class: &|task, row| rows[row].1[task] },
        valid,
        test,
        seed,
    )
}

/// Rows that belong to some author or to nobody, besides.
fn grouped_rows() -> impl Strategy<Value = Vec<(String, Vec<Option<u32>>, String)>> {
    let label = || prop::option::weighted(0.8, 0_u32..4);
    prop::collection::vec(("[a-d]{1,5}", prop::collection::vec(label(), 2), "[pqrstuvw]?"), 0..120)
}

fn placed_in_groups(rows: &[(String, Vec<Option<u32>>, String)], seed: u64) -> Vec<Split> {
    let texts = rows.iter().map(|(text, _, _)| text.as_str()).collect();
    let groups = Some(rows.iter().map(|(_, _, group)| group.as_str()).collect());
    let tasks = rows.first().map_or(0, |(_, labels, _)| labels.len());
    let class = |task: usize, row: usize| rows[row].1[task];
    place(&Candidates { texts, groups, tasks, class: &class }, 0.2, 0.2, seed)
}

fn count(splits: &[Split], split: Split) -> usize {
    splits.iter().filter(|s| **s == split).count()
}

proptest! {
    #[test]
    fn every_row_is_placed_and_equal_texts_stay_together(rows in some_rows(), seed: u64) {
        let splits = placed(&rows, 0.2, 0.3, seed);
        prop_assert_eq!(splits.len(), rows.len());
        let mut of_text: HashMap<&str, Split> = HashMap::new();
        for ((text, _), split) in rows.iter().zip(&splits) {
            prop_assert_eq!(*of_text.entry(text).or_insert(*split), *split);
        }
    }

    #[test]
    fn rows_of_a_group_and_equal_texts_stay_together(rows in grouped_rows(), seed: u64) {
        let splits = placed_in_groups(&rows, seed);
        prop_assert_eq!(splits.len(), rows.len());
        let (mut of_text, mut of_group) = (HashMap::new(), HashMap::new());
        for ((text, _, group), split) in rows.iter().zip(&splits) {
            prop_assert_eq!(*of_text.entry(text).or_insert(*split), *split);
            if !group.is_empty() {
                prop_assert_eq!(*of_group.entry(group).or_insert(*split), *split);
            }
        }
        prop_assert!(rows.is_empty() || splits.contains(&Split::Train));
    }

    #[test]
    fn the_order_of_grouped_rows_does_not_matter(rows in grouped_rows(), seed: u64, turn in 0_usize..120) {
        let by_text = |rows: &[(String, Vec<Option<u32>>, String)]| -> BTreeMap<String, Split> {
            let splits = placed_in_groups(rows, seed);
            rows.iter().map(|(text, _, _)| text.clone()).zip(splits).collect()
        };
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len().max(1));
        turned.reverse();
        prop_assert_eq!(by_text(&rows), by_text(&turned));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in some_rows(), seed: u64, turn in 0_usize..150) {
        let by_text = |rows: &[(String, Vec<Option<u32>>)]| -> BTreeMap<String, Split> {
            let splits = placed(rows, 0.2, 0.3, seed);
            rows.iter().map(|(text, _)| text.clone()).zip(splits).collect()
        };
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len().max(1));
        turned.reverse();
        prop_assert_eq!(by_text(&rows), by_text(&turned));
    }

    #[test]
    fn every_class_can_be_learnt(rows in some_rows(), seed: u64) {
        // Of texts that several rows share, only one label is looked at; distinct texts keep the claim exact.
        let rows: Vec<_> =
            rows.into_iter().enumerate().map(|(i, (text, labels))| (format!("{text}{i}"), labels)).collect();
        let splits = placed(&rows, 0.4, 0.4, seed);
        for task in 0..2 {
            let classes = |split: Option<Split>| -> BTreeSet<u32> {
                let rows = rows.iter().zip(&splits).filter(|(_, s)| split.is_none_or(|split| **s == split));
                rows.filter_map(|((_, labels), _)| labels[task]).collect()
            };
            prop_assert_eq!(classes(None), classes(Some(Split::Train)));
        }
    }
}

#[test]
fn parts_are_kept_overall_and_within_classes() {
    // 90 % of one class, 10 % of the other, and a second task that crosses them.
    let rows: Vec<_> = (0..1000_u32)
        .map(|i| (format!("text {i}"), vec![Some(u32::from(i % 10 == 0)), Some(i % 3)]))
        .collect();
    let splits = placed(&rows, 0.1, 0.2, 7);
    assert_eq!((count(&splits, Split::Valid), count(&splits, Split::Test)), (100, 200));
    let rare: Vec<Split> =
        splits.iter().zip(&rows).filter(|(_, row)| row.1[0] == Some(1)).map(|(split, _)| *split).collect();
    assert!(count(&rare, Split::Test).abs_diff(20) <= 2, "{} of 100", count(&rare, Split::Test));
    assert!(count(&rare, Split::Valid).abs_diff(10) <= 2, "{} of 100", count(&rare, Split::Valid));
    assert_ne!(splits, placed(&rows, 0.1, 0.2, 8), "another seed, other rows");
    assert_eq!(count(&placed(&rows, 0.0, 0.0, 7), Split::Train), 1000);
}

#[test]
fn many_strata_are_numbered_as_few_are() {
    let classes: Vec<u32> = (0..3000).map(|i| i * 7919 % 3000).collect();
    let mut strata = classes.clone();
    finer(&mut strata, &classes);
    assert_eq!(strata, classes, "of {} pairs one per stratum is met, in order", 3000 * 3000);
    let mut few = vec![0, 1, 1, 0];
    finer(&mut few, &[2, 0, 5, 2]);
    assert_eq!(few, [0, 1, 2, 0]);
}

#[test]
fn groups_meet_the_parts_and_the_classes_as_nearly_as_their_sizes_allow() {
    // 60 authors of 5 to 14 texts; the first half writes of one thing, the other half of another.
    let rows: Vec<(String, Vec<Option<u32>>, String)> = (0..60_usize)
        .flat_map(|author| (0..5 + author % 10).map(move |text| (author, text)))
        .map(|(author, text)| {
            (
                format!("{author} {text}"),
                vec![Some(u32::from(author >= 30)), None],
                format!("author {author}"),
            )
        })
        .collect();
    let splits = placed_in_groups(&rows, 1);
    for (split, part) in [(Split::Valid, 0.2), (Split::Test, 0.2)] {
        let class = |class| {
            let of_class = rows.iter().zip(&splits).filter(|(row, _)| row.1[0] == Some(class));
            let (there, all) = of_class.fold((0.0, 0.0), |(there, all), (_, of)| {
                (there + f64::from(u8::from(*of == split)), all + 1.0)
            });
            there / all
        };
        for share in [class(0), class(1)] {
            assert!((share - part).abs() < 0.05, "{split:?} has {share} of a class");
        }
    }
}
