//! What a run says about itself: eKuiper's metrics by name and order (facts §4.4), and the operators as topo shows them (§4.5).
//!
//! Counters that eKuiper lacks come last and only once they are not 0.

use std::collections::BTreeMap;

use super::run::Rule;
use super::run::RuleUnit;
use crate::stats::{ConnStats, OpStats};

/// The value of a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// A count, a time, a code.
    Int(i64),
    /// A text.
    Text(String),
}

/// Metrics of a run. `waiting`: readings that wait in front of each source.
#[must_use]
pub fn metrics(rule: &Rule, waiting: &[usize], lost: &[u64]) -> Vec<(String, Metric)> {
    // Sources first, sinks last, whatever lies between them.
    let (mut out, mut between, mut sinks) = (Vec::new(), Vec::new(), Vec::new());
    let ops = &rule.unit.ops;
    for (index, op) in ops.list.iter().enumerate() {
        let source = ops.sources.iter().position(|s| s.decoder.unwrap_or(s.source) == index);
        let buffered = source.and_then(|s| waiting.get(s)).copied();
        let place = if op.conn.is_some() { &mut out } else { &mut between };
        operator(place, &op.name, &op.stats, buffered, op.conn.as_ref());
    }
    for sink in &rule.unit.sinks {
        for op in sink.ops() {
            let name = format!("{}_{}", op.role, op.name);
            let buffered = op.conn.map(|_| sink.waiting());
            let place = if op.conn.is_some() { &mut sinks } else { &mut between };
            operator(place, &name, op.stats, buffered, op.conn);
        }
    }
    out.append(&mut between);
    out.append(&mut sinks);
    for (source, count) in rule.unit.sources.iter().zip(lost) {
        extra(&mut out, &format!("source_{}_0_dropped_queue_total", source.name), *count);
    }
    for (name, count) in rule.counters().all() {
        extra(&mut out, &format!("rule_0_{name}"), count);
    }
    for sink in &rule.unit.sinks {
        for (name, count) in sink.drops().all() {
            extra(&mut out, &format!("sink_{}_0_{name}", sink.name()), count);
        }
    }
    out
}

/// What a run that stops now leaves behind: readings in front of each source, an open window, payloads in outboxes.
#[must_use]
pub fn left_behind(rule: &Rule, waiting: &[usize]) -> Vec<(String, Metric)> {
    let mut out = Vec::new();
    for (source, count) in rule.unit.sources.iter().zip(waiting) {
        extra(&mut out, &format!("source_{}_0_dropped_stopped_total", source.name), *count as u64);
    }
    extra(&mut out, "rule_0_dropped_stopped_total", rule.open_rows() as u64);
    for sink in &rule.unit.sinks {
        extra(&mut out, &format!("sink_{}_0_dropped_stopped_total", sink.name()), sink.waiting() as u64);
    }
    out
}

fn extra(out: &mut Vec<(String, Metric)>, name: &str, count: u64) {
    if count > 0 {
        out.push((name.to_owned(), int(count)));
    }
}

fn int(n: u64) -> Metric {
    Metric::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn operator(out: &mut Vec<(String, Metric)>, name: &str, stats: &OpStats, buffered: Option<usize>, conn: Option<&ConnStats>) {
    let mut put = |metric: &str, value: Metric| out.push((format!("{name}_0_{metric}"), value));
    put("records_in_total", int(stats.records_in_total));
    put("records_out_total", int(stats.records_out_total));
    put("messages_processed_total", int(stats.messages_processed_total));
    put("process_latency_us", int(stats.process_latency_us));
    put("buffer_length", int(buffered.map_or(stats.buffer_length, |n| n as u64)));
    put("last_invocation", Metric::Int(stats.last_invocation.0));
    put("exceptions_total", int(stats.exceptions_total));
    put("last_exception", Metric::Text(stats.last_exception.as_str().to_owned()));
    put("last_exception_time", Metric::Int(stats.last_exception_time.0));
    if let Some(conn) = conn {
        put("connection_status", Metric::Int(i64::from(conn.status)));
        put("connection_last_connected_time", Metric::Int(conn.last_connected.0));
        put("connection_last_disconnected_time", Metric::Int(conn.last_disconnected.0));
        put("connection_last_disconnected_message", Metric::Text(conn.last_disconnected_message.as_str().to_owned()));
        put("connection_last_try_time", Metric::Int(conn.last_try.0));
    }
}

/// Sources, and from each operator to those behind it, the sinks' own included.
#[must_use]
pub fn topo(unit: &RuleUnit) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let mut edges = unit.ops.edges.clone();
    for sink in &unit.sinks {
        let mut from = unit.ops.last.clone();
        for op in sink.ops() {
            let name = format!("{}_{}", op.role, op.name);
            edges.entry(from).or_default().push(name.clone());
            from = name;
        }
    }
    (unit.ops.source_names.clone(), edges)
}
