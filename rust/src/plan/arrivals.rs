//! First sights in, how many auctions are listed when, and for how long, out.
//!
//! Each lot that is seen for the first time stands for one divided by the chance that a lot like it
//! was still there (Horvitz and Thompson): with the age at its first sight that is its survival.
//!
//! Invariant: bounded: a rate for each hour of the day, a count for each of the last hours.

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, MINUTE, SECOND};
use crate::market::lot::Lot;
use crate::market::rates::seconds;
use crate::plan::census::{Census, Estimate, Usual};
use crate::plan::fading::Fading;

/// Durations that are told apart, at most.
const DURATIONS: usize = 16;
/// A duration of which fewer are listed is not in use.
const LEAST_SHARE: f32 = 0.01;
/// Listings that what was seen anywhere counts for.
const PRIOR: f32 = 50.0;
/// No weight is larger: a lot that hardly ever lives this long says little of how many there were.
const MOST: f32 = 12.0;

/// What was listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arrivals {
    /// Listings a second by hour of the day (UTC), and seconds of observation behind them.
    hours: [(f32, f32); 24],
    /// Listings a second, whatever the hour.
    level: (f32, f32),
    /// The same of the last quarter of an hour.
    recent: (f32, f32),
    /// How much of them was seen.
    pub census: Census,
    /// For how long auctions run.
    durations: Vec<Duration>,
}

/// Lots that run equally long.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Duration {
    /// Whole minutes in microseconds.
    length: i64,
    /// How many of all that were seen stand for.
    count: f32,
    /// Where it was looked for them alone: found, and listings of all lengths there by estimate.
    found: f32,
    listed: f32,
}

impl Arrivals {
    /// Before anything was seen: a lively market.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hours: [(0.0, 0.0); 24],
            level: (0.0, 0.0),
            recent: (0.0, 0.0),
            census: Census::new(),
            durations: Vec::new(),
        }
    }

    /// A lot is seen for the first time; `survival`: that one like it lived that long; it stands for
    /// `alike` that run as long as it, seen or not.
    pub fn first_sight(&mut self, lot: &Lot, survival: f32, alike: f32) {
        let weight = (1.0 / survival.max(1e-3)).min(MOST);
        if lot.expires_at > lot.posted_at {
            self.lasts(lot.expires_at - lot.posted_at, weight * alike);
        }
    }

    fn lasts(&mut self, duration: i64, weight: f32) {
        let length = whole(duration);
        match self.durations.binary_search_by_key(&length, |known| known.length) {
            Ok(place) => self.durations[place].count += weight,
            Err(place) => {
                self.durations
                    .insert(place, Duration { length, count: weight, ..Duration::default() });
            }
        }
        if self.durations.len() > DURATIONS {
            let rarest = (0..self.durations.len())
                .min_by(|&a, &b| self.durations[a].count.total_cmp(&self.durations[b].count));
            self.durations.remove(rarest.unwrap_or(0));
        }
        if self.durations.iter().map(|known| known.count).sum::<f32>() > 60_000.0 {
            self.durations.iter_mut().for_each(|known| known.count *= 0.5);
        }
    }

    /// Of those posted in the span it was looked for those that run this long: `found` by estimate.
    pub fn looked_for(&mut self, duration: i64, from: i64, to: i64, found: f32) {
        let listed = self.between(from, to);
        if let Some(known) = self.durations.iter_mut().find(|known| known.length == duration) {
            known.found += found;
            known.listed += listed;
            if known.listed > 20_000.0 {
                (known.found, known.listed) = (known.found * 0.5, known.listed * 0.5);
            }
        }
    }

    /// All that was posted in the span, was still there and is of a part of all listings, `share`
    /// of them, has now been looked at: `listed` by estimate.
    pub fn looked(&mut self, from: i64, to: i64, listed: f32, share: f32) {
        let seconds = (to - from) as f32 / SECOND as f32 * share;
        if seconds <= 0.0 {
            return;
        }
        let hour = (from + (to - from) / 2).rem_euclid(DAY) / HOUR;
        for (sum, exposure) in
            [&mut self.hours[hour as usize % 24], &mut self.level, &mut self.recent]
        {
            *sum += listed;
            *exposure += seconds;
        }
        // what is older than some two days of looks fades
        let fade = |pair: &mut (f32, f32), most: f32| {
            if pair.1 > most {
                let keep = most / pair.1;
                *pair = (pair.0 * keep, pair.1 * keep);
            }
        };
        fade(&mut self.hours[hour as usize % 24], 2.0 * 3_600.0);
        fade(&mut self.level, 43_200.0);
        fade(&mut self.recent, 900.0);
    }

    /// Listings a second at `at`, by its hour of the day where that was seen.
    #[must_use]
    pub fn rate(&self, at: i64) -> f32 {
        let level = self.mean();
        let hour = at.rem_euclid(DAY) / HOUR;
        let (sum, exposure) = self.hours[hour as usize % 24];
        let prior = 300.0;
        (sum + level * prior) / (exposure + prior)
    }

    /// Listings a second just now: by the last looks, and by the hour.
    #[must_use]
    pub fn current(&self, at: i64) -> f32 {
        let prior = 60.0;
        (self.recent.0 + self.rate(at) * prior) / (self.recent.1 + prior)
    }

    /// Listings a second, whatever the hour.
    #[must_use]
    pub fn mean(&self) -> f32 {
        if self.level.1 > 0.0 { self.level.0 / self.level.1 } else { 1.0 }
    }

    /// Listings a second by the hour of the day.
    #[must_use]
    pub fn hourly(&self) -> [f32; 24] {
        std::array::from_fn(|hour| self.rate(hour as i64 * HOUR))
    }

    /// How many were listed in an hour, counted from 1970; of it lies in the `span` what counts until now.
    #[must_use]
    pub fn listed(&self, hour: i64, span: (i64, i64)) -> Estimate {
        let usual = Usual { hourly: self.hourly(), shares: self.shares().collect() };
        self.census.listed(&usual, hour, span)
    }

    /// Durations in use, microseconds, the shortest first, and the share of listings of each.
    pub fn durations(&self) -> impl Iterator<Item = (i64, f32)> {
        self.shares().filter(|(_, share)| *share > LEAST_SHARE)
    }

    /// All durations that were seen, and the share of listings of each.
    pub fn shares(&self) -> impl Iterator<Item = (i64, f32)> {
        let counted: f32 = self.durations.iter().map(|known| known.count).sum();
        let part = move |known: &Duration| {
            let prior = known.count / counted;
            (known.found + PRIOR * prior) / (known.listed + PRIOR)
        };
        let all: f32 = self.durations.iter().map(part).sum();
        self.durations.iter().map(move |known| (known.length, part(known) / all))
    }

    /// All durations that were seen.
    #[must_use]
    pub fn lengths(&self) -> Vec<i64> {
        self.durations.iter().map(|known| known.length).collect()
    }

    /// Share of listings that run longer than `age`, seconds.
    #[must_use]
    pub fn lasting(&self, age: f32) -> f32 {
        let longer = |(duration, _): &(i64, f32)| *duration as f32 > age * SECOND as f32;
        self.durations().filter(longer).map(|(_, share)| share).sum()
    }

    /// Listings expected between two moments.
    #[must_use]
    pub fn between(&self, from: i64, to: i64) -> f32 {
        hours(from, to).map(|(from, to)| self.rate(from) * seconds(to - from)).sum()
    }

    /// Those of them that are there still at `now`.
    #[must_use]
    pub fn left(&self, from: i64, to: i64, now: i64, fading: &Fading) -> f32 {
        if from >= to {
            return 0.0;
        }
        let lived = |posted: i64| fading.after(seconds(now - posted)).1;
        let mut before = lived(from); // an hour begins where the last one ended
        let left = hours(from, to).map(|(from, to)| {
            let lost = std::mem::replace(&mut before, lived(to));
            self.rate(from) * (lost - before)
        });
        left.sum()
    }
}

/// The parts of a span that lie in one hour each.
fn hours(from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> {
    let end = move |at: i64| ((at.div_euclid(HOUR) + 1) * HOUR).min(to);
    std::iter::successors(Some(from), move |&at| Some(end(at)))
        .take_while(move |&at| at < to)
        .map(move |at| (at, end(at)))
}

/// A duration in whole minutes.
#[must_use]
pub fn whole(duration: i64) -> i64 {
    (duration + MINUTE / 2).div_euclid(MINUTE) * MINUTE
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}
