//! What is known of one platform's market: its lots, how the upstream behaves, how each lot ended.
//!
//! - [`asked`]: questions and replies, whoever asks them; [`lot`]: what is known of one auction.
//! - [`board`]: the lots, by id, by end and by copy; `calendar`: ids in order of a moment of each;
//!   [`tracker`]: replies in, what changed out; `absence`: the lots that a reply shows to be gone.
//! - [`found`]: what the upstream can do, by what its replies show.
//! - [`rates`]: how soon lots sell, by what was seen; [`looks`]: how that is learned.
//! - [`hazards`]: when in a stretch something happened; `table`: events over exposure; [`course`]: what
//!   may have become of a lot by them; `alone`: whether a first bid stays the only one.
//! - [`judge`]: what became of a lot, and how sure that is; `status`: where that was told;
//!   [`calibration`]: how often later proof agreed; `returns`: what it says that a copy is not listed
//!   again.
//!
//! Invariant: time is that of the replies; the same questions and replies give the same state, byte
//! for byte, wherever they are cut. Nothing here decides what to ask.

mod absence;
mod alone;
pub mod asked;
pub mod board;
pub(crate) mod calendar;
pub mod calibration;
pub mod course;
pub mod found;
pub(crate) mod hazards;
pub mod judge;
pub(crate) mod looks;
pub mod lot;
pub mod rates;
pub(crate) mod returns;
mod status;
mod table;
pub mod tracker;
