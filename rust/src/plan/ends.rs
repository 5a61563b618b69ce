//! Pages of a list by posting in, the place at which lots of each duration are about to end out.
//!
//! What lies there moves as the market swells and shrinks, so the last page near it is followed, and
//! how fast it moved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, MINUTE, Reply, SECOND};
use crate::market::rates::seconds;
use crate::plan::arrivals::Arrivals;

/// A page no further from the end than the first part of the duration tells where it is, roughly;
/// no further than the second it tells how it moves.
const NEAR: (i64, i64) = (2, 40);
/// A place that was seen longer ago is not known any more.
const STALE: i64 = HOUR;
/// A place moves on as it did for so long.
const FOLLOW: i64 = 10 * MINUTE;
/// Share of a miss by which the drift is corrected.
const GAIN: f32 = 0.4;

/// Where lots of one duration end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Mark {
    place: f32,
    at: i64,
    /// Places a second.
    drift: f32,
    /// Rows for each second of posting there.
    density: f32,
}

/// Where lots end, by duration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ends {
    marks: BTreeMap<i64, Mark>,
}

impl Ends {
    /// Take in a page of a list by posting.
    pub fn learn(&mut self, offset: u32, reply: &Reply, arrivals: &Arrivals) {
        let age = |posted: i64| reply.at - posted;
        let ages = || reply.seen.iter().map(|seen| age(seen.posted_at));
        let (Some(young), Some(old)) = (ages().min(), ages().max()) else { return };
        let rows = reply.seen.len() as f32;
        let density = rows / seconds((old - young).max(SECOND));
        for (end, _) in arrivals.durations() {
            let inside = ages().filter(|&age| age < end).count() as f32;
            let beyond = if old < end { end - old } else { (end - young).min(0) };
            if beyond.abs() > end / NEAR.0 {
                continue;
            }
            let place = offset as f32 + inside + seconds(beyond) * density;
            let mut drift = 0.0;
            let before = self.marks.get(&end).filter(|mark| reply.at - mark.at < STALE);
            if let Some(before) = before {
                let wait = seconds(reply.at - before.at).max(60.0);
                let gain = if beyond.abs() > end / NEAR.1 { 0.0 } else { GAIN };
                drift = before.drift + gain * (place - before.place(reply.at)) / wait;
            }
            let drift = drift.clamp(-5.0, 5.0);
            self.marks.insert(end, Mark { place, at: reply.at, drift, density });
        }
    }

    /// Place of the oldest lots of a duration, microseconds, and rows a second of posting there.
    #[must_use]
    pub fn place(&self, duration: i64, at: i64) -> Option<(f32, f32)> {
        let mark = self.marks.get(&duration).filter(|mark| at - mark.at < STALE)?;
        Some((mark.place(at), mark.density))
    }
}

impl Mark {
    fn place(&self, at: i64) -> f32 {
        self.place + self.drift * seconds((at - self.at).min(FOLLOW))
    }
}
