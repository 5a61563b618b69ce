//! A planner in, how it goes about a market that outruns its requests out.
//!
//! There what can wait does: a batch of lots to ask after until it is full, a lot's look until it is
//! about to end ([`Again`](crate::plan::again::Again)), a lot that ended until its copy may be listed
//! again, which tells how; and what is as good as sure is not asked at all.

use crate::market::asked::HOUR;
use crate::plan::again::{Means, Places};
use crate::plan::due::Wanted;
use crate::plan::planner::Planner;
use crate::plan::wanted::SETTLED;

/// Share of a batch of sales that a request may cost at the most where requests suffice.
const CHEAP: f32 = 0.1;
/// A full batch is worth the price, and a little more so that it counts as full.
const FULL: f32 = 1.01;
/// Most copies that are listed again are so by then: what is seen of them need not be asked.
const LISTED_AGAIN: i64 = HOUR;

impl Planner {
    /// Whether a request has to tell of many sales to be worth it.
    pub(super) fn is_scarce(&self) -> bool {
        self.price > CHEAP * self.batch() as f32
    }

    /// What it is worth to ask after these now: in a market that outruns requests a lot is worth no
    /// more in this batch than in the next.
    pub(super) fn worth_now(&self, lots: &[Wanted]) -> f32 {
        let most = if self.is_scarce() { self.share() * FULL } else { f32::INFINITY };
        lots.iter().map(|wanted| wanted.worth.min(most)).sum()
    }

    /// How long after its expiry a lot is asked after.
    pub(super) fn settled(&self) -> i64 {
        let may_wait = self.tracker.manners().recall.is_none();
        match may_wait {
            true if self.sweeps() => LISTED_AGAIN + self.list.sweep.round(),
            true if self.is_scarce() => LISTED_AGAIN,
            _ => SETTLED,
        }
    }

    /// What asking after one lot costs.
    pub(super) fn share(&self) -> f32 {
        self.price / self.batch() as f32
    }

    /// Plan second looks, where a list shows what is gone and a refresh tells the rest.
    pub(super) fn look_again(&mut self, at: i64) {
        if !self.again.is_due(at) {
            return;
        }
        let flags = self.tracker.found.flags();
        let useful = flags.paging != Some(false) && flags.visible != Some(true);
        if useful && self.list.is_by_posting() && self.tracker.manners().tells && self.is_scarce() {
            let (places, means) = (self.places(at), self.means());
            self.again.plan(at, &self.tracker, &self.arrivals, &places, means);
        } else {
            self.again.clear();
        }
    }

    /// Where in a list by posting an age stands.
    pub(super) fn places(&self, at: i64) -> Places {
        let rates = &self.tracker.rates;
        let fading = self.list.fading(|age| rates.survival(age), &self.arrivals);
        Places::new(at, &self.arrivals, &fading)
    }

    /// What second looks are valued by.
    pub(super) fn means(&self) -> Means {
        let (page, reach) = (self.list.page() as u32, self.reach());
        Means { price: self.price, cost: self.share(), page, reach }
    }
}
