//! Any bytes as a reply, classified and normalized.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::peek(data));
