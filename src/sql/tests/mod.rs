//! Tests of the whole way from text to plan.

mod samples;
mod soup;
