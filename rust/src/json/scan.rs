//! Many bytes at a time: the end of a run of characters, of digits, and whether a literal stands here.
//!
//! Invariant: the wide form (SSE2, part of every x86-64) and the portable one give the same answer
//! for the same bytes, and neither reads outside of the slice: bytes are loaded from array
//! chunks, which are as long as what is loaded.
//!
//! `--cfg m26_portable` leaves the wide form out, to measure and test without it. SSE2 makes reading
//! a new card 6 % faster than words of 64 bits do. AVX2 would add 2 %, and be a
//! call each time, behind a question about the processor.

#[cfg(all(target_arch = "x86_64", not(m26_portable)))]
pub(crate) use wide::{has_literal, string_run};

#[cfg(not(all(target_arch = "x86_64", not(m26_portable))))]
pub(crate) use portable::{has_literal, string_run};

/// A literal no longer than this is compared in one step where as many bytes can be read.
pub(crate) const LITERAL: usize = 32;

const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Where the digits that begin at `at` end.
pub(crate) fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let digits = digits_in(u64::from_le_bytes(*chunk));
        at += digits;
        if digits < 8 {
            return at;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// How many of eight bytes, from the lowest on, are digits.
#[inline]
pub(crate) fn digits_in(word: u64) -> usize {
    let offset = word ^ every(b'0'); // digits become 0..=9, everything else 10 or more
    let over = ((offset & every(0x7f)) + every(0x76)) | offset; // high bit: not a digit
    (over & every(0x80)).trailing_zeros() as usize / 8
}

#[cfg(target_arch = "x86_64")]
#[cfg_attr(m26_portable, allow(dead_code))]
#[allow(unsafe_code)] // intrinsics; SSE2 is a feature that the target always has
mod wide {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };

    use super::{LITERAL, portable};

    /// Where the run of plain string bytes that begins at `at` ends: at a quote, a backslash, a
    /// control byte or the end of `bytes`; and whether all of it is ASCII.
    #[inline]
    pub(crate) fn string_run(bytes: &[u8], mut at: usize) -> (usize, bool) {
        let mut beyond_ascii = 0;
        while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            // SAFETY: SSE2 is part of x86-64.
            let (stops, high) = unsafe { stops(chunk) };
            let before = stops.wrapping_sub(1) & !stops; // all bits below the first stop
            beyond_ascii |= high & before;
            if stops != 0 {
                return (at + stops.trailing_zeros() as usize, beyond_ascii == 0);
            }
            at += chunk.len();
        }
        let (end, ascii) = portable::string_run(bytes, at);
        (end, ascii && beyond_ascii == 0)
    }

    /// Whether the `length` bytes of `text` at `from` stand in `bytes` at `at`.
    #[inline]
    pub(crate) fn has_literal(
        text: &[u8],
        from: usize,
        length: usize,
        bytes: &[u8],
        at: usize,
    ) -> bool {
        let ours = text.get(from..).and_then(<[u8]>::first_chunk);
        let theirs = bytes.get(at..).and_then(<[u8]>::first_chunk);
        if let (Some(ours), Some(theirs), ..=LITERAL) = (ours, theirs, length) {
            // SAFETY: SSE2 is part of x86-64.
            return unsafe { equal(ours, theirs) } >= length;
        }
        portable::has_literal(text, from, length, bytes, at)
    }

    /// Two masks of the bytes: those that end a run, those beyond ASCII.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn stops(chunk: &[u8; 16]) -> (u32, u32) {
        let chunk = load(chunk);
        let control = _mm_cmpeq_epi8(_mm_min_epu8(chunk, _mm_set1_epi8(0x1f)), chunk);
        let quote = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'"'.cast_signed()));
        let backslash = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'\\'.cast_signed()));
        (mask(_mm_or_si128(control, _mm_or_si128(quote, backslash))), mask(chunk))
    }

    /// How many bytes are equal before the first that is not.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn equal(one: &[u8; LITERAL], other: &[u8; LITERAL]) -> usize {
        let ([one, one_more], []) = one.as_chunks() else { return 0 };
        let ([other, other_more], []) = other.as_chunks() else { return 0 };
        let low = mask(_mm_cmpeq_epi8(load(one), load(other)));
        let high = mask(_mm_cmpeq_epi8(load(one_more), load(other_more)));
        (low | high << 16).trailing_ones() as usize
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(chunk: &[u8; 16]) -> __m128i {
        // SAFETY: as many bytes are read as the chunk has.
        unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn mask(bytes: __m128i) -> u32 {
        _mm_movemask_epi8(bytes).cast_unsigned()
    }
}

#[cfg_attr(target_arch = "x86_64", allow(dead_code))]
mod portable {
    use super::every;

    /// As the wide form.
    #[inline]
    pub(crate) fn string_run(bytes: &[u8], mut at: usize) -> (usize, bool) {
        const HIGH: u64 = every(0x80);
        let mut beyond_ascii = 0;
        while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*chunk);
            // `below(x)`: high bit where a byte is less than x; exact up to the first one
            let below = |word: u64, limit: u64| word.wrapping_sub(every(1) * limit) & !word & HIGH;
            let stops =
                below(word, 0x20) | below(word ^ every(b'"'), 1) | below(word ^ every(b'\\'), 1);
            let before = stops.wrapping_sub(1) & !stops;
            beyond_ascii |= word & HIGH & before;
            if stops != 0 {
                return (at + stops.trailing_zeros() as usize / 8, beyond_ascii == 0);
            }
            at += 8;
        }
        let mut ascii = beyond_ascii == 0;
        while let Some(&byte) = bytes.get(at) {
            if matches!(byte, b'"' | b'\\' | 0..=0x1f) {
                break;
            }
            ascii &= byte.is_ascii();
            at += 1;
        }
        (at, ascii)
    }

    /// As the wide form.
    #[inline]
    pub(crate) fn has_literal(
        text: &[u8],
        from: usize,
        length: usize,
        bytes: &[u8],
        at: usize,
    ) -> bool {
        let literal = text.get(from..from + length);
        literal.is_some_and(|literal| bytes.get(at..).is_some_and(|rest| rest.starts_with(literal)))
    }
}

#[cfg(test)]
mod tests {
    use super::{LITERAL, digits_end, has_literal, portable, string_run};

    /// Bytes that are plain for the most part, with some of each kind that is not.
    fn bytes(length: usize, seed: &mut u64) -> Vec<u8> {
        let next = || {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let [high, low, ..] = seed.to_be_bytes();
            match low % 24 {
                0 => b'"',
                1 => b'\\',
                2 => high % 0x20,
                3 => high | 0x80,
                4 => [0x1f, 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xff][usize::from(high) % 9],
                _ => b'0' + high % 12,
            }
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn run_byte_by_byte(bytes: &[u8], at: usize) -> (usize, bool) {
        let rest = &bytes[at..];
        let stops = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let length = rest.iter().position(stops).unwrap_or(rest.len());
        (at + length, rest[..length].is_ascii())
    }

    #[test]
    fn both_forms_find_the_end_of_a_run_at_every_length_and_alignment() {
        let mut seed = 1;
        for length in 0..50 {
            let bytes = bytes(length, &mut seed);
            for at in 0..=length {
                let expected = run_byte_by_byte(&bytes, at);
                assert_eq!(string_run(&bytes, at), expected, "{bytes:?} at {at}");
                assert_eq!(portable::string_run(&bytes, at), expected, "{bytes:?} at {at}");
            }
        }
        for byte in 0..=255 {
            for at in [0, 7, 8, 15, 16, 31, 39] {
                let mut bytes = vec![b'a'; 40];
                bytes[at] = byte;
                assert_eq!(string_run(&bytes, 0), run_byte_by_byte(&bytes, 0));
                assert_eq!(portable::string_run(&bytes, 0), run_byte_by_byte(&bytes, 0));
            }
        }
    }

    #[test]
    fn both_forms_compare_every_byte_of_a_literal_and_no_other() {
        let mut seed = 2;
        let step = if cfg!(miri) { 9 } else { 1 };
        for length in (0..LITERAL + 5).step_by(step) {
            for room in [0, 1, LITERAL] {
                let text = bytes(length + room, &mut seed);
                for at in [0, 1, 15] {
                    let mut bytes = bytes(at, &mut seed);
                    bytes.extend_from_slice(&text[..length]);
                    bytes.extend(text[length..].iter().map(|byte| !byte));
                    let agree = |bytes: &[u8], expected| {
                        assert_eq!(has_literal(&text, 0, length, bytes, at), expected);
                        assert_eq!(portable::has_literal(&text, 0, length, bytes, at), expected);
                    };
                    agree(&bytes, true);
                    for changed in at..at + length {
                        bytes[changed] ^= 1 << (changed % 8);
                        agree(&bytes, false);
                        bytes[changed] ^= 1 << (changed % 8);
                    }
                    agree(&bytes[..at + length], true);
                    if length > 0 {
                        agree(&bytes[..at + length - 1], false);
                    }
                }
            }
        }
    }

    #[test]
    fn digits_end_where_they_do_byte_by_byte() {
        for byte in 0..=255 {
            for at in [0, 1, 7, 8, 19] {
                let mut bytes = vec![b'7'; 20];
                bytes[at] = byte;
                let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
                assert_eq!(digits_end(&bytes, 0), length);
                assert_eq!(digits_end(&bytes, length), length);
            }
        }
    }
}
