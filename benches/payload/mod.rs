//! What sensors really send, for all benches.
#![allow(dead_code, reason = "each bench uses its part")]

/// 200 bytes, mostly one string: the body of the load driver (`load/drive.rs`).
pub(crate) fn padded() -> String {
    format!(r#"{{"t":21.5,"p":"{}"}}"#, "x".repeat(200 - 17))
}

/// 14 members in 209 bytes: what a meter with many registers sends.
pub(crate) const DENSE: &str = concat!(
    r#"{"id":10422,"dev":"meter-07","ts":1732412345678,"u1":230.1,"u2":229.8,"u3":231.4,"#,
    r#""i1":4.21,"i2":3.97,"i3":4.05,"p":2812.4,"pf":0.981,"ok":true,"tag":["hall-2","line-b","phase-abc"],"#,
    r#""note":"calibrated 2026-03"}"#
);

/// The head before either, as curl sends it.
pub(crate) fn head(length: usize) -> String {
    format!(
        "POST /api/data HTTP/1.1\r\nHost: 192.168.1.20:10081\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}
