//! The model card of an export, as a whole: compared with a page that was read and found right.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::{Path, PathBuf};

use frostline::data::dataset::Split;
use frostline::export::CardInputs;
use frostline::export::card::{known_base_model, model_card};
use frostline::model::summary::{Group, ModelSummary, Origin, Pooling, TensorInfo};
use frostline::train::metrics::{Probe, TaskMetrics};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::{PlannedTask, RunPlan};
use frostline::train::report::{HeadDrift, RunOutcome, RunReport, TensorChange};

const MINILM: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

fn model(normalize: bool) -> ModelSummary {
    let tensor =
        |name: &str, shape: &[i64], group| TensorInfo { name: name.into(), shape: shape.into(), group };
    let mut tensors = vec![
        tensor("embeddings.word_embeddings.weight", &[30522, 384], Group::Embeddings),
        tensor("pooler.dense.weight", &[384, 384], Group::Unused),
    ];
    for layer in 0..6 {
        tensors.push(tensor(
            &format!("encoder.layer.{layer}.output.dense.weight"),
            &[384, 1536],
            Group::Layer(layer),
        ));
    }
    ModelSummary {
        path: PathBuf::from("/models/all-MiniLM-L6-v2"),
        name: "all-MiniLM-L6-v2".into(),
        model_type: "bert".into(),
        layers: 6,
        applications: 6,
        dense: Vec::new(),
        hidden: 384,
        attention_heads: 12,
        vocab_size: 30522,
        max_positions: 512,
        max_seq_length: 256,
        pooling: Pooling::Mean,
        pooling_source: "from 1_Pooling/config.json".into(),
        normalize,
        tensors,
        sha256: MINILM.into(),
        file_bytes: 90_868_376,
        origin: Origin::default(),
    }
}

fn plan(recipe: &Recipe, model: &ModelSummary) -> RunPlan {
    let task = |name: &str, classes: &[&str], labelled_train, labelled_valid| PlannedTask {
        name: name.into(),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        labelled_train,
        labelled_valid,
        ..PlannedTask::default()
    };
    let tasks = vec![
        task("topic", &["billing", "delivery", "say \"other\""], 1200, 150),
        task("mood|tone", &["calm", "größer"], 900, 140),
    ];
    RunPlan::build("run-01", recipe, model, tasks, 1200, "cpu").unwrap()
}

fn figures(task: &str, classes: usize) -> TaskMetrics {
    let names: Vec<String> = (0..classes).map(|index| format!("class {index}")).collect();
    let probs: Vec<f32> =
        (0..classes * 4).map(|i| if i % (classes + 1) == 0 { 0.75 } else { 0.125 }).collect();
    TaskMetrics::from_probabilities(task, &names, &probs, &[0, 1, 1, 0])
}

/// Compares with the committed page; with `UPDATE_FIXTURES=1` set, writes it, to be read before it is committed.
fn compare(name: &str, card: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/card").join(name);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, card).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let differing = card.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert_eq!(card, expected, "{name} differs, first at line {:?}", differing.map(|index| index + 1));
}

#[test]
fn a_gradual_run_of_a_known_model() {
    let model = model(true);
    let mut recipe = Recipe::default();
    recipe.choose(Preset::Gradual);
    let plan = plan(&recipe, &model);
    let change = |name: &str, changed, planned| TensorChange { name: name.into(), changed, planned };
    let report = RunReport {
        metrics: vec![
            (Split::Valid, vec![figures("topic", 3), figures("mood|tone", 2)]),
            (Split::Test, vec![figures("topic", 3), TaskMetrics::default()]),
        ],
        changes: vec![change("heads.topic.weight", true, true), change("pooler.dense.weight", false, false)],
        truncated_rows: 12,
        seconds: 93.4,
        ..RunReport::default()
    };
    let card = model_card(&CardInputs {
        title: "Customer messages",
        base_model: known_base_model(&model.sha256),
        license: Some("apache-2.0"),
        model: &model,
        plan: &plan,
        report: &report,
        outcome: &RunOutcome::Finished,
        rows: [1200, 150, 160],
        versions: &[("Frostline", "0.1.0"), ("libtorch", "2.11.0")],
    });
    compare("gradual.md", &card);
}

#[test]
fn a_run_with_a_frozen_head_of_an_unknown_model() {
    let model = ModelSummary { sha256: "00ff".into(), name: "our model".into(), ..model(false) };
    let recipe = Recipe {
        preset: Preset::FreezeHead,
        frozen_head: Some("mood|tone".into()),
        clip_norm: None,
        encoder_dropout: Some(0.1),
        ..Recipe::default()
    };
    let plan = plan(&recipe, &model);
    let report = RunReport {
        drifts: vec![HeadDrift { task: "mood|tone".into(), before: 0.875, after: 0.625 }],
        changes: vec![TensorChange { name: "x".into(), changed: true, planned: false }],
        probes: vec![Probe {
            task: "topic".into(),
            rows: 150,
            nearest_centroid: 0.9,
            nearest_neighbours: 0.85,
            k: 5,
            majority: 0.4,
        }],
        ..RunReport::default()
    };
    let card = model_card(&CardInputs {
        title: "Messages,\nfrozen",
        base_model: known_base_model(&model.sha256),
        license: None,
        model: &model,
        plan: &plan,
        report: &report,
        outcome: &RunOutcome::Stopped { at_step: 12 },
        rows: [1200, 150, 0],
        versions: &[("Frostline", "0.1.0")],
    });
    compare("frozen_head.md", &card);
}

/// Names that would be more than text on a page, in code or in front matter.
const HOSTILE: [&str; 12] = [
    "x | y | z |\n| forged | row |",
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "[free](javascript:alert(1)) ![x](https://x.y/z.png)",
    "``` \n```\n# forged heading\n```",
    "`code` *bold* _it_ ~~no~~ $x$ &lt;b&gt;",
    "\n---\nlicense: mit\n---\n",
    "- item\n1. one\n> quote\n===",
    "# forged",
    "1. forged",
    "\"]}\nimport os; os.system('x')\n\"\"\"",
    "\u{1b}]52;c;cm0=\u{7}\u{9b}2J\u{202e}txt\u{2028}\u{85}\u{e0041}",
    "https://evil.example www.evil.example me@evil.example",
];

#[test]
fn names_from_strangers_are_text_in_every_place_of_the_card() {
    use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

    let events_of = |name: &str| {
        let model =
            ModelSummary { name: name.into(), model_type: name.into(), sha256: name.into(), ..model(true) };
        let recipe = Recipe {
            tasks: [(
                name.to_owned(),
                frostline::train::plan::recipe::TaskSettings { weight: 0.5, ..Default::default() },
            )]
            .into(),
            ..Recipe::default()
        };
        let task = PlannedTask {
            name: name.into(),
            classes: vec![name.into(), "other".into()],
            labelled_train: 10,
            labelled_valid: 10,
            ..PlannedTask::default()
        };
        let mut plan = RunPlan::build("run-01", &recipe, &model, vec![task], 10, "cpu").unwrap();
        plan.name = name.into();
        plan.device = name.into();
        for phase in &mut plan.phases {
            phase.name = name.into();
        }
        let report = RunReport {
            metrics: vec![(Split::Valid, vec![figures(name, 2)])],
            drifts: vec![HeadDrift { task: name.into(), before: 0.875, after: 0.625 }],
            ..RunReport::default()
        };
        let card = model_card(&CardInputs {
            title: name,
            base_model: Some(name),
            license: Some(name),
            model: &model,
            plan: &plan,
            report: &report,
            outcome: &RunOutcome::Failed(name.into()),
            rows: [10, 10, 0],
            versions: &[(name, name)],
        });
        let hidden = |c: char| c != '\n' && frostline::format::visible::is_hidden(c);
        assert!(!card.contains(hidden), "{card:?}");
        let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
        let events: Vec<Event<'static>> = Parser::new_ext(&card, options).map(Event::into_static).collect();
        (card, events)
    };
    // What a page is made of, but for the text in it.
    let shape = |events: &[Event<'static>]| {
        let of = |event: &Event<'static>| match event {
            Event::Text(_) => None,
            Event::Code(_) => Some("code".to_owned()),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                Some(format!("fence {language}"))
            }
            Event::End(TagEnd::CodeBlock) => Some("end of fence".to_owned()),
            other => Some(format!("{other:?}")),
        };
        events.iter().filter_map(of).collect::<Vec<_>>()
    };
    let front_matter = |card: &str| {
        let lines = card.lines().skip(1).take_while(|line| *line != "---");
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // A plain name of two words is no name of the hub either.
    let (plain_card, plain) = events_of("plain name");
    for name in HOSTILE {
        let (card, events) = events_of(name);
        assert_eq!(shape(&events), shape(&plain), "{name:?}:\n{card}");
        let (found, wanted) = (front_matter(&card), front_matter(&plain_card));
        assert_eq!(found.len(), wanted.len(), "{card}");
        for key in ["base_model: ", "license: "] {
            let value = found.iter().find_map(|line| line.strip_prefix(key)).unwrap();
            // Escapes of characters beyond the first 65,536 are longer than those of JSON.
            let json = value.replace("\\U000e0041", "\\udb40\\udc41");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name, "{value}");
        }
        let shown: String = events
            .iter()
            .filter_map(|e| if let Event::Text(text) = e { Some(&**text) } else { None })
            .collect();
        let first = name.split_whitespace().next().unwrap();
        assert!(shown.contains(&*frostline::format::visible::visible(first)), "{name:?}: {shown}");
    }
}
