//! Lots about to end in, the ones whose price would stay in doubt out: for upstreams that do not show
//! what was paid after a buyout.
//!
//! A lot that is told as sold with bids was bought before its end, or went to the last bidder. One that
//! is still on offer right before its end was not bought. That look cannot wait, what is over can.

use crate::market::asked::{MINUTE, SECOND, Status};
use crate::market::judge::judge;
use crate::market::lot::{Lot, Told};
use crate::plan::due::Wanted;
use crate::plan::planner::Planner;

/// Looked at from this long before the end on: a few refreshes, in which hardly any is bought.
const NEAR: i64 = 5 * MINUTE;

impl Planner {
    /// Lots come near their end: those whose price would stay in doubt are looked at first.
    pub(super) fn come_near(&mut self, now: i64) {
        let (from, to) = (self.neared.max(now) + 1, now + NEAR);
        self.neared = to;
        let manners = self.tracker.manners();
        if !manners.tells || manners.final_price != Some(false) {
            return;
        }
        let is_wanted = |lot: &&Lot| lot.absent_at == 0 && !self.due.has(lot.auction_id);
        let lots = self.tracker.board.open(from..=to).filter(is_wanted);
        let wanted = lots.map(|lot| Wanted {
            auction_id: lot.auction_id,
            expires_at: lot.expires_at,
            worth: self.doubt(lot) * self.focus.of(lot),
        });
        let dear: Vec<Wanted> = wanted.filter(|wanted| wanted.worth > self.share()).collect();
        for wanted in dear {
            self.early.drop(wanted.auction_id);
            self.doubtful.want(wanted);
        }
    }

    /// What is lost of these looks by the next request: it comes too late for the more of them, the
    /// less time they have left.
    pub(super) fn fleeting(&self, best: &[Wanted], at: i64) -> f32 {
        let interval = self.pace.interval() as f32;
        let doubtful = best.iter().filter(|wanted| self.doubtful.has(wanted.auction_id));
        doubtful.map(|of| of.worth * (interval / (of.expires_at - at) as f32).min(1.0)).sum()
    }

    /// P(it will be told as sold, and not surely for how much).
    fn doubt(&self, lot: &Lot) -> f32 {
        let (tracker, at) = (&self.tracker, lot.expires_at + SECOND);
        let course = tracker.rates.course(lot, lot.last_active, lot.expires_at);
        let is_known = |bids: i32| {
            let told = Told { status: Status::Ended, at, bids, current_bid: lot.current_bid };
            let ended = Lot { told: Some(told), ..lot.clone() };
            judge(&ended, at, &tracker.manners(), &tracker.rates, &tracker.calibration)
                .is_some_and(|verdict| verdict.is_sure_sale())
        };
        let more = course.further + course.bought_further;
        let same = if lot.bids > 0 { course.same + course.bought_same } else { 0.0 };
        let doubt = |bids: i32, chance: f32| if is_known(bids) { 0.0 } else { chance };
        doubt(lot.bids + 1, more) + doubt(lot.bids, same)
    }
}
