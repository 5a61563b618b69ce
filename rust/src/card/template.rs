//! A card that was read in full before is recognised by its bytes.
//!
//! Invariant: a card is taken for a known one only if its bytes equal, one by one, bytes that were
//! read and checked in full before; only the members of the physical copy may differ, and those
//! are checked each time.

use std::sync::Arc;

use memchr::memmem;

use crate::card::card::{Card, CardKeys, Place, SeenCard, Slot};
use crate::drift::Drift;
use crate::json::parse::Cursor;

/// A template's memory beside its bytes and its card's: structures, names, places in maps.
const OVERHEAD: usize = 1 << 10;
/// Members that say the same in nearly every card.
const TWINS: [&[u8]; 2] = [b"\"cardData\":", b"\"staticCardData\":"];
/// Shorter twins are not worth a comparison of their own.
const MIN_TWIN: usize = 64;

/// A spelling of a card: its bytes, and where they stand for something else.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) card_id: i64,
    version: i64,
    /// Dropped when the version is committed: it need not be sent again.
    definition: Option<Arc<Card>>,
    /// The card's bytes, without the second of its twins.
    bytes: Box<[u8]>,
    twins: Twins,
    /// The members of the copy.
    slots: Box<[Place]>,
}

/// Equal bytes in a card, by the places of their first bytes; of length 0 if there are none.
#[derive(Clone, Copy, Debug, Default)]
struct Twins {
    first: usize,
    second: usize,
    length: usize,
}

impl Template {
    /// Of the card that stands in `text` and was read in full as `seen`.
    pub(crate) fn new(text: &[u8], slots: Vec<Place>, seen: &SeenCard) -> Self {
        let twins = Twins::find(text, &slots);
        Self {
            card_id: seen.card_id,
            version: seen.version,
            definition: seen.definition.clone(),
            bytes: [&text[..twins.second], &text[twins.second + twins.length..]].concat().into(),
            twins,
            slots: slots.into(),
        }
    }

    /// Read a copy of this card at `cursor` and pass it; None, with the cursor unmoved, if it is
    /// not one.
    pub(crate) fn read_copy(&self, cursor: &mut Cursor<'_>, drift: &mut Drift) -> Option<SeenCard> {
        let start = cursor.at();
        let mut seen =
            SeenCard { card_id: self.card_id, version: self.version, ..SeenCard::default() };
        if self.compare(cursor, &mut seen).is_none() {
            cursor.jump(start);
            return None;
        }
        if seen.instance_id.is_none() || seen.acquired_at.is_none() {
            seen.note_unusable(&self.slots, drift);
        }
        seen.definition.clone_from(&self.definition);
        Some(seen)
    }

    fn compare(&self, cursor: &mut Cursor<'_>, seen: &mut SeenCard) -> Option<()> {
        let mut at = self.pass_equal(0, cursor)?;
        for &(from, to, slot) in &self.slots {
            if at > to && matches!(slot, Slot::Other) {
                continue; // equal as far as the byte behind it: the same value, checked before
            }
            cursor.jump(cursor.at() - at.checked_sub(from)?); // they differ outside of the slots
            let plain = match slot {
                Slot::InstanceId => &mut seen.instance_id,
                Slot::AcquiredAt => &mut seen.acquired_at,
                Slot::Other => &mut None,
            };
            *plain = cursor.plain_integer();
            if plain.is_none() {
                seen.read_slot(slot, cursor).ok()?;
            }
            at = self.pass_equal(to, cursor)?;
        }
        (at == self.bytes.len() + self.twins.length).then_some(())
    }

    /// Pass bytes as long as they equal the card's from `at` on; returns where in the card they
    /// cease to. None if they do so in its twin, which holds no slot.
    fn pass_equal(&self, mut at: usize, cursor: &mut Cursor<'_>) -> Option<usize> {
        let Twins { first, second, length } = self.twins;
        if at <= second {
            at += pass_common(&self.bytes[at..second], cursor);
            if at < second {
                return Some(at);
            }
            cursor.pass(&self.bytes[first..first + length]).then_some(())?;
            at += length;
        }
        Some(at + pass_common(&self.bytes[at - length..], cursor))
    }

    /// Drop the definition if its version is committed; returns the memory that this gives back.
    pub(crate) fn settle(&mut self, committed: &CardKeys) -> usize {
        let before = self.memory();
        if self.definition.is_some() && committed.contains(&(self.card_id, self.version)) {
            self.definition = None;
        }
        before - self.memory()
    }

    /// Whether it has no definition to drop.
    pub(crate) fn is_settled(&self) -> bool {
        self.definition.is_none()
    }

    pub(crate) fn memory(&self) -> usize {
        let definition = self.definition.as_ref().map_or(0, |card| card.attributes.len());
        self.bytes.len() + size_of_val(&*self.slots) + definition + OVERHEAD
    }
}

impl Twins {
    /// Those of the card in `text`, outside of its slots.
    fn find(text: &[u8], slots: &[Place]) -> Self {
        let [one, other] = TWINS.map(|key| memmem::find(text, key).map(|at| at + key.len()));
        let (Some(one), Some(other)) = (one, other) else { return Self::default() };
        let (first, second) = (one.min(other), one.max(other));
        let slot = slots.iter().find(|(_, to, _)| *to > second);
        let Some(space) = slot.map_or(text.len(), |slot| slot.0).checked_sub(second) else {
            return Self::default();
        };
        let pairs = text[first..second].iter().zip(&text[second..]).take(space);
        let length = pairs.take_while(|(byte, same)| byte == same).count();
        if length < MIN_TWIN { Self::default() } else { Self { first, second, length } }
    }
}

/// Pass what equals the beginning of `text`; returns how much that is.
fn pass_common(text: &[u8], cursor: &mut Cursor<'_>) -> usize {
    if cursor.pass(text) {
        return text.len();
    }
    let rest = &cursor.bytes()[cursor.at()..];
    let blocks = text.as_chunks::<16>().0.iter().zip(rest.as_chunks::<16>().0);
    let mut common = 16 * blocks.take_while(|(ours, theirs)| ours == theirs).count();
    let bytes = text[common..].iter().zip(&rest[common..]);
    common += bytes.take_while(|(ours, theirs)| ours == theirs).count();
    cursor.jump(cursor.at() + common);
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_are_kept_once_unless_a_slot_is_in_the_way() {
        let data = format!(r#"{{"a":"{}"}}"#, "x".repeat(MIN_TWIN));
        let text = format!(r#"{{"cardData":{data},"cardId":7,"staticCardData":{data},"tier":1}}"#);
        let at = |part: &str| text.find(part).unwrap_or(0);
        let kept = |slots| Template::new(text.as_bytes(), slots, &SeenCard::default()).bytes.len();
        let second = at(r#""staticCardData""#) + r#""staticCardData":"#.len();
        assert_eq!(kept(Vec::new()), text.len() - data.len() - r#",""#.len());
        assert_eq!(kept(vec![(second, second + data.len(), Slot::Other)]), text.len());
        let tier = at("1}");
        let behind = kept(vec![(tier, tier + 1, Slot::Other)]);
        assert_eq!(behind, text.len() - data.len() - r#",""#.len());
    }
}
