//! The few questions that the window asks in its own voice. Only what loses work is asked about.

use std::path::PathBuf;

use eframe::egui;
use egui::{Context, Id, Key, Ui};

use super::actions::{Action, Page};
use super::command_palette::{CommandPalette, finder_ui};
use super::dialogs::Question;
use super::environment::Environment;
use super::{diagnostics, theme, widgets};
use crate::format::numbers::thousands;
use crate::format::visible::visible;
use crate::project::outside::{OutsidePath, listed};
use crate::project::unsaved::Unsaved;
use crate::session::command::Command;
use crate::session::state::State;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Modal {
    /// The action leaves the project, and something would be lost.
    Leave(Action),
    /// What the app is.
    About,
    /// Changes were found that were never saved.
    Restore(Box<Unsaved>),
    /// A project names paths outside its folder that nobody agreed to yet.
    Outside(Box<OutsideAsked>),
    /// An action is looked for.
    Find(CommandPalette),
    /// There is no file dialog: a path can be typed.
    TypePath {
        /// What it is wanted for.
        question: Question,
        /// What was typed so far.
        path: String,
    },
}

/// A project that is to be opened, and what it would read.
#[derive(Clone, Debug, PartialEq)]
pub struct OutsideAsked {
    /// What opens it.
    pub command: Command,
    /// Its folder.
    pub dir: PathBuf,
    /// The paths outside of it.
    pub paths: Vec<OutsidePath>,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Save first.
    Save,
    /// Go on.
    Go,
    /// Stay.
    Stay,
}

/// Shows a question; the verdict when there is one.
pub fn modal_ui(
    ctx: &Context,
    modal: &mut Modal,
    state: &State,
    environment: &Environment,
) -> Option<Verdict> {
    let style = ctx.global_style();
    let frame = egui::Frame::popup(&style).inner_margin(style.spacing.window_margin);
    let shown = egui::Modal::new(Id::unique("modal")).frame(frame).show(ctx, |ui| {
        ui.set_width(match modal {
            Modal::About => 480.0,
            Modal::Find(_) | Modal::Outside(_) => 560.0,
            _ => 400.0,
        });
        match modal {
            Modal::Leave(action) => leave_ui(ui, action, state),
            Modal::About => about_ui(ui, state, environment),
            Modal::Restore(unsaved) => restore_ui(ui, unsaved),
            Modal::Outside(asked) => outside_ui(ui, asked),
            Modal::Find(finder) => finder_ui(ui, finder, state).then_some(Verdict::Go),
            Modal::TypePath { question, path } => type_path_ui(ui, question, path),
        }
    });
    if shown.should_close() { shown.inner.or(Some(Verdict::Stay)) } else { shown.inner }
}

fn leave_ui(ui: &mut Ui, action: &Action, state: &State) -> Option<Verdict> {
    let mut verdict = None;
    if state.dirty {
        ui.heading(format!("Save the changes of \u{201c}{}\u{201d}?", state.project.name));
        ui.label("They are lost otherwise. Runs are kept in any case.");
    } else {
        ui.heading("Stop the run and quit?");
        ui.label("What it learnt so far is kept in its folder.");
    }
    ui.add_space(theme::SECTION_GAP);
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        if state.dirty && widgets::strong_button(ui, "Save").clicked() {
            verdict = Some(Verdict::Save);
        }
        if ui.button("Cancel").clicked() {
            verdict = Some(Verdict::Stay);
        }
        let go = match action {
            Action::Quit if !state.dirty => "Stop and quit",
            Action::Quit => "Quit without saving",
            _ => "Go on without saving",
        };
        if ui.button(go).clicked() {
            verdict = Some(Verdict::Go);
        }
    });
    verdict
}

fn restore_ui(ui: &mut Ui, unsaved: &Unsaved) -> Option<Verdict> {
    ui.heading("Frostline did not end as it should");
    ui.label(format!("There are changes of \u{201c}{}\u{201d} that were never saved.", unsaved.project.name));
    let place = match &unsaved.dir {
        Some(dir) => format!("Brought back, they can be looked at, undone, and saved in {}.", dir.display()),
        None => "Brought back, they can be looked at and saved in a folder of your choice.".to_owned(),
    };
    widgets::caption(ui, &place);
    ui.add_space(theme::SECTION_GAP);
    let mut verdict = None;
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        if widgets::strong_button(ui, "Bring them back").clicked() {
            verdict = Some(Verdict::Save);
        }
        if ui.button("Later").on_hover_text("Asks again at the next start").clicked() {
            verdict = Some(Verdict::Stay);
        }
        if ui.button("Throw them away").clicked() {
            verdict = Some(Verdict::Go);
        }
    });
    verdict
}

/// Height of the list of paths, in points, from which on it scrolls.
const HIGHEST_LIST: f32 = 220.0;

fn outside_ui(ui: &mut Ui, asked: &OutsideAsked) -> Option<Verdict> {
    ui.heading("This project reads files outside its folder");
    let paths = match asked.paths.len() {
        1 => "the path below, which was".to_owned(),
        count => format!("the {} paths below, which were", thousands(count as u64)),
    };
    widgets::paragraph(
        ui,
        format!(
            "\u{201c}{}\u{201d} names {paths} not touched so far. Allow it only if you trust whoever made the project: what it \
             trains and exports can reveal what is in these files.",
            visible(&asked.dir.file_name().unwrap_or(asked.dir.as_os_str()).to_string_lossy())
        ),
    );
    ui.add_space(theme::GAP);
    egui::ScrollArea::vertical().max_height(HIGHEST_LIST).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (path, what) in listed(&asked.paths) {
            ui.add(egui::Label::new(egui::RichText::new(path).monospace()).wrap());
            widgets::caption(ui, &what);
            ui.add_space(theme::GRID * 2.0);
        }
    });
    ui.add_space(theme::SECTION_GAP);
    let mut verdict = None;
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        let cancel = ui.button("Cancel").on_hover_text("Nothing is opened");
        // The safe answer is the one that Enter and the space bar give.
        if ui.memory(|memory| memory.focused().is_none()) {
            cancel.request_focus();
        }
        if cancel.clicked() {
            verdict = Some(Verdict::Stay);
        }
        let read =
            ui.button("Read these files").on_hover_text("Asks again only if the project names other paths");
        if read.clicked() {
            verdict = Some(Verdict::Go);
        }
    });
    verdict
}

fn about_ui(ui: &mut Ui, state: &State, environment: &Environment) -> Option<Verdict> {
    ui.label(egui::RichText::new("Frostline").text_style(theme::title_style()));
    ui.label("Fine-tunes multi-task sentence encoders, on your own machine. No text leaves it.");
    ui.add_space(theme::GAP);
    diagnostics::diagnostics_ui(ui, state, environment);
    ui.add_space(theme::GAP);
    widgets::caption(
        ui,
        &format!("Licence: MIT or Apache-2.0. Settings are on the {} page.", Page::Settings.title()),
    );
    ui.button("Close").clicked().then_some(Verdict::Stay)
}

fn type_path_ui(ui: &mut Ui, question: &Question, path: &mut String) -> Option<Verdict> {
    ui.heading(question.title());
    ui.label("This system has no file dialog (zenity or xdg-desktop-portal), so type the path:");
    let field = widgets::field(ui, path, "Path", ui.available_width());
    if field.gained_focus() || path.is_empty() {
        field.request_focus();
    }
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    ui.add_space(theme::GAP);
    let mut verdict = None;
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        let there = !path.trim().is_empty();
        let use_it = ui.add_enabled_ui(there, |ui| widgets::strong_button(ui, "Use")).inner;
        if (use_it.clicked() || entered) && there {
            verdict = Some(Verdict::Go);
        }
        if ui.button("Cancel").clicked() {
            verdict = Some(Verdict::Stay);
        }
    });
    verdict
}
