//! JSON in one canonical form: keys sorted, no white space, one spelling for each string.
//!
//! Invariant: two documents that mean the same, whatever their key order, white space and escapes,
//! are written as the same bytes; a document with a key twice is refused.

use std::borrow::Cow;

use crate::error::{Fault, Reason};
use crate::parse::{Cursor, Kind, Number};

/// A JSON value, its objects sorted by key.
#[derive(Clone, Debug)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as written.
    Number(Number<'a>),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A list.
    Array(Vec<Json<'a>>),
    /// Members in key order.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Read the value at `cursor`, built in memory as far as byte `limit`.
    ///
    /// # Errors
    /// The value is not valid, one of its objects has a key twice, or a value in it begins after
    /// `limit`: in memory, a page of zeros is thirty times its size.
    pub fn read(cursor: &mut Cursor<'a>, limit: usize) -> Result<Self, Fault> {
        let kind = cursor.kind()?;
        if cursor.at() > limit {
            return Err(Fault::new(Reason::TooLarge, cursor.at()));
        }
        Ok(match kind {
            Kind::Null => {
                cursor.value()?;
                Self::Null
            }
            Kind::Bool => Self::Bool(cursor.boolean()?),
            Kind::Number => Self::Number(cursor.number()?),
            Kind::String => Self::Text(cursor.string()?.decode()),
            Kind::Array => {
                let mut items = Vec::new();
                cursor.array(|cursor| {
                    items.push(Self::read(cursor, limit)?);
                    Ok(())
                })?;
                Self::Array(items)
            }
            Kind::Object => {
                let from = cursor.at();
                let mut members = Vec::new();
                cursor.object(|cursor, key| {
                    members.push((key.decode(), Self::read(cursor, limit)?));
                    Ok(())
                })?;
                Self::object(members).map_err(|reason| Fault::new(reason, from))?
            }
        })
    }

    /// An object of these members, sorted.
    ///
    /// # Errors
    /// [`Reason::DuplicateKey`].
    pub fn object(mut members: Vec<(Cow<'a, str>, Json<'a>)>) -> Result<Self, Reason> {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Reason::DuplicateKey);
        }
        Ok(Self::Object(members))
    }

    /// A member of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        let Self::Object(members) = self else { return None };
        let index = members.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
        Some(&members[index].1)
    }

    /// The integer it is, if it is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        if let Self::Number(number) = self { number.integer } else { None }
    }

    /// The string it is, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Append the canonical form.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(Number { integer: Some(value), .. }) => {
                out.extend_from_slice(value.to_string().as_bytes());
            }
            Self::Number(number) => out.extend_from_slice(number.text.as_bytes()),
            Self::Text(text) => write_text(text, out),
            Self::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_text(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The canonical form.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
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
