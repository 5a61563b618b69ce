//! JSON bytes, as far as they can be read without knowing what they are about.
//!
//! - [`parse`], [`text`], [`number`]: a cursor that checks everything it passes and builds nothing;
//!   strings without their escapes; numbers. `scan`: many bytes at a time.
//! - [`skip`]: where a value ends, unchecked.
//! - [`sanitize`]: the one repair that is allowed, control bytes inside strings.
//! - `output`: canonical JSON, put together from pieces.
//!
//! Invariant: nothing here knows a card, an auction or a reply.

pub mod number;
pub(crate) mod output;
pub mod parse;
pub mod sanitize;
pub(crate) mod scan;
pub mod skip;
pub mod text;
