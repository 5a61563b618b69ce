//! A known card, edited: recognised or read anew with the same result.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::cards(data));
