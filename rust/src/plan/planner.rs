//! The planner: replies in, the next question and its reason out.
//!
//! Invariant: deciding changes nothing but counts of what was decided: what is known comes from
//! [`Planner::observe`] alone, so that a log of questions and replies rebuilds it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, DAY, HOUR, MINUTE, Reply, SECOND, Status};
use crate::market::found::{Flags, Found, Order};
use crate::market::lot::Lot;
use crate::market::tracker::{News, Tracker};
use crate::plan::again::{Again, SURE};
use crate::plan::ahead::Ahead;
use crate::plan::arrivals::Arrivals;
use crate::plan::before::{AHEAD, late_sight};
use crate::plan::due::{Due, Wanted};
use crate::plan::ending::View;
use crate::plan::ends::Ends;
use crate::plan::estimate::{first_sights, listed};
use crate::plan::focus::Focus;
use crate::plan::list::{List, Option_};
use crate::plan::pace::Pace;
use crate::plan::price::{Means, Worths, shadow};
use crate::plan::round::Round;

/// Number of the state's layout: one higher whenever anything in it is stored otherwise.
pub const LAYOUT: u32 = 2;
/// The price is worked out again after this long.
const PRICE_EVERY: i64 = 10 * MINUTE;
/// A lot that is worth asking after does not wait longer than this where requests suffice.
const LONG_WAIT: i64 = 14 * HOUR;
/// One of so many lots is looked at to say how many are on offer, once in so long.
const SAMPLED: usize = 8;
const SIZE_EVERY: i64 = HOUR;
/// An answer this long after the expiry comes too late to count.
const TOO_LATE: i64 = DAY - 10 * MINUTE;
/// After its expiry an auction is asked after once this has passed: the end is told by then.
const SETTLED: i64 = SECOND;

/// A lot is asked after before its time where there is room, once it is gone with the first of these
/// probabilities, rather with the next, and as if its time were over with the last.
const GONE: [f32; 3] = [0.2, 0.4, 0.65];
/// How much more a sale is worth that is known before its time.
const BEFORE_TIME: f32 = 0.003;
/// Requests are to spare below this price, in sales; then one of so many goes on with the round.
const SPARE: f32 = 0.005;
const ROUND: u64 = 8;
/// A sale that is known within the hour is worth so much more.
const IN_TIME: f32 = 0.032;

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
    pub(super) again: Again,
    pub(super) ends: Ends,
    ahead: Ahead,
    pub(super) due: Due,
    pub(super) worths: Worths,
    pub(super) price: f32,
    priced_at: i64,
    dearer: f32,
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
    round: Round,
    /// What the operator answered of the upstream.
    pub pins: Flags,
    /// What matters more, and what less.
    pub focus: Focus,
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
            again: Again::default(),
            ends: Ends::default(),
            ahead: Ahead::default(),
            due: Due::default(),
            worths: Worths::new(),
            price: 1.0,
            priced_at: 0,
            dearer: 1.0,
            asked: (0.0, 0.0),
            known: (60.0, 200.0),
            passed: now,
            review: BTreeSet::new(),
            early: Due::default(),
            round: Round::default(),
            pins,
            focus: Focus::default(),
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

    /// What the operator answered of the upstream; whether that is new, and what was learned gone.
    pub fn pin(&mut self, pins: Flags) -> bool {
        let is_new = pins != self.pins;
        if is_new {
            self.pins = pins;
            self.tracker.found = Found::new(pins);
        }
        is_new
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
        let tells = self.tracker.manners().tells;
        let news = self.tracker.observe(ask, reply);
        if let Some(order) = self.tracker.found.flags().order {
            self.list.set_order(order, &self.arrivals);
        }
        let yielded = self.reasons.entry(self.last_why.clone()).or_default();
        yielded.replies += 1;
        yielded.new += news.new.len() as u64;
        yielded.told += news.told.len() as u64;
        yielded.absent += news.absent.len() as u64;
        yielded.shown += reply.seen.len() as u64;
        let new = first_sights(&self.tracker, &mut self.arrivals, &self.list, reply, &news);
        if let Ask::Search { offset, .. } = ask
            && !reply.failed
            && !news.repeated
        {
            let ignored = self.tracker.found.flags().paging == Some(false);
            let offset = if ignored { 0 } else { *offset };
            if self.tracker.found.flags().order == Some(Order::Newest) {
                self.ends.learn(offset, reply, &self.arrivals);
                self.ahead.learn(offset, reply, news.absent.len(), &self.arrivals);
            }
            self.round.shown(offset, reply.seen.len());
            self.list.learn(offset, reply, &new, &mut self.arrivals);
            if offset > 0 {
                let (places, means) = (self.places(reply.at), self.means());
                self.again.learn(offset, reply, &places, means);
            }
        }
        match (tells, self.tracker.manners().tells) {
            (true, false) => (self.due, self.early) = (Due::default(), Due::default()),
            (false, true) => self.ask_again(reply.at),
            _ => {}
        }
        self.again.met(new.len());
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
        self.look_again(reply.at);
        news
    }

    /// A lot is gone before its time: ask how, if that is told.
    fn missed(&mut self, id: i64) {
        let Some(lot) = self.tracker.board.get(id) else { return };
        if lot.is_left_out() || !self.tracker.manners().tells || self.is_forgotten(lot) {
            self.due.drop(id);
            self.early.drop(id);
            return;
        }
        let worth = self.worth_after(lot);
        self.early.drop(id);
        self.due.want(Wanted { auction_id: id, expires_at: lot.expires_at, worth });
    }

    /// The upstream tells of ends once more: ask after all that is over, or seems to be.
    fn ask_again(&mut self, now: i64) {
        let is_over = |lot: &&Lot| lot.absent_at != 0 || lot.expires_at <= now - SETTLED;
        let open = self.tracker.board.open(now - TOO_LATE..=i64::MAX).filter(is_over);
        let ids: Vec<i64> = open.map(|lot| lot.auction_id).collect();
        for auction_id in ids {
            let Some(lot) = self.tracker.board.get_mut(auction_id) else { continue };
            (lot.omitted, lot.last_asked) = (false, 0);
            let expires_at = lot.expires_at;
            let Some(lot) = self.tracker.board.get(auction_id) else { continue };
            self.due.want(Wanted { auction_id, expires_at, worth: self.worth_after(lot) });
        }
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
            if lot.is_left_out() || self.is_forgotten(lot) {
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
            let worth = rates.ended_early(lot, seen, now) * rates.bought(lot) * self.focus.of(lot);
            let wanted = Wanted { auction_id: id, expires_at: lot.expires_at, worth };
            let step = usize::from(step) + 1;
            if step < GONE.len() || self.is_scarce() {
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
        let rates = &self.tracker.rates;
        let sold = if lot.absent_at == 0 {
            rates.sold_at_last(lot, lot.last_active.max(lot.posted_at))
        } else {
            let bought = rates.bought(lot);
            if bought < SURE || !self.is_scarce() { bought } else { 1.0 - bought }
        };
        sold * self.focus.of(lot)
    }

    fn set_price(&mut self, now: i64) {
        self.again.fade(now - self.priced_at);
        self.priced_at = now;
        let rates = &self.tracker.rates;
        let is_due = now.div_euclid(SIZE_EVERY) != (now - PRICE_EVERY).div_euclid(SIZE_EVERY);
        if is_due && self.tracker.found.flags().order == Some(Order::Random) {
            let open = self.tracker.board.open(now..=i64::MAX).step_by(SAMPLED);
            let alive = open.filter(|lot| lot.absent_at == 0);
            let count: f32 = alive.map(|lot| rates.survives(lot, lot.last_active, now)).sum();
            self.list.sweep.known_alive(count * SAMPLED as f32);
        }
        let fading = self.list.fading(|age| rates.survival(age), &self.arrivals);
        let streams = self.list.streams(&self.arrivals);
        let means = Means {
            per_day: self.pace.per_day() as f32 - self.again.per_day,
            batch: self.batch() as f32,
            asks: true,
            bonus: self.again.bonus(),
        };
        let price = shadow(&self.arrivals.hourly(), &streams, &fading, &self.worths, means);
        // lots that wait too long say that requests are dearer than that
        let oldest = self.due.oldest((2.0 * self.price / means.batch).max(0.02)).unwrap_or(now);
        let step = if now - oldest > LONG_WAIT { 1.04 } else { 0.97 };
        self.dearer = (self.dearer * step).clamp(1.0, 20.0);
        self.price = price * self.dearer;
    }

    pub(super) fn batch(&self) -> usize {
        self.tracker.found.flags().batch.map_or(50, |batch| batch as usize).max(1)
    }

    /// Places of the list that can be reached.
    pub(super) fn reach(&self) -> u32 {
        match self.tracker.found.flags().truncate {
            Some(0) | None => u32::MAX,
            Some(reach) => reach,
        }
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
        let (gain, loss) = page.map_or((0.0, 0.0), |page| (page.shown * value, page.lost * value));
        let price = self.price.max(0.01);
        // what a request for these would bring now that a later one would not
        let cost = if worth < price { worth } else { price.min(worth) + self.urgency(&best, at) };
        // where nothing is lost by waiting, ids wait until they fill a request
        let manners = self.tracker.manners();
        let may_wait = manners.tells && manners.recall.is_none();
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
    fn round(&self, reach: u32) -> (Ask, &'static str) {
        (self.search(self.round.place(reach)), "a round of the list")
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

    /// Whether the list can be passed over page by page.
    fn walks(&self, paging: bool) -> bool {
        let order = self.tracker.found.flags().order;
        paging && matches!(order, Some(Order::Newest | Order::Ending))
    }

    /// When a lot is looked at for its own sake, microseconds.
    pub(super) fn looked_at(&self, lot: &Lot) -> i64 {
        let ended = if self.tracker.manners().tells {
            lot.expires_at + SETTLED
        } else {
            lot.expires_at - AHEAD
        };
        let reviewed = self.review.iter().find(|&&(_, id, ..)| id == lot.auction_id);
        reviewed.map_or(ended, |&(when, ..)| when.min(ended))
    }

    /// What a new listing is worth.
    pub(super) fn value(&self) -> f32 {
        (self.worths.beyond(self.share()) + self.again.bonus()).max(0.01)
    }

    pub(super) fn best_page(&self, at: i64, paging: bool, reach: u32) -> Option<Option_> {
        let rates = &self.tracker.rates;
        let arrivals = &self.arrivals;
        let fading = &self.list.fading(|age| rates.survival(age), arrivals);
        let page = self.list.page();
        let pause = self.pace.interval() as f32 / SECOND as f32;
        let options = self.list.options(View { at, arrivals, fading, page, paging, reach, pause });
        options.into_iter().max_by(|a, b| {
            (a.lost, a.shown).partial_cmp(&(b.lost, b.shown)).unwrap_or(std::cmp::Ordering::Equal)
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
        let best = self.due.best(batch, keep);
        let more = self.early.best(batch - best.len(), keep);
        // one that is told before its time need not be asked for after it
        let spared = self.share() + BEFORE_TIME;
        let worth = self.worth_now(&best) + spared * self.worth_now(&more);
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
        listed(&self.tracker, &self.arrivals, hour)
    }
}
