//! The command line with tasks of other kinds than one class per text: guessed, trained, measured, predicted.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground is missing")]

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::support::program::{Place, stderr, tiny_model};

/// A project of one file on the tiny model, with what the command line said about it.
fn project(file: &str, text: &str) -> (Place, String) {
    let place = Place::new();
    place.write(file, text);
    let output = place.run(&["init", "p", "--data", file, "--model", &tiny_model()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    place.edit_project(|text| {
        text.replace("epochs = 4", "epochs = 2").replace("max_length = 128", "max_length = 32")
    });
    (place, told)
}

fn trained(place: &Place) -> Value {
    let told = place.json(&["train", "p", "--run", "one", "--json"]);
    told.into_iter().rev().find(|line| line["event"] == "epoch").unwrap()
}

#[test]
fn sentence_pairs_with_a_measured_score_are_a_similarity() {
    let mut csv = String::from("sentence1,sentence2,score\n");
    for row in 0..40 {
        writeln!(csv, "the card {row} was changed,the bank {row} was cancelled,{}.{}", row % 5, row % 10)
            .unwrap();
    }
    let (place, told) = project("sts.csv", &csv);
    assert!(told.contains("sentence2") && told.contains("similarity"), "{told}");
    let file = fs::read_to_string(place.path("p/frostline.toml")).unwrap();
    assert!(file.contains("second_text = \"sentence2\"") && file.contains("kind = \"similarity\""), "{file}");
    let epoch = trained(&place);
    assert!(epoch["valid"]["score"]["spearman"].is_number(), "{epoch}");
    let figures = place.json(&["eval", "p", "sts.csv", "--json"]).remove(0);
    assert_eq!((figures["kind"].as_str(), figures["rows"].as_u64()), (Some("similarity"), Some(40)));
    for key in ["loss", "pearson", "spearman", "mse", "mae", "rmse"] {
        assert!(figures[key].is_number(), "{key}: {figures}");
    }
    let table = place.ok(&["eval", "p", "sts.csv"]);
    assert!(table.contains("Spearman") && !table.contains("MCC"), "{table}");
    place.ok(&["predict", "p/runs/one", "sts.csv", "-o", "said.csv"]);
    let said = fs::read_to_string(place.path("said.csv")).unwrap();
    assert!(said.starts_with("text,score,score_cosine\n"), "{said}");
    assert_eq!(said.lines().count(), 41);
}

#[test]
fn a_file_of_tagged_words_is_a_task_on_words() {
    let mut conll = String::new();
    for row in 0..40 {
        let who = ["card", "bank"][row % 2];
        write!(conll, "the O\n{who} B-WHO\nnumber I-WHO\nwas O\n{row} O\n\n").unwrap();
    }
    let (place, told) = project("words.conll", &conll);
    assert!(told.contains("token-labels"), "{told}");
    assert!(trained(&place)["valid"]["tags"]["span_f1"].is_number());
    let figures = place.json(&["eval", "p", "words.conll", "--json"]).remove(0);
    assert_eq!(figures["classes"][0]["class"], "WHO");
    assert_eq!(figures["classes"][0]["support"], 40);
    assert!(figures["token_accuracy"].is_number(), "{figures}");
    place.ok(&["predict", "p/runs/one", "words.conll", "-o", "said.jsonl"]);
    let said = fs::read_to_string(place.path("said.jsonl")).unwrap();
    let first: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(first["tasks"]["tags"]["tokens"].as_array().map(Vec::len), Some(5));
    assert_eq!(first["tasks"]["tags"]["tags"].as_array().map(Vec::len), Some(5));
    // Where nothing trains the probes would be the result: a task on words has none, and that is said.
    let told = place.ok(&["train", "p", "--run", "cold", "--set", "preset=freeze-all"]);
    assert!(told.contains("tags (token-labels) has no probe: "), "{told}");
}

/// `eval` counts the entities that `inspect` counts, BILOU and beyond the maximum length too.
#[test]
fn entities_are_the_same_number_everywhere_and_words_beyond_the_cut_are_missed() {
    let mut conll = String::new();
    for row in 0..40 {
        write!(conll, "the O\ncard U-WHO\nbank U-WHO\nwas O\n{row} O\n").unwrap();
        // The tail of some rows lies beyond 32 tokens.
        if row % 4 == 0 {
            conll.push_str(&"number O\n".repeat(40));
            conll.push_str("card B-WHO\nnumber L-WHO\n");
        }
        conll.push('\n');
    }
    let (place, _) = project("words.conll", &conll);
    let counted = place.json(&["inspect", "words.conll", "--json"]).remove(0);
    assert_eq!(counted["tasks"][0]["entities"], 90, "{counted}");
    trained(&place);
    let figures = place.json(&["eval", "p", "words.conll", "--json"]).remove(0);
    assert_eq!((&figures["entities"], &figures["classes"][0]["support"]), (&90.into(), &90.into()));
    let unread = figures["unread_words"].as_u64().unwrap();
    assert!(unread > 20 && figures["words"] == 40 * 5 + 10 * 42, "{figures}");
    assert!(figures["span_recall"].as_f64().unwrap() <= 80.0 / 90.0, "{figures}");
    let told = place.ok(&["eval", "p", "words.conll"]);
    let line = format!(
        "tags: {unread} labelled words lie beyond the maximum length (max_length) and count as missed."
    );
    assert!(told.contains(&line), "{told}");
}

#[test]
fn several_classes_and_a_watched_figure() {
    let mut csv = String::from("text,labels\n");
    for row in 0..40 {
        let labels = ["a|b", "a", "b", "c|a"][row % 4];
        writeln!(csv, "the card {} was changed {row},{labels}", labels.replace('|', " ")).unwrap();
    }
    let (place, told) = project("many.csv", &csv);
    assert!(told.contains("multi-label, 3 classes"), "{told}");
    place.edit_project(|text| text.replace("[recipe]\n", "[recipe]\nwatch = \"accuracy\"\n"));
    let refused = place.fails(1, &["train", "p"]);
    assert!(refused.contains("\"accuracy\"") && refused.contains("micro-f1, macro-f1"), "{refused}");
    assert!(!place.path("p/runs").exists() || fs::read_dir(place.path("p/runs")).unwrap().count() == 0);
    place.edit_project(|text| text.replace("watch = \"accuracy\"", "watch = \"hamming-loss\""));
    assert!(trained(&place)["valid"]["labels"]["micro_f1"].is_number());
    let figures = place.json(&["eval", "p", "many.csv", "--json"]).remove(0);
    assert!(figures["subset_accuracy"].is_number() && figures["samples_f1"].is_number(), "{figures}");
}

#[test]
fn a_kind_that_is_not_known_is_refused_with_those_that_are() {
    let (place, _) = project("some.csv", "text,topic\ngood one,a\nbad one,b\nanother,a\nand more,b\n");
    place
        .edit_project(|text| text.replace("column = \"topic\"", "column = \"topic\"\nkind = \"multilabel\""));
    let refused = place.fails(1, &["train", "p"]);
    assert!(refused.contains("\"multilabel\"") && refused.contains("multi-label, score"), "{refused}");
}
