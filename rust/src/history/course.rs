//! The rules: how an auction's observations become events and its current state.
//!
//! Invariant: what decides is the state before, which is the one of the observation before in the
//! batch or the held one. Where a batch is cut makes no difference to it.

use crate::history::outcome::{Change, Fate, Look, Meaning};
use crate::history::state::{Identity, NONE, State, Word};
use crate::rows::record::{AuctionRow, Closing, Current, Event, EventKind};

/// An end that moved by no more than this (microseconds) is the same: the upstream counts seconds.
const SAME_END: u64 = 5_000_000;
/// A status of a held state that the row before us does not have.
pub(crate) const OTHER: Word = Word::MAX;

/// What a batch has shown of one auction so far.
pub(crate) struct Course<'s> {
    pub(crate) auction_id: i64,
    pub(crate) platform: Word,
    pub(crate) held: Option<&'s State>,
    /// Index of its last row that is not late.
    last: Option<usize>,
    /// The state it shows.
    identity: Identity,
    first_seen: i64,
    pub(crate) newest: i64,
    expires_at: i64,
    start_price: i64,
    fate: Fate,
    has_event: bool,
}

impl<'s> Course<'s> {
    pub(crate) fn new(row: &AuctionRow, platform: Word) -> Self {
        Self {
            auction_id: row.auction_id,
            platform,
            held: None,
            last: None,
            identity: identity(row, OTHER),
            first_seen: row.observed_at,
            newest: i64::MIN,
            expires_at: row.expires_at,
            start_price: NONE,
            fate: Fate::default(),
            has_event: false,
        }
    }

    /// The course of an auction that is held; the held states know `active` as this word.
    pub(crate) fn resume(held: &'s State, platform: Word, active: Option<Word>) -> Self {
        let on_offer = active == Some(held.identity.status);
        Self {
            auction_id: held.auction_id,
            platform,
            held: Some(held),
            last: None,
            identity: held.identity,
            first_seen: held.newest,
            newest: held.newest,
            expires_at: held.expires_at,
            start_price: held.start_price,
            fate: Fate {
                was_active: held.was_active,
                on_offer_at: on_offer.then_some(held.newest),
                standing: held.standing,
                ..Fate::default()
            },
            has_event: false,
        }
    }

    /// The state before the next row, whose status is `status`, to the held states `known_as`.
    pub(crate) fn before(&self, status: Word, known_as: Option<Word>) -> Option<Identity> {
        if self.last.is_some() {
            return Some(self.identity);
        }
        self.held.map(|held| {
            let same = known_as == Some(held.identity.status);
            Identity { status: if same { status } else { OTHER }, ..held.identity }
        })
    }

    /// Take in the next row that is not late, and what else is said of the end that it tells; the
    /// event it makes.
    pub(crate) fn observe(
        &mut self,
        index: usize,
        row: &AuctionRow,
        status: Word,
        before: Option<Identity>,
        (meaning, told): (Meaning, Option<&Closing>),
    ) -> Option<EventKind> {
        self.identity = identity(row, status);
        let change = self.identity.event_after(before);
        // only what the row in the database will say: what decides later is read back from there
        if runs(row, meaning)
            && (change.is_some() || row.expires_at.abs_diff(self.expires_at) > SAME_END)
        {
            self.expires_at = row.expires_at;
        }
        self.start_price = row.start_price.unwrap_or(self.start_price);
        self.newest = row.observed_at;
        self.last = Some(index);
        let mut by_row = self.fate.see(meaning, Look::of(row, self.expires_at));
        if let Some(closing) = told
            && self.fate.take(*closing)
        {
            by_row = Change::Closed;
        }
        let kind = match by_row {
            Change::Closed => Some(EventKind::Closed),
            Change::Withdrawn => Some(EventKind::Changed),
            Change::Nothing => change,
        };
        self.has_event |= kind.is_some();
        kind
    }

    /// Take in an outcome that was inferred, after the rows so far; whether it makes an event, and
    /// when the auction was to end.
    pub(crate) fn infer(&mut self, closing: Closing) -> Option<i64> {
        let closes = self.fate.take(closing);
        self.has_event |= closes;
        closes.then_some(self.expires_at)
    }

    /// The event that `row`, the last one taken in, makes.
    pub(crate) fn event<'r>(&self, seq: i64, kind: EventKind, row: &'r AuctionRow) -> Event<'r> {
        let closing = self.fate.closing.filter(|_| kind == EventKind::Closed);
        let (expires_at, start_price) = (self.expires_at, money(self.start_price));
        Event { seq, kind, row, expires_at, start_price, closing, late: false }
    }

    /// Whether the auction's row in the database changes.
    pub(crate) fn is_written(&self, rows: &[AuctionRow]) -> bool {
        self.has_event
            || self.last.zip(self.held).is_some_and(|(last, held)| {
                rows[last].card_version != held.card_version || self.expires_at != held.expires_at
            })
    }

    /// Its platform and id, where its row in the database changes and no event tells so.
    pub(crate) fn moved(&self, rows: &[AuctionRow]) -> Option<(String, i64)> {
        let row = &rows[self.last?];
        (self.held.is_some() && !self.has_event && self.is_written(rows))
            .then(|| (row.platform.to_string(), row.auction_id))
    }

    pub(crate) fn current<'r>(&self, rows: &'r [AuctionRow]) -> Option<Current<'r>> {
        Some(Current {
            row: &rows[self.last?],
            expires_at: self.expires_at,
            start_price: money(self.start_price),
            first_seen: self.first_seen,
            closing: self.fate.closing,
            withdrawn: self.fate.withdrawn && self.held.is_some(),
        })
    }

    /// What the database holds of it afterwards: of a row that is not written, what it held.
    pub(crate) fn after(&self, rows: &[AuctionRow]) -> Option<State> {
        let row = &rows[self.last?];
        let unwritten = self.held.filter(|_| !self.is_written(rows));
        Some(State {
            auction_id: self.auction_id,
            platform: self.platform,
            standing: self.fate.standing,
            was_active: self.fate.was_active,
            identity: self.identity,
            card_version: unwritten.map_or(row.card_version, |held| held.card_version),
            expires_at: unwritten.map_or(self.expires_at, |held| held.expires_at),
            start_price: unwritten.map_or(self.start_price, |held| held.start_price),
            newest: self.newest,
        })
    }

    /// The same, of an auction that no row shows, and whose outcome was inferred.
    pub(crate) fn closed(&self) -> Option<State> {
        let held = self.held.filter(|_| self.last.is_none() && self.has_event)?;
        Some(State { standing: self.fate.standing, ..*held })
    }
}

impl Identity {
    /// What it is after `before`; None when it is the same.
    pub(crate) fn event_after(self, before: Option<Self>) -> Option<EventKind> {
        let Some(before) = before else { return Some(EventKind::Listed) };
        if self == before {
            return None;
        }
        let same_offer = self.status == before.status && self.buyout_price == before.buyout_price;
        let grew = self.bids > before.bids || self.current_bid > before.current_bid;
        Some(if same_offer && grew { EventKind::Bid } else { EventKind::Changed })
    }
}

/// Whether an observation says when its auction ends.
pub(crate) fn runs(row: &AuctionRow, meaning: Meaning) -> bool {
    meaning == Meaning::Active && row.expires_at > row.served_at
}

pub(crate) fn identity(row: &AuctionRow, status: Word) -> Identity {
    Identity {
        buyout_price: row.buyout_price.unwrap_or(NONE),
        current_bid: row.current_bid,
        next_bid: row.next_bid,
        bids: row.bids,
        status,
    }
}

fn money(price: i64) -> Option<i64> {
    (price != NONE).then_some(price)
}
