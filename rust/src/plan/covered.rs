//! Spans of posting time whose listings were looked at, and the holes between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Disjoint spans of time, microseconds: start to end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Covered(BTreeMap<i64, i64>);

impl Covered {
    /// Add a span; the parts of it that were not covered yet.
    pub fn add(&mut self, from: i64, to: i64) -> Vec<(i64, i64)> {
        if from >= to {
            return Vec::new();
        }
        let new = self.holes(from, to);
        let (mut start, mut end) = (from, to);
        let touching: Vec<(i64, i64)> = self
            .0
            .range(..=to)
            .rev()
            .take_while(|&(_, &last)| last >= from)
            .map(|(&first, &last)| (first, last))
            .collect();
        for (first, last) in touching {
            (start, end) = (start.min(first), end.max(last));
            self.0.remove(&first);
        }
        self.0.insert(start, end);
        new
    }

    /// The parts of a span that are not covered, oldest first.
    #[must_use]
    pub fn holes(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        let mut holes = Vec::new();
        if from >= to {
            return holes;
        }
        let mut at = from;
        let before = self.0.range(..from).next_back().map(|(&first, &last)| (first, last));
        let inside = self.0.range(from..to).map(|(&first, &last)| (first, last));
        for (first, last) in before.into_iter().chain(inside) {
            if first > at {
                holes.push((at, first.min(to)));
            }
            at = at.max(last);
        }
        if at < to {
            holes.push((at, to));
        }
        holes
    }

    /// The start of the oldest span.
    #[must_use]
    pub fn start(&self) -> Option<i64> {
        self.0.first_key_value().map(|(&first, _)| first)
    }

    /// The end of the newest span.
    #[must_use]
    pub fn end(&self) -> Option<i64> {
        self.0.last_key_value().map(|(_, &last)| last)
    }

    /// Forget what lies before.
    pub fn forget(&mut self, before: i64) {
        self.0.retain(|_, last| *last >= before);
    }
}
