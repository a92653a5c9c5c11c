//! Who may post, changed while everything runs: conf keys of the management API and of files, and the secrets they name, are read
//! again and handed to the open endpoints. No connection is touched and no rule restarts.
//!
//! All or nothing where streams share an endpoint: if they would no longer agree, everything stays as it was.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::host::{Host, Kind, Machine};
use super::{Control, Source, record};
use crate::config::credentials;
use crate::config::{Config, Origin};
use crate::gate::credential::Access;
use crate::source::Feed;
use crate::source::resolve::{guards, resolve, unguarded};
use crate::sql::ddl::Create;

/// What a reload came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Open endpoints whose credentials were read again.
    pub count: usize,
    /// What stays as it was, and why.
    pub faults: Vec<String>,
}

impl<H: Host> Control<H> {
    /// Takes the conf keys of `newer`'s files, then reads all credentials again.
    pub fn reload(&mut self, newer: &Config) -> Reloaded {
        let before = self.config.clone();
        self.config.reload_conf_keys(newer);
        let reloaded = self.refresh_access();
        match reloaded {
            Ok(reloaded) => reloaded,
            Err(why) => {
                self.config = before;
                Reloaded { count: 0, faults: vec![why] }
            }
        }
    }

    /// Reads all credentials again and hands them to the endpoints that are open.
    ///
    /// # Errors
    /// Streams that share an endpoint would no longer agree: nothing has changed.
    pub(super) fn refresh_access(&mut self) -> Result<Reloaded, String> {
        let mut newer: Vec<(String, Arc<Access>)> = Vec::new();
        let mut faults = self.note_guards();
        for source in self.sources.in_order() {
            if !source.create.options.kind_of_source.eq_ignore_ascii_case("httppush") {
                continue;
            }
            // A conf key that is gone must not open what it guarded. Who was let in by it still is, until the process ends.
            if let Some(name) = self.config.conf_key("httppush", &source.create.options.conf_key).ok().and_then(|props| props.missing) {
                faults.push(format!("stream {} keeps its credentials: there is no conf key {name}", source.create.name));
                continue;
            }
            if let Some(why) = unguarded(&source.create, &self.config) {
                faults.push(format!("stream {} keeps its credentials: {why}", source.create.name));
                continue;
            }
            match resolve(&source.create, &self.config, self.host.tls()).map(|spec| spec.feed) {
                Ok(Feed::Push(push)) => newer.push((source.create.name.clone(), push.access.0)),
                Ok(_) => {}
                Err(why) => faults.push(format!("stream {} keeps its credentials: {why}", source.create.name)),
            }
        }
        let count = self.host.engine(move |engine, _| {
            let done = engine.set_access(&newer);
            // What the old ones held is dropped with them, here: they are few and small.
            drop(newer);
            done
        })?;
        Ok(Reloaded { count, faults })
    }

    /// Notes of each stream whether its conf key asks who posts, so that the stream does not become open when the conf key is gone.
    /// Gives what could not be stored.
    pub(super) fn note_guards(&mut self) -> Vec<String> {
        let names: Vec<String> = self.sources.in_order().into_iter().map(|source| source.create.name.clone()).collect();
        names.iter().filter_map(|name| self.note_guard(name).err()).collect()
    }

    /// The same of one stream.
    pub(super) fn note_guard(&mut self, name: &str) -> Result<(), String> {
        let Some(source) = self.sources.get(name) else { return Ok(()) };
        let Some(guarded) = guards(&source.create, &self.config).filter(|guarded| *guarded != source.create.guarded) else { return Ok(()) };
        let create = Create { guarded, ..(*source.create).clone() };
        if !create.options.temp {
            self.host.save(Kind::Source, name, &record::source(&create, &source.text, source.order))?;
        }
        let (text, order) = (source.text.clone(), source.order);
        self.sources.put(Source { create: Arc::new(create), text, order });
        Ok(())
    }

    /// Why nothing is taken for one of the streams that a rule reads.
    pub(super) fn unguarded_of(&self, reads: &[(String, Option<Vec<String>>)]) -> Option<String> {
        reads.iter().find_map(|(name, _)| unguarded(&self.sources.get(name)?.create, &self.config))
    }

    /// The first stream whose credentials a conf key of the management API holds.
    pub(super) fn guarded_by(&self, kind: &str, name: &str) -> Option<&str> {
        let made = self.config.made_conf_key(kind, name)?;
        let guards = made.iter().any(|(k, v)| k.eq_ignore_ascii_case("credentials") && v.as_array().is_some_and(|list| !list.is_empty()));
        let named = |create: &Create| {
            create.options.kind_of_source.eq_ignore_ascii_case(kind) && create.options.conf_key.eq_ignore_ascii_case(name)
        };
        self.sources.in_order().into_iter().find(|source| guards && named(&source.create)).map(|source| source.create.name.as_str())
    }

    /// What can be said about who may post, for `check`: secrets that cross the network in clear.
    #[must_use]
    pub fn access_warnings(&self) -> Vec<String> {
        if self.config.source.http_server_tls.is_some() || self.config.source.http_server_ip.is_loopback() {
            return Vec::new();
        }
        let mut out = Vec::new();
        for source in self.sources.in_order() {
            if source.create.options.kind_of_source.eq_ignore_ascii_case("httppush")
                && let Ok(spec) = resolve(&source.create, &self.config, self.host.tls())
                && let Feed::Push(push) = &spec.feed
            {
                let names: Vec<&str> = push.access.0.naked().collect();
                if !names.is_empty() {
                    out.push(format!(
                        "stream {}: the secrets of {} cross the network in clear: set source.httpServerTls, or use type hmac",
                        source.create.name,
                        names.join(", ")
                    ));
                }
            }
        }
        out
    }
}

/// Checks the credentials of a conf key that comes over REST.
pub(super) fn check(props: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in props {
        if name.eq_ignore_ascii_case("credentials") {
            credentials::credentials(value, &Origin::Rest).map_err(|e| e.to_string())?;
        } else if name.eq_ignore_ascii_case("addressLimits") {
            credentials::address_limits(value, &Origin::Rest).map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::keys::Group;
    use super::*;
    use crate::catalog::fake::{Fake, control};

    const DDL: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/a", TYPE="httppush", CONF_KEY="k")"#;
    const KEY: &str = r#"{"credentials":[{"name":"n1","type":"bearer","secret":"topsecret"}]}"#;

    #[test]
    fn a_conf_key_changes_what_is_open_and_shows_no_secret() {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        c.put_key(Group::Sources, "httppush", "k", KEY).expect("a conf key");
        assert_eq!(c.host.engine.log.last().map(String::as_str), Some("access of demo: [Credential(n1)]"));
        let shown = serde_json::Value::Object(c.keys_of(Group::Sources, "httppush")).to_string();
        assert!(shown.contains("n1") && shown.contains("******") && !shown.contains("topsecret"), "{shown}");
        // What was shown, sent back with another name for nothing but its limits, keeps its secret.
        let back = KEY.replace("topsecret", "******").replace("\"type\"", "\"limits\":{\"connections\":1},\"type\"");
        c.put_key(Group::Sources, "httppush", "k", &back).expect("the mask stands for the old secret");
        assert!(format!("{:?}", c.config.made_conf_key("httppush", "k")).contains("topsecret"));
        assert!(c.drop_key(Group::Sources, "httppush", "k").expect_err("it guards").message.contains("stream demo"));
        c.put_key(Group::Sources, "httppush", "k", "{}").expect("open");
        c.drop_key(Group::Sources, "httppush", "k").expect("gone");
        assert_eq!(c.host.engine.log.last().map(String::as_str), Some("access of demo: []"));
    }

    #[test]
    fn refusals_leave_the_old_conf_key() {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        c.put_key(Group::Sources, "httppush", "k", KEY).expect("a conf key");
        for bad in [r#"{"credentials":[{"name":"n2","type":"bearer","secret":"******"}]}"#, r#"{"credentials":"topsecret"}"#] {
            let fault = c.put_key(Group::Sources, "httppush", "k", bad).expect_err(bad);
            assert!(fault.message.contains("credentials") && !fault.message.contains("topsecret"), "{fault}");
        }
        assert!(format!("{:?}", c.config.made_conf_key("httppush", "k")).contains("n1"));
        let extra = DDL.replace("demo", "d2").replace("CONF_KEY=\"k\"", &format!("EXTRA=\"{}\"", KEY.replace('"', "\\\"")));
        assert!(c.run_ddl(&extra).expect_err("a secret").message.contains("EXTRA of d2 holds the secret"));
    }

    #[test]
    fn a_conf_key_that_is_gone_opens_nothing() {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        assert!(!guarded(&c), "there is no such conf key yet, and there never was one");
        c.put_key(Group::Sources, "httppush", "k", KEY).expect("a conf key");
        assert!(guarded(&c) && c.host.files[&(Kind::Source, "demo".into())].contains("\"guarded\": true"));
        // The next start, without the conf key.
        let files = c.host.files.clone();
        let mut c = control();
        c.host.files = files;
        c.host.files.retain(|(kind, _), _| *kind != Kind::ConfKey);
        assert_eq!(c.boot(&[]), Vec::<String>::new());
        let source = c.sources().get("demo").expect("stream");
        let why = unguarded(&source.create, &c.config).expect("a reason");
        assert_eq!(why, "stream demo: conf key k said who may post and is gone: nobody else is let in until it is back");
        let Ok(Feed::Push(push)) = resolve(&source.create, &c.config, c.host.tls()).map(|spec| spec.feed) else { panic!("a push stream") };
        assert!(*push.access.0 == Access::closed() && !push.access.0.is_open());
        // A new definition with the same conf key is as shut, one with another is new.
        c.replace_source("demo", &DDL.replace("/a", "/b"), false).expect("replaced");
        assert!(guarded(&c));
        c.replace_source("demo", &DDL.replace("\"k\"", "\"l\""), false).expect("replaced");
        assert!(!guarded(&c));
        c.replace_source("demo", DDL, false).expect("replaced");
        // It comes back, and then says itself that anybody may post.
        c.put_key(Group::Sources, "httppush", "k", KEY).expect("a conf key");
        assert!(guarded(&c));
        c.put_key(Group::Sources, "httppush", "k", "{}").expect("open");
        assert!(!guarded(&c) && !c.host.files[&(Kind::Source, "demo".into())].contains("guarded"));
    }

    fn guarded(c: &Control<Fake>) -> bool {
        c.sources().get("demo").expect("stream").create.guarded
    }

    #[test]
    fn check_warns_of_secrets_in_clear() {
        let mut c = control();
        c.run_ddl(DDL).expect("stream");
        c.put_key(Group::Sources, "httppush", "k", KEY).expect("a conf key");
        assert_eq!(
            c.access_warnings(),
            ["stream demo: the secrets of n1 cross the network in clear: set source.httpServerTls, or use type hmac"]
        );
        c.config.source.http_server_ip = [127, 0, 0, 1].into();
        assert!(c.access_warnings().is_empty());
    }
}
