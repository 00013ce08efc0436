//! The hub's side of the session: look-ups and downloads on threads of their own, so that neither the worker's tensors
//! nor the window wait for a network. What comes of them arrives as news when the owner polls.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Session;
use super::command::{Command, Edit, HubCommand};
use super::outbox::Wake;
use super::state::{Download, DownloadEnd, Loadable, Severity};
use crate::hub::{CachedModel, Hub, HubError, HubName, Progress, RemoteModel};

/// How often progress is told: often enough to look live, seldom enough to cost nothing.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What the threads say.
#[derive(Debug)]
pub(super) enum HubEvent {
    /// What the hub has under the name that was asked for so-many-eth.
    RemoteModel {
        asked: u64,
        answer: Result<Arc<RemoteModel>, String>,
    },
    Progress(Progress),
    /// A download ended; the offer says how much of it is in the cache now.
    Ended {
        end: DownloadEnd,
        offer: Arc<RemoteModel>,
    },
    Models(Vec<CachedModel>),
}

/// The session's end of the threads.
pub(super) struct HubClient {
    /// Where tests have it; as the environment says when `None`, which is read anew for each request.
    hub: Option<Hub>,
    sender: Sender<HubEvent>,
    pub(super) news: Receiver<HubEvent>,
    wake: Wake,
    asked: u64,
    /// Switches of the look-up and of the download that go on.
    look_up: Arc<AtomicBool>,
    download: Arc<AtomicBool>,
    /// The project is still the one that the download was begun for.
    for_project: bool,
}

impl HubClient {
    pub(super) fn new(wake: Wake) -> Self {
        // No bound: progress is told seldom, everything else once.
        let (sender, news) = unbounded();
        Self {
            hub: None,
            sender,
            news,
            wake,
            asked: 0,
            look_up: Arc::default(),
            download: Arc::default(),
            for_project: false,
        }
    }

    pub(super) fn wake(&self) -> Wake {
        self.wake.clone()
    }

    fn hub(&self) -> Result<Hub, HubError> {
        self.hub.clone().map_or_else(Hub::from_env, Ok)
    }

    /// Runs something on a thread of its own. What it says last is what it gives; of a panic, what `failed` makes.
    fn spawn(
        &self,
        failed: impl FnOnce(String) -> HubEvent + Send + 'static,
        work: impl FnOnce(&Sender<HubEvent>, &Wake) -> HubEvent + Send + 'static,
    ) {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let run = move || {
            let done = catch_unwind(AssertUnwindSafe(|| work(&sender, &wake)));
            let news = done.unwrap_or_else(|_| failed("an unexpected fault in the program".into()));
            // When the session is gone, nobody is left to tell.
            drop(sender.send(news));
            wake();
        };
        if let Err(error) = std::thread::Builder::new().name("frostline-hub".into()).spawn(run) {
            tracing::error!("no thread for the hub could be started: {error}");
        }
    }

    /// Another project is open: what is still being fetched is not its model.
    pub(super) const fn leave_project(&mut self) {
        self.for_project = false;
    }
}

impl Drop for HubClient {
    /// What is partly fetched stays in the cache; the next download goes on from there.
    fn drop(&mut self) {
        self.look_up.store(true, Ordering::Relaxed);
        self.download.store(true, Ordering::Relaxed);
    }
}

impl Session {
    /// Uses this hub instead of the one that the environment names: for tests.
    pub fn use_hub(&mut self, hub: Hub) {
        if let Some(desk) = &mut self.desk {
            desk.hub = Some(hub);
        }
    }

    pub(super) fn hub_command(&mut self, command: HubCommand) {
        match command {
            HubCommand::LookUp(text) => self.look_up(&text),
            HubCommand::Download => self.download(),
            HubCommand::Cancel => self.cancel_download(),
            HubCommand::List => self.list_models(),
        }
    }

    fn look_up(&mut self, text: &str) {
        let Some(desk) = &mut self.desk else { return };
        desk.look_up.store(true, Ordering::Relaxed);
        desk.asked += 1;
        let found = desk.hub().and_then(|hub| Ok((hub, text.parse::<HubName>()?)));
        let (hub, name) = match found {
            Ok(found) => found,
            Err(error) => return self.state.hub.offer = Loadable::Failed(error.to_string()),
        };
        let warning = hub.place().token_warning();
        let (asked, stop) = (desk.asked, Arc::new(AtomicBool::new(false)));
        desk.look_up.clone_from(&stop);
        self.state.hub.offer = Loadable::Loading;
        desk.spawn(
            move |reason| HubEvent::RemoteModel { asked, answer: Err(reason) },
            move |_, _| {
                let answer = hub.look_up(&name, &|| stop.load(Ordering::Relaxed));
                HubEvent::RemoteModel {
                    asked,
                    answer: answer.map(Arc::new).map_err(|error| error.to_string()),
                }
            },
        );
        if let Some(warning) = warning {
            self.notify(Severity::Warning, warning);
        }
    }

    /// Fetches what the last look-up offered; the project's model it is then.
    fn download(&mut self) {
        let going_on = self.state.hub.is_downloading();
        let (Some(desk), Some(offer), false) = (&mut self.desk, self.state.hub.offer.ready(), going_on)
        else {
            return;
        };
        let hub = match desk.hub() {
            Ok(hub) => hub,
            Err(error) => return self.notify(Severity::Error, error.to_string()),
        };
        let (offer, stop) = (offer.clone(), Arc::new(AtomicBool::new(false)));
        desk.download.clone_from(&stop);
        desk.for_project = true;
        let progress = Progress {
            done: offer.bytes() - offer.bytes_to_fetch(),
            total: offer.bytes(),
            ..Progress::default()
        };
        self.state.hub.download = Some(Download { offer: offer.clone(), progress, end: None });
        let of_panic = offer.clone();
        desk.spawn(
            move |reason| HubEvent::Ended { end: DownloadEnd::Failed(reason), offer: of_panic },
            move |sender, wake| {
                let mut told: Option<Instant> = None;
                let done = hub.download(&offer, &|| stop.load(Ordering::Relaxed), &mut |progress| {
                    if told.is_none_or(|told| told.elapsed() >= PROGRESS_EVERY) {
                        told = Some(Instant::now());
                        drop(sender.send(HubEvent::Progress(progress.clone())));
                        wake();
                    }
                });
                let end = match done {
                    Ok(folder) => DownloadEnd::Done(folder),
                    Err(HubError::Cancelled) => DownloadEnd::Cancelled,
                    Err(error) => DownloadEnd::Failed(error.to_string()),
                };
                HubEvent::Ended { end, offer: Arc::new(hub.measured(&offer)) }
            },
        );
    }

    fn cancel_download(&mut self) {
        if let Some(desk) = &self.desk {
            desk.download.store(true, Ordering::Relaxed);
        }
    }

    fn list_models(&mut self) {
        let Some(desk) = &self.desk else { return };
        match desk.hub() {
            Ok(hub) => desk.spawn(|_| HubEvent::Models(Vec::new()), move |_, _| HubEvent::Models(hub.list())),
            Err(error) => self.state.hub.models = Loadable::Failed(error.to_string()),
        }
        if self.state.hub.models == Loadable::Empty {
            self.state.hub.models = Loadable::Loading;
        }
    }

    pub(super) fn apply_hub(&mut self, news: HubEvent) {
        let Some(desk) = &self.desk else { return };
        match news {
            HubEvent::RemoteModel { asked, answer } => {
                // An answer to an earlier question is of no use any more.
                if asked == desk.asked {
                    self.state.hub.offer = answer.map_or_else(Loadable::Failed, Loadable::Ready);
                }
            }
            HubEvent::Progress(progress) => {
                if let Some(download) = &mut self.state.hub.download {
                    download.progress = progress;
                }
            }
            HubEvent::Models(models) => self.state.hub.models = Loadable::Ready(Arc::new(models)),
            HubEvent::Ended { end, offer } => self.end_download(end, &offer),
        }
    }

    fn end_download(&mut self, end: DownloadEnd, offer: &Arc<RemoteModel>) {
        let is_shown = self.state.hub.offer.ready().is_some_and(|shown| shown.pinned() == offer.pinned());
        if is_shown {
            self.state.hub.offer = Loadable::Ready(offer.clone());
        }
        if let DownloadEnd::Done(folder) = &end {
            let name = &offer.name;
            if self.desk.as_ref().is_some_and(|desk| desk.for_project) {
                self.notify(
                    Severity::Success,
                    format!("{name} is downloaded, and is the project's model now."),
                );
                self.use_model(folder.clone());
            } else {
                self.notify(Severity::Success, format!("{name} is downloaded: choose it on the Model page."));
            }
        }
        if let Some(download) = &mut self.state.hub.download {
            download.progress.done = offer.bytes() - offer.bytes_to_fetch();
            download.end = Some(end);
        }
        self.list_models();
    }

    fn use_model(&mut self, folder: PathBuf) {
        if self.state.project.model.as_ref() == Some(&folder) {
            // The project named it before it was there.
            self.load_model();
            self.preview_plan();
        } else {
            self.send(Command::Edit(Edit::SetModel(folder)));
        }
    }

    /// Why a model's folder cannot be opened, where it is one of the hub's that is not here; what to do.
    pub(super) fn absent(&self, model: &Path) -> Option<String> {
        let hub = self.desk.as_ref()?.hub().ok()?;
        let name = hub.name_of(model)?;
        hub.find(&name).err().map(|error| error.to_string())
    }
}
