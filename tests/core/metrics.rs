//! The figures of every kind of task are those of scikit-learn, scipy and seqeval, on cases recorded from them.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground is missing")]

use frostline::data::task::TaskKind;
use frostline::train::metrics::{TagScheme, TaskMetrics, headline, keys};
use proptest::prelude::*;
use serde_json::Value;

const EXACT: f64 = 1e-9;

fn cases(kind: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../fixtures/metrics/kinds.json")).unwrap();
    file[kind].as_array().unwrap().clone()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

/// Compares where there is something to compare with: what the other library does not define is 0 with us.
fn near(case: &Value, what: &str, found: f64, wanted: &Value, tolerance: f64) {
    let wanted = wanted.as_f64().unwrap_or(0.0);
    let name = &case["name"];
    assert!((found - wanted).abs() <= tolerance, "{name}, {what}: {found}, expected {wanted}");
}

#[test]
fn several_classes_are_measured_as_scikit_learn_does() {
    let cases = cases("several");
    assert!(cases.len() >= 8);
    for case in &cases {
        let classes: Vec<String> = (0..case["classes"].as_u64().unwrap()).map(|i| format!("{i}")).collect();
        let truth: Vec<Vec<u32>> = case["truth"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| floats(row).into_iter().map(|class| class as u32).collect())
            .collect();
        let found = TaskMetrics::of_sets("task", &classes, &floats(&case["probs"]), &truth);
        let (multi, wanted) = (found.multi.unwrap(), &case["figures"]);
        near(case, "micro precision", multi.micro_precision, &wanted["micro"][0], EXACT);
        near(case, "micro recall", multi.micro_recall, &wanted["micro"][1], EXACT);
        near(case, "micro F1", multi.micro_f1, &wanted["micro"][2], EXACT);
        near(case, "macro F1", found.macro_f1, &wanted["macro"][2], EXACT);
        near(case, "weighted F1", found.weighted_f1, &wanted["weighted"][2], EXACT);
        near(case, "samples F1", multi.samples_f1, &wanted["samples"][2], EXACT);
        near(case, "subset accuracy", found.accuracy, &wanted["subset_accuracy"], EXACT);
        near(case, "Hamming loss", multi.hamming_loss, &wanted["hamming_loss"], EXACT);
        near(case, "loss", found.loss, &wanted["loss"], EXACT);
        assert_eq!(found.figure(), multi.micro_f1);
        for (index, class) in found.classes.iter().enumerate() {
            near(case, "precision", class.precision, &wanted["classes"][0][index], EXACT);
            near(case, "recall", class.recall, &wanted["classes"][1][index], EXACT);
            near(case, "F1", class.f1, &wanted["classes"][2][index], EXACT);
            near(case, "support", class.support as f64, &wanted["classes"][3][index], 0.0);
        }
    }
}

#[test]
fn numbers_are_measured_as_scipy_does() {
    let cases = cases("numbers");
    assert!(cases.len() >= 10);
    for case in &cases {
        let (predicted, truth) = (floats(&case["predicted"]), floats(&case["truth"]));
        let found = TaskMetrics::of_numbers("task", TaskKind::Score, &predicted, &truth);
        let (numbers, wanted) = (found.numbers.unwrap(), &case["figures"]);
        near(case, "Pearson", numbers.pearson, &wanted["pearson"], EXACT);
        near(case, "Spearman", numbers.spearman, &wanted["spearman"], EXACT);
        near(case, "MAE", numbers.mae, &wanted["mae"], EXACT);
        near(case, "MSE", found.get("mse").unwrap(), &wanted["mse"], EXACT);
        near(case, "RMSE", numbers.rmse, &wanted["rmse"], EXACT);
        assert_eq!((found.rows, found.figure()), (truth.len(), numbers.spearman));
    }
}

#[test]
fn entities_are_counted_as_seqeval_counts_them() {
    let cases = cases("tags");
    assert!(cases.len() >= 15);
    for case in &cases {
        let rows = |key: &str| -> Vec<Vec<String>> { serde_json::from_value(case[key].clone()).unwrap() };
        let (truth, predicted) = (rows("truth"), rows("predicted"));
        let mut classes: Vec<String> = truth.iter().chain(&predicted).flatten().cloned().collect();
        classes.sort();
        classes.dedup();
        let indices = |rows: &[Vec<String>]| -> Vec<Vec<u32>> {
            let index = |tag: &String| classes.binary_search(tag).unwrap() as u32;
            rows.iter().map(|row| row.iter().map(index).collect()).collect()
        };
        let found = TaskMetrics::of_tags("task", &classes, &indices(&predicted), &indices(&truth));
        let (spans, wanted) = (found.spans.unwrap(), &case["figures"]);
        near(case, "precision", spans.precision, &wanted["micro"][0], EXACT);
        near(case, "recall", spans.recall, &wanted["micro"][1], EXACT);
        near(case, "F1", spans.f1, &wanted["micro"][2], EXACT);
        near(case, "macro F1", found.macro_f1, &wanted["macro"][2], EXACT);
        near(case, "weighted F1", found.weighted_f1, &wanted["weighted"][2], EXACT);
        near(case, "word accuracy", found.accuracy, &wanted["accuracy"], EXACT);
        assert_eq!(found.figure(), spans.f1);

        let occurring: Vec<&Value> = wanted["types"].as_array().unwrap().iter().collect();
        let named = |class: &str, kind: &Value| class.ends_with(kind[0].as_str().unwrap());
        for kind in &occurring {
            let class = found.classes.iter().find(|class| named(&class.name, kind)).unwrap();
            near(case, "precision of a type", class.precision, &kind[1], EXACT);
            near(case, "recall of a type", class.recall, &kind[2], EXACT);
            near(case, "F1 of a type", class.f1, &kind[3], EXACT);
            near(case, "support of a type", class.support as f64, &kind[4], 0.0);
        }

        // The entities themselves, as places in the rows one after the other with a word between them.
        let scheme = TagScheme::of(&classes);
        let mut entities = Vec::new();
        let mut start = 0;
        for row in indices(&truth) {
            entities
                .extend(scheme.spans(&row).into_iter().map(|span| (start + span.first, start + span.last)));
            start += row.len() + 1;
        }
        let wanted: Vec<(usize, usize)> = wanted["entities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entity| (entity[1].as_u64().unwrap() as usize, entity[2].as_u64().unwrap() as usize))
            .collect();
        assert_eq!(entities, wanted, "{}", case["name"]);
    }
}

/// Early stopping may watch any figure: every key of every kind finds a number, and no other kind's key does.
#[test]
fn every_documented_key_names_a_figure() {
    let classes = ["B-X".to_owned(), "O".to_owned()];
    for kind in TaskKind::ALL {
        let found = match kind {
            TaskKind::SingleLabel => TaskMetrics::from_probabilities("task", &classes, &[0.9, 0.1], &[0]),
            TaskKind::MultiLabel => TaskMetrics::of_sets("task", &classes, &[0.9, 0.1], &[vec![0]]),
            TaskKind::TokenLabels => TaskMetrics::of_tags("task", &classes, &[vec![0]], &[vec![0]]),
            TaskKind::Score | TaskKind::Similarity => {
                TaskMetrics::of_numbers("task", kind, &[1.0, 2.0], &[2.0, 3.0])
            }
            TaskKind::Ranking => TaskMetrics::of_ranking("task", &[1], 1, 0.0),
        };
        assert_eq!(found.kind, kind);
        for key in keys(kind) {
            assert!(found.get(key).is_some(), "{key} of {kind:?}");
        }
        assert_eq!(found.get("loss"), Some(found.loss));
        assert_eq!(found.get("figure"), Some(found.figure()));
        assert_eq!(found.figure(), 1.0, "the headline of {kind:?}, of perfect answers");
        let of_others =
            TaskKind::ALL.into_iter().flat_map(keys).filter(|key| !keys(kind).any(|own| own == *key));
        for key in of_others {
            assert_eq!(found.get(key), None, "{key} of {kind:?}");
        }
        assert!(headline(kind).larger_is_better);
    }
    assert!(!TaskMetrics::larger_is_better("loss") && !TaskMetrics::larger_is_better("rmse"));
}

/// Every figure that is a share or a correlation stays within its bounds, and none depends on the order of the rows.
fn holds(found: &TaskMetrics, turned: &TaskMetrics) -> Result<(), TestCaseError> {
    for ((key, value), (_, other)) in found.named().into_iter().zip(turned.named()) {
        prop_assert!((value - other).abs() < 1e-9, "{key}: {value} and {other}");
        let (lowest, highest) = match key {
            "loss" | "mse" | "mae" | "rmse" => (0.0, f64::INFINITY),
            "spearman" | "pearson" | "mcc" => (-1.0, 1.0),
            _ => (0.0, 1.0),
        };
        prop_assert!((lowest..=highest).contains(&value), "{key}: {value}");
    }
    Ok(())
}

fn reversed<T: Clone>(list: &[T]) -> Vec<T> {
    list.iter().rev().cloned().collect()
}

proptest! {
    #[test]
    fn figures_of_sets_are_bounded_whatever_the_order(
        rows in prop::collection::vec((prop::array::uniform3(0.0_f32..=1.0), prop::collection::btree_set(0_u32..3, 0..4)), 0..20),
    ) {
        let classes = ["a", "b", "c"].map(str::to_owned);
        let of = |rows: &[([f32; 3], std::collections::BTreeSet<u32>)]| {
            let probs: Vec<f32> = rows.iter().flat_map(|(probs, _)| *probs).collect();
            let truth: Vec<Vec<u32>> = rows.iter().map(|(_, set)| set.iter().copied().collect()).collect();
            TaskMetrics::of_sets("task", &classes, &probs, &truth)
        };
        holds(&of(&rows), &of(&reversed(&rows)))?;
    }

    #[test]
    fn figures_of_numbers_are_bounded_whatever_the_order(
        rows in prop::collection::vec((-100.0_f32..100.0, (-3_i8..4).prop_map(f32::from)), 0..20),
    ) {
        let of = |rows: &[(f32, f32)]| {
            let (said, is): (Vec<f32>, Vec<f32>) = rows.iter().copied().unzip();
            TaskMetrics::of_numbers("task", TaskKind::Score, &said, &is)
        };
        holds(&of(&rows), &of(&reversed(&rows)))?;
    }

    #[test]
    fn figures_of_tags_are_bounded_whatever_the_order(
        rows in prop::collection::vec(prop::collection::vec((0_u32..5, 0_u32..5), 0..8), 0..12),
    ) {
        let classes = ["B-X", "I-X", "B-Y", "I-Y", "O"].map(str::to_owned);
        let of = |rows: &[Vec<(u32, u32)>]| {
            let (said, is): (Vec<Vec<u32>>, Vec<Vec<u32>>) =
                rows.iter().map(|row| row.iter().copied().unzip()).unzip();
            TaskMetrics::of_tags("task", &classes, &said, &is)
        };
        holds(&of(&rows), &of(&reversed(&rows)))?;
    }

    #[test]
    fn figures_of_ranks_are_bounded_whatever_the_order(ranks in prop::collection::vec(1_u32..40, 0..20)) {
        let of = |ranks: &[u32]| TaskMetrics::of_ranking("task", ranks, 40, 0.0);
        holds(&of(&ranks), &of(&reversed(&ranks)))?;
    }
}
