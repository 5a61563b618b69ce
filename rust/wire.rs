//! One auction as the gateway spells it: names, JSON types, nothing interpreted.
//!
//! Invariant: a value is taken only in the JSON type it must have (a float is no id, a bool no
//! price, a string no number) and each name at most once.

use std::collections::HashSet;

use crate::card::SeenCard;
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::parse::{Cursor, Kind};
use crate::template::CardReader;

/// An auction's own members; None where the member is missing or null.
#[derive(Clone, Debug, Default)]
pub struct WireAuction {
    /// Integers, by [`Int`].
    ints: [Option<i64>; INTS.len()],
    /// `auctionStatus`.
    pub status: Option<String>,
    /// `card`.
    pub card: Option<SeenCard>,
}

/// The integer members that rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named after their wire names, see `INTS`
pub enum Int {
    AuctionId,
    BuyoutPrice,
    CurrentBid,
    SecondsRemaining,
    MedianAuctionPrice,
    MaxListingPrice,
    MinListingPrice,
    NextBid,
    NumberOfBids,
    PostingTime,
}

const INTS: [(&str, Int); 10] = [
    ("auctionId", Int::AuctionId),
    ("buyoutPrice", Int::BuyoutPrice),
    ("currentBid", Int::CurrentBid),
    ("secondsRemaining", Int::SecondsRemaining),
    ("medianAuctionPrice", Int::MedianAuctionPrice),
    ("maxListingPrice", Int::MaxListingPrice),
    ("minListingPrice", Int::MinListingPrice),
    ("nextBid", Int::NextBid),
    ("numberOfBids", Int::NumberOfBids),
    ("postingTime", Int::PostingTime),
];
const STATUS: usize = INTS.len();
const CARD: usize = STATUS + 1;
/// Masked on the wire (both are always 1): they identify nobody and are passed unread.
const BUYER: usize = CARD + 1;
const SELLER: usize = BUYER + 1;

impl Int {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        INTS[self as usize].0
    }
}

impl WireAuction {
    /// The value of an integer member.
    #[must_use]
    pub fn int(&self, int: Int) -> Option<i64> {
        self.ints[int as usize]
    }

    /// Read the auction at `cursor`.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub fn read(
        cursor: &mut Cursor<'_>,
        cards: &mut CardReader,
        drift: &mut Drift,
    ) -> Result<Self, Fault> {
        let mut auction = Self::default();
        let mut seen = 0_u32;
        let mut others = HashSet::new(); // empty, and so without memory, in every known reply
        if cursor.kind()? != Kind::Object {
            return Err(Fault::new(Reason::NotAnObject, cursor.at()));
        }
        cursor.object(|cursor, key| {
            let key = key.decode();
            let slot = match &*key {
                "auctionStatus" => Some((STATUS, "auctionStatus")),
                "card" => Some((CARD, "card")),
                "buyerId" => Some((BUYER, "buyerId")),
                "sellerId" => Some((SELLER, "sellerId")),
                name => INTS.iter().position(|(known, _)| *known == name).map(|i| (i, INTS[i].0)),
            };
            let Some((slot, name)) = slot else {
                let at = cursor.at();
                drift.note(&format!("auction.{key}"), DriftKind::NewField, cursor.value()?);
                let new = others.insert(key);
                return if new { Ok(()) } else { Err(Fault::new(Reason::DuplicateKey, at)) };
            };
            if seen & 1 << slot != 0 {
                return Err(Fault::of_field(Reason::DuplicateKey, cursor.at(), name));
            }
            seen |= 1 << slot;
            match (slot, cursor.kind()?) {
                (_, Kind::Null) | (BUYER | SELLER, _) => drop(cursor.value()?),
                (STATUS, Kind::String) => {
                    auction.status = Some(cursor.string()?.decode().into_owned());
                }
                (CARD, Kind::Object) => {
                    let card = cards.read(cursor, drift).map_err(|fault| fault.in_field("card"))?;
                    auction.card = Some(card);
                }
                (slot, Kind::Number) if slot < STATUS => {
                    let at = cursor.at();
                    let number = cursor.number().map_err(|fault| fault.in_field(name))?;
                    let wrong = Fault::of_field(Reason::WrongType, at, name);
                    auction.ints[slot] = Some(number.integer.ok_or(wrong)?);
                }
                _ => return Err(Fault::of_field(Reason::WrongType, cursor.at(), name)),
            }
            Ok(())
        })?;
        for (slot, (name, _)) in INTS.iter().enumerate() {
            if seen & 1 << slot == 0 {
                drift.note(&format!("auction.{name}"), DriftKind::MissingField, b"");
            }
        }
        Ok(auction)
    }
}
