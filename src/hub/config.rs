//! Where the hub and its cache are, as the environment says: the same variables that the Python ecosystem reads.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use ureq::http::HeaderValue;

use super::endpoint::{Endpoint, TokenUse};
use super::error::HubError;
use crate::files::regular_file;

/// The hub where the environment names no other.
const PUBLIC_HUB: &str = "https://huggingface.co";

/// Where models are fetched from and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// The cache: `models--ORG--NAME` folders lie in it.
    pub cache: PathBuf,
    /// Address of the hub.
    pub endpoint: Endpoint,
    /// The user's token, where there is one.
    pub token: Option<Token>,
    /// Nothing may be fetched.
    pub offline: bool,
    /// Files and folders of certificates to trust instead of the system's; none: the system's.
    pub certificates: Vec<PathBuf>,
}

/// A secret: never shown, and sent to the hub alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as the environment or a file holds it; `None` when there is nothing in it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The value of the header, which the libraries below show as little as this does; `None` where a header cannot
    /// hold such characters.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl HubConfig {
    /// As the environment of this process says.
    ///
    /// # Errors
    /// When neither a variable nor the system names a folder, or the address or the token cannot be used.
    pub fn from_env() -> Result<Self, HubError> {
        Self::of(&|name| std::env::var_os(name), std::env::home_dir().as_deref())
    }

    fn of(variable: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Result<Self, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).map(|value| value.to_string_lossy().into_owned());
        let path = |name: &str| set(name).map(|value| in_home(PathBuf::from(value), home));
        let is_true = |name: &str| {
            let value = text(name).unwrap_or_default().to_ascii_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        };

        let of_user = || path("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")));
        let hf_home = path("HF_HOME").or_else(|| of_user().map(|cache| cache.join("huggingface")));
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| hf_home.as_ref().map(|dir| dir.join("hub")));
        let cache = cache.and_then(|dir| std::path::absolute(dir).ok()).ok_or(HubError::BadSetting {
            variable: "HF_HOME",
            reason: "it is not set, and the system names no home folder. Set it to a folder for models"
                .into(),
        })?;

        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| PUBLIC_HUB.to_owned());
        let endpoint =
            endpoint.parse().map_err(|reason| HubError::BadSetting { variable: "HF_ENDPOINT", reason })?;

        let token_file = path("HF_TOKEN_PATH").or_else(|| hf_home.map(|dir| dir.join("token")));
        let in_file = || token_file.and_then(|file| regular_file::read_to_string(file.as_ref()).ok());
        let token =
            if is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { text("HF_TOKEN").or_else(in_file) };
        let token = token.as_deref().and_then(Token::new);
        if token.as_ref().is_some_and(|token| !token.0.bytes().all(|b| b.is_ascii_graphic())) {
            let reason = "the token holds characters that no token has".into();
            return Err(HubError::BadSetting { variable: "HF_TOKEN", reason });
        }

        let offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
        let folders = set("SSL_CERT_DIR").map(|value| std::env::split_paths(&value).collect::<Vec<_>>());
        let folders = folders.unwrap_or_default().into_iter().filter(|dir| !dir.as_os_str().is_empty());
        let certificates = path("SSL_CERT_FILE").into_iter().chain(folders).collect();
        Ok(Self { cache, endpoint, token, offline, certificates })
    }

    /// The hub's name as people know it: `huggingface.co`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.endpoint.host()
    }

    /// What requests say of who asks.
    #[must_use]
    pub fn token_use(&self) -> TokenUse {
        match &self.token {
            None => TokenUse::None,
            Some(_) if self.endpoint.is_private() => TokenUse::Sent,
            Some(_) => TokenUse::Withheld,
        }
    }

    /// A warning where the user's token is withheld.
    #[must_use]
    pub fn token_warning(&self) -> Option<String> {
        (self.token_use() == TokenUse::Withheld).then(|| {
            format!(
                "HF_ENDPOINT is not https, so the token is not sent to {}: others on the network could read it",
                self.host()
            )
        })
    }
}

fn in_home(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)]) -> Result<HubConfig, HubError> {
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let of = move |name: &str| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| OsString::from(value))
        };
        HubConfig::of(&of, Some(Path::new("/home/ada")))
    }

    #[cfg(unix)]
    #[test]
    fn the_variables_are_those_of_python() {
        let cache = |variables: &[(&str, &str)]| place(variables).unwrap().cache.display().to_string();
        assert_eq!(cache(&[]), "/home/ada/.cache/huggingface/hub");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(cache(&[("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/x")]), "/home/ada/hf/hub");
        assert_eq!(cache(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/cache")]), "/cache");
        assert_eq!(cache(&[("HF_HOME", "")]), "/home/ada/.cache/huggingface/hub");

        let usual = place(&[]).unwrap();
        assert_eq!(
            (usual.endpoint.to_string().as_str(), usual.host()),
            ("https://huggingface.co", "huggingface.co")
        );
        assert!(!usual.offline && usual.token.is_none());
        let mirror = place(&[("HF_ENDPOINT", "http://127.0.0.1:8000/"), ("HF_HUB_OFFLINE", "yes")]).unwrap();
        assert_eq!(mirror.host(), "127.0.0.1:8000");
        assert!(mirror.offline);
        assert!(place(&[("HF_ENDPOINT", "huggingface.co")]).unwrap_err().to_string().contains("https://"));
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_file_and_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("token"), "hf_file\n").unwrap();
        std::fs::write(dir.path().join("other"), "hf_other").unwrap();
        let other = format!("{home}/other");
        for (variables, token) in [
            (&[("HF_HOME", home), ("HF_TOKEN", "hf_variable")][..], Some("hf_variable")),
            (&[("HF_HOME", home)], Some("hf_file")),
            (&[("HF_HOME", home), ("HF_TOKEN_PATH", &other)], Some("hf_other")),
            (&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], None),
            (&[], None),
        ] {
            let place = place(variables).unwrap();
            assert_eq!(place.token, token.and_then(Token::new));
            assert!(!format!("{place:?}").contains("hf_"), "{place:?}");
        }
        assert!(place(&[("HF_TOKEN", "a\r\nHost: x")]).is_err());
        let header = Token::new("hf_secret").and_then(|token| token.header()).unwrap();
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(Token::new("a\nHost: x").and_then(|token| token.header()).is_none());
    }

    #[test]
    fn the_token_is_withheld_from_plain_http_across_a_network() {
        let with =
            |endpoint| place(&[("HF_TOKEN", "hf_secret"), ("HF_ENDPOINT", endpoint)]).unwrap().token_use();
        for endpoint in
            ["https://mirror.example", "http://127.0.0.1:8000", "http://[::1]:80", "http://localhost"]
        {
            assert_eq!(with(endpoint), TokenUse::Sent, "{endpoint}");
        }
        for endpoint in
            ["http://mirror.example", "http://10.0.0.7:8000", "http://127.0.0.1.example", "http://0.0.0.0"]
        {
            assert_eq!(with(endpoint), TokenUse::Withheld, "{endpoint}");
        }
        assert_eq!(place(&[("HF_ENDPOINT", "http://mirror.example")]).unwrap().token_use(), TokenUse::None);
    }

    #[test]
    fn a_user_and_a_password_in_the_address_of_the_hub_are_shown_nowhere() {
        let place = place(&[("HF_ENDPOINT", "https://ada:secret@mirror.example:8443/hub/")]).unwrap();
        assert_eq!(
            (place.host(), place.endpoint.to_string().as_str()),
            ("mirror.example:8443", "https://mirror.example:8443/hub")
        );
        assert!(!format!("{place:?}").contains("secret"), "{place:?}");
        let refused = super::tests::place(&[("HF_ENDPOINT", "ftp://ada:secret@mirror.example")]).unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn certificates_are_named_as_openssl_names_them() {
        let with = |variables: &[(&str, &str)]| place(variables).unwrap().certificates;
        assert!(with(&[]).is_empty() && with(&[("SSL_CERT_FILE", "")]).is_empty());
        assert_eq!(
            with(&[("SSL_CERT_FILE", "/a.pem"), ("SSL_CERT_DIR", "/b:/c:")]),
            ["/a.pem", "/b", "/c"].map(PathBuf::from)
        );
    }
}
