//! The native window around the app.

use std::time::Duration;

use crossbeam_channel::Receiver;
use eframe::egui;
use egui::{IconData, ViewportBuilder};

use super::actions::Action;
use super::app::{App, Environment};
use super::autosave::Unsaveds;
use super::dialogs::Dialogs;
use super::prefs::Prefs;
use crate::project::trust::Trust;
use crate::session::Session;
use crate::session::command::Command;

/// What the window opens with.
pub struct WindowArgs {
    /// The first command: a project to open, or a new one.
    pub first: Option<Command>,
    /// What was remembered.
    pub prefs: Prefs,
    /// Where changes of it go.
    pub keep_prefs: Box<dyn FnMut(&Prefs)>,
    /// Where unsaved changes go, and what was found there.
    pub unsaveds: Unsaveds,
    /// What the app is told about the place where it runs.
    pub environment: Environment,
    /// What goes wrong around the project, in sentences.
    pub complaints: Receiver<String>,
}

const FIRST_SIZE: [f32; 2] = [1280.0, 800.0];
const SMALLEST_SIZE: [f32; 2] = [880.0, 560.0];

/// How often the steps of a run are drawn; input is answered at once in any case.
const STEPS_EVERY: Duration = Duration::from_millis(250);
const STEPS_EVERY_IN_SOFTWARE: Duration = Duration::from_millis(2500);

/// Opens the window and stays until it is closed.
///
/// # Errors
/// When there is no display, or no way to draw on it.
pub fn open_window(args: WindowArgs) -> eframe::Result {
    let WindowArgs { first, prefs, keep_prefs, unsaveds, environment, complaints } = args;
    let mut viewport = ViewportBuilder::default()
        .with_title("Frostline")
        .with_app_id("frostline")
        .with_inner_size(prefs.window.unwrap_or(FIRST_SIZE))
        .with_min_inner_size(SMALLEST_SIZE);
    if let Some(icon) = icon() {
        viewport = viewport.with_icon(icon);
    }
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native(
        "Frostline",
        options,
        Box::new(move |creation| {
            let ctx = creation.egui_ctx.clone();
            // Without a graphics processor a frame costs as much as a training step: it is drawn less often.
            let software = creation
                .wgpu_render_state
                .as_ref()
                .is_some_and(|state| state.adapter.get_info().device_type == eframe::wgpu::DeviceType::Cpu);
            let steps_every = if software { STEPS_EVERY_IN_SOFTWARE } else { STEPS_EVERY };
            let session = Session::start_with(steps_every, move || ctx.request_repaint());
            let dialogs = Dialogs::native();
            let mut app = App::new(&creation.egui_ctx, session, prefs, dialogs, environment)
                .keeping_prefs(keep_prefs)
                .keeping_unsaved(unsaveds)
                .hearing(complaints)
                .asking_about_paths(Trust::of_user());
            if let Some(command) = first {
                app.ask(Action::Session(command));
            }
            Ok(Box::new(app))
        }),
    )
}

/// The app's icon; `None` only if the picture in the program were broken.
#[must_use]
pub fn icon() -> Option<IconData> {
    let picture = image::load_from_memory(include_bytes!("../../assets/icon.png")).ok()?.into_rgba8();
    let (width, height) = picture.dimensions();
    Some(IconData { rgba: picture.into_raw(), width, height })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_icon_can_be_read() {
        let icon = super::icon().expect("a picture");
        assert_eq!((icon.width, icon.height), (256, 256));
    }
}
