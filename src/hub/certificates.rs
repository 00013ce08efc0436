//! The certificates that prove who a server is: the system's, a company's own among them, or those that the environment
//! names.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::error::HubError;
use crate::files::regular_file;

/// Bytes of a file of certificates: the list of all public ones has a quarter of a megabyte.
const LARGEST: u64 = 16 << 20;

/// Trusts the certificates in these files and folders; without any, those that the system trusts.
pub(super) fn tls_config(named: &[PathBuf]) -> Result<TlsConfig, HubError> {
    let roots = if named.is_empty() {
        RootCerts::PlatformVerifier
    } else {
        RootCerts::Specific(Arc::new(read(named)?))
    };
    let cryptography = Arc::new(ring::default_provider());
    Ok(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(cryptography).build())
}

fn read(named: &[PathBuf]) -> Result<Vec<Certificate<'static>>, HubError> {
    let mut certificates = Vec::new();
    for path in named {
        // As OpenSSL does it: a list of folders may name some that this machine does not have.
        if named.len() > 1 && !path.exists() {
            tracing::debug!("no certificates in {}: it does not exist", path.display());
            continue;
        }
        if !path.is_dir() {
            let of_file = of_file(path).map_err(|error| bad(path, &error))?;
            if of_file.is_empty() {
                return Err(bad(path, &"it holds no certificate in PEM format"));
            }
            certificates.extend(of_file);
            continue;
        }
        // Such a folder also holds lists of what was revoked, and links to nowhere.
        let entries = fs::read_dir(path).map_err(|error| bad(path, &error))?;
        certificates.extend(entries.flatten().filter_map(|entry| of_file(&entry.path()).ok()).flatten());
    }
    if let (true, Some(path)) = (certificates.is_empty(), named.first()) {
        return Err(bad(path, &"it holds no certificate in PEM format"));
    }
    Ok(certificates)
}

fn of_file(path: &Path) -> std::io::Result<Vec<Certificate<'static>>> {
    let bytes = regular_file::read_at_most(path, LARGEST)?;
    let certificates = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    Ok(certificates.collect())
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> HubError {
    HubError::BadSetting {
        variable: "SSL_CERT_FILE or SSL_CERT_DIR",
        reason: format!("{}: {reason}", path.display()),
    }
}

/// A failure that is about certificates, worded so; `None` for any other.
pub(super) fn refused(error: &ureq::Error, host: &str) -> Option<HubError> {
    let error = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    let host = host.to_owned();
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            Some(HubError::Certificate { host, reason: reason.to_string() })
        }
        // What the verifier says where the system has none at all.
        rustls::Error::General(reason) if reason.contains("No CA certificates") => {
            Some(HubError::NoCertificates { host })
        }
        _ => None,
    }
}
