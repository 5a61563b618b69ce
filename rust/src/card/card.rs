//! A card version, and a copy of it on offer.
//!
//! Invariant: a version is known by its card's id and a hash of its definition. A member of the
//! copy that is there but unusable is null, and noted.

use std::collections::HashSet;
use std::sync::Arc;

use crate::card::role::{ACQUIRED_AT, INSTANCE_ID};
use crate::drift::{Drift, DriftKind};
use crate::error::Fault;
use crate::json::parse::{Cursor, Kind};

/// Longest card that is read; real ones are 12 KB.
pub const MAX_CARD_BYTES: usize = 1 << 20;

/// A card version: what `m26.card` stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// `cardId`; its last five digits are the player.
    pub card_id: i64,
    /// Hash of the canonical definition.
    pub version: i64,
    /// Display name.
    pub name: Option<String>,
    /// Position's name, or its number as text when the profile has none.
    pub position: Option<String>,
    /// Overall rating.
    pub overall: Option<i32>,
    /// Tier number.
    pub tier: Option<i32>,
    /// Program number.
    pub program_id: Option<i32>,
    /// Program name.
    pub program: Option<String>,
    /// Team number.
    pub team_id: Option<i32>,
    /// Card type, lower case, without its prefix.
    pub kind: Option<String>,
    /// Quick-sell value.
    pub discard_value: Option<i64>,
    /// Currency of the quick-sell value.
    pub discard_currency: Option<i32>,
    /// The definition, canonical JSON; the second of two equal attribute blocks left out.
    pub attributes: Vec<u8>,
}

/// Card versions, by card id and version.
pub type CardKeys = HashSet<(i64, i64)>;

/// What identifies a card version.
#[must_use]
pub fn key(card: &Card) -> (i64, i64) {
    (card.card_id, card.version)
}

/// One physical copy on offer.
#[derive(Clone, Debug, Default)]
pub struct SeenCard {
    /// The card it is a copy of.
    pub card_id: i64,
    /// The card's version.
    pub version: i64,
    /// What that version is; None when it is known to be committed.
    pub definition: Option<Arc<Card>>,
    /// `cardInstanceId`.
    pub instance_id: Option<i64>,
    /// `acquisitionTimestamp`, microseconds.
    pub acquired_at: Option<i64>,
    /// The byte of the page at which the definition is not as it was served; 0 if it is.
    pub mended_at: usize,
}

/// Which member of the copy stands in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    InstanceId,
    AcquiredAt,
    Other,
}

impl Slot {
    /// That of a member of the copy, by its index in [`crate::card::role::Roles`].
    pub(crate) fn of(index: u32) -> Self {
        match index {
            0 => Self::InstanceId,
            1 => Self::AcquiredAt,
            _ => Self::Other,
        }
    }
}

/// First byte and end of a slot, from the card's first byte on.
pub(crate) type Place = (usize, usize, Slot);

impl SeenCard {
    /// Read a member of the copy. Where it stands twice the last value counts, as in jsonb.
    pub(crate) fn read_slot(&mut self, slot: Slot, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let target = match slot {
            Slot::InstanceId => &mut self.instance_id,
            Slot::AcquiredAt => &mut self.acquired_at,
            Slot::Other => return cursor.value().map(drop),
        };
        *target = if cursor.kind()? == Kind::Number {
            cursor.number()?.integer
        } else {
            cursor.value()?;
            None
        };
        Ok(())
    }

    /// Note the members of `slots` that are there but gave no value.
    pub(crate) fn note_unusable(&self, slots: &[Place], drift: &mut Drift) {
        for (_, _, slot) in slots {
            let (value, name) = match slot {
                Slot::InstanceId => (self.instance_id, INSTANCE_ID),
                Slot::AcquiredAt => (self.acquired_at, ACQUIRED_AT),
                Slot::Other => continue,
            };
            if value.is_none() {
                drift.note(&format!("card.{name}"), DriftKind::Unusable, b"no integer");
            }
        }
    }
}
