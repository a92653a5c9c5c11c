//! Runs a tree over a message, as Go's `text/template` would: the same values, the same refusals.
//!
//! Variables and arguments lie in two fixed stacks; every node, argument and element costs a step.

use core::cell::Cell;

use super::ast::{Arg, ArgKind, Command, Node, Number, Pipe, Span, Tree};
use super::func::{Func, Param};
use super::print;
use super::val::{Cx, Res, Tag, Val};
use super::{Place, method, place};
use crate::json::write::Out;
use crate::value::{Fault, Value};

/// Variables of all running trees.
pub(super) const VARS: usize = 128;
/// Arguments of all running calls.
pub(super) const ARGS: usize = 128;
/// Trees that may run inside each other.
const TREES: usize = 32;
/// Lists of nodes and pipelines that may run inside each other: the bound of our own stack.
const LEVELS: usize = 160;

/// One rendering.
pub(super) struct Exec<'c, 'a, 'o> {
    pub(super) cx: &'c Cx<'c, 'a>,
    pub(super) text: &'a str,
    pub(super) trees: &'a [Tree],
    pub(super) vars: &'c [Cell<Val<'a>>; VARS],
    pub(super) args: &'c [Cell<Val<'a>>; ARGS],
    pub(super) args_top: usize,
    pub(super) out: &'c mut Out<'o>,
    /// Where the text goes, if values must not change its structure.
    pub(super) place: Option<Place>,
    /// The running tree, where its variables begin, and how many run.
    pub(super) tree: usize,
    pub(super) base: usize,
    pub(super) depth: usize,
    pub(super) level: usize,
}

/// What a list of nodes ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Step<'a> = Result<Flow, Fault<'a>>;

impl<'a> Exec<'_, 'a, '_> {
    pub(super) fn run(&mut self, data: Val<'a>) -> Result<(), Fault<'a>> {
        let trees = self.trees;
        if let Some(main) = trees.first() {
            self.set(0, data);
            self.walk(data, &main.nodes)?;
        }
        Ok(())
    }

    fn walk(&mut self, dot: Val<'a>, nodes: &'a [Node]) -> Step<'a> {
        self.enter()?;
        let flow = self.nodes(dot, nodes)?;
        self.level -= 1;
        Ok(flow)
    }

    fn enter(&mut self) -> Result<(), Fault<'a>> {
        self.level += 1;
        if self.level > LEVELS {
            return Err(Fault::new("the template runs nested too deep"));
        }
        Ok(())
    }

    fn nodes(&mut self, dot: Val<'a>, nodes: &'a [Node]) -> Step<'a> {
        for node in nodes {
            self.cx.spend(1)?;
            let flow = match node {
                Node::Text(text) => {
                    self.out.text(text)?;
                    Flow::Next
                }
                Node::Action(pipe) => {
                    let value = self.pipe(dot, pipe)?;
                    if pipe.decl.is_empty() {
                        self.print(value, pipe)?;
                    }
                    Flow::Next
                }
                Node::Branch { pipe, with, then, otherwise } => {
                    let value = self.pipe(dot, pipe)?;
                    if value.truth(self.cx)? { self.walk(if *with { value } else { dot }, then)? } else { self.walk(dot, otherwise)? }
                }
                Node::Range { pipe, body, otherwise } => self.range(dot, pipe, body, otherwise)?,
                Node::Template { name, pipe, span } => {
                    self.template(dot, name, pipe.as_ref(), *span)?;
                    Flow::Next
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, value: Val<'a>, pipe: &Pipe) -> Result<(), Fault<'a>> {
        let from = self.out.len();
        print::value(self.out, value, self.cx)?;
        match self.place {
            None => Ok(()),
            Some(at) => {
                let escaped = matches!(
                    pipe.commands.last().and_then(|c| c.args.first()),
                    Some(Arg { kind: ArgKind::Func(f), .. }) if f.name == "urlquery"
                );
                place::value(at, escaped, from, self.out, self.cx.scratch)
            }
        }
    }

    fn template(&mut self, dot: Val<'a>, name: &str, pipe: Option<&'a Pipe>, span: Span) -> Result<(), Fault<'a>> {
        let trees = self.trees;
        let Some((index, tree)) = trees.iter().enumerate().skip(1).chain(trees.iter().enumerate().take(1)).find(|(_, t)| t.name == name)
        else {
            return Err(self.fail(span, format_args!("template {name:?} not defined")));
        };
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Val::MISSING,
        };
        let base = self.base + trees.get(self.tree).map_or(0, |t| t.frame);
        if self.depth >= TREES || base + tree.frame > VARS {
            return Err(self.fail(span, format_args!("exceeded maximum template depth ({TREES})")));
        }
        let before = (self.tree, self.base);
        (self.tree, self.base) = (index, base);
        self.depth += 1;
        self.set(0, dot);
        self.walk(dot, &tree.nodes)?;
        self.depth -= 1;
        (self.tree, self.base) = before;
        Ok(())
    }

    fn range(&mut self, dot: Val<'a>, pipe: &'a Pipe, body: &'a [Node], otherwise: &'a [Node]) -> Step<'a> {
        let over = self.pipe(dot, pipe)?;
        let mut ran = false;
        if let (Value::Int(count), true) = (over.v, over.tag != Tag::Duration) {
            if pipe.decl.len() > 1 {
                return Err(self.fail(pipe.span, format_args!("can't use {count} to iterate over more than one variable")));
            }
            for i in 0..count {
                ran = true;
                if self.turn(pipe, Val::MISSING, Val::tagged(Value::Int(i), over.tag), body)? {
                    break;
                }
            }
        } else if over.is_list() {
            let list = self.cx.list(over)?;
            for (i, element) in (0_i64..).zip(list.into_iter().flat_map(crate::value::Packed::elements)) {
                ran = true;
                if self.turn(pipe, Val::int(i), over.element(element), body)? {
                    break;
                }
            }
        } else if over.is_map() {
            let object = self.cx.object(over)?;
            for (key, member) in object.into_iter().flat_map(crate::value::Object::entries) {
                ran = true;
                if self.turn(pipe, Val::str(key), Val::data(member), body)? {
                    break;
                }
            }
        } else if let (Value::Bytes(bytes), Tag::Data) = (over.v, over.tag) {
            for (i, byte) in (0_i64..).zip(bytes) {
                ran = true;
                if self.turn(pipe, Val::int(i), Val::tagged(Value::Int(i64::from(*byte)), Tag::Uint8), body)? {
                    break;
                }
            }
        } else if !over.is_nil() {
            let shown = print::shown(over, self.cx)?;
            return Err(self.fail(pipe.span, format_args!("range can't iterate over {shown}")));
        }
        if ran { Ok(Flow::Next) } else { self.walk(dot, otherwise) }
    }

    /// One turn of a range; true if it ended the range.
    fn turn(&mut self, pipe: &Pipe, index: Val<'a>, element: Val<'a>, body: &'a [Node]) -> Result<bool, Fault<'a>> {
        self.cx.spend(1)?;
        match *pipe.decl {
            [one] => self.set(one, element),
            [first, second] => {
                self.set(first, index);
                self.set(second, element);
            }
            _ => {}
        }
        Ok(self.walk(element, body)? == Flow::Break)
    }

    fn set(&self, place: usize, value: Val<'a>) {
        if let Some(var) = self.vars.get(self.base + place) {
            var.set(value);
        }
    }

    fn get(&self, place: usize) -> Val<'a> {
        self.vars.get(self.base + place).map_or(Val::MISSING, Cell::get)
    }

    fn pipe(&mut self, dot: Val<'a>, pipe: &'a Pipe) -> Res<'a> {
        self.enter()?;
        let mut last = None;
        for command in &pipe.commands {
            let value = self.command(dot, command, last)?;
            // An interface that holds nil holds nothing from here on.
            last = Some(if value.is_nil() { Val::MISSING } else { value });
        }
        self.level -= 1;
        let value = last.unwrap_or(Val::MISSING);
        for place in &pipe.decl {
            self.set(*place, value);
        }
        Ok(value)
    }

    fn command(&mut self, dot: Val<'a>, command: &'a Command, last: Option<Val<'a>>) -> Res<'a> {
        self.cx.spend(1)?;
        let Some(first) = command.args.first() else { return Ok(Val::MISSING) };
        let rest = command.args.get(1..).unwrap_or(&[]);
        match &first.kind {
            ArgKind::Func(function) => return self.call(dot, function, command.span, command.regex.as_ref(), rest, last),
            ArgKind::Field(names) => return self.chain(dot, dot, names, first.span, rest, last),
            ArgKind::Chain(inner, names) => {
                let receiver = self.plain(dot, inner)?;
                return self.chain(dot, receiver, names, first.span, rest, last);
            }
            ArgKind::Var(place, names) if !names.is_empty() => {
                return self.chain(dot, self.get(*place), names, first.span, rest, last);
            }
            _ => {}
        }
        if !rest.is_empty() || last.is_some() {
            let shown = self.shown(first.span);
            return Err(self.fail(first.span, format_args!("can't give argument to non-function {shown}")));
        }
        match &first.kind {
            ArgKind::Nil => Err(self.fail(first.span, format_args!("nil is not a command"))),
            _ => self.plain(dot, first),
        }
    }

    /// The value of an operand where any type will do.
    fn plain(&mut self, dot: Val<'a>, arg: &'a Arg) -> Res<'a> {
        match &arg.kind {
            ArgKind::Dot => Ok(dot),
            ArgKind::Nil => Ok(Val::NIL),
            ArgKind::Bool(b) => Ok(Val::bool(*b)),
            ArgKind::Number(number) => Ok(ideal(*number)),
            ArgKind::Text(text) => Ok(Val::str(text)),
            ArgKind::Field(names) => self.chain(dot, dot, names, arg.span, &[], None),
            ArgKind::Var(place, names) if names.is_empty() => Ok(self.get(*place)),
            ArgKind::Var(place, names) => self.chain(dot, self.get(*place), names, arg.span, &[], None),
            ArgKind::Func(function) => self.call(dot, function, arg.span, None, &[], None),
            ArgKind::Pipe(pipe) => self.pipe(dot, pipe),
            ArgKind::Chain(inner, names) => {
                let receiver = self.plain(dot, inner)?;
                self.chain(dot, receiver, names, arg.span, &[], None)
            }
        }
    }

    fn chain(
        &mut self,
        dot: Val<'a>,
        mut receiver: Val<'a>,
        names: &'a [String],
        span: Span,
        rest: &'a [Arg],
        last: Option<Val<'a>>,
    ) -> Res<'a> {
        for (i, name) in names.iter().enumerate() {
            let is_last = i + 1 == names.len();
            let with_args = is_last && (!rest.is_empty() || last.is_some());
            if receiver.tag == Tag::Missing {
                return Ok(Val::MISSING);
            }
            if receiver.is_nil() {
                return Err(self.fail(span, format_args!("nil pointer evaluating interface {{}}.{name}")));
            }
            receiver = if receiver.is_map() {
                if with_args {
                    return Err(self.fail(span, format_args!("{name} is not a method but has arguments")));
                }
                match self.cx.settle(receiver.v).member(name, self.cx.scratch)? {
                    Some(member) => Val::data(member),
                    None => Val::MISSING,
                }
            } else {
                let base = self.args_top;
                if is_last {
                    for arg in rest {
                        let value = self.plain(dot, arg)?;
                        self.push(value, span)?;
                    }
                    if let Some(last) = last {
                        self.push(last, span)?;
                    }
                }
                let args = self.args.get(base..self.args_top).unwrap_or(&[]);
                let result = method::call(receiver, name, args, self.cx);
                self.args_top = base;
                match result {
                    Ok(Some(value)) => value,
                    Ok(None) => {
                        let kind = if receiver.tag == Tag::Data { "interface {}" } else { receiver.type_name() };
                        return Err(self.fail(span, format_args!("can't evaluate field {name} in type {kind}")));
                    }
                    Err(fault) => return Err(self.fail(span, format_args!("error calling {name}: {fault}"))),
                }
            };
        }
        Ok(receiver)
    }

    fn call(
        &mut self,
        dot: Val<'a>,
        function: &'a Func,
        span: Span,
        regex: Option<&'a regex_lite::Regex>,
        rest: &'a [Arg],
        last: Option<Val<'a>>,
    ) -> Res<'a> {
        let name = function.name;
        let count = rest.len() + usize::from(last.is_some());
        let fixed = function.fixed.len();
        if function.rest.is_none() && count != fixed {
            return Err(self.fail(span, format_args!("wrong number of args for {name}: want {fixed} got {count}")));
        }
        if count < fixed {
            return Err(self.fail(span, format_args!("wrong number of args for {name}: want at least {fixed} got {}", rest.len())));
        }
        if matches!(name, "and" | "or") {
            // They look at no more arguments than they need.
            let mut value = Val::MISSING;
            for arg in rest {
                value = self.argument(dot, Param::Any, arg)?;
                if value.truth(self.cx)? == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let base = self.args_top;
        let param = |i: usize| function.fixed.get(i).copied().or(function.rest).unwrap_or(Param::Any);
        for (i, arg) in rest.iter().enumerate() {
            let value = self.argument(dot, param(i), arg)?;
            self.push(value, arg.span)?;
        }
        if let Some(last) = last {
            let value = self.checked(last, param(count - 1), span)?;
            self.push(value, span)?;
        }
        self.cx.spend(count)?;
        self.cx.regex.set(regex);
        let args = self.args.get(base..self.args_top).unwrap_or(&[]);
        let result = (function.run)(self.cx, args);
        self.args_top = base;
        result.map_err(|fault| if fault == Fault::FULL { fault } else { self.fail(span, format_args!("error calling {name}: {fault}")) })
    }

    fn push(&mut self, value: Val<'a>, span: Span) -> Result<(), Fault<'a>> {
        let Some(place) = self.args.get(self.args_top) else {
            return Err(self.fail(span, format_args!("calls are nested too deep: {ARGS} arguments are waiting")));
        };
        place.set(value);
        self.args_top += 1;
        Ok(())
    }

    /// An argument for a parameter, with the literal rules of Go's untyped constants.
    fn argument(&mut self, dot: Val<'a>, param: Param, arg: &'a Arg) -> Res<'a> {
        self.cx.spend(1)?;
        let wanted = match (&arg.kind, param) {
            (ArgKind::Nil, Param::Any | Param::Map) => return Ok(Val::NIL),
            (ArgKind::Nil, _) => return Err(self.fail(arg.span, format_args!("cannot assign nil to {}", param.type_name()))),
            (ArgKind::Bool(_) | ArgKind::Number(_) | ArgKind::Text(_), Param::Any) => return self.plain(dot, arg),
            (ArgKind::Bool(b), Param::Bool) => return Ok(Val::bool(*b)),
            (ArgKind::Number(Number { int: Some(int), .. }), Param::Int) => return Ok(Val::int(*int)),
            (ArgKind::Number(Number { float: Some(float), .. }), Param::Float) => return Ok(Val::float(*float)),
            (ArgKind::Text(text), Param::Str) => return Ok(Val::str(text)),
            (ArgKind::Bool(_) | ArgKind::Number(_) | ArgKind::Text(_), _) => match param {
                Param::Bool => "expected bool; found",
                Param::Int => "expected integer; found",
                Param::Float => "expected float; found",
                Param::Str => "expected string; found",
                _ => "can't handle",
            },
            _ => {
                let value = self.plain(dot, arg)?;
                return self.checked(value, param, arg.span);
            }
        };
        let shown = self.shown(arg.span);
        Err(self.fail(arg.span, format_args!("{wanted} {shown}")))
    }

    /// A value for a parameter: Go converts nothing here.
    fn checked(&self, value: Val<'a>, param: Param, span: Span) -> Res<'a> {
        if value.is_nil() {
            return match param {
                Param::Any | Param::Map => Ok(Val::NIL),
                _ => Err(self.fail(span, format_args!("invalid value; expected {}", param.type_name()))),
            };
        }
        let fits = match param {
            Param::Any => true,
            Param::Str => value.text().is_some(),
            Param::Int => matches!((value.v, value.tag), (Value::Int(_), Tag::Int | Tag::Data)),
            Param::Float => matches!(value.v, Value::Float(_)),
            Param::Bool => matches!(value.v, Value::Bool(_)),
            Param::Map => value.is_map() && value.tag != Tag::Texts,
            Param::Time => matches!(value.v, Value::Time(_)),
        };
        if fits {
            return Ok(value);
        }
        Err(self.fail(span, format_args!("wrong type for value; expected {}; got {}", param.type_name(), value.type_name())))
    }

    fn shown(&self, span: Span) -> &'a str {
        let text = self.text.get(span.from..span.to).unwrap_or("");
        let end = text.char_indices().map(|(i, _)| i).nth(100).unwrap_or(text.len());
        text.get(..end).unwrap_or("")
    }

    /// A fault that says where, as Go's errors do.
    fn fail(&self, span: Span, why: core::fmt::Arguments<'_>) -> Fault<'a> {
        let before = self.text.get(..span.from).unwrap_or("");
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        let tree = self.trees.get(self.tree).map_or("sink", |t| t.name.as_str());
        let shown = self.shown(span);
        let more = if shown.len() < span.to.saturating_sub(span.from) { "..." } else { "" };
        self.cx.fault(format_args!("template: sink:{line}:{column}: executing {tree:?} at <{shown}{more}>: {why}"))
    }
}

/// A number where no type is asked for.
fn ideal<'a>(number: Number) -> Val<'a> {
    match number {
        Number { is_float: true, float: Some(float), .. } => Val::float(float),
        Number { int: Some(int), .. } => Val::int(int),
        Number { float: Some(float), .. } => Val::float(float),
        Number { .. } => Val::MISSING,
    }
}
