//! Every mixture of kinds of tasks can be exported and read back; and what is read back is used by every command that
//! takes an exported folder.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use frostline::data::task::{Scale, TaskKind};
use frostline::export::folder::{ExportRequest, write_folder};
use frostline::export::load::load_exported;
use frostline::model::Model;
use frostline::model::heads::HeadSpec;
use frostline::session::predictor::Predictor;
use tch::Device;

use crate::support::program::{Place, tiny_model};

fn spec(kind: TaskKind) -> HeadSpec {
    let classes: &[&str] = match kind {
        TaskKind::SingleLabel | TaskKind::MultiLabel => &["a", "b", "c"],
        TaskKind::TokenLabels => &["O", "B-X", "I-X"],
        _ => &[],
    };
    HeadSpec {
        task: format!("of {}", kind.key()),
        kind,
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        scale: if kind.has_classes() { Scale::default() } else { Scale { offset: 1.5, factor: 2.0 } },
        hidden_units: None,
    }
}

#[test]
fn every_mixture_of_kinds_is_exported_and_read_back() {
    let base = tiny_model();
    let base = Path::new(&base);
    let texts = ["the first text", "and another one"];
    for mixture in 1..1_usize << TaskKind::ALL.len() {
        let kinds = TaskKind::ALL.into_iter().enumerate().filter(|(index, _)| mixture >> index & 1 == 1);
        let specs: Vec<HeadSpec> = kinds.map(|(_, kind)| spec(kind)).collect();
        let named: Vec<&str> = specs.iter().map(|spec| spec.kind.key()).collect();
        let mut model = Model::load(base, Device::Cpu).unwrap();
        model.start_heads(&specs, 5).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let request = ExportRequest {
            model: &model,
            base,
            to: dir.path(),
            max_seq_length: 32,
            prompt: None,
            card: "# Card\n",
            untrained: &[],
        };
        let report = write_folder(&request).unwrap_or_else(|error| panic!("{named:?}: {error}"));
        assert_eq!((report.max_difference, report.max_logit_difference), (0.0, 0.0), "{named:?}");
        let (_, found) = load_exported(dir.path(), Device::Cpu).unwrap();
        assert_eq!(found, specs, "{named:?}");
        // A second export takes the place of the first: it is known for one.
        write_folder(&request).unwrap_or_else(|error| panic!("{named:?}, again: {error}"));

        let mut offline = Predictor::open(dir.path(), "cpu").unwrap();
        let answers = offline.predict(&texts, Some(&["a partner", ""]), &mut |_| {}).unwrap();
        assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), vec![2; specs.len()], "{named:?}");
        assert_eq!(offline.embed(&texts, &mut |_| {}).unwrap().rows(), 2, "{named:?}");
    }
}

/// A file for one kind of task, and how `frostline.toml` names the task.
fn file_of(kind: TaskKind) -> (&'static str, String, &'static str) {
    let mut text = String::new();
    for row in 0..24 {
        let (who, other) = (["card", "bank", "train"][row % 3], ["late", "early"][row % 2]);
        match kind {
            TaskKind::SingleLabel => writeln!(text, "the {who} was {other} {row},{who}"),
            TaskKind::MultiLabel => writeln!(text, "the {who} was {other} {row},{who}|{other}"),
            TaskKind::Score => writeln!(text, "the {who} was {other} {row},{}.5", row % 5),
            TaskKind::TokenLabels => writeln!(text, "the O\n{who} B-WHO\nwas O\n{other} O\n"),
            TaskKind::Similarity => writeln!(text, "the {who} {row},a {other} {who},{}.5", row % 5),
            TaskKind::Ranking => writeln!(text, "where is {who} {row},{who} number {row} is {other}"),
        }
        .unwrap();
    }
    match kind {
        TaskKind::TokenLabels => ("data.conll", text, "tags"),
        TaskKind::Similarity => ("data.csv", format!("text,second,target\n{text}"), "target"),
        TaskKind::Ranking => ("data.csv", format!("text,second\n{text}"), "second"),
        _ => ("data.csv", format!("text,target\n{text}"), "target"),
    }
}

#[test]
fn a_run_of_each_kind_alone_is_exported_and_used() {
    for kind in TaskKind::ALL {
        let place = Place::new();
        let (file, text, column) = file_of(kind);
        place.write(file, &text);
        let second = if kind.takes_pairs() { "second_text = \"second\"\n" } else { "" };
        let words = if kind == TaskKind::TokenLabels { "tokens" } else { "text" };
        fs::create_dir(place.path("p")).unwrap();
        place.write(
            "p/frostline.toml",
            &format!(
                "version = 1\nmodel = '{}'\n[data]\ntext = \"{words}\"\n{second}[[data.file]]\npath = \"../{file}\"\n\
                 [[data.task]]\ncolumn = \"{column}\"\nname = \"the task\"\nkind = \"{}\"\n[recipe]\nepochs = 1\n\
                 batch_size = 8\nmax_length = 24\n",
                tiny_model(),
                kind.key()
            ),
        );
        place.ok(&["train", "p", "--run", "one", "--trust-paths"]);
        let told = place.ok(&["export", "p/runs/one", "--to", "out"]);
        assert!(told.contains("largest difference"), "{told}");
        assert_eq!(place.path("out/heads/model.safetensors").exists(), kind.has_head(), "{kind:?}");
        place.ok(&["predict", "out", file, "-o", "said.csv"]);
        place.ok(&["predict", "p/runs/one", file, "-o", "of run.csv"]);
        let said = fs::read_to_string(place.path("said.csv")).unwrap();
        assert_eq!(said, fs::read_to_string(place.path("of run.csv")).unwrap(), "{kind:?}");
        assert!(said.starts_with("text,the task"), "{said}");
        place.ok(&["embed", "out", file, "-o", "e.npy"]);
        let figures = place.json(&["eval", "p/runs/one", file, "--json"]);
        assert_eq!(figures.len(), 1, "{kind:?}");
        let found = place.json(&["inspect", "out", "--json"]).remove(0);
        assert_eq!(found["kind"], "model", "{kind:?}");
    }
}
