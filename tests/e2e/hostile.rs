//! Clients that are slow, greedy or many: what they may have, and that the others are served.

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::gate::{Gate, Scratch, finish, program, until};
use crate::http::{Client, connect, request};

fn gate(scratch: &Scratch, yaml: &str) -> Gate {
    let gate = Gate::start_with(scratch, yaml);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    gate
}

const HEAD: &str = "POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n";

#[test]
fn each_deadline_has_a_key_and_says_so() {
    let scratch = Scratch::new();
    let gate = gate(
        &scratch,
        "source:\n  firstByteTimeout: 200ms\n  headTimeout: 300ms\n  bodyTimeout: 400ms\n  idleTimeout: 500ms\n  minBodyRate: 0\n",
    );
    let ends = |bytes: &str| {
        let mut client = Client::connect(gate.data());
        let start = Instant::now();
        if !bytes.is_empty() {
            client.send(bytes.as_bytes());
        }
        let text = client.rest();
        (text, start.elapsed())
    };
    for (bytes, least, status, key) in [
        ("", 190, "", ""),
        ("POST /api/da", 290, "HTTP/1.1 408 ", "source.headTimeout (300ms)"),
        (HEAD, 390, "HTTP/1.1 408 ", "source.bodyTimeout (400ms)"),
        (&request("POST", "/api/data", "", "{}"), 490, "HTTP/1.1 200 ", ""),
    ] {
        let (text, took) = ends(bytes);
        assert!(text.starts_with(status) && text.contains(key), "{text}");
        assert!(took >= Duration::from_millis(least) && took < Duration::from_secs(5), "{bytes}: {took:?}");
    }
    assert_eq!(gate.counters()["port"]["refused_timeout_total"], 2);
    let (text, _) = ends(&(HEAD.to_owned() + &"x".repeat(4999)));
    assert!(text.starts_with("HTTP/1.1 408 "), "a body all but one byte: {text}");
}

#[test]
fn a_body_that_comes_too_slowly() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "source: {minBodyRate: 1000000}\n");
    let mut client = Client::connect(gate.data());
    client.send(HEAD.as_bytes());
    let reply = client.reply();
    assert_eq!(reply.status, 408);
    assert!(reply.body.contains("source.minBodyRate (1000000 bytes per second)"), "{reply:?}");
}

#[test]
fn keys_of_the_data_server_out_of_bounds() {
    let scratch = Scratch::new();
    for (line, want) in [
        ("headTimeout: 9ms", "source.headTimeout: expected a duration from 10ms to 1h, found \"9ms\""),
        ("bodyTimeout: 3601s", "source.bodyTimeout: expected a duration from 10ms to 1h"),
        ("idleTimeout: never", "source.idleTimeout: expected a duration from 10ms to 1h"),
        ("minBodyRate: 1000001", "source.minBodyRate: expected bytes a second, from 0 to 1000000"),
        ("connectionsPerAddress: -1", "source.connectionsPerAddress: expected a whole number from 0"),
    ] {
        let config = scratch.write("p.yaml", &format!("source:\n  {line}\n"));
        let (code, _, err) = finish(program().arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config));
        assert_eq!(code, 78, "{line}: {err}");
        assert!(err.contains(want), "{line}: {err}");
    }
}

#[test]
fn one_address_has_its_share_and_no_more() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "source: {connectionsPerAddress: 2}\n");
    let mut busy: Vec<_> = (0..2).map(|_| Client::connect(gate.data())).collect();
    for client in &mut busy {
        client.send(HEAD.as_bytes());
    }
    until("both are at work", || gate.counters()["port"]["requests_total"] == 2);
    let mut third = Client::connect(gate.data());
    third.send(request("POST", "/api/data", "", "{}").as_bytes());
    let reply = third.reply();
    assert_eq!((reply.status, reply.field("retry-after")), (429, Some("1")), "{reply:?}");
    assert!(reply.body.contains("source.connectionsPerAddress") && third.is_closed(), "{reply:?}");
    assert_eq!(gate.counters()["port"]["refused_address_full_total"], 1);
    // One that is idle yields to a new one of its own address.
    let body = " ".repeat(4998) + "{}";
    busy[0].send(body.as_bytes());
    assert_eq!(busy[0].reply().status, 200);
    assert_eq!(gate.push("/api/data", "{}").status, 200);
    assert!(busy[0].is_closed());
    busy[1].send(body.as_bytes());
    assert_eq!(busy[1].reply().status, 200);
}

#[test]
fn a_thousand_idle_connections_do_not_lock_a_sensor_out() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "limits: {connCount: 200}\n");
    let idle: Vec<_> = (0..1000).map(|_| connect(gate.data())).collect();
    for _ in 0..5 {
        assert_eq!(gate.push("/api/data", "{}").status, 200);
    }
    let port = &gate.counters()["port"];
    assert!(port["connections_yielded_total"].as_i64() >= Some(800), "{port}");
    assert_eq!(idle.len(), 1000);
}

#[test]
fn slow_heads_in_every_place_do_not_lock_a_sensor_out() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "limits: {connCount: 20}\nsource: {headTimeout: 1h}\n");
    let mut slow: Vec<_> = (0..20).map(|_| connect(gate.data())).collect();
    for socket in &mut slow {
        socket.write_all(b"POST /api/da").expect("sent");
    }
    // Until all of them have been read from, a place can still be had at once.
    until("all are in", || gate.counters()["port"]["connections"] == 20);
    std::thread::park_timeout(Duration::from_millis(100));
    let start = Instant::now();
    assert_eq!(gate.push("/api/data", "{}").status, 200, "after two seconds one of them had to go");
    assert!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
    let mut told = Vec::new();
    slow.retain_mut(|socket| {
        let mut text = String::new();
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket option");
        let ended = socket.read_to_string(&mut text).is_ok();
        told.extend(ended.then_some(text));
        !ended
    });
    assert!(told.len() == 1 && told[0].starts_with("HTTP/1.1 503 ") && told[0].contains("limits.connCount"), "{told:?}");
    // With room, a slow one may take its time.
    let mut slow = Client::over(slow.remove(0));
    slow.send(b"ta HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(slow.reply().status, 200);
    let port = &gate.counters()["port"];
    assert!(port["connections_overdue_total"] == 1 && port["accept_full_total"].as_i64() >= Some(1), "{port}");
}

#[test]
fn slow_bodies_do_not_keep_all_large_buffers() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "source: {minBodyRate: 0}\n");
    let mut slow: Vec<_> = (0..16).map(|_| connect(gate.data())).collect();
    for socket in &mut slow {
        socket.write_all((HEAD.to_owned() + &" ".repeat(4000)).as_bytes()).expect("sent");
    }
    until("all buffers are lent", || gate.counters()["port"]["large_buffers_lent_total"] == 16);
    let large = format!("{{}}{}", " ".repeat(4000));
    assert_eq!(gate.push("/api/data", &large).status, 503, "none of them has held one long");
    assert_eq!(gate.push("/api/data", "{}").status, 200, "small ones need none");
    until("one is taken back", || gate.push("/api/data", &large).status == 200);
    assert_eq!(gate.push("/api/data", &large).status, 200);
    let port = &gate.counters()["port"];
    assert_eq!(port["connections_overdue_total"], 1, "the buffer that was taken back serves all: {port}");
}

#[test]
fn fewer_descriptors_mean_fewer_connections_and_that_is_said() {
    let scratch = Scratch::new();
    let config = scratch.write("p.yaml", "source: {firstByteTimeout: 1h}\n");
    // The shell's own limit, hard and soft; the rest is the program as the other tests start it.
    let mut command = std::process::Command::new("sh");
    for (name, value) in program().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let text = format!(
        "ulimit -n 300; exec {} run --state {} --config {}",
        env!("CARGO_BIN_EXE_pushgate"),
        scratch.text("state"),
        config.display()
    );
    let gate = Gate::spawn(command.args(["-c", &text]));
    gate.wait_log("300 descriptors are allowed: connections of the data port are lowered from 1024 to 44");
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    let idle: Vec<_> = (0..400).map(|_| connect(gate.data())).collect();
    for _ in 0..3 {
        assert_eq!(gate.push("/api/data", "{}").status, 200);
    }
    assert_eq!(gate.counters()["port"]["accept_paused_total"], 0, "it never ran out");
    assert_eq!(idle.len(), 400);
}

#[test]
fn two_hundred_dribblers_and_an_honest_client() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "source: {headTimeout: 1h, bodyTimeout: 1h, minBodyRate: 0}\n");
    let text = "POST /api/data HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut dribblers: Vec<_> = (0..200).map(|_| connect(gate.data())).collect();
    for dribbler in &dribblers {
        dribbler.set_nodelay(true).expect("a socket option");
    }
    let mut honest = Client::connect(gate.data());
    let mut slowest = Duration::ZERO;
    for byte in text.as_bytes().chunks(1) {
        for dribbler in &mut dribblers {
            dribbler.write_all(byte).expect("it is not closed yet");
        }
        let start = Instant::now();
        assert_eq!(honest.ask("POST", "/api/data", "{}").status, 200);
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert_eq!(gate.push("/api/data", "{}").status, 200, "and a new one is let in");
    assert_eq!(gate.counters()["port"]["accepted_total"], i64::try_from(text.len()).expect("short") + 1);
}

#[test]
fn who_pipelines_without_end_gets_a_share() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "");
    let mut greedy = connect(gate.data());
    let batch = request("GET", "/nowhere", "", "").repeat(100);
    let sender = {
        let mut greedy = greedy.try_clone().expect("a socket");
        std::thread::spawn(move || {
            // Until the answers, which nobody reads yet, have filled what lies between.
            greedy.set_write_timeout(Some(Duration::from_millis(300))).expect("a socket option");
            while greedy.write_all(batch.as_bytes()).is_ok() {}
        })
    };
    let mut honest = Client::connect(gate.data());
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let start = Instant::now();
        assert_eq!(honest.ask("POST", "/api/data", "{}").status, 200);
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    sender.join().expect("it ends");
    greedy.write_all(b"").expect("still there");
}

#[test]
fn resets_in_every_phase_leave_nothing_behind() {
    let scratch = Scratch::new();
    let gate = gate(&scratch, "");
    let whole = request("POST", "/api/data", "", &" ".repeat(5000));
    for cut in [0, 1, 20, whole.len() - 5000, whole.len() - 1, whole.len()] {
        let mut socket = connect(gate.data());
        socket.write_all(&whole.as_bytes()[..cut]).expect("sent");
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("a socket option");
    }
    until("all are gone", || gate.counters()["port"]["connections"] == 0);
    assert_eq!(gate.push("/api/data", "{}").status, 200);
}
