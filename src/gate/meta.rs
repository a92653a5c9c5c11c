//! What `meta()` sees of a request: one packed object, written once when the reading is taken.
//!
//! Names: `method`, `path`, `query`, `remote`, `arrived` (ms), `seq`, `credential`, `clock`, `header` (a map, keys in lower case), and
//! the parameters of the path template. Written only when a rule on the endpoint asks for it.

use crate::gate::route::Template;
use crate::time::Timestamp;
use crate::value::packed::Encoder;
use crate::value::{Fault, Value};
use crate::wire::{Head, Peer};

/// Header fields that never become facts, whatever is configured: they hold secrets.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What is known of one request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// The request's head.
    pub head: &'f Head<'f>,
    /// Its decoded path.
    pub path: &'f str,
    /// Who sent it.
    pub peer: &'f Peer,
    /// When its body was whole.
    pub arrived: Timestamp,
    /// The sequence number the reading will have.
    pub seq: u64,
    /// The name of its credential.
    pub credential: Option<&'f str>,
    /// `synced`, `unsynced` or `stepped`.
    pub clock: &'static str,
}

/// Writes the facts as an object. `headers`: which header fields, in lower case; empty means all. Never among them: [`SECRET`] and
/// `hidden`, those that hold tokens of the endpoint.
///
/// # Errors
/// [`Fault::FULL`] when the object does not fit.
pub fn write<'a>(
    out: &mut Encoder<'_>,
    facts: &Facts<'_>,
    template: &Template,
    headers: &[String],
    hidden: &[Box<str>],
) -> Result<(), Fault<'a>> {
    out.begin_object()?;
    out.entry("method", Value::Str(facts.head.method_text()))?;
    out.entry("path", Value::Str(facts.path))?;
    out.entry("query", facts.head.query().map_or(Value::Null, Value::Str))?;
    out.key("remote")?;
    let mut remote = heapless::String::<48>::new();
    let _ = core::fmt::Write::write_fmt(&mut remote, format_args!("{}", facts.peer.addr)); // an address has at most 45 characters
    out.value(Value::Str(&remote))?;
    out.entry("arrived", Value::Int(facts.arrived.0))?;
    out.entry("seq", Value::Int(i64::try_from(facts.seq).unwrap_or(i64::MAX)))?;
    out.entry("credential", facts.credential.map_or(Value::Null, Value::Str))?;
    out.entry("clock", Value::Str(facts.clock))?;
    out.key("header")?;
    out.begin_object()?;
    let mut lower = heapless::String::<64>::new();
    for (name, value) in facts.head.fields() {
        lower.clear();
        if name.chars().try_for_each(|c| lower.push(c.to_ascii_lowercase())).is_err() {
            continue; // a name this long is nobody's sensor header
        }
        let secret = SECRET.contains(&lower.as_str()) || hidden.iter().any(|h| **h == *lower);
        let wanted = !secret && (headers.is_empty() || headers.iter().any(|h| **h == *lower));
        if wanted && let Ok(value) = core::str::from_utf8(value) {
            out.entry(&lower, Value::Str(value))?;
        }
    }
    out.end()?;
    let mut result = Ok(());
    template.walk(facts.path, |name, value| {
        if result.is_ok() {
            result = out.entry(name, Value::Str(value));
        }
    });
    result?;
    out.end()
}
