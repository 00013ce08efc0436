//! States of the session made by hand: every page's empty, running, failed and full state without a worker.

use std::sync::Arc;

use frostline::data::card::{DataCard, TaskCounts};
use frostline::data::dataset::{Dataset, Split, TaskLabels};
use frostline::data::edit::EditReport;
use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::task::TaskKind;
use frostline::model::summary::{Group, ModelSummary, Origin, Pooling, TensorInfo};
use frostline::project::Project;
use frostline::session::row_results::RowResults;
use frostline::session::state::{
    DataMap, DataView, DeviceInfo, Evaluation, HeadDrift, Loadable, Mistake, Neighbours, Prediction,
    RunListing, RunOutcome, RunReport, RunView, Similarity, State, TensorChange, TextPrediction,
};
use frostline::train::metrics::{
    CalibrationBin, ClassMetrics, EpochPoint, Headline, Probe, Score, StepPoint, TaskMetrics,
};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::{PlannedTask, RunPlan};

const MESSAGES: [(&str, u32, u32); 12] = [
    ("The courier rang once and was gone before I reached the door.", 1, 0),
    ("My invoice for March shows the old address, could you send it again?", 0, 1),
    ("Honestly the best support chat I have had in years, thank you!", 2, 2),
    ("Charged twice for the same order and nobody answers.", 0, 0),
    ("Parcel came a day early and everything was wrapped nicely.", 1, 2),
    ("Where do I change the language of the app?", 2, 1),
    ("The refund reached my account this morning, that was quick.", 0, 2),
    ("Tracking has said 'out for delivery' since Tuesday.", 1, 0),
    ("I cannot log in since the update, it just spins.", 2, 0),
    ("Is delivery to the islands possible before the weekend?", 1, 1),
    ("Do I pay the monthly fee for the month in which I cancel?", 0, 1),
    ("Set-up took two minutes and worked the first time.", 2, 2),
];

/// Rows of the fake data set.
pub(crate) const ROWS: usize = 360;

/// Repeatable noise in 0..1.
pub(crate) fn noise(seed: usize) -> f64 {
    let mut x = (seed as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Two tasks of three classes.
pub(crate) fn tasks() -> Vec<(&'static str, Vec<String>)> {
    vec![
        ("topic", strings(&["billing", "delivery", "product"])),
        ("sentiment", strings(&["negative", "neutral", "positive"])),
    ]
}

/// Rows with both labels: 240 to train, 60 to validate, 60 to test.
pub(crate) fn dataset() -> Dataset {
    let message = |row: usize| MESSAGES[row % MESSAGES.len()];
    let label = |row: usize, task: usize| if task == 0 { message(row).1 } else { message(row).2 };
    let tasks = tasks().into_iter().enumerate().map(|(task, (name, classes))| {
        TaskLabels::single(name, classes, (0..ROWS).map(|row| Some(label(row, task))).collect())
    });
    let split = |row: usize| match row {
        0..240 => Split::Train,
        240..300 => Split::Valid,
        _ => Split::Test,
    };
    Dataset {
        texts: (0..ROWS).map(|row| message(row).0).collect(),
        tasks: tasks.collect(),
        splits: (0..ROWS).map(split).collect(),
        files: vec!["demo/messages.csv".into()],
        origins: (0..ROWS).map(|row| (0, row as u64 + 2)).collect(),
        ..Dataset::default()
    }
}

/// A BERT of six layers with the sizes of `MiniLM`.
pub(crate) fn model(layers: usize) -> ModelSummary {
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[i64], group| {
        tensors.push(TensorInfo { name, shape: shape.to_vec(), group });
    };
    let embeddings = [("word", 30_522), ("position", 512), ("token_type", 2)];
    for (name, rows) in embeddings {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, 384], Group::Embeddings);
    }
    for part in ["weight", "bias"] {
        add(format!("embeddings.LayerNorm.{part}"), &[384], Group::Embeddings);
    }
    let denses = [
        ("attention.self.query", 384, 384),
        ("attention.self.key", 384, 384),
        ("attention.self.value", 384, 384),
        ("attention.output.dense", 384, 384),
        ("intermediate.dense", 1536, 384),
        ("output.dense", 384, 1536),
    ];
    for layer in 0..layers {
        for (name, out, input) in denses {
            add(format!("encoder.layer.{layer}.{name}.weight"), &[out, input], Group::Layer(layer));
            add(format!("encoder.layer.{layer}.{name}.bias"), &[out], Group::Layer(layer));
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            for part in ["weight", "bias"] {
                add(format!("encoder.layer.{layer}.{name}.{part}"), &[384], Group::Layer(layer));
            }
        }
    }
    add("pooler.dense.weight".into(), &[384, 384], Group::Unused);
    ModelSummary {
        path: "models/all-MiniLM-L6-v2".into(),
        name: "all-MiniLM-L6-v2".into(),
        model_type: "bert".into(),
        layers,
        applications: layers,
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
        sha256: "0f".repeat(32),
        file_bytes: 90_868_376,
        origin: Origin::default(),
    }
}

fn planned_tasks() -> Vec<PlannedTask> {
    let planned = |(name, classes): (&str, _)| PlannedTask {
        name: name.into(),
        classes,
        labelled_train: 240,
        labelled_valid: 60,
        ..PlannedTask::default()
    };
    tasks().into_iter().map(planned).collect()
}

/// The recipe of a preset.
pub(crate) fn recipe(preset: Preset) -> Recipe {
    let mut recipe = Recipe::default();
    recipe.choose(preset);
    recipe
}

/// A plan of the demo: six layers, two tasks.
pub(crate) fn plan(preset: Preset) -> Arc<RunPlan> {
    let built = RunPlan::build("run-1", &recipe(preset), &model(6), planned_tasks(), 240, "cpu");
    Arc::new(built.unwrap_or_else(|refused| panic!("{refused}")))
}

/// Nothing opened yet.
pub(crate) fn empty() -> State {
    State { device: "cpu".into(), ..State::default() }
}

/// Data, model and a plan; no run.
pub(crate) fn ready(preset: Preset) -> State {
    let dataset = dataset();
    let counts = |task: &TaskLabels| TaskCounts {
        task: task.name.clone(),
        classes: task.classes.iter().map(|class| (class.clone(), [80, 20, 20])).collect(),
        missing: [0; 3],
    };
    let card = DataCard {
        rows: [240, 60, 60],
        tasks: dataset.tasks.iter().map(counts).collect(),
        sources: frostline::data::card::sources::by_source(&dataset),
        ..DataCard::default()
    };
    let mapping = Mapping {
        text: "text".into(),
        tasks: vec![TaskColumn::named("topic"), TaskColumn::named("sentiment")],
        ..Mapping::default()
    };
    let dataset = Arc::new(dataset);
    let view = DataView {
        read: dataset.clone(),
        outcome: EditReport::default(),
        files: Vec::new(),
        mapping: mapping.clone(),
        dataset,
        card,
        split_note: "10 % valid and 20 % test, drawn with seed 1".into(),
    };
    State {
        project: Project {
            name: "Customer messages".into(),
            mapping: Some(mapping),
            recipe: recipe(preset),
            ..Project::default()
        },
        dir: Some("projects/messages".into()),
        data: Loadable::Ready(Arc::new(view)),
        model: Loadable::Ready(Arc::new(model(6))),
        plan: Some(Ok(plan(preset))),
        devices: vec![DeviceInfo {
            key: "cpu".into(),
            name: "CPU, 2 threads".into(),
            memory: Some(16 << 30),
        }],
        device: "cpu".into(),
        ..State::default()
    }
}

/// A plan that is refused.
pub(crate) fn refused() -> State {
    let sentence = "task \"topic\" has too few classes in the training rows (1): classification needs at least two. Leave the task out, or label more rows";
    State { plan: Some(Err(sentence.into())), ..ready(Preset::Full) }
}

fn score(progress: f64, task: usize, wobble: f64, rows: usize) -> Score {
    let floor = [0.12, 0.3][task];
    let loss = floor + (1.1 - floor) * (-3.0 * progress).exp() + 0.08 * wobble;
    let figure = (0.34 + ([0.62, 0.5][task]) * (1.0 - (-3.5 * progress).exp()) + 0.02 * wobble).min(1.0);
    Score { loss, figure, rows }
}

fn history(plan: &RunPlan, done: f64, steps_per_epoch: usize) -> (Vec<StepPoint>, Vec<EpochPoint>) {
    let total = f64::from(plan.epochs());
    let step_count = (total * done * steps_per_epoch as f64) as usize;
    let steps = (1..=step_count).map(|step| {
        let epoch = step as f64 / steps_per_epoch as f64;
        let tasks: Vec<Score> =
            (0..2).map(|task| score(epoch / total, task, 3.0 * (noise(2 * step + task) - 0.5), 16)).collect();
        StepPoint {
            step,
            epoch,
            loss: tasks.iter().map(|score| score.loss).sum(),
            tasks,
            rate_factor: (1.0 - epoch / total).max(0.0),
            grad_norm: 1.0 + noise(step),
        }
    });
    let mut starts = Vec::new();
    let mut start = 0;
    for phase in &plan.phases {
        starts.push(start);
        start += phase.epochs;
    }
    let best = (total * done) as u32;
    let epochs = (0..=best).map(|epoch| {
        let progress = f64::from(epoch) / total;
        let scores = |shift: f64, rows| {
            (0..2).map(|task| score((progress - shift).max(0.0), task, 0.0, rows)).collect::<Vec<_>>()
        };
        let phase = starts.iter().rposition(|start| *start < epoch).unwrap_or(0);
        EpochPoint {
            epoch,
            step: epoch as usize * steps_per_epoch,
            phase,
            loss: scores(0.0, 240).iter().map(|score| score.loss).sum(),
            train: scores(0.0, if epoch == 0 { 0 } else { 240 }),
            valid: scores(0.05, 60),
            seconds: 2.4,
            best: epoch == best,
        }
    });
    (steps.collect(), epochs.collect())
}

fn run_view(preset: Preset, done: f64, outcome: Option<RunOutcome>) -> RunView {
    let plan = plan(preset);
    let (steps, epochs) = history(&plan, done, plan.steps_per_epoch);
    RunView {
        can_resume: false,
        resumed_at: None,
        phase: epochs.last().map_or(0, |epoch| epoch.phase + usize::from(outcome.is_none())),
        plan,
        dir: "projects/messages/runs/run-1".into(),
        steps,
        epochs,
        note: String::new(),
        rows_per_second: 412.0,
        seconds_left: outcome.is_none().then_some(95.0),
        outcome,
        report: None,
    }
}

fn listings() -> Vec<RunListing> {
    let accuracy = |topic, sentiment| {
        [("topic", topic), ("sentiment", sentiment)].map(|(task, value)| Headline {
            task: task.to_owned(),
            kind: TaskKind::SingleLabel,
            value,
        })
    };
    let listing = |name: &str, preset: &str, outcome: &str, figures: [Headline; 2]| RunListing {
        name: name.into(),
        preset: preset.into(),
        outcome: outcome.into(),
        figures: figures.into(),
    };
    vec![
        listing("probe", "freeze-all", "finished", accuracy(0.82, 0.61)),
        listing("heads", "freeze-backbone", "stopped at step 120", accuracy(0.87, 0.66)),
        listing("run-1", "gradual", "finished", accuracy(0.94, 0.82)),
    ]
}

/// A run under way, in its third phase.
pub(crate) fn running() -> State {
    let mut state = ready(Preset::Gradual);
    state.run = Some(run_view(Preset::Gradual, 0.56, None));
    state.runs = listings();
    state.runs.truncate(2);
    state
}

/// A run whose first batch has not come yet.
pub(crate) fn starting() -> State {
    let mut state = ready(Preset::FreezeBackbone);
    let mut run = run_view(Preset::FreezeBackbone, 0.0, None);
    run.note = "computing pooled vectors once: 96 of 300".into();
    run.steps.clear();
    run.epochs.clear();
    run.rows_per_second = 0.0;
    run.seconds_left = None;
    state.run = Some(run);
    state
}

/// A run with 200,000 steps behind it.
pub(crate) fn long_run() -> State {
    let mut state = running();
    if let Some(run) = &mut state.run {
        let mut plan = (*run.plan).clone();
        plan.steps_per_epoch = 50_000;
        plan.phases[3].epochs += 1;
        run.plan = Arc::new(plan);
        (run.steps, run.epochs) = history(&run.plan, 4.0 / 6.0, 50_000);
    }
    state
}

/// A run that ended well, with its report.
pub(crate) fn finished() -> State {
    let mut state = ready(Preset::Gradual);
    let mut run = run_view(Preset::Gradual, 1.0, Some(RunOutcome::Finished));
    run.report = Some(Arc::new(report(&run.plan)));
    state.run = Some(run);
    state.runs = listings();
    state
}

/// The preset that trains nothing, measured.
pub(crate) fn measured() -> State {
    let mut state = ready(Preset::FreezeAll);
    let mut run = run_view(Preset::FreezeAll, 1.0, Some(RunOutcome::Finished));
    run.report = Some(Arc::new(report(&run.plan)));
    state.run = Some(run);
    state
}

/// A run with a frozen head that drifted.
pub(crate) fn drifted() -> State {
    let mut state = ready(Preset::FreezeHead);
    let mut run = run_view(Preset::FreezeHead, 1.0, Some(RunOutcome::Stopped { at_step: 60 }));
    let mut report = report(&run.plan);
    report.drifts = vec![HeadDrift { task: "topic".into(), before: 0.34, after: 0.21 }];
    report.truncated_rows = 12;
    run.report = Some(Arc::new(report));
    state.run = Some(run);
    state
}

/// A run that could not go on.
pub(crate) fn failed() -> State {
    let mut state = ready(Preset::Full);
    let reason =
        "the disk is full: projects/messages/runs/run-1/checkpoints. Free some space and train again";
    state.run = Some(run_view(Preset::Full, 0.3, Some(RunOutcome::Failed(reason.into()))));
    state
}

fn report(plan: &RunPlan) -> RunReport {
    let planned = |name: &str| {
        (0..plan.phases.len())
            .any(|phase| plan.trainable(phase).any(|trainable| trainable.tensor.name == name))
    };
    let changes = plan.tensors.iter().map(|tensor| {
        let planned = planned(&tensor.name);
        TensorChange { name: tensor.name.clone(), changed: planned, planned }
    });
    let figures = |shift: usize| {
        tasks().iter().enumerate().map(|(i, (name, classes))| metrics(name, classes, 60, i + shift)).collect()
    };
    RunReport {
        kept_epoch: None,
        untrained: None,
        metrics: Split::ALL.into_iter().zip([figures(0), figures(4), figures(8)]).collect(),
        probes: probes(),
        changes: changes.collect(),
        drifts: Vec::new(),
        truncated_rows: 0,
        seconds: 74.0,
    }
}

fn probes() -> Vec<Probe> {
    let probe = |task: &str, centroid, neighbours| Probe {
        task: task.into(),
        rows: 60,
        nearest_centroid: centroid,
        nearest_neighbours: neighbours,
        k: 10,
        majority: 0.333,
    };
    vec![probe("topic", 0.88, 0.9), probe("sentiment", 0.64, 0.69)]
}

/// Figures of a task that mixes up some neighbouring classes.
pub(crate) fn metrics(task: &str, classes: &[String], rows: usize, seed: usize) -> TaskMetrics {
    let n = classes.len();
    let per_class = (rows / n).max(3) as u32;
    let mut confusion = vec![vec![0; n]; n];
    for (label, row) in confusion.iter_mut().enumerate() {
        for draw in 0..per_class as usize {
            let predicted = match noise(draw + 31 * label + 977 * seed) {
                p if p < 0.84 => label,
                p if p < 0.94 => (label + 1) % n,
                p => (label + (p * 1000.0) as usize) % n,
            };
            row[predicted] += 1;
        }
    }
    let column = |c: usize| confusion.iter().map(|row| row[c]).sum::<u32>();
    let ratio = |part: u32, whole: u32| if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) };
    let class = |(c, name): (usize, &String)| {
        let right = confusion[c][c];
        let (precision, recall) = (ratio(right, column(c)), ratio(right, confusion[c].iter().sum()));
        let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        ClassMetrics { name: name.clone(), precision, recall, f1, support: per_class as usize }
    };
    let classes: Vec<ClassMetrics> = classes.iter().enumerate().map(class).collect();
    let right: u32 = (0..n).map(|c| confusion[c][c]).sum();
    let accuracy = ratio(right, per_class * n as u32);
    let macro_f1 = classes.iter().map(|class| class.f1).sum::<f64>() / n as f64;
    let bin = |i: usize| {
        let confidence = (i as f64 + 0.5) / 15.0;
        let accuracy = (confidence * 0.9 + 0.06 * noise(i + seed)).min(1.0);
        CalibrationBin { confidence, accuracy, count: if i < 5 { 0 } else { i * 2 } }
    };
    TaskMetrics {
        task: task.into(),
        rows: per_class as usize * n,
        loss: 0.41,
        accuracy,
        macro_f1,
        weighted_f1: macro_f1 + 0.004,
        mcc: accuracy - 0.08,
        ece: 0.062,
        classes,
        confusion,
        calibration: (0..15).map(bin).collect(),
        ..TaskMetrics::default()
    }
}

fn mistakes(metrics: &TaskMetrics, first_row: usize) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (label, row) in metrics.confusion.iter().enumerate() {
        for (predicted, count) in row.iter().enumerate().filter(|(predicted, _)| *predicted != label) {
            for _ in 0..*count {
                let index = mistakes.len();
                mistakes.push(Mistake {
                    row: first_row + index % 60,
                    label: label as u32,
                    predicted: predicted as u32,
                    confidence: 0.5 + 0.49 * noise(index) as f32,
                });
            }
        }
    }
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes
}

fn evaluation(tasks: Vec<TaskMetrics>) -> Loadable<Arc<Evaluation>> {
    let mistakes = tasks.iter().map(|metrics| mistakes(metrics, 300)).collect();
    Loadable::Ready(Arc::new(Evaluation {
        run: "run-1".into(),
        split: Split::Test,
        untrained: Vec::new(),
        suspects: vec![Vec::new(); tasks.len()],
        said: vec![RowResults::Nothing; tasks.len()],
        compared: Vec::new(),
        labels_changed: false,
        tasks,
        mistakes,
        probes: probes(),
    }))
}

/// The finished run measured on the test split: three classes a task.
pub(crate) fn evaluated() -> State {
    let mut state = finished();
    let figures =
        tasks().into_iter().enumerate().map(|(seed, (name, classes))| metrics(name, &classes, 60, seed + 3));
    state.evaluation = evaluation(figures.collect());
    state.neighbours = Loadable::Ready(Arc::new(neighbours(301)));
    state
}

/// The same with a task of 151 classes.
pub(crate) fn evaluated_151() -> State {
    let mut state = finished();
    let names: Vec<String> = (0..151).map(|i| format!("intent_{i:03}_of_a_long_list")).collect();
    state.evaluation = evaluation(vec![metrics("topic", &names, 4530, 5)]);
    state
}

/// The finished run with a task of every kind, measured; its curves and figures are those of two tasks in turn.
pub(crate) fn every_kind() -> State {
    let tags = strings(&["B-PER", "I-PER", "O"]);
    let names = strings(&["a", "b"]);
    let figures = vec![
        metrics("topic", &names, 60, 3),
        TaskMetrics::of_sets("themes", &names, &[0.75, 0.25, 0.25, 0.75], &[vec![0], vec![]]),
        TaskMetrics::of_numbers("stars", TaskKind::Score, &[1.0, 2.0, 0.5], &[1.0, 4.0, 2.0]),
        TaskMetrics::of_tags("entities", &tags, &[vec![0, 2, 2, 0]], &[vec![0, 1, 2, 0]]),
        TaskMetrics::of_numbers("alike", TaskKind::Similarity, &[0.5, 0.25], &[1.0, 0.0]),
        TaskMetrics::of_ranking("pairs", &[1, 2, 4, 20], 64, 1.5),
    ];
    let mut state = finished();
    if let Some(run) = &mut state.run {
        let mut plan = (*run.plan).clone();
        let planned = |found: &TaskMetrics| PlannedTask {
            name: found.task.clone(),
            kind: found.kind,
            classes: found.classes.iter().map(|class| class.name.clone()).collect(),
            ..PlannedTask::default()
        };
        plan.tasks = figures.iter().map(planned).collect();
        run.plan = Arc::new(plan);
        for epoch in &mut run.epochs {
            for scores in [&mut epoch.train, &mut epoch.valid] {
                *scores = scores.iter().copied().cycle().take(figures.len()).collect();
            }
        }
        if let Some(report) = &mut run.report {
            let mut with_all = (**report).clone();
            with_all.metrics = vec![(Split::Valid, figures.clone())];
            *report = Arc::new(with_all);
        }
    }
    let words = |words: [(&str, &str); 2]| {
        Prediction::Words(words.map(|(word, tag)| (word.to_owned(), tag.to_owned())).to_vec())
    };
    state.prediction = Loadable::Ready(Arc::new(TextPrediction {
        text: "Kim sleeps".into(),
        tasks: vec![
            ("topic".into(), Prediction::OneOf(vec![("a".into(), 0.75), ("b".into(), 0.25)])),
            ("themes".into(), Prediction::AnyOf(vec![("a".into(), 0.75), ("b".into(), 0.75)])),
            ("stars".into(), Prediction::Number(3.5)),
            ("entities".into(), words([("Kim", "B-PER"), ("sleeps", "O")])),
            ("alike".into(), Prediction::Cosine { cosine: 0.5, number: 2.5 }),
            ("pairs".into(), Prediction::OneText),
        ],
    }));
    let mistakes = vec![Vec::new(); figures.len()];
    let run = "run-1".into();
    let measured = Evaluation {
        run,
        split: Split::Test,
        untrained: Vec::new(),
        suspects: vec![Vec::new(); figures.len()],
        said: vec![RowResults::Nothing; figures.len()],
        compared: Vec::new(),
        labels_changed: false,
        tasks: figures,
        mistakes,
        probes: probes(),
    };
    state.evaluation = Loadable::Ready(Arc::new(measured));
    state
}

fn neighbours(row: usize) -> Neighbours {
    let near = |step: usize, top: f32| {
        (1..=8).map(|i| ((row + i * step) % ROWS, top - 0.04 * i as f32)).collect::<Vec<_>>()
    };
    Neighbours { row, before: near(7, 0.86), after: Some(near(12, 0.99)) }
}

/// Similarities, a map, neighbours and a prediction, all before and after.
pub(crate) fn explored() -> State {
    let mut state = finished();
    let texts = strings(&[
        "My parcel has not arrived.",
        "The delivery is two days late.",
        "Great service, thank you!",
        "I was charged twice.",
    ]);
    let cosines = |gain: f32| {
        let value = |i: usize, j: usize| match (i, j) {
            _ if i == j => 1.0,
            (0, 1) | (1, 0) => 0.61 + 0.33 * gain,
            _ => (noise(i * j + i + j) as f32) * 0.4 - 0.3 * gain,
        };
        (0..4).map(|i| (0..4).map(|j| value(i, j)).collect()).collect::<Vec<Vec<f32>>>()
    };
    state.similarity =
        Loadable::Ready(Arc::new(Similarity { texts, before: cosines(0.0), after: Some(cosines(1.0)) }));
    let dataset = dataset();
    let place = |row: usize, apart: f64| {
        let class = dataset.tasks[0].class(row).map_or(0.0, f64::from);
        let angle = class * 2.1 + 0.3;
        let spread = |seed: usize| noise(seed) + noise(seed + 7) + noise(seed + 13) - 1.5;
        [
            (angle.cos() * apart + 0.5 * spread(row * 3)) as f32,
            (angle.sin() * apart + 0.5 * spread(row * 5 + 1)) as f32,
        ]
    };
    let predicted = |task: usize| {
        let label = |row: usize| dataset.tasks[task].class(row).unwrap_or(0);
        (0..ROWS).map(|row| if noise(row) < 0.9 { label(row) } else { (label(row) + 1) % 3 }).collect()
    };
    state.map = Loadable::Ready(Arc::new(DataMap {
        rows: (0..ROWS).collect(),
        before: (0..ROWS).map(|row| place(row, 0.4)).collect(),
        after: Some((0..ROWS).map(|row| place(row, 1.2)).collect()),
        explained: (0.21, Some(0.63)),
        movers: (0..20).map(|i| (i * 17 % ROWS, 0.9 - 0.03 * i as f32)).collect(),
        predicted: vec![predicted(0), predicted(1)],
    }));
    state.neighbours = Loadable::Ready(Arc::new(neighbours(17)));
    let ranked =
        |classes: [(&str, f32); 3]| Prediction::OneOf(classes.map(|(name, p)| (name.to_owned(), p)).to_vec());
    state.prediction = Loadable::Ready(Arc::new(TextPrediction {
        text: "The parcel came early, lovely!".into(),
        tasks: vec![
            ("topic".into(), ranked([("delivery", 0.93), ("product", 0.05), ("billing", 0.02)])),
            ("sentiment".into(), ranked([("positive", 0.88), ("neutral", 0.09), ("negative", 0.03)])),
        ],
    }));
    state
}
