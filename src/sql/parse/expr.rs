//! Expressions.

use super::Parser;
use crate::limits::EXPR_DEPTH;
use crate::sql::ast::{BinaryOp, Column, Expr, ExprKind, HEIGHT_MAX, Key, Set, Star, TimeUnit};
use crate::sql::error::{Span, SqlError};
use crate::sql::like;
use crate::sql::token::{Kind, Mark, Token, Word};

/// Loosest precedence: OR.
const LOOSEST: u8 = 1;
/// Comparisons, IN, BETWEEN, LIKE.
const COMPARE: u8 = 3;
/// `->`, `.`, `[`, and `*` `/` `%` `&` with them.
const TIGHTEST: u8 = 5;

impl Parser<'_> {
    pub(in crate::sql) fn expr(&mut self) -> Result<Expr, SqlError> {
        // The outermost expression is no nesting yet.
        if self.depth > EXPR_DEPTH {
            return Err(self.wrong(self.peek().span, format!("expression nests deeper than EXPR_DEPTH ({EXPR_DEPTH})")));
        }
        self.depth += 1;
        let expr = self.binary(LOOSEST);
        self.depth -= 1;
        expr
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Result<Expr, SqlError> {
        let mut left = self.operand()?;
        while let Some(precedence) = self.operator().filter(|p| *p >= least) {
            left = self.operation(left, precedence)?;
        }
        Ok(left)
    }

    /// How tightly the next token binds, if it is an operator.
    fn operator(&self) -> Option<u8> {
        match self.peek().kind {
            Kind::Mark(Mark::Arrow | Mark::Dot | Mark::OpenBracket) => Some(TIGHTEST),
            Kind::Word(Word::In | Word::Not | Word::Between | Word::Like) => Some(COMPARE),
            _ => binary_op(self.peek()).map(BinaryOp::precedence),
        }
    }

    fn operation(&mut self, left: Expr, precedence: u8) -> Result<Expr, SqlError> {
        let token = self.next();
        if let Some(op) = binary_op(&token) {
            let right = self.binary(precedence + 1)?;
            let span = left.span.to(right.span);
            return self.node(ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span);
        }
        let of = Box::new(left);
        let not = token.kind == Kind::Word(Word::Not);
        let token = if not { self.next() } else { token };
        match token.kind {
            Kind::Mark(Mark::Arrow | Mark::Dot) => {
                let (key, span) = self.key()?;
                let span = of.span.to(span);
                self.node(ExprKind::Arrow { of, key }, span)
            }
            Kind::Mark(Mark::OpenBracket) => self.bracket(of),
            Kind::Word(Word::In) => self.within(of, not),
            Kind::Word(Word::Between) => {
                let low = Box::new(self.operand()?);
                if !self.eat_word(Word::And) {
                    let message = format!("expect AND expression after between but found {}", self.peek());
                    return Err(self.wrong(self.peek().span, message));
                }
                let high = Box::new(self.operand()?);
                let span = of.span.to(high.span);
                self.node(ExprKind::Between { of, not, low, high }, span)
            }
            Kind::Word(Word::Like) => {
                let pattern = Box::new(self.binary(COMPARE + 1)?);
                if let ExprKind::Text(text) = &pattern.kind {
                    like::check(text).map_err(|why| self.wrong(pattern.span, format!("invalid LIKE pattern: {why}")))?;
                }
                let span = of.span.to(pattern.span);
                self.node(ExprKind::Like { of, not, pattern }, span)
            }
            _ => Err(self.expected_at(&token, "expression")),
        }
    }

    /// What stands after `->` or `.`.
    fn key(&mut self) -> Result<(Key, Span), SqlError> {
        let token = self.peek().clone();
        let name = match &token.kind {
            Kind::Ident(name) if self.look(1).kind != Kind::Mark(Mark::Open) => Some(name.clone()),
            Kind::Word(word) if unit_of(*word).is_some() => Some(self.source_text(token.span)),
            Kind::Text(text, _) if self.in_meta => Some(text.clone()),
            _ => None,
        };
        match name {
            Some(name) => {
                self.next();
                Ok((Key::Name(name), token.span))
            }
            None => {
                let other = self.operand()?;
                let span = other.span;
                Ok((Key::Other(Box::new(other)), span))
            }
        }
    }

    /// What stands after IN.
    fn within(&mut self, of: Box<Expr>, not: bool) -> Result<Expr, SqlError> {
        let start = of.span;
        if !self.eat_mark(Mark::Open) {
            let array = self
                .binary(COMPARE + 1)
                .map_err(|e| SqlError { message: format!("expect expression after IN, but got error {}", e.message), ..e })?;
            let span = start.to(array.span);
            return self.node(ExprKind::In { of, not, set: Set::Array(Box::new(array)) }, span);
        }
        let mut items = Vec::new();
        loop {
            let item =
                self.expr().map_err(|e| SqlError { message: format!("expect elements for IN expression, but {}", e.message), ..e })?;
            items.push(item);
            if !self.eat_mark(Mark::Comma) {
                break;
            }
        }
        let end = self.peek().span;
        if !self.eat_mark(Mark::Close) {
            let message = format!("expect ) for IN expression, but got {}", self.peek().found());
            return Err(self.wrong(end, message));
        }
        self.node(ExprKind::In { of, not, set: Set::List(items) }, start.to(end))
    }

    /// What stands after `[`.
    fn bracket(&mut self, of: Box<Expr>) -> Result<Expr, SqlError> {
        let start = of.span;
        let empty = matches!(self.peek().kind, Kind::Mark(Mark::Colon | Mark::CloseBracket));
        let first = if empty { None } else { Some(Box::new(self.expr()?)) };
        let colon = self.eat_mark(Mark::Colon);
        let last = if !colon || self.peek().kind == Kind::Mark(Mark::CloseBracket) { None } else { Some(Box::new(self.expr()?)) };
        let end = self.peek().span;
        self.need_mark(Mark::CloseBracket, "right bracket")?;
        let span = start.to(end);
        let kind = match first {
            Some(index) if !colon => ExprKind::Index { of, index },
            first => {
                let int = |e: &Option<Box<Expr>>| match e.as_ref()?.kind {
                    ExprKind::Int(value) if value >= 0 => Some(value),
                    _ => None,
                };
                if int(&first).zip(int(&last)).is_some_and(|(start, end)| start >= end) {
                    return Err(self.wrong(span, "colon start value can't be greater than end value"));
                }
                ExprKind::Slice { of, start: first, end: last }
            }
        };
        self.node(kind, span)
    }

    /// An operand: what stands between operators.
    fn operand(&mut self) -> Result<Expr, SqlError> {
        let token = self.next();
        let span = token.span;
        let kind = match &token.kind {
            Kind::Mark(Mark::Open) => {
                let inner = self.expr()?;
                let end = self.peek().span;
                self.need_mark(Mark::Close, "right paren")?;
                return self.node(ExprKind::Paren(Box::new(inner)), span.to(end));
            }
            Kind::Mark(Mark::Sub) => match &self.peek().kind {
                Kind::Int(digits) | Kind::Number(digits) if !digits.starts_with('-') => {
                    let number = self.next();
                    return self.number(&number, true, span.to(number.span));
                }
                _ => return Err(self.expected_at(&token, "expression")),
            },
            Kind::Int(_) | Kind::Number(_) => return self.number(&token, false, span),
            Kind::Mark(Mark::Mul) => return self.star(span),
            Kind::Word(Word::Case) => return self.case(span),
            Kind::Word(Word::True) => ExprKind::Bool(true),
            Kind::Word(Word::False) => ExprKind::Bool(false),
            Kind::Word(word) => match unit_of(*word) {
                Some(unit) => ExprKind::Unit(unit, self.source_text(span)),
                None => return Err(self.expected_at(&token, "expression")),
            },
            Kind::Text(text, _) => ExprKind::Text(text.clone()),
            Kind::Ident(name) => {
                if self.eat_mark(Mark::Open) {
                    return self.call(name, span);
                }
                return self.column(name.clone(), span);
            }
            _ => return Err(self.expected_at(&token, "expression")),
        };
        self.node(kind, span)
    }

    /// `name`, `stream.name` or `stream.*`.
    fn column(&mut self, first: String, mut span: Span) -> Result<Expr, SqlError> {
        let mut column = Column { stream: None, name: first };
        if self.peek().kind == Kind::Mark(Mark::Dot) {
            let second = self.look(1).clone();
            let name = match second.kind {
                Kind::Ident(name) => name,
                Kind::Mark(Mark::Mul) => "*".to_owned(),
                Kind::Word(word) if unit_of(word).is_some() => self.source_text(second.span),
                _ => return Err(self.expected_at(&second, "a name after the dot")),
            };
            self.next();
            self.next();
            span = span.to(second.span);
            column = Column { stream: Some(column.name), name };
        }
        self.node(if self.in_meta { ExprKind::Meta(column) } else { ExprKind::Column(column) }, span)
    }

    fn number(&mut self, token: &Token, negative: bool, span: Span) -> Result<Expr, SqlError> {
        let sign = if negative { "-" } else { "" };
        let kind = match &token.kind {
            // Out of range: the nearest that fits, as Go's Atoi gives beside the error that eKuiper drops.
            Kind::Int(digits) => ExprKind::Int(format!("{sign}{digits}").parse().unwrap_or(if negative { i64::MIN } else { i64::MAX })),
            Kind::Number(digits) => match format!("{sign}{digits}").parse::<f64>() {
                Ok(value) if value.is_finite() => ExprKind::Float(value),
                _ => return Err(self.wrong(span, format!("found {}, invalid number value.", token.found()))),
            },
            _ => return Err(self.expected_at(token, "a number")),
        };
        self.node(kind, span)
    }

    /// `*` with EXCEPT and REPLACE.
    fn star(&mut self, span: Span) -> Result<Expr, SqlError> {
        if self.in_meta {
            if let Kind::Word(word @ (Word::Except | Word::Replace)) = self.peek().kind {
                return Err(self.wrong(self.peek().span, format!("{:?} is not supported in meta function", word.text())));
            }
            return self.node(ExprKind::Meta(Column { stream: None, name: "*".to_owned() }), span);
        }
        let mut star = Star::default();
        let mut end = span;
        loop {
            if self.eat_word(Word::Except) {
                self.need_mark(Mark::Open, "left parentheses after EXCEPT")?;
                star.except.clear();
                loop {
                    let token = self.next();
                    end = token.span;
                    match token.kind {
                        Kind::Ident(name) => star.except.push(name),
                        Kind::Mark(Mark::Comma) => {}
                        Kind::Mark(Mark::Close) => break,
                        _ => return Err(self.expected_at(&token, "column or right parentheses in EXCEPT")),
                    }
                }
            } else if self.eat_word(Word::Replace) {
                self.need_mark(Mark::Open, "left parentheses after REPLACE")?;
                star.replace.clear();
                loop {
                    star.replace.push(self.field()?);
                    end = self.peek().span;
                    if self.eat_mark(Mark::Close) {
                        break;
                    }
                    self.need_mark(Mark::Comma, "comma or right parentheses in REPLACE")?;
                }
            } else {
                return self.node(ExprKind::Star(star), span.to(end));
            }
        }
    }

    fn case(&mut self, start: Span) -> Result<Expr, SqlError> {
        let of = if self.peek().kind == Kind::Word(Word::When) { None } else { Some(Box::new(self.expr()?)) };
        let (mut whens, mut otherwise) = (Vec::new(), None);
        loop {
            let token = self.next();
            match token.kind {
                Kind::Word(Word::When) => {
                    let when = self.expr()?;
                    if of.is_none() && !when.is_condition() {
                        return Err(self.wrong(when.span, "invalid CASE expression, WHEN expression must be a bool condition"));
                    }
                    if !self.eat_word(Word::Then) {
                        return Err(self.wrong(self.peek().span, "invalid CASE expression, THEN expected after WHEN"));
                    }
                    whens.push((when, self.expr()?));
                }
                Kind::Word(Word::Else) => {
                    if whens.is_empty() {
                        return Err(self.wrong(token.span, "invalid CASE expression, WHEN expected before ELSE"));
                    }
                    otherwise = Some(Box::new(self.expr()?));
                }
                Kind::Word(Word::End) => {
                    if whens.is_empty() {
                        return Err(self.wrong(token.span, "invalid CASE expression, WHEN expected before END"));
                    }
                    return self.node(ExprKind::Case { of, whens, otherwise }, start.to(token.span));
                }
                _ => return Err(self.wrong(token.span, "invalid CASE expression, END expected")),
            }
        }
    }

    /// A finished node, unless the tree below it grew too high.
    pub(super) fn node(&self, kind: ExprKind, span: Span) -> Result<Expr, SqlError> {
        let expr = Expr::new(kind, span);
        if usize::from(expr.height) > HEIGHT_MAX {
            let message = format!("expression chains more operators than 4 x EXPR_DEPTH ({HEIGHT_MAX})");
            return Err(self.wrong(span, message));
        }
        Ok(expr)
    }

    fn source_text(&self, span: Span) -> String {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("").to_owned()
    }
}

/// The unit that a word names.
const fn unit_of(word: Word) -> Option<TimeUnit> {
    Some(match word {
        Word::Dd => TimeUnit::Day,
        Word::Hh => TimeUnit::Hour,
        Word::Mi => TimeUnit::Minute,
        Word::Ss => TimeUnit::Second,
        Word::Ms => TimeUnit::Millisecond,
        _ => return None,
    })
}

const fn binary_op(token: &Token) -> Option<BinaryOp> {
    Some(match token.kind {
        Kind::Mark(Mark::Mul) => BinaryOp::Mul,
        Kind::Mark(Mark::Div) => BinaryOp::Div,
        Kind::Mark(Mark::Mod) => BinaryOp::Mod,
        Kind::Mark(Mark::BitAnd) => BinaryOp::BitAnd,
        Kind::Mark(Mark::Add) => BinaryOp::Add,
        Kind::Mark(Mark::Sub) => BinaryOp::Sub,
        Kind::Mark(Mark::BitOr) => BinaryOp::BitOr,
        Kind::Mark(Mark::BitXor) => BinaryOp::BitXor,
        Kind::Mark(Mark::Eq) => BinaryOp::Eq,
        Kind::Mark(Mark::Ne) => BinaryOp::Ne,
        Kind::Mark(Mark::Lt) => BinaryOp::Lt,
        Kind::Mark(Mark::Le) => BinaryOp::Le,
        Kind::Mark(Mark::Gt) => BinaryOp::Gt,
        Kind::Mark(Mark::Ge) => BinaryOp::Ge,
        Kind::Word(Word::And) => BinaryOp::And,
        Kind::Word(Word::Or) => BinaryOp::Or,
        _ => return None,
    })
}
