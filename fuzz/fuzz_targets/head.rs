//! A request head means the same whole and byte by byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::wire::head::{HeadInfo, Scan};

fuzz_target!(|bytes: &[u8]| {
    let mut info = HeadInfo::default();
    let whole = info.read(bytes).map(|head| head.map(|head| format!("{head:?}")));
    let mut scan = Scan::default();
    let found = (0..=bytes.len()).map(|end| scan.advance(&bytes[..end])).find(|step| !matches!(step, Ok(None)));
    let mut again = HeadInfo::default();
    let bytewise = match found.unwrap_or(Ok(None)) {
        Ok(Some(len)) => again.parse(&bytes[..len]).map(|()| Some(format!("{:?}", again.view(bytes)))),
        other => other.map(|_| None),
    };
    assert_eq!(whole, bytewise);
});
