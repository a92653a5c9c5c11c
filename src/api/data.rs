//! Import, export, uploads, and several requests in one (facts §5).

use serde_json::{Value, json};

use super::body::{self, Object};
use super::path;
use super::routes::Op;
use super::{Call, Request, Response, TEXT, Then, yaml};
use crate::catalog::text::{go_json, html_escape, json_string};
use crate::catalog::{Control, Fault, Host};

pub(super) fn serve<H: Host>(control: &mut Control<H>, op: Op, call: &Call<'_>) -> Result<Response, Fault> {
    match op {
        Op::ExportRuleset => Ok(Response::attachment(control.export_ruleset())),
        Op::ImportRuleset => {
            let text = import_text(control, call).map_err(bad_request)?;
            let (counts, report) = control.import_ruleset(&text).map_err(|e| e.under("Import ruleset error"))?;
            let mut done = format!("imported {} streams, {} tables and {} rules", counts.streams, counts.tables, counts.rules);
            for line in report.lines() {
                done.push('\n');
                done.push_str(&line);
            }
            Ok(Response::text(done))
        }
        Op::ExportAll => Ok(Response::attachment(control.export_all(None))),
        Op::ExportSome => {
            // Anything but a list of ids selects no rule, as in eKuiper.
            let ids = match body::first_value(&call.request.body) {
                Ok(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            Ok(Response::attachment(control.export_all(Some(&ids))))
        }
        Op::ImportAll => {
            let text = import_text(control, call)?;
            let report = control.import_all(&text, call.query("partial") == "1")?;
            if !report.is_clean() {
                return Err(Fault::plain(report.to_json()));
            }
            let done = Response::new(200, TEXT, import_json("", &report.to_json()));
            // Whoever runs the process starts it again, as with eKuiper.
            let stop = call.query("stop") == "1" && call.query("partial") != "1";
            Ok(if stop { Response { then: Then::Restart, ..done } } else { done })
        }
        Op::ImportStatus => Ok(Response::json(control.import_status().to_json())),
        Op::ExportYaml => Ok(Response::attachment(yaml::export(control))),
        Op::ImportYaml => {
            let text = import_text(control, call).map_err(bad_request)?;
            control.import_yaml(&text).map_err(|e| e.under("import failed"))?;
            Ok(Response::text("success"))
        }
        Op::ImportAsync => {
            let (content, file) = import_body(call)?;
            let text = control.import_text(&content, &file);
            let result = text.and_then(|text| control.import_all(&text, call.query("partial") == "1"));
            let result = match result {
                Ok(report) if report.is_clean() => Ok(import_json("", &report.to_json())),
                Ok(report) => Err(format!("err:process error, response:{}", import_json("process error", &report.to_json()))),
                Err(fault) => Err(format!("err:{fault}")),
            };
            Ok(Response::new(200, TEXT, format!("{{\"id\":{}}}", json_string(&control.note_task(result)))))
        }
        Op::GetTask => control.task_json(call.param(0)).map(|task| Response::new(200, TEXT, task)),
        // It has ended by the time anybody can ask.
        Op::CancelTask => control.task_json(call.param(0)).map(|_| Response::text("cancel success")),
        Op::Batch => batch(control, call),
        Op::Upload => upload(control, call),
        Op::ListUploads => Ok(Response::json(go_json(&json!(control.host.uploads())))),
        Op::RemoveUpload => {
            let name = call.param(0);
            let removed = control.host.remove_upload(name).map_err(|e| Fault::plain(format!("Error deleting the file: {e}")));
            removed.map(|()| Response::text("ok"))
        }
        _ => Err(Fault::new(Fault::GENERAL, "not a data operation")),
    }
}

/// eKuiper's last words about a body that names nothing, on the routes that say them.
fn bad_request(fault: Fault) -> Fault {
    if fault.message.ends_with("must specify content or file") { Fault::new(fault.code, format!("{fault}: bad request")) } else { fault }
}

/// What a body `{"content": "..."}` or `{"file": "file:///..."}` imports.
fn import_text<H: Host>(control: &mut Control<H>, call: &Call<'_>) -> Result<String, Fault> {
    let (content, file) = import_body(call)?;
    control.import_text(&content, &file)
}

fn import_body(call: &Call<'_>) -> Result<(String, String), Fault> {
    let read = |object: &Object| Ok::<_, String>((object.text("content")?, object.text("file")?));
    let object = body::object(&call.request.body).and_then(|object| read(&object));
    object.map_err(|e| Fault::plain(format!("Invalid body: Error decoding json: {e}")))
}

fn import_json(error: &str, sections: &str) -> String {
    format!("{{\"ErrorMsg\":{},\"ConfigResponse\":{sections}}}", json_string(error))
}

/// Each request of a list, answered in order; a batch within a batch is refused.
fn batch<H: Host>(control: &mut Control<H>, call: &Call<'_>) -> Result<Response, Fault> {
    let items = match body::first_value(&call.request.body).map_err(Fault::plain)? {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        _ => return Err(Fault::plain("cannot unmarshal the body, expected a list of requests")),
    };
    let mut parts = Vec::new();
    for item in items {
        let request = one_of(item, &call.request.fields)?;
        if let Some(why) = no_request(&request) {
            parts.push(format!("{{\"code\":0,\"error\":{}}}", json_string(&why)));
            continue;
        }
        let response = super::answer(control, &request);
        let text = response.body_text();
        let shown = if text.is_empty() { String::new() } else { format!(",\"response\":{}", json_string(&text)) };
        parts.push(format!("{{\"code\":{}{shown}}}", response.status));
    }
    Ok(Response::json(format!("[{}]", parts.join(","))))
}

/// Why a request of a batch cannot be asked at all.
fn no_request(request: &Request) -> Option<String> {
    if request.target.starts_with("/batch") {
        return Some("a batch within a batch is refused".to_owned());
    }
    let (method, target) = (&request.method, &request.target);
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !method.bytes().all(token) {
        return Some(format!("net/http: invalid method {method:?}"));
    }
    let path = target.split('?').next().unwrap_or("");
    if path::decode(path).is_none() {
        let at = path.find('%').unwrap_or(0);
        let bad: String = path
            .split('%')
            .skip(1)
            .map(|rest| rest.chars().take(2).collect::<String>())
            .find(|hex| u8::from_str_radix(hex, 16).is_err() || hex.len() < 2)
            .unwrap_or_else(|| path[at..].to_owned());
        return Some(format!("parse {target:?}: invalid URL escape {:?}", format!("%{bad}")));
    }
    None
}

fn one_of(item: Value, fields: &[(String, String)]) -> Result<Request, Fault> {
    let object = match item {
        Value::Object(map) => Object(map),
        Value::Null => Object::default(),
        _ => return Err(Fault::plain("cannot unmarshal a request, expected an object")),
    };
    let read = || {
        let method = object.text("method")?;
        let method = if method.is_empty() { "GET".to_owned() } else { method };
        Ok::<_, String>(Request { method, target: object.text("path")?, fields: fields.to_vec(), body: object.text("body")?.into_bytes() })
    };
    read().map_err(Fault::plain)
}

/// A file: `{"name", "content"}` as JSON, or the part `uploadFile` of a form.
fn upload<H: Host>(control: &mut Control<H>, call: &Call<'_>) -> Result<Response, Fault> {
    let kind = call.request.field("content-type").unwrap_or("");
    let (name, content) = if kind == "application/json" {
        let object = body::object(&call.request.body).map_err(|e| Fault::plain(format!("Invalid body: Error decoding file json: {e}")))?;
        let read = || Ok::<_, String>((object.text("name")?, object.text("content")?, object.text("file")?));
        let (name, content, file) = read().map_err(|e| Fault::plain(format!("Invalid body: Error decoding file json: {e}")))?;
        let missing = |what: &str| Err(Fault::plain(format!("Invalid body: missing necessary field: invalid body: {what} is required")));
        if content.is_empty() && file.is_empty() {
            return missing("content or FilePath");
        }
        if name.is_empty() {
            return missing("name");
        }
        let content = if content.is_empty() {
            control.import_text("", &file).map_err(|e| e.under("Upload error: getFile has error"))?
        } else {
            content
        };
        (name, content.into_bytes())
    } else {
        form_file(kind, &call.request.body).map_err(|e| Fault::plain(format!("Error Retrieving the File: {e}")))?
    };
    let path = control.host.save_upload(&name, &content).map_err(|e| Fault::plain(format!("Error saving the file: {e}")))?;
    Ok(Response::new(201, TEXT, html_escape(&path)))
}

/// Name and content of the part `uploadFile` of a `multipart/form-data` body (RFC 7578).
fn form_file(kind: &str, body: &[u8]) -> Result<(String, Vec<u8>), String> {
    let not_a_form = || "expected application/json or a multipart form with the part uploadFile".to_owned();
    if !kind.starts_with("multipart/form-data") {
        return Err(not_a_form());
    }
    let boundary = kind.split("boundary=").nth(1).ok_or_else(not_a_form)?;
    let boundary = format!("--{}", boundary.split(';').next().unwrap_or("").trim().trim_matches('"'));
    let mut rest = after(body, boundary.as_bytes()).ok_or_else(not_a_form)?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, format!("\r\n{boundary}").as_bytes()).ok_or("the form has no end")?;
        let head_end = find(part, b"\r\n\r\n").filter(|at| *at < end).ok_or("a part has no head")?;
        let head = String::from_utf8_lossy(&part[..head_end]).into_owned();
        if head.contains("name=\"uploadFile\"") {
            let name = head.split("filename=\"").nth(1).and_then(|t| t.split('"').next()).unwrap_or("").to_owned();
            // Browsers send a bare name; some clients the whole path.
            let name = name.rsplit(['/', '\\']).next().unwrap_or("").to_owned();
            return if name.is_empty() {
                Err("the part uploadFile has no file name".to_owned())
            } else {
                Ok((name, part[head_end + 4..end].to_vec()))
            };
        }
        rest = &part[end + 2 + boundary.len()..];
    }
    Err("http: no such file".to_owned())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

fn after<'a>(text: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    find(text, what).map(|at| &text[at + what.len()..])
}
