//! What a rule can be built from, as a user interface asks for it: sources, sinks and functions with their properties and defaults.
//!
//! The shapes are those that the eKuiper manager reads (`about`, `libs`, `properties`, `node`, `type`); the texts are ours, the same
//! in both languages that the shape has room for.

use serde_json::{Map, Value, json};

use crate::catalog::Group;
use crate::catalog::text::go_json;
use crate::sql::func::{FAMILIES, Func, Kind};

/// One property: name, default as JSON, type, control (a `select` with its values behind a colon), whether it may be left out, what it
/// does.
struct Property(&'static str, &'static str, &'static str, &'static str, bool, &'static str);

struct Item {
    name: &'static str,
    label: &'static str,
    about: &'static str,
    properties: &'static [Property],
}

const SOURCES: &[Item] = &[
    Item {
        name: "httppush",
        label: "HTTP PUSH",
        about: "Takes readings that sensors send to the gateway's data port.",
        properties: &[
            Property("method", "\"POST\"", "string", "select:POST,PUT", false, "The method that the endpoint takes: POST or PUT."),
            Property("endpoint", "\"\"", "string", "text", true, "The path, when the stream has no DATASOURCE; else /<stream name>."),
            Property(
                "overflow",
                "\"reject\"",
                "string",
                "select:reject,drop_oldest",
                true,
                "What a full queue does: reject the new or drop_oldest.",
            ),
            Property(
                "contentType",
                "\"\"",
                "string",
                "select:any,strict",
                true,
                "strict refuses a Content-Type that does not fit the format.",
            ),
            Property("interval", "\"\"", "string", "text", true, "Only the latest reading of each tick is taken."),
            Property("bufferLength", "0", "int", "text", true, "A second bound on the queue, in readings; 0: none."),
        ],
    },
    Item { name: "memory", label: "Memory", about: "Takes rows from memory sinks of other rules by topic.", properties: &[] },
    Item {
        name: "file",
        label: "File",
        about: "Reads a file of the server, once or at an interval.",
        properties: &[
            Property("fileType", "\"json\"", "string", "select:json,csv,lines", false, "json: the file is one message; lines; csv."),
            Property("path", "\"data\"", "string", "text", false, "The directory: data or uploads of the state directory, or below."),
            Property("interval", "0", "int", "text", true, "Time between two readings, in ms; 0: it is read once."),
            Property("sendInterval", "0", "int", "text", true, "Time between two messages, in ms."),
            Property("hasHeader", "false", "bool", "radio", true, "The first line of csv names the columns."),
            Property("columns", "[]", "list_string", "list", true, "The columns of csv, without a header."),
            Property("ignoreStartLines", "0", "int", "text", true, "Lines that are left out at the beginning."),
            Property("ignoreEndLines", "0", "int", "text", true, "Lines that are left out at the end."),
        ],
    },
    Item {
        name: "simulator",
        label: "Simulator",
        about: "Makes rows up, to try a rule without a sensor.",
        properties: &[
            Property("loop", "false", "bool", "radio", true, "Begin again after the last row."),
            Property("interval", "1000", "int", "text", false, "Time between two rows, in ms."),
            Property("data", "\"\"", "string", "textarea", false, "The rows: a JSON list of objects."),
        ],
    },
];

const CONNECTIONS: &[Item] = &[
    Item {
        name: "httppush",
        label: "HTTP PUSH",
        about: "An endpoint of the data port that several streams read.",
        properties: &[
            Property("datasource", "\"\"", "string", "text", false, "The path of the endpoint."),
            Property("method", "\"POST\"", "string", "select:POST,PUT", true, "The method that the endpoint takes."),
        ],
    },
    Item {
        name: "rest",
        label: "REST",
        about: "An HTTP server that several rules send to.",
        properties: &[
            Property("url", "\"http://\"", "string", "text", false, "Where to; may hold templates."),
            Property("method", "\"POST\"", "string", "select:GET,POST,PUT,PATCH,DELETE", true, "The request method."),
            Property("headers", "{}", "object", "list", true, "Further fields; values may hold templates."),
        ],
    },
];

const COMMON: &[Property] = &[
    Property("sendSingle", "false", "bool", "radio", true, "One payload for each row instead of a list."),
    Property("omitIfEmpty", "false", "bool", "radio", true, "Nothing is sent for an empty result."),
    Property("fields", "[]", "list_string", "list", true, "Only these columns are sent."),
    Property("excludeFields", "[]", "list_string", "list", true, "These columns are not sent."),
    Property("dataField", "\"\"", "string", "text", true, "Only this member of the row is sent."),
    Property("dataTemplate", "\"\"", "string", "textarea", true, "A Go template for the payload."),
    Property("format", "\"json\"", "string", "select:json,delimited,urlencoded,binary", true, "json, delimited, urlencoded or binary."),
    Property("delimiter", "\",\"", "string", "text", true, "Between the columns of the delimited format."),
    Property("bufferLength", "1024", "int", "text", true, "Payloads that may wait, besides limits.outboxBytes."),
    Property("batchSize", "0", "int", "text", true, "Rows that are sent together."),
    Property("lingerInterval", "0", "int", "text", true, "How long a batch waits for more rows, in ms."),
    Property("resendInterval", "0", "int", "text", true, "First wait before a failed payload is sent again, in ms."),
    Property("retryFor", "60000", "int", "text", true, "How long a payload is sent again before it is given up, in ms."),
];

const SINKS: &[Item] = &[
    Item {
        name: "file",
        label: "File",
        about: "Appends rows to a file.",
        properties: &[
            Property("path", "\"cache\"", "string", "text", false, "The file."),
            Property("fileType", "\"lines\"", "string", "select:lines,json,csv", true, "lines, json or csv."),
            Property("hasHeader", "false", "bool", "radio", true, "A csv file begins with the column names."),
            Property("rollingInterval", "0", "int", "text", true, "A new file after this time, in ms."),
            Property("rollingCount", "1000000", "int", "text", true, "A new file after this many messages."),
            Property("rollingSize", "0", "int", "text", true, "A new file after this many bytes."),
            Property(
                "rollingNamePattern",
                "\"\"",
                "string",
                "select:prefix,suffix,none",
                true,
                "Where the time stands in the name: prefix, suffix or none.",
            ),
        ],
    },
    Item { name: "log", label: "Log", about: "Writes rows to the log.", properties: &[] },
    Item {
        name: "memory",
        label: "Memory",
        about: "Hands rows to memory sources of other rules.",
        properties: &[
            Property("topic", "\"\"", "string", "text", false, "The topic."),
            Property("rowkindField", "\"\"", "string", "text", true, "The column that says insert, update, upsert or delete."),
            Property("keyField", "\"\"", "string", "text", true, "The column that identifies a row."),
        ],
    },
    Item {
        name: "mqtt",
        label: "MQTT",
        about: "Publishes rows to an MQTT broker.",
        properties: &[
            Property("server", "\"\"", "string", "text", false, "The broker: tcp://host:1883, or ssl://host:8883."),
            Property("topic", "\"\"", "string", "text", false, "The topic; may hold templates."),
            Property("clientid", "\"\"", "string", "text", true, "The client id; random without it."),
            Property("protocolVersion", "\"3.1.1\"", "string", "select:3.1,3.1.1,5", true, "3.1, 3.1.1 or 5."),
            Property("qos", "0", "int", "select:0,1,2", true, "0, 1 or 2."),
            Property("retained", "false", "bool", "radio", true, "The broker keeps the last message of a topic."),
            Property("username", "\"\"", "string", "text", true, "Who connects."),
            Property("password", "\"\"", "string", "text", true, "And what proves it."),
            Property("insecureSkipVerify", "false", "bool", "radio", true, "Certificates are not checked."),
            Property("rootCaPath", "\"\"", "string", "text", true, "Certificates of authorities that are trusted."),
            Property("certificationPath", "\"\"", "string", "text", true, "Our own certificate."),
            Property("privateKeyPath", "\"\"", "string", "text", true, "Its key."),
        ],
    },
    Item {
        name: "nop",
        label: "Nop",
        about: "Drops rows; with log: true they are logged.",
        properties: &[Property("log", "false", "bool", "radio", true, "Log each row.")],
    },
    Item {
        name: "redis",
        label: "Redis",
        about: "Stores rows in a Redis server.",
        properties: &[
            Property("addr", "\"localhost:6379\"", "string", "text", false, "The server: host:port."),
            Property("username", "\"\"", "string", "text", true, "Who connects."),
            Property("password", "\"\"", "string", "text", true, "And what proves it."),
            Property("db", "0", "int", "text", false, "The database, 0 to 15."),
            Property("key", "\"\"", "string", "text", true, "The key of every row."),
            Property("field", "\"\"", "string", "text", true, "The column that holds the key."),
            Property("keyType", "\"single\"", "string", "select:single,multiple", true, "A text for each row, or for each column."),
            Property("dataType", "\"string\"", "string", "select:string,list", true, "string or list."),
            Property("expiration", "-1", "int", "text", true, "How long a text is kept, in ms."),
            Property("rowkindField", "\"\"", "string", "text", true, "The column that says insert, update, upsert or delete."),
        ],
    },
    Item {
        name: "redisPub",
        label: "Redis Pub",
        about: "Publishes rows on a channel of a Redis server.",
        properties: &[
            Property("address", "\"localhost:6379\"", "string", "text", false, "The server: host:port."),
            Property("username", "\"\"", "string", "text", true, "Who connects."),
            Property("password", "\"\"", "string", "text", true, "And what proves it."),
            Property("db", "0", "int", "text", false, "The database, 0 to 15."),
            Property("channel", "\"\"", "string", "text", false, "The channel."),
        ],
    },
    Item {
        name: "rest",
        label: "REST",
        about: "Sends rows to an HTTP server.",
        properties: &[
            Property("url", "\"http://\"", "string", "text", false, "Where to; may hold templates."),
            Property("method", "\"POST\"", "string", "select:GET,POST,PUT,PATCH,DELETE", true, "GET, POST, PUT, PATCH or DELETE."),
            Property("bodyType", "\"json\"", "string", "select:none,json,text,html,xml,javascript,form", true, "What Content-Type says."),
            Property("timeout", "5000", "int", "text", true, "How long an answer may take, in ms."),
            Property("headers", "{}", "object", "list", true, "Further fields; values may hold templates."),
            Property("insecureSkipVerify", "false", "bool", "radio", true, "Certificates are not checked."),
            Property("rootCaPath", "\"\"", "string", "text", true, "Certificates of authorities that are trusted."),
            Property("certificationPath", "\"\"", "string", "text", true, "Our own certificate."),
            Property("privateKeyPath", "\"\"", "string", "text", true, "Its key."),
        ],
    },
];

/// `GET /metadata/sources`; with `lookup` only those that a lookup table can be over.
pub(super) fn sources(lookup: bool) -> String {
    list(SOURCES.iter().filter(|source| !lookup || matches!(source.name, "memory" | "simulator")))
}

/// `GET /metadata/connections`: what can be shared under a name.
pub(super) fn connections() -> String {
    list(CONNECTIONS)
}

/// `GET /metadata/connections/{name}`.
pub(super) fn connection(name: &str) -> Option<String> {
    let item = CONNECTIONS.iter().find(|item| item.name == name)?;
    let fields: Vec<Value> = item.properties.iter().map(field).collect();
    Some(go_json(&json!({
        "about": about(item.about), "libs": [], "dataSource": {}, "properties": {"default": fields}, "node": node("source", item.label),
        "type": "internal",
    })))
}

/// Whether conf keys of a type can be asked for though there are none: types that eKuiper or this program has.
pub(super) fn is_known(group: Group, kind: &str) -> bool {
    let sources = ["file", "httppull", "httppush", "memory", "mqtt", "neuron", "redis", "redisSub", "simulator", "websocket"];
    let sinks = ["edgex", "file", "log", "memory", "mqtt", "neuron", "nop", "redis", "redisPub", "rest", "websocket"];
    match group {
        Group::Sources => sources.contains(&kind),
        Group::Connections => sources.contains(&kind) || kind == "rest",
        Group::Sinks => sinks.contains(&kind),
    }
}

/// `GET /metadata/sinks`.
pub(super) fn sinks() -> String {
    list(SINKS)
}

/// `GET /metadata/sources/{name}`.
pub(super) fn source(name: &str) -> Option<String> {
    let item = SOURCES.iter().find(|item| item.name == name)?;
    let fields: Vec<Value> = item.properties.iter().map(field).collect();
    let mut out = json!({
        "about": about(item.about), "libs": [], "dataSource": {}, "properties": {"default": fields}, "node": node("source", item.label),
        "type": "internal",
    });
    if name == "httppush" {
        let text = "The path of the endpoint, on the data port (10081).";
        out["dataSource"] = json!({"default": "/api/data", "hint": both_long(text), "label": both_long("Data Source (URL Endpoint)")});
    }
    Some(go_json(&out))
}

/// `GET /metadata/sinks/{name}`.
pub(super) fn sink(name: &str) -> Option<String> {
    let item = SINKS.iter().find(|item| item.name == name)?;
    let fields: Vec<Value> = item.properties.iter().chain(COMMON).map(field).collect();
    Some(go_json(&json!({
        "about": about(item.about), "libs": [], "properties": fields, "node": node("sink", item.label), "type": "internal",
    })))
}

/// `GET /metadata/functions`: all functions of this build, with their examples.
pub(super) fn functions() -> String {
    let all: Vec<Value> = FAMILIES.iter().flat_map(|(_, funcs)| funcs.iter()).filter(|f| f.kind != Kind::Window).map(function).collect();
    go_json(&json!([{"about": about("Functions that SQL can call."), "functions": all}]))
}

fn function(func: &Func) -> Value {
    let count = func.args.min.max(func.args.kinds.len()).min(func.args.max);
    let args: Vec<Value> = (0..count)
        .map(|i| {
            json!({
                "name": format!("arg{}", i + 1), "optional": i >= func.args.min, "control": "field", "type": format!("{:?}", func.args.kind_at(i)).to_lowercase(),
                "hint": both_long(""), "label": both_long(&format!("Argument {}", i + 1)),
            })
        })
        .collect();
    json!({
        "name": func.name, "example": func.example, "aggregate": func.kind == Kind::Aggregate, "hint": both_long(func.note), "args": args,
        "return": {"type": func.result, "hint": both_long(func.note)},
        "node": {"category": "function", "icon": "iconPath", "label": both_long(func.name)},
    })
}

fn list<'i>(items: impl IntoIterator<Item = &'i Item>) -> String {
    let all: Vec<Value> =
        items.into_iter().map(|item| json!({"name": item.name, "about": about(item.about), "type": "internal"})).collect();
    go_json(&Value::Array(all))
}

fn about(text: &str) -> Value {
    json!({
        "trial": false, "installed": true,
        "author": {"name": "Pushgate", "email": "", "company": "", "website": ""},
        "helpUrl": both(""), "description": both(text),
    })
}

fn node(category: &str, label: &str) -> Value {
    json!({"category": category, "icon": "iconPath", "label": both(label)})
}

fn field(property: &Property) -> Value {
    let Property(name, default, typ, control, optional, hint) = property;
    let default: Value = serde_json::from_str(default).unwrap_or_default();
    let (control, values) =
        control.split_once(':').map_or((*control, Value::Null), |(control, values)| (control, values.split(',').collect()));
    let mut out = Map::new();
    for (key, value) in [
        ("exist", Value::Bool(false)),
        ("name", (*name).into()),
        ("default", default),
        ("type", (*typ).into()),
        ("control", control.into()),
        ("connection_related", Value::Bool(false)),
        ("optional", (*optional).into()),
        ("values", values),
        ("hint", both(hint)),
        ("label", both(name)),
    ] {
        out.insert(key.to_owned(), value);
    }
    Value::Object(out)
}

/// A text in both languages that the shape has.
fn both(text: &str) -> Value {
    json!({"en": text, "zh": text})
}

/// The same under the longer names that functions and data sources use.
fn both_long(text: &str) -> Value {
    json!({"en_US": text, "zh_CN": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_json_and_every_item_has_its_page() {
        for item in SOURCES.iter().chain(SINKS) {
            for Property(name, default, ..) in item.properties.iter().chain(COMMON) {
                assert!(serde_json::from_str::<Value>(default).is_ok(), "{name}: {default}");
            }
        }
        for item in SINKS {
            let page: Value = serde_json::from_str(&sink(item.name).expect("page")).expect("JSON");
            let keys: Vec<&String> = page.as_object().expect("object").keys().collect();
            assert_eq!(keys, ["about", "libs", "node", "properties", "type"]);
        }
        assert!(source("httppush").is_some_and(|page| page.contains("\"dataSource\"")) && source("x").is_none());
        assert!(functions().contains("\"name\":\"abs\""));
    }
}
