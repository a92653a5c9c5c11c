//! A chunked body means the same whole and byte by byte, and never grows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::wire::body::Chunks;

fuzz_target!(|bytes: &[u8]| {
    let mut buf = bytes.to_vec();
    let whole = Chunks::default().decode(&mut buf, 0, 4096).map(|p| (buf[..p.written].to_vec(), p.done));
    let (mut chunks, mut body, mut bytewise) = (Chunks::default(), Vec::new(), Ok(false));
    for &b in bytes {
        let at = body.len();
        body.push(b);
        bytewise = chunks.decode(&mut body, at, 4096).map(|p| {
            body.truncate(p.written);
            p.done
        });
        if bytewise != Ok(false) {
            break;
        }
    }
    assert_eq!(whole, bytewise.map(|done| (body, done)));
});
