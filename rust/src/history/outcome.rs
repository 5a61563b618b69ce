//! The rule of outcomes: what the observations of one auction say became of it.
//!
//! Invariant: this is the only place that decides it, for observations as they come and for those
//! of the history. An outcome is only ever replaced by a more certain one.

use crate::history::state::NO_CONFIDENCE;
use crate::rows::record::{AuctionRow, Closing, Outcome, Sale};

/// Nobody but a buyer ends an auction more than this (microseconds) before its time; less is a
/// difference of clocks.
const EARLY: i64 = 5_000_000;
/// That an auction which ended early was bought out.
const BOUGHT_OUT: f32 = 0.98;
/// That an auction with bids, seen ended only after its time, went to the last bidder: a buyout may
/// have come between the last look and the end. `python -m tests.oracle.unseen`: 41 of 2,753 such
/// sales in the simulator's market, where auctions with bids are bought out as readily as those
/// without, were buyouts (1.5 %, at 20 looks a day).
const BY_BID: f32 = 0.95;

/// What a status says of the outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Active,
    Ended,
    Said(Outcome),
    Nothing,
}

impl Meaning {
    pub(crate) fn of(status: &str) -> Self {
        match status {
            "active" => Self::Active,
            "ended" => Self::Ended,
            "expired" => Self::Said(Outcome::Expired),
            "cancelled" => Self::Said(Outcome::Cancelled),
            _ => Self::Nothing,
        }
    }
}

/// What of an observation the rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When, microseconds.
    pub observed_at: i64,
    /// When by the clock that the end is told by: not after `observed_at`. Of what is stored, the
    /// same: a little early then counts as in time, so that less is concluded.
    pub served_at: i64,
    /// When the auction was to end, as was learned while it was active; microseconds.
    pub expires_at: i64,
    /// Number of bids.
    pub bids: i32,
    /// Buyout price.
    pub buyout_price: Option<i64>,
    /// Highest bid.
    pub current_bid: i64,
}

impl Look {
    #[inline]
    pub(crate) fn of(row: &AuctionRow, expires_at: i64) -> Self {
        let (observed_at, served_at, bids) = (row.observed_at, row.served_at, row.bids);
        let (buyout_price, current_bid) = (row.buyout_price, row.current_bid);
        Self { observed_at, served_at, expires_at, bids, buyout_price, current_bid }
    }

    /// What `ended` means; `was_active`: it was seen on offer before.
    fn ended(self, was_active: bool) -> (Outcome, f32, Option<Sale>) {
        let early = self.served_at.saturating_add(EARLY) < self.expires_at;
        let sold = |via, price, confidence| (Outcome::Sold, confidence, Some(Sale { via, price }));
        match self.buyout_price {
            None if self.bids == 0 => (Outcome::Expired, 1.0, None),
            _ if !was_active => (Outcome::Unknown, 0.0, None),
            Some(price) if early => sold("buyout", price, BOUGHT_OUT),
            Some(_) if self.bids == 0 => (Outcome::Unknown, 0.0, None),
            // by either way, it is the price
            Some(price) if self.current_bid >= price => sold("buyout", self.current_bid, 1.0),
            Some(_) => sold("bid", self.current_bid, BY_BID),
            None => sold("bid", self.current_bid, 1.0),
        }
    }
}

/// What is known of an auction's outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    /// It was seen active.
    pub(crate) was_active: bool,
    /// Of the outcome, [`NO_CONFIDENCE`] while there is none.
    pub(crate) confidence: f32,
    /// The last outcome that an observation gave.
    pub(crate) closing: Option<Closing>,
}

impl Fate {
    pub(crate) fn new(was_active: bool, confidence: f32) -> Self {
        Self { was_active, confidence, closing: None }
    }

    /// Note what one more observation says; whether it is more certain than what was known.
    #[inline]
    pub(crate) fn see(&mut self, meaning: Meaning, look: Look) -> bool {
        match meaning {
            Meaning::Active => self.was_active = true,
            Meaning::Nothing => {}
            Meaning::Said(_) | Meaning::Ended => return self.weigh(meaning, look),
        }
        false
    }

    fn weigh(&mut self, meaning: Meaning, look: Look) -> bool {
        let (outcome, confidence, sale) = match meaning {
            Meaning::Active | Meaning::Nothing => return false,
            Meaning::Said(outcome) => (outcome, 1.0, None),
            Meaning::Ended => look.ended(self.was_active),
        };
        if confidence <= self.confidence {
            return false;
        }
        self.confidence = confidence;
        let closed_at = look.observed_at.min(look.expires_at);
        self.closing = Some(Closing { outcome, confidence, sale, closed_at });
        true
    }
}

/// What stored states of one auction, in order, say of its outcome, and when that was seen.
pub fn of_history<'a>(states: impl Iterator<Item = (&'a str, Look)>) -> Option<(Closing, i64)> {
    let mut fate = Fate::new(false, NO_CONFIDENCE);
    let mut seen_at = 0;
    for (status, look) in states {
        if fate.see(Meaning::of(status), look) {
            seen_at = look.observed_at;
        }
    }
    fate.closing.map(|closing| (closing, seen_at))
}
