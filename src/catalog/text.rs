//! JSON text as Go's encoder writes it, and Go's quoting: what clients of eKuiper compare byte for byte.
//!
//! Members sorted, `<` `>` `&` and U+2028/9 escaped, numbers as floats of the shortest spelling where Go decoded them into floats.

use core::fmt::Write as _;

use serde_json::Value;

use crate::json::write::{FloatStyle, Out, float, string};

/// `value` on one line, as `json.Marshal` of a decoded value: members sorted, every number a float64.
#[must_use]
pub fn go_json(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value, None, 0);
    out
}

/// `value` over several lines, each level moved right by `indent`.
#[must_use]
pub fn go_json_indented(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    put(&mut out, value, Some(indent), 0);
    out
}

/// `text` as a JSON string with Go's escapes.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut buf = vec![0; text.len() * 6 + 2];
    let mut out = Out::new(&mut buf);
    // Six bytes for each byte of text is the longest an escape gets.
    let _ = string(&mut out, text);
    String::from_utf8_lossy(out.written()).into_owned()
}

/// `text` as Go's `%q` prints it, kept within JSON: `<` stays, control characters are `\u00xx` where Go has `\x`.
#[must_use]
pub fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `text` with the characters that mean something in HTML replaced, as Go's template package does it.
#[must_use]
pub fn html_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The inverse of [`html_escape`].
#[must_use]
pub fn html_unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// JSON text that is valid already, laid out over lines as Go's `json.Indent` does: nothing inside a token changes.
#[must_use]
pub fn indent(text: &str, step: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut opened) = (0_usize, false, false, false);
    for c in text.chars() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if opened && !closes {
            line(&mut out, step, depth);
        }
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !opened {
                    line(&mut out, step, depth);
                }
            }
            _ => {}
        }
        out.push(c);
        match c {
            ',' => line(&mut out, step, depth),
            ':' => out.push(' '),
            '"' => in_string = true,
            _ => {}
        }
        opened = matches!(c, '{' | '[');
    }
    out
}

fn line(out: &mut String, step: &str, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str(step);
    }
}

fn put(out: &mut String, value: &Value, step: Option<&str>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => put_number(out, n),
        Value::String(text) => out.push_str(&json_string(text)),
        Value::Array(items) => put_list(out, step, depth, ('[', ']'), items.iter(), |out, item| put(out, item, step, depth + 1)),
        Value::Object(map) => put_list(out, step, depth, ('{', '}'), map.iter(), |out, (key, item)| {
            out.push_str(&json_string(key));
            out.push_str(if step.is_some() { ": " } else { ":" });
            put(out, item, step, depth + 1);
        }),
    }
}

fn put_list<T>(
    out: &mut String,
    step: Option<&str>,
    depth: usize,
    (open, close): (char, char),
    items: impl ExactSizeIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    out.push(open);
    let some = items.len() > 0;
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        if let Some(step) = step {
            line(out, step, depth + 1);
        }
        each(out, item);
    }
    if let (true, Some(step)) = (some, step) {
        line(out, step, depth);
    }
    out.push(close);
}

fn put_number(out: &mut String, n: &serde_json::Number) {
    let Some(x) = n.as_f64() else {
        out.push_str(&n.to_string());
        return;
    };
    let mut buf = [0; 400];
    let mut text = Out::new(&mut buf);
    match float(&mut text, x, FloatStyle::Json) {
        Ok(()) => out.push_str(&String::from_utf8_lossy(text.written())),
        Err(_) => out.push_str(&n.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_marshals() {
        for (json, want) in [
            (r#"{"b":1,"a":[{},[],"x<y"],"c":1.0}"#, r#"{"a":[{},[],"x\u003cy"],"b":1,"c":1}"#),
            (r#"{"big":9007199254740993,"e":1e21}"#, r#"{"big":9007199254740992,"e":1e+21}"#),
            (r#""\u2028&""#, r#""\u2028\u0026""#),
        ] {
            let value: Value = serde_json::from_str(json).expect(json);
            assert_eq!(go_json(&value), want);
        }
    }

    #[test]
    fn indented_alike() {
        let json = r#"{"a":[{},[],"x, {y\""],"b":{"c":1}}"#;
        let value: Value = serde_json::from_str(json).expect(json);
        let want = "{\n  \"a\": [\n    {},\n    [],\n    \"x, {y\\\"\"\n  ],\n  \"b\": {\n    \"c\": 1\n  }\n}";
        assert_eq!(go_json_indented(&value, "  "), want);
        assert_eq!(indent(json, "  "), want);
        assert_eq!(indent(&indent(json, "  "), "  "), want);
    }

    #[test]
    fn quotes() {
        assert_eq!(go_quote("a \"b\" <c>\n\u{1}\\"), r#""a \"b\" <c>\n\u0001\\""#);
        let html = html_escape("<a href=\"x\">&'");
        assert_eq!(html, "&lt;a href=&#34;x&#34;&gt;&amp;&#39;");
        assert_eq!(html_unescape(&html), "<a href=\"x\">&'");
    }
}
