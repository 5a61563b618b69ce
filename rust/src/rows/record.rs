//! The normalized rows: an observation of an auction, and a new card version.
//!
//! Invariant: every value can be stored as it is: times between 2000 and 2100, money never
//! negative, no text with NUL.

use std::borrow::Cow;
use std::sync::Arc;

use crate::card::card::Card;
use crate::market::asked::{SECOND, Seen, Status};
pub use crate::market::lot::{Evidence, Outcome};

/// One observation of one auction, in units of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuctionRow {
    /// Index of its page in the batch.
    pub page: i32,
    /// Its place in the page.
    pub item: i32,
    /// First byte of the auction in its page.
    pub from: u32,
    /// Byte after its last.
    pub to: u32,
    /// Platform that the session was for; the wire does not say.
    pub platform: Arc<str>,
    /// Upstream id.
    pub auction_id: i64,
    /// Card id.
    pub card_id: i64,
    /// Hash of the card's definition.
    pub card_version: i64,
    /// One physical card.
    pub card_instance_id: Option<i64>,
    /// When its owner got the card, microseconds.
    pub acquired_at: Option<i64>,
    /// When it was listed, microseconds.
    pub posted_at: i64,
    /// When it ends, microseconds.
    pub expires_at: i64,
    /// The upstream's word, lower case, without prefix.
    pub status: Cow<'static, str>,
    /// Start price, known only while there is no bid.
    pub start_price: Option<i64>,
    /// Buyout price; None when there is none.
    pub buyout_price: Option<i64>,
    /// Highest bid, or the start price.
    pub current_bid: i64,
    /// Lowest bid that would be accepted.
    pub next_bid: i64,
    /// Number of bids.
    pub bids: i32,
    /// Median price the game shows.
    pub median_price: Option<i64>,
    /// Lowest allowed listing price.
    pub min_price: Option<i64>,
    /// Highest allowed listing price.
    pub max_price: Option<i64>,
    /// Server time of the reply, microseconds; never before that of an earlier reply of its part.
    pub observed_at: i64,
    /// The same before it was held against earlier replies: what `expires_at` counts from.
    pub served_at: i64,
}

impl AuctionRow {
    /// What it shows to whose clock says `now`, `shift` ahead of the upstream's; None: nobody knows
    /// its status.
    #[must_use]
    pub fn seen(&self, now: i64, shift: i64) -> Option<Seen> {
        let status = Status::of(&self.status)?;
        // a time of the upstream's own: wrong is, of two, the clock that was read with it
        let posted_at = if self.posted_at <= now { self.posted_at } else { self.posted_at + shift };
        let left = self.expires_at + shift - now;
        let left = if status == Status::Active { left.max(0).div_euclid(SECOND) } else { 0 };
        Some(Seen {
            auction_id: self.auction_id,
            status,
            bids: self.bids,
            current_bid: self.current_bid,
            buyout_price: self.buyout_price.unwrap_or(0),
            posted_at,
            seconds_remaining: i32::try_from(left).unwrap_or(i32::MAX),
            median_price: self.median_price.unwrap_or(0),
            card_id: self.card_id,
            card_instance_id: self.card_instance_id.unwrap_or(0),
            acquired_at: self.acquired_at.unwrap_or(0),
        })
    }
}

/// COPY bytes of a card, roughly: its definition is nearly all of them.
pub(crate) const CARD_BYTES: usize = 8 << 10;

/// A new card version and the auction it was read from.
#[derive(Clone, Debug)]
pub struct NewCard {
    /// The card.
    pub card: Arc<Card>,
    /// Index in [`crate::batch::Batch::rows`] of the first auction that shows it.
    pub row: usize,
    /// Server time of that auction's page, microseconds.
    pub first_seen: i64,
}

/// What an event says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// First sight.
    Listed,
    /// Bids or the current bid grew, nothing else that matters changed.
    Bid,
    /// Any other new state.
    Changed,
    /// The outcome was set or improved.
    Closed,
}

impl EventKind {
    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Bid => "bid",
            Self::Changed => "changed",
            Self::Closed => "closed",
        }
    }
}

/// How and for what an auction was sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sale {
    /// `buyout` or `bid`; None: nobody can tell.
    pub via: Option<&'static str>,
    /// Coins.
    pub price: i64,
    /// How sure it is that it was sold, and for this price; 0 to 1.
    pub confidence: f32,
}

/// What became of an auction, by some evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closing {
    /// What became of it.
    pub outcome: Outcome,
    /// What that rests on.
    pub evidence: Evidence,
    /// How sure it is, 0 to 1.
    pub confidence: f32,
    /// How and for what it was sold.
    pub sale: Option<Sale>,
    /// It was still on offer then, microseconds; None: nobody saw it.
    pub closed_after: Option<i64>,
    /// It was over by then, microseconds; None: not known.
    pub closed_before: Option<i64>,
    /// The best guess between the two, microseconds.
    pub closed_at: i64,
}

/// A row of `m26.auction_event`.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its number in the stream.
    pub seq: i64,
    /// What happened.
    pub kind: EventKind,
    /// The observation that shows it.
    pub row: &'a AuctionRow,
    /// When the auction ends, by the newest observation that says so; microseconds.
    pub expires_at: i64,
    /// Start price, by the newest observation that says so.
    pub start_price: Option<i64>,
    /// Only of [`EventKind::Closed`].
    pub closing: Option<Closing>,
    /// Another writer had stored a newer observation of the auction before.
    pub late: bool,
}

/// A row of `m26.auction`: the current state.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// The last observation.
    pub row: &'a AuctionRow,
    /// As in [`Event`].
    pub expires_at: i64,
    /// As in [`Event`].
    pub start_price: Option<i64>,
    /// Server time of the first observation, microseconds.
    pub first_seen: i64,
    /// The last outcome that this batch gave.
    pub closing: Option<Closing>,
    /// Without one: the outcome that the database has is withdrawn.
    pub withdrawn: bool,
}

/// A row of `m26.sighting`: the auctions seen in one page.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// Journal part.
    pub part: &'a str,
    /// The page's place in it.
    pub pos: i64,
    /// Platform of the page.
    pub platform: &'a str,
    /// Server time, microseconds.
    pub observed_at: i64,
    /// In the order served.
    pub auction_ids: &'a [i64],
}
