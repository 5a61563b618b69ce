//! A question to the upstream and its reply, as the planner and the outcome rules see them.

use serde::{Deserialize, Serialize};

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute, an hour and a day.
pub const MINUTE: i64 = 60 * SECOND;
/// See [`MINUTE`].
pub const HOUR: i64 = 60 * MINUTE;
/// See [`MINUTE`].
pub const DAY: i64 = 24 * HOUR;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// A page of the list.
    Search {
        /// Place in the list of its first auction.
        offset: u32,
        /// How many are wished for.
        count: u32,
    },
    /// The states of auctions that were shown before; the upstream reads as many as it takes.
    Refresh {
        /// Their ids.
        ids: Vec<i64>,
    },
}

/// The upstream's word for an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// On offer.
    Active,
    /// Sold; whether by bid or buyout is not said.
    Ended,
    /// Nobody bought it.
    Expired,
    /// Taken back.
    Cancelled,
}

impl Status {
    /// By its name in the database; None: nobody knows it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "active" => Some(Self::Active),
            "ended" => Some(Self::Ended),
            "expired" => Some(Self::Expired),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// One auction as a reply shows it. Money is coins, 0 for no buyout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Upstream id; rises with posting.
    pub auction_id: i64,
    /// Its status.
    pub status: Status,
    /// Number of bids.
    pub bids: i32,
    /// Highest bid, or the start price; after a buyout the price paid, or as before it.
    pub current_bid: i64,
    /// Buyout price.
    pub buyout_price: i64,
    /// When it was listed, microseconds.
    pub posted_at: i64,
    /// Whole seconds left, rounded down; 0 once ended.
    pub seconds_remaining: i32,
    /// What the upstream shows as the card's median; 0 for none.
    pub median_price: i64,
    /// The card.
    pub card_id: i64,
    /// The physical copy; 0 when it is not said.
    pub card_instance_id: i64,
    /// When its seller got the copy, microseconds; 0 when it is not said.
    pub acquired_at: i64,
}

impl Seen {
    /// When it expires, as shown at `at`: its time is rounded down, so it ends within a second after.
    #[must_use]
    pub fn expires_at(&self, at: i64) -> i64 {
        let end = at + i64::from(self.seconds_remaining) * SECOND;
        (end + SECOND - 1).div_euclid(SECOND) * SECOND
    }
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Server time, microseconds.
    pub at: i64,
    /// The upstream failed or refused; nothing is shown.
    pub failed: bool,
    /// The list was cut.
    pub truncated: bool,
    /// In the order served.
    pub seen: Vec<Seen>,
}
