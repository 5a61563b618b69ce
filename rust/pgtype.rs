//! PostgreSQL's binary forms of the few types that rows are made of.
//!
//! Invariant: what is written is exactly one field of binary COPY: a length and that many bytes.

/// A column's type in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PgType {
    /// 32-bit integer.
    Int4,
    /// 64-bit integer.
    Int8,
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
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Text => "text",
            Self::Timestamptz => "timestamptz",
            Self::Jsonb => "jsonb",
        }
    }
}

/// A value on its way into a COPY buffer, or out to Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// For [`PgType::Int4`].
    Int4(i32),
    /// For [`PgType::Int8`].
    Int8(i64),
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

impl Value<'_> {
    /// Append length and bytes.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Self::Int4(value) => {
                out.extend_from_slice(&4_i32.to_be_bytes());
                out.extend_from_slice(&value.to_be_bytes());
            }
            Self::Int8(value) => write_int8(value, out),
            Self::Timestamptz(micros) => write_int8(micros - PG_EPOCH, out),
            Self::Text(text) => {
                write_length(text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Jsonb(json) => {
                write_length(json.len() + 1, out);
                out.push(JSONB_VERSION);
                out.extend_from_slice(json);
            }
        }
    }
}

fn write_int8(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&8_i32.to_be_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    // a field is part of one page, and pages are far below 2 GiB (batch::MAX_PAGE_BYTES)
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Int8)
    }
}

impl From<Option<i32>> for Value<'_> {
    fn from(value: Option<i32>) -> Self {
        value.map_or(Self::Null, Self::Int4)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().map_or(Self::Null, Self::Text)
    }
}
