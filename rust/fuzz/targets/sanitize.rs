//! Any bytes, repaired.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::sanitize(data));
