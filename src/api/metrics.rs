//! `GET /metrics`: what runs, as Prometheus reads it (text format 0.0.4), under eKuiper's names and labels (facts §9.3).
//!
//! In: the metrics of running rules, and the counters that eKuiper lacks (`pushgate_…`). No histograms: latencies are taken per
//! slice. Served on the management port with `basic.prometheus` or where `basic.prometheusPort` is that port, else on a port of its
//! own.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use serde_json::Value;

use super::{Request, Response};
use crate::catalog::{Control, Host, Machine, Metric, State};

/// Media type of the text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// eKuiper's metrics of an operator: suffix, type, and what it says.
const OF_OPERATORS: [(&str, &str, &str); 7] = [
    ("records_in_total", "counter", "Total number of messages received by the operation of"),
    ("records_out_total", "counter", "Total number of messages published by the operation of"),
    ("messages_processed_total", "counter", "Total number of messages processed by the operation of"),
    ("exceptions_total", "counter", "Total number of user exceptions of"),
    ("process_latency_us", "gauge", "Process latency in microseconds of"),
    ("buffer_length", "gauge", "The length of the buffer in front of"),
    ("connection_status", "gauge", "0 means connecting, 1 connected and -1 disconnected, of"),
];

/// A metric: type, what it says, and its samples by labels.
type Family = (&'static str, String, Vec<(String, String)>);

/// Whether the management port serves metrics.
pub(super) fn is_here<H: Host>(control: &Control<H>) -> bool {
    let basic = &control.config.basic;
    basic.prometheus || basic.prometheus_port == basic.rest_port
}

/// Answers on a port that serves nothing but metrics.
pub fn scrape<H: Host>(control: &mut Control<H>, request: &Request) -> Response {
    match (request.method.as_str(), request.target.split('?').next()) {
        ("GET", Some("/metrics")) => metrics(control),
        (_, Some("/metrics")) => Response::empty(405).with("Allow", "GET"),
        _ => Response::no_route(),
    }
}

/// The metrics.
pub(super) fn metrics<H: Host>(control: &mut Control<H>) -> Response {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut put = |name: String, kind: &'static str, help: &str, labels: String, value: String| {
        families.entry(name).or_insert_with(|| (kind, help.to_owned(), Vec::new())).2.push((labels, value));
    };
    let running = control.running_metrics();
    let states: Vec<(String, State)> = control.rules().map(|rule| (rule.def.id.clone(), rule.state)).collect();
    let live = states.iter().filter(|(_, state)| state.is_live()).count();
    for (word, count) in [("running", live), ("stop", states.len() - live)] {
        put("kuiper_rule_count".into(), "gauge", "gauge of rule status count", label("status", word), count.to_string());
    }
    for (id, state) in &states {
        let value = match state {
            State::Running => 1,
            State::Failed => -1,
            State::Stopped | State::Scheduled => 0,
        };
        put("kuiper_rule_status".into(), "gauge", "gauge of rule status", label("rule", id), value.to_string());
    }
    for (id, metrics) in &running {
        for (name, value) in metrics {
            let Metric::Int(value) = value else { continue };
            let Some((kind, rest)) = name.split_once('_').filter(|(kind, _)| ["source", "op", "sink"].contains(kind)) else { continue };
            let Some((op, (suffix, typ, help))) =
                OF_OPERATORS.iter().find_map(|of| Some((rest.strip_suffix(of.0)?.strip_suffix("_0_")?, of)))
            else {
                continue;
            };
            let labels = format!("{},op_instance=\"0\",{},{}", label("op", op), label("rule", id), label("type", kind));
            put(format!("kuiper_{kind}_{suffix}"), typ, &format!("{help} kuiper_{kind}"), labels, value.to_string());
        }
    }
    let counters: Value = serde_json::from_str(&control.host.engine(|engine, _| engine.counters())).unwrap_or_default();
    for (section, noun) in [("port", ""), ("memory", ""), ("streams", "stream"), ("rules", "rule"), ("sinks", "sink")] {
        for (name, value) in counters.get(section).and_then(Value::as_object).into_iter().flatten() {
            if noun.is_empty() {
                counter(&mut put, section, "", name, value);
                continue;
            }
            let own = label(noun, name);
            for (metric, value) in value.as_object().into_iter().flatten() {
                counter(&mut put, noun, &own, metric, value);
            }
        }
    }
    let system = control.host.system();
    if let Ok(bytes) = system.memory_used.parse::<u64>() {
        put("process_resident_memory_bytes".into(), "gauge", "Resident memory size in bytes.", String::new(), bytes.to_string());
    }
    let mut out = String::new();
    for (name, (kind, help, samples)) in families {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
    Response::new(200, EXPOSITION, out)
}

/// One of the counters that eKuiper lacks; a tree of them has a name for each way to a leaf.
fn counter(put: &mut impl FnMut(String, &'static str, &str, String, String), noun: &str, labels: &str, name: &str, value: &Value) {
    let value = match value {
        Value::Number(n) => n.to_string(),
        Value::Bool(on) => u8::from(*on).to_string(),
        Value::Object(map) => {
            map.iter().for_each(|(inner, value)| counter(put, noun, labels, &format!("{name}_{inner}"), value));
            return;
        }
        _ => return,
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    put(format!("pushgate_{noun}_{name}"), kind, &format!("{name} of GET /counters"), labels.to_owned(), value);
}

/// `name="value"`.
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fake::control;

    fn get(method: &str, target: &str) -> Request {
        Request { method: method.into(), target: target.into(), ..Request::default() }
    }

    #[test]
    fn rules_and_operators() {
        let mut c = control();
        c.run_ddl(r#"CREATE STREAM demo () WITH (TYPE="httppush")"#).expect("stream");
        for (id, more) in [("r1", ""), ("r2", r#","triggered":false"#)] {
            c.create_rule("", &format!(r#"{{"id":"{id}","sql":"SELECT * FROM demo","actions":[{{"nop":{{}}}}]{more}}}"#)).expect("rule");
        }
        let response = scrape(&mut c, &get("GET", "/metrics?x"));
        let text = response.body_text();
        assert_eq!((response.status, response.content_type), (200, EXPOSITION));
        for line in [
            "# TYPE kuiper_source_records_in_total counter\nkuiper_source_records_in_total{op=\"demo\",op_instance=\"0\",rule=\"r1\",type=\"source\"} 3\n",
            "kuiper_op_exceptions_total{op=\"2_x\",op_instance=\"0\",rule=\"r1\",type=\"op\"} 1\n",
            "kuiper_rule_count{status=\"running\"} 1\nkuiper_rule_count{status=\"stop\"} 1\n",
            "kuiper_rule_status{rule=\"r1\"} 1\nkuiper_rule_status{rule=\"r2\"} 0\n",
            "process_resident_memory_bytes 1000\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("last_exception"), "times and texts are no metrics: {text}");
    }

    #[test]
    fn where_they_are_served() {
        let mut c = control();
        assert!(!is_here(&c), "off by default");
        c.config.basic.prometheus_port = c.config.basic.rest_port;
        assert!(is_here(&c));
        assert_eq!(scrape(&mut c, &get("POST", "/metrics")).status, 405);
        assert_eq!(scrape(&mut c, &get("GET", "/rules")).status, 404);
    }

    #[test]
    fn counters_have_a_name_for_each_leaf() {
        let mut got = Vec::new();
        let mut put = |name: String, kind: &'static str, _: &str, labels: String, value: String| got.push((name, kind, labels, value));
        let tree = serde_json::json!({"a_total": 1, "b": {"c-d": true}, "e": "text"});
        for (name, value) in tree.as_object().expect("object") {
            counter(&mut put, "sink", "sink=\"x\"", name, value);
        }
        let own = || "sink=\"x\"".to_owned();
        let want = [
            ("pushgate_sink_a_total".to_owned(), "counter", own(), "1".to_owned()),
            ("pushgate_sink_b_c_d".to_owned(), "gauge", own(), "1".to_owned()),
        ];
        assert_eq!(got, want);
        assert_eq!(label("r", "a\"b\\"), "r=\"a\\\"b\\\\\"");
    }
}
