//! One auction as the gateway spells it: names, JSON types, nothing interpreted.
//!
//! Invariant: a value is taken only in the JSON type it must have (a float is no id, a bool no
//! price, a string no number). What a row cannot be without is there once. Of everything else any
//! JSON is passed: what gives no value is noted.

use std::borrow::Cow;

use crate::card::card::{CardKeys, SeenCard};
use crate::card::reader::CardReader;
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::json::parse::{Cursor, Kind};

/// An auction's own members; None where the member is missing or null.
#[derive(Clone, Debug, Default)]
pub struct WireAuction<'a> {
    /// Integers, by slot.
    ints: [i64; NAMES.len()],
    /// The slots of which the integer is there, by bits.
    given: u16,
    /// `auctionStatus`.
    pub status: Option<Cow<'a, str>>,
    /// `card`.
    pub card: Option<SeenCard>,
}

/// The integer members that rows are made of, by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named after their wire names, see `NAMES`
pub enum Int {
    AuctionId = 0,
    BuyoutPrice = 1,
    CurrentBid = 4,
    SecondsRemaining = 5,
    MedianAuctionPrice = 6,
    MaxListingPrice = 7,
    MinListingPrice = 8,
    NextBid = 9,
    NumberOfBids = 10,
    PostingTime = 11,
}

/// Masked on the wire (both are always 1): they identify nobody and are passed unused.
const BUYER: usize = 2;
const SELLER: usize = 12;
const BUYOUT: usize = Int::BuyoutPrice as usize;
const CARD: usize = 3;
const STATUS: usize = 13;
/// The slots of [`Int`], by bits.
const INTS: u16 = 0b00_1111_1111_0011;
/// The slots without which there is a row too. The price of a buyout is not among them: it is part of
/// an auction's state, where null says that there is none.
const OPTIONAL: u16 = 1 << BUYER
    | 1 << SELLER
    | 1 << Int::MedianAuctionPrice as u16
    | 1 << Int::MaxListingPrice as u16
    | 1 << Int::MinListingPrice as u16;

/// The members by slot, in the order in which the gateway writes them. In another order they are
/// read just the same, only not as fast.
const NAMES: [&str; 14] = [
    "auctionId",
    "buyoutPrice",
    "buyerId",
    "card",
    "currentBid",
    "secondsRemaining",
    "medianAuctionPrice",
    "maxListingPrice",
    "minListingPrice",
    "nextBid",
    "numberOfBids",
    "postingTime",
    "sellerId",
    "auctionStatus",
];

/// Pass the key of this slot if it stands here as the gateway writes it.
#[inline]
fn pass_key(slot: usize, cursor: &mut Cursor<'_>) -> bool {
    match slot {
        // literals, so that each is compared in registers
        0 => cursor.pass(b"\"auctionId\":"),
        1 => cursor.pass(b"\"buyoutPrice\":"),
        2 => cursor.pass(b"\"buyerId\":"),
        3 => cursor.pass(b"\"card\":"),
        4 => cursor.pass(b"\"currentBid\":"),
        5 => cursor.pass(b"\"secondsRemaining\":"),
        6 => cursor.pass(b"\"medianAuctionPrice\":"),
        7 => cursor.pass(b"\"maxListingPrice\":"),
        8 => cursor.pass(b"\"minListingPrice\":"),
        9 => cursor.pass(b"\"nextBid\":"),
        10 => cursor.pass(b"\"numberOfBids\":"),
        11 => cursor.pass(b"\"postingTime\":"),
        12 => cursor.pass(b"\"sellerId\":"),
        13 => cursor.pass(b"\"auctionStatus\":"),
        _ => false,
    }
}

impl Int {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

impl<'a> WireAuction<'a> {
    /// The value of an integer member.
    #[must_use]
    pub fn int(&self, int: Int) -> Option<i64> {
        let slot = int as usize;
        (self.given & 1 << slot != 0).then_some(self.ints[slot])
    }

    /// Read the auction at `cursor`.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub fn read(
        cursor: &mut Cursor<'a>,
        cards: &mut CardReader,
        committed: &CardKeys,
        drift: &mut Drift,
    ) -> Result<Self, Fault> {
        let mut auction = Self::default();
        let mut seen = 0_u16;
        let mut next = 0;
        if cursor.kind()? != Kind::Object {
            return Err(Fault::new(Reason::NotAnObject, cursor.at()));
        }
        cursor.members(|cursor| {
            let slot = if pass_key(next, cursor) {
                cursor.skip_space();
                next
            } else {
                let key = cursor.key()?.decode();
                let Some(slot) = NAMES.iter().position(|name| *name == key) else {
                    drift.note(&format!("auction.{key}"), DriftKind::NewField, cursor.value()?);
                    return Ok(());
                };
                slot
            };
            next = slot + 1;
            if seen & 1 << slot != 0 {
                auction.again(slot, cursor.at(), drift)?;
            }
            seen |= 1 << slot;
            if slot != CARD
                && slot != STATUS
                && let Some(value) = cursor.plain_integer()
            {
                auction.set(slot, value);
                return Ok(());
            }
            auction.read_member(slot, cursor, cards, committed, drift)
        })?;
        let missing = INTS & !seen;
        for (slot, name) in NAMES.iter().enumerate() {
            if missing & 1 << slot != 0 {
                drift.note(&format!("auction.{name}"), DriftKind::MissingField, b"");
            }
        }
        Ok(auction)
    }

    /// Read the value of a member, whatever it is.
    fn read_member(
        &mut self,
        slot: usize,
        cursor: &mut Cursor<'a>,
        cards: &mut CardReader,
        committed: &CardKeys,
        drift: &mut Drift,
    ) -> Result<(), Fault> {
        match (slot, cursor.kind()?) {
            (_, Kind::Null) | (BUYER | SELLER, _) => drop(cursor.value()?),
            (STATUS, Kind::String) => {
                let status = cursor.kept_string().map_err(|fault| fault.in_field(NAMES[slot]))?;
                self.status = Some(status.decode());
            }
            (CARD, Kind::Object) => {
                let card = cards.read(cursor, committed, drift);
                self.card = Some(card.map_err(|fault| fault.in_field("card"))?);
            }
            (slot, Kind::Number) if INTS & 1 << slot != 0 => {
                let at = cursor.at();
                let number = cursor.number()?;
                if let Some(value) = number.integer {
                    self.set(slot, value);
                } else if OPTIONAL & 1 << slot != 0 || slot == BUYOUT && number.integral {
                    note_unusable(slot, number.text.as_bytes(), drift);
                } else {
                    let reason =
                        if number.integral { Reason::NumberRange } else { Reason::WrongType };
                    return Err(Fault::of_field(reason, at, NAMES[slot]));
                }
            }
            _ if OPTIONAL & 1 << slot != 0 => note_unusable(slot, cursor.value()?, drift),
            _ => return Err(Fault::of_field(Reason::WrongType, cursor.at(), NAMES[slot])),
        }
        Ok(())
    }

    /// A member that was there before stands at byte `at`: of those that may, the last value counts.
    #[cold]
    fn again(&mut self, slot: usize, at: usize, drift: &mut Drift) -> Result<(), Fault> {
        if OPTIONAL & 1 << slot == 0 {
            return Err(Fault::of_field(Reason::DuplicateKey, at, NAMES[slot]));
        }
        note_unusable(slot, b"there twice", drift);
        self.given &= !(1 << slot);
        Ok(())
    }

    fn set(&mut self, slot: usize, value: i64) {
        self.ints[slot] = value;
        self.given |= 1 << slot;
    }
}

#[cold]
fn note_unusable(slot: usize, sample: &[u8], drift: &mut Drift) {
    drift.note(&format!("auction.{}", NAMES[slot]), DriftKind::Unusable, sample);
}
