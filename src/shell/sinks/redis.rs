//! Commands to a Redis server: which they are is the sink's matter, here is the waiting.
//!
//! The commands of one payload are sent together, and all of their replies awaited before the next payload is.

use super::link::{ANSWER_TIME, CONNECT_TIME, Link, Session, keep};
use super::{Deadline, Outcome, Payload, Port, Target, Trouble};
use crate::sink::redis::{Server, heals};
use crate::wire::resp::{Replies, Reply};

/// Memory in which keys and texts are made: a row, and its text.
const WORK_BYTES: usize = 256 << 10;

pub(super) async fn run(port: &impl Port) {
    let Some(server) = port.with(|unit, _| unit.server()).flatten() else { return };
    keep(port, &mut Client { server, out: Vec::new(), work: vec![0; WORK_BYTES], replies: Replies::default() }).await;
}

struct Client {
    server: Server,
    out: Vec<u8>,
    work: Vec<u8>,
    replies: Replies,
}

impl Session for Client {
    async fn connect(&mut self, _: &impl Port) -> Result<Link, Trouble> {
        let mut deadline = Deadline::after(CONNECT_TIME);
        let mut link = Link::open(&self.server.peer, None, &mut deadline).await?;
        self.replies = Replies::default();
        self.out.clear();
        let count = self.server.greet(&mut self.out);
        self.exchange(&mut link, count, &mut deadline).await?;
        Ok(link)
    }

    async fn serve(&mut self, port: &impl Port, link: &mut Link) -> Option<String> {
        loop {
            let taken = port.with(|unit, now| match unit.next_out(now) {
                Some(Payload { body, target: Target::Redis(commands), .. }) => {
                    self.out.clear();
                    Ok(commands.make(body, &mut self.work, &mut self.out))
                }
                Some(_) => Ok(crate::sink::redis::Made::default()),
                None => Err(unit.until()),
            });
            match taken {
                None => {
                    link.socket.shutdown_write();
                    return None;
                }
                Some(Ok(made)) => {
                    let result = self.exchange(link, made.count, &mut Deadline::after(ANSWER_TIME)).await;
                    port.with(|unit, now| match (&result, &made.fault) {
                        (Ok(()), None) => unit.done(Outcome::Delivered, now),
                        (Ok(()), Some(text)) => unit.done(Outcome::Failed { text }, now),
                        (Err(trouble), _) => unit.done(trouble.outcome(), now),
                    });
                    if let Err(Trouble::Broken(why)) = result {
                        return Some(why);
                    }
                }
                Some(Err(until)) => {
                    // Nothing was asked: the server closes, or talks nonsense.
                    match link.idle(port, until).await {
                        Ok(false) => {}
                        Ok(true) => return Some("the server sent what nobody asked for".to_owned()),
                        Err(Trouble::Broken(why) | Trouble::Failed(why)) => return Some(why),
                    }
                }
            }
        }
    }
}

impl Client {
    /// Sends `out`, and takes `count` replies. An error that cannot heal is [`Trouble::Failed`], once all replies are there.
    async fn exchange(&mut self, link: &mut Link, count: usize, deadline: &mut Deadline) -> Result<(), Trouble> {
        if count == 0 {
            return Ok(());
        }
        link.write(&self.out, deadline).await?;
        let (mut left, mut failed) = (count, None);
        while left > 0 {
            let (reply, used) = self.replies.next(&link.got).map_err(|bad| Trouble::Broken(bad.to_string()))?;
            match reply {
                Some(Reply::Fine) => left -= 1,
                Some(Reply::Error(text)) => {
                    left -= 1;
                    failed = Some(if heals(text) { Trouble::Broken(text.to_owned()) } else { Trouble::Failed(text.to_owned()) });
                }
                None if used == 0 => {
                    link.more(deadline).await?;
                    continue;
                }
                None => {}
            }
            link.got.drain(..used);
        }
        failed.map_or(Ok(()), Err)
    }
}
