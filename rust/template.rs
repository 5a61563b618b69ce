//! Templates: cards that were read in full before are recognised by their bytes.
//!
//! Invariant: a card is taken for a known one only if its bytes equal, one by one, bytes that were
//! read and checked in full before; only the members of the physical copy may differ, and those
//! are checked each time. Memory is bounded by twice [`MAX_TEMPLATE_BYTES`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::card::{Card, CardRules, Learner, Place, SeenCard};
use crate::drift::Drift;
use crate::error::Fault;
use crate::parse::Cursor;

/// Memory of the templates kept in each of two generations; 3,000 cards take about 60 MB.
pub const MAX_TEMPLATE_BYTES: usize = 64 << 20;
/// A template's memory beside its bytes and its card's: structures, names, places in maps.
const TEMPLATE_OVERHEAD: usize = 1 << 10;
/// Spellings kept of one card: the upstream may order members differently now and then.
const MAX_SPELLINGS: usize = 4;
/// How far into a card its id is looked for; it stands after about 6 KB in real replies.
const HINT_WINDOW: usize = 64 << 10;

/// A spelling of a card: its bytes, and where the members of the copy stand in them.
#[derive(Debug)]
struct Template {
    bytes: Box<[u8]>,
    slots: Vec<Place>,
    card: Arc<Card>,
}

/// Reads cards; remembers the spellings it has checked.
#[derive(Debug, Default)]
pub struct CardReader {
    learner: Learner,
    recent: HashMap<i64, Vec<Arc<Template>>>,
    older: HashMap<i64, Vec<Arc<Template>>>,
    recent_bytes: usize,
}

impl CardReader {
    /// A reader that knows no card yet.
    #[must_use]
    pub fn new(rules: CardRules) -> Self {
        Self { learner: Learner::new(rules), ..Self::default() }
    }

    /// Read the card object at `cursor`.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub fn read(&mut self, cursor: &mut Cursor<'_>, drift: &mut Drift) -> Result<SeenCard, Fault> {
        let hint = card_id_hint(cursor);
        if let Some(seen) = hint.and_then(|id| self.recognise(id, cursor, drift)) {
            return Ok(seen);
        }
        let start = cursor.at();
        let (seen, slots) = self.learner.learn(cursor, drift).map_err(|fault| *fault)?;
        let bytes = cursor.bytes()[start..cursor.at()].into();
        self.remember(Arc::new(Template { bytes, slots, card: Arc::clone(&seen.card) }));
        Ok(seen)
    }

    fn recognise(
        &mut self,
        card_id: i64,
        cursor: &mut Cursor<'_>,
        drift: &mut Drift,
    ) -> Option<SeenCard> {
        let mut first_that_fits = |spellings: &Vec<Arc<Template>>| {
            spellings.iter().find_map(|t| Some((t.read_copy(cursor, drift)?, Arc::clone(t))))
        };
        if let Some((seen, _)) = self.recent.get(&card_id).and_then(&mut first_that_fits) {
            return Some(seen);
        }
        let (seen, template) = self.older.get(&card_id).and_then(&mut first_that_fits)?;
        self.remember(template); // still in use: carry it over to the recent generation
        Some(seen)
    }

    fn remember(&mut self, template: Arc<Template>) {
        if self.recent_bytes + template.memory() > MAX_TEMPLATE_BYTES {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
        self.recent_bytes += template.memory();
        let spellings = self.recent.entry(template.card.card_id).or_default();
        if spellings.len() == MAX_SPELLINGS {
            self.recent_bytes -= spellings.remove(0).memory();
        }
        spellings.push(template);
    }
}

/// The first `"cardId":` after the cursor. Only a guess at which templates to try: whether one
/// fits is decided by comparing all bytes.
fn card_id_hint(cursor: &Cursor<'_>) -> Option<i64> {
    const KEY: &[u8] = b"\"cardId\":";
    let rest = &cursor.bytes()[cursor.at()..];
    let window = &rest[..rest.len().min(HINT_WINDOW)];
    let digits = &window[memchr::memmem::find(window, KEY)? + KEY.len()..];
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

impl Template {
    /// Read a copy of this card at `cursor` and pass it; None, with the cursor unmoved, if it is
    /// not one.
    fn read_copy(&self, cursor: &mut Cursor<'_>, drift: &mut Drift) -> Option<SeenCard> {
        let start = cursor.at();
        let mut seen =
            SeenCard { card: Arc::clone(&self.card), instance_id: None, acquired_at: None };
        let fits = cursor.isolated(|cursor| {
            cursor.enter().ok()?; // the slots are members: as deep here as in a full reading
            let mut from = 0;
            for &(slot_from, slot_to, slot) in &self.slots {
                pass_literal(cursor, &self.bytes[from..slot_from])?;
                seen.read_slot(slot, cursor).ok()?;
                from = slot_to;
            }
            pass_literal(cursor, &self.bytes[from..])
        });
        if fits.is_none() {
            cursor.jump(start);
            return None;
        }
        seen.note_unusable(&self.slots, drift);
        Some(seen)
    }

    fn memory(&self) -> usize {
        self.bytes.len() + self.card.attributes.len() + TEMPLATE_OVERHEAD
    }
}

fn pass_literal(cursor: &mut Cursor<'_>, literal: &[u8]) -> Option<()> {
    let at = cursor.at();
    cursor.bytes()[at..].starts_with(literal).then(|| cursor.jump(at + literal.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::MAX_CARD_BYTES;

    fn template(card_id: i64, bytes: usize) -> Arc<Template> {
        let card = Arc::new(Card { card_id, attributes: vec![0; bytes / 2], ..Card::default() });
        Arc::new(Template { bytes: vec![0; bytes].into(), slots: Vec::new(), card })
    }

    fn memory(templates: &HashMap<i64, Vec<Arc<Template>>>) -> usize {
        templates.values().flatten().map(|template| template.memory()).sum()
    }

    #[test]
    fn memory_is_bounded_whatever_cards_come() {
        for bytes in [20, 12_000, MAX_CARD_BYTES] {
            let mut reader = CardReader::default();
            let enough_for_three = 3 * MAX_TEMPLATE_BYTES / template(0, bytes).memory();
            for number in 0..enough_for_three {
                reader.remember(template(i64::try_from(number % 100_000).unwrap_or(0), bytes));
            }
            assert_eq!(reader.recent_bytes, memory(&reader.recent));
            assert!(reader.recent_bytes <= MAX_TEMPLATE_BYTES);
            let older = memory(&reader.older);
            assert!(older <= MAX_TEMPLATE_BYTES && older > MAX_TEMPLATE_BYTES / 2);
        }
    }

    #[test]
    fn a_card_in_use_stays_known_while_others_come_and_go() {
        let text = br#"{"cardId":7}"#;
        let mut reader = CardReader::default();
        let read = |reader: &mut CardReader| {
            reader.read(&mut Cursor::new(text, 0), &mut Drift::default()).map(|seen| seen.card)
        };
        let first = read(&mut reader);
        for number in 0..1_000 {
            reader.remember(template(1_000 + number, MAX_CARD_BYTES));
            let again = read(&mut reader);
            assert!(matches!((&first, &again), (Ok(one), Ok(same)) if Arc::ptr_eq(one, same)));
        }
    }

    #[test]
    fn few_spellings_of_a_card_are_kept_the_last_ones() {
        let mut reader = CardReader::default();
        for bytes in 1..=10 {
            reader.remember(template(7, bytes));
        }
        let kept: Vec<_> = reader.recent[&7].iter().map(|template| template.bytes.len()).collect();
        assert_eq!(kept, [7, 8, 9, 10]);
        assert_eq!(reader.recent_bytes, memory(&reader.recent));
    }
}
