//! The simulator: a source that makes its readings up, so that a rule runs without a sensor (eKuiper's `simulator`).
//!
//! In: the properties `data` (a list of objects, or one), `interval` (between two readings; absent or 0: one reading, once) and `loop`
//! (begin again after the last). Out: packed rows, made when the rule is planned; nothing is allocated when one is due. Each run of
//! a rule begins with the first row; streams with SHARED have one simulator for all their rules.

use core::time::Duration;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::config::{PropError, Props};
use crate::time::Instant;
use crate::value::packed::Encoder;
use crate::value::{Fault, Object, Packed, Value};

/// Bytes of all rows of one simulator, packed.
pub const DATA_BYTES: usize = 1 << 20;

/// What a simulator gives, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimFeed {
    /// Messages of one row each.
    rows: Arc<[Box<[u8]>]>,
    /// Time between two; `None`: only one is given.
    interval: Option<Duration>,
    /// Begin again after the last.
    repeat: bool,
}

impl SimFeed {
    /// Reads the properties of a stream.
    ///
    /// # Errors
    /// What a property should be, or that the rows are more than [`DATA_BYTES`].
    pub fn read(props: &Props) -> Result<Self, String> {
        let error = |e: PropError| e.to_string();
        let rows = match props.get("data").map(|p| &p.value) {
            None | Some(Json::Null) => Vec::new(),
            // The user interface of eKuiper keeps them as text.
            Some(Json::String(text)) if text.trim().is_empty() => Vec::new(),
            Some(Json::String(text)) => rows(&serde_json::from_str(text).map_err(|e| format!("property data: {e}"))?)?,
            Some(value) => rows(value)?,
        };
        let interval = props.duration("interval").map_err(error)?.filter(|d| !d.is_zero());
        // eKuiper's ticker knows no shorter time.
        let interval = interval.map(|d| d.max(Duration::from_millis(1)));
        let repeat = props.boolean("loop").map_err(error)?.unwrap_or(false);
        Ok(Self { rows: rows.into(), interval, repeat })
    }

    /// All its rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = Object<'_>> {
        let lists = self.rows.iter().filter_map(|list| Packed::from_bytes(list)?.elements().next());
        lists.filter_map(|row| if let Value::Packed(row) = row { row.object() } else { None })
    }
}

fn rows(value: &Json) -> Result<Vec<Box<[u8]>>, String> {
    let one = core::slice::from_ref(value);
    let items = value.as_array().map_or(one, Vec::as_slice);
    let mut left = DATA_BYTES;
    let mut buf = vec![0; DATA_BYTES.min(value.to_string().len() * 32 + 256)];
    items.iter().enumerate().map(|(i, item)| row(i, item, &mut buf, &mut left)).collect()
}

/// A list of one row.
fn row(index: usize, item: &Json, buf: &mut [u8], left: &mut usize) -> Result<Box<[u8]>, String> {
    if !item.is_object() {
        return Err(format!("property data[{index}]: expected a map, found {item}"));
    }
    let mut out = Encoder::new(buf);
    let full = |_: Fault<'_>| format!("property data: its rows are more than {DATA_BYTES} bytes, or nested too deep");
    out.begin_list().and_then(|()| put(&mut out, item)).and_then(|()| out.end()).map_err(full)?;
    *left = left.checked_sub(out.len()).ok_or_else(|| full(Fault::FULL))?;
    Ok(out.written().into())
}

/// Numbers are floats, as those of any schemaless JSON.
fn put<'f>(out: &mut Encoder<'_>, value: &Json) -> Result<(), Fault<'f>> {
    match value {
        Json::Null => out.value(Value::Null),
        Json::Bool(b) => out.value(Value::Bool(*b)),
        Json::Number(n) => out.value(Value::Float(n.as_f64().unwrap_or(f64::NAN))),
        Json::String(text) => out.value(Value::Str(text)),
        Json::Array(items) => {
            out.begin_list()?;
            items.iter().try_for_each(|item| put(out, item))?;
            out.end()
        }
        Json::Object(map) => {
            out.begin_object()?;
            for (key, item) in map {
                out.key(key)?;
                put(out, item)?;
            }
            out.end()
        }
    }
}

/// Where one simulator stands.
#[derive(Debug, Clone, Copy)]
pub struct SimState {
    next: usize,
    /// When the next row is due; `None`: never.
    due: Option<Instant>,
    ended: bool,
}

impl SimState {
    /// At its first row, which is due at once.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { next: 0, due: Some(now), ended: false }
    }

    /// The row that is due now. What was missed while nobody asked is not made up for.
    pub fn take<'f>(&mut self, feed: &'f SimFeed, now: Instant) -> Option<&'f [u8]> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        self.due = feed.interval.map(|interval| {
            let due = self.due.unwrap_or(now).after(interval);
            if due <= now { now.after(interval) } else { due }
        });
        if self.next >= feed.rows.len() {
            if !feed.repeat {
                (self.ended, self.due) = (true, None);
                return None;
            }
            self.next = 0;
        }
        self.next += 1;
        feed.rows.get(self.next - 1).map(|row| &**row)
    }

    /// When it has something to do.
    #[must_use]
    pub const fn until(&self) -> Option<Instant> {
        self.due
    }

    /// True once it has been asked for a row behind the last.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Origin;

    fn feed(props: Json) -> Result<SimFeed, String> {
        let mut out = Props::default();
        out.lay(props.as_object().expect("object"), &Origin::Extra);
        SimFeed::read(&out)
    }

    fn at(ms: u64) -> Instant {
        Instant::default().after(Duration::from_millis(ms))
    }

    #[test]
    fn rows_come_in_order_and_end_or_begin_again() {
        for (repeat, want) in [(false, [true, true, false, false]), (true, [true, true, true, true])] {
            let feed = feed(json!({"data": [{"a": 1}, {"a": 2}], "interval": 10, "loop": repeat})).expect("feed");
            let mut state = SimState::new(at(0));
            let got: Vec<bool> = (0..4).map(|i| state.take(&feed, at(10 * i)).is_some()).collect();
            assert_eq!(got, want, "loop {repeat}");
            assert_eq!(state.is_ended(), !repeat);
            assert_eq!(state.until().is_none(), !repeat);
        }
    }

    #[test]
    fn nothing_comes_early_and_nothing_is_made_up_for() {
        let feed = feed(json!({"data": [{"a": 1}], "interval": "10ms", "loop": true})).expect("feed");
        let mut state = SimState::new(at(0));
        assert!(state.take(&feed, at(0)).is_some() && state.take(&feed, at(9)).is_none() && state.take(&feed, at(10)).is_some());
        assert!(state.take(&feed, at(1000)).is_some() && state.take(&feed, at(1000)).is_none());
        assert_eq!(state.until(), Some(at(1010)));
    }

    #[test]
    fn without_an_interval_one_row_comes() {
        let feed = feed(json!({"data": [{"a": 1}, {"a": 2}], "loop": true})).expect("feed");
        let mut state = SimState::new(at(0));
        assert!(state.take(&feed, at(0)).is_some() && state.take(&feed, at(99_999)).is_none() && !state.is_ended());
    }

    #[test]
    fn refusals() {
        for (props, words) in [
            (json!({"data": [1]}), "data[0]"),
            (json!({"data": 5}), "expected a map"),
            (json!({"data": "{"}), "data"),
            (json!({"data": [{"a": "x".repeat(DATA_BYTES)}]}), "more than 1048576 bytes"),
            (json!({"interval": "x"}), "interval"),
            (json!({"loop": "maybe"}), "loop"),
        ] {
            let e = feed(props.clone()).expect_err(words);
            assert!(e.contains(words), "{e}");
        }
        assert!(feed(json!({"data": r#"[{"a":1}]"#})).is_ok_and(|f| f.rows.len() == 1));
        let two = json!({"data": [{"a": "x".repeat(DATA_BYTES / 2)}, {"a": "x".repeat(DATA_BYTES / 2)}]});
        assert!(feed(two).is_err(), "all rows together");
    }
}
