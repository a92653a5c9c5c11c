//! Aggregate functions as accumulators: each row of a group is added once, in order; the result can be asked for at any time.
//!
//! In: rows under evaluation. Out: values, with eKuiper's rules (facts §7.8): the first value that is not nil decides the type, nils
//! are left out, ints divide as ints. State: [`ACC_BYTES`] per group and aggregate inside the group's value, and for what grows
//! (`collect`, `median`, texts, …) a value of its own in the same [`Store`]. What a row breaks stays broken: the result is the fault.

use super::expr::Evaluator;
use super::state::{Full, Id, Store, View, put_u32, u32_at};
use crate::sql::plan::Aggregate;
use crate::value::packed::{self, Encoder};
use crate::value::text::{go_text, typed};
use crate::value::{Eval, Fault, Packed, Scratch, Value};

/// State of one aggregate within its group's value.
pub const ACC_BYTES: usize = 40;

/// Bytes kept of a fault's sentence.
const FAULT_BYTES: usize = 256;
/// Bytes of a value that is kept without an entry of its own.
const INLINE: usize = 16;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the function of its name")]
pub enum Kind {
    Avg,
    Count,
    Max,
    Min,
    Sum,
    Collect,
    LastValue,
    MergeAgg,
    Deduplicate,
    Stddev,
    Stddevs,
    Var,
    Vars,
    PercentileCont,
    PercentileDisc,
    Median,
}

impl Kind {
    /// By its name in `sql/func`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "avg" => Self::Avg,
            "count" => Self::Count,
            "max" => Self::Max,
            "min" => Self::Min,
            "sum" => Self::Sum,
            "collect" => Self::Collect,
            "last_value" => Self::LastValue,
            "merge_agg" => Self::MergeAgg,
            "deduplicate" => Self::Deduplicate,
            "stddev" => Self::Stddev,
            "stddevs" => Self::Stddevs,
            "var" => Self::Var,
            "vars" => Self::Vars,
            "percentile_cont" => Self::PercentileCont,
            "percentile_disc" => Self::PercentileDisc,
            "median" => Self::Median,
            _ => return None,
        })
    }

    /// True if its state grows with the rows.
    #[must_use]
    pub const fn grows(self) -> bool {
        matches!(self, Self::Collect | Self::MergeAgg | Self::Deduplicate | Self::PercentileCont | Self::PercentileDisc | Self::Median)
    }
}

/// Why a row was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// The store has no room for what grew.
    Full,
    /// The row cannot be evaluated at all.
    Fault(Fault<'a>),
}

impl From<Full> for Trouble<'_> {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// The aggregates of one list of a plan, bound to their functions.
#[derive(Debug, Default)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// Binds a list. A name that is no aggregate counts rows: the planner lets none through.
    #[must_use]
    pub fn of(list: &[Aggregate]) -> Self {
        Self(list.iter().map(|a| Kind::of(a.name).unwrap_or(Kind::Count)).collect())
    }

    /// Bytes of a group's value that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len() * ACC_BYTES
    }

    /// True if any grows with the rows.
    #[must_use]
    pub fn grow(&self) -> bool {
        self.0.iter().any(|k| k.grows())
    }

    /// Adds the evaluator's row to all accumulators of `group`, which stand from `base` on in its value.
    ///
    /// # Errors
    /// [`Trouble::Full`]: some accumulators have the row, those from the one that found no room on have not.
    pub fn add<'a, B: AsRef<[u8]> + AsMut<[u8]>>(
        &self,
        store: &mut Store<B>,
        group: Id,
        base: usize,
        list: &'a [Aggregate],
        ev: &Evaluator<'_, 'a>,
    ) -> Result<(), Trouble<'a>> {
        for (i, (kind, aggregate)) in self.0.iter().zip(list).enumerate() {
            add(store, group, base + i * ACC_BYTES, *kind, i, aggregate, ev)?;
        }
        Ok(())
    }

    /// Puts the results for `group` into the row's slots; what a row broke is told to the expression that reads the slot.
    ///
    /// # Errors
    /// A full scratch.
    pub fn results<'a>(
        &self,
        view: View<'a>,
        group: Option<Id>,
        base: usize,
        list: &[Aggregate],
        ev: &Evaluator<'_, 'a>,
    ) -> Result<(), Fault<'a>> {
        for (i, (kind, aggregate)) in self.0.iter().zip(list).enumerate() {
            // Nothing was added: all are nil.
            let value = match group {
                None => Ok(Value::Null),
                Some(group) => {
                    let acc = view.get(group).get(base + i * ACC_BYTES..).and_then(|a| a.get(..ACC_BYTES)).unwrap_or(&[]);
                    result(view, acc, *kind, aggregate.name, ev.ctx.scratch)
                }
            };
            match value {
                Ok(value) => ev.row.set(aggregate.slot, Some(value)),
                Err(Fault::FULL) => return Err(Fault::FULL),
                Err(fault) => ev.row.set_broken(aggregate.slot, fault),
            }
        }
        Ok(())
    }

    /// True if the accumulators of two runs of rows make those of both.
    #[must_use]
    pub fn can_merge(&self) -> bool {
        self.0.iter().all(|kind| !kind.grows())
    }

    /// Adds the rows of `later` to `acc`; false if that cannot be told from the accumulators, which are spoilt then.
    pub fn merge(&self, acc: &mut [u8], later: &[u8]) -> bool {
        let (accs, _) = acc.as_chunks_mut::<ACC_BYTES>();
        let (laters, _) = later.as_chunks::<ACC_BYTES>();
        self.0.iter().zip(accs.iter_mut().zip(laters)).all(|(kind, (acc, later))| merge_accs(*kind, acc, later))
    }

    /// Bytes that the accumulators of a group keep outside its value.
    #[must_use]
    pub fn own_bytes<B: AsRef<[u8]> + AsMut<[u8]>>(&self, store: &Store<B>, group: Id, base: usize) -> usize {
        let own = |i: usize| Id::from_raw(u32_at(store.get(group), base + i * ACC_BYTES + OWN));
        (0..self.0.len()).filter_map(own).map(|id| store.get(id).len()).sum()
    }

    /// Gives back what the accumulators of a group keep outside its value.
    pub fn release<B: AsRef<[u8]> + AsMut<[u8]>>(&self, store: &mut Store<B>, group: Id, base: usize) {
        for (i, kind) in self.0.iter().enumerate() {
            let own = u32_at(store.get(group), base + i * ACC_BYTES + OWN);
            if let Some(id) = Id::from_raw(own) {
                store.remove(id);
            }
            if *kind == Kind::Deduplicate {
                let prefix = seen_prefix(group, i);
                loop {
                    let found = store.view().named().find(|id| store.view().key(*id).starts_with(&prefix));
                    let Some(id) = found else { break };
                    store.remove(id);
                }
            }
        }
    }
}

const TAG: usize = 0;
const FLAG: usize = 1;
/// Raw id of the value of its own.
const OWN: usize = 4;
const COUNT: usize = 8;
const A: usize = 16;
const B: usize = 24;

/// Type of what was seen so far.
const NOTHING: u8 = 0;
const INT: u8 = 1;
const FLOAT: u8 = 2;
const TEXT: u8 = 3;
const FAULT: u8 = 255;

/// In the flag of a percentile: rows came, and none of them said which.
const NO_SHARE: u8 = 2;

/// A copy of an accumulator's state while it is changed.
struct Acc([u8; ACC_BYTES]);

impl Acc {
    fn count(&self) -> u64 {
        self.word(COUNT)
    }

    fn word(&self, at: usize) -> u64 {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
    }

    fn int(&self, at: usize) -> i64 {
        self.word(at).cast_signed()
    }

    fn float(&self, at: usize) -> f64 {
        f64::from_bits(self.word(at))
    }

    fn set(&mut self, at: usize, word: u64) {
        if let Some(place) = self.0.get_mut(at..at + 8) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn own(&self) -> Option<Id> {
        Id::from_raw(u32_at(&self.0, OWN))
    }
}

fn add<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    group: Id,
    at: usize,
    kind: Kind,
    index: usize,
    aggregate: &'a Aggregate,
    ev: &Evaluator<'_, 'a>,
) -> Result<(), Trouble<'a>> {
    let mut acc = Acc([0; ACC_BYTES]);
    match store.get(group).get(at..at + ACC_BYTES) {
        Some(bytes) => acc.0.copy_from_slice(bytes),
        None => return Err(Trouble::Full),
    }
    if acc.0[TAG] == FAULT {
        return Ok(());
    }
    let outcome = match arguments(aggregate, ev) {
        Ok(None) => return Ok(()),
        Ok(Some((value, second))) => take(store, group, index, &mut acc, kind, value, second, ev.ctx.scratch),
        Err(Fault::FULL) => Err(Trouble::Fault(Fault::FULL)),
        Err(fault) => Err(Trouble::Fault(no_operand(kind, acc.0[TAG], fault, ev.ctx.scratch))),
    };
    match outcome {
        Ok(()) => {}
        Err(Trouble::Full) => return Err(Trouble::Full),
        Err(Trouble::Fault(fault)) => {
            acc.0[TAG] = FAULT;
            let text = fault.text.as_bytes();
            let text = text.get(..FAULT_BYTES).unwrap_or(text);
            put_own(store, &mut acc, text)?;
        }
    }
    if let Some(place) = store.get_mut(group).get_mut(at..at + ACC_BYTES) {
        place.copy_from_slice(&acc.0);
    }
    Ok(())
}

/// The fault of a row whose argument is one, as eKuiper words it: a value of a wrong type.
fn no_operand<'a>(kind: Kind, tag: u8, fault: Fault<'a>, scratch: &Scratch<'a>) -> Fault<'a> {
    let text = fault.text;
    let run = match kind {
        Kind::Avg => "run avg function error: ",
        Kind::Sum => "run sum function error: ",
        Kind::Max | Kind::Min => "",
        _ => return fault,
    };
    match tag {
        NOTHING => scratch.fault(format_args!("{run}found invalid arg *errors.errorString({text})")),
        INT if run.is_empty() => scratch.fault(format_args!("requires int64 but found *errors.errorString({text})")),
        INT => scratch.fault(format_args!("requires int but found *errors.errorString({text})")),
        FLOAT => scratch.fault(format_args!("requires float64 but found *errors.errorString({text})")),
        _ => scratch.fault(format_args!("requires string but found *errors.errorString({text})")),
    }
}

/// The values of the arguments for this row; `None` if FILTER leaves it out.
fn arguments<'a>(aggregate: &'a Aggregate, ev: &Evaluator<'_, 'a>) -> Result<Option<(Value<'a>, Value<'a>)>, Fault<'a>> {
    if let Some(filter) = &aggregate.filter
        && !ev.holds(filter, "Filter")?
    {
        return Ok(None);
    }
    let mut args = aggregate.args.iter().map(|arg| ev.eval(arg));
    let mut next = || args.next().unwrap_or(Ok(Value::Null));
    Ok(Some(match &aggregate.all {
        // `count(*)` looks at no column.
        Some(rows) if rows.is_empty() => (Value::Bool(true), Value::Null),
        Some(_) if aggregate.name == "deduplicate" => {
            let (column, all) = (next()?, next()?);
            if !matches!(all, Value::Bool(_)) {
                return Err(Fault::new("Invalid argument type found."));
            }
            (column, all)
        }
        Some(rows) => (ev.whole_row(rows, &[], &[])?, next()?),
        None => (next()?, next()?),
    }))
    .and_then(|found| match (&aggregate.all, found) {
        (Some(rows), Some((column, Value::Bool(all)))) if aggregate.name == "deduplicate" => {
            // The row goes along with the column it is known by: a list of both.
            let row = ev.whole_row(rows, &[], &[])?;
            let mut pair = ev.ctx.scratch.pack();
            pair.begin_list()?;
            pair.value(row)?;
            pair.value(column)?;
            pair.end()?;
            Ok(Some((Value::Packed(pair.finish()?), Value::Bool(all))))
        }
        (_, found) => Ok(found),
    })
}

#[expect(clippy::too_many_arguments, reason = "one call per row and aggregate")]
fn take<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    group: Id,
    index: usize,
    acc: &mut Acc,
    kind: Kind,
    value: Value<'a>,
    second: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    let count = acc.count();
    match kind {
        Kind::Count => acc.set(COUNT, count + u64::from(!value.is_null())),
        Kind::Sum | Kind::Avg => {
            if value.is_null() {
                return Ok(());
            }
            match (acc.0[TAG], value) {
                (NOTHING, Value::Int(i)) => {
                    acc.0[TAG] = INT;
                    acc.set(A, i.cast_unsigned());
                }
                (NOTHING, Value::Float(x)) => {
                    acc.0[TAG] = FLOAT;
                    acc.set(A, x.to_bits());
                }
                (INT, Value::Int(i)) => acc.set(A, acc.int(A).wrapping_add(i).cast_unsigned()),
                (INT, Value::Float(x)) => acc.set(A, acc.int(A).wrapping_add(go_int(x)).cast_unsigned()),
                (FLOAT, Value::Float(x)) => acc.set(A, (acc.float(A) + x).to_bits()),
                (tag, value) => {
                    let text = typed(value, scratch).map_err(Trouble::Fault)?;
                    let name = if kind == Kind::Avg { "avg" } else { "sum" };
                    return Err(Trouble::Fault(match tag {
                        NOTHING => scratch.fault(format_args!("run {name} function error: found invalid arg {text}")),
                        INT => scratch.fault(format_args!("requires int but found {text}")),
                        _ => scratch.fault(format_args!("requires float64 but found {text}")),
                    }));
                }
            }
            acc.set(COUNT, count + 1);
        }
        Kind::Max | Kind::Min => extreme(store, acc, kind == Kind::Max, value, scratch)?,
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars => {
            let Some(x) = number(value, scratch)? else { return Ok(()) };
            // Welford: mean in A, sum of squared distances in B.
            let n = count + 1;
            let mean = acc.float(A);
            let delta = x - mean;
            #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
            let next = mean + delta / n as f64;
            acc.set(A, next.to_bits());
            acc.set(B, (acc.float(B) + delta * (x - next)).to_bits());
            acc.set(COUNT, n);
        }
        Kind::Collect => {
            push(store, acc, value)?;
            acc.set(COUNT, count + 1);
        }
        Kind::LastValue => {
            let Value::Bool(ignore) = second else {
                let text = typed(second, scratch).map_err(Trouble::Fault)?;
                return Err(Trouble::Fault(scratch.fault(format_args!("the second parameter requires bool but found {text}"))));
            };
            if ignore && value.is_null() {
                return Ok(());
            }
            keep(store, acc, value)?;
        }
        Kind::MergeAgg => merge(store, acc, value, scratch)?,
        Kind::Deduplicate => distinct(store, group, index, acc, value, second, scratch)?,
        Kind::Median => {
            match (acc.0[TAG], value) {
                (NOTHING, Value::Int(_)) => acc.0[TAG] = INT,
                (NOTHING, Value::Float(_)) => acc.0[TAG] = FLOAT,
                (NOTHING, other) => {
                    let text = go_text(other, scratch).map_err(Trouble::Fault)?;
                    return Err(Trouble::Fault(scratch.fault(format_args!("{text} should be number"))));
                }
                _ => {}
            }
            let word = match (acc.0[TAG], value) {
                (INT, Value::Int(i)) => i.cast_unsigned(),
                (INT, Value::Float(x)) => go_int(x).cast_unsigned(),
                (INT, other) => {
                    let text = typed(other, scratch).map_err(Trouble::Fault)?;
                    return Err(Trouble::Fault(scratch.fault(format_args!("cannot convert {text} to int64"))));
                }
                _ => match number(value, scratch)? {
                    Some(x) => x.to_bits(),
                    None => return Ok(()),
                },
            };
            word_list(store, acc, word)?;
            acc.set(COUNT, count + 1);
        }
        Kind::PercentileCont | Kind::PercentileDisc => {
            if acc.0[FLAG] == 0 && second.is_null() {
                acc.0[FLAG] = NO_SHARE;
            }
            if acc.0[FLAG] != 1 && !second.is_null() {
                let p = match second {
                    Value::Float(p) => p,
                    #[expect(clippy::cast_precision_loss, reason = "a share, 0 or 1")]
                    Value::Int(p) => p as f64,
                    other => {
                        let text = typed(other, scratch).map_err(Trouble::Fault)?;
                        let fault = scratch.fault(format_args!("the second parameter requires float64 but found {text}"));
                        return Err(Trouble::Fault(fault));
                    }
                };
                acc.0[FLAG] = 1;
                acc.set(B, p.to_bits());
            }
            let Some(x) = number(value, scratch)? else { return Ok(()) };
            word_list(store, acc, x.to_bits())?;
            acc.set(COUNT, count + 1);
        }
    }
    Ok(())
}

/// A number as float; `None` for nil.
fn number<'a>(value: Value<'a>, scratch: &Scratch<'a>) -> Result<Option<f64>, Trouble<'a>> {
    match value {
        Value::Null => Ok(None),
        Value::Float(x) => Ok(Some(x)),
        #[expect(clippy::cast_precision_loss, reason = "as eKuiper converts")]
        Value::Int(i) => Ok(Some(i as f64)),
        other => {
            let text = typed(other, scratch).map_err(Trouble::Fault)?;
            Err(Trouble::Fault(scratch.fault(format_args!("requires float64 slice but found {text}"))))
        }
    }
}

fn extreme<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    acc: &mut Acc,
    max: bool,
    value: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    if value.is_null() {
        return Ok(());
    }
    match (acc.0[TAG], value) {
        (NOTHING, Value::Int(i)) => {
            acc.0[TAG] = INT;
            acc.set(A, i.cast_unsigned());
        }
        (NOTHING, Value::Float(x)) => {
            acc.0[TAG] = FLOAT;
            acc.set(A, x.to_bits());
        }
        (NOTHING, Value::Str(text)) => {
            acc.0[TAG] = TEXT;
            put_own(store, acc, text.as_bytes())?;
        }
        (INT, Value::Int(_) | Value::Float(_)) => {
            let i = match value {
                Value::Int(i) => i,
                Value::Float(x) => go_int(x),
                _ => 0,
            };
            let best = acc.int(A);
            acc.set(A, if max { best.max(i) } else { best.min(i) }.cast_unsigned());
        }
        (FLOAT, Value::Float(x)) => {
            let best = acc.float(A);
            if if max { best < x } else { best > x } {
                acc.set(A, x.to_bits());
            }
        }
        (TEXT, Value::Str(text)) => {
            let best = acc.own().map_or(&[][..], |id| store.get(id));
            if if max { best < text.as_bytes() } else { text.as_bytes() < best } {
                put_own(store, acc, text.as_bytes())?;
            }
        }
        (tag, value) => {
            let found = typed(value, scratch).map_err(Trouble::Fault)?;
            return Err(Trouble::Fault(match tag {
                NOTHING => scratch.fault(format_args!("found invalid arg {found}")),
                INT => scratch.fault(format_args!("requires int64 but found {found}")),
                FLOAT => scratch.fault(format_args!("requires float64 but found {found}")),
                _ => scratch.fault(format_args!("requires string but found {found}")),
            }));
        }
    }
    Ok(())
}

/// Appends to the packed list of its own.
fn push<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, value: Value<'_>) -> Result<(), Full> {
    let add = packed::len(value);
    let id = match acc.own() {
        Some(id) => id,
        None => {
            let id = store.alloc(packed::LIST_HEADER)?;
            let mut list = Encoder::new(store.get_mut(id));
            // It is exactly as long as an empty list.
            let _ = list.begin_list().and_then(|()| list.end());
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            id
        }
    };
    let old = store.get(id).len();
    store.resize(id, old + add)?;
    let list = store.get_mut(id);
    if let Some(room) = list.get_mut(old..) {
        let _ = Encoder::new(room).value(value); // measured above
    }
    packed::grown(list);
    Ok(())
}

/// Appends 8 octets to the value of its own.
fn word_list<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, word: u64) -> Result<(), Full> {
    let id = match acc.own() {
        Some(id) => id,
        None => {
            let id = store.alloc(0)?;
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            id
        }
    };
    let old = store.get(id).len();
    store.resize(id, old + 8)?;
    if let Some(place) = store.get_mut(id).get_mut(old..) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

/// Makes `bytes` the value of its own.
fn put_own<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, bytes: &[u8]) -> Result<(), Full> {
    match acc.own() {
        Some(id) => store.put(id, bytes),
        None => {
            let id = store.alloc(bytes.len())?;
            store.get_mut(id).copy_from_slice(bytes);
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            Ok(())
        }
    }
}

/// Keeps one value: small ones in place (their length in FLAG), others in a value of their own.
fn keep<S: AsRef<[u8]> + AsMut<[u8]>>(store: &mut Store<S>, acc: &mut Acc, value: Value<'_>) -> Result<(), Full> {
    let len = packed::len(value);
    let inline = &mut acc.0[A..A + INLINE];
    if len <= INLINE {
        let _ = Encoder::new(inline).value(value); // measured above
        #[expect(clippy::cast_possible_truncation, reason = "at most INLINE")]
        let len = len as u8;
        acc.0[FLAG] = len;
        return Ok(());
    }
    let id = match acc.own() {
        Some(id) => id,
        None => {
            let id = store.alloc(0)?;
            put_u32(&mut acc.0, OWN, id.to_raw() as usize);
            id
        }
    };
    store.resize(id, len)?;
    let _ = Encoder::new(store.get_mut(id)).value(value); // measured above
    acc.0[FLAG] = u8::MAX;
    Ok(())
}

fn merge<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    acc: &mut Acc,
    value: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    let Some(new) = value.object(scratch).map_err(Trouble::Fault)? else { return Ok(()) };
    let old = acc.own().and_then(|id| Packed::from_bytes(store.get(id))).and_then(Packed::object);
    let mut writer = scratch.pack();
    let mut write = || {
        writer.begin_object()?;
        for (key, value) in old.into_iter().flat_map(|o| o.entries()) {
            writer.entry(key, value)?;
        }
        for (key, value) in new.entries() {
            writer.entry(key, value)?;
        }
        writer.end()
    };
    write().map_err(Trouble::Fault)?;
    put_own(store, acc, writer.finish_bytes())?;
    Ok(())
}

/// See [`Kinds::merge`].
fn merge_accs(kind: Kind, acc: &mut [u8; ACC_BYTES], later: &[u8; ACC_BYTES]) -> bool {
    let (mut a, b) = (Acc(*acc), Acc(*later));
    if a.own().is_some() || b.own().is_some() || a.0[TAG] == FAULT || b.0[TAG] == FAULT {
        return false;
    }
    let (n, m) = (a.count(), b.count());
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    match kind {
        Kind::Count => a.set(COUNT, n + m),
        Kind::LastValue if b.0[FLAG] == 0 => return true,
        Kind::LastValue => a = b,
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars if m == 0 => return true,
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars => {
            // Chan's way to put two sets together.
            let (x, y) = (n as f64, m as f64);
            let delta = b.float(A) - a.float(A);
            let mean = a.float(A) + delta * y / (x + y);
            let squares = a.float(B) + b.float(B) + delta * delta * x * y / (x + y);
            a.set(A, mean.to_bits());
            a.set(B, squares.to_bits());
            a.set(COUNT, n + m);
        }
        Kind::Sum | Kind::Avg | Kind::Max | Kind::Min => match (a.0[TAG], b.0[TAG]) {
            (_, NOTHING) => return true,
            (NOTHING, _) => a = b,
            (INT, INT) => {
                let (p, q) = (a.int(A), b.int(A));
                let word = match kind {
                    Kind::Max => p.max(q),
                    Kind::Min => p.min(q),
                    _ => p.wrapping_add(q),
                };
                a.set(A, word.cast_unsigned());
                a.set(COUNT, n + m);
            }
            (FLOAT, FLOAT) => {
                let (p, q) = (a.float(A), b.float(A));
                let word = match kind {
                    Kind::Max => p.max(q),
                    Kind::Min => p.min(q),
                    _ => p + q,
                };
                a.set(A, word.to_bits());
                a.set(COUNT, n + m);
            }
            _ => return false,
        },
        _ => return false,
    }
    *acc = a.0;
    true
}

/// What a deduplicated value is known by: its text, behind group and aggregate.
fn seen_prefix(group: Id, index: usize) -> [u8; 7] {
    let [a, b, c, d] = group.to_raw().to_le_bytes();
    #[expect(clippy::cast_possible_truncation, reason = "an index of a slot")]
    let index = (index as u16).to_le_bytes();
    [b'd', a, b, c, d, index[0], index[1]]
}

fn distinct<'a, S: AsRef<[u8]> + AsMut<[u8]>>(
    store: &mut Store<S>,
    group: Id,
    index: usize,
    acc: &mut Acc,
    pair: Value<'a>,
    all: Value<'a>,
    scratch: &Scratch<'a>,
) -> Result<(), Trouble<'a>> {
    let Value::Packed(pair) = pair else { return Ok(()) };
    let mut pair = pair.elements();
    let (row, column) = (pair.next().unwrap_or(Value::Null), pair.next().unwrap_or(Value::Null));
    let text = go_text(column, scratch).map_err(Trouble::Fault)?;
    let key = scratch.alloc(7 + text.len()).map_err(Trouble::Fault)?;
    key[..7].copy_from_slice(&seen_prefix(group, index));
    key[7..].copy_from_slice(text.as_bytes());
    let new = store.find(key).is_none();
    if matches!(all, Value::Bool(true)) {
        acc.0[FLAG] = 1;
        if new {
            push(store, acc, row)?;
        }
    } else {
        acc.0[FLAG] = if new { 2 } else { 3 };
        if new {
            let len = packed::len(row);
            let bytes = scratch.alloc(len).map_err(Trouble::Fault)?;
            Encoder::new(bytes).value(row).map_err(Trouble::Fault)?;
            put_own(store, acc, bytes)?;
        }
    }
    if new {
        store.insert(key, 0)?;
    }
    Ok(())
}

/// Go's conversion of a float to an int: towards zero.
fn go_int(x: f64) -> i64 {
    super::func::go_int(x)
}

fn result<'a>(view: View<'a>, acc: &[u8], kind: Kind, name: &str, scratch: &Scratch<'a>) -> Eval<'a> {
    let mut copy = Acc([0; ACC_BYTES]);
    if acc.len() == ACC_BYTES {
        copy.0.copy_from_slice(acc);
    }
    let acc = copy;
    let own = acc.own().map_or(&[][..], |id| view.get(id));
    let named = |text: &str| scratch.fault(format_args!("call func {name} error: {text}"));
    if acc.0[TAG] == FAULT {
        let text = match core::str::from_utf8(own) {
            Ok(text) => text,
            Err(e) => core::str::from_utf8(&own[..e.valid_up_to()]).unwrap_or(""),
        };
        return Err(named(text));
    }
    let count = acc.count();
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let n = count as f64;
    Ok(match kind {
        Kind::Count => Value::Int(count.cast_signed()),
        Kind::Sum | Kind::Max | Kind::Min => match acc.0[TAG] {
            INT => Value::Int(acc.int(A)),
            FLOAT => Value::Float(acc.float(A)),
            TEXT => Value::Str(core::str::from_utf8(own).unwrap_or("")),
            _ => Value::Null,
        },
        Kind::Avg => match acc.0[TAG] {
            INT => Value::Int(acc.int(A).wrapping_div(count.cast_signed().max(1))),
            FLOAT => Value::Float(acc.float(A) / n),
            _ => Value::Null,
        },
        Kind::Stddev | Kind::Stddevs | Kind::Var | Kind::Vars => {
            if count == 0 {
                return Ok(Value::Null);
            }
            let sample = matches!(kind, Kind::Stddevs | Kind::Vars);
            let variance = acc.float(B) / if sample { n - 1.0 } else { n };
            Value::Float(if matches!(kind, Kind::Stddev | Kind::Stddevs) { variance.sqrt() } else { variance })
        }
        Kind::Collect => Packed::from_bytes(own).map_or(Value::Null, Value::Packed),
        Kind::LastValue => {
            let bytes =
                if acc.0[FLAG] == u8::MAX { own } else { scratch.copy(acc.0.get(A..A + usize::from(acc.0[FLAG])).unwrap_or(&[]))? };
            packed::read(bytes).map_or(Value::Null, |(value, _)| value)
        }
        Kind::MergeAgg => Packed::from_bytes(own).filter(|p| !p.is_empty()).map_or(Value::Null, Value::Packed),
        Kind::Deduplicate => match acc.0[FLAG] {
            1 | 2 => packed::read(own).map_or(Value::Null, |(value, _)| value),
            _ => Value::Null,
        },
        Kind::Median => {
            let words = sorted(own, acc.0[TAG] == INT, scratch)?;
            match (words.len(), acc.0[TAG]) {
                (0, _) => Value::Int(0),
                (len, INT) if len % 2 == 1 => Value::Int(i64::from_le_bytes(words[len / 2])),
                (len, _) if len % 2 == 1 => Value::Float(f64::from_le_bytes(words[len / 2])),
                #[expect(clippy::cast_precision_loss, reason = "as eKuiper converts")]
                (len, INT) => {
                    let sum = i64::from_le_bytes(words[len / 2 - 1]).wrapping_add(i64::from_le_bytes(words[len / 2]));
                    Value::Float(sum as f64 / 2.0)
                }
                (len, _) => Value::Float((f64::from_le_bytes(words[len / 2 - 1]) + f64::from_le_bytes(words[len / 2])) / 2.0),
            }
        }
        Kind::PercentileCont | Kind::PercentileDisc => {
            let words = sorted(own, false, scratch)?;
            let share = if acc.0[FLAG] == 0 { 1.0 } else { acc.float(B) };
            if acc.0[FLAG] == NO_SHARE {
                return Err(named("the second parameter requires float64 but found []interface {}([<nil>])"));
            }
            if words.is_empty() {
                return Ok(Value::Null);
            }
            let found = if kind == Kind::PercentileCont { between(words, share) } else { nearest(words, share) };
            match found {
                Some(x) => Value::Float(x),
                None if kind == Kind::PercentileCont => return Err(named("percentile exec with error: Input is outside of range.")),
                None => return Err(named("PopulationVariance exec with error: Input is outside of range.")),
            }
        }
    })
}

/// The kept words, sorted as ints or as floats.
fn sorted<'a>(words: &[u8], ints: bool, scratch: &Scratch<'a>) -> Result<&'a [[u8; 8]], Fault<'a>> {
    let bytes = scratch.alloc(words.len())?;
    bytes.copy_from_slice(words);
    let (words, _) = bytes.as_chunks_mut::<8>();
    if ints {
        words.sort_unstable_by_key(|w| i64::from_le_bytes(*w));
    } else {
        words.sort_unstable_by(|a, b| f64::from_le_bytes(*a).total_cmp(&f64::from_le_bytes(*b)));
    }
    Ok(words)
}

/// The percentile as eKuiper's library interpolates: at a whole place that value, else the mean of both neighbours; `None` out of
/// bounds.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a short list")]
fn between(words: &[[u8; 8]], share: f64) -> Option<f64> {
    let at = |i: usize| words.get(i).map(|w| f64::from_le_bytes(*w));
    if words.len() == 1 {
        return at(0);
    }
    let percent = share * 100.0;
    if percent.is_nan() || percent <= 0.0 || percent > 100.0 {
        return None;
    }
    let index = percent / 100.0 * words.len() as f64;
    let whole = index as usize;
    if index == whole as f64 {
        at(whole.checked_sub(1)?)
    } else if index > 1.0 {
        Some((at(whole - 1)? + at(whole)?) / 2.0)
    } else {
        None
    }
}

/// The percentile by nearest rank; `None` out of bounds.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a short list")]
fn nearest(words: &[[u8; 8]], share: f64) -> Option<f64> {
    let percent = share * 100.0;
    if percent.is_nan() || !(0.0..=100.0).contains(&percent) {
        return None;
    }
    let rank = (words.len() as f64 * percent / 100.0).ceil() as usize;
    words.get(rank.saturating_sub(1)).map(|w| f64::from_le_bytes(*w))
}
