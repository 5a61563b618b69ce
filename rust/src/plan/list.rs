//! The list as pages have shown it: what of it was looked at, and which page would show most.
//!
//! Invariant: a span of posting time counts as covered only where a page in a strict order showed
//! all of it that was still on offer.

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, Reply, SECOND, Seen, Status};
use crate::market::found::Order;
use crate::plan::arrivals::{Arrivals, DURATIONS};
use crate::plan::covered::Covered;
use crate::plan::price::{Fading, Stream};
use crate::plan::rank::Rank;

/// No auction runs longer.
pub const LONGEST: i64 = 3 * DAY + HOUR;
/// Rows by which a page reaches into what is known, so that a moved list leaves no gap.
const OVERLAP: u32 = 2;
/// A duration of which fewer are listed has no page of its own.
pub const LEAST_SHARE: f32 = 0.01;

/// A page that could be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Option_ {
    /// Place in the list.
    pub offset: u32,
    /// New listings that it would show.
    pub shown: f32,
    /// What waiting has cost so far, in listings.
    pub lost: f32,
    /// What it is for.
    pub why: &'static str,
}

/// What is known of the list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct List {
    order: Option<Order>,
    /// By posting: of all listings, or, in a list by expiry, of each duration.
    covered: Vec<Covered>,
    rank: Rank,
    /// In a list of no order: where the sweep stands, and when it was at each place.
    sweep: u32,
    visited: Vec<i64>,
    /// How many there are, by the end of the list or by what was known of pages.
    pub size: f32,
    /// Share of pages' auctions that were new, lately.
    fresh: f32,
    page: f32,
    pages: u64,
    explored: u32,
}

impl List {
    /// A list that is in this order from now on; what was known of its places is forgotten.
    pub fn set_order(&mut self, order: Order) {
        if self.order == Some(order) {
            return;
        }
        let parts = if order == Order::Ending { DURATIONS.len() } else { 1 };
        let looked = std::mem::take(&mut self.covered);
        *self = Self { order: Some(order), page: self.page, ..Self::default() };
        self.covered = match (looked.first(), order) {
            (Some(first), Order::Newest | Order::Ending) if looked.len() == 1 => {
                vec![first.clone(); parts]
            }
            _ => vec![Covered::default(); parts],
        };
        self.fresh = 1.0;
    }

    /// Auctions a page shows.
    #[must_use]
    pub fn page(&self) -> f32 {
        if self.page > 0.0 { self.page } else { 100.0 }
    }

    /// How many stand before the moment at this distance; None while there is too little to tell.
    #[must_use]
    pub fn place(&self, distance: i64) -> Option<u32> {
        self.rank.place(distance)
    }

    /// Take in a page. `new`: which of its rows were new, and what each stands for.
    pub fn learn(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        known_alive: usize,
        arrivals: &mut Arrivals,
    ) {
        let shown = reply.seen.len();
        self.pages += 1;
        self.page = self.page.max(shown as f32);
        if shown == 0 {
            self.size = self.size.min(offset as f32);
            self.sweep = 0;
            let known = self.rank.place(LONGEST).is_some_and(|place| place <= offset);
            if self.order == Some(Order::Newest) && offset > 0 && !known {
                self.rank.learn(LONGEST, offset, reply.at);
            }
            return;
        }
        let share = new.len() as f32 / shown as f32;
        self.fresh += (share - self.fresh) * if self.pages < 50 { 0.1 } else { 0.03 };
        let last_page = (shown as f32) < self.page * 0.9 && !reply.truncated;
        match self.order {
            Some(Order::Newest) | None => self.by_posting(offset, reply, new, last_page, arrivals),
            Some(Order::Ending) => self.by_expiry(offset, reply, new, last_page, arrivals),
            Some(Order::None | Order::Random) => {
                let known = (shown - new.len()).max(1) as f32 / shown as f32;
                self.size = if last_page {
                    offset as f32 + shown as f32
                } else {
                    (known_alive as f32 / known).max(self.page)
                };
                let place = offset as usize / self.page() as usize;
                if self.visited.len() <= place {
                    self.visited.resize(place + 1, 0);
                }
                self.visited[place] = reply.at;
                self.sweep = if last_page { 0 } else { offset + shown as u32 };
            }
        }
    }

    fn by_posting(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        last_page: bool,
        arrivals: &mut Arrivals,
    ) {
        let posted = || reply.seen.iter().map(|seen| seen.posted_at);
        let (oldest, newest) = (posted().min().unwrap_or(0), posted().max().unwrap_or(0));
        let at = reply.at;
        let from = if last_page { at - LONGEST } else { oldest + SECOND };
        let to = if offset == 0 { at.div_euclid(SECOND) * SECOND } else { newest };
        let first = self.covered.is_empty();
        if first {
            self.covered = vec![Covered::default()];
        }
        for (from, to) in self.covered[0].add(from, to) {
            let inside = |(seen, ..): &&(Seen, f32, i64)| (from..to).contains(&seen.posted_at);
            let listed = new.iter().filter(inside).map(|(_, weight, _)| weight).sum();
            if from > at - 6 * HOUR {
                arrivals.looked(from, to, listed, 1.0);
            }
        }
        self.covered[0].forget(at - LONGEST);
        self.rank.learn(at - oldest, offset + reply.seen.len() as u32 - 1, at);
        if offset > 0 {
            self.rank.learn(at - newest, offset, at);
        }
    }

    fn by_expiry(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        last_page: bool,
        arrivals: &mut Arrivals,
    ) {
        let at = reply.at;
        let alive = || reply.seen.iter().filter(|seen| seen.status == Status::Active);
        let left = || alive().map(|seen| i64::from(seen.seconds_remaining) * SECOND);
        let (Some(soonest), Some(latest)) = (left().min(), left().max()) else { return };
        let soonest_new = if offset == 0 { 0 } else { soonest + SECOND };
        let latest_new = if last_page { LONGEST } else { latest - SECOND };
        for (index, &duration) in DURATIONS.iter().enumerate() {
            let duration = duration * SECOND;
            let (from, to) = (at + soonest_new - duration, (at + latest_new - duration).min(at));
            let spans = self.covered[index].add(from, to);
            let share = arrivals.share(index);
            for (from, to) in spans {
                let inside = |(seen, _, length): &&(Seen, f32, i64)| {
                    (length - duration).abs() < 2 * SECOND && (from..to).contains(&seen.posted_at)
                };
                let listed = new.iter().filter(inside).map(|(_, weight, _)| weight).sum();
                if share > LEAST_SHARE && from > at - 6 * HOUR {
                    arrivals.looked(from, to, listed, share);
                }
            }
            self.covered[index].forget(at - duration - HOUR);
        }
        self.rank.learn(latest, offset + reply.seen.len() as u32 - 1, at);
        if offset > 0 {
            self.rank.learn(soonest, offset, at);
        }
    }

    /// Where new listings gather, for the price.
    #[must_use]
    pub fn streams(&self, arrivals: &Arrivals) -> Vec<Stream> {
        match self.order {
            Some(Order::Newest) | None => {
                vec![Stream { places: 1.0, share: 1.0, cap: self.page() - OVERLAP as f32 }]
            }
            Some(Order::Ending) => {
                let parts = (0..DURATIONS.len()).filter(|&i| arrivals.share(i) > LEAST_SHARE);
                parts
                    .map(|i| {
                        let cap = self.page() * self.new_share(i, arrivals);
                        Stream { places: 1.0, share: arrivals.share(i), cap }
                    })
                    .collect()
            }
            Some(Order::None | Order::Random) => {
                let places = (self.size / self.page()).max(1.0);
                vec![Stream { places, share: 1.0 / places, cap: self.page() }]
            }
        }
    }

    /// Of the auctions that expire when a fresh one of this duration does: share that is fresh.
    fn new_share(&self, duration: usize, arrivals: &Arrivals) -> f32 {
        let older: f32 = (duration + 1..DURATIONS.len()).map(|i| arrivals.share(i)).sum();
        let share = arrivals.share(duration);
        share / (share + older * 0.6).max(1e-6)
    }

    /// The pages worth a thought at `at`.
    #[must_use]
    pub fn options(
        &self,
        at: i64,
        arrivals: &Arrivals,
        fading: &Fading,
        paging: bool,
        reach: u32,
    ) -> Vec<Option_> {
        match self.order {
            Some(Order::Newest) | None => self.newest_options(at, arrivals, fading, paging, reach),
            Some(Order::Ending) => self.ending_options(at, arrivals, fading, paging, reach),
            Some(order) => vec![self.sweep_option(at, arrivals, fading, order, paging, reach)],
        }
    }

    fn newest_options(
        &self,
        at: i64,
        arrivals: &Arrivals,
        fading: &Fading,
        paging: bool,
        reach: u32,
    ) -> Vec<Option_> {
        let end = self.covered.first().and_then(Covered::end).unwrap_or(at - HOUR);
        let wait = ((at - end) as f32 / SECOND as f32).max(0.0);
        let cap = self.page() - OVERLAP as f32;
        let (shown, lost) = fading.page(arrivals.current(at), cap, wait);
        let mut options = vec![Option_ { offset: 0, shown, lost, why: "front page" }];
        if !paging {
            return options;
        }
        let Some(covered) = self.covered.first() else { return options };
        for (from, to) in covered.holes(at - LONGEST, end).into_iter().rev().take(4) {
            let Some(place) = self.rank.place(at - to) else { continue };
            if place + 1 >= reach || to - from < 2 * SECOND {
                continue;
            }
            let (alive, _) = fading.after((at - to) as f32 / SECOND as f32);
            let there = arrivals.between(from, to) * alive;
            let shown = there.min(cap);
            let offset = place.saturating_sub(OVERLAP);
            options.push(Option_ { offset, shown, lost: shown, why: "a hole" });
        }
        options
    }

    fn ending_options(
        &self,
        at: i64,
        arrivals: &Arrivals,
        fading: &Fading,
        paging: bool,
        reach: u32,
    ) -> Vec<Option_> {
        let page = self.page();
        let mut options = Vec::new();
        let seconds = |span: i64| span as f32 / SECOND as f32;
        // those about to end: what of them was never seen
        let near = self.rank.place(60 * SECOND).unwrap_or(100).max(1) as f32;
        let width = (60.0 * page / near * SECOND as f32) as i64;
        let (mut unseen, mut gap) = (0.0, 0.0_f32);
        for (index, &duration) in DURATIONS.iter().enumerate() {
            let share = arrivals.share(index);
            let (alive, _) = fading.after(duration as f32);
            let start = at - duration * SECOND;
            for (from, to) in self.covered[index].holes(start, start + width) {
                unseen += arrivals.between(from, to) * share * alive;
                gap = gap.max(seconds(to - start));
            }
        }
        let unseen = unseen.min(page);
        let due = gap >= seconds(width) * 0.8;
        let lost = if due { unseen } else { unseen * 0.1 };
        options.push(Option_ { offset: 0, shown: unseen, lost, why: "front page" });
        if !paging {
            return options;
        }
        for (index, &duration) in DURATIONS.iter().enumerate() {
            let share = arrivals.share(index);
            if share <= LEAST_SHARE {
                continue;
            }
            let duration = duration * SECOND;
            let end = self.covered[index].end().unwrap_or(at - HOUR).max(at - HOUR);
            let (from, to) = (end + duration - at, duration);
            let (Some(first), Some(last)) = (self.rank.place(from), self.rank.place(to)) else {
                continue;
            };
            let inside = (last.saturating_sub(first)).max(1) as f32;
            let part = (page / inside).min(1.0);
            let wait = seconds(at - end);
            let rate = arrivals.current(at) * share;
            let (shown, mut lost) = fading.page(rate, f32::MAX, wait * part);
            if part < 1.0 {
                lost = shown;
            }
            let offset = if part < 1.0 {
                (last + OVERLAP).saturating_sub(page as u32)
            } else {
                first.saturating_sub(OVERLAP)
            };
            if offset < reach {
                options.push(Option_ { offset, shown, lost, why: "a page around a moment" });
            }
        }
        options
    }

    fn sweep_option(
        &self,
        at: i64,
        arrivals: &Arrivals,
        fading: &Fading,
        order: Order,
        paging: bool,
        reach: u32,
    ) -> Option_ {
        let page = self.page();
        let offset =
            if order == Order::Random || !paging || self.sweep >= reach { 0 } else { self.sweep };
        let places = (self.size / page).max(1.0);
        let visited = self.visited.get(offset as usize / page as usize).copied().unwrap_or(0);
        let shown = self.fresh * page;
        let wait = (at - visited).min(DAY) as f32 / SECOND as f32;
        let (all, lost) = fading.page(arrivals.current(at) / places, page, wait);
        let part = if all > 0.0 { lost / all } else { 1.0 };
        Option_ { offset, shown, lost: shown * part, why: "a page of the sweep" }
    }

    /// A page that shows where in the list moments stand; None once that is known.
    pub fn explore(&mut self, paging: bool, reach: u32) -> Option<u32> {
        if self.order != Some(Order::Ending) || !paging {
            return None;
        }
        let far = LONGEST - 2 * HOUR;
        if self.rank.place(far).is_some() && self.explored > 6 {
            return None;
        }
        self.explored += 1;
        let offset = 200_u32 << (2 * self.explored.min(10));
        if self.explored > 7 || offset >= reach { None } else { Some(offset) }
    }
}
