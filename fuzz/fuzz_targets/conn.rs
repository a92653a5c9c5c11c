//! A client receives the same whole and byte by byte, whatever it sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::time::Now;
use pushgate::wire::conn::{DeadlineKeys, Deadlines, Settings};
use pushgate::wire::{Answer, Gate, Head, Peer, Reply, Verdict, turn::Port};

struct Take;

impl Gate for Take {
    type Ticket = ();

    fn head(&mut self, head: &Head<'_>, _: &Peer, _: Now) -> Verdict<()> {
        if head.raw_path().len() > 2 { Verdict::Refuse(Reply::error(404, "no")) } else { Verdict::Take(()) }
    }

    fn body(&mut self, (): (), head: &Head<'_>, _: &Peer, body: &[u8], _: Now) -> Answer {
        Answer::Now(Reply::error_fmt(200, format_args!("{} {}", head.target(), body.escape_ascii())))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let deadlines = Deadlines::default();
    let keys = DeadlineKeys::DATA;
    let settings = Settings { body_bytes: 3000, body_key: "limits.bodyBytes", require_length: true, refuse_dots: true, deadlines, keys };
    let peer = Peer::new([127, 0, 0, 1].into(), false);
    let converse = |size| Port::new(Take, settings.clone()).converse(bytes.chunks(size), &peer, Now::default());
    assert_eq!(converse(bytes.len().max(1)), converse(1));
});
