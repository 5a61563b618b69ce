//! What the members of a card are for.
//!
//! Invariant: decided by a member's name and place alone, once per shape and not once per card.

use std::collections::{BTreeMap, HashSet};

/// What of cards differs by game year: data of the profile.
#[derive(Clone, Debug, Default)]
pub struct CardRules {
    /// Members of the physical copy: no part of the definition.
    pub per_copy: HashSet<String>,
    /// Names of position numbers.
    pub positions: BTreeMap<i64, String>,
}

/// Where a member stands, as far as that matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Where nothing has a role.
    #[default]
    Elsewhere,
    /// In the card itself.
    Card,
    /// In `program`.
    Program,
    /// In `cardData`.
    Data,
    /// In `cardData.value`.
    Player,
}

/// Values that columns are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    CardId,
    FirstName,
    SecondName,
    CondensedName,
    Position,
    Overall,
    Tier,
    ProgramId,
    ProgramName,
    TeamId,
    Kind,
    DiscardValue,
    DiscardCurrency,
}

/// All facts: where each stands, and its name.
pub(crate) const FACTS: [(Fact, Scope, &str); 13] = [
    (Fact::CardId, Scope::Card, "cardId"),
    (Fact::FirstName, Scope::Card, "firstName"),
    (Fact::SecondName, Scope::Card, "secondName"),
    (Fact::CondensedName, Scope::Card, "condensedName"),
    (Fact::Position, Scope::Player, "position"),
    (Fact::Overall, Scope::Player, "overallRating"),
    (Fact::Tier, Scope::Card, "tier"),
    (Fact::ProgramId, Scope::Program, "programId"),
    (Fact::ProgramName, Scope::Program, "programName"),
    (Fact::TeamId, Scope::Card, "teamId"),
    (Fact::Kind, Scope::Card, "type"),
    (Fact::DiscardValue, Scope::Card, "discardValue"),
    (Fact::DiscardCurrency, Scope::Card, "discardBankCurrencyId"),
];

impl Fact {
    /// Its path, as drift reports it.
    pub(crate) fn path(self) -> String {
        let (_, scope, name) = FACTS[self as usize];
        let scope = match scope {
            Scope::Program => "program.",
            Scope::Data => "cardData.",
            Scope::Player => "cardData.value.",
            Scope::Card | Scope::Elsewhere => "",
        };
        format!("card.{scope}{name}")
    }
}

/// Which part of a card a member of it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Part {
    /// The definition.
    #[default]
    Definition,
    /// `staticCardData`, which is part of the definition where it differs from `cardData`.
    Twin,
    /// The physical copy, by index in [`Roles`].
    Copy(u32),
}

/// What one member is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Role {
    /// The column that is made of its value.
    pub(crate) fact: Option<Fact>,
    /// What its own members are in.
    pub(crate) inside: Scope,
    /// For members of the card itself.
    pub(crate) part: Part,
    /// Its index in [`CARD_MEMBERS`].
    pub(crate) known: Option<u8>,
}

/// The names of members with a role.
#[derive(Debug)]
pub(crate) struct Roles {
    /// Members of the physical copy; the first two are read.
    copy: Vec<String>,
}

pub(crate) const INSTANCE_ID: &str = "cardInstanceId";
pub(crate) const ACQUIRED_AT: &str = "acquisitionTimestamp";

impl Role {
    pub(crate) fn in_scope(inside: Scope) -> Self {
        Self { inside, ..Self::default() }
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self::new(&CardRules::default())
    }
}

impl Roles {
    pub(crate) fn new(rules: &CardRules) -> Self {
        let read = [INSTANCE_ID, ACQUIRED_AT];
        let others = rules.per_copy.iter().filter(|name| !read.contains(&name.as_str()));
        Self { copy: read.map(str::to_owned).into_iter().chain(others.cloned()).collect() }
    }

    /// How many members of the physical copy there can be.
    pub(crate) fn copies(&self) -> usize {
        self.copy.len()
    }

    /// The role of the member `name` in `scope`.
    pub(crate) fn of(&self, scope: Scope, name: &str) -> Role {
        if scope == Scope::Elsewhere {
            return Role::default();
        }
        let fact = FACTS.iter().find(|fact| fact.1 == scope && fact.2 == name).map(|fact| fact.0);
        let inside = match (scope, name) {
            (Scope::Card, "cardData") => Scope::Data,
            (Scope::Card, "program") => Scope::Program,
            (Scope::Data, "value") => Scope::Player,
            _ => Scope::Elsewhere,
        };
        let mut role = Role { fact, inside, ..Role::default() };
        if scope == Scope::Card {
            let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let known = CARD_MEMBERS.iter().position(|member| *member == name);
            role.known = known.and_then(|at| u8::try_from(at).ok());
            role.part = match self.copy.iter().position(|member| member == name) {
                Some(at) => Part::Copy(index(at)),
                None if name == "staticCardData" => Part::Twin,
                None => Part::Definition,
            };
        }
        role
    }
}

/// Members that every known card has; others, and missing ones, are drift. Not more than 64: those of
/// one card are a set of bits.
pub(crate) const CARD_MEMBERS: [&str; 63] = [
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
