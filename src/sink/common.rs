//! The properties that every sink has (facts §8.1), checked and with their defaults.
//!
//! Cache sizes are checked even where `enableCache` is false, as eKuiper does. What is only accepted for compatibility
//! (`concurrency`, `schemaId`, the `resend…` queue settings) is checked and otherwise unused.

use core::time::Duration;

use super::props::Props;
use crate::config::SinkDefaults;
use crate::encode::Format;

/// How payloads are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zlib,
    /// Deflate without any frame: eKuiper's `flate`.
    Flate,
    Zstd,
}

impl Compression {
    /// # Errors
    /// An unknown method, or one that this build lacks.
    pub(super) fn parse(name: &str) -> Result<Option<Self>, String> {
        match name {
            "" => Ok(None),
            "gzip" => Ok(Some(Self::Gzip)),
            "zlib" => Ok(Some(Self::Zlib)),
            "flate" => Ok(Some(Self::Flate)),
            "zstd" => Ok(Some(Self::Zstd)),
            other => Err(format!("unsupported compression: {other}, expected gzip, zlib, flate or zstd")),
        }
    }
}

/// The common properties of one sink.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub(super) send_single: bool,
    pub(super) omit_if_empty: bool,
    pub(super) data_template: Option<String>,
    pub(super) format: Format,
    /// As given; empty if it was not.
    pub(super) delimiter: String,
    pub(super) has_header: bool,
    pub(super) fields: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) data_field: Option<String>,
    /// Messages that wait, if that was given; whether it is one is for the caller to judge.
    pub(super) buffer_length: Option<i64>,
    pub(super) batch_size: usize,
    pub(super) linger: Duration,
    pub(super) compression: Option<Compression>,
    pub(super) enable_cache: bool,
    /// First wait before a payload is sent again; zero means the sink's own.
    pub(super) resend_interval: Duration,
    /// How long a payload that a live receiver refuses is tried again at qos 0.
    pub(super) retry_for: Duration,
}

impl Common {
    /// Reads and checks; `compresses_itself` says that the sink gives `compression` a meaning of its own.
    ///
    /// # Errors
    /// A sentence that names the property.
    pub(super) fn read(props: &mut Props<'_>, defaults: &SinkDefaults, compresses_itself: bool) -> Result<Self, String> {
        let fields = props.texts("fields")?;
        let exclude = props.texts("excludeFields")?;
        if !fields.is_empty() && !exclude.is_empty() {
            return Err("fields and excludeFields cannot both be set".into());
        }
        let format_name = props.text("format")?.unwrap_or("json");
        let format_name = if format_name.is_empty() { "json" } else { format_name };
        let format = Format::parse(format_name)
            .ok_or_else(|| format!("format type {format_name} not supported, expected json, delimited, urlencoded or binary"))?;
        let data_field = match props.text("dataField")? {
            Some(name) if !name.is_empty() => Some(name),
            _ => props.text("tableDataField")?.filter(|name| !name.is_empty()),
        };
        let batch_size = props.int("batchSize")?.unwrap_or(0);
        let batch_size = usize::try_from(batch_size).map_err(|_| format!("invalid batchSize {batch_size}"))?;
        let linger = props.duration("lingerInterval").map_err(|e| format!("invalid lingerInterval: {e}"))?.unwrap_or_default();
        let buffer_length = props.int("bufferLength")?;
        let compression = props.text("compression")?.unwrap_or("");
        let compression = if compresses_itself { None } else { Compression::parse(compression)? };
        if props.text("encryption")?.is_some_and(|name| !name.is_empty()) {
            return Err("encryption of payloads is not supported".into());
        }
        // The user interface's own, of any kind.
        props.get("resourceId");
        for unused in ["schemaId", "resendIndicatorField", "resendDestination"] {
            props.text(unused)?;
        }
        props.object("compressionProps")?;
        props.object("encProps")?;
        props.int("concurrency")?;
        // What it selects is among the properties already; an empty one selects nothing.
        props.text("connectionSelector")?;
        Ok(Self {
            send_single: props.flag("sendSingle")?.unwrap_or(false),
            omit_if_empty: props.flag("omitIfEmpty")?.unwrap_or(false),
            data_template: props.text("dataTemplate")?.filter(|text| !text.is_empty()).map(str::to_owned),
            format,
            delimiter: props.text("delimiter")?.unwrap_or("").to_owned(),
            has_header: props.flag("hasHeader")?.unwrap_or(false),
            fields,
            exclude,
            data_field: data_field.map(str::to_owned),
            buffer_length,
            batch_size,
            linger,
            compression,
            enable_cache: cache(props, defaults).map_err(|e| format!("invalid cache properties: {e}"))?,
            resend_interval: props.duration("resendInterval")?.unwrap_or(defaults.resend_interval),
            retry_for: props.duration("retryFor")?.unwrap_or(Duration::from_secs(60)),
        })
    }

    /// True if rows are gathered before they leave.
    pub(super) const fn batches(&self) -> bool {
        self.batch_size > 0 || !self.linger.is_zero()
    }
}

/// Checks the cache properties; gives `enableCache`.
fn cache(props: &mut Props<'_>, defaults: &SinkDefaults) -> Result<bool, String> {
    let threshold = props.count("memoryCacheThreshold")?.unwrap_or(defaults.memory_cache_threshold);
    let disk = props.count("maxDiskCache")?.unwrap_or(defaults.max_disk_cache);
    let page = props.count("bufferPageSize")?.unwrap_or(defaults.buffer_page_size);
    if page == 0 {
        return Err("bufferPageSize must be positive".into());
    }
    if page > threshold {
        return Err("memoryCacheThreshold must be greater than or equal to bufferPageSize".into());
    }
    if threshold % page != 0 {
        return Err("memoryCacheThreshold must be a multiple of bufferPageSize".into());
    }
    if page > disk {
        return Err("maxDiskCache must be greater than bufferPageSize".into());
    }
    if disk % page != 0 {
        return Err("maxDiskCache must be a multiple of bufferPageSize".into());
    }
    if !(-1..=1).contains(&props.int("resendPriority")?.unwrap_or(0)) {
        return Err("resendPriority must be -1, 0 or 1".into());
    }
    props.flag("cleanCacheAtStop")?;
    props.flag("resendAlterQueue")?;
    Ok(props.flag("enableCache")?.unwrap_or(defaults.enable_cache))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Common, String> {
        let map = serde_json::from_str(text).expect("an object");
        Common::read(&mut Props::new(&map), &SinkDefaults::default(), false)
    }

    #[test]
    fn defaults() {
        let c = read("{}").expect("nothing is required");
        assert!(!c.send_single && !c.omit_if_empty && !c.has_header && !c.enable_cache && !c.batches());
        assert_eq!((c.format, c.buffer_length, c.retry_for), (Format::Json, None, Duration::from_secs(60)));
    }

    #[test]
    fn refusals() {
        for (text, why) in [
            (r#"{"sendSingle":"true"}"#, "sendSingle"),
            (r#"{"fields":["a"],"excludeFields":["b"]}"#, "both"),
            (r#"{"excludeFields":"id"}"#, "array or slice"),
            (r#"{"format":"protobuf"}"#, "protobuf"),
            (r#"{"batchSize":-1}"#, "batchSize -1"),
            (r#"{"lingerInterval":-1}"#, "lingerInterval"),
            (r#"{"lingerInterval":"1x"}"#, "lingerInterval"),
            (r#"{"compression":"lz4"}"#, "lz4"),
            (r#"{"compression":"lz4"}"#, "lz4"),
            (r#"{"encryption":"aes"}"#, "encryption"),
            (r#"{"memoryCacheThreshold":4,"bufferPageSize":4,"maxDiskCache":2}"#, "maxDiskCache must be greater"),
            (r#"{"memoryCacheThreshold":2,"bufferPageSize":4}"#, "memoryCacheThreshold must be greater"),
            (r#"{"memoryCacheThreshold":6,"bufferPageSize":4}"#, "memoryCacheThreshold must be a multiple"),
            (r#"{"memoryCacheThreshold":4,"bufferPageSize":4,"maxDiskCache":6}"#, "maxDiskCache must be a multiple"),
            (r#"{"bufferPageSize":0}"#, "bufferPageSize"),
            (r#"{"memoryCacheThreshold":-1}"#, "memoryCacheThreshold"),
            (r#"{"resendPriority":2}"#, "resendPriority"),
            (r#"{"resendInterval":-1}"#, "resendInterval"),
            (r#"{"connectionSelector":5}"#, "connectionSelector"),
        ] {
            assert!(read(text).as_ref().is_err_and(|e| e.contains(why)), "{text}: {:?}", read(text).err());
        }
    }

    #[test]
    fn at_the_limits() {
        for text in [
            r#"{"memoryCacheThreshold":4,"bufferPageSize":4,"maxDiskCache":4}"#,
            r#"{"resendPriority":-1}"#,
            r#"{"concurrency":0}"#,
            r#"{"bufferLength":0,"batchSize":0}"#,
            r#"{"tableDataField":"x","format":"","compression":""}"#,
        ] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text).err());
        }
        assert_eq!(read(r#"{"tableDataField":"x"}"#).map(|c| c.data_field), Ok(Some("x".into())));
        assert_eq!(read(r#"{"resendInterval":"50ms"}"#).map(|c| c.resend_interval), Ok(Duration::from_millis(50)));
    }
}
