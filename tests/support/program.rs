//! The program itself in a temporary folder, as a person or a script meets it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_frostline");

/// A temporary folder, and the program run in it without the user's settings and without a display.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(self.0.path())
            .env("FROSTLINE_CONFIG_DIR", self.path("user/config"))
            .env("FROSTLINE_DATA_DIR", self.path("user/data"))
            // A cache of its own, and a hub that nobody reaches.
            .env("HF_HOME", self.path("user/hf"))
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .env_remove("HF_HUB_CACHE")
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Stdout of a run that must go well.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The objects that a run with `--json` prints.
    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        self.ok(args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Stderr of a run that must fail with this code and print no result.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        stderr(&output)
    }

    /// Files of 60 training, 20 validation and 20 test rows with two tasks that the words give away.
    pub(crate) fn with_data(self) -> Self {
        let topics = [("invoice", "billing"), ("parcel", "delivery"), ("password", "account")];
        let moods = [("awful", "negative"), ("lovely", "positive")];
        for (name, rows, start) in [("train.csv", 60, 0), ("valid.csv", 20, 100), ("test.csv", 20, 200)] {
            let lines = (start..start + rows).map(|row| {
                let ((word, topic), (tone, mood)) = (topics[row % 3], moods[row / 3 % 2]);
                format!("the {word} number {row} was {tone},{topic},{mood}\n")
            });
            self.write(name, &format!("text,topic,sentiment\n{}", lines.collect::<String>()));
        }
        self
    }

    /// A project of those files with the tiny model.
    pub(crate) fn with_project(self) -> Self {
        let place = self.with_data();
        let model = tiny_model();
        place.ok(&["init", "p", "--data", "train.csv", "valid.csv", "test.csv", "--model", &model]);
        place.edit_project(|text| {
            text.replace("epochs = 4", "epochs = 2").replace("max_length = 128", "max_length = 32")
        });
        place
    }

    /// Changes the project's file.
    pub(crate) fn edit_project(&self, edit: impl Fn(&str) -> String) {
        let file = self.path("p/frostline.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, edit(&text)).unwrap();
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn tiny_model() -> String {
    format!("{}/tests/fixtures/models/bert", env!("CARGO_MANIFEST_DIR"))
}
