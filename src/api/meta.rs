//! What a user interface asks for (facts §2, §5): conf keys, connections, sources, sinks and functions with their properties.

use serde_json::{Map, Value, json};

use super::routes::Op;
use super::{Call, Response, TEXT, body, palette};
use crate::catalog::text::go_json;
use crate::catalog::{Control, Fault, Group, Host};
use crate::sql::ddl::check_id;

pub(super) fn serve<H: Host>(control: &mut Control<H>, op: Op, call: &Call<'_>) -> Result<Response, Fault> {
    let (first, second) = (call.param(0), call.param(1));
    match op {
        Op::SourceKeys => Ok(keys(control, Group::Sources, first)),
        Op::SinkKeys => Ok(keys(control, Group::Sinks, first)),
        Op::ConnectionKeys => Ok(keys(control, Group::Connections, first)),
        Op::PutSourceKey => put_key(control, Group::Sources, call),
        Op::PutSinkKey => put_key(control, Group::Sinks, call),
        Op::PutConnectionKey => put_key(control, Group::Connections, call),
        Op::DropSourceKey => control.drop_key(Group::Sources, first, second).map(|()| Response::empty(200)),
        Op::DropSinkKey => control.drop_key(Group::Sinks, first, second).map(|()| Response::empty(200)),
        Op::DropConnectionKey => control.drop_key(Group::Connections, first, second).map(|()| Response::empty(200)),
        Op::ListConnections => Ok(Response::new(200, TEXT, control.connections_json())),
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
        Op::OperatorsMeta | Op::ConnectionsMeta => Ok(Response::json("[]")),
        Op::SinksMeta => Ok(Response::json(palette::sinks())),
        Op::SourcesMeta => Ok(Response::json(palette::sources(call.query("kind").eq_ignore_ascii_case("lookup")))),
        Op::SinkMeta => palette::sink(first).map(Response::json).ok_or_else(|| no_plugin(first)),
        Op::SourceMeta | Op::ConnectionMeta => palette::source(first).map(Response::json).ok_or_else(|| no_plugin(first)),
        Op::PingSource => ping(call, "source"),
        Op::PingSink => ping(call, "sink"),
        Op::PingLookup => ping(call, "lookup source"),
        Op::Resource => Ok(Response::new(200, TEXT, resource(control, &call.query("sourceType")))),
        Op::Resources => Ok(Response::new(200, TEXT, resources(control))),
        Op::ListNothing => Ok(Response::json("[]")),
        Op::ListSchemas => match first {
            "protobuf" | "custom" => Ok(Response::json("[]")),
            other => Err(Fault::plain(format!("unsupported schema type {other}"))),
        },
        Op::GetSchema => Err(Fault::plain(format!("schema {first}.{second} not found"))),
        _ => {
            // A bad name is told first, as in eKuiper.
            call.params.iter().try_for_each(|name| check_id(name)).map_err(Fault::plain)?;
            Err(not_supported(call))
        }
    }
}

fn keys<H: Host>(control: &Control<H>, group: Group, kind: &str) -> Response {
    Response::json(go_json(&Value::Object(control.keys_of(group, kind))))
}

fn put_key<H: Host>(control: &mut Control<H>, group: Group, call: &Call<'_>) -> Result<Response, Fault> {
    control.put_key(group, call.param(0), call.param(1), &call.text())?;
    Ok(Response::empty(200))
}

fn connection(call: &Call<'_>) -> Result<(String, String, Map<String, Value>), Fault> {
    let object = body::object(&call.request.body);
    let read = object.and_then(|object| Ok((object.text("id")?, object.text("typ")?, object.object("props")?)));
    read.map_err(|e| Fault::plain(format!("Invalid body: {e}")))
}

/// Tries a connection. Ours have no peer to try, or are tried by the rule that uses them.
fn ping(call: &Call<'_>, what: &str) -> Result<Response, Fault> {
    body::object(&call.request.body).map_err(Fault::plain)?;
    Err(Fault::plain(format!("{what} {} doesn't support ping connection", call.param(0))))
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

/// Conf keys that the management API may change, by group and type.
fn resources<H: Host>(control: &Control<H>) -> String {
    let names = |group: Group| -> Vec<Value> {
        let kinds = control.exported_keys(group);
        kinds.iter().map(|(kind, text)| json!({"type": kind, "content": text})).collect()
    };
    go_json(&json!({"sources": names(Group::Sources), "sinks": names(Group::Sinks), "connections": names(Group::Connections)}))
}

fn no_plugin(name: &str) -> Fault {
    Fault::new(Fault::CONF_KEY, format!("This plugin was not found:{name}"))
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
