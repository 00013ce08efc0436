//! The worker thread: it owns every tensor, takes jobs in order, and reports what comes of them.
//!
//! A job that panics becomes a notice (a run becomes failed), and the thread goes on with what it had.

mod explore;
mod load;
mod measure;
mod rates;
mod reporter;
mod runs;
mod texts;
mod train;

pub(super) use explore::to_embeddings;
pub(super) use runs::open_run;
pub(super) use texts::{Texts, rows_of};
pub(super) use train::{Begin, RunRequest};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tch::Device;

use super::event::{Event, Job, NoAnswer, QueryResult, Work};
use super::outbox::{Outbox, Wake};
use super::state::{Busy, DataView, DeviceInfo, RunOutcome, Severity};
use crate::explore::Embeddings;
use crate::files::guard;
use crate::machine::physical_memory;
use crate::model::Model;
use crate::model::device::{self, Devices};
use crate::project::settings::Settings;
use crate::text::tokenizer::Tokenizer;
use crate::train::plan::RunPlan;
use crate::train::report::RunReport;

/// How often news that found no room is offered again while there is no job.
const RETRY: Duration = Duration::from_millis(30);

/// Starts the thread. It ends when the queue's sender is gone.
pub(super) fn spawn(
    queue: Receiver<Job>,
    news: Sender<Event>,
    wake: Wake,
    steps_every: Duration,
) -> Option<JoinHandle<()>> {
    let run = move || Worker::new(Outbox::new(news, wake), steps_every).run(&queue);
    let spawned = std::thread::Builder::new().name("frostline-worker".into()).spawn(run);
    // Where it could not be started, the session finds its queue closed and says so.
    spawned.inspect_err(|error| tracing::error!("the worker thread could not be started: {error}")).ok()
}

/// The pretrained model with its tokeniser.
struct Base {
    path: PathBuf,
    model: Model,
    tokenizer: Tokenizer,
}

/// The model of the shown run.
struct Tuned {
    plan: Arc<RunPlan>,
    model: Model,
    tokenizer: Tokenizer,
    report: Arc<RunReport>,
    outcome: RunOutcome,
}

/// The shown run, where its model could not be loaded.
struct Unopened {
    project_dir: PathBuf,
    name: String,
    /// Why not, and what to do.
    reason: Failure,
}

/// Embeddings of the rows of the map.
struct Mapped {
    rows: Vec<usize>,
    before: Embeddings,
    after: Option<Embeddings>,
    /// Class per task and row, by the tuned model; see [`DataMap::predicted`].
    predicted: Vec<Vec<u32>>,
}

/// How texts were cut into tokens.
#[derive(PartialEq, Eq)]
struct Cut {
    /// Of the tokeniser.
    path: PathBuf,
    prompt: String,
    max_length: usize,
}

/// The thread's possessions.
struct Worker {
    outbox: Outbox,
    /// How often the steps of a run are told.
    steps_every: Duration,
    devices: Devices,
    device: Device,
    data: Option<Arc<DataView>>,
    base: Option<Base>,
    /// The pretrained model that the shown run started from, where it was needed and `base` is another.
    start: Option<Base>,
    /// Ids of all rows of `data`, by how they were cut.
    tokens: Vec<(Cut, Arc<Texts>)>,
    tuned: Option<Tuned>,
    /// Set where a run is shown whose model is not `tuned`.
    unopened: Option<Unopened>,
    map: Option<Mapped>,
}

/// Why a job gave no answer: a sentence.
type Failure = String;

/// Why one that was stopped gave none. It is not shown: see [`answer_of`].
const STOPPED: &str = "it was stopped";

impl Worker {
    fn new(outbox: Outbox, steps_every: Duration) -> Self {
        Self {
            outbox,
            steps_every,
            devices: Devices { list: Vec::new(), cuda_missing: None, cuda_library: None },
            device: Device::Cpu,
            data: None,
            base: None,
            start: None,
            tokens: Vec::new(),
            tuned: None,
            unopened: None,
            map: None,
        }
    }

    fn run(mut self, queue: &Receiver<Job>) {
        loop {
            match queue.recv_timeout(RETRY) {
                Ok(job) => self.carry_out(job),
                Err(RecvTimeoutError::Timeout) => {
                    if self.outbox.flush() {
                        // Nothing waits: sleep until there is a job.
                        match queue.recv() {
                            Ok(job) => self.carry_out(job),
                            Err(_) => return,
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn carry_out(&mut self, job: Job) {
        let without_answer = without_answer(&job.work);
        if job.work.is_query() && stopped(&job.stop) {
            self.outbox.post(without_answer(NoAnswer::Cancelled));
            self.outbox.post(Event::Done);
            return;
        }
        let done = catch_unwind(AssertUnwindSafe(|| self.work(job.work, &job.stop)));
        if let Err(panic) = done {
            let reason = format!("an unexpected fault in the program: {}", guard::words(panic.as_ref()));
            tracing::error!("a job panicked: {reason}");
            self.outbox.post(without_answer(NoAnswer::Failed(reason)));
        }
        self.outbox.post(Event::Busy(None));
        self.outbox.post(Event::Done);
    }

    fn work(&mut self, work: Work, stop: &AtomicBool) {
        match work {
            Work::FindDevices => self.find_devices(),
            Work::NameCuda(folder) => self.name_cuda(folder),
            Work::SelectDevice(key) => self.select_device(&key),
            Work::LoadData { generation, request } => {
                let answer = answer_of(self.load_data(&request, stop), stop);
                self.outbox.post(Event::Data { generation, answer });
            }
            Work::ChangeData { generation, changes } => {
                let answer = answer_of(self.change_data(&changes), stop);
                self.outbox.post(Event::Data { generation, answer });
            }
            Work::MeasureLengths { prompt } => {
                let answer = answer_of(self.measure_lengths(prompt.as_deref(), stop).map(Arc::new), stop);
                self.outbox.post(Event::Lengths(answer));
            }
            Work::LoadModel { generation, path } => {
                let answer = answer_of(self.load_model(path).map(Arc::new), stop);
                self.outbox.post(Event::Model { generation, answer });
            }
            Work::Train(request) => self.train(*request, stop),
            Work::ShowRun { project_dir, name } => {
                if let Err(reason) = self.show_run(&project_dir, &name) {
                    self.outbox.post(Event::Notice(Severity::Error, reason));
                }
            }
            Work::ForgetRun => self.forget_run(),
            Work::ForgetData => self.forget_data(),
            Work::FindRate(plan) => {
                let answer = answer_of(self.find_rate(&plan, stop).map(Arc::new), stop);
                self.outbox.post(Event::RateSearch(answer));
            }
            Work::Evaluate(split) => {
                let answer = answer_of(self.evaluate(split, stop).map(Arc::new), stop);
                self.outbox.post(Event::Evaluation(answer));
            }
            Work::Similarity(texts) => {
                let answer = answer_of(self.similarity(texts, stop).map(Arc::new), stop);
                self.outbox.post(Event::Similarity(answer));
            }
            Work::Map { limit } => {
                let answer = answer_of(self.map(limit, stop).map(Arc::new), stop);
                self.outbox.post(Event::Map(answer));
            }
            Work::Neighbours { row, k } => {
                let answer = answer_of(self.neighbours(row, k, stop).map(Arc::new), stop);
                self.outbox.post(Event::Neighbours(answer));
            }
            Work::Predict(text) => {
                let answer = answer_of(self.predict(text, stop).map(Arc::new), stop);
                self.outbox.post(Event::TextPrediction(answer));
            }
            Work::Tokenize { text, prompt, max_length } => {
                let tokenized = self.tokenize(text, prompt.as_deref(), max_length, stop);
                let answer = answer_of(tokenized.map(Arc::new), stop);
                self.outbox.post(Event::Tokenized(answer));
            }
            Work::Export(to) => {
                let answer = answer_of(self.export(&to, stop).map(Arc::new), stop);
                self.outbox.post(Event::Export(answer));
            }
        }
    }

    /// The shown run's model, and what was made with it.
    fn forget_run(&mut self) {
        (self.tuned, self.unopened) = (None, None);
        (self.start, self.map) = (None, None);
    }

    fn busy(&mut self, what: &str, fraction: Option<f32>) {
        self.outbox.post(Event::Busy(Some(Busy { what: what.to_owned(), fraction })));
    }

    fn find_devices(&mut self) {
        let settings = Settings::load().0;
        self.devices = device::find(settings.cuda_dir.as_deref());
        self.report_devices();
    }

    fn report_devices(&mut self) {
        let memory = |key: &str| (key == "cpu").then(physical_memory).flatten();
        let info = |(key, name): &(String, String)| DeviceInfo {
            key: key.clone(),
            name: name.clone(),
            memory: memory(key),
        };
        let chosen = match self.device {
            Device::Cuda(index) => format!("cuda:{index}"),
            _ => "cpu".to_owned(),
        };
        let list = self.devices.list.iter().map(info).collect();
        let cuda_missing = self.devices.cuda_missing.clone();
        let cuda_library = self.devices.cuda_library.clone();
        self.outbox.post(Event::Devices { list, chosen, cuda_missing, cuda_library });
    }

    /// libtorch looks for CUDA once, at its first tensor; so the folder is written down for the next start.
    fn name_cuda(&mut self, folder: PathBuf) {
        // The next start may have another working folder.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let mut settings = Settings::load().0;
        let text = format!("Start Frostline again to use CUDA from {}.", folder.display());
        settings.cuda_dir = Some(folder);
        let (severity, text) = match settings.save() {
            Ok(()) => (Severity::Info, text),
            Err(error) => (Severity::Error, error.to_string()),
        };
        self.outbox.post(Event::Notice(severity, text));
    }

    fn select_device(&mut self, key: &str) {
        match device::parse(key, &self.devices) {
            Ok(device) => {
                self.device = device;
                self.forget_run();
                if let Some(path) = self.base.take().map(|base| base.path)
                    && let Err(reason) = self.load_model(path)
                {
                    self.outbox.post(Event::Notice(Severity::Error, reason));
                }
            }
            Err(reason) => self.outbox.post(Event::Notice(Severity::Error, reason)),
        }
        self.report_devices();
    }
}

/// What a job gave. One that was stopped and has nothing to show was cancelled, whoever noticed it first.
fn answer_of<T>(given: Result<Arc<T>, Failure>, stop: &AtomicBool) -> QueryResult<T> {
    given.map_err(|reason| if stopped(stop) { NoAnswer::Cancelled } else { NoAnswer::Failed(reason) })
}

/// The news that a job has no answer, so that nobody waits for one for ever.
fn without_answer(work: &Work) -> Box<dyn Fn(NoAnswer) -> Event> {
    match work {
        Work::LoadData { generation, .. } | Work::ChangeData { generation, .. } => {
            let generation = *generation;
            Box::new(move |why| Event::Data { generation, answer: Err(why) })
        }
        Work::LoadModel { generation, .. } => {
            let generation = *generation;
            Box::new(move |why| Event::Model { generation, answer: Err(why) })
        }
        Work::Train(_) => Box::new(|why| Event::RunEnded {
            outcome: match why {
                NoAnswer::Cancelled => RunOutcome::Stopped { at_step: 0 },
                NoAnswer::Failed(reason) => RunOutcome::Failed(reason),
            },
            report: None,
            can_resume: false,
        }),
        Work::MeasureLengths { .. } => Box::new(|why| Event::Lengths(Err(why))),
        Work::FindRate(_) => Box::new(|why| Event::RateSearch(Err(why))),
        Work::Evaluate(_) => Box::new(|why| Event::Evaluation(Err(why))),
        Work::Similarity(_) => Box::new(|why| Event::Similarity(Err(why))),
        Work::Map { .. } => Box::new(|why| Event::Map(Err(why))),
        Work::Neighbours { .. } => Box::new(|why| Event::Neighbours(Err(why))),
        Work::Predict(_) => Box::new(|why| Event::TextPrediction(Err(why))),
        Work::Tokenize { .. } => Box::new(|why| Event::Tokenized(Err(why))),
        Work::Export(_) => Box::new(|why| Event::Export(Err(why))),
        _ => Box::new(|why| match why {
            NoAnswer::Cancelled => Event::Notice(Severity::Info, "Cancelled.".to_owned()),
            NoAnswer::Failed(reason) => {
                Event::Notice(Severity::Error, format!("That did not work: {reason}."))
            }
        }),
    }
}

/// True once the user asked to stop.
fn stopped(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}
