//! First bids that stayed alone and those that did not in; how likely one stays alone out.
//!
//! One bid draws others, not as hazards have it that come from all lots with bids: the likelier, the
//! longer there was time for it.
//!
//! Invariant: without any first bid the hazards stand.

use serde::{Deserialize, Serialize};

/// Bands of how likely a first bid stays alone by the hazards.
const SHARES: usize = 5;
/// Upper edges of the time in which it came and the others could, seconds: around the end, part of an
/// evening, longer.
const TIMES: [f32; 2] = [600.0, 7200.0];
/// First bids that are worth as much as the hazards.
const FEW: f32 = 20.0;

/// First bids, faded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alone {
    counts: [[[f32; 2]; SHARES]; TIMES.len() + 1],
}

impl Alone {
    /// A first bid came within so many seconds and stayed alone or not; by the hazards it does by `share`.
    pub(crate) fn add(&mut self, share: f32, seconds: f32, alone: bool, weight: f32) {
        let (time, band) = place(share, seconds);
        self.counts[time][band][usize::from(!alone)] += weight;
    }

    /// P(a first bid that comes within so many seconds stays alone); by the hazards it is `share`.
    pub(crate) fn chance(&self, share: f32, seconds: f32) -> f32 {
        let (time, band) = place(share, seconds);
        let [alone, others] = self.counts[time][band];
        (alone + FEW * share) / (alone + others + FEW)
    }

    /// What was counted counts `keep` of what it did.
    pub(crate) fn fade(&mut self, keep: f32) {
        for count in self.counts.as_flattened_mut().as_flattened_mut() {
            *count *= keep;
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a few bands
fn place(share: f32, seconds: f32) -> (usize, usize) {
    let band = (share.clamp(0.0, 1.0) * SHARES as f32) as usize;
    (TIMES.partition_point(|&edge| edge <= seconds), band.min(SHARES - 1))
}
