//! What a planner knows in, the next question and its reason out.
//!
//! Invariant: a question is chosen by what it brings now that a later one would not.

use std::cmp::Ordering;

use crate::market::asked::{Ask, HOUR, SECOND};
use crate::market::found::Order;
use crate::plan::candidate::{Candidate, View};
use crate::plan::due::Wanted;
use crate::plan::planner::Planner;
use crate::plan::price::LOST;

/// How much more a sale is worth that is known before its time.
const BEFORE_TIME: f32 = 0.003;
/// Requests are to spare below this price, in sales; then one of so many goes on with the round.
pub(super) const SPARE: f32 = 0.005;
const ROUND: u64 = 8;
/// So many places of a full refresh may be for what shows how long ends are told.
const RIDERS: usize = 3;
/// A sale that is known within the hour is worth so much more.
const IN_TIME: f32 = 0.032;

impl Planner {
    pub(super) fn choose(&mut self, at: i64) -> (Ask, &'static str) {
        if let Some(ask) = self.tracker.found.probe(at, &self.tracker.board) {
            return (ask, "probe");
        }
        if self.questions == 0 || self.tracker.board.is_empty() {
            return (self.search(0), "front page");
        }
        let flags = *self.tracker.found.flags();
        let paging = flags.paging != Some(false);
        let reach = self.reach();
        if let Some(offset) = self.list.explore(paging, reach) {
            return (self.search(offset), "where moments stand");
        }
        let is_spare = self.price < SPARE && self.questions % ROUND == ROUND - 1;
        let fills_batch = self.asks_early() && self.early.len() >= self.batch();
        if is_spare && !fills_batch && self.walks(paging) {
            return self.round(reach);
        }
        let page = self.best_page(at, paging, reach);
        if !self.tracker.manners().tells {
            return self.look_before(at, page, reach);
        }
        let (best, worth) = self.best_refresh(at);
        let ids: Vec<i64> = best.iter().map(|wanted| wanted.auction_id).collect();
        let price = self.price.max(0.01);
        let loss = page.map_or(0.0, |page| page.lost * self.unseen());
        let page_is_due = page.is_some_and(|page| self.is_due(page, &best, worth, at));
        if !page_is_due
            && let Some((offset, spared)) = self.ahead(at, reach)
            && spared > worth
        {
            return (self.search(offset), "ahead of a busy hour");
        }
        if let Some(look) = self.again.best().filter(|look| look.gain >= price.max(loss)) {
            return (self.search(look.offset), "a second look");
        }
        match page {
            Some(page) if page_is_due => (self.search(page.offset), page.why),
            _ if !ids.is_empty() => (self.refresh(ids, at), "expired"),
            Some(_) if loss < price && self.walks(paging) => self.round(reach),
            Some(page) => (self.search(page.offset), page.why),
            None => (self.search(0), "front page"),
        }
    }

    /// Whether a page comes before a refresh of these, which is worth so much.
    fn is_due(&self, page: Candidate, best: &[Wanted], worth: f32, at: i64) -> bool {
        let (gain, loss) = (page.shown * self.value(), page.lost * self.unseen());
        let price = self.price.max(0.01);
        let best = &best[..best.len().min(self.batch())];
        // what a request for these would bring now that a later one would not
        let cost = if worth < price { worth } else { price.min(worth) + self.urgency(best, at) };
        // ids wait until they fill a request
        let full = best.len() as f32 / self.batch() as f32;
        loss >= cost * full * full && (gain > 1.3 * price || worth < price)
            || self.is_scarce() && worth < price && gain > worth
    }

    /// When the next question leaves, if it may at `at`: a front page that is worth the price and due
    /// before the request after it is waited for, unless answers perish meanwhile.
    pub(super) fn hold(&mut self, at: i64) -> i64 {
        let after = self.pace.after(at);
        let perishes = !self.tracker.manners().tells || !self.may_wait();
        if perishes || !self.list.is_by_posting() || !self.pace.may_hold(after) {
            return at;
        }
        let (best, worth) = self.best_refresh(at);
        let rates = &self.tracker.rates;
        let fading = &self.list.fading(|age| rates.survival(age), &self.arrivals);
        let is_due = |at: i64| {
            let (arrivals, page) = (&self.arrivals, self.list.page());
            let (paging, reach) = (true, u32::MAX);
            let view = View { at, arrivals, fading, page, paging, reach, least: 0.0 };
            let front = self.list.front(view);
            let pays = !self.is_scarce() || front.lost * self.unseen() >= self.price;
            pays && self.is_due(front, &best, worth, at)
        };
        let (mut low, mut high) = (at, after);
        if is_due(low) || !is_due(high) {
            return at;
        }
        while high - low > SECOND {
            let middle = low + (high - low) / 2;
            if is_due(middle) { high = middle } else { low = middle }
        }
        high
    }

    /// The next page of a round: what nobody waits for is looked at as well.
    pub(super) fn round(&self, reach: u32) -> (Ask, &'static str) {
        (self.search(self.round.place(reach)), "a round of the list")
    }

    /// Where a busy hour to come can be eased, if its ends have to be asked for in time.
    pub(super) fn ahead(&self, at: i64, reach: u32) -> Option<(u32, f32)> {
        let flags = self.tracker.found.flags();
        self.tracker.manners().recall?;
        let is_listed = flags.order == Some(Order::Newest) && flags.paging != Some(false);
        self.ahead.page(at, &self.list).filter(|&(place, _)| is_listed && place < reach)
    }

    /// Whether the list can be passed over page by page.
    pub(super) fn walks(&self, paging: bool) -> bool {
        let order = self.tracker.found.flags().order;
        paging && matches!(order, Some(Order::Newest | Order::Ending))
    }

    /// Whether the list stands in no order.
    pub(super) fn sweeps(&self) -> bool {
        matches!(self.tracker.found.flags().order, Some(Order::None | Order::Random))
    }

    /// What a new listing is worth.
    pub(super) fn value(&self) -> f32 {
        (self.worths.beyond(self.share()) + self.again.bonus()).max(0.01)
    }

    /// What a listing is worth that came and went unseen.
    fn unseen(&self) -> f32 {
        if self.sweeps() { self.value().max(LOST) } else { self.value() }
    }

    pub(super) fn best_page(&self, at: i64, paging: bool, reach: u32) -> Option<Candidate> {
        let rates = &self.tracker.rates;
        let arrivals = &self.arrivals;
        let fading = &self.list.fading(|age| rates.survival(age), arrivals);
        let page = self.list.page();
        let least = self.price / self.value();
        let view = View { at, arrivals, fading, page, paging, reach, least };
        let options = self.list.options(view);
        options.into_iter().max_by(|a, b| {
            (a.lost, a.shown).partial_cmp(&(b.lost, b.shown)).unwrap_or(Ordering::Equal)
        })
    }

    /// The ids that are worth most, and what the answers of a batch of them are.
    pub(super) fn best_refresh(&mut self, at: i64) -> (Vec<Wanted>, f32) {
        let batch = self.batch();
        let board = &self.tracker.board;
        let late = self.patience();
        let keep = |id: i64| {
            board.get(id).is_some_and(|lot| {
                !lot.is_told() && !lot.is_left_out() && lot.expires_at + late > at
            })
        };
        let on_offer =
            |id: i64| board.get(id).is_some_and(|lot| lot.absent_at == 0 && lot.expires_at > at);
        // beyond a batch as well, where it may be longer by now
        let wish = self.tracker.found.batch_wish().saturating_sub(RIDERS).max(batch);
        let mut best = self.doubtful.best(wish, |id| keep(id) && on_offer(id));
        best.extend(if self.sweeps() {
            self.due.longest(wish - best.len(), self.share(), keep)
        } else {
            self.due.best(wish - best.len(), keep)
        });
        let due = best.len().min(batch);
        if !self.sweeps() {
            best.extend(self.early.best(wish - best.len(), keep));
        }
        let (first, more) = best[..best.len().min(batch)].split_at(due);
        // one that is told before its time need not be asked for after it
        let spared = self.share() + BEFORE_TIME;
        let worth = self.worth_now(first) + spared * self.worth_now(more);
        (best, worth)
    }

    /// What is lost if these are asked after later: than an hour after they ended, or after the end
    /// before which they are to be looked at.
    pub(super) fn urgency(&self, best: &[Wanted], at: i64) -> f32 {
        let fresh = |wanted: &&Wanted| {
            self.tracker.board.get(wanted.auction_id).is_some_and(|lot| {
                let gone = if lot.absent_at == 0 { lot.expires_at } else { lot.last_active };
                (at - HOUR..at).contains(&gone)
            })
        };
        let worth = best.iter().filter(fresh).map(|wanted| (2.0 * wanted.worth - 1.0).max(0.0));
        let in_time = if self.sweeps() { 0.0 } else { IN_TIME };
        worth.sum::<f32>() * in_time + self.fleeting(best, at)
    }

    pub(super) fn search(&self, offset: u32) -> Ask {
        Ask::Search { offset, count: 100.max(self.list.page() as u32) }
    }

    pub(super) fn refresh(&mut self, mut ids: Vec<i64>, at: i64) -> Ask {
        let wish = self.tracker.found.batch_wish();
        let room = wish.saturating_sub(ids.len()).max(RIDERS);
        let riders = self.tracker.found.riders(at, &self.tracker.board, room);
        ids.retain(|id| !riders.contains(id));
        ids.truncate(wish.saturating_sub(riders.len()).max(1));
        self.end_with_a_shown_one(&mut ids, at);
        ids.extend(riders);
        Ask::Refresh { ids }
    }

    /// Where a refresh forgets what ended, the lot that is the least likely to be left out stands last in
    /// the batch: that it is shown proves that those before it were read, however many are left out.
    fn end_with_a_shown_one(&self, ids: &mut [i64], at: i64) {
        let Some(recall) = self.tracker.manners().recall else { return };
        let forgotten = at - recall;
        let left_out = |id: i64| {
            let lot = self.tracker.board.get(id).filter(|lot| lot.expires_at > forgotten)?;
            let since = lot.last_active.max(lot.posted_at);
            Some(self.tracker.rates.ended_early(lot, since, forgotten.max(since)))
        };
        let last = ids.len().min(self.batch()).saturating_sub(1);
        let chances = ids.iter().take(last + 1).map(|&id| left_out(id).unwrap_or(1.0));
        if let Some((place, _)) = chances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)) {
            ids.swap(place, last);
        }
    }
}
