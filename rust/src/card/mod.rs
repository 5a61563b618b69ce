//! Cards: JSON in, versions and the copies on offer out.
//!
//! - [`card`]: a card version, and a copy of it.
//! - [`role`]: what a card's members are for.
//! - [`canon`]: the one form of a value; `shape`: what its objects looked like before.
//! - `learner`: a card read in full, its identity by content; `facts`: the columns made of it; `mend`:
//!   what is read in place of a card that cannot be stored as it is.
//! - `template`, [`reader`]: a card recognised by its bytes; the cards read so far.
//!
//! Invariant: nothing here knows an auction or a row.

pub mod canon;
#[allow(clippy::module_inception)] // what all others here are about
pub mod card;
mod facts;
mod learner;
mod mend;
pub mod reader;
pub mod role;
mod shape;
mod template;
