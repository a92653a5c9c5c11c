//! What a SELECT becomes: a [`Plan`] that evaluation walks without looking a name up or allocating.
//!
//! `lower` builds it; `eval`, `window` and `rule` run it in the order of facts §7.2: analytic functions, window, join, WHERE,
//! GROUP BY, HAVING, ORDER BY, SELECT and LIMIT, set-returning functions. Columns, analytic and aggregate results live in
//! numbered *slots* of a row, at most [`SLOT_COUNT`](crate::limits::SLOT_COUNT).

use std::sync::Mutex;

use regex_lite::{CaptureLocations, Regex};

use super::func::FuncId;
use super::types::{Column, Type};
use crate::time::Zone;

/// Place of a value in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u16);

/// A SELECT, ready to run.
#[derive(Debug, Default)]
pub struct Plan {
    /// FROM first, then the joined ones in order.
    pub sources: Vec<Source>,
    /// What each slot holds.
    pub slots: Vec<SlotKind>,
    /// Computed for every event, in this order, before the window and WHERE; the [late](Analytic::late) ones with SELECT.
    pub analytics: Vec<Analytic>,
    /// GROUP BY's window.
    pub window: Option<Window>,
    /// Joins, in order; `joins[i]` adds `sources[i + 1]`.
    pub joins: Vec<Join>,
    /// Aggregates of WHERE, each with its slot: over all rows of the window (of the event, without one) before WHERE drops any.
    pub filter_aggregates: Vec<Aggregate>,
    /// What WHERE asks of the stream alone in a right or full join with tables: an event that does not meet it joins nothing.
    pub early_filter: Option<Expr>,
    /// WHERE, without that.
    pub filter: Option<Expr>,
    /// GROUP BY without the window; empty with a state window.
    pub groups: Vec<Expr>,
    /// True if SELECT gives one row per group, not one per row: there are group keys, or SELECT has an aggregate.
    pub grouped: bool,
    /// Aggregates of SELECT, HAVING and ORDER BY, each with its slot; inner ones first.
    pub aggregates: Vec<Aggregate>,
    /// HAVING.
    pub having: Option<Expr>,
    /// ORDER BY.
    pub order: Vec<Order>,
    /// Aliases that other parts refer to; [`Expr::Alias`] is an index here.
    pub aliases: Vec<Alias>,
    /// The scalar functions that are called, each with its name in `sql/func`: evaluation binds them once.
    pub calls: Vec<(FuncId, &'static str)>,
    /// SELECT's fields.
    pub fields: Vec<Field>,
    /// For each field, what stands before its error: `alias: r expr: binaryExpr:{ demo.a + 1 }`.
    pub labels: Vec<String>,
    /// LIMIT.
    pub limit: Option<i64>,
    /// True if `row_number()` is used: rows are numbered after HAVING, before ORDER BY, into [`SlotKind::RowNumber`].
    pub row_number: bool,
    /// Declared columns of a source that its `*` leaves out by EXCEPT, and nothing else asks for as part of a whole row.
    pub unread: Vec<(u8, String)>,
    /// True if `meta()` or anything else needs the arrival facts of events.
    pub meta: bool,
}

impl Plan {
    /// Whether WHERE is applied to events before they enter the window, rather than to the rows of a window: so with time and
    /// state windows in processing time, as eKuiper's optimizer moves it. Aggregates in WHERE and joins need the whole window.
    #[must_use]
    pub fn filters_before_window(&self, event_time: bool) -> bool {
        self.opens_below_window(event_time) && self.filter.is_some() && self.filter_aggregates.is_empty()
    }

    /// Whether conditions may stand below the window at all.
    pub(super) fn opens_below_window(&self, event_time: bool) -> bool {
        let moves = match self.window.as_ref().map(|w| &w.kind) {
            None | Some(WindowKind::Count { .. } | WindowKind::Sliding { .. }) => false,
            Some(_) => !event_time,
        };
        moves && self.joins.is_empty()
    }
}

/// One stream or table that the statement reads.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in the catalog.
    pub name: String,
    /// The name it goes by in the statement (its alias, else its name).
    pub alias: String,
    /// True for a table.
    pub table: bool,
    /// Of a lookup table: the column that identifies its rows, empty if there is none.
    pub lookup: Option<String>,
    /// Declared columns; `None`: schemaless.
    pub columns: Option<Vec<Column>>,
}

/// What a slot holds.
#[derive(Debug, Clone)]
pub enum SlotKind {
    /// A top-level column of a source. `typ`: its declared type.
    Column {
        /// Index into [`Plan::sources`].
        source: u8,
        /// Its name, as written.
        name: String,
        /// Declared type.
        typ: Option<Type>,
    },
    /// All columns of a source, as an object: for `*`.
    Row {
        /// Index into [`Plan::sources`].
        source: u8,
    },
    /// Result of `analytics[i]`.
    Analytic(u16),
    /// Result of `aggregates[i]`.
    Aggregate(u16),
    /// Result of `filter_aggregates[i]`.
    FilterAggregate(u16),
    /// Number of the row in its collection, from 1.
    RowNumber,
}

/// An expression. Depth is at most [`EXPR_DEPTH`](crate::limits::EXPR_DEPTH).
#[derive(Debug)]
pub enum Expr {
    /// A literal.
    Const(Literal),
    /// The value in a slot.
    Slot(Slot),
    /// The value in the first of these slots that is not missing: a column of a join that names no stream.
    First(Vec<Slot>),
    /// `*` as a value: the columns of row slots in one object, the last winning on equal names.
    Row {
        /// Row slots.
        rows: Vec<Slot>,
        /// EXCEPT.
        except: Vec<String>,
        /// REPLACE.
        replace: Vec<(String, Self)>,
    },
    /// `Plan::aliases[i]`, computed once per row.
    Alias(u16),
    /// `object->key`.
    Member(Box<Self>, String),
    /// `object->other`, where `other` is no name: never more than nil.
    Into(Box<Self>, Box<Self>),
    /// `list[index]`; the text is the index as errors show it.
    Index(Box<Self>, Box<Self>, Box<str>),
    /// `list[from:to]`, either end open; the texts are the ends as errors show them.
    Slice(Box<Self>, Option<Box<Self>>, Option<Box<Self>>, [Box<str>; 2]),
    /// A binary operator.
    Binary(Op, Box<Self>, Box<Self>),
    /// `CASE [value] WHEN .. THEN .. ELSE .. END`.
    Case {
        /// The value that each WHEN is compared with; `None`: each WHEN is a condition.
        value: Option<Box<Self>>,
        /// WHEN and THEN.
        arms: Vec<(Self, Self)>,
        /// ELSE.
        otherwise: Option<Box<Self>>,
    },
    /// `x [NOT] IN (a, b)`.
    In {
        /// Left side.
        value: Box<Self>,
        /// The list.
        list: Vec<Self>,
        /// NOT IN.
        not: bool,
    },
    /// `x [NOT] IN list`.
    InList {
        /// Left side.
        value: Box<Self>,
        /// An expression that gives a list.
        list: Box<Self>,
        /// NOT IN.
        not: bool,
    },
    /// `x [NOT] BETWEEN low AND high`.
    Between {
        /// Left side.
        value: Box<Self>,
        /// Lower bound.
        low: Box<Self>,
        /// Upper bound.
        high: Box<Self>,
        /// NOT BETWEEN.
        not: bool,
    },
    /// `x [NOT] LIKE pattern`.
    Like {
        /// Left side.
        value: Box<Self>,
        /// The pattern, when it is no literal.
        pattern: Option<Box<Self>>,
        /// The compiled pattern, when it is a literal.
        regex: Option<Regex>,
        /// NOT LIKE.
        not: bool,
    },
    /// A scalar function.
    Call {
        /// Index into [`Plan::calls`].
        call: u16,
        /// True when any nil or empty argument gives nil at once.
        any_nil: bool,
        /// Arguments, at most [`ARG_COUNT`](crate::limits::ARG_COUNT).
        args: Vec<Self>,
        /// Compiled from literal arguments.
        aux: Aux,
    },
    /// An aggregate where there is one row and no group, in ON and in an analytic function's WHEN: over the elements of a list.
    Fold {
        /// Which.
        name: &'static str,
        /// Its arguments; none when `*` stands among them, which is nothing here.
        args: Vec<Self>,
    },
    /// `meta(name)`, `meta(header->"x")` (a path below the name), `meta(*)` (no name).
    Meta(Option<String>, Vec<String>),
}

/// What was compiled from literal arguments when the rule was planned.
#[derive(Debug, Default)]
pub enum Aux {
    /// Nothing.
    #[default]
    None,
    /// A regular expression.
    Regex(Regex),
    /// A regular expression to replace with, and room for its groups.
    Replace(Regex, Mutex<CaptureLocations>),
    /// A JSON path, or what is wrong with it.
    JsonPath(Result<super::json_path::JsonPath, super::json_path::PathError>),
    /// A time zone.
    Zone(Zone),
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// No value (a missing ELSE, an unknown column of a schemaless stream is a slot, not this).
    Null,
    /// true, false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// Text.
    Str(String),
}

/// Binary operators, with eKuiper's coercions (facts §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator of its name")]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    BitAnd,
    BitOr,
    BitXor,
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// A named field that other parts refer to.
#[derive(Debug)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// Its definition; inside it the name means the column.
    pub expr: Expr,
    /// True if the definition needs aggregate results: it is known only after grouping.
    pub aggregate: bool,
}

/// One field of SELECT.
#[derive(Debug)]
pub enum Field {
    /// A named expression.
    Named {
        /// Name in the result.
        name: String,
        /// Its value.
        expr: Expr,
        /// False for INVISIBLE.
        visible: bool,
        /// True for a plain column under its own name: a JSON null is sent as null (facts §7.3).
        plain: bool,
        /// True behind AS: `sendNilField` sends it when it is nil.
        aliased: bool,
    },
    /// `*`, `stream.*`.
    Wildcard {
        /// Row slots that are merged, the first winning on equal names.
        rows: Vec<Slot>,
        /// EXCEPT.
        except: Vec<String>,
        /// REPLACE.
        replace: Vec<(String, Expr)>,
    },
    /// `changed_cols(prefix, ignoreNull, ...)`: the result slot holds an object whose members become fields.
    Spread(Slot),
    /// `unnest(list)` and its kin: each element becomes a row.
    Unnest {
        /// Name in the result, for elements that are no objects.
        name: String,
        /// Which function.
        func: FuncId,
        /// Its name.
        func_name: &'static str,
        /// The list or object.
        expr: Expr,
    },
}

/// An analytic function and its slot.
#[derive(Debug)]
pub struct Analytic {
    /// Which.
    pub func: FuncId,
    /// Its name.
    pub name: &'static str,
    /// Arguments.
    pub args: Vec<Expr>,
    /// For `changed_cols` and `had_changed`: the names of the column arguments, and whether `*` stands among them.
    pub columns: Vec<String>,
    /// The row slot when `*` is an argument.
    pub all: Option<Slot>,
    /// OVER (PARTITION BY ...).
    pub partition: Vec<Expr>,
    /// OVER (WHEN ...).
    pub when: Option<Expr>,
    /// True if it is computed with SELECT's fields, once per row that is sent: `changed_cols`, and what has an aggregate argument.
    pub late: bool,
    /// Where its result goes.
    pub slot: Slot,
}

/// An aggregate function and its slot.
#[derive(Debug)]
pub struct Aggregate {
    /// Which.
    pub func: FuncId,
    /// Its name.
    pub name: &'static str,
    /// Arguments; the first is the column.
    pub args: Vec<Expr>,
    /// The row slots when the first argument is `*`; `args` has the others then. None for `count(*)`, which looks at no column.
    pub all: Option<Vec<Slot>>,
    /// FILTER (WHERE ...).
    pub filter: Option<Expr>,
    /// Where its result goes.
    pub slot: Slot,
}

/// ORDER BY item.
#[derive(Debug)]
pub struct Order {
    /// What is compared.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
}

/// JOIN.
#[derive(Debug)]
pub struct Join {
    /// Which.
    pub kind: JoinKind,
    /// ON; with a lookup table, what is left of it when the values that are looked up are taken out.
    pub on: Option<Expr>,
    /// What is looked up in a lookup table.
    pub probe: Option<Probe>,
    /// True if pairs come in the order of the joined source's rows, not of those before it.
    pub right_first: bool,
}

/// The row of a lookup table that fits: each of these columns has the value beside it.
#[derive(Debug)]
pub struct Probe {
    /// Values of the rows before, and columns of the table.
    pub pairs: Vec<(Expr, Slot)>,
    /// The pair whose column identifies the rows.
    pub key: Option<usize>,
}

/// Kinds of join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is SQL's join of its name")]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// GROUP BY's window.
#[derive(Debug)]
pub struct Window {
    /// Which, with its lengths.
    pub kind: WindowKind,
    /// The unit that lengths were written in: it decides alignment (facts §7.6).
    pub unit: Unit,
    /// FILTER (WHERE ...): what enters.
    pub filter: Option<Expr>,
    /// OVER (WHEN ...): which events fire a sliding window.
    pub when: Option<Expr>,
    /// OVER (PARTITION BY ...) of a state window.
    pub partition: Vec<Expr>,
}

/// Kinds of window; lengths in milliseconds. A time window whose length or hop is not above 0 is accepted, and never closes.
#[derive(Debug)]
#[expect(missing_docs, reason = "facts §7.6 has the words")]
#[expect(clippy::large_enum_variant, reason = "one per plan")]
pub enum WindowKind {
    Tumbling { length_ms: i64 },
    Hopping { length_ms: i64, hop_ms: i64 },
    Sliding { length_ms: i64, delay_ms: i64 },
    Session { max_ms: i64, timeout_ms: i64 },
    Count { count: i64, every: i64 },
    State { begin: Expr, emit: Option<Expr> },
}

/// Time units of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the SQL word of its name")]
pub enum Unit {
    Dd,
    Hh,
    Mi,
    #[default]
    Ss,
    Ms,
}
