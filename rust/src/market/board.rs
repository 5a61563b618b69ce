//! The lots of a market: by id, by the time they end, by copy.
//!
//! Invariant: all orders are total and of the data alone, so that the same replies give the same
//! board. What is told, or past its time by [`KEEP_OPEN`], is dropped by [`Board::prune`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, Seen, Status};
use crate::market::lot::{Lot, Relisted};

/// How long a lot that was never told is kept after its expiry: later nothing can become of it.
pub const KEEP_OPEN: i64 = DAY + HOUR;
/// How long a told lot is kept after its expiry: a list may go on showing it.
const KEEP_TOLD: i64 = HOUR;

/// Every lot that still matters.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Board {
    /// By id, and thereby by posting.
    lots: BTreeMap<i64, Lot>,
    /// (expiry, id) of those whose end nobody told.
    open: BTreeSet<(i64, i64)>,
    /// The newest lot of each copy.
    copies: BTreeMap<i64, i64>,
}

/// What a reply said of one lot.
#[derive(Clone, Debug)]
pub struct Change {
    /// As it was before; None: it is new.
    pub before: Option<Lot>,
    /// Its id.
    pub auction_id: i64,
}

impl Board {
    /// A lot by its auction's id.
    #[must_use]
    pub fn get(&self, auction_id: i64) -> Option<&Lot> {
        self.lots.get(&auction_id)
    }

    /// The same, to be changed; not its expiry.
    pub fn get_mut(&mut self, auction_id: i64) -> Option<&mut Lot> {
        self.lots.get_mut(&auction_id)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lots.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lots.is_empty()
    }

    /// All lots, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values()
    }

    /// Lots whose id lies in `ids`, by id.
    #[must_use]
    pub fn posted(&self, ids: RangeInclusive<i64>) -> impl DoubleEndedIterator<Item = &Lot> {
        let (from, to) = ids.into_inner();
        self.lots.range(from.min(to)..=to).map(|(_, lot)| lot)
    }

    /// Lots that nobody told the end of and that expire in the span, by expiry.
    #[must_use]
    pub fn open(&self, expiry: RangeInclusive<i64>) -> impl DoubleEndedIterator<Item = &Lot> {
        let (from, to) = expiry.into_inner();
        self.open
            .range((from.min(to), i64::MIN)..=(to, i64::MAX))
            .filter_map(|(_, id)| self.lots.get(id))
    }

    /// How many lots are open.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.open.len()
    }

    /// Take in what a reply shows of one auction.
    pub fn see(&mut self, seen: &Seen, at: i64) -> Change {
        let auction_id = seen.auction_id;
        let (before, lot) = match self.lots.entry(auction_id) {
            Entry::Occupied(known) => {
                let (before, lot) = (known.get().clone(), known.into_mut());
                lot.see(seen, at);
                (Some(before), lot)
            }
            Entry::Vacant(place) => (None, place.insert(Lot::new(seen, at))),
        };
        let old = before.as_ref().map(|lot| (lot.expires_at, lot.is_told()));
        let (expires_at, told) = (lot.expires_at, lot.is_told());
        if old != Some((expires_at, told)) {
            if let Some((expiry, _)) = old {
                self.open.remove(&(expiry, auction_id));
            }
            if !told {
                self.open.insert((expires_at, auction_id));
            }
        }
        if old.is_none() && seen.status == Status::Active && seen.card_instance_id != 0 {
            self.list_copy(seen);
        }
        Change { before, auction_id }
    }

    /// The lot before of a copy that is listed: it was sold, or it was not.
    #[must_use]
    pub fn earlier(&self, seen: &Seen) -> Option<i64> {
        let earlier = self.lots.get(self.copies.get(&seen.card_instance_id)?)?;
        (earlier.auction_id < seen.auction_id).then_some(earlier.auction_id)
    }

    fn list_copy(&mut self, seen: &Seen) {
        let newest = self.copies.entry(seen.card_instance_id).or_insert(seen.auction_id);
        let earlier = std::mem::replace(newest, seen.auction_id.max(*newest));
        if earlier >= seen.auction_id {
            return;
        }
        if let Some(lot) = self.lots.get_mut(&earlier) {
            let sold = seen.acquired_at > lot.acquired_at;
            let (posted_at, acquired_at) = (seen.posted_at, seen.acquired_at);
            lot.relisted = Some(Relisted { posted_at, sold, acquired_at });
        }
    }

    /// Drop what is over for good; a little of it at a time.
    pub fn prune(&mut self, now: i64) {
        let gone: Vec<(i64, i64)> =
            self.open.range(..(now - KEEP_OPEN, i64::MIN)).copied().take(10_000).collect();
        for key in gone {
            self.open.remove(&key);
            self.remove(key.1);
        }
    }

    /// Drop what was told and is past its time: looks at every lot, so it is done now and then.
    pub fn sweep(&mut self, now: i64) {
        let over = |lot: &Lot| lot.is_told() && lot.expires_at.max(lot.posted_at) + KEEP_TOLD < now;
        let gone: Vec<i64> =
            self.lots.values().filter(|lot| over(lot)).map(|lot| lot.auction_id).collect();
        for id in gone {
            self.remove(id);
        }
    }

    fn remove(&mut self, auction_id: i64) {
        if let Some(lot) = self.lots.remove(&auction_id)
            && self.copies.get(&lot.card_instance_id) == Some(&auction_id)
        {
            self.copies.remove(&lot.card_instance_id);
        }
    }
}
