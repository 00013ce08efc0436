//! Models by name on the command line: the program itself, against a hub on this machine.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use crate::support::hub_server;
use crate::support::program;
use crate::support::skip;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::hub_server::{Answer, COMMIT, HubServer, Model, Request, company_certificate};
use crate::support::program::{Place, stderr, tiny_model};
use serde_json::Value;

/// A place, a server with the tiny model as `org/tiny`, and the program that knows of no other hub.
struct Desk {
    place: Place,
    server: HubServer,
}

impl Desk {
    fn new() -> Self {
        let server = HubServer::start();
        let readme = "---\nlicense: apache-2.0\n---\n";
        server.has("org/tiny", Model::of_folder(Path::new(&tiny_model())).file("README.md", readme));
        Self { place: Place::new().with_data(), server }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        command.env("HF_ENDPOINT", self.server.address());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Stdout and stderr of a run that goes well.
    fn ok(&self, args: &[&str]) -> (String, String) {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        stderr(&output)
    }

    fn snapshot(&self) -> PathBuf {
        self.place.path("user/hf/hub/models--org--tiny/snapshots").join(COMMIT)
    }

    fn partial(&self) -> PathBuf {
        let weights =
            hub_server::sha256(&Model::of_folder(Path::new(&tiny_model())).bytes("model.safetensors"));
        self.place.path("user/hf/hub/models--org--tiny/blobs").join(format!("{weights}.incomplete"))
    }
}

#[test]
fn a_download_says_size_and_licence_and_prints_the_folder() {
    let desk = Desk::new();
    let (folder, told) = desk.ok(&["download", "org/tiny"]);
    assert_eq!(Path::new(folder.trim()), desk.snapshot());
    assert!(told.contains("licence: apache-2.0") && told.contains(" kB in 9 files"), "{told}");
    assert!(!desk.snapshot().join("io.safetensors").exists(), "what is no part of the model is not fetched");

    let (object, told) = desk.ok(&["download", "org/tiny@main", "--json"]);
    let object: Value = serde_json::from_str(&object).unwrap();
    assert_eq!(
        (&object["commit"], &object["licence"], &object["fetched"]),
        (&COMMIT.into(), &"apache-2.0".into(), &0.into())
    );
    assert!(told.contains("all in the cache"), "{told}");

    let error = desk.fails(&["download", "org/tyni"]);
    assert!(error.contains("has no model org/tyni"), "{error}");
    let error = desk.fails(&["download", "../tiny"]);
    assert!(error.contains("is no name of a model on the hub"), "{error}");
}

#[test]
fn a_name_stands_for_a_folder_and_the_hub_is_asked_once() {
    let desk = Desk::new();
    let (matrix, told) = desk.ok(&["similar", "org/tiny", "one", "two", "--json"]);
    assert!(told.contains("looking for org/tiny on 127.0.0.1"), "{told}");
    let (of_folder, _) = desk.ok(&["similar", &tiny_model(), "one", "two", "--json"]);
    assert_eq!(matrix, of_folder);

    desk.server.requests();
    let pinned = format!("org/tiny@{COMMIT}");
    desk.ok(&["embed", "org/tiny", "test.csv", "-o", "out.npy"]);
    desk.ok(&["inspect", &pinned]);
    let error = desk.fails(&["predict", "org/tiny", "test.csv", "-o", "out.csv"]);
    assert!(error.contains("has no heads"), "{error}");
    assert!(desk.server.requests().is_empty(), "what is in the cache is opened without a request");
}

#[test]
fn a_mistyped_path_is_not_told_to_anybody() {
    let desk = Desk::new();
    fs::create_dir(desk.place.path("exports")).unwrap();
    for path in ["exports/secret-client", "secret", "./secret/client", "secret/client.csv", "/secret/client"]
    {
        let error = desk.fails(&["inspect", path]);
        assert!(error.contains("is not there"), "{error}");
    }
    assert!(desk.server.requests().is_empty());
}

#[test]
fn offline_opens_what_is_there_and_names_what_is_not() {
    let desk = Desk::new();
    let offline = |args: &[&str]| desk.command(args).env("HF_HUB_OFFLINE", "1").output().unwrap();
    let refused = offline(&["inspect", "org/tiny"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("not in the cache") && stderr(&refused).contains("HF_HUB_OFFLINE"));
    assert!(desk.server.requests().is_empty());

    desk.ok(&["download", "org/tiny"]);
    desk.server.requests();
    let opened = offline(&["inspect", "org/tiny"]);
    assert!(opened.status.success(), "{}", stderr(&opened));
    fs::remove_file(desk.snapshot().join("1_Pooling/config.json")).unwrap();
    let refused = stderr(&offline(&["inspect", "org/tiny"]));
    assert!(refused.contains("1_Pooling/config.json is missing"), "{refused}");
    assert!(desk.server.requests().is_empty());
}

#[test]
fn a_project_names_the_model_by_its_commit_and_fetches_it_elsewhere() {
    let desk = Desk::new();
    let files = ["--data", "train.csv", "valid.csv", "test.csv"];
    let (told, _) =
        desk.ok(
            &[&["init", "p"], &files[..], &["--model", "org/tiny", "--preset", "freeze-backbone"]].concat()
        );
    let pinned = format!("org/tiny@{COMMIT}");
    assert!(told.contains(&format!("model: {pinned}")), "{told}");
    let file = fs::read_to_string(desk.place.path("p/frostline.toml")).unwrap();
    assert!(file.contains(&format!("model = \"{pinned}\"")), "{file}");
    desk.place.edit_project(|text| text.replace("epochs = 4", "epochs = 1"));
    desk.ok(&["train", "p", "--run", "here"]);
    let plan = fs::read_to_string(desk.place.path("p/runs/here/run.toml")).unwrap();
    assert!(plan.contains(&format!("model = \"{pinned}\"")), "{plan}");

    // As on another machine: the same project, an empty cache.
    let hf = desk.place.path("user/hf");
    fs::remove_dir_all(&hf).unwrap();
    desk.ok(&["train", "p", "--run", "there"]);
    let weights = |run: &str| {
        fs::read(desk.place.path("p/runs").join(run).join("checkpoints/best.safetensors")).unwrap()
    };
    assert!(weights("here") == weights("there"), "the same commit gives the same bytes");
    fs::remove_dir_all(&hf).unwrap();
    desk.ok(&["similar", "p/runs/here", "one", "two"]);

    // A branch written by hand is pinned by the commit when it is there.
    desk.place.edit_project(|text| text.replace(&pinned, "org/tiny@main"));
    fs::remove_dir_all(&hf).unwrap();
    desk.ok(&["train", "p", "--run", "branch"]);
    let plan = fs::read_to_string(desk.place.path("p/runs/branch/run.toml")).unwrap();
    assert!(plan.contains(&format!("model = \"{pinned}\"")), "{plan}");
}

#[test]
fn a_program_that_is_killed_leaves_what_it_fetched_to_the_next() {
    let desk = Desk::new();
    desk.server
        .misbehaves(|request, right| request.is_transfer().then(|| right.clone().stalled_after(100_000)));
    let mut child = desk.command(&["download", "org/tiny"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::metadata(desk.partial()).map_or(0, |about| about.len()) < 100_000 {
        assert!(Instant::now() < deadline, "nothing arrived");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    desk.server.behaves();
    desk.server.requests();
    let (_, told) = desk.ok(&["download", "org/tiny"]);
    assert!(
        told.contains("100.0 kB of them in the cache") || told.contains("of them in the cache"),
        "{told}"
    );
    let transfer = desk.server.requests().into_iter().find(Request::is_transfer).unwrap();
    assert_eq!(transfer.headers.get("range").map(String::as_str), Some("bytes=100000-"));
}

#[test]
fn programs_that_fetch_the_same_at_once_do_not_harm_each_other() {
    let desk = Desk::new();
    let children = [(); 4].map(|()| desk.command(&["download", "org/tiny", "--json"]).spawn().unwrap());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let weights = fs::read(desk.snapshot().join("model.safetensors")).unwrap();
    assert!(weights == fs::read(Path::new(&tiny_model()).join("model.safetensors")).unwrap());
    assert_eq!(desk.server.requests().iter().filter(|request| request.is_transfer()).count(), 1);
    desk.ok(&["inspect", "org/tiny"]);
}

/// Runs a script with mounts of its own, where this machine lets an ordinary program have them.
#[cfg(target_os = "linux")]
fn with_mounts(desk: &Desk, script: &str) -> Option<Output> {
    let hf = desk.place.path("user/hf");
    fs::create_dir_all(&hf).unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]).env("FROSTLINE", program::PROGRAM);
        command.env("HF_HOME", &hf).env("HF_ENDPOINT", desk.server.address()).output()
    };
    if !unshare("mount -t tmpfs tmpfs $HF_HOME").is_ok_and(|output| output.status.success()) {
        skip::skip("this user may not mount a file system");
        return None;
    }
    Some(unshare(script).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_small_or_full_disk_and_a_read_only_cache_are_said() {
    let desk = Desk::new();
    let small = "mount -t tmpfs -o size=200k tmpfs $HF_HOME && $FROSTLINE download org/tiny";
    let Some(output) = with_mounts(&desk, small) else { return };
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("are needed and") && said.contains("Make room"), "{said}");
    assert!(
        !desk.server.requests().iter().any(Request::is_transfer),
        "it is said before anything is fetched"
    );

    // It fills up while the download goes on: from the first transfer on, and before the second.
    let begun = desk.place.path("begun");
    desk.server.misbehaves({
        let begun = begun.clone();
        move |request, _| {
            if request.is_transfer() && !begun.exists() {
                fs::write(&begun, "").unwrap();
                std::thread::sleep(Duration::from_millis(1500));
            }
            None
        }
    });
    let fills = format!(
        "mount -t tmpfs -o size=500k tmpfs $HF_HOME
        (until [ -e '{}' ]; do sleep 0.05; done; head -c 400000 /dev/zero > $HF_HOME/other) &
        $FROSTLINE download org/tiny",
        begun.display()
    );
    let said = stderr(&with_mounts(&desk, &fills).unwrap());
    assert!(said.contains("the disk is full. Make room"), "{said}");
    desk.server.behaves();

    let read_only = "mount --bind -o ro $HF_HOME $HF_HOME && mount -o remount,ro,bind $HF_HOME
        $FROSTLINE download org/tiny";
    let said = stderr(&with_mounts(&desk, read_only).unwrap());
    assert!(said.contains("the cache is read-only") && said.contains("set HF_HOME"), "{said}");

    // What is whole is opened from a cache that cannot be written.
    desk.ok(&["download", "org/tiny"]);
    let read_only = read_only.replace("download", "inspect");
    let output = with_mounts(&desk, &read_only).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_token_of_the_environment_is_used() {
    let desk = Desk::new();
    desk.server.wants_token("hf_secret");
    let error = desk.fails(&["download", "org/tiny"]);
    assert!(error.contains("Accept them on") && error.contains("HF_TOKEN"), "{error}");
    let file = desk.place.path("user/hf/token");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "hf_secret\n").unwrap();
    let (_, told) = desk.ok(&["download", "org/tiny"]);
    assert!(!told.contains("hf_secret"));
    desk.server.misbehaves(|request, _| request.is_for("/api/").then(|| Answer::status(401)));
    let error = desk.fails(&["download", "org/tiny"]);
    assert!(error.contains("refuses the token") && !error.contains("hf_secret"), "{error}");
}

/// A proxy that takes every connection to the server, whatever host it is meant for; its address.
fn proxy_to(server: &HubServer) -> String {
    let (listener, hub) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), server.address().replace("http://", ""));
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let mut line = String::from("CONNECT");
            while !line.trim().is_empty() {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            let (mut client, mut hub) = (client, TcpStream::connect(&hub).unwrap());
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut back_client, mut back_hub) = (client.try_clone().unwrap(), hub.try_clone().unwrap());
            std::thread::spawn(move || drop(io::copy(&mut client, &mut hub)));
            std::thread::spawn(move || drop(io::copy(&mut back_hub, &mut back_client)));
        }
    });
    format!("http://{address}")
}

#[test]
fn the_token_crosses_no_network_in_clear() {
    let desk = Desk::new();
    let proxy = proxy_to(&desk.server);
    let output = desk
        .command(&["download", "org/tiny"])
        .envs([("HF_ENDPOINT", "http://hub.example"), ("HF_TOKEN", "hf_secret"), ("ALL_PROXY", &proxy)])
        .output()
        .unwrap();
    let told = stderr(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("the token is not sent to hub.example"), "{told}");
    let requests = desk.server.requests();
    assert!(requests.iter().any(|request| request.is_for("/api/")));
    assert!(!format!("{requests:?}").contains("hf_secret"), "{requests:?}");

    // Where it is needed, the message says why it was not sent.
    desk.server.misbehaves(|request, _| request.is_for("/api/").then(|| Answer::status(401)));
    let output = desk
        .command(&["download", "org/tiny"])
        .envs([("HF_ENDPOINT", "http://hub.example"), ("HF_TOKEN", "hf_secret"), ("ALL_PROXY", &proxy)])
        .output()
        .unwrap();
    assert!(stderr(&output).contains("the token is sent to https addresses only"), "{}", stderr(&output));
}

#[test]
fn what_is_on_this_machine_is_asked_without_a_proxy() {
    let desk = Desk::new();
    desk.server.wants_token("hf_secret");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://ada:secret@{}", proxy.local_addr().unwrap());
    let output = desk
        .command(&["download", "org/tiny"])
        .envs([("HF_TOKEN", "hf_secret"), ("ALL_PROXY", &address)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn users_and_passwords_in_addresses_are_not_shown() {
    let desk = Desk::new();
    let endpoint = desk.server.address().replace("http://", "http://ada:secret@");
    let run = |variables: &[(&str, &str)]| {
        let mut command = desk.command(&["download", "org/tiny"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert!(!all.contains("secret") && !all.contains("ada"), "{all}");
        all
    };
    desk.server.misbehaves(|request, _| {
        request.is_for("/api/").then(|| Answer::status(403).with("X-Error-Code", "GatedRepo"))
    });
    assert!(run(&[("HF_ENDPOINT", &endpoint)]).contains("Accept them on http://127.0.0.1:"));
    assert!(run(&[("HF_ENDPOINT", "ftp://ada:secret@hub.example")]).contains("hub.example"));
    let nobody =
        [("HF_ENDPOINT", "http://ada:secret@hub.example"), ("ALL_PROXY", "http://ada:secret@127.0.0.1:9")];
    assert!(run(&nobody).contains("hub.example cannot be reached"));
    desk.server.behaves();
    run(&[("HF_ENDPOINT", &endpoint)]);
    assert!(desk.snapshot().join("config.json").exists());
}

#[test]
fn certificates_of_a_company_are_named_by_a_variable() {
    let server = HubServer::start_safe();
    server.has("org/tiny", Model::of_folder(Path::new(&tiny_model())));
    let desk = Desk { server, place: Place::new().with_data() };
    let error = desk.fails(&["download", "org/tiny"]);
    assert!(error.contains("set SSL_CERT_FILE to"), "{error}");
    let output = desk.command(&["download", "org/tiny"]).env("SSL_CERT_FILE", company_certificate()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}
