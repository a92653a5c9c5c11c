//! TLS around a socket: rustls with ring, 1.2 and 1.3, certificates and keys from PEM files.
//!
//! A [`Session`] is polled by [`Socket`](super::net::Socket) only. [`ServerTls`] and [`ClientTls`] are made once from files
//! and shared; making one checks that the key belongs to the certificate, and says which file is wrong and how. A [`ServerTls`] knows
//! its files and how they looked when they were read ([`Stamp`]), so that one can tell whether they have changed. Built without the
//! feature `tls`, making one is the error.

use std::{fmt, io, net::TcpStream, path::Path};

use rustix::fs::stat;

use crate::{config::TlsFiles, time::Timestamp, wire::Certificate};

/// Why TLS cannot be set up: `certificate /etc/gw.pem: no such file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// What a client is told about the server's certificate and its own.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions<'p> {
    /// Roots to trust; without it, those of the system.
    pub ca: Option<Pem<'p>>,
    /// Certificate and key to show when asked.
    pub cert: Option<(Pem<'p>, Pem<'p>)>,
    /// Any certificate of the server's will do.
    pub insecure_skip_verify: bool,
    /// TLS 1.3 alone.
    pub only_1_3: bool,
    /// What is spoken inside is not HTTP, and must not be announced as such.
    pub no_http: bool,
}

/// Where certificates or a key come from.
#[derive(Debug, Clone, Copy)]
pub enum Pem<'p> {
    /// A file.
    File(&'p Path),
    /// What a property holds.
    Text {
        /// The property.
        name: &'static str,
        /// What it holds.
        text: &'p [u8],
    },
}

impl fmt::Display for Pem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Text { name, .. } => f.write_str(name),
        }
    }
}

/// How a set of files looked: inode, length and time of the last change of each. Replacing a file, writing into it and pointing a link
/// elsewhere all show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamp(Vec<Option<(u64, i64, i64, i64)>>);

impl Stamp {
    /// How the files named in `files` look now.
    #[must_use]
    #[expect(clippy::allow_attributes, reason = "whether a cast is needed depends on the target")]
    #[allow(clippy::unnecessary_cast, clippy::cast_lossless, trivial_numeric_casts, reason = "libc's widths differ between targets")]
    pub fn of(files: &TlsFiles) -> Self {
        let look = |path: &String| {
            stat(path.as_str()).ok().map(|s| (s.st_ino as u64, s.st_size as i64, s.st_mtime as i64, s.st_mtime_nsec as i64))
        };
        Self(files.paths().map(look).collect())
    }
}

/// Whether this build speaks TLS at all.
pub const BUILT: bool = cfg!(feature = "tls");

#[cfg(feature = "tls")]
mod present;

#[cfg(not(feature = "tls"))]
pub use absent::{ClientTls, ServerTls, Session};
#[cfg(feature = "tls")]
pub use present::{ClientTls, ServerTls, Session};

#[cfg(not(feature = "tls"))]
mod absent {
    use std::sync::Arc;

    use super::{Certificate, ClientOptions, Stamp, TcpStream, Timestamp, TlsError, TlsFiles, io};

    /// TLS that this build does not have.
    #[derive(Debug, Clone)]
    pub enum ServerTls {}
    /// TLS that this build does not have.
    #[derive(Debug, Clone)]
    pub enum ClientTls {}
    /// TLS that this build does not have.
    #[derive(Debug)]
    pub enum Session {}

    fn not_built() -> TlsError {
        TlsError("this pushgate is built without TLS (cargo feature tls)".to_owned())
    }

    impl ServerTls {
        /// # Errors
        /// Always.
        pub fn load(_files: &TlsFiles) -> Result<Self, TlsError> {
            Err(not_built())
        }

        /// What it was made from.
        #[must_use]
        pub fn files(&self) -> &TlsFiles {
            match *self {}
        }

        /// How the files looked when they were read.
        #[must_use]
        pub fn stamp(&self) -> &Stamp {
            match *self {}
        }

        /// Until when the certificate holds.
        #[must_use]
        pub fn not_after(&self) -> Timestamp {
            match *self {}
        }

        /// A session for a connection that was accepted.
        ///
        /// # Errors
        /// Never reached.
        pub fn session(&self) -> io::Result<Session> {
            match *self {}
        }
    }

    impl ClientTls {
        /// # Errors
        /// Always.
        pub fn new(_options: &ClientOptions<'_>) -> Result<Self, TlsError> {
            Err(not_built())
        }

        /// A session with `host`.
        ///
        /// # Errors
        /// Never reached.
        pub fn session(&self, _host: &str) -> io::Result<Session> {
            match *self {}
        }
    }

    impl Session {
        pub(in crate::shell) fn read(&mut self, _: &TcpStream, _: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }
        pub(in crate::shell) fn write(&mut self, _: &TcpStream, _: &[u8]) -> io::Result<usize> {
            match *self {}
        }
        pub(in crate::shell) fn flush(&mut self, _: &TcpStream) -> io::Result<()> {
            match *self {}
        }
        pub(in crate::shell) fn wants_write(&self) -> bool {
            match *self {}
        }
        pub(in crate::shell) fn close_notify(&mut self) {
            match *self {}
        }
        pub(in crate::shell) fn begun(&mut self, _: &TcpStream) -> io::Result<()> {
            match *self {}
        }
        pub(in crate::shell) fn handshake(&mut self, _: &TcpStream) -> io::Result<()> {
            match *self {}
        }
        pub(in crate::shell) fn is_handshaking(&self) -> bool {
            match *self {}
        }
        pub(in crate::shell) fn certificate(&self) -> Option<Arc<Certificate>> {
            match *self {}
        }
    }
}
