//! What is known of one auction: what it is, what was seen of it last, and what was concluded.

use serde::{Deserialize, Serialize};

use crate::market::asked::{Seen, Status};

/// One auction. Times are microseconds, 0 for never; money is coins, 0 for none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lot {
    /// Upstream id.
    pub auction_id: i64,
    /// The card.
    pub card_id: i64,
    /// The physical copy.
    pub card_instance_id: i64,
    /// When its seller got the copy.
    pub acquired_at: i64,
    /// When it was listed.
    pub posted_at: i64,
    /// When it ends if nobody buys or takes it back; a whole second.
    pub expires_at: i64,
    /// Start price, 0 while it is not known (first seen with bids).
    pub start_price: i64,
    /// Buyout price.
    pub buyout_price: i64,
    /// Median price shown at the last look.
    pub median_price: i64,
    /// Highest bid (or start price) while it was last seen on offer, or as it was first seen.
    pub current_bid: i64,
    /// Number of bids then.
    pub bids: i32,
    /// When it was first shown.
    pub first_seen: i64,
    /// When it was last seen on offer; 0 if it never was.
    pub last_active: i64,
    /// When a refresh last asked for it and was answered (with or without it).
    pub last_asked: i64,
    /// Times a refresh asked for it.
    pub times_asked: u16,
    /// By then it was gone, by the first proof since it was last seen on offer: a refresh left it out,
    /// or a page in a strict order that spans its place does not show it.
    pub absent_at: i64,
    /// Whether that first proof was a refresh.
    pub omitted: bool,
    /// What a reply told of its end.
    pub told: Option<Told>,
    /// The copy was listed again: when that was posted, and whether it had been acquired anew.
    pub relisted: Option<Relisted>,
    /// What was concluded last.
    pub verdict: Option<Verdict>,
}

/// An end as a reply tells it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Not [`Status::Active`].
    pub status: Status,
    /// When it was first told.
    pub at: i64,
    /// As shown then.
    pub bids: i32,
    /// As shown then.
    pub current_bid: i64,
}

/// A later listing of the same copy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relisted {
    /// When it was posted.
    pub posted_at: i64,
    /// Its acquisition time is newer: the copy was sold.
    pub sold: bool,
    /// When its seller got the copy, 0 when it is not said: a sale of before was then.
    pub acquired_at: i64,
}

/// How an outcome is known, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Evidence {
    /// Not observed.
    Gap,
    /// Missing where it would have been shown.
    Absent,
    /// Last seen without bids, then past its expiry.
    PastExpiry,
    /// Last seen with bids, then past its expiry.
    FinalWindow,
    /// The copy was listed again.
    Relisted,
    /// The upstream said so.
    Status,
}

impl Evidence {
    /// All of them, the weakest first.
    pub const ALL: [Self; 6] = [
        Self::Gap,
        Self::Absent,
        Self::PastExpiry,
        Self::FinalWindow,
        Self::Relisted,
        Self::Status,
    ];

    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Absent => "absent",
            Self::PastExpiry => "past_expiry",
            Self::FinalWindow => "final_window",
            Self::Relisted => "relisted",
            Self::Status => "status",
        }
    }
}

/// What became of an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody bought it.
    Sold,
    /// Nobody did.
    Expired,
    /// Its owner took it back.
    Cancelled,
    /// It is over, and what was seen does not say how.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sold, Self::Expired, Self::Cancelled, Self::Unknown];

    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sold => "sold",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

/// What became of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// To the highest bidder.
    Bid,
    /// For its buyout price.
    Buyout,
    /// Sold; how is not known.
    Sold,
    /// Nobody bought it.
    Expired,
    /// Its owner took it back.
    Cancelled,
    /// What was seen does not say.
    Unknown,
}

/// What was concluded of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it is known.
    pub evidence: Evidence,
    /// What became of it.
    pub fate: Fate,
    /// Coins; 0 unless it was sold.
    pub final_price: i64,
    /// That the outcome (sold, expired, cancelled) is right, 0 to 1.
    pub confidence: f32,
    /// That outcome and price are right, 0 to 1.
    pub price_confidence: f32,
    /// The interval in which it ended, microseconds; 0 where it is not known.
    pub closed_after: i64,
    /// See `closed_after`.
    pub closed_before: i64,
    /// Best guess between them.
    pub closed_at: i64,
}

impl Verdict {
    /// From this confidence on it counts as known.
    pub const SURE: f32 = 0.9;

    /// Whether it says for sure that it was sold, and for how much.
    #[must_use]
    pub fn is_sure_sale(&self) -> bool {
        self.fate.outcome() == Outcome::Sold
            && self.confidence.min(self.price_confidence) >= Self::SURE
    }
}

impl Fate {
    /// Without how it was sold.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Bid | Self::Buyout | Self::Sold => Outcome::Sold,
            Self::Expired => Outcome::Expired,
            Self::Cancelled => Outcome::Cancelled,
            Self::Unknown => Outcome::Unknown,
        }
    }

    /// How it was sold, if that is known.
    #[must_use]
    pub fn via(self) -> Option<&'static str> {
        match self {
            Self::Bid => Some("bid"),
            Self::Buyout => Some("buyout"),
            _ => None,
        }
    }
}

impl Lot {
    /// A lot as a reply first shows it at `at`.
    #[must_use]
    pub fn new(seen: &Seen, at: i64) -> Self {
        let mut lot = Self {
            auction_id: seen.auction_id,
            card_id: seen.card_id,
            card_instance_id: seen.card_instance_id,
            acquired_at: seen.acquired_at,
            posted_at: seen.posted_at,
            expires_at: 0,
            start_price: 0,
            buyout_price: seen.buyout_price,
            median_price: seen.median_price,
            current_bid: seen.current_bid,
            bids: seen.bids,
            first_seen: at,
            last_active: 0,
            last_asked: 0,
            times_asked: 0,
            absent_at: 0,
            omitted: false,
            told: None,
            relisted: None,
            verdict: None,
        };
        lot.see(seen, at);
        lot
    }

    /// Take in what a reply shows of it at `at`.
    pub fn see(&mut self, seen: &Seen, at: i64) {
        self.median_price = seen.median_price;
        if seen.bids == 0 && seen.status == Status::Active {
            self.start_price = seen.current_bid;
        }
        if seen.status != Status::Active {
            let (status, bids, current_bid) = (seen.status, seen.bids, seen.current_bid);
            self.told.get_or_insert(Told { status, at, bids, current_bid });
            return;
        }
        self.last_active = at;
        self.absent_at = 0;
        self.omitted = false;
        self.bids = seen.bids;
        self.current_bid = seen.current_bid;
        self.buyout_price = seen.buyout_price;
        self.expires_at = seen.expires_at(at);
    }

    /// Whether a refresh left it out: asking again tells nothing.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.absent_at != 0 && self.last_asked >= self.absent_at && self.told.is_none()
    }

    /// Whether a reply has told its end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Buyout price against the median; a large one where either is not known.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a ratio
    pub fn price_ratio(&self) -> f32 {
        if self.buyout_price <= 0 || self.median_price <= 0 {
            return 99.0;
        }
        self.buyout_price as f32 / self.median_price as f32
    }
}
