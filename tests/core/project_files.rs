//! The promises about a project's files: every version ever written can be read, what is saved is what is
//! loaded, a wrong file is told in words, and a run's history survives a crash.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::skip;
use std::fs;
use std::path::{Path, PathBuf};

use frostline::data::dataset::Split;
use frostline::data::edit::fix::Fix;
use frostline::data::edit::{Cell, Changes, Correction};
use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::read::overrides::{FormatName, Overrides};
use frostline::data::table::Quoting;
use frostline::data::task::TaskKind;
use frostline::project::{DataFile, Project, ProjectError};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::{Decay, OptimizerKind, Recipe};
use proptest::prelude::*;

fn fixture(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/project").join(version)
}

/// A project folder that holds this text as its project file.
fn folder_with(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("frostline.toml"), text).unwrap();
    dir
}

fn load_error(text: &str) -> String {
    Project::load(folder_with(text).path()).unwrap_err().to_string()
}

#[test]
fn version_1_of_a_project_is_read_field_by_field() {
    let dir = fixture("v1");
    let project = Project::load(&dir).unwrap();
    assert_eq!(project.name, "Customer messages");
    let split =
        |name: &str, split| DataFile { path: dir.join("data").join(name), split, ..DataFile::default() };
    assert_eq!(
        project.files,
        [
            split("train.csv", Some(Split::Train)),
            split("valid.csv", Some(Split::Valid)),
            split("test.csv", Some(Split::Test)),
            DataFile::new(fixture("shared/more.jsonl")),
        ]
    );
    let task = |column: &str, task: &str| TaskColumn { task: task.into(), ..TaskColumn::named(column) };
    assert_eq!(
        project.mapping,
        Some(Mapping {
            text: "message".into(),
            tasks: vec![task("topic", "topic"), task("mood", "sentiment")],
            split: Some("part".into()),
            ..Mapping::default()
        })
    );
    assert!(project.skip_bad_rows);
    assert_eq!((project.valid_fraction, project.test_fraction), (0.15, 0.25));
    assert_eq!(project.model, Some(fixture("models/all-MiniLM-L6-v2")));
    assert_eq!(
        project.recipe,
        Recipe {
            preset: Preset::Gradual,
            frozen_head: Some("sentiment".into()),
            epochs: 5,
            batch_size: 32,
            optimizer: OptimizerKind::Adam,
            lr_encoder: 2e-5,
            lr_heads: 0.003,
            layer_decay: 0.85,
            weight_decay: 0.02,
            decay: Decay::Cosine,
            warmup: 0.05,
            clip_norm: None,
            max_length: 64,
            head_dropout: 0.2,
            encoder_dropout: Some(0.0),
            seed: 42,
            ..Recipe::default()
        }
    );
}

#[test]
fn a_partly_written_file_has_defaults_for_the_rest() {
    let dir = folder_with("name = \"Small\"\nmodel = \"model\"\n[[data.file]]\npath = \"data/all.csv\"\n");
    let expected = Project {
        name: "Small".into(),
        model: Some(dir.path().join("model")),
        files: vec![DataFile::new(dir.path().join("data/all.csv"))],
        ..Project::default()
    };
    assert_eq!(Project::load(dir.path()).unwrap(), expected);
}

#[test]
fn a_file_without_a_name_is_named_as_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("reviews");
    fs::create_dir(&named).unwrap();
    fs::write(named.join("frostline.toml"), "").unwrap();
    assert_eq!(Project::load(&named).unwrap().name, "reviews");
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    for (text, line, words) in [
        ("version = 1\ncolour = \"red\"\n", "line 2", "unknown key `colour`"),
        ("[data]\nsplit_colum = \"part\"\n", "line 2", "unknown key `split_colum`"),
        ("\n[recipe]\nlearning_rate = 1\n", "line 3", "unknown key `learning_rate`"),
        ("[[data.file]]\nsplit = \"train\"\n", "line 1", "missing key `path`"),
        ("[[data.file]]\npath = \"a\"\nsplit = \"dev\"\n", "line 3", "unknown value `dev`"),
        ("[recipe]\npreset = \"warm\"\n", "line 2", "`freeze-all`, `freeze-backbone`"),
        ("[recipe]\nbatch_size = -1\n", "line 2", "-1"),
        ("name = \"open\n", "line 1", "string"),
    ] {
        let error = load_error(text);
        assert!(error.contains("frostline.toml") && error.contains(words), "{error}");
        assert!(error.contains(line), "{error}");
    }
    assert!(load_error("version = \"two\"").contains("the version is \"two\""));
    assert!(load_error("version = 0").contains("the version is 0"));
    assert!(load_error("[[data.task]]\ncolumn = \"topic\"").contains("add text = "));
    assert!(load_error("[data]\nsplit_column = \"part\"").contains("add text = "));
}

#[test]
fn a_newer_file_is_refused_before_its_keys_are_looked_at() {
    let dir = folder_with("version = 2\nfuture = true\n");
    let error = Project::load(dir.path()).unwrap_err();
    assert!(matches!(error, ProjectError::Newer { found: 2, known: 1, .. }));
    assert!(error.to_string().contains("open it with a newer Frostline"), "{error}");
}

#[test]
fn a_folder_without_a_project_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = Project::load(dir.path()).unwrap_err();
    assert_eq!(error, ProjectError::NoProject { dir: dir.path().to_owned() });
    assert!(error.to_string().contains("frostline init"));
    assert!(Project::load(&dir.path().join("gone")).is_err());
}

#[test]
fn a_saved_project_reads_well_and_moves_with_its_data() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("projects/messages");
    let project = Project {
        name: "Messages".into(),
        files: vec![
            DataFile { path: dir.join("data/train.csv"), split: Some(Split::Train), ..DataFile::default() },
            DataFile {
                path: home.path().join("elsewhere/test.csv"),
                split: Some(Split::Test),
                ..DataFile::default()
            },
        ],
        mapping: Some(Mapping {
            text: "text".into(),
            tasks: vec![TaskColumn::named("topic")],
            ..Mapping::default()
        }),
        model: Some(home.path().join("projects/minilm")),
        ..Project::default()
    };
    project.save(&dir).unwrap();
    let text = fs::read_to_string(dir.join("frostline.toml")).unwrap();
    assert!(text.starts_with("# A Frostline project."), "{text}");
    for line in [
        "version = 1",
        "model = \"../minilm\"",
        "path = \"data/train.csv\"",
        "column = \"topic\"",
        "# preset: freeze-all, freeze-backbone, freeze-head, gradual, full. optimizer: adamw, adam, sgd.",
        "lr_encoder = 0.0001",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert_eq!(Project::load(&dir).unwrap(), project);

    let moved = home.path().join("moved");
    fs::rename(home.path().join("projects"), &moved).unwrap();
    let found = Project::load(&moved.join("messages")).unwrap();
    assert_eq!(found.files[0].path, moved.join("messages/data/train.csv"));
    assert_eq!(found.files[1].path, home.path().join("elsewhere/test.csv"));
    assert_eq!(found.model, Some(moved.join("minilm")));
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_told_and_left_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = folder_with("name = \"Kept\"\n");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let saved = Project::default().save(dir.path());
    let restore = || fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if saved.is_ok() {
        restore();
        skip::skip("this user (root?) may write in read-only folders");
        return;
    }
    let text = saved.unwrap_err().to_string();
    restore();
    assert!(text.contains(dir.path().to_str().unwrap()) && text.contains("read-only"), "{text}");
    assert_eq!(Project::load(dir.path()).unwrap().name, "Kept");
}

fn any_name() -> impl Strategy<Value = String> {
    // Quotes, escapes, other scripts, line breaks: whatever a column may be called.
    "[a-zA-Z0-9 \"'\\\\.#\\[\\]=\n\tüé中🙂]{1,12}"
}

fn any_overrides() -> impl Strategy<Value = Overrides> {
    let pick = |values: &'static [&'static str]| prop::option::of(prop::sample::select(values));
    let format = prop::option::of(prop::sample::select(FormatName::ALL.to_vec()));
    let quoting = prop::option::of(prop::sample::select(Quoting::ALL.to_vec()));
    let delimiter = prop::option::of(prop::sample::select(b",;\t| \x1f".to_vec()));
    let header = prop::option::of(any::<bool>());
    (format, delimiter, quoting, header, pick(&["utf-8", "cp1252"])).prop_map(
        |(format, delimiter, quoting, header, encoding)| Overrides {
            format,
            delimiter,
            quoting,
            header,
            encoding: encoding.map(str::to_owned),
        },
    )
}

fn any_recipe() -> impl Strategy<Value = Recipe> {
    let choices = (0_usize..5, 0_usize..2, 0_usize..3, prop::option::of(any_name()));
    let sizes = (any::<u32>(), 0_usize..1 << 40, 0_usize..1 << 40, any::<u64>());
    let number = || prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL;
    let numbers = (number(), number(), number(), number(), number(), number());
    let options = (prop::option::of(number()), prop::option::of(number()));
    (choices, sizes, numbers, options).prop_map(|(choices, sizes, numbers, options)| Recipe {
        preset: Preset::ALL[choices.0],
        frozen_head: choices.3,
        epochs: sizes.0,
        batch_size: sizes.1,
        optimizer: [OptimizerKind::Adam, OptimizerKind::AdamW][choices.1],
        lr_encoder: numbers.0,
        lr_heads: numbers.1,
        layer_decay: numbers.2,
        weight_decay: numbers.3,
        decay: [Decay::Constant, Decay::Linear, Decay::Cosine][choices.2],
        warmup: numbers.4,
        clip_norm: options.0,
        max_length: sizes.2,
        head_dropout: numbers.5,
        encoder_dropout: options.1,
        seed: sizes.3,
        ..Recipe::default()
    })
}

fn any_mapping() -> impl Strategy<Value = Mapping> {
    let names = || prop::collection::vec(any_name(), 0..3);
    let kind = prop::sample::select(TaskKind::ALL.to_vec());
    let task = (any_name(), any_name(), kind, names(), names(), names()).prop_map(
        |(column, task, kind, indicators, missing, classes)| TaskColumn {
            column,
            task,
            kind,
            indicators,
            missing,
            classes,
        },
    );
    (
        any_name(),
        prop::option::of(any_name()),
        prop::collection::vec(task, 0..4),
        prop::option::of(any_name()),
        prop::option::of(any_name()),
    )
        .prop_map(|(text, second, tasks, split, group)| Mapping { text, second, tasks, split, group })
}

fn any_fix() -> impl Strategy<Value = Fix> {
    prop_oneof![
        (any_name(), prop::collection::vec(any_name(), 0..3), any_name())
            .prop_map(|(task, from, into)| Fix::MergeClasses { task, from, into }),
        any_name().prop_map(|task| Fix::ForgetConflicts { task }),
        Just(Fix::DropRepeats),
        Just(Fix::JoinLeaks),
        Just(Fix::StripControls),
    ]
}

/// A cell, its place, and what it held and holds.
type AnyEdit = (Option<String>, (u32, usize), (String, String));

fn any_edit() -> impl Strategy<Value = AnyEdit> {
    (prop::option::of(any_name()), (any::<u32>(), 0_usize..3), (any_name(), any_name()))
}

proptest! {
    #[test]
    fn what_is_saved_is_what_is_loaded(
        name in any_name(),
        places in prop::collection::vec((0_usize..3, "[a-z ü'\"]{1,8}", 0_usize..4), 0..4),
        mapping in prop::option::of(any_mapping()),
        skip_bad_rows: bool,
        fractions in (0.0_f64..1.0, 0.0_f64..1.0),
        model in prop::option::of(0_usize..3),
        recipe in any_recipe(),
        said in any_overrides(),
        fixes in prop::collection::vec(any_fix(), 0..4),
        edits in prop::collection::vec(any_edit(), 0..3),
    ) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("deep/projects/one");
        let roots = [dir.join("data"), home.path().join("deep/projects"), home.path().to_owned()];
        let splits = [None, Some(Split::Train), Some(Split::Valid), Some(Split::Test)];
        let project = Project {
            name,
            files: places.iter().map(|(root, name, split)| DataFile {
                path: roots[*root].join(name),
                split: splits[*split],
                overrides: said.clone(),
            }).collect(),
            mapping,
            changes: Changes {
                fixes,
                corrections: edits.into_iter().map(|(task, (line, nth), (was, now))| Correction {
                    file: roots[0].join("rows.csv"),
                    line: u64::from(line),
                    nth,
                    cell: task.map_or(Cell::Text, Cell::Label),
                    was,
                    now,
                }).collect(),
            },
            skip_bad_rows,
            valid_fraction: fractions.0,
            test_fraction: fractions.1,
            model: model.map(|root| roots[root].join("model")),
            recipe,
        };
        project.save(&dir).unwrap();
        prop_assert_eq!(Project::load(&dir).unwrap(), project);
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("frostline.toml"), bytes).unwrap();
        drop(Project::load(dir.path()));
    }
}

#[test]
fn another_project_is_never_saved_over() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let named = |name: &str| Project { name: name.into(), ..Project::default() };
    named("one").save_from(None, &one).unwrap();
    named("other").save_new(&other).unwrap();
    for saved in [named("other").save_from(None, &one), named("other").save_from(Some(&other), &one)] {
        let told = saved.unwrap_err().to_string();
        assert!(told.contains("there is a project already"), "{told}");
        assert_eq!(Project::load(&one).unwrap().name, "one");
    }
    named("one, later").save_from(Some(&one), &dir.path().join("other/../one")).unwrap();
    assert_eq!(Project::load(&one).unwrap().name, "one, later");
    let left: Vec<_> = std::fs::read_dir(&one).unwrap().collect();
    assert_eq!(left.len(), 1, "the project file alone, and no lock: {left:?}");
}
