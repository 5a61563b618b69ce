//! Pages in, the place in the list of a moment out: how many auctions stand before it.
//!
//! In a list by posting the moment is an age; in one by expiry the time to go. How many stand
//! before changes slowly, so what the last pages showed is interpolated.

use serde::{Deserialize, Serialize};

use crate::market::asked::SECOND;

/// Points that are kept.
const MOST: usize = 96;

/// Where moments stood in the list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rank {
    /// (distance from now, place, when that was seen), by distance.
    points: Vec<(i64, u32, i64)>,
}

impl Rank {
    /// At `now` the auctions between two (distance, place) stood in one row.
    pub fn learn(&mut self, near: (i64, u32), far: (i64, u32), now: i64) {
        // what lies between or close by, or contradicts their order, is outdated
        let close = |distance: i64| (distance / 50).max(20 * SECOND);
        self.points.retain(|&(other, at, _)| {
            let is_nearer = other < near.0 - close(near.0) && at < near.1;
            is_nearer || (other > far.0 + close(far.0) && at > far.1)
        });
        let index = self.points.partition_point(|&(other, ..)| other < near.0);
        self.points.splice(index..index, [(near.0, near.1, now), (far.0, far.1, now)]);
        while self.points.len() > MOST {
            let oldest = (0..self.points.len()).min_by_key(|&i| self.points[i].2);
            self.points.remove(oldest.unwrap_or(0));
        }
    }

    /// Nothing stands from this place on.
    pub fn end(&mut self, place: u32) {
        self.points.retain(|&(_, at, _)| at < place);
    }

    /// The place of the moment at this distance; None while there is too little to tell.
    #[must_use]
    pub fn place(&self, distance: i64) -> Option<u32> {
        let index = self.points.partition_point(|&(other, ..)| other < distance);
        let low = index.checked_sub(1).map_or((0, 0, 0), |i| self.points[i]);
        let high = match (self.points.get(index), self.points.last()) {
            (Some(&high), _) => high,
            (None, Some(&last)) if last.0 > 0 => {
                // beyond the last one: at the density up to it
                let place = f64::from(last.1) * distance as f64 / last.0 as f64;
                return Some(place as u32);
            }
            _ => return None,
        };
        let span = (high.0 - low.0).max(1) as f64;
        let share = (distance - low.0) as f64 / span;
        Some((f64::from(low.1) + share * (f64::from(high.1) - f64::from(low.1))) as u32)
    }

    /// Where in a list by posting a moment stands, and how many rows that was reckoned by: those between it
    /// and the moment shown nearest to it of late, and those that came and went since. `rows` stand between
    /// two moments at a third; `fresh` came since a moment.
    #[must_use]
    pub fn moved(
        &self,
        moment: i64,
        now: i64,
        rows: impl Fn(i64, i64, i64) -> f32,
        fresh: impl Fn(i64) -> f32,
    ) -> Option<(f32, f32)> {
        let far = |&&(distance, _, at): &&(i64, u32, i64)| {
            (moment - (at - distance)).abs().saturating_add(now - at)
        };
        let &(distance, place, at) = self.points.iter().min_by_key(far)?;
        let shown = at - distance;
        let (came, went) = (fresh(at), rows(shown, at, at) - rows(shown, at, now));
        let between = rows(moment, shown, now) - rows(shown, moment, now);
        Some((place as f32 + came - went + between, came + went + between.abs()))
    }

    /// The last point: (distance, place).
    #[must_use]
    pub fn last(&self) -> Option<(i64, u32)> {
        self.points.last().map(|&(distance, place, _)| (distance, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_reckoned_from_where_it_was_shown_last() {
        let mut rank = Rank::default();
        rank.learn((0, 0), (100 * SECOND, 99), 1_000 * SECOND);
        // one a second, none goes
        let rows = |from: i64, to: i64, _| (to - from).max(0) as f32 / SECOND as f32;
        let fresh = |at: i64| rows(at, 1_030 * SECOND, 0);
        let moved = |moment| rank.moved(moment, 1_030 * SECOND, rows, fresh);
        let (place, moved_by) = moved(900 * SECOND).unwrap_or_default();
        assert!(
            (place - 129.0).abs() < 0.1 && (moved_by - 30.0).abs() < 0.1,
            "{place}, {moved_by}"
        );
        let (place, moved_by) = moved(880 * SECOND).unwrap_or_default();
        assert!(
            (place - 149.0).abs() < 0.1 && (moved_by - 50.0).abs() < 0.1,
            "{place}, {moved_by}"
        );
    }
}
