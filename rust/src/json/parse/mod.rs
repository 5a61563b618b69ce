//! A cursor over JSON bytes.
//!
//! Invariant: whatever the cursor has passed is valid JSON in valid UTF-8, and no more is asked of it:
//! what is stored is passed as *kept*. Its callers know spans and faults, nothing of how bytes are
//! read. Nothing here is limited by how deep a value is nested.

mod scalar;

use crate::error::{Fault, Reason};
use crate::json::number;
use crate::json::text::{self, Text};

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

/// A position in JSON bytes.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Checked<T> = Result<T, Fault>;

impl<'a> Cursor<'a> {
    /// A cursor at byte `at` of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
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

    /// Go on at byte `at` (a place this cursor, or [`crate::json::skip::skip_structure`], has come to).
    pub(crate) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    fn fault<T>(&self, reason: Reason) -> Checked<T> {
        Err(Fault::new(reason, self.at))
    }

    pub(crate) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    pub(crate) fn eat(&mut self, byte: u8) -> Checked<()> {
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

    /// Pass the next value by the grammar alone; returns the span of its bytes.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn value(&mut self) -> Checked<&'a [u8]> {
        self.skip_space();
        let from = self.at;
        let mut open = Vec::new(); // the closing brackets that are due
        loop {
            match self.kind()? {
                Kind::String => (self.at, _) = text::pass(self.bytes, self.at)?,
                Kind::Number => (self.at, _) = number::pass(self.bytes, self.at)?,
                Kind::Bool => drop(self.boolean()?),
                Kind::Null => self.null()?,
                kind => {
                    let close = if kind == Kind::Object { b'}' } else { b']' };
                    self.at += 1;
                    self.skip_space();
                    if self.byte() == Some(close) {
                        self.at += 1;
                    } else {
                        open.push(close);
                        self.name(close)?;
                        continue;
                    }
                }
            }
            loop {
                let Some(&close) = open.last() else { return Ok(&self.bytes[from..self.at]) };
                self.skip_space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(byte) if byte == close => {
                        self.at += 1;
                        open.pop();
                        continue;
                    }
                    _ => return self.fault(Reason::Malformed),
                }
                self.skip_space();
                break self.name(close)?;
            }
        }
    }

    /// Pass the name of a member if that is what must stand here, in what ends with `close`.
    fn name(&mut self, close: u8) -> Checked<()> {
        if close == b'}' { self.key().map(drop) } else { Ok(()) }
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
        Ok(())
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
