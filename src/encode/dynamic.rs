//! Properties of sinks that may hold a template: a URL, a path, a topic, a header; rendered per message, held to their place.
//!
//! A value from a reading fills such a text but never changes its structure (see [`Place`]). The scheme and authority of a URL and
//! the directory of a path are what stands literally before the first `{{`.

use super::template::{Place, Template, TemplateEnv, TemplateError, check_path};
use crate::json::write::Out;
use crate::value::{Fault, Scratch, Value};

/// A literal or a template, for one place.
#[derive(Debug)]
pub struct Dynamic {
    place: Place,
    template: Template,
    /// Bytes in front that no value can change: a path's literal directory.
    literal: usize,
}

impl Dynamic {
    /// Parses a property's text.
    ///
    /// # Errors
    /// A template that does not parse, or a URL whose scheme and authority are not literal.
    pub fn parse(text: &str, place: Place) -> Result<Self, TemplateError> {
        let template = Template::parse(text)?;
        let front = text.find("{{").map_or(text, |at| &text[..at]);
        let literal = match place {
            Place::Path => front.rfind('/').map_or(0, |at| at + 1),
            Place::Url if !template.is_literal() => {
                let authority = front.split_once("://").map(|(_, rest)| rest).and_then(|rest| rest.find(['/', '?', '#']));
                if authority.is_none() {
                    return Err(TemplateError {
                        line: 1,
                        column: 1 + front.chars().count(),
                        text: "scheme, host and port of a url are literal: a template may begin behind the first `/` of its path"
                            .to_owned(),
                    });
                }
                front.len()
            }
            _ => 0,
        };
        Ok(Self { place, template, literal })
    }

    /// The text, if nothing in it is evaluated.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.template.is_literal().then(|| self.template.text())
    }

    /// The text as the property has it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.template.text()
    }

    /// Appends the property's text for a message (an object with `sendSingle`, else a list of objects) to `out`.
    ///
    /// # Errors
    /// What the template or the place refuses; [`Fault::FULL`].
    pub fn render<'a>(&'a self, data: Value<'a>, env: &TemplateEnv<'_>, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
        if let Some(text) = self.literal() {
            return Ok(out.text(text)?);
        }
        let from = out.len();
        self.template.render_at(Some(self.place), data, env, out, scratch)?;
        match self.place {
            Place::Path => check_path(out.written().get(from..).unwrap_or(&[]), self.literal, scratch),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;
    use crate::time::{Now, Zone};
    use crate::value::Numbers;

    fn rendered(text: &str, place: Place, data: &str) -> Result<String, String> {
        let dynamic = Dynamic::parse(text, place).map_err(|e| e.to_string())?;
        let (mut memory, mut buf) = (vec![0; 1 << 14], vec![0; 1024]);
        let scratch = Scratch::new(&mut memory);
        let (zone, rng, fuel) = (Zone::utc(), Cell::new(1), Cell::new(10_000));
        let env = TemplateEnv { now: Now::default(), zone: &zone, rng: &rng, fuel: &fuel };
        let mut out = Out::new(&mut buf);
        let result = dynamic.render(Value::Json(Numbers::Float, data), &env, &mut out, &scratch);
        result.map(|()| String::from_utf8_lossy(out.written()).into_owned()).map_err(|f| f.text.to_owned())
    }

    fn ok(text: &str, place: Place, data: &str, want: &str) {
        assert_eq!(rendered(text, place, data).as_deref(), Ok(want), "{text}");
    }

    fn refused(text: &str, place: Place, data: &str, word: &str) {
        let why = rendered(text, place, data).expect_err(text);
        assert!(why.contains(word), "{why}");
    }

    #[test]
    fn literals_pass() {
        ok("/tmp/a//../b", Place::Path, "{}", "/tmp/a//../b");
        ok("http://h:1/a b?c#d", Place::Url, "{}", "http://h:1/a b?c#d");
        ok("a/#", Place::Topic, "{}", "a/#");
    }

    #[test]
    fn urls_are_encoded_behind_the_authority() {
        ok("http://h/dev/{{.name}}?id={{.id}}", Place::Url, r#"{"name":"alpha","id":1}"#, "http://h/dev/alpha?id=1");
        ok("http://h/{{.a}}", Place::Url, r#"{"a":"a b/c?d#e&é"}"#, "http://h/a%20b%2Fc%3Fd%23e%26%C3%A9");
        ok("http://h/?q={{urlquery .a}}", Place::Url, r#"{"a":"a b&"}"#, "http://h/?q=a+b%26");
        ok("http://h/{{.a.b}}", Place::Url, "{}", "http://h/%3Cno%20value%3E");
        ok("http://h/{{len .o}}/{{.o.k}}", Place::Url, r#"{"o":{"k":1}}"#, "http://h/1/1");
        refused("http://h/{{len .o}}/{{.o.k}}", Place::Url, r#"{"o":"s"}"#, "can't evaluate field k");
        refused("http://{{.h}}/", Place::Url, "{}", "literal");
        refused("{{.u}}", Place::Url, "{}", "literal");
        refused("http://h{{.p}}", Place::Url, "{}", "literal");
    }

    #[test]
    fn paths_stay_below_their_literal_directory() {
        ok("/d/{{.n}}.txt", Place::Path, r#"{"n":"alpha"}"#, "/d/alpha.txt");
        ok("{{.n}}", Place::Path, r#"{"n":"x"}"#, "x");
        ok("/d/{{.n}}/{{.m}}.txt", Place::Path, r#"{"n":"a","m":""}"#, "/d/a/.txt");
        refused("/d/{{.n}}.txt", Place::Path, r#"{"n":"../x"}"#, "path");
        refused("/d/{{.n}}", Place::Path, r#"{"n":".."}"#, "segment");
        refused("/d/{{.n}}{{.n}}/x", Place::Path, r#"{"n":"."}"#, "segment");
        refused("/d/{{.n}}/x", Place::Path, r#"{"n":""}"#, "segment");
        refused("/d/{{.n}}", Place::Path, r#"{"n":"a\u0000b"}"#, "path");
        refused("/d/{{printf \"%s\" .n}}", Place::Path, r#"{"n":"/etc/passwd"}"#, "path");
    }

    #[test]
    fn headers_and_topics() {
        ok("Bearer {{.t}}", Place::Header, r#"{"t":"x y"}"#, "Bearer x y");
        refused("{{.t}}", Place::Header, r#"{"t":"a\r\nX: 1"}"#, "header");
        ok("dev/{{.t}}/up", Place::Topic, r#"{"t":"a/b"}"#, "dev/a/b/up");
        refused("dev/{{.t}}", Place::Topic, r##"{"t":"#"}"##, "topic");
        refused("dev/{{.t}}", Place::Topic, r#"{"t":"+"}"#, "topic");
        refused("dev/{{.name}}/up", Place::Topic, r#"[{"name":"alpha"}]"#, "can't evaluate field name in type []map[string]interface {}");
    }
}
