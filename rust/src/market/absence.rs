//! Replies in, the lots that are gone out: what a refresh left out, or a page in order does not show.
//!
//! Invariant: absence counts only where it was proven: of ids that were read, and on a page that
//! stands in the order that is held.

use std::collections::BTreeSet;

use crate::market::asked::{Reply, SECOND, Seen, Status};
use crate::market::found::{Order, stands_in};
use crate::market::judge::Manners;
use crate::market::lot::Lot;
use crate::market::rates::Look;
use crate::market::tracker::{News, Tracker};

/// So many ids have to be read before a tail that is left out can be told to be unread.
const READ: usize = 8;
/// A tail is unread if by chance one in so many would be as long.
const CHANCE: f32 = 1e-3;

impl Tracker {
    /// A refresh was answered: what it left out is gone, as far as it was read.
    pub(super) fn answered(&mut self, ids: &[i64], reply: &Reply, news: &mut News) {
        let shown: BTreeSet<i64> = reply.seen.iter().map(|seen| seen.auction_id).collect();
        for &id in &ids[..self.read(ids, &shown)] {
            let Some(lot) = self.board.get_mut(id) else { continue };
            lot.last_asked = reply.at;
            lot.times_asked = lot.times_asked.saturating_add(1);
            if !shown.contains(&id) && !lot.is_told() {
                self.miss(id, reply.at, true, news);
            }
        }
    }

    /// How many ids of a refresh were surely read: those up to the last that is shown; and those
    /// behind it, if the batch is as long as it was and so many of them would be left out.
    fn read(&self, ids: &[i64], shown: &BTreeSet<i64>) -> usize {
        let last = ids.iter().rposition(|id| shown.contains(id)).map_or(0, |place| place + 1);
        let batch = self.found.surely_read().max(last).min(ids.len());
        let left_out = ids[..last].iter().filter(|id| !shown.contains(id)).count();
        let chance = (left_out as f32 + 1.0) / (last as f32 + 2.0);
        let tail = i32::try_from(batch - last).unwrap_or(i32::MAX);
        if last >= READ && chance.powi(tail) < CHANCE { last } else { batch }
    }

    /// A page came: what stands inside its span and is not on it is gone.
    pub(super) fn spanned(&mut self, reply: &Reply, news: &mut News) {
        let flags = self.found.flags();
        let Some(order) = flags.order.filter(|&order| stands_in(reply, order)) else { return };
        if flags.visible == Some(true) {
            return; // what ended stays in the list for a while, then goes: that it did says little
        }
        let shown: BTreeSet<i64> = reply.seen.iter().map(|seen| seen.auction_id).collect();
        let alive = || reply.seen.iter().filter(|seen| seen.status == Status::Active);
        let gone: Vec<i64> = match order {
            Order::Newest => {
                let (Some(&low), Some(&high)) = (shown.first(), shown.last()) else { return };
                let lots = self.board.posted(low..=high);
                lots.filter(|lot| is_missing(lot, reply.at, &shown))
                    .map(|lot| lot.auction_id)
                    .collect()
            }
            Order::Ending => {
                let expiry =
                    |seen: &Seen| self.board.get(seen.auction_id).map(|lot| lot.expires_at);
                let low = alive().filter_map(expiry).min().unwrap_or_default() + SECOND;
                let high = alive().filter_map(expiry).max().unwrap_or_default() - SECOND;
                if low > high {
                    return;
                }
                let lots = self.board.open(low..=high);
                lots.filter(|lot| is_missing(lot, reply.at, &shown))
                    .map(|lot| lot.auction_id)
                    .collect()
            }
            Order::Random | Order::None => return,
        };
        for id in gone {
            self.miss(id, reply.at, false, news);
        }
    }

    fn miss(&mut self, id: i64, at: i64, omitted: bool, news: &mut News) {
        let Manners { tells, recall, .. } = self.manners();
        let Some(lot) = self.board.get_mut(id) else { return };
        if lot.absent_at == 0 {
            let before = lot.clone();
            // a refresh would have told of it had it ended since
            let sooner = recall.filter(|_| omitted && tells).map_or(at, |recall| at - recall / 2);
            lot.absent_at = if sooner > lot.last_active { sooner } else { at };
            lot.omitted = omitted;
            self.rates.learn(&before, lot.absent_at, Look::Gone);
        }
        news.absent.push(id);
    }
}

/// Whether a lot that ought to be on a page of `at` is not.
fn is_missing(lot: &Lot, at: i64, shown: &BTreeSet<i64>) -> bool {
    !lot.is_told()
        && lot.absent_at == 0
        && lot.last_active != 0
        && lot.last_active < at
        && lot.expires_at > at
        && !shown.contains(&lot.auction_id)
}
