//! What a user interface asks for (facts §2, §5): conf keys, connections, sources, sinks and functions with their properties.

use serde_json::{Map, Value, json};

use super::routes::Op;
use super::{Call, Response, TEXT, body, palette};
use crate::catalog::text::go_json;
use crate::catalog::{Control, Fault, Group, Host};
use crate::json::words::complaint;
use crate::sql::ddl::check_id;

pub(super) fn serve<H: Host>(control: &mut Control<H>, op: Op, call: &Call<'_>) -> Result<Response, Fault> {
    let (first, second) = (call.param(0), call.param(1));
    match op {
        Op::SourceKeys => keys(control, Group::Sources, first),
        Op::SinkKeys => keys(control, Group::Sinks, first),
        Op::ConnectionKeys => keys(control, Group::Connections, first),
        Op::PutSourceKey => put_key(control, Group::Sources, call),
        Op::PutSinkKey => put_key(control, Group::Sinks, call),
        Op::PutConnectionKey => put_key(control, Group::Connections, call),
        Op::DropSourceKey => control.drop_key(Group::Sources, first, second).map(|()| Response::empty(200)),
        Op::DropSinkKey => control.drop_key(Group::Sinks, first, second).map(|()| Response::empty(200)),
        Op::DropConnectionKey => control.drop_key(Group::Connections, first, second).map(|()| Response::empty(200)),
        Op::ListConnections => Ok(Response::new(200, TEXT, control.connections_json(super::path::is_true(&call.query("forceAll"))))),
        Op::GetConnection => {
            check_id(first).map_err(Fault::plain)?;
            control.connection_json(first).map(Response::json)
        }
        Op::CreateConnection => {
            let (id, kind, props) = connection(call)?;
            control.create_connection(&id, &kind, props)?;
            Ok(Response::new(201, TEXT, "success"))
        }
        Op::PutConnection => {
            check_id(first).map_err(Fault::plain)?;
            let (_, kind, props) = connection(call)?;
            control.put_connection(first, &kind, props)?;
            Ok(Response::text("success"))
        }
        Op::DropConnection => {
            check_id(first).map_err(Fault::plain)?;
            control.drop_connection(first).map(|()| Response::text("success"))
        }
        Op::FunctionsMeta => Ok(Response::json(palette::functions())),
        // Pieces of visual graphs, which are not supported.
        Op::OperatorsMeta => Ok(Response::json("[]")),
        Op::ConnectionsMeta => Ok(Response::json(palette::connections())),
        Op::SinksMeta => Ok(Response::json(palette::sinks())),
        Op::SourcesMeta => Ok(Response::json(palette::sources(call.query("kind").eq_ignore_ascii_case("lookup")))),
        Op::SinkMeta => palette::sink(first).map(Response::json).ok_or_else(|| no_plugin(first)),
        Op::SourceMeta => palette::source(first).map(Response::json).ok_or_else(|| no_plugin(first)),
        Op::ConnectionMeta => {
            let page = palette::connection(first).map(Response::json);
            page.ok_or_else(|| Fault::plain(format!("This plugin was not found:{first}")))
        }
        Op::PingSource => ping(control, call, "source"),
        Op::PingSink => ping(control, call, "sink"),
        Op::PingLookup => ping(control, call, "lookup source"),
        Op::Resource => Ok(Response::new(200, TEXT, resource(control, &call.query("sourceType")))),
        Op::Resources => Ok(Response::new(200, TEXT, resources(control))),
        Op::ListNothing => Ok(Response::json("[]")),
        Op::ListSchemas => match first {
            "protobuf" | "custom" => Ok(Response::json("[]")),
            other => Err(Fault::plain(format!("unsupported schema type {other}"))),
        },
        Op::GetSchema => Err(Fault::plain(format!("schema {first}.{second} not found"))),
        _ => {
            if let Some(response) = extension(call) {
                return response;
            }
            // A bad name is told first, as in eKuiper.
            call.params.iter().try_for_each(|name| check_id(name)).map_err(Fault::plain)?;
            Err(not_supported(call))
        }
    }
}

fn keys<H: Host>(control: &Control<H>, group: Group, kind: &str) -> Result<Response, Fault> {
    let keys = control.keys_of(group, kind);
    if keys.is_empty() && !palette::is_known(group, kind) {
        return Err(no_plugin(&format!("{}.{kind}", group.word())));
    }
    Ok(Response::json(go_json(&Value::Object(keys))))
}

fn put_key<H: Host>(control: &mut Control<H>, group: Group, call: &Call<'_>) -> Result<Response, Fault> {
    control.put_key(group, call.param(0), call.param(1), &call.text())?;
    Ok(Response::empty(200))
}

/// Id, type and properties of a connection.
type Described = (String, String, Option<Map<String, Value>>);

fn connection(call: &Call<'_>) -> Result<Described, Fault> {
    // As eKuiper reads this one body: whole, not up to the end of its first value.
    if let Some(complaint) = complaint(&call.text(), false) {
        return Err(Fault::plain(format!("Invalid body: {complaint}")));
    }
    let object = body::object(&call.request.body);
    let read = object.and_then(|object| {
        let props = if object.get("props").is_some() { Some(object.object("props")?) } else { None };
        Ok((object.text("id")?, object.text("typ")?, props))
    });
    read.map_err(|e| Fault::plain(format!("Invalid body: {e}")))
}

fn ping<H: Host>(control: &mut Control<H>, call: &Call<'_>, what: &str) -> Result<Response, Fault> {
    let props = body::object(&call.request.body).map_err(Fault::plain)?.0;
    control.ping(what, call.param(0), &props).map(|()| Response::empty(200))
}

/// Conf keys of all source types, or those made for one type of resource.
fn resource<H: Host>(control: &Control<H>, wanted: &str) -> String {
    let mut out = Map::new();
    for kind in crate::config::SOURCE_TYPES {
        let mut of_kind = control.keys_of(Group::Sources, kind);
        if !wanted.is_empty() {
            of_kind.retain(|_, props| props.get("sourceType").and_then(Value::as_str) == Some(wanted));
        }
        if !of_kind.is_empty() {
            out.insert((*kind).to_owned(), Value::Object(of_kind));
        }
    }
    go_json(&Value::Object(out))
}

/// Names of the conf keys that the management API may change: an object for each type that has some.
fn resources<H: Host>(control: &Control<H>) -> String {
    let of = |group: Group| -> Value {
        let items: Vec<Value> = control
            .made_names(group)
            .into_iter()
            .map(|(kind, names)| Value::Object(names.into_iter().map(|name| (name, Value::String(kind.clone()))).collect()))
            .collect();
        if items.is_empty() { Value::Null } else { Value::Array(items) }
    };
    go_json(&json!({"sources": of(Group::Sources), "sinks": of(Group::Sinks)}))
}

fn no_plugin(name: &str) -> Fault {
    Fault::new(Fault::CONF_KEY, format!("This plugin was not found:{name}"))
}

/// What eKuiper says of an extension that it does not have: here nobody has one.
fn extension(call: &Call<'_>) -> Option<Result<Response, Fault>> {
    let path = call.request.target.split('?').next().unwrap_or("");
    let path = super::path::decode(path)?;
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let method = call.request.method.as_str();
    let missing = |words: String| Some(Err(Fault::missing(words)));
    let has_body = || body::object(&call.request.body).is_ok();
    match (method, segments.as_slice()) {
        ("GET", ["plugins", "sources" | "sinks" | "functions", "prebuild"]) => Some(Ok(Response::json("{}"))),
        (_, ["plugins", kind, ..]) if !["sources", "sinks", "functions", "portables", "udfs"].contains(kind) => {
            Some(Ok(Response::no_route()))
        }
        ("GET", ["plugins", "portables", name]) => missing(format!("describe portable plugin {name} error: not found")),
        ("GET", ["plugins", "portables", name, "status"]) => missing(format!("portable plugin {name} not found: not found")),
        ("GET", ["plugins", "udfs", name]) => missing(format!("describe function {name} error: not found")),
        (_, [.., name]) if check_id(name).is_err() => None,
        ("POST", ["plugins", "functions", name, "register"]) if has_body() => {
            missing(format!("register functions plugin {name} error: not found"))
        }
        (_, ["plugins", "portables" | "udfs", ..]) => None,
        ("GET", ["plugins", kind, name]) => missing(format!("describe {kind} plugin {name} error: not found")),
        ("DELETE", ["plugins", kind, name]) => missing(format!("delete {kind} plugin {name} error: invalid name {name}: not exist")),
        ("PUT", ["plugins", kind, name]) if has_body() => {
            missing(format!("update {kind} plugin {name} error, cannot delete old version: invalid name {name}: not exist"))
        }
        ("GET", ["services", "functions", name]) => missing(format!("describe function {name} error: not found")),
        ("GET", ["services", name]) => missing(format!("describe service {name} error: not found")),
        ("DELETE", ["services", name]) => missing(format!("delete service {name} error: {name} is not found")),
        ("PUT", ["services", name]) if has_body() => missing(format!("service update command error: {name} is not found")),
        ("GET", ["trace", "rule", _]) => Some(Ok(Response::json("[]"))),
        ("GET", ["trace", _]) => Some(Ok(Response::new(404, TEXT, "Not Found\n"))),
        _ => None,
    }
}

/// One clear sentence for what has no meaning here.
fn not_supported(call: &Call<'_>) -> Fault {
    let path = call.request.target.split('?').next().unwrap_or("");
    let what = match path.split('/').nth(1).unwrap_or("") {
        "plugins" => "plugins cannot be loaded into pushgate: sources, sinks and functions are built in",
        "services" => "external services are not supported by pushgate",
        "udf" => "script functions are not supported by pushgate",
        "schemas" => "schemas cannot be registered: the formats json, delimited, urlencoded and binary need none",
        "trace" | "tracer" => "tracing is not supported by pushgate",
        _ => "this is not supported yet",
    };
    Fault::plain(what)
}
