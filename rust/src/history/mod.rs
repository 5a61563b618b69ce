//! History: what is committed, and what the next rows change of it.
//!
//! - [`known`]: which card versions the database has.
//! - [`state`]: what the database holds of auctions; `index`: how they are found.
//! - [`delta`]: what a batch changes of it; `course`: the rules of events; `courses`: the auctions
//!   of a batch; [`late`]: the rules of what another writer has overtaken; [`outcome`]: the rule of
//!   outcomes; [`closings`]: those that no observation says.
//!
//! Invariant: nothing here reads JSON. Rows come in, whoever made them.

pub mod closings;
mod course;
mod courses;
pub mod delta;
mod index;
pub mod known;
pub mod late;
pub mod outcome;
pub mod state;
