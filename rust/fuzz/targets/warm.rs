//! Any bytes as a page, read twice among known pages.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::warm(data));
