//! A secret as far as it is known, and where it is loaded from.

use super::sha256;
use crate::config::credentials::{self, Pbkdf2, SECRET_BYTES, SecretFrom};

/// A secret as far as it is known.
pub(super) enum Secret {
    Clear(String),
    Sha256([u8; 32]),
    Slow(Pbkdf2),
}

impl Secret {
    /// Its SHA-256.
    pub(super) fn digest(&self) -> Result<[u8; 32], String> {
        match self {
            Self::Clear(text) => Ok(sha256(text.as_bytes())),
            Self::Sha256(hash) => Ok(*hash),
            Self::Slow(_) => Err("PBKDF2 is for passwords of type basic".into()),
        }
    }
}

/// Loads a secret. A file may hold the secret itself, or `sha256:…` or `pbkdf2:…` as `pushgate credential new` prints them.
pub(super) fn secret(from: &SecretFrom, load: &mut dyn FnMut(&SecretFrom) -> Result<String, String>) -> Result<Secret, String> {
    match from {
        SecretFrom::Inline(text) => Ok(Secret::Clear(text.clone())),
        SecretFrom::Sha256(hash) => Ok(Secret::Sha256(*hash)),
        SecretFrom::Pbkdf2(hash) => Ok(Secret::Slow(hash.clone())),
        SecretFrom::File(_) | SecretFrom::Systemd(_) => {
            let text = load(from)?;
            if let Some(hash) = text.strip_prefix("sha256:") {
                return credentials::sha256(hash.trim()).map(Secret::Sha256).ok_or_else(|| "the file holds a broken sha256 line".into());
            }
            if let Some(hash) = text.strip_prefix("pbkdf2:") {
                return credentials::pbkdf2(hash.trim()).map(Secret::Slow).ok_or_else(|| "the file holds a broken pbkdf2 line".into());
            }
            if text.is_empty() || text.len() > SECRET_BYTES {
                return Err(format!("the first line of the file has {} bytes, expected 1 to {SECRET_BYTES}", text.len()));
            }
            Ok(Secret::Clear(text))
        }
    }
}
