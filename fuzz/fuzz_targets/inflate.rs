//! A compressed body inflates within its limit or is refused, and what the state held before leaves no trace.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::gate::inflate::{Coding, Inflater};

fuzz_target!(|bytes: &[u8]| {
    let mut used = Inflater::new(5000);
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Zlib, Coding::Flate, Coding::Zstd] {
        let clean = Inflater::new(5000).inflate(coding, bytes).map(<[u8]>::to_vec);
        assert!(clean.as_ref().map_or(true, |body| body.len() <= 5000));
        assert_eq!(used.inflate(coding, bytes).map(<[u8]>::to_vec), clean);
    }
});
