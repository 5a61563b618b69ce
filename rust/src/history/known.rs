//! Which card versions the database is known to have.
//!
//! Invariant: a card counts as known only after the transaction that wrote or saw it; forgetting
//! one costs a second sending, never a card. Memory is bounded by [`MAX_KNOWN`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::card::card::{CardKeys, key};
use crate::rows::record::NewCard;

/// Card versions remembered as committed, some 40 MB; a real year has ~10^5.
pub const MAX_KNOWN: usize = 1 << 20;

/// The known versions. Shared: a batch is committed while the next one is read, and that goes on
/// with the versions that were known when it began.
#[derive(Debug, Default)]
pub struct KnownCards(Mutex<Arc<CardKeys>>);

impl KnownCards {
    /// Those known now.
    #[must_use]
    pub fn now(&self) -> Arc<CardKeys> {
        Arc::clone(&self.lock())
    }

    /// Those of a batch's new cards that are not known by now.
    #[must_use]
    pub fn missing<'c>(&self, new: &'c [NewCard]) -> Vec<&'c NewCard> {
        let known = self.now();
        new.iter().filter(|new| !known.contains(&key(&new.card))).collect()
    }

    /// A batch is committed: its new cards are known.
    pub fn confirm(&self, new: &[NewCard]) {
        self.know(new.iter().map(|new| key(&new.card)));
    }

    /// These are in the database.
    pub fn know(&self, keys: impl ExactSizeIterator<Item = (i64, i64)>) {
        let mut shared = self.lock();
        let known = Arc::make_mut(&mut shared); // a copy, when a batch is being read
        if known.len() + keys.len() > MAX_KNOWN {
            known.clear(); // they are sent once more, and already there
        }
        known.extend(keys);
    }

    fn lock(&self) -> MutexGuard<'_, Arc<CardKeys>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
