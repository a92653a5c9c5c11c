//! Analytic functions: a value from this row and what earlier rows left behind, per `OVER (PARTITION BY … WHEN …)`.
//!
//! In: rows under evaluation, before WHERE. Out: a value, copied into the row's scratch. State lies in the rule's [`Store`] under
//! function and partition; when it is full, the partition that was not used for longest goes, and is counted. Follows facts §7.7,
//! and eKuiper's documentation where the live server never works (`*` of `had_changed` and `changed_col`).

use super::expr::Evaluator;
use super::state::{Full, Id, Store, put_u32, u32_at};
use crate::sql::plan::Analytic;
use crate::value::packed::{self, Encoder};
use crate::value::text::{go_text, go_v};
use crate::value::{Eval, Fault, Packed, Scratch, Value, same};

/// State of all analytic functions of a rule.
#[derive(Debug)]
pub struct Memory<B> {
    store: Store<B>,
    /// Partitions that left because there was no room.
    pub evicted_total: u64,
}

/// Functions never use this number of columns.
const COLUMN_MAX: usize = u8::MAX as usize;

impl<B: AsRef<[u8]> + AsMut<[u8]>> Memory<B> {
    /// An empty memory over `bytes`.
    #[must_use]
    pub fn new(bytes: B) -> Self {
        Self { store: Store::new(bytes), evicted_total: 0 }
    }

    /// Evaluates the functions whose `late` is as given, in order, into their slots.
    ///
    /// # Errors
    /// The first fault.
    pub fn run<'a>(&mut self, late: bool, ev: &Evaluator<'_, 'a>) -> Result<(), Fault<'a>> {
        for (index, analytic) in ev.plan.analytics.iter().enumerate() {
            if analytic.late == late {
                let value = self.evaluate(index, analytic, ev)?;
                ev.row.set(analytic.slot, Some(value));
            }
        }
        Ok(())
    }

    fn evaluate<'a>(&mut self, index: usize, analytic: &'a Analytic, ev: &Evaluator<'_, 'a>) -> Eval<'a> {
        let scratch = ev.ctx.scratch;
        if analytic.all.is_some() && !matches!(analytic.name, "changed_col" | "had_changed" | "changed_cols") {
            return Err(Fault::new("unexpected wildcard value <nil>"));
        }
        let mut args: heapless::Vec<Value<'a>, { crate::limits::ARG_COUNT }> = heapless::Vec::new();
        for arg in &analytic.args {
            args.push(ev.eval(arg)?).map_err(|_| Fault::new("an analytic function has more arguments than ARG_COUNT"))?;
        }
        // What WHEN cannot decide counts.
        let valid = match analytic.when.as_ref().map(|when| ev.eval(when)) {
            Some(Ok(Value::Bool(valid))) => valid,
            _ => true,
        };
        let mut partition = [Value::Null; 16];
        let parts = partition.get_mut(..analytic.partition.len()).ok_or(Fault::new("PARTITION BY has more than 16 expressions"))?;
        for (place, expr) in parts.iter_mut().zip(&analytic.partition) {
            *place = ev.eval(expr)?;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a plan has at most SLOT_COUNT functions")]
        let name = index as u8;
        let text = scratch.write_bytes(|out| {
            out.byte(name)?;
            out.byte(0)?;
            for value in &*parts {
                go_v(out, *value, scratch)?;
            }
            Ok(())
        })?;
        let key = scratch.alloc(text.len())?;
        key.copy_from_slice(text);
        let all = match analytic.all {
            Some(slot) => ev.row.get(slot).unwrap_or(Value::Null).object(scratch)?,
            None => None,
        };
        let mut call = Running { memory: self, analytic, key, args: &args, valid, scratch };
        let result = match analytic.name {
            "lag" => call.lag(),
            "latest" => call.latest(),
            "changed_col" => call.changed_col(all.map(|o| o.value())),
            "had_changed" => call.had_changed(all),
            "changed_cols" => call.changed_cols(all),
            name => call.running(name),
        };
        result.map_err(
            |fault| {
                if fault == Fault::FULL { fault } else { scratch.fault(format_args!("call func {} error: {fault}", analytic.name)) }
            },
        )
    }

    /// The entry of a key, made if need be with `len` zeros; true if it was made.
    fn entry(&mut self, key: &[u8], len: usize) -> Result<(Id, bool), Fault<'static>> {
        if let Some(id) = self.store.find(key) {
            self.store.touch(id);
            return Ok((id, false));
        }
        loop {
            match self.store.insert(key, len) {
                Ok(id) => return Ok((id, true)),
                Err(Full) => self.make_room(None)?,
            }
        }
    }

    fn resize(&mut self, id: Id, len: usize) -> Result<(), Fault<'static>> {
        self.store.touch(id);
        while self.store.resize(id, len).is_err() {
            self.make_room(Some(id))?;
        }
        Ok(())
    }

    fn make_room(&mut self, keep: Option<Id>) -> Result<(), Fault<'static>> {
        let others = self.store.len() - usize::from(keep.is_some());
        if others == 0 || !self.store.evict() {
            return Err(Fault::new("the state of an analytic function is larger than its memory: raise limits.stateBytes"));
        }
        self.evicted_total += 1;
        Ok(())
    }

    /// Makes `value` the whole state of an entry.
    fn put(&mut self, id: Id, value: Value<'_>) -> Result<(), Fault<'static>> {
        self.resize(id, packed::len(value))?;
        let _ = Encoder::new(self.store.get_mut(id)).value(value); // measured above
        Ok(())
    }
}

/// One call.
struct Running<'r, 'a, B> {
    memory: &'r mut Memory<B>,
    analytic: &'r Analytic,
    key: &'a mut [u8],
    args: &'r [Value<'a>],
    valid: bool,
    scratch: &'r Scratch<'a>,
}

impl<'a, B: AsRef<[u8]> + AsMut<[u8]>> Running<'_, 'a, B> {
    fn arg(&self, place: usize) -> Value<'a> {
        self.args.get(place).copied().unwrap_or(Value::Null)
    }

    fn flag(&self, place: usize, which: &str) -> Result<bool, Fault<'a>> {
        match self.arg(place) {
            Value::Bool(b) => Ok(b),
            other => {
                let text = go_text(other, self.scratch)?;
                Err(self.scratch.fault(format_args!("{which} arg is not a bool but got {text}")))
            }
        }
    }

    /// The value kept under the key; nil before the first.
    fn kept(&self) -> Value<'_> {
        let bytes = self.memory.store.find(self.key).map_or(&[][..], |id| self.memory.store.get(id));
        packed::read(bytes).map_or(Value::Null, |(value, _)| value)
    }

    fn keep(&mut self, value: Value<'_>) -> Result<(), Fault<'a>> {
        let (id, _) = self.memory.entry(self.key, 0)?;
        self.memory.put(id, value)
    }

    /// Keeps `value`; true if it differs from what was kept.
    fn changed(&mut self, value: Value<'a>) -> Result<bool, Fault<'a>> {
        let old = self.scratch.keep(self.kept())?;
        if same(value, old, self.scratch)? {
            return Ok(false);
        }
        self.keep(value)?;
        Ok(true)
    }

    fn lag(&mut self) -> Eval<'a> {
        let size = match self.args.get(1) {
            None => 1,
            Some(value) => match super::func::strict(*value) {
                Some(size) => usize::try_from(size).unwrap_or(0),
                None => {
                    let text = go_text(*value, self.scratch)?;
                    return Err(self.scratch.fault(format_args!("error converting second arg {text} to int")));
                }
            },
        };
        let default = self.arg(2);
        let ignore = if self.args.len() > 3 { self.flag(3, "The fourth")? } else { true };
        if size == 0 {
            return Ok(Value::Null);
        }
        let (id, new) = self.memory.entry(self.key, 0)?;
        if new {
            // So many values, each the default at first.
            let each = packed::len(default);
            let total = each.checked_mul(size).ok_or(Fault::FULL)?;
            if let Err(fault) = self.memory.resize(id, total) {
                self.memory.store.remove(id);
                return Err(fault);
            }
            for place in self.memory.store.get_mut(id).chunks_mut(each) {
                let _ = Encoder::new(place).value(default); // measured above
            }
        }
        let (oldest, len) = match packed::read(self.memory.store.get(id)) {
            Some((value, len)) => (self.scratch.keep(value)?, len),
            None => (Value::Null, 0),
        };
        let value = self.arg(0);
        if self.valid && (!ignore || !value.is_null()) {
            let old = self.memory.store.get(id).len();
            let add = packed::len(value);
            self.memory.store.get_mut(id).copy_within(len.., 0);
            self.memory.resize(id, old - len + add)?;
            if let Some(place) = self.memory.store.get_mut(id).get_mut(old - len..) {
                let _ = Encoder::new(place).value(value); // measured above
            }
        }
        Ok(oldest)
    }

    fn latest(&mut self) -> Eval<'a> {
        let value = self.arg(0);
        if self.valid && !value.is_null() {
            self.keep(value)?;
            return Ok(value);
        }
        match self.kept() {
            Value::Null => Ok(self.arg(1)),
            kept => self.scratch.keep(kept),
        }
    }

    fn changed_col(&mut self, all: Option<Value<'a>>) -> Eval<'a> {
        let ignore = self.flag(0, "first")?;
        let value = all.unwrap_or_else(|| self.arg(1));
        if (ignore && value.is_null()) || !self.valid {
            return Ok(Value::Null);
        }
        Ok(if self.changed(value)? { value } else { Value::Null })
    }

    fn had_changed(&mut self, all: Option<packed::Object<'a>>) -> Eval<'a> {
        if !self.valid {
            return Ok(Value::Bool(false));
        }
        let ignore = self.flag(0, "first")?;
        let mut result = false;
        let mut next = 1;
        for (place, column) in self.analytic.columns.iter().enumerate().skip(1).take(COLUMN_MAX) {
            #[expect(clippy::cast_possible_truncation, reason = "at most COLUMN_MAX")]
            if let Some(which) = self.key.get_mut(1) {
                *which = place as u8;
            }
            if column == "*" {
                result |= self.columns(all, ignore, |_, _| Ok(()))?;
                continue;
            }
            let value = self.arg(next);
            next += 1;
            if ignore && value.is_null() {
                continue;
            }
            result |= self.changed(value)?;
        }
        Ok(Value::Bool(result))
    }

    /// Lays the members of `new` over those kept under the key; gives those that differ, and whether there were any.
    fn columns(
        &mut self,
        new: Option<packed::Object<'a>>,
        ignore: bool,
        mut differs: impl FnMut(&'a str, Value<'a>) -> Result<(), Fault<'a>>,
    ) -> Result<bool, Fault<'a>> {
        let Some(new) = new else { return Ok(false) };
        let old = match self.scratch.keep(self.kept())? {
            Value::Packed(p) => p.object(),
            _ => None,
        };
        let mut any = false;
        for (key, value) in new.entries().filter(|(_, value)| !ignore || !value.is_null()) {
            let before = old.and_then(|o| o.get(key)).unwrap_or(Value::Null);
            if !same(value, before, self.scratch)? {
                any = true;
                differs(key, value)?;
            }
        }
        if any {
            let mut writer = self.scratch.pack();
            writer.begin_object()?;
            for (key, value) in old.into_iter().flat_map(|o| o.entries()) {
                writer.entry(key, value)?;
            }
            for (key, value) in new.entries().filter(|(_, value)| !ignore || !value.is_null()) {
                writer.entry(key, value)?;
            }
            writer.end()?;
            let merged = writer.finish()?;
            self.keep(Value::Packed(merged))?;
        }
        Ok(any)
    }

    fn changed_cols(&mut self, all: Option<packed::Object<'a>>) -> Eval<'a> {
        let Value::Str(prefix) = self.arg(0) else {
            let text = go_text(self.arg(0), self.scratch)?;
            return Err(self.scratch.fault(format_args!("first arg is not a string but got {text}")));
        };
        let ignore = self.flag(1, "second")?;
        // What changed, as a packed object in text memory: the packed half is busy while columns are laid over each other.
        let scratch = self.scratch;
        let room = scratch.alloc(changed_bytes(self.args, all, prefix))?;
        let mut found = Encoder::new(&mut *room);
        found.begin_object()?;
        let mut next = 2;
        for place in 2..self.analytic.columns.len() {
            let column = &self.analytic.columns[place];
            if column == "*" {
                let mut names: heapless::Vec<(&'a str, Value<'a>), COLUMN_MAX> = heapless::Vec::new();
                // Columns beyond those are seen the next time.
                self.columns(all, ignore, |key, value| {
                    let _ = names.push((key, value));
                    Ok(())
                })?;
                for (key, value) in names {
                    found.entry(scratch.format(format_args!("{prefix}{key}"))?, value)?;
                }
                continue;
            }
            let value = self.args.get(next).copied().unwrap_or(Value::Null);
            next += 1;
            let mut one = scratch.pack();
            one.begin_object()?;
            one.entry(column, value)?;
            one.end()?;
            let one = one.finish()?.object();
            let mut changed = false;
            self.columns(one, ignore, |_, _| {
                changed = true;
                Ok(())
            })?;
            if changed {
                found.entry(scratch.format(format_args!("{prefix}{column}"))?, value)?;
            }
        }
        found.end()?;
        let len = found.len();
        Ok(Packed::from_bytes(room.get(..len).unwrap_or(&[])).map_or(Value::Null, Value::Packed))
    }

    /// `acc_sum` and its kin: one number and a count, from the row where `begin` holds to the one where `reset` does.
    fn running(&mut self, name: &str) -> Eval<'a> {
        const SET: usize = 0;
        const BEGUN: usize = 1;
        /// A row was taken without an error: eKuiper keeps no state before that.
        const KEPT: usize = 2;
        let (id, new) = self.memory.entry(self.key, 24)?;
        let mut state = [0; 24];
        if let (false, Some(bytes)) = (new, self.memory.store.get(id).first_chunk::<24>()) {
            state = *bytes;
        }
        let word = |state: &[u8; 24], at: usize| u64::from(u32_at(state, at)) | u64::from(u32_at(state, at + 4)) << 32;
        let (mut number, mut count) = (f64::from_bits(word(&state, 8)), word(&state, 16));
        let (mut set, mut begun) = (state[SET] == 1, state[BEGUN] == 1);
        let bounded = self.args.len() > 1;
        let mut run = true;
        let mut end = false;
        let mut failed = None;
        if bounded {
            let (Value::Bool(begin), Value::Bool(reset)) = (self.arg(1), self.arg(2)) else {
                let which = if matches!(self.arg(1), Value::Bool(_)) { "onReset" } else { "onBegin" };
                return Err(self.scratch.fault(format_args!("{which} should be boolean")));
            };
            if !begun {
                (set, number, count) = (false, 0.0, 0);
            }
            begun |= begin;
            run = begun;
            end = reset;
        }
        if run && self.valid {
            let value = self.arg(0);
            let x = match value {
                Value::Float(x) => Some(x),
                #[expect(clippy::cast_precision_loss, reason = "as eKuiper converts")]
                Value::Int(i) => Some(i as f64),
                _ => None,
            };
            match (name, x) {
                ("acc_count", _) => count += u64::from(!value.is_null()),
                ("acc_sum", None) if value.is_null() => {}
                (_, None) => failed = Some(Fault::new("the value should be number")),
                ("acc_sum" | "acc_avg", Some(x)) => {
                    number += x;
                    count += 1;
                    set = true;
                }
                ("acc_max", Some(x)) => {
                    number = if set { number.max(x) } else { x };
                    set = true;
                }
                (_, Some(x)) => {
                    number = if set { number.min(x) } else { x };
                    set = true;
                }
            }
        }
        // What fails leaves the span as it is, begun by this row even.
        begun &= !end || failed.is_some();
        if let Some(fault) = failed
            && state[KEPT] == 0
        {
            return Err(fault);
        }
        state[KEPT] = 1;
        state[SET] = u8::from(set);
        state[BEGUN] = u8::from(begun);
        let bits = number.to_bits();
        for (at, word) in [(8, bits), (16, count)] {
            put_u32(&mut state, at, usize::try_from(word & 0xffff_ffff).unwrap_or(0));
            put_u32(&mut state, at + 4, usize::try_from(word >> 32).unwrap_or(0));
        }
        if let Some(place) = self.memory.store.get_mut(id).get_mut(..24) {
            place.copy_from_slice(&state);
        }
        if let Some(fault) = failed {
            return Err(fault);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        Ok(match name {
            "acc_count" => Value::Int(count.cast_signed()),
            "acc_avg" if set => Value::Float(number / count as f64),
            _ => Value::Float(if set { number } else { 0.0 }),
        })
    }
}

/// Bytes that an object of all these columns takes at most.
fn changed_bytes(args: &[Value<'_>], all: Option<packed::Object<'_>>, prefix: &str) -> usize {
    let whole: usize =
        all.into_iter().flat_map(|o| o.entries()).map(|(key, value)| 8 + prefix.len() + key.len() + packed::len(value)).sum();
    let single: usize = args.iter().map(|value| 8 + prefix.len() + 256 + packed::len(*value)).sum();
    packed::LIST_HEADER + whole + single
}
