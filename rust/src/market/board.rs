//! The lots of a market, by id and by copy.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::market::lot::Lot;

/// Every lot that still matters.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Board {
    lots: HashMap<i64, Lot>,
    /// The newest lot of each copy.
    copies: HashMap<i64, i64>,
}

impl Board {
    /// A lot by its auction's id.
    #[must_use]
    pub fn get(&self, auction_id: i64) -> Option<&Lot> {
        self.lots.get(&auction_id)
    }
}
