//! What a template's text becomes: a bounded tree whose variables are numbered places of a frame.

use super::func::Func;

/// A tree that `{{template}}` can run: the main text, or a `{{define}}` or `{{block}}`.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) name: String,
    pub(super) nodes: Vec<Node>,
    /// Places its variables take, `$` among them.
    pub(super) frame: usize,
}

/// Bytes of the source text that a node stands for: shown in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) from: usize,
    pub(super) to: usize,
}

/// One piece of a tree.
#[derive(Debug)]
pub(super) enum Node {
    /// Text as it stands.
    Text(String),
    /// `{{pipeline}}`: printed unless it declares.
    Action(Pipe),
    /// `{{if}}` and `{{with}}`.
    Branch { pipe: Pipe, with: bool, then: Vec<Self>, otherwise: Vec<Self> },
    /// `{{range}}`.
    Range { pipe: Pipe, body: Vec<Self>, otherwise: Vec<Self> },
    /// `{{template "name" pipeline}}`.
    Template { name: String, pipe: Option<Pipe>, span: Span },
    /// `{{break}}`.
    Break,
    /// `{{continue}}`.
    Continue,
}

/// `$a, $b := command | command`.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Places that are set.
    pub(super) decl: Vec<usize>,
    pub(super) commands: Vec<Command>,
    pub(super) span: Span,
}

/// An operand and its arguments.
#[derive(Debug)]
pub(super) struct Command {
    /// Never empty.
    pub(super) args: Vec<Arg>,
    pub(super) span: Span,
    /// Compiled from a literal pattern.
    pub(super) regex: Option<regex_lite::Regex>,
}

/// An operand.
#[derive(Debug)]
pub(super) struct Arg {
    pub(super) kind: ArgKind,
    pub(super) span: Span,
}

/// Kinds of operands.
#[derive(Debug)]
pub(super) enum ArgKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(String),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`
    Var(usize, Vec<String>),
    /// A function's name; with nothing behind it, a call without arguments.
    Func(&'static Func),
    /// `(pipeline)`
    Pipe(Box<Pipe>),
    /// `(pipeline).a.b`
    Chain(Box<Arg>, Vec<String>),
}

/// A number or character literal, with the types it can stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub(super) int: Option<i64>,
    pub(super) float: Option<f64>,
    /// Where the context asks for no type: a float, else an int.
    pub(super) is_float: bool,
}

impl ArgKind {
    /// True for what cannot stand first in a later command of a pipeline.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Dot | Self::Nil | Self::Number(_) | Self::Text(_))
    }
}
