//! What feeds a ring: a stream's definition resolved into a [`StreamSpec`], the httppush endpoint, memory topic, simulator or file
//! behind it.
//!
//! Two rules share one ring exactly when their specs are equal; a stream that was replaced, or whose conf key changed, is another
//! spec, and a running rule keeps the one it was started with.

pub mod file;
pub mod resolve;
pub mod simulator;

use core::time::Duration;
use std::sync::Arc;

use self::file::FileFeed;
use self::simulator::SimFeed;
use crate::decode::Shape;
use crate::gate::cors::Origin;
use crate::gate::credential::Guard;
use crate::gate::inflate::Coding;
use crate::gate::route::Endpoint;
use crate::ring::Overflow;
use crate::sql::types::Column;
use crate::time::pattern::Pattern;
use crate::value::Numbers;
use crate::wire::Reply;

/// Where readings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The data port.
    Push(Box<PushFeed>),
    /// Rows of memory sinks: a topic, `+` for one level, a last `#` for all further ones.
    Memory(String),
    /// Rows that are made up.
    Simulator(SimFeed),
    /// A file of the server.
    File(Arc<FileFeed>),
}

/// An endpoint of the data port and what it asks of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushFeed {
    /// Method and path.
    pub endpoint: Endpoint,
    /// `contentType: strict`: the type must fit the format.
    pub strict_type: bool,
    /// `metaHeaders`, in lower case; empty: all but secret ones.
    pub meta_headers: Vec<String>,
    /// `origins`: web pages that may post.
    pub origins: Vec<Origin>,
    /// `decompression`: how every body is compressed.
    pub decompression: Option<Coding>,
    /// The answer to a reading that was taken: `successCode`, `successBody`, `responseHeaders`.
    pub success: Reply,
    /// Who may post.
    pub access: Guard,
}

/// A message within a message: second-level decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// `payloadField`: the member that holds it.
    pub field: String,
    /// `payloadBatchField`: a list of objects that hold one each.
    pub batch: Option<String>,
    /// `payloadFormat` and `payloadDelimiter`.
    pub shape: Shape,
}

/// A stream or table as one rule uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// Its name.
    pub name: String,
    /// True for a table: rows are kept, not run through the rule.
    pub table: bool,
    /// Of a lookup table: the column that identifies its rows (empty: none).
    pub lookup: Option<String>,
    /// Rows a table keeps.
    pub retain: usize,
    /// Where readings come from.
    pub feed: Feed,
    /// Format of bodies.
    pub shape: Shape,
    /// Declared columns; `None`: schemaless.
    pub columns: Option<Vec<Column>>,
    /// STRICT_VALIDATION.
    pub strict: bool,
    /// How numbers are read where no column says.
    pub numbers: Numbers,
    /// `basic.ignoreCase`: a member is also found where only the letter case of its name differs.
    pub ignore_case: bool,
    /// TIMESTAMP: the column of event time.
    pub timestamp: Option<String>,
    /// TIMESTAMP_FORMAT: how times are written as text.
    pub time_pattern: Option<Pattern>,
    /// What a full queue does.
    pub overflow: Overflow,
    /// `bufferLength` of the conf key: a second bound on the queue, in messages.
    pub records_max: Option<usize>,
    /// `interval`: only the latest message of each tick is read.
    pub interval: Option<Duration>,
    /// `mergeField`: the latest message for each value of this member is read, all of a tick as one row.
    pub merge_field: Option<String>,
    /// `payload…`: what is decoded within a message.
    pub payload: Option<Payload>,
    /// Bodies are inflated: an operator of its own in metrics.
    pub inflated: bool,
    /// `sendInterval`: time from row to row.
    pub send_interval: Option<Duration>,
    /// SHARED.
    pub shared: bool,
}
