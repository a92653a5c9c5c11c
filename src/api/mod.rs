//! The management API: one request in, one response out, over the catalog; sans-IO.
//!
//! Paths, codes and texts are eKuiper's (facts §5) but for the table in the README: what does not exist is 404 with code 1002, a
//! body that cannot be read is 400, nothing panics. Errors are `{"error":code,"message":"…"}` and a line end, as plain text. The
//! guards of the port come first ([`guard`]): a Host that is not ours is 421, an Origin that is not listed 403.
//!
//! ```
//! use pushgate::api::path::clean;
//! assert_eq!(clean("/streams/../ping"), "/ping");
//! ```

pub mod body;
mod data;
pub mod guard;
pub mod jwt;
mod meta;
pub mod metrics;
mod palette;
pub mod path;
pub mod routes;
mod rules;
mod streams;
mod system;
mod yaml;

#[cfg(test)]
mod tests;

use crate::catalog::text::go_quote;
use crate::catalog::{Control, Fault, Host};
use routes::Find;

/// One request; its body is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Fields in order, names as sent.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// `Content-Type`; empty: none.
    pub content_type: &'static str,
    /// Further fields.
    pub fields: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What the process does once this is sent.
    pub then: Then,
}

/// What follows a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// Nothing.
    #[default]
    Continue,
    /// An orderly stop of the whole process.
    Stop,
    /// The same, with the exit code that asks to be started again: 100.
    Restart,
    /// The results of the rule trial that the last segment of the path names, one event each, until it is over.
    Events,
}

/// Media type of JSON answers.
pub const JSON: &str = "application/json";
/// Media type of text answers, and of JSON that eKuiper leaves to be guessed.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of exports.
pub const OCTETS: &str = "application/octet-stream";

impl Response {
    /// An answer of that type; an empty body has no type.
    #[must_use]
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let content_type = if body.is_empty() { "" } else { content_type };
        Self { status, content_type, fields: Vec::new(), body, then: Then::Continue }
    }

    /// 200 with text.
    #[must_use]
    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, TEXT, body)
    }

    /// 200 with JSON.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, JSON, body)
    }

    /// A status alone.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::new(status, "", Vec::new())
    }

    /// 200 with a file.
    #[must_use]
    pub fn attachment(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, OCTETS, body).with("Content-Disposition", "Attachment")
    }

    /// An error of eKuiper's form: 404 for what does not exist, 400 else.
    #[must_use]
    pub fn fault(fault: &Fault) -> Self {
        Self::refuse(if fault.code == Fault::NOT_FOUND { 404 } else { 400 }, fault.code, &fault.message)
    }

    /// An error with its own status.
    #[must_use]
    pub fn refuse(status: u16, code: u32, message: &str) -> Self {
        let body = format!("{{\"error\":{code},\"message\":{}}}\n", go_quote(message));
        Self::new(status, TEXT, body).with("X-Content-Type-Options", "nosniff")
    }

    /// 404 of a path that is no route.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(404, TEXT, "404 page not found\n").with("X-Content-Type-Options", "nosniff")
    }

    /// The same with a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The body as text.
    #[must_use]
    pub fn body_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

impl From<Result<Self, Fault>> for Response {
    fn from(result: Result<Self, Fault>) -> Self {
        result.unwrap_or_else(|fault| Self::fault(&fault))
    }
}

/// A routed request.
pub(crate) struct Call<'a> {
    /// Values of the path's parameters, decoded.
    pub(crate) params: Vec<String>,
    /// The query, as sent.
    pub(crate) query: &'a str,
    /// The request.
    pub(crate) request: &'a Request,
}

impl Call<'_> {
    /// A parameter of the path.
    pub(crate) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The first value of a query parameter, decoded; `""` without one.
    pub(crate) fn query(&self, name: &str) -> String {
        path::query(self.query, name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.request.body)
    }
}

/// Answers one request.
pub fn handle<H: Host>(control: &mut Control<H>, request: &Request) -> Response {
    if let Some(refusal) = guard::judge(&control.config.basic, &request.method, request.field("host"), request.field("origin")) {
        return refusal;
    }
    let response = match token_refusal(control, request) {
        Some(refusal) => refusal,
        None => answer(control, request),
    };
    match request.field("origin") {
        Some(origin) => response.with("Access-Control-Allow-Origin", origin).with("Vary", "Origin"),
        None => response,
    }
}

/// The 401 of a request whose token is missing or not good.
fn token_refusal<H: Host>(control: &mut Control<H>, request: &Request) -> Option<Response> {
    if !control.config.basic.authentication || !jwt::is_needed(&request.method, &request.target) {
        return None;
    }
    let now_s = control.host.now().wall.0.div_euclid(1000);
    jwt::judge(request.field("authorization"), now_s, |issuer| control.host.public_key(issuer))
}

/// Answers one request that passed the guards: also each one of `POST /batch/req`.
pub(crate) fn answer<H: Host>(control: &mut Control<H>, request: &Request) -> Response {
    let (raw_path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let Some(decoded) = path::decode(raw_path) else {
        return Response::new(400, TEXT, "400 Bad Request: the path has a bad % escape");
    };
    let clean = path::clean(&decoded);
    if clean != decoded {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        return Response::empty(301).with("Location", format!("{}{query}", path::encode(&clean)));
    }
    match routes::find(&request.method, &decoded) {
        Find::Route(op, params) => dispatch(control, op, &Call { params, query, request }),
        Find::WrongMethod(allow) => Response::empty(405).with("Allow", allow),
        Find::Nothing => Response::no_route(),
    }
}

fn dispatch<H: Host>(control: &mut Control<H>, op: routes::Op, call: &Call<'_>) -> Response {
    let result = match op.area() {
        routes::Area::Streams => streams::serve(control, op, call),
        routes::Area::Rules => rules::serve(control, op, call),
        routes::Area::Data => data::serve(control, op, call),
        routes::Area::Meta => meta::serve(control, op, call),
        routes::Area::System => system::serve(control, op, call),
    };
    result.into()
}
