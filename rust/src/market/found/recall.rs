//! Ended auctions that were asked for again in; how long a refresh knows them out.
//!
//! Invariant: an answer counts by the shortest time since the end that the looks before leave open,
//! a missing one by the longest: the bracket holds whatever the true end was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, MINUTE, SECOND, Seen, Status};
use crate::market::board::Board;
use crate::market::found::question::Question;
use crate::market::found::{Flags, Recall};

/// Known for so long, it is known for ever, as far as anyone asks.
const LONG: i64 = 2 * HOUR;
/// Answers against the bracket, in a row, that reopen it.
const AGAINST: u8 = 3;
/// Ended auctions that are kept to be asked for again.
const WITNESSES: usize = 96;
/// Their ends are known this well.
const CLOSE: i64 = MINUTE;

/// An ended auction, and between what times it ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Witness {
    after: i64,
    before: i64,
}

/// How long ended auctions are known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recalled {
    pub recall: Question<Recall>,
    /// The longest time after which one was answered.
    pub low: i64,
    /// The shortest after which one was left out; [`i64::MAX`]: none was.
    high: i64,
    against: u8,
    /// By id.
    witnesses: BTreeMap<i64, Witness>,
    remembered_at: i64,
    asked_at: i64,
}

impl Recalled {
    pub fn new(pins: &Flags) -> Self {
        Self {
            recall: Question::new(pins.recall),
            low: 0,
            high: i64::MAX,
            against: 0,
            witnesses: BTreeMap::new(),
            remembered_at: 0,
            asked_at: 0,
        }
    }

    /// Whether `id` is kept as one that ended.
    pub fn knows(&self, id: i64) -> bool {
        self.witnesses.contains_key(&id)
    }

    /// Between what times an auction that is not on offer at `at` ended.
    fn end(&self, id: i64, at: i64, board: &Board) -> Option<Witness> {
        if let Some(&witness) = self.witnesses.get(&id) {
            return Some(witness);
        }
        let lot = board.get(id)?;
        let told = lot.told.map_or(at, |told| told.at);
        if lot.last_active == 0 {
            return Some(Witness { after: lot.posted_at, before: told });
        }
        let before = told.min(lot.expires_at);
        let is_expired = lot.told.is_some_and(|told| told.status == Status::Expired);
        let after = if is_expired { before } else { lot.last_active.min(before) };
        Some(Witness { after, before })
    }

    /// Take in what was said of ids that were read.
    pub fn observe(&mut self, read: &[i64], shown: &BTreeMap<i64, &Seen>, at: i64, board: &Board) {
        // one reply is one observation against the bracket, whatever many ids it has
        let (mut answered, mut missing) = (0, i64::MAX);
        for &id in read {
            let Some(end) = self.end(id, at, board) else { continue };
            match shown.get(&id) {
                Some(seen) if seen.status != Status::Active => {
                    answered = answered.max(at - end.before);
                }
                None => missing = missing.min(at - end.after),
                Some(_) => {}
            }
        }
        let longer = answered > self.high.saturating_add(self.high / 5);
        let shorter = missing < self.low - self.low / 5;
        if longer || shorter {
            self.against += 1;
            if self.against < AGAINST {
                return;
            }
            (self.low, self.high) = (0, i64::MAX);
            self.recall.drop_held();
        } else if answered * 2 > self.low || missing / 2 < self.high {
            self.against = 0;
        }
        if self.high == i64::MAX && missing < i64::MAX {
            self.low = 0; // there is an end to it: what was shown before may be of another time
        }
        self.low = self.low.max(answered.min(self.high));
        self.high = self.high.min(missing.max(self.low));
        self.settle(at);
    }

    fn settle(&mut self, at: i64) {
        let minutes = self.low / MINUTE;
        if self.high == i64::MAX {
            if self.low >= LONG && self.recall.believed() != Some(Recall::Forever) {
                let why = format!("a refresh shows what ended {minutes} min before");
                self.recall.settle(Recall::Forever, at, why);
            }
            return;
        }
        let is_narrow = self.high / 4 <= self.low;
        let seconds =
            ((self.low as f64 / SECOND as f64) * (self.high as f64 / SECOND as f64)).sqrt();
        let fits = match self.recall.believed() {
            Some(Recall::Seconds(held)) => {
                let held = f64::from(held);
                held <= seconds * 1.5 && seconds <= held * 1.5
            }
            Some(Recall::Forever) | None => false,
        };
        if is_narrow && !fits {
            let (from, to) = (self.low / SECOND, self.high / SECOND);
            let why = format!("shown {from} s after the end, left out {to} s after it");
            self.recall.settle(Recall::Seconds(seconds as u32), at, why);
        }
    }

    /// Keep some of the auctions that a reply shows to have ended, to ask for them again.
    pub fn remember(&mut self, shown: &BTreeMap<i64, &Seen>, at: i64, board: &Board) {
        if at - self.remembered_at < 30 * SECOND {
            return;
        }
        let ended = shown.iter().filter(|(_, seen)| seen.status != Status::Active);
        let newest = ended
            .filter(|(id, _)| !self.witnesses.contains_key(id))
            .filter_map(|(&id, seen)| {
                let mut end = self.end(id, at, board)?;
                if seen.status == Status::Expired && end.before < at {
                    end.after = end.before;
                }
                (end.before - end.after <= CLOSE).then_some((end.before, id, end))
            })
            .max_by_key(|&(before, id, _)| (before, id));
        let Some((_, id, end)) = newest else { return };
        self.remembered_at = at;
        self.witnesses.insert(id, end);
        self.witnesses.retain(|_, witness| at - witness.before < DAY + 6 * HOUR);
        if self.witnesses.len() > WITNESSES {
            self.thin(at);
        }
    }

    /// Drop the one whose age is nearest to another's, in proportion.
    fn thin(&mut self, at: i64) {
        let age = |witness: &Witness| ((at - witness.before).max(1) as f64).ln();
        let mut ages: Vec<(f64, i64)> =
            self.witnesses.iter().map(|(&id, witness)| (age(witness), id)).collect();
        ages.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let nearest =
            ages.windows(3).min_by(|a, b| (a[2].0 - a[0].0).total_cmp(&(b[2].0 - b[0].0)));
        if let Some(&[_, (_, id), _]) = nearest {
            self.witnesses.remove(&id);
        }
    }

    /// Up to `room` ended auctions that are worth asking for again beside others.
    pub fn riders(&mut self, now: i64, room: usize) -> Vec<i64> {
        if room == 0 || self.recall.is_pinned() {
            return Vec::new();
        }
        let is_found = self.recall.held.is_some() && self.against == 0;
        let is_done =
            if self.high == i64::MAX { self.low >= DAY } else { self.high / 2 <= self.low };
        let pause = if is_found && is_done { 30 * MINUTE } else { MINUTE };
        if now - self.asked_at < pause {
            return Vec::new();
        }
        let range = if self.high == i64::MAX {
            // twice as old as the oldest that was answered, and so on
            let low = self.low.clamp(MINUTE, DAY / 2);
            (low * 3 / 2, low * 4)
        } else if is_done {
            (self.low / 2, self.high * 2)
        } else {
            let middle = (self.low.max(SECOND) as f64 * self.high as f64).sqrt() as i64;
            (middle * 3 / 4, middle * 4 / 3)
        };
        let age = |witness: &Witness| now - witness.before;
        let mut wanted: Vec<(i64, i64)> = self
            .witnesses
            .iter()
            .map(|(&id, witness)| (age(witness), id))
            .filter(|&(age, _)| (range.0..=range.1).contains(&age))
            .collect();
        wanted.sort_unstable();
        let step = wanted.len().div_ceil(room.min(3)).max(1);
        let riders: Vec<i64> = wanted.into_iter().rev().step_by(step).map(|(_, id)| id).collect();
        if !riders.is_empty() {
            self.asked_at = now;
        }
        riders
    }
}
