//! The tiny BERT with the Dense modules of `tests/fixtures/sentence_transformers_dense` behind it.

use std::fs;
use std::path::Path;

/// Files of both fixtures in one folder.
pub(crate) fn dense_folder() -> tempfile::TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let dir = tempfile::tempdir().unwrap();
    let bert =
        ["config.json", "model.safetensors", "tokenizer.json", "sentence_bert_config.json", "texts.json"];
    let modules = [
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "3_Dense/config.json",
        "3_Dense/model.safetensors",
    ];
    let bert = bert.map(|file| ("models/bert", file));
    let modules = modules.map(|file| ("sentence_transformers_dense", file));
    for (fixture, file) in bert.into_iter().chain(modules) {
        let to = dir.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(fixtures.join(fixture).join(file), to).unwrap();
    }
    dir
}
