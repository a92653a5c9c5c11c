//! A publisher's half of MQTT 3.1, 3.1.1 and 5: packets out, acknowledgements in. No clock, no socket.
//!
//! In: what to connect with and what to publish; the broker's bytes, in any pieces. Out: packets, appended to a buffer of the
//! caller's; an [`Answer`] for each packet that came in whole. Limits: an incoming packet of [`ANSWER_BYTES`]; one message is under
//! way at a time, as the sink's outbox has it. Numbers in brackets are those of OASIS MQTT 3.1.1 and 5.0.
//!
//! ```text
//! CONNECT ─► CONNACK   PUBLISH ─► (qos 1) PUBACK   PUBLISH ─► PUBREC, PUBREL ─► PUBCOMP (qos 2)   PINGREQ ─► PINGRESP
//! ```

/// The longest packet that a broker may send to a client that subscribes to nothing.
pub const ANSWER_BYTES: usize = 8192;
/// The longest topic, client id, user name and user property: their length has two bytes.
const TEXT_BYTES: usize = u16::MAX as usize;

/// The protocol's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1, level 3.
    V3,
    /// 3.1.1, level 4.
    V4,
    /// 5.0, level 5.
    V5,
}

/// How a message is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// At most once.
    AtMost,
    /// At least once.
    AtLeast,
    /// Exactly once.
    Exactly,
}

impl Qos {
    /// The level of that number.
    #[must_use]
    pub const fn of(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::AtMost),
            1 => Some(Self::AtLeast),
            2 => Some(Self::Exactly),
            _ => None,
        }
    }
}

/// What a connection begins with.
#[derive(Debug, Clone)]
pub struct Connect<'c> {
    /// The version spoken from here on.
    pub version: Version,
    /// The client's name; the broker ends another connection of the same name.
    pub client_id: &'c str,
    /// Who connects.
    pub user: Option<&'c str>,
    /// And what proves it.
    pub password: Option<&'c str>,
    /// Whether the broker forgets what was before.
    pub clean: bool,
    /// Seconds of silence after which the broker gives the connection up; 0: never.
    pub keep_alive_s: u16,
    /// Seconds for which the broker keeps the session after the connection, version 5 only.
    pub session_expiry_s: u32,
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'p> {
    /// Where to; without wildcards.
    pub topic: &'p str,
    /// How.
    pub qos: Qos,
    /// Whether the broker keeps it for who subscribes later.
    pub retain: bool,
    /// Whether it was sent before, in the same session.
    pub again: bool,
    /// Its number while it is under way; not 0, unless qos is 0.
    pub id: u16,
    /// The content.
    pub payload: &'p [u8],
}

/// A text that does not fit a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// What the broker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// CONNACK: it was let in.
    Welcome {
        /// The session of before goes on.
        resumed: bool,
        /// The keep-alive that the broker wants instead, in seconds.
        keep_alive_s: Option<u16>,
        /// The highest qos that it takes.
        qos_max: Qos,
    },
    /// CONNACK: it was not.
    Unwelcome(&'static str),
    /// PUBACK, or PUBCOMP: message `id` is delivered.
    Delivered(u16),
    /// PUBREC: message `id` arrived, and is to be released with PUBREL.
    Received(u16),
    /// Message `id` was refused, version 5 only: the reason's number.
    Refused(u16, u8),
    /// PINGRESP.
    Alive,
    /// DISCONNECT, version 5 only: the reason's number.
    Bye(u8),
}

/// What is no answer to a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// A packet that a broker does not send, or not to a publisher.
    Kind(u8),
    /// A packet that ends too early or holds nonsense.
    Shape,
    /// Longer than [`ANSWER_BYTES`].
    TooLong,
}

impl core::fmt::Display for Bad {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "the broker sent a packet of kind {kind}"),
            Self::Shape => f.write_str("the broker sent what is no MQTT"),
            Self::TooLong => write!(f, "the broker sent a packet of more than {ANSWER_BYTES} bytes"),
        }
    }
}

const PINGREQ: [u8; 2] = [0xC0, 0];
const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Appends CONNECT (3.1).
///
/// # Errors
/// [`TooLong`]; nothing was appended then.
pub fn connect(c: &Connect<'_>, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let texts = [Some(c.client_id), c.user, c.password];
    if texts.iter().flatten().any(|t| t.len() > TEXT_BYTES) {
        return Err(TooLong);
    }
    let (name, level) = match c.version {
        Version::V3 => ("MQIsdp", 3),
        Version::V4 => ("MQTT", 4),
        Version::V5 => ("MQTT", 5),
    };
    // In 3.1 and 3.1.1 a password needs a user name [MQTT-3.1.2-22].
    let user = c.user.or(c.password.filter(|_| c.version != Version::V5).map(|_| ""));
    let expiry = c.version == Version::V5 && c.session_expiry_s > 0;
    let properties: usize = if expiry { 5 } else { 0 };
    let text = |t: Option<&str>| t.map_or(0, |t| 2 + t.len());
    let v5 = if c.version == Version::V5 { 1 + properties } else { 0 };
    let len = 2 + name.len() + 1 + 1 + 2 + v5 + text(Some(c.client_id)) + text(user) + text(c.password);
    out.push(0x10);
    length(len, out);
    put(name.as_bytes(), out);
    out.push(level);
    out.push(u8::from(c.clean) << 1 | u8::from(c.password.is_some()) << 6 | u8::from(user.is_some()) << 7);
    out.extend_from_slice(&c.keep_alive_s.to_be_bytes());
    if c.version == Version::V5 {
        length(properties, out);
        if expiry {
            out.push(0x11);
            out.extend_from_slice(&c.session_expiry_s.to_be_bytes());
        }
    }
    put(c.client_id.as_bytes(), out);
    for text in [user, c.password].into_iter().flatten() {
        put(text.as_bytes(), out);
    }
    Ok(())
}

/// Appends PUBLISH (3.3). `properties` are user properties, which versions before 5 do not know.
///
/// # Errors
/// [`TooLong`]; nothing was appended then.
pub fn publish<'t>(
    version: Version,
    p: &Publish<'_>,
    properties: impl Iterator<Item = (&'t str, &'t str)> + Clone,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let v5 = version == Version::V5;
    let mut props_len = 0;
    if v5 {
        for (name, value) in properties.clone() {
            if name.len() > TEXT_BYTES || value.len() > TEXT_BYTES {
                return Err(TooLong);
            }
            props_len += 5 + name.len() + value.len();
        }
    }
    if p.topic.len() > TEXT_BYTES {
        return Err(TooLong);
    }
    let id_len = if p.qos == Qos::AtMost { 0 } else { 2 };
    let len = 2 + p.topic.len() + id_len + if v5 { length_len(props_len) + props_len } else { 0 } + p.payload.len();
    if length_len(len) > 4 {
        return Err(TooLong);
    }
    out.push(0x30 | u8::from(p.again) << 3 | (p.qos as u8) << 1 | u8::from(p.retain));
    length(len, out);
    put(p.topic.as_bytes(), out);
    if id_len > 0 {
        out.extend_from_slice(&p.id.to_be_bytes());
    }
    if v5 {
        length(props_len, out);
        for (name, value) in properties {
            out.push(0x26);
            put(name.as_bytes(), out);
            put(value.as_bytes(), out);
        }
    }
    out.extend_from_slice(p.payload);
    Ok(())
}

/// Appends PUBREL (3.6).
pub fn release(id: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x62, 2]);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Appends PINGREQ (3.12).
pub fn ping(out: &mut Vec<u8>) {
    out.extend_from_slice(&PINGREQ);
}

/// Appends DISCONNECT (3.14).
pub fn bye(out: &mut Vec<u8>) {
    out.extend_from_slice(&DISCONNECT);
}

/// The first packet of `bytes`, and how many of them it takes. `None`: it is not all there yet.
///
/// # Errors
/// [`Bad`]: the connection is of no use any more.
pub fn answer(version: Version, bytes: &[u8]) -> Result<Option<(Answer, usize)>, Bad> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((len, taken)) = read_length(rest)? else { return Ok(None) };
    let whole = 1 + taken + len;
    if whole > ANSWER_BYTES {
        return Err(Bad::TooLong);
    }
    let Some(body) = bytes.get(1 + taken..whole) else { return Ok(None) };
    let v5 = version == Version::V5;
    let id = || body.first_chunk::<2>().map(|id| u16::from_be_bytes(*id)).ok_or(Bad::Shape);
    // Of an acknowledgement in version 5; absent means success (3.4.2.1).
    let reason = || if v5 { body.get(2).copied().unwrap_or(0) } else { 0 };
    let told = |delivered: fn(u16) -> Answer| -> Result<Answer, Bad> {
        let id = id()?;
        Ok(if reason() < 0x80 { delivered(id) } else { Answer::Refused(id, reason()) })
    };
    let answer = match first >> 4 {
        2 => welcome(v5, body)?,
        4 | 7 => told(Answer::Delivered)?,
        5 => told(Answer::Received)?,
        13 => Answer::Alive,
        14 if v5 => Answer::Bye(body.first().copied().unwrap_or(0)),
        kind => return Err(Bad::Kind(kind)),
    };
    Ok(Some((answer, whole)))
}

/// CONNACK (3.2).
fn welcome(v5: bool, body: &[u8]) -> Result<Answer, Bad> {
    let [flags, code, rest @ ..] = body else { return Err(Bad::Shape) };
    if *code != 0 {
        return Ok(Answer::Unwelcome(unwelcome(*code)));
    }
    let (mut keep_alive_s, mut qos_max) = (None, Qos::Exactly);
    if v5 && let Some((len, taken)) = read_length(rest)? {
        let mut props = rest.get(taken..taken + len).ok_or(Bad::Shape)?;
        while let [id, tail @ ..] = props {
            let size = match id {
                0x11 | 0x27 => 4,
                0x13 | 0x21 | 0x22 => 2,
                0x24 | 0x25 | 0x28 | 0x29 | 0x2A => 1,
                0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => text_len(tail)?,
                0x26 => {
                    let name = text_len(tail)?;
                    name + text_len(tail.get(name..).ok_or(Bad::Shape)?)?
                }
                _ => return Err(Bad::Shape),
            };
            let (value, next) = tail.split_at_checked(size).ok_or(Bad::Shape)?;
            match (id, value) {
                (0x13, [high, low]) => keep_alive_s = Some(u16::from_be_bytes([*high, *low])),
                (0x24, [qos]) => qos_max = Qos::of(*qos).ok_or(Bad::Shape)?,
                _ => {}
            }
            props = next;
        }
    }
    Ok(Answer::Welcome { resumed: flags & 1 == 1, keep_alive_s, qos_max })
}

/// Why CONNACK says no: codes of version 3 (3.2.2.3) and 5 (3.2.2.2).
const fn unwelcome(code: u8) -> &'static str {
    match code {
        1 | 0x84 => "unacceptable protocol version",
        2 | 0x85 => "client identifier not valid",
        3 | 0x88 => "server unavailable",
        4 | 0x86 => "bad user name or password",
        5 | 0x87 => "not authorized",
        0x89 => "server busy",
        0x8A => "banned",
        0x95 => "packet too large",
        0x97 => "quota exceeded",
        0x9C | 0x9D => "use another server",
        0x9F => "connection rate exceeded",
        _ => "connection refused by the broker",
    }
}

/// What a refused message's reason means (3.4.2.1).
#[must_use]
pub const fn refusal(reason: u8) -> &'static str {
    match reason {
        0x83 => "implementation specific error",
        0x87 => "not authorized",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        0x97 => "quota exceeded",
        0x99 => "payload format invalid",
        _ => "unspecified error",
    }
}

fn text_len(bytes: &[u8]) -> Result<usize, Bad> {
    bytes.first_chunk::<2>().map(|len| 2 + usize::from(u16::from_be_bytes(*len))).ok_or(Bad::Shape)
}

/// A length of one to four bytes, seven bits each (2.2.3), and how many it took.
fn read_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Bad> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((value, i + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Bad::Shape) }
}

const fn length_len(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        0x20_0000..=0xFFF_FFFF => 4,
        _ => 5,
    }
}

fn length(mut value: usize, out: &mut Vec<u8>) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7F;
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// A text behind its length; the caller has checked that it fits.
fn put(text: &[u8], out: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&text[..usize::from(len)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain<'c>(version: Version) -> Connect<'c> {
        Connect { version, client_id: "c", user: None, password: None, clean: true, keep_alive_s: 30, session_expiry_s: 0 }
    }

    #[test]
    fn connects() {
        let mut out = Vec::new();
        connect(&plain(Version::V4), &mut out).expect("fits");
        assert_eq!(out, b"\x10\x0d\0\x04MQTT\x04\x02\0\x1e\0\x01c");
        out.clear();
        connect(&plain(Version::V3), &mut out).expect("fits");
        assert_eq!(out, b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x1e\0\x01c");
        out.clear();
        connect(&Connect { user: Some("u"), password: Some("p"), clean: false, ..plain(Version::V4) }, &mut out).expect("fits");
        assert_eq!(out, b"\x10\x13\0\x04MQTT\x04\xc0\0\x1e\0\x01c\0\x01u\0\x01p");
        out.clear();
        connect(&Connect { session_expiry_s: 258, ..plain(Version::V5) }, &mut out).expect("fits");
        assert_eq!(out, b"\x10\x13\0\x04MQTT\x05\x02\0\x1e\x05\x11\0\0\x01\x02\0\x01c");
        // A password alone: version 5 allows it, the others want a user name beside it.
        out.clear();
        connect(&Connect { password: Some("p"), ..plain(Version::V4) }, &mut out).expect("fits");
        assert_eq!(out, b"\x10\x12\0\x04MQTT\x04\xc2\0\x1e\0\x01c\0\0\0\x01p");
        let long = "x".repeat(TEXT_BYTES + 1);
        out.clear();
        assert_eq!(connect(&Connect { client_id: &long, ..plain(Version::V4) }, &mut out), Err(TooLong));
        assert!(out.is_empty());
        assert_eq!(connect(&Connect { client_id: &long[1..], ..plain(Version::V4) }, &mut out), Ok(()));
    }

    #[test]
    fn publishes() {
        let message = Publish { topic: "a/b", qos: Qos::AtMost, retain: false, again: false, id: 0, payload: b"hi" };
        let none = || core::iter::empty();
        let mut out = Vec::new();
        publish(Version::V4, &message, none(), &mut out).expect("fits");
        assert_eq!(out, b"\x30\x07\0\x03a/bhi");
        out.clear();
        publish(Version::V4, &Publish { qos: Qos::Exactly, retain: true, again: true, id: 258, ..message }, none(), &mut out)
            .expect("fits");
        assert_eq!(out, b"\x3d\x09\0\x03a/b\x01\x02hi");
        out.clear();
        publish(Version::V5, &Publish { qos: Qos::AtLeast, id: 1, ..message }, [("k", "v")].into_iter(), &mut out).expect("fits");
        assert_eq!(out, b"\x32\x11\0\x03a/b\0\x01\x07\x26\0\x01k\0\x01vhi");
        // Properties are left out where they are unknown; longer packets have longer lengths.
        out.clear();
        let payload = vec![b'x'; 200];
        publish(Version::V3, &Publish { payload: &payload, ..message }, [("k", "v")].into_iter(), &mut out).expect("fits");
        assert_eq!((&out[..3], out.len()), (&b"\x30\xcd\x01"[..], 208));
        let long = "x".repeat(TEXT_BYTES + 1);
        assert_eq!(publish(Version::V4, &Publish { topic: &long, ..message }, none(), &mut out), Err(TooLong));
        assert_eq!(publish(Version::V5, &message, [("k", long.as_str())].into_iter(), &mut out), Err(TooLong));
        assert_eq!(out.len(), 208);
        out.clear();
        release(258, &mut out);
        ping(&mut out);
        bye(&mut out);
        assert_eq!(out, b"\x62\x02\x01\x02\xc0\0\xe0\0");
    }

    #[test]
    fn answers_whole_and_in_pieces() {
        let welcome = |resumed| Answer::Welcome { resumed, keep_alive_s: None, qos_max: Qos::Exactly };
        for (version, bytes, want) in [
            (Version::V4, &b"\x20\x02\0\0"[..], Ok(welcome(false))),
            (Version::V4, b"\x20\x02\x01\0", Ok(welcome(true))),
            (Version::V4, b"\x20\x02\0\x05", Ok(Answer::Unwelcome("not authorized"))),
            (Version::V5, b"\x20\x03\0\0\0", Ok(welcome(false))),
            (Version::V5, b"\x20\x03\0\x86\0", Ok(Answer::Unwelcome("bad user name or password"))),
            (
                Version::V5,
                b"\x20\x14\0\0\x11\x24\x01\x13\0\x05\x12\0\x01x\x26\0\x01a\0\0\x25\x01",
                Ok(Answer::Welcome { resumed: false, keep_alive_s: Some(5), qos_max: Qos::AtLeast }),
            ),
            (Version::V5, b"\x20\x05\0\0\x02\x24\x03", Err(Bad::Shape)),
            (Version::V5, b"\x20\x05\0\0\x03\x24\x01", Err(Bad::Shape)),
            (Version::V5, b"\x20\x05\0\0\x02\x7f\x01", Err(Bad::Shape)),
            (Version::V4, b"\x20\x01\0", Err(Bad::Shape)),
            (Version::V4, b"\x40\x02\x01\x02", Ok(Answer::Delivered(258))),
            (Version::V4, b"\x70\x02\x01\x02", Ok(Answer::Delivered(258))),
            (Version::V4, b"\x50\x02\0\x01", Ok(Answer::Received(1))),
            (Version::V5, b"\x40\x03\0\x01\x10", Ok(Answer::Delivered(1))),
            (Version::V5, b"\x40\x04\0\x01\x87\0", Ok(Answer::Refused(1, 0x87))),
            (Version::V5, b"\x50\x03\0\x01\x97", Ok(Answer::Refused(1, 0x97))),
            (Version::V4, b"\x40\x01\0", Err(Bad::Shape)),
            (Version::V4, b"\xd0\0", Ok(Answer::Alive)),
            (Version::V5, b"\xe0\x01\x8b", Ok(Answer::Bye(0x8b))),
            (Version::V5, b"\xe0\0", Ok(Answer::Bye(0))),
            (Version::V4, b"\xe0\0", Err(Bad::Kind(14))),
            (Version::V4, b"\x30\x02\0\0", Err(Bad::Kind(3))),
            (Version::V4, b"\x40\xff\xff\xff\xff\x01", Err(Bad::Shape)),
            (Version::V4, b"\x40\xfe\x3f", Err(Bad::TooLong)),
        ] {
            assert_eq!(answer(version, bytes), want.map(|a| Some((a, bytes.len()))), "{bytes:02x?}");
            let mut behind = bytes.to_vec();
            behind.extend_from_slice(b"\xd0\0");
            if want.is_ok() {
                assert_eq!(answer(version, &behind), want.map(|a| Some((a, bytes.len()))), "{bytes:02x?}");
                for end in 0..bytes.len() {
                    assert_eq!(answer(version, &bytes[..end]), Ok(None), "{bytes:02x?} to {end}");
                }
            }
        }
        // 3 bytes in front of 8189 are ANSWER_BYTES.
        assert_eq!(answer(Version::V4, b"\x40\xfd\x3f"), Ok(None));
    }
}
