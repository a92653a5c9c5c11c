//! Any text is JSON or gets an offset inside it; a member's spans lie inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pushgate::json::scan::check;

fuzz_target!(|text: &str| {
    let result = check(text, |m| assert!(m.key_at + m.key_len < m.value_at && m.value_at + m.value_len <= text.len()));
    if let Err(error) = result {
        assert!(error.at <= text.len());
    }
});
