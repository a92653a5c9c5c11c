//! A parsed SELECT and the columns of its sources to a [`Plan`].
//!
//! Columns, analytic results and aggregates get slots; aliases that others refer to are computed once per row; patterns, paths
//! and zones in literal arguments are compiled. Each clause is lowered in the order in which it runs (facts §7.2), because a name
//! that was left unbound means an alias only once that alias has been computed for the row.

mod expr;
mod lookup;

pub(super) use lookup::{conjuncts, equality};

use super::ast::{self, ExprKind, Select};
use super::bind::{Bound, Target, bind};
use super::check::{find, is_kind};
use super::error::{Span, SqlError};
use super::explain::Texts;
use super::func::{FuncId, Kind};
use super::plan::{Alias, Expr, Field, Join, JoinKind, Op, Order, Plan, Slot, SlotKind, Source, Unit, Window, WindowKind};
use crate::limits::SLOT_COUNT;
use crate::time::Zone;
use std::collections::{BTreeMap, BTreeSet};

/// Most sources of one statement: plans number them with a byte.
const SOURCE_MAX: usize = u8::MAX as usize;

/// Plans `select`. `sources` stand in the order of FROM and the joins; `reuse_aliases` is off with
/// `planOptimizeStrategy.disableAliasRefCal`; `zones` finds time zones by name.
///
/// # Errors
/// What `bind` refuses; joins without a window or table; a window over tables alone; more slots than [`SLOT_COUNT`].
pub fn lower(select: &Select, sources: Vec<Source>, reuse_aliases: bool, zones: &dyn Fn(&str) -> Option<Zone>) -> Result<Plan, SqlError> {
    if sources.len() > SOURCE_MAX {
        return Err(SqlError::new(format!("a statement has at most {SOURCE_MAX} sources")));
    }
    let bound = bind(select, &sources, reuse_aliases)?;
    let tables = sources.iter().filter(|s| s.table).count();
    if select.window().is_some() && tables == sources.len() {
        return Err(SqlError::new("cannot run window for TABLE sources"));
    }
    if !select.joins.is_empty() && tables == 0 && select.window().is_none() {
        return Err(SqlError::new("a time window or count window is required to join multiple streams"));
    }
    let mut lowerer = Lowerer {
        plan: Plan::default(),
        alias_places: vec![None; bound.aliases.len()],
        referenced: referenced(&bound),
        bound: &bound,
        columns: BTreeMap::new(),
        rows: BTreeMap::new(),
        row_uses: BTreeMap::new(),
        analytics: BTreeMap::new(),
        aggregates: BTreeMap::new(),
        computed: BTreeSet::new(),
        stage: Stage::Early,
        zones,
    };
    lowerer.statement()?;
    let mut plan = lowerer.plan;
    if plan.slots.len() + plan.aliases.len() > SLOT_COUNT {
        let message =
            format!("the rule uses {} columns and results, more than SLOT_COUNT ({SLOT_COUNT})", plan.slots.len() + plan.aliases.len());
        return Err(SqlError::new(message));
    }
    plan.sources = sources;
    Ok(plan)
}

/// What is being lowered, as far as that changes the meaning of a call or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Analytic functions, window and joins.
    Early,
    /// WHERE: its aggregates are its own.
    Filter,
    /// Everything after it.
    Late,
}

struct Lowerer<'s> {
    plan: Plan,
    bound: &'s Bound<'s>,
    /// Slots of columns, by source and name.
    columns: BTreeMap<(usize, String), Slot>,
    /// Slots of whole rows, by source.
    rows: BTreeMap<usize, Slot>,
    /// How often the whole row of a source is asked for.
    row_uses: BTreeMap<usize, usize>,
    /// Slots of analytic calls by place in the text: each has a state of its own.
    analytics: BTreeMap<u32, Slot>,
    /// Slots of aggregate calls by what they say, those of WHERE apart.
    aggregates: BTreeMap<(bool, String), Slot>,
    /// Places in [`Plan::aliases`] of the aliases lowered so far.
    alias_places: Vec<Option<u16>>,
    /// Aliases that something else refers to.
    referenced: BTreeSet<usize>,
    /// Aliases computed for the row by the time the present clause runs.
    computed: BTreeSet<usize>,
    stage: Stage,
    zones: &'s dyn Fn(&str) -> Option<Zone>,
}

impl<'s> Lowerer<'s> {
    fn statement(&mut self) -> Result<(), SqlError> {
        let select = self.bound.select;
        self.hoist_analytics()?;
        if let Some(window) = select.window() {
            self.plan.window = Some(self.window(window)?);
        }
        for (place, join) in select.joins.iter().enumerate() {
            let planned = match self.looked_up(place + 1) {
                Some(key) => self.lookup_join(join, place + 1, key)?,
                None => {
                    let on = join.on.as_ref().map(|on| self.expr(on)).transpose()?;
                    let right_first = join.kind == ast::JoinKind::Right || (place == 0 && self.turned());
                    Join { kind: join_kind(join.kind), on, probe: None, right_first }
                }
            };
            self.plan.joins.push(planned);
        }
        if let Some(filter) = &select.filter {
            self.stage = Stage::Filter;
            self.filter(filter)?;
        }
        self.stage = Stage::Late;
        let state_window = matches!(self.plan.window, Some(Window { kind: WindowKind::State { .. }, .. }));
        if !state_window {
            for key in select.keys() {
                let key = self.expr(key)?;
                self.plan.groups.push(key);
            }
        }
        self.plan.grouped =
            select.keys().next().is_some() || select.fields.iter().any(|f| find(&f.expr, |e| is_kind(e, Kind::Aggregate)).is_some());
        self.plan.having = select.having.as_ref().map(|having| self.expr(having)).transpose()?;
        for order in &select.order {
            let expr = self.expr(&order.expr)?;
            self.plan.order.push(Order { expr, descending: order.descending });
        }
        self.fields()?;
        self.unread();
        self.plan.limit = select.limit.filter(|count| *count >= 0);
        Ok(())
    }

    /// WHERE. In a right or full join with tables, what it asks of the stream alone decides which events join at all, as eKuiper's
    /// optimizer moves it; in other joins that gives the same rows.
    fn filter(&mut self, filter: &'s ast::Expr) -> Result<(), SqlError> {
        let select = self.bound.select;
        let moves = select.window().is_none() && select.joins.iter().any(|j| matches!(j.kind, ast::JoinKind::Right | ast::JoinKind::Full));
        if !moves {
            let filter = self.expr(filter)?;
            and(&mut self.plan.filter, filter);
            return Ok(());
        }
        let mut parts = vec![filter];
        while let Some(part) = parts.pop() {
            match &part.kind {
                ExprKind::Binary { op: ast::BinaryOp::And, left, right } => parts.extend([&**right, &**left]),
                _ => {
                    let early = self.asks_a_stream_alone(part);
                    let expr = self.expr(part)?;
                    and(if early { &mut self.plan.early_filter } else { &mut self.plan.filter }, expr);
                }
            }
        }
        Ok(())
    }

    /// Whether a condition looks at columns of a stream, and at nothing else that a joined row has.
    fn asks_a_stream_alone(&self, part: &'s ast::Expr) -> bool {
        let (mut streams, mut others) = (0, 0);
        part.walk(&mut |e| {
            match &e.kind {
                ExprKind::Column(column) => match self.bound.column(column, e.span).1 {
                    Target::Source(source) if self.bound.sources.get(source).is_some_and(|s| !s.table) => streams += 1,
                    _ => others += 1,
                },
                ExprKind::Call(call) if call.kind != Kind::Scalar => others += 1,
                ExprKind::Star(_) | ExprKind::Meta(_) => others += 1,
                _ => {}
            }
            true
        });
        streams > 0 && others == 0
    }

    /// Gives every analytic call its slot, first those of SELECT, inner ones first: they all run before anything else.
    fn hoist_analytics(&mut self) -> Result<(), SqlError> {
        let select = self.bound.select;
        let fields = self.bound.order.iter().filter_map(|i| select.fields.get(*i)).map(|f| &f.expr);
        let joins = select.joins.iter().filter_map(|j| j.on.as_ref());
        let rest = select.order.iter().map(|o| &o.expr);
        for clause in fields.chain(joins).chain(&select.filter).chain(&select.group).chain(&select.having).chain(rest) {
            let mut calls = Vec::new();
            clause.walk(&mut |e| {
                if is_analytic(e) && !self.is_late(e) {
                    calls.push(e);
                }
                true
            });
            for call in calls.into_iter().rev() {
                self.analytic(call)?;
            }
        }
        Ok(())
    }

    /// Whether an analytic call must wait for SELECT: `changed_cols`, and whatever has an aggregate for an argument.
    fn is_late(&self, expr: &ast::Expr) -> bool {
        match &expr.kind {
            ExprKind::Call(call) => call.name == "changed_cols" || call.args.iter().any(|arg| self.bound.is_aggregate(arg)),
            _ => false,
        }
    }

    /// The select list. Fields without alias are computed first, then the aliases: eKuiper's order, which names left unbound
    /// depend on.
    fn fields(&mut self) -> Result<(), SqlError> {
        let select = self.bound.select;
        let mut lowered: Vec<(usize, Field)> = Vec::new();
        for named in [false, true] {
            for &place in &self.bound.order {
                let Some(field) = select.fields.get(place).filter(|f| f.alias.is_some() == named) else { continue };
                // A bare column is picked after everything was computed.
                let plain = !named && matches!(field.expr.kind, ExprKind::Column(_) | ExprKind::Unit(..));
                if !plain {
                    lowered.push((place, self.field(place, field)?));
                }
            }
        }
        for &place in &self.bound.order {
            if let Some(field) = select.fields.get(place)
                && lowered.iter().all(|(done, _)| *done != place)
            {
                lowered.push((place, self.field(place, field)?));
            }
        }
        lowered.sort_by_key(|(place, _)| *place);
        let texts = Texts::of(self.bound);
        self.plan.labels = lowered.iter().filter_map(|(place, _)| select.fields.get(*place)).map(|f| texts.label(f)).collect();
        self.plan.fields = lowered.into_iter().map(|(_, field)| field).collect();
        Ok(())
    }

    /// Finds the columns that no whole row is asked for with.
    fn unread(&mut self) {
        for field in &self.plan.fields {
            let Field::Wildcard { rows, except, .. } = field else { continue };
            for (&source, _) in self.rows.iter().filter(|(source, slot)| rows.contains(slot) && self.row_uses.get(source) == Some(&1)) {
                let source = u8::try_from(source).unwrap_or(u8::MAX);
                self.plan.unread.extend(except.iter().map(|name| (source, name.clone())));
            }
        }
    }

    fn field(&mut self, place: usize, field: &'s ast::Field) -> Result<Field, SqlError> {
        if field.alias.is_none() {
            match &field.expr.kind {
                ExprKind::Star(star) => {
                    let rows = self.all_rows();
                    let replace = self.replace(star)?;
                    return Ok(Field::Wildcard { rows, except: star.except.clone(), replace });
                }
                ExprKind::Column(column) if column.name == "*" => {
                    let stream = column.stream.as_deref().unwrap_or("");
                    if let Some(source) = self.bound.sources.iter().position(|s| s.name == stream) {
                        return Ok(Field::Wildcard { rows: vec![self.row(source)], except: Vec::new(), replace: Vec::new() });
                    }
                }
                ExprKind::Call(call) if call.name == "changed_cols" && !field.invisible => {
                    return Ok(Field::Spread(self.analytic(&field.expr)?));
                }
                _ => {}
            }
        }
        if let ExprKind::Call(call) = &field.expr.kind
            && call.kind == Kind::SetReturning
            && !field.invisible
        {
            let (func, func_name) = canonical(call.id);
            let expr = match call.args.first() {
                Some(arg) => self.expr(arg)?,
                None => Expr::Const(super::plan::Literal::Null),
            };
            return Ok(Field::Unnest { name: field.output().to_owned(), func, func_name, expr });
        }
        let alias = self.bound.aliases.iter().position(|a| a.field == place);
        let expr = match alias {
            Some(alias) if self.referenced.contains(&alias) => self.alias(alias)?,
            _ => self.expr(&field.expr)?,
        };
        let plain = match &field.expr.kind {
            ExprKind::Column(_) | ExprKind::Unit(..) => {
                field.alias.is_none() && matches!(expr, Expr::Slot(_) | Expr::First(_) | Expr::Alias(_))
            }
            _ => false,
        };
        Ok(Field::Named { name: field.output().to_owned(), expr, visible: !field.invisible, plain, aliased: field.alias.is_some() })
    }

    /// A use of an alias: its definition is lowered at its first use.
    fn alias(&mut self, alias: usize) -> Result<Expr, SqlError> {
        let Some(definition) = self.bound.aliases.get(alias).copied() else { return Ok(Expr::Const(super::plan::Literal::Null)) };
        let Some(field) = self.bound.select.fields.get(definition.field) else { return Ok(Expr::Const(super::plan::Literal::Null)) };
        if definition.aggregate && self.stage != Stage::Late {
            // WHERE and what comes before it have aggregates of their own, over rows that SELECT may never see.
            return self.expr(&field.expr);
        }
        if let Some(place) = self.alias_places.get(alias).copied().flatten() {
            self.computed.insert(alias);
            return Ok(Expr::Alias(place));
        }
        let expr = self.expr(&field.expr)?;
        let place = u16::try_from(self.plan.aliases.len()).map_err(|_| SqlError::new("too many aliases"))?;
        self.plan.aliases.push(Alias { name: definition.name.to_owned(), expr, aggregate: definition.aggregate });
        if let Some(slot) = self.alias_places.get_mut(alias) {
            *slot = Some(place);
        }
        self.computed.insert(alias);
        Ok(Expr::Alias(place))
    }

    fn replace(&mut self, star: &'s ast::Star) -> Result<Vec<(String, Expr)>, SqlError> {
        star.replace.iter().map(|f| Ok((f.output().to_owned(), self.expr(&f.expr)?))).collect()
    }

    fn window(&mut self, window: &'s ast::Window) -> Result<Window, SqlError> {
        use ast::WindowKind as From;
        let ms = |unit: ast::TimeUnit, count: i64| count.saturating_mul(unit.millis());
        let mut written = ast::TimeUnit::Second;
        let kind = match &window.kind {
            From::Tumbling { unit, length } => {
                written = *unit;
                WindowKind::Tumbling { length_ms: ms(*unit, *length) }
            }
            From::Hopping { unit, length, hop } => {
                written = *unit;
                WindowKind::Hopping { length_ms: ms(*unit, *length), hop_ms: ms(*unit, *hop) }
            }
            From::Sliding { unit, length, delay } => {
                written = *unit;
                WindowKind::Sliding { length_ms: ms(*unit, *length), delay_ms: ms(*unit, *delay) }
            }
            From::Session { unit, length, timeout } => {
                written = *unit;
                WindowKind::Session { max_ms: ms(*unit, *length), timeout_ms: ms(*unit, *timeout) }
            }
            From::Count { length, every } => WindowKind::Count { count: (*length).max(1), every: every.unwrap_or(*length).max(1) },
            From::States { begin, emit } => WindowKind::State { begin: self.expr(begin)?, emit: Some(self.expr(emit)?) },
            From::State { change } => WindowKind::State { begin: self.expr(change)?, emit: None },
        };
        let unit = match written {
            ast::TimeUnit::Day => Unit::Dd,
            ast::TimeUnit::Hour => Unit::Hh,
            ast::TimeUnit::Minute => Unit::Mi,
            ast::TimeUnit::Second => Unit::Ss,
            ast::TimeUnit::Millisecond => Unit::Ms,
        };
        let filter = window.filter.as_ref().map(|e| self.expr(e)).transpose()?;
        let when = window.when.as_ref().map(|e| self.expr(e)).transpose()?;
        let partition = window.partition.iter().map(|e| self.expr(e)).collect::<Result<_, _>>()?;
        Ok(Window { kind, unit, filter, when, partition })
    }

    fn new_slot(&mut self, kind: SlotKind) -> Slot {
        // Far more slots than fit are refused at the end; until then the number only has to stay a number.
        let slot = Slot(u16::try_from(self.plan.slots.len()).unwrap_or(u16::MAX));
        self.plan.slots.push(kind);
        slot
    }

    /// The slot of a column of a source.
    fn column(&mut self, source: usize, name: &str) -> Slot {
        if let Some(slot) = self.columns.get(&(source, name.to_owned())) {
            return *slot;
        }
        let columns = self.bound.sources.get(source).and_then(|s| s.columns.as_ref());
        let typ = columns.and_then(|columns| columns.iter().rev().find(|c| c.name == name)).map(|c| c.typ.clone());
        let slot = self.new_slot(SlotKind::Column { source: u8::try_from(source).unwrap_or(u8::MAX), name: name.to_owned(), typ });
        self.columns.insert((source, name.to_owned()), slot);
        slot
    }

    /// The slot of a source's whole row.
    fn row(&mut self, source: usize) -> Slot {
        *self.row_uses.entry(source).or_default() += 1;
        if let Some(slot) = self.rows.get(&source) {
            return *slot;
        }
        let slot = self.new_slot(SlotKind::Row { source: u8::try_from(source).unwrap_or(u8::MAX) });
        self.rows.insert(source, slot);
        slot
    }

    fn all_rows(&mut self) -> Vec<Slot> {
        self.joined_order().into_iter().map(|source| self.row(source)).collect()
    }

    /// Sources in the order in which a joined row has them: the right side of a RIGHT JOIN comes first.
    fn joined_order(&self) -> Vec<usize> {
        let mut order = Vec::from([0]);
        for (join, source) in self.bound.select.joins.iter().zip(1..) {
            match join.kind {
                _ if self.looked_up(source).is_some() => order.push(source),
                ast::JoinKind::Right => order.insert(0, source),
                _ if source == 1 && self.turned() => order.insert(0, source),
                _ => order.push(source),
            }
        }
        order
    }

    /// The column that identifies the rows of a source, if it is a lookup table.
    fn looked_up(&self, source: usize) -> Option<&'s str> {
        self.bound.sources.get(source).and_then(|s| s.lookup.as_deref())
    }

    /// Whether the first join is an inner one whose ON names the joined source first, and no third one: eKuiper then takes the sides
    /// the other way round, which shows in the order of the pairs.
    fn turned(&self) -> bool {
        if self.looked_up(1).is_some() {
            return false;
        }
        let Some(ast::Join { kind: ast::JoinKind::Inner, on: Some(on), .. }) = self.bound.select.joins.first() else { return false };
        let mut named = Vec::new();
        on.walk(&mut |e| {
            if let ExprKind::Column(column) = &e.kind
                && let (_, Target::Source(source), _) = self.bound.column(column, e.span)
                && !named.contains(&source)
            {
                named.push(source);
            }
            true
        });
        matches!(named.as_slice(), [1] | [1, 0])
    }

    fn wrong(&self, span: Span, message: impl Into<String>) -> SqlError {
        SqlError::at(&self.bound.select.text, span.start, message)
    }
}

/// The aliases that something beside their own field refers to.
fn referenced(bound: &Bound<'_>) -> BTreeSet<usize> {
    let select = bound.select;
    let mut found = BTreeSet::new();
    let mut named = |name: &str| found.extend(bound.aliases.iter().enumerate().filter(|(_, a)| a.name == name).map(|(i, _)| i));
    let mut targets = Vec::new();
    let joins = select.joins.iter().filter_map(|j| j.on.as_ref());
    let fields = select.fields.iter().map(|f| &f.expr);
    let rest = select.order.iter().map(|o| &o.expr);
    for clause in fields.chain(joins).chain(&select.filter).chain(&select.group).chain(&select.having).chain(rest) {
        clause.walk(&mut |e| {
            match &e.kind {
                ExprKind::Unit(_, name) => named(name),
                ExprKind::Column(column) => match bound.column(column, e.span) {
                    (name, Target::ByName, _) => named(name),
                    (_, Target::Alias(alias), _) => targets.push(alias),
                    _ => {}
                },
                _ => {}
            }
            true
        });
    }
    found.extend(targets);
    found
}

/// Adds a condition to those before it.
fn and(all: &mut Option<Expr>, more: Expr) {
    *all = Some(match all.take() {
        Some(before) => Expr::Binary(Op::And, Box::new(before), Box::new(more)),
        None => more,
    });
}

/// Whether it is a call of an analytic function.
fn is_analytic(expr: &ast::Expr) -> bool {
    is_kind(expr, Kind::Analytic)
}

/// A function by the name that its row in the tables has.
fn canonical(id: FuncId) -> (FuncId, &'static str) {
    (id, super::func::get(id).map_or("", |f| f.name))
}

const fn join_kind(kind: ast::JoinKind) -> JoinKind {
    match kind {
        ast::JoinKind::Inner => JoinKind::Inner,
        ast::JoinKind::Left => JoinKind::Left,
        ast::JoinKind::Right => JoinKind::Right,
        ast::JoinKind::Full => JoinKind::Full,
        ast::JoinKind::Cross => JoinKind::Cross,
    }
}

#[cfg(test)]
mod tests;
