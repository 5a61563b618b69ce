//! A card's definition, its identity by content, and templates that recognise known cards.
//!
//! Invariant: a card is taken for a known one only if its bytes equal, one by one, bytes that were
//! read and checked in full before; only the members of the physical copy may differ, and those
//! are checked each time. Memory is bounded by [`MAX_TEMPLATE_BYTES`].

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::canon::Json;
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::parse::{Cursor, Kind};
use crate::wire::CARD_MEMBERS;

/// Bytes of templates kept in each of two generations; 3,000 cards take about 36 MB.
pub const MAX_TEMPLATE_BYTES: usize = 48 << 20;
/// Spellings kept of one card: the upstream may order members differently now and then.
const MAX_SPELLINGS: usize = 4;
/// How far into a card its id is looked for; it stands after about 6 KB in real replies.
const HINT_WINDOW: usize = 64 << 10;

const INSTANCE_ID: &str = "cardInstanceId";
const ACQUIRED_AT: &str = "acquisitionTimestamp";

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

/// One physical copy on offer.
#[derive(Clone, Debug)]
pub struct SeenCard {
    /// The version it is a copy of.
    pub card: Arc<Card>,
    /// `cardInstanceId`.
    pub instance_id: Option<i64>,
    /// `acquisitionTimestamp`, microseconds.
    pub acquired_at: Option<i64>,
}

/// What of cards differs by game year: data of the profile.
#[derive(Clone, Debug, Default)]
pub struct CardRules {
    /// Members of the physical copy: no part of the definition.
    pub per_copy: HashSet<String>,
    /// Names of position numbers.
    pub positions: BTreeMap<i64, String>,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    InstanceId,
    AcquiredAt,
    Other,
}

/// A spelling of a card: its bytes, and where the members of the copy stand in them.
#[derive(Debug)]
struct Template {
    bytes: Box<[u8]>,
    slots: Vec<(usize, usize, Slot)>,
    card: Arc<Card>,
}

/// Reads cards; remembers the spellings it has checked.
#[derive(Debug, Default)]
pub struct CardReader {
    rules: CardRules,
    recent: HashMap<i64, Vec<Arc<Template>>>,
    older: HashMap<i64, Vec<Arc<Template>>>,
    recent_bytes: usize,
}

impl CardReader {
    /// A reader that knows no card yet.
    #[must_use]
    pub fn new(rules: CardRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Read the card object at `cursor`.
    ///
    /// # Errors
    /// The first thing that makes it unusable.
    pub fn read(&mut self, cursor: &mut Cursor<'_>, drift: &mut Drift) -> Result<SeenCard, Fault> {
        let hint = card_id_hint(cursor);
        if let Some(seen) = hint.and_then(|id| self.recognise(id, cursor)) {
            return Ok(seen);
        }
        let (template, seen) = learn(cursor, &self.rules, drift)?;
        self.remember(Arc::new(template));
        Ok(seen)
    }

    fn recognise(&mut self, card_id: i64, cursor: &mut Cursor<'_>) -> Option<SeenCard> {
        let try_all = |spellings: &[Arc<Template>], cursor: &mut Cursor<'_>| {
            spellings.iter().find_map(|t| Some((t.read_copy(cursor)?, Arc::clone(t))))
        };
        if let Some((seen, _)) = self.recent.get(&card_id).and_then(|s| try_all(s, cursor)) {
            return Some(seen);
        }
        let (seen, template) = self.older.get(&card_id).and_then(|s| try_all(s, cursor))?;
        self.remember(template); // still in use: carry it over to the recent generation
        Some(seen)
    }

    fn remember(&mut self, template: Arc<Template>) {
        if self.recent_bytes + template.bytes.len() > MAX_TEMPLATE_BYTES {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
        self.recent_bytes += template.bytes.len();
        let spellings = self.recent.entry(template.card.card_id).or_default();
        if spellings.len() == MAX_SPELLINGS {
            self.recent_bytes -= spellings.remove(0).bytes.len();
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
    fn read_copy(&self, cursor: &mut Cursor<'_>) -> Option<SeenCard> {
        let start = cursor.at();
        let mut seen =
            SeenCard { card: Arc::clone(&self.card), instance_id: None, acquired_at: None };
        let fits = cursor.isolated(|cursor| {
            let mut from = 0;
            for &(slot_from, slot_to, slot) in &self.slots {
                pass_literal(cursor, &self.bytes[from..slot_from])?;
                seen.read_slot(slot, cursor, &mut Drift::default()).ok()?;
                from = slot_to;
            }
            pass_literal(cursor, &self.bytes[from..])
        });
        if fits.is_none() {
            cursor.jump(start);
            return None;
        }
        Some(seen)
    }
}

fn pass_literal(cursor: &mut Cursor<'_>, literal: &[u8]) -> Option<()> {
    let at = cursor.at();
    cursor.bytes()[at..].starts_with(literal).then(|| cursor.jump(at + literal.len()))
}

impl SeenCard {
    fn read_slot(
        &mut self,
        slot: Slot,
        cursor: &mut Cursor<'_>,
        drift: &mut Drift,
    ) -> Result<(), Fault> {
        let (target, name) = match slot {
            Slot::InstanceId => (&mut self.instance_id, INSTANCE_ID),
            Slot::AcquiredAt => (&mut self.acquired_at, ACQUIRED_AT),
            Slot::Other => return cursor.value().map(drop),
        };
        let at = cursor.at();
        match cursor.kind()? {
            Kind::Null => drop(cursor.value()?),
            Kind::Number => *target = cursor.number()?.integer,
            _ => {}
        }
        if target.is_none() {
            if cursor.at() == at {
                return Err(Fault::of_field(Reason::WrongType, at, name));
            }
            drift.note(
                &format!("card.{name}"),
                DriftKind::Unusable,
                &cursor.bytes()[at..cursor.at()],
            );
        }
        Ok(())
    }
}

/// Read a card in full: check it, separate the copy from the definition, hash the definition.
fn learn(
    cursor: &mut Cursor<'_>,
    rules: &CardRules,
    drift: &mut Drift,
) -> Result<(Template, SeenCard), Fault> {
    let start = cursor.at();
    let bytes = cursor.bytes();
    let mut slots = Vec::new();
    let mut names = HashSet::new();
    let mut members: Vec<(Cow<'_, str>, Json<'_>)> = Vec::new();
    let mut seen = SeenCard { card: Arc::default(), instance_id: None, acquired_at: None };
    cursor.object(|cursor, key| {
        let key = key.decode();
        if !CARD_MEMBERS.contains(&&*key) {
            drift.note(&format!("card.{key}"), DriftKind::NewField, b"");
        }
        let slot = match &*key {
            INSTANCE_ID => Slot::InstanceId,
            ACQUIRED_AT => Slot::AcquiredAt,
            name if rules.per_copy.contains(name) => Slot::Other,
            _ => {
                members.push((key, Json::read(cursor)?));
                return Ok(());
            }
        };
        let from = cursor.at();
        seen.read_slot(slot, cursor, drift)?;
        slots.push((from - start, cursor.at() - start, slot));
        if !names.insert(key) {
            return Err(Fault::new(Reason::DuplicateKey, from));
        }
        Ok(())
    })?;
    let definition = Json::object(members).map_err(|reason| Fault::new(reason, start))?;
    for member in CARD_MEMBERS {
        if definition.get(member).is_none() && !names.contains(member) {
            drift.note(&format!("card.{member}"), DriftKind::MissingField, b"");
        }
    }
    seen.card = Arc::new(define(definition, rules, drift, start)?);
    let bytes = bytes[start..cursor.at()].into();
    Ok((Template { bytes, slots, card: Arc::clone(&seen.card) }, seen))
}

fn define(
    definition: Json<'_>,
    rules: &CardRules,
    drift: &mut Drift,
    at: usize,
) -> Result<Card, Fault> {
    let definition = without_twin(definition);
    let attributes = definition.canonical();
    let fault = |reason| Fault::of_field(reason, at, "cardId");
    let card_id = definition.get("cardId").ok_or_else(|| fault(Reason::Missing))?;
    let card_id = card_id.integer().ok_or_else(|| fault(Reason::WrongType))?;
    if card_id <= 0 {
        return Err(fault(Reason::OutOfRange));
    }
    let mut facts = Facts { definition: &definition, drift };
    let player = ["cardData", "value"];
    let first = facts.text(&["firstName"]);
    let second = facts.text(&["secondName"]);
    let full = [first, second].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let full = full.trim();
    let position = facts.small(&[player[0], player[1], "position"]);
    Ok(Card {
        card_id,
        version: xxh3_64(&attributes).cast_signed(),
        name: if full.is_empty() { facts.text(&["condensedName"]) } else { Some(full.to_owned()) },
        position: position.map(|number| {
            let named = rules.positions.get(&i64::from(number));
            named.cloned().unwrap_or_else(|| number.to_string())
        }),
        overall: facts.small(&[player[0], player[1], "overallRating"]),
        tier: facts.small(&["tier"]),
        program_id: facts.small(&["program", "programId"]),
        program: facts.text(&["program", "programName"]),
        team_id: facts.small(&["teamId"]),
        kind: facts.text(&["type"]).map(|kind| kind.trim_start_matches("CARDTYPE_").to_lowercase()),
        discard_value: facts.integer(&["discardValue"]),
        discard_currency: facts.small(&["discardBankCurrencyId"]),
        attributes,
    })
}

fn integer(json: &Json<'_>) -> Option<i64> {
    json.integer()
}

/// The definition with `staticCardData` left out where it says the same as `cardData`.
fn without_twin(mut definition: Json<'_>) -> Json<'_> {
    let twins = match (definition.get("cardData"), definition.get("staticCardData")) {
        (Some(data), Some(twin)) => data.canonical() == twin.canonical(),
        _ => false,
    };
    if let (true, Json::Object(members)) = (twins, &mut definition) {
        members.retain(|(key, _)| key != "staticCardData");
    }
    definition
}

/// Reads the columns of a card; what is there but unusable is null and noted.
struct Facts<'a, 'b> {
    definition: &'a Json<'a>,
    drift: &'b mut Drift,
}

impl Facts<'_, '_> {
    fn take<T>(&mut self, path: &[&str], read: fn(&Json<'_>) -> Option<T>) -> Option<T> {
        let found = path.iter().try_fold(self.definition, |json, key| json.get(key))?;
        let value = read(found);
        if value.is_none() && !matches!(found, Json::Null) {
            let path = format!("card.{}", path.join("."));
            self.drift.note(&path, DriftKind::Unusable, &found.canonical());
        }
        value
    }

    fn text(&mut self, path: &[&str]) -> Option<String> {
        self.take(path, |json| json.text().map(str::to_owned)).filter(|text| !text.is_empty())
    }

    fn integer(&mut self, path: &[&str]) -> Option<i64> {
        self.take(path, integer)
    }

    fn small(&mut self, path: &[&str]) -> Option<i32> {
        self.take(path, |json| i32::try_from(json.integer()?).ok())
    }
}
