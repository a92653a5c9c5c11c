//! A host without sockets and files, around the real engine: what is defined on it is planned and started as in the daemon.
//!
//! Nothing is stored, no port opens, no reading ever comes; uploads and conf keys stay in memory.

use std::collections::BTreeMap;

use crate::bill::Bill;
use crate::catalog::host::System;
use crate::catalog::{DataListener, Host, Kind, Stored};
use crate::config::Config;
use crate::engine::Engine;
use crate::sink::TlsLoader;
use crate::time::{Now, Zone};

/// See the module text.
pub struct Bare {
    engine: Engine,
    uploads: BTreeMap<String, String>,
    stored: Vec<Stored>,
    outside: Outside,
}

/// What only the shell can give.
pub struct Outside {
    /// Loads the certificates that sinks name.
    pub tls: Box<dyn TlsLoader>,
    /// Loads time zones.
    pub zone: fn(&str) -> Option<Zone>,
    /// Both clocks, as they stand.
    pub now: Now,
}

impl core::fmt::Debug for Bare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bare").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Outside {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Outside").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Bare {
    /// A host over a fresh engine with the capacities of `config`.
    #[must_use]
    pub fn new(config: &Config, outside: Outside) -> Self {
        Self { engine: Engine::new(config.limits.clone(), 1), uploads: BTreeMap::new(), stored: Vec::new(), outside }
    }
}

impl Bare {
    /// The same, knowing what the process takes whatever is defined.
    #[must_use]
    pub fn with_bill(self, bill: Bill) -> Self {
        Self { engine: self.engine.with_bill(bill), ..self }
    }

    /// The same with stored definitions to start with.
    #[must_use]
    pub fn with_stored(mut self, stored: Vec<Stored>) -> Self {
        self.stored = stored;
        self
    }
}

impl Host for Bare {
    type Engine = Engine;

    fn engine<T: Send + 'static>(&mut self, f: impl FnOnce(&mut Engine, Now) -> T + Send + 'static) -> T {
        f(&mut self.engine, self.outside.now)
    }

    fn listen(&mut self, _: &DataListener) -> Result<(), String> {
        Ok(())
    }

    fn unlisten(&mut self) {}

    fn save(&mut self, _: Kind, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn remove(&mut self, _: Kind, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn load(&mut self) -> Vec<Stored> {
        core::mem::take(&mut self.stored)
    }

    fn read_upload(&mut self, name: &str) -> Result<String, String> {
        self.uploads.get(name).cloned().ok_or_else(|| format!("uploads/{name}: no such file"))
    }

    fn save_upload(&mut self, name: &str, content: &[u8]) -> Result<String, String> {
        self.uploads.insert(name.to_owned(), String::from_utf8_lossy(content).into_owned());
        Ok(format!("uploads/{name}"))
    }

    fn uploads(&mut self) -> Vec<String> {
        self.uploads.keys().map(|name| format!("uploads/{name}")).collect()
    }

    fn remove_upload(&mut self, name: &str) -> Result<(), String> {
        self.uploads.remove(name).map(drop).ok_or_else(|| format!("uploads/{name}: no such file"))
    }

    fn now(&self) -> Now {
        self.outside.now
    }

    fn public_key(&mut self, issuer: &str) -> Result<String, String> {
        Err(format!("{issuer}: no keys here"))
    }

    fn tls(&self) -> &dyn TlsLoader {
        &*self.outside.tls
    }

    fn zone(&self, name: &str) -> Option<Zone> {
        (self.outside.zone)(name)
    }

    fn system(&mut self) -> System {
        System::default()
    }

    fn configured(&mut self, _: &Config) {}

    fn trial_ended(&mut self, _: &str) {}

    /// A judgement asks nobody.
    fn reach(&mut self, _: &str) -> Result<(), String> {
        Err("not asked".to_owned())
    }

    fn warn(&mut self, _: &str) {}
}
