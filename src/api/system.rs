//! The process itself (facts §5): what it is, how it fares, its log level, its end.

use serde::Serialize;
use serde_json::{Map, Value};

use super::routes::Op;
use super::{Call, JSON, Response, TEXT, Then, body, metrics};
use crate::catalog::{Control, Fault, Host, Machine};
use crate::time::Timestamp;
use crate::wire::certificate;

pub(super) fn serve<H: Host>(control: &mut Control<H>, op: Op, call: &Call<'_>) -> Result<Response, Fault> {
    match op {
        Op::Root => Ok(Response::new(200, TEXT, about(control))),
        Op::Ping => Ok(Response::empty(200)),
        Op::Stop => Ok(Response { then: Then::Stop, ..Response::text("stop success") }),
        Op::Counters => Ok(Response::new(200, JSON, control.host.engine(|engine, _| engine.counters()))),
        Op::PatchConfigs => {
            let under = |e: String| Fault::plain(format!("Invalid JSON: {e}"));
            let object = body::object(&call.request.body).map_err(under)?;
            let mut next = control.config.clone();
            next.patch(&sectioned(object.0)).map_err(|e| Fault::plain(e.to_string()))?;
            let name = &next.basic.timezone;
            if *name != control.config.basic.timezone {
                control.zone = control.host.zone(name).ok_or_else(|| Fault::plain(format!("Invalid TZ: unknown time zone {name}")))?;
            }
            control.config = next;
            control.host.configured(&control.config);
            Ok(Response::empty(204))
        }
        Op::Metrics if metrics::is_here(control) => Ok(metrics::metrics(control)),
        Op::Metrics => Ok(Response::no_route()),
        Op::MetricsDump => Err(Fault::plain("metrics dump not enabled")),
        Op::MetricsDumpCheck => Ok(Response::text("disabled")),
        _ => Err(Fault::new(Fault::GENERAL, "not a system operation")),
    }
}

/// Keys at the top level belong to section `basic`: eKuiper's documentation nests them, its server reads them flat.
fn sectioned(body: Map<String, Value>) -> Map<String, Value> {
    let (mut sections, mut flat) = (Map::new(), Map::new());
    for (name, value) in body {
        if value.is_object() {
            sections.insert(name, value)
        } else {
            flat.insert(name, value)
        };
    }
    if let Some(Value::Object(basic)) = sections.get("basic") {
        flat.extend(basic.clone());
    }
    sections.insert("basic".to_owned(), Value::Object(flat));
    sections
}

/// `GET /`, as eKuiper lays it out; all numbers but the uptime are texts. Last, only when there are any, what to look after.
#[derive(Serialize)]
struct About<'a> {
    version: &'a str,
    os: &'a str,
    arch: &'a str,
    #[serde(rename = "upTimeSeconds")]
    up_time_seconds: u64,
    #[serde(rename = "cpuUsage")]
    cpu_usage: &'a str,
    #[serde(rename = "memoryUsed")]
    memory_used: &'a str,
    #[serde(rename = "memoryTotal")]
    memory_total: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

fn about<H: Host>(control: &mut Control<H>) -> Vec<u8> {
    let system = control.host.system();
    let (expiries, now) = control.host.engine(|engine, now| (engine.expiries(), now.wall));
    // They end on a whole second, and the seconds that are left were rounded down at this same `now`.
    let end = |left: i64| Timestamp(now.0.saturating_add(left.saturating_mul(1000)).saturating_add(999).div_euclid(1000) * 1000);
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        },
        up_time_seconds: system.up_time_s,
        cpu_usage: &system.cpu_usage,
        memory_used: &system.memory_used,
        memory_total: &system.memory_total,
        warnings: expiries.iter().filter_map(|(port, left)| certificate::ending(&format!("{port} port"), end(*left), now)).collect(),
    };
    serde_json::to_vec(&about).unwrap_or_default()
}
