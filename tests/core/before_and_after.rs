//! What Explore shows before and after fine-tuning differs by the weights alone: the same model, the same tokens.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use crate::support::tiny_run;
use std::path::Path;

use frostline::data::mapping::{Mapping, TaskColumn};
use frostline::data::task::TaskKind;
use frostline::explore::similarity::cosine_matrix;
use frostline::project::DataFile;
use frostline::session::command::{Command, Edit};
use frostline::session::predictor::Predictor;
use frostline::session::state::Loadable;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;

use crate::support::tiny_run::{Place, place, recipe, tiny_model};

/// Sentences that only differ behind their eighth token.
fn sentences() -> Vec<String> {
    ["wonderful", "cancelled and gone", "starts tomorrow at the bank"]
        .map(|end| format!("the train with a card and my account was {end}"))
        .to_vec()
}

/// A run that leaves the encoder as it is: whatever differs before and after then comes from how texts are read.
fn frozen(change: impl FnOnce(&mut Recipe)) -> Place {
    let mut recipe = Recipe { epochs: 1, max_length: 8, ..recipe(Preset::FreezeBackbone) };
    change(&mut recipe);
    let mut place = place("bert", recipe);
    place.train();
    place
}

fn ready<T: Clone + std::fmt::Debug>(loadable: &Loadable<std::sync::Arc<T>>) -> T {
    let Loadable::Ready(value) = loadable else { panic!("{loadable:?}") };
    T::clone(value)
}

/// Asks for everything that is shown before and after; each must be the same twice.
fn nothing_changed(place: &mut Place) {
    place.session.send(Command::Similarity(sentences()));
    place.session.send(Command::Map { limit: 40 });
    place.session.send(Command::Neighbours { row: 5, k: 8 });
    place.settle();
    let state = place.session.state();
    let similarity = ready(&state.similarity);
    assert_eq!(Some(&similarity.before), similarity.after.as_ref(), "similarity");
    let map = ready(&state.map);
    assert!(map.movers.iter().all(|(_, by)| by.abs() < 1e-6), "{:?}", map.movers);
    let near = ready(&state.neighbours);
    assert_eq!(Some(&near.before), near.after.as_ref(), "neighbours");
    assert_eq!(near.before.len(), 8);
}

#[test]
fn texts_are_cut_at_the_same_token() {
    let mut place = frozen(|_| {});
    nothing_changed(&mut place);
    let similarity = ready(&place.session.state().similarity);
    let all_alike = similarity.before.iter().flatten().all(|cosine| (cosine - 1.0).abs() < 1e-5);
    assert!(all_alike, "behind the eighth token nothing is read: {similarity:?}");
}

#[test]
fn a_prompt_is_put_before_texts_of_both() {
    nothing_changed(&mut frozen(|recipe| recipe.prompt = Some("my flight: ".into())));
}

#[test]
fn before_is_the_model_that_the_run_started_from() {
    let mut place = frozen(|recipe| recipe.max_length = 32);
    nothing_changed(&mut place);
    let of_its_own = ready(&place.session.state().similarity);
    // The draft turns to another model; the shown run is what it was.
    place.session.send(Command::Edit(Edit::SetModel(tiny_model("mpnet"))));
    place.settle();
    nothing_changed(&mut place);
    assert_eq!(ready(&place.session.state().similarity), of_its_own);
}

#[test]
fn a_start_whose_weights_changed_is_not_compared_with() {
    let model = tempfile::tempdir().expect("a folder");
    copy(&tiny_model("bert"), model.path());
    let mut place = tiny_run::place_on(model.path(), recipe(Preset::FreezeBackbone));
    place.train();
    place.session.send(Command::Edit(Edit::SetModel(tiny_model("mpnet"))));
    place.settle();
    let weights = model.path().join("model.safetensors");
    let other = std::fs::read(tiny_model("bert").join("model.safetensors")).expect("weights");
    let mut other = other;
    *other.last_mut().expect("a byte") ^= 1;
    std::fs::write(&weights, other).expect("weights");
    place.session.send(Command::Similarity(sentences()));
    place.settle();
    let Loadable::Failed(reason) = &place.session.state().similarity else { panic!("compared all the same") };
    assert!(
        reason.contains("changed since run") && reason.contains("put the earlier files back"),
        "{reason}"
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(path, to).expect("a copy");
        }
    }
}

#[test]
fn the_window_and_the_command_line_read_texts_alike() {
    let mut place = frozen(|recipe| recipe.prompt = Some("my flight: ".into()));
    place.session.send(Command::Similarity(sentences()));
    place.settle();
    let shown = ready(&place.session.state().similarity).after.expect("a run");
    let name = place.session.state().run.as_ref().expect("a run").plan.name.clone();
    let mut offline = Predictor::open_run(&place.home().join("runs").join(name), "cpu").expect("the run");
    let texts = sentences();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embeddings = offline.embed(&texts, &mut |_| {}).expect("embeddings");
    for (of_window, of_program) in shown.iter().flatten().zip(cosine_matrix(&embeddings).iter().flatten()) {
        assert!((of_window - of_program).abs() < 1e-6, "{of_window} is not {of_program}");
    }
}

/// A tag belongs to a word: the playground must divide a text into words as the rows of the data were.
#[test]
fn the_playground_divides_words_as_predict_does() {
    let mut place = place("bert", Recipe { epochs: 1, ..recipe(Preset::FreezeBackbone) });
    let path = place.dir.path().join("words.jsonl");
    let row = |row: usize| {
        let (who, where_to) = (["card", "bank", "flight"][row % 3], ["hotel", "cafe"][row % 2]);
        format!("{{\"text\": [\"the\", \"{who}\", \"{where_to}\"], \"ner\": \"O B-WHO B-AT\"}}")
    };
    std::fs::write(&path, (0..60).map(row).collect::<Vec<_>>().join("\n")).expect("rows");
    let mut draft = place.session.state().project.clone();
    draft.files = vec![DataFile::new(path)];
    let tasks = vec![TaskColumn::of_kind("ner", TaskKind::TokenLabels)];
    draft.mapping = Some(Mapping { text: "text".into(), tasks, ..Mapping::default() });
    draft.save(&place.home()).expect("the project file");
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    let run = place.train();
    let mut offline =
        Predictor::open_run(&place.home().join("runs").join(&run.plan.name), "cpu").expect("the run");
    for text in ["the  card\tat the hotel", "[\"the\", \"card\", \"hotel\"]", "the card"] {
        place.session.send(Command::Predict(text.to_owned()));
        place.settle();
        let shown = ready(&place.session.state().prediction);
        assert_eq!(shown.text, text);
        let predicted = offline.predict(&[text], None, &mut |_| {}).expect("predictions");
        assert_eq!(shown.tasks[0].1, predicted[0][0], "{text}");
    }
}
