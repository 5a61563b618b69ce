//! The normalized rows: an observation of an auction, and a new card version.
//!
//! Invariant: every value can be stored as it is: times between 2000 and 2100, money never
//! negative, no text with NUL.

use std::borrow::Cow;
use std::sync::Arc;

use crate::card::Card;

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
    /// Server time of the reply, microseconds.
    pub observed_at: i64,
}

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
