//! Pages of a list by expiry in, where in it a moment stands that was looked at last out.
//!
//! What stands before the moment ends, is bought and comes in at a pace that changes slowly: it is
//! learned from how far the moment stood from where it was expected.

use serde::{Deserialize, Serialize};

use crate::market::asked::{Reply, SECOND, Status};

/// How much of an error is laid to the pace, and how fast the error's mean follows.
const GAIN: f32 = 0.3;
/// Errors of which the margin is made.
const MARGIN: f32 = 1.0;
/// Pages this far off still tell roughly where a moment stands.
const FAR: f32 = 4.0;

/// The auctions on offer of a page.
pub struct Page {
    before: u32,
    ends: Vec<i64>,
}

impl Page {
    /// None: there are too few.
    #[must_use]
    pub fn of(offset: u32, reply: &Reply) -> Option<Self> {
        let active = |seen: &&crate::market::asked::Seen| seen.status == Status::Active;
        let ends: Vec<i64> =
            reply.seen.iter().filter(active).map(|seen| seen.expires_at(reply.at)).collect();
        let ended = reply.seen.len() - ends.len();
        (!ends.is_empty()).then_some(Self { before: offset + ended as u32, ends })
    }

    /// When its first auction expires.
    #[must_use]
    pub fn first(&self) -> i64 {
        self.ends[0]
    }

    /// When its last auction expires.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.ends[self.ends.len() - 1]
    }

    /// Place of the first.
    #[must_use]
    pub fn before(&self) -> u32 {
        self.before
    }

    /// Place of the last.
    #[must_use]
    pub fn behind(&self) -> u32 {
        self.before + self.ends.len() as u32 - 1
    }

    /// How many stand before a moment, and whether that is sure; None: it is too far off.
    fn place(&self, moment: i64) -> Option<(f32, bool)> {
        let (first, last) = (self.first(), self.last());
        if (first..=last).contains(&moment) {
            let inside = self.ends.iter().filter(|end| **end < moment).count();
            return Some((self.before as f32 + inside as f32, true));
        }
        let rows = self.ends.len() as f32;
        let density = rows / (last - first).max(SECOND) as f32;
        let off = if moment < first { moment - first } else { moment - last } as f32 * density;
        let from = if moment < first { self.before as f32 } else { self.behind() as f32 + 1.0 };
        (off.abs() < FAR * rows).then_some((from + off, false))
    }
}

/// A moment up to which auctions were looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Edge {
    moment: i64,
    /// How many stood before it, and when.
    place: f32,
    at: i64,
    /// How many of them go in a second, more than come.
    pace: f32,
    /// Mean error of what was expected, rows.
    error: f32,
    /// Auctions of other durations that expire in a second of it.
    pub others: f32,
    /// Share of the auctions there that are of this one, of late.
    pub fresh: f32,
}

impl Default for Edge {
    fn default() -> Self {
        Self { moment: 0, place: 0.0, at: 0, pace: 0.0, error: 12.0, others: 0.5, fresh: 0.3 }
    }
}

impl Edge {
    /// Up to when was looked.
    #[must_use]
    pub fn moment(&self) -> i64 {
        self.moment
    }

    /// Whether it is known where it stands.
    #[must_use]
    pub fn is_placed(&self) -> bool {
        self.at != 0
    }

    /// How many stand before it at a time.
    #[must_use]
    pub fn place(&self, at: i64) -> f32 {
        self.place - self.pace * (at - self.at) as f32 / SECOND as f32
    }

    /// Rows by which a page reaches into what was looked at, so that nothing is left out.
    #[must_use]
    pub fn margin(&self, page: f32) -> f32 {
        (2.0 + MARGIN * self.error).min(page / 2.0)
    }

    /// Learn from a page where it stands now.
    pub fn correct(&mut self, page: &Page, at: i64) {
        if !self.is_placed() {
            return;
        }
        if let Some((place, is_sure)) = page.place(self.moment) {
            self.correct_to(place, is_sure, at);
        }
    }

    /// It stands there.
    pub fn correct_to(&mut self, place: f32, is_sure: bool, at: i64) {
        let error = place - self.place(at);
        let seconds = (at - self.at) as f32 / SECOND as f32;
        if seconds > 10.0 {
            self.pace = (self.pace - GAIN * error / seconds).clamp(-10.0, 10.0);
        }
        if is_sure || error.abs() > self.error {
            self.error += 0.1 * (error.abs().min(50.0) - self.error);
        }
        (self.place, self.at) = (place, at);
    }

    /// It is another moment now, if the page shows where that stands.
    pub fn stand(&mut self, moment: i64, page: &Page, at: i64) -> bool {
        match page.place(moment) {
            Some((place, true)) if moment > self.moment => {
                (self.moment, self.place, self.at) = (moment, place, at);
                true
            }
            _ => false,
        }
    }

    /// So many auctions of this and of other durations expire in this span of it.
    pub fn beside(&mut self, own: f32, others: f32, span: i64) {
        let seconds = span as f32 / SECOND as f32;
        if seconds > 5.0 {
            self.others += 0.2 * (others / seconds - self.others);
            self.fresh += 0.02 * (own / (own + others).max(1.0) - self.fresh);
        }
    }
}
