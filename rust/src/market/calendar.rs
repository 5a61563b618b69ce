//! Ids and the moment of each in; those of a span, or those that are due, in order of time out.
//!
//! What falls into one minute lies together as it came, and is put in order when it is read: of the
//! many that are put down for a day or so, few are read before they are due.
//!
//! Invariant: what is read is in a total order of the data alone.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::market::asked::MINUTE;

/// Moments, microseconds, and ids.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calendar {
    /// By minute, none of them empty.
    minutes: BTreeMap<i64, Vec<(i64, i64)>>,
    len: usize,
}

impl Calendar {
    /// Put down an id.
    pub(crate) fn insert(&mut self, at: i64, id: i64) {
        self.minutes.entry(at.div_euclid(MINUTE)).or_default().push((at, id));
        self.len += 1;
    }

    /// Cross out an id, if it stands there.
    pub(crate) fn remove(&mut self, at: i64, id: i64) {
        let key = at.div_euclid(MINUTE);
        let Some(minute) = self.minutes.get_mut(&key) else { return };
        if let Some(place) = minute.iter().position(|&pair| pair == (at, id)) {
            minute.swap_remove(place);
            self.len -= 1;
        }
        if minute.is_empty() {
            self.minutes.remove(&key);
        }
    }

    /// Take out what stands before a moment.
    pub(crate) fn take_before(&mut self, moment: i64) -> Vec<(i64, i64)> {
        let mut taken = Vec::new();
        while let Some(mut first) = self.minutes.first_entry() {
            if *first.key() > moment.div_euclid(MINUTE) {
                break;
            }
            taken.extend(first.get_mut().extract_if(.., |&mut (at, _)| at < moment));
            if !first.get().is_empty() {
                break;
            }
            first.remove();
        }
        taken.sort_unstable();
        self.len -= taken.len();
        taken
    }

    /// Those of a span.
    pub(crate) fn range(
        &self,
        span: RangeInclusive<i64>,
    ) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        let (from, to) = (*span.start().min(span.end()), *span.end());
        let minutes = self.minutes.range(from.div_euclid(MINUTE)..=to.div_euclid(MINUTE));
        minutes.flat_map(move |(_, minute)| {
            let inside = minute.iter().filter(|(at, _)| (from..=to).contains(at));
            let mut inside: Vec<_> = inside.copied().collect();
            inside.sort_unstable();
            inside
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids 0 to 9, the last first, half a minute apart.
    fn ten() -> Calendar {
        let mut calendar = Calendar::default();
        for id in (0..10).rev() {
            calendar.insert(id * MINUTE / 2, id);
        }
        calendar
    }

    fn ids(calendar: &Calendar) -> Vec<i64> {
        calendar.range(i64::MIN..=i64::MAX).map(|(_, id)| id).collect()
    }

    #[test]
    fn a_span_is_read_in_order_from_either_end() {
        let mut calendar = ten();
        calendar.insert(MINUTE, 7); // as soon as 2
        let read: Vec<_> = calendar.range(MINUTE / 2..=2 * MINUTE).map(|(_, id)| id).collect();
        assert_eq!(read, [1, 2, 7, 3, 4]);
        assert_eq!(calendar.range(1..=MINUTE).next_back(), Some((MINUTE, 7)));
    }

    #[test]
    fn what_is_crossed_out_is_not_read() {
        let mut calendar = ten();
        calendar.remove(MINUTE, 2);
        calendar.remove(MINUTE, 3); // that stands elsewhere
        assert_eq!((ids(&calendar).len(), calendar.len()), (9, 9));
        assert!(!ids(&calendar).contains(&2));
    }

    #[test]
    fn what_is_due_is_taken_out_once() {
        let mut calendar = ten();
        let taken: Vec<_> =
            calendar.take_before(3 * MINUTE / 2).into_iter().map(|(_, id)| id).collect();
        assert_eq!(taken, [0, 1, 2]);
        assert_eq!(calendar.take_before(3 * MINUTE / 2), []);
        assert_eq!((ids(&calendar), calendar.len()), ((3..10).collect(), 7));
    }
}
