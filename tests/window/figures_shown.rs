//! The figure of every kind of task by its name and on its scale, wherever it is shown: Evaluate page, Train page, model
//! card, terminal, JSON. A correlation of 0.8 is 0.800, and never 80 %.
#![cfg(feature = "window")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::page::{page, sees, sees_not};
use crate::support::program::Place;
use frostline::data::dataset::Split;
use frostline::data::task::TaskKind;
use frostline::export::CardInputs;
use frostline::export::card::model_card;
use frostline::model::summary::{Group, ModelSummary, Origin, Pooling, TensorInfo};
use frostline::project::runs::{HistoryLine, RunEvent, RunFolder, RunListing};
use frostline::session::state::{Evaluation, Loadable, RunOutcome, RunReport, RunView, State};
use frostline::train::metrics::{EpochPoint, Headline, TaskMetrics};
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::{PlannedTask, RunPlan};
use frostline::ui::panels::evaluate::{EvaluateView, evaluate_ui};
use frostline::ui::panels::train::{TrainView, train_ui};

/// A task of a kind, and what must be read of it: the headline and another figure, each by name, value and JSON key.
struct Case {
    figures: TaskMetrics,
    headline: (&'static str, &'static str),
    other: (&'static str, &'static str),
    json: (&'static str, f64),
    /// How its headline would read on the wrong scale.
    wrong: &'static str,
}

fn cases() -> Vec<Case> {
    let names = |classes: &[&str]| classes.iter().map(|class| (*class).to_owned()).collect::<Vec<_>>();
    let numbers =
        |task: &str, kind| TaskMetrics::of_numbers(task, kind, &[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.0, 3.0]);
    let sets = [0.75, 0.25, 0.25, 0.75];
    let tags = names(&["B-PER", "I-PER", "O"]);
    vec![
        Case {
            figures: TaskMetrics::from_probabilities(
                "topic",
                &names(&["a", "b"]),
                &[0.9, 0.1, 0.6, 0.4, 0.2, 0.8, 0.7, 0.3],
                &[0, 0, 1, 1],
            ),
            headline: ("accuracy", "75.0 %"),
            other: ("MCC", "0.577"),
            json: ("accuracy", 0.75),
            wrong: "0.750",
        },
        Case {
            figures: TaskMetrics::of_sets("themes", &names(&["a", "b"]), &sets, &[vec![0], vec![]]),
            headline: ("micro F1", "66.7 %"),
            other: ("Hamming loss", "0.250"),
            json: ("micro_f1", 2.0 / 3.0),
            wrong: "0.667",
        },
        Case {
            figures: numbers("stars", TaskKind::Score),
            headline: ("Spearman", "0.800"),
            other: ("RMSE", "0.707"),
            json: ("spearman", 0.8),
            wrong: "80.0 %",
        },
        Case {
            figures: TaskMetrics::of_tags("entities", &tags, &[vec![0, 2, 2, 0]], &[vec![0, 2, 2, 2]]),
            headline: ("span F1", "66.7 %"),
            other: ("span recall", "100.0 %"),
            json: ("span_f1", 2.0 / 3.0),
            wrong: "0.667",
        },
        Case {
            figures: numbers("alike", TaskKind::Similarity),
            headline: ("Spearman", "0.800"),
            other: ("Pearson", "0.800"),
            json: ("spearman", 0.8),
            wrong: "80.0 %",
        },
        Case {
            figures: TaskMetrics::of_ranking("pairs", &[1, 2, 4, 20], 64, 1.5),
            headline: ("accuracy@1", "25.0 %"),
            other: ("MRR@10", "0.438"),
            json: ("accuracy_at_1", 0.25),
            wrong: "0.250",
        },
    ]
}

fn model() -> ModelSummary {
    let tensor = TensorInfo { name: "words".into(), shape: vec![9, 8], group: Group::Embeddings };
    ModelSummary {
        path: PathBuf::from("/models/tiny"),
        name: "tiny".into(),
        model_type: "bert".into(),
        layers: 1,
        applications: 1,
        dense: Vec::new(),
        hidden: 8,
        attention_heads: 1,
        vocab_size: 9,
        max_positions: 64,
        max_seq_length: 64,
        pooling: Pooling::Mean,
        pooling_source: String::new(),
        normalize: false,
        tensors: vec![tensor],
        sha256: "00".into(),
        file_bytes: 1,
        origin: Origin::default(),
    }
}

fn plan(tasks: &[&TaskMetrics]) -> RunPlan {
    let planned = |figures: &&TaskMetrics| PlannedTask {
        name: figures.task.clone(),
        kind: figures.kind,
        classes: figures.classes.iter().map(|class| class.name.clone()).collect(),
        labelled_train: 4,
        labelled_valid: 4,
        ..PlannedTask::default()
    };
    let mut tasks: Vec<PlannedTask> = tasks.iter().map(planned).collect();
    for task in tasks.iter_mut().filter(|task| task.kind == TaskKind::TokenLabels) {
        task.classes = ["B-PER", "I-PER", "O"].map(str::to_owned).into();
    }
    RunPlan::build("full-01", &Recipe::default(), &model(), tasks, 4, "cpu").unwrap()
}

fn epochs(tasks: &[&TaskMetrics]) -> Vec<EpochPoint> {
    let point = |epoch: u32| EpochPoint {
        epoch,
        step: epoch as usize,
        phase: 0,
        loss: 0.5,
        train: tasks.iter().map(|task| task.score()).collect(),
        valid: tasks.iter().map(|task| task.score()).collect(),
        seconds: 1.0,
        best: epoch == 1,
    };
    vec![point(0), point(1)]
}

fn report(tasks: &[&TaskMetrics]) -> RunReport {
    let metrics = vec![(Split::Valid, tasks.iter().copied().cloned().collect())];
    RunReport { metrics, ..RunReport::default() }
}

fn state(figures: &TaskMetrics) -> State {
    let plan = Arc::new(plan(&[figures]));
    let run = RunView {
        epochs: epochs(&[figures]),
        outcome: Some(RunOutcome::Finished),
        report: Some(Arc::new(report(&[figures]))),
        note: String::new(),
        ..RunView::starting(plan, std::path::Path::new("/p/runs/full-01"))
    };
    let evaluation = Evaluation {
        untrained: Vec::new(),
        run: "full-01".into(),
        split: Split::Valid,
        tasks: vec![figures.clone()],
        mistakes: vec![Vec::new()],
        probes: Vec::new(),
        suspects: vec![Vec::new()],
        said: Vec::new(),
        compared: Vec::new(),
        labels_changed: false,
    };
    let headline = Headline { task: figures.task.clone(), kind: figures.kind, value: figures.figure() };
    let listing = RunListing {
        name: "full-01".into(),
        preset: "full".into(),
        outcome: "finished".into(),
        figures: vec![headline],
    };
    State {
        run: Some(run),
        runs: vec![listing],
        evaluation: Loadable::Ready(Arc::new(evaluation)),
        ..State::default()
    }
}

#[test]
fn on_the_evaluate_page() {
    for Case { figures, headline, other, wrong, .. } in cases() {
        let page = page::<EvaluateView>(state(&figures), evaluate_ui);
        for text in [headline.0, headline.1, other.0, other.1] {
            sees(&page, text);
        }
        // Shares of classes stand on this page too, and a coefficient may by chance read as the wrong one.
        if !figures.kind.has_classes() {
            sees_not(&page, wrong);
        }
    }
}

#[test]
fn on_the_train_page() {
    for Case { figures, headline, wrong, .. } in cases() {
        let page = page::<TrainView>(state(&figures), train_ui);
        sees(&page, headline.1);
        // In the list of runs the column is called by task and figure.
        sees(&page, &format!("{} {}", figures.task, headline.0));
        if !figures.kind.has_classes() {
            sees_not(&page, wrong);
        }
    }
}

#[test]
fn on_the_model_card() {
    let cases = cases();
    let all: Vec<&TaskMetrics> = cases.iter().map(|case| &case.figures).collect();
    let (plan, report, model) = (plan(&all), report(&all), model());
    let card = model_card(&CardInputs {
        title: "Every kind",
        base_model: None,
        license: None,
        model: &model,
        plan: &plan,
        report: &report,
        outcome: &RunOutcome::Finished,
        rows: [4, 4, 0],
        versions: &[],
    });
    assert!(
        card.contains(
            "with one classification head, one multi-label classification head, one regression head, one token \
             classification head that share it, and trained on pairs of texts"
        ),
        "{card}"
    );
    for Case { figures, headline, other, .. } in &cases {
        let row = card
            .lines()
            .find(|line| line.starts_with(&format!("| valid | {} |", figures.task)))
            .unwrap_or_else(|| panic!("no row of {}", figures.task));
        let head =
            card.lines().take_while(|line| *line != row).filter(|line| line.starts_with("| Split")).last();
        let columns: Vec<&str> = head.unwrap().split('|').map(str::trim).collect();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for (name, value) in [headline, other] {
            let place = columns.iter().position(|column| column.eq_ignore_ascii_case(name)).unwrap();
            assert_eq!(cells[place], *value, "{name} of {}", figures.task);
        }
        let data = format!("| {} | {} | ", figures.task, figures.kind.key());
        let row = card.lines().find(|line| line.starts_with(&data)).unwrap();
        assert_eq!(row.contains("| none |"), !figures.kind.has_classes(), "{row}");
    }
    for words in ["Matthews", "Spearman and Pearson", "MRR@10 is", "whole entities"] {
        assert!(card.contains(words), "the card says nothing of {words}");
    }
}

#[test]
fn in_the_terminal_and_as_json() {
    let cases = cases();
    let all: Vec<&TaskMetrics> = cases.iter().map(|case| &case.figures).collect();
    let place = Place::new();
    std::fs::create_dir(place.path("p")).unwrap();
    let mut run = RunFolder::create(&place.path("p"), "full-01").unwrap();
    run.write_plan(&plan(&all)).unwrap();
    run.append(&HistoryLine::Event(RunEvent::FiguresByDefinition)).unwrap();
    for point in epochs(&all) {
        run.append(&HistoryLine::Epoch(point)).unwrap();
    }
    run.write_report(&report(&all)).unwrap();
    run.set_outcome(&RunOutcome::Finished).unwrap();
    let text = place.ok(&["inspect", "p/runs/full-01"]);
    for Case { figures, headline, other, .. } in &cases {
        let (name, value) = headline;
        let task = &figures.task;
        let of_epoch = match figures.kind {
            // Within a batch it is another figure.
            TaskKind::Ranking => {
                format!("{task} in-batch {name}: train {value}  {task} {name}: valid {value}")
            }
            _ => format!("{task} {name}: train {value}, valid {value}"),
        };
        assert!(text.contains(&of_epoch), "no \"{of_epoch}\" in {text}");
        let row = text.lines().find(|line| line.trim_start().starts_with(&format!("{} ", figures.task)));
        let row = row.unwrap_or_else(|| panic!("no row of {} in {text}", figures.task));
        assert!(row.contains(headline.1) && row.contains(other.1), "{row}");
    }
    let json = place.json(&["inspect", "p/runs/full-01", "--json"]);
    for Case { figures, json: (key, value), .. } in &cases {
        let tasks = json[0]["metrics"]["valid"].as_array().unwrap();
        let found = tasks.iter().find(|found| found["task"] == figures.task.as_str()).unwrap();
        assert!((found[key].as_f64().unwrap() - value).abs() < 1e-9, "{found}");
        // A name of another kind's figure is not there.
        assert_eq!(found.get("accuracy").is_some(), figures.kind == TaskKind::SingleLabel, "{found}");
    }
}
