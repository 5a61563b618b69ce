//! The cards that were read so far: their templates, by card id.
//!
//! Invariant: which templates are tried is a guess, what they recognise is not. Memory is bounded by
//! twice [`MAX_TEMPLATE_BYTES`].

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use memchr::memmem;

use crate::card::card::{CardKeys, MAX_CARD_BYTES, SeenCard};
use crate::card::learner::Learner;
use crate::card::mend::learn_mended;
use crate::card::role::CardRules;
use crate::card::template::Template;
use crate::drift::Drift;
use crate::error::Fault;
use crate::json::parse::Cursor;

/// Memory of the templates kept in each of two generations; 3,000 cards take about 30 MB.
pub const MAX_TEMPLATE_BYTES: usize = 64 << 20;
/// Spellings kept of one card: the upstream may order members differently now and then.
const MAX_SPELLINGS: usize = 4;
const CARD_ID: &[u8] = b"\"cardId\":";
/// How far into a card its id is looked for; it stands after about 4 KB in real replies.
const ID_WINDOW: usize = 64 << 10;
/// It is looked for first this close to where the last card had it.
const ID_NEAR: usize = 128;

/// The spellings of one card, the last one first.
#[derive(Debug)]
struct Spellings {
    last: Template,
    others: Vec<Template>,
}

/// Reads cards; remembers the spellings it has checked.
#[derive(Debug)]
pub struct CardReader {
    learner: Learner,
    recent: HashMap<i64, Spellings>,
    older: HashMap<i64, Spellings>,
    recent_bytes: usize,
    /// Cards learned since `settle` found more of them committed.
    unsettled: HashSet<i64>,
    /// How many versions were committed then.
    settled_at: usize,
    id_key: memmem::Finder<'static>,
    /// Where the last card had its id, from the card's first byte on.
    id_at: usize,
}

impl CardReader {
    /// A reader that knows no card yet.
    #[must_use]
    pub fn new(rules: CardRules) -> Self {
        Self {
            learner: Learner::new(rules),
            recent: HashMap::new(),
            older: HashMap::new(),
            recent_bytes: 0,
            unsettled: HashSet::new(),
            settled_at: 0,
            id_key: memmem::Finder::new(CARD_ID),
            id_at: 0,
        }
    }

    /// Read the card object at `cursor`; its definition is left out if its version is among
    /// `committed` and was recognised.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        committed: &CardKeys,
        drift: &mut Drift,
    ) -> Result<SeenCard, Fault> {
        let from = self.id_at.saturating_sub(ID_NEAR);
        for window in [from..from + 2 * ID_NEAR, 0..ID_WINDOW] {
            let id = self.id_within(window, cursor);
            if let Some(seen) = id.and_then(|id| self.recognise(id, cursor, committed, drift)) {
                return Ok(seen);
            }
        }
        let start = cursor.at();
        let mut noted = Drift::default();
        match self.learner.learn(cursor, MAX_CARD_BYTES, &mut noted) {
            Ok((seen, slots)) => {
                drift.merge(&noted);
                self.unsettled.insert(seen.card_id);
                self.remember(Template::new(&cursor.bytes()[start..cursor.at()], slots, &seen));
                Ok(seen)
            }
            // No template is made of a mended card: what is compared must be what is stored.
            Err(fault) if fault.reason.is_of_grammar() || fault.field.is_some() => Err(*fault),
            Err(fault) => {
                cursor.jump(start);
                learn_mended(&mut self.learner, cursor, *fault, drift)
            }
        }
    }

    /// Keep no definition of cards that are committed by now: it need not be sent again.
    pub fn settle(&mut self, committed: &CardKeys) {
        if committed.len() == self.settled_at {
            return;
        }
        self.settled_at = committed.len();
        let (recent, recent_bytes) = (&mut self.recent, &mut self.recent_bytes);
        self.unsettled.retain(|card_id| {
            recent.get_mut(card_id).is_some_and(|spellings| {
                *recent_bytes -= spellings.iter_mut().map(|t| t.settle(committed)).sum::<usize>();
                spellings.iter_mut().any(|template| !template.is_settled())
            })
        });
    }

    /// The first card id in this part of the bytes after the cursor. Only a guess at which
    /// templates to try: whether one fits is decided by comparing all bytes.
    fn id_within(&mut self, window: Range<usize>, cursor: &Cursor<'_>) -> Option<i64> {
        let rest = &cursor.bytes()[cursor.at()..];
        let window = window.start.min(rest.len())..window.end.min(rest.len());
        let at = window.start + self.id_key.find(&rest[window])?;
        self.id_at = at;
        Cursor::new(rest, at + CARD_ID.len()).plain_integer()
    }

    fn recognise(
        &mut self,
        card_id: i64,
        cursor: &mut Cursor<'_>,
        committed: &CardKeys,
        drift: &mut Drift,
    ) -> Option<SeenCard> {
        if let Some(seen) = self.try_recent(card_id, cursor, committed, drift) {
            return Some(seen);
        }
        let Spellings { last, others } = self.older.remove(&card_id)?;
        for template in others.into_iter().chain([last]) {
            self.remember(template); // the card is still in use
        }
        self.try_recent(card_id, cursor, committed, drift)
    }

    fn try_recent(
        &mut self,
        card_id: i64,
        cursor: &mut Cursor<'_>,
        committed: &CardKeys,
        drift: &mut Drift,
    ) -> Option<SeenCard> {
        self.recent.get_mut(&card_id)?.iter_mut().find_map(|template| {
            let mut seen = template.read_copy(cursor, drift)?;
            let given_back = template.settle(committed);
            if given_back > 0 {
                self.recent_bytes -= given_back;
                seen.definition = None;
            }
            Some(seen)
        })
    }

    fn remember(&mut self, template: Template) {
        if self.recent_bytes + template.memory() > MAX_TEMPLATE_BYTES {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
            self.unsettled.clear(); // settled when they are seen again
        }
        self.recent_bytes += template.memory();
        match self.recent.entry(template.card_id) {
            Entry::Vacant(place) => {
                place.insert(Spellings { last: template, others: Vec::new() });
            }
            Entry::Occupied(place) => {
                let Spellings { last, others } = place.into_mut();
                others.push(std::mem::replace(last, template));
                if others.len() == MAX_SPELLINGS {
                    self.recent_bytes -= others.remove(0).memory();
                }
            }
        }
    }
}

impl Spellings {
    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Template> {
        std::iter::once(&mut self.last).chain(&mut self.others)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::card::card::Card;

    fn reader() -> CardReader {
        CardReader::new(CardRules::default())
    }

    fn template(card_id: i64, bytes: usize) -> Template {
        let card = Arc::new(Card { attributes: vec![0; bytes / 2], ..Card::default() });
        let seen = SeenCard { card_id, definition: Some(card), ..SeenCard::default() };
        Template::new(&vec![0; bytes], Vec::new(), &seen)
    }

    fn memory(templates: &HashMap<i64, Spellings>) -> usize {
        let all =
            templates.values().flat_map(|Spellings { last, others }| others.iter().chain([last]));
        all.map(Template::memory).sum()
    }

    fn read(reader: &mut CardReader, text: &str, committed: &CardKeys) -> Option<SeenCard> {
        reader.read(&mut Cursor::new(text.as_bytes(), 0), committed, &mut Drift::default()).ok()
    }

    #[test]
    fn memory_is_bounded_whatever_cards_come() {
        for bytes in [20, 12_000, MAX_CARD_BYTES] {
            let mut reader = reader();
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
        let text = r#"{"cardId":7}"#;
        let mut reader = reader();
        let definition = |seen: Option<SeenCard>| seen.and_then(|seen| seen.definition);
        let first = definition(read(&mut reader, text, &CardKeys::new()));
        for number in 0..200 {
            reader.remember(template(1_000 + number, MAX_CARD_BYTES));
            let again = definition(read(&mut reader, text, &CardKeys::new()));
            assert!(matches!((&first, &again), (Some(one), Some(same)) if Arc::ptr_eq(one, same)));
        }
    }

    #[test]
    fn few_spellings_of_a_card_are_kept_the_last_ones() {
        let mut reader = reader();
        for bytes in 1..=10 {
            reader.remember(template(7, bytes));
        }
        let Spellings { last, others } = &reader.recent[&7];
        let kept: Vec<_> = others.iter().chain([last]).map(Template::memory).collect();
        assert_eq!(kept, [7, 8, 9, 10].map(|bytes| template(7, bytes).memory()));
        assert_eq!(reader.recent_bytes, memory(&reader.recent));
    }

    #[test]
    fn the_definition_of_a_committed_card_is_not_kept() {
        let text = r#"{"cardId":7,"tier":4}"#;
        let mut reader = reader();
        let first =
            read(&mut reader, text, &CardKeys::new()).map(|seen| (seen.card_id, seen.version));
        let full = reader.recent_bytes;
        let committed = CardKeys::from_iter(first);
        for _ in 0..2 {
            let again = read(&mut reader, text, &committed);
            assert_eq!(again.as_ref().map(|seen| (seen.card_id, seen.version)), first);
            assert!(again.is_some_and(|seen| seen.definition.is_none()));
            assert_eq!(reader.recent_bytes, memory(&reader.recent));
            assert!(reader.recent_bytes < full);
        }
        let other = read(&mut reader, r#"{"tier":4,"cardId":7}"#, &CardKeys::new());
        assert!(other.is_some_and(|seen| seen.definition.is_some()));
        reader.settle(&committed);
        assert_eq!(reader.recent_bytes, memory(&reader.recent));
        let again = read(&mut reader, r#"{"tier":4,"cardId":7}"#, &CardKeys::new());
        assert!(again.is_some_and(|seen| seen.definition.is_none()));
    }
}
