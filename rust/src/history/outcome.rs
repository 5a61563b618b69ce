//! The rule of outcomes: what the observations of one auction say became of it.
//!
//! Invariant: this is the only place that weighs one outcome against another, for observations as
//! they come, for those of the history, and for what is inferred. An outcome is only ever replaced
//! by a stronger one, and an inferred one withdrawn where the auction is seen on offer again.

use std::cmp::Ordering;

use crate::market::asked::Status;
use crate::rows::record::{AuctionRow, Closing, Evidence, Outcome, Sale};

/// Nobody but a buyer ends an auction more than this (microseconds) before its time; less is a
/// difference of clocks, and of what is left the upstream tells whole seconds.
const EARLY: i64 = 5_000_000;
/// That an auction which ended early was bought out.
const BOUGHT_OUT: f32 = 0.98;
/// That an auction with bids, seen ended only after its time, went to the last bidder, and not to a
/// buyer: it was sold in any case. A buyout may have come between the last look and the end.
/// `python -m tests.oracle.unseen`: 41 of 2,753 such sales in the simulator's market, where auctions
/// with bids are bought out as readily as those without, were buyouts (1.5 %, at 20 looks a day).
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
        match Status::of(status) {
            Some(Status::Active) => Self::Active,
            Some(Status::Ended) => Self::Ended,
            Some(Status::Expired) => Self::Said(Outcome::Expired),
            Some(Status::Cancelled) => Self::Said(Outcome::Cancelled),
            None => Self::Nothing,
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
        let sold = |via, price, sold, confidence| {
            (Outcome::Sold, sold, Some(Sale { via: Some(via), price, confidence }))
        };
        match self.buyout_price {
            None if self.bids == 0 => (Outcome::Expired, 1.0, None),
            _ if !was_active => (Outcome::Unknown, 0.0, None),
            Some(price) if early => sold("buyout", price, BOUGHT_OUT, BOUGHT_OUT),
            Some(_) if self.bids == 0 => (Outcome::Unknown, 0.0, None),
            // by either way, it is the price
            Some(price) if self.current_bid >= price => sold("buyout", self.current_bid, 1.0, 1.0),
            Some(_) => sold("bid", self.current_bid, 1.0, BY_BID),
            None => sold("bid", self.current_bid, 1.0, 1.0),
        }
    }

    /// The outcome that the status says of an auction which was on offer at `closed_after`.
    fn closing(
        self,
        (outcome, confidence, sale): (Outcome, f32, Option<Sale>),
        closed_after: Option<i64>,
    ) -> Closing {
        // it ended in time or before: later than that only where it was seen on offer later
        let latest = self.expires_at.saturating_add(EARLY).max(closed_after.unwrap_or(i64::MIN));
        let in_time = self.expires_at.max(closed_after.unwrap_or(i64::MIN));
        Closing {
            outcome,
            evidence: Evidence::Status,
            confidence,
            sale,
            closed_after,
            closed_before: Some(self.observed_at.min(latest)),
            closed_at: self.observed_at.min(in_time),
        }
    }
}

/// The outcome that an auction has, as far as later evidence is weighed against it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// What it rests on.
    pub evidence: Evidence,
    /// What became of it.
    pub outcome: Outcome,
    /// How sure it is, 0 to 1.
    pub confidence: f32,
    /// How sure outcome and price are; where there is no price, the same.
    pub price_confidence: f32,
    /// It was still on offer then, microseconds; None: nobody saw it.
    pub closed_after: Option<i64>,
}

impl Standing {
    /// What is kept of an outcome.
    #[must_use]
    pub fn of(closing: &Closing) -> Self {
        let Closing { outcome, evidence, confidence, sale, closed_after, .. } = *closing;
        Self {
            evidence,
            outcome,
            confidence,
            price_confidence: sale.map_or(confidence, |sale| sale.confidence),
            closed_after,
        }
    }

    /// Whether a newer outcome replaces it: what says something what says nothing, then stronger
    /// evidence weaker; then the surer one, of two that say the same the one with the surer price.
    /// What is as strong leaves it alone.
    #[must_use]
    pub fn yields_to(&self, newer: &Self) -> bool {
        let class = |of: &Self| (of.outcome != Outcome::Unknown, of.evidence);
        let numbers = |of: &Self| {
            let numbers = (of.confidence, of.price_confidence);
            if self.outcome == newer.outcome { (numbers.1, numbers.0) } else { numbers }
        };
        match class(newer).cmp(&class(self)) {
            Ordering::Equal => numbers(newer) > numbers(self),
            order => order == Ordering::Greater,
        }
    }
}

/// What one more observation does to what is known of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Closed,
    Withdrawn,
}

/// What is known of an auction's outcome.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// It was seen active.
    pub(crate) was_active: bool,
    /// When, if it was when it was seen last.
    pub(crate) on_offer_at: Option<i64>,
    /// The outcome it has.
    pub(crate) standing: Option<Standing>,
    /// The same in full, where this batch gave it.
    pub(crate) closing: Option<Closing>,
    /// An outcome was withdrawn in this batch.
    pub(crate) withdrawn: bool,
}

impl Fate {
    /// Note what one more observation says.
    #[inline]
    pub(crate) fn see(&mut self, meaning: Meaning, look: Look) -> Change {
        match meaning {
            Meaning::Active => {
                (self.was_active, self.on_offer_at) = (true, Some(look.observed_at));
                if self.standing.is_some_and(|standing| standing.evidence != Evidence::Status) {
                    (self.standing, self.closing, self.withdrawn) = (None, None, true);
                    return Change::Withdrawn;
                }
            }
            Meaning::Nothing => self.on_offer_at = None,
            Meaning::Said(_) | Meaning::Ended => return self.weigh(meaning, look),
        }
        Change::Nothing
    }

    fn weigh(&mut self, meaning: Meaning, look: Look) -> Change {
        let told = match meaning {
            Meaning::Active | Meaning::Nothing => return Change::Nothing,
            Meaning::Said(outcome) => (outcome, 1.0, None),
            Meaning::Ended => look.ended(self.was_active),
        };
        let on_offer_at = self.on_offer_at.take();
        let closed_after = on_offer_at.or(self.standing.and_then(|standing| standing.closed_after));
        if self.take(look.closing(told, closed_after)) { Change::Closed } else { Change::Nothing }
    }

    /// Take an outcome in; whether it is stronger than the one that stood.
    pub(crate) fn take(&mut self, closing: Closing) -> bool {
        let newer = Standing::of(&closing);
        if self.standing.is_some_and(|standing| !standing.yields_to(&newer)) {
            return false;
        }
        (self.standing, self.closing) = (Some(newer), Some(closing));
        true
    }
}

/// What stored states of one auction, in order, say of its outcome, and when that was seen.
pub fn of_history<'a>(states: impl Iterator<Item = (&'a str, Look)>) -> Option<(Closing, i64)> {
    let mut fate = Fate::default();
    let mut seen_at = 0;
    for (status, look) in states {
        if fate.see(Meaning::of(status), look) == Change::Closed {
            seen_at = look.observed_at;
        }
    }
    fate.closing.map(|closing| (closing, seen_at))
}
