//! A card's identity is its definition, however spelled; copies of known cards are recognised
//! with the result of a full reading.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use std::collections::{BTreeSet, HashMap};

use m26::batch::{Batch, Page};
use m26::clock::Given;
use pages::{
    Members, NOW, PER_COPY, auction, card, object, page, read, read_with, reader, spaced, with,
    without,
};

fn of(card: impl AsRef<[u8]>) -> Vec<u8> {
    page(&[object(&with(auction(2), "card", card))])
}

fn version(card: impl AsRef<[u8]>) -> i64 {
    let batch = read(&of(card));
    assert_eq!(batch.rejects, []);
    batch.rows[0].card_version
}

fn names(members: &Members) -> Vec<String> {
    members.iter().map(|(name, _)| String::from_utf8(name.clone()).unwrap()).collect()
}

/// Equal but for drift, which only a full reading reports.
fn assert_same(ours: &Batch, theirs: &Batch) {
    assert_eq!(ours.rows, theirs.rows);
    assert_eq!(ours.rejects, theirs.rejects);
    assert_eq!(ours.cards(), theirs.cards());
}

#[test]
fn a_version_does_not_depend_on_key_order_white_space_and_escapes() {
    let plain = version(object(&card(7)));
    for turn in 0..card(7).len() {
        let mut turned = card(7);
        turned.rotate_left(turn);
        assert_eq!(version(object(&turned)), plain);
        turned.reverse();
        assert_eq!(version(spaced(&turned)), plain);
    }
    let text = String::from_utf8(object(&card(7))).unwrap();
    for (from, to) in [
        (r#""tdfid":774456682,"tdfclass""#, r#""tdf\u0069d":774456682,"tdfclass""#),
        (r#""overallRating":82,"position":14"#, r#""position" : 14 , "overallRating":82"#),
        ("Team Builders", r"T\u0065am Build\u0065rs"),
        ("Blaze::Mut", r"\u0042laze::Mut"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert_eq!(version(changed), plain, "{to}");
    }
}

#[test]
fn a_version_does_not_depend_on_members_of_the_copy() {
    let plain = version(object(&card(7)));
    for name in PER_COPY {
        let value = if name.contains("Timestamp") { "1700000000000000" } else { "99" };
        assert_eq!(version(object(&with(card(7), name, value))), plain, "{name}");
        assert_eq!(version(object(&with(card(7), name, "null"))), plain, "{name}");
        assert_eq!(version(object(&without(card(7), name))), plain, "{name}");
    }
}

#[test]
fn a_version_depends_on_every_other_member_and_on_what_is_inside() {
    let mut versions = HashMap::from([(version(object(&card(7))), "plain".to_owned())]);
    let mut add = |card: Vec<u8>, what: String| {
        let clash = versions.insert(version(card), what.clone());
        assert_eq!(clash, None, "{what}");
    };
    let own = names(&card(7)).into_iter().filter(|name| !PER_COPY.contains(&&**name));
    for name in own.filter(|name| name != "cardId") {
        add(object(&with(card(7), &name, "\"changed\"")), format!("{name} changed"));
        add(object(&with(card(7), &name, "null")), format!("{name} null"));
        if name != "staticCardData" {
            add(object(&without(card(7), &name)), format!("no {name}"));
        }
    }
    add(object(&card(8)), "cardId".to_owned());
    add(object(&with(card(7), "novelty", "1")), "a new member".to_owned());
    let text = String::from_utf8(object(&card(7))).unwrap();
    for (from, to) in [
        ("\"speed\":-31", "\"speed\":31"),
        ("\"weight\":1.5", "\"weight\":1.50"),
        ("Team Builders", "Team builders"),
        ("\" \"", "\"\""),
        ("[true,false,null]", "[false,true,null]"),
    ] {
        add(text.replacen(from, to, 1).into_bytes(), to.to_owned());
    }
}

#[test]
fn equal_attribute_blocks_are_stored_once_and_different_ones_both() {
    let attributes = |card: &Members| {
        String::from_utf8(read(&of(object(card))).new_cards[0].card.attributes.clone()).unwrap()
    };
    let reordered = r#"{"value":{"weight":1.5,"speed":-31,"position":14,"overallRating":82},
        "tdfclass":"Blaze::Mut::PlayerCardData","tdfid":774456682}"#;
    for twin in [with(card(7), "staticCardData", reordered), card(7)] {
        assert_eq!(version(object(&twin)), version(object(&card(7))));
        assert!(!attributes(&twin).contains("staticCardData"));
        assert!(attributes(&twin).contains("\"cardData\""));
    }
    let other = with(card(7), "staticCardData", reordered.replace("82", "83"));
    assert!(attributes(&other).contains("\"staticCardData\":{\"tdfclass\""));
}

#[test]
fn a_card_is_sent_until_its_batch_is_confirmed() {
    let mut reader = reader();
    let body = page(&[object(&auction(1)), object(&auction(2))]);
    let first = read_with(&mut reader, &body);
    assert_eq!((first.new_cards.len(), first.new_cards[0].row), (1, 0));
    let again = read_with(&mut reader, &body);
    assert_eq!(again.new_cards.len(), 1);
    assert_eq!(again.cards(), first.cards());
    reader.known().confirm(&first.new_cards);
    assert!(read_with(&mut reader, &body).new_cards.is_empty());
    let mut respelled = card(13_522_975);
    respelled.reverse();
    let batch = read_with(&mut reader, &of(object(&respelled)));
    assert_eq!(batch.rows[0].card_version, first.rows[0].card_version);
    assert!(batch.new_cards.is_empty());
    let other = of(object(&with(card(13_522_975), "tier", "5")));
    assert_eq!(read_with(&mut reader, &other).new_cards.len(), 1);
}

#[test]
fn a_card_of_rows_taken_back_is_sent_with_the_first_row_that_stays() {
    let of_card = |id, posted: i64| {
        let listed = with(auction(id), "postingTime", posted.to_string());
        object(&with(listed, "card", object(&card(id))))
    };
    let good = page(&[of_card(8, NOW - 100), of_card(7, NOW - 100)]);
    let stale = page(&[of_card(7, NOW - 31 * 86_400), of_card(9, NOW - 31 * 86_400)]);
    let cut = &good[..good.len() - 1];
    let pages = [&stale[..], cut, &good].map(|body| Page {
        body,
        platform: "ps5",
        fetched_at: 0,
        times: Given::default(),
    });
    let batch = reader().normalize(&pages);
    let sent: Vec<_> = batch.new_cards.iter().map(|new| (new.card.card_id, new.row)).collect();
    assert_eq!((batch.rows.len(), sent), (2, vec![(8, 0), (7, 1)]));
}

#[test]
fn a_new_card_names_the_row_and_time_it_was_first_seen_at() {
    let of_card = |id, number| object(&with(auction(number), "card", object(&card(id))));
    let broken = object(&with(auction(3), "currentBid", "null"));
    let batch = read(&page(&[of_card(7, 1), broken, of_card(7, 2), of_card(8, 4), of_card(7, 5)]));
    let seen: Vec<_> = batch.new_cards.iter().map(|new| (new.card.card_id, new.row)).collect();
    assert_eq!(seen, [(7, 0), (8, 2)]);
    assert_eq!(batch.new_cards[1].first_seen, batch.rows[2].observed_at);
}

#[test]
fn one_flipped_bit_is_never_the_known_cards_definition() {
    let plain = object(&card(7));
    let text = String::from_utf8(plain.clone()).unwrap();
    let mut of_the_copy = vec![false; plain.len()];
    for name in PER_COPY {
        let key = format!("\"{name}\":");
        let from = text.find(&key).unwrap() + key.len();
        let to = from + text[from..].find(",\"").unwrap();
        of_the_copy[from..to].fill(true);
    }
    let mut reader = reader();
    let known = read_with(&mut reader, &of(&plain)).rows[0].card_version;
    for at in 0..plain.len() {
        for bit in 0..8 {
            let mut flipped = plain.clone();
            flipped[at] ^= 1 << bit;
            let body = of(&flipped);
            let batch = read_with(&mut reader, &body);
            assert_same(&batch, &read(&body));
            let as_known = batch.rows.iter().any(|row| row.card_version == known);
            let repaired = plain[at] == b' ' && flipped[at] < 0x20; // to a space again
            assert!(!as_known || of_the_copy[at] || repaired, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_byte_more_or_less_is_read_like_a_first_card() {
    let plain = object(&card(7));
    let mut reader = reader();
    read_with(&mut reader, &of(&plain));
    for at in 0..plain.len() {
        for middle in [&b""[..], &[plain[at]; 2], b"0", b" ,", b"}", b"\"", b"\\u0000"] {
            let changed = of([&plain[..at], middle, &plain[at + 1..]].concat());
            assert_same(&read_with(&mut reader, &changed), &read(&changed));
        }
    }
}

#[test]
fn members_of_the_copy_of_any_length_are_read_from_a_known_card() {
    let mut reader = reader();
    read_with(&mut reader, &of(object(&card(7))));
    let values =
        ["0", "-1", "12", "1.5", "1e2", "01", "null", "\"\"", "\"0\"", "\"\\ud83d\"", "[0,{}]"];
    for name in PER_COPY {
        for value in values {
            let copy = of(object(&with(card(7), name, value)));
            assert_same(&read_with(&mut reader, &copy), &read(&copy));
        }
    }
}

#[test]
fn a_copy_is_read_like_a_first_card_in_every_generation() {
    let mut reader = reader();
    let big = "x".repeat(500_000); // 64 of these fill a generation
    let numbered = |number: i64| {
        let unlike = with(card(number % 150 + 1), "mainImage", format!("\"{big}\""));
        let copied = with(unlike, "cardInstanceId", number.to_string());
        of(object(&with(copied, "acquisitionTimestamp", "1789000000000000")))
    };
    for number in 0..250 {
        // one card stays in use, the others come and go
        for number in [number, 150 * (number + 1)] {
            let batch = read_with(&mut reader, &numbered(number));
            let row = &batch.rows[0];
            assert_eq!((row.card_id, row.card_instance_id), (number % 150 + 1, Some(number)));
            assert_eq!(row.acquired_at, Some(1_789_000_000_000_000));
        }
    }
}

#[test]
fn spellings_of_a_card_share_its_version() {
    let mut reader = reader();
    let mut versions = BTreeSet::new();
    for round in 0..3 {
        for turn in 0..card(7).len() {
            let mut turned = with(card(7), "cardInstanceId", (round * 100 + turn).to_string());
            turned.rotate_left(turn);
            let body = of(object(&turned));
            let batch = read_with(&mut reader, &body);
            assert_same(&batch, &read(&body));
            versions.insert(batch.rows[0].card_version);
        }
    }
    assert_eq!(versions.len(), 1);
}

#[test]
fn a_member_of_the_copy_is_as_deep_as_it_likes_in_known_cards_too() {
    let mut reader = reader();
    read_with(&mut reader, &of(object(&card(7))));
    let mut accepted = 0;
    for levels in (50..70).chain([100_000]) {
        let deep = "[".repeat(levels) + &"]".repeat(levels);
        let body = of(object(&with(card(7), "cardState", deep)));
        let batch = read_with(&mut reader, &body);
        assert_same(&batch, &read(&body));
        accepted += batch.rows.len();
    }
    assert_eq!(accepted, 21);
}

#[test]
fn an_unusable_copy_is_reported_for_known_cards_too() {
    let mut reader = reader();
    read_with(&mut reader, &of(object(&card(7))));
    let batch = read_with(&mut reader, &of(object(&with(card(7), "cardInstanceId", "1.5"))));
    assert_eq!(batch.rows[0].card_instance_id, None);
    let paths: Vec<_> = batch.drift.iter().map(|(path, ..)| path.to_owned()).collect();
    assert!(paths.contains(&"card.cardInstanceId".to_owned()));
}
