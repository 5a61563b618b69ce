//! What a planner knows in, what a request of its budget is worth out.

use crate::market::asked::HOUR;
use crate::plan::planner::Planner;
use crate::plan::price::{Means, shadow};

/// A lot that is worth asking after does not wait longer than this where requests suffice.
const LONG_WAIT: i64 = 14 * HOUR;

impl Planner {
    pub(super) fn set_price(&mut self, now: i64) {
        self.again.fade(now - self.priced_at);
        self.priced_at = now;
        let rates = &self.tracker.rates;
        let fading = self.list.fading(|age| rates.survival(age), &self.arrivals);
        let streams = self.list.streams(&self.arrivals);
        let means = Means {
            per_day: self.pace.per_day() as f32 - self.again.per_day,
            batch: self.batch() as f32,
            asks: true,
            bonus: self.again.bonus(),
        };
        let price = shadow(&self.arrivals.hourly(), &streams, &fading, &self.worths, means);
        // lots that wait too long say that requests are dearer than that
        let oldest = self.due.oldest((2.0 * self.price / means.batch).max(0.02)).unwrap_or(now);
        let step = if now - oldest > LONG_WAIT { 1.04 } else { 0.97 };
        self.dearer = (self.dearer * step).clamp(1.0, 20.0);
        self.price = price * self.dearer;
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
