//! Every switch is wired. A table over all settings: a tiny project for each, a second value, and what must follow. The
//! test changes that one setting and nothing else; where a setting is said to have no effect, the bytes must be equal.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use crate::support::tiny_run;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::rc::Rc;

use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::task::TaskKind;
use frostline::model::device::multiplies_bfloat16;
use frostline::model::files::safetensors::read_all;
use frostline::model::lora::Lora;
use frostline::project::DataFile;
use frostline::session::command::Command;
use frostline::session::state::{RunOutcome, RunView};
use frostline::train::metrics::EpochPoint;
use frostline::train::plan::monitor::Monitor;
use frostline::train::plan::phase_spec::{HeadSet, PhaseSpec};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::{Decay, OptimizerKind, Recipe, TaskSettings, Weighting};
use frostline::train::plan::settings;
use frostline::train::plan::settings::{Around, RECIPE, TASK};
use frostline::train::plan::{ParamFilter, Until};
use tch::{Kind, Tensor};

use crate::support::tiny_run::{place, report};

/// A project: files of rows, a mapping where the guess would not do, a recipe.
#[derive(Clone, Debug)]
struct Bench {
    files: Vec<(&'static str, String)>,
    mapping: Option<Mapping>,
    recipe: Recipe,
}

/// A run of it.
struct Ran {
    run: RunView,
    weights: BTreeMap<String, Tensor>,
    bytes: Vec<u8>,
}

/// A setting, and what must follow from a second value of it.
struct Switch {
    key: &'static str,
    bench: Bench,
    to: &'static str,
    /// Of the run as it was, and of the one with the second value.
    follows: fn(&Ran, &Ran),
    /// Where the setting has no effect.
    idle: Option<Bench>,
}

/// Trains a project, once.
#[derive(Default)]
struct Runs(HashMap<String, Result<Rc<Ran>, String>>);

impl Runs {
    fn of(&mut self, bench: &Bench) -> Result<Rc<Ran>, String> {
        let known = format!("{bench:?}");
        self.0.entry(known).or_insert_with(|| train(bench).map(Rc::new)).clone()
    }

    fn finished(&mut self, bench: &Bench) -> Rc<Ran> {
        self.of(bench).unwrap_or_else(|reason| panic!("{:?}: {reason}", bench.recipe))
    }
}

fn train(bench: &Bench) -> Result<Ran, String> {
    let mut place = place("bert", bench.recipe.clone());
    let mut draft = place.session.state().project.clone();
    draft.files.clear();
    for (name, text) in &bench.files {
        let path = place.dir.path().join(name);
        std::fs::write(&path, text).expect("rows");
        draft.files.push(DataFile::new(path));
    }
    draft.mapping.clone_from(&bench.mapping);
    draft.save(&place.home()).expect("the project file");
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    place.session.send(Command::Train { name: None });
    place.settle();
    let Some(run) = place.session.state().run.clone() else { return Err(place.errors().join("; ")) };
    assert_eq!(run.outcome, Some(RunOutcome::Finished), "{:?}", bench.recipe);
    let path = run.dir.join("checkpoints/best.safetensors");
    let bytes = std::fs::read(&path).expect("the kept weights");
    let weights = read_all(&path).expect("the kept weights").into_iter().collect();
    Ok(Ran { run, weights, bytes })
}

/// Rows of two tasks, in equal parts, and rows to validate on of which every fourth has another mood than it should.
fn two_tasks() -> Vec<(&'static str, String)> {
    let mut valid = String::from("text,topic,mood\n");
    for (row, line) in tiny_run::csv(120).lines().skip(61).take(48).enumerate() {
        let mut cells: Vec<&str> = line.split(',').collect();
        if row % 4 == 0 {
            cells[2] = if cells[2] == "good" { "bad" } else { "good" };
        }
        writeln!(valid, "{}", cells.join(",")).expect("memory");
    }
    vec![("train.csv", tiny_run::csv(60)), ("valid.csv", valid)]
}

/// A large file with topics alone and a small one with moods alone: the labels tell which file a row came from.
fn two_files() -> Vec<(&'static str, String)> {
    let [mut topics, mut moods] = [(); 2].map(|()| String::from("text,topic,mood\n"));
    for row in 0..64 {
        writeln!(topics, "the train number {row} was cancelled,{},", ["go", "pay"][row % 2]).expect("memory");
    }
    for row in 0..8 {
        writeln!(moods, "a card number {row} was wonderful,,{}", ["good", "bad"][row % 2]).expect("memory");
    }
    let valid = "text,topic,mood\nthe train,go,good\nthe card,pay,bad\n".to_owned();
    vec![("train-topics.csv", topics), ("train-moods.csv", moods), ("valid.csv", valid)]
}

/// A rare class beside a common one.
fn rare_class() -> Vec<(&'static str, String)> {
    let mut text = String::from("text,topic\n");
    for row in 0..48 {
        let (words, class) = if row % 8 == 0 { ("a card", "pay") } else { ("the train", "go") };
        writeln!(text, "{words} number {row},{class}").expect("memory");
    }
    vec![("train.csv", text), ("valid.csv", "text,topic\nthe train,go\na card,pay\n".into())]
}

/// Texts with a number of stars, and a second text with how alike it is.
fn numbers(task: &str, kind: TaskKind) -> Bench {
    let mut text = String::from("text,other,stars,alike\n");
    for row in 0..40 {
        let word = ["awful", "wonderful"][row % 2];
        writeln!(text, "it was {word} {row},it was {word},{},{}", row % 2 + 1, row % 3).expect("memory");
    }
    let valid = text.lines().take(9).collect::<Vec<_>>().join("\n");
    let mapping = Mapping {
        text: "text".into(),
        second: kind.takes_pairs().then(|| "other".to_owned()),
        tasks: vec![TaskColumn::of_kind(task, kind)],
        ..Mapping::default()
    };
    let recipe = full();
    Bench { files: vec![("train.csv", text), ("valid.csv", valid)], mapping: Some(mapping), recipe }
}

fn bench(recipe: Recipe) -> Bench {
    Bench { files: two_tasks(), mapping: None, recipe }
}

fn full() -> Recipe {
    Recipe {
        batch_size: 16,
        max_length: 32,
        epochs: 2,
        lr_encoder: 1e-3,
        lr_heads: 1e-2,
        ..Recipe::default()
    }
}

fn heads() -> Recipe {
    Recipe { preset: Preset::FreezeBackbone, ..full() }
}

/// One step of gradient descent as it is in the books: every movement is the gradient times its rate.
fn one_step() -> Recipe {
    Recipe {
        optimizer: OptimizerKind::Sgd,
        batch_size: 64,
        epochs: 1,
        warmup: 0.0,
        decay: Decay::Constant,
        clip_norm: None,
        head_dropout: 0.0,
        encoder_dropout: Some(0.0),
        watch: loss(),
        ..full()
    }
}

/// A step downhill lowers the loss, so that its weights are kept and not those of the start.
fn loss() -> Monitor {
    Monitor { figure: Some("loss".to_owned()), ..Monitor::default() }
}

fn adapters() -> Recipe {
    Recipe { part: ParamFilter::Lora, ..full() }
}

/// Many epochs of quick heads: the figures rise and fall.
fn restless() -> Recipe {
    Recipe { epochs: 14, lr_heads: 0.3, decay: Decay::Constant, head_dropout: 0.0, ..heads() }
}

fn own_phase(change: impl FnOnce(&mut PhaseSpec)) -> Recipe {
    let mut phase = PhaseSpec { layers: "all".parse().expect("layers"), epochs: 2, ..PhaseSpec::default() };
    change(&mut phase);
    Recipe { phases: vec![phase], ..full() }
}

fn same(a: &Ran, b: &Ran, name: &str) -> bool {
    a.weights[name] == b.weights[name]
}

fn differ(was: &Ran, is: &Ran) {
    assert!(was.bytes != is.bytes, "the same weights");
}

fn moved(ran: &Ran) -> Vec<String> {
    let changes = report(&ran.run).changes.clone();
    changes.into_iter().filter(|change| change.changed).map(|change| change.name).collect()
}

fn movement(ran: &Ran, name: &str) -> Tensor {
    let start = read_all(&tiny_run::tiny_model("bert").join("model.safetensors")).expect("weights");
    let (_, start) = start.into_iter().find(|(known, _)| known == name).expect("the tensor");
    &ran.weights[name] - start
}

fn best(ran: &Ran) -> &EpochPoint {
    ran.run.epochs.iter().rev().find(|epoch| epoch.best).expect("a kept epoch")
}

fn factors(ran: &Ran) -> Vec<f64> {
    ran.run.steps.iter().map(|step| step.rate_factor).collect()
}

/// Rows of the small file and of the large one that the first epoch drew.
fn drawn(ran: &Ran) -> (usize, usize) {
    let first = ran.run.steps.iter().take(ran.run.plan.steps_per_epoch);
    let rows = |task: usize| first.clone().map(|step| step.tasks[task].rows).sum();
    let task = |name: &str| ran.run.plan.tasks.iter().position(|task| task.name == name).expect("a task");
    (rows(task("mood")), rows(task("topic")))
}

fn mean_loss(epoch: &EpochPoint) -> f64 {
    epoch.valid.iter().map(|score| score.loss).sum::<f64>() / epoch.valid.len() as f64
}

fn lowest(ran: &Ran, of: impl Fn(&EpochPoint) -> f64) -> f64 {
    ran.run.epochs.iter().map(of).fold(f64::INFINITY, f64::min)
}

const QUERY: &str = "encoder.layer.0.attention.self.query.weight";

#[expect(clippy::too_many_lines, reason = "a row per setting")]
fn switches() -> Vec<Switch> {
    let row = |key, recipe: Recipe, to, follows: fn(&Ran, &Ran)| Switch {
        key,
        bench: bench(recipe),
        to,
        follows,
        idle: None,
    };
    let idle = |switch: Switch, recipe: Recipe| Switch { idle: Some(bench(recipe)), ..switch };
    let with = |switch: Switch, files: Vec<(&'static str, String)>| {
        let bench = Bench { files, ..switch.bench };
        Switch { bench, ..switch }
    };
    let nothing = Recipe { preset: Preset::FreezeAll, epochs: 0, ..full() };
    let preset = row("preset", full(), "freeze-backbone", |was, is| {
        assert!(moved(was).iter().any(|name| name.starts_with("encoder.")));
        assert!(moved(is).iter().all(|name| name.starts_with("heads.")), "{:?}", moved(is));
    });
    let phases = row("phases", full(), "", |_, is| {
        assert_eq!(is.run.plan.phases.len(), 1);
        assert!(moved(is).iter().all(|name| name.starts_with("heads.")), "{:?}", moved(is));
    });
    let kept = Recipe { preset: Preset::FreezeHead, ..full() };
    let frozen_head = row("frozen_head", kept, "mood", |was, is| {
        let moves = |ran: &Ran, head: &str| moved(ran).contains(&format!("heads.{head}.weight"));
        assert!(!moves(was, "topic") && moves(was, "mood") && moves(is, "topic") && !moves(is, "mood"));
    });
    let part = row("part", full(), "biases", |_, is| {
        let of_encoder = |name: &String| !name.starts_with("heads.");
        assert!(moved(is).iter().filter(|name| of_encoder(name)).all(|name| name.ends_with("bias")));
    });
    let rank = row("lora_rank", adapters(), "2", |was, is| {
        let name = "encoder.layer.0.attention.self.query.lora_A";
        assert_eq!([was, is].map(|ran| ran.weights[name].size()[0]), [8, 2]);
    });
    let alpha = row("lora_alpha", adapters(), "4", differ);
    let targets = row("lora_targets", adapters(), "query-value", |was, is| {
        let adapters = |ran: &Ran| moved(ran).iter().filter(|name| name.contains("lora_")).count();
        assert!(adapters(is) < adapters(was) && adapters(is) == 3 * 2 * 2);
    });
    let epochs = row("epochs", heads(), "3", |was, is| {
        let last = |ran: &Ran| ran.run.epochs.last().map(|epoch| epoch.epoch);
        assert_eq!([last(was), last(is)], [Some(2), Some(3)]);
    });
    let batch_size = row("batch_size", heads(), "8", |was, is| {
        assert_eq!([was, is].map(|ran| ran.run.plan.steps_per_epoch), [4, 8]);
        assert!(is.run.steps[0].tasks[0].rows <= 8 && was.run.steps[0].tasks[0].rows > 8);
        differ(was, is);
    });
    let accumulate = row("accumulate", heads(), "2", |was, is| {
        assert_eq!([was, is].map(|ran| ran.run.plan.steps_per_epoch), [4, 2]);
        assert!(is.run.steps[0].tasks[0].rows > 16);
        differ(was, is);
    });
    let by_turns =
        row("sampling", Recipe { batch_size: 8, watch: loss(), ..heads() }, "round-robin", |was, is| {
            assert_eq!(drawn(was), (8, 64), "every row once");
            let (small, large) = drawn(is);
            assert_eq!(small + large, 72, "an epoch is as long as before");
            assert!(small.abs_diff(large) <= 8, "{small} and {large} by turns");
            differ(was, is);
        });
    let by_temperature =
        row("sampling", Recipe { batch_size: 8, watch: loss(), ..heads() }, "temperature 3", |was, is| {
            // 64^(1/3) to 8^(1/3) is 2 to 1.
            assert_eq!(drawn(is), (24, 48));
            differ(was, is);
        });
    let max_length = row("max_length", heads(), "5", |was, is| {
        assert_eq!(report(&was.run).truncated_rows, 0);
        assert!(report(&is.run).truncated_rows > 60);
        differ(was, is);
    });
    let prompt = row("prompt", heads(), "my flight: ", differ);
    let top = own_phase(|phase| phase.layers = "top 1".parse().expect("layers"));
    let half = Recipe { optimizer: OptimizerKind::Sgd, ..top };
    let half_cache = row("half_cache", half, "true", |was, is| {
        let off = |name: &String| (&was.weights[name] - &is.weights[name]).abs().max().double_value(&[]);
        let most = was.weights.keys().map(off).fold(0.0, f64::max);
        assert!(most > 0.0 && most < 1e-2, "{most}");
    });
    let precision = row("precision", full(), "bfloat16", differ);
    let optimizer = row("optimizer", full(), "sgd", differ);
    let lr_encoder = row("lr_encoder", one_step(), "2e-3", |was, is| {
        let ratio =
            movement(is, QUERY).norm().double_value(&[]) / movement(was, QUERY).norm().double_value(&[]);
        assert!((ratio - 2.0).abs() < 0.01, "{ratio}");
        assert!(same(was, is, "heads.topic.weight"));
    });
    let lr_heads = row("lr_heads", one_step(), "2e-2", |was, is| {
        assert!(same(was, is, QUERY) && !same(was, is, "heads.topic.weight"));
    });
    let layer_decay = row("layer_decay", one_step(), "0.5", |was, is| {
        let top = QUERY.replace("layer.0", "layer.2");
        assert!(same(was, is, &top), "the top layer's rate is the encoder's");
        let ratio =
            movement(is, QUERY).norm().double_value(&[]) / movement(was, QUERY).norm().double_value(&[]);
        assert!((ratio - 0.25).abs() < 0.01, "two layers below the top: {ratio}");
    });
    let weight_decay = row("weight_decay", full(), "0.5", |was, is| {
        let norm = |ran: &Ran| ran.weights[QUERY].square().sum(Kind::Double).double_value(&[]);
        assert!(norm(is) < norm(was));
    });
    let decay = row("decay", heads(), "constant", |was, is| {
        assert!(factors(was).last() < Some(&0.5) && factors(is).last() == Some(&1.0));
        differ(was, is);
    });
    let warmup = row("warmup", Recipe { warmup: 0.0, ..heads() }, "0.5", |was, is| {
        assert_eq!((factors(was)[0], factors(is)[0], factors(is)[4]), (1.0, 0.0, 1.0));
        differ(was, is);
    });
    let clip_norm = row("clip_norm", one_step(), "1e-3", |was, is| {
        let length = |ran: &Ran| movement(ran, QUERY).norm().double_value(&[]);
        assert!(length(is) < 0.1 * length(was), "{} and {}", length(was), length(is));
    });
    let ema = row("ema", heads(), "0.5", differ);
    let by_mood = Recipe { watch: Monitor { task: Some("mood".into()), figure: None }, ..restless() };
    let watch = row("watch", by_mood, "loss", |was, is| {
        let mood = |ran: &Ran| ran.run.plan.tasks.iter().position(|task| task.name == "mood").expect("mood");
        let (of_was, of_is) = (mood(was), mood(is));
        let accuracy = |epoch: &EpochPoint| -epoch.valid[of_was].figure;
        let loss = |epoch: &EpochPoint| epoch.valid[of_is].loss;
        assert_eq!(accuracy(best(was)), lowest(was, accuracy));
        assert_eq!(loss(best(is)), lowest(is, loss));
        differ(was, is);
    });
    let by_loss = Recipe { watch: Monitor { task: None, figure: Some("loss".into()) }, ..restless() };
    let watch_task = row("watch_task", by_loss, "mood", |was, is| {
        let mood = is.run.plan.tasks.iter().position(|task| task.name == "mood").expect("the task");
        let of_mood = |epoch: &EpochPoint| epoch.valid[mood].loss;
        assert_eq!(mean_loss(best(was)), lowest(was, mean_loss));
        assert_eq!(of_mood(best(is)), lowest(is, of_mood));
        differ(was, is);
    });
    let patience = row("patience", Recipe { epochs: 9, lr_heads: 1e-12, ..heads() }, "2", |was, is| {
        let last = |ran: &Ran| ran.run.epochs.last().map(|epoch| epoch.epoch);
        assert_eq!(last(was), Some(9));
        assert!(last(is) < Some(6), "{:?}", last(is));
    });
    let weighting = row("weighting", full(), "uncertainty", |was, is| {
        let learnt = |ran: &Ran| moved(ran).iter().filter(|name| name.starts_with("log_var.")).count();
        assert_eq!([learnt(was), learnt(is)], [0, 2]);
        differ(was, is);
    });
    let head_dropout = row("head_dropout", heads(), "0.5", differ);
    let encoder_dropout = row("encoder_dropout", full(), "0.5", differ);
    let seed = row("seed", heads(), "2", differ);
    let weight = row("tasks.mood.weight", one_step(), "0", |was, is| {
        assert!(moved(was).contains(&"heads.mood.weight".into()));
        assert!(!moved(is).contains(&"heads.mood.weight".into()), "a task of weight 0 teaches nothing");
    });
    let balance = with(row("tasks.topic.balance_classes", heads(), "true", differ), rare_class());
    let smoothing = row("tasks.topic.label_smoothing", heads(), "0.2", differ);
    let hidden = row("tasks.topic.hidden_units", heads(), "6", |was, is| {
        assert_eq!(is.weights.len(), was.weights.len() + 2);
        assert!(is.weights.values().any(|tensor| tensor.size() == [6]));
    });
    let score = || Some(numbers("stars", TaskKind::Score));
    vec![
        idle(preset, own_phase(|_| {})),
        phases,
        idle(frozen_head, full()),
        idle(part, own_phase(|_| {})),
        idle(rank, full()),
        idle(alpha, full()),
        idle(targets, full()),
        idle(epochs, own_phase(|_| {})),
        idle(batch_size, nothing.clone()),
        idle(accumulate, nothing.clone()),
        Switch { idle: Some(bench(heads())), ..with(by_turns, two_files()) },
        Switch { idle: Some(bench(heads())), ..with(by_temperature, two_files()) },
        max_length,
        prompt,
        idle(half_cache, full()),
        precision,
        idle(optimizer, nothing.clone()),
        idle(lr_encoder, heads()),
        idle(lr_heads, nothing.clone()),
        idle(layer_decay, heads()),
        idle(weight_decay, Recipe { optimizer: OptimizerKind::Adam, ..full() }),
        idle(decay, nothing.clone()),
        idle(warmup, nothing.clone()),
        idle(clip_norm, nothing.clone()),
        idle(ema, nothing.clone()),
        idle(watch, nothing.clone()),
        idle(watch_task, nothing.clone()),
        idle(patience, nothing.clone()),
        idle(weighting, nothing.clone()),
        idle(head_dropout, nothing),
        idle(encoder_dropout, heads()),
        seed,
        idle(weight, Recipe { weighting: Weighting::Uncertainty, ..full() }),
        Switch { idle: score(), ..balance },
        Switch { idle: score(), ..smoothing },
        Switch { idle: Some(numbers("alike", TaskKind::Similarity)), ..hidden },
    ]
}

/// The project with the one setting at its second value.
fn turned(bench: &Bench, key: &str, to: &str) -> Bench {
    let mut bench = bench.clone();
    if key == "phases" {
        bench.recipe.phases = vec![PhaseSpec::default()];
    } else {
        settings::set(&mut bench.recipe, key, to).unwrap_or_else(|error| panic!("{error}"));
    }
    bench
}

/// What the table of settings says of a setting's effect in a project; a task's key may name a task of another project.
fn idle_because(bench: &Bench, key: &str) -> Option<&'static str> {
    let files = bench.files.iter().filter(|(name, _)| name.starts_with("train")).count();
    let kind = bench.mapping.as_ref().map_or(TaskKind::SingleLabel, |mapping| mapping.tasks[0].kind);
    let around = Around { files: Some(files), kind: Some(kind) };
    let of_task = TASK.iter().find(|setting| key.starts_with("tasks.") && key.ends_with(setting.key));
    let of_run = RECIPE.iter().find(|setting| setting.key == key);
    match (of_task, of_run) {
        (Some(setting), _) => setting.idle_because(&bench.recipe, around),
        (None, Some(setting)) => setting.idle_because(&bench.recipe, around),
        (None, None) => panic!("no setting {key}"),
    }
}

/// With a field more, this does not compile until it is named here, and does not pass until it has a row above.
const _: fn(Recipe, TaskSettings, Lora, Monitor) =
    |Recipe {
         preset: _,
         phases: _,
         frozen_head: _,
         part: _,
         lora: _,
         epochs: _,
         batch_size: _,
         accumulate: _,
         sampling: _,
         half_cache: _,
         precision: _,
         optimizer: _,
         lr_encoder: _,
         lr_heads: _,
         layer_decay: _,
         weight_decay: _,
         decay: _,
         warmup: _,
         clip_norm: _,
         ema: _,
         watch: _,
         patience: _,
         weighting: _,
         tasks: _,
         max_length: _,
         prompt: _,
         head_dropout: _,
         encoder_dropout: _,
         seed: _,
     },
     TaskSettings { weight: _, balance_classes: _, label_smoothing: _, hidden_units: _ },
     Lora { rank: _, alpha: _, targets: _ },
     Monitor { task: _, figure: _ }| {};

#[test]
fn every_setting_has_a_row() {
    let switches = switches();
    let mut keys: Vec<&str> =
        switches.iter().map(|switch| switch.key.rsplit('.').next().unwrap_or_default()).collect();
    keys.dedup();
    let mut wanted: Vec<&str> = RECIPE.iter().map(|setting| setting.key).collect();
    wanted.extend(TASK.iter().map(|setting| setting.key));
    keys.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
}

#[test]
fn every_setting_changes_what_it_says() {
    let mut runs = Runs::default();
    let mut dead = Vec::new();
    for Switch { key, bench, to, follows, .. } in switches() {
        assert_eq!(idle_because(&bench, key), None, "{key}");
        let (was, is) = (runs.finished(&bench), runs.of(&turned(&bench, key, to)));
        if key == "precision" && !multiplies_bfloat16(tch::Device::Cpu) {
            let refused = is.map(|_| ()).expect_err("a processor without such numbers");
            assert!(refused.contains("bfloat16"), "{refused}");
            continue;
        }
        let is = is.unwrap_or_else(|reason| panic!("{key} = {to}: {reason}"));
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| follows(&was, &is)));
        if checked.is_err() {
            dead.push(format!("{key} = {to}"));
        }
    }
    assert!(dead.is_empty(), "these settings do not do what they say: {dead:?}");
}

#[test]
fn a_setting_that_is_said_to_be_idle_changes_nothing() {
    let mut runs = Runs::default();
    for Switch { key, to, idle, .. } in switches() {
        let Some(bench) = idle else { continue };
        assert!(idle_because(&bench, key).is_some(), "{key} is not said to be idle");
        // The task of the other project has the same settings.
        let task = bench.mapping.as_ref().map(|mapping| mapping.tasks[0].task.clone());
        let key = match (key.strip_prefix("tasks.").and_then(|rest| rest.split_once('.')), task) {
            (Some((_, setting)), Some(task)) => format!("tasks.{task}.{setting}"),
            _ => key.to_owned(),
        };
        let (was, is) = (runs.finished(&bench), runs.finished(&turned(&bench, &key, to)));
        let same = match key.as_str() {
            // The weights that would be learnt are there, and stay at 0.
            "weighting" => was.weights.iter().all(|(name, value)| is.weights.get(name) == Some(value)),
            _ => was.bytes == is.bytes,
        };
        assert!(same, "{key} = {to} changed the weights");
    }
}

#[test]
fn a_clipping_norm_that_no_gradient_reaches_changes_nothing() {
    let recipe = Recipe { clip_norm: None, ..full() };
    let free = train(&bench(recipe.clone())).expect("a run");
    let clipped = train(&bench(Recipe { clip_norm: Some(1e9), ..recipe })).expect("a run");
    assert!(free.bytes == clipped.bytes);
}

#[test]
fn every_setting_of_a_phase_changes_what_it_says() {
    type Change = (&'static str, fn(&mut PhaseSpec), fn(&Ran, &Ran));
    // A field that is added does not compile until it has a row here.
    let PhaseSpec {
        name: _,
        embeddings: _,
        layers: _,
        heads: _,
        part: _,
        lr_encoder: _,
        lr_heads: _,
        layer_decay: _,
        rates: _,
        epochs: _,
        until: _,
    } = PhaseSpec::default();
    let still = |ran: &Ran, what: &str| moved(ran).iter().all(|name| !name.starts_with(what));
    let changes: [Change; 11] = [
        (
            "name",
            |phase| phase.name = "warm".into(),
            |was, is| {
                assert!(was.bytes == is.bytes && is.run.plan.phases[0].name == "warm");
            },
        ),
        (
            "embeddings",
            |phase| phase.embeddings = true,
            |_, is| {
                assert!(moved(is).contains(&"embeddings.word_embeddings.weight".into()));
            },
        ),
        (
            "layers",
            |phase| phase.layers = "top 1".parse().expect("layers"),
            |_, is| {
                assert!(
                    moved(is).iter().all(|name| !name.contains("layer.0.") && !name.contains("layer.1."))
                );
            },
        ),
        (
            "heads",
            |phase| phase.heads = HeadSet::None,
            |_, is| {
                assert!(moved(is).iter().all(|name| !name.starts_with("heads.")));
            },
        ),
        (
            "part",
            |phase| phase.part = ParamFilter::Norms,
            |_, is| {
                assert!(moved(is).iter().all(|n| n.contains("LayerNorm") || n.starts_with("heads.")));
            },
        ),
        ("lr_encoder", |phase| phase.lr_encoder = Some(1e-5), differ),
        ("lr_heads", |phase| phase.lr_heads = Some(1e-5), differ),
        ("layer_decay", |phase| phase.layer_decay = Some(0.5), differ),
        ("rates", |phase| phase.rates = [("layer 0".to_owned(), 1e-7)].into(), differ),
        (
            "epochs",
            |phase| phase.epochs = 3,
            |_, is| {
                assert_eq!(is.run.epochs.last().map(|epoch| epoch.epoch), Some(3));
            },
        ),
        ("until", |phase| phase.until = Until::Steps(3), |_, is| assert_eq!(is.run.steps.len(), 3)),
    ];
    let was = train(&bench(own_phase(|_| {}))).expect("a run");
    assert!(still(&was, "embeddings."), "{:?}", moved(&was));
    for (field, change, follows) in changes {
        let is = train(&bench(own_phase(change))).unwrap_or_else(|reason| panic!("{field}: {reason}"));
        follows(&was, &is);
    }
}
