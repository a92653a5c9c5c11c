//! `pushgate check`: configuration, stored definitions or a ruleset, judged by the very planner that would run them, without
//! starting.

use std::path::Path;
use std::process::ExitCode;

use super::client::Terminal;
use super::net::Clock;
use super::pools;
use super::reload::ending;
use super::sinks::Certificates;
use super::store::Store;
use super::tls::ServerTls;
use super::{settings, zone};
use crate::bill::Bill;
use crate::catalog::{Control, Host as _};
use crate::check::bare::{Bare, Outside};
use crate::check::{self, Checked, Report};
use crate::cli::{Outside as _, Place};
use crate::config::{Config, paths};

/// Runs the command; its report goes to standard output.
#[must_use]
pub fn run(place: &Place, show: bool, ruleset: Option<&Path>) -> ExitCode {
    let mut out = Terminal;
    let settings = match settings::read(place.config.as_deref()) {
        Ok(settings) => settings,
        Err(faults) => {
            let report = check::refused(&faults);
            out.complain(&report.text);
            return ExitCode::from(report.code);
        }
    };
    if let Some(file) = ruleset {
        return match judged(file, &settings.config) {
            Ok(report) => {
                out.print(&report.text);
                ExitCode::from(report.code)
            }
            Err(error) => {
                out.complain(&format!("error: {error}\n"));
                ExitCode::from(EX_NOINPUT)
            }
        };
    }
    let (mut stored, mut warnings, bill) = match stored(place, &settings.config) {
        Ok(stored) => stored,
        Err(error) => {
            out.complain(&format!("error: {error}\n"));
            return ExitCode::from(EX_NOINPUT);
        }
    };
    certificates(&settings.config, &mut stored, &mut warnings);
    let file = settings.file.as_ref().map(|f| f.display().to_string());
    let report = check::report(file.as_deref(), &settings.config, &stored, &warnings, &bill, show);
    out.print(&report.text);
    ExitCode::from(report.code)
}

/// sysexits(3): an input cannot be read.
const EX_NOINPUT: u8 = 66;

/// Reads what both ports would speak TLS with.
fn certificates(config: &Config, checked: &mut Vec<Checked>, warnings: &mut Vec<String>) {
    let now = Clock::start().now().wall;
    for (what, files) in [("basic.restTls", &config.basic.rest_tls), ("source.httpServerTls", &config.source.http_server_tls)] {
        let Some(files) = files else { continue };
        match ServerTls::load(files) {
            Ok(tls) => {
                warnings.extend(ending(what, &tls, now));
                checked.push(Checked { what: what.into(), fault: None });
            }
            Err(error) => checked.push(Checked { what: what.into(), fault: Some(error.to_string()) }),
        }
    }
}

/// The report on a ruleset; `-` is standard input.
fn judged(file: &Path, config: &Config) -> Result<Report, String> {
    let zone = zone::load(&config.basic.timezone).ok_or_else(|| format!("basic.timezone: no time zone {}", config.basic.timezone))?;
    let name = file.display().to_string();
    let text = Terminal.read_file(&name).map_err(|e| format!("{name}: {e}"))?;
    let outside = Outside { tls: Box::new(Certificates), zone: zone::load, now: Clock::start().now() };
    Ok(check::ruleset::report(&name, &text, config, &zone, outside))
}

/// What became of each definition in the state directory; a directory that is not there holds none, and is not made.
///
/// Its rules are started on a host without sockets, one after another as at a start, so that the bill is that of all that run then.
fn stored(place: &Place, config: &Config) -> Result<(Vec<Checked>, Vec<String>, Bill), String> {
    let fixed = pools::bill(&config.limits, config);
    let state = paths::state_dir(place.state.as_deref(), |name| std::env::var(name).ok()).filter(|state| state.exists());
    let Some(state) = state else { return Ok((Vec::new(), Vec::new(), fixed)) };
    let zone = zone::load(&config.basic.timezone).ok_or_else(|| format!("basic.timezone: no time zone {}", config.basic.timezone))?;
    let outside = Outside { tls: Box::new(Certificates), zone: zone::load, now: Clock::start().now() };
    let host = Bare::new(config, outside).with_bill(fixed).with_stored(Store::look(&state).load());
    let mut control = Control::new(host, config.clone(), zone);
    let mut checked: Vec<Checked> =
        control.load().into_iter().map(|fault| Checked { what: "definition".into(), fault: Some(fault) }).collect();
    let verdicts = control.verdicts();
    // What can be planned and still not be started disagrees with another, or is too much.
    let started = control.boot(&[]);
    let unstarted =
        |what: &str| started.iter().find_map(|fault| fault.strip_prefix(what)?.strip_prefix(" cannot be started: ")).map(str::to_owned);
    checked.extend(verdicts.into_iter().map(|(what, fault)| {
        let fault = fault.or_else(|| unstarted(&what));
        Checked { what, fault }
    }));
    let bill = control.host.engine(|engine, _| engine.bill());
    Ok((checked, control.access_warnings(), bill))
}
