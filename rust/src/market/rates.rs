//! Looks at lots in; how soon lots are bought, taken back and bid on out.
//!
//! Two looks say only that something happened between them or did not (interval-censored data): an
//! event counts where the hazards of the moment put it, exposure until then. Given the state at the
//! first look this is unbiased whatever made us look, as long as that was not the outcome. What was
//! learned fades by half in two days.
//!
//! Invariant: the same looks in the same order give the same rates; the state does not grow.

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, MINUTE, SECOND, Status};
use crate::market::course::{Course, course};
use crate::market::hazards::{Axis, COLUMNS, Censored, Spread, Table};
use crate::market::lot::{Lot, Told};

/// Upper edges of the bands of buyout against median price; above the last there is one more.
const RATIOS: [f32; 13] = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 2.5];
/// The band of lots whose median is not known, and of those without a buyout price.
const UNKNOWN: usize = RATIOS.len() + 1;
const NO_BUYOUT: usize = UNKNOWN + 1;
const BANDS: usize = NO_BUYOUT + 1;
/// Upper edges of the bands of the bid, or start price, against the median price.
const PRICES: [f32; 6] = [0.4, 0.6, 0.75, 0.9, 1.1, 1.5];
/// Nobody but a buyer or the owner ends a lot this long before its time.
pub(crate) const EARLY: i64 = 5 * SECOND;
/// What is missing this long before its time has ended early: its end is known to the second.
pub(crate) const MISSED: i64 = 2 * SECOND;
/// Rates follow the looks after this many, or this long.
const LOOKS: u32 = 512;
const REST: i64 = 10 * MINUTE;

/// What a later look at a lot showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    /// On offer.
    Active {
        /// Number of bids.
        bids: i32,
        /// Highest bid, coins.
        current_bid: i64,
    },
    /// Ended, as a reply tells it.
    Told(Told),
    /// No longer there before its expiry: bought or taken back.
    Gone,
}

/// Kinds of early ends: bought, taken back, or either of them.
const BOUGHT: u8 = 0;
const WITHDRAWN: u8 = 1;
const EITHER: u8 = 2;

/// Hazards of a market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    pub(crate) bought: Table,
    /// One row: what vanished could be either, and only lots that nobody would buy tell them apart.
    pub(crate) withdrawn: Table,
    pub(crate) bids: Table,
    /// Early ends by kind and row of `bought`, and next bids by row of `bids`.
    ends: Censored,
    next_bids: Censored,
    /// Listings by band of the price ratio.
    shares: Vec<f32>,
    /// Whether the price paid is shown after a buyout, as far as early ends told.
    shows_price: Option<bool>,
    looks: u32,
    fitted_at: i64,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new()
    }
}

impl Rates {
    /// Rough priors, worth a handful of events: half of what costs 0.3 of the median is bought in
    /// 20 s, half of what costs as much as it in 6 h; one in 10⁶ is taken back each second; of the
    /// lots with bids one in five gets another in its last 10 s and one in two in its last 3 min.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bought: Table::new(Axis::Age, 2 * BANDS, |row, low, high| {
                prior_sales(row / 2, high) - prior_sales(row / 2, low)
            }),
            withdrawn: Table::new(Axis::Age, 1, |_, low, high| 1e-6 * (high - low)),
            bids: Table::new(Axis::Lead, 2 * (PRICES.len() + 1), |row, low, high| {
                prior_appeal(row) * (prior_bids(high) - prior_bids(low))
            }),
            ends: Censored::default(),
            next_bids: Censored::default(),
            shares: (0..BANDS).map(|band| if band < UNKNOWN { 2.0 } else { 0.1 }).collect(),
            shows_price: None,
            looks: 0,
            fitted_at: 0,
        }
    }

    /// A lot was first shown at its `last_active`.
    pub fn met(&mut self, lot: &Lot) {
        let age = seconds(lot.last_active - lot.posted_at);
        if lot.last_active > 0 && (0.0..3600.0).contains(&age) {
            // it stands for those that were gone by then
            let gone = self.bought.sum(2 * band(lot), age);
            self.shares[band(lot)] += gone.min(3.0).exp();
        }
    }

    /// Between `before.last_active` and `at` this happened to the lot `before`; once for each look.
    pub fn learn(&mut self, before: &Lot, at: i64, look: Look) {
        let end = before.expires_at;
        if before.last_active == 0 || before.last_active >= end || before.told.is_some() {
            return;
        }
        self.pause(at);
        match look {
            Look::Active { bids, .. } => self.alive(before, at.min(end), bids, 1.0),
            Look::Gone if before.absent_at == 0 && at < end - MISSED => {
                self.left(before, at, EITHER, before.bids > 0, 1.0);
            }
            Look::Gone => {}
            Look::Told(told) => match told.status {
                Status::Active => {}
                Status::Expired => self.alive(before, end, before.bids, 1.0),
                Status::Cancelled => self.left(before, at.min(end), WITHDRAWN, false, 1.0),
                Status::Ended => self.sold(before, at, &told),
            },
        }
    }

    /// Sold at last: by bid at its end, or bought before it.
    fn sold(&mut self, before: &Lot, at: i64, told: &Told) {
        let end = before.expires_at;
        let shown = before.buyout_price > 0 && told.current_bid >= before.buyout_price;
        let early = at < end - EARLY || missed(before);
        if early && before.buyout_price > 0 {
            self.shows_price = Some(shown);
        }
        let bids = told.bids - i32::from(shown);
        if early || shown || told.bids == 0 {
            self.left(before, at.min(end), BOUGHT, bids > 0, 1.0);
        } else if self.shows_price == Some(true) || before.buyout_price == 0 {
            self.alive(before, end, told.bids, 1.0);
        } else {
            let odds = self.course(before, before.last_active, end).bought_with(bids > before.bids);
            self.left(before, end, BOUGHT, true, odds);
            self.alive(before, end, told.bids, 1.0 - odds);
        }
    }

    /// On offer until `to`, then with so many bids.
    fn alive(&mut self, lot: &Lot, to: i64, bids: i32, weight: f32) {
        let (young, old) = ages(lot, lot.last_active, to);
        let (high, low) = leads(lot, lot.last_active, to);
        let (row, sale) = (bid_row(lot), sale_row(lot));
        let mut bid = old;
        if bids > lot.bids {
            let spread =
                Spread::new(Axis::Lead, (low, high), |at| self.bids.hazard(row, at), |_| 1.0);
            bid = young + spread.wait();
            self.next_bids.add(Axis::Lead, (0, row), (low, high), weight);
        } else {
            self.bids.quiet(row, low, high, weight);
        }
        if lot.bids > 0 {
            self.bought.quiet(sale, young, old, weight);
        } else {
            self.bought.quiet(sale, young, bid, weight);
            self.bought.quiet(sale + 1, bid, old, weight);
            self.withdrawn.quiet(0, young, bid, weight);
        }
    }

    /// Ended before its time, and no later than `to`; what was missed before is not counted again.
    fn left(&mut self, lot: &Lot, to: i64, kind: u8, bids: bool, weight: f32) {
        let known = missed(lot);
        let interval = ages(lot, lot.last_active, if known { lot.absent_at } else { to });
        let row = sale_row(lot) | usize::from(bids);
        if known {
            self.ends.add(Axis::Age, (EITHER, sale_row(lot)), interval, -weight);
        }
        self.ends.add(Axis::Age, (kind, row), interval, weight);
    }

    /// Let the rates follow what was learned, now and then.
    fn pause(&mut self, at: i64) {
        self.looks += 1;
        if self.fitted_at == 0 {
            self.fitted_at = at;
        }
        let rested = (at - self.fitted_at).max(0);
        if self.looks < LOOKS && rested < REST {
            return;
        }
        let keep = (-seconds(rested) / seconds(2 * DAY)).exp2();
        self.ends.fade(keep);
        self.next_bids.fade(keep);
        for table in [&mut self.bought, &mut self.withdrawn, &mut self.bids] {
            table.fade(keep);
        }
        self.expect();
        for table in [&mut self.bought, &mut self.withdrawn, &mut self.bids] {
            table.fit();
        }
        for share in &mut self.shares {
            *share *= keep;
        }
        (self.looks, self.fitted_at) = (0, self.fitted_at.max(at));
    }

    /// Put each event where the hazards of the moment make it likely (a step of EM).
    fn expect(&mut self) {
        for (_, row, interval, events) in self.next_bids.each(Axis::Lead) {
            let hazards = |column| self.bids.hazard(row, column);
            let spread = Spread::new(Axis::Lead, interval, hazards, |_| 1.0);
            self.bids.take(row, &spread, events, |_| 1.0);
        }
        for (kind, row, interval, events) in self.ends.each(Axis::Age) {
            // with bids nothing is taken back
            let free = row.is_multiple_of(2);
            let back = |column| if free { self.withdrawn.hazard(0, column) } else { 0.0 };
            let sale = |column| self.bought.hazard(row, column);
            let part = |hazard: f32, column| {
                hazard / (sale(column) + back(column)).max(f32::MIN_POSITIVE)
            };
            let share = |column| match kind {
                BOUGHT => part(sale(column), column),
                WITHDRAWN => part(back(column), column),
                _ => 1.0,
            };
            let spread = Spread::new(Axis::Age, interval, |at| sale(at) + back(at), share);
            let backs = std::array::from_fn::<f32, COLUMNS, _>(|column| match kind {
                BOUGHT => 0.0,
                WITHDRAWN => 1.0,
                _ => part(back(column), column),
            });
            self.bought.take(row, &spread, events, |column| 1.0 - backs[column]);
            if free {
                self.withdrawn.take(0, &spread, events, |column| backs[column]);
            }
        }
    }

    /// What may happen to a lot between `from`, on offer as it was last seen, and `to`.
    #[must_use]
    pub fn course(&self, lot: &Lot, from: i64, to: i64) -> Course {
        course(self, lot, from, to)
    }

    /// P(bought out or withdrawn in (from, to], given that it was on offer at `from`).
    #[must_use]
    pub fn ended_early(&self, lot: &Lot, from: i64, to: i64) -> f32 {
        let to = if lot.expires_at > 0 { to.min(lot.expires_at) } else { to };
        let (young, old) = ages(lot, from, to.max(from));
        let mut mean = self.bought.sum(sale_row(lot), old) - self.bought.sum(sale_row(lot), young);
        if lot.bids == 0 {
            mean += self.withdrawn.sum(0, old) - self.withdrawn.sum(0, young);
        }
        -(-mean).exp_m1()
    }

    /// P(still on offer at `to`, its expiry apart, given that it was at `from`).
    #[must_use]
    pub fn survives(&self, lot: &Lot, from: i64, to: i64) -> f32 {
        1.0 - self.ended_early(lot, from, to)
    }

    /// P(bought, given that it ended early after it was last seen).
    #[must_use]
    pub fn bought(&self, lot: &Lot) -> f32 {
        let to = if missed(lot) { lot.absent_at } else { lot.expires_at };
        let course = self.course(lot, lot.last_active, to);
        let bought = course.bought();
        let ended = bought + course.withdrawn;
        if ended > 0.0 { bought / ended } else { 0.0 }
    }

    /// P(at least one more bid in the last `lead` µs, given that it is on offer then).
    #[must_use]
    pub fn further_bid(&self, lot: &Lot, lead: i64) -> f32 {
        -(-self.bids.sum(bid_row(lot), seconds(lead.max(0)))).exp_m1()
    }

    /// P(sold by its expiry, given that it was on offer at `since` as it was last seen).
    #[must_use]
    pub fn sold_at_last(&self, lot: &Lot, since: i64) -> f32 {
        let course = self.course(lot, since, lot.expires_at);
        let bid = if lot.bids > 0 { course.same } else { 0.0 };
        course.bought() + course.further + bid
    }

    /// P(a fresh listing of any price is still on offer at this age in seconds, its expiry apart).
    #[must_use]
    pub fn survival(&self, age: f32) -> f32 {
        let (mut alive, mut all) = (0.0, 0.0);
        for (band, share) in self.shares.iter().enumerate() {
            let gone = self.bought.sum(2 * band, age) + self.withdrawn.sum(0, age);
            alive += share * (-gone).exp();
            all += share;
        }
        alive / all
    }
}

/// Prior mean of buyouts until an age.
fn prior_sales(band: usize, age: f32) -> f32 {
    if band == NO_BUYOUT {
        return 0.0;
    }
    let ratio = match band {
        UNKNOWN => 1.2,
        0 => 0.25,
        _ => (RATIOS[band - 1] + RATIOS.get(band).unwrap_or(&3.0)) / 2.0,
    };
    let half = (3.0 + 10.0 * (ratio - 0.3)).exp();
    (age / half).powf(0.9).ln_1p()
}

/// Prior mean of a next bid in the last so many seconds, for a lot with bids.
fn prior_bids(lead: f32) -> f32 {
    0.16 * (lead / 3.0).ln_1p()
}

/// How the prior mean differs by the price to beat, and for lots without a bid.
fn prior_appeal(row: usize) -> f32 {
    let by_price = [1.6, 1.4, 1.2, 0.9, 0.5, 0.3, 0.15][row / 2];
    if row.is_multiple_of(2) { by_price * 0.35 } else { by_price }
}

/// Whether it was missed before its end.
fn missed(lot: &Lot) -> bool {
    lot.absent_at > 0 && lot.absent_at < lot.expires_at - MISSED
}

/// The band of a lot's price ratio.
fn band(lot: &Lot) -> usize {
    if lot.buyout_price <= 0 {
        NO_BUYOUT
    } else if lot.median_price <= 0 {
        UNKNOWN
    } else {
        RATIOS.partition_point(|&edge| edge <= lot.price_ratio())
    }
}

/// The row of a lot in the table of buyouts.
pub(crate) fn sale_row(lot: &Lot) -> usize {
    2 * band(lot) + usize::from(lot.bids > 0)
}

/// The row of a lot in the table of bids.
pub(crate) fn bid_row(lot: &Lot) -> usize {
    let price = seconds(lot.current_bid) / seconds(lot.median_price.max(1));
    let price = if lot.median_price > 0 { price } else { 1.0 };
    2 * PRICES.partition_point(|&edge| edge <= price) + usize::from(lot.bids > 0)
}

/// Ages at two moments, seconds.
fn ages(lot: &Lot, from: i64, to: i64) -> (f32, f32) {
    (seconds((from - lot.posted_at).max(0)), seconds((to - lot.posted_at).max(0)))
}

/// Time left at two moments, seconds.
fn leads(lot: &Lot, from: i64, to: i64) -> (f32, f32) {
    (seconds((lot.expires_at - from).max(0)), seconds((lot.expires_at - to).max(0)))
}

/// Microseconds as seconds.
#[allow(clippy::cast_precision_loss)] // a few milliseconds in a day
pub(crate) fn seconds(micros: i64) -> f32 {
    micros as f32 / 1e6
}
