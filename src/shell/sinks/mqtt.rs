//! Messages to a broker: what to send is the sink's, how is [`mqtt`](crate::wire::mqtt)'s; here is the waiting.
//!
//! A message of qos 1 or 2 is acknowledged before the next is sent. One that was under way when the connection broke is sent again,
//! under its number where the broker still knows the session.

use super::link::{ANSWER_TIME, CONNECT_TIME, Link, Session, keep};
use super::{Deadline, Outcome, Payload, Port, Target, Trouble};
use crate::sink::mqtt::Broker;
use crate::time::Instant;
use crate::wire::mqtt::{self as wire, Answer, Connect, Publish, Qos};

/// A message that was sent and not acknowledged.
#[derive(Clone, Copy)]
struct UnderWay {
    seq: u64,
    id: u16,
    received: bool,
}

/// One sink's side of the protocol.
struct Client {
    broker: Broker,
    client_id: String,
    out: Vec<u8>,
    under_way: Option<UnderWay>,
    id: u16,
    keep_alive_s: u16,
    qos_max: Qos,
    /// When something was last sent.
    sent: Instant,
    /// When an unanswered ping counts as silence.
    silent: Option<Instant>,
}

pub(super) async fn run(port: &impl Port) {
    let Some(broker) = port.with(|unit, _| unit.broker()).flatten() else { return };
    let client_id = if broker.client_id.is_empty() { random_id() } else { broker.client_id.to_string() };
    let keep_alive_s = broker.keep_alive_s;
    let mut client = Client {
        broker,
        client_id,
        out: Vec::new(),
        under_way: None,
        id: 0,
        keep_alive_s,
        qos_max: Qos::Exactly,
        sent: Instant(0),
        silent: None,
    };
    keep(port, &mut client).await;
}

impl Session for Client {
    async fn connect(&mut self, port: &impl Port) -> Result<Link, Trouble> {
        let mut deadline = Deadline::after(CONNECT_TIME);
        let mut link = Link::open(&self.broker.peer, self.broker.tls.as_ref(), &mut deadline).await?;
        let connect = Connect {
            version: self.broker.version,
            client_id: &self.client_id,
            user: self.broker.user.as_deref(),
            password: self.broker.password.as_deref(),
            clean: self.broker.clean,
            keep_alive_s: self.broker.keep_alive_s,
            session_expiry_s: self.broker.session_expiry_s,
        };
        self.out.clear();
        wire::connect(&connect, &mut self.out).map_err(|_| Trouble::Failed("client id, user or password is too long".to_owned()))?;
        link.write(&self.out, &mut deadline).await?;
        match self.answer(&mut link, &mut deadline).await? {
            Answer::Welcome { resumed, keep_alive_s, qos_max } => {
                if !resumed {
                    self.under_way = None;
                }
                self.keep_alive_s = keep_alive_s.unwrap_or(self.broker.keep_alive_s);
                (self.qos_max, self.silent) = (qos_max, None);
                self.sent = port.clock().mono();
                Ok(link)
            }
            Answer::Unwelcome(why) => Err(Trouble::Broken(why.to_owned())),
            _ => Err(Trouble::Broken("the broker did not answer CONNECT".to_owned())),
        }
    }

    async fn serve(&mut self, port: &impl Port, link: &mut Link) -> Option<String> {
        loop {
            let taken = port.with(|unit, now| match unit.next_out(now) {
                Some(Payload { seq, body, target: Target::Mqtt(message) }) => Ok(self.message(seq, &message, body)),
                Some(_) => Ok(Err(())),
                None => Err(unit.until()),
            });
            match taken {
                None => {
                    self.out.clear();
                    wire::bye(&mut self.out);
                    // The rule is gone: nobody would hear that this failed.
                    let _ = link.write(&self.out, &mut Deadline::after(ANSWER_TIME)).await;
                    link.socket.shutdown_write();
                    return None;
                }
                Some(Ok(Err(()))) => {
                    port.with(|unit, now| unit.done(Outcome::Failed { text: "topic or property is too long for a message" }, now));
                }
                Some(Ok(Ok(qos))) => {
                    let result = self.deliver(link, qos).await;
                    self.sent = port.clock().mono();
                    port.with(|unit, now| match &result {
                        Ok(()) => unit.done(Outcome::Delivered, now),
                        Err(trouble) => unit.done(trouble.outcome(), now),
                    });
                    if let Err(Trouble::Broken(why)) = result {
                        return Some(why);
                    }
                }
                Some(Err(until)) => {
                    if let Err(Trouble::Broken(why) | Trouble::Failed(why)) = self.idle(port, link, until).await {
                        return Some(why);
                    }
                }
            }
        }
    }
}

impl Client {
    /// Makes the packet of a message; an error if it does not fit one.
    fn message(&mut self, seq: u64, message: &crate::sink::mqtt::Message<'_>, payload: &[u8]) -> Result<Qos, ()> {
        let qos = message.qos().min(self.qos_max);
        let again = self.under_way.filter(|u| u.seq == seq);
        self.out.clear();
        if let Some(UnderWay { id, received: true, .. }) = again {
            wire::release(id, &mut self.out);
            return Ok(qos);
        }
        let id = again.map_or_else(
            || {
                self.id = self.id.checked_add(1).unwrap_or(1);
                self.id
            },
            |u| u.id,
        );
        self.under_way = (qos != Qos::AtMost).then_some(UnderWay { seq, id, received: false });
        let publish = Publish { topic: message.topic(), qos, retain: message.retain(), again: again.is_some(), id, payload };
        wire::publish(self.broker.version, &publish, message.properties(), &mut self.out).map_err(|_| ())?;
        Ok(qos)
    }

    /// Sends the packet in `out`, and waits for what its qos promises.
    async fn deliver(&mut self, link: &mut Link, qos: Qos) -> Result<(), Trouble> {
        let mut deadline = Deadline::after(ANSWER_TIME);
        link.write(&self.out, &mut deadline).await?;
        while let (Some(under_way), true) = (self.under_way, qos != Qos::AtMost) {
            match self.answer(link, &mut deadline).await? {
                Answer::Delivered(id) if id == under_way.id => self.under_way = None,
                Answer::Received(id) if id == under_way.id => {
                    self.under_way = Some(UnderWay { received: true, ..under_way });
                    self.out.clear();
                    wire::release(id, &mut self.out);
                    link.write(&self.out, &mut deadline).await?;
                }
                Answer::Refused(id, reason) if id == under_way.id => {
                    self.under_way = None;
                    return Err(Trouble::Failed(format!("publish error {reason}: {}", wire::refusal(reason))));
                }
                Answer::Bye(reason) => return Err(Trouble::Broken(format!("the broker ended the connection: {reason}"))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits until something is to be done; pings where the silence grows long.
    async fn idle(&mut self, port: &impl Port, link: &mut Link, until: Option<Instant>) -> Result<(), Trouble> {
        let period = std::time::Duration::from_secs(self.keep_alive_s.into());
        let ping = (self.keep_alive_s > 0).then(|| self.sent.after(period));
        link.idle(port, [until, ping, self.silent].into_iter().flatten().min()).await?;
        let now = port.clock().mono();
        while let Some(answer) = self.ready(link)? {
            match answer {
                Answer::Alive => self.silent = None,
                Answer::Bye(reason) => return Err(Trouble::Broken(format!("the broker ended the connection: {reason}"))),
                _ => {}
            }
        }
        if self.silent.is_some_and(|at| at <= now) {
            return Err(Trouble::Broken("the broker does not answer pings".to_owned()));
        }
        if ping.is_some_and(|at| at <= now) {
            self.out.clear();
            wire::ping(&mut self.out);
            link.write(&self.out, &mut Deadline::after(ANSWER_TIME)).await?;
            self.sent = now;
            self.silent.get_or_insert(now.after(ANSWER_TIME));
        }
        Ok(())
    }

    /// The next answer; waits for it.
    async fn answer(&mut self, link: &mut Link, deadline: &mut Deadline) -> Result<Answer, Trouble> {
        loop {
            if let Some(answer) = self.ready(link)? {
                return Ok(answer);
            }
            link.more(deadline).await?;
        }
    }

    /// The next answer, if it is all there.
    fn ready(&self, link: &mut Link) -> Result<Option<Answer>, Trouble> {
        let found = wire::answer(self.broker.version, &link.got).map_err(|bad| Trouble::Broken(bad.to_string()))?;
        Ok(found.map(|(answer, used)| {
            link.got.drain(..used);
            answer
        }))
    }
}

/// A client id as eKuiper makes them up.
fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without random bytes the id is all zeros, and a second such client would throw the first out: better than no sink at all.
    let _ = getrandom::fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
