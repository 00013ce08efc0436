//! One run from end to end in a real window on a real X server: file dialog, keyboard, exit code.
//!
//! It needs Xvfb, xdotool and zenity. Where they are missing it says so and passes, unless
//! `FROSTLINE_WINDOW_TESTS=required`, as on a build server.
#![cfg(all(feature = "window", target_os = "linux"))]
#![expect(clippy::expect_used, reason = "a broken fixture should stop the test")]
#![expect(clippy::print_stderr, reason = "why a test was skipped belongs in its output")]

use crate::support::skip;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use frostline::project::trust::Trust;

/// For each thing that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// A process that does not outlive the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(PAUSE);
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// An X server of the test's own.
struct Screen {
    display: String,
    _server: Guard,
}

impl Screen {
    /// The server chooses a free display itself and says which on its standard output.
    fn open(dir: &Path) -> Self {
        let said = dir.join("display");
        let out = fs::File::create(&said).expect("a file");
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb");
        let server = Guard(server);
        let number = until("Xvfb says its display", || {
            let text = fs::read_to_string(&said).ok()?;
            text.ends_with('\n').then(|| text.trim().to_owned())
        });
        Self { display: format!(":{number}"), _server: server }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // Without a session bus there is no portal, and dialogs are zenity's.
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY");
        command
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("XDG_RUNTIME_DIR", "/nonexistent")
            .env("NO_AT_BRIDGE", "1");
        command
    }

    fn xdotool(&self, arguments: &[&str]) -> Option<String> {
        let output = self.command("xdotool").args(arguments).stderr(Stdio::null()).output().expect("xdotool");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The visible window of that title.
    fn window(&self, title: &str) -> Option<String> {
        let pattern = format!("^{title}");
        let found = self.xdotool(&["search", "--onlyvisible", "--name", &pattern])?;
        found.lines().next_back().map(str::to_owned)
    }

    /// The file dialog, if one is shown. Its title is zenity's own.
    fn dialog(&self) -> Option<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--class", "zenity"])?;
        found.lines().next().map(str::to_owned)
    }

    /// Presses keys until a file dialog is there: those that come before the window first draws are lost.
    fn open_dialog(&self, window: &str, keys: &str) -> String {
        until(&format!("{keys} opens a dialog"), || {
            self.press(window, keys);
            let deadline = Instant::now() + Duration::from_secs(5);
            while Instant::now() < deadline {
                if let Some(dialog) = self.dialog() {
                    return Some(dialog);
                }
                std::thread::sleep(PAUSE);
            }
            None
        })
    }

    /// There is no window manager: what should have the keyboard has to be told.
    fn focus(&self, window: &str) {
        until("the window has the keyboard", || {
            self.xdotool(&["windowfocus", window])?;
            (self.xdotool(&["getwindowfocus", "-f"])? == window).then_some(())
        });
    }

    fn press(&self, window: &str, keys: &str) {
        self.focus(window);
        self.xdotool(&["key", "--clearmodifiers", keys]).expect("a key");
    }

    /// Types a path into a file dialog, and waits until it is gone.
    fn answer(&self, dialog: &str, path: &Path) {
        let path = path.to_str().expect("a path in UTF-8");
        let deadline = Instant::now() + PATIENCE;
        // A dialog that has just been mapped may not listen yet: typed again until it is content.
        while self.dialog().is_some() {
            assert!(Instant::now() < deadline, "the file dialog stays");
            self.focus(dialog);
            // A slash shows the field for a path, and takes a moment in which further keys would be lost.
            self.xdotool(&["key", "slash"]);
            std::thread::sleep(5 * PAUSE);
            self.xdotool(&["key", "ctrl+a"]);
            self.xdotool(&["type", "--delay", "20", path]);
            std::thread::sleep(3 * PAUSE);
            self.xdotool(&["key", "Return"]);
            let patience = Instant::now() + Duration::from_secs(3);
            while self.dialog().is_some() && Instant::now() < patience {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Keeps a picture of the screen for whoever looks at the build, where `ImageMagick` is installed.
    fn picture(&self, name: &str) {
        let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/e2e");
        if !is_installed("import") || fs::create_dir_all(&to).is_err() {
            eprintln!("no picture {name}: ImageMagick's import is not installed");
            return;
        }
        let taken = self.command("import").args(["-window", "root"]).arg(to.join(name)).status();
        assert!(taken.is_ok_and(|status| status.success()), "import failed");
    }
}

/// A project without data whose model is the tiny one; and data to be opened in the window.
fn prepare(home: &Path) -> (PathBuf, PathBuf) {
    let mut data = "text,topic,tone\n".to_owned();
    for row in 0..60 {
        let (subject, topic) = [("card", "billing"), ("flight", "travel"), ("hotel", "travel")][row % 3];
        let (verdict, tone) = [("was cancelled", "bad"), ("works very well", "good")][row / 3 % 2];
        writeln!(data, "my {subject} number {row} {verdict},{topic},{tone}").expect("a string takes it");
    }
    let file = home.join("messages.csv");
    fs::write(&file, data).expect("a file");
    let project = home.join("project");
    fs::create_dir_all(&project).expect("a folder");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/bert");
    let text = format!(
        "version = 1\nname = \"End to end\"\nmodel = '{}'\n\n[recipe]\npreset = \"freeze-backbone\"\nepochs = 3\n\
         max_length = 64\n",
        model.display()
    );
    fs::write(project.join("frostline.toml"), text).expect("a file");
    // The model lies outside the project: its user agreed to that before.
    Trust::at(&home.join("config")).confirm(&project, &[model]).expect("a record");
    (project, file)
}

/// The report of the project's only run, once it is whole.
fn report(project: &Path) -> Option<serde_json::Value> {
    let run = fs::read_dir(project.join("runs")).ok()?.next()?.ok()?;
    serde_json::from_slice(&fs::read(run.path().join("report.json")).ok()?).ok()
}

fn wait_for_end(app: &mut Guard) -> ExitStatus {
    until("the app has ended", || app.0.try_wait().expect("its status"))
}

#[test]
fn a_run_by_keyboard_in_a_real_window() {
    let missing: Vec<&str> =
        ["Xvfb", "xdotool", "zenity"].into_iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        let required = std::env::var("FROSTLINE_WINDOW_TESTS").is_ok_and(|value| value == "required");
        assert!(!required, "not installed: {}", missing.join(", "));
        skip::skip(&format!("not installed: {}", missing.join(", ")));
        return;
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let (project, data) = prepare(home.path());
    let exported = home.path().join("exported");
    fs::create_dir_all(&exported).expect("a folder");
    let screen = Screen::open(home.path());
    let log = fs::File::create(home.path().join("log")).expect("a file");
    let app = screen
        .command(env!("CARGO_BIN_EXE_frostline"))
        .arg(&project)
        .env("FROSTLINE_CONFIG_DIR", home.path().join("config"))
        .env("FROSTLINE_DATA_DIR", home.path().join("data"))
        .stderr(log)
        .spawn()
        .expect("the app");
    let mut app = Guard(app);
    let window = until("the window is there", || {
        let ended = app.0.try_wait().expect("its status");
        assert!(ended.is_none(), "{}", fs::read_to_string(home.path().join("log")).unwrap_or_default());
        screen.window("Frostline$")
    });

    let dialog = screen.open_dialog(&window, "ctrl+o");
    screen.picture("dialog.png");
    screen.answer(&dialog, &data);
    until("a run is started with Ctrl+Enter", || {
        screen.press(&window, "ctrl+Return");
        std::thread::sleep(5 * PAUSE);
        project.join("runs").is_dir().then_some(())
    });
    let report = until("the run is written down", || report(&project));
    screen.picture("trained.png");
    assert!(report.to_string().contains("topic"), "{report}");

    let dialog = screen.open_dialog(&window, "ctrl+e");
    screen.answer(&dialog, &exported);
    until("the model is exported", || exported.join("model.safetensors").is_file().then_some(()));
    screen.press(&window, "ctrl+7");
    std::thread::sleep(5 * PAUSE);
    screen.picture("exported.png");

    // The draft was edited: leaving it is asked about, and saved first.
    screen.press(&window, "ctrl+s");
    until("the project is saved", || {
        let text = fs::read_to_string(project.join("frostline.toml")).ok()?;
        text.contains("messages.csv").then_some(())
    });
    screen.press(&window, "ctrl+q");
    let status = wait_for_end(&mut app);
    let log = fs::read_to_string(home.path().join("log")).unwrap_or_default();
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
}
