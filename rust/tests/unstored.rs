//! What stands where nobody looks costs nothing, whatever JSON it is: the same rows, no reject.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use m26::batch::{Batch, Page};
use m26::clock::Given;
use m26::reply::peek::peek;
use m26::rows::record::AuctionRow;
use pages::{
    Members, NOW, auction, card, object, page, plus, read, read_with, reader, rejects, reply, with,
};

/// Legal JSON that cannot be stored, or that nobody expects.
fn odd_values() -> Vec<String> {
    let deep = |levels: usize| format!("{}1{}", "[{\"a\":".repeat(levels), "}]".repeat(levels));
    let mut values: Vec<_> = [
        r#""\u0000""#,
        r#""x\u0000y\ud83d""#,
        r#""\udc00\ud800""#,
        r#"{"\u0000":{"\ud800":1}}"#,
        r#"{"a":1,"\u0061":{"b":1,"b":2}}"#,
        "1e400",
        "-1E+400",
        "1e-20000",
        "0e99999999999",
        "0.1e-999",
        "-0",
        "1.5",
        "9223372036854775808",
        "18446744073709551615",
        "99999999999999999999",
        "-9223372036854775809",
        "true",
        "null",
        "\"x\"",
        "[]",
        "{}",
    ]
    .map(str::to_owned)
    .into();
    let digits = "9".repeat(10_000);
    values.extend([digits.clone(), format!("0.{digits}"), format!("\"{digits}\"")]);
    values.extend([deep(40), deep(20_000)]);
    values
}

/// Names that no member has: some that a column could not hold.
const NAMES: [&str; 5] = ["novelty", "", r"\u0000", r"\ud800", r"a\u0000\udfffb"];

/// A row but for its place in bytes.
fn values(row: &AuctionRow) -> AuctionRow {
    AuctionRow { from: 0, to: 0, ..row.clone() }
}

fn rows(batch: &Batch) -> Vec<AuctionRow> {
    batch.rows.iter().map(values).collect()
}

/// Read a page by a reader that knows no card, and by one that knows the usual one, after which the
/// card's versions are committed.
fn both(body: &[u8]) -> Batch {
    let mut warm = reader();
    read_with(&mut warm, &page(&[object(&auction(1))]));
    let (cold, known) = (read(body), read_with(&mut warm, body));
    assert_eq!(known.rows, cold.rows);
    assert_eq!(known.rejects, cold.rejects);
    assert_eq!(known.cards(), cold.cards());
    let found = peek(body);
    let shown = String::from_utf8_lossy(&body[..body.len().min(400)]);
    assert_eq!((found.kind, found.count), ("search", cold.rows.len()), "{shown}");
    warm.known().confirm(&known.new_cards);
    let again = read_with(&mut warm, body);
    assert!(again.new_cards.is_empty() && again.rejects.is_empty() && again.rows == cold.rows);
    cold
}

/// Every place in a page where the text of a member may be added to those that are there.
fn of_the_envelope(member: &str) -> Vec<Vec<u8>> {
    let text = String::from_utf8(page(&[object(&auction(2))])).unwrap();
    ["{\"responseInfo\"", "\"tdfid\"", "\"details\"", "\"truncated\"", "\"cacheTime\""]
        .map(|before| {
            let at = text.find(before).unwrap() + usize::from(before.starts_with('{'));
            format!("{}{member},{}", &text[..at], &text[at..]).into_bytes()
        })
        .into()
}

/// A page in which this member of the envelope has this value.
fn in_the_envelope(name: &str, value: &str) -> Vec<u8> {
    let text = String::from_utf8(page(&[object(&auction(2))])).unwrap();
    let key = format!("\"{name}\":");
    let found = if name.starts_with("tdf") { text.find(&key) } else { text.rfind(&key) };
    let Some(at) = found.map(|at| at + key.len()) else {
        return text.replacen("\"cacheTime\"", &format!("{key}{value},\"cacheTime\""), 1).into();
    };
    let end = at + text[at..].find([',', '}']).unwrap();
    [&text[..at], value, &text[end..]].concat().into_bytes()
}

fn of_card(card: &Members) -> Vec<u8> {
    object(&with(auction(2), "card", object(card)))
}

#[test]
fn a_member_of_the_envelope_that_nobody_stores_costs_nothing() {
    let plain = rows(&read(&page(&[object(&auction(2))])));
    for value in odd_values() {
        for name in NAMES {
            for body in of_the_envelope(&format!("\"{name}\":{value}")) {
                let batch = both(&body);
                assert_eq!(rows(&batch), plain, "{name}: {value:.99}");
                assert_eq!(batch.rejects, [], "{name}: {value:.99}");
                let noted = |(_, kind, ..): (&str, m26::drift::DriftKind, u64, &str)| {
                    kind.code() == "new_field"
                };
                assert!(batch.drift.iter().any(noted), "{name}: {value:.99}");
            }
        }
        for name in ["tdfid", "tdfclass", "cacheTime", "messageTitle", "message", "truncated"] {
            let batch = both(&in_the_envelope(name, &value));
            assert_eq!(rows(&batch), plain, "{name}: {value:.99}");
            assert_eq!(batch.rejects, [], "{name}: {value:.99}");
        }
    }
}

#[test]
fn a_member_of_the_envelope_may_be_there_twice() {
    let plain = rows(&read(&page(&[object(&auction(2))])));
    for name in ["novelty", "tdfid", "tdfclass", "truncated", "cacheTime", "message", "success"] {
        for body in of_the_envelope(&format!("\"{name}\":null,\"{name}\":null")) {
            assert_eq!(rows(&both(&body)), plain, "{name}");
        }
    }
    let body =
        |data: &str| reply(&object(&auction(2)), &format!(",\"responseTime\":{NOW}000000{data}"));
    assert_eq!(
        peek(&body(r#","captchaUrl":"u","captchaUrl":"""#)).envelope.captcha_url.unwrap(),
        "u"
    );
    assert_eq!(peek(&body(r#","uiErrorCode":2,"uiErrorCode":0"#)).envelope.ui_error_code, Some(2));
    assert_eq!(peek(&body(r#","uiErrorCode":0"#)).envelope.ui_error_code, Some(0));
    let twice = [b"{\"success\":false,\"success\":true,", &page(&[])[1..]].concat();
    assert_eq!(peek(&twice).kind, "error");
}

#[test]
fn a_response_time_that_is_none_is_absent_and_noted() {
    let item = object(&auction(2));
    for time in odd_values().iter().map(String::as_str).chain(["0", "-1", "1790000000"]) {
        let body = reply(&item, &format!(",\"responseTime\":{time}"));
        assert_eq!(peek(&body).envelope.response_time, None, "{time:.99}");
        let page = Page {
            body: &body,
            platform: "ps5",
            fetched_at: NOW * 1_000_000,
            times: Given::default(),
        };
        let batch = reader().normalize(&[page]);
        assert_eq!((batch.rows.len(), batch.rejects.len()), (1, 0), "{time:.99}");
        assert_eq!(batch.rows[0].observed_at, NOW * 1_000_000);
        let noted =
            |path: &str, kind: &str| (path, kind) == ("responseData.responseTime", "unusable");
        assert!(batch.drift.iter().any(|(path, kind, ..)| noted(path, kind.code())), "{time:.99}");
    }
}

#[test]
fn a_member_of_an_auction_that_nobody_stores_costs_nothing() {
    let plain = rows(&read(&page(&[object(&auction(2))])));
    for value in odd_values() {
        let mut items: Vec<_> = NAMES.map(|name| object(&plus(auction(2), name, &value))).into();
        let mut first = auction(2);
        first.insert(0, (b"novelty".to_vec(), value.clone().into_bytes()));
        items.push(object(&first));
        items.push(object(&plus(plus(auction(2), "novelty", &value), r"novelt\u0079", &value)));
        for name in ["sellerId", "buyerId"] {
            items.push(object(&with(auction(2), name, &value)));
            items.push(object(&plus(auction(2), name, &value)));
        }
        for name in ["cardState", "isBound", "acquisitionDescription", "cardOwnerBlazeId"] {
            items.push(of_card(&with(card(13_522_975), name, &value)));
            items.push(of_card(&plus(card(13_522_975), name, &value)));
        }
        for item in items {
            let batch = both(&page(std::slice::from_ref(&item)));
            let shown = String::from_utf8_lossy(&item[..item.len().min(300)]);
            assert_eq!(batch.rejects, [], "{value:.99} in {shown}");
            assert_eq!(rows(&batch), plain, "{value:.99} in {shown}");
        }
    }
}

#[test]
fn what_a_row_can_be_without_is_null_where_it_is_odd() {
    let plain = rows(&read(&page(&[object(&auction(2))]))).remove(0);
    for value in odd_values() {
        if value == "-0" {
            continue; // a zero
        }
        let read = |item: Vec<u8>, path: &str| {
            let mut batch = both(&page(&[item]));
            assert_eq!(batch.rejects, [], "{path}: {value:.99}");
            let noted =
                batch.drift.iter().any(|(at, kind, ..)| (at, kind.code()) == (path, "unusable"));
            assert!(noted || value == "null", "{path}: {value:.99}");
            values(&batch.rows.remove(0))
        };
        let of =
            |name: &str| read(object(&with(auction(2), name, &value)), &format!("auction.{name}"));
        let without = plain.clone();
        assert_eq!(of("medianAuctionPrice"), AuctionRow { median_price: None, ..without.clone() });
        assert_eq!(of("minListingPrice"), AuctionRow { min_price: None, ..without.clone() });
        assert_eq!(of("maxListingPrice"), AuctionRow { max_price: None, ..without.clone() });
        let of = |name: &str| {
            let card = with(card(13_522_975), name, &value);
            read(of_card(&card), &format!("card.{name}"))
        };
        assert_eq!(of("cardInstanceId"), AuctionRow { card_instance_id: None, ..without.clone() });
        assert_eq!(of("acquisitionTimestamp"), AuctionRow { acquired_at: None, ..without });
    }
    let price = |value: &str| read(&page(&[object(&with(auction(2), "buyoutPrice", value))]));
    for none in ["18446744073709551615", "9223372036854775808", "-1"] {
        assert_eq!(price(none).rows[0].buyout_price, None, "no such price, so there is none");
    }
    let twice = both(&page(&[object(&plus(auction(2), "medianAuctionPrice", "7"))]));
    assert_eq!(twice.rows[0].median_price, Some(7), "the last one, as in jsonb");
    let twice = of_card(&plus(card(13_522_975), "cardInstanceId", "7"));
    assert_eq!(both(&page(&[twice])).rows[0].card_instance_id, Some(7));
}

/// What the definition has in place of an odd value; None where it has the value itself.
fn mended(value: &str) -> Option<&'static str> {
    match value {
        r#""\u0000""# => Some("\"\u{fffd}\""),
        r#""x\u0000y\ud83d""# => Some("\"x\u{fffd}y\u{fffd}\""),
        r#""\udc00\ud800""# => Some("\"\u{fffd}\u{fffd}\""),
        r#"{"\u0000":{"\ud800":1}}"# => Some("{\"\u{fffd}\":{\"\u{fffd}\":1}}"),
        r#"{"a":1,"\u0061":{"b":1,"b":2}}"# => Some(r#"{"a":{"b":2}}"#),
        "1e-20000" => Some("\"1e-20000\""),
        "0e99999999999" => Some("\"0e99999999999\""),
        "0.1e-999" => Some("\"0.1e-999\""),
        _ => None,
    }
}

#[test]
fn a_definition_that_cannot_be_stored_costs_what_cannot_and_not_the_auction() {
    let plain = rows(&read(&page(&[object(&auction(2))]))).remove(0);
    for value in odd_values() {
        let nested = format!("{{\"value\":{{\"overallRating\":82,\"x\":{value}}}}}");
        for (name, text) in [("novelty", &value), ("description", &value), ("cardData", &nested)] {
            let item = of_card(&with(card(13_522_975), name, text));
            let body = page(&[object(&auction(11)), item.clone(), object(&auction(13))]);
            let batch = both(&body);
            assert_eq!(batch.rows.len(), 3, "{name}: {value:.99}");
            let seen = values(&batch.rows[1]);
            let version = seen.card_version;
            assert_ne!(version, plain.card_version);
            assert_eq!(seen, AuctionRow { card_version: version, item: 1, ..plain.clone() });
            let new = &batch.new_cards[1].card;
            assert_eq!((new.version, new.overall), (version, Some(82)));
            assert_eq!(new.name.as_deref(), Some("Drew Sanders"));
            let attributes = String::from_utf8(new.attributes.clone()).unwrap();
            let long = value.len() > 1_000;
            let deep = value.starts_with("[{");
            let replaced = mended(&value).is_some() || deep || long && !value.starts_with('"');
            if let Some(mended) = mended(&value) {
                assert!(attributes.contains(&format!(":{mended}")), "{attributes}");
            } else if !long && !deep {
                let same = if value == "-0" { "0" } else { &value };
                assert!(attributes.contains(&format!(":{same}")), "{attributes}");
            }
            let kept: &[_] = &[(Some(1), "card_mended", &item[..])];
            assert_eq!(rejects(&batch, &body), if replaced { kept } else { &[] }, "{value:.99}");
            let path = format!("card.{name}");
            let noted =
                batch.drift.iter().any(|(at, kind, ..)| (at, kind.code()) == (&path, "unusable"));
            assert_eq!(noted, replaced, "{name}: {value:.99}");
        }
    }
}

#[test]
fn a_definition_of_any_depth_and_length_costs_no_auction() {
    let deep = format!("[{}1{}]", "[".repeat(70), "]".repeat(70));
    let zeros = format!("[{}0]", "0,".repeat(2 << 20));
    let text = format!("\"{}\"", "x".repeat(2 << 20));
    let mut flooded: Members =
        (0..100_000).map(|n| (format!("f{n}").into_bytes(), b"\"0123456789\"".to_vec())).collect();
    flooded.extend(card(13_522_975));
    let mut first = card(13_522_975);
    first.insert(0, (b"longDescription".to_vec(), text.clone().into_bytes()));
    let mut novel = card(13_522_975);
    novel.insert(0, (b"novelty".to_vec(), zeros.clone().into_bytes()));
    let mut odd = first.clone();
    odd.insert(0, (b"novelty".to_vec(), b"\"\\u0000\"".to_vec()));
    for (number, members) in [
        with(card(13_522_975), "uIDataList", &deep),
        with(card(13_522_975), "uIDataList", &zeros),
        first,
        novel,
        odd,
        flooded,
    ]
    .iter()
    .enumerate()
    {
        let body = page(&[of_card(members), object(&auction(13))]);
        let batch = both(&body);
        assert_eq!(batch.rows.len(), 2, "case {number}");
        let codes: Vec<_> = rejects(&batch, &body).iter().map(|(_, code, _)| *code).collect();
        assert_eq!(codes, ["card_mended"], "case {number}");
        let new = &batch.new_cards[0].card;
        assert_eq!((new.overall, new.tier, new.team_id), (Some(82), Some(4), Some(4)));
        assert!(new.attributes.len() <= 2 << 20, "case {number}");
    }
    let of_the_copy = of_card(&with(card(13_522_975), "acquisitionDescription", &zeros));
    assert_eq!(both(&page(&[of_the_copy])).rejects, [], "the copy's are no part of a definition");
}

#[test]
fn a_name_that_cannot_be_stored_is_a_name_with_a_gap() {
    let odd = with(card(13_522_975), "firstName", r#""Dr\u0000ew\ud83d""#);
    let batch = both(&page(&[of_card(&odd)]));
    let stored = &batch.new_cards[0].card;
    assert_eq!(stored.name.as_deref(), Some("Dr\u{fffd}ew\u{fffd} Sanders"));
    let number = with(with(card(2), "discardValue", "18446744073709551615"), "tier", "1e400");
    let batch = both(&page(&[of_card(&number)]));
    let stored = &batch.new_cards[0].card;
    assert_eq!((stored.discard_value, stored.tier), (None, None));
    let attributes = String::from_utf8(stored.attributes.clone()).unwrap();
    assert!(attributes.contains(r#""discardValue":18446744073709551615"#), "{attributes}");
    assert!(attributes.contains(r#""tier":1e400"#), "{attributes}");
}

#[test]
fn what_is_no_json_is_refused_wherever_it_stands() {
    for text in ["01", "nul", "\"\\x\"", "\"\\u12\"", "[1,]", "{\"a\":1,}", "1e", "{1:1}"] {
        for body in of_the_envelope(&format!("\"novelty\":{text}")) {
            assert_eq!(peek(&body).kind, "malformed", "{text}");
            assert_eq!(read(&body).rejects[0].fault.reason.code(), "malformed", "{text}");
        }
        let body = page(&[object(&plus(auction(2), "novelty", text)), object(&auction(3))]);
        assert_eq!(read(&body).rows.len(), 1, "{text}");
    }
}
