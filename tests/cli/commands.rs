//! The command line, as a person or a script meets it: the program itself in a temporary folder.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, RowAccessor};
use serde_json::Value;

use crate::support::program::{Place, stderr, tiny_model};

#[test]
fn a_wrong_command_line_is_usage_and_ends_with_2() {
    let place = Place::new();
    for args in [
        &["train"][..],
        &["frobnicate", "x"],
        &["train", "p", "--device", "tpu"],
        &["embed", "m", "a.csv", "-o", "a.xlsx"],
        &["embed", "m", "a.csv", "-o", "a.npy", "--shard", "3/3"],
        &["similar", "m", "only one"],
        &["init", "p"],
        &["init", "p", "--data", "a.csv", "--preset", "thaw"],
        &["train", "p", "--forever"],
    ] {
        assert!(place.fails(2, args).contains("error:"), "{args:?}");
    }
}

#[test]
fn what_cannot_be_done_is_said_in_words_and_ends_with_1() {
    let place = Place::new().with_data();
    fs::create_dir(place.path("empty")).unwrap();
    let model = tiny_model();
    for (args, words) in [
        (&["train", "nowhere"][..], "there is no frostline.toml in"),
        (&["eval", "nowhere", "test.csv"], "nowhere is not there"),
        (&["inspect", "nowhere"], "nowhere is not there"),
        (&["inspect", "empty"], "no project (frostline.toml), no run (run.toml) and no model (config.json)"),
        (&["embed", "nowhere", "test.csv", "-o", "o.npy"], "nowhere is not there"),
        (
            &["embed", &model, "test.csv", "--column", "body", "-o", "o.npy"],
            "no column \"body\". The file has: text",
        ),
        (&["predict", &model, "test.csv", "-o", "o.csv"], "has no heads"),
        (&["eval", &model, "test.csv"], "has no heads"),
        (&["export", "empty", "--to", "out"], "PROJECT/runs/NAME"),
        (&["init", "new", "--data", "absent.csv"], "absent.csv cannot be read"),
        (&["init", "new", "--data", "train.csv", "--model", "empty"], "has no config.json"),
    ] {
        let told = place.fails(1, args);
        let error = told.lines().find(|line| line.starts_with("error: "));
        assert!(error.is_some_and(|error| error.contains(words)), "{args:?}: {told}");
    }
    assert!(!place.path("o.npy").exists() && !place.path("new").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_display_there_is_a_sentence_instead_of_a_window() {
    let place = Place::new();
    let told = place.fails(1, &[]);
    let words = if cfg!(feature = "window") { "there is no display" } else { "has no window" };
    assert!(told.contains(words), "{told}");
}

/// What the program is started with is looked at in the window, which tells what is wrong with it.
#[test]
#[cfg(all(target_os = "linux", feature = "window"))]
fn a_path_that_is_no_project_does_not_end_before_the_window() {
    let place = Place::new();
    for path in ["nowhere", "/dev/null"] {
        // A display that nobody serves.
        let output = place.command(&[path]).env("DISPLAY", ":59999").output().unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("the window could not be opened"), "{path}: {told}");
        assert!(!told.contains("frostline.toml"), "{path}: {told}");
    }
}

#[test]
fn init_writes_what_it_guessed_and_never_over_a_project() {
    let place = Place::new().with_data();
    let model = tiny_model();
    let args = [
        "init",
        "p",
        "--data",
        "train.csv",
        "valid.csv",
        "test.csv",
        "--model",
        &model,
        "--preset",
        "gradual",
    ];
    let told = place.ok(&args);
    for words in
        ["column \"text\"", "column \"topic\", 100 rows labelled", "negative, positive", "60 for training"]
    {
        assert!(told.contains(words), "{told}");
    }
    let project = frostline::project::Project::load(&place.path("p")).unwrap();
    assert_eq!(project.name, "p");
    assert_eq!(project.files.len(), 3);
    assert_eq!(project.recipe.preset.key(), "gradual");
    assert_eq!(project.recipe.epochs, 5);
    let mapping = project.mapping.unwrap();
    let tasks: Vec<&str> = mapping.tasks.iter().map(|task| task.column.as_str()).collect();
    assert_eq!((mapping.text.as_str(), tasks), ("text", vec!["topic", "sentiment"]));
    assert!(place.fails(1, &args).contains("there is a project already"));
}

#[test]
fn init_says_what_is_missing_instead_of_what_cannot_be_done_next() {
    let (place, model) = (Place::new(), tiny_model());
    place.write("one.csv", "text,label\ngood card,a\nbad card,a\nthe bank,a\nthe flight,a\n");
    let told = place.ok(&["init", "one", "--data", "one.csv", "--model", &model]);
    assert!(told.contains("1 class: a") && !told.contains("1 classes"), "{told}");
    assert!(told.contains("task \"label\" has too few classes") && !told.contains("Next:"), "{told}");
    // What it says is what the run would be refused for.
    assert!(place.fails(1, &["train", "one"]).contains("task \"label\" has too few classes"));

    let place = place.with_data();
    let told = place.ok(&["init", "two", "--data", "train.csv", "--model", &model]);
    assert!(told.contains("Next: frostline train two"), "{told}");
}

#[test]
fn bad_rows_stop_unless_they_may_be_skipped() {
    let place = Place::new();
    place.write("a.csv", "text,label\none,a\ntwo,b,too much\nthree,b\nfour,a\n");
    let model = tiny_model();
    let told = place.fails(1, &["embed", &model, "a.csv", "-o", "a.jsonl"]);
    assert!(told.contains("line 3 has 3 cells, expected 2") && told.contains("--skip-bad-rows"), "{told}");
    let skipped = place.run(&["embed", &model, "a.csv", "-o", "a.jsonl", "--skip-bad-rows"]);
    assert!(skipped.status.success() && stderr(&skipped).contains("line 3"), "{}", stderr(&skipped));
    assert_eq!(fs::read_to_string(place.path("a.jsonl")).unwrap().lines().count(), 3);
}

#[test]
fn inspect_says_how_a_file_was_understood() {
    let place = Place::new();
    place.write("semicolon.csv", "text;topic\n\"one; two\";a\nthree;b\nfour;\nfive;a;b\n").write(
        "rows.jsonl",
        "{\"text\": \"one\", \"label\": \"a\"}\n{\"text\": \"two\", \"label\": \"b\"}\n",
    );
    fs::write(place.path("latin.csv"), b"text,label\ncaf\xe9,a\nna\xefve,b\n").unwrap();

    let found = place.json(&["inspect", "semicolon.csv", "--json"]).remove(0);
    assert_eq!(
        (&found["kind"], &found["delimiter"], &found["encoding"]),
        (&"data".into(), &";".into(), &"utf-8".into())
    );
    assert_eq!(found["columns"], serde_json::json!(["text", "topic"]));
    assert_eq!((&found["records"], &found["rows"], &found["usable_rows"]), (&4.into(), &3.into(), &2.into()));
    assert_eq!((&found["tasks"][0]["task"], &found["tasks"][0]["usable_rows"]), (&"topic".into(), &2.into()));
    assert_eq!(found["problems"], serde_json::json!([{"line": 5, "reason": "has 3 cells, expected 2"}]));

    let found = place.json(&["inspect", "rows.jsonl", "--json"]).remove(0);
    assert_eq!(
        (&found["format"], &found["delimiter"], &found["records"]),
        (&"jsonl".into(), &Value::Null, &2.into())
    );
    let found = place.json(&["inspect", "latin.csv", "--json"]).remove(0);
    assert!(["iso-8859-1", "cp1252"].contains(&found["encoding"].as_str().unwrap()), "{found}");
    assert!(place.ok(&["inspect", "semicolon.csv"]).contains("line 5 has 3 cells, expected 2"));
}

#[test]
fn inspect_tells_programs_also_what_cannot_be_read() {
    let place = Place::new();
    place.write("header.csv", "text,intent\n").write("empty.csv", "");
    let told = place.run(&["inspect", "header.csv", "--json"]);
    let object: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (told.status.code(), &object["records"], &object["encoding"]),
        (Some(1), &0.into(), &"utf-8".into())
    );
    assert_eq!(object["columns"], serde_json::json!(["text", "intent"]));
    assert!(object["error"].as_str().unwrap().contains("no row below it"), "{object}");
    assert!(stderr(&told).contains("no row below it"));
    let told = place.run(&["inspect", "empty.csv", "--json"]);
    let object: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(object["error"].as_str().unwrap().contains("is empty"), "{object}");
}

#[test]
fn what_is_found_out_can_be_overruled() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.write("data/train.csv", "text,label\none thing,a\ntwo things,b\n");
    place.write("data/test.csv", "text,label\nanother,a\n");
    let found = place.json(&["inspect", "data", "--json"]).remove(0);
    assert_eq!((&found["records"], found["files"].as_array().unwrap().len()), (&3.into(), 2));
    let overruled = ["inspect", "data/train.csv", "--json", "--header", "false", "--delimiter", "none"];
    let found = place.json(&overruled).remove(0);
    assert_eq!((&found["records"], &found["columns"]), (&3.into(), &serde_json::json!(["column 1"])));
    let found = place.json(&["inspect", "data/train.csv", "--json", "--encoding", "cp1252"]).remove(0);
    assert_eq!(found["encoding"], "cp1252");
    assert!(
        place
            .fails(1, &["inspect", "data/train.csv", "--encoding", "klingon"])
            .contains("no encoding is called")
    );
    assert!(place.fails(2, &["inspect", "data/train.csv", "--delimiter", "ab"]).contains("divides no cells"));

    place.ok(&[
        "init",
        "p",
        "--data",
        "data/train.csv",
        "--delimiter",
        ",",
        "--encoding",
        "latin-1",
        "--model",
        &tiny_model(),
    ]);
    let file = frostline::project::Project::load(&place.path("p")).unwrap().files.remove(0);
    assert_eq!((file.overrides.delimiter, file.overrides.encoding.as_deref()), (Some(b','), Some("latin-1")));
}

#[test]
fn inspect_describes_models_projects_and_runs() {
    let place = Place::new();
    let found = place.json(&["inspect", &tiny_model(), "--json"]).remove(0);
    assert_eq!(
        (&found["kind"], &found["layers"], &found["dimensions"]),
        (&"model".into(), &3.into(), &48.into())
    );
    let parts = &found["parameters_by_part"];
    let of_layers: u64 = (0..3).map(|layer| parts[format!("layer {layer}")].as_u64().unwrap()).sum();
    assert_eq!(Some(of_layers + parts["embeddings"].as_u64().unwrap()), found["parameters"].as_u64());
    assert_eq!(
        (&found["pooling"], &found["max_seq_length"], &found["licence"]),
        (&"mean".into(), &48.into(), &serde_json::Value::Null)
    );
    let files = found["files"].as_array().unwrap();
    let bytes = |name: &str| files.iter().find(|file| file["name"] == name).map(|file| file["bytes"].clone());
    assert_eq!(bytes("model.safetensors"), Some(found["file_bytes"].clone()));
    assert!(bytes("1_Pooling/config.json").is_some());
    let first = &found["tensors"][0];
    assert_eq!(first["name"], "embeddings.word_embeddings.weight");
    assert_eq!((&first["part"], &first["shape"][1]), (&"embeddings".into(), &48.into()));
    assert!(place.ok(&["inspect", &tiny_model()]).contains("licence: not stated"));
    let project = format!("{}/tests/fixtures/project/v1", env!("CARGO_MANIFEST_DIR"));
    let found = place.json(&["inspect", &project, "--json"]).remove(0);
    assert_eq!((&found["kind"], &found["runs"][0]["name"]), (&"project".into(), &"gradual-01".into()));
    let run = format!("{project}/runs/gradual-01");
    let found = place.json(&["inspect", &run, "--json"]).remove(0);
    assert_eq!((&found["kind"], &found["outcome"]), (&"run".into(), &"stopped at step 3".into()));
    assert!(place.ok(&["inspect", &run]).contains("stopped at step 3"));
}

/// The values of `jsonl`, which the other formats must repeat.
fn embeddings_of(path: &Path) -> (Vec<String>, Vec<Vec<f32>>) {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| {
            let values = line["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32);
            (line["text"].as_str().unwrap().to_owned(), values.collect::<Vec<_>>())
        })
        .unzip()
}

#[test]
fn every_format_holds_the_same_embeddings() {
    let place = Place::new();
    place.write("in.csv", "id,text\n1,\"a claim, quoted\"\n2,why is my card declined?\n3,\n4,zwei Wörter\n");
    let model = tiny_model();
    for ending in ["npy", "csv", "jsonl", "safetensors", "parquet"] {
        let output = place.run(&["embed", &model, "in.csv", "-o", &format!("out.{ending}")]);
        assert!(output.status.success() && output.stdout.is_empty(), "{ending}: {}", stderr(&output));
    }
    let (texts, rows) = embeddings_of(&place.path("out.jsonl"));
    assert_eq!(texts, ["a claim, quoted", "why is my card declined?", "", "zwei Wörter"]);
    assert!(rows.iter().all(|row| row.len() == 48 && row.iter().all(|x| x.is_finite())));
    assert_ne!(rows[0], rows[1]);
    let flat: Vec<f32> = rows.concat();
    let floats = |bytes: &[u8]| -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
    };

    let npy = fs::read(place.path("out.npy")).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    assert!(start.is_multiple_of(64) && String::from_utf8_lossy(&npy[..start]).contains("'shape': (4, 48)"));
    assert_eq!(floats(&npy[start..]), flat);

    let bytes = fs::read(place.path("out.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor("embeddings").unwrap();
    assert_eq!((tensor.shape(), floats(tensor.data())), (&[4, 48][..], flat));

    let mut csv = csv::Reader::from_path(place.path("out.csv")).unwrap();
    assert_eq!(csv.headers().unwrap().iter().take(2).collect::<Vec<_>>(), ["text", "dim_0"]);
    for (record, (text, row)) in csv.records().map(Result::unwrap).zip(texts.iter().zip(&rows)) {
        assert_eq!(&record[0], text);
        assert_eq!(record.iter().skip(1).map(|x| x.parse().unwrap()).collect::<Vec<f32>>(), *row);
    }

    let reader = SerializedFileReader::new(fs::File::open(place.path("out.parquet")).unwrap()).unwrap();
    let mut seen = 0;
    for (record, (text, row)) in reader.get_row_iter(None).unwrap().zip(texts.iter().zip(&rows)) {
        let record = record.unwrap();
        assert_eq!(record.get_string(0).unwrap(), text);
        let values = record.get_list(1).unwrap().elements().iter().map(|field| match field {
            Field::Float(value) => *value,
            other => panic!("{other:?}"),
        });
        assert_eq!(values.collect::<Vec<f32>>(), *row);
        seen += 1;
    }
    assert_eq!(seen, 4);
    let left: BTreeSet<_> = fs::read_dir(place.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 6, "nothing is left aside: {left:?}");
}

#[test]
fn shards_end_to_end_are_the_whole() {
    let place = Place::new();
    place.write("in.txt", "one\ntwo, three\nfour\n\"five\" six\nseven\n");
    let model = tiny_model();
    place.ok(&["embed", &model, "in.txt", "-o", "all.jsonl"]);
    let mut joined = String::new();
    for shard in ["0/3", "1/3", "2/3"] {
        place.ok(&["embed", &model, "in.txt", "-o", "part.jsonl", "--force", "--shard", shard]);
        joined += &fs::read_to_string(place.path("part.jsonl")).unwrap();
    }
    place.write("joined.jsonl", &joined);
    let (texts, whole) = embeddings_of(&place.path("all.jsonl"));
    let (parts, blocks) = embeddings_of(&place.path("joined.jsonl"));
    assert_eq!(texts, ["one", "two, three", "four", "\"five\" six", "seven"]);
    assert_eq!(parts, texts);
    // Batches differ, so sums are rounded differently.
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(whole.concat().iter().zip(&blocks.concat()).all(near));
}

#[test]
fn similar_prints_a_symmetric_matrix_of_cosines() {
    let place = Place::new();
    let model = tiny_model();
    let texts = ["my card was declined", "the card did not work", "my card was declined"];
    let args = ["similar", &model, texts[0], texts[1], texts[2]];
    let found = place.json(&[&args[..], &["--json"]].concat()).remove(0);
    assert_eq!(found["texts"], serde_json::json!(texts));
    let cosine = |i: usize, j: usize| found["cosine"][i][j].as_f64().unwrap();
    assert!((cosine(0, 0) - 1.0).abs() < 1e-5 && (cosine(0, 2) - 1.0).abs() < 1e-5);
    assert!(cosine(0, 1) < 0.9999 && cosine(0, 1) == cosine(1, 0));
    let printed = place.ok(&args);
    assert!(printed.contains("[2] the card did not work") && printed.contains("1.000"), "{printed}");
}

#[test]
fn train_evaluate_predict_and_export_one_run() {
    let place = Place::new().with_project();
    let mut news = place.json(&["train", "p", "--run", "first", "--device", "cpu", "--json"]);
    // How many steps are done is told by the clock, which a run as short as this one may or may not reach.
    news.retain(|object| object["event"] != "steps");
    let events: Vec<&str> = news.iter().map(|object| object["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["start", "epoch", "epoch", "epoch", "end"]);
    let epochs: Vec<u64> = news[1..4].iter().map(|object| object["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [0, 1, 2]);
    for epoch in &news[2..4] {
        assert!(epoch["loss"].as_f64().unwrap() > 0.0);
        for task in ["topic", "sentiment"] {
            assert_eq!(epoch["train"][task]["rows"], 60, "{epoch}");
            assert_eq!(epoch["valid"][task]["rows"], 20, "{epoch}");
        }
    }
    let end = &news[4];
    assert_eq!(end["outcome"], "finished");
    assert!(!end["changed_tensors"].as_array().unwrap().is_empty());
    let told_accuracy = &end["metrics"]["test"][0]["accuracy"];

    // The same test rows, read anew by another command, give the same figures.
    let figures = place.json(&["eval", "p", "test.csv", "--json"]);
    assert_eq!(figures.len(), 2);
    assert_eq!((&figures[0]["task"], &figures[0]["rows"]), (&"topic".into(), &20.into()));
    assert_eq!(&figures[0]["accuracy"], told_accuracy);

    let told = place.fails(1, &["train", "p", "--run", "first"]);
    assert!(told.contains("already a run \"first\""), "{told}");

    let exported = place.ok(&["export", "p/runs/first", "--to", "out"]);
    assert!(exported.contains("model.safetensors") && exported.contains("largest difference"), "{exported}");
    place.ok(&["predict", "p/runs/first", "test.csv", "-o", "run.csv"]);
    place.ok(&["predict", "out", "test.csv", "-o", "exported.csv"]);
    let classes = |name: &str| -> Vec<(String, String)> {
        let mut csv = csv::Reader::from_path(place.path(name)).unwrap();
        csv.records().map(Result::unwrap).map(|row| (row[1].to_owned(), row[3].to_owned())).collect()
    };
    assert_eq!(classes("run.csv").len(), 20);
    assert_eq!(classes("run.csv"), classes("exported.csv"));
    let of_export = place.json(&["eval", "out", "test.csv", "--json"]);
    assert_eq!(of_export[0]["accuracy"], *told_accuracy);
}

#[test]
fn the_epochs_are_told_to_people_with_the_loss_and_every_accuracy() {
    let place = Place::new().with_project();
    let told = place.ok(&["train", "p"]);
    let epochs: Vec<&str> = told.lines().filter(|line| line.starts_with("epoch ")).collect();
    assert_eq!(epochs.len(), 2, "{told}");
    for words in ["average loss ", "topic accuracy: train ", "sentiment accuracy: train ", " %, valid "] {
        assert!(epochs.iter().all(|line| line.contains(words)), "{told}");
    }
    assert!(told.contains("on the test rows:") && told.contains("macro F1"), "{told}");
    assert!(told.contains("exactly those that the plan trains"), "{told}");
}

#[test]
fn unknown_labels_are_told_and_not_measured() {
    let place = Place::new().with_project();
    place.ok(&["train", "p"]);
    place.write("new.csv", "text,topic\nthe parcel was late,delivery\nthe weather is nice,weather\n");
    let output = place.run(&["eval", "p", "new.csv", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("knows no class \"weather\""), "{}", stderr(&output));
    assert!(stderr(&output).contains("no file has labels for the task \"sentiment\""), "{}", stderr(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(figures["rows"], 1);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_is_recorded_as_stopped() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let place = Place::new().with_project();
    let file = place.path("p/frostline.toml");
    let long = fs::read_to_string(&file).unwrap().replace("epochs = 2", "epochs = 100000");
    fs::write(&file, long).unwrap();
    let mut command = place.command(&["train", "p", "--run", "long", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Interrupted once it trains, when the first epoch is told.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"epoch\":1,")));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped at step"), "{}", stderr(&output));
    assert!(rest.last().is_some_and(|line| line.contains("stopped at step")), "{rest:?}");
    let run = frostline::project::runs::list(&place.path("p")).unwrap().remove(0);
    assert!(run.outcome.starts_with("stopped at step"), "{}", run.outcome);
}

#[test]
fn inspect_lists_what_was_set_and_names_figures() {
    let place = Place::new().with_project();
    place.edit_project(|text| {
        text.replace("epochs = 2", "epochs = 1\npatience = 3")
            + "\n[recipe.tasks.topic]\nlabel_smoothing = 0.1\n"
    });
    place.ok(&["train", "p", "--run", "first"]);
    for path in ["p", "p/runs/first"] {
        let text = place.ok(&["inspect", path]);
        for line in
            ["  epochs = 1", "  patience = 3", "  max_length = 32", "  tasks.topic.label_smoothing = 0.1"]
        {
            assert!(text.lines().any(|known| known == line), "no \"{line}\" in {text}");
        }
        assert!(!text.contains("weight_decay"), "it is the preset's: {text}");
        let object = &place.json(&["inspect", path, "--json"])[0];
        assert_eq!(object["settings"]["weight_decay"], "0.01");
        assert_eq!(object["settings"]["tasks.topic.label_smoothing"], "0.1");
    }
    let text = place.ok(&["inspect", "p"]);
    assert!(text.contains("topic accuracy ") && text.contains(" %"), "{text}");
    let object = &place.json(&["inspect", "p", "--json"])[0];
    assert!(object["runs"][0]["figures"]["topic"]["accuracy"].is_number(), "{object}");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_unicode_is_answered_and_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff.csv");
    let output = place.command(&["inspect"]).arg(name).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}
