//! Function calls, OVER clauses and windows.

use super::Parser;
use crate::sql::ast::{Call, Column, Expr, ExprKind, TimeUnit, Window, WindowKind};
use crate::sql::check;
use crate::sql::error::{Span, SqlError};
use crate::sql::func::{self, Kind as FuncKind};
use crate::sql::token::{Kind, Mark, Word};

impl Parser<'_> {
    /// A call, its opening parenthesis eaten.
    pub(super) fn call(&mut self, written: &str, start: Span) -> Result<Expr, SqlError> {
        let name = written.to_ascii_lowercase();
        let found = func::find(&name);
        if found.is_none() && !is_window(&name) {
            return Err(self.wrong(start, format!("function {written} not found")));
        }
        if name == "changed_cols" && !self.in_select {
            return Err(self.wrong(start, format!("function {written} can only be used inside the select clause")));
        }
        let outer = std::mem::replace(&mut self.in_meta, matches!(name.as_str(), "meta" | "mqtt"));
        let args = self.args(&name);
        self.in_meta = outer;
        let (args, end) = args?;
        let span = start.to(end);
        if is_window(&name) {
            return self.window(&name, args, span);
        }
        let Some((id, func)) = found else { return Err(self.wrong(start, format!("function {written} not found"))) };
        check::args(&name, func, &args)
            .map_err(|(place, why)| self.wrong(place.unwrap_or(span), format!("validate function {name} error: {why}")))?;
        let mut call = Call { id, name, kind: func.kind, args, partition: Vec::new(), when: None, order: Vec::new() };
        if self.peek().kind == Kind::Word(Word::Over) {
            self.over_call(&mut call)?;
        }
        self.node(ExprKind::Call(Box::new(call)), span)
    }

    /// Arguments up to the closing parenthesis; a comma before it is fine.
    fn args(&mut self, name: &str) -> Result<(Vec<Expr>, Span), SqlError> {
        let mut args = Vec::new();
        loop {
            let end = self.peek().span;
            if self.eat_mark(Mark::Close) {
                return Ok((args, end));
            }
            let mut arg = self.expr()?;
            if self.in_meta {
                // meta("path") is meta(path); mqtt() takes no text, as in eKuiper, and neither what is no name.
                if let ExprKind::Text(text) = &arg.kind
                    && name.eq_ignore_ascii_case("meta")
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*'))
                {
                    let text = text.clone();
                    arg = Expr::new(ExprKind::Meta(Column { stream: None, name: text }), arg.span);
                }
            }
            args.push(arg);
            let end = self.peek().span;
            if self.eat_mark(Mark::Close) {
                return Ok((args, end));
            }
            if !self.eat_mark(Mark::Comma) {
                let message = format!("found function call {name:?}, expected ), but with {}.", self.peek().found());
                return Err(self.wrong(end, message));
            }
        }
    }

    /// OVER after a call.
    fn over_call(&mut self, call: &mut Call) -> Result<(), SqlError> {
        let row_number = call.name == "row_number";
        let analytic = call.kind == FuncKind::Analytic && call.name != "changed_cols";
        let at = self.next().span;
        if !row_number && !analytic {
            return Err(self.wrong(at, format!("Found OVER after non analytic function {}", call.name)));
        }
        self.need_mark(Mark::Open, "parentheses after OVER")?;
        call.partition = self.partition()?;
        if row_number {
            call.order = self.order()?;
        } else if self.eat_word(Word::When) {
            call.when = Some(self.expr()?);
        }
        if call.partition.is_empty() && call.order.is_empty() && call.when.is_none() {
            return Err(self.expected("partition by or when after OVER ("));
        }
        self.need_mark(Mark::Close, "right parentheses after OVER")
    }

    fn partition(&mut self) -> Result<Vec<Expr>, SqlError> {
        let mut out = Vec::new();
        if self.eat_word(Word::Partition) {
            if !self.eat_word(Word::By) {
                return Err(self.expected("by after partition"));
            }
            out.push(self.expr()?);
            while self.eat_mark(Mark::Comma) {
                out.push(self.expr()?);
            }
        }
        Ok(out)
    }

    fn window(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr, SqlError> {
        let kind = window_kind(name, args).map_err(|why| self.wrong(span, why))?;
        let mut window = Window { kind, filter: None, when: None, partition: Vec::new() };
        if self.eat_word(Word::Filter) {
            self.need_mark(Mark::Open, "parentheses after FILTER")?;
            if !self.eat_word(Word::Where) {
                return Err(self.expected("WHERE after FILTER("));
            }
            window.filter = Some(self.expr()?);
            self.need_mark(Mark::Close, "right parentheses after FILTER")?;
        }
        if self.eat_word(Word::Over) {
            self.need_mark(Mark::Open, "parentheses after OVER")?;
            if self.eat_word(Word::When) {
                window.when = Some(self.expr()?);
            }
            window.partition = self.partition()?;
            self.need_mark(Mark::Close, "right parentheses after OVER")?;
        }
        self.node(ExprKind::Window(Box::new(window)), span)
    }
}

fn is_window(name: &str) -> bool {
    matches!(name, "tumblingwindow" | "hoppingwindow" | "slidingwindow" | "sessionwindow" | "countwindow" | "statewindow")
}

/// The window of a call, or what is wrong with its arguments.
fn window_kind(name: &str, args: Vec<Expr>) -> Result<WindowKind, String> {
    Ok(match name {
        "statewindow" => {
            let mut args = args.into_iter();
            match (args.next(), args.next(), args.next()) {
                (Some(change), None, None) => WindowKind::State { change },
                (Some(begin), Some(emit), None) => WindowKind::States { begin, emit },
                _ => return Err(format!("The arguments for {name} should be 1 or 2.")),
            }
        }
        "countwindow" => match args.as_slice() {
            [Expr { kind: ExprKind::Int(length), .. }] if *length > 0 => WindowKind::Count { length: *length, every: None },
            [Expr { kind: ExprKind::Int(length), .. }, Expr { kind: ExprKind::Int(every), .. }] if length >= every => {
                WindowKind::Count { length: *length, every: Some(*every) }
            }
            [Expr { kind: ExprKind::Int(length), .. }, Expr { kind: ExprKind::Int(every), .. }] => {
                return Err(format!("The second parameter value {every} should be less than the first parameter {length}."));
            }
            [_] => return Err("Invalid parameter value: the length of a count window is a positive integer.".to_owned()),
            [_, _] => return Err("Invalid parameter value: both parameters of a count window are integers.".to_owned()),
            _ => return Err("Invalid parameter count.".to_owned()),
        },
        "tumblingwindow" => {
            let (unit, [length]) = timed(name, &args, "2")?;
            WindowKind::Tumbling { unit, length }
        }
        "hoppingwindow" => {
            let (unit, [length, hop]) = timed(name, &args, "3")?;
            WindowKind::Hopping { unit, length, hop }
        }
        "sessionwindow" => {
            let (unit, [length, timeout]) = timed(name, &args, "3")?;
            WindowKind::Session { unit, length, timeout }
        }
        _ if args.len() == 2 => {
            let (unit, [length]) = timed(name, &args, "2 or 3")?;
            WindowKind::Sliding { unit, length, delay: 0 }
        }
        _ => {
            let (unit, [length, delay]) = timed(name, &args, "2 or 3")?;
            WindowKind::Sliding { unit, length, delay }
        }
    })
}

/// A unit and as many integers as asked for.
fn timed<const N: usize>(name: &str, args: &[Expr], count: &str) -> Result<(TimeUnit, [i64; N]), String> {
    if args.len() != N + 1 {
        return Err(format!("The arguments for {name} should be {count}."));
    }
    let mut numbers = [0; N];
    for (place, (slot, arg)) in numbers.iter_mut().zip(args.iter().skip(1)).enumerate() {
        let ExprKind::Int(value) = arg.kind else {
            return Err(format!("The {} argument for {name} is expecting interger literal expression.", place + 1));
        };
        *slot = value;
    }
    match args.first().map(|arg| &arg.kind) {
        Some(ExprKind::Unit(unit, _)) => Ok((*unit, numbers)),
        _ => Err(format!("The 1st argument for {name} is expecting timer literal expression. One value of [dd|hh|mi|ss|ms].")),
    }
}
