//! Conf keys that the management API makes.
//!
//! Those of sources are laid over the sections of their file in [`Config`](crate::config::Config); those of sinks and connections are
//! kept and shown. A running rule keeps what it was started with.

use core::time::Duration;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::access::{self, Reloaded};
use super::host::{Fault, Host, Kind};
use super::text::go_json;
use super::{Control, record};
use crate::config::credentials;
use crate::rule::def;
use crate::rule::options::go_duration;
use crate::sql::ddl::check_id;

/// Says what could not be read again.
fn report(reloaded: Reloaded) {
    reloaded.faults.iter().for_each(|fault| log::warn!("{fault}"));
}

/// Conf keys made by the management API, by group, type and name.
pub(super) type Keys = BTreeMap<(Group, String, String), Map<String, Value>>;

/// What a conf key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Sources of streams and tables.
    Sources,
    /// Sinks.
    Sinks,
    /// Connections.
    Connections,
}

impl Group {
    /// Its word in paths and files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Sinks => "sinks",
            Self::Connections => "connections",
        }
    }

    /// The group of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sources, Self::Sinks, Self::Connections].into_iter().find(|group| group.word() == word)
    }
}

impl<H: Host> Control<H> {
    /// Makes or replaces a conf key from the text of a JSON object.
    ///
    /// # Errors
    /// [`Fault::UNDEFINED`] for a bad name, [`Fault::CONF_KEY`] for a body that is no JSON object.
    pub fn put_key(&mut self, group: Group, kind: &str, name: &str, body: &str) -> Result<(), Fault> {
        check_id(name).map_err(|e| Fault::plain(format!("Invalid confKey: {e}")))?;
        let wrong = |e: String| match group {
            Group::Connections => Fault::plain(format!("Invalid body: {e}")),
            _ => Fault::new(Fault::CONF_KEY, format!("Type conversion failed:{kind}.{e}")),
        };
        let mut props = match def::json(body).map_err(wrong)? {
            Value::Object(props) => props,
            Value::Null => Map::new(),
            other => return Err(wrong(format!("json: cannot unmarshal {} into an object", crate::json::words::kind(&other)))),
        };
        durations_as_text(&mut props);
        self.store_key(group, kind, name, props).map_err(|e| Fault::new(Fault::CONF_KEY, e))
    }

    /// Stores a conf key; what it says about who may post holds at once.
    pub(super) fn store_key(&mut self, group: Group, kind: &str, name: &str, mut props: Map<String, Value>) -> Result<(), String> {
        let old = self.keys.get(&(group, kind.to_owned(), name.to_owned())).cloned();
        let before = self.config.clone();
        if group == Group::Sources {
            credentials::unmask(&mut props, old.as_ref().unwrap_or(&Map::new()));
            access::check(&props)?;
            self.config.set_conf_key(kind, name, props.clone());
            match self.refresh_access() {
                Ok(reloaded) => report(reloaded),
                Err(why) => {
                    self.config = before;
                    return Err(why);
                }
            }
        }
        let text = record::conf_key(group.word(), kind, name, &props);
        if let Err(why) = self.host.save(Kind::ConfKey, &file_name(group, kind, name), &text) {
            self.config = before;
            if group == Group::Sources {
                // They agreed before.
                let _ = self.refresh_access();
            }
            return Err(why);
        }
        self.keep_key(group, kind, name, props);
        Ok(())
    }

    pub(super) fn keep_key(&mut self, group: Group, kind: &str, name: &str, props: Map<String, Value>) {
        if group == Group::Sources {
            self.config.set_conf_key(kind, name, props.clone());
        }
        self.keys.insert((group, kind.to_owned(), name.to_owned()), props);
    }

    /// Removes a conf key that the management API made.
    ///
    /// # Errors
    /// [`Fault::UNDEFINED`] for a bad name, [`Fault::CONF_KEY`] when there is none of that name.
    pub fn drop_key(&mut self, group: Group, kind: &str, name: &str) -> Result<(), Fault> {
        check_id(name).map_err(|e| Fault::plain(format!("Invalid confKey: {e}")))?;
        let key = (group, kind.to_owned(), name.to_owned());
        if !self.keys.contains_key(&key) {
            let what = format!("{}.{kind}", group.word());
            return Err(Fault::new(Fault::CONF_KEY, format!("Failed to write data to file:{what}.{name} is not found")));
        }
        if group == Group::Sources
            && let Some(stream) = self.guarded_by(kind, name)
        {
            let why = format!(
                "conf key {name} says who may post to stream {stream}: drop the stream first, or store the conf key without credentials"
            );
            return Err(Fault::new(Fault::CONF_KEY, why));
        }
        self.host.remove(Kind::ConfKey, &file_name(group, kind, name)).map_err(|e| Fault::new(Fault::CONF_KEY, e))?;
        self.keys.remove(&key);
        if group == Group::Sources {
            self.config.remove_conf_key(kind, name);
            match self.refresh_access() {
                Ok(reloaded) => report(reloaded),
                Err(why) => log::error!("conf key {name} is gone, but the credentials of open endpoints stay: {why}"),
            }
        }
        Ok(())
    }

    /// Every conf key of one type: name to properties, those of files included.
    #[must_use]
    pub fn keys_of(&self, group: Group, kind: &str) -> Map<String, Value> {
        if group == Group::Sources {
            return self.config.conf_keys_json(kind);
        }
        self.made_keys(group, kind).collect()
    }

    /// The conf keys of one type that the management API made, secrets masked.
    fn made_keys(&self, group: Group, kind: &str) -> impl Iterator<Item = (String, Value)> {
        let of_kind = move |((g, k, _), _): &(&(Group, String, String), &Map<String, Value>)| *g == group && k == kind;
        self.keys.iter().filter(of_kind).map(|((_, _, name), props)| {
            let mut props = props.clone();
            credentials::mask(&mut props);
            (name.clone(), Value::Object(props))
        })
    }

    /// Types that have conf keys of the management API, each with their names.
    #[must_use]
    pub fn made_names(&self, group: Group) -> BTreeMap<String, Vec<String>> {
        let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, kind, name) in self.keys.keys().filter(|(g, ..)| *g == group) {
            out.entry(kind.clone()).or_default().push(name.clone());
        }
        out
    }

    /// Types that have conf keys of the management API, each with the JSON text of its keys, as `/data/export` shows them.
    #[must_use]
    pub fn exported_keys(&self, group: Group) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (g, kind, _) in self.keys.keys() {
            if *g == group && !out.contains_key(kind) {
                out.insert(kind.clone(), go_json(&Value::Object(self.made_keys(group, kind).collect())));
            }
        }
        out
    }
}

/// Whole numbers of milliseconds become text, as eKuiper stores them.
fn durations_as_text(props: &mut Map<String, Value>) {
    let text = |value: &Value| {
        let ms = match value {
            #[expect(clippy::cast_possible_truncation, reason = "a fraction is dropped, what is out of range saturates")]
            Value::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|x| x as i64))?,
            Value::String(text) => text.parse().ok()?,
            _ => return None,
        };
        u64::try_from(ms).ok().map(|ms| Value::String(go_duration(Duration::from_millis(ms))))
    };
    for name in ["timeout", "expiration", "interval"] {
        if let Some(value) = props.get_mut(name)
            && let Some(text) = text(value)
        {
            *value = text;
        }
    }
    if let Some(ttl) = props.get_mut("lookup").and_then(|lookup| lookup.get_mut("cacheTtl"))
        && let Some(text) = text(ttl)
    {
        *ttl = text;
    }
}

/// The name of a conf key among the stored definitions.
fn file_name(group: Group, kind: &str, name: &str) -> String {
    format!("{}.{kind}.{name}", group.word())
}
