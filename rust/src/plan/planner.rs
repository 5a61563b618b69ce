//! The planner: replies in, the next question and its reason out.
//!
//! Invariant: deciding changes nothing but counts of what was decided: what is known comes from
//! [`Planner::observe`] alone, so that a log of questions and replies rebuilds it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, DAY, HOUR, MINUTE, Reply, SECOND, Seen, Status};
use crate::market::found::{Flags, Order};
use crate::market::lot::Lot;
use crate::market::tracker::{News, Tracker};
use crate::plan::ahead::Ahead;
use crate::plan::arrivals::Arrivals;
use crate::plan::before::late_sight;
use crate::plan::due::{Due, Wanted};
use crate::plan::ends::Ends;
use crate::plan::list::{List, Option_};
use crate::plan::pace::Pace;
use crate::plan::price::{Fading, Means, Worths, shadow};

/// The price is worked out again after this long.
const PRICE_EVERY: i64 = 10 * MINUTE;
/// An answer this long after the expiry comes too late to count.
const TOO_LATE: i64 = DAY - 10 * MINUTE;
/// After its expiry an auction is asked after once this has passed: the end is told by then.
const SETTLED: i64 = SECOND;

/// A lot is asked after before its time where there is room, once it is gone with the first of these
/// probabilities, rather with the next, and as if its time were over with the last.
const GONE: [f32; 3] = [0.2, 0.4, 0.65];
/// What an answer before its time is worth of one after it: it may have to be asked for again.
const BEFORE_TIME: f32 = 0.3;
/// Share of a batch of sales that a request may cost at the most for that.
const CHEAP: f32 = 0.1;
/// A sale that is known within the hour is worth so much more.
const IN_TIME: f32 = 0.012;

/// A question, when to send it, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// What.
    pub ask: Ask,
    /// When, microseconds.
    pub at: i64,
    /// In few words, always the same for the same reason.
    pub why: &'static str,
}

/// What came of the questions of one reason.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Yield {
    /// Replies.
    pub replies: u64,
    /// Auctions shown for the first time.
    pub new: u64,
    /// Auctions whose end was told.
    pub told: u64,
    /// Auctions whose absence was shown.
    pub absent: u64,
    /// Auctions shown.
    pub shown: u64,
}

/// What the planner goes by.
#[derive(Debug, Serialize, Deserialize)]
pub struct Planner {
    /// What is known of the market.
    pub tracker: Tracker,
    /// When requests may leave.
    pub pace: Pace,
    /// How much is listed.
    pub arrivals: Arrivals,
    pub(super) list: List,
    pub(super) ends: Ends,
    ahead: Ahead,
    pub(super) due: Due,
    pub(super) worths: Worths,
    pub(super) price: f32,
    priced_at: i64,
    /// Lots asked after, and those whose end was told, of late.
    asked: (f32, f32),
    /// Lots that ended, as sales that are known and in all: where nothing is told.
    pub(super) known: (f32, f32),
    /// Up to which expiry lots have come due.
    passed: i64,
    /// (when, id, step, last look): a lot is probably gone by then.
    review: BTreeSet<(i64, i64, u8, i64)>,
    /// Lots that may be gone before their time.
    pub(super) early: Due,
    /// When it began.
    pub began: i64,
    /// What came of the questions, by reason.
    pub reasons: BTreeMap<String, Yield>,
    last_why: String,
    questions: u64,
}

impl Planner {
    /// A planner of a market of which nothing is known but `pins`.
    #[must_use]
    pub fn new(pins: Flags, per_day: usize, per_minute: usize, now: i64) -> Self {
        Self {
            tracker: Tracker::new(pins),
            pace: Pace::new(per_day, per_minute, now),
            arrivals: Arrivals::new(),
            list: List::default(),
            ends: Ends::default(),
            ahead: Ahead::default(),
            due: Due::default(),
            worths: Worths::new(),
            price: 1.0,
            priced_at: 0,
            asked: (0.0, 0.0),
            known: (60.0, 200.0),
            passed: now,
            review: BTreeSet::new(),
            early: Due::default(),
            began: now,
            reasons: BTreeMap::new(),
            last_why: String::new(),
            questions: 0,
        }
    }

    /// Go on at `now`, maybe after a while, maybe with another budget.
    pub fn resume(&mut self, per_day: usize, per_minute: usize, now: i64) {
        self.pace.set(per_day, per_minute, now);
        self.tracker.now = self.tracker.now.max(now);
    }

    /// The next question.
    pub fn next(&mut self, now: i64) -> Question {
        let at = self.pace.next(now);
        let (ask, why) = self.choose(at);
        why.clone_into(&mut self.last_why);
        Question { ask, at, why }
    }

    /// A question is sent.
    pub fn sent(&mut self, at: i64) {
        self.pace.spend(at);
        self.questions += 1;
    }

    /// It was not sent after all.
    pub fn unsent(&mut self) {
        self.pace.take_back();
    }

    /// Take in a reply.
    pub fn observe(&mut self, ask: &Ask, reply: &Reply) -> News {
        let known_alive = self.tracker.board.open_len();
        let news = self.tracker.observe(ask, reply);
        if let Some(order) = self.tracker.found.flags().order {
            self.list.set_order(order);
        }
        let yielded = self.reasons.entry(self.last_why.clone()).or_default();
        yielded.replies += 1;
        yielded.new += news.new.len() as u64;
        yielded.told += news.told.len() as u64;
        yielded.absent += news.absent.len() as u64;
        yielded.shown += reply.seen.len() as u64;
        let new = self.first_sights(reply, &news);
        if let Ask::Search { offset, .. } = ask
            && !reply.failed
        {
            let ignored = self.tracker.found.flags().paging == Some(false);
            let offset = if ignored { 0 } else { *offset };
            if self.tracker.found.flags().order == Some(Order::Newest) {
                self.ends.learn(offset, reply);
                self.ahead.learn(offset, reply, news.absent.len(), &self.arrivals);
            }
            self.list.learn(offset, reply, &new, known_alive, &mut self.arrivals);
        }
        for &id in &news.told {
            self.due.drop(id);
            self.early.drop(id);
        }
        if let Ask::Refresh { .. } = ask {
            self.asked.0 += reply.seen.len() as f32;
            self.asked.1 += news.told.len() as f32;
            if self.asked.0 > 50_000.0 {
                self.asked = (self.asked.0 / 2.0, self.asked.1 / 2.0);
            }
            for seen in &reply.seen {
                self.due.drop(seen.auction_id); // if it is still on offer, its time will come
            }
        }
        for &id in &news.absent {
            self.missed(id);
        }
        if self.tracker.manners().tells {
            for seen in reply.seen.iter().filter(|seen| seen.status == Status::Active) {
                self.early.drop(seen.auction_id);
                self.plan_review(seen.auction_id, 0);
            }
        }
        self.come_due(reply.at);
        if reply.at - self.priced_at > PRICE_EVERY {
            self.set_price(reply.at);
        }
        news
    }

    fn first_sights(&mut self, reply: &Reply, news: &News) -> Vec<(Seen, f32, i64)> {
        let mut new = Vec::with_capacity(news.new.len());
        for seen in &reply.seen {
            if news.new.binary_search(&seen.auction_id).is_err()
                && !news.new.contains(&seen.auction_id)
            {
                continue;
            }
            let Some(lot) = self.tracker.board.get(seen.auction_id) else { continue };
            let age = (lot.first_seen - lot.posted_at).max(0) as f32 / SECOND as f32;
            let survival = self.tracker.rates.survival(age);
            self.arrivals.first_sight(lot, survival);
            let length = (lot.expires_at - lot.posted_at).max(0);
            new.push((*seen, 1.0 / survival.max(0.05), length));
        }
        new
    }

    /// A lot is gone before its time: ask how, if that is told.
    fn missed(&mut self, id: i64) {
        let Some(lot) = self.tracker.board.get(id) else { return };
        if lot.omitted || !self.tracker.manners().tells || self.is_forgotten(lot) {
            self.due.drop(id);
            self.early.drop(id);
            return;
        }
        let worth = self.tracker.rates.bought(lot);
        self.early.drop(id);
        self.due.want(Wanted { auction_id: id, expires_at: lot.expires_at, worth });
    }

    /// Lots whose time has passed are asked after.
    fn come_due(&mut self, now: i64) {
        let to = now - SETTLED;
        if to <= self.passed {
            return;
        }
        let tells = self.tracker.manners().tells;
        self.review(now);
        for lot in self.tracker.board.open(self.passed + 1..=to) {
            self.known.1 += 1.0;
            if lot.verdict.is_some_and(|verdict| verdict.is_sure_sale()) {
                self.known.0 += 1.0;
            }
            if lot.omitted || self.is_forgotten(lot) {
                continue;
            }
            let worth = self.worth_after(lot);
            self.worths.add(worth);
            if tells {
                let (auction_id, expires_at) = (lot.auction_id, lot.expires_at);
                self.early.drop(auction_id);
                self.due.want(Wanted { auction_id, expires_at, worth });
            }
        }
        self.passed = to;
        if self.known.1 > 20_000.0 {
            self.known = (self.known.0 / 2.0, self.known.1 / 2.0);
        }
    }

    /// When a lot that was seen on offer is gone with the next of [`GONE`], if that is before its end.
    fn plan_review(&mut self, id: i64, step: usize) {
        let Some(lot) = self.tracker.board.get(id) else { return };
        let (seen, end) = (lot.last_active, lot.expires_at);
        let Some(&least) = GONE.get(step) else { return };
        let rates = &self.tracker.rates;
        if lot.is_told() || seen >= end || rates.ended_early(lot, seen, end) < least {
            return;
        }
        let (mut low, mut high) = (seen, end);
        for _ in 0..8 {
            let middle = low + (high - low) / 2;
            if rates.ended_early(lot, seen, middle) < least {
                low = middle;
            } else {
                high = middle;
            }
        }
        if high + HOUR / 2 < end {
            self.review.insert((high, id, step as u8, seen));
        }
    }

    /// Ask after lots that are probably gone.
    fn review(&mut self, now: i64) {
        while let Some(&(when, id, step, seen)) = self.review.first() {
            if when > now {
                break;
            }
            self.review.pop_first();
            let Some(lot) = self.tracker.board.get(id) else { continue };
            let is_over = lot.is_told() || lot.last_active != seen || lot.expires_at <= now;
            if is_over || self.due.has(id) {
                continue;
            }
            let rates = &self.tracker.rates;
            let worth = rates.ended_early(lot, seen, now) * rates.bought(lot);
            let wanted = Wanted { auction_id: id, expires_at: lot.expires_at, worth };
            let step = usize::from(step) + 1;
            if step < GONE.len() || self.price > CHEAP * self.batch() as f32 {
                self.early.want(wanted);
            } else {
                self.early.drop(id);
                self.due.want(wanted);
            }
            self.plan_review(id, step);
        }
    }

    /// What the answer to a question after a lot's expiry is worth.
    fn worth_after(&self, lot: &Lot) -> f32 {
        if lot.absent_at != 0 {
            return self.tracker.rates.bought(lot);
        }
        self.tracker.rates.sold_at_last(lot, lot.last_active.max(lot.posted_at))
    }

    fn set_price(&mut self, now: i64) {
        self.priced_at = now;
        let rates = &self.tracker.rates;
        let fading = Fading::new(|age| rates.survival(age));
        let streams = self.list.streams(&self.arrivals);
        let means =
            Means { per_day: self.pace.per_day() as f32, batch: self.batch() as f32, asks: true };
        self.price = shadow(&self.arrivals.hourly(), &streams, &fading, &self.worths, means);
    }

    pub(super) fn batch(&self) -> usize {
        self.tracker.found.flags().batch.map_or(50, |batch| batch as usize).max(1)
    }

    fn choose(&mut self, at: i64) -> (Ask, &'static str) {
        if let Some(ask) = self.tracker.found.probe(at, &self.tracker.board) {
            return (ask, "probe");
        }
        if self.questions == 0 || self.tracker.board.is_empty() {
            return (self.search(0), "front page");
        }
        let flags = *self.tracker.found.flags();
        let paging = flags.paging != Some(false);
        let reach = match flags.truncate {
            Some(0) | None => u32::MAX,
            Some(reach) => reach,
        };
        if let Some(offset) = self.list.explore(paging, reach) {
            return (self.search(offset), "where moments stand");
        }
        let page = self.best_page(at, paging, reach);
        if !self.tracker.manners().tells {
            return self.look_before(at, page, reach);
        }
        let value = self.value();
        let (best, worth) = self.best_refresh(at);
        let ids: Vec<i64> = best.iter().map(|wanted| wanted.auction_id).collect();
        let (gain, loss) = page.map_or((0.0, 0.0), |page| (page.shown * value, page.lost * value));
        let price = self.price.max(0.01);
        let urgency = self.urgency(&best, at);
        // where answers perish the least of these is lost, there is no calm hour to come for it
        let page_is_due = if self.tracker.manners().recall.is_some() {
            let marginal = best.get(self.batch() - 1).map_or(0.0, |last| last.worth);
            loss * page.map_or(0.0, late_sight) >= price.max(marginal * self.batch() as f32)
        } else {
            loss >= price && loss >= urgency && (gain > 1.3 * price || worth < price)
        };
        if !page_is_due
            && let Some((offset, spared)) = self.ahead(at, reach)
            && spared > worth
        {
            return (self.search(offset), "ahead of a busy hour");
        }
        match page {
            Some(page) if page_is_due || (worth < price && gain > worth) => {
                (self.search(page.offset), page.why)
            }
            _ if !ids.is_empty() => (self.refresh(ids, at), "expired"),
            Some(page) => (self.search(page.offset), page.why),
            None => (self.search(0), "front page"),
        }
    }

    /// Where a busy hour to come can be eased, if its ends have to be asked for in time.
    fn ahead(&self, at: i64, reach: u32) -> Option<(u32, f32)> {
        let flags = self.tracker.found.flags();
        self.tracker.manners().recall?;
        let is_listed = flags.order == Some(Order::Newest) && flags.paging != Some(false);
        self.ahead.page(at, &self.list).filter(|&(place, _)| is_listed && place < reach)
    }

    /// Whether a lot ended so long ago that a refresh would not tell how.
    fn is_forgotten(&self, lot: &Lot) -> bool {
        let recall = self.tracker.manners().recall;
        lot.absent_at != 0
            && recall.is_some_and(|recall| lot.last_active + recall < self.tracker.now)
    }

    /// What a new listing is worth.
    fn value(&self) -> f32 {
        self.worths.beyond(self.price / self.batch() as f32).max(0.01)
    }

    fn best_page(&self, at: i64, paging: bool, reach: u32) -> Option<Option_> {
        let rates = &self.tracker.rates;
        let fading = Fading::new(|age| rates.survival(age));
        let options = self.list.options(at, &self.arrivals, &fading, paging, reach);
        options.into_iter().max_by(|a, b| {
            (a.lost, a.shown).partial_cmp(&(b.lost, b.shown)).unwrap_or(std::cmp::Ordering::Equal)
        })
    }

    /// The ids that are worth most, and what their answers are.
    fn best_refresh(&mut self, at: i64) -> (Vec<Wanted>, f32) {
        let batch = self.batch();
        let manners = self.tracker.manners();
        let board = &self.tracker.board;
        // how long it is told is known within a factor of two
        let late = manners.recall.map_or(TOO_LATE, |recall| (recall / 2).min(TOO_LATE));
        let keep = |id: i64| {
            board
                .get(id)
                .is_some_and(|lot| !lot.is_told() && !lot.omitted && lot.expires_at + late > at)
        };
        let best = self.due.best(batch, keep);
        let more = self.early.best(batch - best.len(), keep);
        let sum = |list: &[Wanted]| list.iter().map(|wanted| wanted.worth).sum::<f32>();
        let worth = sum(&best) + BEFORE_TIME * sum(&more);
        (best.into_iter().chain(more).collect(), worth)
    }

    /// What is lost if these are asked after later than an hour after they ended.
    fn urgency(&self, best: &[Wanted], at: i64) -> f32 {
        let fresh = |wanted: &&Wanted| {
            self.tracker.board.get(wanted.auction_id).is_some_and(|lot| {
                let gone = if lot.absent_at == 0 { lot.expires_at } else { lot.last_active };
                (at - HOUR..at).contains(&gone)
            })
        };
        let worth = best.iter().filter(fresh).map(|wanted| (2.0 * wanted.worth - 1.0).max(0.0));
        worth.sum::<f32>() * IN_TIME
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

    /// Price of a request, lots that are due, known, open; listings a second; worth of a new one.
    #[must_use]
    pub fn outlook(&self) -> (f32, usize, usize, usize, f32, f32) {
        let board = &self.tracker.board;
        let rate = self.arrivals.current(self.tracker.now);
        (self.price, self.due.len(), board.len(), board.open_len(), rate, self.value())
    }

    /// Listings of an hour by estimate: (listed, low, high).
    #[must_use]
    pub fn listed(&self, hour: i64) -> (f32, f32, f32) {
        let count = self.arrivals.counts.get(&hour.div_euclid(HOUR)).copied().unwrap_or_default();
        let missed = (3_600.0 - count.looked).clamp(0.0, 3_600.0);
        let strict =
            matches!(self.tracker.found.flags().order, Some(Order::Newest | Order::Ending) | None);
        let unseen = if strict { missed * self.arrivals.rate(hour) } else { 0.0 };
        let listed = count.listed + unseen;
        let spread = 1.65 * (count.variance + unseen * unseen * 0.1 + listed * 0.5).sqrt();
        (listed, (listed - spread).max(count.seen as f32), listed + spread)
    }
}
