//! Values without parts: the cursor at a string, number, `true`, `false` or `null` in, behind it out.
//!
//! Invariant: where something else stands, or the value is faulty, the cursor has not moved.

use super::{Checked, Cursor};
use crate::error::Reason;
use crate::json::number::{self, Number};
use crate::json::text::{self, Text};

type TextReader<'a> = fn(&'a [u8], usize) -> Checked<(Text<'a>, usize)>;

impl<'a> Cursor<'a> {
    /// Pass a string.
    ///
    /// # Errors
    /// Not a string by the grammar.
    pub fn string(&mut self) -> Checked<Text<'a>> {
        self.string_as(Text::read)
    }

    /// Pass a string that is stored.
    ///
    /// # Errors
    /// Not a string, or one that PostgreSQL cannot hold.
    pub fn kept_string(&mut self) -> Checked<Text<'a>> {
        self.string_as(Text::read_kept)
    }

    fn string_as(&mut self, read: TextReader<'a>) -> Checked<Text<'a>> {
        if self.byte() != Some(b'"') {
            return self.fault(Reason::Malformed);
        }
        let (text, end) = read(self.bytes, self.at)?;
        self.at = end;
        Ok(text)
    }

    /// Pass the string whose opening quote stands here, which is stored; whether there are escapes
    /// in it.
    #[inline]
    pub(crate) fn pass_kept_string(&mut self) -> Checked<bool> {
        let (end, escaped) = text::pass_kept(self.bytes, self.at)?;
        self.at = end;
        Ok(escaped)
    }

    /// Pass a number.
    ///
    /// # Errors
    /// Not a number by the grammar.
    pub fn number(&mut self) -> Checked<Number<'a>> {
        let number = Number::read(self.bytes, self.at)?;
        self.at += number.text.len();
        Ok(number)
    }

    /// Pass a number that is stored as it is written.
    #[inline]
    pub(crate) fn pass_kept_number(&mut self) -> Checked<()> {
        self.at = number::pass_kept(self.bytes, self.at)?;
        Ok(())
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

    pub(crate) fn null(&mut self) -> Checked<()> {
        self.literal(b"null")
    }

    fn literal(&mut self, word: &[u8]) -> Checked<()> {
        if self.pass(word) { Ok(()) } else { self.fault(Reason::Malformed) }
    }
}
