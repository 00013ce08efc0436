//! A project that came from someone else never leads a write outside it: links in it are refused, and a run is made only
//! where nothing is.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::program::{Place, stderr};
use frostline::project::Project;
use frostline::project::runs::{self, HistoryLine, RunEvent, RunFolder};

/// A file and a folder of the user's that nothing may touch.
struct Victims {
    dir: tempfile::TempDir,
}

impl Victims {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("profile"), "alias ll='ls -l'\n").unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        Self { dir }
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("profile")
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("folder")
    }

    fn missing(&self) -> std::path::PathBuf {
        self.dir.path().join("missing")
    }

    fn assert_untouched(&self, what: &str) {
        assert_eq!(fs::read_to_string(self.file()).unwrap(), "alias ll='ls -l'\n", "{what}");
        assert_eq!(fs::read_dir(self.folder()).unwrap().count(), 0, "{what}");
        assert!(!self.missing().exists(), "{what}");
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 2, "{what}");
    }
}

/// Where a link is planted in a project, and whether it stands for a folder.
const LINKS: [(&str, bool); 9] = [
    ("runs", true),
    ("runs/own", true),
    ("runs/own/checkpoints", true),
    ("runs/own/history.jsonl", false),
    ("runs/own/run.toml", false),
    ("runs/own/report.json", false),
    ("runs/own/run.lock", false),
    ("runs/own/run.holder", false),
    ("runs/own/checkpoints/last.safetensors", false),
];

fn plant(project: &Path, link: &str, target: &Path) {
    let path = project.join(link);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

#[test]
fn a_run_goes_through_no_link() {
    for (link, is_folder) in LINKS {
        let victims = Victims::new();
        let targets =
            if is_folder { vec![victims.folder()] } else { vec![victims.file(), victims.missing()] };
        for target in targets {
            let what = format!("{link} to {}", target.display());
            let project = tempfile::tempdir().unwrap();
            plant(project.path(), link, &target);
            let made = RunFolder::create(project.path(), "own").and_then(|mut folder| {
                folder.append(&HistoryLine::Event(RunEvent::Resumed { at_step: 0 }))?;
                folder.flush()
            });
            let told = made.unwrap_err().to_string();
            assert!(told.contains("is a link to") || told.contains("is taken"), "{what}: {told}");
            let opened = RunFolder::open(project.path(), "own").and_then(|mut folder| folder.lock());
            assert!(opened.unwrap_err().to_string().contains("is a link to"), "{what}");
            // What is listed is read, and says why it could not be.
            drop(runs::list(project.path()));
            victims.assert_untouched(&what);
        }
    }
}

#[test]
fn a_run_is_made_only_where_none_is() {
    let project = tempfile::tempdir().unwrap();
    let planted = project.path().join("runs/own");
    fs::create_dir_all(planted.join("checkpoints")).unwrap();
    fs::write(planted.join("history.jsonl"), "").unwrap();
    let told = RunFolder::create(project.path(), "own").unwrap_err().to_string();
    assert!(told.contains("\"own\""), "{told}");
    // What a killed program left in a folder that it had reserved is no run.
    fs::remove_file(planted.join("history.jsonl")).unwrap();
    fs::write(planted.join("run.lock"), "").unwrap();
    RunFolder::create(project.path(), "own").unwrap();
}

#[test]
fn numbers_of_runs_do_not_run_out_silently() {
    let project = tempfile::tempdir().unwrap();
    for (there, next) in
        [("full-41", "full-42"), ("full-18446744073709551616", "full-42"), ("full--1", "full-42")]
    {
        fs::create_dir_all(project.path().join("runs").join(there)).unwrap();
        assert_eq!(runs::next_name(project.path(), "full").unwrap(), next, "{there}");
    }
    fs::create_dir(project.path().join("runs/full-4294967295")).unwrap();
    let told = runs::reserve_name(project.path(), "full").unwrap_err().to_string();
    assert!(told.contains("full-4294967295") && told.contains("no number comes after it"), "{told}");
    assert_eq!(fs::read_dir(project.path().join("runs")).unwrap().count(), 4);
}

#[test]
fn what_a_killed_process_had_not_finished_is_cleared_away() {
    let project = tempfile::tempdir().unwrap();
    drop(RunFolder::create(project.path(), "own").unwrap());
    let dir = project.path().join("runs/own");
    fs::write(dir.join("run.toml"), "").unwrap();
    fs::write(dir.join("checkpoints/.frostline-x1y2z3"), "half a checkpoint").unwrap();
    RunFolder::open(project.path(), "own").unwrap().lock().unwrap();
    assert_eq!(fs::read_dir(dir.join("checkpoints")).unwrap().count(), 0);
}

#[test]
fn the_project_file_is_no_link_and_its_folder_may_be_one() {
    let (victims, home) = (Victims::new(), tempfile::tempdir().unwrap());
    let (real, named) = (home.path().join("real"), home.path().join("named"));
    Project { name: "own".into(), ..Project::default() }.save(&real).unwrap();
    symlink(&real, &named).unwrap();
    let project = Project::load(&named).unwrap();
    project.save(&named).unwrap();
    fs::rename(real.join("frostline.toml"), home.path().join("moved.toml")).unwrap();
    for target in [home.path().join("moved.toml"), victims.missing()] {
        symlink(&target, real.join("frostline.toml")).unwrap();
        for refused in [Project::load(&named).map(drop), project.save(&named), project.save_new(&named)] {
            let told = refused.unwrap_err().to_string();
            assert!(told.contains("is a link to"), "{told}");
        }
        fs::remove_file(real.join("frostline.toml")).unwrap();
    }
    symlink(victims.missing(), real.join(".frostline.lock")).unwrap();
    assert!(project.save(&named).is_err());
    victims.assert_untouched("the project file");
}

/// The planted project as a person meets it: a history that leads to a start-up file of the shell, and a phase whose name
/// is a command.
#[test]
fn training_a_planted_project_writes_nothing_outside_it() {
    let place = Place::new().with_project();
    place.edit_project(|text| {
        format!("{text}\n[[recipe.phases]]\nname = \"$(touch harmed)\"\nlayers = \"none\"\nheads = true\nepochs = 1\n")
    });
    let victims = Victims::new();
    for (link, is_folder) in LINKS {
        for run in ["own", "full-4294967295", "full-01"] {
            drop(fs::remove_file(place.path("p/runs")));
            drop(fs::remove_dir_all(place.path("p/runs")));
            let target = if is_folder { victims.folder() } else { victims.file() };
            plant(&place.path("p"), &link.replace("own", run), &target);
            let args: &[&str] = if run == "own" { &["train", "p", "--run", "own"] } else { &["train", "p"] };
            let output = place.run(args);
            let what = format!("{link} of {run}: {}", stderr(&output));
            victims.assert_untouched(&what);
            assert!(!stderr(&output).contains("panicked"), "{what}");
            if run == "own" {
                assert_eq!(output.status.code(), Some(1), "{what}");
                assert!(stderr(&output).contains("is a link to"), "{what}: {}", stderr(&output));
            }
            for args in [&["inspect", "p"][..], &["export", &format!("p/runs/{run}"), "--to", "out"]] {
                drop(place.run(args));
                victims.assert_untouched(&what);
            }
        }
    }
    assert!(!place.path("harmed").exists());
}
