//! A market whose hazards are known, and somebody who looks at it: its own model, not m26's.

#![allow(dead_code)] // each test uses its part
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // small figures
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)]

use m26::market::asked::{HOUR, SECOND, Seen, Status};
use m26::market::lot::{Fate, Lot};
use m26::market::rates::{Look, Rates};

/// Numbers by a seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// How a market differs from the usual one.
#[derive(Clone, Copy, Debug)]
pub struct Mood {
    pub late_bids: f64,
    pub buyouts: f64,
    pub withdrawals: f64,
}

pub const USUAL: Mood = Mood { late_bids: 1.0, buyouts: 1.0, withdrawals: 1.0 };

/// An auction as it really went. Times are seconds after the start.
#[derive(Clone, Debug)]
pub struct Truth {
    pub id: i64,
    pub posted: i64,
    pub expires: i64,
    pub start: i64,
    pub buyout: i64,
    pub bids: Vec<f64>,
    pub fate: Fate,
    pub ended: f64,
}

pub const MEDIAN: i64 = 1000;
pub const EPOCH: i64 = 1_800_000_000 * SECOND;

/// Median time to a buyout at a price ratio, seconds, and its spread in log time.
pub fn buyout_time(ratio: f64, mood: Mood) -> (f64, f64) {
    ((4.0 + 8.0 * (ratio - 0.4)).exp() / mood.buyouts, 1.7)
}

/// So many auctions, evenly over so many hours.
pub fn market(seed: u64, auctions: i64, hours: i64, mood: Mood) -> Vec<Truth> {
    let mut dice = Dice(seed);
    let each = (hours * 3600) as f64 / auctions as f64;
    (0..auctions).map(|id| auction(id, (id as f64 * each) as i64, &mut dice, mood)).collect()
}

fn auction(id: i64, posted: i64, dice: &mut Dice, mood: Mood) -> Truth {
    let span = match dice.uniform() {
        ..0.3 => 3600,
        ..0.5 => 4 * 3600,
        ..0.7 => 8 * 3600,
        _ => 24 * 3600,
    };
    let ratio = (0.1 + 0.45 * dice.normal()).exp();
    let buyout = if dice.uniform() < 0.1 { 0 } else { (ratio * MEDIAN as f64) as i64 };
    let start = ((0.4 + 0.55 * dice.uniform()) * ratio * MEDIAN as f64) as i64;
    let (half, spread) = buyout_time(ratio, mood);
    let bought = if buyout > 0 { half * (spread * dice.normal()).exp() } else { f64::MAX };
    let withdrawn = if dice.uniform() < 0.05 * mood.withdrawals {
        dice.uniform() * f64::from(span)
    } else {
        f64::MAX
    };
    // how many want it differs from lot to lot
    let wanted = 0.8 * (0.6 * dice.normal() - 1.3 * start as f64 / MEDIAN as f64).exp();
    let mut bids = Vec::new();
    let late = 1.5 * mood.late_bids;
    let mut rest = wanted * (1.0 + late);
    while dice.uniform() < 1.0 - (-rest).exp() && bids.len() < 30 {
        let lead = if dice.uniform() < late / (1.0 + late) {
            2.0 * (7.5 * dice.uniform()).exp_m1()
        } else {
            dice.uniform() * f64::from(span)
        };
        bids.push(f64::from(span) - lead);
        rest *= 0.7;
    }
    bids.sort_by(f64::total_cmp);
    let first = bids.first().copied().unwrap_or(f64::MAX);
    let back = if withdrawn < first { withdrawn } else { f64::MAX };
    let (fate, after) = match bought.min(back) {
        early if early >= f64::from(span) => {
            (if bids.is_empty() { Fate::Expired } else { Fate::Bid }, f64::from(span))
        }
        _ if back < bought => (Fate::Cancelled, back),
        _ => (Fate::Buyout, bought),
    };
    bids.retain(|&bid| bid < after);
    let bids = bids.into_iter().map(|bid| posted as f64 + bid).collect();
    let (expires, ended) = (posted + i64::from(span), posted as f64 + after);
    Truth { id, posted, expires, start, buyout, bids, fate, ended }
}

impl Truth {
    pub fn ratio(&self) -> f64 {
        self.buyout as f64 / MEDIAN as f64
    }

    pub fn bids_at(&self, at: f64) -> i32 {
        self.bids.iter().filter(|&&bid| bid <= at).count() as i32
    }

    fn bid_of(&self, bids: i32) -> i64 {
        self.start + 10 * i64::from((bids - 1).max(0))
    }

    pub fn price(&self) -> i64 {
        match self.fate {
            Fate::Bid => self.bid_of(self.bids.len() as i32),
            Fate::Buyout => self.buyout,
            _ => 0,
        }
    }

    /// As the upstream shows it at a moment.
    pub fn seen(&self, at: f64, final_price: bool) -> Seen {
        let on = at < self.ended;
        let status = match self.fate {
            _ if on => Status::Active,
            Fate::Cancelled => Status::Cancelled,
            Fate::Expired => Status::Expired,
            _ => Status::Ended,
        };
        let paid = final_price && !on && self.fate == Fate::Buyout;
        let bids = self.bids_at(at);
        Seen {
            auction_id: self.id,
            status,
            bids: bids + i32::from(paid),
            current_bid: if paid { self.buyout } else { self.bid_of(bids) },
            buyout_price: self.buyout,
            posted_at: EPOCH + self.posted * SECOND,
            seconds_remaining: if on { (self.expires as f64 - at).floor() as i32 } else { 0 },
            median_price: MEDIAN,
            card_id: 1,
            card_instance_id: self.id,
            acquired_at: 1,
        }
    }

    /// Whether a verdict has outcome, and outcome and price, right.
    pub fn agrees(&self, fate: Fate, price: i64) -> (bool, bool) {
        let sold = |fate| matches!(fate, Fate::Bid | Fate::Buyout | Fate::Sold);
        let outcome = fate == self.fate || (sold(fate) && sold(self.fate));
        (outcome, outcome && price == self.price())
    }
}

/// How a market is looked at.
#[derive(Clone, Copy)]
pub struct Eyes {
    /// Looks while it lasts, on the average.
    pub looks: f64,
    /// The last look comes as long before the end as a factor e of this spread, seconds.
    pub lead: f64,
    /// A refresh tells of ended auctions, the price paid included or not.
    pub tells: bool,
    pub final_price: bool,
}

/// What is seen of each auction: when, by id.
pub fn moments(market: &[Truth], seed: u64, eyes: Eyes) -> Vec<(f64, usize)> {
    let mut dice = Dice(seed);
    let mut all = Vec::new();
    for (at, truth) in market.iter().enumerate() {
        let span = (truth.expires - truth.posted) as f64;
        all.push((truth.posted as f64 + 22.0 * dice.uniform(), at));
        all.push((truth.posted as f64 + 22.0 + 22.0 * dice.uniform(), at));
        let more = (2.0 * eyes.looks * dice.uniform()) as usize;
        all.extend((0..more).map(|_| (truth.posted as f64 + span * dice.uniform(), at)));
        let lead = (eyes.lead * dice.normal().exp()).min(span / 2.0);
        all.push((truth.expires as f64 - lead, at));
        all.push((truth.expires as f64 + 5.0 + 600.0 * dice.uniform(), at));
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

pub fn micros(seconds: f64) -> i64 {
    EPOCH + (seconds * 1e6) as i64
}

/// Look at it all, and let `visit` see each auction before a look at it is taken in.
pub fn play(
    market: &[Truth],
    seed: u64,
    eyes: Eyes,
    rates: &mut Rates,
    mut visit: impl FnMut(&mut Rates, &Truth, &mut Lot, i64),
) -> Vec<Option<Lot>> {
    let mut lots: Vec<Option<Lot>> = vec![None; market.len()];
    for (time, at) in moments(market, seed, eyes) {
        let (truth, now) = (&market[at], micros(time));
        let shown = truth.seen(time, eyes.final_price);
        let active = shown.status == Status::Active;
        let Some(lot) = &mut lots[at] else {
            if active {
                let lot = Lot::new(&shown, now);
                rates.met(&lot);
                lots[at] = Some(lot);
            }
            continue;
        };
        if lot.told.is_some() {
            continue;
        }
        let before = lot.clone();
        if !active && time >= truth.expires as f64 {
            visit(rates, truth, lot, now);
        }
        if active {
            lot.see(&shown, now);
            let (bids, current_bid) = (shown.bids, shown.current_bid);
            rates.learn(&before, now, Look::Active { bids, current_bid });
        } else if eyes.tells {
            lot.see(&shown, now);
            lot.told.into_iter().for_each(|told| rates.learn(&before, now, Look::Told(told, 0)));
        } else if time < truth.expires as f64 && lot.absent_at == 0 {
            lot.absent_at = now;
            lot.omitted = true;
            rates.learn(&before, now, Look::Gone);
        }
    }
    lots
}

pub const HOURS: i64 = HOUR / SECOND;
