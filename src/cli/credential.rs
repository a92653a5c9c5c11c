//! `pushgate credential new`: a fresh token, or the hash of a password, and what to paste into a conf key.
//!
//! The token is printed once and kept nowhere. What goes into the configuration is its SHA-256, which lets nobody in; a password of
//! a human is hashed with PBKDF2-HMAC-SHA256 instead, so that guessing is slow. Randomness is an argument.

use core::num::NonZeroU32;

use ring::{digest, pbkdf2};

use super::{Client, Outside};
use crate::config::credentials::{NAME_BYTES, ROUNDS, SECRET_BYTES};

/// Rounds for a new password: about a tenth of a second on a small board, once per process.
const ROUNDS_NEW: u32 = 100_000;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct New {
    name: String,
    password: bool,
    hmac: bool,
    rounds: u32,
}

impl Client {
    /// Whether the words are those of this command.
    #[must_use]
    pub fn is_credential(&self) -> bool {
        self.words.first().is_some_and(|word| word.eq_ignore_ascii_case("credential"))
    }

    /// Runs `credential new`; `random` fills bytes from the system. Gives the exit code.
    pub fn credential(&self, outside: &mut dyn Outside, random: &mut dyn FnMut(&mut [u8]) -> Result<(), String>) -> u8 {
        match self.new_credential(outside, random) {
            Ok(text) => {
                outside.print(&text);
                0
            }
            Err(why) => {
                outside.complain(&format!("{why}\ntry: pushgate credential --help\n"));
                2
            }
        }
    }

    fn new_credential(&self, outside: &mut dyn Outside, random: &mut dyn FnMut(&mut [u8]) -> Result<(), String>) -> Result<String, String> {
        let new = New::of(self.words.get(1..).unwrap_or_default())?;
        let name = &new.name;
        if new.password {
            let text = outside.read_file("-").map_err(|e| format!("password: {e}"))?;
            let password = text.lines().next().unwrap_or_default();
            if password.is_empty() || password.len() > SECRET_BYTES {
                return Err(format!("expected a password of 1 to {SECRET_BYTES} bytes on standard input"));
            }
            let mut salt = [0; 16];
            random(&mut salt)?;
            let mut hash = [0; 32];
            let rounds = NonZeroU32::new(new.rounds).unwrap_or(NonZeroU32::MIN);
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut hash);
            let base64 = |bytes: &[u8]| data_encoding::BASE64.encode_display(bytes).to_string();
            return Ok(format!(
                "- {{name: {name}, type: basic, user: {name}, pbkdf2: \"{}:{}:{}\"}}\n",
                new.rounds,
                base64(&salt),
                base64(&hash)
            ));
        }
        let mut bytes = [0; 32];
        random(&mut bytes)?;
        let token = data_encoding::BASE64URL_NOPAD.encode_display(&bytes).to_string();
        if new.hmac {
            return Ok(format!(
                "key, for the sender and for a file that only pushgate may read; it is shown only now:\n{token}\n\
                 \nfor the conf key:\n- {{name: {name}, type: hmac, keyId: {name}, secretFile: /etc/pushgate/secrets/{name}}}\n"
            ));
        }
        let hash = data_encoding::HEXLOWER.encode_display(digest::digest(&digest::SHA256, token.as_bytes()).as_ref()).to_string();
        Ok(format!(
            "token, for the sender; it is shown only now:\n{token}\n\
             \nfor the conf key:\n- {{name: {name}, type: bearer, sha256: \"{hash}\"}}\n"
        ))
    }
}

impl New {
    fn of(words: &[String]) -> Result<Self, String> {
        let mut new = Self { name: "sender-1".into(), password: false, hmac: false, rounds: ROUNDS_NEW };
        let mut words = words.iter();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("new")) {
            return Err("credential: expected new".into());
        }
        while let Some(word) = words.next() {
            match word.as_str() {
                "--password" => new.password = true,
                "--hmac" => new.hmac = true,
                "--name" => {
                    let name = words.next().ok_or("--name: expected a name")?;
                    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
                    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(fits) {
                        return Err(format!("--name: expected at most {NAME_BYTES} letters, digits and - _ . @"));
                    }
                    new.name.clone_from(name);
                }
                "--rounds" => {
                    let rounds = words.next().and_then(|n| n.parse().ok()).filter(|n| ROUNDS.contains(n));
                    new.rounds = rounds.ok_or_else(|| format!("--rounds: expected {} to {}", ROUNDS.start(), ROUNDS.end()))?;
                }
                other => return Err(format!("credential new: unexpected {other}")),
            }
        }
        if new.password && new.hmac { Err("--password and --hmac: expected one of them".into()) } else { Ok(new) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;
    use crate::config::credentials::{KindConf, SecretFrom, credentials};

    #[derive(Default)]
    struct Paper {
        printed: String,
        typed: &'static str,
    }

    impl Outside for Paper {
        fn read_file(&mut self, path: &str) -> Result<String, String> {
            assert_eq!(path, "-");
            Ok(self.typed.to_owned())
        }

        fn write_file(&mut self, _: &str, _: &str) -> Result<(), String> {
            Err("nothing is written".into())
        }

        fn print(&mut self, text: &str) {
            self.printed.push_str(text);
        }

        fn complain(&mut self, text: &str) {
            self.printed.push_str(text);
        }
    }

    fn run(words: &str, typed: &'static str) -> (u8, String) {
        let client = Client { words: words.split(' ').map(str::to_owned).collect(), ..Client::default() };
        let mut paper = Paper { typed, ..Paper::default() };
        let code = client.credential(&mut paper, &mut |bytes| {
            bytes.fill(7);
            Ok(())
        });
        (code, paper.printed)
    }

    /// The printed item, read as a conf key would be.
    fn item(text: &str) -> crate::config::credentials::CredentialConf {
        let line = text.lines().find(|l| l.starts_with("- ")).expect("an item");
        let node = crate::config::yaml::parse(&"x".into(), line, 1).expect("yaml");
        credentials(&node.to_json(), &Origin::Rest).expect("a credential").remove(0)
    }

    #[test]
    fn a_token_and_its_hash() {
        let (code, text) = run("credential new --name press-7", "");
        assert_eq!(code, 0);
        let token = text.lines().nth(1).expect("a token");
        assert_eq!(token.len(), 43, "256 bits");
        let one = item(&text);
        assert_eq!(one.name, "press-7");
        let digest: [u8; 32] = digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into().expect("32 bytes");
        assert_eq!(one.kind, KindConf::Bearer(SecretFrom::Sha256(digest)));
    }

    #[test]
    fn a_password_is_hashed() {
        let (code, text) = run("Credential NEW --name bob --password --rounds 1000", "pass word\nmore");
        assert_eq!(code, 0);
        let KindConf::Basic { user, password: SecretFrom::Pbkdf2(hash) } = item(&text).kind else { panic!("{text}") };
        assert_eq!((user.as_str(), hash.rounds), ("bob", 1000));
        let rounds = NonZeroU32::new(1000).expect("not 0");
        assert!(pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &hash.salt, b"pass word", &hash.hash).is_ok());
        assert!(!text.contains("pass word"));
    }

    #[test]
    fn refusals() {
        for (words, want) in [
            ("credential", "expected new"),
            ("credential old", "expected new"),
            ("credential new --name", "--name: expected a name"),
            ("credential new --name a/b", "--name: expected at most"),
            ("credential new --rounds 999", "--rounds: expected 1000 to 1000000"),
            ("credential new --password", "expected a password of 1 to 512 bytes"),
            ("credential new --password --hmac", "expected one of them"),
            ("credential new x", "unexpected x"),
        ] {
            let (code, text) = run(words, "");
            assert!(code == 2 && text.contains(want), "{words}: {text}");
        }
        assert!(run("credential new --hmac --name k", "").1.contains("secretFile: /etc/pushgate/secrets/k"));
    }
}
