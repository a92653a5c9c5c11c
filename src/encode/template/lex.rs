//! Template text to tokens, as Go's `text/template/parse` has them: text, then words, literals and marks inside `{{ }}`.
//!
//! White space beside `{{-` and `-}}` is gone here, and so are comments.

use super::TemplateError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Left,
    Right,
    Space,
    Assign,
    Declare,
    Pipe,
    Comma,
    LeftParen,
    RightParen,
    Str,
    Raw,
    Char,
    Number,
    Ident,
    Field,
    Var,
    Bool,
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
    Other,
    Eof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// All tokens of a text; the last one is [`Kind::Eof`].
pub(super) fn lex(text: &str) -> Result<Vec<Token>, TemplateError> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

const SPACES: &[char] = &[' ', '\t', '\r', '\n'];

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), TemplateError> {
        loop {
            let from = self.at;
            let Some(open) = self.rest().find("{{") else {
                self.push_text(from, self.text.len());
                self.at = self.text.len();
                self.push(Kind::Eof, self.at);
                return Ok(());
            };
            let left = from + open;
            self.at = left + 2;
            let trim = self.left_trim();
            let text_to = if trim { from + self.text[from..left].trim_end_matches(SPACES).len() } else { left };
            self.push_text(from, text_to);
            let marker = if trim { 2 } else { 0 };
            if self.text[self.at + marker..].starts_with("/*") {
                self.at += marker;
                self.comment()?;
                continue;
            }
            self.tokens.push(Token { kind: Kind::Left, from: left, to: left + 2 });
            self.at += marker;
            self.action()?;
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, kind: Kind, from: usize) {
        self.tokens.push(Token { kind, from, to: self.at });
    }

    fn push_text(&mut self, from: usize, to: usize) {
        if to > from {
            self.tokens.push(Token { kind: Kind::Text, from, to });
        }
    }

    fn fail<T>(&self, at: usize, text: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::at(self.text, at, text))
    }

    /// `- ` behind `{{`.
    fn left_trim(&self) -> bool {
        let mut chars = self.rest().chars();
        chars.next() == Some('-') && chars.next().is_some_and(|c| SPACES.contains(&c))
    }

    /// Whether `}}` or ` -}}` stands here; the second says that it trims.
    fn right(&self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some(false);
        }
        let mut chars = rest.chars();
        let trims = chars.next().is_some_and(|c| SPACES.contains(&c)) && chars.as_str().starts_with("-}}");
        trims.then_some(true)
    }

    fn close(&mut self, trims: bool) {
        self.at += if trims { 4 } else { 2 };
        if trims {
            self.at += self.rest().len() - self.rest().trim_start_matches(SPACES).len();
        }
    }

    fn comment(&mut self) -> Result<(), TemplateError> {
        let from = self.at;
        let Some(end) = self.text[from + 2..].find("*/") else { return self.fail(from, "unclosed comment") };
        self.at = from + 2 + end + 2;
        let Some(trims) = self.right() else { return self.fail(from, "comment ends before closing delimiter") };
        self.close(trims);
        Ok(())
    }

    fn action(&mut self) -> Result<(), TemplateError> {
        let mut depth = 0_usize;
        loop {
            let from = self.at;
            if let Some(trims) = self.right() {
                if depth > 0 {
                    return self.fail(from, "unclosed left paren");
                }
                self.tokens.push(Token { kind: Kind::Right, from, to: from + if trims { 4 } else { 2 } });
                self.close(trims);
                return Ok(());
            }
            let Some(c) = self.peek() else { return self.fail(from, "unclosed action") };
            self.at += c.len_utf8();
            let kind = match c {
                _ if SPACES.contains(&c) => {
                    // A space right before `-}}` belongs to the closing mark.
                    while self.right().is_none() && self.peek().is_some_and(|c| SPACES.contains(&c)) {
                        self.at += 1;
                    }
                    Kind::Space
                }
                '=' => Kind::Assign,
                ':' => {
                    if self.peek() != Some('=') {
                        return self.fail(from, "expected :=");
                    }
                    self.at += 1;
                    Kind::Declare
                }
                '|' => Kind::Pipe,
                ',' => Kind::Comma,
                '"' => self.quoted(from, '"', "unterminated quoted string")?,
                '\'' => self.quoted(from, '\'', "unterminated character constant")?,
                '`' => {
                    let Some(end) = self.rest().find('`') else { return self.fail(from, "unterminated raw quoted string") };
                    self.at += end + 1;
                    Kind::Raw
                }
                '$' => self.word(from, Kind::Var)?,
                '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                    let kind = self.word(from, Kind::Field)?;
                    if self.at == from + 1 { Kind::Dot } else { kind }
                }
                '.' | '+' | '-' | '0'..='9' => {
                    self.at = from;
                    self.number(from)?
                }
                '(' => {
                    depth += 1;
                    Kind::LeftParen
                }
                ')' => {
                    if depth == 0 {
                        return self.fail(from, "unexpected right paren");
                    }
                    depth -= 1;
                    Kind::RightParen
                }
                _ if is_word(c) => {
                    let kind = self.word(from, Kind::Ident)?;
                    if kind == Kind::Ident { keyword(&self.text[from..self.at]) } else { kind }
                }
                _ if c.is_ascii_graphic() => Kind::Other,
                _ => return self.fail(from, format!("unrecognized character in action: {c:?}")),
            };
            self.push(kind, from);
        }
    }

    fn quoted(&mut self, from: usize, quote: char, unclosed: &str) -> Result<Kind, TemplateError> {
        loop {
            match self.peek() {
                None | Some('\n') => return self.fail(from, unclosed),
                Some('\\') => {
                    self.at += 1;
                    match self.peek() {
                        None | Some('\n') => return self.fail(from, unclosed),
                        Some(c) => self.at += c.len_utf8(),
                    }
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    if c == quote {
                        return Ok(if quote == '"' { Kind::Str } else { Kind::Char });
                    }
                }
            }
        }
    }

    /// Letters, digits and `_`; behind them must stand something that ends a word.
    fn word(&mut self, _from: usize, kind: Kind) -> Result<Kind, TemplateError> {
        while let Some(c) = self.peek().filter(|c| is_word(*c)) {
            self.at += c.len_utf8();
        }
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => Ok(kind),
            Some(c) if SPACES.contains(&c) || self.rest().starts_with("}}") => Ok(kind),
            Some(c) => self.fail(self.at, format!("bad character {c:?}")),
        }
    }

    fn number(&mut self, from: usize) -> Result<Kind, TemplateError> {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        while self.accept(digits) {}
        if self.accept(".") {
            while self.accept(digits) {}
        }
        if (digits.len() == 11 && self.accept("eE")) || (digits.len() == 23 && self.accept("pP")) {
            self.accept("+-");
            while self.accept("0123456789_") {}
        }
        if self.peek() == Some('i') || matches!(self.peek(), Some('+' | '-')) {
            return self.fail(from, "complex numbers are not supported");
        }
        if self.peek().is_some_and(is_word) {
            let end = self.at + self.peek().map_or(0, char::len_utf8);
            return self.fail(from, format!("bad number syntax: {:?}", &self.text[from..end]));
        }
        Ok(Kind::Number)
    }

    fn accept(&mut self, set: &str) -> bool {
        let hit = self.peek().is_some_and(|c| set.contains(c));
        if hit {
            self.at += 1;
        }
        hit
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn keyword(word: &str) -> Kind {
    match word {
        "block" => Kind::Block,
        "break" => Kind::Break,
        "continue" => Kind::Continue,
        "define" => Kind::Define,
        "else" => Kind::Else,
        "end" => Kind::End,
        "if" => Kind::If,
        "nil" => Kind::Nil,
        "range" => Kind::Range,
        "template" => Kind::Template,
        "with" => Kind::With,
        "true" | "false" => Kind::Bool,
        _ => Kind::Ident,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        match lex(text) {
            Ok(tokens) => tokens.iter().map(|t| format!("{:?}<{}>", t.kind, &text[t.from..t.to])).collect::<Vec<_>>().join(" "),
            Err(e) => format!("{}:{} {}", e.line, e.column, e.text),
        }
    }

    #[test]
    fn tokens() {
        for (text, want) in [
            ("a{{.b}}", "Text<a> Left<{{> Field<.b> Right<}}> Eof<>"),
            ("a \n{{- .x -}}\n b", "Text<a> Left<{{> Field<.x> Right< -}}> Text<b> Eof<>"),
            ("{{-3}}", "Left<{{> Number<-3> Right<}}> Eof<>"),
            ("x{{- /* c */ -}} y", "Text<x> Text<y> Eof<>"),
            (
                "{{$x := (f 1.5e3) | g}}",
                "Left<{{> Var<$x> Space< > Declare<:=> Space< > LeftParen<(> Ident<f> Space< > Number<1.5e3> RightParen<)> Space< > Pipe<|> Space< > Ident<g> Right<}}> Eof<>",
            ),
            (
                "{{.}}{{$}}{{$.a.b}}",
                "Left<{{> Dot<.> Right<}}> Left<{{> Var<$> Right<}}> Left<{{> Var<$> Field<.a> Field<.b> Right<}}> Eof<>",
            ),
            ("{{`a}}`}}", "Left<{{> Raw<`a}}`> Right<}}> Eof<>"),
            ("{{if", "1:5 unclosed action"),
            ("{{.a", "1:5 unclosed action"),
            ("x\n{{\"a}}", "2:3 unterminated quoted string"),
            ("{{(}}", "1:4 unclosed left paren"),
            ("{{)}}", "1:3 unexpected right paren"),
            ("{{1a}}", "1:3 bad number syntax: \"1a\""),
            ("{{a%}}", "1:4 bad character '%'"),
            ("{{/* x", "1:3 unclosed comment"),
            ("{{1i}}", "1:3 complex numbers are not supported"),
        ] {
            assert_eq!(words(text), want, "{text}");
        }
    }
}
