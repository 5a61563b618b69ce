//! Copies that came back to the list after an auction, or did not, in; what their silence says out.
//!
//! Who did not sell lists again, mostly soon, and a buyer does seldom: a copy that does not come back
//! was the rather sold. How many come back, and are seen to, is counted by how their auctions ended:
//! as far as that was told, and else by what the rates and its copy say. Which ends are asked after hangs
//! on what the copy says, so that those that are left do not come back as often as all do.
//!
//! Invariant: an auction counts once, when its end is told or can no longer be.

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, MINUTE, SECOND, Status};
use crate::market::lot::{EARLY, Lot, Relisted};

/// How an auction ended: sold, expired, taken back.
const KINDS: usize = 3;
/// Upper edges of the time from an end until its copy is listed again.
const WAITS: [i64; 3] = [15 * MINUTE, HOUR, 4 * HOUR];
/// The prior is that nothing comes back, worth so many ends.
const PRIOR: f32 = 50.0;

/// Ends, and copies that came back after them, faded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    ended: [f32; KINDS],
    back: [[f32; WAITS.len() + 1]; KINDS],
}

impl Returns {
    /// A lot is over: as was told, or by these chances, with what its copy says in them.
    pub(crate) fn over(&mut self, lot: &Lot, chances: [f32; KINDS]) {
        if lot.card_instance_id == 0 || lot.last_active == 0 {
            return;
        }
        let shares = match told(lot) {
            Some(kind) => std::array::from_fn(|of| f32::from(u8::from(of == kind))),
            None => chances,
        };
        for (ended, share) in self.ended.iter_mut().zip(shares) {
            *ended += share;
        }
        self.came(lot);
    }

    /// The copy of a lot that is over was seen again, if it was.
    pub(crate) fn came(&mut self, lot: &Lot) {
        let Some(again) = lot.relisted.as_ref().filter(|again| speaks(lot, again)) else { return };
        let kind = told(lot).unwrap_or(match again.sold {
            true => 0,
            false if again.posted_at >= lot.expires_at - EARLY => 1,
            false => 2,
        });
        self.back[kind][wait(lot, again)] += 1.0;
    }

    /// What was counted counts `keep` of what it did.
    pub(crate) fn fade(&mut self, keep: f32) {
        for count in self.ended.iter_mut().chain(self.back.iter_mut().flatten()) {
            *count *= keep;
        }
    }

    /// P(its copy was listed again when it was, unsold, given that the lot was sold, expired, taken
    /// back), each against an expiry. The prior is that who takes a lot back lists it again as often.
    pub(crate) fn back(&self, lot: &Lot, again: &Relisted) -> [f32; KINDS] {
        let wait = wait(lot, again);
        let expired = (self.back[1][wait] + 1.0) / (self.ended[1] + PRIOR);
        let withdrawn = self.back[2][wait] + PRIOR * expired;
        [0.0, 1.0, (withdrawn / (self.ended[2] + PRIOR) / expired).min(1.0)]
    }

    /// P(its copy was not seen again until `at`, given that the lot was sold, expired, taken back).
    pub(crate) fn silent(&self, lot: &Lot, at: i64) -> [f32; KINDS] {
        if lot.card_instance_id == 0 {
            return [1.0; KINDS];
        }
        let waits = WAITS.partition_point(|&edge| edge <= at.saturating_sub(ended_by(lot)));
        let waits = if waits == WAITS.len() { waits + 1 } else { waits };
        std::array::from_fn(|kind| {
            let back: f32 = self.back[kind][..waits].iter().sum();
            (1.0 - back / (self.ended[kind] + PRIOR)).max(0.05)
        })
    }
}

/// How a lot ended, as a reply told it.
fn told(lot: &Lot) -> Option<usize> {
    Some(match lot.told?.status {
        Status::Ended | Status::Active => 0,
        Status::Expired => 1,
        Status::Cancelled => 2,
    })
}

/// How long its copy was away.
fn wait(lot: &Lot, again: &Relisted) -> usize {
    WAITS.partition_point(|&edge| edge <= again.posted_at - ended_by(lot))
}

/// When a lot was over at the latest.
fn ended_by(lot: &Lot) -> i64 {
    let told = lot.told.map_or(0, |told| told.at);
    [told, lot.absent_at].into_iter().filter(|&at| at > 0).fold(lot.expires_at, i64::min)
}

/// Whether a later listing of the copy tells how this one ended: a sale at another time was another's.
pub(super) fn speaks(lot: &Lot, again: &Relisted) -> bool {
    let sale = lot.last_active..=lot.expires_at + EARLY;
    !again.sold || again.acquired_at == 0 || sale.contains(&(again.acquired_at + SECOND))
}
