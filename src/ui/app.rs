//! The app: owns the session, the prefs and what each page remembers; draws a frame and carries out what was
//! asked for in it. The only place of the window that sends commands.

mod opening;

use std::path::PathBuf;
use std::time::Instant;

use crossbeam_channel::Receiver;
use eframe::egui;
use egui::{Context, Ui, ViewportCommand};

use self::opening::Opening;
use super::actions::{Action, Actions, Page};
use super::autosave::{Autosave, Keep, Unsaveds};
use super::command_palette::CommandPalette;
use super::dialogs::{self, Answer, Dialogs, Question};
pub use super::environment::Environment;
use super::modals::{self, Modal, Verdict};
use super::notices::Ages;
use super::panels::{self, Views};
use super::prefs::Prefs;
use super::{drag_and_drop, shell, theme};
use crate::project::output_file::write_agreed;
use crate::session::Session;
use crate::session::command::{Command, Edit, HubCommand};
use crate::session::state::{Notice, Severity, State};

/// The window's content.
pub struct App {
    session: Session,
    environment: Environment,
    dialogs: Dialogs,
    prefs: Prefs,
    kept_prefs: Prefs,
    keep_prefs: Box<dyn FnMut(&Prefs)>,
    page: Page,
    views: Views,
    actions: Actions,
    notices: Vec<Notice>,
    notices_so_far: u64,
    modal: Option<Modal>,
    after_save: Option<Action>,
    device_restored: bool,
    may_close: bool,
    keeper: Autosave,
    complaints: Receiver<String>,
    ages: Ages,
    opening: Opening,
}

/// Notices of the window itself are told from the session's by this bit.
const OWN_NOTICE: u64 = 1 << 63;

impl App {
    /// An app on a context, which it gives its look.
    #[must_use]
    pub fn new(
        ctx: &Context,
        session: Session,
        prefs: Prefs,
        dialogs: Dialogs,
        environment: Environment,
    ) -> Self {
        theme::apply(ctx);
        ctx.set_theme(prefs.theme);
        ctx.set_zoom_factor(prefs.zoom);
        Self {
            session,
            environment,
            dialogs,
            kept_prefs: prefs.clone(),
            prefs,
            keep_prefs: Box::new(|_| {}),
            page: Page::default(),
            views: Views::default(),
            actions: Actions::default(),
            notices: Vec::new(),
            notices_so_far: 0,
            modal: None,
            after_save: None,
            device_restored: false,
            may_close: false,
            keeper: Autosave::default(),
            complaints: crossbeam_channel::never(),
            ages: Ages::default(),
            opening: Opening::default(),
        }
    }

    /// Where prefs go when they change.
    #[must_use]
    pub fn keeping_prefs(mut self, keep: impl FnMut(&Prefs) + 'static) -> Self {
        self.keep_prefs = Box::new(keep);
        self
    }

    /// Where unsaved changes are kept; offers those back that were found there.
    #[must_use]
    pub fn keeping_unsaved(mut self, mut unsaveds: Unsaveds) -> Self {
        self.modal = unsaveds.found.take().map(|found| Modal::Restore(Box::new(found)));
        self.keeper.unsaveds = unsaveds;
        self
    }

    /// Where sentences come from about what goes wrong around the project, such as settings that cannot be written.
    #[must_use]
    pub fn hearing(mut self, complaints: Receiver<String>) -> Self {
        self.complaints = complaints;
        self
    }

    /// Asks for something as if a button had been pressed.
    pub fn ask(&mut self, action: impl Into<Action>) {
        self.actions.send(action);
    }

    /// The page that is shown.
    #[must_use]
    pub const fn page(&self) -> Page {
        self.page
    }

    /// What the session knows.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.session.state()
    }

    /// What the window remembers.
    #[must_use]
    pub const fn prefs(&self) -> &Prefs {
        &self.prefs
    }

    /// One frame: news in, drawing, wishes out.
    pub fn frame_ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.session.poll();
        while let Ok(text) = self.complaints.try_recv() {
            self.notify(Severity::Warning, text);
        }
        self.take_answer(&ctx);
        self.follow_session();
        self.shortcuts(&ctx);
        drag_and_drop::take(&ctx, self.session.state(), &mut self.actions);
        self.close_request(&ctx);

        let state = self.session.state();
        let actions = &mut self.actions;
        shell::top_bar_ui(ui, state, &self.prefs, actions);
        shell::status_bar_ui(ui, state, actions);
        shell::rail_ui(ui, state, self.page, actions);
        shell::notices_ui(ui, state.notices.iter().chain(&self.notices), actions);
        shell::page_frame(ui).show(ui, |ui| {
            panels::page_ui(ui, self.page, state, &mut self.views, &self.prefs, &self.environment, actions);
        });
        let shown = state.notices.iter().chain(&self.notices);
        for id in self.ages.overdue(&ctx, shown, Instant::now()) {
            actions.send(Command::Dismiss(id));
        }
        drag_and_drop::hint_ui(&ctx);
        self.modal_ui(&ctx);

        for action in self.actions.take() {
            self.carry_out(action, &ctx);
        }
        self.open_waiting();
        self.keep_changed_prefs(&ctx);
        if !self.complaints.is_empty() {
            ctx.request_repaint();
        }
        if !self.found_changes_wait() {
            self.keeper.follow(&ctx, self.session.state());
        }
    }

    /// What follows from news: the project is remembered, and what waited for it to be saved is done.
    fn follow_session(&mut self) {
        let state = self.session.state();
        if let Some(dir) = &state.dir {
            self.prefs.remember(dir);
        }
        self.opening.follow(state);
        if !state.dirty
            && let Some(action) = self.after_save.take()
        {
            self.actions.send(action);
        }
        if !self.device_restored && !state.devices.is_empty() {
            self.device_restored = true;
            if let Some(device) = &self.prefs.device
                && *device != state.device
                && state.devices.iter().any(|known| known.key == *device)
            {
                self.actions.send(Command::SelectDevice(device.clone()));
            }
        }
    }

    fn shortcuts(&mut self, ctx: &Context) {
        if self.modal.is_some() {
            return;
        }
        let typing = ctx.text_edit_focused();
        for action in Action::with_shortcut() {
            // A text field has its own undo.
            if typing && matches!(action, Action::Undo | Action::Redo) {
                continue;
            }
            let Some(shortcut) = action.shortcut() else { continue };
            if ctx.input_mut(|input| input.consume_shortcut(&shortcut)) {
                self.actions.send(action);
            }
        }
    }

    fn close_request(&mut self, ctx: &Context) {
        let asked = ctx.input(|input| input.viewport().close_requested());
        let state = self.session.state();
        if asked && !self.may_close && (state.dirty || state.is_training()) {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.actions.send(Action::Quit);
        }
    }

    fn modal_ui(&mut self, ctx: &Context) {
        let Some(modal) = &mut self.modal else { return };
        let Some(verdict) = modals::modal_ui(ctx, modal, self.session.state(), &self.environment) else {
            return;
        };
        let modal = self.modal.take();
        match (modal, verdict) {
            (Some(Modal::Leave(action)), Verdict::Save) => {
                self.after_save = Some(action);
                self.actions.send(Action::SaveProject);
            }
            (Some(Modal::Leave(action)), Verdict::Go) => self.leave(action, ctx),
            (Some(Modal::Restore(unsaved)), Verdict::Save) => {
                self.restore(Command::Restore(unsaved));
            }
            (Some(Modal::Restore(_)), Verdict::Go) => self.keeper.end(Keep::Forget),
            (Some(Modal::Restore(_)), Verdict::Stay) => self.keeper.end(Keep::SetAside),
            (Some(Modal::Outside(asked)), verdict) => self.answered(*asked, verdict),
            (Some(Modal::Find(CommandPalette { chosen: Some(action), .. })), Verdict::Go) => {
                self.actions.send(action);
            }
            (Some(Modal::TypePath { question, path }), Verdict::Go) => {
                let path = PathBuf::from(path.trim());
                // A dialog of the system asks whether a file may be replaced; nobody asked here.
                if matches!(question, Question::NewFile { .. }) && path.exists() {
                    let text = format!(
                        "{} exists already, and was left as it is: type another name",
                        path.display()
                    );
                    return self.notify(Severity::Error, text);
                }
                self.use_paths(question, vec![path]);
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, action: Action, ctx: &Context) {
        if let Err(reason) = action.enabled(self.session.state()) {
            let reason = reason.to_owned();
            self.notify(Severity::Info, reason);
            return;
        }
        match action {
            Action::OpenData => self.dialogs.ask(Question::DataFiles, ctx),
            Action::AddData => self.dialogs.ask(Question::MoreDataFiles, ctx),
            Action::AddDataFolder => self.dialogs.ask(Question::DataFolder, ctx),
            Action::OpenModel => self.dialogs.ask(Question::ModelFolder, ctx),
            Action::SaveProject if self.session.state().dir.is_some() => {
                self.session.send(Command::SaveProject(None));
            }
            Action::SaveProject | Action::SaveProjectAs => self.dialogs.ask(Question::SaveFolder, ctx),
            Action::Export => self.dialogs.ask(Question::ExportFolder, ctx),
            Action::FindCuda => self.dialogs.ask(Question::CudaFolder, ctx),
            Action::SaveFile { name, bytes } => self.dialogs.ask(Question::NewFile { name, bytes }, ctx),
            Action::UseDefaultModel => match self.environment.default_model.clone() {
                Some(folder) => self.session.send(Command::Edit(Edit::SetModel(folder))),
                None => self.notify(
                    Severity::Warning,
                    "The default model is not installed: run `cargo xtask setup`, or open a model folder",
                ),
            },
            Action::Undo => self.session.send(Command::Undo),
            Action::Redo => self.session.send(Command::Redo),
            Action::Train => {
                self.page = Page::Train;
                self.session.send(Command::Train { name: None });
            }
            Action::FindRate => self.session.send(Command::FindRate),
            Action::Stop => self.session.send(Command::Stop),
            Action::Pause => self.session.send(Command::Pause),
            Action::Resume => {
                if let Some(name) = self.session.state().run.as_ref().map(|run| run.plan.name.clone()) {
                    self.session.send(Command::Resume(name));
                }
            }
            Action::Branch => {
                if let Some(from) = self.session.state().run.as_ref().map(|run| run.plan.name.clone()) {
                    self.session.send(Command::Branch { from, name: None });
                }
            }
            Action::RetrainHeads => {
                self.page = Page::Train;
                self.session.send(Command::RetrainHeads { name: None });
            }
            Action::Evaluate(split) => {
                self.page = Page::Evaluate;
                self.session.send(Command::Evaluate(split));
            }
            Action::GoTo(page) => {
                self.page = page;
                if page == Page::Model {
                    // Other programs fetch models too.
                    self.session.send(Command::Hub(HubCommand::List));
                }
            }
            Action::ToggleTheme => {
                let other =
                    if ctx.theme() == egui::Theme::Dark { egui::Theme::Light } else { egui::Theme::Dark };
                ctx.set_theme(other);
            }
            Action::SetTheme(preference) => ctx.set_theme(preference),
            Action::SetZoom(factor) => ctx.set_zoom_factor(factor.clamp(0.5, 3.0)),
            Action::ZoomIn => egui::gui_zoom::zoom_in(ctx),
            Action::ZoomOut => egui::gui_zoom::zoom_out(ctx),
            Action::ZoomReset => ctx.set_zoom_factor(1.0),
            Action::About => self.modal = Some(Modal::About),
            Action::Find => self.modal = Some(Modal::Find(CommandPalette::default())),
            Action::ShowFolder(folder) => {
                if let Err(error) = dialogs::show_folder(&folder) {
                    self.notify(
                        Severity::Warning,
                        format!("No file manager opened ({error}): {}", folder.display()),
                    );
                }
            }
            Action::OpenProject
            | Action::NewProject
            | Action::OpenDemo
            | Action::Quit
            | Action::Session(Command::OpenProject(_) | Command::NewProject(_)) => {
                self.leave_asking(action, ctx);
            }
            Action::Session(Command::Dismiss(id)) if id & OWN_NOTICE != 0 => {
                self.notices.retain(|notice| notice.id != id);
            }
            Action::Session(command @ Command::ShowRun(_)) => self.open(command),
            Action::Session(command) => {
                if let Command::SelectDevice(device) = &command {
                    self.prefs.device = Some(device.clone());
                }
                self.session.send(command);
            }
        }
    }

    /// Leaves the project, after asking when that loses work.
    fn leave_asking(&mut self, action: Action, ctx: &Context) {
        let state = self.session.state();
        if state.dirty || (action == Action::Quit && state.is_training()) {
            self.modal = Some(Modal::Leave(action));
        } else {
            self.leave(action, ctx);
        }
    }

    fn leave(&mut self, action: Action, ctx: &Context) {
        match action {
            Action::OpenProject => self.dialogs.ask(Question::ProjectFolder, ctx),
            Action::NewProject => {
                let mut project = crate::project::Project::default();
                project.model.clone_from(&self.environment.default_model);
                self.page = Page::Data;
                self.session.send(Command::NewProject(Box::new(project)));
            }
            Action::OpenDemo => match self.environment.demo.clone() {
                Some(demo) => {
                    self.page = Page::Data;
                    self.open(Command::OpenProject(demo));
                }
                None => self.notify(
                    Severity::Warning,
                    "The demo project is not installed with this copy of Frostline",
                ),
            },
            Action::Quit => {
                self.may_close = true;
                if !self.found_changes_wait() {
                    self.keeper.end(Keep::Forget);
                }
                self.keep_window_size(ctx);
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            Action::Session(command) => {
                self.page = Page::Data;
                self.open(command);
            }
            _ => {}
        }
    }

    fn take_answer(&mut self, ctx: &Context) {
        let Some((question, answer)) = self.dialogs.poll() else { return };
        match answer {
            Answer::Chosen(paths) => self.use_paths(question, paths),
            Answer::Cancelled => self.after_save = None,
            Answer::Unavailable => self.modal = Some(Modal::TypePath { question, path: String::new() }),
        }
        ctx.request_repaint();
    }

    fn use_paths(&mut self, question: Question, paths: Vec<PathBuf>) {
        let Some(first) = paths.first().cloned() else { return };
        match question {
            Question::DataFiles => self.session.send(Command::Edit(Edit::SetFiles(paths))),
            Question::MoreDataFiles | Question::DataFolder => {
                let files = drag_and_drop::with_more(self.session.state(), paths);
                self.session.send(Command::Edit(Edit::SetFiles(files)));
            }
            Question::ModelFolder => self.session.send(Command::Edit(Edit::SetModel(first))),
            Question::ProjectFolder => self.open(Command::OpenProject(first)),
            Question::SaveFolder => self.session.send(Command::SaveProject(Some(first))),
            Question::ExportFolder => {
                let name = self.session.state().run.as_ref().map_or("model", |run| run.plan.name.as_str());
                let folder = dialogs::export_folder(first, name);
                self.session.send(Command::Export(folder));
            }
            Question::CudaFolder => self.session.send(Command::FindCuda(first)),
            // The dialog asked whether a file that exists is to be replaced.
            Question::NewFile { bytes, .. } => match write_agreed(&first, &bytes) {
                Ok(()) => self.notify(Severity::Success, format!("Wrote {}", first.display())),
                Err(error) => self.notify(Severity::Error, error.to_string()),
            },
        }
    }

    fn notify(&mut self, severity: Severity, text: impl Into<String>) {
        let text = text.into();
        self.notices.retain(|notice| notice.text != text);
        self.notices_so_far += 1;
        self.notices.push(Notice { id: OWN_NOTICE | self.notices_so_far, severity, text });
    }

    fn keep_changed_prefs(&mut self, ctx: &Context) {
        self.prefs.zoom = ctx.zoom_factor();
        self.prefs.theme = ctx.options(|options| options.theme_preference);
        if self.prefs != self.kept_prefs {
            self.kept_prefs = self.prefs.clone();
            (self.keep_prefs)(&self.prefs);
        }
    }

    fn keep_window_size(&mut self, ctx: &Context) {
        let size = ctx.input(|input| input.viewport().inner_rect).map(|rect| rect.size());
        if let Some(size) = size {
            self.prefs.window = Some([size.x, size.y]);
        }
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        if ui.ctx().input(|input| input.viewport().close_requested()) {
            self.keep_window_size(&ui.ctx().clone());
        }
        self.frame_ui(ui);
    }
}
