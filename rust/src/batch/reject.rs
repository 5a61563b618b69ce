//! What goes into the quarantine: a page, an item, or the bytes of a card that was mended.
//!
//! Invariant: its bytes are those of the page, so that what it is of can be read from them again.

use crate::error::{Fault, Reason};
use crate::rows::record::AuctionRow;

/// What was not stored, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Index of the page in the batch.
    pub page: usize,
    /// Place of the item in the page; None for the whole page.
    pub item: Option<usize>,
    /// First byte.
    pub from: usize,
    /// Byte after the last.
    pub to: usize,
    /// Why.
    pub fault: Fault,
}

impl Reject {
    /// That of an auction which is stored, its card otherwise than it was served from byte `at` on.
    pub(crate) fn of_card(row: &AuctionRow, at: usize) -> Self {
        let index = |number: i32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            page: index(row.page),
            item: Some(index(row.item)),
            from: row.from as usize,
            to: row.to as usize,
            fault: Fault::of_field(Reason::CardMended, at, "card"),
        }
    }
}
