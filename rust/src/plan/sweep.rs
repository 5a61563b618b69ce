//! A list in no order: pages in, which one comes next and what it would show out.
//!
//! One that stays as it is from request to request is looked at place by place; of one that is drawn
//! anew each time every page is as good as any other.

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, Reply, SECOND, Seen};
use crate::plan::arrivals::{Arrivals, whole};
use crate::plan::candidate::{Candidate, View};
use crate::plan::drawn::Drawn;
use crate::plan::fading::Fading;
use crate::plan::price::Stream;

/// Postings older than this tell nothing of how many come.
const YOUNG: i64 = HOUR;
/// Gaps of which a mean is taken at least.
const FEW: f32 = 50.0;
/// As the list grows what stands in it moves on: by less than one in so many places in a round.
const DRIFT: i64 = 8;

/// Share of pages that may begin with what the one before showed: a row that is shown twice is lost, one
/// that is passed over is shown a round later.
const OVERLAPS: f32 = 0.33;
/// Places a second by which one page changes how fast the list is held to move on: in an hour of pages by
/// as much as it does in a rush.
const STEP: f32 = 0.05;
/// Seconds over which the mean is taken of what goes up and down with the hours.
const A_DAY: f32 = (DAY / SECOND) as f32;
const WHY: &str = "a page of the sweep";

/// What is known of the list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sweep {
    /// Whether each request draws its page anew; what was not shown yet then.
    pub drawn: Option<Drawn>,
    /// Where the sweep stands, which page comes next, and when each was shown.
    at: u32,
    next: usize,
    visited: Vec<i64>,
    /// Auctions of the last page, and by how many places what stands at the end of the list moves on in
    /// a second, as auctions come and go before it.
    shown: Vec<i64>,
    shift: f32,
    /// How long ago a place was looked at, on average, when it is looked at again; seconds.
    wait: f32,
    /// When the last page came, and seconds from page to page, on average.
    last: i64,
    gap: f32,
    /// How many of them that is the mean of: as many as the list has pages.
    gaps: f32,
    /// Auctions of the list.
    size: f32,
    /// The same by day and by night, and of how many seconds that is the mean.
    usual: (f32, f32),
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
            let share = (shown / self.size).min(1.0);
            arrivals.census.drew(&durations, share, now, self.drawn.is_some());
        }
        let gap = if self.last == 0 { 0.0 } else { (now - self.last) as f32 / SECOND as f32 };
        self.last = now;
        if gap > 0.0 {
            self.gaps = (self.gaps + 1.0).min(self.places(page).max(FEW));
            self.gap += (gap - self.gap) / self.gaps;
        }
        if self.size > 0.0 && self.wait > 0.0 {
            let (mean, over) = self.usual;
            let over = (over + gap).min(A_DAY);
            self.usual = (mean + (self.size - mean) * (gap / over.max(1.0)).min(1.0), over);
        }
        if let Some(drawn) = &mut self.drawn {
            let come = arrivals.rate(now) / self.size.max(1.0);
            drawn.drew((gap, come), self.size, (shown, new.len() as f32));
            self.wait = self.gap * self.places(page);
            self.count_drawn(now, shown, new, arrivals);
            return;
        }
        let goes_on = offset.abs_diff(self.at) < page as u32;
        let place = (offset as f32 / page).round() as usize;
        // as the list moves on two pages may stand where one did, or none
        let (from, to) = if goes_on { (self.next, place.max(self.next)) } else { (place, place) };
        if self.visited.len() <= to {
            self.visited.resize(to + 1, 0);
        }
        let before = self.visited[to];
        self.visited[from..=to].fill(now);
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
            self.visited.truncate(to + 1);
        } else {
            self.size = self.size.max(offset as f32 + shown);
        }
        if goes_on && offset > 0 {
            self.follow(offset, reply);
        }
        if goes_on || ends {
            self.shown.clear();
            self.shown.extend(reply.seen.iter().map(|seen| seen.auction_id));
            (self.at, self.next) = if ends { (0, 0) } else { (offset + shown as u32, to + 1) };
            self.pass_over(now, page);
        }
    }

    /// A page that begins with what the last one showed stands too near, one that does not maybe too far.
    fn follow(&mut self, offset: u32, reply: &Reply) {
        let first = reply.seen.first().map(|seen| seen.auction_id);
        let overlaps = first.is_some_and(|id| self.shown.contains(&id));
        let step = if overlaps { 1.0 - OVERLAPS } else { -OVERLAPS };
        self.shift += STEP * step * (offset as f32 / self.size.max(1.0)).min(1.0);
    }

    /// Where the sweep goes on, as far as what stands there has moved since the last page.
    fn place(&self, now: i64) -> u32 {
        let wait = (now - self.last) as f32 / SECOND as f32;
        let share = (self.at as f32 / self.size.max(1.0)).min(1.0);
        (self.at as f32 + self.shift * share * wait).max(0.0) as u32
    }

    /// Where a page has been since the last sweep, be it the last one or a probe, there is little to see.
    fn pass_over(&mut self, now: i64, page: f32) {
        let recent = now - (self.wait / 2.0 * SECOND as f32) as i64;
        for _ in 0..self.visited.len() {
            if self.visited() <= recent {
                break;
            }
            (self.at, self.next) = ((self.at as f32 + page) as u32, self.next + 1);
            if self.at as f32 >= self.size {
                (self.at, self.next) = (0, 0);
            }
        }
    }

    /// When the page that comes next was shown last; 0: never.
    fn visited(&self) -> i64 {
        self.visited.get(self.next).copied().unwrap_or(0)
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
        if let Some(drawn) = self.drawn {
            self.size = count / (1.0 - drawn.unseen).max(0.01);
        }
    }

    /// Nothing stands at `offset`.
    pub fn learn_empty(&mut self, offset: u32) {
        self.size = self.size.min(offset as f32);
        (self.at, self.next) = (0, 0);
    }

    /// How many auctions run as long as one that is seen: the short ones are often over unseen.
    #[must_use]
    pub fn alike(&self, duration: i64) -> f32 {
        let looks = duration as f32 / SECOND as f32 / self.wait.max(1.0);
        let seen = if self.drawn.is_some() { 1.0 - (-looks).exp() } else { looks.min(1.0) };
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
        self.drawn.is_none().then(|| oldest - self.round() / DRIFT)
    }

    /// Share of the list that was not shown for so long; of one that stays as it is, once it was looked at.
    #[must_use]
    pub fn overlooks(&self, wait: i64) -> f32 {
        if self.drawn.is_some() { (-wait as f32 / self.round().max(1) as f32).exp() } else { 0.0 }
    }

    /// Pages of the list.
    fn places(&self, page: f32) -> f32 {
        (self.size / page).max(1.0)
    }

    /// Listings fade so, where so many pages are had in a day.
    pub fn set_fading(&mut self, fading: &Fading, pages: f32, page: f32) {
        let wait = A_DAY * self.usual.0 / (pages * page).max(1.0);
        if let Some(drawn) = &mut self.drawn {
            drawn.set_fading(fading, wait.max(1.0));
        }
    }

    /// Where new listings gather, for the price.
    #[must_use]
    pub fn streams(&self, page: f32) -> Vec<Stream> {
        let places = (self.usual.0 / page).max(1.0);
        vec![Stream { places, share: 1.0 / places, cap: page, drawn: self.drawn }]
    }

    /// The next page.
    #[must_use]
    pub fn option(&self, view: View) -> Candidate {
        let View { at: now, arrivals, fading, page, paging, reach, .. } = view;
        if let Some(drawn) = self.drawn.filter(|_| self.size > 0.0) {
            let gap = (now - self.last) as f32 / SECOND as f32;
            let unseen = drawn.after(gap, arrivals.rate(now) / self.size);
            let (shown, lost) = drawn.shows(page, unseen);
            return Candidate { offset: 0, shown, lost, why: WHY };
        }
        let place = self.place(now);
        let offset = if !paging || place >= reach { 0 } else { place };
        let visited = self.visited.get(if offset == 0 { 0 } else { self.next });
        let wait = match visited.copied().unwrap_or(0) {
            0 => self.wait.max(6.0 * 3_600.0),
            visited => (now - visited) as f32 / SECOND as f32,
        };
        let recent = (wait / 2.0).max(1.0); // most that come and go between two looks are so young
        let rate = arrivals.between(now - (recent * SECOND as f32) as i64, now) / recent;
        let (shown, lost) = fading.page(rate / self.places(page), page, wait);
        Candidate { offset, shown, lost, why: WHY }
    }
}
