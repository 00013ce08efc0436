//! What chooses the kept weights, what refuses to choose, and what a run starts from.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use frostline::model::files::safetensors::read_all;

use crate::support::program::{Place, stderr, tiny_model};

const START_KEPT: &str = "no epoch was better than the start; the starting weights are kept";

/// A project whose first run learnt something, and whose rates would now undo it.
fn learnt_then_spoilt() -> Place {
    let place = Place::new().with_project();
    set_rates(&place, "lr_encoder = 0.001", "lr_heads = 0.03");
    place.ok(&["train", "p", "--run", "first"]);
    set_rates(&place, "lr_encoder = 0.5", "lr_heads = 1.0");
    place
}

fn set_rates(place: &Place, encoder: &str, heads: &str) {
    place.edit_project(|text| {
        let line = |line: &str| match line.split(' ').next() {
            Some("lr_encoder") => encoder.to_owned(),
            Some("lr_heads") => heads.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
    });
}

fn last_of(events: &[Value]) -> &Value {
    events.last().unwrap()
}

fn figures(end: &Value, split: &str) -> Vec<f64> {
    let tasks = end["metrics"][split].as_array().unwrap();
    tasks.iter().map(|task| task["accuracy"].as_f64().unwrap()).collect()
}

fn kept(place: &Place, run: &str) -> Vec<u8> {
    fs::read(place.path("p/runs").join(run).join("checkpoints/best.safetensors")).unwrap()
}

#[test]
fn where_no_epoch_is_better_the_start_is_kept() {
    let place = learnt_then_spoilt();
    let text = place.ok(&["train", "p", "--from", "first", "--run", "told"]);
    assert!(text.contains(START_KEPT) && text.contains("0 of 59 tensors changed"), "{text}");

    let events = place.json(&["train", "p", "--from", "first", "--run", "spoilt", "--json"]);
    let epochs: Vec<&Value> = events.iter().filter(|event| event["event"] == "epoch").collect();
    assert_eq!(epochs.len(), 3);
    assert_eq!(epochs.iter().map(|epoch| epoch["best"] == true).collect::<Vec<_>>(), [true, false, false]);
    let end = last_of(&events);
    assert_eq!((&end["kept_epoch"], &end["changed_tensors"]), (&json!(0), &json!([])));
    let run = place.json(&["inspect", "p/runs/first", "--json"]);
    for split in ["valid", "test"] {
        assert_eq!(
            figures(end, split),
            figures(&run[0], split),
            "{split}: the figures are those of the start"
        );
    }
    let tensors = |run: &str| read_all(&place.path("p/runs").join(run).join("checkpoints/best.safetensors"));
    let (first, spoilt) = (tensors("first").unwrap(), tensors("spoilt").unwrap());
    for (name, tensor) in &first {
        assert!(spoilt.iter().any(|(known, other)| known == name && other.equal(tensor)), "{name}");
    }
    // Everything that speaks of the run later knows it too.
    let report: Value =
        serde_json::from_slice(&fs::read(place.path("p/runs/spoilt/report.json")).unwrap()).unwrap();
    assert_eq!(report["kept_epoch"], 0);
    assert!(place.ok(&["inspect", "p/runs/spoilt"]).contains(START_KEPT));
    place.ok(&["export", "p/runs/spoilt", "--to", "model"]);
    let card = fs::read_to_string(place.path("model/README.md")).unwrap();
    assert!(card.contains(START_KEPT) && !card.contains("best epoch"), "{card}");
}

#[test]
fn a_run_that_keeps_its_start_resumes_to_the_same_bytes() {
    let place = learnt_then_spoilt();
    place.ok(&["train", "p", "--from", "first", "--run", "whole"]);
    let args = ["train", "p", "--from", "first", "--run", "cut", "--checkpoint-every", "0"];
    let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !place.path("p/runs/cut/checkpoints/last.safetensors").is_file() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended without a checkpoint");
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let events = place.json(&["train", "p", "--resume", "--run", "cut", "--json"]);
    assert_eq!(last_of(&events)["kept_epoch"], 0);
    assert!(kept(&place, "cut") == kept(&place, "whole"));
}

/// Numbers that are ranked at an epoch's end survive the program within the epoch.
#[test]
fn a_run_resumed_within_an_epoch_has_the_figures_of_the_whole_epoch() {
    let place = Place::new();
    let words = ["poor", "fair", "good", "great", "superb"];
    let rows = (0..80)
        .map(|row| format!("the stay number {row} was {},{}\n", words[row % 5], row % 5 * 2 + row % 3));
    place.write("train.csv", &format!("text,stars\n{}", rows.collect::<String>()));
    place.ok(&["init", "p", "--data", "train.csv", "--model", &tiny_model()]);
    place.edit_project(|text| {
        let text = text.replace("epochs = 4", "epochs = 3").replace("batch_size = 16", "batch_size = 2");
        let text =
            text.replace("batch_size = 32", "batch_size = 2").replace("max_length = 128", "max_length = 32");
        if text.contains("kind =") {
            text
        } else {
            text.replace("column = \"stars\"", "column = \"stars\"\nkind = \"score\"")
        }
    });
    place.ok(&["train", "p", "--run", "whole"]);
    let args = ["train", "p", "--run", "cut", "--checkpoint-every", "0"];
    let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !place.path("p/runs/cut/checkpoints/last.safetensors").is_file() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended without a checkpoint");
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(50));
    child.kill().unwrap();
    child.wait().unwrap();
    let events = place.json(&["train", "p", "--resume", "--run", "cut", "--json"]);
    let resumed_at = events[0]["resumed_at"].as_u64().unwrap();
    let epochs = |run: &str| {
        let text = fs::read_to_string(place.path("p/runs").join(run).join("history.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let epochs = lines.filter_map(|line| line.get("epoch").cloned());
        epochs.map(|epoch| (epoch["epoch"].clone(), epoch["train"].clone())).collect::<Vec<_>>()
    };
    let whole = epochs("whole");
    assert!(whole.iter().skip(1).all(|(_, train)| train[0]["figure"].is_number()), "{whole:?}");
    assert_eq!(epochs("cut"), whole, "resumed at step {resumed_at}");
}

#[test]
fn training_beats_an_untrained_start() {
    let place = Place::new().with_project();
    set_rates(&place, "lr_encoder = 0.001", "lr_heads = 0.03");
    let events = place.json(&["train", "p", "--json"]);
    let start = events.iter().find(|event| event["event"] == "epoch").unwrap();
    assert_eq!((&start["epoch"], &start["best"]), (&json!(0), &json!(true)));
    assert!(last_of(&events)["kept_epoch"].as_u64().is_some_and(|epoch| epoch > 0));
}

#[test]
fn early_stopping_counts_from_the_start() {
    let place = learnt_then_spoilt();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 9\npatience = 2"));
    let events = place.json(&["train", "p", "--from", "first", "--json"]);
    let epochs = events.iter().filter(|event| event["event"] == "epoch").count();
    assert_eq!(epochs, 3, "the start, and two epochs without an improvement on it");
}

#[test]
fn plans_that_cannot_be_judged_are_refused_before_they_train() {
    let refused = |place: &Place| place.fails(1, &["train", "p"]);
    // Without validation rows.
    let without = || {
        let place = Place::new().with_data();
        place.ok(&["init", "p", "--data", "train.csv", "test.csv", "--model", &tiny_model()]);
        place.edit_project(|text| text.replace("valid_fraction = 0.1", "valid_fraction = 0.0"));
        place
    };
    let phase = "\n[[recipe.phases]]\nlayers = \"none\"\nepochs = 20\npatience = 2\n";
    for (setting, words) in [
        ("patience = 3\n", "early stopping (patience = 3)"),
        ("watch_task = \"topic\"\n", "watch_task = \"topic\""),
        ("watch = \"loss\"\n", "watch = \"loss\""),
        (phase, "the end of phase 1 at a plateau (patience = 2)"),
    ] {
        let place = without();
        place.edit_project(|text| format!("{text}{setting}"));
        let said = refused(&place);
        assert!(said.contains(words) && said.contains("no validation row carries a label"), "{said}");
        assert!(!place.path("p/runs").exists(), "nothing was begun");
    }
    without().ok(&["train", "p"]); // Nothing is asked for that validation rows would be needed for.

    // With validation rows that have no label of the task that is to choose.
    let unlabelled = || {
        let place = Place::new().with_data();
        let text = fs::read_to_string(place.path("valid.csv")).unwrap();
        let blank =
            |line: &str| line.rsplit_once(',').map_or_else(String::new, |(rest, _)| format!("{rest},"));
        let rows: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(row, line)| if row == 0 { line.to_owned() } else { blank(line) })
            .collect();
        place.write("valid.csv", &(rows.join("\n") + "\n"));
        place.ok(&["init", "p", "--data", "train.csv", "valid.csv", "test.csv", "--model", &tiny_model()]);
        place
    };
    let place = unlabelled();
    place.edit_project(|text| format!("{text}watch_task = \"sentiment\"\n"));
    let said = refused(&place);
    assert!(said.contains("\"sentiment\", has no label among the validation rows"), "{said}");
    let place = unlabelled();
    place.edit_project(|text| {
        text.replace("preset = \"full\"", "preset = \"freeze-head\"\nfrozen_head = \"topic\"")
    });
    let said = refused(&place);
    assert!(said.contains("no task that trains (sentiment)") && said.contains("topic"), "{said}");
    // The other task is measured, and chooses.
    unlabelled().ok(&["train", "p"]);
}

/// A copy of the tiny model with some files from elsewhere.
fn model_like(place: &Place, name: &str, from: &str) -> String {
    let models = format!("{}/tests/fixtures/models", env!("CARGO_MANIFEST_DIR"));
    let dir = place.path(name);
    fs::create_dir_all(dir.join("1_Pooling")).unwrap();
    for file in [
        "config.json",
        "model.safetensors",
        "modules.json",
        "1_Pooling/config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    ] {
        fs::copy(format!("{models}/{from}/{file}"), dir.join(file)).unwrap();
    }
    dir.to_string_lossy().into_owned()
}

#[test]
fn weights_of_another_pretrained_model_are_refused_by_both_names() {
    let place = Place::new().with_project();
    place.ok(&["train", "p", "--run", "first"]);
    let choose = |model: &str| place.edit_project(|text| text.replace(&tiny_model(), model));
    // The same shapes, other weights.
    let other = model_like(&place, "another", "bert_gelu_new");
    choose(&other);
    let said = place.fails(1, &["train", "p", "--from", "first", "--run", "second", "--trust-paths"]);
    assert!(said.contains("another pretrained model") && said.contains(&tiny_model()), "{said}");
    assert!(said.contains(&other) && !place.path("p/runs/second").exists(), "{said}");
    // The same weights, another vocabulary.
    place.edit_project(|text| text.replace(&other, &tiny_model()));
    let same = model_like(&place, "same", "bert");
    choose(&same);
    place.ok(&["train", "p", "--from", "first", "--run", "copied", "--trust-paths"]);
    let file = place.path("same/tokenizer.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"the\"", "\"THE\"", 1)).unwrap();
    assert_ne!(text, fs::read_to_string(&file).unwrap());
    let said = place.fails(1, &["train", "p", "--from", "first", "--run", "third"]);
    assert!(said.contains("tokenizer") && said.contains(&same), "{said}");
}

#[test]
fn a_run_reports_what_it_takes_from_another_and_what_starts_fresh() {
    let place = Place::new().with_project();
    place.ok(&["train", "p", "--run", "first"]);
    let text = place.ok(&["train", "p", "--from", "first", "--run", "same"]);
    assert!(text.contains("starts from the kept weights of first: 59 of 59 tensors loaded\n"), "{text}");
    // A class more: its head is another one, and the encoder is the same.
    let rows = fs::read_to_string(place.path("train.csv")).unwrap();
    place.write("train.csv", &format!("{rows}a refund at last,aaa refund,positive\n"));
    let events = place.json(&["train", "p", "--from", "first", "--run", "more", "--json"]);
    let start = &events[0];
    assert_eq!((&start["tensors_loaded"], &start["tensors_to_load"]), (&json!(57), &json!(59)));
    assert_eq!(start["fresh_heads"], json!({"topic": "its classes differ"}));
    assert!(fs::read_to_string(place.path("p/runs/more/run.toml")).unwrap().contains("parent_fresh_heads"));
}

#[test]
fn what_a_frozen_run_tells_is_its_probes_and_its_heads_are_called_untrained() {
    let place = Place::new().with_project();
    place.edit_project(|text| {
        text.replace("preset = \"full\"", "preset = \"freeze-all\"").replace("epochs = 2", "epochs = 0")
    });
    let text = place.ok(&["train", "p", "--run", "frozen"]);
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} is not in {text}"));
    assert!(at("what the embeddings alone tell") < at("heads that are untrained"), "{text}");
    assert!(text.contains("before training, heads untrained"), "{text}");
    let events = place.json(&["train", "p", "--run", "again", "--json"]);
    let end = last_of(&events);
    let keys: Vec<&String> = end.as_object().unwrap().keys().collect();
    let place_of = |key: &str| keys.iter().position(|known| *known == key).unwrap();
    assert!(place_of("probes") < place_of("metrics"), "{keys:?}");
    assert!(end["metrics"]["test"].as_array().unwrap().iter().all(|task| task["untrained"] == true), "{end}");
    let text = place.ok(&["eval", "p/runs/frozen", "test.csv"]);
    assert!(text.contains("untrained, with random weights: the heads of topic, sentiment"), "{text}");
    let events = place.json(&["eval", "p/runs/frozen", "test.csv", "--json"]);
    assert!(events.iter().all(|task| task["untrained"] == true), "{events:?}");
    assert!(place.ok(&["inspect", "p/runs/frozen"]).contains("untrained"));
    let project = place.json(&["inspect", "p", "--json"]);
    assert_eq!(project[0]["runs"][0]["figures"], json!({}), "guessing is no result");
    let exported = place.run(&["export", "p/runs/frozen", "--to", "model"]);
    assert!(exported.status.success() && stderr(&exported).contains("untrained"), "{}", stderr(&exported));
    // Whoever opens the folder is told as well.
    let predicted = place.run(&["predict", "model", "test.csv", "-o", "said.csv"]);
    assert!(
        stderr(&predicted).contains("untrained, so random: the heads of topic, sentiment"),
        "{predicted:?}"
    );
    assert!(place.ok(&["eval", "model", "test.csv"]).contains("untrained, with random weights"));
    assert!(place.ok(&["inspect", "model"]).contains("untrained: its weights are random"));
    assert_eq!(place.json(&["inspect", "model", "--json"])[0]["heads"][0]["untrained"], true);
    let card = fs::read_to_string(place.path("model/README.md")).unwrap();
    let at = |words: &str| card.find(words).unwrap_or_else(|| panic!("{words} is not in {card}"));
    assert!(at("Probe of the embeddings") < at("Heads that are untrained"), "{card}");

    // A run that goes on from it has nothing to take from such heads.
    place.edit_project(|text| {
        text.replace("preset = \"freeze-all\"", "preset = \"full\"").replace("epochs = 0", "epochs = 2")
    });
    let events = place.json(&["train", "p", "--from", "frozen", "--run", "next", "--json"]);
    let reason = "untrained in frozen";
    assert_eq!(events[0]["fresh_heads"], json!({"topic": reason, "sentiment": reason}));
    assert_eq!(last_of(&events)["metrics"]["test"][0].get("untrained"), None);
}

#[test]
fn a_step_stands_within_its_epoch_also_behind_a_phase_that_ended_early() {
    let place = Place::new().with_project();
    // Four steps to an epoch: the first phase ends within its second.
    place.edit_project(|text| {
        let phase = "\n[[recipe.phases]]\nlayers = \"none\"\nepochs = 9\nsteps = 6\n\n[[recipe.phases]]\nlayers = \"top 1\"\nepochs = 2\n";
        format!("{text}{phase}")
    });
    let text = place.ok(&["train", "p", "--run", "first"]);
    assert!(text.contains("epoch 2/4 ") && text.contains("epoch 4/4 "), "{text}");
    let history = fs::read_to_string(place.path("p/runs/first/history.jsonl")).unwrap();
    let lines: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let epoch_of = |step: u64| {
        let line = lines.iter().find(|line| line["step"]["step"] == step).unwrap();
        line["step"]["epoch"].as_f64().unwrap()
    };
    let ends: Vec<(u64, f64)> = lines
        .iter()
        .filter_map(|line| Some((line["epoch"]["step"].as_u64()?, line["epoch"]["epoch"].as_f64()?)))
        .collect();
    assert_eq!(ends, [(0, 0.0), (4, 1.0), (6, 2.0), (10, 3.0), (14, 4.0)]);
    for (step, epoch) in ends.into_iter().skip(1) {
        assert_eq!(epoch_of(step), epoch, "the last step of an epoch stands at its end");
    }
    assert_eq!((epoch_of(5), epoch_of(7)), (1.5, 2.25));
}
