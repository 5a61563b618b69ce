//! Sales of one card in; those that tell a price, and how much each tells, out.
//!
//! A copy tells once in 72 hours: wash trades pass one around. A sale far over what stood beside it for
//! an hour is no price: an honest buyer takes the cheaper one. Sales that come in a burst tell together
//! what as many as usual would.

use std::collections::HashMap;

use super::ask::Asks;

/// Days in which a copy tells once.
const COPY_DAYS: f64 = 3.0;
/// A copy sold more often than this in that time is passed around: it tells nothing.
const RESOLD: u32 = 2;
/// A sale over so many times the second cheapest ask is no price.
const OVER: f64 = 1.25;
/// Where one ask stands alone the second is taken to be so many times as dear.
const NEXT: f64 = 1.1;
/// How long an ask stands before it counts, days.
pub(crate) const STOOD: f64 = 1.0 / 24.0;
/// Sales that a level is made of.
const LAST: usize = 60;
/// An outcome that is as sure as this counts in full.
const SURE: f64 = 0.8;
/// Half the width of what is looked at around a sale, days.
const AROUND: f64 = 0.25;
/// A burst is more than one and so many times the usual number.
const USUAL: f64 = 2.0;
/// Moments at which the usual number is counted.
const MOMENTS: u32 = 64;

/// A sale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sale {
    /// Days.
    pub at: f64,
    /// Coins.
    pub price: f64,
    /// The physical copy; 0: not known.
    pub copy: i64,
    /// By a bid, not by the buyout price.
    pub by_bid: bool,
    /// Confidence that outcome and price are right.
    pub sure: f64,
    /// The median that its listing showed, coins; 0: none.
    pub shown: f64,
}

/// A sale that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Days.
    pub at: f64,
    /// Log of its price.
    pub price: f64,
    /// By a bid, not by the buyout price.
    pub by_bid: bool,
    /// The physical copy; 0: not known.
    pub copy: i64,
    /// Of a whole sale.
    pub weight: f64,
    /// Log of the median that its listing showed.
    pub shown: Option<f64>,
}

/// The sales that count, and how many do not.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// By time.
    pub sales: Vec<Kept>,
    /// Left out: their copy was sold within 72 hours before.
    pub same_copy: u32,
    /// Left out: far over the asks beside them.
    pub over_ask: u32,
    /// Within the last three days a copy was passed around, or sales came in a burst.
    pub washed: bool,
}

impl Counted {
    /// `sales` by time, days before now.
    #[must_use]
    pub fn of(sales: &[Sale], asks: &Asks) -> Self {
        let mut this = Self::default();
        // copy → when it told, the place of that sale, sales since
        let mut told: HashMap<i64, (f64, usize, u32)> = HashMap::new();
        let mut passed = Vec::new();
        for sale in sales.iter().filter(|sale| sale.price > 0.0 && sale.sure > 0.0) {
            if beside(asks, sale.at).is_some_and(|second| sale.price > OVER * second) {
                this.over_ask += 1;
                continue;
            }
            if let Some((since, place, times)) = told.get_mut(&sale.copy)
                && sale.at - *since < COPY_DAYS
            {
                this.same_copy += 1;
                *times += 1;
                if *times > RESOLD {
                    passed.push(*place);
                    this.washed |= sale.at > -COPY_DAYS;
                }
                continue;
            }
            if sale.copy != 0 {
                told.insert(sale.copy, (sale.at, this.sales.len(), 1));
            }
            this.sales.push(Kept {
                at: sale.at,
                price: sale.price.ln(),
                by_bid: sale.by_bid,
                copy: sale.copy,
                weight: if sale.sure < SURE { sale.sure } else { 1.0 },
                shown: (sale.shown > 0.0).then(|| sale.shown.ln()),
            });
        }
        for place in passed {
            this.sales[place].weight = 0.0;
        }
        this.sales.retain(|sale| sale.weight > 0.0);
        this.washed |= calm(&mut this.sales);
        this
    }

    /// The last sales, of which a level is made.
    #[must_use]
    pub fn last(&self) -> &[Kept] {
        &self.sales[self.sales.len().saturating_sub(LAST)..]
    }

    /// Sales that count, of the last `days`.
    #[must_use]
    pub fn within(&self, days: f64) -> usize {
        self.sales.len() - self.sales.partition_point(|sale| sale.at < -days)
    }
}

/// The second cheapest ask that stood beside a sale.
fn beside(asks: &Asks, at: f64) -> Option<f64> {
    let [first, second] = asks.beside(at, STOOD);
    second.or(first.map(|first| first * NEXT))
}

/// Let what comes in a burst tell together what as many as usual would; whether one is of the last
/// three days.
fn calm(sales: &mut [Kept]) -> bool {
    let [first, .., last] = sales else { return false };
    let (first, days) = (first.at, last.at - first.at);
    let counts: Vec<f64> = sales.iter().map(|sale| around(sales, sale.at)).collect();
    // over time, not over sales: most sales of a card that is passed around are of bursts
    let moments =
        (0..MOMENTS).map(|one| first + days * (f64::from(one) + 0.5) / f64::from(MOMENTS));
    let usual = super::median(moments.map(|at| around(sales, at)).collect());
    let seldom = (sales.len() as f64).sqrt() * 2.0 * AROUND / days.max(1.0);
    let most = 1.0 + USUAL * usual.max(seldom);
    let mut recent = false;
    for (sale, count) in sales.iter_mut().zip(counts) {
        if count > most {
            sale.weight *= most / count;
            recent |= sale.at > -3.0 && count > 2.0 * most;
        }
    }
    recent
}

fn around(sales: &[Kept], at: f64) -> f64 {
    let low = sales.partition_point(|sale| sale.at < at - AROUND);
    let high = sales.partition_point(|sale| sale.at <= at + AROUND);
    (high - low) as f64
}
