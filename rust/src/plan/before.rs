//! Lots about to end in, which look at them now makes most sales known out: for upstreams that tell
//! nothing of an end.
//!
//! A lot that is gone before its time was bought, mostly; one that is seen with bids right before its
//! end is sold to the last bidder, mostly. So what counts is one look at each lot before its end, as
//! late as there is room: by refreshes, or by a page of the lots posted one duration ago.

use crate::market::asked::{Ask, HOUR, SECOND};
use crate::market::found::{Ended, Order};
use crate::market::lot::Lot;
use crate::plan::candidate::Candidate;
use crate::plan::planner::Planner;

/// Lots are thought of from this long before their expiry, and no more of them than this.
pub(super) const AHEAD: i64 = HOUR;
const MOST: usize = 500;
/// A look takes this long to be answered, and lists move.
const MARGIN: i64 = 2 * SECOND;
/// Time left at which a last look is as good as it gets.
const LAST_LOOK: i64 = 10 * SECOND;
/// From this probability on a conclusion is sure; below it counts only so much.
const SURE: (f32, f32) = (0.92, 0.2);
/// What a wrong conclusion costs that was taken for sure, in right ones.
const WRONG: f32 = 1.0;
/// A listing that was missed at first and is still there can be seen later, too.
const LATE_SIGHT: f32 = 0.4;
/// Share of its rows by which a page stays clear of what is over.
const SLACK: f32 = 0.2;
/// A page may also show those that end later, by so many halves of a page.
const LAGS: i64 = 5;
/// Share of requests that are refreshes, about.
const REFRESHES: f32 = 0.5;

/// A lot about to end, and the sales that become known by looks at it.
struct Coming {
    auction_id: i64,
    /// Time left and duration, microseconds.
    lead: i64,
    length: i64,
    /// P(no longer on offer).
    gone: f32,
    /// By its absence now.
    absence: f32,
    /// By its last bid as a look now shows it.
    bid: f32,
    /// The same by a look right before its end.
    later: f32,
    /// P(a look now shows it with bids), and what a look right before its end is worth then.
    with_bids: (f32, f32),
}

impl Coming {
    /// What a look now adds, where a place in a later one is worth `place` and there is one or not.
    fn worth(&self, place: f32, is_last: bool) -> f32 {
        if is_last {
            return self.absence + self.bid;
        }
        let (seen, last) = self.with_bids;
        let after = self.bid.max(seen * (last - place).max(0.0));
        self.absence + after - (self.absence + self.later - place).max(0.0)
    }
}

/// What the new lots of a page are worth of those of the first one.
fn late_sight(page: Candidate) -> f32 {
    if page.offset > 0 { LATE_SIGHT } else { 1.0 }
}

fn sure(chance: f32) -> f32 {
    if chance >= SURE.0 { chance - WRONG * (1.0 - chance) } else { SURE.1 * chance }
}

impl Planner {
    /// The question that makes most sales known; `front`: the page that shows most new lots.
    pub(super) fn look_before(
        &mut self,
        at: i64,
        front: Option<Candidate>,
        reach: u32,
    ) -> (Ask, &'static str) {
        let coming = self.coming(at);
        let place = self.place_worth(&coming);
        let (ids, refresh) = self.last_refresh(&coming, place);
        let page = self.last_page(at, &coming, place, reach);
        let listing = self.known.0 / self.known.1;
        let worth = |front: &Candidate| front.lost * listing * late_sight(*front);
        let least = front.as_ref().map_or(0.0, worth);
        match (page, front) {
            (Some((offset, worth)), _) if worth >= refresh.max(least) => {
                (self.search(offset), "about to end")
            }
            (_, Some(front)) if least >= refresh || ids.is_empty() => {
                (self.search(front.offset), front.why)
            }
            _ if ids.is_empty() => (self.search(0), "front page"),
            _ => (self.refresh(ids, at), "before the end"),
        }
    }

    fn coming(&self, at: i64) -> Vec<Coming> {
        let open = self.tracker.board.open(at + MARGIN / 2..=at + AHEAD);
        open.filter(|lot| lot.absent_at == 0 && lot.last_active > 0)
            .take(MOST)
            .map(|lot| self.outlook_of(lot, at))
            .collect()
    }

    fn outlook_of(&self, lot: &Lot, at: i64) -> Coming {
        let rates = &self.tracker.rates;
        let lead = lot.expires_at - at;
        let gone = rates.ended_early(lot, lot.last_active, at);
        let stays = rates.survives(lot, at, lot.expires_at);
        let (has, last) = rates.last_bid(lot, lead);
        let (at_last, best) = rates.last_bid(lot, LAST_LOOK.min(lead));
        let best = sure(best);
        Coming {
            auction_id: lot.auction_id,
            lead,
            length: lot.expires_at - lot.posted_at,
            gone,
            absence: if gone > 0.0 { gone * sure(rates.bought(lot)) } else { 0.0 },
            bid: (1.0 - gone) * has * sure(last * stays),
            later: (1.0 - gone) * at_last * best,
            with_bids: ((1.0 - gone) * has, best),
        }
    }

    /// What the last place is worth in the refreshes of the next minutes.
    fn place_worth(&self, coming: &[Coming]) -> f32 {
        let ahead = coming.last().map_or(0, |lot| lot.lead);
        let requests = ahead as f32 / self.pace.interval() as f32;
        let places = (requests * REFRESHES) as usize * self.batch();
        let mut worths: Vec<f32> = coming.iter().map(|lot| lot.absence + lot.later).collect();
        if worths.len() <= places {
            return 0.0;
        }
        *worths.select_nth_unstable_by(places, |a, b| b.total_cmp(a)).1
    }

    fn is_last(&self, lot: &Coming) -> bool {
        lot.lead < 3 * self.pace.interval() / 2
    }

    /// The lots to refresh and what their answers are worth.
    fn last_refresh(&self, coming: &[Coming], place: f32) -> (Vec<i64>, f32) {
        let fails = self.tracker.found.flags().ended == Some(Ended::Error);
        let mut best: Vec<(f32, &Coming)> = coming
            .iter()
            .map(|lot| {
                let worth = if fails { lot.bid } else { lot.worth(place, self.is_last(lot)) };
                (worth, lot)
            })
            .collect();
        best.sort_by(|a, b| {
            let second = |lot: &Coming| lot.absence + lot.later;
            b.0.total_cmp(&a.0)
                .then(second(b.1).total_cmp(&second(a.1)))
                .then(a.1.auction_id.cmp(&b.1.auction_id))
        });
        best.truncate(self.batch());
        if fails {
            return all_alive(&best);
        }
        let worth = best.iter().map(|(worth, _)| worth).sum();
        (best.into_iter().map(|(_, lot)| lot.auction_id).collect(), worth)
    }

    /// Place in the list of the oldest lots of a duration, and rows a second there.
    fn end_of(&self, duration: i64, at: i64) -> Option<(f32, f32)> {
        if let Some(known) = self.ends.place(duration, at + MARGIN) {
            return Some(known);
        }
        let longer: f32 = self
            .arrivals
            .durations()
            .filter(|&(other, _)| other >= duration)
            .map(|(_, share)| share)
            .sum();
        let alive = self.tracker.rates.survival(duration as f32 / SECOND as f32) * longer;
        let density = self.arrivals.rate(at - duration) * alive;
        Some((self.list.place(duration)? as f32, density.max(1e-3)))
    }

    /// The page of lots about to end that is worth most: its place and its worth.
    fn last_page(&self, at: i64, coming: &[Coming], place: f32, reach: u32) -> Option<(u32, f32)> {
        if self.tracker.found.flags().paging == Some(false) {
            return None;
        }
        let fails = self.tracker.found.flags().ended == Some(Ended::Error);
        let place = if fails { 1.0 } else { place };
        let rows = self.list.page();
        let value = |lots: &mut dyn Iterator<Item = &Coming>, from: i64, to: i64| -> f32 {
            let inside = lots.filter(|lot| (from..to).contains(&lot.lead));
            inside.map(|lot| lot.worth(place, self.is_last(lot))).sum()
        };
        match self.tracker.found.flags().order {
            Some(Order::Newest) => self
                .arrivals
                .durations()
                .filter_map(|(length, _)| Some((length, self.end_of(length, at)?)))
                .filter(|&(_, (end, _))| end < reach as f32)
                .flat_map(|(length, (end, density))| {
                    let span = (rows / density * SECOND as f32) as i64;
                    let same = move |lot: &&Coming| (lot.length - length).abs() < 2 * SECOND;
                    (0..LAGS).map(move |lag| {
                        let before = rows * (1.0 + SLACK + lag as f32 / 2.0);
                        let from = MARGIN + lag * span / 2;
                        let worth = value(&mut coming.iter().filter(same), from, from + span);
                        ((end - before).max(0.0) as u32, worth)
                    })
                })
                .max_by(|a, b| a.1.total_cmp(&b.1)),
            Some(Order::Ending) => {
                let mut count = 0.0;
                let shown = coming.iter().take_while(|lot| {
                    count += 1.0 - lot.gone;
                    count <= rows
                });
                let span = shown.last()?.lead;
                Some((0, value(&mut coming.iter(), 0, span)))
            }
            _ => None,
        }
    }
}

/// One that has ended makes the whole request fail: as many of the best as pay.
fn all_alive(best: &[(f32, &Coming)]) -> (Vec<i64>, f32) {
    let mut ranked: Vec<&(f32, &Coming)> = best.iter().filter(|(worth, _)| *worth > 0.0).collect();
    ranked.sort_by(|a, b| (b.0 / (b.1.gone + 1e-4)).total_cmp(&(a.0 / (a.1.gone + 1e-4))));
    let (mut ids, mut sum, mut alive) = (Vec::new(), 0.0, 1.0);
    for &&(worth, lot) in &ranked {
        let (next, with) = (sum + worth / (1.0 - lot.gone).max(0.01), alive * (1.0 - lot.gone));
        if next * with <= sum * alive {
            break;
        }
        (sum, alive) = (next, with);
        ids.push(lot.auction_id);
    }
    (ids, sum * alive)
}
