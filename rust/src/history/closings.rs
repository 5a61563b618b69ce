//! Outcomes that no observation says: what was inferred between the pages of a batch in, events out.
//!
//! Invariant: such an event repeats its auction's last one, whichever batch that was in; what it
//! repeats is left to the database. What is said of an end that a row tells is part of its event.

use std::collections::HashMap;

use crate::history::courses::{Courses, Found, Words};
use crate::rows::record::{AuctionRow, Closing, Evidence};

/// An outcome that no observation of its auction says.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// Index in the batch of the page that it comes before; it may be the number of pages.
    pub page: i32,
    /// Platform.
    pub platform: String,
    /// Upstream id.
    pub auction_id: i64,
    /// Server time of its evidence, microseconds.
    pub observed_at: i64,
    /// The outcome.
    pub closing: Closing,
}

/// An event `closed` that repeats the event before it of its auction, but for what stands here.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// Its number.
    pub seq: i64,
    /// What closes the auction.
    pub by: Inferred,
    /// When the auction was to end, microseconds.
    pub expires_at: i64,
}

/// What was inferred, and the events that it makes.
pub(crate) struct Closings<'i> {
    /// What is still to be taken in, in the order of its pages.
    pub(crate) due: &'i [Inferred],
    pub(crate) closed: Vec<Closed>,
    /// Auctions that are pruned: they are not known, and ended before `since`.
    pub(crate) pruned: Vec<i64>,
    since: i64,
    /// What is said of ends that rows tell, by page and auction.
    told: HashMap<(i32, i64), &'i Inferred>,
}

impl<'i> Closings<'i> {
    pub(crate) fn new(due: &'i [Inferred], since: i64) -> Self {
        let by_status = due.iter().filter(|by| by.closing.evidence == Evidence::Status);
        let told = by_status.map(|by| ((by.page - 1, by.auction_id), by)).collect();
        Self { due, closed: Vec::new(), pruned: Vec::new(), since, told }
    }

    /// What is said of the end that `row` tells, if it tells one: part of its event.
    #[inline]
    pub(crate) fn told(&self, row: &AuctionRow) -> Option<&'i Closing> {
        if self.told.is_empty() {
            return None;
        }
        let by = self.told.get(&(row.page, row.auction_id))?;
        (*by.platform == *row.platform).then_some(&by.closing)
    }

    /// Take in what comes before `page`.
    #[cold]
    pub(crate) fn take<'s>(
        &mut self,
        page: i32,
        courses: &mut Courses<'s>,
        words: &mut Words<'s>,
        seq: &mut i64,
    ) where
        'i: 's,
    {
        let (due, rest) = self.due.split_at(self.due.partition_point(|next| next.page <= page));
        self.due = rest;
        for by in due {
            let found = Found::named(&by.platform, by.auction_id, words);
            let course = courses.known(by.auction_id, &found, words.active);
            if course.is_none() && by.closing.closed_at < self.since {
                self.pruned.push(by.auction_id);
            }
            if let Some(expires_at) = course.and_then(|course| course.infer(by.closing)) {
                *seq += 1;
                self.closed.push(Closed { seq: *seq, by: by.clone(), expires_at });
            }
        }
    }
}
