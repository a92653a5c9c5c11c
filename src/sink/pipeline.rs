//! From one message to payloads in the outbox: batch, transform, encode, compress.

use super::common::Common;
use super::outbox::Outbox;
use super::{Accept, Kind, SinkEnv, SinkScratch, TemplateFacts};
use crate::json::write::Out;
use crate::stats::OpStats;
use crate::time::{Instant, Now};
use crate::value::{Packed, Scratch, Value, text};

/// See the module text.
#[derive(Debug)]
pub(super) struct Pipeline {
    send_single: bool,
    omit_if_empty: bool,
    transform: (String, OpStats),
    encode: (String, OpStats),
    /// Rows of the message in hand that are dealt with.
    place: usize,
}

impl Pipeline {
    pub(super) fn new(name: &str, common: &Common, _kind: Kind, _env: &SinkEnv<'_>) -> Result<Self, String> {
        Ok(Self {
            send_single: common.send_single,
            omit_if_empty: common.omit_if_empty,
            transform: (format!("{name}_0_transform"), OpStats::default()),
            encode: (format!("{name}_1_encode"), OpStats::default()),
            place: 0,
        })
    }

    pub(super) const fn start(&mut self, _now: Now) {}

    pub(super) fn accept(
        &mut self,
        rows: Packed<'_>,
        out: &mut Outbox,
        scratch: &mut SinkScratch,
        now: Now,
        _facts: &TemplateFacts<'_>,
        _send_error: bool,
    ) -> Accept {
        if self.place == 0 {
            self.transform.1.take(now.wall);
        }
        if self.omit_if_empty && rows.is_empty() {
            return Accept::Taken;
        }
        if self.send_single {
            for row in rows.elements().skip(self.place) {
                if !self.emit(row, out, scratch, now) {
                    return Accept::Blocked;
                }
                self.place += 1;
            }
        } else if !self.emit(Value::Packed(rows), out, scratch, now) {
            return Accept::Blocked;
        }
        self.place = 0;
        self.transform.1.messages_processed_total += 1;
        Accept::Taken
    }

    fn emit(&mut self, data: Value<'_>, out: &mut Outbox, scratch: &mut SinkScratch, now: Now) -> bool {
        let work = Scratch::new(&mut scratch.work);
        let mut payload = Out::new(&mut scratch.payload);
        match text::json(&mut payload, data, &work) {
            Ok(()) => {
                if !out.push(&[], payload.written(), false, now) {
                    return false;
                }
                self.transform.1.give(1);
                self.encode.1.pass(now.wall);
            }
            Err(fault) => self.encode.1.fail(fault.text, now.wall),
        }
        true
    }

    pub(super) fn error(&mut self, text: &str, out: &mut Outbox, _scratch: &mut SinkScratch, now: Now) -> bool {
        out.push(&[], text.as_bytes(), true, now)
    }

    pub(super) const fn tick(&mut self, _out: &mut Outbox, _scratch: &mut SinkScratch, _now: Now) {}

    pub(super) const fn flush(&mut self, _out: &mut Outbox, _scratch: &mut SinkScratch, _now: Now) -> bool {
        true
    }

    pub(super) const fn until(&self) -> Option<Instant> {
        None
    }

    pub(super) fn ops(&self) -> impl Iterator<Item = (&str, &OpStats)> {
        [&self.transform, &self.encode].into_iter().map(|(name, stats)| (name.as_str(), stats))
    }
}
