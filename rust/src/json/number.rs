//! JSON numbers: where one ends, and whether it can be kept.
//!
//! Invariant: a number that was passed is an integer within 64 bits or a float that PostgreSQL's
//! numeric keeps as written.

use crate::error::{Fault, Reason};
use crate::json::scan::{digits_end, digits_in};

/// Longest number that is no integer, and its largest exponent: well inside of what PostgreSQL's
/// numeric holds, which keeps `1e-20000` as written and refuses it although it rounds to zero.
const MAX_FLOAT_BYTES: usize = 1000;
const MAX_EXPONENT: u16 = 400;
/// So many digits are within 64 bits whatever they are.
const SAFE_DIGITS: usize = 18;

/// A checked number.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// As written.
    pub text: &'a str,
    /// Its value if it is written as an integer; always within 64 bits.
    pub integer: Option<i64>,
}

impl<'a> Number<'a> {
    /// The number at `from`.
    pub(crate) fn read(bytes: &'a [u8], from: usize) -> Result<Self, Fault> {
        let (end, integral) = pass(bytes, from)?;
        let text = ascii(bytes, from, end)?;
        let integer = if integral { Some(parse(text, from)?) } else { None };
        Ok(Number { text, integer })
    }
}

/// Check the number at `from`: its end, and whether it is written as an integer.
#[inline]
pub(crate) fn pass(bytes: &[u8], from: usize) -> Result<(usize, bool), Fault> {
    match few_digits(bytes, from) {
        Some(end) => Ok((end, true)),
        None => pass_any(bytes, from),
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
    let out_of_range = Fault::new(Reason::NumberRange, from);
    if !matches!(byte(at), Some(b'.' | b'e' | b'E')) {
        if at - first > SAFE_DIGITS {
            parse(ascii(bytes, from, at)?, from)?;
        }
        return Ok((at, true));
    }
    let some_digits = |from| match digits_end(bytes, from) {
        end if end == from => Err(malformed(from)),
        end => Ok(end),
    };
    if byte(at) == Some(b'.') {
        at = some_digits(at + 1)?;
    }
    let mut exponent = "0";
    if matches!(byte(at), Some(b'e' | b'E')) {
        let sign = matches!(byte(at + 1), Some(b'+' | b'-'));
        let end = some_digits(at + 1 + usize::from(sign))?;
        exponent = ascii(bytes, at + 1, end)?;
        at = end;
    }
    let text = ascii(bytes, from, at)?;
    let small = exponent.parse::<i16>().is_ok_and(|e| e.unsigned_abs() <= MAX_EXPONENT);
    let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
    let kept = small && finite && text.len() <= MAX_FLOAT_BYTES;
    if kept { Ok((at, false)) } else { Err(out_of_range) }
}

fn parse(text: &str, at: usize) -> Result<i64, Fault> {
    text.parse().map_err(|_| Fault::new(Reason::NumberRange, at))
}

/// What was passed from `from` to `to`: digits, signs, points.
fn ascii(bytes: &[u8], from: usize, to: usize) -> Result<&str, Fault> {
    std::str::from_utf8(&bytes[from..to]).map_err(|_| Fault::new(Reason::BadUtf8, from))
}
