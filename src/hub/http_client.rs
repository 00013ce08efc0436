//! Requests that can be given up at any moment: each runs on a thread of its own, which hands over what arrives piece
//! by piece. Whoever waits for a piece looks at the stop switch between two, however long the server is silent.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ureq::http::{HeaderMap, HeaderValue, Response, header};
use ureq::{Agent, Body};

use super::certificates;
use super::config::{HubConfig, Token};
use super::endpoint::{Endpoint, TokenUse, host_of, is_loopback, redirected, without_user};
use super::error::HubError;

/// How long a wait lasts before the switch is looked at again: well under what a person takes for no answer.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes that are handed over at a time.
const PIECE: usize = 128 << 10;
/// Pieces on their way: enough to keep the network busy while one is written to disk.
const PIECES: usize = 16;
/// Redirects in a row that are followed: the hub needs two.
const MOST_REDIRECTS: usize = 8;
/// Bytes of a reply that is read whole: the list of files of the largest models has some hundred kilobytes.
const LARGEST_JSON: usize = 16 << 20;

/// How long what is waited for, and how often a request is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte.
    pub silence: Duration,
    /// Attempts in a row that may fail.
    pub attempts: u32,
    /// Before the second attempt; it doubles with each.
    pub pause: Duration,
    /// The longest wait that a server may ask for.
    pub longest_pause: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            attempts: 5,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_mins(1),
        }
    }
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection, or a broken one: worth another attempt.
    Lost(String),
    /// A status that is not that of success.
    Status(Status),
    /// Another attempt would end the same.
    Final(HubError),
}

impl From<HubError> for Fault {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

/// A status, and what the server adds to it.
#[derive(Debug)]
pub(super) struct Status {
    pub number: u16,
    /// The hub's own word for the reason: `GatedRepo`, `RevisionNotFound`.
    pub code: Option<String>,
    /// After how many seconds it may be asked again.
    pub retry_after: Option<u64>,
}

/// The beginning of a reply.
pub(super) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// Headers of the hub's own answer, where that was to ask elsewhere.
    pub of_hub: HeaderMap,
    pieces: Receiver<Piece>,
    silence: Duration,
}

/// What a request's thread hands over.
enum Piece {
    Head { status: u16, headers: HeaderMap, of_hub: HeaderMap },
    Bytes(Vec<u8>),
    End,
    Fault(Fault),
}

/// What is asked for.
struct Question {
    endpoint: Endpoint,
    path: String,
    head_only: bool,
    /// First byte that is wanted.
    from: u64,
    /// For the hub alone.
    authorization: Option<HeaderValue>,
}

/// The hub, as requests go to it.
pub(super) struct HttpClient {
    agent: Agent,
    endpoint: Endpoint,
    authorization: Option<HeaderValue>,
    token_use: TokenUse,
    pub patience: Timeouts,
}

impl HttpClient {
    pub(super) fn new(place: &HubConfig, patience: Timeouts) -> Result<Self, HubError> {
        let agent = Agent::config_builder()
            .user_agent(concat!("frostline/", env!("CARGO_PKG_VERSION")))
            // Statuses and redirects are dealt with here: the token goes to the hub and nowhere else.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A hub that is reached safely is not left for one that is not.
            .https_only(place.endpoint.is_https())
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.silence))
            .timeout_per_read(Some(patience.silence))
            .tls_config(certificates::tls_config(&place.certificates)?)
            .build()
            .into();
        let token_use = place.token_use();
        let token = place.token.as_ref().filter(|_| token_use == TokenUse::Sent);
        let authorization = token.and_then(Token::header);
        Ok(Self { agent, endpoint: place.endpoint.clone(), authorization, token_use, patience })
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn host(&self) -> &str {
        self.endpoint.host()
    }

    pub(super) const fn token_use(&self) -> TokenUse {
        self.token_use
    }

    /// The body of a small reply, with attempts. `path` begins with a slash.
    pub(super) fn get_small(&self, path: &str, stop: &dyn Fn() -> bool) -> Result<Vec<u8>, Fault> {
        self.attempt(stop, || {
            let reply = self.get(path, 0, stop)?;
            if reply.status != 200 {
                return Err(Fault::Status(Self::status_of(&reply)));
            }
            let mut body = Vec::new();
            reply.each_piece(stop, |piece| {
                if body.len() + piece.len() > LARGEST_JSON {
                    let reason =
                        format!("more than {} MB where a few kilobytes were expected", LARGEST_JSON >> 20);
                    return Err(HubError::BadReply { host: self.host().to_owned(), reason }.into());
                }
                body.extend_from_slice(piece);
                Ok(())
            })?;
            Ok(body)
        })
    }

    /// The headers of a file: the hub's own.
    pub(super) fn headers(&self, path: &str, stop: &dyn Fn() -> bool) -> Result<HeaderMap, Fault> {
        self.attempt(stop, || {
            let reply = self.ask(path, true, 0, stop)?;
            if reply.status != 200 {
                return Err(Fault::Status(Self::status_of(&reply)));
            }
            Ok(if reply.of_hub.is_empty() { reply.headers } else { reply.of_hub })
        })
    }

    /// Begins to fetch a file at a byte, in one attempt.
    pub(super) fn get(&self, path: &str, from: u64, stop: &dyn Fn() -> bool) -> Result<Reply, Fault> {
        self.ask(path, false, from, stop)
    }

    fn ask(&self, path: &str, head_only: bool, from: u64, stop: &dyn Fn() -> bool) -> Result<Reply, Fault> {
        let (sender, pieces) = bounded(PIECES);
        let (endpoint, path, authorization) =
            (self.endpoint.clone(), path.to_owned(), self.authorization.clone());
        let question = Question { endpoint, path, head_only, from, authorization };
        let agent = self.agent.clone();
        let carry = move || carry_out(&agent, &question, &sender);
        thread::Builder::new()
            .name("frostline-transfer".into())
            .spawn(carry)
            .map_err(|error| Fault::Lost(format!("no thread could be started: {error}")))?;
        // Connecting, the request and its redirects each have their own limits; this only keeps the switch in sight.
        let limit = (self.patience.connect + self.patience.silence) * (MOST_REDIRECTS as u32 + 1);
        match next_piece(&pieces, limit, stop)? {
            Piece::Head { status, headers, of_hub } => {
                Ok(Reply { status, headers, of_hub, pieces, silence: self.patience.silence })
            }
            Piece::Fault(fault) => Err(fault),
            Piece::Bytes(_) | Piece::End => Err(Fault::Lost("the reply has no beginning".into())),
        }
    }

    /// What a status says, to be worded by whoever knows what was asked for.
    pub(super) fn status_of(reply: &Reply) -> Status {
        let text = |name: &str| reply.headers.get(name).and_then(|value| value.to_str().ok());
        // `ratelimit: "api";r=0;t=55`: so many seconds until there is room again.
        let window = text("ratelimit").and_then(|limit| limit.split(";t=").nth(1)?.split(';').next());
        let seconds = text("retry-after").or(window).and_then(|text| text.trim().parse().ok());
        Status { number: reply.status, code: text("x-error-code").map(str::to_owned), retry_after: seconds }
    }

    fn attempt<T>(
        &self,
        stop: &dyn Fn() -> bool,
        mut once: impl FnMut() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut attempts = Attempts::new(self.patience);
        loop {
            match once() {
                Ok(value) => return Ok(value),
                Err(fault) => attempts.pause_after(fault, stop)?,
            }
        }
    }
}

impl Reply {
    /// Takes the body, piece by piece. Less than was announced is a fault, as far as the server announced anything.
    pub(super) fn each_piece(
        &self,
        stop: &dyn Fn() -> bool,
        mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            match next_piece(&self.pieces, self.silence, stop)? {
                Piece::Bytes(bytes) => take(&bytes)?,
                Piece::End => return Ok(()),
                Piece::Fault(fault) => return Err(fault),
                Piece::Head { .. } => return Err(Fault::Lost("a second reply came for one request".into())),
            }
        }
    }
}

/// Failed attempts in a row.
pub(super) struct Attempts {
    patience: Timeouts,
    failed: u32,
}

impl Attempts {
    pub(super) const fn new(patience: Timeouts) -> Self {
        Self { patience, failed: 0 }
    }

    /// Something came of the last attempt.
    pub(super) const fn begin_anew(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next attempt, or gives the fault back where there is to be none.
    pub(super) fn pause_after(&mut self, fault: Fault, stop: &dyn Fn() -> bool) -> Result<(), Fault> {
        self.failed += 1;
        let asked = match &fault {
            Fault::Lost(_) => None,
            Fault::Status(status) if matches!(status.number, 408 | 429 | 500 | 502 | 503 | 504) => {
                status.retry_after.map(Duration::from_secs)
            }
            Fault::Status(_) | Fault::Final(_) => return Err(fault),
        };
        if self.failed >= self.patience.attempts
            || asked.is_some_and(|asked| asked > self.patience.longest_pause)
        {
            return Err(fault);
        }
        let doubled = self.patience.pause.saturating_mul(1 << (self.failed - 1).min(16));
        let end = Instant::now() + asked.unwrap_or(doubled).min(self.patience.longest_pause);
        while Instant::now() < end {
            if stop() {
                return Err(HubError::Cancelled.into());
            }
            thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}

fn next_piece(pieces: &Receiver<Piece>, limit: Duration, stop: &dyn Fn() -> bool) -> Result<Piece, Fault> {
    let end = Instant::now() + limit;
    loop {
        if stop() {
            return Err(HubError::Cancelled.into());
        }
        match pieces.recv_timeout(LOOK) {
            Ok(piece) => return Ok(piece),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Fault::Lost("the transfer ended without a word".into()));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() >= end => {
                return Err(Fault::Lost(format!("nothing came for {} s", limit.as_secs())));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The thread of a request. It ends when the reply does, or when nobody takes the pieces any more.
fn carry_out(agent: &Agent, question: &Question, pieces: &Sender<Piece>) {
    let (mut response, of_hub) = match follow(agent, question) {
        Ok(found) => found,
        Err(fault) => return drop(pieces.send(Piece::Fault(fault))),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if pieces.send(Piece::Head { status, headers, of_hub }).is_err() {
        return;
    }
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; PIECE];
    loop {
        let piece = match body.read(&mut buffer) {
            Ok(0) => Piece::End,
            Ok(read) => Piece::Bytes(buffer.get(..read).unwrap_or_default().to_vec()),
            Err(error) => Piece::Fault(Fault::Lost(without_user(&error.to_string()).into_owned())),
        };
        let is_last = !matches!(piece, Piece::Bytes(_));
        if pieces.send(piece).is_err() || is_last {
            return;
        }
    }
}

/// Asks, and asks where it is sent; gives the hub's own headers too, where that was elsewhere.
fn follow(agent: &Agent, question: &Question) -> Result<(Response<Body>, HeaderMap), Fault> {
    let hub = &question.endpoint;
    let bad = |reason: String| HubError::BadReply { host: hub.host().to_owned(), reason };
    let mut address =
        hub.address(&question.path).ok_or_else(|| bad(format!("{} is no path of it", question.path)))?;
    let mut of_hub = HeaderMap::new();
    for _ in 0..=MOST_REDIRECTS {
        let mut request =
            if question.head_only { agent.head(address.as_str()) } else { agent.get(address.as_str()) }
                .header("accept-encoding", "identity");
        if question.from > 0 {
            request = request.header("range", format!("bytes={}-", question.from));
        }
        if let Some(token) = question.authorization.as_ref().filter(|_| hub.may_have_token(&address)) {
            request = request.header(header::AUTHORIZATION, token);
        }
        if is_loopback(&address) {
            // A proxy would take what was meant for this machine alone across the network.
            request = request.config().proxy(None).build();
        }
        let response = request.call().map_err(|error| fault_of(error, host_of(address.as_str())))?;
        let to = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection());
        let Some(to) = to else { return Ok((response, of_hub)) };
        let to = to.to_str().ok().and_then(|to| redirected(&address, to));
        let to = to.ok_or_else(|| bad("it sends to an address that is none".into()))?;
        if hub.is_https() && to.scheme() != "https" {
            let reason = format!("it sends to {} without https", host_of(to.as_str()));
            return Err(bad(reason).into());
        }
        if of_hub.is_empty() && !hub.is_server_of(&to) {
            of_hub = response.headers().clone();
        }
        address = to;
    }
    Err(bad(format!("it sends from one address to the next, more than {MOST_REDIRECTS} times")).into())
}

fn fault_of(error: ureq::Error, host: &str) -> Fault {
    if let Some(refused) = certificates::refused(&error, host) {
        return refused.into();
    }
    match error {
        ureq::Error::HostNotFound => Fault::Lost("there is no such host, or no network".into()),
        ureq::Error::Timeout(_) => Fault::Lost("it does not answer in time".into()),
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => {
            Fault::Lost(without_user(&error.to_string()).into_owned())
        }
        // Headers without end, a proxy's address that is none: the same the next time.
        other => {
            let reason = without_user(&other.to_string()).into_owned();
            HubError::Unreachable { host: host.to_owned(), reason }.into()
        }
    }
}
