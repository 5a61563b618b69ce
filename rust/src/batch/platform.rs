//! A page's platform and times in, when it was observed by the server's clock out.
//!
//! Invariant: where a reply tells no time that can be believed, ours is corrected by the skew of the
//! platform's last reply that told one; without either time a page is refused.

use std::collections::HashMap;
use std::sync::Arc;

use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::reply::envelope::Envelope;
use crate::reply::normalize::{MAX_SKEW, plausible};

/// The platforms that pages came from.
#[derive(Debug, Default)]
pub(crate) struct Platforms {
    by_name: HashMap<String, PlatformState>,
}

#[derive(Clone, Debug)]
struct PlatformState {
    name: Arc<str>,
    /// Server clock minus ours, from the last reply whose times agree.
    skew: i64,
}

impl Platforms {
    /// The platform's shared name and the server time of a page; `fetched_at` is our clock when it
    /// was received, microseconds, and 0 when unknown.
    pub(crate) fn observe(
        &mut self,
        platform: &str,
        fetched_at: i64,
        envelope: &Envelope,
        drift: &mut Drift,
    ) -> Result<(Arc<str>, i64), Fault> {
        let state = self
            .by_name
            .entry(platform.to_owned())
            .or_insert_with(|| PlatformState { name: platform.into(), skew: 0 });
        let fetched_at = Some(fetched_at).filter(|&micros| plausible(micros));
        let response_time = envelope.response_time.filter(|&micros| plausible(micros));
        let observed_at = match (response_time, fetched_at) {
            (Some(server), Some(ours)) if (server - ours).abs() > MAX_SKEW => {
                drift.note("responseData.responseTime", DriftKind::Clock, b"over 5 min off");
                ours + state.skew
            }
            (Some(server), Some(ours)) => {
                state.skew = server - ours;
                server
            }
            (Some(server), None) => server,
            (None, Some(ours)) => {
                drift.note("responseData.responseTime", DriftKind::MissingField, b"");
                ours + state.skew
            }
            (None, None) => return Err(Fault::new(Reason::NoTime, 0)),
        };
        Ok((Arc::clone(&state.name), observed_at))
    }
}
