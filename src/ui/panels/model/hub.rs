//! Models by name, on the Model page: what the hub has, the download, and what is in the cache already.

use std::sync::Arc;

use eframe::egui;
use egui::{
    Align, Button, CollapsingHeader, Key, Label, Layout, ProgressBar, Response, RichText, ScrollArea, Ui,
};

use crate::hub::{CachedModel, RemoteModel};
use crate::session::command::{Command, Edit, HubCommand};
use crate::session::state::{Download, DownloadEnd, Loadable, Severity, State};
use crate::ui::actions::Actions;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, numbers};

/// What the card remembers between frames.
#[derive(Default)]
pub(super) struct HubCard {
    name: String,
}

/// Digits of a commit that are shown; all of them are in the tooltip.
const SHORT_COMMIT: usize = 12;
const LISTED_HEIGHT: f32 = 200.0;
const BUTTON_ROOM: f32 = 96.0;

/// Draws the card.
pub(super) fn hub_ui(ui: &mut Ui, state: &State, card: &mut HubCard, actions: &mut Actions) {
    widgets::card(ui, "From the Hugging Face hub", |ui| {
        widgets::caption(
            ui,
            "A model by its name, as in sentence-transformers/all-mpnet-base-v2; add @ and a branch, tag or commit for \
             another revision. Only the name is sent, and only when you press Look up. The files go to the cache that \
             Python uses too.",
        );
        name_ui(ui, state, card, actions);
        match &state.hub.offer {
            Loadable::Empty | Loadable::Cancelled => {}
            Loadable::Loading => widgets::loading(ui, "Asking the hub"),
            Loadable::Failed(reason) => {
                widgets::message(ui, Severity::Error, reason);
            }
            Loadable::Ready(offer) => offer_ui(ui, state, offer, actions),
        }
        if let Some(download) = &state.hub.download {
            download_ui(ui, download, actions);
        }
        cached_ui(ui, state, card, actions);
    });
}

fn name_ui(ui: &mut Ui, state: &State, card: &mut HubCard, actions: &mut Actions) {
    ui.horizontal(|ui| {
        let width = (ui.available_width() - BUTTON_ROOM).clamp(80.0, theme::TEXT_WIDTH - BUTTON_ROOM);
        let field = widgets::field(ui, &mut card.name, "Name on the hub", width);
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let there = !card.name.trim().is_empty();
        let may = there && state.hub.offer != Loadable::Loading;
        let button = ui.add_enabled(may, Button::new("Look up"));
        let button = button
            .on_hover_text("Asks the hub for size, licence and files; nothing is downloaded yet")
            .on_disabled_hover_text(if there { "The hub is being asked" } else { "Type a name first" });
        if (button.clicked() || entered) && may {
            actions.send(Command::Hub(HubCommand::LookUp(card.name.clone())));
        }
    });
}

fn offer_ui(ui: &mut Ui, state: &State, offer: &Arc<RemoteModel>, actions: &mut Actions) {
    ui.add_space(theme::GRID);
    let (all, left) = (offer.bytes(), offer.bytes_to_fetch());
    widgets::facts(ui, "offer", |ui| {
        widgets::fact(ui, "Model", RichText::new(offer.name.to_string()).strong());
        let files = numbers::counted(offer.files.len(), "file", "files");
        widgets::fact(ui, "Size", format!("{} in {files}", numbers::bytes(all))).on_hover_text(
            "What is needed to run and train it: one format of the weights, not all that are there",
        );
        widgets::fact(ui, "Licence", offer.licence.as_deref().unwrap_or("not stated by its card"));
        let cached = match left {
            0 => "yes, all of it".to_owned(),
            left if left < all => {
                format!("{} of it; {} to fetch", numbers::bytes(all - left), numbers::bytes(left))
            }
            _ => "no".to_owned(),
        };
        // While it is being fetched, the bar says how much of it is here.
        if !state.hub.is_downloading() {
            widgets::fact(ui, "In the cache", cached);
        }
        let short = offer.commit.get(..SHORT_COMMIT).unwrap_or(&offer.commit);
        widgets::fact(ui, "Commit", RichText::new(short).monospace())
            .on_hover_text(format!("{}\nThe project keeps it, so that its runs repeat", offer.commit));
        if offer.gated || offer.private {
            let who = match (offer.gated, offer.private) {
                (true, _) => "those who accepted its terms on the hub; HF_TOKEN says who you are",
                _ => "only those whom its owner lets; HF_TOKEN says who you are",
            };
            widgets::fact(ui, "Given to", who);
        }
    });
    CollapsingHeader::new("Files to be fetched").id_salt("offer files").show(ui, |ui| {
        widgets::facts(ui, "offer files", |ui| {
            for file in &offer.files {
                widgets::fact(ui, &file.name, numbers::bytes(file.bytes))
                    .on_hover_text(file.checksum.digits());
            }
        });
    });
    if state.hub.is_downloading() {
        return;
    }
    let failed = state.hub.download.as_ref().is_some_and(|download| {
        matches!(download.end, Some(DownloadEnd::Failed(_))) && download.offer.pinned() == offer.pinned()
    });
    let label = match (failed, left) {
        (true, _) => "Try again",
        (false, 0) => "Use this model",
        (false, _) => "Download and use",
    };
    ui.scope(|ui| {
        if widgets::strong_button(ui, label).clicked() {
            actions.send(Command::Hub(HubCommand::Download));
        }
    });
}

fn download_ui(ui: &mut Ui, download: &Download, actions: &mut Actions) {
    let name = download.offer.name.to_string();
    match &download.end {
        None => going_on_ui(ui, download, &name, actions),
        // The page shows the model then.
        Some(DownloadEnd::Done(_)) => {}
        Some(DownloadEnd::Cancelled) => {
            let kept = numbers::bytes(download.progress.done);
            let text = format!(
                "The download of {name} was cancelled. {kept} of it are kept; the next goes on from there."
            );
            widgets::message(ui, Severity::Info, &text);
        }
        Some(DownloadEnd::Failed(reason)) => {
            // The button above goes on with it.
            widgets::message(ui, Severity::Error, reason);
        }
    }
}

fn going_on_ui(ui: &mut Ui, download: &Download, name: &str, actions: &mut Actions) {
    let progress = &download.progress;
    ui.add_space(theme::GRID);
    ui.label(format!("Downloading {name}"));
    ui.horizontal(|ui| {
        let width = (ui.available_width() - BUTTON_ROOM).clamp(80.0, theme::TEXT_WIDTH - BUTTON_ROOM);
        let fill = Palette::of(ui).accent;
        ui.add(ProgressBar::new(progress.fraction()).fill(fill).desired_width(width).desired_height(8.0));
        if ui.button("Cancel").on_hover_text("What was fetched is kept, and resumed").clicked() {
            actions.send(Command::Hub(HubCommand::Cancel));
        }
    });
    let pace = if progress.waiting {
        "; another program is fetching this file, and is waited for".to_owned()
    } else if progress.bytes_per_second > 0.0 {
        let left = progress.seconds_left().map(|left| format!(", about {} left", numbers::duration(left)));
        let speed = numbers::bytes(progress.bytes_per_second as u64);
        format!(", {speed}/s{}", left.unwrap_or_default())
    } else {
        String::new()
    };
    let (done, total) = (numbers::bytes(progress.done), numbers::bytes(progress.total));
    widgets::caption(ui, &format!("{done} of {total}{pace}: {}", progress.file));
}

fn cached_ui(ui: &mut Ui, state: &State, card: &mut HubCard, actions: &mut Actions) {
    let models = match &state.hub.models {
        Loadable::Empty | Loadable::Cancelled | Loadable::Loading => return,
        Loadable::Failed(reason) => {
            widgets::message(ui, Severity::Warning, reason);
            return;
        }
        Loadable::Ready(models) if models.is_empty() => return,
        Loadable::Ready(models) => models,
    };
    ui.add_space(theme::GAP);
    ui.label(RichText::new("In the cache").strong());
    ScrollArea::vertical().id_salt("cached").max_height(LISTED_HEIGHT).auto_shrink([false, true]).show(
        ui,
        |ui| {
            egui::Grid::new("cached models")
                .num_columns(4)
                .spacing(egui::vec2(theme::SECTION_GAP, theme::GRID))
                .show(ui, |ui| {
                    for model in models.iter() {
                        cached_row_ui(ui, state, model, card, actions);
                        ui.end_row();
                    }
                });
        },
    );
}

fn cached_row_ui(ui: &mut Ui, state: &State, model: &CachedModel, card: &mut HubCard, actions: &mut Actions) {
    let muted = Palette::of(ui).muted;
    let name = model.name.to_string();
    ui.add(Label::new(&name).extend()).on_hover_text(model.folder.display().to_string());
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(numbers::bytes(model.bytes)));
    ui.label(RichText::new(model.licence.as_deref().unwrap_or("no licence stated")).color(muted));
    if !model.missing.is_empty() {
        let missing = model.missing.join(", ");
        if row_button(ui, "Complete", &name, true).on_hover_text(format!("Missing: {missing}")).clicked() {
            card.name.clone_from(&name);
            actions.send(Command::Hub(HubCommand::LookUp(name)));
        }
    } else if state.project.model.as_ref() == Some(&model.folder) {
        row_button(ui, "In use", &name, false).on_disabled_hover_text("It is the project's model");
    } else if row_button(ui, "Use", &name, true).on_hover_text("Makes it the project's model").clicked() {
        actions.send(Edit::SetModel(model.folder.clone()));
    }
}

/// A button of a row; a screen reader also says which row.
fn row_button(ui: &mut Ui, label: &str, row: &str, enabled: bool) -> Response {
    let response = ui.add_enabled(enabled, Button::new(label).small());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, format!("{label} {row}")));
    response
}
