//! File dialogs: the only place that knows of `rfd`. A dialog never blocks the window: it is waited for on a
//! thread, and its answer is fetched with [`Dialogs::poll`].

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::export::is_export;

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::Context;

/// What is asked for, and what it is wanted for.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Data files in place of the project's.
    DataFiles,
    /// Further data files.
    MoreDataFiles,
    /// A folder of further data files.
    DataFolder,
    /// The folder of a pretrained model.
    ModelFolder,
    /// A project folder to open.
    ProjectFolder,
    /// A folder to save the project in.
    SaveFolder,
    /// A folder to export to.
    ExportFolder,
    /// A folder in which CUDA may be.
    CudaFolder,
    /// A new file and what to write into it.
    NewFile {
        /// Proposed name.
        name: String,
        /// What to write.
        bytes: Arc<[u8]>,
    },
}

impl Question {
    /// The title of the dialog.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::DataFiles => "Open labelled texts",
            Self::MoreDataFiles => "Add labelled texts",
            Self::DataFolder => "Add a folder of labelled texts",
            Self::ModelFolder => "Choose the folder of a pretrained model",
            Self::ProjectFolder => "Open a project folder",
            Self::SaveFolder => "Save the project in a folder",
            Self::ExportFolder => "Export to a folder",
            Self::CudaFolder => "Where are the CUDA libraries? A Python environment or a libtorch",
            Self::NewFile { .. } => "Save as",
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// These paths; at least one.
    Chosen(Vec<PathBuf>),
    /// The user thought better of it.
    Cancelled,
    /// No dialog could be shown: the system has none.
    Unavailable,
}

type Answered = (Question, Answer);

/// Asks the user for files and folders.
#[derive(Debug)]
pub struct Dialogs {
    kind: Kind,
    sender: Sender<Answered>,
    receiver: Receiver<Answered>,
    open: bool,
}

#[derive(Debug)]
enum Kind {
    Native,
    Scripted(VecDeque<Answer>),
}

impl Dialogs {
    /// The system's own dialogs.
    #[must_use]
    pub fn native() -> Self {
        Self::of(Kind::Native)
    }

    /// Answers in order instead of dialogs, for tests; then nothing but `Cancelled`.
    #[must_use]
    pub fn scripted(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::of(Kind::Scripted(answers.into_iter().collect()))
    }

    fn of(kind: Kind) -> Self {
        let (sender, receiver) = unbounded();
        Self { kind, sender, receiver, open: false }
    }

    /// Shows a dialog, unless one is open. The context is woken when the answer is there.
    pub fn ask(&mut self, question: Question, ctx: &Context) {
        if self.open {
            return;
        }
        self.open = true;
        let sender = self.sender.clone();
        let ctx = ctx.clone();
        let deliver = move |question: Question, answer: Answer| {
            // The receiver is gone only when the window is, and then nobody waits.
            drop(sender.send((question, answer)));
            ctx.request_repaint();
        };
        match &mut self.kind {
            Kind::Scripted(answers) => {
                deliver(question, answers.pop_front().unwrap_or(Answer::Cancelled));
            }
            Kind::Native => {
                // Made here, because macOS wants its dialogs made on the main thread; waited for elsewhere.
                let waiting = native(&question);
                let asked = Instant::now();
                std::thread::spawn(move || {
                    let chosen = pollster::block_on(waiting);
                    deliver(question, judge(chosen, asked.elapsed()));
                });
            }
        }
    }

    /// The answer to the open dialog, once it is there.
    pub fn poll(&mut self) -> Option<(Question, Answer)> {
        let answer = self.receiver.try_recv().ok()?;
        self.open = false;
        Some(answer)
    }

    /// True while a dialog is shown.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = Vec<PathBuf>> + Send>>;

/// Endings of the files that data mostly lies in; others are behind "All files".
const ENDINGS: [&str; 16] = [
    "csv", "tsv", "tab", "psv", "txt", "json", "jsonl", "ndjson", "parquet", "conll", "conllu", "conllup",
    "bio", "iob", "tags", "gz",
];

fn native(question: &Question) -> Waiting {
    let mut dialog = rfd::AsyncFileDialog::new().set_title(question.title());
    match question {
        Question::DataFiles | Question::MoreDataFiles => {
            let waiting =
                dialog.add_filter("Labelled texts", &ENDINGS).add_filter("All files", &["*"]).pick_files();
            Box::pin(async move {
                let files = waiting.await.unwrap_or_default();
                files.iter().map(|file| file.path().to_path_buf()).collect()
            })
        }
        Question::NewFile { name, .. } => {
            dialog = dialog.set_file_name(name);
            let waiting = dialog.save_file();
            Box::pin(async move { waiting.await.iter().map(|file| file.path().to_path_buf()).collect() })
        }
        _ => {
            let waiting = dialog.set_can_create_directories(true).pick_folder();
            Box::pin(async move { waiting.await.iter().map(|file| file.path().to_path_buf()).collect() })
        }
    }
}

/// `rfd` does not tell a cancelled dialog from one that could not be shown; nobody cancels as fast as that, though.
fn judge(chosen: Vec<PathBuf>, after: Duration) -> Answer {
    const NOBODY_IS_FASTER: Duration = Duration::from_millis(200);
    match chosen.is_empty() {
        false => Answer::Chosen(chosen),
        true if cfg!(target_os = "linux") && after < NOBODY_IS_FASTER => Answer::Unavailable,
        true => Answer::Cancelled,
    }
}

/// Opens a folder in the system's file manager, without waiting for it.
///
/// # Errors
/// When the system has no program for that.
pub fn show_folder(folder: &Path) -> std::io::Result<()> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let mut child = std::process::Command::new(program).arg(folder).spawn()?;
    // Waited for on a thread, so that no zombie process is left.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// An empty or new folder is filled, and an earlier export replaced as [`crate::export`] does it; in any other a new folder
/// with the run's name is made, so that nothing is mixed up.
pub(super) fn export_folder(chosen: PathBuf, run: &str) -> PathBuf {
    let is_empty = |folder: &Path| {
        std::fs::read_dir(folder).map_or(!folder.exists(), |mut entries| entries.next().is_none())
    };
    if is_empty(&chosen) || is_export(&chosen) {
        return chosen;
    }
    let mut names = std::iter::once(run.to_owned()).chain((2_u32..).map(|number| format!("{run}-{number}")));
    let free = names.find(|name| is_empty(&chosen.join(name)));
    chosen.join(free.unwrap_or_else(|| run.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripted_answers_come_in_order_and_one_dialog_at_a_time() {
        let ctx = Context::default();
        let chosen = Answer::Chosen(vec!["a.csv".into()]);
        let mut dialogs = Dialogs::scripted([chosen.clone()]);
        dialogs.ask(Question::DataFiles, &ctx);
        dialogs.ask(Question::ModelFolder, &ctx);
        assert!(dialogs.is_open());
        assert_eq!(dialogs.poll(), Some((Question::DataFiles, chosen)));
        assert_eq!(dialogs.poll(), None, "the second was refused while the first was open");
        dialogs.ask(Question::ModelFolder, &ctx);
        assert_eq!(dialogs.poll(), Some((Question::ModelFolder, Answer::Cancelled)));
    }

    #[test]
    fn an_empty_answer_at_once_means_that_there_is_no_dialog() {
        let slow = Duration::from_secs(2);
        assert_eq!(judge(Vec::new(), slow), Answer::Cancelled);
        assert_eq!(judge(vec!["x".into()], Duration::ZERO), Answer::Chosen(vec!["x".into()]));
        if cfg!(target_os = "linux") {
            assert_eq!(judge(Vec::new(), Duration::from_millis(5)), Answer::Unavailable);
        }
    }

    #[test]
    fn an_export_does_not_mix_with_what_is_there() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(export_folder(dir.path().to_path_buf(), "run-1"), dir.path());
        assert_eq!(export_folder(dir.path().join("new"), "run-1"), dir.path().join("new"));
        std::fs::write(dir.path().join("notes.txt"), "x").expect("a file");
        assert_eq!(export_folder(dir.path().to_path_buf(), "run-1"), dir.path().join("run-1"));
        // What was chosen itself, an earlier export, is exported to again.
        let earlier = dir.path().join("model");
        std::fs::create_dir_all(earlier.join("heads")).expect("a folder");
        std::fs::write(earlier.join("heads/config.json"), "{}").expect("a file");
        assert_eq!(export_folder(earlier.clone(), "run-1"), earlier);
        // One that was not chosen stays.
        std::fs::create_dir(dir.path().join("run-1")).expect("a folder");
        std::fs::write(dir.path().join("run-1/config.json"), "{}").expect("a file");
        assert_eq!(export_folder(dir.path().to_path_buf(), "run-1"), dir.path().join("run-1-2"));
    }
}
