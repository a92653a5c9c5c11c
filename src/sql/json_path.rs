//! JSON paths of `json_path_query` and its kin: text → [`JsonPath`], in the dialect of eKuiper's library (`PaesslerAG/jsonpath`).
//!
//! | written | means |
//! |---|---|
//! | `$` `@` | the whole value; in brackets the value at hand |
//! | `.key` `["key"]` `[n]` | a member, an element from 0 (negative ones are out of bounds) |
//! | `["a","b"]` `[0,2]` | several |
//! | `.*` `[*]` | all members or elements |
//! | `..` | the value and everything below it |
//! | `[from:to:step]` | a stretch of a list; negative ends count from its end |
//! | `[? expr]` `[?(expr)]` | members or elements for which an expression holds |
//!
//! Expressions have numbers, `"text"`, `true`, `false`, `[lists]`, paths, parentheses, `! -`, and, loosest first,
//! `??` `||` `&&`, `== != < <= > >= =~ !~ in`, `+ -`, `* / %`, `**`. Nesting is bounded by [`EXPR_DEPTH`].

use core::fmt;

use regex_lite::Regex;

use crate::limits::EXPR_DEPTH;

/// A parsed path.
#[derive(Debug)]
pub struct JsonPath {
    /// What is evaluated.
    pub root: Node,
}

/// An expression.
#[derive(Debug)]
pub enum Node {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// true, false.
    Bool(bool),
    /// `$...` or, with `current`, `@...`.
    Path {
        /// True for `@`.
        current: bool,
        /// From there.
        steps: Vec<Step>,
        /// True if the steps may lead to several values: the result is a list.
        several: bool,
    },
    /// `a.b[0]` without `$`: a missing member is nil.
    Variable(Vec<Self>),
    /// `[a, b]`.
    List(Vec<Self>),
    /// `!a`.
    Not(Box<Self>),
    /// `-a`.
    Negative(Box<Self>),
    /// `a op b`.
    Binary(Op, Box<Self>, Box<Self>),
    /// `a =~ b`, `a !~ b`: text and pattern.
    Matches {
        /// The text.
        of: Box<Self>,
        /// The pattern, which is a text literal.
        regex: Regex,
        /// True for `!~`.
        not: bool,
    },
}

/// One step of a path.
#[derive(Debug)]
pub enum Step {
    /// `.key`, `[key]`.
    Select(Node),
    /// `[a, b]`.
    Many(Vec<Node>),
    /// `*`.
    All,
    /// `..`: the value itself and all below it.
    Descend,
    /// `[from:to:step]`.
    Range([Node; 3]),
    /// `[? condition]`.
    Filter(Node),
}

/// Operators; see the module text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator of its name")]
pub enum Op {
    Coalesce,
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl Op {
    /// As written.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Coalesce => "??",
            Self::Or => "||",
            Self::And => "&&",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "**",
        }
    }
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// What is no path, with the place.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut parser = Parser { text, at: 0, depth: 0, token: Token::End, token_at: 0 };
        parser.advance()?;
        let root = parser.expression(0)?;
        if parser.token != Token::End {
            return Err(parser.expected("the end of the path"));
        }
        Ok(Self { root })
    }

    /// True if the path is made of literal keys and places alone.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(&self.root, Node::Path { steps, .. }
            if steps.iter().all(|s| matches!(s, Step::Select(Node::Number(_) | Node::Text(_)))))
    }
}

/// Why a text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathError {
    /// Byte offset.
    pub at: usize,
    /// What could have stood there.
    pub expected: &'static str,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parsing error: expected {} at byte {} of the json path", self.expected, self.at)
    }
}

impl core::error::Error for PathError {}

#[derive(Debug, Clone, PartialEq)]
enum Token<'t> {
    End,
    Word(&'t str),
    Number(f64),
    Text(String),
    Mark(&'t str),
}

/// Longest first.
const MARKS: [&str; 27] = [
    "??", "||", "&&", "==", "!=", "<=", ">=", "=~", "!~", "**", "..", "<", ">", "+", "-", "*", "/", "%", "!", "?", "[", "]", "(", ")", ",",
    ":", ".",
];

struct Parser<'t> {
    text: &'t str,
    /// Behind the token.
    at: usize,
    depth: usize,
    token: Token<'t>,
    token_at: usize,
}

impl<'t> Parser<'t> {
    fn expected(&self, expected: &'static str) -> PathError {
        PathError { at: self.token_at, expected }
    }

    /// Reads the next token.
    fn advance(&mut self) -> Result<(), PathError> {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\n', '\r']);
        self.token_at = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            self.token = Token::End;
            self.at = self.text.len();
            return Ok(());
        };
        let second_is_digit = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let (token, len) = if first == '_' || first.is_alphabetic() {
            let len = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
            (Token::Word(&rest[..len]), len)
        } else if first.is_ascii_digit() || (first == '.' && second_is_digit) {
            let len = number_len(rest.as_bytes());
            (Token::Number(rest[..len].parse().map_err(|_| self.expected("a number"))?), len)
        } else if matches!(first, '"' | '`' | '\'') {
            let (text, len) = quoted(rest, first).ok_or_else(|| self.expected("a text in double quotes"))?;
            (Token::Text(text), len)
        } else if matches!(first, '$' | '@') {
            (Token::Mark(&rest[..1]), 1)
        } else {
            let mark = MARKS.iter().find(|m| rest.starts_with(**m)).ok_or_else(|| self.expected("a path"))?;
            (Token::Mark(&rest[..mark.len()]), mark.len())
        };
        self.token = token;
        self.at = self.token_at + len;
        Ok(())
    }

    fn is(&self, mark: &str) -> bool {
        self.token == Token::Mark(mark)
    }

    fn eat(&mut self, mark: &str) -> Result<bool, PathError> {
        let found = self.is(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn need(&mut self, mark: &str, expected: &'static str) -> Result<(), PathError> {
        if self.eat(mark)? { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// An expression of operators that bind tighter than `floor`.
    fn expression(&mut self, floor: u8) -> Result<Node, PathError> {
        self.depth += 1;
        if self.depth > EXPR_DEPTH {
            return Err(self.expected("less nesting"));
        }
        let mut left = self.operand()?;
        while let Some((kind, strength)) = self.operator() {
            if strength <= floor {
                break;
            }
            self.advance()?;
            let right_at = self.token_at;
            let right = self.expression(strength)?;
            left = match (kind, right) {
                (Operator::Plain(op), right) => Node::Binary(op, Box::new(left), Box::new(right)),
                (Operator::Pattern { not }, Node::Text(pattern)) => {
                    let regex = regex_lite::RegexBuilder::new(&pattern).size_limit(1 << 20).build();
                    let regex = regex.map_err(|_| PathError { at: right_at, expected: "a regular expression" })?;
                    Node::Matches { of: Box::new(left), regex, not }
                }
                (Operator::Pattern { .. }, _) => return Err(PathError { at: right_at, expected: "a pattern in double quotes" }),
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator at hand and how tight it binds.
    fn operator(&self) -> Option<(Operator, u8)> {
        let mark = match &self.token {
            Token::Mark(mark) => *mark,
            Token::Word("in") => "in",
            _ => return None,
        };
        Some(match mark {
            "??" => (Operator::Plain(Op::Coalesce), 1),
            "||" => (Operator::Plain(Op::Or), 2),
            "&&" => (Operator::Plain(Op::And), 3),
            "==" => (Operator::Plain(Op::Eq), 4),
            "!=" => (Operator::Plain(Op::Ne), 4),
            "<" => (Operator::Plain(Op::Lt), 4),
            "<=" => (Operator::Plain(Op::Le), 4),
            ">" => (Operator::Plain(Op::Gt), 4),
            ">=" => (Operator::Plain(Op::Ge), 4),
            "in" => (Operator::Plain(Op::In), 4),
            "=~" => (Operator::Pattern { not: false }, 4),
            "!~" => (Operator::Pattern { not: true }, 4),
            "+" => (Operator::Plain(Op::Add), 5),
            "-" => (Operator::Plain(Op::Sub), 5),
            "*" => (Operator::Plain(Op::Mul), 6),
            "/" => (Operator::Plain(Op::Div), 6),
            "%" => (Operator::Plain(Op::Mod), 6),
            "**" => (Operator::Plain(Op::Pow), 7),
            _ => return None,
        })
    }

    fn operand(&mut self) -> Result<Node, PathError> {
        let (token, at) = (self.token.clone(), self.token_at);
        self.advance()?;
        Ok(match token {
            Token::Number(x) => Node::Number(x),
            Token::Text(text) => Node::Text(text),
            Token::Word("true") => Node::Bool(true),
            Token::Word("false") => Node::Bool(false),
            Token::Word(name) => self.variable(name)?,
            Token::Mark("$") => self.path(false)?,
            Token::Mark("@") => self.path(true)?,
            Token::Mark("(") => {
                let inner = self.expression(0)?;
                self.need(")", "`)`")?;
                inner
            }
            Token::Mark("[") => {
                let mut items = Vec::new();
                while !self.eat("]")? {
                    if !self.eat(",")? {
                        items.push(self.expression(0)?);
                    }
                }
                Node::List(items)
            }
            // A sign binds tighter than any operator.
            Token::Mark("-") => Node::Negative(Box::new(self.prefixed()?)),
            Token::Mark("!") => Node::Not(Box::new(self.prefixed()?)),
            _ => return Err(PathError { at, expected: "a path, a number, a text or `(`" }),
        })
    }

    fn prefixed(&mut self) -> Result<Node, PathError> {
        self.depth += 1;
        if self.depth > EXPR_DEPTH {
            return Err(self.expected("less nesting"));
        }
        let inner = self.operand()?;
        self.depth -= 1;
        Ok(inner)
    }

    fn word(&mut self) -> Result<String, PathError> {
        let Token::Word(word) = self.token else { return Err(self.expected("a key")) };
        self.advance()?;
        Ok(word.to_owned())
    }

    fn variable(&mut self, name: &str) -> Result<Node, PathError> {
        let mut keys = vec![Node::Text(name.to_owned())];
        loop {
            if self.eat(".")? {
                keys.push(Node::Text(self.word()?));
            } else if self.eat("[")? {
                keys.push(self.expression(0)?);
                self.need("]", "`]`")?;
            } else {
                return Ok(Node::Variable(keys));
            }
        }
    }

    fn path(&mut self, current: bool) -> Result<Node, PathError> {
        let mut steps = Vec::new();
        loop {
            if self.eat("..")? {
                steps.push(Step::Descend);
                if self.eat("*")? {
                    steps.push(Step::All);
                } else if self.eat("[")? {
                    let step = match self.bracket()? {
                        // Behind `..` one key is as good as several.
                        Step::Select(key) => Step::Many(vec![key]),
                        Step::Range(_) => return Err(self.expected("no range behind `..`")),
                        step => step,
                    };
                    steps.push(step);
                } else {
                    steps.push(Step::Select(Node::Text(self.word()?)));
                }
            } else if self.eat(".")? {
                if self.eat("*")? {
                    steps.push(Step::All);
                } else {
                    steps.push(Step::Select(Node::Text(self.word()?)));
                }
            } else if self.eat("[")? {
                steps.push(self.bracket()?);
            } else {
                let several = steps.iter().any(|s| !matches!(s, Step::Select(_)));
                return Ok(Node::Path { current, steps, several });
            }
        }
    }

    /// What stands in brackets, up to and with the closing one.
    fn bracket(&mut self) -> Result<Step, PathError> {
        if self.eat("*")? {
            self.need("]", "`]`")?;
            return Ok(Step::All);
        }
        if self.eat("?")? {
            let condition = self.expression(0)?;
            self.need("]", "`]`")?;
            return Ok(Step::Filter(condition));
        }
        let first = if self.is(":") { None } else { Some(self.expression(0)?) };
        if self.is(":") {
            let mut range = [first.unwrap_or(Node::Number(0.0)), Node::Number(f64::from(i32::MAX)), Node::Number(1.0)];
            for part in &mut range[1..] {
                if !self.eat(":")? {
                    break;
                }
                if !self.is(":") && !self.is("]") {
                    *part = self.expression(0)?;
                }
            }
            self.need("]", "`]`")?;
            return Ok(Step::Range(range));
        }
        let Some(first) = first else { return Err(self.expected("a key")) };
        let mut keys = vec![first];
        while self.eat(",")? {
            keys.push(self.expression(0)?);
        }
        self.need("]", "`,`, `:` or `]`")?;
        Ok(match keys.len() {
            1 => keys.pop().map_or(Step::All, Step::Select),
            _ => Step::Many(keys),
        })
    }
}

enum Operator {
    Plain(Op),
    Pattern { not: bool },
}

/// Octets of a number: digits, a point, an exponent.
fn number_len(b: &[u8]) -> usize {
    let digits = |mut i: usize| {
        while b.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        i
    };
    let mut i = digits(0);
    if b.get(i) == Some(&b'.') && b.get(i + 1) != Some(&b'.') {
        i = digits(i + 1);
    }
    if matches!(b.get(i), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(b.get(i + 1), Some(b'+' | b'-')));
        let end = digits(i + 1 + sign);
        if end > i + 1 + sign {
            i = end;
        }
    }
    i
}

/// A text in quotes: its value and the octets it takes. Double quotes know Go's escapes, back-ticks none, single quotes hold
/// one character, as in Go.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut rest = &text[1..];
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            _ if c == quote => break,
            '\n' if quote != '`' => return None,
            '\\' if quote != '`' => {
                let e = rest.chars().next()?;
                rest = &rest[e.len_utf8()..];
                let hex = |digits: usize| u32::from_str_radix(rest.get(..digits)?, 16).ok().and_then(char::from_u32);
                let (c, used) = match e {
                    'a' => ('\u{7}', 0),
                    'b' => ('\u{8}', 0),
                    'f' => ('\u{c}', 0),
                    'n' => ('\n', 0),
                    'r' => ('\r', 0),
                    't' => ('\t', 0),
                    'v' => ('\u{b}', 0),
                    '\\' => ('\\', 0),
                    '"' | '\'' if e == quote => (e, 0),
                    'x' => (hex(2)?, 2),
                    'u' => (hex(4)?, 4),
                    'U' => (hex(8)?, 8),
                    _ => return None,
                };
                rest = &rest[used..];
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    if quote == '\'' && out.chars().count() != 1 {
        return None;
    }
    Some((out, text.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        match node {
            Node::Number(x) => x.to_string(),
            Node::Text(text) => format!("{text:?}"),
            Node::Bool(b) => b.to_string(),
            Node::Path { current, steps, .. } => {
                let mut out = if *current { "@" } else { "$" }.to_owned();
                for step in steps {
                    out += &match step {
                        Step::Select(key) => format!("[{}]", show(key)),
                        Step::Many(keys) => format!("[{}]", keys.iter().map(|k| show(k) + ",").collect::<String>()),
                        Step::All => "*".to_owned(),
                        Step::Descend => "..".to_owned(),
                        Step::Range(parts) => format!("[{}]", parts.iter().map(|k| show(k) + ":").collect::<String>()),
                        Step::Filter(condition) => format!("?{}", show(condition)),
                    };
                }
                out
            }
            Node::Variable(keys) => keys.iter().map(|k| show(k) + ".").collect(),
            Node::List(items) => format!("{{{}}}", items.iter().map(|k| show(k) + ",").collect::<String>()),
            Node::Not(inner) => format!("!{}", show(inner)),
            Node::Negative(inner) => format!("-{}", show(inner)),
            Node::Binary(op, a, b) => format!("({} {} {})", show(a), op.mark(), show(b)),
            Node::Matches { of, regex, not } => format!("({} {} {})", show(of), if *not { "!~" } else { "=~" }, regex.as_str()),
        }
    }

    #[test]
    fn paths() {
        for (text, want) in [
            ("$", "$"),
            ("$.a.b[0]", "$[\"a\"][\"b\"][0]"),
            ("$[\"my.key\"]", "$[\"my.key\"]"),
            ("$[0][\"arm.left\"]", "$[0][\"arm.left\"]"),
            ("$ . a [ 1 ]", "$[\"a\"][1]"),
            ("$.*.b[*]", "$*[\"b\"]*"),
            ("$..a", "$..[\"a\"]"),
            ("$..*", "$..*"),
            ("$..[0]", "$..[0,]"),
            ("$[0,\"a\"]", "$[0,\"a\",]"),
            ("$[1:3]", "$[1:3:1:]"),
            ("$[:2]", "$[0:2:1:]"),
            ("$[-1:]", "$[-1:2147483647:1:]"),
            ("$[::2]", "$[0:2147483647:2:]"),
            ("$[?(@.a > 1 && @.b == \"x\")].c", "$?((@[\"a\"] > 1) && (@[\"b\"] == \"x\"))[\"c\"]"),
            ("$.g[? @.age>30]", "$[\"g\"]?(@[\"age\"] > 30)"),
            ("$[?!(@.a) || @.b =~ \"^x\"]", "$?(!@[\"a\"] || (@[\"b\"] =~ ^x))"),
            ("1 + 2 * 3 ** 2 - -4", "((1 + (2 * (3 ** 2))) - -4)"),
            ("a.b[0]", "\"a\".\"b\".0."),
            ("@.a in [1, 2]", "(@[\"a\"] in {1,2,})"),
            ("$['x']", "$[\"x\"]"),
            ("$.a?? 1.5e1", "($[\"a\"] ?? 15)"),
            ("`a\\`", "\"a\\\\\""),
            ("\"\\u00e9\\x41\\n\"", "\"éA\\n\""),
        ] {
            assert_eq!(JsonPath::parse(text).map(|p| show(&p.root)), Ok(want.to_owned()), "{text}");
        }
        assert!(JsonPath::parse("$.a[0]").is_ok_and(|p| p.is_plain()));
        assert!(JsonPath::parse("$.a[*]").is_ok_and(|p| !p.is_plain()));
    }

    #[test]
    fn refusals() {
        let mut got = Vec::new();
        let mut wanted = Vec::new();
        for (text, at) in [
            ("", 0),
            ("$.", 2),
            ("$.a.", 4),
            ("$[", 2),
            ("$[]", 2),
            ("$['key']", 2),
            ("$[1,", 4),
            ("$..[1:2]", 8),
            ("$.a b", 4),
            ("$.a )", 4),
            ("$[?]", 3),
            ("$[? @.a =~ \"(\"]", 11),
            ("$[? @.a =~ @.b]", 11),
            ("#", 0),
            ("\"a", 0),
        ] {
            got.push((text, JsonPath::parse(text).map(|p| show(&p.root)).map_err(|e| e.at)));
            wanted.push((text, Err(at)));
        }
        assert_eq!(got, wanted);
        for deep in ["(".repeat(100_000), "-".repeat(100_000), "$[".repeat(100_000), "a[".repeat(100_000)] {
            assert!(JsonPath::parse(&deep).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in "\\PC{0,40}", path in "[$@.\\[\\]()*?:,0-9a-z\"'!=<>&| -]{0,30}") {
            let _ = JsonPath::parse(&text);
            let _ = JsonPath::parse(&path);
        }
    }
}
