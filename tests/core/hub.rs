//! Models by name, from a hub that misbehaves in every way that hubs and networks do, into the cache that Python reads.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]
#![expect(clippy::expect_used, reason = "a broken fixture should stop the test")]

use crate::support::hub_server;
use crate::support::skip;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::hub_server::{
    Answer, COMMIT, HubServer, Model, company_certificate, git_sha1, noise, sha256,
};
use frostline::hub::{Hub, HubConfig, HubError, HubName, Progress, Timeouts, Token};
use serde_json::json;

const WEIGHTS: usize = 3_000_000;
/// The files that are needed of the small model.
const NEEDED: [&str; 7] = [
    "README.md",
    "modules.json",
    "config.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "1_Pooling/config.json",
    "model.safetensors",
];

/// A server, an empty cache, and a hub that is quick to lose patience.
struct Desk {
    server: HubServer,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self::with(HubServer::with_small())
    }

    /// A hub over https that only those trust who name the company's certificate.
    fn safe() -> Self {
        let server = HubServer::start_safe();
        server.has("org/small", Model::small());
        Self::with(server)
    }

    fn with(server: HubServer) -> Self {
        Self { server, dir: tempfile::tempdir().expect("a folder") }
    }

    fn place(&self) -> HubConfig {
        HubConfig {
            cache: self.dir.path().join("hub"),
            endpoint: self.server.address().parse().expect("an address"),
            token: None,
            offline: false,
            certificates: Vec::new(),
        }
    }

    fn hub(&self) -> Hub {
        Hub::at(self.place(), patience())
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("hub/models--org--small")
    }

    fn blob(&self) -> PathBuf {
        self.repo().join("blobs").join(sha256(&noise(WEIGHTS)))
    }

    fn partial(&self) -> PathBuf {
        self.blob().with_extension("incomplete")
    }

    fn fetch(&self) -> Result<PathBuf, HubError> {
        fetch(&self.hub(), "org/small")
    }

    fn refused(&self) -> String {
        self.fetch().expect_err("it should be refused").to_string()
    }

    /// How often the bytes of the weights were asked for, and from which byte.
    fn transfers(&self) -> Vec<Option<String>> {
        let requests = self.server.requests().into_iter().filter(hub_server::Request::is_transfer);
        requests.map(|request| request.headers.get("range").cloned()).collect()
    }
}

fn patience() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(5),
        silence: Duration::from_millis(400),
        attempts: 4,
        pause: Duration::from_millis(10),
        longest_pause: Duration::from_secs(2),
    }
}

fn fetch(hub: &Hub, name: &str) -> Result<PathBuf, HubError> {
    let offer = hub.look_up(&name.parse()?, &|| false)?;
    hub.download(&offer, &|| false, &mut |_| {})
}

fn name(text: &str) -> HubName {
    text.parse().expect("a name")
}

fn assert_whole(folder: &Path) {
    let model = Model::small();
    for file in NEEDED {
        assert!(fs::read(folder.join(file)).unwrap() == model.bytes(file), "{file}");
    }
    assert!(!folder.join("pytorch_model.bin").exists() && !folder.join("onnx").exists());
}

#[test]
fn a_model_is_looked_up_fetched_and_found_again() {
    let desk = Desk::new();
    let hub = desk.hub();
    assert!(matches!(hub.find(&name("org/small")), Err(HubError::NotCached { .. })));
    assert!(desk.server.requests().is_empty(), "the cache alone is asked");

    let offer = hub.look_up(&name("org/small"), &|| false).unwrap();
    assert_eq!(offer.licence.as_deref(), Some("apache-2.0"));
    assert_eq!(offer.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), NEEDED);
    let model = Model::small();
    let bytes: usize = NEEDED.iter().map(|file| model.bytes(file).len()).sum();
    assert_eq!((offer.bytes(), offer.bytes_to_fetch()), (bytes as u64, bytes as u64));
    assert!(!desk.repo().exists(), "looking up writes nothing");

    let mut told: Vec<Progress> = Vec::new();
    let folder = hub.download(&offer, &|| false, &mut |progress| told.push(progress.clone())).unwrap();
    assert_whole(&folder);
    assert!(told.windows(2).all(|pair| pair[0].done <= pair[1].done));
    let last = told.last().unwrap();
    assert_eq!((last.done, last.total), (bytes as u64, bytes as u64));
    assert!(told.iter().any(|progress| progress.bytes_per_second > 0.0));

    desk.server.requests();
    let found = hub.find(&name("org/small")).unwrap();
    assert!(found.folder == folder && found.is_sure);
    let pinned = hub.find(&offer.pinned()).unwrap();
    assert_eq!(pinned.folder, folder);
    assert_eq!(hub.name_of(&folder), Some(offer.pinned()));
    assert!(desk.server.requests().is_empty(), "what is in the cache is opened without a request");

    // Another download asks what there is, and fetches nothing.
    assert_eq!(hub.look_up(&name("org/small"), &|| false).unwrap().bytes_to_fetch(), 0);
    desk.fetch().unwrap();
    assert!(desk.transfers().is_empty());
}

#[test]
fn the_cache_is_laid_out_as_python_does() {
    let desk = Desk::new();
    let folder = desk.fetch().unwrap();
    assert_eq!(folder, desk.repo().join("snapshots").join(COMMIT));
    assert_eq!(fs::read_to_string(desk.repo().join("refs/main")).unwrap(), COMMIT);
    let model = Model::small();
    let config = git_sha1(&model.bytes("1_Pooling/config.json"));
    assert!(desk.blob().is_file() && desk.repo().join("blobs").join(&config).is_file());
    #[cfg(unix)]
    {
        let link = fs::read_link(folder.join("1_Pooling/config.json")).unwrap();
        assert_eq!(link, Path::new("../../../blobs").join(config));
        let link = fs::read_link(folder.join("model.safetensors")).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(sha256(&noise(WEIGHTS))));
    }
    let left = fs::read_dir(desk.repo().join("blobs")).unwrap().flatten();
    assert!(left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().contains("incomplete")));
}

/// The folder as Python leaves it, written by hand: contents by their checksums, and links to them.
#[cfg(unix)]
#[test]
fn what_python_fetched_is_found() {
    let desk = Desk::new();
    let model = Model::small();
    for file in NEEDED {
        let bytes = model.bytes(file);
        let etag = if file == "model.safetensors" { sha256(&bytes) } else { git_sha1(&bytes) };
        let (blob, link) =
            (desk.repo().join("blobs").join(&etag), desk.repo().join("snapshots").join(COMMIT).join(file));
        for path in [&blob, &link] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        fs::write(blob, bytes).unwrap();
        let ups = "../".repeat(2 + file.matches('/').count());
        std::os::unix::fs::symlink(format!("{ups}blobs/{etag}"), link).unwrap();
    }
    fs::create_dir_all(desk.repo().join("refs")).unwrap();
    fs::write(desk.repo().join("refs/main"), COMMIT).unwrap();

    let hub = desk.hub();
    assert_whole(&hub.find(&name("org/small")).unwrap().folder);
    let listed = hub.list();
    let [listed] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(
        (listed.name.to_string().as_str(), listed.licence.as_deref()),
        ("org/small", Some("apache-2.0"))
    );
    assert!(listed.missing.is_empty() && listed.bytes > WEIGHTS as u64, "{listed:?}");
    assert!(desk.server.requests().is_empty());
    desk.fetch().unwrap();
    assert!(desk.transfers().is_empty(), "nothing is fetched twice");

    // An encoder that transformers alone fetched may lack how it pools: only the hub can tell.
    fs::remove_file(desk.repo().join("snapshots").join(COMMIT).join("modules.json")).unwrap();
    assert!(!hub.find(&name("org/small")).unwrap().is_sure);
    desk.fetch().unwrap();
    assert!(hub.find(&name("org/small")).unwrap().is_sure);
}

#[test]
fn a_model_without_modules_is_known_to_have_none() {
    let desk = Desk::new();
    let plain = Model::new()
        .file("config.json", "{}")
        .file("tokenizer.json", "{}")
        .file("model.safetensors", noise(10));
    desk.server.has("plain", plain);
    let hub = desk.hub();
    let folder = fetch(&hub, "plain").unwrap();
    assert!(folder.starts_with(desk.dir.path().join("hub/models--plain")));
    assert!(hub.find(&name("plain")).unwrap().is_sure);
}

#[test]
fn offline_opens_what_is_whole_and_says_what_is_missing() {
    let desk = Desk::new();
    let offline = Hub::at(HubConfig { offline: true, ..desk.place() }, patience());
    let error = offline.find(&name("org/small")).unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE"), "{error}");
    assert!(matches!(offline.look_up(&name("org/small"), &|| false), Err(HubError::Offline { .. })));
    assert!(desk.server.requests().is_empty());

    desk.fetch().unwrap();
    assert_whole(&offline.find(&name("org/small")).unwrap().folder);
    fs::remove_file(desk.blob()).unwrap();
    let error = offline.find(&name("org/small")).unwrap_err().to_string();
    assert!(error.contains("not whole: model.safetensors is missing"), "{error}");
    assert_eq!(offline.list()[0].missing, ["model.safetensors"]);
}

#[test]
fn a_connection_that_breaks_is_gone_on_with() {
    let desk = Desk::new();
    desk.server
        .misbehaves(|request, right| request.is_transfer().then(|| right.clone().dropped_after(1_200_000)));
    assert_whole(&desk.fetch().unwrap());
    let ranges: Vec<Option<String>> = desk.transfers();
    assert_eq!(ranges, [None, Some("bytes=1200000-".into()), Some("bytes=2400000-".into())]);
}

#[test]
fn a_connection_that_breaks_for_ever_is_given_up_and_gone_on_with_later() {
    let desk = Desk::new();
    desk.server.misbehaves(|request, right| request.is_transfer().then(|| right.clone().dropped_after(1000)));
    let error = desk.refused();
    assert!(error.contains("model.safetensors") && error.contains("download again to go on"), "{error}");
    assert_eq!(desk.transfers().len(), 4);
    let kept = fs::metadata(desk.partial()).unwrap().len();
    assert_eq!(kept, 4000);
    assert!(
        matches!(desk.hub().find(&name("org/small")), Err(HubError::NotCached { .. })),
        "no ref before it is whole"
    );

    desk.server.behaves();
    let offer = desk.hub().look_up(&name("org/small"), &|| false).unwrap();
    assert_eq!(offer.bytes_to_fetch(), WEIGHTS as u64 - kept);
    assert_whole(&desk.fetch().unwrap());
    assert_eq!(desk.transfers(), [Some("bytes=4000-".into())]);
}

#[test]
fn a_server_that_falls_silent_is_asked_again() {
    let desk = Desk::new();
    let times = AtomicUsize::new(0);
    desk.server.misbehaves(move |request, right| {
        let stalls = request.is_transfer() && times.fetch_add(1, Ordering::Relaxed) == 0;
        stalls.then(|| right.clone().stalled_after(500_000))
    });
    assert_whole(&desk.fetch().unwrap());
    assert_eq!(desk.transfers(), [None, Some("bytes=500000-".into())]);
}

#[test]
fn a_server_that_does_no_parts_is_read_from_the_beginning() {
    for status in [200, 416] {
        let desk = Desk::new();
        fs::create_dir_all(desk.repo().join("blobs")).unwrap();
        fs::write(desk.partial(), &noise(WEIGHTS)[..1_000_000]).unwrap();
        desk.server.misbehaves(move |request, _| {
            let has_range = request.is_transfer() && request.headers.contains_key("range");
            has_range.then(|| if status == 200 { Answer::ok(noise(WEIGHTS)) } else { Answer::status(416) })
        });
        assert_whole(&desk.fetch().unwrap());
    }
}

/// What is fetched again and again is no progress, however much of it there is.
#[test]
fn a_server_that_begins_again_and_again_is_given_up() {
    let desk = Desk::new();
    desk.server.misbehaves(|request, right| {
        let has_range = request.headers.contains_key("range");
        let instead =
            if has_range { Answer::status(416) } else { right.clone().dropped_after(WEIGHTS - 1000) };
        request.is_transfer().then_some(instead)
    });
    desk.refused();
    assert!(desk.transfers().len() < 20, "{} transfers", desk.transfers().len());
}

#[test]
fn what_lies_there_and_does_not_fit_is_fetched_anew() {
    // Longer than the file; of other contents; whole.
    for (left, transfers) in [(noise(WEIGHTS + 1), 1), (vec![7; 1000], 2), (noise(WEIGHTS), 0)] {
        let desk = Desk::new();
        fs::create_dir_all(desk.repo().join("blobs")).unwrap();
        fs::write(desk.partial(), left).unwrap();
        assert_whole(&desk.fetch().unwrap());
        assert_eq!(desk.transfers().len(), transfers);
    }
}

#[test]
fn what_arrives_damaged_is_deleted_and_said() {
    let desk = Desk::new();
    desk.server.misbehaves(|request, right| {
        let mut wrong = right.clone();
        *wrong.body.last_mut()? ^= 1;
        request.is_transfer().then_some(wrong)
    });
    let error = desk.refused();
    assert!(error.contains("model.safetensors arrived damaged") && error.contains("deleted"), "{error}");
    assert!(!desk.partial().exists() && !desk.blob().exists());

    // Small files are checked as well.
    fs::remove_dir_all(desk.repo()).unwrap();
    desk.server.misbehaves(|request, _| request.is_for("tokenizer.json").then(|| Answer::ok("[]")));
    let error = desk.refused();
    assert!(error.contains("tokenizer.json arrived damaged"), "{error}");
    desk.server.behaves();
    assert_whole(&desk.fetch().unwrap());
}

#[test]
fn another_size_than_announced_is_not_taken() {
    let desk = Desk::new();
    desk.server
        .misbehaves(|request, _| request.is_transfer().then(|| Answer::ok("<html>Please sign in</html>")));
    let error = desk.refused();
    assert!(error.contains("sends 27 bytes") && error.contains("3000000 bytes"), "{error}");
    assert!(error.contains("sign-in page"), "{error}");

    // More than announced, without a word about the length.
    desk.server.misbehaves(|request, _| {
        request.is_transfer().then(|| Answer::ok(noise(WEIGHTS + 10)).with("Content-Length", "3000010"))
    });
    assert!(desk.refused().contains("sends 3000010 bytes"));
    assert!(!desk.blob().exists());
}

#[test]
fn who_may_not_have_a_model_is_told_what_to_do() {
    let desk = Desk::new();
    for (answer, expected) in [
        (Answer::status(401).with("X-Error-Code", "GatedRepo"), "Accept them on"),
        (Answer::status(403).with("X-Error-Code", "GatedRepo"), "set HF_TOKEN"),
        (Answer::status(401), "set HF_TOKEN to a token that may read it"),
        (Answer::status(403), "a token is needed. Set HF_TOKEN"),
        (Answer::status(404).with("X-Error-Code", "RepoNotFound"), "has no model org/small"),
        (Answer::status(404).with("X-Error-Code", "RevisionNotFound"), "has no revision \"main\""),
        (Answer::status(418), "status is 418"),
    ] {
        desk.server.misbehaves(move |request, _| request.is_for("/api/").then(|| answer.clone()));
        let error = desk.refused();
        assert!(error.contains(expected), "{error}");
        assert_eq!(desk.server.requests().len(), 1, "asking again would change nothing");
    }
    desk.server.behaves();
    let missing = fetch(&desk.hub(), "org/smal").unwrap_err().to_string();
    assert!(missing.contains("has no model org/smal") && missing.contains("Check the spelling"), "{missing}");
    let missing = fetch(&desk.hub(), "org/small@v9").unwrap_err().to_string();
    assert!(missing.contains("no revision \"v9\""), "{missing}");
    fetch(&desk.hub(), "org/small@v1/2").unwrap();

    // The list of a gated model can be seen, and its files cannot.
    let gated = Model { gated: json!("manual"), ..Model::small() };
    desk.server.has("org/gated", gated.file("model.safetensors", noise(5000)));
    assert!(desk.hub().look_up(&name("org/gated"), &|| false).unwrap().gated);
    desk.server.misbehaves(|request, _| request.is_for("/resolve/").then(|| Answer::status(403)));
    let error = fetch(&desk.hub(), "org/gated").unwrap_err().to_string();
    assert!(error.contains("HF_TOKEN"), "{error}");
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let desk = Desk::new();
    desk.server.wants_token("hf_secret");
    assert!(desk.refused().contains("set HF_TOKEN to a token of your account"));
    desk.server.requests();
    let hub = Hub::at(HubConfig { token: Token::new("hf_secret"), ..desk.place() }, patience());
    assert_whole(&fetch(&hub, "org/small").unwrap());
    let requests = desk.server.requests();
    assert!(requests.iter().any(|request| request.elsewhere));
    for request in requests {
        assert_eq!(request.headers.contains_key("authorization"), !request.elsewhere, "{request:?}");
        let all = format!("{request:?}");
        assert!(request.elsewhere || all.contains("org/small"), "{all}");
    }
}

#[test]
fn the_token_does_not_follow_to_another_port_whatever_is_asked_for() {
    let desk = Desk::new();
    let port = desk.server.elsewhere().rsplit_once(':').unwrap().1.to_owned();
    for elsewhere in [
        format!("http://127.0.0.1:{port}/x"),
        format!("//127.0.0.1:{port}/x"),
        format!("http://ada:secret@127.0.0.1:{port}/x"),
    ] {
        desk.server.misbehaves(move |request, _| {
            (request.is_for("/api/") && !request.elsewhere).then(|| Answer::to(&elsewhere))
        });
        let hub = Hub::at(HubConfig { token: Token::new("hf_secret"), ..desk.place() }, patience());
        let error = fetch(&hub, "org/small").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        let requests = desk.server.requests();
        assert_eq!(requests.len(), 2, "{requests:?}");
        for request in requests {
            let token = request.headers.get("authorization").map(String::as_str);
            assert_eq!(token, (!request.elsewhere).then_some("Bearer hf_secret"), "{request:?}");
            assert!(!format!("{request:?}").contains("ada"), "{request:?}");
        }
    }
}

#[test]
fn only_certificates_that_are_trusted_are_taken() {
    let desk = Desk::safe();
    let refused = desk.refused();
    assert!(refused.contains("SSL_CERT_FILE") && refused.starts_with("127.0.0.1:"), "{refused}");
    assert!(desk.server.requests().is_empty(), "nothing is asked of nobody knows whom");

    let folder = desk.dir.path().join("certificates");
    fs::create_dir(&folder).unwrap();
    fs::copy(company_certificate(), folder.join("company.pem")).unwrap();
    fs::write(folder.join("remarks.txt"), "no certificate").unwrap();
    for named in [company_certificate(), folder.clone()] {
        let hub = Hub::at(HubConfig { certificates: vec![named], ..desk.place() }, patience());
        assert_whole(&fetch(&hub, "org/small").unwrap());
        fs::remove_dir_all(desk.repo()).unwrap();
    }
    for (named, expected) in [("remarks.txt", "holds no certificate"), ("none.pem", "SSL_CERT_FILE")] {
        let hub = Hub::at(HubConfig { certificates: vec![folder.join(named)], ..desk.place() }, patience());
        let error = fetch(&hub, "org/small").unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(named), "{error}");
    }
}

#[test]
fn a_hub_over_https_gets_the_token_and_is_not_left_for_plain_http() {
    let (desk, plain) = (Desk::safe(), HubServer::with_small());
    desk.server.wants_token("hf_secret");
    let place = HubConfig {
        token: Token::new("hf_secret"),
        certificates: vec![company_certificate()],
        ..desk.place()
    };
    let hub = Hub::at(place, patience());
    assert_whole(&fetch(&hub, "org/small").unwrap());
    for request in desk.server.requests() {
        assert_eq!(request.headers.contains_key("authorization"), !request.elsewhere, "{request:?}");
    }

    fs::remove_dir_all(desk.repo()).unwrap();
    let address = plain.address();
    desk.server.misbehaves(move |request, _| {
        request.is_for("/resolve/").then(|| Answer::to(&format!("{address}{}", request.path)))
    });
    let error = fetch(&hub, "org/small").unwrap_err().to_string();
    assert!(error.contains("without https"), "{error}");
    assert!(plain.requests().is_empty());
}

#[test]
fn a_hub_in_trouble_is_asked_again_a_few_times() {
    let desk = Desk::new();
    let times = Arc::new(AtomicUsize::new(0));
    let count = times.clone();
    desk.server.misbehaves(move |request, _| {
        (request.is_for("/api/") && count.fetch_add(1, Ordering::Relaxed) < 2).then(|| Answer::status(503))
    });
    assert_whole(&desk.fetch().unwrap());
    assert_eq!(times.load(Ordering::Relaxed), 3);

    desk.server.misbehaves(|request, _| request.is_for("/api/").then(|| Answer::status(500)));
    let error = desk.refused();
    assert!(error.contains("status 500") && error.contains("try again later"), "{error}");
}

#[test]
fn too_many_requests_are_waited_for_within_bounds() {
    let desk = Desk::new();
    let times = AtomicUsize::new(0);
    desk.server.misbehaves(move |request, _| {
        let first = request.is_for("/api/") && times.fetch_add(1, Ordering::Relaxed) == 0;
        first.then(|| Answer::status(429).with("Retry-After", "1"))
    });
    // Whoever waits looks at the switch twenty times a second; the server's second is longer than the hub's own pause of
    // 10 ms, in which it is looked at once.
    let (looks, answered) = (Cell::new(0), Cell::new(0));
    let stop = || {
        looks.set(looks.get() + 1);
        false
    };
    desk.hub().look_up(&name("org/small"), &stop).unwrap();
    let with_the_wait = looks.replace(0);
    desk.hub().look_up(&name("org/small"), &stop).unwrap();
    answered.set(looks.replace(0));
    assert!(with_the_wait >= answered.get() + 10, "{with_the_wait} looks, {} without a wait", answered.get());
    assert_whole(&desk.fetch().unwrap());

    desk.server.requests();
    desk.server.misbehaves(|request, _| {
        request.is_for("/api/").then(|| Answer::status(429).with("RateLimit", "\"api\";r=0;t=285"))
    });
    let error = desk.hub().look_up(&name("org/small"), &stop).unwrap_err().to_string();
    assert!(error.contains("asks to wait 285 s"), "{error}");
    assert!(looks.get() <= answered.get() + 2, "longer than is waited for is not begun to be waited for");
    assert_eq!(desk.server.requests().len(), 1);
}

#[test]
fn replies_without_sense_are_refused() {
    let desk = Desk::new();
    let address = desk.server.address();
    let api = |answer: Answer| {
        desk.server.misbehaves(move |request, _| request.is_for("/api/").then(|| answer.clone()));
        desk.refused()
    };
    let file =
        |name: &str| json!({"sha": COMMIT, "siblings": [{"rfilename": name, "size": 1, "blobId": COMMIT}]});
    for (answer, expected) in [
        (Answer::ok("<html>"), "is not JSON"),
        (Answer::ok("[1, 2]"), "names no commit"),
        (Answer::ok(json!({"sha": "../../x", "siblings": []}).to_string()), "names no commit"),
        (Answer::ok(json!({"sha": COMMIT, "siblings": "x"}).to_string()), "lists no files"),
        (Answer::ok(vec![b' '; 17 << 20]), "more than 16 MB"),
        (Answer::to(&format!("{address}/api/models/org/small")), "from one address to the next"),
        (Answer::to("ftp://127.0.0.1/"), "an address that is none"),
        (Answer::ok(file("../../../.bashrc").to_string()), "could lead out of the cache"),
        (Answer::ok(file("C:\\x").to_string()), "could lead out of the cache"),
        (Answer::ok(file("a\u{0}b").to_string()), "could lead out of the cache"),
        (Answer::ok(file("/etc/passwd").to_string()), "could lead out of the cache"),
        (Answer::ok(file("").to_string()), "could lead out of the cache"),
        (Answer::ok(file("README.md").to_string()), "config.json is missing"),
    ] {
        let error = api(answer);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(!desk.repo().exists(), "nothing was written");
}

#[test]
fn a_list_without_checksums_is_made_up_for_by_the_headers() {
    let desk = Desk::new();
    desk.server.has("org/small", Model { is_bare: true, ..Model::small() });
    assert_whole(&desk.fetch().unwrap());
    fs::remove_dir_all(desk.repo()).unwrap();

    desk.server.misbehaves(|request, right| {
        let mut bare = right.clone();
        bare.headers.retain(|(name, _)| !name.to_lowercase().ends_with("etag"));
        (request.method == "HEAD").then_some(bare)
    });
    let error = desk.refused();
    assert!(error.contains("states no checksum for README.md"), "{error}");
}

#[test]
fn nobody_there_is_said_and_the_cache_still_opens() {
    let desk = Desk::new();
    desk.fetch().unwrap();
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = HubConfig { endpoint: format!("http://{free}").parse().unwrap(), ..desk.place() };
    let hub = Hub::at(place, patience());
    let error = hub.look_up(&name("org/small"), &|| false).unwrap_err().to_string();
    assert!(
        error.contains(&format!("{free} cannot be reached")) && error.contains("Check the network"),
        "{error}"
    );
    assert_whole(&hub.find(&name("org/small")).unwrap().folder);
}

/// Stops when the switch is set, which happens in the middle of `stage`; gives how often the switch is looked at after
/// that. The server stays silent for good, and the hub's patience with it is longer than any test.
fn cancelled(desk: &Desk, stage: impl Fn(&hub_server::Request) -> bool + Send + 'static) -> usize {
    let switch = Arc::new(AtomicBool::new(false));
    let flip = switch.clone();
    desk.server.misbehaves(move |request, right| {
        if !stage(request) {
            return None;
        }
        let flip = flip.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            flip.store(true, Ordering::Relaxed);
        });
        Some(right.clone().stalled_after(right.body.len() / 2))
    });
    let patient = Hub::at(desk.place(), Timeouts { silence: Duration::from_mins(10), ..patience() });
    let looks = Cell::new(0);
    let stop = || {
        let is_set = switch.load(Ordering::Relaxed);
        looks.set(looks.get() + usize::from(is_set));
        is_set
    };
    let done = patient
        .look_up(&name("org/small"), &stop)
        .and_then(|offer| patient.download(&offer, &stop, &mut |_| {}));
    assert_eq!(done, Err(HubError::Cancelled));
    looks.get()
}

#[test]
fn cancel_is_answered_at_once_however_silent_the_server_is() {
    let desk = Desk::new();
    assert_eq!(
        cancelled(&desk, |request| request.is_for("/api/")),
        1,
        "the first look at the switch ends it"
    );
    assert_eq!(cancelled(&desk, hub_server::Request::is_transfer), 1);
    assert_eq!(fs::metadata(desk.partial()).unwrap().len(), WEIGHTS as u64 / 2, "what came is kept");
    desk.server.behaves();
    desk.server.requests();
    assert_whole(&desk.fetch().unwrap());
    assert_eq!(desk.transfers(), [Some("bytes=1500000-".into())]);
}

#[test]
fn two_downloads_at_once_fetch_everything_once() {
    let desk = Desk::new();
    desk.server.misbehaves(|request, _| {
        if request.is_transfer() {
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    });
    let waited = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| {
            scope.spawn(|| {
                let hub = desk.hub();
                let offer = hub.look_up(&name("org/small"), &|| false).unwrap();
                let mut see = |progress: &Progress| {
                    waited.store(progress.waiting || waited.load(Ordering::Relaxed), Ordering::Relaxed);
                };
                hub.download(&offer, &|| false, &mut see).unwrap()
            })
        });
        for one in both {
            assert_whole(&one.join().unwrap());
        }
    });
    assert_eq!(desk.transfers().len(), 1);
    assert!(waited.load(Ordering::Relaxed), "one of them waited, and said so");
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_is_said() {
    let desk = Desk::new();
    fs::write(desk.dir.path().join("hub"), "").unwrap();
    let error = desk.refused();
    assert!(error.contains("hub") && error.contains("HF_HOME"), "{error}");
}

/// Checks that need a Python with `huggingface_hub`: that of `FROSTLINE_PYTHON`, which has sentence-transformers.
#[test]
fn python_finds_what_was_fetched() {
    let Some(python) = std::env::var_os("FROSTLINE_PYTHON") else {
        skip::skip("no Python with huggingface_hub (run `cargo xtask test --python`)");
        return;
    };
    let desk = Desk::new();
    let folder = desk.fetch().unwrap();
    let script = "
import sys
from huggingface_hub import snapshot_download, try_to_load_from_cache, scan_cache_dir
cache, folder, commit = sys.argv[1:]
assert snapshot_download('org/small', cache_dir=cache, local_files_only=True) == folder
assert snapshot_download('org/small', revision=commit, cache_dir=cache, local_files_only=True) == folder
for name in ['config.json', '1_Pooling/config.json', 'model.safetensors']:
    assert try_to_load_from_cache('org/small', name, cache_dir=cache) == folder + '/' + name, name
info = scan_cache_dir(cache)
assert [repo.repo_id for repo in info.repos] == ['org/small'] and not info.warnings, info.warnings
";
    let output = Command::new(python)
        .args(["-c", script])
        .args([&desk.dir.path().join("hub"), &folder])
        .arg(COMMIT)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("the Python that is named");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
