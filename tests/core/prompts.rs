//! What is put before every text: in training, in what is measured and encoded afterwards, and in the export.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::tiny_run;
use std::fs;
use std::path::Path;

use frostline::model::Model;
use frostline::session::command::Command;
use frostline::session::predictor::Predictor;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use serde_json::{Value, json};

use crate::support::tiny_run::{place_on, recipe};

const PROMPTS: &str = r#"{"prompts": {"query": "my flight: ", "document": ""}, "default_prompt_name": null}"#;

/// The tiny BERT with prompts of its own.
fn with_prompts(settings: &str) -> tempfile::TempDir {
    let (from, to) = (tiny_run::tiny_model("bert"), tempfile::tempdir().unwrap());
    copy(&from, to.path());
    fs::write(to.path().join("config_sentence_transformers.json"), settings).unwrap();
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

fn embedded(model: &mut Predictor, text: &str) -> Vec<f32> {
    model.embed(&[text], &mut |_| {}).unwrap().values
}

/// Trains with a prompt, exports, and gives the settings of the export.
fn exported(choice: Option<&str>, check: &dyn Fn(&mut Predictor, &mut Predictor)) -> Value {
    let model = with_prompts(PROMPTS);
    let recipe = Recipe { prompt: choice.map(str::to_owned), ..recipe(Preset::Full) };
    let mut place = place_on(model.path(), recipe);
    let run = place.train();
    let to = place.dir.path().join("exported");
    place.session.send(Command::Export(to.clone()));
    place.settle();
    assert!(place.session.state().export.ready().is_some(), "{:?}", place.session.state().export);
    let run_dir = place.home().join("runs").join(&run.plan.name);
    let mut of_run = Predictor::open_run(&run_dir, "cpu").unwrap();
    let mut of_export = Predictor::open(&to, "cpu").unwrap();
    check(&mut of_run, &mut of_export);
    serde_json::from_slice(&fs::read(to.join("config_sentence_transformers.json")).unwrap()).unwrap()
}

#[test]
fn the_prompt_of_a_run_goes_before_every_text_from_then_on() {
    let text = "the card was declined";
    let settings = exported(Some("query"), &|run, export| {
        let meant = embedded(run, text);
        let found = embedded(export, text);
        assert!(meant.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-6));
        for model in [run, export] {
            model.put_before("").unwrap();
            assert_ne!(embedded(model, text), meant, "without it, it is another text");
            assert_eq!(
                embedded(model, &format!("my flight: {text}")),
                meant,
                "it is put before as it is written"
            );
            model.put_before("query").unwrap();
            assert_eq!(embedded(model, text), meant);
        }
    });
    assert_eq!(settings["default_prompt_name"], json!("query"));
    assert_eq!(settings["prompts"], json!({"query": "my flight: ", "document": ""}));
}

#[test]
fn a_text_of_ones_own_is_exported_under_a_name() {
    let settings = exported(Some("today: "), &|_, _| {});
    assert_eq!(settings["prompts"]["default"], json!("today: "));
    assert_eq!(settings["default_prompt_name"], json!("default"));
}

#[test]
fn without_a_choice_nothing_is_put_before() {
    let settings = exported(None, &|run, _| {
        let plain = embedded(run, "the card was declined");
        run.put_before("document").unwrap();
        assert_eq!(embedded(run, "the card was declined"), plain, "the model's empty prompt is none");
    });
    assert_eq!(settings["default_prompt_name"], Value::Null);
}

#[test]
fn the_prompt_takes_part_in_the_training() {
    let loss = |choice: Option<&str>| {
        let model = with_prompts(PROMPTS);
        let recipe = Recipe { prompt: choice.map(str::to_owned), ..recipe(Preset::Full) };
        let run = place_on(model.path(), recipe).train();
        run.epochs.last().expect("an epoch").clone()
    };
    assert_ne!(format!("{:?}", loss(None)), format!("{:?}", loss(Some("query"))));
}

#[test]
fn the_default_of_a_folder_is_used_when_it_is_opened_by_itself() {
    let dir = with_prompts(&PROMPTS.replace("null", "\"query\""));
    let mut model = Predictor::open(dir.path(), "cpu").unwrap();
    let meant = embedded(&mut model, "the card");
    model.put_before("").unwrap();
    assert_eq!(embedded(&mut model, "my flight: the card"), meant);
}

#[test]
fn a_model_that_pools_without_its_prompt_is_given_none() {
    let dir = with_prompts(PROMPTS);
    let pooling = dir.path().join("1_Pooling/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&pooling).unwrap()).unwrap();
    config["include_prompt"] = json!(false);
    fs::write(&pooling, config.to_string()).unwrap();
    let summary = Model::load(dir.path(), tch::Device::Cpu).unwrap().summary;
    assert!(summary.prompt(None).unwrap().is_none());
    let told = summary.prompt(Some("query")).unwrap_err();
    assert!(told.contains("include_prompt"), "{told}");

    // One whose prompt is its default still opens, and says what it lacks.
    let plain = Predictor::open(dir.path(), "cpu")
        .map(|mut model| (model.lacks_its_prompt(), embedded(&mut model, "the card")));
    let settings = dir.path().join("config_sentence_transformers.json");
    fs::write(settings, PROMPTS.replace("null", "\"query\"")).unwrap();
    let lacking = Predictor::open(dir.path(), "cpu")
        .map(|mut model| (model.lacks_its_prompt(), embedded(&mut model, "the card")));
    let ((plain, meant), (lacking, found)) = (plain.unwrap(), lacking.unwrap());
    assert_eq!((plain, lacking), (false, true));
    assert_eq!(meant, found);
}

#[test]
fn texts_that_are_cut_are_counted() {
    let dir = with_prompts(PROMPTS);
    let mut model = Predictor::open(dir.path(), "cpu").unwrap();
    let (length, cut) = model.truncated();
    assert_eq!(cut, 0);
    let long = "the card was declined ".repeat(length);
    model.embed(&["short", &long, &long], &mut |_| {}).unwrap();
    assert_eq!(model.truncated(), (length, 2));
}
