//! Text to statements, by recursive descent; expressions by precedence (Pratt).
//!
//! Follows eKuiper's grammar, with its oddities where scripts may lean on them: names of FROM are glued from pieces (topic style),
//! commas in ORDER BY and EXCEPT are optional, text after the first `;` is ignored. Any text gives a statement or an error with
//! its place; statements longer than [`SQL_BYTES`] and expressions deeper than [`EXPR_DEPTH`](crate::limits::EXPR_DEPTH) are
//! refused. <https://ekuiper.org/docs/en/latest/sqls/query_language_elements.html>

mod call;
mod expr;

use super::ast::{Expr, ExprKind, Field, Join, JoinKind, Order, Select, Source};
use super::check;
use super::ddl::{self, Create, Named};
use super::error::{Span, SqlError};
use super::token::{Kind, Mark, Token, Word, tokens};
use crate::limits::SQL_BYTES;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// SELECT.
    Select(Select),
    /// CREATE STREAM or CREATE TABLE.
    Create(Create),
    /// SHOW STREAMS (`false`) or SHOW TABLES (`true`).
    Show {
        /// Tables rather than streams.
        table: bool,
    },
    /// DESCRIBE.
    Describe(Named),
    /// EXPLAIN.
    Explain(Named),
    /// DROP.
    Drop(Named),
}

/// Parses one statement of any kind; what follows its `;` is ignored.
///
/// # Errors
/// [`SqlError`] with the place and what was expected there; `None` for text that begins with no statement word.
pub fn statement(text: &str) -> Result<Option<Statement>, SqlError> {
    let mut parser = Parser::new(text)?;
    let first = parser.peek().to_string().to_ascii_uppercase();
    match first.as_str() {
        "SELECT" => parser.select().map(|s| Some(Statement::Select(s))),
        "CREATE" | "SHOW" | "DESCRIBE" | "EXPLAIN" | "DROP" => ddl::statement(&mut parser, &first).map(Some),
        _ => Ok(None),
    }
}

/// Parses a rule's SQL.
///
/// # Errors
/// [`SqlError`] with the place and what was expected there.
pub fn select(text: &str) -> Result<Select, SqlError> {
    match statement(text)? {
        Some(Statement::Select(select)) => Ok(select),
        _ => Err(SqlError::new(format!("SQL {text} is not a select statement."))),
    }
}

/// Tokens and where we stand in them.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    /// Expressions around the present one.
    depth: usize,
    /// Fields named `kuiper_field_N` so far.
    unnamed: usize,
    in_select: bool,
    in_meta: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, SqlError> {
        if text.len() > SQL_BYTES {
            return Err(SqlError::new(format!("statement of {} bytes is longer than SQL_BYTES ({SQL_BYTES})", text.len())));
        }
        Ok(Self { text, tokens: tokens(text), at: 0, depth: 0, unnamed: 0, in_select: false, in_meta: false })
    }

    /// The token `ahead` places further on; the end stays the end.
    pub(super) fn look(&self, ahead: usize) -> &Token {
        static END: Token = Token { kind: Kind::End, span: Span { start: 0, end: 0 } };
        self.tokens.get(self.at + ahead).or_else(|| self.tokens.last()).unwrap_or(&END)
    }

    pub(super) fn peek(&self) -> &Token {
        self.look(0)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += usize::from(token.kind != Kind::End);
        token
    }

    pub(super) fn eat_mark(&mut self, mark: Mark) -> bool {
        let hit = self.peek().kind == Kind::Mark(mark);
        self.at += usize::from(hit);
        hit
    }

    pub(super) fn eat_word(&mut self, word: Word) -> bool {
        let hit = self.peek().kind == Kind::Word(word);
        self.at += usize::from(hit);
        hit
    }

    /// An error at the next token.
    pub(super) fn expected(&self, what: &str) -> SqlError {
        self.expected_at(self.peek(), what)
    }

    pub(super) fn expected_at(&self, token: &Token, what: &str) -> SqlError {
        let message = match &token.kind {
            Kind::Bad(text) if text.chars().count() > 1 => format!("{text}, expected {what}"),
            _ => format!("found {}, expected {what}", token.found()),
        };
        SqlError::at(self.text, token.span.start, message)
    }

    /// An error about what stands at `span`.
    pub(super) fn wrong(&self, span: Span, message: impl Into<String>) -> SqlError {
        SqlError::at(self.text, span.start, message)
    }

    pub(super) fn need_mark(&mut self, mark: Mark, what: &str) -> Result<(), SqlError> {
        if self.eat_mark(mark) { Ok(()) } else { Err(self.expected(what)) }
    }

    fn ident(&mut self, what: &str) -> Result<String, SqlError> {
        match &self.peek().kind {
            Kind::Ident(name) => {
                let name = name.clone();
                self.next();
                Ok(name)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn select(&mut self) -> Result<Select, SqlError> {
        if !self.eat_word(Word::Select) {
            return Err(self.expected("SELECT"));
        }
        self.in_select = true;
        let mut fields = vec![self.field()?];
        while self.eat_mark(Mark::Comma) {
            fields.push(self.field()?);
        }
        self.in_select = false;
        if !self.eat_word(Word::From) {
            return Err(self.expected("FROM"));
        }
        let from = self.source()?;
        let joins = self.joins()?;
        let filter = if self.eat_word(Word::Where) { Some(self.expr()?) } else { None };
        let group = self.group()?;
        let having = if self.eat_word(Word::Having) { Some(self.expr()?) } else { None };
        let order = self.order()?;
        let limit = self.limit()?;
        if !matches!(self.peek().kind, Kind::End | Kind::Mark(Mark::Semicolon)) {
            return Err(self.expected("EOF"));
        }
        let select = Select { text: self.text.to_owned(), fields, from, joins, filter, group, having, order, limit };
        check::statement(&select)?;
        Ok(select)
    }

    pub(super) fn field(&mut self) -> Result<Field, SqlError> {
        let expr = self.expr()?;
        let mut name = match &expr.kind {
            ExprKind::Column(column) => column.name.clone(),
            ExprKind::Unit(_, text) => text.clone(),
            ExprKind::Call(call) => call.name.clone(),
            ExprKind::Star(_) => "*".to_owned(),
            _ => String::new(),
        };
        let mut alias = None;
        if self.eat_word(Word::As) {
            let span = self.peek().span;
            let given = self.ident("as alias")?;
            if name == "*" {
                return Err(self.wrong(span, "alias is not supported for *"));
            }
            alias = Some(given).filter(|given| !given.is_empty());
        }
        if name.is_empty() && alias.is_none() {
            name = format!("kuiper_field_{}", self.unnamed);
            self.unnamed += 1;
        }
        let invisible = self.eat_word(Word::Invisible);
        Ok(Field { expr, name, alias, invisible })
    }

    /// A name in topic style: pieces, `/`, `+` and `#` are glued together.
    fn source(&mut self) -> Result<Source, SqlError> {
        let mut span = self.peek().span;
        let (mut name, mut alias) = (String::new(), None);
        loop {
            let token = self.peek().clone();
            match &token.kind {
                Kind::Ident(piece) => name.push_str(piece),
                Kind::Mark(mark @ (Mark::Div | Mark::Hash | Mark::Add)) => name.push_str(mark.text()),
                Kind::Word(Word::As) if !name.is_empty() => {
                    self.next();
                    alias = Some(self.ident("an alias")?);
                    continue;
                }
                _ if name.is_empty() => return Err(self.expected("stream name")),
                _ => return Ok(Source { name, alias, span }),
            }
            span = span.to(token.span);
            self.next();
        }
    }

    fn joins(&mut self) -> Result<Vec<Join>, SqlError> {
        let mut joins = Vec::new();
        loop {
            let kind = match self.peek().kind {
                Kind::Word(Word::Inner) => JoinKind::Inner,
                Kind::Word(Word::Left) => JoinKind::Left,
                Kind::Word(Word::Right) => JoinKind::Right,
                Kind::Word(Word::Full) => JoinKind::Full,
                Kind::Word(Word::Cross) => JoinKind::Cross,
                _ => return Ok(joins),
            };
            self.next();
            if !self.eat_word(Word::Join) {
                return Err(self.expected("JOIN key word"));
            }
            let source = self.source()?;
            let at = self.peek().span;
            let on = if self.eat_word(Word::On) {
                if kind == JoinKind::Cross {
                    return Err(self.wrong(at, "On expression is not required for cross join type."));
                }
                Some(self.expr()?)
            } else {
                None
            };
            joins.push(Join { kind, source, on });
        }
    }

    fn by(&mut self) -> Result<(), SqlError> {
        if self.eat_word(Word::By) { Ok(()) } else { Err(self.expected("BY statement")) }
    }

    fn group(&mut self) -> Result<Vec<Expr>, SqlError> {
        let mut group = Vec::new();
        if self.eat_word(Word::Group) {
            self.by()?;
            group.push(self.expr()?);
            while self.eat_mark(Mark::Comma) {
                group.push(self.expr()?);
            }
        }
        Ok(group)
    }

    /// ORDER BY. Each item begins with a name; commas count for nothing.
    fn order(&mut self) -> Result<Vec<Order>, SqlError> {
        let mut order = Vec::new();
        if !self.eat_word(Word::Order) {
            return Ok(order);
        }
        self.by()?;
        loop {
            if self.eat_mark(Mark::Comma) {
                continue;
            }
            let Kind::Ident(first) = &self.peek().kind else { return Ok(order) };
            let name = match (&self.look(1).kind, &self.look(2).kind) {
                (Kind::Mark(Mark::Dot), Kind::Ident(second)) => second.clone(),
                _ => first.clone(),
            };
            let expr = self.expr()?;
            let descending = self.eat_word(Word::Desc);
            if !descending {
                self.eat_word(Word::Asc);
            }
            order.push(Order { expr, name, descending });
        }
    }

    fn limit(&mut self) -> Result<Option<i64>, SqlError> {
        if !self.eat_word(Word::Limit) {
            return Ok(None);
        }
        let expr = self.expr()?;
        match expr.kind {
            ExprKind::Int(count) => Ok(Some(count)),
            _ => Err(self.wrong(expr.span, "limit should be integer")),
        }
    }
}

#[cfg(test)]
mod tests;
