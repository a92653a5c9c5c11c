//! Statements as written: what `parse` and `ddl` give, before names are bound to streams.
//!
//! Everything is owned and every expression knows its place in the text. Trees are at most [`HEIGHT_MAX`] high, so that walking
//! them needs a bounded stack.

pub use super::error::Span;
use super::func::{FuncId, Kind};
use crate::limits::EXPR_DEPTH;

/// Highest tree: nesting counts up to [`EXPR_DEPTH`], and a chain `a OR b OR c ..` is a tree as high as it is long.
pub const HEIGHT_MAX: usize = EXPR_DEPTH * 4;
const _: () = assert!(HEIGHT_MAX <= 16384, "every level of an expression is a stack frame");

/// A SELECT statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    /// Its text, which spans point into.
    pub text: String,
    /// What stands between SELECT and FROM.
    pub fields: Vec<Field>,
    /// The first source.
    pub from: Source,
    /// Further sources.
    pub joins: Vec<Join>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY: keys and windows in the order written.
    pub group: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
    /// ORDER BY.
    pub order: Vec<Order>,
    /// LIMIT; negative values are accepted and mean no limit.
    pub limit: Option<i64>,
}

impl Select {
    /// The window that counts: the first one in GROUP BY.
    #[must_use]
    pub fn window(&self) -> Option<&Window> {
        self.group.iter().find_map(|e| match &e.kind {
            ExprKind::Window(window) => Some(&**window),
            _ => None,
        })
    }

    /// The keys of GROUP BY, without windows.
    pub fn keys(&self) -> impl Iterator<Item = &Expr> {
        self.group.iter().filter(|e| !matches!(e.kind, ExprKind::Window(_)))
    }

    /// Names of streams and tables, in the order written.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.from).chain(self.joins.iter().map(|j| &j.source)).map(|s| s.name.as_str())
    }
}

/// One item of the select list.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its value.
    pub expr: Expr,
    /// Name it has without an alias: of its column, its function, `*`, or `kuiper_field_N`.
    pub name: String,
    /// `AS`.
    pub alias: Option<String>,
    /// Computed but not sent.
    pub invisible: bool,
}

impl Field {
    /// The name in the output.
    #[must_use]
    pub fn output(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// A stream or table, as FROM and JOIN name it.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// `AS`.
    pub alias: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// A joined source.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Which rows survive.
    pub kind: JoinKind,
    /// The other side.
    pub source: Source,
    /// ON; without it every pair matches.
    pub on: Option<Expr>,
}

/// Which rows of a join survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs that match.
    Inner,
    /// Those, and unmatched rows of the left side.
    Left,
    /// Those, and unmatched rows of the right side.
    Right,
    /// Those, and unmatched rows of both.
    Full,
    /// All pairs.
    Cross,
}

/// One item of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What is compared.
    pub expr: Expr,
    /// The name it begins with: of a column or a function.
    pub name: String,
    /// DESC.
    pub descending: bool,
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
    /// Levels of the tree below and including it.
    pub height: u16,
}

impl Expr {
    /// A node over children that already know their heights.
    #[must_use]
    pub fn new(kind: ExprKind, span: Span) -> Self {
        let mut height = 0;
        each_child(&kind, &mut |child| height = height.max(child.height));
        Self { kind, span, height: height.saturating_add(1) }
    }

    /// Calls `visit` on this node and everything below it, parents first, until it answers `false` for a node, whose children
    /// are then left out.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self) -> bool) {
        if visit(self) {
            each_child(&self.kind, &mut |child| child.walk(visit));
        }
    }

    /// Whether eKuiper takes it for a condition without looking further: a boolean literal, a comparison, AND, OR, IN, BETWEEN
    /// or LIKE, not in parentheses.
    #[must_use]
    pub fn is_condition(&self) -> bool {
        match &self.kind {
            ExprKind::Bool(_) | ExprKind::In { .. } | ExprKind::Between { .. } | ExprKind::Like { .. } => true,
            ExprKind::Binary { op, .. } => op.precedence() <= 3,
            _ => false,
        }
    }
}

/// The kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// An integer literal with its sign.
    Int(i64),
    /// A literal with a dot.
    Float(f64),
    /// A string literal.
    Text(String),
    /// TRUE or FALSE.
    Bool(bool),
    /// A bare time unit. Outside window calls it is a column of that name.
    Unit(TimeUnit, String),
    /// A column, perhaps with a stream before it.
    Column(Column),
    /// A fact about the arrival, inside `meta()` and `mqtt()`; `*` is all of them.
    Meta(Column),
    /// `*`.
    Star(Star),
    /// Parentheses. Kept because `CASE WHEN (a)` and the plan's text differ from the bare form.
    Paren(Box<Expr>),
    /// An operator with two operands.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `of -> key` and `of.key`.
    Arrow {
        /// The map.
        of: Box<Expr>,
        /// What is taken from it.
        key: Key,
    },
    /// `of[index]`.
    Index {
        /// The list.
        of: Box<Expr>,
        /// The place, negative from the end.
        index: Box<Expr>,
    },
    /// `of[start:end]`.
    Slice {
        /// The list.
        of: Box<Expr>,
        /// First place; absent: 0.
        start: Option<Box<Expr>>,
        /// One past the last place; absent: the end.
        end: Option<Box<Expr>>,
    },
    /// `of [NOT] IN set`.
    In {
        /// What is looked for.
        of: Box<Expr>,
        /// NOT IN.
        not: bool,
        /// Where it is looked for.
        set: Set,
    },
    /// `of [NOT] BETWEEN low AND high`.
    Between {
        /// What is compared.
        of: Box<Expr>,
        /// NOT BETWEEN.
        not: bool,
        /// Lower bound, included.
        low: Box<Expr>,
        /// Upper bound, included.
        high: Box<Expr>,
    },
    /// `of [NOT] LIKE pattern`.
    Like {
        /// The text.
        of: Box<Expr>,
        /// NOT LIKE.
        not: bool,
        /// The pattern.
        pattern: Box<Expr>,
    },
    /// CASE.
    Case {
        /// What each WHEN is compared with; absent: each WHEN is a condition.
        of: Option<Box<Expr>>,
        /// WHEN and THEN.
        whens: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// A function call.
    Call(Box<Call>),
    /// A window. It means something in GROUP BY only.
    Window(Box<Window>),
}

/// A name, perhaps with the stream it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The stream, as written.
    pub stream: Option<String>,
    /// The column.
    pub name: String,
}

/// The right side of `->`.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// A name.
    Name(String),
    /// Anything else; never finds a key.
    Other(Box<Expr>),
}

/// The right side of IN.
#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    /// `(a, b, ..)`.
    List(Vec<Expr>),
    /// An expression that should give a list.
    Array(Box<Expr>),
}

/// `*` with what it leaves out and replaces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Star {
    /// EXCEPT.
    pub except: Vec<String>,
    /// REPLACE.
    pub replace: Vec<Field>,
}

/// A function call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub id: FuncId,
    /// Its own spelling of its name: lower case, an alias kept.
    pub name: String,
    /// How it takes part in the query.
    pub kind: Kind,
    /// Arguments.
    pub args: Vec<Expr>,
    /// `OVER (PARTITION BY ..)`.
    pub partition: Vec<Expr>,
    /// `OVER (WHEN ..)`.
    pub when: Option<Expr>,
    /// `OVER (ORDER BY ..)`.
    pub order: Vec<Order>,
}

/// A window.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its kind with lengths.
    pub kind: WindowKind,
    /// `FILTER (WHERE ..)`.
    pub filter: Option<Expr>,
    /// `OVER (WHEN ..)`.
    pub when: Option<Expr>,
    /// `OVER (PARTITION BY ..)`.
    pub partition: Vec<Expr>,
}

/// Kinds of window. Numbers are as written: eKuiper takes zero and negative ones too.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowKind {
    /// TUMBLINGWINDOW(unit, length).
    Tumbling {
        /// Unit of the length.
        unit: TimeUnit,
        /// Length.
        length: i64,
    },
    /// HOPPINGWINDOW(unit, length, hop).
    Hopping {
        /// Unit of both.
        unit: TimeUnit,
        /// Length.
        length: i64,
        /// Distance between starts.
        hop: i64,
    },
    /// SLIDINGWINDOW(unit, length\[, delay\]).
    Sliding {
        /// Unit of both.
        unit: TimeUnit,
        /// Length.
        length: i64,
        /// How long a firing waits for further rows.
        delay: i64,
    },
    /// SESSIONWINDOW(unit, length, timeout).
    Session {
        /// Unit of both.
        unit: TimeUnit,
        /// Longest session.
        length: i64,
        /// Silence that ends a session.
        timeout: i64,
    },
    /// COUNTWINDOW(length\[, every\]).
    Count {
        /// Rows in a window.
        length: i64,
        /// Rows between windows.
        every: Option<i64>,
    },
    /// STATEWINDOW(begin, emit).
    States {
        /// Opens the window.
        begin: Expr,
        /// Closes it.
        emit: Expr,
    },
    /// STATEWINDOW(condition).
    State {
        /// Closes one run and opens the next each time it becomes true.
        change: Expr,
    },
}

/// Units of window lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// DD.
    Day,
    /// HH.
    Hour,
    /// MI.
    Minute,
    /// SS.
    Second,
    /// MS.
    Millisecond,
}

impl TimeUnit {
    /// Its length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        match self {
            Self::Day => 86_400_000,
            Self::Hour => 3_600_000,
            Self::Minute => 60_000,
            Self::Second => 1000,
            Self::Millisecond => 1,
        }
    }

    /// Its word.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Day => "DD",
            Self::Hour => "HH",
            Self::Minute => "MI",
            Self::Second => "SS",
            Self::Millisecond => "MS",
        }
    }
}

/// Operators with two operands that are all of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `&`
    BitAnd,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `|`
    BitOr,
    /// `^`
    BitXor,
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// AND
    And,
    /// OR
    Or,
}

impl BinaryOp {
    /// How tightly it binds: 5 most, 1 least. All are left-associative.
    #[must_use]
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Mul | Self::Div | Self::Mod | Self::BitAnd => 5,
            Self::Add | Self::Sub | Self::BitOr | Self::BitXor => 4,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => 3,
            Self::And => 2,
            Self::Or => 1,
        }
    }

    /// Its spelling.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::BitAnd => "&",
            Self::Add => "+",
            Self::Sub => "-",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::And => "AND",
            Self::Or => "OR",
        }
    }
}

/// Calls `visit` on each direct child, in the order written.
fn each_child<'a>(kind: &'a ExprKind, visit: &mut dyn FnMut(&'a Expr)) {
    match kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Text(_)
        | ExprKind::Bool(_)
        | ExprKind::Unit(..)
        | ExprKind::Column(_)
        | ExprKind::Meta(_) => {}
        ExprKind::Star(star) => star.replace.iter().for_each(|f| visit(&f.expr)),
        ExprKind::Paren(inner) => visit(inner),
        ExprKind::Binary { left, right, .. } => {
            visit(left);
            visit(right);
        }
        ExprKind::Arrow { of, key } => {
            visit(of);
            if let Key::Other(key) = key {
                visit(key);
            }
        }
        ExprKind::Index { of, index } => {
            visit(of);
            visit(index);
        }
        ExprKind::Slice { of, start, end } => {
            visit(of);
            start.iter().chain(end).for_each(|e| visit(e));
        }
        ExprKind::In { of, set, .. } => {
            visit(of);
            match set {
                Set::List(items) => items.iter().for_each(visit),
                Set::Array(array) => visit(array),
            }
        }
        ExprKind::Between { of, low, high, .. } => {
            visit(of);
            visit(low);
            visit(high);
        }
        ExprKind::Like { of, pattern, .. } => {
            visit(of);
            visit(pattern);
        }
        ExprKind::Case { of, whens, otherwise } => {
            of.iter().for_each(|e| visit(e));
            for (when, then) in whens {
                visit(when);
                visit(then);
            }
            otherwise.iter().for_each(|e| visit(e));
        }
        ExprKind::Call(call) => {
            call.args.iter().chain(&call.partition).for_each(&mut *visit);
            call.order.iter().for_each(|o| visit(&o.expr));
            call.when.iter().for_each(visit);
        }
        ExprKind::Window(window) => {
            window.filter.iter().chain(&window.when).for_each(&mut *visit);
            match &window.kind {
                WindowKind::States { begin, emit } => {
                    visit(begin);
                    visit(emit);
                }
                WindowKind::State { change } => visit(change),
                _ => {}
            }
            window.partition.iter().for_each(visit);
        }
    }
}
