//! What a planner knows in, the next question and its reason out.
//!
//! Invariant: a question is chosen by what it brings now that a later one would not.

use std::cmp::Ordering;

use crate::market::asked::{Ask, HOUR, SECOND};
use crate::market::found::Order;
use crate::plan::before::late_sight;
use crate::plan::candidate::{Candidate, View};
use crate::plan::due::{TOO_LATE, Wanted};
use crate::plan::planner::Planner;
use crate::plan::price::LOST;

/// How much more a sale is worth that is known before its time.
const BEFORE_TIME: f32 = 0.003;
/// Requests are to spare below this price, in sales; then one of so many goes on with the round.
const SPARE: f32 = 0.005;
const ROUND: u64 = 8;
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
        if is_spare && self.walks(paging) {
            return self.round(reach);
        }
        let page = self.best_page(at, paging, reach);
        if !self.tracker.manners().tells {
            return self.look_before(at, page, reach);
        }
        let value = self.value();
        let (best, worth) = self.best_refresh(at);
        let ids: Vec<i64> = best.iter().map(|wanted| wanted.auction_id).collect();
        let may_wait = self.tracker.manners().recall.is_none();
        let sweeps = matches!(flags.order, Some(Order::None | Order::Random));
        let unseen = if may_wait && !sweeps { value } else { value.max(LOST) };
        let (gain, loss) = page.map_or((0.0, 0.0), |page| (page.shown * value, page.lost * unseen));
        let price = self.price.max(0.01);
        // what a request for these would bring now that a later one would not
        let cost = if worth < price { worth } else { price.min(worth) + self.urgency(&best, at) };
        // where nothing is lost by waiting, ids wait until they fill a request
        let full = if may_wait { ids.len() as f32 / self.batch() as f32 } else { 1.0 };
        let cost = cost * full * full;
        let page_is_due = if may_wait {
            loss >= cost && (gain > 1.3 * price || worth < price)
                || self.is_scarce() && worth < price && gain > worth
        } else {
            // where answers perish the least of these is lost, there is no calm hour to come for it
            let marginal = best.get(self.batch() - 1).map_or(0.0, |last| last.worth);
            loss * page.map_or(0.0, late_sight) >= price.max(marginal * self.batch() as f32)
        };
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

    /// What a new listing is worth.
    pub(super) fn value(&self) -> f32 {
        (self.worths.beyond(self.share()) + self.again.bonus()).max(0.01)
    }

    pub(super) fn best_page(&self, at: i64, paging: bool, reach: u32) -> Option<Candidate> {
        let rates = &self.tracker.rates;
        let arrivals = &self.arrivals;
        let fading = &self.list.fading(|age| rates.survival(age), arrivals);
        let page = self.list.page();
        let pause = self.pace.interval() as f32 / SECOND as f32;
        let options = self.list.options(View { at, arrivals, fading, page, paging, reach, pause });
        options.into_iter().max_by(|a, b| {
            (a.lost, a.shown).partial_cmp(&(b.lost, b.shown)).unwrap_or(Ordering::Equal)
        })
    }

    /// The ids that are worth most, and what their answers are.
    pub(super) fn best_refresh(&mut self, at: i64) -> (Vec<Wanted>, f32) {
        let batch = self.batch();
        let manners = self.tracker.manners();
        let board = &self.tracker.board;
        // how long it is told is known within a factor of two
        let late = manners.recall.map_or(TOO_LATE, |recall| (recall / 2).min(TOO_LATE));
        let keep = |id: i64| {
            board.get(id).is_some_and(|lot| {
                !lot.is_told() && !lot.is_left_out() && lot.expires_at + late > at
            })
        };
        let on_offer =
            |id: i64| board.get(id).is_some_and(|lot| lot.absent_at == 0 && lot.expires_at > at);
        let mut best = self.doubtful.best(batch, |id| keep(id) && on_offer(id));
        best.extend(self.due.best(batch - best.len(), keep));
        let more = self.early.best(batch - best.len(), keep);
        // one that is told before its time need not be asked for after it
        let spared = self.share() + BEFORE_TIME;
        let worth = self.worth_now(&best) + spared * self.worth_now(&more);
        (best.into_iter().chain(more).collect(), worth)
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
        worth.sum::<f32>() * IN_TIME + self.fleeting(best, at)
    }

    pub(super) fn search(&self, offset: u32) -> Ask {
        Ask::Search { offset, count: 100.max(self.list.page() as u32) }
    }

    pub(super) fn refresh(&mut self, mut ids: Vec<i64>, at: i64) -> Ask {
        let wish = self.tracker.found.batch_wish();
        let known: std::collections::BTreeSet<i64> = ids.iter().copied().collect();
        let room = wish.saturating_sub(ids.len());
        let riders = self.tracker.found.riders(at, &self.tracker.board, room);
        ids.extend(riders.into_iter().filter(|id| !known.contains(id)));
        Ask::Refresh { ids }
    }
}
