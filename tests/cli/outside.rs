//! A project from someone else reads nothing outside its folder until its user agrees, and asks once.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::program::{Place, stderr, tiny_model};

const AGREE: &str = "--trust-paths";

/// A project that came from elsewhere: this user never named its paths.
fn stranger() -> Place {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1"));
    fs::remove_dir_all(place.path("user/config")).unwrap();
    place
}

#[test]
fn what_init_was_given_is_agreed_to() {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1"));
    place.ok(&["train", "p", "--run", "a"]);
}

#[test]
fn paths_outside_are_listed_refused_and_agreed_to_once() {
    let place = stranger();
    let told = place.fails(1, &["train", "p"]);
    for path in [place.path("train.csv").canonicalize().unwrap().display().to_string(), tiny_model()] {
        assert!(told.contains(&path), "{path}: {told}");
    }
    assert!(told.contains("pretrained model") && told.contains(AGREE), "{told}");
    // Each path has a line of its own.
    let of_model = format!("  {} (pretrained model)", tiny_model());
    assert!(told.lines().any(|line| line == of_model), "{told}");
    assert!(!place.path("p/runs").exists() && !place.path("user/config").exists(), "nothing was done");
    assert!(place.fails(1, &["find-rate", "p"]).contains(AGREE));
    assert!(place.fails(1, &["tour", "p"]).contains(AGREE));

    place.ok(&["train", "p", "--run", "a", AGREE]);
    place.ok(&["train", "p", "--run", "b"]);

    // Another path is another question; a run of another model, too.
    place.write("more.csv", "text,topic,sentiment\nthe card was lovely,account,positive\n");
    place.edit_project(|text| text.replace("../valid.csv", "../more.csv"));
    let told = place.fails(1, &["train", "p"]);
    assert!(told.contains("more.csv") && !told.contains("train.csv"), "{told}");
    place.edit_project(|text| text.replace("../more.csv", "../valid.csv"));

    let plan = place.path("p/runs/b/run.toml");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replace("tests/fixtures/models/bert", "tests/fixtures/models/electra")).unwrap();
    for args in [
        &["embed", "p/runs/b", "test.csv", "-o", "-"][..],
        &["predict", "p/runs/b", "test.csv", "-o", "-"],
        &["similar", "p/runs/b", "one", "two"],
        &["eval", "p/runs/b", "test.csv"],
        &["eval", "p", "test.csv"],
        &["export", "p/runs/b", "--to", "out"],
        &["train", "p"],
    ] {
        let told = place.fails(1, args);
        assert!(told.contains("models/electra") && told.contains("model of run b"), "{args:?}: {told}");
    }
    // The other run alone names nothing new.
    place.ok(&["embed", "p/runs/a", "test.csv", "-o", "-"]);
}

#[test]
fn a_run_of_a_stranger_is_a_question_of_its_own() {
    let place = stranger();
    place.ok(&["train", "p", "--run", "a", AGREE]);
    fs::remove_dir_all(place.path("user/config")).unwrap();
    let told = place.fails(1, &["embed", "p/runs/a", "test.csv", "-o", "-"]);
    assert!(told.contains("model of run a") && !told.contains("train.csv"), "{told}");
    place.ok(&["embed", "p/runs/a", "test.csv", "-o", "-", AGREE]);
    place.ok(&["similar", "p/runs/a", "one", "two"]);
    // What holds nothing but names can be looked at.
    assert!(place.ok(&["inspect", "p"]).contains("train.csv"));
}

#[test]
fn shares_and_devices_are_called_so() {
    let place = stranger();
    let with = |path: &str| {
        let other = format!("'{path}'");
        place.edit_project(|text| text.replace("\"../valid.csv\"", &other));
        let told = place.fails(1, &["train", "p"]);
        place.edit_project(|text| text.replace(&other, "\"../valid.csv\""));
        told
    };
    for share in [r"\\server\share\valid.csv", "//server/share/valid.csv"] {
        let told = with(share);
        assert!(told.contains(share) && told.contains("hash of your password"), "{told}");
    }
    assert!(with(r"\\.\PhysicalDrive0\valid").contains("a device"));
    #[cfg(unix)]
    for device in ["/dev/valid", "/proc/self/valid"] {
        assert!(with(device).contains("a device"));
    }
    // Agreeing does not help.
    place.edit_project(|text| text.replace("../valid.csv", r"\\\\.\\pipe\\x"));
    assert!(place.fails(1, &["train", "p", AGREE]).contains("a device"));
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_project_is_a_path_outside() {
    use std::os::unix::fs::symlink;
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1").replace("../valid.csv", "valid.csv"));
    let secret = place.path("secret.csv");
    fs::copy(place.path("valid.csv"), &secret).unwrap();
    symlink(&secret, place.path("p/valid.csv")).unwrap();
    let told = place.fails(1, &["train", "p"]);
    assert!(told.contains("secret.csv") && told.contains("the link valid.csv leads there"), "{told}");
    place.ok(&["train", "p", "--run", "a", AGREE]);

    // What the program writes itself is never a link, whatever is agreed to.
    let link = place.path("p/runs/a/checkpoints/other");
    for target in [secret.as_path(), Path::new("/nowhere/at/all")] {
        symlink(target, &link).unwrap();
        let told = place.fails(1, &["embed", "p/runs/a", "test.csv", "-o", "-", AGREE]);
        assert!(
            told.contains(&*target.to_string_lossy()) && told.contains("links here are not followed"),
            "{told}"
        );
        fs::remove_file(&link).unwrap();
    }

    // The project's own file, and what is behind it.
    fs::rename(place.path("p/frostline.toml"), place.path("real.toml")).unwrap();
    symlink("../real.toml", place.path("p/frostline.toml")).unwrap();
    assert!(place.fails(1, &["train", "p"]).contains("real.toml"));
    assert!(place.fails(1, &["inspect", "p"]).contains("real.toml"));
}

#[test]
fn each_of_many_paths_is_shown() {
    let place = stranger();
    let long = "long/".repeat(40);
    let mut files = String::new();
    for file in 0..40 {
        writeln!(files, "[[data.file]]\npath = \"../{long}{file}.csv\"").unwrap();
    }
    place.edit_project(|text| format!("{text}\n{files}"));
    let told = place.fails(1, &["train", "p"]);
    for file in 0..40 {
        let end = format!("long/{file}.csv (data)");
        assert_eq!(
            told.lines().filter(|line| line.starts_with("  /") && line.ends_with(&end)).count(),
            1,
            "{told}"
        );
    }
}

#[test]
fn nothing_in_a_path_controls_the_terminal() {
    let place = stranger();
    place.edit_project(|text| text.replace("../valid.csv", "../\\u001b]52;c;eA\\u0007\\u202Ex.csv"));
    let output = place.run(&["train", "p"]);
    let told = stderr(&output);
    assert!(told.contains("\\u001b]52") && told.contains("\\u202e"), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'));
}

#[test]
fn a_re_export_keeps_what_the_user_added() {
    let place = Place::new().with_project();
    place.edit_project(|text| text.replace("epochs = 2", "epochs = 1"));
    place.ok(&["train", "p", "--run", "a"]);
    let export = ["export", "p/runs/a", "--to", "out", "--force"];
    place.ok(&export);
    assert!(!place.ok(&export).contains("is kept as"));
    place.write("out/tasks/notes.md", "mine").write("out/README.md", "my own card");
    let told = place.ok(&export);
    assert!(told.contains("README.md, which was edited; tasks/notes.md"), "{told}");
    assert!(told.contains("is kept as") && told.contains("out.before-1"), "{told}");
    assert_eq!(fs::read_to_string(place.path("out.before-1/tasks/notes.md")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(place.path("out.before-1/README.md")).unwrap(), "my own card");
    assert!(!place.path("out/tasks/notes.md").exists());
    place.ok(&["predict", "out.before-1", "test.csv", "-o", "-"]);
}
