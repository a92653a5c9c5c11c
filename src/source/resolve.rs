//! From a definition and the configuration to a [`StreamSpec`]: conf key, EXTRA and stream options laid over each other (facts §2).

use core::time::Duration;
use std::sync::Arc;

use super::file::{self, FileFeed};
use super::simulator::SimFeed;
use super::{Feed, Payload, PushFeed, StreamSpec};
use crate::config::credentials::{self, LimitsConf};
use crate::config::{Config, Origin, Props};
use crate::decode::Shape;
use crate::encode::Format;
use crate::gate::cors;
use crate::gate::credential::{Access, Guard};
use crate::gate::inflate::Coding;
use crate::gate::route::{Endpoint, Template};
use crate::ring::Overflow;
use crate::sink::TlsLoader;
use crate::sql::ddl::Create;
use crate::time::pattern::Pattern;
use crate::value::Numbers;
use crate::wire::reply::Canned;
use crate::wire::{Method, Reply};

/// Rows that a scan table keeps without RETAIN_SIZE.
const RETAIN_DEFAULT: usize = 1;

/// The spec of a stream or table. `files` reads the secrets of its credentials.
///
/// # Errors
/// A sentence for the rule's creation, which answers it with code 2201.
pub fn resolve(create: &Create, config: &Config, files: &dyn TlsLoader) -> Result<StreamSpec, String> {
    let kind = source_type(create);
    let options = &create.options;
    let props = layers(create, config)?;
    props.check().map_err(|e| e.to_string())?;
    let format_name = options.format_or_json();
    let format = Format::parse(&format_name)
        .ok_or_else(|| format!("format {format_name} is not supported: json, delimited, urlencoded or binary"))?;
    if create.table && format == Format::Binary {
        return Err("'binary' format is not supported for table".into());
    }
    let error = |e: crate::config::PropError| e.to_string();
    let fields = props.texts("fields").map_err(error)?.unwrap_or_default();
    let columns = (!create.columns.is_empty()).then(|| create.columns.clone());
    if create.is_lookup() && !matches!(kind.as_str(), "memory" | "simulator") {
        return Err(format!("lookup source type {} not found", options.kind_of_source));
    }
    let feed = match kind.as_str() {
        "memory" if create.is_lookup() && options.datasource.is_empty() => return Err("datasource(topic) is required".into()),
        "httppush" => {
            let access = match unguarded(create, config) {
                Some(_) => Access::closed(),
                None => access(&props, files)?,
            };
            Feed::Push(Box::new(push(create, &props, access)?))
        }
        "memory" => Feed::Memory(topic(create)?),
        "simulator" => Feed::Simulator(SimFeed::read(&props)?),
        "file" => Feed::File(Arc::new(FileFeed::read(create, &props, files)?)),
        other => return Err(format!("source type {other} not found: httppush, memory, simulator and file are supported")),
    };
    let overflow = match props.text("overflow").map_err(error)?.as_deref() {
        None | Some("reject") => Overflow::Reject,
        Some("drop_oldest") => Overflow::DropOldest,
        Some(other) => return Err(format!("property overflow: expected reject or drop_oldest, found {other}")),
    };
    match props.text("ack").map_err(error)?.as_deref() {
        None | Some("queued") => {}
        Some("stored") => return Err("property ack: stored is not supported yet, only queued".into()),
        Some(other) => return Err(format!("property ack: expected queued or stored, found {other}")),
    }
    let time_pattern = match options.timestamp_format.as_str() {
        "" => None,
        text => Some(Pattern::parse(text).map_err(|e| format!("TIMESTAMP_FORMAT of {}: {e}", create.name))?),
    };
    let whole = props.boolean("useInt64ForWholeNumber").map_err(error)?.unwrap_or(false);
    // Of a simulator it is the time between two rows, of a file that between two readings.
    let ticks = !matches!(feed, Feed::Simulator(_) | Feed::File(_));
    let interval = props.duration("interval").map_err(error)?.filter(|d| ticks && !d.is_zero());
    if interval.is_some_and(|d| d < Duration::from_millis(1)) {
        return Err("interval should be larger than 1ms".into());
    }
    let (merge_field, payload) = second_level(create, &props, &feed, format, interval.is_some(), &fields)?;
    // A decoder spaces rows; those of memory topics and simulators go through none, and who reads a file spaces its.
    let decoded = matches!(feed, Feed::Push(_)) || payload.is_some();
    let send_interval = props.duration("sendInterval").map_err(error)?.filter(|d| decoded && !d.is_zero());
    let records_max = props.count("bufferLength").map_err(error)?.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let inflated = matches!(&feed, Feed::Push(push) if push.decompression.is_some());
    Ok(StreamSpec {
        name: create.name.clone(),
        table: create.table,
        lookup: create.is_lookup().then(|| create.options.key.clone()),
        retain: usize::try_from(options.retain_size).ok().filter(|n| *n > 0).unwrap_or(match feed {
            Feed::File(_) => file::RETAIN_DEFAULT,
            _ => RETAIN_DEFAULT,
        }),
        feed,
        shape: Shape::new(format, &options.delimiter, fields, columns.as_deref()),
        columns,
        strict: options.strict_validation,
        numbers: if whole { Numbers::Whole } else { Numbers::Float },
        ignore_case: config.basic.ignore_case,
        timestamp: (!options.timestamp.is_empty()).then(|| options.timestamp.clone()),
        time_pattern,
        overflow,
        records_max,
        interval,
        merge_field,
        payload,
        inflated,
        send_interval,
        shared: options.shared,
    })
}

/// `mergeField` and the `payload…` properties, in eKuiper's order of looking at them.
fn second_level(
    create: &Create,
    props: &Props,
    feed: &Feed,
    format: Format,
    limited: bool,
    fields: &[String],
) -> Result<(Option<String>, Option<Payload>), String> {
    let text = |name: &str| props.text(name).map(Option::unwrap_or_default).map_err(|e| e.to_string());
    let (merger, merge, inner) = (text("merger")?, text("mergeField")?, text("payloadFormat")?);
    if !merger.is_empty() && !merge.is_empty() {
        return Err("mergeField and merger cannot set together".into());
    }
    if !merger.is_empty() {
        return Err(if limited {
            format!("fail to initiate merge {merger}: merger {} not found", merger.to_lowercase())
        } else {
            "merger is set but rate limit is not required".into()
        });
    }
    if limited && !merge.is_empty() {
        if !matches!(feed, Feed::Push(_)) {
            return Err("rate limit merge only supports raw".into());
        }
        if !inner.is_empty() {
            return Err("do not support rate limit merge together with payloadFormat".into());
        }
        if format != Format::Json {
            return Err(format!("format {} does not support partial decode", format.name()));
        }
        return Ok((Some(merge), None));
    }
    if inner.is_empty() {
        return Ok((None, None));
    }
    let schema = text("payloadSchemaId")?;
    let Some(known) = Format::parse(&inner) else {
        let why = match inner.to_lowercase().as_str() {
            "protobuf" => format!("schema type protobuf id {} not found in registry", schema.split('.').next().unwrap_or("")),
            other => format!("format type {other} not supported"),
        };
        return Err(format!("cannot get converter from format {inner}, schemaId {schema}: {why}"));
    };
    let columns = (!create.columns.is_empty()).then_some(create.columns.as_slice());
    let shape = Shape::new(known, &text("payloadDelimiter")?, fields.to_vec(), columns);
    let batch = Some(text("payloadBatchField")?).filter(|name| !name.is_empty());
    Ok((None, Some(Payload { field: text("payloadField")?, batch, shape })))
}

/// Properties of a stream or table: conf key, then EXTRA, then the named connection that these select.
fn layers(create: &Create, config: &Config) -> Result<Props, String> {
    let kind = source_type(create);
    let options = &create.options;
    let mut props = match kind.as_str() {
        "httppush" | "simulator" | "file" => config.conf_key(&kind, &options.conf_key).map_err(|e| e.to_string())?,
        _ => Props::default(),
    };
    if !options.extra.is_empty() {
        match serde_json::from_str::<serde_json::Value>(&options.extra) {
            Ok(serde_json::Value::Object(extra)) if credentials::holds_secret(&extra) => return Err(secret_in_extra(&create.name)),
            Ok(serde_json::Value::Object(extra)) => props.lay(&extra, &Origin::Extra),
            _ => return Err(format!("EXTRA of {} is no JSON object", create.name)),
        }
    }
    let selected = props.text("connectionSelector").map_err(|e| e.to_string())?;
    if let Some(connection) = selected.and_then(|id| config.connection(&id)) {
        props.lay(connection, &Origin::Rest);
    }
    Ok(props)
}

/// The named connection that a stream or table selects.
#[must_use]
pub fn connection_of(create: &Create, config: &Config) -> Option<String> {
    layers(create, config).ok()?.text("connectionSelector").ok()?
}

/// What in a definition may be a mistake, a line each: names that do not exist, so that defaults stand in for them.
#[must_use]
pub fn doubts(create: &Create, config: &Config) -> Vec<String> {
    let Ok(props) = layers(create, config) else { return Vec::new() };
    let mut lines: Vec<String> = unguarded(create, config).into_iter().collect();
    let kind = source_type(create);
    if let Some(missing) = &props.missing
        && lines.is_empty()
    {
        lines.push(format!("stream {}: there is no conf key {missing} of {kind}: the default section serves it", create.name));
    }
    if let Ok(Some(id)) = props.text("connectionSelector")
        && config.connection(&id).is_none()
    {
        lines.push(format!("stream {}: there is no connection {id}: its own properties serve it", create.name));
    }
    lines
}

/// Whether the conf key of a stream, or the section `default` when it names none, asks who posts. `None`: it is not there, or broken.
#[must_use]
pub fn guards(create: &Create, config: &Config) -> Option<bool> {
    let (kind, key) = (source_type(create), &create.options.conf_key);
    if kind != "httppush" || !config.has_conf_key(&kind, key) {
        return None;
    }
    let props = config.conf_key(&kind, key).ok()?;
    Some(props.get("credentials").is_some_and(|prop| !prop.value.as_array().is_some_and(Vec::is_empty)))
}

/// Why nothing is taken for a stream: what asked who posts is gone. `None`: it is there, or never asked, or EXTRA asks.
#[must_use]
pub fn unguarded(create: &Create, config: &Config) -> Option<String> {
    let key = &create.options.conf_key;
    if !create.guarded || config.has_conf_key("httppush", key) || extra_has(create, "credentials") {
        return None;
    }
    let what = if key.is_empty() { "the section default".to_owned() } else { format!("conf key {key}") };
    Some(format!("stream {}: {what} said who may post and is gone: nobody else is let in until it is back", create.name))
}

fn extra_has(create: &Create, property: &str) -> bool {
    let extra = serde_json::from_str::<serde_json::Value>(&create.options.extra);
    extra.is_ok_and(|extra| extra.as_object().is_some_and(|map| map.keys().any(|name| name.eq_ignore_ascii_case(property))))
}

/// TYPE as written, for its letter case counts; without it a stream is mqtt and a table a file, as in eKuiper.
fn source_type(create: &Create) -> String {
    match create.options.kind_of_source.clone() {
        kind if !kind.is_empty() => kind,
        _ if create.table => "file".into(),
        _ => "mqtt".into(),
    }
}

/// A statement is shown to whoever lists streams.
#[must_use]
pub fn secret_in_extra(stream: &str) -> String {
    format!(
        "EXTRA of {stream} holds the secret of a credential, and is shown with the stream: write it into a conf key, or name a secretFile"
    )
}

fn push(create: &Create, props: &Props, access: Access) -> Result<PushFeed, String> {
    let error = |e: crate::config::PropError| e.to_string();
    let method = match props.text("method").map_err(error)?.as_deref() {
        None | Some("POST") => Method::Post,
        Some("PUT") => Method::Put,
        Some(other) => return Err(format!("method {other} is not supported, must be POST or PUT")),
    };
    // A named connection is an endpoint of its own, whatever DATASOURCE says.
    let selected = props.text("connectionSelector").map_err(error)?.is_some();
    let shared = if selected { props.get("datasource").and_then(|p| p.value.as_str()).filter(|text| !text.is_empty()) } else { None };
    let endpoint = match (shared, &create.options.datasource) {
        (Some(text), _) => text.to_owned(),
        (None, text) if !text.is_empty() => text.clone(),
        _ => props.text("endpoint").map_err(error)?.unwrap_or_else(|| format!("/{}", create.name)),
    };
    let template = Template::parse(&endpoint)?;
    let strict_type = match props.text("contentType").map_err(error)?.as_deref() {
        None | Some("" | "any") => false,
        Some("strict") => true,
        Some(other) => return Err(format!("property contentType: expected strict, found {other}")),
    };
    let meta_headers = props.texts("metaHeaders").map_err(error)?.unwrap_or_default();
    let origins = props.texts("origins").map_err(error)?.unwrap_or_default();
    let origins = origins.iter().map(|origin| cors::Origin::new(origin, method)).collect::<Result<_, _>>()?;
    let decompression = props.text("decompression").map_err(error)?.as_deref().map(Coding::of_property).transpose()?;
    Ok(PushFeed {
        endpoint: Endpoint { method, template },
        strict_type,
        meta_headers: meta_headers.iter().map(|h| h.to_ascii_lowercase()).collect(),
        origins,
        decompression,
        success: success(props)?,
        access: Guard(Arc::new(access)),
    })
}

/// Who may post, and how much.
fn access(props: &Props, files: &dyn TlsLoader) -> Result<Access, String> {
    let list = match props.get("credentials") {
        Some(prop) => credentials::credentials(&prop.value, &prop.origin).map_err(|e| e.to_string())?,
        None => Vec::new(),
    };
    let address = match props.get("addressLimits") {
        Some(prop) => credentials::address_limits(&prop.value, &prop.origin).map_err(|e| e.to_string())?,
        None => LimitsConf::default(),
    };
    Access::new(list, address, &mut |from| files.secret(from))
}

/// The answer to a reading that was taken.
fn success(props: &Props) -> Result<Reply, String> {
    let error = |e: crate::config::PropError| e.to_string();
    let code = match props.count("successCode").map_err(error)? {
        None => 200,
        Some(code @ (200 | 201 | 202 | 204)) => u16::try_from(code).unwrap_or(200),
        Some(other) => return Err(format!("property successCode: expected 200, 201, 202 or 204, found {other}")),
    };
    // An empty text is an answer, where elsewhere it means none was given.
    let body = match props.get("successBody").map(|p| &p.value) {
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        _ => props.text("successBody").map_err(error)?,
    };
    if code == 204 && body.as_ref().is_some_and(|b| !b.is_empty()) {
        return Err("property successBody: an answer with successCode 204 has no body (RFC 9110 section 15.3.5)".into());
    }
    let mut fields = Vec::new();
    let mut kind = None;
    if let Some(serde_json::Value::Object(map)) = props.get("responseHeaders").map(|p| &p.value) {
        for (name, value) in map {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Number(_) | serde_json::Value::Bool(_) => value.to_string(),
                _ => return Err(format!("property responseHeaders: {name}: expected a text")),
            };
            if name.eq_ignore_ascii_case("content-type") {
                kind = Some(text);
            } else {
                fields.push((name.clone(), text));
            }
        }
    }
    if code == 200 && body.as_deref().is_none_or(|b| b == "ok") && fields.is_empty() && kind.is_none() {
        return Ok(Reply::OK);
    }
    let body = body.unwrap_or_else(|| if code == 204 { String::new() } else { "ok".to_owned() });
    let json = || matches!(serde_json::from_str(&body), Ok(serde_json::Value::Object(_) | serde_json::Value::Array(_)));
    let kind = kind.unwrap_or_else(|| match () {
        () if body.is_empty() => String::new(),
        () if json() => "application/json".to_owned(),
        () => "text/plain; charset=utf-8".to_owned(),
    });
    let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let canned = Canned::new(&kind, pairs, body.as_bytes()).map_err(|e| format!("successBody and responseHeaders: {e}"))?;
    Ok(Reply::canned(code, Arc::new(canned)))
}

fn topic(create: &Create) -> Result<String, String> {
    let topic = &create.options.datasource;
    if topic.is_empty() {
        return Err("topic is required".into());
    }
    let levels: Vec<&str> = topic.split('/').collect();
    for (i, level) in levels.iter().enumerate() {
        if *level == "#" && i + 1 != levels.len() {
            return Err(format!("invalid topic {topic}: # must at the last level"));
        }
        if level.len() > 1 && level.contains(['#', '+']) {
            return Err(format!("invalid topic {topic}: + and # must stand alone in their level"));
        }
    }
    Ok(topic.clone())
}

/// True if `topic` is one that a subscription to `filter` sees.
#[must_use]
pub fn topic_matches(filter: &str, topic: &str) -> bool {
    let mut topic = topic.split('/');
    let mut filter = filter.split('/');
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), Some(_)) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(f), Some(t)) if f == t => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::topic_matches;

    #[test]
    fn topics() {
        for (filter, topic, want) in [
            ("a/b", "a/b", true),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("+/b", "a/b", true),
            ("#", "a/b", true),
            ("a/#", "a/b/c", true),
            ("a/#", "a", false),
            ("a/+/c", "a/b/d", false),
        ] {
            assert_eq!(topic_matches(filter, topic), want, "{filter} {topic}");
        }
    }
}
