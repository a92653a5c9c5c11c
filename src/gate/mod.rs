//! The gate between wire and rings: which endpoint a head means ([`route`]), and what `meta()` will see of it ([`meta`]).
//!
//! On the head: method and decoded path against the routes, announced length against `limits.bodyBytes`, content coding and,
//! where the endpoint is strict, content type. On the body: inflated where it is compressed ([`inflate`]), then one pass that checks it for
//! the stream's format ([`body`]). Answers to web pages that are listed say so ([`cors`]).

pub mod admit;
pub mod body;
pub mod cors;
pub mod credential;
pub mod guess;
pub mod inflate;
pub mod meta;
pub mod reason;
pub mod replay;
pub mod route;
pub mod shape;
pub mod witness;
