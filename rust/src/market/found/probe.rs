//! What is not known of an upstream in, a request worth sending for that alone out.

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, HOUR, MINUTE, SECOND};
use crate::market::board::Board;
use crate::market::found::list::List;
use crate::market::found::page::Order;
use crate::market::found::refresh::Refreshes;
use crate::market::found::{Ended, Recall, recall::Recalled};

/// Time between two probes while something is open.
const GAP: i64 = 40 * SECOND;
/// Probes of an open question in a row before it has to wait.
const TRIES: u8 = 12;
/// How long it waits then.
const WAIT: i64 = 30 * MINUTE;
/// Nothing has shown it for so long: look whether it still is so.
const STALE: i64 = 3 * HOUR;

/// When what was asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Probes {
    asked_at: i64,
    paging: Tries,
    order: Tries,
    cut: Tries,
    ended: Tries,
    batch: Tries,
}

/// How often one question was asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tries {
    count: u8,
    at: i64,
}

impl Tries {
    /// Whether an open question may be asked once more.
    fn take(&mut self, now: i64, most: u8, wait: i64) -> bool {
        if now - self.at >= wait {
            self.count = 0;
        }
        if self.count >= most {
            return false;
        }
        self.count += 1;
        self.at = now;
        true
    }
}

impl Probes {
    /// A probe that is worth a request now.
    pub fn next(
        &mut self,
        now: i64,
        board: &Board,
        list: &List,
        refreshes: &Refreshes,
        recalled: &Recalled,
    ) -> Option<Ask> {
        let front = list.front.as_ref()?;
        if now - self.asked_at < GAP {
            return None;
        }
        let rows = list.page.held.unwrap_or_else(|| u32::try_from(front.ids.len()).unwrap_or(100));
        let search = |offset: u32| Ask::Search { offset, count: rows.max(100) };
        let ask = self
            .paging(now, list, rows)
            .or_else(|| self.order(now, list))
            .or_else(|| self.cut(now, list, rows))
            .map(search)
            .or_else(|| self.refresh(now, board, list, refreshes, recalled))?;
        self.asked_at = now;
        Some(ask)
    }

    /// A page further back.
    fn paging(&mut self, now: i64, list: &List, rows: u32) -> Option<u32> {
        let paging = &list.paging;
        if paging.is_pinned() || list.order.held == Some(Order::Random) {
            return None;
        }
        let is_stale = now - paging.shown_at.max(self.paging.at) >= STALE;
        if !(is_stale || paging.is_open()) || !self.paging.take(now, TRIES, WAIT) {
            return None;
        }
        // what is compared in an arbitrary order is the page at 0, and that of late
        let is_compared = list.unsorted > 0 && list.front.as_ref()?.at + 5 * MINUTE < now;
        Some(if is_compared { 0 } else { rows.saturating_mul(2).max(100) })
    }

    /// The page at 0 once more, where pages stand in no order.
    fn order(&mut self, now: i64, list: &List) -> Option<u32> {
        let order = &list.order;
        if order.is_pinned() || list.unsorted < 2 {
            return None;
        }
        let is_stale = now - order.shown_at >= HOUR;
        let is_strict = matches!(order.held, Some(Order::Newest | Order::Ending));
        let is_open = order.is_open() || is_strict;
        ((is_stale || is_open) && self.order.take(now, TRIES, WAIT)).then_some(0)
    }

    /// Where the list might be cut.
    fn cut(&mut self, now: i64, list: &List, rows: u32) -> Option<u32> {
        let can =
            list.is_cut && list.paging.held == Some(true) && list.order.held != Some(Order::Random);
        if !can || list.truncate.is_pinned() || list.truncate.held == Some(0) {
            return None;
        }
        let is_open = list.truncate.held.is_none() || list.cut.is_doubted();
        let is_stale = now - self.cut.at >= 2 * STALE;
        let offset = list.cut.next(rows)?;
        ((is_open || is_stale) && self.cut.take(now, 2 * TRIES, WAIT)).then_some(offset)
    }

    /// An auction that surely has ended, or those of the page at 0.
    fn refresh(
        &mut self,
        now: i64,
        board: &Board,
        list: &List,
        refreshes: &Refreshes,
        recalled: &Recalled,
    ) -> Option<Ask> {
        let front = list.front.as_ref()?;
        let ended = &refreshes.ended;
        let is_open = ended.is_open() || refreshes.fails > 2 && ended.held != Some(Ended::Error);
        let is_stale = now - refreshes.sure_at.max(self.ended.at) >= STALE;
        if (is_open || is_stale) && !ended.is_pinned() {
            // just ended, and not where it would have been forgotten already
            let known = match recalled.recall.held {
                Some(Recall::Seconds(seconds)) => i64::from(seconds) * SECOND / 2,
                Some(Recall::Forever) | None => 2 * MINUTE,
            };
            let span = now - known.max(20 * SECOND)..=now - 6 * SECOND;
            let mut just =
                board.open(span).filter(|lot| lot.absent_at == 0).map(|lot| lot.auction_id);
            if let Some(id) = just.next_back()
                && self.ended.take(now, TRIES, WAIT)
            {
                // what is on offer stands behind, so that what is left out was surely read
                let ended = std::iter::once(id).chain(just.take(2));
                let ids = ended.chain(front.ids.iter().copied().take(5));
                return Some(Ask::Refresh { ids: ids.collect() });
            }
        }
        let age = now - front.at;
        let some_ended = ended.held.is_none() && age >= MINUTE;
        let is_open = refreshes.batch.held.is_none() || some_ended;
        if is_open && age < 10 * MINUTE && self.batch.take(now, TRIES / 2, STALE) {
            let wish = refreshes.wish() as usize;
            let mut ids = front.ids.clone();
            let others = board
                .posted(i64::MIN..=i64::MAX)
                .rev()
                .filter(|lot| !lot.is_told() && lot.expires_at > now);
            ids.extend(
                others.map(|lot| lot.auction_id).filter(|id| !front.ids.contains(id)).take(wish),
            );
            ids.truncate(wish);
            return Some(Ask::Refresh { ids });
        }
        None
    }
}
