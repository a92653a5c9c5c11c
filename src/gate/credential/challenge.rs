//! The refusals of an endpoint, made once: 401 with a challenge for each kind of credential (RFC 9110 §11.6.1), and the others.

use std::sync::Arc;

use super::Fault;
use crate::config::credentials::{CredentialConf, KindConf};
use crate::wire::Reply;
use crate::wire::reply::Canned;

/// Answers to [`Fault`]s.
pub(super) struct Challenge {
    missing: Reply,
    wrong: Reply,
    twice: Reply,
    signature: Reply,
    stale: Reply,
    replayed: Reply,
    forgotten: Reply,
}

impl Challenge {
    /// For the credentials of one endpoint.
    pub(super) fn new(conf: &[CredentialConf]) -> Result<Self, String> {
        let mut schemes: Vec<String> = Vec::new();
        for one in conf {
            let scheme = match &one.kind {
                KindConf::Bearer(_) => "Bearer realm=\"pushgate\"".to_owned(),
                KindConf::Basic { .. } => "Basic realm=\"pushgate\", charset=\"UTF-8\"".to_owned(),
                KindConf::Header { field, .. } => format!("Header realm=\"pushgate\", field=\"{field}\""),
                KindConf::Hmac(hmac) => format!("HMAC-SHA256 realm=\"pushgate\", field=\"{}\"", hmac.signature_field),
                KindConf::Certificate { .. } => "Certificate realm=\"pushgate\"".to_owned(),
            };
            // As many as an answer holds; the first of them will do.
            let used: usize = schemes.iter().map(|s| s.len() + 24).sum();
            if !schemes.contains(&scheme) && used + scheme.len() < 500 {
                schemes.push(scheme);
            }
        }
        let reply = |message: &str| {
            let body = format!("{{\"error\":401,\"message\":\"{message}\"}}");
            let fields = schemes.iter().map(|scheme| ("WWW-Authenticate", scheme.as_str()));
            let canned = Canned::new("application/json", fields, body.as_bytes()).map_err(|e| format!("the challenge: {e}"))?;
            Ok::<_, String>(Reply::canned(401, Arc::new(canned)))
        };
        Ok(Self {
            missing: reply("this endpoint asks for a credential")?,
            wrong: reply("the credential is not known here")?,
            twice: reply("a field with a credential stands there more than once")?,
            signature: reply("the signature does not fit the body")?,
            stale: reply("the signed time is missing, or too far from this machine's time")?,
            replayed: reply("this signed request was taken before")?,
            forgotten: reply("more was signed since than limits.replayCount remembers: sign it again with the time that it is now")?,
        })
    }

    /// The answer to a fault.
    pub(super) fn answer(&self, fault: Fault) -> Reply {
        match fault {
            Fault::Missing => self.missing.clone(),
            Fault::Wrong => self.wrong.clone(),
            Fault::Twice => self.twice.clone(),
            Fault::Signature => self.signature.clone(),
            Fault::Stale => self.stale.clone(),
            Fault::Replayed => self.replayed.clone(),
            Fault::Forgotten => self.forgotten.clone(),
            Fault::NotListed => Reply::error(403, "the client certificate is not one that may post here"),
            Fault::Busy(seconds) => {
                Reply::error(429, "too many failed credentials from this address, or too many passwords at once").retry_after(seconds)
            }
            Fault::Full(seconds) => Reply::error(503, "too many passwords wait to be checked").retry_after(seconds),
            Fault::Waiting => Reply::error(503, "the password is being checked").retry_after(1),
            Fault::Unguarded => {
                Reply::error(503, "the conf key that guarded this stream is gone: nothing is taken until it is back").retry_after(60)
            }
        }
    }
}
