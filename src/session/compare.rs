//! Two runs on the same rows: what the later one mends and what it breaks. Plain data in, plain data out.

use std::sync::Arc;

use super::row_results::{ClassSaid, RowResults};
use super::state::Evaluation;
use crate::data::dataset::Split;

/// Most measurements that are kept to compare with; of more, the oldest is given up. Each takes 24 bytes a row and
/// single-label task.
const MOST_KEPT: usize = 8;

/// A row that at least one of two runs is wrong about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Row of the data set.
    pub row: usize,
    /// Its label, a class of the present run.
    pub label: u32,
    /// What the earlier run said, one of [`TaskComparison::classes_before`].
    pub before: u32,
    /// What the present run says, a class of it.
    pub now: u32,
}

/// A task of two runs, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskComparison {
    /// Classes of the earlier run.
    pub classes_before: Vec<String>,
    /// Wrong before, right now.
    pub fixed: Vec<Compared>,
    /// Right before, wrong now.
    pub broken: Vec<Compared>,
    /// Wrong before and now, if perhaps in another way.
    pub still_wrong: Vec<Compared>,
    /// Rows that both are right about.
    pub both_right: usize,
}

/// The present run beside an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunComparison {
    /// Name of the earlier run.
    pub run: String,
    /// Per task of the present run; `None` where the earlier one had no such task, or it is no single-label task.
    pub tasks: Vec<Option<TaskComparison>>,
}

/// What runs said of rows, kept while the rows stay the same.
#[derive(Debug, Default)]
pub(super) struct PastResults {
    /// Oldest first.
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    run: String,
    split: Split,
    tasks: Vec<KeptTask>,
}

#[derive(Debug)]
struct KeptTask {
    task: String,
    classes: Vec<String>,
    said: Arc<Vec<ClassSaid>>,
}

impl PastResults {
    /// The rows are others.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    /// The run's weights are about to change.
    pub(super) fn forget_run(&mut self, run: &str) {
        self.kept.retain(|kept| kept.run != run);
    }

    /// Keeps what a run said, over what it said of the same split before.
    pub(super) fn keep(&mut self, evaluation: &Evaluation) {
        self.kept.retain(|kept| (kept.run.as_str(), kept.split) != (&evaluation.run, evaluation.split));
        let task = |(metrics, said): (&crate::train::metrics::TaskMetrics, &RowResults)| match said {
            RowResults::Classes(said) => Some(KeptTask {
                task: metrics.task.clone(),
                classes: metrics.classes.iter().map(|class| class.name.clone()).collect(),
                said: said.clone(),
            }),
            RowResults::Nothing | RowResults::Sets(_) | RowResults::Spans(_) => None,
        };
        let tasks: Vec<KeptTask> = evaluation.tasks.iter().zip(&evaluation.said).filter_map(task).collect();
        if !tasks.is_empty() {
            self.kept.push(Kept { run: evaluation.run.clone(), split: evaluation.split, tasks });
        }
        let too_many = self.kept.len().saturating_sub(MOST_KEPT);
        self.kept.drain(..too_many);
    }

    /// The run beside every other one that was measured on the same split, the latest first.
    pub(super) fn compare(&self, evaluation: &Evaluation) -> Vec<RunComparison> {
        let others = self.kept.iter().rev();
        let others = others.filter(|kept| kept.split == evaluation.split && kept.run != evaluation.run);
        others.map(|kept| kept.beside(evaluation)).collect()
    }
}

impl Kept {
    fn beside(&self, evaluation: &Evaluation) -> RunComparison {
        let tasks = evaluation.tasks.iter().zip(&evaluation.said).map(|(metrics, said)| {
            let RowResults::Classes(now) = said else { return None };
            let before = self.tasks.iter().find(|before| before.task == metrics.task)?;
            let classes: Vec<&str> = metrics.classes.iter().map(|class| class.name.as_str()).collect();
            Some(compare(&before.said, &before.classes, now, &classes))
        });
        RunComparison { run: self.run.clone(), tasks: tasks.collect() }
    }
}

/// Compares by the labels of `now`: an earlier run is not blamed for a label that was corrected since. Both lists are
/// in the order of their rows; rows that only one of them has are passed over.
fn compare(
    before: &[ClassSaid],
    classes_before: &[String],
    now: &[ClassSaid],
    classes: &[&str],
) -> TaskComparison {
    let mut comparison =
        TaskComparison { classes_before: classes_before.to_vec(), ..TaskComparison::default() };
    let mut earlier = before.iter().peekable();
    for said in now {
        while earlier.next_if(|other| other.row < said.row).is_some() {}
        let Some(other) = earlier.next_if(|other| other.row == said.row) else { continue };
        let row = Compared { row: said.row, label: said.label, before: other.predicted, now: said.predicted };
        let label = classes.get(said.label as usize).copied();
        let was_right =
            label.is_some() && classes_before.get(other.predicted as usize).map(String::as_str) == label;
        match (was_right, said.is_right()) {
            (true, true) => comparison.both_right += 1,
            (false, true) => comparison.fixed.push(row),
            (true, false) => comparison.broken.push(row),
            (false, false) => comparison.still_wrong.push(row),
        }
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::{ClassMetrics, TaskMetrics};

    fn said(rows: &[(usize, u32, u32)]) -> Vec<ClassSaid> {
        let of = |(row, label, predicted): &(usize, u32, u32)| ClassSaid {
            row: *row,
            label: *label,
            predicted: *predicted,
            ..ClassSaid::default()
        };
        rows.iter().map(of).collect()
    }

    fn evaluation(run: &str, split: Split, rows: &[(usize, u32, u32)]) -> Evaluation {
        let class = |name: &str| ClassMetrics { name: name.into(), ..ClassMetrics::default() };
        let classes = vec![class("a"), class("b")];
        Evaluation {
            run: run.into(),
            split,
            tasks: vec![TaskMetrics { task: "topic".into(), classes, ..TaskMetrics::default() }],
            mistakes: Vec::new(),
            probes: Vec::new(),
            suspects: Vec::new(),
            said: vec![RowResults::Classes(Arc::new(said(rows)))],
            compared: Vec::new(),
            labels_changed: false,
            untrained: Vec::new(),
        }
    }

    #[test]
    fn rows_are_matched_by_number_and_classes_by_name() {
        // The earlier run knew the classes in another order, and row 5 was not labelled for it.
        let before = said(&[(1, 1, 1), (2, 1, 0), (3, 0, 0), (4, 0, 1)]);
        let now = said(&[(1, 0, 0), (2, 0, 0), (3, 1, 0), (4, 1, 0), (5, 1, 1)]);
        let found = compare(&before, &["b".into(), "a".into()], &now, &["a", "b"]);
        let rows = |list: &[Compared]| list.iter().map(|row| row.row).collect::<Vec<_>>();
        assert_eq!((found.both_right, rows(&found.fixed)), (1, vec![2]));
        assert_eq!((rows(&found.broken), rows(&found.still_wrong)), (vec![3], vec![4]));
        assert_eq!(found.fixed, [Compared { row: 2, label: 0, before: 0, now: 0 }]);
    }

    #[test]
    fn an_earlier_run_is_measured_by_the_labels_of_now() {
        // Row 1 was labelled `a`; by now it is `b`, which the earlier run had said all along.
        let found = compare(&said(&[(1, 0, 1)]), &["a".into(), "b".into()], &said(&[(1, 1, 1)]), &["a", "b"]);
        assert_eq!((found.both_right, found.fixed.len()), (1, 0));
    }

    #[test]
    fn runs_are_kept_per_split_and_the_oldest_is_given_up() {
        let mut earlier = PastResults::default();
        let first = evaluation("run-1", Split::Test, &[(1, 0, 1)]);
        earlier.keep(&first);
        earlier.keep(&first);
        assert_eq!(earlier.compare(&first), [], "not with itself");
        let second = evaluation("run-2", Split::Test, &[(1, 0, 0)]);
        let compared = earlier.compare(&second);
        assert_eq!((compared.len(), compared[0].run.as_str()), (1, "run-1"));
        assert_eq!(compared[0].tasks[0].as_ref().map(|task| task.fixed.len()), Some(1));
        assert_eq!(earlier.compare(&evaluation("run-2", Split::Valid, &[(1, 0, 0)])), []);
        for number in 0..MOST_KEPT {
            earlier.keep(&evaluation(&format!("other-{number}"), Split::Test, &[(1, 0, 0)]));
        }
        let names: Vec<String> = earlier.compare(&second).into_iter().map(|found| found.run).collect();
        assert_eq!((names.len(), names[0].as_str()), (MOST_KEPT, "other-7"), "{names:?}");
        earlier.forget_run("other-7");
        assert_eq!(earlier.compare(&second).len(), MOST_KEPT - 1);
        earlier.forget();
        assert_eq!(earlier.compare(&second), []);
    }
}
