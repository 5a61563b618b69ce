//! Hazards of a market in; how soon its lots are bought, taken back and bid on out. See [`looks`] for
//! how they are learned.
//!
//! [`looks`]: crate::market::looks
//!
//! Invariant: the same looks in the same order give the same rates; the state does not grow.

use serde::{Deserialize, Serialize};

use crate::market::alone::Alone;
use crate::market::asked::SECOND;
use crate::market::hazards::{Axis, Censored};
use crate::market::lot::{Lot, Told};
use crate::market::returns::Returns;
use crate::market::table::{Steady, Table};

/// Upper edges of the bands of buyout against median price; above the last there is one more.
const RATIOS: [f32; 15] =
    [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.7, 2.0, 2.5];
/// The band of lots whose median is not known, and of those without a buyout price.
const UNKNOWN: usize = RATIOS.len() + 1;
const NO_BUYOUT: usize = UNKNOWN + 1;
const BANDS: usize = NO_BUYOUT + 1;
/// Upper edges of the bands of the bid, or start price, against the median price.
const PRICES: [f32; 6] = [0.4, 0.6, 0.75, 0.9, 1.1, 1.5];
/// Upper edges of the bands of the bid, or start price, against the buyout price: where the next bid
/// would come to it, nobody bids.
const ROOMS: [f32; 2] = [0.9, 0.95];
/// Seconds within which hardly any lot is bought: the prices of those this young are those listed.
const YOUNG: f32 = 60.0;
/// Upper edges of the bands of how long lots run, seconds, and what is typical of each band.
const LENGTHS: [f32; 4] = [7_200.0, 21_600.0, 57_600.0, 129_600.0];
const TYPICAL: [f32; LENGTHS.len() + 1] = [3_600.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0];
/// Rows of the table of bids.
const BID_ROWS: usize = 2 * (PRICES.len() + 1) * (ROOMS.len() + 1) * TYPICAL.len();
/// What is missing this long before its time has ended early: its end is known to the second.
pub(crate) const MISSED: i64 = 2 * SECOND;

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
    /// Ended, as a reply tells it, and no sooner than this, microseconds.
    Told(Told, i64),
    /// No longer there before its expiry: bought or taken back.
    Gone,
}

/// Hazards of a market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    pub(crate) bought: Table,
    /// At any time of a lot's run alike: what vanished could be bought, too, and only lots that nobody
    /// would buy tell the two apart.
    pub(crate) withdrawn: Steady,
    pub(crate) bids: Table,
    /// Early ends by kind and row of both tables, and next bids by row of `bids`.
    pub(crate) ends: Censored,
    pub(crate) next_bids: Censored,
    /// Listings by band of the price ratio: of all met within an hour, and of all, where one counts
    /// the more the younger it was.
    pub(crate) shares: Vec<f32>,
    pub(crate) young: Vec<f32>,
    /// Listings by how long they run.
    pub(crate) lengths: Vec<f32>,
    /// Copies that came back after their auctions.
    pub(crate) returns: Returns,
    /// First bids that stayed alone, and those that did not.
    pub(crate) alone: Alone,
    /// Whether the price paid is shown after a buyout, as far as early ends told.
    pub(crate) shows_price: Option<bool>,
    pub(crate) looks: u32,
    pub(crate) fitted_at: i64,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new()
    }
}

impl Rates {
    /// Rough priors, worth a handful of events: half of what costs 0.3 of the median is bought in
    /// 20 s, half of what costs as much as it in 6 h; one in thirty is taken back, at any time; of the
    /// lots with bids one in ten gets another in its last 10 s and one in four in its last 3 min.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bought: Table::new(Axis::Age, (2 * BANDS, 2), |row, low, high| {
                prior_sales(row / 2, high) - prior_sales(row / 2, low)
            }),
            withdrawn: Steady::new(),
            bids: Table::new(Axis::Lead, (BID_ROWS, 2 * TYPICAL.len()), |row, low, high| {
                prior_appeal(row) * (prior_bids(high) - prior_bids(low))
            }),
            ends: Censored::default(),
            next_bids: Censored::default(),
            young: vec![0.02; BANDS],
            shares: (0..BANDS).map(|band| if band < UNKNOWN { 2.0 } else { 0.1 }).collect(),
            lengths: vec![1.0; TYPICAL.len()],
            returns: Returns::default(),
            alone: Alone::default(),
            shows_price: None,
            looks: 0,
            fitted_at: 0,
        }
    }

    /// A lot was first shown at its `last_active`.
    pub fn met(&mut self, lot: &Lot) {
        let age = seconds(lot.last_active - lot.posted_at);
        if lot.last_active > 0 && age >= 0.0 {
            // it stands for those that were gone by then
            let gone = self.bought.sum(2 * band(lot), age);
            let stands_for = gone.min(3.0).exp();
            self.young[band(lot)] += stands_for * (YOUNG / (YOUNG + age)).powi(2);
            if age < 3600.0 {
                self.shares[band(lot)] += stands_for;
            }
            self.lengths[length(lot)] += 1.0;
        }
    }

    /// P(bought out or withdrawn in (from, to], given that it was on offer at `from`).
    #[must_use]
    pub fn ended_early(&self, lot: &Lot, from: i64, to: i64) -> f32 {
        let to = if lot.expires_at > 0 { to.min(lot.expires_at) } else { to };
        let (young, old) = ages(lot, from, to.max(from));
        let mut mean = self.bought.sum(sale_row(lot), old) - self.bought.sum(sale_row(lot), young);
        if lot.bids == 0 {
            mean += self.leaves(length(lot)) * (old - young);
        }
        -(-mean).exp_m1()
    }

    /// P(still on offer at `to`, its expiry apart, given that it was at `from`).
    #[must_use]
    pub fn survives(&self, lot: &Lot, from: i64, to: i64) -> f32 {
        1.0 - self.ended_early(lot, from, to)
    }

    /// P(at least one more bid in the last `lead` µs, given that it is on offer then).
    #[must_use]
    pub fn further_bid(&self, lot: &Lot, lead: i64) -> f32 {
        -(-self.bids.sum(bid_row(lot), seconds(lead.max(0)))).exp_m1()
    }

    /// P(it has a bid when `lead` µs are left, given that it is on offer then), and P(that is the
    /// last one).
    #[must_use]
    pub fn last_bid(&self, lot: &Lot, lead: i64) -> (f32, f32) {
        let row = bid_row(lot);
        let left = seconds(lead.max(0));
        let last = (-self.bids.sum(row | 1, left)).exp();
        if lot.bids > 0 {
            return (1.0, last);
        }
        let before = seconds((lot.expires_at - lot.last_active).max(0));
        let first = self.bids.sum(row, before) - self.bids.sum(row, left);
        (-(-first.max(0.0)).exp_m1(), last)
    }

    /// P(a fresh listing of any price is still on offer at this age in seconds, its expiry apart).
    #[must_use]
    pub fn survival(&self, age: f32) -> f32 {
        self.survival_of(&self.shares, age)
    }

    /// The same, less sure and nearer to the truth where young ones are seldom met.
    #[must_use]
    pub fn lived(&self, age: f32) -> f32 {
        self.survival_of(&self.young, age)
    }

    fn survival_of(&self, shares: &[f32], age: f32) -> f32 {
        let (mut alive, mut all) = (0.0, 0.0);
        let (place, withdrawn) = (self.bought.place(age), self.taken_back(age));
        for (band, share) in shares.iter().enumerate() {
            let gone = self.bought.sum_at(2 * band, place) + withdrawn;
            alive += share * (-gone).exp();
            all += share;
        }
        alive / all
    }

    /// Hazard of being taken back, per second, of lots that run for so long.
    pub(crate) fn leaves(&self, length: usize) -> f32 {
        self.withdrawn.factor * prior_leaves(length)
    }

    /// Mean of what is taken back until this age, in seconds, of lots that run for so long.
    fn taken_back(&self, age: f32) -> f32 {
        let (mut sum, mut all) = (0.0, f32::MIN_POSITIVE);
        for (length, share) in self.lengths.iter().enumerate() {
            if TYPICAL[length] >= age || length + 1 == TYPICAL.len() {
                sum += share * self.leaves(length) * age;
                all += share;
            }
        }
        sum / all
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

/// Prior hazard of being taken back, per second.
pub(crate) fn prior_leaves(length: usize) -> f32 {
    1.0 / (30.0 * TYPICAL[length])
}

/// Prior mean of a next bid in the last so many seconds, for a lot with bids.
fn prior_bids(lead: f32) -> f32 {
    0.08 * (lead / 3.0).ln_1p() + 0.3 * (lead / 14_400.0).ln_1p()
}

/// How the prior mean differs by the price to beat, and for lots without a bid.
fn prior_appeal(row: usize) -> f32 {
    let by_price = [1.3, 1.2, 1.0, 0.8, 0.5, 0.3, 0.15][row * (PRICES.len() + 1) / BID_ROWS];
    if row.is_multiple_of(2) { by_price * 0.7 } else { by_price }
}

/// Whether it was missed before its end.
pub(crate) fn missed(lot: &Lot) -> bool {
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

/// The band of how long a lot runs.
pub(crate) fn length(lot: &Lot) -> usize {
    let length = seconds(lot.expires_at - lot.posted_at);
    if lot.expires_at > 0 { LENGTHS.partition_point(|&edge| edge <= length) } else { LENGTHS.len() }
}

/// The row of a lot's early end: with bids nothing is taken back.
pub(crate) fn end_row(lot: &Lot, bids: bool) -> usize {
    (sale_row(lot) | usize::from(bids)) * TYPICAL.len() + if bids { 0 } else { length(lot) }
}

/// Its row in the table of buyouts, and how long it runs.
pub(crate) fn end_rows(row: usize) -> (usize, usize) {
    (row / TYPICAL.len(), row % TYPICAL.len())
}

/// The row of a lot in the table of bids: by what there is to beat, and how long it runs, for some bids
/// come at any time of a run.
pub(crate) fn bid_row(lot: &Lot) -> usize {
    let bid = seconds(lot.current_bid);
    let band = |edges: &[f32], price: i64, unknown: f32| {
        let share = if price > 0 { bid / seconds(price) } else { unknown };
        edges.partition_point(|&edge| edge <= share)
    };
    let price = band(&PRICES, lot.median_price, 1.0);
    let room = band(&ROOMS, lot.buyout_price, 0.0);
    let row = (price * (ROOMS.len() + 1) + room) * TYPICAL.len() + length(lot);
    2 * row + usize::from(lot.bids > 0)
}

/// Ages at two moments, seconds.
pub(crate) fn ages(lot: &Lot, from: i64, to: i64) -> (f32, f32) {
    (seconds((from - lot.posted_at).max(0)), seconds((to - lot.posted_at).max(0)))
}

/// Microseconds as seconds.
#[allow(clippy::cast_precision_loss)] // a few milliseconds in a day
pub(crate) fn seconds(micros: i64) -> f32 {
    micros as f32 / 1e6
}
