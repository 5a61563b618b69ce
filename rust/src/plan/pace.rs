//! A budget in, the moment of the next request out: an even pace, of which a few may be held back.
//!
//! Invariant: never more than `per_day` in any 24 h nor `per_minute` in any 60 s, restarts
//! included; in any hour never more than the even share and [`HELD`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, MINUTE};

/// Requests that may be held back for a better moment.
pub const HELD: i64 = 3;

/// When requests may leave. Times are microseconds of server time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pace {
    per_day: usize,
    per_minute: usize,
    /// When each request of the last 24 h left, at least; in order, whatever the limits were then.
    sent: VecDeque<i64>,
    /// When the next one is due at an even pace.
    due: i64,
}

impl Pace {
    /// A pace that begins now.
    #[must_use]
    pub fn new(per_day: usize, per_minute: usize, now: i64) -> Self {
        let (per_day, per_minute) = (per_day.max(1), per_minute.max(1));
        Self { per_day, per_minute, sent: VecDeque::new(), due: now }
    }

    /// Go on under other limits, maybe after a while.
    pub fn set(&mut self, per_day: usize, per_minute: usize, now: i64) {
        (self.per_day, self.per_minute) = (per_day.max(1), per_minute.max(1));
        self.due = self.due.clamp(now - HELD * self.interval(), now + self.interval());
    }

    /// Between two requests at an even pace: with those that are held back no more than a day has, or
    /// its limit would come between and a request leave as late as one did yesterday.
    #[must_use]
    pub fn interval(&self) -> i64 {
        let per_day = self.per_day as i64;
        let even = (per_day - HELD).max(per_day * 9 / 10).max(1); // what is held is little of a day
        (DAY + even - 1) / even
    }

    /// Requests a day.
    #[must_use]
    pub fn per_day(&self) -> usize {
        self.per_day
    }

    /// The first moment at or after `now` at which a request may leave.
    #[must_use]
    pub fn next(&self, now: i64) -> i64 {
        let last = self.sent.back().copied().unwrap_or(i64::MIN);
        now.max(self.due).max(last).max(self.room(self.sent.len()))
    }

    /// The first moment for the request after one that leaves at `at`.
    #[must_use]
    pub fn after(&self, at: i64) -> i64 {
        let due = self.due.max(at - HELD * self.interval()) + self.interval();
        at.max(due).max(self.room(self.sent.len() + 1))
    }

    /// When the limits have room for one more after so many.
    fn room(&self, count: usize) -> i64 {
        let room = |limit: usize, window: i64| {
            let first = count.checked_sub(limit).and_then(|index| self.sent.get(index));
            first.map_or(i64::MIN, |sent| sent + window + 1)
        };
        room(self.per_day, DAY).max(room(self.per_minute, MINUTE))
    }

    /// Whether a request can leave as late as `at` without another being lost.
    #[must_use]
    pub fn may_hold(&self, at: i64) -> bool {
        at + self.interval() - self.due <= HELD * self.interval()
    }

    /// A request leaves.
    pub fn spend(&mut self, at: i64) {
        self.sent.push_back(at);
        while self.sent.front().is_some_and(|&sent| sent < at - DAY - MINUTE) {
            self.sent.pop_front();
        }
        self.due = self.due.max(at - HELD * self.interval()) + self.interval();
    }

    /// The last request did not leave.
    pub fn take_back(&mut self) {
        if self.sent.pop_back().is_some() {
            self.due -= self.interval();
        }
    }

    /// Requests of the last 24 h.
    #[must_use]
    pub fn spent(&self, now: i64) -> usize {
        self.sent.iter().filter(|&&at| at > now - DAY).count()
    }
}
