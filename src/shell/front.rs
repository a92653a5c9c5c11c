//! The engine as it stands behind the data port: a bell rings when its rules have work, and each sink with a task has one of its own.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::bell::Bell;
use super::kernel_clock;
use super::listen::DataPort;
use super::net::Clock;
use super::sinks::Port;
use crate::engine::{Engine, SinkId};
use crate::sink::{Kind, SinkUnit};
use crate::time::{Instant, Now};
use crate::wire::{Answer, Gate, Head, Peer, Verdict};

/// See the module text.
#[derive(Debug)]
pub struct Front {
    /// The engine.
    pub engine: Engine,
    /// Rung when rules have work.
    pub work: Rc<Bell>,
    /// Sinks that a task serves, and the bell that wakes it.
    sinks: Vec<(SinkId, Rc<Bell>)>,
    /// When the kernel was last asked about its clock.
    asked: Option<Instant>,
}

/// How long what the kernel said of its clock holds.
const ASK_EVERY: Duration = Duration::from_secs(10);

impl Front {
    /// The engine with its bell.
    #[must_use]
    pub const fn new(engine: Engine, work: Rc<Bell>) -> Self {
        Self { engine, work, sinks: Vec::new(), asked: None }
    }

    /// Wakes the tasks of sinks that have something to send.
    pub fn wake_sinks(&mut self) {
        let Self { engine, sinks, .. } = self;
        engine.take_ready(|id| {
            if let Some((_, bell)) = sinks.iter().find(|(known, _)| *known == id) {
                bell.ring();
            }
        });
    }

    /// Wakes the task of every sink: the process ends, and what waits should leave.
    pub fn wake_all_sinks(&self) {
        for (_, bell) in &self.sinks {
            bell.ring();
        }
    }

    /// After rules were started or stopped: the sinks that have no task yet, each with its bell; the tasks of sinks that are gone
    /// are woken, so that they end.
    pub fn new_sinks(&mut self) -> Vec<(SinkId, Rc<Bell>)> {
        let Self { engine, sinks, .. } = self;
        sinks.retain(|(id, bell)| {
            let there = engine.sink(*id).is_some();
            if !there {
                bell.ring();
            }
            there
        });
        let known = sinks.len();
        for (id, sink) in engine.sinks() {
            if sink.kind() != Kind::Memory && !sinks.iter().any(|(known, _)| *known == id) {
                sinks.push((id, Rc::new(Bell::default())));
            }
        }
        sinks[known..].to_vec()
    }
}

impl Gate for Front {
    type Ticket = <Engine as Gate>::Ticket;

    fn head(&mut self, head: &Head<'_>, peer: &Peer, now: Now) -> Verdict<Self::Ticket> {
        let verdict = self.engine.head(head, peer, now);
        // A password is worked at in the turns of the rules.
        if matches!(verdict, Verdict::Later) {
            self.work.ring();
        }
        verdict
    }

    fn body(&mut self, ticket: Self::Ticket, head: &Head<'_>, peer: &Peer, body: &[u8], now: Now) -> Answer {
        if self.asked.is_none_or(|at| now.mono.since(at) >= ASK_EVERY) {
            self.asked = Some(now.mono);
            self.engine.set_synced(kernel_clock::is_synced());
        }
        let answer = self.engine.body(ticket, head, peer, body, now);
        self.work.ring();
        answer
    }

    fn dropped(&mut self, ticket: Self::Ticket, refused: Option<u16>) {
        self.engine.dropped(ticket, refused);
    }

    fn closed(&mut self, peer: &Peer) {
        self.engine.closed(peer);
    }
}

/// The way of a sink's task to its sink.
#[derive(Debug)]
pub struct Outlet {
    /// Where the engine is.
    pub port: DataPort<Front>,
    /// The sink.
    pub id: SinkId,
    /// Rung when it has something to send, or is gone.
    pub bell: Rc<Bell>,
    /// The clocks.
    pub clock: Clock,
}

impl Port for Outlet {
    fn with<T>(&self, f: impl FnOnce(&mut SinkUnit, Now) -> T) -> Option<T> {
        self.port.with_gate(|front| {
            let result = f(front.engine.sink(self.id)?, self.clock.now());
            // Room in an outbox lets a rule go on that waited for it.
            if front.engine.is_stalled() {
                front.work.ring();
            }
            Some(result)
        })
    }

    fn poll_work(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.bell.poll(cx)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}
