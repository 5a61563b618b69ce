//! Which request comes next: what is known of a market and a budget in, a question and its reason out.
//!
//! - [`planner`]: the state machine: `wanted` (what is worth asking after), `budget` (what a request is
//!   worth) and `choose` (which comes next) are parts of it; [`pace`]: when it may leave.
//! - [`candidate`]: a page that could be asked for; [`list`]: which would show most, in a list by
//!   posting; [`ending`]: in one by expiry, whose moments [`edge`] follows; [`sweep`]: in no order, [`drawn`]: or in
//!   another one for each request.
//! - [`arrivals`]: how much is listed when, [`census`]: in an hour; [`estimate`]: what both go by;
//!   [`covered`]: what was looked at; [`rank`]: where in the list that stands; [`due`]: what is worth
//!   asking after; [`price`]: what a request is worth; [`again`]: which pages show how known lots end;
//!   `scarce`: what waits in a market that outruns requests;
//!   [`round`]: what requests to spare are spent on; [`focus`]: what matters more to the operator;
//!   [`view`]: what an operator may ask.
//! - `before`: looks before the end, where nothing is told after it; `ends`: where such lots stand;
//!   `ahead`: looks that spare a busy hour, where it is told for a while; `doubt`: looks right before
//!   the end, where the price paid is not told.
//!
//! Invariant: pure: no clock, no I/O; the same replies give the same questions.

pub mod again;
mod ahead;
pub mod arrivals;
mod before;
mod budget;
pub mod candidate;
pub mod census;
mod choose;
pub mod covered;
mod doubt;
pub mod drawn;
pub mod due;
pub mod edge;
pub mod ending;
mod ends;
pub mod estimate;
pub mod fading;
pub mod focus;
pub mod list;
pub mod pace;
pub mod planner;
pub mod price;
pub mod rank;
pub mod round;
mod scarce;
pub mod sweep;
pub mod view;
mod wanted;
