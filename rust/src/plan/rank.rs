//! Pages in, the place in the list of a moment out: how many auctions stand before it.
//!
//! In a list by posting the moment is an age; in one by expiry the time to go. How many stand
//! before changes slowly, so what the last pages showed is interpolated.

use serde::{Deserialize, Serialize};

use crate::market::asked::HOUR;

/// Points that are kept.
const MOST: usize = 96;
/// A point older than this is only used where there is no newer one near.
const STALE: i64 = 6 * HOUR;

/// Where moments stood in the list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rank {
    /// (distance from now, place, when that was seen), by distance.
    points: Vec<(i64, u32, i64)>,
}

impl Rank {
    /// At `now` the auction at `place` was this far from now.
    pub fn learn(&mut self, distance: i64, place: u32, now: i64) {
        // what contradicts the order of the new point is outdated
        self.points.retain(|&(other, at, _)| {
            (other < distance && at <= place) || (other > distance && at >= place)
        });
        let near = (distance / 50).max(20 * crate::market::asked::SECOND);
        self.points.retain(|&(other, ..)| (other - distance).abs() > near);
        let index = self.points.partition_point(|&(other, ..)| other < distance);
        self.points.insert(index, (distance, place, now));
        if self.points.len() > MOST
            && let Some(oldest) = (0..self.points.len()).min_by_key(|&i| self.points[i].2)
        {
            self.points.remove(oldest);
        }
    }

    /// Forget everything: the list is in another order.
    pub fn clear(&mut self) {
        self.points.clear();
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

    /// When the nearest point was seen.
    #[must_use]
    pub fn is_stale(&self, distance: i64, now: i64) -> bool {
        let near = self.points.iter().min_by_key(|(other, ..)| (other - distance).abs());
        near.is_none_or(|&(.., at)| now - at > STALE)
    }
}
