//! A client's half of RESP2, Redis's protocol: commands out, replies in. No clock, no socket.
//!
//! In: the words of a command; the server's bytes, in any pieces. Out: the command, appended to a buffer of the caller's; a [`Reply`]
//! for each that came in whole. Limits: a line of [`LINE_BYTES`]; the content of a bulk reply is passed over, of any length; arrays
//! are not asked for. Follows <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

/// The longest line of a reply.
pub const LINE_BYTES: usize = 1024;

/// One reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'r> {
    /// A simple string, a number, a text, or nothing.
    Fine,
    /// An error, with its code in front.
    Error(&'r str),
}

/// What is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bad;

impl core::fmt::Display for Bad {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the server sent what is no reply of Redis's protocol")
    }
}

/// Appends a command.
pub fn command(words: &[&[u8]], out: &mut Vec<u8>) {
    line(b'*', words.len(), out);
    for word in words {
        line(b'$', word.len(), out);
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn line(kind: u8, count: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Reads replies, one after the other.
#[derive(Debug, Default)]
pub struct Replies {
    /// Bytes of a bulk reply's content that are still to come.
    skip: usize,
}

impl Replies {
    /// Takes the next reply from the front of `bytes`, and says how many of them are used up. `None`: more has to come, and what
    /// is used up is used up all the same.
    ///
    /// # Errors
    /// [`Bad`]: the connection is of no use any more.
    pub fn next<'r>(&mut self, bytes: &'r [u8]) -> Result<(Option<Reply<'r>>, usize), Bad> {
        if self.skip > 0 {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            return Ok(((self.skip == 0).then_some(Reply::Fine), passed));
        }
        let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") else {
            return if bytes.len() > LINE_BYTES { Err(Bad) } else { Ok((None, 0)) };
        };
        let used = end + 2;
        let (&kind, text) = bytes.get(..end).and_then(<[u8]>::split_first).ok_or(Bad)?;
        let text = core::str::from_utf8(text).map_err(|_| Bad)?;
        match kind {
            b'+' | b':' => Ok((Some(Reply::Fine), used)),
            b'-' => Ok((Some(Reply::Error(text)), used)),
            b'$' if text == "-1" => Ok((Some(Reply::Fine), used)),
            b'$' => {
                self.skip = text.parse::<usize>().ok().and_then(|len| len.checked_add(2)).ok_or(Bad)?;
                Ok((None, used))
            }
            _ => Err(Bad),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All replies of `bytes`, given in pieces of `size`.
    fn read(bytes: &[u8], size: usize) -> Result<Vec<String>, Bad> {
        let (mut replies, mut buf, mut got) = (Replies::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            buf.extend_from_slice(piece);
            loop {
                let (reply, used) = replies.next(&buf)?;
                if let Some(reply) = reply {
                    got.push(match reply {
                        Reply::Fine => "fine".to_owned(),
                        Reply::Error(text) => text.to_owned(),
                    });
                }
                if used == 0 {
                    break;
                }
                buf.drain(..used);
            }
        }
        Ok(got)
    }

    #[test]
    fn commands() {
        let mut out = Vec::new();
        command(&[b"SET", b"k", b"a\r\nb"], &mut out);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n");
        out.clear();
        command(&[b"PING"], &mut out);
        assert_eq!(out, b"*1\r\n$4\r\nPING\r\n");
    }

    #[test]
    fn replies_whole_and_in_pieces() {
        let all = b"+OK\r\n:12\r\n$-1\r\n$3\r\nabc\r\n-WRONGTYPE no\r\n$0\r\n\r\n";
        for size in [1, 2, 3, 7, all.len()] {
            assert_eq!(read(all, size), Ok(["fine", "fine", "fine", "fine", "WRONGTYPE no", "fine"].map(str::to_owned).to_vec()), "{size}");
        }
        for bad in [&b"*1\r\n"[..], b"HTTP/1.1 400\r\n", b"$x\r\n", b"\r\n", b"$-2\r\n"] {
            assert_eq!(read(bad, bad.len()), Err(Bad), "{bad:?}");
        }
        assert_eq!(read(&[b'+'; LINE_BYTES], LINE_BYTES), Ok(Vec::new()));
        assert_eq!(read(&[b'+'; LINE_BYTES + 1], LINE_BYTES + 1), Err(Bad));
    }
}
