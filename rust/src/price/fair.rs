//! One card and what holds for all in; its fair price, with an interval and what it was made of, out.

use std::collections::HashSet;

use super::level::{Level, Normal};
use super::market::{Card, Market};
use super::sale::STOOD;

/// Half the width of an interval that holds the price in four cases of five, in spreads.
const HALF: f64 = 1.2816;
/// Wider by so much for what the level takes as known: index, habits, trust in the shown median. With
/// it intervals held the value in 71 to 94 % of made markets (docs/PRICES.md).
const WIDER: f64 = 1.1;
/// An ask that nobody takes for so long is too dear, days.
const UNSOLD: f64 = 0.25;
/// How exactly such an ask bounds the price, in logs.
const SLACK: f64 = 0.03;
/// A walk of so much a day is volatile.
const VOLATILE: f64 = 0.1;
/// Sales from which a price is the card's own.
const OWN: usize = 3;
/// Days after which the last sale is old.
const OLD: f64 = 3.0;

/// What a card is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Fair {
    /// Coins.
    pub fair: f64,
    /// It is above this in nine cases of ten.
    pub low: f64,
    /// And below this.
    pub high: f64,
    /// Sales it was made of.
    pub sales: usize,
    /// Physical copies among them.
    pub copies: usize,
    /// Sales that count, of the last 7 days.
    pub week: usize,
    /// Left out: their copy was sold shortly before.
    pub same_copy: u32,
    /// Left out: far over the asks beside them.
    pub over_ask: u32,
    /// How it was made.
    pub method: &'static str,
    /// What to beware of.
    pub flags: Vec<&'static str>,
    /// Spread of a day's walk, in logs.
    pub speed: f64,
    /// The card's next sale is for more in nine cases of ten,
    pub sale_low: f64,
    /// and for less in nine of ten.
    pub sale_high: f64,
}

impl Market {
    /// What `card` is worth now.
    #[must_use]
    pub fn fair(&self, card: &Card) -> Fair {
        let counted = &card.counted;
        let seen = self.seen(counted);
        let level = self.habits.level(&seen, self.hedonic.of(&card.traits));
        let mut now = level.now;
        let week = counted.within(7.0);
        let shown = card.shown.zip(self.shown.of(week));
        if let Some(((at, shown), over)) = shown {
            let aged = over.variance + level.speed.powi(2) * -at.min(0.0);
            now = now.beside(shown - self.index.at(at) - over.mean, aged);
        }
        let bound = card.asks.standing(UNSOLD)[1];
        if let Some(bound) = bound {
            now = below(now, bound.ln());
        }
        let half = HALF * WIDER * now.variance.sqrt();
        let copies: HashSet<i64> = counted.last().iter().map(|sale| sale.copy).collect();
        let low = (now.mean - half).exp();
        let next = HALF * (WIDER * WIDER * now.variance + level.noise).sqrt();
        Fair {
            fair: now.mean.exp(),
            low,
            high: (now.mean + half).exp(),
            sales: seen.len(),
            copies: copies.len(),
            week,
            same_copy: counted.same_copy,
            over_ask: counted.over_ask,
            method: match (seen.is_empty(), shown.is_some()) {
                (true, true) => "shown",
                (true, false) => "kind",
                (false, true) => "level+shown",
                (false, false) => "level",
            },
            flags: flags(card, &level, low),
            speed: level.speed,
            sale_low: (now.mean - next).exp(),
            sale_high: (now.mean + next).exp(),
        }
    }

    /// The first sale that counts after `since`, as if by buyout, coins.
    #[must_use]
    pub fn sold_after(&self, card: &Card, since: f64) -> Option<f64> {
        let sale = card.counted.sales.iter().find(|sale| sale.at > since)?;
        Some((sale.price - if sale.by_bid { self.bid } else { 0.0 }).exp())
    }
}

fn flags(card: &Card, level: &Level, low: f64) -> Vec<&'static str> {
    let cheap = card.asks.standing(STOOD)[0].is_some_and(|floor| floor < 0.7 * low);
    let counted = &card.counted;
    let last = counted.sales.last().map(|sale| sale.at);
    let given = [
        ("thin", counted.sales.len() < OWN),
        // nobody took it for an hour at such a price: it is not what it seems
        ("bait", cheap),
        ("wash", counted.washed),
        ("stale", last.is_none_or(|at| at < -OLD)),
        ("volatile", level.speed > VOLATILE),
    ];
    given.into_iter().filter(|(_, holds)| *holds).map(|(flag, _)| flag).collect()
}

/// A price that is known to lie below `bound`, which holds to [`SLACK`].
fn below(now: Normal, bound: f64) -> Normal {
    let spread = (now.variance + SLACK * SLACK).sqrt();
    let far = (bound - now.mean) / spread;
    if far > 4.0 {
        return now;
    }
    let ratio = mills(far);
    let left = now.variance - (now.variance / spread).powi(2) * ratio * (far + ratio);
    let mean = now.mean - now.variance / spread * ratio;
    Normal { mean, variance: left.max(0.02 * now.variance) }
}

/// Density over distribution of the standard normal.
fn mills(at: f64) -> f64 {
    if at < -3.5 {
        let square = at * at;
        return -at / (1.0 - 1.0 / square + 3.0 / (square * square)); // of its tail
    }
    let density = (-0.5 * at * at).exp() / (2.0 * std::f64::consts::PI).sqrt();
    density / cumulative(at)
}

/// Distribution of the standard normal (Abramowitz and Stegun 26.2.17, to 7.5e-8).
fn cumulative(at: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * at.abs());
    let factors = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = factors.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = (-0.5 * at * at).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if at >= 0.0 { 1.0 - tail } else { tail }
}
