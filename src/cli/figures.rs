//! Figures in the terminal: a line per epoch, a table per split, a matrix of cosines; and the same as JSON.

use serde_json::{Value, json};

use super::console::{count, table};
use crate::data::task::TaskKind;
use crate::train::metrics::{
    EpochPoint, Probe, Score, TaskMetrics, figure_key, figures_of, format_figure, mean_loss, share, title,
    training_is_comparable, training_key,
};
use crate::train::plan::timeline::{last_epoch, phase_spans};
use crate::train::plan::{PlannedTask, RunPlan};
use crate::train::report::{RunReport, UNTRAINED};

/// `epoch 2/4  loss 0.8123  topic: train 0.912, valid 0.880  ...`; epoch 0 is the measurement before training.
/// `epochs` are those of the run, at most.
fn epoch_line(plan: &RunPlan, point: &EpochPoint, epochs: f64) -> String {
    let mut parts = vec![if point.epoch == 0 {
        let fresh = (0..plan.tasks.len()).filter(|task| plan.head_starts_fresh(*task));
        let fresh: Vec<&str> = fresh.filter_map(|task| Some(plan.tasks.get(task)?.name.as_str())).collect();
        let with_heads = plan.tasks.iter().filter(|task| task.kind.has_head()).count();
        match fresh.len() {
            0 => "before training".to_owned(),
            count if count == with_heads => format!("before training, heads {UNTRAINED}"),
            _ => format!("before training, {UNTRAINED}: {}", fresh.join(", ")),
        }
    } else {
        format!("epoch {}/{epochs}  average loss {}", point.epoch, mean_loss(point.loss))
    }];
    parts.push(figures_of_epoch(&plan.tasks, point).join("  "));
    if point.epoch > 0 {
        parts.push(format!("{:.1} s{}", point.seconds, if point.best { ", best so far" } else { "" }));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("  ")
}

/// `topic accuracy: train 91.2 %, valid 88.0 %` for every task.
fn figures_of_epoch(tasks: &[PlannedTask], point: &EpochPoint) -> Vec<String> {
    let mut parts = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let figure = |name: &str, key: &str, scores: &[Score]| {
            let score = scores.get(index).filter(|score| score.rows > 0 && !score.figure.is_nan())?;
            Some(format!("{name} {}", format_figure(key, score.figure)))
        };
        let (key, training) = (figure_key(task.kind), training_key(task.kind));
        let (train, valid) = (figure("train", training, &point.train), figure("valid", key, &point.valid));
        // What is measured in another way has a name of its own.
        let named: Vec<(&str, Vec<String>)> = if training_is_comparable(task.kind) {
            vec![(key, [train, valid].into_iter().flatten().collect())]
        } else {
            vec![(training, train.into_iter().collect()), (key, valid.into_iter().collect())]
        };
        for (key, figures) in named.into_iter().filter(|(_, figures)| !figures.is_empty()) {
            parts.push(format!("{} {}: {}", task.name, title(key), figures.join(", ")));
        }
    }
    parts
}

/// The same for programs.
pub(super) fn epoch_json(tasks: &[PlannedTask], point: &EpochPoint) -> Value {
    // The loss of tagged words is a mean over words in training, and the rows of a split are counted as rows.
    let counted = |task: &PlannedTask, is_training: bool| {
        if is_training && task.kind == TaskKind::TokenLabels { "words" } else { "rows" }
    };
    let scores = |scores: &[Score], key_of: fn(TaskKind) -> &'static str, is_training: bool| -> Value {
        let scores = tasks.iter().zip(scores).map(|(task, score)| {
            let measured = score.rows > 0;
            let figure = |value: f64| if measured { json!(value) } else { Value::Null };
            let mut object = json!({"loss": figure(score.loss), counted(task, is_training): score.rows});
            if let Some(fields) = object.as_object_mut() {
                fields.insert(json_key(key_of(task.kind)), figure(score.figure));
            }
            (task.name.clone(), object)
        });
        Value::Object(scores.collect())
    };
    json!({
        "event": "epoch",
        "epoch": point.epoch,
        "step": point.step,
        "phase": point.phase,
        "loss": if point.epoch == 0 { Value::Null } else { json!(point.loss) },
        "train": scores(&point.train, training_key, true),
        "valid": scores(&point.valid, figure_key, false),
        "seconds": point.seconds,
        "best": point.best,
    })
}

/// A figure's key as programs read it: `macro_f1`.
pub(super) fn json_key(key: &str) -> String {
    key.replace(['-', '@'], "_")
}

/// A line for every epoch of a run, each with the epochs that the run had at most as far as was known by then.
pub(super) fn epoch_lines(plan: &RunPlan, epochs: &[EpochPoint]) -> Vec<String> {
    let line = |(index, point): (usize, &EpochPoint)| {
        let known = epochs.get(..=index).unwrap_or_default();
        epoch_line(plan, point, last_epoch(&phase_spans(plan, known, &[], point.phase, false)))
    };
    epochs.iter().enumerate().map(line).collect()
}

/// The tables of a split of a run: what heads that never trained say stands apart, under that name.
pub(super) fn run_tables(plan: &RunPlan, report: &RunReport, tasks: &[TaskMetrics]) -> Vec<String> {
    let (untrained, trained): (Vec<TaskMetrics>, Vec<TaskMetrics>) =
        tasks.iter().cloned().partition(|figures| report.is_untrained(plan, &figures.task));
    let mut lines = metrics_table(&trained);
    if !untrained.is_empty() {
        lines.push(format!("heads that are {UNTRAINED}, with random weights:"));
        lines.extend(metrics_table(&untrained));
    }
    lines
}

/// A row per task, in a table per kind.
pub(super) fn metrics_table(tasks: &[TaskMetrics]) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in TaskKind::ALL {
        let of_kind: Vec<&TaskMetrics> = tasks.iter().filter(|figures| figures.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let header =
            ["task", "rows", "loss"].into_iter().chain(figures_of(kind).iter().map(|figure| figure.title));
        let header = header.map(str::to_owned);
        let mut rows = vec![header.collect::<Vec<_>>()];
        for figures in of_kind {
            let mut row = vec![figures.task.clone(), figures.rows.to_string()];
            // Figures of no row are none.
            let shown =
                |value, key| if figures.rows == 0 { "-".to_owned() } else { format_figure(key, value) };
            row.extend(figures.named().into_iter().map(|(key, value)| shown(value, key)));
            rows.push(row);
        }
        lines.extend(table(&rows));
    }
    let unread = |figures: &TaskMetrics| Some(format!("{}: {}", figures.task, figures.unread_note()?));
    lines.extend(tasks.iter().filter_map(unread));
    lines
}

/// A row per class of a task.
pub(super) fn classes_table(figures: &TaskMetrics) -> Vec<String> {
    if figures.classes.is_empty() {
        return Vec::new();
    }
    let counted = if figures.kind == TaskKind::TokenLabels { "entities" } else { "rows" };
    let header = [figures.task.as_str(), "precision", "recall", "F1", counted];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for class in &figures.classes {
        let mut row = vec![format!("  {}", class.name)];
        row.extend([class.precision, class.recall, class.f1].map(share));
        row.push(class.support.to_string());
        rows.push(row);
    }
    table(&rows)
}

/// All figures of a task for programs, calibration bins apart.
pub(super) fn metrics_json(figures: &TaskMetrics) -> Value {
    let classes = figures.classes.iter().map(|class| {
        json!({
            "class": class.name,
            "precision": class.precision,
            "recall": class.recall,
            "f1": class.f1,
            "support": class.support,
        })
    });
    let mut object = json!({"task": figures.task, "kind": figures.kind.key(), "rows": figures.rows});
    if let Some(fields) = object.as_object_mut() {
        let known = |value: f64| if figures.rows == 0 { Value::Null } else { json!(value) };
        fields.extend(figures.named().into_iter().map(|(key, value)| (json_key(key), known(value))));
        if figures.kind.has_classes() {
            fields.insert("classes".into(), json!(classes.collect::<Vec<_>>()));
        }
        if let Some(spans) = figures.spans {
            fields.insert("words".into(), json!(spans.words));
            fields.insert("entities".into(), json!(spans.entities));
            fields.insert("unread_words".into(), json!(spans.unread_words));
        }
        if figures.kind == TaskKind::SingleLabel {
            fields.insert("confusion".into(), json!(figures.confusion));
        }
    }
    object
}

/// The same of a task of a run, which says where its head never trained.
pub(super) fn run_json(plan: &RunPlan, report: &RunReport, figures: &TaskMetrics) -> Value {
    let mut object = metrics_json(figures);
    if let (true, Some(fields)) = (report.is_untrained(plan, &figures.task), object.as_object_mut()) {
        fields.insert(UNTRAINED.to_owned(), json!(true));
    }
    object
}

/// A probe for programs.
pub(super) fn probe_json(probe: &Probe) -> Value {
    json!({
        "task": probe.task,
        "rows": probe.rows,
        "nearest_centroid": probe.nearest_centroid,
        "nearest_neighbours": probe.nearest_neighbours,
        "k": probe.k,
        "majority": probe.majority,
    })
}

/// What the embeddings alone tell of a task.
pub(super) fn probe_line(probe: &Probe) -> String {
    format!(
        "{}: {} by nearest centroid {}, by {} nearest neighbours {}, always the commonest class {}",
        probe.task,
        count(probe.rows, "row"),
        share(probe.nearest_centroid),
        probe.k,
        share(probe.nearest_neighbours),
        share(probe.majority)
    )
}

/// Cosines of sentences, numbered as the sentences are.
pub(super) fn matrix_lines(matrix: &[Vec<f32>]) -> Vec<String> {
    let header = std::iter::once(String::new()).chain((1..=matrix.len()).map(|number| format!("[{number}]")));
    let mut rows = vec![header.collect::<Vec<_>>()];
    for (index, line) in matrix.iter().enumerate() {
        let cells = line.iter().map(|cosine| format!("{cosine:.3}"));
        rows.push(std::iter::once(format!("[{}]", index + 1)).chain(cells).collect());
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_numbered_as_its_sentences_are() {
        let lines = matrix_lines(&[vec![1.0, -0.25], vec![-0.25, 1.0]]);
        assert_eq!(lines, ["        [1]     [2]", "[1]   1.000  -0.250", "[2]  -0.250   1.000"]);
    }

    #[test]
    fn every_figure_of_an_epoch_has_its_own_name() {
        let score = |figure| Score { loss: 0.5, figure, rows: 4 };
        let named = [
            (TaskKind::SingleLabel, "accuracy", "accuracy", "it accuracy: train 25.0 %, valid 75.0 %"),
            (TaskKind::MultiLabel, "micro_f1", "micro_f1", "it micro F1: train 25.0 %, valid 75.0 %"),
            (TaskKind::Score, "spearman", "spearman", "it Spearman: train 0.250, valid 0.750"),
            (TaskKind::TokenLabels, "span_f1", "span_f1", "it span F1: train 25.0 %, valid 75.0 %"),
            (TaskKind::Similarity, "spearman", "spearman", "it Spearman: train 0.250, valid 0.750"),
            (
                TaskKind::Ranking,
                "in_batch_accuracy_at_1",
                "accuracy_at_1",
                "it in-batch accuracy@1: train 25.0 %  it accuracy@1: valid 75.0 %",
            ),
        ];
        for (kind, train_key, valid_key, line) in named {
            let task = PlannedTask { name: "it".into(), kind, ..PlannedTask::default() };
            let point = EpochPoint {
                epoch: 1,
                step: 4,
                phase: 0,
                loss: 0.5,
                train: vec![score(0.25)],
                valid: vec![score(0.75)],
                seconds: 1.0,
                best: true,
            };
            let json = epoch_json(std::slice::from_ref(&task), &point);
            assert_eq!(json["train"]["it"][train_key], json!(0.25), "{kind:?}");
            assert_eq!(json["valid"]["it"][valid_key], json!(0.75), "{kind:?}");
            let counted = if kind == TaskKind::TokenLabels { "words" } else { "rows" };
            assert_eq!(json["train"]["it"][counted], json!(4), "{kind:?}");
            assert_eq!(json["valid"]["it"]["rows"], json!(4), "{kind:?}");
            assert_eq!(figures_of_epoch(&[task], &point).join("  "), line);
        }
    }

    #[test]
    fn figures_of_no_row_are_none() {
        for kind in TaskKind::ALL {
            let nothing = TaskMetrics::none("it", kind);
            let json = metrics_json(&nothing);
            assert_eq!((&json["rows"], &json["loss"]), (&json!(0), &Value::Null), "{kind:?}");
            assert_eq!(json[json_key(figure_key(kind))], Value::Null, "{kind:?}");
            let line = metrics_table(&[nothing]).pop().unwrap();
            let cells: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(cells[..2], ["it", "0"], "{line}");
            assert!(cells[2..].iter().all(|cell| *cell == "-"), "{line}");
        }
    }

    #[test]
    fn what_was_not_measured_is_null_and_not_a_number() {
        let tasks = [PlannedTask {
            name: "topic".into(),
            classes: vec![],
            labelled_train: 0,
            labelled_valid: 2,
            ..PlannedTask::default()
        }];
        let point = EpochPoint {
            epoch: 0,
            step: 0,
            phase: 0,
            loss: 0.0,
            train: vec![Score::default()],
            valid: vec![Score { loss: 0.5, figure: 0.75, rows: 2 }],
            seconds: 0.1,
            best: true,
        };
        let json = epoch_json(&tasks, &point);
        assert_eq!(json["loss"], Value::Null);
        assert_eq!(json["train"]["topic"]["accuracy"], Value::Null);
        assert_eq!(json["valid"]["topic"]["accuracy"], json!(0.75));
    }
}
