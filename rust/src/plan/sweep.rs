//! A list in no order: pages in, which one comes next and what it would show out.
//!
//! One that stays as it is from request to request is looked at place by place; of one that is drawn
//! anew each time every page is as good as any other.

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, Reply, SECOND, Seen};
use crate::plan::arrivals::{Arrivals, whole};
use crate::plan::candidate::{Candidate, View};
use crate::plan::price::Stream;

/// Postings older than this tell nothing of how many come.
const YOUNG: i64 = HOUR;
/// Gaps of which a mean is taken at least.
const FEW: f32 = 50.0;
/// As the list grows what stands in it moves on: by less than one in so many places in a round.
const DRIFT: i64 = 8;

/// What is known of the list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sweep {
    /// Whether each request draws its page anew.
    pub drawn: bool,
    /// Where the sweep stands, and when it was at each place.
    at: u32,
    visited: Vec<i64>,
    /// How long ago a place was looked at, on average, when it is looked at again; seconds.
    wait: f32,
    /// When the last page came, and seconds from page to page, on average.
    last: i64,
    gap: f32,
    /// How many of them that is the mean of: as many as the list has pages.
    gaps: f32,
    /// Auctions of the list.
    size: f32,
    /// Share of the auctions drawn of late that were known.
    known: f32,
}

impl Sweep {
    /// Take in a page. `new`: which of its rows were new, and what each stands for.
    pub fn learn(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        page: f32,
        arrivals: &mut Arrivals,
    ) {
        let shown = reply.seen.len() as f32;
        let ends = shown < page * 0.9 && !reply.truncated;
        let now = reply.at;
        for (seen, _, length) in new {
            arrivals.census.met(seen.posted_at, whole(*length));
        }
        if self.size > 0.0 {
            let durations = arrivals.lengths();
            arrivals.census.drew(&durations, (shown / self.size).min(1.0), now, self.drawn);
        }
        let gap = if self.last == 0 { 0.0 } else { (now - self.last) as f32 / SECOND as f32 };
        self.last = now;
        if gap > 0.0 {
            self.gaps = (self.gaps + 1.0).min(self.places(page).max(FEW));
            self.gap += (gap - self.gap) / self.gaps;
        }
        if self.drawn {
            let known = 1.0 - new.len() as f32 / shown;
            self.known += 0.03 * (known - self.known);
            self.wait = self.gap * self.places(page);
            self.count_drawn(now, shown, new, arrivals);
            return;
        }
        let place = (offset as f32 / page) as usize;
        if self.visited.len() <= place {
            self.visited.resize(place + 1, 0);
        }
        let before = std::mem::replace(&mut self.visited[place], now);
        if before != 0 {
            let wait = (now - before) as f32 / SECOND as f32;
            self.wait = if self.wait == 0.0 { wait } else { self.wait + 0.05 * (wait - self.wait) };
            let from = before.max(now - YOUNG);
            let fresh = new.iter().filter(|(seen, ..)| seen.posted_at >= from);
            let listed = fresh.map(|(_, weight, _)| weight).sum();
            arrivals.looked(from, now, listed, 1.0 / self.places(page));
        }
        if ends {
            self.size = offset as f32 + shown;
            self.visited.truncate(place + 1);
        } else {
            self.size = self.size.max(offset as f32 + shown);
        }
        if offset == self.at || ends {
            self.at = if ends { 0 } else { self.at + shown as u32 };
            self.pass_over(now, page);
        }
    }

    /// Where a page has been since the last sweep, be it the last one or a probe, there is little to see.
    fn pass_over(&mut self, now: i64, page: f32) {
        let recent = now - (self.wait / 2.0 * SECOND as f32) as i64;
        for _ in 0..self.visited.len() {
            if self.visited(page) <= recent {
                break;
            }
            self.at = (self.at as f32 + page) as u32;
            if self.at as f32 >= self.size {
                self.at = 0;
            }
        }
    }

    /// When a page last began where the sweep stands; 0: none has.
    fn visited(&self, page: f32) -> i64 {
        self.visited.get((self.at as f32 / page) as usize).copied().unwrap_or(0)
    }

    /// Of those posted lately a page shows its share, but for those that were drawn before.
    fn count_drawn(&self, now: i64, shown: f32, new: &[(Seen, f32, i64)], arrivals: &mut Arrivals) {
        if self.size <= 0.0 || self.wait <= 0.0 {
            return;
        }
        let young = YOUNG as f32 / SECOND as f32;
        let undrawn = self.wait * (1.0 - (-young / self.wait).exp()) / young;
        let fresh = new.iter().filter(|(seen, ..)| seen.posted_at >= now - YOUNG);
        let listed = fresh.map(|(_, weight, _)| weight).sum();
        arrivals.looked(now - YOUNG, now, listed, shown / self.size * undrawn);
    }

    /// So many of the auctions that are known are on offer.
    pub fn known_alive(&mut self, count: f32) {
        if self.drawn {
            self.size = count / self.known.max(0.01);
        }
    }

    /// Nothing stands at `offset`.
    pub fn learn_empty(&mut self, offset: u32) {
        self.size = self.size.min(offset as f32);
        self.at = 0;
    }

    /// How many auctions run as long as one that is seen: the short ones are often over unseen.
    #[must_use]
    pub fn alike(&self, duration: i64) -> f32 {
        let looks = duration as f32 / SECOND as f32 / self.wait.max(1.0);
        let seen = if self.drawn { 1.0 - (-looks).exp() } else { looks.min(1.0) };
        1.0 / seen.max(0.05)
    }

    /// How long it takes to look at all of the list, microseconds.
    #[must_use]
    pub fn round(&self) -> i64 {
        (self.wait * SECOND as f32) as i64
    }

    /// Since when all of a list that stays as it is was looked at.
    #[must_use]
    pub fn looked_at(&self) -> Option<i64> {
        let oldest = self.visited.iter().copied().min().unwrap_or(0);
        (!self.drawn).then(|| oldest - self.round() / DRIFT)
    }

    /// Share of the list that was not shown for so long; of one that stays as it is, once it was looked at.
    #[must_use]
    pub fn overlooks(&self, wait: i64) -> f32 {
        if self.drawn { (-wait as f32 / self.round().max(1) as f32).exp() } else { 0.0 }
    }

    /// Pages of the list.
    fn places(&self, page: f32) -> f32 {
        (self.size / page).max(1.0)
    }

    /// Where new listings gather, for the price.
    #[must_use]
    pub fn streams(&self, page: f32) -> Vec<Stream> {
        let places = self.places(page);
        vec![Stream { places, share: 1.0 / places, cap: page, drawn: self.drawn }]
    }

    /// The next page.
    #[must_use]
    pub fn option(&self, view: View) -> Candidate {
        let View { at: now, arrivals, fading, page, paging, reach, .. } = view;
        let offset = if self.drawn || !paging || self.at >= reach { 0 } else { self.at };
        let visited = self.visited.get((offset as f32 / page) as usize).copied().unwrap_or(0);
        let wait = match visited {
            _ if self.drawn => self.wait,
            0 => self.wait.max(6.0 * 3_600.0),
            visited => (now - visited) as f32 / SECOND as f32,
        };
        let recent = (wait / 2.0).max(1.0); // most that come and go between two looks are so young
        let rate = arrivals.between(now - (recent * SECOND as f32) as i64, now) / recent;
        let (shown, lost) = fading.page(rate / self.places(page), page, wait);
        Candidate { offset, shown, lost, why: "a page of the sweep" }
    }
}
