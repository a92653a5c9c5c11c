//! The catalog's host: calls into the data thread, files below the state directory, the data port.
//!
//! A worker thread runs management commands one at a time; [`Link`] carries a closure to the data thread, which runs it between two
//! readings, and brings the result back.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use smol::channel::{Receiver, Sender};

use super::net::Clock;
use super::sinks::Certificates;
use super::store::Store;
use super::tls::ServerTls;
use super::vitals::Vitals;
use super::zone;
use crate::catalog::host::System;
use crate::catalog::{DataListener, Host, Kind, Stored};
use crate::config::credentials::SecretFrom;
use crate::config::{Config, paths};
use crate::engine::Engine;
use crate::sink::{TlsClient, TlsLoader, TlsProps};
use crate::source::file::below;
use crate::time::{Now, Zone};

/// Something to do with the engine between two readings.
pub type Errand = Box<dyn FnOnce(&mut Engine, Now) + Send>;

/// What the worker asks of the data thread.
pub enum Ask {
    /// Run this over the engine.
    Engine(Errand),
    /// Open the data port.
    Listen(DataListener, Option<ServerTls>, mpsc::SyncSender<Result<(), String>>),
    /// Close it.
    Unlisten,
    /// A rule trial is over.
    TrialEnded(String),
}

impl core::fmt::Debug for Ask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Engine(_) => "Engine",
            Self::Listen(..) => "Listen",
            Self::Unlisten => "Unlisten",
            Self::TrialEnded(_) => "TrialEnded",
        })
    }
}

/// The way to the data thread.
#[derive(Debug, Clone)]
pub struct Link {
    asks: Sender<Ask>,
}

impl Link {
    /// A link and the end that the data thread reads.
    #[must_use]
    pub fn new() -> (Self, Receiver<Ask>) {
        let (asks, end) = smol::channel::unbounded();
        (Self { asks }, end)
    }

    /// Runs `f` over the engine between two readings and waits for it; `None`: the process is ending.
    pub fn engine<T: Send + 'static>(&self, f: impl FnOnce(&mut Engine, Now) -> T + Send + 'static) -> Option<T> {
        let (back, answer) = mpsc::sync_channel(1);
        self.send(Ask::Engine(Box::new(move |engine, now| {
            let _ = back.send(f(engine, now)); // who asked waits for it
        })));
        answer.recv().ok()
    }

    /// Has `f` run over the engine between two readings, without waiting for it.
    pub fn tell(&self, f: impl FnOnce(&mut Engine, Now) + Send + 'static) {
        self.send(Ask::Engine(Box::new(f)));
    }

    fn send(&self, ask: Ask) {
        // The data thread ends last; a command that comes too late has nobody to answer to.
        let _ = self.asks.try_send(ask);
    }
}

/// Certificates and secrets, and the files of sources below the state directory.
#[derive(Debug)]
struct Files {
    state: String,
}

impl TlsLoader for Files {
    fn client(&self, props: &TlsProps) -> Result<TlsClient, String> {
        Certificates.client(props)
    }

    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        Certificates.secret(from)
    }

    fn source_file(&self, path: &str) -> Result<String, String> {
        let path = below(&self.state, path)?;
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(path),
            Ok(_) => Err(format!("file {path} is no regular file: directories are not supported")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(format!("file {path} not exist")),
            Err(error) => Err(format!("file {path}: {}", reason(&error))),
        }
    }
}

/// See the module text.
#[derive(Debug)]
pub struct ShellHost {
    link: Link,
    store: Store,
    clock: Clock,
    vitals: Vitals,
    files: Files,
    /// Where public keys of the management port lie.
    keys: PathBuf,
}

impl ShellHost {
    /// A host over a link and a state directory. `config`: the configuration file, beside which the keys of `mgmt/` lie.
    #[must_use]
    pub fn new(link: Link, store: Store, clock: Clock, config: Option<&Path>) -> Self {
        let keys = config.unwrap_or(Path::new(paths::SYSTEM_FILE)).with_file_name("mgmt");
        let files = Files { state: store.root().to_string_lossy().trim_end_matches('/').to_owned() };
        Self { link, store, clock, vitals: Vitals::default(), files, keys }
    }
}

/// The system's text in lower case, without Rust's number: `connection refused`.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

impl Host for ShellHost {
    type Engine = Engine;

    fn engine<T: Send + 'static>(&mut self, f: impl FnOnce(&mut Engine, Now) -> T + Send + 'static) -> T {
        match self.link.engine(f) {
            Some(value) => value,
            // The data thread is gone: the process is ending, and this thread with it.
            None => loop {
                std::thread::park();
            },
        }
    }

    fn listen(&mut self, at: &DataListener) -> Result<(), String> {
        let tls = match &at.tls {
            None => None,
            Some(files) => Some(ServerTls::load(files).map_err(|e| e.to_string())?),
        };
        let (back, answer) = mpsc::sync_channel(1);
        self.link.send(Ask::Listen(at.clone(), tls, back));
        answer.recv().unwrap_or_else(|_| Err("pushgate is ending".into()))
    }

    fn unlisten(&mut self) {
        self.link.send(Ask::Unlisten);
    }

    fn save(&mut self, kind: Kind, name: &str, text: &str) -> Result<(), String> {
        self.store.save(kind, name, text)
    }

    fn remove(&mut self, kind: Kind, name: &str) -> Result<(), String> {
        self.store.remove(kind, name)
    }

    fn load(&mut self) -> Vec<Stored> {
        self.store.load()
    }

    fn read_upload(&mut self, name: &str) -> Result<String, String> {
        self.store.read_upload(name)
    }

    fn save_upload(&mut self, name: &str, content: &[u8]) -> Result<String, String> {
        self.store.save_upload(name, content)
    }

    fn uploads(&mut self) -> Vec<String> {
        self.store.uploads()
    }

    fn remove_upload(&mut self, name: &str) -> Result<(), String> {
        self.store.remove_upload(name)
    }

    fn reach(&mut self, addr: &str) -> Result<(), String> {
        const PATIENCE: Duration = Duration::from_millis(250);
        let addrs = addr.to_socket_addrs().map_err(|error| reason(&error))?;
        let mut result = Err("no address".to_owned());
        for addr in addrs.take(2) {
            result = TcpStream::connect_timeout(&addr, PATIENCE).map(drop).map_err(|error| reason(&error));
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn warn(&mut self, line: &str) {
        log::warn!("{line}");
    }

    fn trial_ended(&mut self, id: &str) {
        self.link.send(Ask::TrialEnded(id.to_owned()));
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn public_key(&mut self, issuer: &str) -> Result<String, String> {
        super::secrets::public_key(&self.keys, issuer)
    }

    fn tls(&self) -> &dyn TlsLoader {
        &self.files
    }

    fn zone(&self, name: &str) -> Option<Zone> {
        zone::load(name)
    }

    fn system(&mut self) -> System {
        self.vitals.read()
    }

    fn configured(&mut self, config: &Config) {
        log::set_max_level(config.basic.level());
    }
}
