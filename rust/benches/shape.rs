//! Pages of the real size: cards of 63 members and some 12 KB, two attribute blocks of 146 fields.

#![allow(dead_code, clippy::unwrap_used)] // each benchmark uses its part; a bad number is a bug here

#[path = "../tests/pages/mod.rs"]
pub mod pages;

use std::fmt::Write;

use m26::batch::{Batch, Normalizer};
use pages::{auction, card, object, page, plus, read_with, with};

/// Auctions of a page.
pub const PER_PAGE: usize = 100;
const FIELDS: i64 = 146;
const LABELS: i64 = 53;
/// The members of real cards that the tests' small card leaves out, each with a usual value.
const OTHERS: [(&str, &str); 37] = [
    ("cardAssetType", r#""CARDASSETTYPE_DEFAULT""#),
    ("activePlayerAbility", "0"),
    ("activeSynergyBoostList", "[]"),
    ("medianListingPrice", "0"),
    ("basePostTradeFee", "0"),
    ("basePostAuctionFee", "0"),
    ("cardArtId", "0"),
    ("cornerImage", r#""""#),
    ("condensedName", r#""D. Sanders""#),
    ("synergyList", r#"[{"onCardCount":2,"synergyId":6040,"tierList":[{"id":6040},{"id":6041}]}]"#),
    ("cardValue", "49"),
    ("depthChartRank", "0"),
    ("description", r#""Run Stopper - MLB""#),
    ("equipCard", "false"),
    ("isExpired", "false"),
    ("frontDescription", r#""""#),
    ("isAuctionable", "true"),
    ("isSynergyCardbackVisible", "true"),
    ("isCollectable", "true"),
    ("isLimitedEdition", "false"),
    ("isQuestCard", "false"),
    ("isPowerupConsumable", "false"),
    ("isUpgradable", "false"),
    ("isTradeable", "true"),
    ("isLocked", "false"),
    ("isWildcardEligible", "false"),
    ("isLightMode", "false"),
    ("longDescription", r#""A linebacker who stops the run before it has begun.""#),
    ("limitedEditionAvailable", "0"),
    ("mainImage", r#""fbimage:22975:135""#),
    ("passivePlayerAbilities", "[]"),
    ("teamRatingDataList", r#"[{"rating":82,"teamId":4},{"rating":82,"teamId":31}]"#),
    ("revealVideo", r#""""#),
    ("slotAbilityIdList", "[]"),
    ("sequenceNumber", "0"),
    ("stars", "0"),
    ("upgradeTierId", "0"),
];

/// Cards `numbers`, as the definition alone decides: the copy's members are the same in all.
#[must_use]
pub fn deck(numbers: std::ops::Range<i64>) -> Vec<Vec<u8>> {
    numbers.map(definition).collect()
}

fn definition(number: i64) -> Vec<u8> {
    let mut fields = String::new();
    for field in 0..FIELDS {
        let rating = 10 + (number * 31 + field * 7) % 90;
        write!(fields, r#","ratingOrTraitIsActive{field:03}":{rating}"#).unwrap();
    }
    let data = format!(
        r#"{{"tdfid":774456682,"tdfclass":"Blaze::Mut::PlayerCardData","value":{{"overallRating":82,"position":14{fields}}}}}"#
    );
    let labels: Vec<_> = (0..LABELS)
        .map(|label| {
            format!(r#"{{"label":"LABEL{label:02}","value":"{}"}}"#, (number + label) % 99)
        })
        .collect();
    let mut card = card(10_022_975 + number * 100_000);
    for (name, value) in OTHERS {
        card = plus(card, name, value);
    }
    card = with(card, "uIDataList", format!("[{}]", labels.join(",")));
    object(&with(with(card, "cardData", &data), "staticCardData", &data))
}

/// A page of auctions from `first` on, showing these cards.
#[must_use]
pub fn shown<'a>(cards: impl IntoIterator<Item = &'a Vec<u8>>, first: i64) -> Vec<u8> {
    let items: Vec<_> = (first..)
        .zip(cards)
        .map(|(id, card)| {
            let card = replaced(card, b"4133423131", format!("{}", 4_000_000_000 + id).as_bytes());
            object(&with(auction(id), "card", card))
        })
        .collect();
    page(&items)
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = text.windows(from.len()).position(|window| window == from).unwrap();
    [&text[..at], to, &text[at + from.len()..]].concat()
}

/// A reader that knows the cards of these pages.
#[must_use]
pub fn warm<'a>(pages: impl IntoIterator<Item = &'a Vec<u8>>) -> Normalizer {
    let mut reader = pages::reader();
    for page in pages {
        let batch = whole(read_with(&mut reader, page));
        reader.known().confirm(&batch.new_cards);
    }
    reader
}

/// The batch, of which nothing was rejected.
#[must_use]
pub fn whole(batch: Batch) -> Batch {
    assert_eq!(batch.rejects, []);
    batch
}
