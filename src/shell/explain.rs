//! `pushgate explain`: reads a request from a file or standard input, starts the stored definitions on the real engine, and prints what
//! [`crate::explain`] says. The state directory is only looked at; a daemon may be running on it.
//!
//! Exit codes: 0 when every request would be taken, 1 when one would be refused, 65 for a certificate that is none (sysexits(3)
//! EX_DATAERR), 66 for an input that cannot be read (EX_NOINPUT), 78 for a configuration that would not start (EX_CONFIG).

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use super::client::Terminal;
use super::net::Clock;
use super::sinks::Certificates;
use super::store::Store;
use super::{listen, pools, settings, zone};
use crate::catalog::Control;
use crate::check::bare::{Bare, Outside};
use crate::check::refused;
use crate::cli::{Explain, Outside as _, Place};
use crate::config::paths;
use crate::explain::{Explained, explain};
use crate::wire::{Certificate, Peer};

/// Most that is read: several of the largest requests.
const INPUT_BYTES: u64 = 16 << 20;
const EX_DATAERR: u8 = 65;
const EX_NOINPUT: u8 = 66;
const EX_CONFIG: u8 = 78;

/// Runs the command.
#[must_use]
pub fn run(args: &Explain) -> ExitCode {
    let done = read(&args.file).and_then(|bytes| {
        let addr = args.from.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
        let certificate = args.certificate.as_deref().map(certificate).transpose()?;
        of_bytes(&args.place, bytes, |tls| Peer { certificate, ..Peer::new(addr, tls) })
    });
    match done {
        Ok(explained) => {
            Terminal.print(&explained.text);
            if explained.taken { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err((code, why)) => {
            Terminal.complain(&format!("{}\n", why.trim_end()));
            ExitCode::from(code)
        }
    }
}

/// Explains bytes under the configuration and definitions of `place`. `peer` gets to know whether the data port speaks TLS.
///
/// # Errors
/// An exit code and one sentence.
pub fn of_bytes(place: &Place, bytes: Vec<u8>, peer: impl FnOnce(bool) -> Peer) -> Result<Explained, (u8, String)> {
    let config = settings::read(place.config.as_deref()).map_err(|faults| (EX_CONFIG, refused(&faults).text))?.config;
    let zone = zone::load(&config.basic.timezone)
        .ok_or_else(|| (EX_CONFIG, format!("basic.timezone: this machine has no time zone {}", config.basic.timezone)))?;
    let state = paths::state_dir(place.state.as_deref(), |name| std::env::var(name).ok());
    let stored = state.map(|state| Store::look(&state).load()).unwrap_or_default();
    let outside = Outside { tls: Box::new(Certificates), zone: zone::load, now: Clock::start().now() };
    let tls = config.source.http_server_tls.is_some();
    let wire = listen::settings(&config.limits, config.source.deadlines);
    let mut control =
        Control::new(Bare::new(&config, outside).with_bill(pools::bill(&config.limits, &config)).with_stored(stored), config, zone);
    let faults = control.boot(&[]);
    let mut explained = explain(&mut control, bytes, peer(tls), wire);
    for fault in faults {
        explained.text.insert_str(0, &format!("warning: {fault}\n"));
    }
    Ok(explained)
}

fn read(path: &Path) -> Result<Vec<u8>, (u8, String)> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(INPUT_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(INPUT_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|e| (EX_NOINPUT, format!("{}: {}", path.display(), super::net::reason(&e))))?;
    if bytes.len() as u64 > INPUT_BYTES {
        return Err((EX_NOINPUT, format!("{}: longer than {INPUT_BYTES} bytes", path.display())));
    }
    Ok(bytes)
}

/// The first certificate of a PEM file. Whether anybody vouches for it is not judged here.
fn certificate(path: &Path) -> Result<Arc<Certificate>, (u8, String)> {
    let text = fs::read_to_string(path).map_err(|e| (EX_NOINPUT, format!("{}: {}", path.display(), super::net::reason(&e))))?;
    let body = text.split("-----BEGIN CERTIFICATE-----").nth(1).and_then(|rest| rest.split("-----END").next()).unwrap_or_default();
    let body: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let der = data_encoding::BASE64.decode_len(body.len()).ok().and_then(|len| {
        let mut out = vec![0; len];
        let len = data_encoding::BASE64.decode_mut(&body, &mut out).ok()?;
        out.truncate(len);
        Some(out)
    });
    let certificate = der.and_then(|der| Certificate::read(&der));
    certificate.map(Arc::new).ok_or_else(|| (EX_DATAERR, format!("{}: no certificate in PEM", path.display())))
}
