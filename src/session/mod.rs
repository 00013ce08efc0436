//! Commands in, state out: the one place that changes a project, and the worker thread that owns every tensor.
//!
//! A [`Session`] belongs to a window or a command line. Edits take effect on its own thread at once; work goes
//! to the worker over a queue, and what comes of it arrives as news when the owner [`poll`](Session::poll)s.
//! Neither side ever waits for the other. It must never know a window.

mod apply;
mod changed_file;
mod compared_runs;
mod data;
mod draft;
mod event;
mod file_watcher;
mod hub;
mod outbox;
pub(crate) mod parent;
pub mod prediction;
pub mod predictor;
mod resource_usage;
pub mod row_results;
mod rows;
mod start;
mod worker;

pub mod command;
pub mod compare;
pub mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use self::command::Command;
use self::compare::PastResults;
use self::compared_runs::ComparedRuns;
use self::draft::{Stale, UndoStack};
use self::event::{Event, Job, Work};
use self::file_watcher::FileWatcher;
use self::hub::{HubClient, HubEvent};
use self::outbox::Wake;
use self::resource_usage::UsageMeter;
use self::rows::RowSearch;
use self::state::{Loadable, Notice, Severity, State};
use crate::format::visible::{clipped, visible};
use crate::project::Project;
use crate::project::demo::default_model_dir;
use crate::project::runs;
use crate::project::unsaved::Unsaved;

/// Pieces of news that may lie unread; the worker keeps what comes beyond them.
const CHANNEL: usize = 256;

/// How often steps are told: often enough to look live, seldom enough to cost nothing.
const STEPS_EVERY: Duration = Duration::from_millis(500);
/// How often a run writes a checkpoint: what a power failure may cost.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// How long the end of the program waits for the worker's.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The session as its owner (window or command line) holds it. The worker thread behind it does the work.
pub struct Session {
    state: State,
    drafts: UndoStack,
    worker: Option<Worker>,
    /// Of a session that shows a given state there is none, as there is no worker.
    desk: Option<HubClient>,
    search: Option<RowSearch>,
    beside: Option<ComparedRuns>,
    meter: UsageMeter,
    /// Of the files that were read last.
    watch: Option<FileWatcher>,
    data_generation: u64,
    model_generation: u64,
    notices: u64,
    /// What runs said of the rows before.
    earlier: PastResults,
    /// How often a run writes a checkpoint.
    checkpoint_every: Duration,
    /// The switch that makes a pause of a stop, of the run that was asked for last.
    paused: Arc<AtomicBool>,
}

/// The worker's ends of the two queues.
struct Worker {
    jobs: Sender<Job>,
    news: Receiver<Event>,
    /// The jobs that are queued or running, oldest first.
    pending: Vec<Pending>,
    /// Ends when `jobs` is gone and the last job is done.
    thread: Option<JoinHandle<()>>,
}

/// A job that is queued or running.
struct Pending {
    /// Its switch.
    stop: Arc<AtomicBool>,
    /// It reads data or a model: Stop does not mean it while it waits.
    loads: bool,
    /// It reads data files.
    reads: bool,
    /// It is a run.
    trains: bool,
}

impl Session {
    /// Starts the worker. `wake` is called from the worker's thread whenever there is news to [`poll`](Self::poll).
    #[must_use]
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::start_with(STEPS_EVERY, wake)
    }

    /// The same for an owner to whom news costs much (a window without a graphics processor): the steps of a run
    /// are told at most once in `steps_every`, all of them together; everything else is told at once.
    #[must_use]
    pub fn start_with(steps_every: Duration, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (jobs, queue) = crossbeam_channel::unbounded();
        let (sender, news) = crossbeam_channel::bounded(CHANNEL);
        let wake: Wake = Arc::new(wake);
        let thread = worker::spawn(queue, sender, wake.clone(), steps_every);
        let mut session = Self::with_state(State::default());
        session.search = Some(RowSearch::new(wake.clone()));
        session.beside = Some(ComparedRuns::new(wake.clone()));
        session.desk = Some(HubClient::new(wake));
        session.worker = Some(Worker { jobs, news, pending: Vec::new(), thread });
        session.state.device = "cpu".into();
        session.queue(Work::FindDevices);
        session
    }

    /// A session without a worker that shows a given state: for tests of the window.
    #[must_use]
    pub fn with_state(state: State) -> Self {
        Self {
            state,
            drafts: UndoStack::default(),
            worker: None,
            desk: None,
            search: None,
            beside: None,
            meter: UsageMeter::new(),
            watch: None,
            data_generation: 0,
            model_generation: 0,
            notices: 0,
            earlier: PastResults::default(),
            checkpoint_every: CHECKPOINT_EVERY,
            paused: Arc::default(),
        }
    }

    /// How often the runs that are asked for from now on write a checkpoint; zero: after every step.
    pub const fn checkpoint_every(&mut self, every: Duration) {
        self.checkpoint_every = every;
    }

    /// What to show.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// True when no job is queued or running.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.worker.as_ref().is_none_or(|worker| worker.pending.is_empty())
    }

    /// Asks for something. Edits take effect before this returns; work is queued for the worker. Never blocks.
    pub fn send(&mut self, command: Command) {
        match command {
            Command::OpenProject(dir) => self.open(&dir),
            Command::NewProject(project) => self.adopt(*project, None),
            Command::Restore(unsaved) => self.restore(*unsaved),
            Command::SaveProject(dir) => {
                self.save(dir);
            }
            Command::Edit(edit) => {
                let stale = self.drafts.edit(&mut self.state.project, edit);
                self.refresh(stale);
            }
            Command::Undo => {
                let stale = self.drafts.undo(&mut self.state.project);
                self.refresh(stale);
            }
            Command::Redo => {
                let stale = self.drafts.redo(&mut self.state.project);
                self.refresh(stale);
            }
            Command::Compare(name) => self.compare(&name),
            Command::Correct { row, cell, now } => self.correct(row, cell, &now),
            Command::CancelReading => self.cancel_reading(),
            Command::ReloadData => self.refresh(Stale { data: true, ..Stale::default() }),
            Command::FindRows(query) => self.find_rows(query),
            Command::SelectDevice(key) => self.select_device(key),
            Command::FindCuda(folder) => {
                self.queue(Work::NameCuda(folder));
            }
            Command::Train { name } => self.train(name, None),
            Command::Branch { from, name } => self.train(name, Some(&from)),
            Command::RetrainHeads { name } => self.retrain_heads(name),
            Command::Resume(name) => self.resume(name),
            Command::FindRate => self.find_rate(),
            Command::Stop => self.stop(),
            Command::Pause => self.pause(),
            Command::ShowRun(name) => self.show_run(name),
            Command::Evaluate(split) => {
                if self.queue(Work::Evaluate(split)) {
                    self.state.evaluation = Loadable::Loading;
                }
            }
            Command::Similarity(texts) => {
                if self.queue(Work::Similarity(texts)) {
                    self.state.similarity = Loadable::Loading;
                }
            }
            Command::Map { limit } => {
                if self.queue(Work::Map { limit }) {
                    self.state.map = Loadable::Loading;
                }
            }
            Command::Neighbours { row, k } => {
                if self.queue(Work::Neighbours { row, k }) {
                    self.state.neighbours = Loadable::Loading;
                }
            }
            Command::Predict(text) => {
                if self.queue(Work::Predict(text)) {
                    self.state.prediction = Loadable::Loading;
                }
            }
            Command::Tokenize(text) => {
                let recipe = &self.state.project.recipe;
                let (prompt, max_length) = (recipe.prompt.clone(), recipe.max_length);
                if self.queue(Work::Tokenize { text, prompt, max_length }) {
                    self.state.tokenized = Loadable::Loading;
                }
            }
            Command::Export(to) => {
                if self.queue(Work::Export(to)) {
                    self.state.export = Loadable::Loading;
                }
            }
            Command::Hub(command) => self.hub_command(command),
            Command::Dismiss(id) => self.state.notices.retain(|notice| notice.id != id),
        }
    }

    /// Takes the news into the state; true when there was any. Never blocks.
    pub fn poll(&mut self) -> bool {
        let Some(worker) = &self.worker else { return false };
        let news: Vec<Event> = worker.news.try_iter().collect();
        let of_hub: Vec<HubEvent> = self.desk.iter().flat_map(|desk| desk.news.try_iter()).collect();
        let mut any = !news.is_empty() || !of_hub.is_empty();
        for piece in news {
            self.apply(piece);
        }
        for piece in of_hub {
            self.apply_hub(piece);
        }
        any |= self.take_found_rows();
        any |= self.take_changed_files();
        any |= self.take_compared();
        if !self.state.is_training() {
            self.state.load = None;
            self.meter.rest();
        } else if let Some(load) = self.meter.look() {
            self.state.load = Some(load);
        }
        any
    }

    /// Waits for news of the worker up to `timeout`, then takes it into the state: for owners without a window. True
    /// when there was any.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let Some(worker) = &self.worker else { return false };
        let deadline = Instant::now() + timeout;
        match worker.news.recv_deadline(deadline) {
            Ok(news) => {
                self.apply(news);
                self.poll();
                true
            }
            Err(_) => false,
        }
    }

    fn queue(&mut self, work: Work) -> bool {
        let Some(worker) = &mut self.worker else { return false };
        let stop = Arc::new(AtomicBool::new(false));
        let loads = matches!(
            work,
            Work::LoadData { .. }
                | Work::ChangeData { .. }
                | Work::LoadModel { .. }
                | Work::MeasureLengths { .. }
                | Work::ShowRun { .. }
        );
        let reads = matches!(work, Work::LoadData { .. });
        let trains = matches!(work, Work::Train(_));
        let sent = worker.jobs.send(Job { work, stop: stop.clone() }).is_ok();
        if sent {
            worker.pending.push(Pending { stop, loads, reads, trains });
            self.state.starting |= trains;
        } else {
            self.notify(Severity::Error, "The worker has ended. Save the project and start Frostline again.");
        }
        sent
    }

    fn stop(&mut self) {
        let pending = self.worker.iter().flat_map(|worker| &worker.pending);
        for (place, job) in pending.enumerate() {
            if place == 0 || !job.loads {
                job.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn pause(&mut self) {
        self.paused.store(true, Ordering::Relaxed);
        let running = self.worker.iter().flat_map(|worker| &worker.pending).filter(|job| job.trains);
        running.for_each(|job| job.stop.store(true, Ordering::Relaxed));
    }

    fn notify(&mut self, severity: Severity, text: impl Into<String>) {
        // What a file says in an error is shown as it is, and never longer than somebody reads.
        let text = visible(&clipped(&text.into())).into_owned();
        // The same sentence twice in a row says nothing new.
        if self.state.notices.last().is_some_and(|last| last.text == text) {
            return;
        }
        self.notices += 1;
        self.state.notices.push(Notice { id: self.notices, severity, text });
    }

    fn open(&mut self, dir: &Path) {
        if self.refuse_while_training("opening another project") {
            return;
        }
        match Project::load(dir) {
            Ok(project) => self.adopt(project, Some(dir.to_owned())),
            Err(error) => self.notify(Severity::Error, error.to_string()),
        }
    }

    fn adopt(&mut self, project: Project, dir: Option<PathBuf>) {
        if self.refuse_while_training("opening another project") {
            return;
        }
        // A new project that nothing was done to is nothing to lose.
        self.drafts.reset(Some(project.clone()));
        self.desk.iter_mut().for_each(HubClient::leave_project);
        self.beside.iter_mut().for_each(ComparedRuns::forget);
        self.earlier.forget();
        let State { devices, device, cuda_missing, cuda_library, hub, busy, notices, .. } =
            std::mem::take(&mut self.state);
        let machine = State { devices, device, cuda_missing, cuda_library, ..State::default() };
        self.state = State { project, dir, hub, busy, notices, ..machine };
        self.queue(Work::ForgetRun);
        self.list_runs();
        self.refresh(Stale { data: true, model: true, plan: true, ..Stale::default() });
        let newest = self.state.runs.iter().rev().find(|run| {
            let unusable = ["failed", "unreadable"];
            !unusable.iter().any(|how| run.outcome.starts_with(how))
        });
        if let Some(name) = newest.map(|run| run.name.clone()) {
            self.show_run(name);
        }
    }

    /// The draft as it was, beside what is in its folder.
    fn restore(&mut self, unsaved: Unsaved) {
        if self.state.is_training() {
            self.adopt(unsaved.project, unsaved.dir);
            return;
        }
        let saved = unsaved.dir.as_deref().and_then(|dir| Project::load(dir).ok());
        self.adopt(unsaved.project, unsaved.dir);
        self.drafts.reset(saved);
        self.refresh(Stale::default());
    }

    fn save(&mut self, dir: Option<PathBuf>) -> bool {
        let Some(dir) = dir.or_else(|| self.state.dir.clone()) else {
            self.notify(Severity::Error, "This project has no folder yet: choose one to save it in.");
            return false;
        };
        match self.state.project.save_from(self.state.dir.as_deref(), &dir) {
            Ok(()) => {
                self.drafts.saved(&self.state.project);
                self.state.dir = Some(dir);
                self.refresh(Stale::default());
                self.list_runs();
                true
            }
            Err(error) => {
                self.notify(Severity::Error, error.to_string());
                false
            }
        }
    }

    /// Brings everything that an edit made stale up to date.
    fn refresh(&mut self, stale: Stale) {
        self.state.dirty = self.drafts.is_dirty(&self.state.project);
        self.state.can_undo = self.drafts.can_undo();
        self.state.can_redo = self.drafts.can_redo();
        if stale.data {
            self.load_data();
        } else if stale.changes {
            self.change_data();
        }
        if stale.model {
            self.load_model();
        } else if stale.prompt && !stale.data {
            self.measure_lengths();
        }
        if stale.data || stale.model || stale.plan {
            self.preview_plan();
        }
    }

    fn load_model(&mut self) {
        self.model_generation += 1;
        let Some(path) = self.state.project.model.clone().or_else(default_model_dir) else {
            self.state.model = Loadable::Empty;
            return;
        };
        if let Some(reason) = self.absent(&path) {
            self.state.model = Loadable::Failed(reason);
            return;
        }
        self.state.model = Loadable::Loading;
        self.queue(Work::LoadModel { generation: self.model_generation, path });
    }

    fn select_device(&mut self, key: String) {
        if key == self.state.device || self.refuse_while_training("changing the device") {
            return;
        }
        self.queue(Work::SelectDevice(key));
        // The shown run is opened again there.
        if let Some(name) = self.state.run.as_ref().map(|run| run.plan.name.clone()) {
            self.show_run(name);
        }
    }

    fn refuse_while_training(&mut self, what: &str) -> bool {
        let training = self.state.is_training();
        if training {
            self.notify(Severity::Warning, format!("A run is going on. Stop it before {what}."));
        }
        training
    }

    fn show_run(&mut self, name: String) {
        if self.refuse_while_training("looking at another") {
            return;
        }
        if let Some(project_dir) = self.state.dir.clone() {
            self.state.evaluation = Loadable::Empty;
            self.state.export = Loadable::Empty;
            self.queue(Work::ShowRun { project_dir, name });
        }
    }

    fn list_runs(&mut self) {
        let Some(dir) = &self.state.dir else { return };
        match runs::list(dir) {
            Ok(list) => self.state.runs = list,
            Err(error) => self.notify(Severity::Warning, error.to_string()),
        }
    }
}

impl Drop for Session {
    /// What is running is asked to stop, and given some time to write down that it did.
    fn drop(&mut self) {
        let Some(Worker { jobs, news, pending, thread }) = self.worker.take() else { return };
        drop(jobs);
        let deadline = Instant::now() + LAST_WORDS;
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < deadline {
            for job in &pending {
                job.stop.store(true, Ordering::Relaxed);
            }
            drop(news.recv_timeout(Duration::from_millis(10)));
        }
    }
}
