//! JSON strings: from the characters between the quotes to the characters they mean.
//!
//! Invariant: a [`Text`] is a string by the grammar, so that decoding it cannot fail; what is passed as
//! kept is one that PostgreSQL can hold, without NUL and with whole surrogate pairs.

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
        Self::of(bytes, quote, pass(bytes, quote)?)
    }

    /// The same for a string that PostgreSQL can hold.
    pub(crate) fn read_kept(bytes: &'a [u8], quote: usize) -> Result<(Self, usize), Fault> {
        Self::of(bytes, quote, pass_kept(bytes, quote)?)
    }

    fn of(
        bytes: &'a [u8],
        quote: usize,
        (end, escaped): (usize, bool),
    ) -> Result<(Self, usize), Fault> {
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

    /// Whether PostgreSQL can hold it.
    pub(crate) fn is_kept(self) -> bool {
        let bytes = self.raw.as_bytes();
        let mut at = 0;
        while let Some(plain) = memchr::memchr(b'\\', &bytes[at..]) {
            let Ok(end) = kept_escape_end(bytes, at + plain) else { return false };
            at = end;
        }
        true
    }

    /// The characters it means; borrowed when there are no escapes. U+FFFD stands for what is no
    /// character, half of a surrogate pair, and for U+0000, which PostgreSQL has not.
    #[must_use]
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Check the string whose opening quote stands at `quote`: the byte after its closing one, and
/// whether there are escapes in it.
#[inline]
pub(crate) fn pass(bytes: &[u8], quote: usize) -> Result<(usize, bool), Fault> {
    pass_as(bytes, quote, escape_end)
}

/// The same for a string that PostgreSQL can hold.
#[inline]
pub(crate) fn pass_kept(bytes: &[u8], quote: usize) -> Result<(usize, bool), Fault> {
    pass_as(bytes, quote, kept_escape_end)
}

/// Where the escape at a place ends.
type EscapeEnd = fn(&[u8], usize) -> Result<usize, Reason>;

#[inline]
fn pass_as(bytes: &[u8], quote: usize, escape: EscapeEnd) -> Result<(usize, bool), Fault> {
    let (end, ascii) = string_run(bytes, quote + 1);
    if ascii && bytes.get(end) == Some(&b'"') {
        return Ok((end + 1, false));
    }
    pass_any(bytes, quote + 1, end, ascii, escape)
}

/// The rest of a string that begins at `from` and was passed as far as `at`.
#[inline(never)]
fn pass_any(
    bytes: &[u8],
    from: usize,
    mut at: usize,
    mut ascii: bool,
    escape: EscapeEnd,
) -> Result<(usize, bool), Fault> {
    let mut escaped = false;
    loop {
        match bytes.get(at) {
            Some(b'"') => break,
            Some(b'\\') => at = escape(bytes, at).map_err(|reason| Fault::new(reason, at))?,
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
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') if unit(bytes, at).is_some() => Ok(at + 6),
        _ => Err(Reason::Malformed),
    }
}

/// Where the escape at `at` ends, which stands for a character that PostgreSQL has.
fn kept_escape_end(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    let end = escape_end(bytes, at)?;
    match unit(bytes, at) {
        Some(0) => Err(Reason::Nul),
        Some(0xd800..=0xdbff) => match unit(bytes, end) {
            Some(0xdc00..=0xdfff) => Ok(end + 6),
            _ => Err(Reason::LoneSurrogate),
        },
        Some(0xdc00..=0xdfff) => Err(Reason::LoneSurrogate),
        _ => Ok(end),
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
                let mut code = hex4(rest);
                rest = rest.get(4..).unwrap_or_default();
                let low = rest.strip_prefix("\\u").map_or(0, hex4);
                if (0xd800..0xdc00).contains(&code) && (0xdc00..0xe000).contains(&low) {
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    rest = rest.get(6..).unwrap_or_default();
                }
                let character = char::from_u32(code).filter(|&character| character != '\0');
                text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
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
