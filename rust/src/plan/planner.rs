//! The planner: replies in, the next question and its reason out.
//!
//! Invariant: deciding changes nothing but counts of what was decided: what is known comes from
//! [`Planner::observe`] alone, so that a log of questions and replies rebuilds it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, Reply, Status};
use crate::market::found::{Flags, Found, Order};
use crate::market::lot::Evidence;
use crate::market::tracker::{News, Tracker};
use crate::plan::again::Again;
use crate::plan::ahead::Ahead;
use crate::plan::arrivals::Arrivals;
use crate::plan::due::Due;
use crate::plan::ends::Ends;
use crate::plan::estimate::{Taken, take};
use crate::plan::focus::Focus;
use crate::plan::list::List;
use crate::plan::pace::Pace;
use crate::plan::price::{PRICE_EVERY, Worths};
use crate::plan::round::Round;

/// Number of the state's layout: one higher whenever anything in it is stored otherwise.
pub const LAYOUT: u32 = 9;

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
    pub(super) ahead: Ahead,
    pub(super) due: Due,
    pub(super) worths: Worths,
    pub(super) price: f32,
    pub(super) priced_at: i64,
    pub(super) dearer: f32,
    /// Lots that ended, as sales that are known and in all: where nothing is told.
    pub(super) known: (f32, f32),
    /// Up to which expiry lots have come due.
    pub(super) passed: i64,
    /// (when, id, step, last look): a lot is probably gone by then.
    pub(super) review: BTreeSet<(i64, i64, u8, i64)>,
    /// Lots that may be gone before their time.
    pub(super) early: Due,
    /// Lots to be looked at right before their end, and up to which expiry those were chosen.
    pub(super) doubtful: Due,
    pub(super) neared: i64,
    pub(super) round: Round,
    /// What the operator answered of the upstream.
    pub pins: Flags,
    /// What matters more, and what less.
    pub focus: Focus,
    /// When it began.
    pub began: i64,
    /// What came of the questions, by reason.
    pub reasons: BTreeMap<String, Yield>,
    pub(super) last_why: String,
    pub(super) questions: u64,
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
            known: (60.0, 200.0),
            passed: now,
            review: BTreeSet::new(),
            early: Due::default(),
            doubtful: Due::default(),
            neared: now,
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
        let at = self.hold(at);
        let (ask, why) = self.choose(at);
        Question { ask, at, why }
    }

    /// A question is sent, for this reason.
    pub fn sent(&mut self, at: i64, why: &str) {
        self.pace.spend(at);
        self.questions += 1;
        why.clone_into(&mut self.last_why);
    }

    /// It was not sent after all.
    pub fn unsent(&mut self) {
        self.pace.take_back();
    }

    /// Take in a reply.
    pub fn observe(&mut self, ask: &Ask, reply: &Reply) -> News {
        let tells = self.tracker.manners().tells;
        let (tracker, list, arrivals) = (&mut self.tracker, &mut self.list, &mut self.arrivals);
        let Taken { news, new, shown, offset } = take(tracker, list, arrivals, ask, reply);
        let yielded = self.reasons.entry(self.last_why.clone()).or_default();
        yielded.replies += 1;
        yielded.new += news.new.len() as u64;
        yielded.told += news.told.len() as u64;
        yielded.absent += news.absent.len() as u64;
        yielded.shown += reply.seen.len() as u64;
        if let Some(offset) = offset {
            if self.tracker.found.flags().order == Some(Order::Newest) {
                self.ends.learn(offset, reply, &self.arrivals);
                self.ahead.learn(offset, reply, news.absent.len(), &self.arrivals);
            }
            self.round.shown(offset, reply.seen.len());
            self.list.learn(offset, reply, &new, &shown, &mut self.arrivals);
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
        if matches!(ask, Ask::Refresh { .. }) || self.sweeps() {
            for seen in &reply.seen {
                self.due.drop(seen.auction_id); // if it is still on offer, its time will come
            }
        }
        let again = news.verdicts.iter().filter(|(_, said)| said.evidence == Evidence::Relisted);
        for &id in news.absent.iter().chain(again.map(|(id, _)| id)) {
            self.missed(id);
        }
        if self.tracker.manners().tells {
            for seen in reply.seen.iter().filter(|seen| seen.status == Status::Active) {
                self.early.drop(seen.auction_id);
                self.plan_first_review(seen.auction_id);
            }
        }
        for seen in &reply.seen {
            self.doubtful.drop(seen.auction_id);
        }
        self.come_due(reply.at);
        self.come_near(reply.at);
        if reply.at - self.priced_at > PRICE_EVERY {
            self.set_price(reply.at);
        }
        self.look_again(reply.at);
        news
    }
}
