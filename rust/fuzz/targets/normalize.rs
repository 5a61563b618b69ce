//! Any bytes as a page.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::normalize(data));
