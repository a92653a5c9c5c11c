//! YAML text → [`Node`] tree with a line and column per node.
//!
//! Plain scalars are typed as eKuiper's YAML library (yaml.v3 into a generic map) types them: `yes` and `on` stay texts, `010` is
//! octal, `0x1f` hexadecimal, `1_000` a number; quoted scalars are always texts. Anchors, aliases, tags, merge keys and repeated
//! keys (in any letter case) are refused where they stand: the node becomes [`Tree::Bad`]. At most [`TEXT_BYTES_MAX`] bytes and
//! [`DEPTH_MAX`] levels; one document.

use std::{collections::BTreeSet, sync::Arc};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::tree::{Entry, Node, Origin, Tree};

/// Longest configuration text, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of lists and maps.
pub const DEPTH_MAX: usize = 32;

/// Why a whole text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// What was expected, and what was found.
    pub what: String,
}

/// Reads `text` as one YAML document; an empty one is [`Tree::Null`]. `first_line` is the number of the text's first line in `file`.
///
/// # Errors
/// [`Syntax`] when the text is no YAML, too long, or holds a second document. What is merely not supported is a [`Tree::Bad`] node.
pub fn parse(file: &Arc<str>, text: &str, first_line: u32) -> Result<Node, Syntax> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Syntax { line: 1, column: 1, what: format!("expected at most {TEXT_BYTES_MAX} bytes, found {}", text.len()) });
    }
    let shift = first_line.saturating_sub(1);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut build = Build { file, shift, stack: Vec::new(), skipped: 0, root: None };
    let mut documents = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| {
            let (line, column) = place(*e.marker(), shift);
            Syntax { line, column, what: format!("expected YAML, found a fault in column {column}: {}", e.info()) }
        })?;
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let (line, column) = place(span.start, shift);
                return Err(Syntax { line, column, what: "expected one document, found a second".into() });
            }
        }
        build.event(event, span.start);
    }
    let (line, column) = (first_line, 1);
    Ok(build.root.unwrap_or_else(|| Node { tree: Tree::Null, at: Origin::File { file: Arc::clone(file), line, column } }))
}

/// One top-level section of a text that is no YAML as a whole: from a line with a key in the first column to the next such line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// The key of its first line; `None` for what stands before the first key.
    pub key: Option<&'a str>,
    /// Number of its first line, from 1.
    pub line: u32,
    /// Its text.
    pub text: &'a str,
}

/// Cuts a text at its top-level keys, so that a fault in one section leaves the others readable.
#[must_use]
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let mut out = Vec::new();
    let (mut start, mut start_line, mut key) = (0, 1, None);
    let mut at = 0;
    for (number, line) in (1u32..).zip(text.split_inclusive('\n')) {
        if let Some(name) = top_key(line) {
            if at > start {
                out.push(Section { key, line: start_line, text: &text[start..at] });
            }
            (start, start_line, key) = (at, number, Some(name));
        }
        at += line.len();
    }
    if at > start {
        out.push(Section { key, line: start_line, text: &text[start..at] });
    }
    out
}

/// The key of a line that opens a top-level section: `name:` in the first column.
fn top_key(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let name = key.trim_end().trim_matches(['"', '\'']);
    let named = !name.is_empty() && !key.starts_with([' ', '\t', '#', '-', '[', '{', '&', '*', '!', '%', '@', '`', '|', '>']);
    (named && (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))).then_some(name)
}

/// Types a plain scalar.
#[must_use]
pub fn plain(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "true" | "True" | "TRUE" => return Tree::Bool(true),
        "false" | "False" | "FALSE" => return Tree::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Tree::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Tree::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Tree::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Tree::Text(text.to_owned());
    }
    let bare = text.replace('_', "");
    if let Some(i) = go_int(&bare) {
        return Tree::Int(i);
    }
    match bare.parse::<f64>() {
        Ok(x) if is_float(&bare) => Tree::Float(x),
        _ => Tree::Text(text.to_owned()),
    }
}

/// A whole number as Go's `ParseInt(text, 0, 64)` reads it: sign, then `0x`, `0o`, `0b`, a leading `0` for octal, or decimal.
fn go_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if body.is_empty() || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{body}"), radix).ok()
}

/// The float grammar of the YAML core schema: digits, at most one point, an optional exponent.
fn is_float(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = body.split_once(['e', 'E']).map_or((body, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent
}

/// Builds the tree from events, without recursion.
struct Build<'a> {
    file: &'a Arc<str>,
    shift: u32,
    stack: Vec<Frame>,
    /// Levels open below the deepest one kept.
    skipped: usize,
    root: Option<Node>,
}

struct Frame {
    at: Origin,
    bad: Option<&'static str>,
    body: Body,
}

enum Body {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: BTreeSet<String>, key: Option<(String, Origin, Option<&'static str>)> },
}

const NO_ANCHOR: &str = "anchors are not supported: write the value out";
const NO_ALIAS: &str = "aliases are not supported: write the value out";
const NO_TAG: &str = "tags are not supported: quote a text, leave a number plain";
const NO_MERGE: &str = "merge keys are not supported: write the keys out";
const NO_KEY: &str = "a key must be a plain text";
const TOO_DEEP: &str = "nested too deep";

impl Build<'_> {
    fn event(&mut self, event: Event<'_>, mark: Marker) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tree = match refused(anchor, tag.is_some()) {
                    Some(why) => Tree::Bad(why.into()),
                    None if style == ScalarStyle::Plain => plain(&text),
                    None => Tree::Text(text.clone().into_owned()),
                };
                self.scalar(tree, &text, mark);
            }
            Event::Alias(_) => self.scalar(Tree::Bad(NO_ALIAS.into()), "*", mark),
            Event::SequenceStart(anchor, tag) => self.open(refused(anchor, tag.is_some()), Body::List(Vec::new()), mark),
            Event::MappingStart(anchor, tag) => {
                let body = Body::Map { entries: Vec::new(), seen: BTreeSet::new(), key: None };
                self.open(refused(anchor, tag.is_some()), body, mark);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }

    fn origin(&self, mark: Marker) -> Origin {
        let (line, column) = place(mark, self.shift);
        Origin::File { file: Arc::clone(self.file), line, column }
    }

    fn scalar(&mut self, tree: Tree, text: &str, mark: Marker) {
        if self.skipped > 0 {
            return;
        }
        let at = self.origin(mark);
        if let Some(Frame { body: Body::Map { key: key @ None, .. }, .. }) = self.stack.last_mut() {
            let bad = match tree {
                Tree::Bad(_) => Some(NO_KEY),
                _ if text == "<<" => Some(NO_MERGE),
                _ => None,
            };
            *key = Some((text.to_owned(), at, bad));
            return;
        }
        self.put(Node { tree, at });
    }

    fn open(&mut self, bad: Option<&'static str>, body: Body, mark: Marker) {
        if self.skipped > 0 || self.stack.len() >= DEPTH_MAX {
            self.skipped += 1;
            if self.skipped == 1 {
                // The branch below stands for the whole skipped collection; its end only lowers the count.
                let at = self.origin(mark);
                self.put(Node { tree: Tree::Bad(TOO_DEEP.into()), at });
            }
            return;
        }
        self.stack.push(Frame { at: self.origin(mark), bad, body });
    }

    fn close(&mut self) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let Some(Frame { at, bad, body }) = self.stack.pop() else { return };
        let tree = match (bad, body) {
            (Some(why), _) => Tree::Bad(why.into()),
            (None, Body::List(items)) => Tree::List(items),
            (None, Body::Map { entries, .. }) => Tree::Map(entries),
        };
        self.put(Node { tree, at });
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node) {
        match self.stack.last_mut().map(|f| &mut f.body) {
            None => self.root = Some(node),
            Some(Body::List(items)) => items.push(node),
            // A list or map in the place of a key.
            Some(Body::Map { key: key @ None, .. }) => *key = Some(("?".into(), node.at, Some(NO_KEY))),
            Some(Body::Map { entries, seen, key }) => {
                let Some((name, at, bad)) = key.take() else { return };
                if let Some(why) = bad {
                    let node = Node { tree: Tree::Bad(why.into()), at: at.clone() };
                    entries.push(Entry { key: name, at, node });
                } else if seen.insert(name.to_ascii_lowercase()) {
                    entries.push(Entry { key: name, at, node });
                } else if let Some(first) = entries.iter_mut().find(|e| e.key.eq_ignore_ascii_case(&name)) {
                    let why = format!("expected each key once, found {name} here and in line {}", line_of(&first.at));
                    if !matches!(first.node.tree, Tree::Bad(_)) {
                        first.node = Node { tree: Tree::Bad(why), at };
                    }
                }
            }
        }
    }
}

const fn refused(anchor: usize, tagged: bool) -> Option<&'static str> {
    if anchor > 0 {
        Some(NO_ANCHOR)
    } else if tagged {
        Some(NO_TAG)
    } else {
        None
    }
}

fn place(mark: Marker, shift: u32) -> (u32, u32) {
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (small(mark.line().max(1)).saturating_add(shift), small(mark.col()).saturating_add(1))
}

const fn line_of(at: &Origin) -> u32 {
    match at {
        Origin::File { line, .. } => *line,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Node {
        parse(&"f".into(), text, 1).expect("yaml")
    }

    fn bad(text: &str) -> (String, String) {
        let node = read(text);
        let (at, why) = node.first_bad().expect("a broken node");
        (at.to_string(), why.to_owned())
    }

    #[test]
    fn plain_scalars_as_go_types_them() {
        for (text, tree) in [
            ("yes", Tree::Text("yes".into())),
            ("on", Tree::Text("on".into())),
            ("y", Tree::Text("y".into())),
            ("True", Tree::Bool(true)),
            ("FALSE", Tree::Bool(false)),
            ("tRue", Tree::Text("tRue".into())),
            ("~", Tree::Null),
            ("Null", Tree::Null),
            ("", Tree::Null),
            ("0", Tree::Int(0)),
            ("10081", Tree::Int(10081)),
            ("-7", Tree::Int(-7)),
            ("+7", Tree::Int(7)),
            ("010", Tree::Int(8)),
            ("0o17", Tree::Int(15)),
            ("0x1F", Tree::Int(31)),
            ("-0b11", Tree::Int(-3)),
            ("1_000", Tree::Int(1000)),
            ("08", Tree::Float(8.0)),
            ("9223372036854775807", Tree::Int(i64::MAX)),
            ("9223372036854775808", Tree::Float(9_223_372_036_854_775_808.0)),
            ("1.5", Tree::Float(1.5)),
            ("1.", Tree::Float(1.0)),
            (".5", Tree::Float(0.5)),
            ("1e3", Tree::Float(1000.0)),
            ("1e", Tree::Text("1e".into())),
            ("-", Tree::Text("-".into())),
            ("--1", Tree::Text("--1".into())),
            ("1.2.3", Tree::Text("1.2.3".into())),
            ("127.0.0.1", Tree::Text("127.0.0.1".into())),
            ("10s", Tree::Text("10s".into())),
            ("2026-11-24", Tree::Text("2026-11-24".into())),
            ("-.inf", Tree::Float(f64::NEG_INFINITY)),
            ("inf", Tree::Text("inf".into())),
            ("nan", Tree::Text("nan".into())),
            ("+x", Tree::Text("+x".into())),
        ] {
            assert_eq!(plain(text), tree, "{text}");
        }
    }

    #[test]
    fn quoted_stays_text() {
        let node = read("a: \"10\"\nb: 'true'\nc: |\n  5\n");
        for (key, text) in [("a", "10"), ("b", "true"), ("c", "5\n")] {
            assert_eq!(node.entry(key).map(|e| &e.node.tree), Some(&Tree::Text(text.into())), "{key}");
        }
    }

    #[test]
    fn lines_and_columns() {
        let node = read("# c\nbasic:\n  restPort: 9081\n  hosts: [a, b]\n");
        let port = node.entry("BASIC").and_then(|b| b.node.entry("restport")).expect("found in any case");
        assert_eq!(port.at, Origin::File { file: "f".into(), line: 3, column: 3 });
        assert_eq!(port.node.at, Origin::File { file: "f".into(), line: 3, column: 13 });
        assert_eq!(parse(&"f".into(), "a: 1", 7).expect("yaml").entry("a").map(|e| e.at.to_string()), Some("f:7".into()));
    }

    #[test]
    fn refused_where_it_stands() {
        for (text, at, why) in [
            ("a: &x 1\nb: 2", "f:1", NO_ANCHOR),
            ("a: 1\nb:\n  c: !!str 5", "f:3", NO_TAG),
            ("a: &x\n  b: 1", "f:1", NO_ANCHOR),
            ("b: {<<: {c: 1}}", "f:1", NO_MERGE),
            ("[1, 2]: x", "f:1", NO_KEY),
            ("a:\n  - !t x", "f:2", NO_TAG),
        ] {
            let found = bad(text);
            assert!(found.0.starts_with(at) && found.1 == why, "{text}: {found:?}");
        }
        assert_eq!(bad("a: 1\nb: 2\nA: 3").1, "expected each key once, found A here and in line 1");
        assert_eq!(bad("a: 1\nb: 2\nA: 3").0, "f:3");
    }

    #[test]
    fn aliases_cannot_grow() {
        let node = read("a: &a [x, x]\nb: [*a, *a]");
        assert_eq!(node.entry("a").map(|e| e.node.describe()), Some(NO_ANCHOR.into()));
        assert_eq!(node.entry("b").and_then(|e| e.node.first_bad()).map(|b| b.1), Some(NO_ALIAS));
    }

    #[test]
    fn depth_at_and_one_past() {
        let nest = |n: usize| format!("a: {}1{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(read(&nest(DEPTH_MAX - 1)).first_bad(), None);
        assert_eq!(bad(&nest(DEPTH_MAX)).1, TOO_DEEP);
        assert_eq!(read(&format!("{}\nb: 2", nest(100))).entry("b").map(|e| e.node.tree.clone()), Some(Tree::Int(2)));
    }

    #[test]
    fn whole_text_faults() {
        for (text, line) in [("a: 1\n  b: 2\n", 2), ("a: [1, 2\nb: 3\n", 2), ("a: 1\n---\nb: 2\n", 2), ("a: *x\n", 1), ("a:\n\tb: 1\n", 2)]
        {
            let fault = parse(&"f".into(), text, 1).expect_err(text);
            assert_eq!(fault.line, line, "{text:?}: {fault:?}");
        }
        assert!(parse(&"f".into(), &" ".repeat(TEXT_BYTES_MAX + 1), 1).is_err());
        assert!(parse(&"f".into(), &" ".repeat(TEXT_BYTES_MAX), 1).is_ok());
    }

    #[test]
    fn empty_texts() {
        for text in ["", "\n\n", "# only a comment\n", "---\n", "\u{feff}"] {
            assert_eq!(read(text).tree, Tree::Null, "{text:?}");
        }
        assert!(read("\u{feff}a: 1\n").entry("a").is_some());
        assert!(read("a: 1\r\nb: 2\r\n").entry("b").is_some());
    }

    #[test]
    fn cut_at_top_level_keys() {
        let text = "# head\n  method: POST\ndefault:\n  a: 1\nbad: [\n\"q\" : 2\n- item\nurl:x\n";
        let cut: Vec<_> = sections(text).iter().map(|s| (s.key, s.line)).collect();
        assert_eq!(cut, [(None, 1), (Some("default"), 3), (Some("bad"), 5), (Some("q"), 6)]);
        assert_eq!(sections(text).iter().map(|s| s.text).collect::<String>(), text);
    }

    proptest! {
        #[test]
        fn any_text_is_no_panic(text in "\\PC{0,200}") {
            let _ = parse(&"f".into(), &text, 1);
            prop_assert_eq!(sections(&text).iter().map(|s| s.text).collect::<String>(), text.clone());
            let _ = plain(&text);
        }

        #[test]
        fn any_yaml_like_text_is_no_panic(text in "[-a-c:&*!|>\\[\\]{},'\"#%@? \n\t~0-9.]{0,120}") {
            let _ = parse(&"f".into(), &text, 1);
            for section in sections(&text) {
                let _ = parse(&"f".into(), section.text, section.line);
            }
        }
    }
}
