//! What is always in sight around a page: the bar at the top, the rail, the status bar, the notices.

use eframe::egui;
use egui::{
    Align, Button, ComboBox, CornerRadius, Frame, Label, Layout, Margin, MenuBar, Panel, ProgressBar, Rect,
    RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::actions::{Action, Actions, Mark, Page};
use super::prefs::Prefs;
use super::theme::{self, Palette};
use super::widgets::icon::{self, Icon};
use super::widgets::{self, numbers};
use crate::session::command::Command;
use crate::session::state::{Loadable, Notice, RunOutcome, RunView, State};

/// Between facts on a line.
const DOT: &str = "  \u{b7}  ";
const RAIL_WIDTH: f32 = 156.0;
const MENUS_WIDTH: f32 = 168.0;
/// More notices than this are counted, not shown, so that a flood leaves room to work.
const NOTICES_SHOWN: usize = 3;

/// The frame of pages.
pub fn page_frame(ui: &Ui) -> egui::CentralPanel {
    let palette = Palette::of(ui);
    egui::CentralPanel::default().frame(Frame::new().fill(palette.bg).inner_margin(Margin::same(16)))
}

fn bar_frame(palette: &Palette, margin: Margin) -> Frame {
    Frame::new().fill(palette.surface).inner_margin(margin)
}

/// Menus, the project, the device, the run.
pub fn top_bar_ui(ui: &mut Ui, state: &State, prefs: &Prefs, actions: &mut Actions) {
    let palette = Palette::of(ui);
    Panel::top("top bar").frame(bar_frame(palette, Margin::symmetric(12, 8))).show(ui, |ui| {
        ui.horizontal(|ui| {
            icon::icon(ui, Icon::Snow, palette.frozen, 22.0);
            ui.scope(|ui| {
                // The menu bar takes all the width it is given.
                ui.set_max_width(MENUS_WIDTH);
                MenuBar::new().ui(ui, |ui| menus_ui(ui, state, prefs, actions));
            });
            ui.separator();
            project_name_ui(ui, state);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                train_button_ui(ui, state, actions);
                // Zoomed far in, the Train page and the settings still show what has no room here.
                if ui.available_width() > 180.0 {
                    run_progress_ui(ui, state);
                }
                if ui.available_width() > 150.0 {
                    device_ui(ui, state, actions);
                }
            });
        });
    });
}

fn menus_ui(ui: &mut Ui, state: &State, prefs: &Prefs, actions: &mut Actions) {
    ui.menu_button("File", |ui| {
        for action in [Action::NewProject, Action::OpenProject, Action::OpenDemo] {
            widgets::menu_entry(ui, state, actions, action);
        }
        ui.add_enabled_ui(!prefs.recent.is_empty(), |ui| {
            ui.menu_button("Open recent", |ui| {
                for folder in &prefs.recent {
                    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
                    let entry = ui.button(name).on_hover_text(folder.display().to_string());
                    if entry.clicked() {
                        actions.send(Command::OpenProject(folder.clone()));
                    }
                }
            });
        });
        ui.separator();
        for action in [Action::OpenData, Action::AddData, Action::AddDataFolder, Action::OpenModel] {
            widgets::menu_entry(ui, state, actions, action);
        }
        ui.separator();
        for action in [Action::SaveProject, Action::SaveProjectAs, Action::Export] {
            widgets::menu_entry(ui, state, actions, action);
        }
        ui.separator();
        widgets::menu_entry(ui, state, actions, Action::Quit);
    });
    ui.menu_button("Edit", |ui| {
        for action in [Action::Undo, Action::Redo] {
            widgets::menu_entry(ui, state, actions, action);
        }
    });
    ui.menu_button("View", |ui| {
        for page in Page::RAIL {
            widgets::menu_entry(ui, state, actions, Action::GoTo(page));
        }
        ui.separator();
        for action in [Action::ToggleTheme, Action::ZoomIn, Action::ZoomOut, Action::ZoomReset] {
            widgets::menu_entry(ui, state, actions, action);
        }
    });
    ui.menu_button("Help", |ui| {
        for action in [Action::Find, Action::About, Action::GoTo(Page::Settings)] {
            widgets::menu_entry(ui, state, actions, action);
        }
    });
}

fn project_name_ui(ui: &mut Ui, state: &State) {
    let name = &state.project.name;
    let place = match &state.dir {
        Some(dir) => dir.display().to_string(),
        None => "Not saved yet".to_owned(),
    };
    ui.scope(|ui| {
        ui.set_max_width(200.0);
        ui.add(Label::new(RichText::new(name).strong()).truncate()).on_hover_text(place);
    });
    if state.dirty {
        let muted = Palette::of(ui).muted;
        ui.label(RichText::new("edited").small().color(muted))
            .on_hover_text("There are changes that are not saved (Ctrl+S)");
    }
}

fn device_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let name =
        |key: &str| state.devices.iter().find(|device| device.key == key).map(|device| device.name.clone());
    let chosen = match name(&state.device) {
        Some(name) => name,
        None if state.devices.is_empty() => "finding devices".to_owned(),
        None => state.device.clone(),
    };
    let free = Action::Session(Command::SelectDevice(String::new())).enabled(state);
    ui.add_enabled_ui(free.is_ok(), |ui| {
        let combo = ComboBox::from_id_salt("device").selected_text(chosen).width(132.0).truncate();
        let shown = combo.show_ui(ui, |ui| {
            for device in &state.devices {
                let response = ui.selectable_label(device.key == state.device, &device.name);
                if response.clicked() {
                    actions.send(Command::SelectDevice(device.key.clone()));
                }
            }
            if let Some(reason) = &state.cuda_missing {
                ui.separator();
                ui.set_max_width(280.0);
                widgets::caption(ui, reason);
                widgets::action_button(ui, state, actions, Action::FindCuda);
            }
        });
        let response = shown.response;
        response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Device"));
        match free {
            Ok(()) => response.on_hover_text("What the work runs on"),
            Err(reason) => response.on_disabled_hover_text(reason),
        };
    });
}

/// Part of the run that is done, 0 to 1.
fn progress_of(run: &RunView) -> f32 {
    let done = run.steps.last().map_or(0, |step| step.step);
    match run.plan.total_steps() {
        0 => 0.0,
        total => done as f32 / total as f32,
    }
}

fn run_progress_ui(ui: &mut Ui, state: &State) {
    let palette = Palette::of(ui);
    let Some(run) = &state.run else { return };
    match &run.outcome {
        None => {
            let progress = progress_of(run);
            let epoch = run.epochs.last().map_or(0, |epoch| epoch.epoch) + 1;
            let epochs = run.plan.epochs().max(1);
            let words = format!("Epoch {} of {epochs}, {:.0} %", epoch.min(epochs), progress * 100.0);
            ui.add(
                ProgressBar::new(progress)
                    .desired_width(160.0)
                    .desired_height(20.0)
                    .fill(palette.warm_fill)
                    .text(RichText::new(words).small().color(palette.text)),
            )
            .on_hover_text(format!("{}: {}", run.plan.name, run.note));
        }
        Some(outcome) => {
            let (text, colour) = match outcome {
                RunOutcome::Finished => (format!("{} finished", run.plan.name), palette.muted),
                RunOutcome::Stopped { at_step } => {
                    (format!("{} stopped at step {at_step}", run.plan.name), palette.muted)
                }
                RunOutcome::Paused { at_step } => {
                    (format!("{} paused at step {at_step}", run.plan.name), palette.muted)
                }
                RunOutcome::Failed(_) => (format!("{} failed", run.plan.name), palette.error),
            };
            let label = ui.label(RichText::new(text).small().color(colour));
            if let RunOutcome::Failed(reason) = outcome {
                label.on_hover_text(reason);
            }
        }
    }
}

fn train_button_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    if state.is_training() {
        widgets::action_button(ui, state, actions, Action::Stop);
    } else {
        widgets::primary_button(ui, state, actions, Action::Train);
    }
}

/// The pages, in order, each with how far its part of the road has come.
pub fn rail_ui(ui: &mut Ui, state: &State, current: Page, actions: &mut Actions) {
    let palette = Palette::of(ui);
    Panel::left("rail")
        .exact_size(RAIL_WIDTH)
        .resizable(false)
        .frame(bar_frame(palette, Margin::symmetric(8, 12)))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = theme::GRID;
            Panel::bottom("rail end").frame(Frame::new()).show_separator_line(false).show(ui, |ui| {
                rail_entry_ui(ui, state, Page::Settings, current == Page::Settings, actions);
            });
            egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                for page in Page::RAIL {
                    rail_entry_ui(ui, state, page, current == page, actions);
                }
            });
        });
}

fn rail_entry_ui(ui: &mut Ui, state: &State, page: Page, selected: bool, actions: &mut Actions) {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), Sense::click());
    let mark = page.mark(state);
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, selected, page.title()));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(mark.words()));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        let fill = match (selected, response.hovered()) {
            (true, _) => palette.selected,
            (false, true) => palette.raised,
            (false, false) => palette.surface,
        };
        painter.rect_filled(rect, CornerRadius::same(6), fill);
        if response.has_focus() {
            let ring = Stroke::new(2.0, palette.accent);
            painter.rect_stroke(rect, CornerRadius::same(6), ring, egui::StrokeKind::Inside);
        }
        let colour = if selected { palette.accent } else { palette.muted };
        let square = |x: f32, side: f32| Rect::from_center_size(pos2(x, rect.center().y), vec2(side, side));
        icon::paint(painter, square(rect.left() + 18.0, 18.0), picture(page), colour);
        painter.text(
            pos2(rect.left() + 36.0, rect.center().y),
            egui::Align2::LEFT_CENTER,
            page.title(),
            egui::TextStyle::Button.resolve(ui.style()),
            palette.text,
        );
        if page != Page::Settings {
            let (mark_icon, colour) = mark_look(palette, mark);
            icon::paint(painter, square(rect.right() - 14.0, 14.0), mark_icon, colour);
        }
    }
    let shortcut =
        Action::GoTo(page).shortcut().map(|keys| ui.ctx().format_shortcut(&keys)).unwrap_or_default();
    let state_words =
        if page == Page::Settings { String::new() } else { format!("\nNow: {}.", mark.words()) };
    let response = response.on_hover_text(format!("{} ({shortcut}){state_words}", page.purpose()));
    if response.clicked() {
        actions.send(Action::GoTo(page));
    }
}

const fn picture(page: Page) -> Icon {
    match page {
        Page::Data => Icon::Table,
        Page::Model => Icon::Layers,
        Page::Schedule => Icon::Steps,
        Page::Train => Icon::Curve,
        Page::Evaluate => Icon::Matrix,
        Page::Explore => Icon::Scatter,
        Page::Export => Icon::Export,
        Page::Settings => Icon::Sliders,
    }
}

fn mark_look(palette: &Palette, mark: Mark) -> (Icon, egui::Color32) {
    match mark {
        Mark::NotStarted => (Icon::Ring, theme::mix(palette.line, palette.muted, 0.4)),
        Mark::Ready => (Icon::Ring, palette.accent),
        Mark::Running => (Icon::Half, palette.warm),
        Mark::Done => (Icon::Check, palette.ok),
        Mark::Attention => (Icon::Warning, palette.warn),
    }
}

/// What the worker does, and how fast.
pub fn status_bar_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let palette = Palette::of(ui);
    Panel::bottom("status bar").frame(bar_frame(palette, Margin::symmetric(12, 4))).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_height(20.0);
            let small = |text: String| RichText::new(text).small().color(palette.muted);
            if let Some(run) = state.run.as_ref().filter(|run| run.outcome.is_none()) {
                icon::icon(ui, Icon::Half, palette.warm, 14.0);
                let phase = run.plan.phases.get(run.phase).map_or("training", |phase| phase.name.as_str());
                let note = if run.note.is_empty() { String::new() } else { format!(": {}", run.note) };
                ui.label(small(format!("{phase}{note}")));
            } else if let Some(busy) = &state.busy {
                icon::icon(ui, Icon::Half, palette.warm, 14.0);
                ui.label(small(busy.what.clone()));
                if let Some(fraction) = busy.fraction {
                    ui.add(ProgressBar::new(fraction).desired_width(120.0).desired_height(8.0));
                }
                stop_small_ui(ui, actions);
            } else {
                ui.label(small(next_step(state).to_owned()));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(run) = state.run.as_ref().filter(|run| run.outcome.is_none()) {
                    ui.label(small(pace(run)));
                } else {
                    ui.label(small(inventory(state)));
                }
            });
        });
    });
}

fn stop_small_ui(ui: &mut Ui, actions: &mut Actions) {
    let stop = ui.add(Button::new(RichText::new("Cancel").small()).small());
    if stop.on_hover_text("Stop what is going on").clicked() {
        actions.send(Action::Stop);
    }
}

/// The next step on the road, in a sentence.
fn next_step(state: &State) -> &'static str {
    let trained = state.run.as_ref().is_some_and(|run| run.report.is_some());
    if matches!(state.data, Loadable::Failed(_)) {
        "The files could not be used: see the Data page"
    } else if matches!(state.model, Loadable::Failed(_)) {
        "The model could not be loaded: see the Model page"
    } else if state.data.ready().is_none() {
        "Next: open labelled files on the Data page"
    } else if state.model.ready().is_none() {
        "Next: choose a pretrained model on the Model page"
    } else if matches!(state.plan, Some(Err(_))) {
        "The schedule cannot be run as it is: see the Schedule page"
    } else if !trained {
        "Ready to train"
    } else if let Some(run) = state.run.as_ref().filter(|run| run.plan.epochs() == 0) {
        if run.report.as_ref().is_some_and(|report| !report.probes.is_empty()) {
            "Measured without training. The probes on the Train page are its result"
        } else {
            "Measured without training, and without probes: the Train page says why"
        }
    } else if state.export.ready().is_none() {
        "Trained. Look at the figures on the Evaluate page, or export the model"
    } else {
        "Exported"
    }
}

fn pace(run: &RunView) -> String {
    let mut parts = Vec::new();
    if run.rows_per_second > 0.0 {
        parts.push(format!("{:.0} rows/s", run.rows_per_second));
    }
    // What is measured after the last step is not in the estimate.
    if let Some(seconds) = run.seconds_left.filter(|seconds| *seconds >= 1.0) {
        parts.push(format!("about {} left", numbers::duration(seconds)));
    }
    parts.join(DOT)
}

fn inventory(state: &State) -> String {
    let mut parts = Vec::new();
    if let Some(data) = state.data.ready() {
        parts.push(numbers::counted(data.dataset.rows(), "row", "rows"));
        parts.push(numbers::counted(data.dataset.tasks.len(), "task", "tasks"));
    }
    if let Some(model) = state.model.ready() {
        parts.push(model.name.clone());
    }
    parts.join(DOT)
}

/// Sentences for the user, above the page: they push it down rather than cover it.
pub fn notices_ui<'a>(ui: &mut Ui, notices: impl Iterator<Item = &'a Notice>, actions: &mut Actions) {
    let palette = Palette::of(ui);
    let notices: Vec<&Notice> = notices.collect();
    if notices.is_empty() {
        return;
    }
    Panel::top("notices").frame(bar_frame(palette, Margin::symmetric(12, 6))).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = theme::GRID;
        // The latest are the ones that matter.
        let hidden = notices.len().saturating_sub(NOTICES_SHOWN);
        for notice in notices.iter().skip(hidden) {
            notice_ui(ui, notice, actions);
        }
        if hidden > 0 {
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("and {hidden} earlier")).small().color(palette.muted));
                if ui.add(Button::new("Dismiss all").small()).clicked() {
                    for notice in &notices {
                        actions.send(Command::Dismiss(notice.id));
                    }
                }
            });
        }
    });
}

fn notice_ui(ui: &mut Ui, notice: &Notice, actions: &mut Actions) {
    let palette = Palette::of(ui);
    let (colour, picture) = widgets::severity_look(palette, notice.severity);
    Frame::new()
        .fill(palette.tint(colour, 0.12))
        .stroke(Stroke::new(1.0, palette.tint(colour, 0.5)))
        .corner_radius(CornerRadius::same(6))
        .inner_margin(Margin::symmetric(8, 2))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                icon::icon(ui, picture, colour, 16.0);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if widgets::icon_button(ui, Icon::Close, "Dismiss").clicked() {
                        actions.send(Command::Dismiss(notice.id));
                    }
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        ui.add(Label::new(&notice.text).wrap());
                    });
                });
            });
        });
}
