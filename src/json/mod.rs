//! JSON as RFC 8259 has it, over borrowed bytes, without allocation.
//!
//! * [`scan`]: one strict pass that checks a text and reports its top-level members; cheap walks over checked text.
//! * [`name`]: a key that is looked for in many readings.
//! * [`words`]: what Go says of a text that is none.
//! * [`mod@write`]: escapes, number spelling and object layout as Go's encoder writes them (facts §7.3).

pub mod name;
pub mod scan;
pub mod words;
pub mod write;
