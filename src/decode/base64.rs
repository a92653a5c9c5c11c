//! Base64 as Go's `StdEncoding` reads it: line ends are passed over, padding is required, the bits behind the last octet are not looked at.

/// Decodes `src` into `dst`, which must hold `src.len() / 4 * 3 + 3` bytes; gives the number of octets.
///
/// # Errors
/// The offset that Go names in `illegal base64 data at input byte N`.
pub fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize, usize> {
    let (mut at, mut len) = (0, 0);
    loop {
        let mut quantum = [0_u8; 4];
        let mut have = 0;
        let mut padded = false;
        while have < 4 {
            let Some(&c) = src.get(at) else {
                return if have == 0 { Ok(len) } else { Err(at - have) };
            };
            at += 1;
            if matches!(c, b'\r' | b'\n') {
                continue;
            }
            if let Some(value) = digit(c) {
                quantum[have] = value;
                have += 1;
                continue;
            }
            if c != b'=' || have < 2 {
                return Err(at - 1);
            }
            let line_ends = |at: usize| at + src[at..].iter().take_while(|c| matches!(c, b'\r' | b'\n')).count();
            if have == 2 {
                at = line_ends(at);
                match src.get(at) {
                    None => return Err(src.len()),
                    Some(b'=') => at += 1,
                    Some(_) => return Err(at - 1),
                }
            }
            at = line_ends(at);
            if at < src.len() {
                return Err(at);
            }
            padded = true;
            break;
        }
        let [a, b, c, d] = quantum;
        let octets = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
        let count = have - 1;
        dst.get_mut(len..len + count).ok_or(at)?.copy_from_slice(&octets[..count]);
        len += count;
        if padded {
            return Ok(len);
        }
    }
}

const fn digit(c: u8) -> Option<u8> {
    Some(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn as_go_decodes() {
        for (src, want) in [
            ("", Ok("")),
            ("aGk=", Ok("hi")),
            ("aGl=", Ok("hi")),
            ("aA==", Ok("h")),
            ("aGkh", Ok("hi!")),
            ("aG\r\nkh\n", Ok("hi!")),
            ("aGk", Err(0)),
            ("aGkhaG", Err(4)),
            ("aG!h", Err(2)),
            ("=", Err(0)),
            ("aG=x", Err(2)),
            ("aG=", Err(3)),
            ("aGk=aGk=", Err(4)),
        ] {
            let mut buf = [0; 32];
            let got = decode(src.as_bytes(), &mut buf).map(|n| core::str::from_utf8(&buf[..n]).expect("text"));
            assert_eq!(got, want, "{src:?}");
        }
    }
}
