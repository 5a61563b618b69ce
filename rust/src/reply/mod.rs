//! One reply of the gateway: what it says of itself, and its auctions.
//!
//! - [`form`]: JSON, XML, HTML or nothing, by a body's first bytes.
//! - [`envelope`]: what surrounds the auctions: errors, server time, captcha, truncation.
//! - [`peek`]: the facts that classification needs.
//! - [`wire`]: one auction as the gateway spells it.
//! - [`normalize`]: wire to row: units, times, checks.
//!
//! Invariant: replies are read one by one; nothing here remembers an earlier one.

pub mod envelope;
pub mod form;
pub mod normalize;
pub mod peek;
pub mod wire;
