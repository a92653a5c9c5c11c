//! Endpoints: a method and a path template, matched against a decoded request path.
//!
//! `/dev/{id}` matches one segment, a last `{rest:.*}` the rest of the path. A literal segment beats a parameter, a parameter beats
//! the rest. Case and a trailing slash matter (facts §1.3).

use core::cmp::Ordering;

use crate::wire::Method;

/// Names of `meta()` that a path parameter must not hide.
pub const RESERVED: [&str; 9] = ["method", "path", "query", "remote", "arrived", "seq", "credential", "clock", "header"];

/// A path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Segment>,
    /// There are no parameters.
    literal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
    Rest(String),
}

impl Segment {
    const fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Rest(_) => 2,
        }
    }
}

impl Template {
    /// Reads a template; it must begin with `/`.
    ///
    /// # Errors
    /// A sentence that names what does not fit.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err("property `endpoint` must start with /".into());
        };
        let mut segments: Vec<Segment> = Vec::new();
        for (i, part) in split_segments(path).into_iter().enumerate() {
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return Err(format!("endpoint {text}: nothing can follow {{name:.*}}"));
            }
            let Some(inner) = part.strip_prefix('{') else {
                if part.contains(['{', '}']) {
                    return Err(format!("endpoint {text}: segment {} must be a literal or one {{name}}", i + 1));
                }
                segments.push(Segment::Literal(part.to_owned()));
                continue;
            };
            let Some(inner) = inner.strip_suffix('}') else {
                return Err(format!("endpoint {text}: segment {} must be a literal or one {{name}}", i + 1));
            };
            let (name, pattern) = inner.split_once(':').map_or((inner, None), |(n, p)| (n, Some(p)));
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(format!("endpoint {text}: a parameter's name has letters, digits and _ only, found `{name}`"));
            }
            if RESERVED.contains(&name) {
                return Err(format!("endpoint {text}: parameter {name} has the name of one of meta()'s own facts, choose another"));
            }
            if segments.iter().any(|s| matches!(s, Segment::Parameter(n) | Segment::Rest(n) if n == name)) {
                return Err(format!("endpoint {text}: parameter {name} stands there twice"));
            }
            segments.push(match pattern {
                None => Segment::Parameter(name.to_owned()),
                Some(".*") => Segment::Rest(name.to_owned()),
                Some(other) => {
                    return Err(format!("endpoint {text}: pattern `{other}` is not supported, only {{name}} and a last {{name:.*}}"));
                }
            });
        }
        let literal = segments.iter().all(|segment| matches!(segment, Segment::Literal(_)));
        Ok(Self { text: text.to_owned(), segments, literal })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True if the template matches a decoded path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        // Most templates have no parameters, and match themselves alone.
        if self.literal { path == self.text } else { self.walk(path, |_, _| {}) }
    }

    /// Calls `put` with each parameter's name and value; true if the template matches (parameters seen before a mismatch were
    /// given too).
    pub fn walk<'p>(&'p self, path: &'p str, mut put: impl FnMut(&'p str, &'p str)) -> bool {
        let Some(mut rest) = path.strip_prefix('/') else { return false };
        let last = self.segments.len() - 1;
        for (i, segment) in self.segments.iter().enumerate() {
            if let Segment::Rest(name) = segment {
                put(name, rest);
                return true;
            }
            let (part, more) = rest.split_once('/').map_or((rest, None), |(p, m)| (p, Some(m)));
            match segment {
                Segment::Literal(text) if text != part => return false,
                Segment::Parameter(_) if part.is_empty() => return false,
                Segment::Parameter(name) => put(name, part),
                _ => {}
            }
            match (more, i == last) {
                (Some(more), false) => rest = more,
                (None, true) => return true,
                _ => return false,
            }
        }
        false
    }

    /// True if both templates match the same paths.
    #[must_use]
    pub fn same_endpoint(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(a, b)| match (a, b) {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                _ => a.rank() == b.rank(),
            })
    }

    /// Which of two templates that match one path is meant: the one with the literal, else the parameter, where they first differ.
    #[must_use]
    pub fn preference(&self, other: &Self) -> Ordering {
        self.segments.iter().map(Segment::rank).cmp(other.segments.iter().map(Segment::rank))
    }
}

/// Splits at `/` outside braces (`{rest:a/b}` must be refused whole, not cut).
fn split_segments(path: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (i, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                parts.push(&path[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[from..]);
    parts
}

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The method it takes.
    pub method: Method,
    /// The path it takes.
    pub template: Template,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    #[test]
    fn matches() {
        for (text, path, want) in [
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/a/", "/a/", true),
            ("/a", "/A", false),
            ("/", "/", true),
            ("/", "/a", false),
            ("/dev/{id}", "/dev/7", true),
            ("/dev/{id}", "/dev/", false),
            ("/dev/{id}", "/dev/7/x", false),
            ("/dev/{id}/t", "/dev/7/t", true),
            ("/dev/{rest:.*}", "/dev/", true),
            ("/dev/{rest:.*}", "/dev/a/b", true),
            ("/dev/{rest:.*}", "/dev", false),
        ] {
            assert_eq!(template(text).matches(path), want, "{text} {path}");
        }
    }

    #[test]
    fn gives_parameters() {
        let t = template("/d/{id}/{rest:.*}");
        let mut seen = Vec::new();
        assert!(t.walk("/d/7/a/b", |n, v| seen.push((n, v))));
        assert_eq!(seen, [("id", "7"), ("rest", "a/b")]);
    }

    #[test]
    fn refuses() {
        for text in ["", "a", "/{", "/a{id}", "/{id}x", "/{rest:.*}/x", "/{id:[0-9]+}", "/{}", "/{a b}", "/{method}", "/{a}/{a}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn literal_beats_parameter_beats_rest() {
        assert_eq!(template("/d/x").preference(&template("/d/{id}")), Ordering::Less);
        assert_eq!(template("/d/{id}").preference(&template("/d/{r:.*}")), Ordering::Less);
        assert!(template("/d/{a}").same_endpoint(&template("/d/{b}")));
        assert!(!template("/d/{a}").same_endpoint(&template("/d/{b:.*}")));
    }
}
