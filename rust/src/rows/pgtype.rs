//! PostgreSQL's binary forms of the few types that rows are made of.
//!
//! Invariant: what is written is exactly one field of binary COPY: a length and that many bytes.

/// A column's type in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PgType {
    /// True or false.
    Bool,
    /// 32-bit integer.
    Int4,
    /// 64-bit integer.
    Int8,
    /// 64-bit integers, one dimension, none of them null.
    Int8Array,
    /// 32-bit float.
    Float4,
    /// UTF-8 text.
    Text,
    /// Microseconds since 2000-01-01 UTC.
    Timestamptz,
    /// JSON, version 1.
    Jsonb,
}

impl PgType {
    /// Its name in DDL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Int8Array => "bigint[]",
            Self::Float4 => "real",
            Self::Text => "text",
            Self::Timestamptz => "timestamptz",
            Self::Jsonb => "jsonb",
        }
    }
}

/// A value on its way into a COPY buffer, or out to Python.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// For [`PgType::Bool`].
    Bool(bool),
    /// For [`PgType::Int4`].
    Int4(i32),
    /// For [`PgType::Int8`].
    Int8(i64),
    /// For [`PgType::Int8Array`].
    Int8Array(&'a [i64]),
    /// For [`PgType::Float4`].
    Float4(f32),
    /// For [`PgType::Text`].
    Text(&'a str),
    /// For [`PgType::Timestamptz`]: microseconds since 1970.
    Timestamptz(i64),
    /// For [`PgType::Jsonb`].
    Jsonb(&'a [u8]),
}

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const PG_EPOCH: i64 = 946_684_800_000_000;
const JSONB_VERSION: u8 = 1;
const INT8_OID: i32 = 20;

impl Value<'_> {
    /// Append length and bytes.
    #[allow(clippy::inline_always)] // the kind is known where it is called: the match melts away
    #[inline(always)]
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Self::Bool(value) => out.extend_from_slice(&[0, 0, 0, 1, u8::from(value)]),
            Self::Int4(value) => out.extend_from_slice(&field4(value.to_be_bytes())),
            Self::Float4(value) => out.extend_from_slice(&field4(value.to_be_bytes())),
            Self::Int8(value) => out.extend_from_slice(&field8(value)),
            Self::Timestamptz(micros) => out.extend_from_slice(&field8(micros - PG_EPOCH)),
            Self::Int8Array(values) => write_array(values, out),
            Self::Text(text) => {
                out.extend_from_slice(&length(text.len()));
                out.extend_from_slice(text.as_bytes());
            }
            Self::Jsonb(json) => {
                out.extend_from_slice(&length(json.len() + 1));
                out.push(JSONB_VERSION);
                out.extend_from_slice(json);
            }
        }
    }
}

fn field4(value: [u8; 4]) -> [u8; 8] {
    let mut field = [0, 0, 0, 4, 0, 0, 0, 0];
    field[4..].copy_from_slice(&value);
    field
}

fn field8(value: i64) -> [u8; 12] {
    let mut field = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    field[4..].copy_from_slice(&value.to_be_bytes());
    field
}

fn length(bytes: usize) -> [u8; 4] {
    // a field is part of one page, and pages are far below 2 GiB (envelope::MAX_PAGE_BYTES)
    i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes()
}

/// Dimensions, whether there are nulls, element type, then each dimension's size and lower bound.
fn write_array(values: &[i64], out: &mut Vec<u8>) {
    let dimensions = i32::from(!values.is_empty());
    let header = if values.is_empty() { 12 } else { 20 };
    out.extend_from_slice(&length(header + 12 * values.len()));
    for word in [dimensions, 0, INT8_OID] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    if !values.is_empty() {
        out.extend_from_slice(&length(values.len()));
        out.extend_from_slice(&1_i32.to_be_bytes());
    }
    out.extend(values.iter().flat_map(|&value| field8(value)));
}
