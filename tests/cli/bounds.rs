//! What the command line makes of input that is not what it seems: pipes, devices, files that give nothing, and errors
//! for programs.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::program::{Place, stderr, tiny_model};

#[test]
fn errors_of_commands_for_programs_are_one_json_object() {
    let place = Place::new().with_data();
    place.write("odd.csv", "text,label\n\"open,a\n");
    let model = tiny_model();
    for args in [
        &["inspect", "missing.csv"][..],
        &["inspect", "odd.csv"],
        &["train", "nowhere"],
        &["find-rate", "nowhere"],
        &["eval", "nowhere", "test.csv"],
        &["eval", &model, "missing.csv"],
        &["similar", "nowhere", "a", "b"],
        &["download", "no such name"],
    ] {
        let args = [args, &["--json"]].concat();
        let told = place.run(&args);
        assert_eq!(told.status.code(), Some(1), "{args:?}: {}", stderr(&told));
        let text = String::from_utf8(told.stdout.clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{args:?}: {text}");
        let object: Value = serde_json::from_str(&text).unwrap();
        let error = object["error"].as_str().unwrap();
        assert!(!error.is_empty() && stderr(&told).contains(error), "{args:?}: {object} {}", stderr(&told));
    }
}

/// Each with its end.
fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Runs a command that must end by itself with 1, well before the deadline.
#[cfg(unix)]
fn ends(place: &Place, args: &[&str]) -> String {
    let mut child = place
        .command(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = child.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(1), "{args:?}: {}", stderr(&told));
    stderr(&told)
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_data_and_block_nothing() {
    let place = Place::new().with_project();
    assert!(Command::new("mkfifo").arg(place.path("pipe.csv")).status().unwrap().success());
    let model = tiny_model();
    for (input, what) in [("/dev/zero", "it is a device"), ("pipe.csv", "it is a pipe")] {
        for args in [
            &["inspect", input][..],
            &["init", "new", "--data", input, "--model", &model],
            &["eval", &model, input],
            &["embed", &model, input, "-o", "out.npy"],
        ] {
            let told = ends(&place, args);
            assert!(told.contains(what) || told.contains("has no heads"), "{args:?}: {told}");
        }
    }
    place.edit_project(|text| text.replace("valid.csv", "pipe.csv"));
    assert!(ends(&place, &["train", "p", "--trust-paths"]).contains("it is a pipe"));
    // A pipe in the place of a file of the project or of the model.
    fs::remove_file(place.path("p/frostline.toml")).unwrap();
    fs::rename(place.path("pipe.csv"), place.path("p/frostline.toml")).unwrap();
    let told = ends(&place, &["train", "p"]);
    assert!(told.contains("frostline.toml"), "{told}");
    // A link to a regular file is one.
    std::os::unix::fs::symlink(place.path("test.csv"), place.path("link.csv")).unwrap();
    place.ok(&["inspect", "link.csv"]);
}

#[test]
fn a_folder_is_divided_as_init_divides_it() {
    let place = Place::new();
    fs::create_dir(place.path("d")).unwrap();
    let rows = |from: usize, to: usize| {
        lines((from..to).map(|row| format!("question {row} about it,{}", ["a", "b"][row % 2])))
    };
    place.write("d/train.csv", &format!("text,label\n{}", rows(0, 40)));
    place.write("d/dev.csv", &format!("text,label\n{}Question 3  about IT,b\n", rows(40, 50)));
    place.write("d/test.csv", &format!("text,label\n{}", rows(2, 5)));
    let object = &place.json(&["inspect", "d", "--json"])[0];
    assert_eq!(object["rows_by_split"], serde_json::json!({"train": 40, "valid": 11, "test": 3}));
    assert_eq!(object["repeated_rows"], 0);
    let findings: Vec<&str> =
        object["findings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let leaks = [
        "1 valid row has a text that is also in train",
        "3 test rows have a text that is also in train",
        "1 test row has a text that is also in valid",
    ];
    let init = place.ok(&["init", "p", "--data", "d", "--model", &tiny_model()]);
    for leak in leaks {
        assert!(findings.iter().any(|text| text.contains(leak)), "{leak}: {findings:#?}");
        assert!(init.contains(leak), "{leak}: {init}");
    }
    let told = place.ok(&["inspect", "d"]);
    assert!(told.contains("rows: 40 for training, 11 for validation, 3 for test"), "{told}");
}

#[test]
fn files_that_give_nothing_are_reported_before_a_run_and_refused_for_a_split() {
    let place = Place::new().with_project();
    place.write("other.csv", "utterance,mood\nsome words here,x\nmore words here,y\n");
    place.edit_project(|text| {
        let at = text.find("[[data.file]]").unwrap();
        format!("{}[[data.file]]\npath = \"../other.csv\"\n\n{}", &text[..at], &text[at..])
    });
    let words = "other.csv gives no rows: none of its columns (utterance, mood) is the text or a label";
    let told = place.run(&["train", "p", "--json", "--trust-paths"]);
    assert!(told.status.success(), "{}", stderr(&told));
    assert!(stderr(&told).contains(words), "{}", stderr(&told));
    let text = String::from_utf8(told.stdout).unwrap();
    let start: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(start["findings"][0].as_str().unwrap().contains(words), "{start}");
    assert_eq!(start["train_rows"], 60);

    place.edit_project(|text| text.replace("../other.csv\"\n", "../other.csv\"\nsplit = \"valid\"\n"));
    let told = place.fails(1, &["train", "p"]);
    assert!(told.contains("other.csv is assigned to the valid split and gives no rows to it"), "{told}");
    place.write("test.csv", "utterance,mood\nsome words here,x\n");
    let told = place.fails(1, &["init", "q", "--data", "train.csv", "test.csv", "--model", &tiny_model()]);
    assert!(told.contains("test.csv is named as the test split and gives no rows to it"), "{told}");
}

#[test]
fn an_encoding_in_doubt_is_told_with_the_other_reading_and_can_be_overruled() {
    let place = Place::new();
    let mut bytes = b"text,label\nsi no ".to_vec();
    bytes.extend(b"\xf5,a\nyes and,b\n");
    fs::write(place.path("few.csv"), bytes).unwrap();
    let object = &place.json(&["inspect", "few.csv", "--json"])[0];
    let note = object["notes"][0].as_str().unwrap();
    assert!(note.contains("is a guess from few letters"), "{note}");
    let other = note.rsplit(' ').next().unwrap().trim_end_matches('.');
    let overruled = &place.json(&["inspect", "few.csv", "--json", "--encoding", other])[0];
    assert_ne!(overruled["first_text"], object["first_text"]);
    let told = place.ok(&["inspect", "few.csv"]);
    assert!(told.contains("is a guess from few letters"), "{told}");
}

#[test]
fn a_score_that_overflows_is_refused_in_its_row() {
    let place = Place::new().with_project();
    let rows = lines((0..30).map(|row| format!("word number {row} here,{}.5", row % 4)));
    place.write("train.csv", &format!("text,score\n{rows}the last one,1e308\n"));
    let init = place.fails(1, &["init", "q", "--data", "train.csv", "--model", &tiny_model()]);
    assert!(init.contains("line 32 of train.csv: the column \"score\" holds \"1e308\""), "{init}");
}
