//! Pages of a list that is cut in, the length it is cut to out.

use serde::{Deserialize, Serialize};

/// A list longer than this is as good as whole.
const FAR: u32 = 2_000_000;
/// Replies against what is held that reopen it.
const AGAINST: u8 = 3;

/// Between which lengths a list is cut.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cut {
    /// Rows were shown up to here.
    low: u32,
    /// Nothing was shown from here on; 0: not known.
    high: u32,
    against: u8,
}

impl Cut {
    /// Take in a page of a cut list: its length once it is known.
    pub fn observe(&mut self, offset: u32, rows: u32, page: u32) -> Option<u32> {
        let end = offset.saturating_add(rows);
        let (low, high) = if rows == 0 {
            (0, offset)
        } else if rows < page && offset > 0 {
            (end, end)
        } else {
            (end, 0)
        };
        let contradicts = (self.high > 0 && low > self.high) || (high > 0 && high < self.low);
        if contradicts && self.known().is_some() {
            self.against += 1;
            if self.against < AGAINST {
                return None;
            }
        }
        if contradicts {
            *self = Self::default();
        } else if self.known().is_some() && (high > 0 || end == self.high) {
            self.against = 0;
        }
        self.low = self.low.max(low);
        if high > 0 && (self.high == 0 || high < self.high) {
            self.high = high;
        }
        self.known()
    }

    /// The length, once both ends agree.
    pub fn known(&self) -> Option<u32> {
        (self.high > 0 && self.low == self.high).then_some(self.low)
    }

    /// Whether replies speak against the known length.
    pub fn is_doubted(&self) -> bool {
        self.against > 0
    }

    /// Where a page would teach most; None: nowhere.
    pub fn next(&self, page: u32) -> Option<u32> {
        if let Some(length) = self.known() {
            return Some(length);
        }
        let half = page / 2;
        if self.high == 0 {
            // cuts are round numbers: a page across one shows whether it is this
            let round = rounds().find(|&round| round > self.low)?;
            return Some(self.low.max(round - half.min(round)));
        }
        if self.high - self.low <= page {
            return Some(self.low);
        }
        let middle = u32::midpoint(self.low, self.high);
        Some(self.low.max(middle - half.min(middle)))
    }
}

/// 100, 200, 500, 1,000 and so on.
fn rounds() -> impl Iterator<Item = u32> {
    (2..7)
        .flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u32.pow(power)))
        .filter(|&round| round <= FAR)
}
