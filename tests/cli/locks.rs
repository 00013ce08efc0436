//! Two processes on one project: each run is written by one of them, and the other is told by whom.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use crate::support::program;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{Place, stderr};
use frostline::project::runs::{self, RunFolder};

fn project(epochs: usize) -> Place {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", &format!("epochs = {epochs}")));
    place
}

fn started(place: &Place, args: &[&str]) -> Child {
    place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Two of the same command, started at the same time.
fn raced(place: &Place, args: &[&str]) -> Vec<Output> {
    let children: Vec<Child> = (0..2).map(|_| started(place, args)).collect();
    children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

/// Steps and epochs of a history, which must be those of one run from its start to its end.
fn assert_whole(place: &Place, run: &str) {
    let folder = RunFolder::open(&place.path("p"), run).unwrap();
    let (plan, history) = (folder.read_plan().unwrap(), folder.read().unwrap());
    let steps: Vec<usize> = history.steps.iter().map(|point| point.step).collect();
    assert_eq!(steps, (1..=plan.total_steps()).collect::<Vec<_>>(), "{run}");
    let lines = fs::read_to_string(folder.dir().join("history.jsonl")).unwrap();
    let told = lines.lines().filter(|line| line.starts_with("{\"step\"")).count();
    assert_eq!(told, plan.total_steps(), "{run}: steps are written down once");
}

/// Waits until a run has a checkpoint.
fn wait_for(place: &Place, run: &str) {
    let last = place.path("p/runs").join(run).join("checkpoints/last.safetensors");
    let deadline = Instant::now() + Duration::from_mins(2);
    while !last.is_file() {
        assert!(Instant::now() < deadline, "there is no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_two_runs_of_one_name_one_trains() {
    let place = project(40);
    let outputs = raced(&place, &["train", "p", "--run", "same"]);
    let codes: BTreeSet<Option<i32>> = outputs.iter().map(|output| output.status.code()).collect();
    let told: Vec<String> = outputs.iter().map(stderr).collect();
    assert_eq!(codes, BTreeSet::from([Some(0), Some(1)]), "{told:?}");
    let refused = told.iter().find(|told| told.contains("error: ")).unwrap();
    let names_holder = refused.contains("is in use by frostline train p --run same (process ");
    // Where the other had ended by then, it is a run like any other.
    assert!(names_holder || refused.contains("there is already a run \"same\""), "{refused}");
    assert_whole(&place, "same");
}

#[test]
fn two_runs_without_a_name_get_two_folders() {
    let place = project(3);
    let outputs = raced(&place, &["train", "p"]);
    for output in &outputs {
        assert!(output.status.success(), "{}", stderr(output));
    }
    let names: Vec<String> = runs::list(&place.path("p")).unwrap().into_iter().map(|run| run.name).collect();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["full-01", "full-02"]));
    for run in names {
        assert_whole(&place, run);
    }
}

#[test]
fn of_two_that_resume_a_run_one_trains() {
    let place = project(60);
    let mut first = started(&place, &["train", "p", "--run", "r", "--checkpoint-every", "3600"]);
    wait_for(&place, "r");
    first.kill().unwrap(); // SIGKILL: the lock's file stays, the lock does not
    first.wait().unwrap();
    assert!(place.path("p/runs/r/run.lock").exists(), "nothing was tidied up");
    let outputs = raced(&place, &["train", "p", "--run", "r", "--resume"]);
    let codes: BTreeSet<Option<i32>> = outputs.iter().map(|output| output.status.code()).collect();
    let told: Vec<String> = outputs.iter().map(stderr).collect();
    assert_eq!(codes, BTreeSet::from([Some(0), Some(1)]), "{told:?}");
    let refused = told.iter().find(|told| told.contains("error: ")).unwrap();
    assert!(refused.contains("is in use by") || refused.contains("is finished"), "{refused}");
    let folder = RunFolder::open(&place.path("p"), "r").unwrap();
    let steps: Vec<usize> = folder.read().unwrap().steps.iter().map(|point| point.step).collect();
    assert_eq!(steps, (1..=folder.read_plan().unwrap().total_steps()).collect::<Vec<_>>());
}

#[test]
fn a_run_at_work_is_named_refused_and_readable() {
    let place = project(100_000);
    let child = started(&place, &["train", "p", "--run", "long", "--checkpoint-every", "0"]);
    wait_for(&place, "long");
    for args in [&["train", "p", "--run", "long", "--resume"][..], &["train", "p", "--resume"]] {
        let told = place.fails(1, args);
        assert!(told.contains("run \"long\" is in use by frostline train p --run long"), "{told}");
        assert!(told.contains(&format!("process {} on ", child.id())), "{told}");
    }
    // Readers take no lock: they look at it as far as it is.
    let found = place.json(&["inspect", "p/runs/long", "--json"]).remove(0);
    assert_eq!(found["outcome"], "running");
    assert_eq!(runs::list(&place.path("p")).unwrap()[0].outcome, "running");
    assert!(place.ok(&["inspect", "p"]).contains("running"));

    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", stderr(&output));
    assert!(runs::list(&place.path("p")).unwrap()[0].outcome.starts_with("stopped at step"));
    assert!(!place.path("p/runs/long/run.lock").exists(), "the lock is gone with its holder");
}

#[test]
fn a_project_that_is_being_saved_is_waited_for() {
    let place = Place::new().with_data();
    let model = program::tiny_model();
    fs::create_dir(place.path("p")).unwrap();
    let lock = fs::File::create(place.path("p/.frostline.lock")).unwrap();
    lock.lock().unwrap();
    let args = ["init", "p", "--data", "train.csv", "--model", &model];
    let told = place.fails(1, &args);
    assert!(told.contains("is being saved by another process"), "{told}");
    drop(lock);
    place.ok(&args);
    assert!(!place.path("p/.frostline.lock").exists(), "nothing is left behind");
    assert!(place.fails(1, &args).contains("there is a project already"));
}
