//! Pages in, the page that spares most refreshes of a busy hour to come out.
//!
//! Where a refresh tells of an end for a short while only, more lots end in a busy hour than can be
//! asked for. Those that are gone long before their time need no answer: a page of the hour in which
//! they were posted shows it, when there is nothing better to ask.

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, MINUTE, Reply};
use crate::plan::arrivals::Arrivals;
use crate::plan::list::List;

/// Lots are left alone until this age, and from this time before a day has passed.
const YOUNG: i64 = 2 * HOUR;
const OLD: i64 = DAY - HOUR / 2;
/// From one round to the next.
const REST: i64 = 3 * HOUR;
/// What a lot is worth that need not be asked for in a busy hour.
const SPARED: f32 = 0.6;
/// A page this near the moment that was wanted shows it.
const NEAR: i64 = 15 * MINUTE;

/// Which moments of posting were looked at again in this round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ahead {
    /// The next moment, microseconds; older ones follow.
    next: i64,
    began: i64,
    /// Lots that such a page showed to be gone, of late.
    gone: f32,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { next: 0, began: 0, gone: 20.0 }
    }
}

impl Ahead {
    /// Take in a page of a list by posting.
    pub fn learn(&mut self, offset: u32, reply: &Reply, absent: usize, arrivals: &Arrivals) {
        let posted = || reply.seen.iter().map(|seen| seen.posted_at);
        if let (Some(oldest), Some(newest)) = (posted().min(), posted().max())
            && offset > 0
            && (oldest - NEAR..newest + NEAR).contains(&self.next)
        {
            self.next = oldest.min(self.next - MINUTE);
            self.gone += (absent as f32 - self.gone) * 0.05;
        }
        if self.next < reply.at - OLD && self.began + REST < reply.at {
            (self.next, self.began) = (reply.at - YOUNG, reply.at);
        }
        let mean = arrivals.hourly().iter().sum::<f32>() / 24.0;
        while self.next > reply.at - OLD && arrivals.rate(self.next) < mean {
            self.next -= 10 * MINUTE;
        }
    }

    /// Place of the page to look at, if there is one, and what it is worth.
    #[must_use]
    pub fn page(&self, at: i64, list: &List) -> Option<(u32, f32)> {
        let age = at - self.next;
        if age > OLD { None } else { Some((list.place(age)?, SPARED * self.gone)) }
    }
}
