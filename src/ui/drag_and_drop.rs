//! Drag and drop: what dropped files and folders mean.

use std::path::{Path, PathBuf};

use eframe::egui;
use egui::{Align2, Context, Id, LayerId, Order, TextStyle};

use super::actions::{Action, Actions};
use super::theme;
use super::theme::{DARK, LIGHT};
use crate::session::command::{Command, Edit};
use crate::session::state::State;

/// Takes what was dropped in this frame.
pub fn take(ctx: &Context, state: &State, actions: &mut Actions) {
    let dropped: Vec<PathBuf> =
        ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
    if !dropped.is_empty() {
        for action in meaning(dropped, state) {
            actions.send(action);
        }
    }
}

/// What is in a model's folder, and in no other.
const OF_MODELS: [&str; 5] =
    ["config.json", "modules.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin"];

/// A project folder is opened, a model folder becomes the model, files and other folders become data.
fn meaning(paths: Vec<PathBuf>, state: &State) -> Vec<Action> {
    let mut files = Vec::new();
    let mut actions = Vec::new();
    for path in paths {
        if path.file_name().is_some_and(|name| name == "frostline.toml") {
            let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
            actions.push(Command::OpenProject(folder).into());
        } else if path.join("frostline.toml").is_file() {
            actions.push(Command::OpenProject(path).into());
        } else if OF_MODELS.iter().any(|name| path.join(name).is_file()) {
            actions.push(Edit::SetModel(path).into());
        } else {
            files.push(path);
        }
    }
    if !files.is_empty() {
        actions.push(Edit::SetFiles(with_more(state, files)).into());
    }
    actions
}

/// The project's files and further ones, each once.
#[must_use]
pub fn with_more(state: &State, more: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = state.project.files.iter().map(|file| file.path.clone()).collect();
    for path in more {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    files
}

/// While something is held over the window: says what dropping it will do.
pub fn hint_ui(ctx: &Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let palette = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop hint")));
    let area = ctx.content_rect();
    painter.rect_filled(area, 0.0, palette.bg.gamma_multiply(0.85));
    painter.rect_stroke(
        area.shrink(theme::SECTION_GAP),
        theme::CARD_RADIUS,
        egui::Stroke::new(2.0, palette.accent),
        egui::StrokeKind::Inside,
    );
    painter.text(
        area.center(),
        Align2::CENTER_CENTER,
        "Drop labelled files, a folder of them, a model folder or a project folder",
        TextStyle::Heading.resolve(&ctx.global_style()),
        palette.text,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::DataFile;

    #[test]
    fn drops_are_told_apart_by_what_they_hold() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let project = dir.path().join("project");
        let model = dir.path().join("model");
        let data = dir.path().join("data");
        std::fs::create_dir_all(&project).expect("a folder");
        std::fs::create_dir_all(&model).expect("a folder");
        std::fs::create_dir_all(&data).expect("a folder");
        std::fs::write(model.join("config.json"), "{}").expect("a file");
        std::fs::write(project.join("frostline.toml"), "").expect("a file");
        let (old, new) = (dir.path().join("old.csv"), dir.path().join("new.csv"));
        let mut state = State::default();
        state.project.files = vec![DataFile::new(old.clone())];

        let file_dropped = project.join("frostline.toml");
        assert_eq!(meaning(vec![file_dropped], &state), [Command::OpenProject(project.clone()).into()]);
        assert_eq!(meaning(vec![project.clone()], &state), [Command::OpenProject(project).into()]);
        assert_eq!(meaning(vec![model.clone()], &state), [Edit::SetModel(model).into()]);
        let with_folder = vec![old.clone(), data.clone()];
        assert_eq!(meaning(vec![data], &state), [Edit::SetFiles(with_folder).into()]);
        assert_eq!(meaning(vec![new.clone(), old.clone()], &state), [Edit::SetFiles(vec![old, new]).into()]);
    }
}
