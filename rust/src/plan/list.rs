//! The list as pages have shown it: what of it was looked at, and which page would show most.
//!
//! Invariant: a span of posting time counts as covered only where a page in a strict order showed
//! all of it that was still on offer.

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, Reply, SECOND, Seen};
use crate::market::found::{Order, stands_in};
use crate::plan::arrivals::Arrivals;
use crate::plan::candidate::{Candidate, LONGEST, View};
use crate::plan::covered::Covered;
use crate::plan::drawn::Drawn;
use crate::plan::ending::Ending;
use crate::plan::fading::Fading;
use crate::plan::price::Stream;
use crate::plan::rank::Rank;
use crate::plan::sweep::Sweep;

/// How much is listed is learned of no older a time.
pub const RECENT: i64 = 6 * HOUR;
/// Rows by which a page reaches into what is known, so that a moved list leaves no gap.
const OVERLAP: u32 = 2;
/// What a page of a hole shows beyond what is worth a request, so much of it is lost unless it is looked at
/// while it is known where it stands.
const HOLE_LOSS: f32 = 0.6;
/// How fast rows come is known within so much of it: by that share of those that the place of a hole was
/// reckoned by, and by the root of them, for they come at random, a page may miss it.
const AIM: f32 = 0.05;
/// Seconds by which a page is thought of as later, to see what that costs.
const LATER: f32 = 2.0;

/// What is known of the list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct List {
    order: Option<Order>,
    /// In a list by posting: what was looked at, and where it stands.
    covered: Covered,
    rank: Rank,
    ending: Ending,
    /// In a list of no order.
    pub sweep: Sweep,
    page: f32,
    /// What ended stays on show for so long at least.
    lingers: i64,
}

impl List {
    /// A list that is in this order from now on; what was known of its places is forgotten.
    pub fn set_order(&mut self, order: Order, arrivals: &Arrivals) {
        if self.order == Some(order) {
            return;
        }
        let covered = std::mem::take(&mut self.covered);
        let Self { page, lingers, .. } = *self;
        *self = Self { order: Some(order), page, lingers, ..Self::default() };
        match order {
            Order::Newest => self.covered = covered,
            Order::Ending => self.ending.keep(&covered, arrivals),
            Order::None => {}
            Order::Random => self.sweep.drawn = Some(Drawn::default()),
        }
    }

    /// Whether auctions stand by posting, as far as is known.
    #[must_use]
    pub fn is_by_posting(&self) -> bool {
        self.order == Some(Order::Newest)
    }

    /// A page showed an auction this long after its end; None: what ended is not shown.
    pub fn lingered(&mut self, shown: Option<i64>) {
        self.lingers = shown.map_or(0, |shown| self.lingers.max(shown));
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

    /// Take in a page. `new`: which of its rows were new, and what each stands for; `rows`: all of
    /// them, when each was posted and how long it runs.
    pub fn learn(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        rows: &[(i64, i64)],
        arrivals: &mut Arrivals,
    ) {
        let shown = reply.seen.len();
        self.page = self.page.max(shown as f32);
        if shown == 0 {
            self.ending.learn_empty(offset, reply.at);
            self.sweep.learn_empty(offset);
            let known = self.rank.place(LONGEST).is_some_and(|place| place <= offset);
            if self.order == Some(Order::Newest) && offset > 0 && !known {
                self.rank.learn((LONGEST, offset), (LONGEST + 1, offset + 1), reply.at);
            }
            return;
        }
        let order = self.order.unwrap_or(Order::Newest);
        if matches!(order, Order::Newest | Order::Ending) && !stands_in(reply, order) {
            return; // the list may be in another order by now
        }
        let last_page = (shown as f32) < self.page * 0.9 && !reply.truncated;
        match self.order {
            Some(Order::Newest) | None => {
                self.by_posting(offset, reply, new, rows, last_page, arrivals);
            }
            Some(Order::Ending) => {
                self.ending.learn(offset, reply, new, rows, last_page, arrivals);
            }
            Some(Order::None | Order::Random) => {
                self.sweep.learn(offset, reply, new, self.page(), arrivals);
            }
        }
    }

    fn by_posting(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        rows: &[(i64, i64)],
        last_page: bool,
        arrivals: &mut Arrivals,
    ) {
        let posted = || reply.seen.iter().map(|seen| seen.posted_at);
        let (oldest, newest) = (posted().min().unwrap_or(0), posted().max().unwrap_or(0));
        let at = reply.at;
        let from = if last_page { at - LONGEST } else { oldest + SECOND };
        let to = if offset == 0 { at.div_euclid(SECOND) * SECOND } else { newest };
        let found = self.covered.add(from, to);
        let is_met = !found.is_empty();
        for (from, to) in found {
            let inside = |(seen, ..): &&(Seen, f32, i64)| (from..to).contains(&seen.posted_at);
            for duration in arrivals.lengths() {
                arrivals.census.reached(duration, (from, to), at);
            }
            for &(posted, duration) in rows.iter().filter(|row| (from..to).contains(&row.0)) {
                arrivals.census.met(posted, duration);
            }
            let listed = new.iter().filter(inside).map(|(_, weight, _)| weight).sum();
            if from > at - RECENT {
                arrivals.looked(from, to, listed, 1.0);
            }
        }
        if offset > 0 && !is_met {
            // what was asked for and not met is not asked for again
            let (reach, end) = ((to - from) / 2, self.covered.end().unwrap_or(to));
            self.covered.add(from - reach, (to + reach).min(end));
        }
        self.covered.forget(at - LONGEST);
        let near = if offset > 0 { (at - newest, offset) } else { (0, 0) };
        let far = (at - oldest, offset + reply.seen.len() as u32 - 1);
        if near.0 < far.0 {
            self.rank.learn(near, far, at);
        }
    }

    /// Where new listings gather, for the price.
    #[must_use]
    pub fn streams(&self, arrivals: &Arrivals) -> Vec<Stream> {
        match self.order {
            Some(Order::Newest) | None => {
                vec![Stream {
                    places: 1.0,
                    share: 1.0,
                    cap: (self.page() - OVERLAP as f32).max(1.0),
                    drawn: None,
                }]
            }
            Some(Order::Ending) => self.ending.streams(arrivals, self.page()),
            Some(Order::None | Order::Random) => self.sweep.streams(self.page()),
        }
    }

    /// How listings fade between two looks at a place of the list.
    #[must_use]
    pub fn fading(&self, survival: impl Fn(f32) -> f32, arrivals: &Arrivals) -> Fading {
        let lingers = self.lingers as f32 / SECOND as f32;
        let survival = |age: f32| survival((age - lingers).max(0.0));
        match self.order {
            Some(Order::None) => Fading::new(|age| survival(age) * arrivals.lasting(age)),
            Some(Order::Random) => Fading::drawn(|age| survival(age) * arrivals.lasting(age)),
            _ => Fading::new(survival),
        }
    }

    /// The pages worth a thought.
    #[must_use]
    pub fn options(&self, view: View) -> Vec<Candidate> {
        match self.order {
            Some(Order::Newest) | None => self.newest_options(view),
            Some(Order::Ending) => self.ending.options(view),
            Some(_) => vec![self.sweep.option(view)],
        }
    }

    /// The page at the front of a list by posting.
    #[must_use]
    pub fn front(&self, view: View) -> Candidate {
        let View { at, arrivals, fading, .. } = view;
        let end = self.covered.end().unwrap_or(at - HOUR);
        let wait = ((at - end) as f32 / SECOND as f32).max(0.0);
        let cap = (self.page() - OVERLAP as f32).max(1.0);
        let rate = arrivals.current(at);
        let shown = |wait: f32| {
            let mean = rate * fading.after(wait).1;
            mean - overflow(mean, cap).min(mean)
        };
        // what such pages would show more of, were each as late as this one and not a little later
        let (now, later) = (shown(wait), shown(wait + LATER));
        let lost = now - wait * (later - now) / LATER;
        Candidate { offset: 0, shown: now, lost, why: "front page" }
    }

    fn newest_options(&self, view: View) -> Vec<Candidate> {
        let View { at, arrivals, fading, paging, reach, least, .. } = view;
        let end = self.covered.end().unwrap_or(at - HOUR);
        let cap = (self.page() - OVERLAP as f32).max(1.0);
        let mut options = vec![self.front(view)];
        if !paging {
            return options;
        }
        let rows = |from: i64, to: i64, now: i64| arrivals.left(from, to, now, fading);
        let fresh =
            |from: i64| arrivals.current(at) * fading.after((at - from) as f32 / SECOND as f32).1;
        // what was listed before the first look is no hole; between a page and the next one lie the halves
        // of a second, and to the next row, if there is none between
        let holes = self
            .covered
            .holes(self.covered.start().unwrap_or(end), end)
            .into_iter()
            .rev()
            .map(|(from, to)| (to, rows(from, to - SECOND, at) - 1.0));
        let candidate = |(to, there): (i64, f32)| {
            let (place, moved) = self.rank.moved(to, at, rows, fresh)?;
            // a long hole is met all the same, if not at its edge; a short one in its middle
            let miss = moved.sqrt() + AIM * moved;
            let before = (OVERLAP as f32 + miss).max((cap - there) / 2.0).min(cap / 2.0);
            let aimed = (there + cap) / (there + cap + miss);
            let shown = there.min(cap + OVERLAP as f32 - before) * aimed;
            let offset = (place - before).max(0.0) as u32;
            let pays = shown >= least && place as u32 + 1 < reach;
            let lost = (shown - least) * HOLE_LOSS;
            pays.then_some(Candidate { offset, shown, lost, why: "a hole" })
        };
        options.extend(holes.filter(|&(_, there)| there >= least).filter_map(candidate));
        options
    }

    /// A page that shows where in the list moments stand; None once that is known.
    pub fn explore(&mut self, paging: bool, reach: u32) -> Option<u32> {
        let strange = self.order == Some(Order::Ending) && paging;
        if strange { self.ending.explore(reach) } else { None }
    }
}

/// Listings that a page of `cap` would not show, if some `mean` of them came.
fn overflow(mean: f32, cap: f32) -> f32 {
    let spread = 0.6 * mean.max(1.0).sqrt();
    spread * ((mean - cap) / spread).exp().ln_1p()
}
