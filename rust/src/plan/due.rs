//! Lots that are worth asking after in, the ones that are worth most out.
//!
//! Invariant: a lot stands here once; what was told, or can no longer be, is dropped when it is met.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, MINUTE};

/// An answer this long after the expiry comes too late to count, microseconds.
pub const TOO_LATE: i64 = DAY - 10 * MINUTE;
/// Steps in which worth is told apart; within one the lot that expired last comes first.
const LEVELS: f32 = 40.0;

/// What to ask after.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Due {
    order: BTreeSet<(u8, i64, i64)>,
    places: BTreeMap<i64, (u8, i64)>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its auction.
    pub auction_id: i64,
    /// When it expires.
    pub expires_at: i64,
    /// What its answer is worth, in sales that become known.
    pub worth: f32,
}

impl Due {
    /// Want a lot, or want it more or less than before.
    pub fn want(&mut self, wanted: Wanted) {
        let level = (wanted.worth.clamp(0.0, 1.0) * LEVELS).round() as u8;
        let place = (level, wanted.expires_at);
        if let Some(old) = self.places.insert(wanted.auction_id, place) {
            self.order.remove(&(old.0, old.1, wanted.auction_id));
        }
        self.order.insert((level, wanted.expires_at, wanted.auction_id));
    }

    /// No longer.
    pub fn drop(&mut self, auction_id: i64) {
        if let Some((level, expires_at)) = self.places.remove(&auction_id) {
            self.order.remove(&(level, expires_at, auction_id));
        }
    }

    /// Whether it is wanted.
    #[must_use]
    pub fn has(&self, auction_id: i64) -> bool {
        self.places.contains_key(&auction_id)
    }

    /// When the one expired that waits the longest, of those worth at least this.
    #[must_use]
    pub fn oldest(&self, least: f32) -> Option<i64> {
        let levels = (least * LEVELS).ceil() as u8..=LEVELS as u8;
        let first = |level| {
            self.order.range((level, i64::MIN, i64::MIN)..(level + 1, i64::MIN, i64::MIN)).next()
        };
        levels.filter_map(first).map(|&(_, expires_at, _)| expires_at).min()
    }

    /// How many are wanted more than this one; None: it is not wanted.
    #[must_use]
    pub fn before(&self, auction_id: i64) -> Option<usize> {
        let &(level, expires_at) = self.places.get(&auction_id)?;
        Some(self.order.range((level, expires_at, auction_id)..).count() - 1)
    }

    /// How many are wanted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The ones that are worth most, best first; `keep` says whether a lot is still worth asking.
    pub fn best(&mut self, count: usize, keep: impl Fn(i64) -> bool) -> Vec<Wanted> {
        let mut best = Vec::with_capacity(count);
        let mut over = Vec::new();
        for &(level, expires_at, auction_id) in self.order.iter().rev() {
            if best.len() == count {
                break;
            }
            if keep(auction_id) {
                let worth = f32::from(level) / LEVELS;
                best.push(Wanted { auction_id, expires_at, worth });
            } else {
                over.push(auction_id);
            }
        }
        for auction_id in over {
            self.drop(auction_id);
        }
        best
    }

    /// The ones that wait the longest of those worth at least this, longest first; `keep` as above.
    pub fn longest(&mut self, count: usize, least: f32, keep: impl Fn(i64) -> bool) -> Vec<Wanted> {
        let levels = (least * LEVELS).ceil() as u8..=LEVELS as u8;
        let row =
            |level| self.order.range((level, i64::MIN, i64::MIN)..(level + 1, i64::MIN, i64::MIN));
        let mut rows: Vec<_> = levels.map(row).collect();
        let mut next: Vec<_> = rows.iter_mut().map(Iterator::next).collect();
        let (mut best, mut over) = (Vec::with_capacity(count), Vec::new());
        while best.len() < count {
            let waits = |place: &usize| next[*place].map_or(i64::MAX, |next| next.1);
            let Some(place) = (0..rows.len()).min_by_key(waits) else { break };
            let Some(&(level, expires_at, auction_id)) = next[place] else { break };
            next[place] = rows[place].next();
            if keep(auction_id) {
                let worth = f32::from(level) / LEVELS;
                best.push(Wanted { auction_id, expires_at, worth });
            } else {
                over.push(auction_id);
            }
        }
        for auction_id in over {
            self.drop(auction_id);
        }
        best
    }

    /// Drop all for which `keep` does not hold.
    pub fn retain(&mut self, keep: impl Fn(i64) -> bool) {
        let over: Vec<i64> = self.places.keys().copied().filter(|&id| !keep(id)).collect();
        for auction_id in over {
            self.drop(auction_id);
        }
    }
}
