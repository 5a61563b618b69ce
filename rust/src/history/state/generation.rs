//! States in, found by their auction.

use super::{State, Word};
use crate::history::index::Index;

/// States by auction.
#[derive(Debug, Default)]
pub(super) struct Generation {
    index: Index,
    pub(super) states: Vec<State>,
}

impl Generation {
    pub(super) fn get(&self, hash: u32, platform: Word, auction_id: i64) -> Option<&State> {
        self.find(hash, platform, auction_id).map(|number| &self.states[number])
    }

    pub(super) fn put(&mut self, hash: u32, state: State) {
        if let Some(number) = self.find(hash, state.platform, state.auction_id) {
            self.states[number] = state;
        } else {
            self.index.add(hash, self.states.len());
            self.states.push(state);
        }
    }

    fn find(&self, hash: u32, platform: Word, auction_id: i64) -> Option<usize> {
        self.index.find(hash, |number| {
            let state = &self.states[number];
            state.auction_id == auction_id && state.platform == platform
        })
    }

    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.states.clear();
    }
}
