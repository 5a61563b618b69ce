//! Auction-house replies in, PostgreSQL binary COPY buffers out.
//!
//! # Layout
//! A higher line may use a lower one; those on one line never use each other.
//! - `python`: the only place that names PyO3.
//! - [`infer`]: the batches of a part to outcomes that no auction's own rows say, and to coverage.
//! - [`batch`] | [`plan`]: pages to rows, cards, rejects and drift, the crate's main entry; which
//!   request comes next.
//! - [`reply`] | [`history`] | [`market`]: one reply, from its envelope to rows; what is committed, and
//!   what a batch changes of it; what is known of a market.
//! - [`rows`]: what is stored, and in which bytes.
//! - [`card`]: cards: their canonical form, their identity by content, those that were read before.
//! - [`json`]: JSON bytes, whatever they are about.
//! - [`clock`] | [`drift`] | [`error`] | [`market`] | [`price`]: when a reply was made; surprises that are
//!   stored all the same; faults that are not; what replies say of a market; what a card is worth.
//!
//! Invariant: no I/O, no clock is read, no global state. Bad data never panics and never fails a batch:
//! it comes back as a reject beside the good rows.

pub mod batch;
pub mod card;
pub mod clock;
pub mod drift;
pub mod error;
pub mod history;
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // chances, rates and counts of them are estimates: no digit more is meant than an f32 has
pub mod infer;
pub mod json;
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // chances, rates and counts of them are estimates: no digit more is meant than an f32 has
pub mod market;
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // chances, rates and counts of them are estimates: no digit more is meant than an f32 has
pub mod plan;
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
// prices are estimates, times are within a month
pub mod price;
pub mod reply;
pub mod rows;

#[cfg(feature = "python")]
mod python;
