//! Medians that the upstream showed, and the sales that came after, in; how far to trust them out.
//!
//! Nobody public knows what the median is of. It counts as another view of a card's value, as exact as
//! makes the sales after it likeliest, apart for cards that sell seldom, often and very often: where
//! it only repeats what was paid before, wash trades among it, it is not heard.

use super::level::{Normal, likely};

/// Spreads that are tried, in logs.
const SPREADS: [f64; 8] = [0.03, 0.045, 0.06, 0.085, 0.12, 0.2, 0.4, 0.8];
/// Sales from which one is believed.
const ENOUGH: usize = 100;

/// By how many sales count in 7 days: under 5, under 25, more.
#[must_use]
pub fn group(week: usize) -> usize {
    usize::from(week >= 5) + usize::from(week >= 25)
}

/// A sale, and what was known before it.
pub(crate) struct Trial {
    pub(crate) group: usize,
    pub(crate) before: Normal,
    /// Log of the shown median, less the market's moves, and of the sale.
    pub(crate) shown: f64,
    pub(crate) sale: f64,
}

/// What a shown median says of a card's level: how far over it, with which spread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shown(pub(crate) [Option<Normal>; 3]);

impl Shown {
    /// Of cards with so many sales in 7 days; `None` where it is not to be heard.
    #[must_use]
    pub fn of(&self, week: usize) -> Option<Normal> {
        self.0[group(week)]
    }

    /// By the sales that came after.
    pub(crate) fn learned(trials: &[Trial], noise: f64) -> Self {
        Self([0, 1, 2].map(|group| {
            let trials: Vec<&Trial> = trials.iter().filter(|trial| trial.group == group).collect();
            if trials.len() < ENOUGH {
                return None;
            }
            let mean =
                super::median(trials.iter().map(|trial| trial.shown - trial.before.mean).collect());
            let odds = |spread: Option<f64>| -> f64 {
                let one = |trial: &&Trial| {
                    let known = match spread {
                        Some(spread) => trial.before.beside(trial.shown - mean, spread * spread),
                        None => trial.before,
                    };
                    likely(trial.sale - known.mean, known.variance + noise)
                };
                trials.iter().map(one).sum()
            };
            let mut best = (odds(None), None);
            for spread in SPREADS {
                let found = odds(Some(spread));
                if found > best.0 {
                    best = (found, Some(Normal { mean, variance: spread * spread }));
                }
            }
            best.1
        }))
    }
}
