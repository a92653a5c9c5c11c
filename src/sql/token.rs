//! Text to tokens, as eKuiper's scanner cuts them (<https://ekuiper.org/docs/en/latest/sqls/lexical_elements.html>).
//!
//! Never fails: what is no token becomes [`Kind::Bad`] and is an error where the parser meets it, so that text after the first
//! `;` is never looked at. Peculiar but kept: `<>` is two tokens, a lone `!` is `=`, white space may stand inside `! =`, `- >`,
//! `< =`, and `- -` begins a comment.

use super::error::Span;
use std::fmt;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// End of the text.
    End,
    /// A name, bare or in back-ticks.
    Ident(String),
    /// A reserved word.
    Word(Word),
    /// A string literal, decoded; `true` when its quotes are single ones.
    Text(String, bool),
    /// Digits only. Its sign, if any, is a token before it.
    Int(String),
    /// Digits and dots, perhaps with the minus of `-.5`.
    Number(String),
    /// An operator or punctuation mark.
    Mark(Mark),
    /// No token, with what is wrong.
    Bad(String),
}

macro_rules! words {
    ($($name:ident = $text:literal,)*) => {
        /// Reserved words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Word { $(#[doc = $text] $name,)* }

        impl Word {
            /// Its spelling, in capitals.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn of(ident: &str) -> Option<Self> {
                $(if ident.eq_ignore_ascii_case($text) { return Some(Self::$name); })*
                None
            }
        }
    };
}

words! {
    Select = "SELECT", As = "AS", From = "FROM", Where = "WHERE", And = "AND", Or = "OR", Group = "GROUP", Having = "HAVING",
    Order = "ORDER", By = "BY", Desc = "DESC", Asc = "ASC", Filter = "FILTER", Inner = "INNER", Left = "LEFT", Right = "RIGHT",
    Full = "FULL", Cross = "CROSS", Join = "JOIN", On = "ON", Case = "CASE", When = "WHEN", Then = "THEN", Default = "DEFAULT",
    Else = "ELSE", End = "END", In = "IN", Not = "NOT", Between = "BETWEEN", Like = "LIKE", Over = "OVER",
    Partition = "PARTITION", Replace = "REPLACE", Except = "EXCEPT", Invisible = "INVISIBLE", True = "TRUE", False = "FALSE",
    Limit = "LIMIT", Dd = "DD", Hh = "HH", Mi = "MI", Ss = "SS", Ms = "MS",
}

macro_rules! marks {
    ($($name:ident = $text:literal,)*) => {
        /// Operators and punctuation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mark { $(#[doc = concat!("`", $text, "`")] $name,)* }

        impl Mark {
            /// Its spelling.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

marks! {
    Add = "+", Sub = "-", Mul = "*", Div = "/", Mod = "%", BitAnd = "&", BitOr = "|", BitXor = "^",
    Eq = "=", Ne = "!=", Lt = "<", Le = "<=", Gt = ">", Ge = ">=", Arrow = "->",
    Comma = ",", Open = "(", Close = ")", OpenBracket = "[", CloseBracket = "]", Hash = "#", Dot = ".", Colon = ":", Semicolon = ";",
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

impl Token {
    /// How an error message names it, in double quotes.
    #[must_use]
    pub fn found(&self) -> String {
        format!("{:?}", self.to_string())
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::End => "EOF",
            Kind::Ident(s) | Kind::Text(s, _) | Kind::Int(s) | Kind::Number(s) | Kind::Bad(s) => s,
            Kind::Word(w) => w.text(),
            Kind::Mark(m) => m.text(),
        })
    }
}

/// Cuts `text` into tokens; the last one is [`Kind::End`].
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut cutter = Cutter { text, at: 0 };
    let mut out = Vec::new();
    loop {
        let token = cutter.next();
        let last = token.kind == Kind::End;
        out.push(token);
        if last {
            return out;
        }
    }
}

struct Cutter<'a> {
    text: &'a str,
    at: usize,
}

impl Cutter<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..).and_then(|rest| rest.chars().next())
    }

    fn eat(&mut self, wanted: char) -> bool {
        let hit = self.peek() == Some(wanted);
        if hit {
            self.at += wanted.len_utf8();
        }
        hit
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|c| keep(*c)) {
            self.at += c.len_utf8();
        }
    }

    fn space(&mut self) {
        self.skip_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
    }

    fn next(&mut self) -> Token {
        loop {
            self.space();
            let start = self.at;
            let Some(c) = self.peek() else { return self.token(start, Kind::End) };
            self.at += c.len_utf8();
            let kind = match c {
                'a'..='z' | 'A'..='Z' => self.ident(start),
                '0'..='9' => self.number(start, false),
                '"' | '\'' => self.string(c),
                '`' => self.quoted(start),
                '-' => match self.minus() {
                    Some(kind) => kind,
                    None => continue,
                },
                '/' => match self.slash() {
                    Some(kind) => kind,
                    None => continue,
                },
                '.' if self.peek().is_some_and(|c| c.is_ascii_digit()) => self.number(start, true),
                '!' => self.pair('=', Mark::Ne, Mark::Eq),
                '<' => self.pair('=', Mark::Le, Mark::Lt),
                '>' => self.pair('=', Mark::Ge, Mark::Gt),
                _ => single(c).map_or_else(|| Kind::Bad(c.to_string()), Kind::Mark),
            };
            return self.token(start, kind);
        }
    }

    fn token(&self, start: usize, kind: Kind) -> Token {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Token { kind, span: Span { start: offset(start), end: offset(self.at) } }
    }

    fn slice(&self, start: usize) -> &str {
        self.text.get(start..self.at).unwrap_or("")
    }

    fn ident(&mut self, start: usize) -> Kind {
        self.skip_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let name = self.slice(start);
        Word::of(name).map_or_else(|| Kind::Ident(name.to_owned()), Kind::Word)
    }

    fn quoted(&mut self, start: usize) -> Kind {
        self.skip_while(|c| c != '`');
        let name = self.slice(start + 1).to_owned();
        self.eat('`');
        Kind::Ident(name)
    }

    fn number(&mut self, start: usize, dotted: bool) -> Kind {
        self.skip_while(|c| c.is_ascii_digit() || c == '.');
        let text: String = self.slice(start).chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if dotted || text.contains('.') { Kind::Number(text) } else { Kind::Int(text) }
    }

    /// `None`: it was a comment.
    fn minus(&mut self) -> Option<Kind> {
        let start = self.at - 1;
        self.space();
        if self.eat('-') {
            self.skip_while(|c| c != '\n');
            return None;
        }
        if self.eat('>') {
            return Some(Kind::Mark(Mark::Arrow));
        }
        let before_dot = self.at;
        if self.eat('.') {
            self.space();
            if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                return Some(self.number(start, true));
            }
        }
        self.at = before_dot;
        Some(Kind::Mark(Mark::Sub))
    }

    /// `None`: it was a comment.
    fn slash(&mut self) -> Option<Kind> {
        let start = self.at;
        self.space();
        if !self.eat('*') {
            self.at = start;
            return Some(Kind::Mark(Mark::Div));
        }
        match self.text.get(self.at..).and_then(|rest| rest.find("*/")) {
            Some(length) => {
                self.at += length + 2;
                None
            }
            None => {
                self.at = self.text.len();
                Some(Kind::Bad("comment without end".to_owned()))
            }
        }
    }

    fn pair(&mut self, second: char, both: Mark, one: Mark) -> Kind {
        let start = self.at;
        self.space();
        if self.eat(second) {
            return Kind::Mark(both);
        }
        self.at = start;
        Kind::Mark(one)
    }

    /// A string literal: Go's escapes, no line break inside, ended by the quote that began it.
    fn string(&mut self, quote: char) -> Kind {
        let start = self.at - 1;
        let mut bytes = Vec::new();
        let mut bad = None;
        loop {
            let Some(c) = self.peek() else {
                return Kind::Bad(format!("string without closing {quote}: {}", self.slice(start)));
            };
            let at = self.at;
            self.at += c.len_utf8();
            match c {
                c if c == quote => break,
                '\n' => bad = bad.or(Some("line break")),
                '\\' => {
                    if !self.escape(quote, &mut bytes) {
                        bad = bad.or(Some("unknown escape"));
                    }
                }
                _ => bytes.extend_from_slice(self.text.get(at..self.at).unwrap_or("").as_bytes()),
            }
        }
        match bad {
            Some(what) => Kind::Bad(format!("invalid string: {} ({what})", self.slice(start))),
            None => Kind::Text(String::from_utf8_lossy(&bytes).into_owned(), quote == '\''),
        }
    }

    /// What follows a backslash: its bytes into `out`; `false` when Go knows no such escape.
    fn escape(&mut self, quote: char, out: &mut Vec<u8>) -> bool {
        let Some(c) = self.peek() else { return false };
        self.at += c.len_utf8();
        let plain = match c {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '"' => b'"',
            '\'' if quote == '\'' => b'\'',
            '0'..='7' => {
                self.at -= 1;
                let Some(code) = self.digits(3, 8) else { return false };
                let Ok(byte) = u8::try_from(code) else { return false };
                byte
            }
            'x' => {
                let Some(byte) = self.digits(2, 16).and_then(|code| u8::try_from(code).ok()) else { return false };
                byte
            }
            'u' | 'U' => {
                let Some(c) = self.digits(if c == 'u' { 4 } else { 8 }, 16).and_then(char::from_u32) else { return false };
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return true;
            }
            _ => return false,
        };
        out.push(plain);
        true
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let text = self.text.get(self.at..self.at + count)?;
        if !text.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        self.at += count;
        u32::from_str_radix(text, radix).ok()
    }
}

fn single(c: char) -> Option<Mark> {
    Some(match c {
        '=' => Mark::Eq,
        '+' => Mark::Add,
        '*' => Mark::Mul,
        '.' => Mark::Dot,
        '%' => Mark::Mod,
        '&' => Mark::BitAnd,
        '|' => Mark::BitOr,
        '^' => Mark::BitXor,
        ',' => Mark::Comma,
        '(' => Mark::Open,
        ')' => Mark::Close,
        '[' => Mark::OpenBracket,
        ']' => Mark::CloseBracket,
        ':' => Mark::Colon,
        '#' => Mark::Hash,
        ';' => Mark::Semicolon,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> String {
        let out: Vec<String> = tokens(text)
            .iter()
            .map(|t| match &t.kind {
                Kind::End => "$".to_owned(),
                Kind::Ident(s) => format!("i:{s}"),
                Kind::Word(w) => format!("w:{}", w.text()),
                Kind::Text(s, single) => format!("{}:{s}", if *single { "q" } else { "s" }),
                Kind::Int(s) => format!("n:{s}"),
                Kind::Number(s) => format!("f:{s}"),
                Kind::Mark(m) => m.text().to_owned(),
                Kind::Bad(_) => "bad".to_owned(),
            })
            .collect();
        out.join(" ")
    }

    #[test]
    fn each_rule() {
        for (rule, text, want) in [
            ("keyword_any_case", "SeLeCt selects", "w:SELECT i:selects $"),
            ("time_unit", "ss SS", "w:SS w:SS $"),
            ("ident_underscore_inside", "a_1 _a", "i:a_1 bad i:a $"),
            ("back_ticks", "`my-col` `select` ``", "i:my-col i:select i: $"),
            ("back_tick_open", "`abc", "i:abc $"),
            ("strings", "'a' \"b\"", "q:a s:b $"),
            ("escapes", r#"'\x41\u00e9\'\n\101' "\"\\""#, "q:Aé'\nA s:\"\\ $"),
            ("single_keeps_double", "'a\"b'", "q:a\"b $"),
            ("unknown_escape", r"'\q'", "bad $"),
            ("single_escape_in_double", r#""\'""#, "bad $"),
            ("surrogate", r#""\ud800""#, "bad $"),
            ("line_break", "'a\nb'", "bad $"),
            ("unterminated", "'abc", "bad $"),
            ("numbers", "123 1.5 .5 1. 1.2.3", "n:123 f:1.5 f:.5 f:1. f:1.2.3 $"),
            ("no_exponent", "1e5", "n:1 i:e5 $"),
            ("no_hex", "0x1F", "n:0 i:x1F $"),
            ("minus_dot", "a -.5 - .5", "i:a f:-.5 f:-.5 $"),
            ("minus", "a-1 a - 1 -", "i:a - n:1 i:a - n:1 - $"),
            ("minus_minus_comment", "a - -1\nb", "i:a i:b $"),
            ("comments", "a -- x\nb /* c * / ** */ d", "i:a i:b i:d $"),
            ("comment_open", "a /* b", "i:a bad $"),
            ("arrow", "a->b - > c", "i:a -> i:b -> i:c $"),
            ("ne", "a != b ! = c ! d <> e", "i:a != i:b != i:c = i:d < > i:e $"),
            ("compare", "<= < = >= > =", "<= <= >= >= $"),
            ("marks", "+*/%&|^,()[]:#;.", "+ * / % & | ^ , ( ) [ ] : # ; . $"),
            ("other", "a @ $ ?", "i:a bad bad bad $"),
            ("nul", "\0", "bad $"),
            ("utf8", "é 'é'", "bad q:é $"),
        ] {
            assert_eq!(cut(text), want, "{rule}");
        }
    }

    #[test]
    fn spans_cover_the_text() {
        let text = "a  'é' `x` -.5";
        let spans: Vec<&str> = tokens(text).iter().map(|t| &text[t.span.start as usize..t.span.end as usize]).collect();
        assert_eq!(spans, ["a", "'é'", "`x`", "-.5", ""]);
    }
}
