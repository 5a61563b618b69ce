//! Auction-house replies in, PostgreSQL binary COPY buffers out.
//!
//! # Layout
//! - [`json`]: JSON bytes, whatever they are about: a cursor over them, their canonical spelling.
//! - [`envelope`]: what surrounds the auctions: errors, server time, captcha, truncation.
//! - [`wire`]: one auction as the gateway spells it.
//! - [`card`]: cards: their canonical form, their identity by content, those that were read before.
//! - [`normalize`]: wire to record: units, times, checks.
//! - [`rows`]: the normalized rows, their columns, and the binary COPY encoding they drive.
//! - [`batch`]: pages to rows, cards, rejects and drift; the crate's main entry.
//! - [`history`]: which cards and states of auctions are committed, and what a batch changes of them.
//! - [`peek`]: the facts that classification needs of one reply.
//! - [`drift`], [`error`]: surprises that are stored all the same; faults that are not.
//! - `python`: the only place that names PyO3.
//!
//! Invariant: no I/O, no clock, no global state. Bad data never panics and never fails a batch:
//! it comes back as a reject beside the good rows.

pub mod batch;
pub mod card;
pub mod drift;
pub mod envelope;
pub mod error;
pub mod history;
pub mod json;
pub mod normalize;
pub mod peek;
pub mod rows;
pub mod wire;

#[cfg(feature = "python")]
mod python;
