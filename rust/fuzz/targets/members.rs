//! Legal JSON of any kind where nobody stores it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| m26_fuzz::members(data));
