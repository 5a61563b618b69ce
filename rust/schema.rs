//! The one list of columns: name, type, order, and where a value comes from.
//!
//! Invariant: encoder, offline rows, staging tables and documentation all derive from these two
//! tables; `tests/service/test_schema.py` holds the SQL migrations against them.

use crate::pgtype::{PgType, Value};
use crate::record::{AuctionRow, NewCard};

/// One column of a COPY buffer.
pub struct Column<Row> {
    /// Name in PostgreSQL.
    pub name: &'static str,
    /// Type in PostgreSQL.
    pub ty: PgType,
    /// Its value in a row.
    pub get: for<'a> fn(&'a Row) -> Value<'a>,
}

const fn column<Row>(
    name: &'static str,
    ty: PgType,
    get: for<'a> fn(&'a Row) -> Value<'a>,
) -> Column<Row> {
    Column { name, ty, get }
}

use PgType::{Int4, Int8, Jsonb, Text, Timestamptz};

/// Staging columns of an auction observation. `page` and `item` say where it stood.
pub const AUCTION: [Column<AuctionRow>; 20] = [
    column("page", Int4, |r| Value::Int4(r.page)),
    column("item", Int4, |r| Value::Int4(r.item)),
    column("platform", Text, |r| Value::Text(&r.platform)),
    column("auction_id", Int8, |r| Value::Int8(r.auction_id)),
    column("card_id", Int8, |r| Value::Int8(r.card_id)),
    column("card_version", Int8, |r| Value::Int8(r.card_version)),
    column("card_instance_id", Int8, |r| r.card_instance_id.into()),
    column("acquired_at", Timestamptz, |r| r.acquired_at.map_or(Value::Null, Value::Timestamptz)),
    column("posted_at", Timestamptz, |r| Value::Timestamptz(r.posted_at)),
    column("expires_at", Timestamptz, |r| Value::Timestamptz(r.expires_at)),
    column("status", Text, |r| Value::Text(&r.status)),
    column("start_price", Int8, |r| r.start_price.into()),
    column("buyout_price", Int8, |r| r.buyout_price.into()),
    column("current_bid", Int8, |r| Value::Int8(r.current_bid)),
    column("next_bid", Int8, |r| Value::Int8(r.next_bid)),
    column("bids", Int4, |r| Value::Int4(r.bids)),
    column("median_price", Int8, |r| r.median_price.into()),
    column("min_price", Int8, |r| r.min_price.into()),
    column("max_price", Int8, |r| r.max_price.into()),
    column("observed_at", Timestamptz, |r| Value::Timestamptz(r.observed_at)),
];

/// Columns of a card version, as in `m26.card`.
pub const CARD: [Column<NewCard>; 14] = [
    column("card_id", Int8, |c| Value::Int8(c.card.card_id)),
    column("version", Int8, |c| Value::Int8(c.card.version)),
    column("name", Text, |c| (&c.card.name).into()),
    column("position", Text, |c| (&c.card.position).into()),
    column("overall", Int4, |c| c.card.overall.into()),
    column("tier", Int4, |c| c.card.tier.into()),
    column("program_id", Int4, |c| c.card.program_id.into()),
    column("program", Text, |c| (&c.card.program).into()),
    column("team_id", Int4, |c| c.card.team_id.into()),
    column("type", Text, |c| (&c.card.kind).into()),
    column("discard_value", Int8, |c| c.card.discard_value.into()),
    column("discard_currency", Int4, |c| c.card.discard_currency.into()),
    column("attributes", Jsonb, |c| Value::Jsonb(&c.card.attributes)),
    column("first_seen", Timestamptz, |c| Value::Timestamptz(c.first_seen)),
];
