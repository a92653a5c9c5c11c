//! Any plan over any events: what plans runs to its end without a panic, in processing and in event time, with little memory.
//!
//! The input is a statement, a line end, then a body per line.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use pushgate::config::{Config, Input};
use pushgate::query::{Ask, Bodies, Printer, Query};
use pushgate::time::{Instant, Now, Timestamp, Zone};

struct Nowhere;

impl Printer for Nowhere {
    fn row(&mut self, payload: &[u8]) {
        assert!(core::str::from_utf8(payload).is_ok());
    }

    fn fault(&mut self, step: &str, text: &str) {
        assert!(!step.is_empty() && !text.is_empty());
    }
}

fuzz_target!(|text: &str| {
    let Some((sql, events)) = text.split_once('\n') else { return };
    let Ok(mut config) = Config::load(&Input { main: None, sources: &[], env: &[] }) else { return };
    config.limits.state_bytes = 16_384;
    config.limits.scratch_bytes = 65_536;
    config.limits.group_count = 16;
    for event_time in [None, Some("ts")] {
        let ask = Ask { sql, event_time, every: Duration::from_millis(700), ..Ask::default() };
        let now = Now { mono: Instant(1), wall: Timestamp(1_700_000_000_000) };
        let Ok(mut query) = Query::new(&ask, &config, &Zone::utc(), &|_| None, now) else { return };
        let sources = query.sources().count();
        let (mut bodies, mut at) = (Bodies::new(true), 0);
        for line in events.lines() {
            bodies.line(line.as_bytes(), |_, body| {
                let _ = query.event(at % sources, body, &mut Nowhere);
                at += 1;
            });
        }
        query.finish(&mut Nowhere);
    }
});
