//! Names to what they mean: a column of a source, an alias of the select list, or whatever bears the name when it is computed.
//!
//! This is eKuiper's binding step by step, because scripts lean on its outcomes: columns are bound in the order written and by
//! lower-case name, an alias wins over a column outside the select list, inside its own definition it means the column. Two of
//! its oddities are kept on purpose: among several unknown names of one clause list only the last one is an error, and an alias
//! of a bare column is seen by later fields by name only (so WHERE sees the input column of that name instead).

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Column, Expr, ExprKind, Field, Select, WindowKind};
use super::check::{aggregate_in_group, find, is_kind};
use super::error::{Span, SqlError};
use super::func::Kind;
use super::plan::Source;

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// An alias already computed for the row, else a column of any source that has it.
    ByName,
    /// A column of `sources[i]`.
    Source(usize),
    /// `aliases[i]`.
    Alias(usize),
    /// Of a stream by its alias: accepted, and nothing.
    Nothing,
}

/// A named field of the select list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias<'s> {
    /// Its name.
    pub(super) name: &'s str,
    /// Its place in `select.fields`.
    pub(super) field: usize,
    /// Whether its definition needs an aggregate.
    pub(super) aggregate: bool,
}

/// A statement with its names bound.
#[derive(Debug)]
pub(super) struct Bound<'s> {
    /// The statement.
    pub(super) select: &'s Select,
    /// Its sources.
    pub(super) sources: &'s [Source],
    /// Places in `select.fields`, in the order in which they are computed; of equal aliases on declared streams only the last.
    pub(super) order: Vec<usize>,
    /// The aliases, in that order.
    pub(super) aliases: Vec<Alias<'s>>,
    targets: BTreeMap<u32, Target>,
    names: Vec<&'s str>,
}

impl<'s> Bound<'s> {
    /// What a column means: the name to look for, its target, and the key below it when `a.b` was a path.
    pub(super) fn column<'c>(&self, column: &'c Column, span: Span) -> (&'c str, Target, Option<&'c str>) {
        let (_, name, key) = split(&self.names, column);
        (name, self.targets.get(&span.start).copied().unwrap_or(Target::ByName), key)
    }

    /// Whether a name is that of a source or its alias.
    pub(super) fn is_source(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// Whether an expression needs an aggregate, aliases looked through.
    pub(super) fn is_aggregate(&self, expr: &Expr) -> bool {
        find(expr, |e| match &e.kind {
            ExprKind::Call(_) => is_kind(e, Kind::Aggregate),
            ExprKind::Column(_) => match self.targets.get(&e.span.start) {
                Some(Target::Alias(alias)) => self.aliases.get(*alias).is_some_and(|a| a.aggregate),
                _ => false,
            },
            _ => false,
        })
        .is_some()
    }

    fn wrong(&self, span: Span, message: impl Into<String>) -> SqlError {
        SqlError::at(&self.select.text, span.start, message)
    }
}

/// Binds the names of `select` to `sources`, which stand in the order of FROM and the joins. `reuse_aliases` is off with
/// `planOptimizeStrategy.disableAliasRefCal`.
///
/// # Errors
/// Unknown and ambiguous fields, aliases in a circle, misplaced aggregates, GROUP BY without a window, a field twice.
pub(super) fn bind<'s>(select: &'s Select, sources: &'s [Source], reuse_aliases: bool) -> Result<Bound<'s>, SqlError> {
    let mut names = Vec::new();
    for source in std::iter::once(&select.from).chain(select.joins.iter().map(|j| &j.source)) {
        names.push(source.name.as_str());
        names.extend(source.alias.as_deref());
    }
    let schemaless = sources.iter().any(|s| s.columns.is_none());
    let mut binder = Binder {
        select,
        sources,
        names,
        schemaless,
        default: if let [only] = sources { Tag::Stream(&only.name) } else { Tag::Default },
        content: BTreeMap::new(),
    };
    let uses: Vec<Vec<Use<'s>>> = select.fields.iter().map(|f| binder.uses([&f.expr])).collect();
    if cyclic(select, &uses) {
        return Err(SqlError::new("select fields have cycled alias"));
    }
    let order = if schemaless || !reuse_aliases { (0..select.fields.len()).collect() } else { binder.sorted(&uses)? };
    binder.declare();
    let (targets, aliases) = binder.targets(uses, &order, reuse_aliases)?;
    let mut bound = Bound { select, sources, order, aliases, targets, names: binder.names };
    settle_aggregates(&mut bound);
    judge(&bound)?;
    Ok(bound)
}

/// Stream, name and, for a path, the key: `a.b` is a path unless `a` is a source.
fn split<'c>(names: &[&str], column: &'c Column) -> (Option<&'c str>, &'c str, Option<&'c str>) {
    match column.stream.as_deref() {
        Some(stream) if names.contains(&stream) => (Some(stream), &column.name, None),
        Some(first) => (None, first, Some(&column.name)),
        None => (None, &column.name, None),
    }
}

/// Where a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag<'s> {
    /// In no stream in particular.
    Default,
    /// In the select list.
    Alias,
    /// In a stream.
    Stream(&'s str),
}

/// One use of a name.
#[derive(Debug, Clone, Copy)]
struct Use<'s> {
    span: Span,
    name: &'s str,
    tag: Tag<'s>,
    alias: Option<usize>,
}

struct Binder<'s> {
    select: &'s Select,
    sources: &'s [Source],
    names: Vec<&'s str>,
    schemaless: bool,
    /// Where an unqualified name of a schemaless stream is looked for.
    default: Tag<'s>,
    /// By lower-case name: where it was found, and which alias it is there.
    content: BTreeMap<String, Vec<(Tag<'s>, Option<usize>)>>,
}

impl<'s> Binder<'s> {
    /// The uses of names below expressions, parents first. Conditions of a one-condition state window and PARTITION BY of
    /// windows are left out: eKuiper binds them by name.
    fn uses(&self, exprs: impl IntoIterator<Item = &'s Expr>) -> Vec<Use<'s>> {
        let mut uses = Vec::new();
        for expr in exprs {
            self.uses_of(expr, &mut uses);
        }
        uses
    }

    fn uses_of(&self, expr: &'s Expr, uses: &mut Vec<Use<'s>>) {
        expr.walk(&mut |e| match &e.kind {
            ExprKind::Column(column) => {
                let (stream, name, _) = split(&self.names, column);
                uses.push(Use { span: e.span, name, tag: stream.map_or(Tag::Default, Tag::Stream), alias: None });
                true
            }
            ExprKind::Window(window) => {
                for part in window.filter.iter().chain(&window.when) {
                    self.uses_of(part, uses);
                }
                if let WindowKind::States { begin, emit } = &window.kind {
                    self.uses_of(begin, uses);
                    self.uses_of(emit, uses);
                }
                false
            }
            _ => true,
        });
    }

    fn declared(&self, name: &str) -> bool {
        self.sources.iter().flat_map(|s| s.columns.iter().flatten()).any(|c| c.name == name)
    }

    /// The order of fields on declared streams: aliases by how far they depend on others and then by name, then the rest.
    fn sorted(&self, uses: &[Vec<Use<'s>>]) -> Result<Vec<usize>, SqlError> {
        let fields = &self.select.fields;
        let mut degrees: BTreeMap<&str, Option<usize>> = fields.iter().filter_map(|f| Some((f.alias.as_deref()?, None))).collect();
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, field) in fields.iter().enumerate() {
            let Some(alias) = field.alias.as_deref() else { continue };
            last.insert(alias, i);
            if degrees.get(alias).is_some_and(Option::is_some) {
                continue;
            }
            let (mut degree, mut unknown) = (0, None);
            for used in uses.get(i).into_iter().flatten() {
                match degrees.get(used.name) {
                    Some(Some(other)) => degree = degree.max(other + 1),
                    _ if !self.declared(used.name) => unknown = Some(used),
                    _ => {}
                }
            }
            if let Some(used) = unknown {
                let others = fields.iter().enumerate().any(|(j, f)| j != i && f.alias.as_deref() == Some(used.name));
                if !others {
                    return Err(SqlError::at(&self.select.text, used.span.start, format!("unknown field {}", used.name)));
                }
            }
            degrees.insert(alias, Some(degree));
        }
        let mut named: Vec<(usize, &str, usize)> =
            last.iter().map(|(alias, i)| (degrees.get(alias).copied().flatten().unwrap_or(0), *alias, *i)).collect();
        named.sort_unstable();
        let plain = (0..fields.len()).filter(|i| fields.get(*i).is_some_and(|f| f.alias.is_none()));
        Ok(named.into_iter().map(|(_, _, i)| i).chain(plain).collect())
    }

    /// Makes the declared columns known.
    fn declare(&mut self) {
        if self.schemaless {
            return;
        }
        for source in self.sources {
            for column in source.columns.iter().flatten() {
                let found = self.content.entry(column.name.to_lowercase()).or_default();
                let tag = Tag::Stream(source.name.as_str());
                if !found.iter().any(|(t, _)| *t == tag) {
                    found.push((tag, None));
                }
            }
        }
    }

    /// Binds one use.
    fn bind(&mut self, used: &mut Use<'s>) -> Result<(), String> {
        let lower = used.name.to_lowercase();
        if !self.content.contains_key(&lower) {
            if !self.schemaless || used.name.is_empty() {
                return Err(format!("unknown field {}", used.name));
            }
            self.content.insert(lower.clone(), Vec::new());
        }
        let found = self.content.entry(lower).or_default();
        let alias_of = |found: &[(Tag<'s>, Option<usize>)], tag: Tag<'s>| found.iter().find(|(t, _)| *t == tag).map(|(_, a)| *a);
        if used.tag == Tag::Default {
            match found.as_slice() {
                [(only, alias)] if self.schemaless || *only != Tag::Default => (used.tag, used.alias) = (*only, *alias),
                [] if self.schemaless => {
                    used.tag = self.default;
                    found.push((self.default, None));
                    return Ok(());
                }
                _ => match alias_of(found, Tag::Alias) {
                    Some(alias) => (used.tag, used.alias) = (Tag::Alias, alias),
                    None if self.schemaless && self.default != Tag::Default => used.tag = self.default,
                    None => return Err(format!("ambiguous field {}", used.name)),
                },
            }
        }
        match alias_of(found, used.tag) {
            Some(alias) => used.alias = alias,
            None if self.schemaless => found.push((used.tag, None)),
            None => {
                let Tag::Stream(stream) = used.tag else { return Err(format!("unknown field {}", used.name)) };
                return Err(format!("unknown field {stream}.{}", used.name));
            }
        }
        Ok(())
    }

    /// Makes an alias known to the clauses after the select list.
    fn save(&mut self, alias: &'s str, index: usize) -> Result<(), String> {
        let found = self.content.entry(alias.to_lowercase()).or_default();
        if found.iter().any(|(tag, _)| *tag == Tag::Alias) {
            return Err(format!("duplicate alias {alias}"));
        }
        found.push((Tag::Alias, Some(index)));
        Ok(())
    }

    fn targets(
        &mut self,
        mut uses: Vec<Vec<Use<'s>>>,
        order: &[usize],
        reuse_aliases: bool,
    ) -> Result<(BTreeMap<u32, Target>, Vec<Alias<'s>>), SqlError> {
        let select = self.select;
        let wrong = |span: Span, message: String| SqlError::at(&select.text, span.start, message);
        let mut aliases: Vec<Alias<'s>> = Vec::new();
        // Columns of the select list. The last use decides whether there is an error.
        for &i in order {
            let mut outcome = Ok(());
            for used in uses.get_mut(i).into_iter().flatten() {
                if aliases.iter().all(|a| a.name != used.name) {
                    outcome = self.bind(used).map_err(|why| wrong(used.span, why));
                }
            }
            outcome?;
            if let Some(name) = select.fields.get(i).and_then(|f| f.alias.as_deref()) {
                aliases.push(Alias { name, field: i, aggregate: false });
            }
        }
        // Aliases: known to what follows, and to other fields where those mean the same stream.
        let mut outcome = Ok(());
        for (index, alias) in aliases.iter().enumerate() {
            let field: Option<&'s Field> = select.fields.get(alias.field);
            let tag = match (field.map(|f| &f.expr.kind), uses.get(alias.field).and_then(|u| u.first())) {
                (Some(ExprKind::Column(column)), Some(used)) if split(&self.names, column).2.is_none() => used.tag,
                _ => Tag::Default,
            };
            outcome = self.save(alias.name, index).map_err(|why| wrong(field.map(|f| f.expr.span).unwrap_or_default(), why));
            if reuse_aliases {
                for &i in order {
                    if select.fields.get(i).is_some_and(|f| f.alias.as_deref() == Some(alias.name)) {
                        continue;
                    }
                    for used in uses.get_mut(i).into_iter().flatten().filter(|u| u.name == alias.name && u.tag == tag) {
                        (used.tag, used.alias) = (Tag::Alias, Some(index));
                    }
                }
            }
        }
        // The other clauses, in the order in which eKuiper walks them.
        let joins = select.joins.iter().filter_map(|j| j.on.as_ref());
        let window = select.group.iter().filter(|e| matches!(e.kind, ExprKind::Window(_))).take(1);
        let rest = select.order.iter().map(|o| &o.expr);
        let clauses = joins.chain(&select.filter).chain(window).chain(select.keys()).chain(&select.having).chain(rest);
        let mut later = self.uses(clauses);
        for used in &mut later {
            if let Tag::Stream(stream) = used.tag
                && !self.sources.iter().any(|s| s.name == stream)
            {
                outcome = Err(wrong(used.span, format!("stream {stream} not found")));
                continue;
            }
            outcome = self.bind(used).map_err(|why| wrong(used.span, why));
        }
        outcome?;
        let targets = uses.iter().flatten().chain(&later).map(|used| (used.span.start, self.target(used))).collect();
        Ok((targets, aliases))
    }

    fn target(&self, used: &Use<'s>) -> Target {
        match (used.tag, used.alias) {
            (Tag::Alias, Some(alias)) => Target::Alias(alias),
            (Tag::Stream(stream), _) => self.sources.iter().position(|s| s.name == stream).map_or(Target::Nothing, Target::Source),
            _ => Target::ByName,
        }
    }
}

/// Whether aliases are defined in a circle.
fn cyclic(select: &Select, uses: &[Vec<Use<'_>>]) -> bool {
    let alias_of = |i: usize| select.fields.get(i).and_then(|f| f.alias.as_deref());
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = (0..uses.len()).filter_map(alias_of).map(|a| (a, BTreeSet::new())).collect();
    for (i, used) in uses.iter().enumerate() {
        let Some(alias) = alias_of(i) else { continue };
        let others: Vec<&str> = used.iter().filter_map(|u| edges.get_key_value(u.name).map(|(k, _)| *k)).filter(|n| *n != alias).collect();
        edges.entry(alias).or_default().extend(others);
    }
    // Taking away whatever depends on nothing leaves the circles.
    while let Some(free) = edges.iter().find(|(_, to)| to.is_empty()).map(|(name, _)| *name) {
        edges.remove(free);
        for to in edges.values_mut() {
            to.remove(free);
        }
    }
    !edges.is_empty()
}

/// Finds out which aliases need an aggregate; they may refer to each other in any order.
fn settle_aggregates(bound: &mut Bound<'_>) {
    loop {
        let now: Vec<bool> = bound
            .aliases
            .iter()
            .map(|a| a.aggregate || bound.select.fields.get(a.field).is_some_and(|f| bound.is_aggregate(&f.expr)))
            .collect();
        let changed = bound.aliases.iter().zip(&now).any(|(a, now)| a.aggregate != *now);
        for (alias, now) in bound.aliases.iter_mut().zip(now) {
            alias.aggregate = now;
        }
        if !changed {
            return;
        }
    }
}

fn judge(bound: &Bound<'_>) -> Result<(), SqlError> {
    let select = bound.select;
    if let Some(having) = &select.having
        && !all_aggregate(bound, having)
    {
        let shown = select.text.get(having.span.start as usize..having.span.end as usize).unwrap_or("");
        let message = format!("Not allowed to call non-aggregate functions in HAVING clause: {shown}.");
        return Err(bound.wrong(having.span, message));
    }
    for key in &select.group {
        if bound.is_aggregate(key) {
            return Err(bound.wrong(key.span, aggregate_in_group(&select.text, key)));
        }
    }
    let grouped = !select.group.is_empty() || !select.joins.is_empty();
    let joins = select.joins.iter().filter_map(|j| j.on.as_ref());
    let fields = bound.order.iter().filter_map(|i| select.fields.get(*i)).map(|f| &f.expr);
    let rest = select.order.iter().map(|o| &o.expr);
    for clause in fields.chain(joins).chain(&select.filter).chain(select.keys()).chain(&select.having).chain(rest) {
        let mut fault = None;
        clause.walk(&mut |e| {
            match &e.kind {
                ExprKind::Window(_) => return false,
                ExprKind::Call(call) => {
                    if call.kind == Kind::Aggregate && call.args.iter().any(|arg| bound.is_aggregate(arg)) {
                        let message = format!("invalid argument for func {}: aggregate argument is not allowed", call.name);
                        fault = Some(bound.wrong(e.span, message));
                    }
                    if grouped && matches!(call.name.as_str(), "last_hit_count" | "last_hit_time") {
                        fault = Some(bound.wrong(e.span, format!("function {} is not allowed in an aggregate query", call.name)));
                    }
                }
                _ => {}
            }
            fault.is_none()
        });
        if let Some(fault) = fault {
            return Err(fault);
        }
    }
    if select.window().is_none()
        && let Some(key) = select.keys().next()
    {
        return Err(bound.wrong(key.span, "select stmt group by should be used with window"));
    }
    let mut seen = BTreeSet::new();
    for field in bound.order.iter().filter_map(|i| select.fields.get(*i)) {
        let name = field.output();
        if name != "*" && !field.invisible && !seen.insert(name) {
            return Err(bound.wrong(field.expr.span, format!("duplicate field definition {name}")));
        }
    }
    Ok(())
}

/// Whether HAVING consists of aggregates. Only bare operators, calls and columns are looked at, as in eKuiper: what stands in
/// parentheses, a CASE or a path passes.
fn all_aggregate(bound: &Bound<'_>, expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Binary { left, right, .. } => all_aggregate(bound, left) && all_aggregate(bound, right),
        ExprKind::In { of, set, .. } => {
            all_aggregate(bound, of)
                && match set {
                    super::ast::Set::List(_) => true,
                    super::ast::Set::Array(array) => all_aggregate(bound, array),
                }
        }
        ExprKind::Between { of, .. } | ExprKind::Like { of, .. } => all_aggregate(bound, of),
        ExprKind::Call(_) | ExprKind::Column(_) => bound.is_aggregate(expr),
        _ => true,
    }
}
