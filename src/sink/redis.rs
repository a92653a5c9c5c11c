//! The redis and redisPub sinks (facts §8.2): which commands a payload becomes.
//!
//! * `redis` stores each row under a key: one text for the row (`keyType: single`), or one for each of its members (`multiple`).
//!   It takes rows, so a payload is a packed list of row objects. A row that lacks its key is a fault of the payload; the others
//!   are stored all the same.
//! * `redisPub` publishes the payload on a channel.
//! * What is sent again after a broken connection may be stored twice: a list then holds it twice.

use core::time::Duration;
use std::sync::Arc;

use super::peer::Peer;
use super::props::Props;
use super::rows::row_kind;
use crate::encode;
use crate::json::write::Out;
use crate::value::{Fault, Packed, Scratch, Value, text};
use crate::wire::resp;

/// What a server listens on unless it says otherwise.
const PORT: u16 = 6379;

/// What it takes to connect, for whoever does it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it is.
    pub peer: Arc<Peer>,
    /// Who connects.
    user: Arc<str>,
    password: Arc<str>,
    /// The database, 0..=15.
    db: u8,
}

impl Server {
    /// `address`: the name of the property that holds the address. `sink`: what its errors begin with.
    fn read(props: &mut Props<'_>, address: &'static str, sink: &str) -> Result<Self, String> {
        let at = props.text(address)?.unwrap_or("");
        let at = if at.is_empty() { "localhost" } else { at };
        let peer = Peer::parse(at, PORT).map_err(|e| format!("{address}: {e}"))?;
        let db = props.int("db")?.unwrap_or(0);
        let db = u8::try_from(db).ok().filter(|db| *db <= 15).ok_or_else(|| format!("{sink} db should be in range 0-15"))?;
        let mut given = |name| props.text(name).map(|t| Arc::from(t.unwrap_or("")));
        Ok(Self { peer: Arc::new(peer), user: given("username")?, password: given("password")?, db })
    }

    /// Appends what a connection begins with; the number of commands.
    pub fn greet(&self, out: &mut Vec<u8>) -> usize {
        let mut count = 1;
        if !self.password.is_empty() {
            count += 1;
            if self.user.is_empty() {
                resp::command(&[b"AUTH", self.password.as_bytes()], out);
            } else {
                resp::command(&[b"AUTH", self.user.as_bytes(), self.password.as_bytes()], out);
            }
        }
        if self.db > 0 {
            count += 1;
            resp::command(&[b"SELECT", itoa::Buffer::new().format(self.db).as_bytes()], out);
        }
        resp::command(&[b"PING"], out);
        count
    }
}

/// How a row is stored.
#[derive(Debug)]
struct Store {
    /// The member that holds the key; empty: `key`.
    field: String,
    key: String,
    /// A text for each member of a row.
    is_multiple: bool,
    is_list: bool,
    /// For texts alone.
    expiration: Option<Duration>,
    kind_field: String,
}

/// A redis or redisPub sink's own properties.
#[derive(Debug)]
pub(super) struct Redis {
    server: Server,
    what: What,
}

#[derive(Debug)]
enum What {
    Store(Store),
    Publish(String),
}

/// The commands of one payload, to be made.
#[derive(Debug, Clone, Copy)]
pub struct Commands<'p> {
    redis: &'p Redis,
}

/// What became of making them.
#[derive(Debug, Default)]
pub struct Made {
    /// How many commands were appended.
    pub count: usize,
    /// Why a row was left out, the last that was.
    pub fault: Option<String>,
}

impl Commands<'_> {
    /// Appends the commands of `payload` to `out`. `work` is memory to build keys and texts in.
    pub fn make(&self, payload: &[u8], work: &mut [u8], out: &mut Vec<u8>) -> Made {
        let mut made = Made::default();
        match &self.redis.what {
            What::Publish(channel) => {
                resp::command(&[b"PUBLISH", channel.as_bytes(), payload], out);
                made.count = 1;
            }
            What::Store(store) => {
                let rows = Packed::from_bytes(payload).map(Packed::elements);
                for row in rows.into_iter().flatten() {
                    let work = Scratch::new(work);
                    let before = out.len();
                    match store.row(row, &work, out) {
                        Ok(count) => made.count += count,
                        Err(fault) => {
                            out.truncate(before);
                            made.fault = Some(fault.text.to_owned());
                        }
                    }
                }
            }
        }
        made
    }
}

impl Redis {
    /// Reads and checks a redis sink.
    ///
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read(props: &mut Props<'_>) -> Result<Self, String> {
        let server = Server::read(props, "addr", "redisSink")?;
        let mut text = |name| props.text(name).map(|t| t.unwrap_or("").to_owned());
        let (key, field, kind_field) = (text("key")?, text("field")?, text("rowkindField")?);
        let is_multiple = match props.text("keyType")?.unwrap_or("single") {
            "single" => false,
            "multiple" => true,
            _ => return Err("KeyType only support single or multiple".into()),
        };
        if !is_multiple && key.is_empty() && field.is_empty() {
            return Err("redis sink must have key or field when KeyType is single".into());
        }
        let is_list = match props.text("dataType")?.unwrap_or("string") {
            "string" => false,
            "list" => true,
            _ => return Err("redis sink only support string or list data type".into()),
        };
        // A negative one, eKuiper's default, means none.
        let expiration = if props.int("expiration").is_ok_and(|n| n.is_some_and(|n| n < 0)) {
            None
        } else {
            props.duration("expiration")?.filter(|d| !d.is_zero())
        };
        let store = Store { field, key, is_multiple, is_list, expiration, kind_field };
        Ok(Self { server, what: What::Store(store) })
    }

    /// Reads and checks a redisPub sink.
    ///
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read_publisher(props: &mut Props<'_>) -> Result<Self, String> {
        let server = Server::read(props, "address", "redisPub")?;
        let channel = props.text("channel")?.unwrap_or("");
        if channel.is_empty() {
            return Err("redisPub sink is missing property channel".into());
        }
        Ok(Self { server, what: What::Publish(channel.to_owned()) })
    }

    pub(super) fn server(&self) -> Server {
        self.server.clone()
    }

    pub(super) const fn commands(&self) -> Commands<'_> {
        Commands { redis: self }
    }
}

impl Store {
    /// Appends the commands of one row; how many they are.
    fn row<'a>(&self, row: Value<'a>, work: &Scratch<'a>, out: &mut Vec<u8>) -> Result<usize, Fault<'a>> {
        let row = row.object(work)?.ok_or(Fault::new("a row is no object"))?;
        let removes = row_kind(row, &self.kind_field, work)? == "delete";
        if self.is_multiple {
            let mut count = 0;
            for (key, value) in row.entries() {
                let value = plain(value, work)?;
                self.command(key.as_bytes(), value, removes, out);
                count += 1;
            }
            return Ok(count);
        }
        let key = if self.field.is_empty() {
            self.key.as_bytes()
        } else {
            let value = row.get(&self.field);
            plain(value.ok_or_else(|| work.fault(format_args!("field {} does not exist in data", self.field)))?, work)?
        };
        let value = work.write_bytes(|out: &mut Out<'_>| text::json(out, row.value(), work))?;
        self.command(key, value, removes, out);
        Ok(1)
    }

    fn command(&self, key: &[u8], value: &[u8], removes: bool, out: &mut Vec<u8>) {
        match (removes, self.is_list) {
            (true, true) => resp::command(&[b"LPOP", key], out),
            (true, false) => resp::command(&[b"DEL", key], out),
            (false, true) => resp::command(&[b"LPUSH", key, value], out),
            (false, false) => match self.expiration {
                None => resp::command(&[b"SET", key, value], out),
                Some(after) => {
                    let mut ms = itoa::Buffer::new();
                    resp::command(&[b"SET", key, value, b"PX", ms.format(after.as_millis().max(1)).as_bytes()], out);
                }
            },
        }
    }
}

/// A value as Go's `cast.ToString` has it.
fn plain<'a>(value: Value<'a>, work: &Scratch<'a>) -> Result<&'a [u8], Fault<'a>> {
    work.write_bytes(|out: &mut Out<'_>| encode::plain(out, value, work))
}

/// Whether an error of the server's may heal: it is starting, busy, or about to change its role.
#[must_use]
pub fn heals(error: &str) -> bool {
    let code = error.split(' ').next().unwrap_or("");
    matches!(code, "LOADING" | "BUSY" | "READONLY" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" | "OOM" | "MISCONF" | "NOREPLICAS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Numbers;

    fn props(text: &str) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(text).expect("an object")
    }

    /// The commands of rows, their words joined by blanks, and the fault.
    fn commands(text: &str, rows: &str) -> (Vec<String>, Option<String>) {
        let map = props(text);
        let redis = Redis::read(&mut Props::new(&map)).expect("sound");
        let mut buf = vec![0; 4096];
        let memory = Scratch::new(&mut buf);
        let list = Value::Json(Numbers::Float, rows).list(&memory).expect("room").expect("a list");
        let mut out = Vec::new();
        let made = redis.commands().make(list.as_bytes(), &mut vec![0; 4096], &mut out);
        let text = String::from_utf8(out).expect("text");
        let mut words = text.split("\r\n").filter(|w| !w.is_empty() && !w.starts_with('$'));
        let mut got: Vec<String> = Vec::new();
        while let Some(count) = words.next() {
            let count: usize = count[1..].parse().expect("a count");
            got.push((0..count).filter_map(|_| words.next()).collect::<Vec<_>>().join(" "));
        }
        assert_eq!(got.len(), made.count);
        (got, made.fault)
    }

    #[test]
    fn rows_become_commands() {
        for (text, rows, want) in [
            (r#"{"key":"k"}"#, r#"[{"b":1,"a":"x"},{"a":2}]"#, &[r#"SET k {"a":"x","b":1}"#, r#"SET k {"a":2}"#][..]),
            (r#"{"key":"k","expiration":1500}"#, r#"[{"a":1}]"#, &[r#"SET k {"a":1} PX 1500"#]),
            (r#"{"key":"k","expiration":"90s"}"#, r#"[{"a":1}]"#, &[r#"SET k {"a":1} PX 90000"#]),
            (r#"{"key":"k","expiration":-1}"#, r#"[{"a":1}]"#, &[r#"SET k {"a":1}"#]),
            (r#"{"key":"k","dataType":"list","expiration":5}"#, r#"[{"a":1}]"#, &[r#"LPUSH k {"a":1}"#]),
            (
                r#"{"key":"k","field":"f"}"#,
                r#"[{"f":true},{"f":1e21},{"f":[1,2]},{"f":{"a":1}}]"#,
                &[
                    r#"SET true {"f":true}"#,
                    r#"SET 1000000000000000000000 {"f":1e+21}"#,
                    r#"SET [1 2] {"f":[1,2]}"#,
                    r#"SET map[a:1] {"f":{"a":1}}"#,
                ],
            ),
            (r#"{"keyType":"multiple"}"#, r#"[{"a":1,"b":"x","c":[1,2]}]"#, &["SET a 1", "SET b x", "SET c [1 2]"]),
            (
                r#"{"key":"k","rowkindField":"o"}"#,
                r#"[{"o":"delete"},{"o":"insert"},{"a":1}]"#,
                &["DEL k", r#"SET k {"o":"insert"}"#, r#"SET k {"a":1}"#],
            ),
            (r#"{"key":"k","rowkindField":"o","dataType":"list"}"#, r#"[{"o":"delete"}]"#, &["LPOP k"]),
            (r#"{"key":"k"}"#, "[]", &[]),
        ] {
            assert_eq!(commands(text, rows), (want.iter().map(|w| (*w).to_owned()).collect(), None), "{text} {rows}");
        }
        let (got, fault) = commands(r#"{"field":"f"}"#, r#"[{"a":1},{"f":"x"}]"#);
        assert_eq!((got.as_slice(), fault.as_deref()), (&[r#"SET x {"f":"x"}"#.to_owned()][..], Some("field f does not exist in data")));
        let (got, fault) = commands(r#"{"key":"k","rowkindField":"o"}"#, r#"[{"o":"drop"},{"o":1}]"#);
        assert!(got.is_empty() && fault.is_some_and(|f| f.contains("not a string")));
    }

    #[test]
    fn refusals() {
        for (text, why) in [
            (r"{}", "must have key or field"),
            (r#"{"key":"k","db":16}"#, "0-15"),
            (r#"{"key":"k","db":-1}"#, "0-15"),
            (r#"{"key":"k","keyType":"x"}"#, "single or multiple"),
            (r#"{"key":"k","keyType":""}"#, "single or multiple"),
            (r#"{"key":"k","dataType":"x"}"#, "string or list"),
            (r#"{"key":"k","addr":"a/b"}"#, "addr"),
            (r#"{"key":"k","expiration":"x"}"#, "expiration"),
            (r#"{"key":5}"#, "key"),
        ] {
            let map = props(text);
            let got = Redis::read(&mut Props::new(&map));
            assert!(got.as_ref().is_err_and(|e| e.contains(why)), "{text}: {:?}", got.err());
        }
        for (text, why) in [(r"{}", "channel"), (r#"{"channel":"c","db":16}"#, "redisPub db")] {
            let map = props(text);
            let got = Redis::read_publisher(&mut Props::new(&map));
            assert!(got.as_ref().is_err_and(|e| e.contains(why)), "{text}: {:?}", got.err());
        }
    }

    #[test]
    fn greets_and_publishes() {
        let map = props(r#"{"channel":"c","address":"h:1","db":3,"username":"u","password":"p"}"#);
        let redis = Redis::read_publisher(&mut Props::new(&map)).expect("sound");
        let server = redis.server();
        assert_eq!((server.peer.host.as_str(), server.peer.port), ("h", 1));
        let mut out = Vec::new();
        assert_eq!(server.greet(&mut out), 3);
        assert_eq!(out, b"*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*1\r\n$4\r\nPING\r\n");
        out.clear();
        assert_eq!(redis.commands().make(b"hi", &mut [], &mut out).count, 1);
        assert_eq!(out, b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$2\r\nhi\r\n");
        assert!(heals("LOADING Redis is loading") && !heals("WRONGTYPE Operation"));
    }
}
