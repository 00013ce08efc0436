//! `--set` changes a recipe for one command, and `frostline settings` lists what it takes.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::collections::BTreeMap;
use std::fs;

use frostline::train::plan::settings::{RECIPE, TASK};
use serde_json::Value;

use crate::support::program::{Place, tiny_model};

/// The plan of a run, without the lines that differ from one run to the next.
fn plan(place: &Place, run: &str) -> String {
    let text = fs::read_to_string(place.path("p/runs").join(run).join("run.toml")).unwrap();
    text.lines().filter(|line| !line.starts_with("name =")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_change_is_in_the_plan_and_not_in_the_file() {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1"));
    let file = fs::read(place.path("p/frostline.toml")).unwrap();
    place.ok(&["train", "p", "--run", "plain"]);
    place.ok(&["train", "p", "--run", "set", "--set", "lr_encoder=5e-5", "--set", "tasks.topic.weight=2"]);
    assert_eq!(fs::read(place.path("p/frostline.toml")).unwrap(), file);
    let (plain, set) = (plan(&place, "plain"), plan(&place, "set"));
    assert!(!plain.contains("lr_encoder = 0.00005") && set.contains("lr_encoder = 0.00005"), "{set}");
    let changed: Vec<&str> = set.lines().filter(|line| !plain.lines().any(|other| other == *line)).collect();
    assert!(changed.contains(&"weight = 2.0"), "{changed:#?}");

    // Of two values the later one counts, and a preset comes before what it would overwrite.
    let twice = [
        "--set",
        "epochs=7",
        "--set",
        "epochs=1",
        "--set",
        "lr_heads=5e-3",
        "--set",
        "preset=freeze-backbone",
    ];
    place.ok(&[&["train", "p", "--run", "twice"][..], &twice].concat());
    let twice = plan(&place, "twice");
    assert!(twice.contains("preset = \"freeze-backbone\"") && twice.contains("lr_heads = 0.005"), "{twice}");
    assert!(twice.contains("epochs = 1"), "{twice}");
}

#[test]
fn what_cannot_be_set_is_answered_with_what_can() {
    let place = Place::new().with_project();
    for (change, words) in [
        ("lr_encodr=5e-5", "Did you mean lr_encoder?"),
        ("weigth=2", "Did you mean tasks.NAME.weight, with the name of a task?"),
        ("tasks.topic.wieght=2", "there are weight, balance_classes"),
        ("lr_encoder", "expected KEY=VALUE"),
        ("lr_encoder=fast", "lr_encoder is \"fast\": use a number"),
        ("optimizer=lion", "use one of adam, adamw, sgd"),
    ] {
        let told = place.fails(2, &["train", "p", "--set", change]);
        assert!(told.contains(words), "{change}: {told}");
    }
    for (change, words) in [
        ("tasks.topc.weight=2", "there is no task \"topc\". The tasks are topic"),
        ("lr_encoder=-1", "use a number above 0"),
    ] {
        let told = place.fails(1, &["train", "p", "--run", "r", "--set", change]);
        assert!(told.contains(words), "{change}: {told}");
    }
    assert!(!place.path("p/runs/r").exists());
    place.fails(2, &["train", "p", "--resume", "--set", "epochs=1"]);
}

#[test]
fn a_new_project_has_what_was_set() {
    let place = Place::new().with_data();
    let model = tiny_model();
    let init = [
        "init",
        "p",
        "--data",
        "train.csv",
        "--model",
        &model,
        "--set",
        "epochs=3",
        "--set",
        "tasks.topic.weight=2",
    ];
    place.ok(&init);
    let text = fs::read_to_string(place.path("p/frostline.toml")).unwrap();
    assert!(text.contains("epochs = 3") && text.contains("[recipe.tasks.topic]"), "{text}");
    place.fails(1, &["init", "q", "--data", "train.csv", "--model", &model, "--set", "batch_size=0"]);
    assert!(!place.path("q").exists());
}

#[test]
fn every_setting_is_listed_and_in_the_docs() {
    let place = Place::new();
    let text = place.ok(&["settings"]);
    let listed: BTreeMap<String, Value> = place
        .ok(&["settings", "--json"])
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|object| (object["key"].as_str().unwrap().to_owned(), object))
        .collect();
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/recipes.md")).unwrap();
    let of_run = RECIPE.iter().map(|setting| (setting.key, ""));
    let of_task = TASK.iter().map(|setting| (setting.key, "tasks.NAME."));
    for (key, before) in of_run.chain(of_task) {
        let full = format!("{before}{key}");
        let object = listed.get(&full).unwrap_or_else(|| panic!("{full} is not listed"));
        assert!(text.contains(object["meaning"].as_str().unwrap()), "{full}");
        assert!(
            ["`{}`", "[[recipe.{}]]", "\n{} = "].iter().any(|form| docs.contains(&form.replace("{}", key))),
            "docs/recipes.md has no {key}"
        );
    }
    assert_eq!(listed.len(), RECIPE.len() + TASK.len());
    assert_eq!(listed["weight_decay"]["default"], "0.01");
    assert_eq!(listed["lora_rank"]["no_effect"][2], "Only adapters have these: choose LoRA");
}
