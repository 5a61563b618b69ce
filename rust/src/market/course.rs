//! A lot as it was last seen and the market's hazards in; what may have become of it out.
//!
//! Invariant: the parts of a course add up to one, but for what is ruled out later.

use crate::market::hazards::Axis;
use crate::market::lot::Lot;
use crate::market::rates::{Rates, bid_row, length, missed, sale_row, seconds};

/// What may have become of a lot by a moment, as probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Course {
    /// On offer, with the bids it was last seen with.
    pub same: f32,
    /// On offer, with more bids.
    pub further: f32,
    /// Of these, with one more.
    pub once: f32,
    /// Bought before another bid came.
    pub bought_same: f32,
    /// Bought after another bid had come.
    pub bought_further: f32,
    /// Taken back.
    pub withdrawn: f32,
}

impl Course {
    /// P(bought).
    #[must_use]
    pub fn bought(&self) -> f32 {
        self.bought_same + self.bought_further
    }

    /// The same as weights, of what had not ended by a moment, given its course until then.
    #[must_use]
    pub fn not_ended_by(self, until: &Self) -> Self {
        Self {
            bought_same: (self.bought_same - until.bought_same).max(0.0),
            bought_further: (self.bought_further - until.bought_further).max(0.0),
            withdrawn: (self.withdrawn - until.withdrawn).max(0.0),
            ..self
        }
    }

    /// P(bought, given that it was sold and whether more bids came).
    #[must_use]
    pub fn bought_with(&self, further: bool) -> f32 {
        let (bought, alive) = if further {
            (self.bought_further, self.further)
        } else {
            (self.bought_same, self.same)
        };
        let sold = bought + alive;
        if sold > 0.0 { bought / sold } else { 0.5 }
    }
}

impl Rates {
    /// What may happen to a lot between `from`, on offer as it was last seen, and `to`.
    #[must_use]
    pub fn course(&self, lot: &Lot, from: i64, to: i64) -> Course {
        let mut course = self.walk(lot, from, to);
        if course.once > 0.0 {
            let share = (course.once / course.further).min(1.0);
            course.once = course.further * self.alone.chance(share, seconds(to - from));
        }
        course
    }

    /// The same by hazards alone.
    pub(crate) fn walk(&self, lot: &Lot, from: i64, to: i64) -> Course {
        self.walk_for::<true>(lot, from, to)
    }

    /// The same, with one more bid or not told apart.
    fn walk_for<const ONCE: bool>(&self, lot: &Lot, from: i64, to: i64) -> Course {
        let (sale, bid) = (sale_row(lot), bid_row(lot));
        let leave = if lot.bids > 0 { 0.0 } else { self.leaves(length(lot)) };
        let mut now = Course { same: 1.0, ..Course::default() };
        steps(lot, from, to, |step| {
            let buy = self.bought.hazard(sale, step.age);
            let more = self.bids.hazard(bid, step.lead);
            let all = buy + more + leave;
            if all > 0.0 {
                let gone = -now.same * (-all * step.seconds).exp_m1() / all;
                now.same -= gone * all;
                now.bought_same += gone * buy;
                now.withdrawn += gone * leave;
                let fresh = gone * more;
                let next = self.bought.hazard(sale | 1, step.age) * step.seconds;
                let old = -now.further * (-next).exp_m1();
                let new = -fresh * (-next / 2.0).exp_m1();
                now.further += fresh - old - new;
                now.bought_further += old + new;
                if ONCE {
                    let next = next + self.bids.hazard(bid | 1, step.lead) * step.seconds;
                    now.once = now.once * (-next).exp() + fresh * (-next / 2.0).exp();
                }
            }
            true
        });
        now
    }

    /// P(bought, given that it ended early after it was last seen).
    #[must_use]
    pub fn bought(&self, lot: &Lot) -> f32 {
        let to = if missed(lot) { lot.absent_at } else { lot.expires_at };
        let course = self.walk_for::<false>(lot, lot.last_active, to);
        let bought = course.bought();
        let ended = bought + course.withdrawn;
        if ended > 0.0 { bought / ended } else { 0.0 }
    }

    /// P(sold by its expiry, given that it was on offer at `since` as it was last seen).
    #[must_use]
    pub fn sold_at_last(&self, lot: &Lot, since: i64) -> f32 {
        let course = self.walk_for::<false>(lot, since, lot.expires_at);
        let bid = if lot.bids > 0 { course.same } else { 0.0 };
        course.bought() + course.further + bid
    }
}

/// When between `from` and `to` it ended early, at these quantiles, given that it did.
pub(crate) fn moments<const N: usize>(
    rates: &Rates,
    lot: &Lot,
    from: i64,
    to: i64,
    bought: bool,
    quantiles: [f32; N],
) -> [i64; N] {
    let (sale, leave) = (sale_row(lot), rates.leaves(length(lot)));
    let hazard = |step: &Step| if bought { rates.bought.hazard(sale, step.age) } else { leave };
    let mut mean = 0.0;
    steps(lot, from, to, |step| {
        mean += hazard(step) * step.seconds;
        true
    });
    quantiles.map(|quantile| {
        let wanted = -(quantile * (-mean).exp_m1()).ln_1p();
        let (mut sum, mut at) = (0.0, 0.0);
        steps(lot, from, to, |step| {
            let part = hazard(step) * step.seconds;
            let reached = part > 0.0 && sum + part >= wanted;
            at += if reached { (wanted - sum) / part * step.seconds } else { step.seconds };
            sum += part;
            !reached
        });
        if mean < 1e-9 {
            at = quantile * seconds(to - from);
        }
        (from + micros(at)).clamp(from, to)
    })
}

/// A stretch of time in which no hazard changes.
struct Step {
    /// Column of its age.
    age: usize,
    /// Column of its time left.
    lead: usize,
    seconds: f32,
}

/// Walk from `from` to `to` while `visit` says so.
fn steps(lot: &Lot, from: i64, to: i64, mut visit: impl FnMut(&Step) -> bool) {
    let mut left = seconds(to - from);
    let mut age = seconds((from - lot.posted_at).max(0));
    // without a known end all the time there is
    let end = if lot.expires_at > 0 { lot.expires_at - from } else { i64::MAX / 4 };
    let mut lead = seconds(end.max(0));
    let mut step = Step { age: Axis::Age.column(age), lead: Axis::Lead.column(lead), seconds: 0.0 };
    while left > 0.0 {
        let oldest = step.age + 1 == Axis::Age.edges().len();
        let older = if oldest { f32::INFINITY } else { Axis::Age.span(step.age).1 - age };
        let later = lead - Axis::Lead.span(step.lead).0;
        step.seconds = older.min(later).min(left).max(0.0);
        if later <= older && step.lead == 0 && later < left {
            step.seconds = left; // past its end nothing changes any more
        }
        if step.seconds > 0.0 && !visit(&step) {
            return;
        }
        (age, lead, left) = (age + step.seconds, lead - step.seconds, left - step.seconds);
        if step.seconds >= older {
            step.age += 1;
        }
        if step.seconds >= later {
            step.lead = step.lead.saturating_sub(1);
        }
    }
}

/// Seconds as microseconds.
#[allow(clippy::cast_possible_truncation)] // clamped by whoever asks
fn micros(seconds: f32) -> i64 {
    (f64::from(seconds) * 1e6) as i64
}
