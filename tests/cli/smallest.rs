//! The smallest exercise: six sentences, two labels each, learnt by heart as in `PyTorch`.

use crate::support::skip;
use std::path::Path;
use std::process::Command;

use frostline::project::runs::RunFolder;

#[test]
fn six_sentences_are_learnt_by_heart() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(".models/all-MiniLM-L6-v2/model.safetensors");
    if !skip::is_set_up(&model) {
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    let project = place.path().join("smallest");
    std::fs::create_dir_all(project.join("data")).expect("a project folder");
    for file in ["frostline.toml", "data/sentences.csv"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/smallest").join(file);
        std::fs::copy(from, project.join(file)).expect("the shipped project");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_frostline"))
        .args(["train", &project.display().to_string(), "--run", "heart"])
        .env("FROSTLINE_CONFIG_DIR", place.path().join("config"))
        .output()
        .expect("the program");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("epoch 50/50") && said.contains("average loss"), "{said}");

    let (steps, epochs) =
        RunFolder::open(&project, "heart").and_then(|run| run.read_history()).expect("a history");
    assert_eq!((steps.len(), epochs.len()), (150, 51));
    let loss = |epoch: usize| epochs[epoch].loss;
    assert!((loss(1) - 2.2).abs() < 0.3, "it starts at {}", loss(1));
    assert!(loss(10) < 1.0, "epoch 10: {}", loss(10));
    assert!(loss(20) < 0.3, "epoch 20: {}", loss(20));
    for epoch in &epochs[10..] {
        let right = epoch.train.iter().all(|score| score.figure == 1.0);
        assert!(right, "epoch {}: {:?}", epoch.epoch, epoch.train);
    }
}
