//! `pushgate check [--show]`: is everything right, without starting? [`ruleset`] judges what comes from elsewhere.
//!
//! In go the configuration as it was read and what became of each stored definition; out comes the text to print and the exit code:
//! 0, 78 for a configuration that would not start (sysexits(3) EX_CONFIG), 65 for a conf key or a definition that would not
//! (EX_DATAERR).

pub mod bare;
mod differences;
pub mod ruleset;

use core::fmt::Write as _;

use crate::bill::Bill;
use crate::config::{Config, Fault};

/// What became of one stored definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// `stream demo`, `rule r1`.
    pub what: String,
    /// Why it would not start; `None` when it would.
    pub fault: Option<String>,
}

/// The answer of `pushgate check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines to print.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

/// The report on a configuration from `file` (its name, `None` for the program's own defaults) and the definitions of the state
/// directory, with what can be said of them, and what they take. `show` lists every value in force with its origin.
#[must_use]
pub fn report(file: Option<&str>, config: &Config, stored: &[Checked], warnings: &[String], bill: &Bill, show: bool) -> Report {
    let mut text = String::new();
    let _ = writeln!(text, "configuration: {}", file.unwrap_or("built-in defaults"));
    if show {
        let shown = config.shown();
        let width = shown.iter().map(|s| s.key.len()).max().unwrap_or(0);
        for line in &shown {
            let _ = writeln!(text, "  {:width$} = {}  ({})", line.key, line.value, line.origin);
        }
    }
    for note in &config.notes {
        let word = if note.level <= log::Level::Warn { "warning" } else { "note" };
        let _ = writeln!(text, "{word}: {}", note.text);
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    let mut broken = config.broken_conf_keys().len();
    for item in stored {
        match &item.fault {
            None => drop(writeln!(text, "{}: ok", item.what)),
            Some(fault) => {
                broken += 1;
                let _ = writeln!(text, "{}: error: {fault}", item.what);
            }
        }
    }
    let _ = writeln!(text, "memory, in bytes at most:");
    for line in bill.lines() {
        let _ = writeln!(text, "{line}");
    }
    let mut code = if broken == 0 { 0 } else { 65 };
    if let Some(why) = bill.above(config.limits.memory_budget) {
        broken += 1;
        code = 78;
        let _ = writeln!(text, "error: {why}");
    }
    let _ = match broken {
        0 => writeln!(text, "ok"),
        1 => writeln!(text, "1 error"),
        n => writeln!(text, "{n} errors"),
    };
    Report { text, code }
}

/// The report on a configuration that would not start.
#[must_use]
pub fn refused(faults: &[Fault]) -> Report {
    let mut text = String::new();
    for fault in faults {
        let _ = writeln!(text, "error: {fault}");
    }
    Report { text, code: 78 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::Post;
    use crate::config::{File, Input};

    fn config(main: &str, push: &str) -> Config {
        let sources = [("httppush", File { name: "httppush.yaml", text: push })];
        Config::load(&Input { main: Some(File { name: "p.yaml", text: main }), sources: &sources, env: &[] }).expect("loads")
    }

    fn checked(what: &str, fault: Option<&str>) -> Checked {
        Checked { what: what.into(), fault: fault.map(Into::into) }
    }

    #[test]
    fn all_well() {
        let report = report(None, &Config::default(), &[checked("stream demo", None)], &["w1".into()], &Bill::default(), false);
        assert_eq!(report, Report { text: "configuration: built-in defaults\nwarning: w1\nstream demo: ok\nmemory, in bytes at most:\n             0  in all\nok\n".into(), code: 0 });
    }

    #[test]
    fn faults_in_definitions_and_conf_keys() {
        let config = config("basic: {restPort: 1, zzz: 1}", "a: {method: GET}");
        let report = report(Some("p.yaml"), &config, &[checked("rule r1", Some("unknown stream"))], &[], &Bill::default(), false);
        assert_eq!(report.code, 65);
        for line in [
            "configuration: p.yaml",
            "warning: p.yaml:1: basic.zzz: unknown key",
            "warning: conf key a of httppush: httppush.yaml:1: method: expected POST or PUT, found \"GET\"; streams that use it cannot start",
            "rule r1: error: unknown stream",
            "2 errors",
        ] {
            assert!(report.text.lines().any(|l| l == line), "{line}\n{}", report.text);
        }
    }

    #[test]
    fn a_bill_above_the_budget_would_not_start() {
        let config = config("limits: {memoryBudget: 10}", "");
        let post = |each| Post { what: "buffers", count: 2, each, keys: "limits.connCount" };
        let of = |each| report(None, &config, &[], &[], &Bill { posts: vec![post(each)] }, false);
        assert_eq!(of(5).code, 0);
        let (past, want) = (
            of(6),
            "error: limits.memoryBudget: 10 bytes are allowed, 12 bytes are needed: raise it, or lower limits.connCount (buffers: 12 bytes)",
        );
        assert!(
            past.code == 78 && past.text.contains(want) && past.text.contains("12  buffers: 2 x 6 (limits.connCount)\n"),
            "{}",
            past.text
        );
    }

    #[test]
    fn show_lists_values_with_their_origin() {
        let report = report(Some("p.yaml"), &config("basic: {restPort: 1}", ""), &[], &[], &Bill::default(), true);
        let squeezed: Vec<String> = report.text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for line in ["basic.restPort = 1 (p.yaml:1)", "basic.restIp = 127.0.0.1 (default)", "limits.connCount = 1024 (default)"] {
            assert!(squeezed.iter().any(|l| l == line), "{line}\n{}", report.text);
        }
    }

    #[test]
    fn would_not_start() {
        let fault = Fault { place: "p.yaml:2".into(), key: "basic.restPort".into(), what: "expected a port, found \"x\"".into() };
        assert_eq!(refused(&[fault]).text, "error: p.yaml:2: basic.restPort: expected a port, found \"x\"\n");
        assert_eq!(refused(&[]).code, 78);
    }
}
