//! A card that was not seen before, read in full.
//!
//! Invariant: a version is a hash of the definition's canonical form; the members of the physical
//! copy are no part of it, every other member is. A second attribute block counts if it differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::card::canon::Canon;
use crate::card::card::{Place, SeenCard, Slot};
use crate::card::facts::Facts;
use crate::card::role::{CARD_MEMBERS, CardRules, Part, Roles, Scope};
use crate::card::shape::{ROOT, Step};
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::json::parse::Cursor;
use crate::json::text::Text;

/// Reads cards that were not seen before.
#[derive(Debug)]
pub(crate) struct Learner {
    canon: Canon,
    positions: BTreeMap<i64, String>,
}

impl Default for Learner {
    fn default() -> Self {
        Self::new(CardRules::default())
    }
}

impl Learner {
    pub(crate) fn new(rules: CardRules) -> Self {
        Self { canon: Canon::new(Roles::new(&rules)), positions: rules.positions }
    }

    /// Read the card at `cursor` in full: check it, separate the copy from the definition, hash the
    /// definition, which may have `most` bytes. Returns the places of the copy's members too.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub(crate) fn learn(
        &mut self,
        cursor: &mut Cursor<'_>,
        most: usize,
        drift: &mut Drift,
    ) -> Result<(SeenCard, Vec<Place>), Box<Fault>> {
        let (wire, start) = (cursor.bytes(), cursor.at());
        if cursor.byte() != Some(b'{') {
            return Err(Fault::new(Reason::Malformed, start).into());
        }
        let canon = &mut self.canon;
        canon.begin(cursor, start.saturating_add(most))?;
        let mut seen = SeenCard::default();
        let mut slots = Vec::with_capacity(canon.roles.copies());
        let mut known = 0_u64;
        let mut data = None;
        let mut twin = None;
        let mut open = canon.open(start, ROOT, Step::Object)?;
        while canon.member(wire, &mut open)? {
            let role = canon.role(&open);
            if let Some(index) = role.known {
                known |= 1 << index;
            } else {
                let (key, _) = Text::read(wire, open.key)?;
                drift.note(&format!("card.{}", key.decode()), DriftKind::NewField, b"");
            }
            match role.part {
                Part::Copy(index) => {
                    cursor.jump(open.at);
                    cursor.skip_space();
                    let from = cursor.at();
                    let slot = Slot::of(index);
                    seen.read_slot(slot, cursor)?;
                    slots.push((from - start, cursor.at() - start, slot));
                    open.at = cursor.at();
                    canon.limit = canon.limit.saturating_add(open.at - from); // no definition
                }
                Part::Twin => match data.and_then(|(_, data)| twin_end(wire, open.at, data)) {
                    Some(end) if end <= canon.limit => {
                        open.at = end;
                        canon.leave_out(&open);
                    }
                    _ => twin = Some((canon.take(wire, &mut open)?, open.last)),
                },
                Part::Definition => {
                    let from = open.at;
                    let value = canon.take(wire, &mut open)?;
                    if role.inside == Scope::Data {
                        data = Some((value, &wire[from..open.at]));
                    }
                }
            }
        }
        let order = canon.close(open)?;
        cursor.jump(open.at + 1);
        for (index, member) in CARD_MEMBERS.iter().enumerate() {
            if known & 1 << index == 0 {
                drift.note(&format!("card.{member}"), DriftKind::MissingField, b"");
            }
        }
        seen.note_unusable(&slots, drift);
        if let (Some((data, _)), Some((value, node))) = (data, twin)
            && canon.bytes(wire, data) == canon.bytes(wire, value)
        {
            canon.take_out(&open, node);
        }
        let definition = canon.write_object(wire, open, order);
        let attributes = canon.bytes(wire, definition).to_vec();
        let facts = Facts::new(wire, canon.facts(), drift);
        let card = facts.card(attributes, start, &self.positions)?;
        (seen.card_id, seen.version) = (card.card_id, card.version);
        seen.definition = Some(Arc::new(card));
        Ok((seen, slots))
    }
}

/// Where the value at `at` ends if it is the object `data` over again: it was checked there, at the
/// same depth. Of other values nothing follows from their bytes: `1` is the beginning of `12` too.
fn twin_end(wire: &[u8], at: usize, data: &[u8]) -> Option<usize> {
    let same = data.starts_with(b"{") && wire[at..].starts_with(data);
    same.then_some(at + data.len())
}
