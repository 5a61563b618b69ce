//! What another writer has overtaken: an auction's told events and an older observation in, what
//! the history says of it out.
//!
//! Invariant: an auction's events, by time and then by number, show at the time of each observation
//! the state that it showed, and last the state that was seen last. A state is told once, and dated
//! by its first sight. Outcomes are not given here, and the current state is left alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::history::course::identity;
use crate::history::state::{Identity, NONE, Word};
use crate::rows::record::{AuctionRow, Event};

/// An event that is committed, of an auction with late observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Platform.
    pub platform: String,
    /// Upstream id.
    pub auction_id: i64,
    /// Its number.
    pub seq: i64,
    /// When, microseconds.
    pub observed_at: i64,
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
    /// When the auction was to end, microseconds.
    pub expires_at: i64,
    /// Start price.
    pub start_price: Option<i64>,
}

/// A state that is told again, since it was seen before and after a late one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Number of the event.
    pub seq: i64,
    /// Number of the event that it repeats, but as `changed`: no bid is told twice.
    pub of: i64,
    /// When it was seen last, microseconds.
    pub observed_at: i64,
}

/// What observations change beside the events that they make: late ones, and those that make none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amends {
    /// Events whose state was seen sooner: when, microseconds.
    pub sooner: BTreeMap<i64, i64>,
    /// Events that repeat another one.
    pub again: Vec<Again>,
    /// Auctions, by platform and id, that were seen sooner: when, microseconds.
    pub first_seen: BTreeMap<(String, i64), i64>,
    /// Auctions, by platform and id, whose row changes without an event: their end moved, or their
    /// card has another version.
    pub moved: Vec<(String, i64)>,
}

/// The events of the auctions that a batch is late for.
#[derive(Debug, Default)]
pub(crate) struct Timelines {
    /// None: not known yet.
    by_auction: Option<HashMap<(Word, i64), Vec<Told>>>,
    /// The auctions whose events are needed.
    pub(crate) wanted: BTreeSet<(String, i64)>,
    pub(crate) amends: Amends,
}

/// An event, in the order of time.
#[derive(Clone, Copy, Debug)]
struct Told {
    observed_at: i64,
    seq: i64,
    /// The event that has all of its columns.
    of: i64,
    identity: Identity,
    expires_at: i64,
    start_price: i64,
}

impl Timelines {
    /// Take in the committed events, in any order; `number` numbers platforms and statuses.
    pub(crate) fn new<'p>(
        past: Option<&'p [Past]>,
        mut number: impl FnMut(&'p str) -> Word,
    ) -> Self {
        let Some(past) = past else { return Self::default() };
        let mut by_auction: HashMap<_, Vec<Told>> = HashMap::new();
        for event in past {
            let identity = Identity {
                buyout_price: event.buyout_price.unwrap_or(NONE),
                current_bid: event.current_bid,
                next_bid: event.next_bid,
                bids: event.bids,
                status: number(&event.status),
            };
            by_auction.entry((number(&event.platform), event.auction_id)).or_default().push(Told {
                observed_at: event.observed_at,
                seq: event.seq,
                of: event.seq,
                identity,
                expires_at: event.expires_at,
                start_price: event.start_price.unwrap_or(NONE),
            });
        }
        for line in by_auction.values_mut() {
            line.sort_unstable_by_key(|told| (told.observed_at, told.seq));
        }
        Self { by_auction: Some(by_auction), ..Self::default() }
    }

    /// Note an event of the batch.
    #[cold]
    pub(crate) fn tell(&mut self, platform: Word, status: Word, event: &Event<'_>) {
        let Some(by_auction) = &mut self.by_auction else { return };
        let line = by_auction.entry((platform, event.row.auction_id)).or_default();
        let place = line.partition_point(|told| told.observed_at <= event.row.observed_at);
        let told = Told {
            observed_at: event.row.observed_at,
            seq: event.seq,
            of: event.seq,
            identity: identity(event.row, status),
            expires_at: event.expires_at,
            start_price: event.start_price.unwrap_or(NONE),
        };
        line.insert(place, told);
    }

    /// Take in a late observation; the event it makes, to be told, and how many there are with it.
    #[cold]
    pub(crate) fn see<'r>(
        &mut self,
        platform: Word,
        status: Word,
        late: Late<'r>,
        seq: &mut i64,
    ) -> (Option<Event<'r>>, usize) {
        let row = late.row;
        let Some(by_auction) = &mut self.by_auction else {
            self.wanted.insert((row.platform.to_string(), row.auction_id));
            return (None, 0);
        };
        let line = by_auction.entry((platform, row.auction_id)).or_default();
        let head = *seq;
        let event = self.amends.place(line, identity(row, status), late, seq);
        (event, usize::try_from(*seq - head).unwrap_or_default())
    }
}

impl Amends {
    /// Find the place of a late observation among the events of its auction; the event it makes.
    fn place<'r>(
        &mut self,
        line: &mut Vec<Told>,
        identity: Identity,
        late: Late<'r>,
        seq: &mut i64,
    ) -> Option<Event<'r>> {
        let Late { row, newest, runs } = late;
        let place = line.partition_point(|told| told.observed_at <= row.observed_at);
        let before = place.checked_sub(1).map(|before| line[before]);
        if before.is_some_and(|before| before.identity == identity) {
            return None; // only a sighting
        }
        if before.is_none() {
            let key = (row.platform.to_string(), row.auction_id);
            self.first_seen.insert(key, row.observed_at);
        }
        let is_last = place == line.len();
        if let Some(after) = line.get_mut(place).filter(|after| after.identity == identity) {
            // of two events at one time the higher number counts: there its date says enough
            if before.is_none_or(|before| {
                (before.observed_at, before.seq) < (row.observed_at, after.seq)
            }) {
                after.observed_at = row.observed_at;
                self.sooner.insert(after.seq, row.observed_at);
            }
            return None;
        }
        let kind = identity.event_after(before.map(|before| before.identity))?;
        let known = before.map_or((row.expires_at, NONE), |b| (b.expires_at, b.start_price));
        let expires_at = if runs { row.expires_at } else { known.0 };
        let start_price = row.start_price.or((known.1 != NONE).then_some(known.1));
        *seq += 1;
        let event =
            Event { seq: *seq, kind, row, expires_at, start_price, closing: None, late: true };
        let Some(before) = before.filter(|_| is_last) else { return Some(event) };
        // the state around it is the current one: it was seen after this one, too
        *seq += 1;
        line.push(Told { observed_at: newest, seq: *seq, ..before });
        self.again.push(Again { seq: *seq, of: before.of, observed_at: newest });
        Some(event)
    }
}

/// An observation that is older than the newest one of its auction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late<'r> {
    pub(crate) row: &'r AuctionRow,
    /// When the auction was seen last, microseconds.
    pub(crate) newest: i64,
    /// It says when the auction ends.
    pub(crate) runs: bool,
}
