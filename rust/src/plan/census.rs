//! Looks at the list in, how many auctions were listed in an hour out.
//!
//! Of the listings of an hour that run equally long, those are seen that still live when the first
//! page that could show them is looked at. Each look adds its part to the chance to be seen: the share
//! of these listings that it is the first to reach, times the chance that one of them lived that long.
//! What was seen, divided by that chance, is what was listed (Horvitz and Thompson), whatever the order.
//!
//! Invariant: bounded: hours of four days. Nothing in here steers what is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, SECOND};
use crate::plan::fading::Fading;

/// No auction runs longer, microseconds.
pub const LONGEST: i64 = 3 * DAY + HOUR;
/// Hours that are kept.
const KEEP: i64 = 96;
/// Listings that the rate of the hour of the day counts for: it is off by a fifth or so.
const PRIOR: f32 = 25.0;
/// The survival curve is of all hours of the day: what was not seen of one is off by a fifth or so.
const DOUBT: f32 = 0.2;

/// Listings of an hour that run equally long.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Cell {
    /// Seen.
    seen: u32,
    /// Those that were on the page that was the first to reach their place.
    met: f32,
    /// Share of the cell's places that a page has reached.
    reached: f32,
    /// Chance that one of the cell was on offer when its place was reached first.
    chance: f32,
}

/// What is listed on any day.
#[derive(Clone, Debug)]
pub struct Usual {
    /// Listings a second by the hour of the day.
    pub hourly: [f32; 24],
    /// Durations, and the share of listings of each.
    pub shares: Vec<(i64, f32)>,
}

/// Listings of an hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// Seen.
    pub seen: u32,
    /// Of the whole hour, and an interval that should hold the truth nine times of ten.
    pub listed: (f32, f32, f32),
    /// Until now.
    pub so_far: f32,
    /// Share of them, until now, whose place no page has reached.
    pub blind: f32,
}

/// What was looked at, by hour and duration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Census {
    cells: BTreeMap<(i64, i64), Cell>,
    fading: Fading,
}

impl Census {
    /// Nothing was looked at.
    #[must_use]
    pub fn new() -> Self {
        Self { cells: BTreeMap::new(), fading: Fading::new(|_| 1.0) }
    }

    /// From now on listings fade like this.
    pub fn set_fading(&mut self, fading: Fading) {
        self.fading = fading;
    }

    /// A lot is seen for the first time.
    pub fn saw(&mut self, posted_at: i64, duration: i64) {
        self.cell(posted_at.div_euclid(HOUR), duration).seen += 1;
    }

    /// A page of `at` is the first to reach all that were posted in the span, run that long and are on
    /// offer.
    pub fn reached(&mut self, duration: i64, (from, to): (i64, i64), at: i64) {
        let mut start = from;
        while start < to {
            let hour = start.div_euclid(HOUR);
            let end = ((hour + 1) * HOUR).min(to);
            let alive = self.alive((start, end), duration, at);
            let cell = self.cell(hour, duration);
            let share = part(start, end);
            cell.reached = (cell.reached + share).min(1.0);
            cell.chance += share * alive;
            start = end;
        }
    }

    /// A page of `at` shows so large a `share` of the list: places `drawn` at random, or else such as
    /// were not looked at for longest. Lots of these durations may be on it.
    pub fn drew(&mut self, durations: &[i64], share: f32, at: i64, drawn: bool) {
        for &duration in durations {
            let oldest = at - duration.min(LONGEST);
            for hour in oldest.div_euclid(HOUR)..=at.div_euclid(HOUR) {
                let (begin, to) = (hour * HOUR, ((hour + 1) * HOUR).min(at));
                let from = begin.max(oldest);
                if from >= to {
                    continue;
                }
                let alive = self.alive((from, to), duration, at);
                let cell = self.cell(hour, duration);
                let (posted, on_offer) = (part(begin, to), part(from, to));
                let open = (posted - cell.reached).max(0.0);
                let hit = if drawn {
                    share * open * on_offer / posted
                } else {
                    (share * on_offer).min(open)
                };
                cell.reached += hit;
                cell.chance += hit * alive;
            }
        }
    }

    /// A lot is on a page that is the first to reach its place.
    pub fn met(&mut self, posted_at: i64, duration: i64) {
        self.cell(posted_at.div_euclid(HOUR), duration).met += 1.0;
    }

    /// Forget what is too old.
    pub fn forget(&mut self, now: i64) {
        self.cells = self.cells.split_off(&(now.div_euclid(HOUR) - KEEP, i64::MIN));
    }

    /// The first hour that is kept.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.cells.first_key_value().map(|(&(hour, _), _)| hour)
    }

    /// How many were listed in an hour, counted from 1970; of it lies in the `span` what counts until now.
    #[must_use]
    pub fn listed(&self, usual: &Usual, hour: i64, span: (i64, i64)) -> Estimate {
        let (begin, end) = (hour * HOUR, (hour + 1) * HOUR);
        let posted = part(span.0.max(begin), span.1.min(end));
        let seen =
            self.cells.range((hour, i64::MIN)..(hour + 1, i64::MIN)).map(|(_, cell)| cell.seen);
        let mut all = Estimate { seen: seen.sum(), ..Estimate::default() };
        let (mut variance, mut unseen, mut strangers) = (0.0, 0.0, all.seen);
        for &(duration, share) in &usual.shares {
            let cell = self.cells.get(&(hour, duration)).copied().unwrap_or_default();
            let expected = usual.of(hour) * self.share(usual, duration, share);
            let chance = PRIOR / expected.max(1e-3) + cell.chance;
            let rate = (PRIOR + cell.met) / chance;
            let missed = (1.0 - cell.chance).max(0.0);
            let least = cell.seen as f32;
            variance += rate * missed + missed * missed * rate / chance;
            unseen += rate * missed;
            all.listed.0 += (cell.met + rate * missed).max(least);
            all.so_far += (cell.met + rate * (posted - cell.chance).max(0.0)).max(least);
            all.blind += share * (posted - cell.reached).max(0.0);
            strangers -= cell.seen;
        }
        all.listed.0 += strangers as f32; // of a duration that is hardly in use
        all.so_far += strangers as f32;
        let spread = 1.65 * (variance + (DOUBT * unseen).powi(2)).sqrt();
        let (low, high) = (all.listed.0 - spread, all.listed.0 + spread);
        (all.listed.1, all.listed.2) = (low.max(all.seen as f32), high);
        all
    }

    /// Of usual listings, those that run that long: by all hours, and before them by `guess`.
    fn share(&self, usual: &Usual, duration: i64, guess: f32) -> f32 {
        let alike = self.cells.iter().filter(|((_, length), _)| *length == duration);
        let (met, expected) = alike.fold((0.0, 0.0), |sum, ((hour, _), cell)| {
            (sum.0 + cell.met, sum.1 + cell.chance * usual.of(*hour))
        });
        (PRIOR + met) / (PRIOR / guess.max(1e-6) + expected)
    }

    fn cell(&mut self, hour: i64, duration: i64) -> &mut Cell {
        self.cells.entry((hour, duration)).or_default()
    }

    /// Chance that a listing of the span that runs that long is on offer at `at`.
    fn alive(&self, (from, to): (i64, i64), duration: i64, at: i64) -> f32 {
        let seconds = |age: i64| age.clamp(0, duration) as f32 / SECOND as f32;
        let (young, old) = (seconds(at - to), seconds(at - from));
        let lived = self.fading.after(old).1 - self.fading.after(young).1;
        lived / ((to - from) as f32 / SECOND as f32)
    }
}

impl Default for Census {
    fn default() -> Self {
        Self::new()
    }
}

impl Usual {
    /// Listings of that hour, counted from 1970.
    fn of(&self, hour: i64) -> f32 {
        self.hourly[hour.rem_euclid(24) as usize] * HOUR as f32 / SECOND as f32
    }
}

fn part(from: i64, to: i64) -> f32 {
    (to - from).max(0) as f32 / HOUR as f32
}
