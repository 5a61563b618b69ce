//! Pages to rows, cards, rejects and drift: the crate's main entry.
//!
//! Invariant: a page that proves malformed gives no row at all; an item that proves unusable costs
//! only itself. Rows stand in page order and, in a page, in the order served.

pub mod page;
mod platform;
mod reject;

use std::collections::HashSet;
use std::sync::Arc;

pub use page::Page;
use platform::{Observed, Platforms};
pub use reject::Reject;

use crate::card::card::{Card, CardKeys, key};
use crate::card::reader::CardReader;
use crate::card::role::CardRules;
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::history::known::KnownCards;
use crate::json::parse::Cursor;
use crate::json::sanitize::sanitize;
use crate::json::skip::skip_structure;
use crate::reply::envelope::{Envelope, MAX_PAGE_BYTES, walk};
use crate::reply::form::{Form, form};
use crate::reply::normalize::{Place, normalize};
use crate::reply::wire::WireAuction;
use crate::rows::copy::CopyStream;
use crate::rows::record::{AuctionRow, CARD_BYTES, NewCard};

/// A real auction takes about this much of its page.
const AUCTION_BYTES: usize = 12_000;
/// Newest listing older than this (microseconds): the reply is of another year's market.
const MAX_STALE: i64 = 30 * 86_400 * 1_000_000;

/// What a list of pages came to.
#[derive(Debug)]
pub struct Batch {
    /// Number of pages read.
    pub pages: usize,
    /// Indexes of the pages that were error replies: no data, no reject.
    pub refused: Vec<usize>,
    /// Indexes of the pages whose list was cut by the server.
    pub truncated: Vec<usize>,
    /// Auction rows.
    pub rows: Vec<AuctionRow>,
    /// Card versions that are not known to be committed.
    pub new_cards: Vec<NewCard>,
    /// What was not stored, and auctions that were with a card that was mended.
    pub rejects: Vec<Reject>,
    /// What was surprising.
    pub drift: Drift,
}

impl Batch {
    /// COPY stream of the rows.
    #[must_use]
    pub fn auctions(&self) -> CopyStream {
        CopyStream::encode(self.rows.iter(), 256)
    }

    /// COPY stream of the new cards.
    #[must_use]
    pub fn cards(&self) -> CopyStream {
        CopyStream::encode(self.new_cards.iter(), CARD_BYTES)
    }
}

/// Reads pages; remembers cards and each platform's clock between batches.
#[derive(Debug)]
pub struct Normalizer {
    cards: CardReader,
    known: Arc<KnownCards>,
    platforms: Platforms,
}

/// What is collected while pages are read.
#[derive(Default)]
struct Draft {
    rows: Vec<AuctionRow>,
    /// Cards that are not known to be committed, with their rows, and where they are mended.
    cards: Vec<(usize, Arc<Card>, usize)>,
    rejects: Vec<Reject>,
    drift: Drift,
    refused: Vec<usize>,
    truncated: Vec<usize>,
}

impl Normalizer {
    /// A normalizer that knows no card yet.
    #[must_use]
    pub fn new(rules: CardRules) -> Self {
        Self {
            cards: CardReader::new(rules),
            known: Arc::default(),
            platforms: Platforms::default(),
        }
    }

    /// Read all pages.
    pub fn normalize(&mut self, pages: &[Page<'_>]) -> Batch {
        let bytes: usize = pages.iter().map(|page| page.body.len()).sum();
        let rows = Vec::with_capacity(bytes / AUCTION_BYTES);
        let mut draft = Draft { rows, ..Draft::default() };
        let committed = self.known.now();
        self.cards.settle(&committed);
        for (index, page) in pages.iter().enumerate() {
            if let Err(fault) = self.read_page(index, page, &committed, &mut draft) {
                let to = page.body.len();
                draft.rejects.push(Reject { page: index, item: None, from: 0, to, fault });
            }
        }
        let new_cards = self.new_cards(&mut draft);
        Batch {
            pages: pages.len(),
            refused: draft.refused,
            truncated: draft.truncated,
            rows: draft.rows,
            new_cards,
            rejects: draft.rejects,
            drift: draft.drift,
        }
    }

    /// Which cards the database is known to have.
    #[must_use]
    pub fn known(&self) -> Arc<KnownCards> {
        Arc::clone(&self.known)
    }

    /// The first of each version, unless it has become known meanwhile. What is kept of one that
    /// could not be stored as it was is a reject.
    fn new_cards(&self, draft: &mut Draft) -> Vec<NewCard> {
        let committed = self.known.now();
        let mut in_batch = HashSet::new();
        let mut new = Vec::new();
        for &(row, ref card, mended_at) in &draft.cards {
            if !committed.contains(&key(card)) && in_batch.insert(key(card)) {
                let seen = &draft.rows[row];
                let first_seen = seen.observed_at;
                new.push(NewCard { card: Arc::clone(card), row, first_seen });
                draft.rejects.extend((mended_at > 0).then(|| Reject::of_card(seen, mended_at)));
            }
        }
        draft.rejects.sort_by_key(|reject| (reject.page, reject.item));
        new
    }

    fn read_page(
        &mut self,
        index: usize,
        page: &Page<'_>,
        committed: &CardKeys,
        draft: &mut Draft,
    ) -> Result<(), Fault> {
        if page.body.len() > MAX_PAGE_BYTES {
            return Err(Fault::new(Reason::TooLarge, MAX_PAGE_BYTES));
        }
        let start = match form(page.body) {
            Form::Json(start) => start,
            Form::Empty => return Err(Fault::new(Reason::Empty, 0)),
            Form::Xml | Form::Html | Form::Other => return Err(Fault::new(Reason::NotJson, 0)),
        };
        let repaired;
        let mut items = Items::default();
        let mut read = self.read_items(page.body, start, committed, &mut items, &mut draft.drift);
        if items.control_bytes || matches!(read, Err(fault) if fault.reason == Reason::ControlByte)
        {
            repaired = sanitize(page.body);
            items = Items::default();
            draft.drift.note("page", DriftKind::ControlBytes, b"");
            read = self.read_items(&repaired, start, committed, &mut items, &mut draft.drift);
        }
        let envelope = read?;
        if envelope.has_details {
            draft.drift.merge(&envelope.drift);
        }
        if !envelope.has_details && !envelope.is_refusal() {
            return Err(Fault::new(Reason::UnknownShape, 0));
        }
        draft.truncated.extend((envelope.truncated == Some(true)).then_some(index));
        if items.read.is_empty() && items.rejects.is_empty() {
            draft.refused.extend(envelope.is_refusal().then_some(index));
            return Ok(());
        }
        let observed = self.platforms.observe(page, &envelope, &mut draft.drift)?;
        finish_page(index, items, &observed, draft)?;
        self.platforms.accept(page, &observed);
        Ok(())
    }

    fn read_items<'a>(
        &mut self,
        body: &'a [u8],
        start: usize,
        committed: &CardKeys,
        items: &mut Items<'a>,
        drift: &mut Drift,
    ) -> Result<Envelope, Fault> {
        walk(body, start, &mut |cursor| {
            let from = cursor.at();
            let item = items.count;
            items.count += 1;
            match WireAuction::read(cursor, &mut self.cards, committed, drift) {
                Ok(auction) => items.read.push((item, from, cursor.at(), auction)),
                Err(fault) => {
                    let to = end_of_item(cursor, from).ok_or(fault)?;
                    items.control_bytes |= fault.reason == Reason::ControlByte;
                    items.rejects.push((item, from, to, fault));
                }
            }
            Ok(())
        })
    }
}

/// Normalize the items of a page that is whole, and add them to the draft.
fn finish_page(
    index: usize,
    items: Items<'_>,
    observed: &Observed,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let Observed { platform, times, .. } = observed;
    let first = draft.rows.len();
    let mut cards = Vec::new();
    let mut rejects = items.rejects;
    for (item, from, to, mut auction) in items.read {
        let place = Place {
            page: number(index),
            item: number(item),
            from: u32::try_from(from).unwrap_or(u32::MAX),
            to: u32::try_from(to).unwrap_or(u32::MAX),
        };
        let definition = auction
            .card
            .as_mut()
            .and_then(|seen| seen.definition.take().map(|definition| (definition, seen.mended_at)));
        match normalize(auction, &place, platform, *times, &mut draft.drift) {
            Ok(row) => {
                cards.extend(definition.map(|(card, at)| (draft.rows.len(), card, at)));
                draft.rows.push(row);
            }
            Err(fault) => rejects.push((item, from, to, fault)),
        }
    }
    let newest = draft.rows[first..].iter().map(|row| row.posted_at).max();
    if newest.is_some_and(|posted_at| times.served_at - posted_at > MAX_STALE) {
        draft.rows.truncate(first);
        return Err(Fault::new(Reason::StaleMarket, 0));
    }
    draft.cards.append(&mut cards);
    rejects.sort_unstable_by_key(|(item, ..)| *item);
    draft.rejects.extend(rejects.into_iter().map(|(item, from, to, fault)| Reject {
        page: index,
        item: Some(item),
        from,
        to,
        fault,
    }));
    Ok(())
}

/// The items of one page, before its envelope is known to be whole.
#[derive(Default)]
struct Items<'a> {
    count: usize,
    read: Vec<(usize, usize, usize, WireAuction<'a>)>,
    rejects: Vec<(usize, usize, usize, Fault)>,
    control_bytes: bool,
}

/// Move `cursor` behind the item that begins at `from`, by its structure alone.
fn end_of_item(cursor: &mut Cursor<'_>, from: usize) -> Option<usize> {
    let to = skip_structure(cursor.bytes(), from)?;
    cursor.jump(to);
    Some(to)
}

fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}
