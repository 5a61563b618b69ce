//! A list by expiry: pages in, which page would show most out.
//!
//! Where the auctions of a duration begin, new ones come in; as time goes on that moment moves over
//! the list, and pages follow it: each begins where the one before ended, at the place where that is
//! now expected. What nobody saw passes the front.
//!
//! Invariant: a span of posting time counts as covered only where a page showed all of it that was
//! still on offer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, MINUTE, Reply, SECOND, Seen, Status};
use crate::plan::arrivals::Arrivals;
use crate::plan::candidate::{Candidate, LONGEST, View};
use crate::plan::covered::Covered;
use crate::plan::edge::{Edge, Page};
use crate::plan::price::Stream;
use crate::plan::rank::Rank;

/// A moment this near ends before long: what nobody saw of it is lost.
const NEAR: i64 = 45 * SECOND;
/// What a page that can wait costs of one that cannot.
const PATIENT: f32 = 0.05;
/// Pages near the front that are thought of.
const FRONTS: usize = 3;

/// What is known of the list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ending {
    /// By duration: postings that were looked at.
    covered: BTreeMap<i64, Covered>,
    /// By duration: where they end.
    edges: BTreeMap<i64, Edge>,
    rank: Rank,
    /// The list is shorter, as far as an empty page told.
    beyond: Option<u32>,
    explored: Option<u32>,
    /// Empty pages in a row.
    misses: u32,
    /// Pages in a row, but for the first of the list, that showed nearly nothing new.
    fruitless: u8,
}

/// A page of which less than one row in so many is new shows nearly nothing.
const FRUITLESS: usize = 20;

impl Ending {
    /// Postings that a list in another order has shown.
    pub fn keep(&mut self, covered: &Covered, arrivals: &Arrivals) {
        for (duration, _) in arrivals.durations() {
            self.covered.insert(duration, covered.clone());
        }
    }

    /// Nothing stands at `offset`.
    pub fn learn_empty(&mut self, offset: u32, at: i64) {
        self.misses += 1;
        let size = offset.saturating_sub(25 << self.misses.min(10));
        self.beyond = Some(offset);
        self.rank.end(offset);
        for edge in self.edges.values_mut().filter(|edge| edge.is_placed()) {
            if edge.place(at) > size as f32 {
                edge.correct_to(size as f32, false, at);
            }
        }
    }

    /// Take in a page. `new`: which of its rows were new, and what each stands for;
    /// `rows`: all of them, when each was posted and how long it runs.
    pub fn learn(
        &mut self,
        offset: u32,
        reply: &Reply,
        new: &[(Seen, f32, i64)],
        rows: &[(i64, i64)],
        last_page: bool,
        arrivals: &mut Arrivals,
    ) {
        let at = reply.at;
        let Some(page) = Page::of(offset, reply) else { return };
        self.misses = 0;
        let ends: Vec<(i64, i64)> = reply.seen.iter().filter_map(|seen| expiry(seen, at)).collect();
        let from = if offset == 0 { at } else { page.first() + SECOND };
        let to = if last_page { at + LONGEST } else { page.last() };
        let durations: Vec<(i64, f32)> = arrivals.durations().collect();
        for (duration, share) in durations {
            let edge = self.edges.entry(duration).or_default();
            edge.correct(&page, at);
            let (from, to) = (from - duration, (to - duration).min(at));
            let covered = self.covered.entry(duration).or_default();
            for (from, to) in covered.add(from, to) {
                let inside = |(seen, _, length): &&(Seen, f32, i64)| {
                    (length - duration).abs() < MINUTE && (from..to).contains(&seen.posted_at)
                };
                arrivals.census.reached(duration, (from, to), at);
                for &(posted, length) in rows {
                    if length == duration && (from..to).contains(&posted) {
                        arrivals.census.met(posted, duration);
                    }
                }
                let listed = new.iter().filter(inside).map(|(_, weight, _)| weight).sum();
                arrivals.looked_for(duration, from, to, listed);
                if from > at - 6 * HOUR {
                    arrivals.looked(from, to, listed, share);
                }
            }
            covered.forget(at - duration - HOUR);
            let Some(end) = covered.end() else { continue };
            if edge.stand(end + duration, &page, at) {
                let (from, to) = (page.first(), page.last().min(at + duration));
                let (own, others): (Vec<_>, Vec<_>) = ends
                    .iter()
                    .copied()
                    .filter(|(end, _)| *end < to)
                    .partition(|(end, posted)| (end - posted - duration).abs() < MINUTE);
                edge.beside(own.len() as f32, others.len() as f32, to - from);
            }
        }
        if offset > 0 {
            let is_fruitless = new.len() * FRUITLESS < reply.seen.len();
            self.fruitless = if is_fruitless { self.fruitless.saturating_add(1).min(8) } else { 0 };
        }
        let (first, last) = (page.first() - at, page.last() - at);
        if last > first {
            self.rank.learn((first, page.before()), (last, page.behind()), at);
        }
        if last_page {
            self.beyond = Some(page.behind() + 1);
        } else if self.beyond.is_some_and(|beyond| beyond <= page.behind()) {
            self.beyond = None;
        }
    }

    /// Where new listings gather, for the price.
    #[must_use]
    pub fn streams(&self, arrivals: &Arrivals, page: f32) -> Vec<Stream> {
        let of = |(duration, share): (i64, f32)| {
            let edge = self.edges.get(&duration).cloned().unwrap_or_default();
            Stream { places: 1.0, share, cap: (page - edge.margin(page)) * edge.fresh, drawn: None }
        };
        arrivals.durations().map(of).collect()
    }

    /// The pages worth a thought.
    #[must_use]
    pub fn options(&self, view: View) -> Vec<Candidate> {
        let mut options = self.fronts(view);
        if view.paging {
            // where nothing comes of them several times in a row, moments stand elsewhere
            let trust = 0.5_f32.powi(i32::from(self.fruitless.saturating_sub(2)));
            let follow = |of| self.follow(view, of).map(|page| page.trusted(trust));
            options.extend(view.arrivals.durations().filter_map(follow));
        }
        if options.is_empty() {
            options.push(Candidate { offset: 0, shown: 0.0, lost: 0.0, why: "front page" });
        }
        options
    }

    /// Those about to end that nobody saw.
    fn fronts(&self, view: View) -> Vec<Candidate> {
        let View { at, page, .. } = view;
        let mut options = Vec::new();
        let mut from = at;
        for _ in 0..FRONTS {
            let hole = |(duration, _): (i64, f32)| {
                let covered = self.covered.get(&duration)?;
                let holes = covered.holes(from - duration, (at - duration + HOUR).min(at));
                holes.first().map(|&(start, _)| start + duration)
            };
            let Some(start) = view.arrivals.durations().filter_map(hole).min() else { break };
            let place = if view.paging { self.rank.place(start - at).unwrap_or(0) } else { 0 };
            let start = if place == 0 { at } else { start };
            let width = self.width(start - at, page);
            let shown = self.unseen(view, start, start + width).min(page);
            let lost = if start - at < NEAR { shown } else { shown * PATIENT };
            if place < view.reach {
                options.push(Candidate { offset: place, shown, lost, why: "front page" });
            }
            if !view.paging {
                break;
            }
            from = start + width / 2;
        }
        options
    }

    /// How long a page at this distance from now reaches.
    fn width(&self, distance: i64, page: f32) -> i64 {
        let Some(place) = self.rank.place(distance) else { return HOUR };
        let behind = self.rank.place(distance + HOUR / 2).unwrap_or(place + 1);
        let density = (behind.saturating_sub(place)).max(1) as f32 / (HOUR / 2) as f32;
        (page / density) as i64
    }

    /// Listings that expire between two moments, are on offer and were not looked at.
    fn unseen(&self, view: View, from: i64, to: i64) -> f32 {
        let of = |(duration, share): (i64, f32)| {
            let Some(covered) = self.covered.get(&duration) else { return 0.0 };
            let holes = covered.holes(from - duration, (to - duration).min(view.at));
            let listed = holes.into_iter().map(|(start, end)| {
                let age = (view.at - start - (end - start) / 2) as f32 / SECOND as f32;
                view.arrivals.between(start, end) * view.fading.after(age).0
            });
            listed.sum::<f32>() * share
        };
        view.arrivals.durations().map(of).sum()
    }

    /// Where the auctions of a duration come in.
    fn follow(&self, view: View, (duration, share): (i64, f32)) -> Option<Candidate> {
        let View { at, arrivals, fading, page, reach, .. } = view;
        let seconds = |span: i64| span as f32 / SECOND as f32;
        let edge = self.edges.get(&duration)?;
        let margin = edge.margin(page);
        let cap = page - margin;
        let rate = arrivals.current(at) * share;
        let density = (rate + edge.others).max(1e-6);
        let wait = seconds(at + duration - edge.moment());
        let why = "a page around a moment";
        let width = cap / density;
        if edge.is_placed() && wait <= 3.0 * width {
            let place = edge.place(at) - margin;
            let offset = if place > 0.0 { place as u32 } else { 0 };
            let others = self.unseen_others(view, duration, edge.moment(), wait.min(width));
            let (shown, lost) = if wait <= width {
                fading.page(rate, f32::MAX, wait)
            } else {
                let shown = rate * (fading.after(wait).1 - fading.after(wait - width).1);
                (shown, shown)
            };
            let lost = lost + others * lost / shown.max(1e-6);
            return (offset < reach).then_some(Candidate {
                offset,
                shown: shown + others,
                lost,
                why,
            });
        }
        let place = self.frontier(duration, page)?;
        let offset = if place > page - margin { (place - page + margin) as u32 } else { 0 };
        let shown = rate * fading.after(width.min(wait)).1;
        (offset < reach).then_some(Candidate { offset, shown, lost: shown, why })
    }

    /// Other listings than those of a duration that a page there would show first.
    fn unseen_others(&self, view: View, duration: i64, moment: i64, width: f32) -> f32 {
        let to = moment + (width * SECOND as f32) as i64;
        let all = self.unseen(view, moment, to);
        let share = view.arrivals.durations().find(|of| of.0 == duration).map_or(0.0, |of| of.1);
        let own = self.covered.get(&duration).map_or(0.0, |covered| {
            let holes = covered.holes(moment - duration, (to - duration).min(view.at));
            holes.into_iter().map(|(from, to)| view.arrivals.between(from, to)).sum::<f32>() * share
        });
        (all - own).max(0.0)
    }

    /// Where a duration comes in, by what pages showed at whatever time.
    fn frontier(&self, duration: i64, page: f32) -> Option<f32> {
        let place = self.rank.place(duration)? as f32;
        match (self.beyond, self.rank.last()) {
            (Some(beyond), Some((far, last))) if duration > far => {
                let (beyond, last) = (beyond as f32, last as f32);
                Some(if beyond - last > 4.0 * page {
                    f32::midpoint(last, beyond)
                } else {
                    beyond - 25.0
                })
            }
            _ => Some(place),
        }
    }

    /// A page that shows where in the list moments stand; None once that is known.
    pub fn explore(&mut self, reach: u32) -> Option<u32> {
        let offset = self.explored.map_or(400, |explored| explored.saturating_mul(4));
        if self.beyond.is_some() || offset >= reach || offset > 10_000_000 {
            return None;
        }
        self.explored = Some(offset);
        Some(offset)
    }
}

/// When an auction on offer expires, and when it was posted.
fn expiry(seen: &Seen, at: i64) -> Option<(i64, i64)> {
    (seen.status == Status::Active).then(|| (seen.expires_at(at), seen.posted_at))
}
