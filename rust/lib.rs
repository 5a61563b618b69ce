//! Auction-house replies in, PostgreSQL binary COPY buffers out.
//!
//! # Layout
//! - [`parse`], [`text`], [`number`]: a cursor over JSON bytes that checks everything it passes and
//!   builds nothing; strings without their escapes; `scan`: many bytes at a time.
//! - [`skip`]: where a broken value ends.
//! - [`sanitize`]: the one repair that is allowed, control bytes inside strings.
//! - [`envelope`]: what surrounds the auctions: errors, server time, captcha, truncation.
//! - [`wire`]: one auction as the gateway spells it.
//! - [`canon`]: the one form of a value; `shape`: what its objects looked like before, `output`:
//!   where it is put together.
//! - [`card`]: a card's definition and its identity by content; `role`, `facts`: what its members
//!   are for, and the columns made of them.
//! - [`template`]: known cards, recognised by their bytes.
//! - [`normalize`], [`record`]: wire to record: units, times, checks; the normalized row.
//! - [`schema`], [`pgtype`], [`copy`]: the column table and the binary COPY encoding it drives.
//! - [`batch`]: pages to rows, cards, rejects and drift; the crate's main entry.
//! - [`peek`]: the facts that classification needs of one reply.
//! - [`drift`], [`error`]: surprises that are stored all the same; faults that are not.
//! - `python`: the only file that names PyO3.
//!
//! Invariant: no I/O, no clock, no global state. Bad data never panics and never fails a batch:
//! it comes back as a reject beside the good rows.

pub mod batch;
pub mod canon;
pub mod card;
pub mod copy;
pub mod drift;
pub mod envelope;
pub mod error;
mod facts;
pub mod normalize;
pub mod number;
mod output;
pub mod parse;
pub mod peek;
pub mod pgtype;
pub mod record;
mod role;
pub mod sanitize;
mod scan;
pub mod schema;
mod shape;
pub mod skip;
pub mod template;
pub mod text;
pub mod wire;

#[cfg(feature = "python")]
mod python;
