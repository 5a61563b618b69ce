//! What holds for any bytes. Each fuzz target calls one of these, and so does its twin in
//! `tests/properties.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

#[path = "../tests/pages/mod.rs"]
pub mod pages;

#[path = "odd.rs"]
pub mod odd;

use m26::batch::{Batch, Reject};
use m26::card::canon::Canon;
use m26::card::card::Card;
use m26::drift::Drift;
use m26::error::Reason;
use m26::json::parse::Cursor;
use m26::reply::envelope::Envelope;
use m26::reply::peek::Peek;
use m26::rows::record::{AuctionRow, NewCard};
use m26::rows::schema::Row;
use serde_json::Value;
use serde_json::value::RawValue;

/// Whatever a page holds, what comes out of it is whole and says where it comes from.
pub fn normalize(body: &[u8]) {
    let mut reader = pages::reader();
    let batch = pages::read_with(&mut reader, body);
    let repaired = m26::json::sanitize::sanitize(body);
    let whole_page = batch.rejects.iter().find(|reject| reject.item.is_none());
    if whole_page.is_some() {
        assert!(batch.rows.is_empty() && batch.rejects.len() == 1);
    }

    let rows = batch
        .rows
        .iter()
        .map(|r| (usize::try_from(r.item).unwrap(), r.from as usize, r.to as usize, true));
    let (mended, lost): (Vec<&Reject>, Vec<&Reject>) =
        batch.rejects.iter().partition(|reject| reject.fault.reason == Reason::CardMended);
    let rejects = lost.iter().filter(|reject| reject.item.is_some());
    let rejects = rejects.map(|r| (r.item.unwrap(), r.from, r.to, false));
    let mut items: Vec<_> = rows.chain(rejects).collect();
    items.sort_unstable();
    let mut end = 0;
    for (place, &(item, from, to, stored)) in items.iter().enumerate() {
        assert!(item == place && end <= from && from < to && to <= body.len());
        end = to;
        if stored {
            serde_json::from_slice::<&RawValue>(&repaired[from..to])
                .expect("a stored item is JSON");
        }
    }
    for reject in mended {
        let of_it =
            |row: &&AuctionRow| Some(row.item) == reject.item.map(|n| n.try_into().unwrap());
        let row = batch.rows.iter().find(of_it).expect("the auction of a mended card is stored");
        assert_eq!((row.from as usize, row.to as usize), (reject.from, reject.to));
        assert!((reject.from..reject.to).contains(&reject.fault.at));
    }
    for row in &batch.rows {
        assert!(row.auction_id > 0 && row.card_id > 0 && row.bids >= 0);
        assert!(row.current_bid >= 0 && row.next_bid >= 0 && row.buyout_price != Some(0));
        assert!(row.expires_at >= row.observed_at && !row.status.is_empty());
    }
    for new in &batch.new_cards {
        serde_json::from_slice::<&RawValue>(&new.card.attributes).expect("attributes are JSON");
        match serde_json::from_slice::<Value>(&new.card.attributes) {
            Ok(attributes) => assert!(attributes.is_object() && !has_nul(&attributes)),
            Err(error) => assert!(error.to_string().starts_with("number out of range")),
        }
    }
    copy_is_whole(batch.auctions().bytes(), batch.rows.len(), AuctionRow::COLUMNS.len());
    copy_is_whole(batch.cards().bytes(), batch.new_cards.len(), NewCard::COLUMNS.len());
    same(&pages::read_with(&mut reader, body), &batch);
}

/// `peek` says of a page what `normalize` makes of it.
pub fn peek(body: &[u8]) {
    let peek = m26::reply::peek::peek(body);
    let batch = pages::read(body);
    match batch.rejects.first().filter(|reject| reject.item.is_none()) {
        None => {
            assert!(["search", "error"].contains(&peek.kind) || peek.envelope.is_refusal());
            let mended = |reject: &&Reject| reject.fault.reason == Reason::CardMended;
            let lost = batch.rejects.len() - batch.rejects.iter().filter(mended).count();
            assert_eq!(peek.count, batch.rows.len() + lost);
            let refused = peek.count == 0 && peek.envelope.is_refusal();
            assert_eq!(refused, batch.refused.len() == 1);
            let newest = batch.rows.iter().map(|row| row.posted_at / 1_000_000).max();
            assert!(newest <= peek.newest_posted);
        }
        Some(reject) => match reject.fault.reason {
            Reason::Empty => assert_eq!(peek.kind, "empty"),
            Reason::NotJson => assert!(["html", "xml", "malformed"].contains(&peek.kind)),
            Reason::UnknownShape => assert_eq!(peek.kind, "json"),
            Reason::NoTime | Reason::StaleMarket => assert!(peek.count > 0),
            _ => assert_eq!(peek.kind, "malformed"),
        },
    }
}

/// What the cursor passes is what `serde_json` passes over, byte for byte. What is kept means the same
/// in its canonical form; what is passed and not kept, PostgreSQL could not hold.
pub fn parse(text: &[u8]) {
    let mut cursor = Cursor::new(text, 0);
    let mut canon = Canon::default();
    let read = canon.read(&mut cursor, usize::MAX).and_then(|json| cursor.end().map(|()| json));
    let mut passing = Cursor::new(text, 0);
    let passed = passing.value().map(drop).and_then(|()| passing.end());
    let by_grammar = serde_json::from_slice::<&RawValue>(text);
    assert_eq!(passed.is_ok(), by_grammar.is_ok(), "{passed:?} {by_grammar:?}");
    let theirs = serde_json::from_slice::<Value>(text);
    match read {
        Ok(canonical) => {
            assert!(passed.is_ok());
            match (theirs, serde_json::from_slice(&canonical)) {
                (Ok(theirs), Ok(ours)) => assert!(means_the_same(&theirs, &ours)),
                (theirs, ours) => {
                    for error in [theirs.unwrap_err(), ours.unwrap_err()] {
                        assert!(error.to_string().starts_with("number out of range"), "{error}");
                    }
                }
            }
            for text in [text, &canonical] {
                let again = canon.read(&mut Cursor::new(text, 0), usize::MAX).unwrap();
                assert_eq!(again, canonical);
            }
        }
        Err(fault) => {
            assert!(fault.at <= text.len());
            let of_grammar = [Reason::Malformed, Reason::ControlByte, Reason::BadUtf8];
            if of_grammar.contains(&fault.reason) {
                assert_eq!(passed, Err(fault));
            }
            let ours = [Reason::TooDeep, Reason::Nul, Reason::NumberRange, Reason::DuplicateKey];
            assert!(theirs.is_err() || ours.contains(&fault.reason), "{fault}");
        }
    }
}

/// A card that is like a known one, edited by `script`, is read as by a reader that knows none.
pub fn cards(script: &[u8]) {
    let (spelling, script) = script.split_first().unwrap_or((&0, &[]));
    let mut card = pages::card(13_522_975);
    let turned = usize::from(*spelling) % card.len();
    card.rotate_left(turned);
    let item = |card: &[u8]| pages::object(&pages::with(pages::auction(2), "card", card));
    let plain = pages::object(&card);
    let changed = edited(&plain, script);

    let known = pages::page(&[item(&plain)]);
    let page = pages::page(&[item(&changed), item(&plain), item(&changed)]);
    let mut reader = pages::reader();
    let first = pages::read_with(&mut reader, &known);
    let seen = pages::read_with(&mut reader, &page);
    same(&seen, &pages::read(&page));
    for new in &seen.new_cards {
        let card = &first.new_cards[0].card;
        let equal = (new.card.card_id, new.card.version) == (card.card_id, card.version);
        assert_eq!(equal, new.card == *card, "one version, one definition");
    }
}

/// A reader that has seen pages like this one, and this one, reads it like a reader that has not.
pub fn warm(body: &[u8]) {
    let known = pages::page(&[shown(1, 13_522_975), shown(2, 7), shown(3, 13_522_975)]);
    let mut reader = pages::reader();
    for page in [&known[..], body, &known, body] {
        let cold = pages::read(page);
        let batch = pages::read_with(&mut reader, page);
        same(&batch, &cold);
        assert_eq!(batch.refused, cold.refused);
    }
    let cold = pages::read(body);
    reader.known().confirm(&cold.new_cards);
    let batch = pages::read_with(&mut reader, body);
    assert!(batch.new_cards.is_empty() && batch.rows == cold.rows);
}

/// An auction of a card that [`warm`] knows.
#[must_use]
pub fn shown(auction: i64, card: i64) -> Vec<u8> {
    let card = pages::object(&pages::card(card));
    pages::object(&pages::with(pages::auction(auction), "card", card))
}

/// Legal JSON in members that nobody stores, whatever it is, costs no row, no column and no reject.
pub fn members(script: &[u8]) {
    let [plain, odd] = odd::pages(script);
    let mut reader = pages::reader();
    let expected = pages::read_with(&mut reader, &plain);
    let batch = pages::read_with(&mut reader, &odd);
    same(&batch, &pages::read(&odd));
    assert_eq!(batch.rows.len(), expected.rows.len());
    let version = |batch: &Batch, row: &AuctionRow| {
        let key = (row.card_id, row.card_version);
        let of_it = |new: &&NewCard| (new.card.card_id, new.card.version) == key;
        batch.new_cards.iter().find(of_it).map(|new| Card::clone(&new.card)).unwrap()
    };
    for (row, plain) in batch.rows.iter().zip(&expected.rows) {
        let (card, known) = (version(&batch, row), version(&expected, plain));
        assert_eq!(stored(&card.attributes), stored(&known.attributes));
        let (version, attributes) = (known.version, known.attributes.clone());
        assert_eq!(Card { version, attributes, ..card }, known);
        let (card_version, from, to) = (row.card_version, row.from, row.to);
        assert_eq!(*row, AuctionRow { card_version, from, to, ..plain.clone() });
    }
    let lost = |batch: &Batch| {
        let lost = batch.rejects.iter().filter(|reject| reject.fault.reason != Reason::CardMended);
        lost.map(|reject| (reject.item, reject.fault.reason, reject.fault.field))
            .collect::<Vec<_>>()
    };
    assert_eq!(lost(&batch), lost(&expected));
    let [seen, known] = [&odd, &plain].map(|body| m26::reply::peek::peek(body));
    let facts = |peek: Peek| {
        let Peek { kind, envelope, count, ids_digest, newest_posted } = peek;
        (kind, Envelope { drift: Drift::default(), ..envelope }, count, ids_digest, newest_posted)
    };
    assert_eq!(facts(seen), facts(known));
}

/// The members of a definition but those that [`odd`] puts there.
fn stored(attributes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    let each = &mut |cursor: &mut Cursor<'_>, key: m26::json::text::Text<'_>| {
        let value = cursor.value()?.to_vec();
        members.push((key.decode().into_owned(), value));
        Ok(())
    };
    Cursor::new(attributes, 0).object(each).unwrap();
    members.retain(|(name, _)| !name.starts_with("novelt"));
    members
}

/// The repair touches control bytes of strings and nothing else.
pub fn sanitize(page: &[u8]) {
    let repaired = m26::json::sanitize::sanitize(page);
    assert_eq!(repaired.len(), page.len());
    let touched = page.iter().zip(&*repaired).filter(|(before, after)| before != after);
    let mut count = 0;
    for (before, after) in touched {
        assert!(*before < 0x20 && *after == b' ');
        count += 1;
    }
    assert_eq!(count > 0, matches!(repaired, std::borrow::Cow::Owned(_)));
    assert_eq!(m26::json::sanitize::sanitize(&repaired), repaired);
    if serde_json::from_slice::<Value>(page).is_ok() {
        assert_eq!(count, 0);
    }
}

/// `text` after four-byte steps of `script`: where (two bytes), how, and which byte.
#[must_use]
pub fn edited(text: &[u8], script: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"\"cardId\":7,",
        b"\"cardState\":0,",
        b"\"cardInstanceId\":8,",
        b"\\u0063",
        b"null",
        b"1e5",
        b"[[",
        b"]",
        b"{\"a\":",
        b"}",
        b" ",
        b"\xf0\x9f\x98\x80",
    ];
    let mut text = text.to_vec();
    for step in script.chunks_exact(4).take(16) {
        let at = usize::from(u16::from_le_bytes([step[0], step[1]])) % (text.len() + 1);
        match step[2] % 4 {
            0 => text.insert(at, step[3]),
            1 if at < text.len() => drop(text.remove(at)),
            2 => drop(text.splice(at..at, WORDS[usize::from(step[3]) % 12].iter().copied())),
            _ if at < text.len() => text[at] ^= step[3],
            _ => {}
        }
    }
    text
}

fn same(ours: &Batch, theirs: &Batch) {
    assert_eq!(ours.rows, theirs.rows);
    assert_eq!(ours.rejects, theirs.rejects);
    assert_eq!(ours.auctions(), theirs.auctions());
    assert_eq!(ours.cards(), theirs.cards());
}

fn copy_is_whole(bytes: &[u8], rows: usize, columns: usize) {
    fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
        let (head, tail) = rest.split_at(length);
        *rest = tail;
        head
    }
    let mut rest = bytes;
    assert_eq!(take(&mut rest, 19), b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for _ in 0..rows {
        let fields = i16::from_be_bytes(take(&mut rest, 2).try_into().unwrap());
        assert_eq!(usize::try_from(fields).unwrap(), columns);
        for _ in 0..columns {
            let length = i32::from_be_bytes(take(&mut rest, 4).try_into().unwrap());
            take(&mut rest, usize::try_from(length).unwrap_or(0)); // -1 is NULL
        }
    }
    assert_eq!(rest, b"\xff\xff");
}

fn has_nul(json: &Value) -> bool {
    match json {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(k, v)| k.contains('\0') || has_nul(v)),
        _ => false,
    }
}

/// Equal, but for the spelling of numbers: `serde_json` takes `-0` for a float.
fn means_the_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| means_the_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((k, a), (l, b))| k == l && means_the_same(a, b))
        }
        _ => one == other,
    }
}
