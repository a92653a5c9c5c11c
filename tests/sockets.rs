//! The socket shell in front of a trivial gate: what one reading costs in allocations.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::mpsc,
    thread,
};

use pushgate::{
    limits::Limits,
    shell::{
        listen::{DataPort, settings},
        net::Clock,
        poller::Tasks,
    },
    time::Now,
    wire::{Answer, Gate, Head, Peer, Reply, Verdict, conn::Deadlines},
};

#[path = "common/counting.rs"]
mod counting;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

struct Ok200;

impl Gate for Ok200 {
    type Ticket = ();

    fn head(&mut self, _: &Head<'_>, _: &Peer, _: Now) -> Verdict<()> {
        Verdict::Take(())
    }

    fn body(&mut self, (): (), _: &Head<'_>, _: &Peer, _: &[u8], _: Now) -> Answer {
        Answer::Now(Reply::OK)
    }
}

/// async-io makes a vector of wakers in every turn of its reactor, and a lone connection takes one turn per request: that is
/// the one allocation allowed. Ours are none.
#[test]
fn one_allocation_per_reading_and_it_is_async_ios() {
    const WARM: u64 = 1_000;
    const COUNTED: u64 = 9_000;
    let (tell, addr) = mpsc::channel::<SocketAddr>();
    let (phase, phases) = smol::channel::unbounded::<()>();
    let server = thread::spawn(move || {
        let limits = Limits { conn_count: 8, ..Limits::default() };
        let settings = settings(&limits, Deadlines::default());
        let tasks = Rc::new(Tasks::default());
        let port = DataPort::start(Ok200, settings, &limits, Clock::start(), &tasks);
        tell.send(port.listen(SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap()).unwrap();
        let run = || tasks.run(async { phases.recv().await.unwrap() });
        run();
        let count = counting::counted(run);
        assert_eq!(port.counters().0.taken_total, WARM + COUNTED);
        count
    });
    let mut stream = TcpStream::connect(addr.recv().unwrap()).unwrap();
    let request = format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{}", "x".repeat(200));
    let mut answer = [0; 1024];
    let mut send = |count: u64| {
        for _ in 0..count {
            stream.write_all(request.as_bytes()).unwrap();
            let n = stream.read(&mut answer).unwrap();
            assert!(answer[..n].starts_with(b"HTTP/1.1 200 ") && answer[..n].ends_with(b"ok"));
        }
        phase.send_blocking(()).unwrap();
    };
    send(WARM);
    send(COUNTED);
    let count = server.join().unwrap();
    println!("{count} allocations for {COUNTED} readings on one connection");
    assert!(count * 10 <= COUNTED * 12, "{count} allocations for {COUNTED} readings");
}
