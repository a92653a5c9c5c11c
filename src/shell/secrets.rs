//! Secrets of the data port's credentials, read from files and from what systemd passes (`$CREDENTIALS_DIRECTORY`, systemd.exec(5)).
//!
//! The first line is the secret, without its line end. Files are read when a rule starts and again at every reload, on the worker
//! thread; only regular files, at most [`FILE_BYTES`] of each. No message holds what a file holds.
//!
//! And the public keys of the management port's tokens, which are read at each request, as in eKuiper.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::config::credentials::SecretFrom;

/// Most that is read of a file.
const FILE_BYTES: u64 = 4096;

/// The secret that lies in a file.
///
/// # Errors
/// One sentence that names the file and the reason.
pub fn read(from: &SecretFrom) -> Result<String, String> {
    let path = match from {
        SecretFrom::File(path) if Path::new(path).is_absolute() => PathBuf::from(path),
        SecretFrom::File(path) => return Err(format!("secretFile {path}: expected an absolute path")),
        SecretFrom::Systemd(name) => {
            let Some(dir) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
                return Err(format!("systemdCredential {name}: CREDENTIALS_DIRECTORY is not set: is LoadCredential= in the unit?"));
            };
            Path::new(&dir).join(name)
        }
        _ => return Err("no file holds this secret".into()),
    };
    let fault = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    // Looked at before it is opened: opening a pipe would wait for whoever writes to it.
    let meta = fs::metadata(&path).map_err(|e| fault(&super::net::reason(&e)))?;
    if !meta.is_file() {
        return Err(fault(&"no regular file"));
    }
    if meta.mode() & 0o004 != 0 {
        log::warn!("{}: every user of this machine can read this secret (mode {:o}), chmod 600 it", path.display(), meta.mode() & 0o777);
    }
    let mut bytes = Vec::new();
    File::open(&path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes)).map_err(|e| fault(&super::net::reason(&e)))?;
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(fault(&"the first line is empty"));
    }
    String::from_utf8(line.to_vec()).map_err(|_| fault(&"the first line is no UTF-8"))
}

/// The PEM text of the public key `issuer` below `dir`, whatever its letter case. Only names of files that are there are opened, so an
/// issuer cannot lead elsewhere.
///
/// # Errors
/// eKuiper's sentence.
pub fn public_key(dir: &Path, issuer: &str) -> Result<String, String> {
    let found = fs::read_dir(dir)
        .map_err(|e| format!("open {}: {}", dir.display(), super::net::reason(&e)))?
        .flatten()
        .find(|entry| entry.file_name().to_str().is_some_and(|name| name.to_lowercase() == issuer.to_lowercase()));
    let Some(entry) = found else { return Err(format!("not found target key file {issuer} in /etc/mgmt")) };
    let mut text = String::new();
    let read = fs::metadata(entry.path()).and_then(|meta| match meta.is_file() {
        true => File::open(entry.path())?.take(4 * FILE_BYTES).read_to_string(&mut text),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    });
    read.map_err(|e| format!("{}: {}", entry.path().display(), super::net::reason(&e)))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_and_refusals() {
        let dir = std::env::temp_dir().join(format!("pushgate-secrets-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            fs::write(&path, bytes).expect("a file");
            SecretFrom::File(path.display().to_string())
        };
        assert_eq!(read(&file("a", b"s3cret\r\nmore")).as_deref(), Ok("s3cret"));
        assert_eq!(read(&file("b", b"s3cret")).as_deref(), Ok("s3cret"));
        for (from, want) in [
            (file("c", b"\nx"), "the first line is empty"),
            (file("d", b"\xff\n"), "the first line is no UTF-8"),
            (SecretFrom::File(dir.display().to_string()), "no regular file"),
            (SecretFrom::File(dir.join("none").display().to_string()), "none: "),
            (SecretFrom::File("rel".into()), "expected an absolute path"),
            (SecretFrom::File("/dev/zero".into()), "no regular file"),
        ] {
            assert!(read(&from).is_err_and(|e| e.contains(want)), "{want}");
        }
        fs::remove_dir_all(&dir).expect("gone");
    }
}
