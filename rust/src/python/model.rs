//! What holds for all cards of a market, as Python keeps it: plain numbers by name, and back.

use pyo3::prelude::*;

use crate::price::index::Index;
use crate::price::level::{Habits, Normal};
use crate::price::market::Market;
use crate::price::shown::Shown;
use crate::price::traits::Hedonic;

/// A [`Market`]; the names are the columns of the table that keeps it.
#[derive(FromPyObject, IntoPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Model {
    index_from: f64,
    index: Vec<f64>,
    effects: Vec<f64>,
    programs_from: usize,
    spread: f64,
    speeds: Vec<f64>,
    shares: Vec<f64>,
    noise: f64,
    bid: f64,
    shown: Vec<Option<f64>>,
    shown_variance: Vec<Option<f64>>,
}

impl Model {
    pub(super) fn of(market: &Market) -> Self {
        let (speeds, shares) = market.habits.speeds.iter().copied().unzip();
        let shown = market.shown.0;
        Self {
            index_from: market.index.from,
            index: market.index.path.clone(),
            effects: market.hedonic.coefficients.clone(),
            programs_from: market.hedonic.programs_from,
            spread: market.hedonic.spread,
            speeds,
            shares,
            noise: market.habits.noise,
            bid: market.bid,
            shown: shown.iter().map(|view| view.map(|view| view.mean)).collect(),
            shown_variance: shown.iter().map(|view| view.map(|view| view.variance)).collect(),
        }
    }

    /// The same so many days later.
    pub(super) fn market(self, age: f64) -> Market {
        let views = self.shown.into_iter().zip(self.shown_variance);
        let mut shown = Shown::default();
        for (view, (mean, variance)) in shown.0.iter_mut().zip(views) {
            *view = mean.zip(variance).map(|(mean, variance)| Normal { mean, variance });
        }
        Market {
            index: Index { from: self.index_from - age, path: self.index },
            hedonic: Hedonic {
                coefficients: self.effects,
                programs_from: self.programs_from,
                spread: self.spread,
            },
            habits: Habits {
                speeds: self.speeds.into_iter().zip(self.shares).collect(),
                noise: self.noise,
            },
            bid: self.bid,
            shown,
        }
    }
}
