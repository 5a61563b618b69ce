//! What matters to the operator in, how much the answer for one lot is worth beside another's out.
//!
//! Invariant: weights are shares of the largest: a worth stays between 0 and 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::board::Board;
use crate::market::lot::Lot;

/// Weights of cards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Focus {
    cards: BTreeMap<i64, f32>,
    rest: f32,
}

/// What became known of the lots of one weight whose time was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Lots that are kept.
    pub lots: usize,
    /// Of them past their expiry.
    pub over: usize,
    /// Of these: a reply told their end.
    pub told: usize,
}

impl Default for Focus {
    fn default() -> Self {
        Self { cards: BTreeMap::new(), rest: 1.0 }
    }
}

impl Focus {
    /// Cards that weigh more or less than all others, which weigh 1.
    #[must_use]
    pub fn new(mut cards: BTreeMap<i64, f32>) -> Self {
        let most = cards.values().copied().fold(1.0, f32::max);
        for weight in cards.values_mut() {
            *weight /= most;
        }
        Self { cards, rest: 1.0 / most }
    }

    /// Of this lot, as a share of the largest weight.
    #[must_use]
    pub fn of(&self, lot: &Lot) -> f32 {
        self.cards.get(&lot.card_id).copied().unwrap_or(self.rest)
    }

    /// What is known of the lots of each weight (in thousandths of the largest) at `now`.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 1,000
    pub fn known(&self, board: &Board, now: i64) -> BTreeMap<u32, Known> {
        let mut groups: BTreeMap<u32, Known> = BTreeMap::new();
        for lot in board.iter() {
            let group = groups.entry((self.of(lot) * 1_000.0).round() as u32).or_default();
            group.lots += 1;
            group.over += usize::from(lot.expires_at <= now);
            group.told += usize::from(lot.expires_at <= now && lot.is_told());
        }
        groups
    }
}
