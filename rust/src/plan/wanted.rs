//! A planner that took in a reply in, which lots are worth asking after out: those past their time, and
//! those that may be gone before it.

use crate::market::asked::{HOUR, SECOND};
use crate::market::judge::{chances, judge};
use crate::market::lot::{Evidence, Lot, Outcome};
use crate::market::tracker::Tracker;
use crate::plan::again::SURE;
use crate::plan::before::AHEAD;
use crate::plan::choose::SPARE;
use crate::plan::due::{TOO_LATE, Wanted};
use crate::plan::planner::Planner;

/// After its expiry an auction is asked after once this has passed: the end is told by then.
pub(super) const SETTLED: i64 = SECOND;
/// A lot is asked after before its time where there is room, once it is gone with one of these
/// probabilities, the rather the higher, and as if its time were over with the last; from the first on
/// where requests are to spare, else from [`LIKELY`] on.
const GONE: [f32; 5] = [0.05, 0.1, 0.2, 0.4, 0.65];
const LIKELY: usize = 2;
/// In a sweep, where nothing is lost by waiting, not before this.
const AS_GOOD_AS_GONE: f32 = 0.9;

impl Planner {
    /// A lot is gone before its time: ask how, if that is told.
    pub(super) fn missed(&mut self, id: i64) {
        let Some(lot) = self.tracker.board.get(id) else { return };
        if lot.is_left_out() || !self.tracker.manners().tells || self.is_forgotten(lot) {
            self.due.drop(id);
            self.early.drop(id);
            return;
        }
        let (worth, known) = self.worth_after(lot);
        self.want(Wanted { auction_id: id, expires_at: lot.expires_at, worth }, known);
    }

    /// Ask after a lot. In a sweep all are, sooner or later: what one is worth counts when that is first
    /// thought of.
    fn want(&mut self, wanted: Wanted, known: f32) {
        if self.sweeps() && !self.due.has(wanted.auction_id) {
            self.worths.add(wanted.worth, known);
        }
        self.early.drop(wanted.auction_id);
        self.due.want(wanted);
    }

    /// The upstream tells of ends once more: ask after all that is over, or seems to be.
    pub(super) fn ask_again(&mut self, now: i64) {
        let is_over = |lot: &&Lot| lot.absent_at != 0 || lot.expires_at <= now - SETTLED;
        let open = self.tracker.board.open(now - TOO_LATE..=i64::MAX).filter(is_over);
        let ids: Vec<i64> = open.map(|lot| lot.auction_id).collect();
        for auction_id in ids {
            let Some(lot) = self.tracker.board.get_mut(auction_id) else { continue };
            (lot.omitted, lot.last_asked) = (false, 0);
            let expires_at = lot.expires_at;
            let Some(lot) = self.tracker.board.get(auction_id) else { continue };
            let (worth, _) = self.worth_after(lot);
            self.due.want(Wanted { auction_id, expires_at, worth });
        }
    }

    /// Lots whose time has passed are asked after.
    pub(super) fn come_due(&mut self, now: i64) {
        let to = now - self.settled();
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
            let (worth, known) = self.worth_after(lot);
            if !(self.sweeps() && self.due.has(lot.auction_id)) {
                self.worths.add(worth, known);
            }
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

    /// Whether requests to spare are for lots that are hardly gone yet: where their ends are not told, or
    /// forgotten soon, a round of the list shows more.
    pub(super) fn asks_early(&self) -> bool {
        self.price < SPARE && self.tracker.manners().tells && self.may_wait()
    }

    /// A lot was seen on offer: plan when to ask after it before its time.
    pub(super) fn plan_first_review(&mut self, id: i64) {
        self.plan_review(id, if self.asks_early() { 0 } else { LIKELY });
    }

    /// When a lot that was seen on offer is gone with the next of [`GONE`], if that is before its end; of
    /// a sweep, once it is as good as sure.
    fn plan_review(&mut self, id: i64, step: usize) {
        let Some(lot) = self.tracker.board.get(id) else { return };
        let (seen, end) = (lot.last_active, lot.expires_at);
        let step = if self.sweeps() { step.max(GONE.len() - 1) } else { step };
        let Some(&least) = GONE.get(step) else { return };
        let least = if self.sweeps() { AS_GOOD_AS_GONE } else { least };
        if lot.is_told() || seen >= end || self.gone(lot, end) < least {
            return;
        }
        let (mut low, mut high) = (seen, end);
        for _ in 0..8 {
            let middle = low + (high - low) / 2;
            if self.gone(lot, middle) < least {
                low = middle;
            } else {
                high = middle;
            }
        }
        if self.sweeps() && self.list.sweep.drawn.is_none() {
            high = seen; // once the list was looked at
        }
        if high + HOUR / 2 < end {
            self.review.insert((high, id, step as u8, seen));
        }
    }

    /// P(a lot is gone before its time): by the rates, and by pages of a sweep that did not show it.
    fn gone(&self, lot: &Lot, at: i64) -> f32 {
        let gone = self.tracker.rates.ended_early(lot, lot.last_active, at);
        if !self.sweeps() {
            return gone;
        }
        let overlooked = (1.0 - gone) * self.list.sweep.overlooks(at - lot.last_active);
        gone / (gone + overlooked).max(f32::MIN_POSITIVE)
    }

    /// Ask after lots that are probably gone.
    pub(super) fn review(&mut self, now: i64) {
        let looked_at = self.list.sweep.looked_at().filter(|_| self.sweeps());
        while let Some(&(when, id, step, seen)) = self.review.first() {
            if when > looked_at.unwrap_or(now) {
                break;
            }
            self.review.pop_first();
            let Some(lot) = self.tracker.board.get(id) else { continue };
            let is_over = lot.is_told() || lot.last_active != seen || lot.expires_at <= now;
            if is_over || self.due.has(id) {
                continue;
            }
            let worth = self.gone(lot, now) * self.tracker.rates.bought(lot) * self.focus.of(lot);
            // of a sweep the sure ones come before those of which a copy may tell
            let round = self.list.sweep.round();
            let ended = if self.sweeps() { seen.max(now - 2 * round) } else { lot.expires_at };
            let wanted = Wanted { auction_id: id, expires_at: ended, worth };
            let step = usize::from(step) + 1;
            if step < GONE.len() || self.is_scarce() && !self.sweeps() {
                self.early.want(wanted);
            } else {
                self.want(wanted, 0.0);
            }
            self.plan_review(id, step);
        }
    }

    /// What the answer to a question after a lot that is over is worth, and what is known without it: a
    /// sale that can be said as good as surely counts for that much where requests are scarce.
    pub(super) fn worth_after(&self, lot: &Lot) -> (f32, f32) {
        let Tracker { now, rates, calibration, .. } = &self.tracker;
        let said = judge(lot, *now, &self.tracker.manners(), rates, calibration);
        let sold = match said {
            Some(said) if said.evidence == Evidence::Relisted => match said.fate.outcome() {
                Outcome::Sold => said.confidence,
                _ => 1.0 - said.confidence,
            },
            // a copy that is not back yet was the rather sold
            _ if lot.absent_at == 0 && lot.last_active > 0 => chances(lot, *now, rates).kinds()[0],
            _ if lot.absent_at == 0 => rates.sold_at_last(lot, lot.posted_at),
            _ => rates.bought(lot),
        };
        let sure = said.filter(|said| self.is_scarce() && said.is_sure_sale());
        let known = sure.map_or(0.0, |said| said.confidence.min(said.price_confidence));
        let known = if known < SURE { 0.0 } else { known };
        let weight = self.focus.of(lot);
        ((sold - known).max(0.0) * weight, known * weight)
    }

    /// Whether a lot ended so long ago that a refresh would not tell how.
    pub(super) fn is_forgotten(&self, lot: &Lot) -> bool {
        let recall = self.tracker.manners().recall;
        lot.absent_at != 0
            && recall.is_some_and(|recall| lot.last_active + recall < self.tracker.now)
    }

    /// When a lot is looked at for its own sake, microseconds.
    pub(super) fn looked_at(&self, lot: &Lot) -> i64 {
        let ended = if self.tracker.manners().tells {
            lot.expires_at + self.settled()
        } else {
            lot.expires_at - AHEAD
        };
        let reviewed = self.review.iter().find(|&&(_, id, ..)| id == lot.auction_id);
        reviewed.map_or(ended, |&(when, ..)| when.min(ended))
    }
}
