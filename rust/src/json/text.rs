//! JSON strings: from the characters between the quotes to the characters they mean.
//!
//! Invariant: a [`Text`] was checked, so that decoding it cannot fail, and everything that a cursor
//! passes as a string was checked here.

use std::borrow::Cow;

use crate::error::{Fault, Reason};
use crate::json::scan::string_run;

/// A checked string as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The string whose opening quote stands at `quote`, and the byte after its closing one.
    pub(crate) fn read(bytes: &'a [u8], quote: usize) -> Result<(Self, usize), Fault> {
        let (end, escaped) = pass(bytes, quote)?;
        Ok((Self { raw: utf8(bytes, quote + 1, end - 1)?, escaped }, end))
    }

    /// As it stands between its quotes.
    pub(crate) fn raw(self) -> &'a str {
        self.raw
    }

    /// Whether there are escapes in it.
    pub(crate) fn is_escaped(self) -> bool {
        self.escaped
    }

    /// The characters it means; borrowed when there are no escapes.
    #[must_use]
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Check the string whose opening quote stands at `quote`: the byte after its closing one, and
/// whether there are escapes in it.
#[inline]
pub(crate) fn pass(bytes: &[u8], quote: usize) -> Result<(usize, bool), Fault> {
    let (end, ascii) = string_run(bytes, quote + 1);
    if ascii && bytes.get(end) == Some(&b'"') {
        return Ok((end + 1, false));
    }
    pass_any(bytes, quote + 1, end, ascii)
}

/// The rest of a string that begins at `from` and was passed as far as `at`.
#[inline(never)]
fn pass_any(
    bytes: &[u8],
    from: usize,
    mut at: usize,
    mut ascii: bool,
) -> Result<(usize, bool), Fault> {
    let mut escaped = false;
    loop {
        match bytes.get(at) {
            Some(b'"') => break,
            Some(b'\\') => at = pass_escape(bytes, at).map_err(|reason| Fault::new(reason, at))?,
            Some(_) => return Err(Fault::new(Reason::ControlByte, at)),
            None => return Err(Fault::new(Reason::Malformed, at)),
        }
        escaped = true;
        let (end, plain) = string_run(bytes, at);
        ascii &= plain;
        at = end;
    }
    if !ascii {
        utf8(bytes, from, at)?;
    }
    Ok((at + 1, escaped))
}

fn utf8(bytes: &[u8], from: usize, to: usize) -> Result<&str, Fault> {
    std::str::from_utf8(&bytes[from..to])
        .map_err(|error| Fault::new(Reason::BadUtf8, from + error.valid_up_to()))
}

/// Where the escape at `at` ends.
fn pass_escape(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match unit(bytes, at) {
            Some(0) => Err(Reason::Nul),
            Some(0xd800..=0xdbff) => match unit(bytes, at + 6) {
                Some(0xdc00..=0xdfff) => Ok(at + 12),
                _ => Err(Reason::LoneSurrogate),
            },
            Some(0xdc00..=0xdfff) => Err(Reason::LoneSurrogate),
            Some(_) => Ok(at + 6),
            None => Err(Reason::Malformed),
        },
        _ => Err(Reason::Malformed),
    }
}

/// The UTF-16 unit of a `\uXXXX` at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0_u16, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..backslash]);
        let kind = rest.as_bytes().get(backslash + 1).copied().unwrap_or(b'\\');
        rest = rest.get(backslash + 2..).unwrap_or_default();
        match kind {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let high = hex4(rest);
                rest = rest.get(4..).unwrap_or_default();
                let code = if (0xd800..0xdc00).contains(&high) {
                    let low = hex4(rest.get(2..).unwrap_or_default());
                    rest = rest.get(6..).unwrap_or_default();
                    0x1_0000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00)
                } else {
                    high
                };
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => text.push(char::from(other)),
        }
    }
    text.push_str(rest);
    text
}

/// Append `text` in quotes, in the one spelling that canonical JSON has for it.
pub(crate) fn write_canonical(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn hex4(text: &str) -> u32 {
    text.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}
