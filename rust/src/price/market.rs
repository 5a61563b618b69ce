//! Every card's sales and asks in; what holds for all of them out.

use super::ask::Asks;
use super::index::Index;
use super::level::{Habits, Normal, Seen};
use super::sale::{Counted, Sale};
use super::shown::{Shown, Trial, group};
use super::traits::{Hedonic, Traits};

/// Sales from which a card tells of the market's habits.
const MANY: usize = 20;
/// Sales of a card that are looked at: twice as many as a level is made of.
const MOST: usize = 120;
/// Cards from which what they have in common is believed.
const ENOUGH: usize = 20;

/// What is known of a card; times in days before now.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// Its kind.
    pub traits: Traits,
    /// Its sales that count, of the last 30 days.
    pub counted: Counted,
    /// Listings with a buyout price of which no end is known.
    pub asks: Asks,
    /// The median that the upstream showed last: when, and its log.
    pub shown: Option<(f64, f64)>,
}

impl Card {
    /// `sales` by time.
    #[must_use]
    pub fn new(traits: Traits, sales: &[Sale], asks: Asks, shown: Option<(f64, f64)>) -> Self {
        let sales = &sales[sales.len().saturating_sub(MOST)..];
        Self { traits, counted: Counted::of(sales, &asks), asks: asks.open(), shown }
    }
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
        let mut this = Self {
            index: Index::learned(cards.iter().map(|card| card.counted.sales.as_slice()), days),
            hedonic: Hedonic::learned(&[]),
            habits: Habits::default(),
            bid: 0.0,
            shown: Shown::default(),
        };
        this.bid = this.bids(cards);
        for _ in 0..2 {
            this.habits = this.learned_habits(cards);
        }
        let mut known = Vec::new();
        for card in cards {
            let seen = this.seen(&card.counted);
            let Some(first) = seen.first() else { continue };
            // by its own sales alone
            let own = this.habits.level(&seen, Normal { mean: first.value, variance: 100.0 });
            known.push((card.traits, own.now.mean, seen.len().min(5) as f64 / 5.0));
        }
        this.hedonic = Hedonic::learned(&known);
        let mut trials = Vec::new();
        for card in cards {
            let seen = this.seen(&card.counted);
            let before = this.habits.before(&seen, this.hedonic.of(&card.traits));
            let group = group(card.counted.within(7.0));
            for ((sale, one), before) in card.counted.last().iter().zip(&seen).zip(before) {
                if let Some(shown) = sale.shown {
                    let shown = shown - this.index.at(sale.at);
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
        let seen = counted.last().iter().map(|sale| {
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
    fn bids(&self, cards: &[Card]) -> f64 {
        let mut rests = [Vec::new(), Vec::new()];
        for card in cards.iter().filter(|card| card.counted.sales.len() >= 5) {
            let seen = self.seen(&card.counted);
            let middle = super::median(seen.iter().map(|one| one.value).collect());
            for (sale, one) in card.counted.last().iter().zip(&seen) {
                rests[usize::from(sale.by_bid)].push(one.value - middle);
            }
        }
        if rests.iter().any(|rests| rests.len() < 2 * ENOUGH) {
            return 0.0;
        }
        let [buyout, bid] = rests.map(super::median);
        bid - buyout
    }

    fn learned_habits(&self, cards: &[Card]) -> Habits {
        let mut habits = self.habits.clone();
        let mut shares = vec![1.0; habits.speeds.len()];
        let mut noises = Vec::new();
        for card in cards {
            let seen = self.seen(&card.counted);
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
