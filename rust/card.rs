//! A card's definition and its identity by content.
//!
//! Invariant: a version is a hash of the definition's canonical form; the members of the physical
//! copy are no part of it, every other member is. A second attribute block counts if it differs.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::canon::Json;
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::parse::{Cursor, Kind};

/// Longest card that is read; real ones are 12 KB.
pub const MAX_CARD_BYTES: usize = 1 << 20;
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
}

/// What of cards differs by game year: data of the profile.
#[derive(Clone, Debug, Default)]
pub struct CardRules {
    /// Members of the physical copy: no part of the definition.
    pub per_copy: HashSet<String>,
    /// Names of position numbers.
    pub positions: BTreeMap<i64, String>,
}

/// Which member of the copy stands in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    InstanceId,
    AcquiredAt,
    Other,
}

/// First byte and end of a slot, from the card's first byte on.
pub(crate) type Place = (usize, usize, Slot);

impl SeenCard {
    pub(crate) fn read_slot(&mut self, slot: Slot, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let (target, name) = match slot {
            Slot::InstanceId => (&mut self.instance_id, INSTANCE_ID),
            Slot::AcquiredAt => (&mut self.acquired_at, ACQUIRED_AT),
            Slot::Other => return cursor.value().map(drop),
        };
        match cursor.kind()? {
            Kind::Null => drop(cursor.value()?),
            Kind::Number => *target = cursor.number()?.integer,
            _ => return Err(Fault::of_field(Reason::WrongType, cursor.at(), name)),
        }
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

/// Read the card at `cursor` in full: check it, separate the copy from the definition, hash the
/// definition. Returns the places of the copy's members too.
///
/// # Errors
/// The first thing that makes it unusable.
pub(crate) fn learn(
    cursor: &mut Cursor<'_>,
    rules: &CardRules,
    drift: &mut Drift,
) -> Result<(SeenCard, Vec<Place>), Fault> {
    let start = cursor.at();
    let mut slots = Vec::new();
    let mut names = HashSet::new();
    let mut members: Vec<(Cow<'_, str>, Json<'_>)> = Vec::new();
    let mut seen = SeenCard::default();
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
                members.push((key, Json::read(cursor, start + MAX_CARD_BYTES)?));
                return Ok(());
            }
        };
        let from = cursor.at();
        seen.read_slot(slot, cursor)?;
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
    seen.note_unusable(&slots, drift);
    let card = define(definition, rules, drift, start)?;
    (seen.card_id, seen.version) = (card.card_id, card.version);
    seen.definition = Some(Arc::new(card));
    Ok((seen, slots))
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

/// Members that every known card has; others, and missing ones, are drift.
const CARD_MEMBERS: [&str; 63] = [
    "activeCapBlazeId",
    "acquisitionDescription",
    "cardAssetType",
    "activePlayerAbility",
    "acquisitionMethod",
    "acquisitionTimestamp",
    "activeSynergyBoostList",
    "acquisitionDateString",
    "medianListingPrice",
    "discardBankCurrencyId",
    "basePostTradeFee",
    "basePostAuctionFee",
    "cardBindMessage",
    "isBound",
    "cardBindRuleId",
    "cardOwnerBlazeId",
    "cardArtId",
    "cardInstanceId",
    "cornerImage",
    "condensedName",
    "cardState",
    "synergyList",
    "cardValue",
    "cardData",
    "depthChartRank",
    "description",
    "discardValue",
    "equipCard",
    "isExpired",
    "frontDescription",
    "isAuctionable",
    "isSynergyCardbackVisible",
    "isCollectable",
    "cardId",
    "isLimitedEdition",
    "isQuestCard",
    "isPowerupConsumable",
    "isUpgradable",
    "isTradeable",
    "isLocked",
    "isWildcardEligible",
    "isLightMode",
    "longDescription",
    "limitedEditionAvailable",
    "limitedEditionCount",
    "maxListingPrice",
    "mainImage",
    "minListingPrice",
    "firstName",
    "secondName",
    "passivePlayerAbilities",
    "program",
    "teamRatingDataList",
    "revealVideo",
    "slotAbilityIdList",
    "sequenceNumber",
    "stars",
    "staticCardData",
    "tier",
    "teamId",
    "type",
    "uIDataList",
    "upgradeTierId",
];
