//! The list page by page in, the place where it goes on out: what requests to spare are spent on.
//!
//! Invariant: a round goes on only where the page before ended, so that one which reaches the end has
//! passed over the whole list.

use serde::{Deserialize, Serialize};

/// Rows by which a page reaches into the one before, so that a moved list leaves no gap; of a short
/// page a quarter.
const OVERLAP: u32 = 4;

/// How far the round has come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Round {
    next: u32,
    rows: u32,
}

impl Round {
    /// A page was shown: so many rows from this place on.
    pub fn shown(&mut self, offset: u32, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let end = offset.saturating_add(rows);
        if offset > self.next {
            return;
        }
        let is_over = rows == 0 || (end <= self.next && offset > 0);
        self.next = if is_over { 0 } else { end.max(self.next) };
        self.rows = rows;
    }

    /// Where it goes on, in a list of which only `reach` can be seen.
    #[must_use]
    pub fn place(&self, reach: u32) -> u32 {
        if self.next >= reach { 0 } else { self.next.saturating_sub(OVERLAP.min(self.rows / 4)) }
    }
}
