//! What cannot be loaded or held in memory is refused before anything starts, with the file or the setting that is to
//! blame.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground is missing")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::program::{Place, tiny_model};

/// A copy of the tiny model in the place.
fn model(place: &Place, name: &str) -> std::path::PathBuf {
    let to = place.path(name);
    copy(Path::new(&tiny_model()), &to);
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            assert!(fs::copy(entry.path(), to).is_ok());
        }
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

/// `init` names what `train` would stumble over, and writes no project.
#[test]
fn init_refuses_a_model_that_cannot_be_loaded() {
    let place = Place::new().with_data();
    let change = |name: &str, change: &dyn Fn(&Path)| change(&model(&place, name));
    change("adapter", &|dir| fs::write(dir.join("adapter_config.json"), "{}").unwrap());
    change("no-weights", &|dir| fs::remove_file(dir.join("model.safetensors")).unwrap());
    change("no-tokenizer", &|dir| fs::remove_file(dir.join("tokenizer.json")).unwrap());
    change("other-size", &|dir| edit(&dir.join("config.json"), |config| config["vocab_size"] = json!(280)));
    change("more-tokens", &|dir| {
        edit(&dir.join("tokenizer.json"), |tokenizer| {
            let token = json!({"id": 272, "content": "[ORDER]", "single_word": false, "lstrip": false,
                               "rstrip": false, "normalized": false, "special": true});
            tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
        });
    });
    for (name, told) in [
        ("adapter", "adapter"),
        ("no-weights", "model.safetensors"),
        ("no-tokenizer", "tokenizer.json"),
        ("other-size", "word_embeddings"),
        ("more-tokens", "272"),
    ] {
        let path = place.path(name).display().to_string();
        let refused = place.fails(1, &["init", "p", "--data", "train.csv", "--model", &path]);
        assert!(refused.contains(told), "{name}: {refused}");
        assert!(!place.path("p/frostline.toml").exists(), "{name}");
    }
}

/// A model whose files disagree is taken, and both `init` and `inspect` say what they disagree on.
#[test]
fn init_passes_on_what_there_is_to_know_of_a_model() {
    let place = Place::new().with_data();
    let dir = model(&place, "cased");
    fs::write(
        dir.join("tokenizer_config.json"),
        r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#,
    )
    .unwrap();
    let path = dir.display().to_string();
    for args in [&["init", "p", "--data", "train.csv", "--model", &path][..], &["inspect", &path]] {
        let told = place.ok(args);
        assert!(told.contains("do_lower_case = false"), "{told}");
    }
}

/// Sizes that no machine has are refused by the setting's name, not by an abort.
#[test]
fn settings_that_need_more_memory_than_the_machine_has_are_refused() {
    for (setting, added) in [
        ("hidden_units", "[recipe.tasks.topic]\nhidden_units = 2000000000000\n"),
        ("hidden_units", "[recipe.tasks.topic]\nhidden_units = 9000000000000000000\n"),
        ("lora_rank", "part = \"lora\"\nlora_rank = 2000000000000\n"),
    ] {
        let place = Place::new().with_project();
        place.edit_project(|text| {
            if added.starts_with('[') {
                format!("{text}\n{added}")
            } else {
                text.replace("[recipe]\n", &format!("[recipe]\n{added}"))
            }
        });
        let refused = place.fails(1, &["train", "p"]);
        assert!(refused.contains(setting) && refused.contains("GB of memory"), "{refused}");
        assert!(!refused.contains("panicked"), "{refused}");
    }
}
