//! What the database holds of auctions, as this process last wrote or read it.
//!
//! Invariant: what is held as committed is committed; what a transaction would change stands
//! beside it until that is. An auction that is not held may be in the database all the same.
//! Memory is bounded by twice the capacity, some 130 bytes an auction.

mod generation;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use generation::Generation;

use crate::history::index::Index;
use crate::history::outcome::Standing;

/// Distinct platforms and statuses remembered; a real year has some ten.
const MAX_WORDS: usize = 1 << 12;
/// Most auctions of a generation; the index counts in 32 bits.
pub const MAX_CAPACITY: usize = 1 << 28;
/// No money, which is never negative.
pub(crate) const NONE: i64 = -1;

/// A platform or a status, as a number.
pub(crate) type Word = u32;

/// What makes an observation a new state of its auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) buyout_price: i64,
    pub(crate) current_bid: i64,
    pub(crate) next_bid: i64,
    pub(crate) bids: i32,
    pub(crate) status: Word,
}

/// The state of an auction: what its row holds, and when it was seen last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) auction_id: i64,
    pub(crate) platform: Word,
    /// It was seen active, so that `expires_at` is what was learned then.
    pub(crate) was_active: bool,
    pub(crate) identity: Identity,
    pub(crate) card_version: i64,
    pub(crate) expires_at: i64,
    pub(crate) start_price: i64,
    pub(crate) newest: i64,
    pub(crate) standing: Option<Standing>,
}

/// A committed state, read back from the database: [`crate::rows::schema::STATE`].
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Platform.
    pub platform: String,
    /// Upstream id.
    pub auction_id: i64,
    /// The upstream's word.
    pub status: String,
    /// Buyout price.
    pub buyout_price: Option<i64>,
    /// Highest bid.
    pub current_bid: i64,
    /// Lowest bid that would be accepted.
    pub next_bid: i64,
    /// Number of bids.
    pub bids: i32,
    /// Hash of the card's definition.
    pub card_version: i64,
    /// When it ends, microseconds.
    pub expires_at: i64,
    /// Start price.
    pub start_price: Option<i64>,
    /// The outcome that stands.
    pub standing: Option<Standing>,
    /// It was seen active once.
    pub was_active: bool,
    /// When it was observed or seen last, microseconds.
    pub newest: i64,
}

/// The states after some rows of a batch.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// Of auctions that the rows show: their words are numbers of `words`.
    pub(crate) states: Vec<State>,
    pub(crate) words: Vec<Box<str>>,
    /// Of others, as they are held.
    pub(crate) closed: Vec<State>,
}

/// The states this process holds.
#[derive(Debug)]
pub struct States {
    seed: u64,
    capacity: usize,
    words: HashMap<Box<str>, Word>,
    pending: Generation,
    recent: Generation,
    older: Generation,
    /// States of `older` that stand in `recent` too, newer.
    carried: usize,
    /// Of auctions that no row shows: for this transaction alone.
    lent: Generation,
}

impl States {
    /// Hold up to twice `capacity` auctions, the ones seen last.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            seed: RandomState::new().hash_one(capacity), // ids come from outside
            capacity,
            words: HashMap::new(),
            pending: Generation::default(),
            recent: Generation::default(),
            older: Generation::default(),
            carried: 0,
            lent: Generation::default(),
        }
    }

    /// Platform and id of each of these auctions that is not held, neither as committed nor as
    /// pending.
    #[must_use]
    pub fn unheld<'r>(
        &self,
        auctions: impl Iterator<Item = (&'r str, i64)>,
    ) -> Vec<(&'r str, i64)> {
        let mut index = Index::default();
        let mut unheld: Vec<(&str, i64)> = Vec::new();
        for (platform, id) in auctions {
            let hash = self.hash(id);
            let held = self.word(platform).and_then(|word| self.held(hash, word, id));
            let listed = || index.find(hash, |number| unheld[number] == (platform, id));
            if held.is_none() && listed().is_none() {
                index.add(hash, unheld.len());
                unheld.push((platform, id));
            }
        }
        unheld
    }

    /// Hold committed states.
    pub fn learn(&mut self, rows: impl IntoIterator<Item = Learned>) {
        for row in rows {
            let state = self.state(&row);
            self.hold(state);
        }
    }

    /// Know committed states until the end of this transaction: of auctions that no row shows, so that
    /// `newest` need not count what pages have shown since.
    pub fn lend(&mut self, rows: impl IntoIterator<Item = Learned>) {
        for row in rows {
            let state = self.state(&row);
            self.lent.put(self.hash(state.auction_id), state);
        }
    }

    fn state(&mut self, row: &Learned) -> State {
        State {
            auction_id: row.auction_id,
            platform: self.intern(&row.platform),
            was_active: row.was_active,
            identity: Identity {
                buyout_price: row.buyout_price.unwrap_or(NONE),
                current_bid: row.current_bid,
                next_bid: row.next_bid,
                bids: row.bids,
                status: self.intern(&row.status),
            },
            card_version: row.card_version,
            expires_at: row.expires_at,
            start_price: row.start_price.unwrap_or(NONE),
            newest: row.newest,
            standing: row.standing,
        }
    }

    /// The delta that touched these was sent: they are pending.
    pub fn accept(&mut self, touched: &Touched) {
        let words: Vec<Word> = touched.words.iter().map(|word| self.intern(word)).collect();
        for state in &touched.states {
            let identity =
                Identity { status: words[state.identity.status as usize], ..state.identity };
            let state = State { platform: words[state.platform as usize], identity, ..*state };
            self.pending.put(self.hash(state.auction_id), state);
        }
        for &state in &touched.closed {
            let hash = self.hash(state.auction_id);
            let is_held = self.held(hash, state.platform, state.auction_id).is_some();
            let kept = if is_held { &mut self.pending } else { &mut self.lent };
            kept.put(hash, state);
        }
    }

    /// What is pending is committed.
    pub fn commit(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        for &state in &pending.states {
            self.hold(state);
        }
        pending.clear();
        self.pending = pending;
        self.lent.clear();
        if self.words.len() > MAX_WORDS {
            self.forget(); // not a market's words; what was known is read back where it is needed
        }
    }

    /// What is pending was rolled back.
    pub fn abort(&mut self) {
        self.pending.clear();
        self.lent.clear();
    }

    /// Drop everything: the database was changed by another.
    pub fn forget(&mut self) {
        *self = Self { seed: self.seed, ..Self::new(self.capacity) };
    }

    /// Auctions held as committed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recent.states.len() + self.older.states.len() - self.carried
    }

    /// Whether nothing is held as committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn hash(&self, auction_id: i64) -> u32 {
        (xxh3_64_with_seed(&auction_id.to_ne_bytes(), self.seed) >> 32) as u32
    }

    pub(crate) fn word(&self, text: &str) -> Option<Word> {
        self.words.get(text).copied()
    }

    /// The state of an auction, the pending one first.
    pub(crate) fn held(&self, hash: u32, platform: Word, auction_id: i64) -> Option<&State> {
        let generations = [&self.pending, &self.recent, &self.older];
        generations.into_iter().find_map(|states| states.get(hash, platform, auction_id))
    }

    /// The same, or the one that was lent.
    pub(crate) fn known(&self, hash: u32, platform: Word, auction_id: i64) -> Option<&State> {
        let held = self.held(hash, platform, auction_id);
        held.or_else(|| self.lent.get(hash, platform, auction_id))
    }

    fn intern(&mut self, text: &str) -> Word {
        self.word(text).unwrap_or_else(|| {
            let word = Word::try_from(self.words.len()).unwrap_or(Word::MAX);
            self.words.insert(text.into(), word);
            word
        })
    }

    /// Hold a committed state: in the recent generation, wherever the auction stood before.
    fn hold(&mut self, state: State) {
        let hash = self.hash(state.auction_id);
        let known = self.recent.get(hash, state.platform, state.auction_id).is_some();
        if !known && self.recent.states.len() >= self.capacity {
            std::mem::swap(&mut self.recent, &mut self.older);
            self.recent.clear();
            self.carried = 0;
        }
        if !known && self.older.get(hash, state.platform, state.auction_id).is_some() {
            self.carried += 1;
        }
        self.recent.put(hash, state);
    }
}
