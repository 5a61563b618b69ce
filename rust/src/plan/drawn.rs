//! A list of which each request draws its page anew: pages in, how much of it was not shown yet out.
//!
//! What was not shown yet grows with what is listed and shrinks with what ends and with each page, so
//! that a page after a busy hour shows more than one before it.

use serde::{Deserialize, Serialize};

use crate::plan::fading::Fading;

/// How much one page says of the share that was not shown yet: so much that some thirty are its mean.
const GAIN: f32 = 0.03;
const HOUR: f32 = 3_600.0;
/// Days until what was not shown yet is the same at the same hour of the next: most of it fades in one.
const DAYS: usize = 3;

/// What was not shown yet.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Drawn {
    /// Its share of the list, just after the last page.
    pub unseen: f32,
    /// How much of it ends in a second.
    fades: f32,
    /// How much of what a page shows of it no later one would.
    lost: f32,
}

impl Drawn {
    /// Its share so many seconds after the last page, where so much of the list is new each second.
    #[must_use]
    pub fn after(&self, wait: f32, new: f32) -> f32 {
        (self.unseen + wait * (new - self.unseen * self.fades)).clamp(0.0, 1.0)
    }

    /// A page after such a wait showed so many, some of them for the first time.
    pub fn drew(&mut self, (wait, new): (f32, f32), size: f32, (shown, first): (f32, f32)) {
        self.unseen = self.after(wait, new);
        self.unseen += GAIN * (first / shown - self.unseen) - first / size.max(shown);
    }

    /// Listings fade so, and a lot waits so long for its look, on average.
    pub fn set_fading(&mut self, fading: &Fading, wait: f32) {
        let (alive, sum) = fading.after(wait);
        self.fades = (1.0 / sum - 1.0 / wait).max(0.0);
        self.lost = 1.0 - wait * alive / sum;
    }

    /// What a page shows, and what of it no later one would: of such a share of its rows.
    #[must_use]
    pub fn shows(&self, page: f32, unseen: f32) -> (f32, f32) {
        (page * unseen, page * unseen * self.lost)
    }

    /// Pages of hours with so many listings a second, of a list of so many pages, and what they show for
    /// the first time: where a page is asked for as long as waiting has cost `least`.
    #[must_use]
    pub fn pages(
        &self,
        least: f32,
        hourly: &[f32],
        places: f32,
        page: f32,
        most: f32,
    ) -> (f32, f32) {
        let enough = least / (page * self.lost).max(1e-6);
        let (mut unseen, mut pages, mut seen) = (self.unseen, 0.0, 0.0);
        for day in 1..=DAYS {
            for rate in hourly {
                let there = unseen + HOUR * rate / (places * page);
                let kept = 1.0 + HOUR * self.fades;
                let wanted = (there / enough.max(1e-6) - kept).clamp(0.0, most / places);
                unseen = there / (kept + wanted);
                if day == DAYS {
                    pages += wanted * places;
                    seen += wanted * places * page * unseen;
                }
            }
        }
        (pages, seen)
    }
}
