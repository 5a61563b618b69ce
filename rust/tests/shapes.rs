//! Shapes of objects seen before make reading faster and change nothing: values, versions, faults.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use m26::card::canon::{Canon, MAX_SHAPE_BYTES};
use m26::error::Reason::{self, *};
use m26::json::parse::Cursor;
use pages::{Members, auction, card, object, page, read, read_with, reader, with};

fn canonical(canon: &mut Canon, text: &[u8]) -> Result<String, (Reason, usize)> {
    let mut cursor = Cursor::new(text, 0);
    let form = canon.read(&mut cursor, usize::MAX).and_then(|form| cursor.end().map(|()| form));
    form.map(|form| String::from_utf8(form).unwrap()).map_err(|fault| (fault.reason, fault.at))
}

fn of(card: &Members) -> Vec<u8> {
    page(&[object(&with(auction(2), "card", object(card)))])
}

#[test]
fn versions_are_those_that_databases_hold() {
    let batch = read(&of(&card(7)));
    assert_eq!(batch.rows[0].card_version, -7_632_976_341_930_010_425);
}

#[test]
fn a_key_twice_is_refused_at_every_level_and_in_every_spelling() {
    let mut warm = Canon::default();
    for (text, at) in [
        (r#"{"a":1,"a":1}"#, 0),
        (r#"{"a":1,"b":2,"\u0061":3}"#, 0),
        (r#"{"a":1, "a" :1}"#, 0),
        (r#"{"a":{"b":[{"c":1,"c":2}]}}"#, 11),
        (r#"[{"a":1},{"a":1,"a":1}]"#, 9),
        (r#"{"":1,"":2}"#, 0),
    ] {
        for _ in 0..3 {
            let expected = Err((DuplicateKey, at));
            assert_eq!(canonical(&mut Canon::default(), text.as_bytes()), expected, "{text}");
            assert_eq!(canonical(&mut warm, text.as_bytes()), expected, "{text}");
        }
    }
    assert_eq!(canonical(&mut warm, br#"{"a":1}"#), Ok(r#"{"a":1}"#.to_owned()));
    assert_eq!(canonical(&mut warm, br#"{"a":1,"a":1x"#), Err((Malformed, 12)));
}

#[test]
fn a_twin_is_left_out_only_where_all_of_it_is_the_same() {
    let data = r#"{"tdfid":1,"value":{"position":14,"speed":-31}}"#;
    let longer = data.replace("-31", "-310");
    for (data, twin, same) in [
        (data, data, true),
        (data, r#"{"value":{"speed":-31,"position":14},"tdfid":1}"#, true),
        (data, r#" { "tdfid":1,"value":{"position":14,"spee\u0064":-31}}"#, true),
        (data, &longer, false),
        (&longer, data, false),
        ("1", "12", false),
        ("12", "1", false),
        ("-0", "0", true),
        ("0.0", "0", false),
        ("\"a\"", "\"\\u0061\"", true),
        ("null", "null", true),
        ("[1]", "[1]", true),
        ("{}", "{ }", true),
        ("{}", "{\"a\":{}}", false),
    ] {
        for reversed in [false, true] {
            let mut reader = reader();
            for id in [7, 8] {
                let mut card = with(with(card(id), "cardData", data), "staticCardData", twin);
                if reversed {
                    card.reverse();
                }
                let batch = read_with(&mut reader, &of(&card));
                let attributes = &batch.new_cards[0].card.attributes;
                let attributes = std::str::from_utf8(attributes).unwrap();
                assert_eq!(!attributes.contains("staticCardData"), same, "{data} {twin}");
                assert!(attributes.contains("\"cardData\""));
            }
        }
    }
}

#[test]
fn facts_are_read_from_their_own_places_alone() {
    let wrong = r#"[{"programId":1,"programName":"x","value":{"position":1}}]"#;
    let names = r#"{"programId":7,"programName":"Team Builders"}"#;
    let data = r#"{"value":{"position":3,"x":{"position":4}},"position":5}"#;
    let mut reader = reader();
    for (id, program) in [(7, wrong), (8, names), (9, wrong), (10, names)] {
        let card = with(with(card(id), "program", program), "cardData", data);
        let card = with(with(card, "teamRatingDataList", wrong), "program.programId", "5");
        let batch = read_with(&mut reader, &of(&card));
        let card = &batch.new_cards[0].card;
        let expected = (program == names).then_some((7, "Team Builders"));
        assert_eq!(card.program_id.zip(card.program.as_deref()), expected);
        assert_eq!(card.position.as_deref(), Some("3"));
    }
}

#[test]
fn shapes_are_bounded_whatever_is_read() {
    let mut canon = Canon::default();
    let mut most = 0;
    for number in 0..3_000 {
        let key = format!("{number:0>700}");
        let text = format!(r#"{{"{key}":[{{"{key}":1}},{{"b":1,"{key}":2}}],"a":{number}}}"#);
        canonical(&mut canon, text.as_bytes()).unwrap();
        most = most.max(canon.memory());
    }
    assert!(most > MAX_SHAPE_BYTES / 2 && most < MAX_SHAPE_BYTES + 10_000, "{most}");
    let many: Vec<_> = (0..100_000).map(|n| format!("\"{n}\":0")).collect();
    let text = format!("{{{}}}", many.join(","));
    canonical(&mut canon, text.as_bytes()).unwrap();
    assert!(canon.memory() < 16 * text.len(), "{}", canon.memory());
    canonical(&mut canon, b"{}").unwrap();
    assert!(canon.memory() < 1_000, "{}", canon.memory());
}
