//! The mqtt and redis sinks against scripted peers on loopback.

use std::net::TcpStream;

use super::*;

/// One connection of a script: what is read (that many bytes at least hold the given piece), and what is answered.
type Scene = Vec<(&'static [u8], &'static [u8])>;

/// A peer that plays a scene on each connection, then closes it, the last when the other side does; tells all bytes that it got on each.
fn peer(scenes: Vec<Scene>) -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let last = scenes.len();
        for (n, scene) in scenes.into_iter().enumerate() {
            let (mut stream, _) = listener.accept().expect("a connection");
            let got = play(&mut stream, &scene);
            if tell.send(got).is_err() {
                return;
            }
            while n + 1 == last && stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
        }
    });
    (addr, told)
}

fn play(stream: &mut TcpStream, scene: &Scene) -> Vec<u8> {
    let (mut got, mut from, mut buf) = (Vec::new(), 0, [0; 4096]);
    for (wanted, answer) in scene {
        loop {
            if let Some(at) = got[from..].windows(wanted.len()).position(|w| w == *wanted) {
                from += at + wanted.len();
                break;
            }
            match stream.read(&mut buf) {
                Ok(n @ 1..) => got.extend_from_slice(&buf[..n]),
                _ => return got,
            }
        }
        stream.write_all(answer).expect("sent");
    }
    got
}

const CONNACK: &[u8] = b"\x20\x02\0\0";

#[test]
fn an_mqtt_message_is_sent_again_on_the_next_connection() {
    let script = vec![
        // The broker goes away between the first message's acknowledgement and that of the second.
        vec![(&b"MQTT"[..], CONNACK), (b"{\"n\":1}]", b"\x40\x02\0\x01"), (b"{\"n\":2}]", b"")],
        vec![(b"MQTT", CONNACK), (b"{\"n\":2}]", b"\x40\x02\0\x03"), (b"{\"n\":3}]", b"\x40\x02\0\x04")],
    ];
    let (addr, told) = peer(script);
    let s = sink("mqtt", json!({"server": format!("tcp://{addr}"), "topic": "t", "qos": 1, "clientid": "c", "resendInterval": 5}));
    for n in 1..=3 {
        s.push(n);
    }
    s.serve(&writer());
    let (first, second) = (told.recv().expect("told"), told.recv().expect("told"));
    assert!(first.starts_with(b"\x10\x0d\0\x04MQTT\x04\x02\0\x1e\0\x01c\x32"), "{first:?}");
    // It begins anew, since the session does not go on: no mark of having been sent before, and another number.
    assert_eq!(second[15..], *b"\x32\x0e\0\x01t\0\x03[{\"n\":2}]\x32\x0e\0\x01t\0\x04[{\"n\":3}]", "{second:?}");
    let unit = s.unit.borrow();
    assert_eq!((unit.drops(), unit.down()), (&crate::sink::Drops::default(), None));
}

#[test]
fn qos_2_goes_on_where_the_session_does() {
    let resumed: &[u8] = b"\x20\x02\x01\0";
    let script = vec![
        vec![(&b"MQTT"[..], CONNACK), (b"{\"n\":1}]", b"\x50\x02\0\x01"), (b"\x62\x02\0\x01", b"")],
        vec![(b"MQTT", resumed), (b"\x62\x02\0\x01", b"\x70\x02\0\x01")],
    ];
    let (addr, told) = peer(script);
    let s = sink("mqtt", json!({"server": addr, "topic": "t", "qos": 2, "clientid": "c", "enableClientSession": true}));
    s.push(1);
    s.serve(&writer());
    let (first, second) = (told.recv().expect("told"), told.recv().expect("told"));
    assert_eq!(first[15..], *b"\x34\x0e\0\x01t\0\x01[{\"n\":1}]\x62\x02\0\x01");
    assert_eq!(second[15..], *b"\x62\x02\0\x01", "released, not sent again");
}

#[test]
fn a_broker_that_says_no_is_asked_again() {
    let script = vec![vec![(&b"MQTT"[..], &b"\x20\x02\0\x05"[..])], vec![(b"MQTT", CONNACK), (b"{\"n\":1}]", b"")]];
    let (addr, told) = peer(script);
    let s = sink("mqtt", json!({"server": addr, "topic": "t", "username": "u", "password": "p"}));
    s.push(1);
    s.serve(&writer());
    assert!(told.recv().expect("told").ends_with(b"\0\x01u\0\x01p"));
    let unit = s.unit.borrow();
    let own = unit.ops().last().expect("the sink's own");
    assert_eq!((own.stats.exceptions_total, own.stats.last_exception.as_str(), own.stats.records_out_total), (1, "not authorized", 1));
}

#[test]
fn redis_errors_end_a_payload_and_a_lost_connection_does_not() {
    let script = vec![
        vec![(&b"PING\r\n"[..], &b"+OK\r\n+OK\r\n+PONG\r\n"[..]), (b"{\"n\":1}\r\n", b"-WRONGTYPE no\r\n"), (b"{\"n\":2}\r\n", b"")],
        vec![(b"PING\r\n", b"+OK\r\n+OK\r\n-LOADING wait\r\n")],
        vec![(b"PING\r\n", b"+OK\r\n+OK\r\n+PONG\r\n"), (b"{\"n\":2}\r\n", b":1\r\n")],
    ];
    let (addr, told) = peer(script);
    let s = sink("redis", json!({"addr": addr, "password": "p", "db": 1, "key": "k", "dataType": "list", "resendInterval": 5}));
    s.push(1);
    s.push(2);
    s.serve(&writer());
    let first = told.recv().expect("told");
    let greeting = b"*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*1\r\n$4\r\nPING\r\n*3\r\n$5\r\nLPUSH\r\n$1\r\nk\r\n$7\r\n{\"n\":1}\r\n";
    assert!(first.starts_with(greeting), "{first:?}");
    let unit = s.unit.borrow();
    assert_eq!((unit.drops().refused_total, unit.down()), (1, None));
    assert_eq!(unit.ops().last().map(|op| (op.stats.records_in_total, op.stats.records_out_total)), Some((2, 1)));
}

#[test]
fn publishing_over_redis() {
    let (addr, told) = peer(vec![vec![(&b"PING\r\n"[..], &b"+PONG\r\n"[..]), (b"[{\"n\":1}]\r\n", b":0\r\n")]]);
    let s = sink("redisPub", json!({"address": addr, "channel": "c"}));
    s.push(1);
    s.serve(&writer());
    assert!(told.recv().expect("told").ends_with(b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$9\r\n[{\"n\":1}]\r\n"));
}
