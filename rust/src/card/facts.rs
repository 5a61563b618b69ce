//! The columns of a card, from the values that stand in its definition.
//!
//! Invariant: what is there but unusable is null and noted; only the card's id must be right.

use std::borrow::Cow;
use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::card::canon::Canon;
use crate::card::card::Card;
use crate::card::role::{FACTS, Fact};
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::json::parse::{Cursor, Kind};

/// Reads facts where a walk has found them.
pub(crate) struct Facts<'a, 'd> {
    wire: &'a [u8],
    places: [Option<usize>; FACTS.len()],
    drift: &'d mut Drift,
}

impl<'a, 'd> Facts<'a, 'd> {
    /// The values at `places` of `wire` must have been checked.
    pub(crate) fn new(
        wire: &'a [u8],
        places: [Option<usize>; FACTS.len()],
        drift: &'d mut Drift,
    ) -> Self {
        Self { wire, places, drift }
    }

    /// The card with these attributes; it stands at byte `at`.
    ///
    /// # Errors
    /// Its id is missing or cannot be one.
    pub(crate) fn card(
        mut self,
        attributes: Vec<u8>,
        at: usize,
        positions: &BTreeMap<i64, String>,
    ) -> Result<Card, Fault> {
        let fault = |reason| Fault::of_field(reason, at, "cardId");
        let place = self.places[Fact::CardId as usize].ok_or_else(|| fault(Reason::Missing))?;
        let mut cursor = Cursor::new(self.wire, place);
        if cursor.kind()? != Kind::Number {
            return Err(fault(Reason::WrongType));
        }
        let id = cursor.number()?;
        let wrong = if id.integral { Reason::NumberRange } else { Reason::WrongType };
        let card_id = id.integer.ok_or_else(|| fault(wrong))?;
        if card_id <= 0 {
            return Err(fault(Reason::OutOfRange));
        }
        let position = self.small(Fact::Position).map(|number| {
            let named = positions.get(&i64::from(number));
            named.cloned().unwrap_or_else(|| number.to_string())
        });
        Ok(Card {
            card_id,
            version: xxh3_64(&attributes).cast_signed(),
            name: self.name(),
            position,
            overall: self.small(Fact::Overall),
            tier: self.small(Fact::Tier),
            program_id: self.small(Fact::ProgramId),
            program: self.text(Fact::ProgramName).map(Cow::into_owned),
            team_id: self.small(Fact::TeamId),
            kind: self
                .text(Fact::Kind)
                .map(|kind| kind.strip_prefix("CARDTYPE_").unwrap_or(&kind).to_lowercase()),
            discard_value: self.take(Fact::DiscardValue, integer),
            discard_currency: self.small(Fact::DiscardCurrency),
            attributes,
        })
    }

    /// First and second name, or what stands in their place.
    fn name(&mut self) -> Option<String> {
        let mut full = String::new();
        for part in [Fact::FirstName, Fact::SecondName] {
            if let Some(part) = self.text(part) {
                full.push_str(if full.is_empty() { "" } else { " " });
                full.push_str(&part);
            }
        }
        match full.trim() {
            "" => self.text(Fact::CondensedName).map(Cow::into_owned),
            trimmed => Some(trimmed.to_owned()),
        }
    }

    fn take<T>(&mut self, fact: Fact, read: fn(&mut Cursor<'a>) -> Option<T>) -> Option<T> {
        let place = self.places[fact as usize]?;
        let value = read(&mut Cursor::new(self.wire, place));
        if value.is_none() {
            self.note_unusable(fact, place);
        }
        value
    }

    #[cold]
    fn note_unusable(&mut self, fact: Fact, place: usize) {
        let mut cursor = Cursor::new(self.wire, place);
        if cursor.kind() != Ok(Kind::Null) {
            let sample = Canon::default().read(&mut cursor, usize::MAX).unwrap_or_default();
            self.drift.note(&fact.path(), DriftKind::Unusable, &sample);
        }
    }

    fn text(&mut self, fact: Fact) -> Option<Cow<'a, str>> {
        self.take(fact, text).filter(|text| !text.is_empty())
    }

    fn small(&mut self, fact: Fact) -> Option<i32> {
        self.take(fact, |cursor| i32::try_from(integer(cursor)?).ok())
    }
}

fn integer(cursor: &mut Cursor<'_>) -> Option<i64> {
    let number = cursor.kind() == Ok(Kind::Number);
    if number { cursor.number().ok()?.integer } else { None }
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    let string = cursor.kind() == Ok(Kind::String);
    if string { Some(cursor.string().ok()?.decode()) } else { None }
}
