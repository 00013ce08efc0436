//! A hub on this machine: it answers as the Hugging Face hub does, and misbehaves where a test asks it to. Large files
//! are sent elsewhere, as the hub sends them to its content network: here to a second port.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit of everything that the server has.
pub(crate) const COMMIT: &str = "c0ffee0123456789abcdef0123456789abcdef01";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    /// It came to the second port.
    pub(crate) elsewhere: bool,
}

impl Request {
    pub(crate) fn is_for(&self, part: &str) -> bool {
        self.path.contains(part)
    }

    /// It is for the bytes of a large file.
    pub(crate) fn is_transfer(&self) -> bool {
        self.elsewhere
    }

    fn first_byte(&self) -> usize {
        let range =
            self.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        range.map_or(0, |first| first.parse().unwrap())
    }
}

/// What is sent back, and how it goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection is closed after so many bytes of the body.
    pub(crate) drop_after: Option<usize>,
    /// Nothing more comes after so many bytes of the body, and the connection stays open.
    pub(crate) stall_after: Option<usize>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    pub(crate) fn to(address: &str) -> Self {
        Self::status(302).with("Location", address)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn dropped_after(self, bytes: usize) -> Self {
        Self { drop_after: Some(bytes), ..self }
    }

    pub(crate) fn stalled_after(self, bytes: usize) -> Self {
        Self { stall_after: Some(bytes), ..self }
    }
}

/// What the server has under a name.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) gated: Value,
    pub(crate) card: Value,
    /// A list without sizes and checksums, as older mirrors give it.
    pub(crate) is_bare: bool,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            files: Vec::new(),
            gated: json!(false),
            card: json!({"license": "apache-2.0"}),
            is_bare: false,
        }
    }

    pub(crate) fn file(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.retain(|(known, _)| known != name);
        self.files.push((name.into(), bytes.into()));
        self
    }

    /// All files of a folder and of the folders in it.
    pub(crate) fn of_folder(dir: &Path) -> Self {
        let mut model = Self::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                for (inner, bytes) in Self::of_folder(&path).files {
                    model = model.file(&format!("{name}/{inner}"), bytes);
                }
            } else {
                model = model.file(&name, std::fs::read(&path).unwrap());
            }
        }
        model
    }

    /// A small sentence encoder, as far as its files go, whose weights are noise.
    pub(crate) fn small() -> Self {
        let modules = json!([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ]);
        Self::new()
            .file("README.md", "---\nlicense: apache-2.0\n---\n# A model\n")
            .file("config.json", r#"{"model_type": "bert"}"#)
            .file("modules.json", modules.to_string())
            .file("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": true}"#)
            .file("sentence_bert_config.json", r#"{"max_seq_length": 128}"#)
            .file("tokenizer.json", "{}")
            .file("model.safetensors", noise(3_000_000))
            .file("pytorch_model.bin", noise(1000))
            .file("onnx/model.onnx", noise(2000))
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.files.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }

    fn info(&self) -> Value {
        let siblings: Vec<Value> = self
            .files
            .iter()
            .map(|(name, _)| name.as_str())
            .map(|name| match (self.is_bare, is_large(name)) {
                (true, _) => json!({"rfilename": name}),
                (false, false) => {
                    json!({"rfilename": name, "size": self.bytes(name).len(), "blobId": git_sha1(&self.bytes(name))})
                }
                (false, true) => {
                    let (size, sha256) = (self.bytes(name).len(), sha256(&self.bytes(name)));
                    let pointer = git_sha1(sha256.as_bytes());
                    let lfs = json!({"sha256": sha256, "size": size, "pointerSize": 134});
                    json!({"rfilename": name, "size": size, "blobId": pointer, "lfs": lfs})
                }
            })
            .collect();
        json!({"sha": COMMIT, "private": false, "gated": self.gated, "cardData": self.card, "siblings": siblings})
    }
}

fn is_large(name: &str) -> bool {
    [".safetensors", ".bin", ".onnx"].iter().any(|ending| name.ends_with(ending))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

pub(crate) fn git_sha1(bytes: &[u8]) -> String {
    format!("{:x}", Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

/// Bytes that no compression and no chance makes equal.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ bytes as u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(step).collect()
}

/// Looks at a request first; what it gives is sent instead of the right answer, which it is shown.
type Mischief = Box<dyn FnMut(&Request, &Answer) -> Option<Answer> + Send>;

struct Shared {
    models: Mutex<HashMap<String, Model>>,
    token: Mutex<Option<String>>,
    mischief: Mutex<Mischief>,
    requests: Mutex<Vec<Request>>,
    ports: Mutex<[u16; 2]>,
    tls: Option<Arc<ServerConfig>>,
    ended: AtomicBool,
}

/// The server; it ends with this.
pub(crate) struct HubServer(Arc<Shared>);

impl HubServer {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// A server over https, in the name of this machine. It is vouched for by [`company_certificate`] alone.
    pub(crate) fn start_safe() -> Self {
        let certificate = CertificateDer::from_pem_file(of_tls("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(of_tls("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        Self::start_with(Some(Arc::new(config)))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let shared = Arc::new(Shared {
            models: Mutex::default(),
            token: Mutex::default(),
            mischief: Mutex::new(Box::new(|_, _| None)),
            requests: Mutex::default(),
            ports: Mutex::default(),
            tls,
            ended: AtomicBool::new(false),
        });
        for place in [0, 1] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            shared.ports.lock().unwrap()[place] = listener.local_addr().unwrap().port();
            let shared = shared.clone();
            std::thread::spawn(move || {
                for connection in listener.incoming().flatten() {
                    if shared.ended.load(Ordering::Relaxed) {
                        return;
                    }
                    let shared = shared.clone();
                    std::thread::spawn(move || drop(greet(&shared, connection, place == 1)));
                }
            });
        }
        Self(shared)
    }

    /// A server with one model, `org/small`.
    pub(crate) fn with_small() -> Self {
        let server = Self::start();
        server.has("org/small", Model::small());
        server
    }

    pub(crate) fn has(&self, name: &str, model: Model) {
        self.0.models.lock().unwrap().insert(name.into(), model);
    }

    /// From now on only those with this token get anything.
    pub(crate) fn wants_token(&self, token: &str) {
        *self.0.token.lock().unwrap() = Some(token.into());
    }

    pub(crate) fn misbehaves(
        &self,
        mischief: impl FnMut(&Request, &Answer) -> Option<Answer> + Send + 'static,
    ) {
        *self.0.mischief.lock().unwrap() = Box::new(mischief);
    }

    pub(crate) fn behaves(&self) {
        self.misbehaves(|_, _| None);
    }

    pub(crate) fn address(&self) -> String {
        self.0.address(0)
    }

    pub(crate) fn elsewhere(&self) -> String {
        self.0.address(1)
    }

    /// All requests since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.0.requests.lock().unwrap())
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
        for port in *self.0.ports.lock().unwrap() {
            drop(TcpStream::connect(("127.0.0.1", port)));
        }
    }
}

impl Shared {
    fn address(&self, port: usize) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.ports.lock().unwrap()[port])
    }
}

fn of_tls(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(file)
}

/// The certificate of a company that exists in these tests alone; its key was thrown away.
pub(crate) fn company_certificate() -> PathBuf {
    of_tls("ca.pem")
}

fn greet(shared: &Shared, connection: TcpStream, elsewhere: bool) -> io::Result<()> {
    match &shared.tls {
        None => serve(shared, connection, elsewhere),
        Some(config) => {
            let tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            serve(shared, StreamOwned::new(tls, connection), elsewhere)
        }
    }
}

fn serve(shared: &Shared, connection: impl Read + Write, elsewhere: bool) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let Some(request) = read_request(&mut reader, elsewhere)? else { return Ok(()) };
        shared.requests.lock().unwrap().push(request.clone());
        let right = right_answer(shared, &request);
        let instead = shared.mischief.lock().unwrap()(&request, &right);
        if !send(reader.get_mut(), &request, &instead.unwrap_or(right), &shared.ended)? {
            return Ok(());
        }
    }
}

fn read_request(reader: &mut impl BufRead, elsewhere: bool) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Request { method, path, headers, elsewhere }))
}

fn right_answer(shared: &Shared, request: &Request) -> Answer {
    if request.elsewhere {
        let models = shared.models.lock().unwrap();
        let mut files = models.values().flat_map(|model| &model.files);
        let wanted = request.path.trim_start_matches("/cdn/");
        let Some((_, bytes)) = files.find(|(_, bytes)| sha256(bytes) == wanted) else {
            return Answer::status(404);
        };
        return part_of(bytes, request);
    }
    let token = shared.token.lock().unwrap().clone();
    if token.is_some_and(|token| request.headers.get("authorization") != Some(&format!("Bearer {token}"))) {
        return Answer::status(401).with("X-Error-Code", "GatedRepo");
    }
    let models = shared.models.lock().unwrap();
    if let Some(rest) = request.path.strip_prefix("/api/models/") {
        let Some((name, revision)) = rest.split_once("/revision/") else { return Answer::status(404) };
        let revision = revision.split('?').next().unwrap();
        return match models.get(name) {
            None => Answer::status(404).with("X-Error-Code", "RepoNotFound"),
            Some(_) if !["main", "v1%2F2", COMMIT].contains(&revision) => {
                Answer::status(404).with("X-Error-Code", "RevisionNotFound")
            }
            Some(model) => Answer::ok(model.info().to_string()),
        };
    }
    let resolve = format!("/resolve/{COMMIT}/");
    let Some((name, file)) = request.path.trim_start_matches('/').split_once(&resolve) else {
        return Answer::status(404).with("X-Error-Code", "RepoNotFound");
    };
    let found = models.get(name).and_then(|model| model.files.iter().find(|(known, _)| known == file));
    let Some((_, bytes)) = found else { return Answer::status(404).with("X-Error-Code", "EntryNotFound") };
    if is_large(file) {
        let sum = sha256(bytes);
        Answer::to(&format!("{}/cdn/{sum}", shared.address(1)))
            .with("X-Repo-Commit", COMMIT)
            .with("X-Linked-Etag", &format!("\"{sum}\""))
            .with("X-Linked-Size", &bytes.len().to_string())
    } else {
        part_of(bytes, request)
            .with("ETag", &format!("\"{}\"", git_sha1(bytes)))
            .with("X-Repo-Commit", COMMIT)
    }
}

fn part_of(bytes: &[u8], request: &Request) -> Answer {
    match request.first_byte() {
        0 => Answer::ok(bytes),
        first if first >= bytes.len() => Answer::status(416),
        first => {
            let range = format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len());
            let mut answer = Answer::ok(&bytes[first..]).with("Content-Range", &range);
            answer.status = 206;
            answer
        }
    }
}

/// True when the connection may be used for the next request.
fn send(writer: &mut impl Write, request: &Request, answer: &Answer, ended: &AtomicBool) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Status\r\n", answer.status);
    for (name, value) in &answer.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        write!(head, "Content-Length: {}\r\n", answer.body.len()).unwrap();
    }
    writer.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return Ok(true);
    }
    let end = answer.drop_after.or(answer.stall_after).unwrap_or(answer.body.len()).min(answer.body.len());
    writer.write_all(&answer.body[..end])?;
    writer.flush()?;
    while answer.stall_after.is_some() && !ended.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(answer.drop_after.is_none() && answer.stall_after.is_none())
}
