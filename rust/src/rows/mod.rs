//! Rows: what is stored, and the bytes in which PostgreSQL takes it.
//!
//! - [`record`]: the rows: an observation, a card version, an event, a current state, a sighting.
//! - [`schema`]: their columns, the one list of them.
//! - [`pgtype`], [`copy`]: the binary COPY encoding that the columns drive.
//!
//! Invariant: nothing here reads a reply or remembers a row.

pub mod copy;
pub mod pgtype;
pub mod record;
pub mod schema;
