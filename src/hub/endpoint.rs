//! Addresses: what may be told to which of them, and what of them may be shown.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Address of a hub. It holds neither a user nor a password: such would be in every message that names the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a slash at its end.
    text: String,
    url: Url,
}

/// What became of the user's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// There is none.
    None,
    /// The hub gets it.
    Sent,
    /// The hub is reached over plain http across a network, where anybody on the way could read it.
    Withheld,
}

impl Endpoint {
    /// The host, and the port where it is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        host_of(&self.text)
    }

    /// Whether nobody on the way can read what is sent there.
    #[must_use]
    pub fn is_private(&self) -> bool {
        is_private(&self.url)
    }

    /// Whether it is reached over https. Then nothing is fetched without, wherever it sends to.
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Where a path lies below it; the path begins with a slash.
    pub(super) fn address(&self, path: &str) -> Option<Url> {
        Url::parse(&format!("{}{path}", self.text)).ok().filter(|address| self.is_server_of(address))
    }

    /// Whether an address has its scheme, host and port.
    pub(super) fn is_server_of(&self, address: &Url) -> bool {
        self.url.origin() == address.origin()
    }

    /// Whether the hub's token may be told to an address: to the hub alone, and to it in private alone.
    pub(super) fn may_have_token(&self, address: &Url) -> bool {
        self.is_server_of(address) && is_private(address)
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let url = Url::parse(text).ok().filter(|url| is_web(url) && url.has_host());
        let mut url = url.ok_or_else(|| {
            // What stands before an @ may be a password, also where nothing else makes sense.
            let shown = text.rsplit('@').next().unwrap_or_default();
            format!("\"{shown}\" is no address: it should begin with https://")
        })?;
        take_user_out(&mut url);
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a `Location` leads from an address: only to the web, and as nobody.
pub(super) fn redirected(from: &Url, to: &str) -> Option<Url> {
    let mut to = from.join(to).ok().filter(|url| !to.is_empty() && is_web(url))?;
    take_user_out(&mut to);
    Some(to)
}

/// Whether an address is on this machine, by its own word: a name would be looked up.
pub(super) fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_private(address: &Url) -> bool {
    address.scheme() == "https" || is_loopback(address)
}

fn is_web(address: &Url) -> bool {
    matches!(address.scheme(), "https" | "http")
}

fn take_user_out(address: &mut Url) {
    // It fails for addresses without a host, which have no user either.
    let emptied = address.set_username("").and_then(|()| address.set_password(None));
    debug_assert!(emptied.is_ok(), "an address of the web has a host");
}

/// The host, and the port where there is one, of an address.
pub(super) fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// A text without the users and passwords of the addresses in it.
pub(super) fn without_user(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let (mut clean, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c)).unwrap_or(after.len());
        let (authority, following) = after.split_at(end);
        clean.extend([before, "://", authority.rsplit_once('@').map_or(authority, |(_, host)| host)]);
        rest = following;
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> Url {
        Url::parse(address).unwrap()
    }

    fn endpoint(address: &str) -> Endpoint {
        address.parse().unwrap()
    }

    #[test]
    fn redirects_lead_where_the_browser_would_go() {
        let from = url("https://hub.example/org/name/resolve/main/x.json?a=1");
        for (to, expected) in [
            ("https://cdn.example/x", Some("https://cdn.example/x")),
            (
                "HTTPS://cdn.example/x?Signature=a%2Fb~c&Key-Pair-Id=d",
                Some("https://cdn.example/x?Signature=a%2Fb~c&Key-Pair-Id=d"),
            ),
            ("/other/x.json", Some("https://hub.example/other/x.json")),
            ("//cdn.example/x", Some("https://cdn.example/x")),
            ("y.json", Some("https://hub.example/org/name/resolve/main/y.json")),
            ("../../raw/y.json", Some("https://hub.example/org/name/raw/y.json")),
            ("https://ada:secret@cdn.example/x", Some("https://cdn.example/x")),
            ("file:///etc/passwd", None),
            ("data:text/plain,x", None),
            ("", None),
        ] {
            assert_eq!(redirected(&from, to).as_ref().map(Url::as_str), expected, "{to}");
        }
    }

    #[test]
    fn the_token_is_for_one_server_only() {
        let hub = endpoint("https://hub.example");
        assert!(hub.may_have_token(&url("https://HUB.example:443/b?c")));
        for other in [
            "http://hub.example/a",
            "https://hub.example:8443/a",
            "https://hub.example.org/a",
            "https://hub.example@evil.example/a",
            "//evil.example/a",
        ] {
            let reached = redirected(&url("https://hub.example/x"), other).unwrap();
            assert!(!hub.may_have_token(&reached), "{other}");
        }
        assert!(!endpoint("https://127.0.0.1:8000").may_have_token(&url("http://127.0.0.1:8000/a")));
    }

    #[test]
    fn the_token_travels_in_clear_on_this_machine_only() {
        for (address, may) in [
            ("https://hub.example", true),
            ("http://127.0.0.1:8000", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:8000", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost:8000", true),
            ("http://hub.example", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0:8000", false),
            ("http://127.0.0.1.nip.io", false),
            ("http://localhost.example", false),
            ("http://localhost@hub.example", false),
        ] {
            let hub = endpoint(address);
            assert_eq!(hub.may_have_token(&hub.address("/x").unwrap()), may, "{address}");
        }
    }

    #[test]
    fn a_path_cannot_lead_to_another_server() {
        let hub = endpoint("https://hub.example/mirror/");
        assert_eq!(hub.address("/a/b").unwrap().as_str(), "https://hub.example/mirror/a/b");
        assert_eq!(endpoint("https://hub.example").address("@evil.example/a"), None);
    }

    #[test]
    fn what_is_shown_holds_no_user() {
        for (text, expected) in [
            ("bad uri: http://ada:secret@hub.example/x", "bad uri: http://hub.example/x"),
            ("http://a@b@proxy:80 and https://c:d@e/f@g", "http://proxy:80 and https://e/f@g"),
            ("ada@example.com", "ada@example.com"),
        ] {
            assert_eq!(without_user(text), expected);
        }
        assert_eq!(host_of("http://ada:secret@hub.example:80/a@b"), "hub.example:80");
        assert!(!"ada:secret@hub".parse::<Endpoint>().unwrap_err().contains("secret"));
    }
}
