//! Which request comes next: what is known of a market and a budget in, a question and its reason out.
//!
//! - [`planner`]: the state machine; [`pace`]: when the next request may leave.
//! - [`arrivals`]: how much is listed when; [`covered`]: what of it was looked at; [`rank`]: where in
//!   the list that stands; [`due`]: what is worth asking after; [`price`]: what a request is worth.
//! - `before`: looks before the end, where nothing is told after it; `ends`: where such lots stand;
//!   `ahead`: looks that spare a busy hour, where it is told for a while.
//!
//! Invariant: pure: no clock, no I/O; the same replies give the same questions.

mod ahead;
pub mod arrivals;
mod before;
pub mod covered;
pub mod due;
mod ends;
pub mod list;
pub mod pace;
pub mod planner;
pub mod price;
pub mod rank;
