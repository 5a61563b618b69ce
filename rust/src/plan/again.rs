//! Known lots near their end in, the page out that shows which of them are gone and which have bids.
//!
//! In a list by posting the lots of one duration that are about to end stand together. What is not
//! among them any more was bought, or taken back: one page tells that of more lots than it shows.
//!
//! Invariant: looks are planned by replies alone; a lot that has a later look to come counts for none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, MINUTE, Reply, SECOND};
use crate::market::course::Course;
use crate::market::lot::Lot;
use crate::market::rates::seconds;
use crate::market::tracker::Tracker;
use crate::plan::arrivals::Arrivals;
use crate::plan::candidate::LONGEST;
use crate::plan::fading::Fading;

/// A lot counts as sold for a price without being asked after where that is so likely: above what is
/// said to be known, so that hardly one in a hundred of all that is said so is wrong.
pub const SURE: f32 = 0.94;
/// Ages between which places are worked out.
const STEP: i64 = 5 * MINUTE;
/// Looks are planned anew after this long.
const PLAN_EVERY: i64 = MINUTE;
/// What ends sooner may be over before the page comes.
const MARGIN: i64 = MINUTE;
/// A look comes no earlier than this part of the duration before the end.
const SLACK: i64 = 24;
/// After a page that did not show what it should: so long none is tried for the duration.
const REST: i64 = 10 * MINUTE;
/// Rows by which pages overlap.
const OVERLAP: u32 = 2;
/// Lots after which what second looks are worth counts half.
const MEMORY: f32 = 20_000.0;

/// A page that looks again at lots about to end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Look {
    /// Place in the list.
    pub offset: u32,
    /// What it is worth, in sales that become known.
    pub gain: f32,
}

/// Lots that run for as long as each other.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Kin {
    /// What was posted until then had its look or has missed it.
    until: i64,
    /// No look until then.
    paused: i64,
    /// Places seen near the end against what was expected; 0 for not seen.
    density: f32,
}

/// Which spans of posting time were looked at again, and which pages would be worth it now.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Again {
    /// By duration, microseconds.
    kin: BTreeMap<i64, Kin>,
    /// By duration: the page for its next look.
    looks: Vec<(i64, Look)>,
    planned_at: i64,
    /// What looks were worth beyond their price, and for how many lots seen.
    surplus: (f32, f32),
    /// Looks a day.
    pub per_day: f32,
}

/// How many auctions stand before an age in a list by posting, as expected.
#[derive(Debug)]
pub struct Places(Vec<f32>);

impl Places {
    /// By what was listed when, and how it fades.
    #[must_use]
    pub fn new(at: i64, arrivals: &Arrivals, fading: &Fading) -> Self {
        let (mut places, mut sum, mut age) = (vec![0.0], 0.0, 0);
        while age < LONGEST {
            let middle = age + STEP / 2;
            let (alive, _) = fading.after(seconds(middle));
            sum += arrivals.rate(at - middle)
                * seconds(STEP)
                * arrivals.lasting(seconds(middle))
                * alive;
            places.push(sum);
            age += STEP;
        }
        Self(places)
    }

    /// How many are younger.
    #[must_use]
    pub fn before(&self, age: i64) -> f32 {
        let step = ((age.max(0) / STEP) as usize).min(self.0.len() - 2);
        let part = seconds(age - step as i64 * STEP) / seconds(STEP);
        self.0[step] + (self.0[step + 1] - self.0[step]) * part.clamp(0.0, 1.0)
    }

    /// The age before which so many stand.
    #[must_use]
    pub fn age(&self, place: f32) -> i64 {
        let step = self.0.partition_point(|&sum| sum <= place).clamp(1, self.0.len() - 1) - 1;
        let (low, high) = (self.0[step], self.0[step + 1]);
        let part = ((place - low) / (high - low).max(1e-3)).clamp(0.0, 1.0);
        step as i64 * STEP + (part * STEP as f32) as i64
    }
}

/// What looks are valued by.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Price of a request, in sales that become known.
    pub price: f32,
    /// What asking after one lot costs of that.
    pub cost: f32,
    /// Auctions of a page.
    pub page: u32,
    /// Places of the list that can be reached.
    pub reach: u32,
}

impl Again {
    /// The page that is worth most.
    #[must_use]
    pub fn best(&self) -> Option<Look> {
        let looks = self.looks.iter().map(|&(_, look)| look);
        looks.max_by(|a, b| a.gain.total_cmp(&b.gain))
    }

    /// What a new listing is worth for the looks to come at it.
    #[must_use]
    pub fn bonus(&self) -> f32 {
        self.surplus.0 / (self.surplus.1 + 1_000.0)
    }

    /// Whether looks are to be planned anew.
    #[must_use]
    pub fn is_due(&self, at: i64) -> bool {
        at - self.planned_at >= PLAN_EVERY
    }

    /// No pages are worth it.
    pub fn clear(&mut self) {
        self.looks.clear();
    }

    /// A page further back came: what it showed is looked at.
    pub fn learn(&mut self, offset: u32, reply: &Reply, places: &Places, means: Means) {
        let planned = self.looks.iter().find(|(_, look)| look.offset == offset).copied();
        if let Some((duration, look)) = planned {
            let kin = self.kin.entry(duration).or_default();
            kin.paused = reply.at + REST; // unless it shows what it should
            self.surplus.0 += (look.gain - means.price).max(0.0);
            self.per_day += 1.0;
        }
        self.looks.clear();
        self.planned_at = 0;
        let posted = || reply.seen.iter().map(|seen| seen.posted_at);
        let (Some(oldest), Some(newest)) = (posted().min(), posted().max()) else { return };
        let age = reply.at - oldest;
        for (&duration, kin) in &mut self.kin {
            if (age - duration).abs() < duration / 2 {
                let last = offset as f32 + reply.seen.len() as f32;
                kin.density = last / places.before(age).max(1.0);
            }
            if newest > reply.at - duration && age > duration - duration / SLACK * 2 {
                (kin.until, kin.paused) = (kin.until.max(newest - SECOND), 0);
            }
        }
    }

    /// Looks of some time ago count less: `passed` since that was said last.
    pub fn fade(&mut self, passed: i64) {
        self.per_day *= (-seconds(passed) / seconds(DAY)).exp();
    }

    /// So many lots were seen for the first time.
    pub fn met(&mut self, count: usize) {
        self.surplus.1 += count as f32;
        if self.surplus.1 > MEMORY {
            self.surplus = (self.surplus.0 / 2.0, self.surplus.1 / 2.0);
        }
    }

    /// Plan the looks of the moment.
    pub fn plan(
        &mut self,
        at: i64,
        tracker: &Tracker,
        arrivals: &Arrivals,
        places: &Places,
        means: Means,
    ) {
        self.planned_at = at;
        self.looks.clear();
        for (duration, _) in arrivals.durations() {
            let kin = *self.kin.entry(duration).or_default();
            if kin.paused > at {
                continue;
            }
            let from = kin.until.max(at + MARGIN - duration);
            if from + duration > at + (duration / SLACK).min(HOUR) {
                continue; // there is time
            }
            let density = self.density_at(duration);
            let oldest = places.before(at - from) * density;
            let offset = oldest as u32 + OVERLAP;
            if offset <= means.page || offset >= means.reach {
                continue;
            }
            let offset = offset - means.page;
            let newest = at - places.age(offset as f32 / density);
            let ends = from + duration..=newest + duration;
            if ends.is_empty() {
                continue;
            }
            let near = |lot: &&Lot| (lot.expires_at - lot.posted_at - duration).abs() < MINUTE;
            let lots = tracker.board.open(ends).filter(near);
            let gain = lots.map(|lot| gain(tracker, lot, at, means.cost)).sum();
            self.looks.push((duration, Look { offset, gain }));
        }
    }

    /// Places at this duration's age against what is expected, or at the nearest that was seen.
    fn density_at(&self, duration: i64) -> f32 {
        let seen = self.kin.iter().filter(|(_, kin)| kin.density > 0.0);
        let nearest = seen.min_by_key(|&(&other, _)| other.abs_diff(duration));
        nearest.map_or(1.0, |(_, kin)| kin.density)
    }
}

/// What it is worth, in sales that become known, to look at a lot again before it ends, if asking
/// after it costs `cost`.
fn gain(tracker: &Tracker, lot: &Lot, at: i64, cost: f32) -> f32 {
    if lot.is_told() || lot.absent_at != 0 {
        return 0.0;
    }
    let rates = &tracker.rates;
    let asked = |worth: f32| (worth - cost).max(0.0);
    let before = asked(rates.sold_at_last(lot, lot.last_active));
    let Course { same, further, withdrawn, .. } = rates.course(lot, lot.last_active, at);
    let bought = 1.0 - same - further - withdrawn;
    let share = bought / (bought + withdrawn).max(f32::MIN_POSITIVE);
    let gone = if share >= SURE { bought } else { (bought + withdrawn) * asked(share) };
    let unchanged = if lot.bids > 0 { 1.0 } else { rates.sold_at_last(lot, at) };
    gone + further * asked(1.0) + same * asked(unchanged) - before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_its_age_are_the_inverse_of_each_other() {
        let places = Places((0..100u16).map(|step| f32::from(step) * 30.0).collect());
        assert!((places.before(7 * STEP / 2) - 105.0).abs() < 0.1);
        assert!((places.age(105.0) - 7 * STEP / 2).abs() < SECOND);
    }

    #[test]
    fn a_look_that_missed_its_lots_is_not_tried_again_at_once() {
        let places = Places((0..2_000u16).map(|step| f32::from(step) * 30.0).collect());
        let means = Means { price: 5.0, cost: 0.5, page: 100, reach: u32::MAX };
        let look = Look { offset: 1_000, gain: 8.0 };
        let mut again = Again { looks: vec![(8 * HOUR, look)], ..Again::default() };
        let empty = Reply { at: 10 * HOUR, failed: false, truncated: false, seen: Vec::new() };
        again.learn(1_000, &empty, &places, means);
        assert_eq!(again.kin[&(8 * HOUR)].paused, 10 * HOUR + REST);
        assert!(again.best().is_none());
        again.met(2_000);
        assert!((again.bonus() - 3.0 / 3_000.0).abs() < 1e-6);
    }
}
