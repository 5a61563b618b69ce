//! Stored auctions in, in the order of their ids; what became of those that have no outcome out.
//!
//! What ended before outcomes were inferred is judged as the lots of a market are, by what is stored of
//! it: as what it was on offer last, what a reply told of its end, how its copy was listed again. Which
//! pages did not show it nobody stored, and nothing was learned of how soon such lots sell: priors
//! weigh what is left, so that a look long before the end proves nothing.
//!
//! Invariant: what is said of an auction follows from the stored rows alone, wherever they are cut.

use std::collections::{BTreeMap, HashMap};

use crate::history::closings::Inferred;
use crate::infer::closing::closing;
use crate::market::asked::{MINUTE, Status};
use crate::market::board::KEEP_OPEN;
use crate::market::calendar::Calendar;
use crate::market::calibration::Calibration;
use crate::market::judge::{Manners, judge};
use crate::market::lot::{Evidence, Lot, Relisted, Verdict};
use crate::market::rates::Rates;

/// Nothing was learned of the upstream: what is left of its words is what they say.
const MANNERS: Manners = Manners { tells: true, final_price: None, recall: None };

/// The last span before an end that priors speak of: over hours they err by more than they tell.
const FINAL: i64 = 3 * MINUTE;

/// A stored auction, as it was when it was seen on offer last; `lot.told` as a reply told its end.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Platform.
    pub platform: String,
    /// The upstream's word.
    pub status: String,
    /// It has no outcome, or one that says nothing.
    pub is_open: bool,
    /// When anything was seen of it last, microseconds.
    pub last_seen: i64,
    /// What is known of it.
    pub lot: Lot,
}

/// Auctions without an outcome, whose time is not over yet.
#[derive(Debug)]
pub struct Bygone {
    markets: BTreeMap<String, Market>,
    rates: Rates,
    calibration: Calibration,
}

/// Those of one platform.
#[derive(Debug, Default)]
struct Market {
    waiting: BTreeMap<i64, Waiting>,
    /// By the moment from which on nothing more is awaited.
    due: Calendar,
    /// The newest of them of each copy.
    copies: HashMap<i64, i64>,
    /// When the newest auction was posted.
    now: i64,
    /// Unsold auctions were told as expired: those told as ended were sold, then.
    tells_unsold: bool,
}

#[derive(Debug)]
struct Waiting {
    lot: Lot,
    /// When the newest of what is known of it was.
    known_at: i64,
}

impl Default for Bygone {
    fn default() -> Self {
        let (rates, calibration) = (Rates::new(), Calibration::new());
        Self { markets: BTreeMap::new(), rates, calibration }
    }
}

impl Bygone {
    /// Take in stored auctions, all of a stretch of ids; what became of those before them.
    pub fn take(&mut self, stored: Vec<Stored>) -> Vec<Inferred> {
        for each in stored {
            if !self.markets.contains_key(&each.platform) {
                self.markets.insert(each.platform.clone(), Market::default());
            }
            if let Some(market) = self.markets.get_mut(&each.platform) {
                market.take(each);
            }
        }
        self.over(|market| market.now)
    }

    /// There are no more: what became of those whose time is over on any platform.
    pub fn rest(&mut self) -> Vec<Inferred> {
        let now = self.markets.values().map(|market| market.now).max().unwrap_or_default();
        self.over(|_| now)
    }

    /// The lowest id of those that are still waiting.
    #[must_use]
    pub fn lowest(&self) -> Option<i64> {
        self.markets.values().filter_map(|market| market.waiting.keys().next()).min().copied()
    }

    fn over(&mut self, now: impl Fn(&Market) -> i64) -> Vec<Inferred> {
        let mut found = Vec::new();
        for (platform, market) in &mut self.markets {
            for Waiting { lot, known_at } in market.over(now(market)) {
                if lot.is_told() && !market.tells_unsold {
                    continue;
                }
                let verdict = proved(&lot, &self.rates, &self.calibration);
                found.push(Inferred {
                    page: 0,
                    platform: platform.clone(),
                    auction_id: lot.auction_id,
                    observed_at: known_at,
                    closing: closing(&verdict, 0, known_at),
                });
            }
        }
        found
    }
}

/// What is proved of a lot whose time is over.
fn proved(lot: &Lot, rates: &Rates, calibration: &Calibration) -> Verdict {
    let is_seen = lot.expires_at - lot.last_active <= FINAL;
    judge(lot, lot.expires_at + KEEP_OPEN, &MANNERS, rates, calibration)
        .filter(|said| is_seen || said.evidence >= Evidence::Relisted)
        .unwrap_or(Verdict::UNKNOWN)
}

impl Market {
    fn take(&mut self, stored: Stored) {
        let Stored { is_open, last_seen, lot, status, .. } = stored;
        let (id, copy) = (lot.auction_id, lot.card_instance_id);
        self.now = self.now.max(lot.posted_at);
        self.tells_unsold |= Status::of(&status) == Some(Status::Expired);
        let earlier = self.copies.remove(&copy).and_then(|id| self.waiting.get_mut(&id));
        if let Some(earlier) =
            earlier.filter(|earlier| earlier.lot.acquired_at.min(lot.acquired_at) != 0)
        {
            let sold = lot.acquired_at > earlier.lot.acquired_at;
            let (posted_at, acquired_at) = (lot.posted_at, lot.acquired_at);
            earlier.lot.relisted = Some(Relisted { posted_at, sold, acquired_at });
            earlier.known_at = earlier.known_at.max(lot.first_seen);
        }
        if !is_open {
            return;
        }
        if copy != 0 {
            self.copies.insert(copy, id);
        }
        let end = lot.expires_at.max(lot.posted_at);
        let known_at = if lot.is_told() { last_seen } else { last_seen.max(end) };
        self.due.insert(end.max(last_seen) + KEEP_OPEN, id);
        self.waiting.insert(id, Waiting { lot, known_at });
    }

    /// Those of whom nothing more is awaited at `now`.
    fn over(&mut self, now: i64) -> Vec<Waiting> {
        let due = self.due.take_before(now);
        let over = due.into_iter().filter_map(|(_, id)| {
            let waiting = self.waiting.remove(&id)?;
            let copy = waiting.lot.card_instance_id;
            if self.copies.get(&copy) == Some(&id) {
                self.copies.remove(&copy);
            }
            Some(waiting)
        });
        over.collect()
    }
}
