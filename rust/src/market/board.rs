//! The lots of a market: by id, by the time they end, by copy.
//!
//! Invariant: all orders are total and of the data alone, so that the same replies give the same
//! board: what is hashed is only looked up, and kept in order. What is past its time by [`KEEP_OPEN`]
//! is dropped by [`Board::prune`], what was told by [`Board::sweep`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize, Serializer};

use crate::market::asked::{DAY, HOUR, Seen, Status};
use crate::market::calendar::Calendar;
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
    /// Those whose end nobody told, by expiry.
    open: Calendar,
    /// Those whose end was told, by the later of expiry and posting.
    told: Calendar,
    /// The newest lot of each copy.
    #[serde(serialize_with = "in_order")]
    copies: HashMap<i64, i64>,
}

fn in_order<S: Serializer>(copies: &HashMap<i64, i64>, to: S) -> Result<S::Ok, S::Error> {
    copies.iter().collect::<BTreeMap<_, _>>().serialize(to)
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
        self.open.range(expiry).filter_map(|(_, id)| self.lots.get(&id))
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
        let (old, new) = (before.as_ref().map(end), end(lot));
        if old != Some(new) {
            if let Some((is_told, at)) = old {
                self.ends(is_told).remove(at, auction_id);
            }
            self.ends(new.0).insert(new.1, auction_id);
        }
        if old.is_none() && seen.status == Status::Active && seen.card_instance_id != 0 {
            self.list_copy(seen);
        }
        Change { before, auction_id }
    }

    /// The lot before of a copy that is listed once more: it was sold, or it was not.
    #[must_use]
    pub fn earlier(&self, seen: &Seen) -> Option<i64> {
        if self.lots.contains_key(&seen.auction_id) {
            return None; // that was said when it was listed
        }
        let newest = *self.copies.get(&seen.card_instance_id)?;
        (newest < seen.auction_id && self.lots.contains_key(&newest)).then_some(newest)
    }

    fn ends(&mut self, is_told: bool) -> &mut Calendar {
        if is_told { &mut self.told } else { &mut self.open }
    }

    fn list_copy(&mut self, seen: &Seen) {
        let newest = self.copies.entry(seen.card_instance_id).or_insert(seen.auction_id);
        let earlier = std::mem::replace(newest, seen.auction_id.max(*newest));
        if earlier >= seen.auction_id {
            return;
        }
        // an acquisition time that is not told says nothing of a sale
        let is_told = |lot: &&mut Lot| lot.acquired_at.min(seen.acquired_at) != 0;
        if let Some(lot) = self.lots.get_mut(&earlier).filter(is_told) {
            let sold = seen.acquired_at > lot.acquired_at;
            let (posted_at, acquired_at) = (seen.posted_at, seen.acquired_at);
            lot.relisted = Some(Relisted { posted_at, sold, acquired_at });
        }
    }

    /// Drop, and return, what is over for good and was never told.
    pub fn prune(&mut self, now: i64) -> Vec<Lot> {
        let over = self.open.take_before(now - KEEP_OPEN);
        over.into_iter().filter_map(|(_, id)| self.remove(id)).collect()
    }

    /// Drop, and return, what was told and is past its time.
    pub fn sweep(&mut self, now: i64) -> Vec<Lot> {
        let over = self.told.take_before(now - KEEP_TOLD);
        over.into_iter().filter_map(|(_, id)| self.remove(id)).collect()
    }

    fn remove(&mut self, auction_id: i64) -> Option<Lot> {
        let lot = self.lots.remove(&auction_id)?;
        if self.copies.get(&lot.card_instance_id) == Some(&auction_id) {
            self.copies.remove(&lot.card_instance_id);
        }
        Some(lot)
    }
}

/// Whether a lot's end was told, and when its time is over.
fn end(lot: &Lot) -> (bool, i64) {
    let is_told = lot.is_told();
    (is_told, if is_told { lot.expires_at.max(lot.posted_at) } else { lot.expires_at })
}
