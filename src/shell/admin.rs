//! The management port's side of the catalog: requests become commands on a worker thread, one at a time; and the patrol.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    bell::Bell,
    manage::{Answer, Manage, Request},
    net::Deadline,
    trials::Trials,
};
use crate::{
    api::{self, Then, guard, jwt},
    catalog::{Control, Host},
    config::Basic,
    wire::{
        head::{Head, Method},
        reply::{Methods, Reply},
        verdict::Peer,
    },
};

/// The catalog as tasks share it. A worker holds it for one command.
pub type Shared<H> = Arc<Mutex<Control<H>>>;

/// Exit code that asks whoever runs the process to start it again, as eKuiper's.
const START_AGAIN: u8 = 100;

/// What stands behind the management port.
#[derive(Debug)]
pub struct Admin<H: Host> {
    control: Shared<H>,
    basic: Basic,
    stop: Rc<Bell>,
    code: Rc<Cell<u8>>,
    trials: Rc<Trials>,
}

impl<H: Host + Send + 'static> Admin<H> {
    /// Answers for `control`. `stop` rings once the process was asked to end, by then with the exit code in `code`.
    #[must_use]
    pub fn new(control: Shared<H>, stop: Rc<Bell>, code: Rc<Cell<u8>>, trials: Rc<Trials>) -> Self {
        let basic = lock(&control).config.basic.clone();
        Self { control, basic, stop, code, trials }
    }
}

impl<H: Host + Send + 'static> Manage for Admin<H> {
    fn refuse(&self, head: &Head<'_>, _: &Peer) -> Option<Reply> {
        // Whether a token is good is judged on the worker; that there is none, before the body is read.
        let nameless = || {
            let none = self.basic.authentication && head.field("authorization").is_none_or(<[u8]>::is_empty);
            let refused = || jwt::judge(None, 0, |_| Err(String::new()));
            (none && jwt::is_needed(head.method_text(), head.target())).then(refused).flatten()
        };
        judge(&self.basic, head).or_else(|| nameless().map(reply))
    }

    async fn answer(&self, request: Request) -> Answer {
        let control = Arc::clone(&self.control);
        let trial = request.path.strip_prefix("/test/").map(str::to_owned);
        let response = smol::unblock(move || api::handle(&mut lock(&control), &asked(request))).await;
        match (response.then, trial) {
            (Then::Stop, _) => self.stop.ring(),
            (Then::Restart, _) => {
                self.code.set(START_AGAIN);
                self.stop.ring();
            }
            (Then::Events, Some(id)) => {
                return match self.trials.watch(&id) {
                    Some(watch) => Answer::Events(watch, response.fields),
                    None => Answer::Reply(Reply::error(503, "as many watch rule trials as may: 8").retry_after(5)),
                };
            }
            (Then::Continue | Then::Events, _) => {}
        }
        Answer::Reply(reply(response))
    }
}

fn judge(basic: &Basic, head: &Head<'_>) -> Option<Reply> {
    let origin = head.field("origin").map(String::from_utf8_lossy);
    // An HTTP/1.0 client may leave its Host out.
    let host = Some(head.host()).filter(|host| !host.is_empty());
    guard::judge(basic, head.method_text(), host, origin.as_deref()).map(reply)
}

/// What stands behind a port that serves metrics alone.
#[derive(Debug)]
pub struct Scrapes<H: Host> {
    control: Shared<H>,
    basic: Basic,
}

impl<H: Host + Send + 'static> Scrapes<H> {
    /// Answers for `control`.
    #[must_use]
    pub fn new(control: Shared<H>) -> Self {
        let basic = lock(&control).config.basic.clone();
        Self { control, basic }
    }
}

impl<H: Host + Send + 'static> Manage for Scrapes<H> {
    fn refuse(&self, head: &Head<'_>, _: &Peer) -> Option<Reply> {
        judge(&self.basic, head)
    }

    async fn answer(&self, request: Request) -> Answer {
        let control = Arc::clone(&self.control);
        let response = smol::unblock(move || api::metrics::scrape(&mut lock(&control), &asked(request))).await;
        Answer::Reply(reply(response))
    }
}

/// Runs the patrol every `interval` for as long as it is polled. What goes wrong is logged once per change.
pub async fn patrol<H: Host + Send + 'static>(control: Shared<H>, interval: Duration) {
    let mut last = Vec::new();
    loop {
        Deadline::after(interval).wait().await;
        let control = Arc::clone(&control);
        let faults = smol::unblock(move || {
            let mut control = lock(&control);
            let now = control.host.now();
            control.patrol(now)
        })
        .await;
        if faults != last {
            faults.iter().for_each(|fault| log::warn!("{fault}"));
            last = faults;
        }
    }
}

/// The catalog for one command. A command that panicked before has changed nothing halfway: texts are published last.
pub fn lock<H: Host>(control: &Shared<H>) -> MutexGuard<'_, Control<H>> {
    control.lock().unwrap_or_else(PoisonError::into_inner)
}

fn asked(request: Request) -> api::Request {
    let target = match &request.query {
        Some(query) => format!("{}?{query}", request.raw_path),
        None => request.raw_path,
    };
    api::Request { method: request.method, target, fields: request.fields, body: request.body }
}

fn reply(response: api::Response) -> Reply {
    let mut reply = Reply::owned(response.status, response.content_type, response.body);
    for (name, value) in response.fields {
        reply = if name.eq_ignore_ascii_case("allow") {
            let methods: Methods = value.split(", ").map(Method::of).collect();
            reply.allow(methods)
        } else {
            reply.with(name, &value)
        };
    }
    // As eKuiper's port: clients that keep idle connections must not use up the few that there are.
    reply.closing()
}
