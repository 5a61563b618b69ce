//! What an operator may ask of the planner: its outlook, what it knows of one lot, another budget.
//!
//! Invariant: nothing here changes which question comes next.

#![allow(clippy::cast_precision_loss)] // estimates

use crate::market::asked::HOUR;
use crate::market::lot::Lot;
use crate::plan::estimate::listed;
use crate::plan::fading::Fading;
use crate::plan::planner::Planner;
use crate::plan::price::{Means, shadow, yields};

/// Listings of an hour.
#[derive(Clone, Copy, Debug)]
pub struct Hour {
    /// When it began, microseconds.
    pub from: i64,
    /// Seen.
    pub seen: u32,
    /// By estimate, with an interval.
    pub listed: (f32, f32, f32),
    /// By estimate, until now.
    pub so_far: f32,
    /// Seconds of it, until now, whose listings nobody has looked at since the beginning.
    pub blind: f32,
}

/// What could be asked next.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Place of a page; None: a refresh.
    pub offset: Option<u32>,
    /// Ids of a refresh, or new listings that a page would show.
    pub count: f32,
    /// In sales that become known.
    pub worth: f32,
    /// Its reason.
    pub why: &'static str,
}

/// A day under a budget, by the rates learned so far.
#[derive(Clone, Copy, Debug)]
pub struct Forecast {
    /// Listings of a day.
    pub listed: f32,
    /// Of them seen.
    pub seen: f32,
    /// Sales of a day, and of them known.
    pub sales: f32,
    /// Sales known.
    pub known: f32,
    /// Requests for pages.
    pub pages: f32,
    /// Requests for the states of lots.
    pub refreshes: f32,
}

impl Planner {
    /// Price of a request, lots that are due, known, open; listings a second; worth of a new one.
    #[must_use]
    pub fn outlook(&self) -> (f32, usize, usize, usize, f32, f32) {
        let board = &self.tracker.board;
        let rate = self.arrivals.current(self.tracker.now);
        (self.price, self.due.len(), board.len(), board.open_len(), rate, self.value())
    }

    /// Listings of an hour by estimate: (listed, low, high).
    #[must_use]
    pub fn listed(&self, hour: i64) -> (f32, f32, f32) {
        listed(&self.tracker, &self.arrivals, hour).listed
    }

    /// The hours since the beginning, as far as they are kept.
    #[must_use]
    pub fn hours(&self) -> Vec<Hour> {
        let first = self.began.div_euclid(HOUR);
        let kept = self.arrivals.census.first().unwrap_or(first);
        (first.max(kept)..=self.tracker.now.div_euclid(HOUR))
            .map(|hour| {
                let span = (self.began, self.tracker.now);
                let said = self.arrivals.listed(hour, span);
                Hour {
                    from: hour * HOUR,
                    seen: said.seen,
                    listed: said.listed,
                    so_far: said.so_far,
                    blind: said.blind * 3_600.0,
                }
            })
            .collect()
    }

    /// What could be asked at `at`, the worthiest first.
    pub fn choices(&mut self, at: i64) -> Vec<Choice> {
        let flags = *self.tracker.found.flags();
        let reach = flags.truncate.filter(|&reach| reach > 0).unwrap_or(u32::MAX);
        let value = self.value();
        let mut choices = Vec::new();
        if let Some(page) = self.best_page(at, flags.paging != Some(false), reach) {
            let (count, worth) = (page.shown, page.shown * value);
            choices.push(Choice { offset: Some(page.offset), count, worth, why: page.why });
        }
        let (ids, worth) = self.best_refresh(at);
        if !ids.is_empty() {
            let count = ids.len().min(self.batch()) as f32;
            choices.push(Choice { offset: None, count, worth, why: "expired" });
        }
        choices.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        choices
    }

    /// A lot, and when it will be looked at for its own sake: how many come before it if that is
    /// now, else from when on (microseconds; 0: never).
    #[must_use]
    pub fn lot(&self, auction_id: i64) -> Option<(&Lot, Option<usize>, i64)> {
        let lot = self.tracker.board.get(auction_id)?;
        let before = self.due.before(auction_id);
        let from = if lot.is_told() || lot.omitted { 0 } else { self.looked_at(lot) };
        Some((lot, before, from))
    }

    /// What a day with `per_day` requests would give.
    #[must_use]
    pub fn forecast(&self, per_day: usize) -> Forecast {
        let rates = &self.tracker.rates;
        let fading = Fading::new(|age| rates.survival(age));
        let streams = self.list.streams(&self.arrivals);
        let hourly = self.arrivals.hourly();
        let asks = self.tracker.manners().tells;
        let (per_day, batch) = (per_day.max(1) as f32, self.batch() as f32);
        let means = Means { per_day, batch, asks, bonus: self.again.bonus() };
        let price = shadow(&hourly, &streams, &fading, &self.worths, means);
        let (pages, seen, refreshes) =
            yields(price, &hourly, &streams, &fading, &self.worths, means);
        let cost = if asks { price / means.batch } else { 0.0 };
        let listed = hourly.iter().sum::<f32>() * 3_600.0;
        let seen = seen.min(listed);
        Forecast {
            listed,
            seen,
            sales: listed * self.worths.beyond(0.0),
            known: if asks { seen * self.worths.from(cost) } else { 0.0 },
            pages,
            refreshes,
        }
    }
}
