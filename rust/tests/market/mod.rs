//! Observations to order, and a database of plain maps that takes what a delta sends.

#![allow(dead_code)] // each test binary uses its part of this module
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::must_use_candidate)]

use std::collections::{BTreeMap, BTreeSet};

use m26::history::closings::Inferred;
use m26::history::delta::{Delta, Journal, derive};
use m26::history::late::Past;
use m26::history::outcome::Standing;
use m26::history::state::{Learned, States};
use m26::rows::copy::CopyStream;
use m26::rows::pgtype::PgType;
use m26::rows::record::{AuctionRow, Current, Event, Evidence, Outcome, Sighting};
use m26::rows::schema::{Column, Row};

/// Server time of the first observations, microseconds.
pub const NOW: i64 = 1_790_000_000_000_000;
pub const SECOND: i64 = 1_000_000;
pub const PART: &str = "part-1";

/// A row read back from COPY bytes: values by column, times in microseconds since 1970.
pub type Fields = BTreeMap<&'static str, String>;

/// An auction without bids or buyout price that ends in an hour, seen at `NOW`.
pub fn seen(auction_id: i64) -> AuctionRow {
    AuctionRow {
        page: 0,
        item: 0,
        from: 0,
        to: 0,
        platform: "ps5".into(),
        auction_id,
        card_id: 13_522_975,
        card_version: 77,
        card_instance_id: Some(4_133_423_131),
        acquired_at: Some(NOW - 90 * SECOND),
        posted_at: NOW - 60 * SECOND,
        expires_at: NOW + 3_600 * SECOND,
        status: "active".into(),
        start_price: Some(250),
        buyout_price: None,
        current_bid: 250,
        next_bid: 250,
        bids: 0,
        median_price: Some(2_775),
        min_price: Some(100),
        max_price: Some(22_200),
        observed_at: NOW,
        served_at: NOW,
    }
}

/// The same some seconds later.
pub fn later(row: &AuctionRow, seconds: i64) -> AuctionRow {
    let (observed_at, served_at) =
        (row.observed_at + seconds * SECOND, row.served_at + seconds * SECOND);
    AuctionRow { observed_at, served_at, ..row.clone() }
}

/// The same with a bid.
pub fn bid(row: &AuctionRow, current_bid: i64) -> AuctionRow {
    let (bids, next_bid) = (row.bids + 1, current_bid + 50);
    AuctionRow { bids, current_bid, next_bid, start_price: None, ..row.clone() }
}

/// The same with another status; what is over has no time left.
pub fn said(row: &AuctionRow, status: &str) -> AuctionRow {
    AuctionRow { status: status.to_owned().into(), expires_at: row.observed_at, ..row.clone() }
}

/// Each row on a page of its own.
pub fn pages(rows: &[&AuctionRow]) -> Vec<AuctionRow> {
    let numbered = rows.iter().zip(0..);
    numbered.map(|(row, page)| AuctionRow { page, ..(*row).clone() }).collect()
}

/// Platform and id of each.
pub fn named(rows: &[AuctionRow]) -> impl Iterator<Item = (&str, i64)> {
    rows.iter().map(|row| (&*row.platform, row.auction_id))
}

/// What `rows` change; page n stands at 100 + n.
pub fn derived(states: &States, rows: &[AuctionRow], head: i64) -> Delta {
    derived_from(states, rows, head, None)
}

/// The same with the events of the auctions that it is late for.
pub fn derived_from(
    states: &States,
    rows: &[AuctionRow],
    head: i64,
    past: Option<&[Past]>,
) -> Delta {
    let positions: Vec<i64> = (100..200).collect();
    derive(states, rows, head, Journal { part: PART, positions: &positions, since: 0 }, &[], past)
}

/// The same with what was inferred between the pages.
pub fn derived_with(
    states: &States,
    rows: &[AuctionRow],
    head: i64,
    inferred: &[Inferred],
) -> Delta {
    let positions: Vec<i64> = (100..200).collect();
    derive(
        states,
        rows,
        head,
        Journal { part: PART, positions: &positions, since: 0 },
        inferred,
        None,
    )
}

/// States that hold what these rows came to, one batch each.
pub fn after(rows: &[&AuctionRow]) -> States {
    let mut states = States::new(100);
    for row in rows {
        let delta = derived(&states, std::slice::from_ref(*row), 0);
        states.accept(&delta.touched);
        states.commit();
    }
    states
}

/// The same with a change.
pub fn with(row: &AuctionRow, change: impl FnOnce(&mut AuctionRow)) -> AuctionRow {
    let mut row = row.clone();
    change(&mut row);
    row
}

pub fn events(delta: &Delta) -> Vec<Fields> {
    decoded(&delta.events, Event::COLUMNS)
}

pub fn listed(delta: &Delta) -> Vec<Fields> {
    decoded(&delta.listed, Current::COLUMNS)
}

pub fn rewritten(delta: &Delta) -> Vec<Fields> {
    decoded(&delta.rewritten, Current::COLUMNS)
}

pub fn sightings(delta: &Delta) -> Vec<Fields> {
    decoded(&delta.sightings, Sighting::COLUMNS)
}

/// The kind of each event.
pub fn kinds(delta: &Delta) -> Vec<String> {
    events(delta).iter().map(|event| event["kind"].clone()).collect()
}

/// The values of these columns, in one text.
pub fn values(fields: &Fields, columns: &[&str]) -> String {
    columns.iter().map(|column| fields[column].as_str()).collect::<Vec<_>>().join(" ")
}

/// The rows of a COPY stream, read by the rules of PostgreSQL's manual.
pub fn decoded(stream: &CopyStream, columns: &[Column]) -> Vec<Fields> {
    let mut rest = stream.bytes().strip_prefix(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0").unwrap();
    let mut rows = Vec::new();
    while rest != [0xff, 0xff] {
        assert_eq!(usize::from(u16::from_be_bytes(take(&mut rest))), columns.len());
        let row = columns.iter().map(|column| {
            let length = i32::from_be_bytes(take(&mut rest));
            let Ok(length) = usize::try_from(length) else {
                assert_eq!(length, -1);
                return (column.name, "null".to_owned());
            };
            let (value, others) = rest.split_at(length);
            rest = others;
            (column.name, text(column.ty, value))
        });
        rows.push(row.collect());
    }
    assert_eq!(rows.len(), stream.rows());
    rows
}

fn text(ty: PgType, mut value: &[u8]) -> String {
    const PG_EPOCH: i64 = 946_684_800 * SECOND;
    let text = match ty {
        PgType::Bool => (u8::from_be_bytes(take(&mut value)) == 1).to_string(),
        PgType::Int4 => i32::from_be_bytes(take(&mut value)).to_string(),
        PgType::Int8 => i64::from_be_bytes(take(&mut value)).to_string(),
        PgType::Float4 => f32::from_be_bytes(take(&mut value)).to_string(),
        PgType::Timestamptz => (i64::from_be_bytes(take(&mut value)) + PG_EPOCH).to_string(),
        PgType::Text => return String::from_utf8(value.to_vec()).unwrap(),
        PgType::Jsonb => String::from_utf8(value[1..].to_vec()).unwrap(),
        PgType::Int8Array => {
            let header: [i32; 5] = std::array::from_fn(|_| i32::from_be_bytes(take(&mut value)));
            assert_eq!((&header[..3], header[4]), (&[1, 0, 20][..], 1));
            let ids = (0..header[3]).map(|_| {
                assert_eq!(i32::from_be_bytes(take(&mut value)), 8);
                i64::from_be_bytes(take(&mut value))
            });
            format!("{:?}", ids.collect::<Vec<_>>())
        }
    };
    assert!(value.is_empty());
    text
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (head, rest) = bytes.split_first_chunk().unwrap();
    *bytes = rest;
    *head
}

/// `m26.auction` and the sightings that are not folded into it yet.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub auctions: BTreeMap<(String, String), Fields>,
    /// Those with an event whose status is active.
    active: BTreeSet<(String, String)>,
    seen: BTreeMap<(String, String), i64>,
}

impl Table {
    /// Do what PostgreSQL does with a delta.
    pub fn apply(&mut self, delta: &Delta) {
        let active = |event: &Fields| event["status"] == "active" && event["late"] == "false";
        for row in events(delta).into_iter().filter(active) {
            self.active.insert((row["platform"].clone(), row["auction_id"].clone()));
        }
        for row in listed(delta) {
            let key = (row["platform"].clone(), row["auction_id"].clone());
            assert!(self.auctions.insert(key, row).is_none(), "unique violation");
        }
        for mut row in rewritten(delta) {
            let key = (row["platform"].clone(), row["auction_id"].clone());
            let held = self.auctions.get_mut(&key).unwrap();
            match &*row["evidence"] {
                "null" => row.retain(|column, _| !OUTCOME.contains(column)),
                "" => _ = row.insert("evidence", "null".to_owned()),
                _ => {}
            }
            row.remove("first_seen");
            held.extend(row);
        }
        for row in sightings(delta) {
            for id in row["auction_ids"].trim_matches(['[', ']']).split(", ") {
                let seen = self.seen.entry((row["platform"].clone(), id.to_owned())).or_default();
                *seen = row["observed_at"].parse::<i64>().unwrap().max(*seen);
            }
        }
    }

    /// The states as they are read back.
    pub fn read(&self) -> Vec<Learned> {
        let states = self.auctions.iter().map(|(key, row)| Learned {
            platform: row["platform"].clone(),
            auction_id: row["auction_id"].parse().unwrap(),
            status: row["status"].clone(),
            buyout_price: row["buyout_price"].parse().ok(),
            current_bid: row["current_bid"].parse().unwrap(),
            next_bid: row["next_bid"].parse().unwrap(),
            bids: row["bids"].parse().unwrap(),
            card_version: row["card_version"].parse().unwrap(),
            expires_at: row["expires_at"].parse().unwrap(),
            start_price: row["start_price"].parse().ok(),
            standing: standing(row),
            was_active: self.active.contains(key),
            newest: self.seen[key].max(row["observed_at"].parse().unwrap()),
        });
        states.collect()
    }
}

const OUTCOME: [&str; 9] = [
    "outcome",
    "outcome_via",
    "evidence",
    "confidence",
    "final_price",
    "price_confidence",
    "closed_after",
    "closed_before",
    "closed_at",
];

fn standing(row: &Fields) -> Option<Standing> {
    let evidence = Evidence::ALL.into_iter().find(|e| e.name() == row["evidence"])?;
    let confidence = row["confidence"].parse().unwrap();
    Some(Standing {
        evidence,
        outcome: Outcome::ALL.into_iter().find(|o| o.name() == row["outcome"])?,
        confidence,
        price_confidence: row["price_confidence"].parse().unwrap_or(confidence),
        closed_after: row["closed_after"].parse().ok(),
    })
}

/// The committed state of an auction that was seen as `row`, with an outcome by its status.
pub fn state_of(row: &AuctionRow, confidence: Option<f32>) -> Learned {
    Learned {
        platform: row.platform.to_string(),
        auction_id: row.auction_id,
        status: row.status.to_string(),
        buyout_price: row.buyout_price,
        current_bid: row.current_bid,
        next_bid: row.next_bid,
        bids: row.bids,
        card_version: row.card_version,
        expires_at: row.expires_at,
        start_price: row.start_price,
        standing: confidence.map(|confidence| Standing {
            evidence: Evidence::Status,
            outcome: if confidence > 0.0 { Outcome::Sold } else { Outcome::Unknown },
            confidence,
            price_confidence: confidence,
            closed_after: None,
        }),
        was_active: row.status == "active",
        newest: row.observed_at,
    }
}
