//! One reply of the gateway: what it says of itself, and its auctions.
//!
//! - [`envelope`]: what surrounds the auctions: errors, server time, captcha, truncation.
//! - [`peek`]: the facts that classification needs.
//! - [`wire`]: one auction as the gateway spells it.
//! - [`normalize`]: wire to row: units, times, checks.
//!
//! Invariant: replies are read one by one; nothing here remembers an earlier one.

pub mod envelope;
pub mod normalize;
pub mod peek;
pub mod wire;
