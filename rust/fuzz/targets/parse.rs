//! Any bytes as JSON, beside serde_json.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::parse(data));
