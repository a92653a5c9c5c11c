//! Evaluation of plans over rows: [`Ctx`] is what an expression sees, [`func`] implements the functions of `sql/func`.
//!
//! Allocates nothing: results borrow from the reading, the plan or the row's scratch. No clock is read: time is in [`Ctx`].

pub mod aggregate;
pub mod analytic;
pub mod expr;
pub mod func;
pub mod row;
pub mod state;

use core::cell::{Cell, RefCell};

use crate::sql::plan::Aux;
use crate::time::{Now, Timestamp, Zone};
use crate::value::{Eval, Fault, Object, Scratch, Value};

/// What stays the same for all rows of one run of a rule.
#[derive(Debug)]
pub struct RuleFacts {
    /// The rule's id.
    pub id: String,
    /// When this run started.
    pub start: Timestamp,
    /// The zone of dates and times.
    pub zone: Zone,
    /// True if `event_time()` in a window is when it closed: for groups and joined rows. Other rows keep their own time.
    pub window_time: bool,
    /// Implementations of [`Plan::calls`](crate::sql::plan::Plan::calls), in its order.
    pub functions: Vec<ScalarFn>,
}

/// What is known of the event beside its columns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event<'a> {
    /// Event time, or arrival.
    pub time: Timestamp,
    /// What `meta()` sees, if a rule on this stream asked for it.
    pub meta: Option<Object<'a>>,
}

/// Bounds of the window that is being emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// `window_start()`.
    pub start: Timestamp,
    /// `window_end()`.
    pub end: Timestamp,
    /// `window_trigger()`.
    pub trigger: Timestamp,
}

/// How often and when the rule's condition held before: `last_hit_count()`, `last_hit_time()` and their `last_agg_` kin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    /// Times.
    pub count: i64,
    /// The last one, in milliseconds; 0 before the first.
    pub time: i64,
}

/// What every function may look at.
#[derive(Debug)]
pub struct Ctx<'c, 'a> {
    /// Memory for results.
    pub scratch: &'c Scratch<'a>,
    /// Both clocks, as read for this slice.
    pub now: Now,
    /// The rule.
    pub rule: &'a RuleFacts,
    /// The event.
    pub event: Event<'a>,
    /// The window, during emission.
    pub window: Option<Bounds>,
    /// Row hits.
    pub hits: Hits,
    /// Emission hits.
    pub agg_hits: Hits,
    /// Evaluation steps left in this slice's row.
    pub fuel: &'c Cell<u32>,
    /// State of the rule's random numbers (seeded; never zero).
    pub rng: &'c Cell<u64>,
    /// Patterns that are no literals.
    pub regexes: &'c RefCell<RegexCache>,
    /// Milliseconds that `delay()` asked the rule to pause for behind this event.
    pub delay_ms: &'c Cell<u64>,
}

impl<'a> Ctx<'_, 'a> {
    /// Spends `steps` of the row's fuel.
    ///
    /// # Errors
    /// `step limit` when there is not enough left.
    pub fn spend(&self, steps: u32) -> Result<(), Fault<'a>> {
        match self.fuel.get().checked_sub(steps) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => Err(Fault::new("step limit: the row takes too many evaluation steps")),
        }
    }

    /// The next 64 random bits (xorshift64*).
    pub fn random(&self) -> u64 {
        let mut x = self.rng.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.rng.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Finds or compiles a pattern that came from a column; at most [`RegexCache::SIZE`] are kept, the oldest goes.
    ///
    /// # Errors
    /// A pattern that does not parse, with the reason.
    pub fn regex(&self, pattern: &str) -> Result<regex_lite::Regex, Fault<'a>> {
        self.regexes.borrow_mut().find(pattern).map_err(|e| self.scratch.fault(format_args!("error parsing regexp: {e}: `{pattern}`")))
    }
}

/// Compiled patterns that were no literals in the rule's text: the one thing evaluation may allocate for.
#[derive(Debug, Default)]
pub struct RegexCache {
    kept: Vec<(String, regex_lite::Regex)>,
}

impl RegexCache {
    /// Patterns kept per rule.
    pub const SIZE: usize = 8;

    fn find(&mut self, pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
        if let Some((_, regex)) = self.kept.iter().find(|(p, _)| p == pattern) {
            return Ok(regex.clone());
        }
        let regex = crate::sql::func::prepare::regex(pattern)?;
        if self.kept.len() == Self::SIZE {
            self.kept.remove(0);
        }
        self.kept.push((pattern.to_owned(), regex.clone()));
        Ok(regex)
    }
}

/// One call: the arguments' values and whatever was prepared from literal ones when the rule was planned.
#[derive(Debug)]
pub struct Call<'c, 'a> {
    /// Values of the arguments, in order.
    pub args: &'c [Value<'a>],
    /// What the function may look at.
    pub ctx: &'c Ctx<'c, 'a>,
    /// Compiled from literal arguments; [`Aux::None`] when there was nothing to compile.
    pub aux: &'a Aux,
}

impl<'a> Call<'_, 'a> {
    /// Argument `place`, null if it was not given.
    #[must_use]
    pub fn arg(&self, place: usize) -> Value<'a> {
        self.args.get(place).copied().unwrap_or(Value::Null)
    }
}

/// A scalar function. The planner has checked the number of arguments; [`crate::sql::func::Nulls::AnyNil`] was applied before.
pub type ScalarFn = for<'c, 'a> fn(&Call<'c, 'a>) -> Eval<'a>;
