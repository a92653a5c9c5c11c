//! Tokens to trees: Go's template grammar, with the limits that keep a tree bounded.
//!
//! Nesting is at most [`EXPR_DEPTH`], one command has at most [`ARG_COUNT`] arguments, one tree at most [`FRAME`] variables.

use super::TemplateError;
use super::ast::{Arg, ArgKind, Command, Node, Number, Pipe, Span, Tree};
use super::func;
use super::lex::{Kind, Token, lex};
use super::literal;
use crate::limits::{ARG_COUNT, EXPR_DEPTH};

/// Variables of one tree, `$` among them.
pub(super) const FRAME: usize = 32;

/// The trees of a text; the first one is the main text.
pub(super) fn parse(text: &str) -> Result<Vec<Tree>, TemplateError> {
    let tokens = lex(text)?;
    let main = Tree { name: "sink".into(), nodes: Vec::new(), frame: 1 };
    let mut parser = Parser { text, tokens, at: 0, trees: vec![main], vars: vec!["$"], frame: 1, ranges: 0, depth: 0 };
    let nodes = parser.main()?;
    parser.trees[0].nodes = nodes;
    parser.trees[0].frame = parser.frame;
    Ok(parser.trees)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    trees: Vec<Tree>,
    /// Names in scope; a variable's place is its index.
    vars: Vec<&'t str>,
    frame: usize,
    ranges: usize,
    depth: usize,
}

/// What ended a list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    End,
    Else,
    ElseIf,
    ElseWith,
}

impl<'t> Parser<'t> {
    fn main(&mut self) -> Result<Vec<Node>, TemplateError> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::Eof => return Ok(nodes),
                Kind::Text => nodes.push(Node::Text(self.str(token).to_owned())),
                Kind::Left if self.peek_word().kind == Kind::Define => self.define()?,
                Kind::Left => match self.action()? {
                    Ok(node) => nodes.push(node),
                    Err(stop) => return self.fail(token.from, format!("unexpected {}", name_of(stop))),
                },
                _ => return self.unexpected(token, "input"),
            }
        }
    }

    /// Nodes up to an `{{end}}` or `{{else}}`.
    fn list(&mut self) -> Result<(Vec<Node>, Stop), TemplateError> {
        self.depth += 1;
        if self.depth > EXPR_DEPTH {
            return self.fail(self.peek().from, "the template is nested too deep: the limit is EXPR_DEPTH");
        }
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::Text => nodes.push(Node::Text(self.str(token).to_owned())),
                Kind::Left => match self.action()? {
                    Ok(node) => nodes.push(node),
                    Err(stop) => {
                        self.depth -= 1;
                        return Ok((nodes, stop));
                    }
                },
                Kind::Eof => return self.fail(token.from, "unexpected EOF"),
                _ => return self.unexpected(token, "input"),
            }
        }
    }

    /// Behind `{{`.
    fn action(&mut self) -> Result<Result<Node, Stop>, TemplateError> {
        let token = self.peek_word();
        let node = match token.kind {
            Kind::Block => {
                self.skip_to(token);
                self.block()?
            }
            Kind::Break | Kind::Continue => {
                self.skip_to(token);
                let word = if token.kind == Kind::Break { "{{break}}" } else { "{{continue}}" };
                self.expect(Kind::Right, word)?;
                if self.ranges == 0 {
                    return self.fail(token.from, format!("{word} outside {{{{range}}}}"));
                }
                if token.kind == Kind::Break { Node::Break } else { Node::Continue }
            }
            Kind::Else => {
                self.skip_to(token);
                let follow = self.peek_word();
                return Ok(Err(match follow.kind {
                    Kind::If => Stop::ElseIf,
                    Kind::With => Stop::ElseWith,
                    _ => {
                        self.expect(Kind::Right, "else")?;
                        Stop::Else
                    }
                }));
            }
            Kind::End => {
                self.skip_to(token);
                self.expect(Kind::Right, "end")?;
                return Ok(Err(Stop::End));
            }
            Kind::If | Kind::With | Kind::Range => {
                self.skip_to(token);
                self.control(token.kind)?
            }
            Kind::Template => {
                self.skip_to(token);
                self.template()?
            }
            Kind::Define => return self.unexpected(token, "command"),
            _ => Node::Action(self.pipeline("command", Kind::Right)?),
        };
        Ok(Ok(node))
    }

    fn control(&mut self, kind: Kind) -> Result<Node, TemplateError> {
        let mark = self.vars.len();
        let context = match kind {
            Kind::If => "if",
            Kind::With => "with",
            _ => "range",
        };
        let pipe = self.pipeline(context, Kind::Right)?;
        if kind == Kind::Range {
            self.ranges += 1;
        }
        let scope = self.vars.len();
        let (then, mut stop) = self.list()?;
        self.vars.truncate(scope);
        if kind == Kind::Range {
            self.ranges -= 1;
        }
        let mut otherwise = Vec::new();
        match (kind, stop) {
            (_, Stop::End) => {}
            (Kind::If, Stop::ElseIf) | (Kind::With, Stop::ElseWith) => {
                // `{{else if}}` is an `{{if}}` inside the else, ended by the same `{{end}}`.
                let token = self.peek_word();
                self.skip_to(token);
                self.depth += 1;
                if self.depth > EXPR_DEPTH {
                    return self.fail(token.from, "the template is nested too deep: the limit is EXPR_DEPTH");
                }
                otherwise.push(self.control(kind)?);
                self.depth -= 1;
            }
            (_, Stop::ElseIf | Stop::ElseWith) => {
                let token = self.peek_word();
                return self.unexpected(token, "else");
            }
            (_, Stop::Else) => {
                (otherwise, stop) = self.list()?;
                if stop != Stop::End {
                    return self.fail(self.peek().from, format!("expected end; found {}", name_of(stop)));
                }
            }
        }
        self.vars.truncate(mark);
        Ok(match kind {
            Kind::Range => Node::Range { pipe, body: then, otherwise },
            _ => Node::Branch { pipe, with: kind == Kind::With, then, otherwise },
        })
    }

    fn define(&mut self) -> Result<(), TemplateError> {
        let token = self.peek_word();
        self.skip_to(token);
        let name = self.name("define clause")?;
        self.expect(Kind::Right, "define clause")?;
        self.tree(name, token.from, "define clause")
    }

    fn block(&mut self) -> Result<Node, TemplateError> {
        let token = self.peek_word();
        let name = self.name("block clause")?;
        let pipe = self.pipeline("block clause", Kind::Right)?;
        self.tree(name.clone(), token.from, "block clause")?;
        Ok(Node::Template { name, pipe: Some(pipe), span: self.span(token.from) })
    }

    fn template(&mut self) -> Result<Node, TemplateError> {
        let token = self.peek_word();
        let name = self.name("template clause")?;
        let next = self.peek_word();
        let pipe = if next.kind == Kind::Right {
            self.skip_to(next);
            None
        } else {
            Some(self.pipeline("template clause", Kind::Right)?)
        };
        Ok(Node::Template { name, pipe, span: self.span(token.from) })
    }

    /// The body of a define or block, up to its end, as a tree with variables of its own.
    fn tree(&mut self, name: String, at: usize, context: &str) -> Result<(), TemplateError> {
        let (vars, frame, ranges) = (core::mem::replace(&mut self.vars, vec!["$"]), self.frame, self.ranges);
        (self.frame, self.ranges) = (1, 0);
        let (nodes, stop) = self.list()?;
        if stop != Stop::End {
            return self.fail(self.peek().from, format!("unexpected {} in {context}", name_of(stop)));
        }
        let tree = Tree { name, nodes, frame: self.frame };
        (self.vars, self.frame, self.ranges) = (vars, frame, ranges);
        match self.trees.iter_mut().skip(1).find(|t| t.name == tree.name) {
            None => self.trees.push(tree),
            Some(_) if is_empty(&tree.nodes) => {}
            Some(old) if is_empty(&old.nodes) => *old = tree,
            Some(_) => return self.fail(at, format!("multiple definition of template {:?}", tree.name)),
        }
        Ok(())
    }

    fn name(&mut self, context: &str) -> Result<String, TemplateError> {
        let token = self.peek_word();
        if !matches!(token.kind, Kind::Str | Kind::Raw) {
            return self.unexpected(token, context);
        }
        self.skip_to(token);
        self.unquoted(token)
    }

    fn unquoted(&self, token: Token) -> Result<String, TemplateError> {
        literal::unquote(self.str(token)).ok_or_else(|| TemplateError::at(self.text, token.from, "invalid syntax"))
    }

    /// `$a, $b := command | command`, up to `end`.
    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, TemplateError> {
        let from = self.peek_word().from;
        let (names, assign) = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.peek_word();
            if token.kind == end {
                self.skip_to(token);
                break;
            }
            match token.kind {
                Kind::Bool
                | Kind::Char
                | Kind::Dot
                | Kind::Field
                | Kind::Ident
                | Kind::Number
                | Kind::Nil
                | Kind::Raw
                | Kind::Str
                | Kind::Var
                | Kind::LeftParen => commands.push(self.command()?),
                _ => return self.unexpected(token, context),
            }
        }
        let span = self.span(from);
        if commands.is_empty() {
            return self.fail(from, format!("missing value for {context}"));
        }
        if let Some(stage) = commands.iter().skip(1).position(|c| c.args.first().is_none_or(|a| a.kind.is_plain())) {
            return self.fail(from, format!("non executable command in pipeline stage {}", stage + 2));
        }
        // The value is computed before the names it is given to.
        let mut decl = Vec::new();
        for name in names {
            decl.push(if assign { self.place(name, from)? } else { self.declare(name, from)? });
        }
        Ok(Pipe { decl, commands, span })
    }

    fn declarations(&mut self, context: &str) -> Result<(Vec<&'t str>, bool), TemplateError> {
        let mut names = Vec::new();
        loop {
            let start = self.at;
            let token = self.peek_word();
            if token.kind != Kind::Var {
                return Ok((names, false));
            }
            self.skip_to(token);
            let next = self.peek_word();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.skip_to(next);
                    names.push(self.str(token));
                    return Ok((names, next.kind == Kind::Assign));
                }
                Kind::Comma => {
                    self.skip_to(next);
                    names.push(self.str(token));
                    if context != "range" || names.len() > 1 {
                        return self.fail(next.from, format!("too many declarations in {context}"));
                    }
                    if self.peek_word().kind != Kind::Var {
                        return self.fail(self.peek_word().from, "range can only initialize variables");
                    }
                }
                _ if names.is_empty() => {
                    self.at = start;
                    return Ok((names, false));
                }
                _ => return self.unexpected(next, context),
            }
        }
    }

    fn declare(&mut self, name: &'t str, at: usize) -> Result<usize, TemplateError> {
        if self.vars.len() >= FRAME {
            return self.fail(at, format!("too many variables: one template has at most {FRAME}"));
        }
        self.vars.push(name);
        self.frame = self.frame.max(self.vars.len());
        Ok(self.vars.len() - 1)
    }

    fn place(&self, name: &str, at: usize) -> Result<usize, TemplateError> {
        self.vars.iter().rposition(|v| *v == name).ok_or_else(|| TemplateError::at(self.text, at, format!("undefined variable {name:?}")))
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let from = self.peek_word().from;
        let mut args = Vec::new();
        loop {
            if let Some(arg) = self.operand()? {
                args.push(arg);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::Right | Kind::RightParen => {
                    self.at -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(token, "operand"),
            }
        }
        if args.is_empty() {
            return self.fail(from, "empty command");
        }
        if args.len() > ARG_COUNT {
            return self.fail(from, format!("too many arguments: one call takes at most {ARG_COUNT}"));
        }
        let to = args.last().map_or(from, |a: &Arg| a.span.to);
        let regex = match args.as_slice() {
            [Arg { kind: ArgKind::Func(f), .. }, Arg { kind: ArgKind::Text(pattern), .. }, ..] if f.takes_pattern() => {
                func::compile(pattern).ok()
            }
            _ => None,
        };
        Ok(Command { args, span: Span { from, to }, regex })
    }

    fn operand(&mut self) -> Result<Option<Arg>, TemplateError> {
        let from = self.peek_word().from;
        let Some(mut kind) = self.term()? else { return Ok(None) };
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            fields.push(self.str(token)[1..].to_owned());
        }
        if !fields.is_empty() {
            kind = match kind {
                ArgKind::Field(mut own) => {
                    own.append(&mut fields);
                    ArgKind::Field(own)
                }
                ArgKind::Var(place, mut own) => {
                    own.append(&mut fields);
                    ArgKind::Var(place, own)
                }
                plain if plain.is_plain() => {
                    return self.fail(from, format!("unexpected . after term {:?}", &self.text[from..self.span(from).to]));
                }
                other => ArgKind::Chain(Box::new(Arg { kind: other, span: self.span(from) }), fields),
            };
        }
        Ok(Some(Arg { kind, span: self.span(from) }))
    }

    fn term(&mut self) -> Result<Option<ArgKind>, TemplateError> {
        let token = self.peek_word();
        let text = self.str(token);
        let start = self.at;
        self.skip_to(token);
        Ok(Some(match token.kind {
            Kind::Ident => match func::find(text) {
                Ok(function) => ArgKind::Func(function),
                Err(why) => return self.fail(token.from, why),
            },
            Kind::Dot => ArgKind::Dot,
            Kind::Nil => ArgKind::Nil,
            Kind::Var => ArgKind::Var(self.place(text, token.from)?, Vec::new()),
            Kind::Field => ArgKind::Field(vec![text[1..].to_owned()]),
            Kind::Bool => ArgKind::Bool(text == "true"),
            Kind::Char => match literal::character(text) {
                Some(c) => {
                    let int = i64::from(u32::from(c));
                    ArgKind::Number(Number { int: Some(int), float: Some(f64::from(u32::from(c))), is_float: false })
                }
                None => return self.fail(token.from, format!("malformed character constant: {text}")),
            },
            Kind::Number => match literal::number(text) {
                Ok(number) => ArgKind::Number(number),
                Err(why) => return self.fail(token.from, why),
            },
            Kind::LeftParen => {
                self.depth += 1;
                if self.depth > EXPR_DEPTH {
                    return self.fail(token.from, "max expression depth exceeded");
                }
                let mark = self.vars.len();
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                // What parentheses declare stays in scope, as in Go.
                debug_assert!(self.vars.len() >= mark);
                self.depth -= 1;
                ArgKind::Pipe(Box::new(pipe))
            }
            Kind::Str | Kind::Raw => ArgKind::Text(self.unquoted(token)?),
            _ => {
                self.at = start;
                return Ok(None);
            }
        }))
    }

    fn peek(&self) -> Token {
        self.tokens.get(self.at).or(self.tokens.last()).copied().unwrap_or(Token { kind: Kind::Eof, from: 0, to: 0 })
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// The next token that is no space; it is not taken.
    fn peek_word(&self) -> Token {
        let rest = self.tokens.get(self.at..).unwrap_or(&[]);
        rest.iter().find(|t| t.kind != Kind::Space).copied().unwrap_or_else(|| self.peek())
    }

    /// Takes everything up to and with `token`, which [`Parser::peek_word`] gave.
    fn skip_to(&mut self, token: Token) {
        while self.at < self.tokens.len() && self.next() != token {}
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<(), TemplateError> {
        let token = self.peek_word();
        if token.kind != kind {
            return self.unexpected(token, context);
        }
        self.skip_to(token);
        Ok(())
    }

    fn str(&self, token: Token) -> &'t str {
        self.text.get(token.from..token.to).unwrap_or("")
    }

    /// From `from` to behind the last token taken.
    fn span(&self, from: usize) -> Span {
        let to = self
            .at
            .checked_sub(1)
            .and_then(|i| self.tokens.get(i))
            .map_or(from, |t| if matches!(t.kind, Kind::Right) { t.from } else { t.to });
        Span { from, to: to.max(from) }
    }

    fn fail<T>(&self, at: usize, text: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError::at(self.text, at, text))
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Result<T, TemplateError> {
        let shown = match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Right => "\"}}\"".to_owned(),
            _ => format!("{:?}", self.str(token)),
        };
        self.fail(token.from, format!("unexpected {shown} in {context}"))
    }
}

const fn name_of(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "{{end}}",
        Stop::Else | Stop::ElseIf | Stop::ElseWith => "{{else}}",
    }
}

fn is_empty(nodes: &[Node]) -> bool {
    nodes.iter().all(|n| matches!(n, Node::Text(text) if text.trim().is_empty()))
}
