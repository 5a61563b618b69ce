//! Any bytes: many at a time give what one at a time does, from every place on.

#![no_main]

#[allow(dead_code)]
#[path = "../../src/json/scan.rs"]
mod scan; // what the crate keeps to itself

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&length, bytes)) = data.split_first() else { return };
    let length = usize::from(length) % (scan::LITERAL + 2);
    for at in 0..=bytes.len().min(64) {
        let rest = &bytes[at..];
        let stops = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let run = rest.iter().position(stops).unwrap_or(rest.len());
        assert_eq!(scan::string_run(bytes, at), (at + run, rest[..run].is_ascii()));
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        assert_eq!(scan::digits_end(bytes, at), at + digits);
        if let Some(literal) = bytes.get(..length) {
            let stands = rest.starts_with(literal);
            assert_eq!(scan::has_literal(bytes, 0, length, bytes, at), stands);
        }
    }
});
