//! Replies in the gateway's form, built from raw member texts so that anything can be wrong in them.

#![allow(dead_code, clippy::missing_panics_doc)] // each test binary uses its part of this module

use m26::batch::{Batch, Normalizer, Page};
use m26::card::role::CardRules;
use m26::clock::Given;

/// Server time of the replies, seconds.
pub const NOW: i64 = 1_790_000_000;

/// Members of an object: name without quotes, value as raw JSON; both may be anything.
pub type Members = Vec<(Vec<u8>, Vec<u8>)>;

/// The per-copy members of the profiles.
pub const PER_COPY: [&str; 12] = [
    "activeCapBlazeId",
    "acquisitionDescription",
    "acquisitionMethod",
    "acquisitionTimestamp",
    "acquisitionDateString",
    "cardBindMessage",
    "isBound",
    "cardBindRuleId",
    "cardOwnerBlazeId",
    "cardInstanceId",
    "cardState",
    "limitedEditionCount",
];

fn members(texts: &[(&str, &str)]) -> Members {
    texts
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// A card: what rows are made of, every per-copy member, both attribute blocks, some odd values.
pub fn card(id: i64) -> Members {
    const DATA: &str = concat!(
        r#"{"tdfid":774456682,"tdfclass":"Blaze::Mut::PlayerCardData","value":"#,
        r#"{"overallRating":82,"position":14,"speed":-31,"weight":1.5}}"#
    );
    let mut card = members(&[
        ("activeCapBlazeId", "0"),
        ("acquisitionDescription", r#""pack""#),
        ("acquisitionMethod", "1"),
        ("acquisitionTimestamp", "1789990000000000"),
        ("minListingPrice", "0"),
        ("acquisitionDateString", r#""08/15/2026""#),
        ("cardBindMessage", r#""""#),
        ("isBound", "false"),
        ("cardBindRuleId", "0"),
        ("cardOwnerBlazeId", "0"),
        ("cardInstanceId", "4133423131"),
        ("cardState", "2"),
        ("limitedEditionCount", "0"),
        ("maxListingPrice", "0"),
        ("cardData", DATA),
        ("firstName", r#""Drew""#),
        ("secondName", r#""Sanders""#),
        ("program", r#"{"programId":135,"programName":"Team Builders"}"#),
        ("tier", "4"),
        ("teamId", "4"),
        ("type", r#""CARDTYPE_PLAYER""#),
        ("discardValue", "270"),
        ("discardBankCurrencyId", "4"),
        ("uIDataList", r#"[{"label":"SPD","value":" "},[true,false,null]]"#),
        ("staticCardData", DATA),
    ]);
    card.insert(5, (b"cardId".to_vec(), id.to_string().into_bytes()));
    card
}

/// An auction of [`card`] 13522975 by this id.
pub fn auction(id: i64) -> Members {
    let auction = members(&[
        ("auctionId", &id.to_string()),
        ("buyoutPrice", "5000"),
        ("buyerId", "1"),
        ("card", ""),
        ("currentBid", "100"),
        ("secondsRemaining", "3600"),
        ("medianAuctionPrice", "2000"),
        ("maxListingPrice", "20000"),
        ("minListingPrice", "100"),
        ("nextBid", "100"),
        ("numberOfBids", "0"),
        ("postingTime", &(NOW - 8_000).to_string()),
        ("sellerId", "1"),
        ("auctionStatus", r#""AUCTIONSTATUS_ACTIVE""#),
    ]);
    with(auction, "card", object(&card(13_522_975)))
}

/// The same members, `name` set to the raw text `value`, or added at the end.
#[must_use]
pub fn with(mut members: Members, name: &str, value: impl AsRef<[u8]>) -> Members {
    let value = value.as_ref().to_vec();
    match members.iter_mut().find(|(known, _)| known == name.as_bytes()) {
        Some(member) => member.1 = value,
        None => members.push((name.as_bytes().to_vec(), value)),
    }
    members
}

/// The same members and one more, whether the name is there already or not.
#[must_use]
pub fn plus(mut members: Members, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Members {
    members.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    members
}

/// The members but `name`.
#[must_use]
pub fn without(mut members: Members, name: &str) -> Members {
    members.retain(|(known, _)| known != name.as_bytes());
    members
}

/// The object, compact.
#[must_use]
pub fn object(members: &Members) -> Vec<u8> {
    let texts: Vec<_> =
        members.iter().map(|(name, value)| [b"\"", &name[..], b"\":", value].concat()).collect();
    [b"{", &texts.join(&b","[..])[..], b"}"].concat()
}

/// The object with white space wherever the grammar allows it.
#[must_use]
pub fn spaced(members: &Members) -> Vec<u8> {
    let space = &b" \t\r\n"[..];
    let texts: Vec<_> = members
        .iter()
        .map(|(name, value)| [space, b"\"", name, b"\"", space, b":", space, value, space].concat())
        .collect();
    [b"{", &texts.join(&b","[..])[..], b"}", space].concat()
}

/// A search reply whose list is the raw text `list` and whose responseData holds `data` too.
#[must_use]
pub fn reply(list: &[u8], data: &str) -> Vec<u8> {
    let head = concat!(
        r#"{"responseInfo":{"tdfid":2615288587,"tdfclass":"#,
        r#""Blaze::Mut::Mobile_SearchAuctionsResponse","value":{"details":["#
    );
    let tail = format!(
        r#"],"responseData":{{"cacheTime":1,"captchaGuid":"","uiErrorCode":0,"message":""{data}}},"truncated":false}}}}}}"#
    );
    [head.as_bytes(), list, tail.as_bytes()].concat()
}

/// A search reply of these items, served at [`NOW`].
#[must_use]
pub fn page(items: &[Vec<u8>]) -> Vec<u8> {
    reply(&items.join(&b","[..]), &format!(r#","responseTime":{NOW}000000"#))
}

/// A reader with the profiles' rules.
#[must_use]
pub fn reader() -> Normalizer {
    Normalizer::new(CardRules {
        per_copy: PER_COPY.map(str::to_owned).into(),
        positions: [(14, "MLB".to_owned())].into(),
    })
}

/// What `reader` makes of one page.
pub fn read_with(reader: &mut Normalizer, body: &[u8]) -> Batch {
    let times = Given::default();
    reader.normalize(&[Page { body, platform: "ps5", fetched_at: 0, times }])
}

/// What a new reader makes of one page.
#[must_use]
pub fn read(body: &[u8]) -> Batch {
    read_with(&mut reader(), body)
}

/// The ids of the rows, in order.
#[must_use]
pub fn ids(batch: &Batch) -> Vec<i64> {
    batch.rows.iter().map(|row| row.auction_id).collect()
}

/// (item, reason code, bytes) of each reject.
#[must_use]
pub fn rejects<'a>(batch: &Batch, body: &'a [u8]) -> Vec<(Option<usize>, &'static str, &'a [u8])> {
    batch.rejects.iter().map(|r| (r.item, r.fault.reason.code(), &body[r.from..r.to])).collect()
}
