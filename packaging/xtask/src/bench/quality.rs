//! What is learnt: test accuracy of Frostline and of the plain loop at the same settings.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::lab::{Lab, words};
use super::lines::number;
use super::stats::{extremes, median};
use super::table;
use super::training::{Mode, Run, peer_arguments, project, train};

/// Of the plain loop.
const SETTINGS: &str =
    "full fine-tuning, batch 32, 3 epochs, Adam at 1e-4 (heads 1e-3), linear with 10 % warm-up";
const SEEDS: [usize; 3] = [1, 2, 3];

/// Test accuracy of one task by one program.
#[derive(Clone, Debug, PartialEq)]
struct Accuracy {
    who: String,
    task: String,
    /// Per seed, over the rows whose labels are in scope.
    in_scope: Vec<f64>,
    /// Per seed, over all rows.
    all: Vec<f64>,
}

/// Trains and measures: Frostline with three seeds, the plain loop, where it is asked for, with the first of them.
pub(super) fn table(lab: &Lab, with_peer: bool) -> Result<String> {
    let mut found: Vec<Accuracy> = accuracies(lab, "Frostline");
    for seed in SEEDS {
        println!("training Frostline with seed {seed}");
        let run = Run { mode: Mode::Full, batch: 32, epochs: 3, seed, validates: true, falling_rate: true };
        let project = project(lab, run)?;
        lab.frostline(&train(project.path()), None)?;
        let run = project.path().join("runs").join("bench");
        let measure = |file: &str| {
            let file = lab.path(file);
            let mut arguments =
                words(["eval".as_ref(), run.as_os_str(), file.as_os_str(), "--json".as_ref()]);
            arguments.extend(words(["--device".as_ref(), "cpu".as_ref()]));
            lab.frostline(&arguments, None)
        };
        let (all, in_scope) = (measure("test.jsonl")?, measure("test_in_scope.jsonl")?);
        for accuracy in &mut found {
            accuracy.all.push(of_task(all.objects(), &accuracy.task)?);
            accuracy.in_scope.push(of_task(in_scope.objects(), &accuracy.task)?);
        }
    }
    if with_peer {
        println!("training the plain loop with seed {}", SEEDS[0]);
        let mut peer = accuracies(lab, "plain loop");
        let lines = lab.script("plain_loop.py", &peer_run(lab))?;
        let line = lines.event("evaluated")?;
        for accuracy in &mut peer {
            let value = |field: &str| {
                number(line.get(field).context("the plain loop was not measured")?, &accuracy.task)
            };
            accuracy.all = vec![value("accuracy")?];
            accuracy.in_scope = vec![value("accuracy_in_scope")?];
        }
        found.extend(peer);
    }
    Ok(render(&found, lab.inputs.in_scope_rows, lab.inputs.test_rows))
}

/// A program's figures, still to be measured.
fn accuracies(lab: &Lab, who: &str) -> Vec<Accuracy> {
    let of = |task: &String| Accuracy {
        who: who.to_owned(),
        task: task.clone(),
        in_scope: Vec::new(),
        all: Vec::new(),
    };
    lab.inputs.tasks.iter().map(of).collect()
}

/// The accuracy of a task among the objects that `frostline eval --json` prints.
fn of_task(objects: &[Value], task: &str) -> Result<f64> {
    let found = objects.iter().find(|object| object.get("task").is_some_and(|name| name == task));
    number(found.with_context(|| format!("the task {task} was not measured"))?, "accuracy")
}

fn peer_run(lab: &Lab) -> Vec<OsString> {
    let (test, threads, seed) = (lab.path("test.jsonl"), lab.threads.to_string(), SEEDS[0].to_string());
    let mut arguments = peer_arguments(lab);
    arguments.extend(words(["--evaluate".as_ref(), test.as_os_str(), "--epochs".as_ref(), "3".as_ref()]));
    arguments.extend(words(["--batch".as_ref(), "32".as_ref(), "--threads".as_ref(), threads.as_ref()]));
    // Faster, and the same numbers.
    arguments.extend(words(["--seed".as_ref(), seed.as_ref(), "--fused".as_ref()]));
    arguments
}

fn render(found: &[Accuracy], in_scope_rows: usize, rows: usize) -> String {
    let mut text = format!(
        "Test accuracy after {SETTINGS}; the median of the seeds, and their range:\n\n\
         | Task | | Seeds | In scope ({in_scope_rows} rows) | All {rows} rows |\n|---|---|--:|--:|--:|\n"
    );
    let cell = |values: &[f64]| match (median(values), extremes(values)) {
        (Some(middle), Some((low, high))) if low < high => format!("{middle:.4} ({low:.4} to {high:.4})"),
        (Some(middle), _) => format!("{middle:.4}"),
        _ => "-".to_owned(),
    };
    for Accuracy { who, task, in_scope, all } in found {
        let cells = [task.clone(), who.clone(), all.len().to_string(), cell(in_scope), cell(all)];
        text += &table::line(&cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_found_by_task() {
        let objects =
            ["domain", "intent"].map(|task| serde_json::json!({"task": task, "accuracy": task.len()}));
        assert_eq!(of_task(&objects, "intent").unwrap(), 6.0);
        assert!(of_task(&objects, "other").unwrap_err().to_string().contains("other"));
    }

    #[test]
    fn the_table_has_medians_and_ranges() {
        let accuracy = |who: &str, values: &[f64]| Accuracy {
            who: who.to_owned(),
            task: "domain".to_owned(),
            in_scope: values.to_vec(),
            all: values.to_vec(),
        };
        let text =
            render(&[accuracy("Frostline", &[0.9, 0.7, 0.8]), accuracy("plain loop", &[0.75])], 45, 55);
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        let range = "0.8000 (0.7000 to 0.9000)";
        assert_eq!(last[1], format!("| domain | Frostline | 3 | {range} | {range} |"));
        assert_eq!(last[0], "| domain | plain loop | 1 | 0.7500 | 0.7500 |");
    }
}
