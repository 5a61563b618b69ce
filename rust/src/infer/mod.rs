//! Records of a part in, in their order; what became of its auctions, and how much was seen, out.
//!
//! - [`fold`]: the markets of a part, and what a record does to them.
//! - [`time`]: what time it is by the records so far; [`closing`]: a verdict as it is stored.
//! - [`coverage`]: what of the market was seen in each hour.
//! - [`bygone`]: what became of auctions whose records are gone, by what is stored of them.
//!
//! Invariant: what is said follows from the records alone, wherever they are cut into batches.

pub mod bygone;
pub mod closing;
pub mod coverage;
pub mod fold;
pub mod time;
