//! Wire to record: units, times, checks. Pure.
//!
//! Invariant: this is where meaning is given; nothing later looks at wire values again.

use std::borrow::Cow;
use std::sync::Arc;

use crate::clock::{Given, plausible};
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::reply::wire::{Int, WireAuction};
use crate::rows::record::AuctionRow;

const SECOND: i64 = 1_000_000;
/// 2000-01-01 and 2100-01-01, seconds: outside of them a time is in the wrong unit or a lie.
const TIMES: std::ops::Range<i64> = 946_684_800..4_102_444_800;
/// Longest life of a listing that is believed: a year.
const MAX_LIFE: i64 = 366 * 86_400;
const MAX_STATUS: usize = 64;
const KNOWN_STATUS: [&str; 4] = ["active", "ended", "expired", "cancelled"];

/// Where an auction stands: its page's facts and its own place.
#[derive(Clone, Debug)]
pub struct Place {
    /// Index of its page in the batch.
    pub page: i32,
    /// Its place in the page.
    pub item: i32,
    /// First byte of the auction in its page.
    pub from: u32,
    /// Byte after its last.
    pub to: u32,
}

/// The row of one auction.
///
/// # Errors
/// A required value is missing or cannot be true.
pub fn normalize(
    wire: WireAuction<'_>,
    place: &Place,
    platform: &Arc<str>,
    times: Given,
    drift: &mut Drift,
) -> Result<AuctionRow, Fault> {
    let at = place.from as usize;
    let required = |int: Int| match wire.int(int) {
        None => Err(Fault::of_field(Reason::Missing, at, int.name())),
        Some(value) if value < 0 => Err(Fault::of_field(Reason::OutOfRange, at, int.name())),
        Some(value) => Ok(value),
    };
    let mut optional = |int: Int| {
        let value = wire.int(int)?;
        if value < 0 {
            let path = format!("auction.{}", int.name());
            drift.note(&path, DriftKind::Unusable, value.to_string().as_bytes());
        }
        (value >= 0).then_some(value)
    };

    let auction_id = required(Int::AuctionId)?;
    if auction_id == 0 {
        return Err(Fault::of_field(Reason::OutOfRange, at, Int::AuctionId.name()));
    }
    let current_bid = required(Int::CurrentBid)?;
    let next_bid = required(Int::NextBid)?;
    let bids = required(Int::NumberOfBids)?;
    let bids = i32::try_from(bids)
        .map_err(|_| Fault::of_field(Reason::OutOfRange, at, Int::NumberOfBids.name()))?;
    let posted = required(Int::PostingTime)?;
    if !TIMES.contains(&posted) {
        return Err(Fault::of_field(Reason::OutOfRange, at, Int::PostingTime.name()));
    }
    let buyout_price = optional(Int::BuyoutPrice).filter(|&price| price > 0);
    let median_price = optional(Int::MedianAuctionPrice);
    let min_price = optional(Int::MinListingPrice);
    let max_price = optional(Int::MaxListingPrice);
    let expires_at = times.served_at + SECOND * seconds_remaining(&wire, at, drift)?;
    let status = status(wire.status, at, drift)?;
    let card = wire.card.ok_or_else(|| Fault::of_field(Reason::Missing, at, "card"))?;
    let acquired_at = card.acquired_at.filter(|&micros| micros != 0);
    if acquired_at.is_some_and(|micros| !plausible(micros)) {
        drift.note("card.acquisitionTimestamp", DriftKind::Unusable, b"");
    }

    Ok(AuctionRow {
        page: place.page,
        item: place.item,
        from: place.from,
        to: place.to,
        platform: Arc::clone(platform),
        auction_id,
        card_id: card.card_id,
        card_version: card.version,
        card_instance_id: card.instance_id,
        acquired_at: acquired_at.filter(|&micros| plausible(micros)),
        posted_at: posted * SECOND,
        expires_at,
        status,
        start_price: (bids == 0 && current_bid == next_bid).then_some(current_bid),
        buyout_price,
        current_bid,
        next_bid,
        bids,
        median_price,
        min_price,
        max_price,
        observed_at: times.observed_at,
        served_at: times.served_at,
    })
}

fn seconds_remaining(wire: &WireAuction<'_>, at: usize, drift: &mut Drift) -> Result<i64, Fault> {
    let name = Int::SecondsRemaining.name();
    let seconds = wire
        .int(Int::SecondsRemaining)
        .ok_or_else(|| Fault::of_field(Reason::Missing, at, name))?;
    if seconds < 0 {
        // the sister game says -1 for a listing that has ended
        drift.note("auction.secondsRemaining", DriftKind::Unusable, b"negative");
        return Ok(0);
    }
    if seconds > MAX_LIFE {
        return Err(Fault::of_field(Reason::OutOfRange, at, name));
    }
    Ok(seconds)
}

/// The upstream's word in our form; the known ones take no memory.
fn status(
    raw: Option<Cow<'_, str>>,
    at: usize,
    drift: &mut Drift,
) -> Result<Cow<'static, str>, Fault> {
    let raw = raw.ok_or_else(|| Fault::of_field(Reason::Missing, at, "auctionStatus"))?;
    let word = raw.strip_prefix("AUCTIONSTATUS_").unwrap_or(&raw);
    if let Some(known) = KNOWN_STATUS.into_iter().find(|known| known.eq_ignore_ascii_case(word)) {
        return Ok(Cow::Borrowed(known));
    }
    let status = word.to_lowercase();
    if status.is_empty() || status.len() > MAX_STATUS {
        return Err(Fault::of_field(Reason::OutOfRange, at, "auctionStatus"));
    }
    drift.note("auction.auctionStatus", DriftKind::NewValue, raw.as_bytes());
    Ok(Cow::Owned(status))
}
