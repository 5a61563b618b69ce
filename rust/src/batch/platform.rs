//! A page's platform and times in, when it was observed by the server's clock out.
//!
//! Invariant: times that were decided before are taken as they are. Others are decided here, and may
//! go back: whoever hands in such pages may do so in any order. Without any time a page is refused, and
//! one that is refused tells nothing of clocks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::page::Page;
use crate::clock::{Given, ServerClock, Told, plausible};
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::reply::envelope::Envelope;

const PATH: &str = "responseData.responseTime";

/// The platforms that pages came from: the shared name and the clock of each.
#[derive(Debug, Default)]
pub(crate) struct Platforms {
    by_name: HashMap<String, (Arc<str>, ServerClock)>,
}

/// What one page tells.
pub(crate) struct Observed {
    pub(crate) platform: Arc<str>,
    pub(crate) times: Given,
    clock: ServerClock,
}

impl Platforms {
    /// The platform's shared name and the times of a page.
    pub(crate) fn observe(
        &mut self,
        page: &Page<'_>,
        envelope: &Envelope,
        drift: &mut Drift,
    ) -> Result<Observed, Fault> {
        let new = || (page.platform.into(), ServerClock::default());
        let (name, clock) = self.by_name.entry(page.platform.to_owned()).or_insert_with(new);
        let (platform, mut clock) = (Arc::clone(name), *clock);
        let response = envelope.response_time.filter(|&micros| plausible(micros));
        let times = if plausible(page.times.served_at) {
            page.times
        } else {
            let response = response.unwrap_or_default();
            let told = Told { ours: page.fetched_at, response, ..Told::default() };
            let served_at = clock.read(told).ok_or(Fault::new(Reason::NoTime, 0))?;
            Given { served_at, observed_at: served_at }
        };
        match response {
            Some(time) if time == times.served_at => {}
            Some(_) => drift.note(PATH, DriftKind::Clock, b"far from what other replies say"),
            None if envelope.response_time.is_some() => {
                drift.note(PATH, DriftKind::Unusable, b"no time");
            }
            None => drift.note(PATH, DriftKind::MissingField, b""),
        }
        if times.observed_at != times.served_at {
            drift.note("observed_at", DriftKind::Clock, b"set behind the reply before");
        }
        Ok(Observed { platform, times, clock })
    }

    /// The page is not refused: what it tells of its server's clock counts for those that follow.
    pub(crate) fn accept(&mut self, page: &Page<'_>, observed: &Observed) {
        if let Some((_, clock)) = self.by_name.get_mut(page.platform) {
            *clock = observed.clock;
        }
    }
}
