//! The one list of columns: name, type, order, and where a value comes from.
//!
//! Invariant: encoder, offline rows, staging tables and documentation all derive from these
//! tables; `tests/service/test_schema.py` holds the SQL migrations against them.

use crate::rows::pgtype::{PgType, Value};
use crate::rows::record::{AuctionRow, Current, Event, NewCard, Sighting};

/// One column of a COPY buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name in PostgreSQL.
    pub name: &'static str,
    /// Type in PostgreSQL.
    pub ty: PgType,
}

/// A row of a COPY buffer.
pub trait Row {
    /// Its columns, in order.
    const COLUMNS: &'static [Column];

    /// Append each value in its binary form.
    fn write(&self, out: &mut Vec<u8>);

    /// Its values.
    fn values(&self) -> Vec<Value<'_>>;
}

/// A table: each column's name, type and value. Code for a whole row is generated from it.
macro_rules! columns {
    ($row:ident: $Row:ty { $($name:literal $ty:ident $value:expr;)+ }) => {
        impl Row for $Row {
            const COLUMNS: &'static [Column] =
                &[$(Column { name: $name, ty: PgType::$ty }),+];

            fn write(&self, out: &mut Vec<u8>) {
                let $row = self;
                $(value($value, Value::$ty).write(out);)+
            }

            fn values(&self) -> Vec<Value<'_>> {
                let $row = self;
                vec![$(value($value, Value::$ty)),+]
            }
        }
    };
}

fn value<'a, T>(value: impl Into<Option<T>>, make: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
    value.into().map_or(Value::Null, make)
}

// Staging columns of an auction observation. `page` and `item` say where it stood.
columns! { r: AuctionRow {
    "page" Int4 r.page;
    "item" Int4 r.item;
    "platform" Text &*r.platform;
    "auction_id" Int8 r.auction_id;
    "card_id" Int8 r.card_id;
    "card_version" Int8 r.card_version;
    "card_instance_id" Int8 r.card_instance_id;
    "acquired_at" Timestamptz r.acquired_at;
    "posted_at" Timestamptz r.posted_at;
    "expires_at" Timestamptz r.expires_at;
    "status" Text &*r.status;
    "start_price" Int8 r.start_price;
    "buyout_price" Int8 r.buyout_price;
    "current_bid" Int8 r.current_bid;
    "next_bid" Int8 r.next_bid;
    "bids" Int4 r.bids;
    "median_price" Int8 r.median_price;
    "min_price" Int8 r.min_price;
    "max_price" Int8 r.max_price;
    "observed_at" Timestamptz r.observed_at;
}}

// Columns of a card version, as in `m26.card`.
columns! { c: NewCard {
    "card_id" Int8 c.card.card_id;
    "version" Int8 c.card.version;
    "name" Text c.card.name.as_deref();
    "position" Text c.card.position.as_deref();
    "overall" Int4 c.card.overall;
    "tier" Int4 c.card.tier;
    "program_id" Int4 c.card.program_id;
    "program" Text c.card.program.as_deref();
    "team_id" Int4 c.card.team_id;
    "type" Text c.card.kind.as_deref();
    "discard_value" Int8 c.card.discard_value;
    "discard_currency" Int4 c.card.discard_currency;
    "attributes" Jsonb &*c.card.attributes;
    "first_seen" Timestamptz c.first_seen;
}}

// Columns of an event, as in `m26.auction_event`.
columns! { e: Event<'_> {
    "seq" Int8 e.seq;
    "kind" Text e.kind.name();
    "platform" Text &*e.row.platform;
    "auction_id" Int8 e.row.auction_id;
    "card_id" Int8 e.row.card_id;
    "card_version" Int8 e.row.card_version;
    "card_instance_id" Int8 e.row.card_instance_id;
    "observed_at" Timestamptz e.row.observed_at;
    "posted_at" Timestamptz e.row.posted_at;
    "expires_at" Timestamptz e.expires_at;
    "status" Text &*e.row.status;
    "start_price" Int8 e.start_price;
    "buyout_price" Int8 e.row.buyout_price;
    "current_bid" Int8 e.row.current_bid;
    "next_bid" Int8 e.row.next_bid;
    "bids" Int4 e.row.bids;
    "median_price" Int8 e.row.median_price;
    "min_price" Int8 e.row.min_price;
    "max_price" Int8 e.row.max_price;
    "outcome" Text e.closing.map(|c| c.outcome.name());
    "outcome_via" Text e.closing.and_then(|c| c.sale).and_then(|s| s.via);
    "evidence" Text e.closing.map(|c| c.evidence.name());
    "confidence" Float4 e.closing.map(|c| c.confidence);
    "final_price" Int8 e.closing.and_then(|c| c.sale).map(|s| s.price);
    "late" Bool e.late;
    "price_confidence" Float4 e.closing.and_then(|c| c.sale).map(|s| s.confidence);
    "closed_after" Timestamptz e.closing.and_then(|c| c.closed_after);
    "closed_before" Timestamptz e.closing.and_then(|c| c.closed_before);
    "closed_at" Timestamptz e.closing.map(|c| c.closed_at);
}}

// Columns of an auction's current state, as in `m26.auction`.
columns! { a: Current<'_> {
    "platform" Text &*a.row.platform;
    "auction_id" Int8 a.row.auction_id;
    "card_id" Int8 a.row.card_id;
    "card_version" Int8 a.row.card_version;
    "card_instance_id" Int8 a.row.card_instance_id;
    "acquired_at" Timestamptz a.row.acquired_at;
    "posted_at" Timestamptz a.row.posted_at;
    "expires_at" Timestamptz a.expires_at;
    "status" Text &*a.row.status;
    "start_price" Int8 a.start_price;
    "buyout_price" Int8 a.row.buyout_price;
    "current_bid" Int8 a.row.current_bid;
    "next_bid" Int8 a.row.next_bid;
    "bids" Int4 a.row.bids;
    "median_price" Int8 a.row.median_price;
    "min_price" Int8 a.row.min_price;
    "max_price" Int8 a.row.max_price;
    "first_seen" Timestamptz a.first_seen;
    "last_seen" Timestamptz a.row.observed_at;
    "observed_at" Timestamptz a.row.observed_at;
    "outcome" Text a.closing.map(|c| c.outcome.name());
    "outcome_via" Text a.closing.and_then(|c| c.sale).and_then(|s| s.via);
    "evidence" Text evidence(a);
    "confidence" Float4 a.closing.map(|c| c.confidence);
    "final_price" Int8 a.closing.and_then(|c| c.sale).map(|s| s.price);
    "closed_at" Timestamptz a.closing.map(|c| c.closed_at);
    "price_confidence" Float4 a.closing.and_then(|c| c.sale).map(|s| s.confidence);
    "closed_after" Timestamptz a.closing.and_then(|c| c.closed_after);
    "closed_before" Timestamptz a.closing.and_then(|c| c.closed_before);
}}

/// Empty: the row's outcome is to be withdrawn; None: it stays what it is.
fn evidence(row: &Current<'_>) -> Option<&'static str> {
    row.closing.map(|c| c.evidence.name()).or(row.withdrawn.then_some(""))
}

// Columns of the auctions seen in one page, as in `m26.sighting`.
columns! { s: Sighting<'_> {
    "part" Text s.part;
    "pos" Int8 s.pos;
    "platform" Text s.platform;
    "observed_at" Timestamptz s.observed_at;
    "auction_ids" Int8Array s.auction_ids;
}}

/// What [`crate::history::state::States::learn`] takes; `newest` is the later of observed and last seen.
pub const STATE: [Column; 17] = {
    const fn column(name: &'static str, ty: PgType) -> Column {
        Column { name, ty }
    }
    [
        column("platform", PgType::Text),
        column("auction_id", PgType::Int8),
        column("status", PgType::Text),
        column("buyout_price", PgType::Int8),
        column("current_bid", PgType::Int8),
        column("next_bid", PgType::Int8),
        column("bids", PgType::Int4),
        column("card_version", PgType::Int8),
        column("expires_at", PgType::Timestamptz),
        column("start_price", PgType::Int8),
        column("outcome", PgType::Text),
        column("evidence", PgType::Text),
        column("confidence", PgType::Float4),
        column("price_confidence", PgType::Float4),
        column("closed_after", PgType::Timestamptz),
        column("was_active", PgType::Bool),
        column("newest", PgType::Timestamptz),
    ]
};
