//! Every card's sales and asks in; what holds for all of them out.

use super::ask::Asks;
use super::index::Index;
use super::level::{Habits, Normal, Seen};
use super::sale::{Counted, Sale};
use super::shown::{Shown, Trial, group};
use super::traits::{Hedonic, Traits};

/// Sales that a level is made of.
pub(crate) const LAST: usize = 60;
/// Sales from which a card tells of the market's habits.
const MANY: usize = 20;
/// Cards from which what they have in common is believed.
const ENOUGH: usize = 20;

/// What is known of a card; times in days before now.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// Its kind.
    pub traits: Traits,
    /// By time, of the last 30 days.
    pub sales: Vec<Sale>,
    /// Listings with a buyout price.
    pub asks: Asks,
    /// The median that the upstream showed last: when, and its log.
    pub shown: Option<(f64, f64)>,
}

/// What holds for all cards.
#[derive(Clone, Debug)]
pub struct Market {
    /// Level of the market.
    pub index: Index,
    /// What cards cost by their traits.
    pub hedonic: Hedonic,
    /// How they behave.
    pub habits: Habits,
    /// A sale by bid against one by buyout, in logs.
    pub bid: f64,
    /// What the shown median says.
    pub shown: Shown,
}

impl Market {
    /// Learn it from `cards` over the last `days`.
    #[must_use]
    pub fn learned(cards: &[Card], days: f64) -> Self {
        let counted: Vec<Counted> =
            cards.iter().map(|card| Counted::of(&card.sales, &card.asks)).collect();
        let mut this = Self {
            index: Index::learned(counted.iter().map(|one| one.sales.as_slice()), days),
            hedonic: Hedonic::learned(&[]),
            habits: Habits::default(),
            bid: 0.0,
            shown: Shown::default(),
        };
        this.bid = this.bids(&counted);
        for _ in 0..2 {
            this.habits = this.learned_habits(&counted);
        }
        let mut known = Vec::new();
        for (card, counted) in cards.iter().zip(&counted) {
            let seen = this.seen(counted);
            let Some(first) = seen.first() else { continue };
            // by its own sales alone
            let own = this.habits.level(&seen, Normal { mean: first.value, variance: 100.0 });
            known.push((card.traits, own.now.mean, seen.len().min(5) as f64 / 5.0));
        }
        this.hedonic = Hedonic::learned(&known);
        let mut trials = Vec::new();
        for (card, counted) in cards.iter().zip(&counted) {
            let seen = this.seen(counted);
            let before = this.habits.before(&seen, this.hedonic.of(&card.traits));
            let last = &counted.sales[counted.sales.len() - seen.len()..];
            for ((sale, one), before) in last.iter().zip(&seen).zip(before) {
                if let Some(shown) = sale.shown {
                    let shown = shown - this.index.at(sale.at);
                    let group = group(counted.within(7.0));
                    trials.push(Trial { group, before, shown, sale: one.value });
                }
            }
        }
        this.shown = Shown::learned(&trials, this.habits.noise);
        this
    }

    /// The last sales that count, less what the market did since and what a bid does.
    #[must_use]
    pub fn seen(&self, counted: &Counted) -> Vec<Seen> {
        let start = counted.sales.len().saturating_sub(LAST);
        let seen = counted.sales[start..].iter().map(|sale| {
            let bid = if sale.by_bid { self.bid } else { 0.0 };
            Seen {
                at: sale.at,
                value: sale.price - self.index.at(sale.at) - bid,
                weight: sale.weight,
            }
        });
        seen.collect()
    }

    /// How far a sale by bid is from one by buyout of the same card, in the middle.
    fn bids(&self, cards: &[Counted]) -> f64 {
        let mut rests = [Vec::new(), Vec::new()];
        for counted in cards.iter().filter(|counted| counted.sales.len() >= 5) {
            let seen = self.seen(counted);
            let middle = super::median(seen.iter().map(|one| one.value).collect());
            let last = &counted.sales[counted.sales.len() - seen.len()..];
            for (sale, one) in last.iter().zip(&seen) {
                rests[usize::from(sale.by_bid)].push(one.value - middle);
            }
        }
        if rests.iter().any(|rests| rests.len() < 2 * ENOUGH) {
            return 0.0;
        }
        let [buyout, bid] = rests.map(super::median);
        bid - buyout
    }

    fn learned_habits(&self, cards: &[Counted]) -> Habits {
        let mut habits = self.habits.clone();
        let mut shares = vec![1.0; habits.speeds.len()];
        let mut noises = Vec::new();
        for counted in cards {
            let seen = self.seen(counted);
            if seen.len() < MANY {
                continue;
            }
            let fits = habits.fits(&seen, Normal { mean: seen[0].value, variance: 1.0 });
            for (sum, (share, _)) in shares.iter_mut().zip(&fits) {
                *sum += share;
            }
            noises.push(fits.iter().map(|(share, level)| share * level.noise).sum());
        }
        let all: f64 = shares.iter().sum();
        for (speed, share) in habits.speeds.iter_mut().zip(shares) {
            speed.1 = share / all;
        }
        if noises.len() >= ENOUGH {
            habits.noise = super::median(noises);
        }
        habits
    }
}
