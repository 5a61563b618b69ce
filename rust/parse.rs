//! A cursor over JSON bytes.
//!
//! Invariant: whatever the cursor has passed is valid JSON in valid UTF-8, without NUL, lone
//! surrogates or numbers that PostgreSQL could not keep. This file is the seam for a faster walk: its
//! callers know spans and faults, nothing of how bytes are read.

use crate::error::{Fault, Reason};
use crate::text::Text;

/// Deepest nesting that is followed; real replies use 12.
pub const MAX_DEPTH: u32 = 64;
/// Longest number that is no integer, and its largest exponent: well inside of what PostgreSQL's
/// numeric holds, which keeps `1e-20000` as written and refuses it although it rounds to zero.
const MAX_FLOAT_BYTES: usize = 1000;
const MAX_EXPONENT: u16 = 400;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or `-`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// A checked number.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// As written.
    pub text: &'a str,
    /// Its value if it is written as an integer; always within 64 bits.
    pub integer: Option<i64>,
}

/// A position in JSON bytes.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

type Checked<T> = Result<T, Fault>;

impl<'a> Cursor<'a> {
    /// A cursor at byte `at` of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, depth: 0 }
    }

    /// Byte offset of the next unread byte.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The whole input.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Go on at byte `at` (a place this cursor, or [`crate::skip::skip_structure`], has come to).
    pub(crate) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    fn fault<T>(&self, reason: Reason) -> Checked<T> {
        Err(Fault::new(reason, self.at))
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Checked<()> {
        self.skip_space();
        if self.byte() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.fault(Reason::Malformed)
        }
    }

    /// Kind of the next value; white space before it is passed.
    ///
    /// # Errors
    /// No value begins here.
    pub fn kind(&mut self) -> Checked<Kind> {
        self.skip_space();
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => self.fault(Reason::Malformed),
        }
    }

    /// Check the next value and pass it; returns the span of its bytes.
    ///
    /// # Errors
    /// The value is not what the file's invariant demands.
    pub fn value(&mut self) -> Checked<&'a [u8]> {
        let kind = self.kind()?;
        let from = self.at;
        match kind {
            Kind::Object => self.object(|cursor, _| cursor.value().map(drop))?,
            Kind::Array => self.array(|cursor| cursor.value().map(drop))?,
            Kind::String => drop(self.string()?),
            Kind::Number => drop(self.number()?),
            Kind::Bool => drop(self.boolean()?),
            Kind::Null => self.literal(b"null")?,
        }
        Ok(&self.bytes[from..self.at])
    }

    /// Pass an object, calling `each` at the value of every member; it must pass that value.
    ///
    /// # Errors
    /// The first fault of the object or of `each`.
    pub fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'a>) -> Checked<()>,
    ) -> Checked<()> {
        self.members(|cursor| {
            let key = cursor.key()?;
            each(cursor, key)
        })
    }

    /// Pass an object, calling `each` at every member; it must pass the key and the value.
    pub(crate) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Checked<()>,
    ) -> Checked<()> {
        self.eat(b'{')?;
        self.enter()?;
        self.skip_space();
        if self.byte() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.skip_space();
                each(self)?;
                self.skip_space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break self.at += 1,
                    _ => return self.fault(Reason::Malformed),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Pass a member's key and what stands between it and its value.
    pub(crate) fn key(&mut self) -> Checked<Text<'a>> {
        let key = self.string()?;
        self.eat(b':')?;
        self.skip_space();
        Ok(key)
    }

    /// Pass an array, calling `each` at every element; it must pass that element.
    ///
    /// # Errors
    /// The first fault of the array or of `each`.
    pub fn array(&mut self, mut each: impl FnMut(&mut Self) -> Checked<()>) -> Checked<()> {
        self.eat(b'[')?;
        self.enter()?;
        self.skip_space();
        if self.byte() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                self.skip_space();
                each(self)?;
                self.skip_space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break self.at += 1,
                    _ => return self.fault(Reason::Malformed),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// One level deeper.
    pub(crate) fn enter(&mut self) -> Checked<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.fault(Reason::TooDeep) } else { Ok(()) }
    }

    /// Run `each` and restore the depth it had, so that a fault inside does not count as nesting.
    pub(crate) fn isolated<T>(&mut self, each: impl FnOnce(&mut Self) -> T) -> T {
        let depth = self.depth;
        let result = each(self);
        self.depth = depth;
        result
    }

    /// Pass a string.
    ///
    /// # Errors
    /// Not a string, or one that cannot be stored.
    pub fn string(&mut self) -> Checked<Text<'a>> {
        if self.byte() != Some(b'"') {
            return self.fault(Reason::Malformed);
        }
        self.at += 1;
        let from = self.at;
        let mut escaped = false;
        loop {
            match self.byte() {
                None => return self.fault(Reason::Malformed),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return self.fault(Reason::ControlByte),
                Some(_) => self.at += 1,
            }
        }
        let slice = &self.bytes[from..self.at];
        let raw = std::str::from_utf8(slice)
            .map_err(|error| Fault::new(Reason::BadUtf8, from + error.valid_up_to()))?;
        self.at += 1;
        Ok(Text::new(raw, escaped))
    }

    fn escape(&mut self) -> Checked<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match self.unit(self.at) {
                Some(0) => self.fault(Reason::Nul),
                Some(0xd800..=0xdbff) => match self.unit(self.at + 6) {
                    Some(0xdc00..=0xdfff) => {
                        self.at += 12;
                        Ok(())
                    }
                    _ => self.fault(Reason::LoneSurrogate),
                },
                Some(0xdc00..=0xdfff) => self.fault(Reason::LoneSurrogate),
                Some(_) => {
                    self.at += 6;
                    Ok(())
                }
                None => self.fault(Reason::Malformed),
            },
            _ => self.fault(Reason::Malformed),
        }
    }

    /// The UTF-16 unit of a `\uXXXX` at `at`.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0_u16, |unit, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            Some(unit << 4 | u16::try_from(digit).ok()?)
        })
    }

    /// Pass a number.
    ///
    /// # Errors
    /// Not a number, or one outside 64-bit integers and finite floats.
    pub fn number(&mut self) -> Checked<Number<'a>> {
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fault(Reason::Malformed),
        }
        let mut integral = true;
        if self.byte() == Some(b'.') {
            integral = false;
            self.at += 1;
            self.some_digits()?;
        }
        let mut exponent = "0";
        if matches!(self.byte(), Some(b'e' | b'E')) {
            integral = false;
            self.at += 1;
            let digits = self.at;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
            exponent = self.ascii(digits)?;
        }
        let text = self.ascii(from)?;
        let out_of_range = Fault::new(Reason::NumberRange, from);
        if integral {
            let integer = text.parse().map_err(|_| out_of_range)?;
            return Ok(Number { text, integer: Some(integer) });
        }
        let small = exponent.parse::<i16>().is_ok_and(|e| e.unsigned_abs() <= MAX_EXPONENT);
        let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
        let kept = small && finite && text.len() <= MAX_FLOAT_BYTES;
        if kept { Ok(Number { text, integer: None }) } else { Err(out_of_range) }
    }

    /// What was passed since `from`: digits, signs, points.
    fn ascii(&self, from: usize) -> Checked<&'a str> {
        std::str::from_utf8(&self.bytes[from..self.at])
            .map_err(|_| Fault::new(Reason::BadUtf8, from))
    }

    fn digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Checked<()> {
        let from = self.at;
        self.digits();
        if self.at == from { self.fault(Reason::Malformed) } else { Ok(()) }
    }

    /// Pass an integer in its usual form: up to 18 digits, no sign. None, with nothing passed, if
    /// something else stands here.
    pub(crate) fn plain_integer(&mut self) -> Option<i64> {
        let rest = &self.bytes[self.at..];
        let (mut value, mut length) = (0_i64, 0);
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
            length += 1;
        }
        let usual = matches!(length, 1..=18) && (length == 1 || rest[0] != b'0');
        if !usual || matches!(rest.get(length), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += length;
        Some(value)
    }

    /// Pass `text` if it stands here.
    #[inline]
    pub(crate) fn pass(&mut self, text: &[u8]) -> bool {
        let here = self.bytes[self.at..].starts_with(text);
        self.at += if here { text.len() } else { 0 };
        here
    }

    /// Pass `true` or `false`.
    ///
    /// # Errors
    /// Neither stands here.
    pub fn boolean(&mut self) -> Checked<bool> {
        let value = self.byte() == Some(b't');
        self.literal(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    fn literal(&mut self, word: &[u8]) -> Checked<()> {
        if self.pass(word) { Ok(()) } else { self.fault(Reason::Malformed) }
    }

    /// Pass the rest, which must be white space.
    ///
    /// # Errors
    /// Something else follows.
    pub fn end(&mut self) -> Checked<()> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { self.fault(Reason::Malformed) }
    }
}
