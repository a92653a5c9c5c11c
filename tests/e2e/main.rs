//! The real `pushgate` as its users meet it: started, pushed to, managed over REST and by its own verbs, stopped and started again.
//!
//! A file per feature. Each refusal is followed by a look at the state it leaves. [`gate`] starts the program, [`http`] speaks to it.

mod credentials;
mod explain;
mod facts;
mod files;
mod gate;
mod hostile;
mod http;
mod jwt;
mod lifecycle;
mod manage;
mod memory;
mod moving;
mod query;
mod rfc;
mod robust;
mod sinks;
mod start;
#[cfg(feature = "tls")]
mod tls;
mod walk;
mod wire;
