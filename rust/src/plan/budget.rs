//! What a planner knows in, what a request of its budget is worth out.

use crate::market::asked::HOUR;
use crate::plan::due::TOO_LATE;
use crate::plan::planner::Planner;
use crate::plan::price::{Means, shadow, yields};

/// A lot that is worth asking after does not wait longer than this where requests suffice: from the rush
/// until the night, when pages show the least.
const LONG_WAIT: i64 = 14 * HOUR;

impl Planner {
    pub(super) fn set_price(&mut self, now: i64) {
        self.again.fade(now - self.priced_at);
        self.priced_at = now;
        let rates = &self.tracker.rates;
        let fading = self.list.fading(|age| rates.survival(age), &self.arrivals);
        let streams = self.list.streams(&self.arrivals);
        let batch = self.batch() as f32;
        let means = Means {
            per_day: self.pace.per_day() as f32 - self.again.per_day,
            batch,
            asks: true,
            bonus: self.again.bonus(),
        };
        let hourly = self.rates_around(now);
        let price = shadow(&hourly, &streams, &fading, &self.worths, means);
        let (pages, ..) = yields(price, &hourly, &streams, &fading, &self.worths, means);
        self.list.sweep.set_fading(&fading, pages, self.list.page());
        // lots that wait too long, once they may be asked after, say that requests are dearer than that
        let oldest = self.due.oldest((2.0 * self.price / batch).max(0.02)).unwrap_or(now);
        let waits = now - oldest - self.settled();
        let step = if waits > LONG_WAIT.min(self.patience() * 2 / 3) { 1.04 } else { 0.97 };
        self.dearer = (self.dearer * step).clamp(1.0, 20.0);
        self.price = price * self.dearer;
    }

    /// How long a lot that came due can wait: as long as ends were told, which is known within a factor
    /// of two.
    pub(super) fn patience(&self) -> i64 {
        let told = self.tracker.found.told_after();
        let recall = self.tracker.manners().recall;
        recall.map_or(TOO_LATE, |recall| told.max(recall / 2).min(TOO_LATE))
    }

    /// Hours before and after now between which requests can be moved: what comes due waits no longer
    /// than its patience. None: all of a day.
    fn movable(&self) -> Option<i64> {
        Some(self.patience() / HOUR).filter(|hours| 2 * hours + 1 < 24)
    }

    /// Whether what comes due can wait for a better hour.
    pub(super) fn may_wait(&self) -> bool {
        self.movable().is_none()
    }

    /// Listings a second of those hours.
    fn rates_around(&self, now: i64) -> Vec<f32> {
        let hours = self.movable().map_or(0..=23, |hours| -hours..=hours);
        hours.map(|hour| self.arrivals.rate(now + hour * HOUR)).collect()
    }

    pub(super) fn batch(&self) -> usize {
        self.tracker.found.flags().batch.map_or(50, |batch| batch as usize).max(1)
    }

    /// Places of the list that can be reached.
    pub(super) fn reach(&self) -> u32 {
        match self.tracker.found.flags().truncate {
            Some(0) | None => u32::MAX,
            Some(reach) => reach,
        }
    }
}
