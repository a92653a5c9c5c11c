//! A frame is read or refused whatever it is, the same by a decoder that was used before; what is written is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::zstd::{Decoder, Encoder, bound};

fuzz_target!(|bytes: &[u8]| {
    let (mut used, mut out, mut again) = (Decoder::new(), vec![0; 5000], vec![0; 5000]);
    let first = used.decode(bytes, &mut out);
    assert_eq!(used.decode(bytes, &mut again), first);
    if let Ok(len) = first {
        assert_eq!(out[..len], again[..len]);
    }
    let mut frame = vec![0; bound(bytes.len())];
    let len = Encoder::new().encode(bytes, &mut frame).expect("room");
    let mut back = vec![0; bytes.len()];
    assert_eq!(used.decode(&frame[..len], &mut back), Ok(bytes.len()));
    assert_eq!(back, bytes);
});
