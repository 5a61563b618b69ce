//! Replies and verdicts in; for each hour how much of the market was seen, out.
//!
//! Blind is an hour while nobody looks: what of the time between two replies is over the usual pace,
//! where it is more than [`BLIND`] times that. An ending belongs to the hour in which it was due.
//!
//! Invariant: bounded: hours of four days, verdicts of the last one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, HOUR, MINUTE, SECOND};
use crate::market::lot::{Fate, Lot, Verdict};

/// Replies this many times further apart than usual leave the time between them unseen.
pub const BLIND: i64 = 4;
/// Before anything was measured: 4,000 requests a day.
const PACE: i64 = 21_600_000;
/// No shorter gap is blind.
const LEAST: i64 = MINUTE;
/// What is said of the current hour is told this often.
const OFTEN: i64 = 5 * MINUTE;
/// Hours that are kept, and those in which a verdict may still change.
const KEPT: i64 = 96;
const OPEN: i64 = 27;
/// What is at least this sure is known.
const SURE: f32 = 0.9;
const ENDED: u8 = 1;
const SOLD: u8 = 2;

/// Names of [`Hour::requests`].
pub const KINDS: [&str; 5] = ["front", "further", "refresh", "other", "failed"];

/// What was seen of one hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hour {
    /// Requests by [`KINDS`].
    pub requests: [u32; KINDS.len()],
    /// Auctions that were seen and were to end in it.
    pub due: u32,
    /// Of these, those whose outcome is known.
    pub known: u32,
    /// Of these, sales whose price is known.
    pub sales: u32,
    /// Microseconds without a look.
    pub blind: i64,
    /// What is known of which auction.
    lots: BTreeMap<i64, u8>,
}

/// What was seen, hour by hour.
#[derive(Debug, Serialize, Deserialize)]
pub struct Coverage {
    hours: BTreeMap<i64, Hour>,
    changed: BTreeSet<i64>,
    told_at: i64,
    last: i64,
    /// Usual time between two replies.
    pace: i64,
}

impl Default for Coverage {
    fn default() -> Self {
        let (hours, changed) = (BTreeMap::new(), BTreeSet::new());
        Self { hours, changed, told_at: 0, last: 0, pace: PACE }
    }
}

impl Coverage {
    /// A question, if it is known, was answered, or failed, at `now`.
    pub fn asked(&mut self, ask: Option<&Ask>, failed: bool, now: i64) {
        let kind = match ask {
            _ if failed => 4,
            Some(Ask::Search { offset: 0, .. }) => 0,
            Some(Ask::Search { .. }) => 1,
            Some(Ask::Refresh { .. }) => 2,
            None => 3,
        };
        self.hour(now.div_euclid(HOUR)).requests[kind] += 1;
        if failed {
            return;
        }
        let before = std::mem::replace(&mut self.last, now);
        let gap = now - before;
        if before == 0 || gap <= 0 {
            return;
        }
        if gap > (BLIND * self.pace).max(LEAST) {
            self.unseen(before + self.pace, now);
        }
        self.pace += (gap.min(BLIND * self.pace) - self.pace) / 32;
        self.pace = self.pace.max(SECOND / 10);
    }

    /// A lot was shown for the first time.
    pub fn met(&mut self, lot: &Lot) {
        if lot.expires_at > 0 {
            self.hour(lot.expires_at.div_euclid(HOUR)).due += 1;
        }
    }

    /// What is said of a lot now.
    pub fn judged(&mut self, lot: &Lot, verdict: Option<&Verdict>) {
        if lot.expires_at <= 0 || lot.last_active == 0 {
            return;
        }
        let flags = verdict.map_or(0, |said| {
            let sold = matches!(said.fate, Fate::Bid | Fate::Buyout | Fate::Sold);
            let known = said.fate != Fate::Unknown && said.confidence >= SURE;
            let priced = known && sold && said.price_confidence >= SURE;
            (if known { ENDED } else { 0 }) | (if priced { SOLD } else { 0 })
        });
        let hour = self.hour(lot.expires_at.div_euclid(HOUR));
        let before = hour.lots.insert(lot.auction_id, flags).unwrap_or(0);
        let change = |count: u32, flag: u8| {
            let had = u32::from(before & flag != 0);
            (count + u32::from(flags & flag != 0)).saturating_sub(had)
        };
        (hour.known, hour.sales) = (change(hour.known, ENDED), change(hour.sales, SOLD));
    }

    /// Hours of which there is news to tell at `now`: the current one every five minutes, those
    /// before at the end of an hour. They count as told.
    pub fn news(&mut self, now: i64) -> Vec<(i64, Hour)> {
        if now.div_euclid(OFTEN) == self.told_at.div_euclid(OFTEN) {
            return Vec::new();
        }
        let current = now.div_euclid(HOUR);
        let from = if current == self.told_at.div_euclid(HOUR) { current } else { i64::MIN };
        self.told_at = now;
        let due: Vec<i64> = self.changed.range(from..=current).copied().collect();
        let mut news = Vec::with_capacity(due.len());
        for at in due {
            self.changed.remove(&at);
            if let Some(hour) = self.hours.get(&at) {
                let &Hour { requests, due, known, sales, blind, .. } = hour;
                let lots = BTreeMap::new();
                news.push((at * HOUR, Hour { requests, due, known, sales, blind, lots }));
            }
        }
        self.forget(current);
        news
    }

    fn hour(&mut self, at: i64) -> &mut Hour {
        self.changed.insert(at);
        self.hours.entry(at).or_default()
    }

    fn unseen(&mut self, from: i64, to: i64) {
        let mut at = from.max(to - KEPT * HOUR);
        while at < to {
            let end = ((at.div_euclid(HOUR) + 1) * HOUR).min(to);
            self.hour(at.div_euclid(HOUR)).blind += end - at;
            at = end;
        }
    }

    fn forget(&mut self, current: i64) {
        self.hours = self.hours.split_off(&(current - KEPT));
        for hour in self.hours.range_mut(..current - OPEN).map(|(_, hour)| hour) {
            hour.lots = BTreeMap::new();
        }
    }
}
