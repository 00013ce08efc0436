//! Hand-made states for the tests of the window: what a session would show, without a session.

pub(crate) mod hub;
pub(crate) mod rows;

use std::path::PathBuf;
use std::sync::Arc;

use frostline::data::card::{DataCard, Finding, TaskCounts, Weight};
use frostline::data::column::StrColumn;
use frostline::data::dataset::{Dataset, Split, TaskLabels};
use frostline::data::edit::EditReport;
use frostline::data::edit::fix::Fix;
use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::table::{FileFacts, Fingerprint, Format, Quoting, RowProblem};
use frostline::data::task::TaskKind;
use frostline::export::ExportReport;
use frostline::model::summary::{Group, ModelSummary, Origin, Pooling, TensorInfo};
use frostline::project::{DataFile, Project};
use frostline::session::state::{
    Busy, ComparedRun, DataView, DeviceInfo, FilePreview, Loadable, Notice, RunListing, RunOutcome,
    RunReport, RunView, Severity, State, Tokenized,
};
use frostline::train::metrics::{EpochPoint, Headline, Score, StepPoint};
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::{PlannedTask, RunPlan};

const TEXTS: [(&str, &str, &str); 6] = [
    ("The parcel was meant to come on Tuesday and it is Friday now.", "delivery", "negative"),
    ("Could you tell me where I find last month's invoice?", "billing", "neutral"),
    ("Your colleague on the phone was patient and sorted it all out. Thank you!", "support", "positive"),
    (
        "The app closes itself whenever I open the camera; I have tried three phones by now, and the newest of \
      them does it before the first picture is taken.",
        "app",
        "negative",
    ),
    ("I would like to send the blue one back, it is too small.", "returns", "neutral"),
    ("Lovely jacket, warm and light.", "product", "positive"),
];

/// A session that knows its devices and nothing else.
pub(crate) fn empty() -> State {
    State {
        devices: vec![DeviceInfo {
            key: "cpu".into(),
            name: "CPU, 2 threads".into(),
            memory: Some(16 << 30),
        }],
        device: "cpu".into(),
        cuda_missing: Some(
            "No GPU: libtorch_cuda.so was found neither beside the app nor in .libtorch.".into(),
        ),
        ..State::default()
    }
}

fn dataset(rows: usize) -> Dataset {
    let classes = |pick: fn(&(&str, &str, &str)) -> String| {
        let mut names: Vec<String> = TEXTS.iter().map(pick).collect();
        names.sort();
        names.dedup();
        names
    };
    let topics = classes(|row| row.1.to_owned());
    let tones = classes(|row| row.2.to_owned());
    let mut texts = StrColumn::default();
    let (mut topic, mut tone, mut splits) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows {
        let (text, a, b) = TEXTS[row % TEXTS.len()];
        texts.push(Some(text));
        topic.push(topics.iter().position(|name| name == a).map(|index| index as u32));
        // Every ninth row is not annotated for the second task.
        tone.push((row % 9 != 0).then(|| tones.iter().position(|name| name == b).unwrap_or(0) as u32));
        splits.push(match row % 10 {
            8 => Split::Valid,
            9 => Split::Test,
            _ => Split::Train,
        });
    }
    Dataset {
        texts,
        tasks: vec![TaskLabels::single("topic", topics, topic), TaskLabels::single("sentiment", tones, tone)],
        splits,
        files: vec!["/home/kim/messages/train.csv".into()],
        origins: (0..rows).map(|row| (0, row as u64 + 2)).collect(),
        ..Dataset::default()
    }
}

fn counts(dataset: &Dataset) -> DataCard {
    let mut card =
        DataCard { rows: Split::ALL.map(|split| dataset.rows_of(split).len()), ..DataCard::default() };
    for task in &dataset.tasks {
        let mut classes: Vec<(String, [usize; 3])> =
            task.classes.iter().map(|name| (name.clone(), [0; 3])).collect();
        let mut missing = [0; 3];
        for (row, split) in dataset.splits.iter().enumerate() {
            match task.class(row) {
                Some(label) => classes[label as usize].1[*split as usize] += 1,
                None => missing[*split as usize] += 1,
            }
        }
        card.tasks.push(TaskCounts { task: task.name.clone(), classes, missing });
    }
    card.sources = frostline::data::card::sources::by_source(dataset);
    card
}

fn preview(name: &str, rows: usize, split: Option<Split>) -> FilePreview {
    FilePreview {
        facts: FileFacts {
            path: format!("/home/kim/messages/{name}").into(),
            format: Format::Delimited { delimiter: b',', quoting: Quoting::Doubled },
            encoding: "UTF-8".into(),
            has_header: true,
            gzip: false,
            lines: 0,
            stamp: Fingerprint::default(),
        },
        split,
        rows,
        columns: ["id", "text", "topic", "sentiment"].map(String::from).to_vec(),
        head: (0..rows.min(100))
            .map(|row| {
                let (text, topic, tone) = TEXTS[row % TEXTS.len()];
                let tone = (row % 9 != 0).then(|| tone.to_owned());
                vec![Some(format!("m{row:04}")), Some(text.into()), Some(topic.into()), tone]
            })
            .collect(),
        notes: Vec::new(),
        problems: Vec::new(),
    }
}

/// Three files of customer messages, and a model.
pub(crate) fn loaded() -> State {
    let dataset = dataset(960);
    let mut card = counts(&dataset);
    card.findings = vec![
        Finding {
            weight: Weight::Warning,
            text: "12 texts occur in train and in test: figures on test will flatter.".into(),
            rows: vec![0, 6],
            fix: Some(Fix::JoinLeaks),
        },
        Finding {
            weight: Weight::Note,
            text: "107 rows have no label for sentiment; they train topic only.".into(),
            rows: vec![0, 9],
            fix: None,
        },
    ];
    let mut train = preview("train.csv", 768, Some(Split::Train));
    train.problems = vec![
        RowProblem { line: 14, reason: "has 3 cells, expected 4".into() },
        RowProblem { line: 201, reason: "is not valid UTF-8".into() },
    ];
    let dataset = Arc::new(dataset);
    let view = DataView {
        read: dataset.clone(),
        outcome: EditReport::default(),
        files: vec![
            train,
            preview("valid.csv", 96, Some(Split::Valid)),
            preview("test.csv", 96, Some(Split::Test)),
        ],
        mapping: Mapping {
            text: "text".into(),
            tasks: vec![TaskColumn::named("topic"), TaskColumn::named("sentiment")],
            ..Mapping::default()
        },
        dataset,
        card,
        split_note: "Each file is a split of its own, by its name.".into(),
    };
    State {
        project: Project {
            name: "Customer messages".into(),
            files: view.files.iter().map(|file| DataFile::new(file.facts.path.clone())).collect(),
            model: Some(model().path),
            skip_bad_rows: true,
            ..Project::default()
        },
        dir: Some("/home/kim/messages".into()),
        plan: Some(Ok(Arc::new(plan()))),
        data: Loadable::Ready(Arc::new(view)),
        model: Loadable::Ready(Arc::new(model())),
        tokenized: Loadable::Ready(Arc::new(tokenized())),
        ..empty()
    }
}

/// A task of 151 classes and a file of 23,700 rows.
pub(crate) fn many_classes() -> State {
    let mut state = loaded();
    let Loadable::Ready(data) = &state.data else { unreachable!() };
    let mut view = DataView::clone(data);
    view.card.tasks = vec![TaskCounts {
        task: "intent".into(),
        classes: (0..151)
            .map(|index| (format!("intent_{index}_with_a_rather_long_name"), [100 + index % 7, 20, 30]))
            .collect(),
        missing: [0; 3],
    }];
    view.card.rows = [15_100, 3_100, 5_500];
    state.data = Loadable::Ready(Arc::new(view));
    state
}

fn tokenized() -> Tokenized {
    let tokens = [
        "[CLS]", "un", "##free", "##zing", "em", "##bed", "##ding", "##s", "isn", "'", "t", "magic", ".",
        "[SEP]",
    ];
    let mut embedding = vec![0.0_f32; 384];
    for (index, value) in embedding.iter_mut().enumerate() {
        *value = (index as f32 * 0.37).sin() * 0.0722;
    }
    Tokenized {
        text: "Unfreezing embeddings isn't magic.".into(),
        tokens: tokens
            .iter()
            .enumerate()
            .map(|(index, token)| ((*token).to_owned(), 101 + 37 * index as u32))
            .collect(),
        truncated: false,
        embedding,
    }
}

/// The shapes of all-MiniLM-L6-v2.
pub(crate) fn model() -> ModelSummary {
    let mut tensors = Vec::new();
    let mut add =
        |name: String, shape: &[i64], group| tensors.push(TensorInfo { name, shape: shape.to_vec(), group });
    add("embeddings.word_embeddings.weight".into(), &[30522, 384], Group::Embeddings);
    add("embeddings.position_embeddings.weight".into(), &[512, 384], Group::Embeddings);
    add("embeddings.token_type_embeddings.weight".into(), &[2, 384], Group::Embeddings);
    for layer in 0..6 {
        for part in ["query", "key", "value"] {
            let name = format!("encoder.layer.{layer}.attention.self.{part}");
            add(format!("{name}.weight"), &[384, 384], Group::Layer(layer));
            add(format!("{name}.bias"), &[384], Group::Layer(layer));
        }
        add(format!("encoder.layer.{layer}.intermediate.dense.weight"), &[1536, 384], Group::Layer(layer));
        add(format!("encoder.layer.{layer}.output.dense.weight"), &[384, 1536], Group::Layer(layer));
    }
    add("pooler.dense.weight".into(), &[384, 384], Group::Unused);
    ModelSummary {
        path: "/home/kim/models/all-MiniLM-L6-v2".into(),
        name: "all-MiniLM-L6-v2".into(),
        model_type: "bert".into(),
        layers: 6,
        applications: 6,
        dense: Vec::new(),
        hidden: 384,
        attention_heads: 12,
        vocab_size: 30_522,
        max_positions: 512,
        max_seq_length: 256,
        pooling: Pooling::Mean,
        pooling_source: "from 1_Pooling/config.json".into(),
        normalize: true,
        tensors,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db".into(),
        file_bytes: 90_868_376,
        origin: Origin::default(),
    }
}

fn plan() -> RunPlan {
    let task = |name: &str, classes: &[&str], labelled| PlannedTask {
        name: name.into(),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        labelled_train: labelled,
        labelled_valid: 96,
        ..PlannedTask::default()
    };
    let tasks = vec![
        task("topic", &["app", "billing", "delivery", "product", "returns", "support"], 768),
        task("sentiment", &["negative", "neutral", "positive"], 683),
    ];
    RunPlan::build("run-1", &Recipe::default(), &model(), tasks, 768, "cpu").expect("a plan")
}

fn run(steps: usize, epochs: u32, outcome: Option<RunOutcome>) -> RunView {
    let plan = Arc::new(plan());
    let score = |step: usize| Score { loss: 1.7 / (1.0 + step as f64 / 20.0), figure: 0.9, rows: 16 };
    let ended = outcome.is_some();
    RunView {
        can_resume: false,
        resumed_at: None,
        dir: "/home/kim/messages/runs/run-1".into(),
        steps: (1..=steps)
            .map(|step| StepPoint {
                step,
                epoch: step as f64 / plan.steps_per_epoch as f64,
                loss: 2.0 * score(step).loss,
                tasks: vec![score(step); 2],
                rate_factor: 1.0,
                grad_norm: 1.0,
            })
            .collect(),
        epochs: (0..=epochs)
            .map(|epoch| EpochPoint {
                epoch,
                step: epoch as usize * plan.steps_per_epoch,
                phase: 0,
                loss: 1.0,
                train: vec![score(48 * epoch as usize); 2],
                valid: vec![score(48 * epoch as usize); 2],
                seconds: 11.0,
                best: epoch == epochs,
            })
            .collect(),
        phase: 0,
        note: String::new(),
        rows_per_second: if ended { 0.0 } else { 71.4 },
        seconds_left: (!ended).then_some(26.0),
        report: ended.then(|| Arc::new(RunReport { seconds: 44.0, ..RunReport::default() })),
        outcome,
        plan,
    }
}

/// A run in its second epoch, and a few notices.
pub(crate) fn training() -> State {
    State {
        run: Some(run(73, 1, None)),
        dirty: true,
        can_undo: true,
        notices: vec![Notice {
            id: 1,
            severity: Severity::Info,
            text: "Run run-1 started: full fine-tuning of 22.6 M parameters.".into(),
        }],
        ..loaded()
    }
}

/// A run that overfits, beside an earlier one with other rates.
pub(crate) fn compared() -> State {
    let score = |loss: f64, figure: f64| vec![Score { loss, figure, rows: 16 }; 2];
    let mut shown = run(192, 4, Some(RunOutcome::Finished));
    for (epoch, (train, valid)) in
        shown.epochs.iter_mut().zip([(1.7, 1.7), (0.9, 0.8), (0.5, 0.6), (0.3, 0.7), (0.1, 0.9)])
    {
        epoch.train = score(train, 1.0 - train / 4.0);
        epoch.valid = score(valid, 1.0 - valid / 4.0);
        epoch.best = epoch.epoch == 2;
    }
    shown.plan = Arc::new(RunPlan { name: "run-2".into(), ..plan() });
    let mut earlier = run(192, 4, None);
    for (index, epoch) in earlier.epochs.iter_mut().enumerate() {
        epoch.valid = score(1.6 - 0.2 * index as f64, 0.5 + 0.08 * index as f64);
    }
    let mut plan = plan();
    plan.recipe.lr_encoder = 2e-5;
    plan.recipe.batch_size = 32;
    let earlier = ComparedRun { plan: Arc::new(plan), epochs: Arc::new(earlier.epochs), seconds: Some(61.0) };
    let listing = |name: &str| RunListing {
        name: name.into(),
        preset: "full".into(),
        outcome: "finished".into(),
        figures: [("topic", 0.91), ("sentiment", 0.87)]
            .map(|(task, value)| Headline { task: task.into(), kind: TaskKind::SingleLabel, value })
            .into(),
    };
    let runs = vec![listing("run-1"), listing("run-2")];
    State { run: Some(shown), compared: vec![earlier], runs, ..loaded() }
}

/// A run that ended.
pub(crate) fn trained() -> State {
    State { run: Some(run(192, 4, Some(RunOutcome::Finished))), ..loaded() }
}

/// The same, exported.
pub(crate) fn exported() -> State {
    let files = [
        ("README.md", 3_120),
        ("config.json", 612),
        ("config_sentence_transformers.json", 116),
        ("model.safetensors", 90_868_376),
        ("modules.json", 349),
        ("sentence_bert_config.json", 53),
        ("tokenizer.json", 466_247),
        ("tokenizer_config.json", 350),
        ("1_Pooling/config.json", 190),
        ("heads/heads.json", 402),
        ("heads/model.safetensors", 14_012),
    ];
    State {
        export: Loadable::Ready(Arc::new(ExportReport {
            dir: PathBuf::from("/home/kim/messages/export"),
            files: files.map(|(name, bytes)| (name.to_owned(), bytes)).to_vec(),
            probes: 32,
            max_difference: 2.4e-7,
            max_logit_difference: 9.5e-7,
            kept: None,
        })),
        ..trained()
    }
}

/// Everything on its way.
pub(crate) fn loading() -> State {
    State {
        data: Loadable::Loading,
        model: Loadable::Loading,
        busy: Some(Busy { what: "loading the model".into(), fraction: Some(0.4) }),
        ..empty()
    }
}

/// Neither data nor model could be had.
pub(crate) fn failed() -> State {
    State {
        data: Loadable::Failed("line 14 has 3 cells, expected 4: /home/kim/messages/train.csv".into()),
        model: Loadable::Failed("model.safetensors ends after 1,048,576 of 90,868,376 bytes; fetch it again: /home/kim/models/x".into()),
        notices: vec![
            Notice { id: 1, severity: Severity::Error, text: "The data could not be read: line 14 has 3 cells, expected 4: /home/kim/messages/train.csv".into() },
            Notice { id: 2, severity: Severity::Warning, text: "The project folder is read-only: changes cannot be saved.".into() },
        ],
        project: Project {
            files: vec![DataFile::new("/home/kim/messages/train.csv")],
            model: Some("/home/kim/models/x".into()),
            ..Project::default()
        },
        ..empty()
    }
}
