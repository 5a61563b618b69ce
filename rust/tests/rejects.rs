//! What cannot be stored costs itself alone: each fault of an item at each place of a page, and the
//! byte range that says where it stood.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use std::collections::BTreeSet;

use m26::error::Reason::{self, *};
use pages::{Members, NOW, auction, card, ids, object, page, plus, read, rejects, with, without};

type Case = (Reason, Vec<u8>);

fn edited(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    object(&with(auction(2), name, value))
}

fn of_card(card: &Members) -> Vec<u8> {
    edited("card", object(card))
}

/// An auction with what is no JSON in each kind of place: an unknown member, a member of the card's
/// definition, one of the copy, deep inside.
fn everywhere(value: impl AsRef<[u8]>) -> [Vec<u8>; 4] {
    let value = value.as_ref();
    let nested = [b"{\"tdfid\":1,\"value\":{\"list\":[1,", value, b"]}}"].concat();
    [
        object(&plus(auction(2), "novelty", value)),
        of_card(&with(card(2), "firstName", value)),
        of_card(&with(card(2), "cardState", value)),
        of_card(&with(card(2), "cardData", nested)),
    ]
}

/// The same for the characters of a string, which may be a key too.
fn in_strings(text: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
    let text = text.as_ref();
    let mut items = everywhere([b"\"a", text, b"b\""].concat()).to_vec();
    items.push(edited("auctionStatus", [b"\"", text, b"\""].concat()));
    items.push(object(&plus(auction(2), text, "1")));
    items.push(of_card(&plus(card(2), text, "1")));
    items
}

/// An auction in which the first `from` stands no longer, but `to`.
fn replaced(from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(object(&auction(2))).unwrap().replacen(from, to, 1).into_bytes()
}

fn wrong_values() -> Vec<Case> {
    let mut cases = vec![
        (WrongType, edited("auctionId", "57827505.0")),
        (WrongType, edited("auctionId", "5e7")),
        (WrongType, edited("auctionId", "\"2\"")),
        (WrongType, edited("buyoutPrice", "true")),
        (WrongType, edited("currentBid", "\"100\"")),
        (WrongType, edited("buyoutPrice", "5000.0")),
        (WrongType, edited("nextBid", "1e400")),
        (WrongType, edited("auctionStatus", "1")),
        (WrongType, edited("card", "[]")),
        (WrongType, of_card(&with(card(2), "cardId", "2.0"))),
        (WrongType, of_card(&with(card(2), "cardId", "null"))),
        (WrongType, of_card(&with(card(2), "cardId", "\"2\""))),
        (OutOfRange, edited("auctionId", "0")),
        (OutOfRange, edited("auctionId", "-5")),
        (OutOfRange, edited("nextBid", "-1")),
        (OutOfRange, edited("numberOfBids", "2147483648")),
        (OutOfRange, edited("postingTime", format!("{NOW}000000"))), // microseconds
        (OutOfRange, edited("postingTime", "0")),
        (OutOfRange, edited("secondsRemaining", "31622401")),
        (OutOfRange, edited("auctionStatus", "\"\"")),
        (OutOfRange, edited("auctionStatus", "\"AUCTIONSTATUS_\"")),
        (OutOfRange, edited("auctionStatus", format!("\"{}\"", "x".repeat(65)))),
        (OutOfRange, of_card(&with(card(2), "cardId", "0"))),
        (OutOfRange, of_card(&with(card(2), "cardId", "-13522975"))),
        (Missing, edited("card", "{}")),
        (NotAnObject, b"null".to_vec()),
        (NotAnObject, b"[]".to_vec()),
        (NotAnObject, b"nul".to_vec()),
        (NotAnObject, b"\"}\"".to_vec()),
        (NotAnObject, b"-1.5e3".to_vec()),
    ];
    for name in ["auctionId", "currentBid", "nextBid", "numberOfBids", "postingTime"] {
        cases.push((Missing, edited(name, "null")));
        cases.push((Missing, object(&without(auction(2), name))));
    }
    for name in ["secondsRemaining", "auctionStatus", "card"] {
        cases.push((Missing, edited(name, "null")));
        cases.push((Missing, object(&without(auction(2), name))));
    }
    cases
}

fn duplicate_keys() -> Vec<Case> {
    let both = |members: Members, first: &str, second: &str| {
        plus(with(members, first, "null"), second, "null")
    };
    [
        object(&both(auction(2), "auctionId", "auctionId")),
        object(&both(auction(2), "auctionId", r"\u0061uctionId")),
        object(&both(auction(2), "card", "card")),
        object(&both(auction(2), "auctionStatus", "auctionStatus")),
        object(&both(auction(2), "buyoutPrice", "buyoutPrice")),
        of_card(&both(card(2), "cardId", r"card\u0049d")),
    ]
    .map(|item| (DuplicateKey, item))
    .into()
}

fn wrong_numbers() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in ["9223372036854775808", "18446744073709551616", "-9223372036854775809"] {
        for name in ["auctionId", "currentBid", "secondsRemaining"] {
            cases.push((NumberRange, edited(name, number)));
        }
        cases.push((NumberRange, of_card(&with(card(2), "cardId", number))));
    }
    cases
}

fn wrong_strings() -> Vec<Case> {
    let status = |text| edited("auctionStatus", format!("\"ACTIVE{text}\""));
    let mut cases = vec![(Nul, status(r"\u0000")), (Nul, status(r"x\u0000y"))];
    for text in [r"\ud800", r"\uDC00", r"\udc00\ud800", r"\ud800\ud800", r"\ud83dx", r"\udbff\n"] {
        cases.push((LoneSurrogate, status(text)));
    }
    for text in [
        &b"\xed\xa0\xbd\xed\xb8\x80"[..], // CESU-8
        b"\xc0\xaf",                      // overlong
        b"\xe0\x80\xaf",
        b"\xe2\x82", // cut
        b"\xf0\x9f\x98",
        b"\x80",
        b"\xff\xfe",
        b"\xf4\x90\x80\x80", // above U+10FFFF
    ] {
        cases.extend(in_strings(text).into_iter().map(|item| (BadUtf8, item)));
    }
    cases
}

fn wrong_grammar() -> Vec<Case> {
    let mut cases = vec![
        (Malformed, replaced(r#","currentBid""#, r#""currentBid""#)),
        (Malformed, replaced(r#""currentBid":"#, r#""currentBid","#)),
        (Malformed, replaced(r#""currentBid""#, "currentBid")),
        (Malformed, replaced("{", "{,")),
        (Malformed, b"NaN".to_vec()),
    ];
    for broken in [
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "tru",
        "True",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "-",
        "0x10",
        "'a'",
        "",
        "[1,]",
        "[,1]",
        "[1 2]",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        r#"{"a":}"#,
        "{a:1}",
        "{1:1}",
        "/**/1",
        r#""\x""#,
        r#""\u12g4""#,
        r#""\u 123""#,
        r#""a" "b""#,
        "1 2",
    ] {
        cases.extend(everywhere(broken).map(|item| (Malformed, item)));
    }
    cases
}

fn item_faults() -> Vec<Case> {
    [wrong_values(), duplicate_keys(), wrong_numbers(), wrong_strings(), wrong_grammar()].concat()
}

#[test]
fn an_unusable_item_costs_itself_alone_wherever_it_stands() {
    for (number, (reason, item)) in item_faults().into_iter().enumerate() {
        for place in 0..3 {
            let mut items = vec![object(&auction(11)), object(&auction(13))];
            items.insert(place, item.clone());
            let body = page(&items);
            let batch = read(&body);
            let shown = String::from_utf8_lossy(&item[..item.len().min(600)]);
            let expected = [(Some(place), reason.code(), &item[..])];
            assert_eq!(rejects(&batch, &body), expected, "case {number} at {place}: {shown}");
            assert_eq!(ids(&batch), [11, 13], "case {number} at {place}: {shown}");
            for row in &batch.rows {
                let bytes = &body[row.from as usize..row.to as usize];
                assert_eq!(bytes, &items[usize::try_from(row.item).unwrap()]);
            }
        }
    }
}

#[test]
fn white_space_around_an_item_is_no_part_of_it() {
    for item in ["null", "1.5", "tru", "{\"auctionId\":true}"] {
        let body = page(&[object(&auction(1)), format!(" \t{item}\r\n ").into_bytes()]);
        let batch = read(&body);
        assert_eq!(rejects(&batch, &body)[0].2, item.as_bytes());
        assert_eq!(ids(&batch), [1]);
    }
}

#[test]
fn every_reason_of_items_is_provoked_above() {
    // A new reason stops this match: give it a case here or in `broken_pages.rs` first.
    let of_items = |reason: Reason| match reason {
        Empty | NotJson | UnknownShape | StaleMarket | NoTime | TooMany | ControlByte
        | TooLarge | TooDeep | CardMended => false,
        Malformed | BadUtf8 | LoneSurrogate | Nul | NumberRange | DuplicateKey | NotAnObject
        | Missing | WrongType | OutOfRange => true,
    };
    let cases = item_faults();
    assert!(cases.iter().all(|(reason, _)| of_items(*reason)));
    let codes: BTreeSet<_> = cases.iter().map(|(reason, _)| reason.code()).collect();
    assert_eq!(codes.len(), 10);
}

#[test]
fn rejects_stand_in_the_order_of_their_items() {
    let body = page(&[edited("currentBid", "-1"), b"null".to_vec(), edited("nextBid", "-1")]);
    let items: Vec<_> = read(&body).rejects.iter().map(|reject| reject.item).collect();
    assert_eq!(items, [Some(0), Some(1), Some(2)]);
}

#[test]
fn a_reject_says_what_and_where() {
    let body = page(&[edited("buyoutPrice", "true"), edited("currentBid", "-1")]);
    let batch = read(&body);
    let at = |text: &str| body.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
    let texts: Vec<_> = batch.rejects.iter().map(|r| r.fault.to_string()).collect();
    let first = format!("buyoutPrice: a field of the wrong type (byte {})", at("true,"));
    assert_eq!(texts[0], first);
    assert!(texts[1].starts_with("currentBid: a value outside its possible range (byte "));
}
