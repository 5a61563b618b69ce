//! JSON numbers: where one ends, and whether jsonb can keep it.
//!
//! Invariant: what is passed is a number by the grammar; what is passed as kept, PostgreSQL's numeric
//! keeps as written too.

use crate::error::{Fault, Reason};
use crate::json::scan::{digits_end, digits_in};

/// Longest number that is kept, and its largest exponent: well inside of what PostgreSQL's numeric
/// holds, which keeps `1e-20000` as written and refuses it although it rounds to zero; and no more
/// digits than a reader of the definition can bear.
const MAX_KEPT_BYTES: usize = 1000;
const MAX_KEPT_EXPONENT: u16 = 400;

/// A number.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// As written.
    pub text: &'a str,
    /// It is written as an integer.
    pub integral: bool,
    /// Its value if it is written as an integer and within 64 bits with a sign.
    pub integer: Option<i64>,
}

impl<'a> Number<'a> {
    /// The number at `from`.
    pub(crate) fn read(bytes: &'a [u8], from: usize) -> Result<Self, Fault> {
        let (end, integral) = pass(bytes, from)?;
        let text = std::str::from_utf8(&bytes[from..end]);
        let text = text.map_err(|_| Fault::new(Reason::BadUtf8, from))?;
        Ok(Number { text, integral, integer: text.parse().ok().filter(|_| integral) })
    }
}

/// The end of the number at `from`, and whether it is written as an integer.
#[inline]
pub(crate) fn pass(bytes: &[u8], from: usize) -> Result<(usize, bool), Fault> {
    match few_digits(bytes, from) {
        Some(end) => Ok((end, true)),
        None => pass_any(bytes, from),
    }
}

/// The end of the number at `from`, which jsonb can keep.
#[inline]
pub(crate) fn pass_kept(bytes: &[u8], from: usize) -> Result<usize, Fault> {
    match few_digits(bytes, from) {
        Some(end) => Ok(end),
        None => pass_any_kept(bytes, from),
    }
}

/// Where the number at `from` ends if it is one of up to seven digits and nothing else, as nearly
/// all are.
#[inline]
fn few_digits(bytes: &[u8], from: usize) -> Option<usize> {
    let chunk: &[u8; 8] = bytes.get(from..)?.first_chunk()?;
    let digits = digits_in(u64::from_le_bytes(*chunk));
    let length = if chunk[0] == b'0' { 1 } else { digits };
    let whole = length > 0 && !matches!(chunk.get(length)?, b'.' | b'e' | b'E');
    whole.then_some(from + length)
}

#[cold]
#[inline(never)]
fn malformed(at: usize) -> Fault {
    Fault::new(Reason::Malformed, at)
}

#[inline(never)]
fn pass_any(bytes: &[u8], from: usize) -> Result<(usize, bool), Fault> {
    let byte = |at: usize| bytes.get(at).copied();
    let first = if byte(from) == Some(b'-') { from + 1 } else { from };
    let mut at = match byte(first) {
        Some(b'0') => first + 1,
        Some(b'1'..=b'9') => digits_end(bytes, first + 1),
        _ => return Err(malformed(first)),
    };
    if !matches!(byte(at), Some(b'.' | b'e' | b'E')) {
        return Ok((at, true));
    }
    let some_digits = |from| match digits_end(bytes, from) {
        end if end == from => Err(malformed(from)),
        end => Ok(end),
    };
    if byte(at) == Some(b'.') {
        at = some_digits(at + 1)?;
    }
    if matches!(byte(at), Some(b'e' | b'E')) {
        let sign = matches!(byte(at + 1), Some(b'+' | b'-'));
        at = some_digits(at + 1 + usize::from(sign))?;
    }
    Ok((at, false))
}

#[inline(never)]
fn pass_any_kept(bytes: &[u8], from: usize) -> Result<usize, Fault> {
    let (end, integral) = pass_any(bytes, from)?;
    let kept = end - from <= MAX_KEPT_BYTES && (integral || exponent_is_kept(&bytes[from..end]));
    if kept { Ok(end) } else { Err(Fault::new(Reason::NumberRange, from)) }
}

fn exponent_is_kept(number: &[u8]) -> bool {
    let Some(mark) = memchr::memchr2(b'e', b'E', number) else { return true };
    let exponent = std::str::from_utf8(&number[mark + 1..]).ok().map(str::parse::<i16>);
    exponent.is_some_and(|exponent| exponent.is_ok_and(|e| e.unsigned_abs() <= MAX_KEPT_EXPONENT))
}
