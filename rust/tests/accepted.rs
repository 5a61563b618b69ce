//! What is unusual and stored all the same, alone and between neighbours.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use m26::batch::{Batch, Page};
use m26::clock::Given;
use m26::drift::DriftKind;
use m26::rows::record::AuctionRow;
use pages::{
    Members, NOW, auction, card, ids, object, page, plus, read, reader, reply, spaced, with,
    without,
};

fn only(item: &[u8]) -> AuctionRow {
    for place in 0..3 {
        let mut items = vec![object(&auction(11)), object(&auction(13))];
        items.insert(place, item.to_vec());
        let batch = read(&page(&items));
        assert_eq!(batch.rejects, [], "{}", String::from_utf8_lossy(item));
        assert_eq!(batch.rows.len(), 3);
    }
    let mut batch = read(&page(&[item.to_vec()]));
    batch.rows.remove(0)
}

fn of_card(card: &Members) -> Vec<u8> {
    object(&with(auction(2), "card", object(card)))
}

fn drift(batch: &Batch) -> Vec<(&str, DriftKind, u64)> {
    batch.drift.iter().map(|(path, kind, count, _)| (path, kind, count)).collect()
}

/// A row without its place in bytes, which follows the spelling.
fn values(mut row: AuctionRow) -> AuctionRow {
    (row.from, row.to) = (0, 0);
    row
}

#[test]
fn an_auction_becomes_a_row_in_units_of_the_database() {
    let row = only(&object(&auction(2)));
    assert_eq!(
        (row.auction_id, row.card_id, row.card_instance_id),
        (2, 13_522_975, Some(4_133_423_131))
    );
    assert_eq!(row.acquired_at, Some((NOW - 10_000) * 1_000_000));
    assert_eq!(row.posted_at, (NOW - 8_000) * 1_000_000);
    assert_eq!(row.expires_at, (NOW + 3_600) * 1_000_000);
    assert_eq!(row.observed_at, NOW * 1_000_000);
    assert_eq!((&*row.platform, &*row.status), ("ps5", "active"));
    assert_eq!((row.current_bid, row.next_bid, row.bids), (100, 100, 0));
    assert_eq!((row.start_price, row.buyout_price), (Some(100), Some(5000)));
    let batch = read(&page(&[object(&auction(2))]));
    let card = &batch.new_cards[0].card;
    assert_eq!(card.name.as_deref(), Some("Drew Sanders"));
    assert_eq!(card.position.as_deref(), Some("MLB"));
    assert_eq!((card.overall, card.tier, card.team_id), (Some(82), Some(4), Some(4)));
    assert_eq!((card.program_id, card.program.as_deref()), (Some(135), Some("Team Builders")));
    assert_eq!(card.kind.as_deref(), Some("player"));
    assert_eq!((card.discard_value, card.discard_currency), (Some(270), Some(4)));
}

#[test]
fn listing_prices_are_the_auctions_own_in_any_order_of_members() {
    let card = with(with(card(2), "minListingPrice", "7"), "maxListingPrice", "8");
    let straight = with(auction(2), "card", object(&card));
    let mut reversed = straight.clone();
    reversed.reverse();
    for members in [straight, reversed] {
        let row = only(&object(&members));
        let prices = (row.min_price, row.max_price, row.median_price);
        assert_eq!(prices, (Some(100), Some(20_000), Some(2_000)));
    }
}

#[test]
fn key_order_white_space_and_escapes_change_nothing() {
    let plain = values(only(&object(&auction(2))));
    let mut reversed = auction(2);
    reversed.reverse();
    assert_eq!(values(only(&object(&reversed))), plain);
    assert_eq!(values(only(&spaced(&auction(2)))), plain);
    assert_eq!(values(only(&spaced(&with(auction(2), "card", spaced(&card(13_522_975)))))), plain);
    for turn in 0..auction(2).len() {
        let mut turned = auction(2);
        turned.rotate_left(turn);
        assert_eq!(values(only(&object(&turned))), plain);
        turned.swap(0, 1);
        assert_eq!(values(only(&spaced(&turned))), plain);
    }
    let escaped = String::from_utf8(object(&auction(2))).unwrap();
    let escaped =
        escaped.replace("auctionId", r"\u0061\u0075ctionId").replace("card\"", r#"c\u0061rd""#);
    assert_eq!(values(only(escaped.as_bytes())), plain);
}

#[test]
fn a_byte_order_mark_and_space_around_a_page_are_passed() {
    let body = page(&[object(&auction(2))]);
    for body in [[b"\xef\xbb\xbf", &body[..]].concat(), [b"\r\n\t ", &body[..], b"\n \n"].concat()]
    {
        let batch = read(&body);
        assert_eq!((ids(&batch), batch.rejects.len()), (vec![2], 0));
        let row = &batch.rows[0];
        assert_eq!(body[row.from as usize..row.to as usize], object(&auction(2)));
    }
}

#[test]
fn brackets_quotes_and_backslashes_in_strings_are_characters() {
    let row = only(&of_card(&with(card(2), "firstName", r#""}]{[\",\\\"\/:\\""#)));
    let body = page(&[of_card(&with(card(2), "firstName", r#""}]{[\",\\\"\/:\\""#))]);
    let batch = read(&body);
    assert_eq!(batch.new_cards[0].card.name.as_deref(), Some(r#"}]{[",\"/:\ Sanders"#));
    assert_eq!(row.auction_id, 2);
    let all = r#""\b\f\n\r\t\/\u00e9\ud83d\ude00é😀""#;
    let batch = read(&page(&[of_card(&with(card(2), "firstName", all))]));
    let name = "\u{8}\u{c}\n\r\t/é😀é😀 Sanders";
    assert_eq!(batch.new_cards[0].card.name.as_deref(), Some(name.trim()));
}

#[test]
fn a_name_of_70_kb_is_kept() {
    let name = "x".repeat(70_000);
    let item = of_card(&with(card(2), "firstName", format!("\"{name}\"")));
    only(&item);
    let batch = read(&page(&[item]));
    assert_eq!(batch.new_cards[0].card.name, Some(format!("{name} Sanders")));
}

#[test]
fn raw_control_bytes_in_strings_become_spaces_and_are_reported() {
    for byte in 0..0x20_u8 {
        let name = [b"\"Dr", &[byte][..], b"ew\\n\""].concat();
        let odd = of_card(&with(card(2), "firstName", &name));
        let body = page(&[object(&auction(11)), odd, object(&auction(13))]);
        let batch = read(&body);
        assert_eq!(ids(&batch), [11, 2, 13]);
        assert_eq!(batch.rejects, []);
        assert_eq!(batch.new_cards[1].card.name.as_deref(), Some("Dr ew\n Sanders"));
        assert!(drift(&batch).contains(&("page", DriftKind::ControlBytes, 1)));
        let row = &batch.rows[1];
        assert_eq!((body[row.from as usize], body[row.to as usize - 1]), (b'{', b'}'));
    }
    let body = reply(&object(&auction(2)), &format!(",\"x\":\"\0\",\"responseTime\":{NOW}000000"));
    assert_eq!(ids(&read(&body)), [2]);
}

#[test]
fn the_same_auction_twice_in_a_page_is_two_rows_in_order() {
    let later = with(with(auction(2), "currentBid", "150"), "numberOfBids", "1");
    let batch = read(&page(&[object(&auction(2)), object(&later)]));
    let bids: Vec<_> = batch.rows.iter().map(|row| (row.auction_id, row.item, row.bids)).collect();
    assert_eq!(bids, [(2, 0, 0), (2, 1, 1)]);
    assert_eq!(batch.new_cards.len(), 1);
}

#[test]
fn values_at_the_edge_of_their_meaning_are_stored() {
    let row = |name, value: &str| only(&object(&with(auction(2), name, value)));
    assert_eq!(row("auctionId", "9223372036854775807").auction_id, i64::MAX);
    assert_eq!(row("numberOfBids", "-0").bids, 0);
    assert_eq!(row("buyoutPrice", "0").buyout_price, None);
    assert_eq!(row("buyoutPrice", "null").buyout_price, None);
    assert_eq!(row("secondsRemaining", "-1").expires_at, NOW * 1_000_000);
    assert_eq!(row("nextBid", "150").start_price, None);
    assert_eq!(row("numberOfBids", "1").start_price, None);
    assert_eq!(row("auctionStatus", "\"AUCTIONSTATUS_ended\"").status, "ended");
    assert_eq!(row("auctionStatus", "\"Frozen\"").status, "frozen");
    assert_eq!(row("sellerId", "[{}]").auction_id, 2);
    let of = |name, value: &str| only(&of_card(&with(card(2), name, value)));
    assert_eq!(of("cardInstanceId", "-9223372036854775808").card_instance_id, Some(i64::MIN));
    assert_eq!(of("cardInstanceId", "1.5").card_instance_id, None);
    assert_eq!(of("cardInstanceId", "null").card_instance_id, None);
    assert_eq!(of("acquisitionTimestamp", "0").acquired_at, None);
    assert_eq!(of("acquisitionTimestamp", "12").acquired_at, None);
    for number in ["1e308", "4.9e-324", "-0.0", "1E+0", "0.1e-0003", "123456789.123456789"] {
        of("tier", number);
    }
}

#[test]
fn what_is_new_is_stored_and_reported() {
    let novel = plus(with(auction(2), "auctionStatus", "\"FROZEN\""), "noveltyId", "[\"a\\n\"]");
    let card = plus(without(with(card(2), "tier", "\"gold\""), "teamId"), "shiny", "true");
    let batch = read(&page(&[object(&without(with(novel, "card", object(&card)), "buyoutPrice"))]));
    assert_eq!(batch.rows.len(), 1);
    let drift = drift(&batch);
    for expected in [
        ("auction.noveltyId", DriftKind::NewField, 1),
        ("auction.auctionStatus", DriftKind::NewValue, 1),
        ("auction.buyoutPrice", DriftKind::MissingField, 1),
        ("card.shiny", DriftKind::NewField, 1),
        ("card.teamId", DriftKind::MissingField, 1),
        ("card.tier", DriftKind::Unusable, 1),
    ] {
        assert!(drift.contains(&expected), "{expected:?} is not in {drift:?}");
    }
    assert_eq!(batch.new_cards[0].card.tier, None);
}

#[test]
fn drift_counts_repeats_of_long_paths_too_and_stays_small() {
    let name = "n".repeat(5_000);
    let odd = object(&plus(auction(2), &name, "1"));
    let batch = read(&page(&[odd.clone(), odd]));
    let path = format!("auction.{}", "n".repeat(112));
    assert!(drift(&batch).contains(&(&path, DriftKind::NewField, 2)));

    let flood = (0..2_000).fold(auction(2), |members, n| plus(members, format!("f{n}"), "1"));
    assert_eq!(drift(&read(&page(&[object(&flood)]))).len(), m26::drift::MAX_PATHS);
}

#[test]
fn an_error_reply_is_no_data_and_no_reject() {
    let ui_error = String::from_utf8(page(&[])).unwrap().replace("Code\":0", "Code\":2");
    for body in [
        &br#"{"error":{"component":1,"errorcode":1073807360,"errorname":"ERR_SYSTEM"}}"#[..],
        br#"{"success":false}"#,
        br#"{"code":401,"reason":"expired session"}"#,
        ui_error.as_bytes(),
    ] {
        let batch = read(body);
        assert_eq!((batch.refused.len(), batch.rows.len(), batch.rejects.len()), (1, 0, 0));
    }
    let empty = read(&page(&[]));
    assert_eq!((empty.refused.len(), empty.rows.len(), empty.rejects.len()), (0, 0, 0));
}

#[test]
fn server_time_counts_unless_it_is_missing_or_far_from_ours() {
    const MINUTE: i64 = 60_000_000;
    let item = object(&auction(2));
    let served = |micros: i64| reply(&item, &format!(",\"responseTime\":{micros}"));
    let mut reader = reader();
    let mut observed = |body: &[u8], fetched_at: i64| {
        let page = Page { body, platform: "ps5", fetched_at, times: Given::default() };
        reader.normalize(&[page]).rows[0].observed_at
    };
    let now = NOW * 1_000_000;
    assert_eq!(observed(&served(now), 0), now); // an old capture: no clock of ours
    assert_eq!(observed(&served(now), now - MINUTE), now); // the server is a minute ahead
    assert_eq!(observed(&reply(&item, ""), now), now + MINUTE);
    assert_eq!(observed(&served(now + 6 * MINUTE), now), now + MINUTE);
    assert_eq!(observed(&served(now - 6 * MINUTE), now), now + MINUTE);
    assert_eq!(observed(&served(i64::MAX), now), now + MINUTE);
}

#[test]
fn times_that_were_decided_before_are_taken_as_they_are() {
    let body = reply(&object(&auction(2)), &format!(",\"responseTime\":{}", NOW * 1_000_000));
    let (served_at, observed_at) = ((NOW - 3_600) * 1_000_000, (NOW + 10) * 1_000_000);
    let times = Given { served_at, observed_at };
    let page = Page { body: &body, platform: "ps5", fetched_at: NOW * 1_000_000, times };
    let batch = reader().normalize(&[page]);
    assert_eq!(batch.rows[0].observed_at, observed_at);
    assert_eq!(batch.rows[0].expires_at, served_at + 3_600 * 1_000_000);
    let clock = batch.drift.iter().filter(|(_, kind, ..)| kind.code() == "clock");
    let paths: Vec<_> = clock.map(|(path, ..)| path).collect();
    assert_eq!(paths, ["observed_at", "responseData.responseTime"]);
}

#[test]
fn the_deepest_nesting_fits_a_small_stack() {
    let deepest = |open: &str, close: &str, levels: usize| {
        of_card(&with(card(2), "uIDataList", open.repeat(levels) + "1" + &close.repeat(levels)))
    };
    let levels = m26::card::canon::MAX_DEPTH as usize - 1; // the card is the first level
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let reading = small.spawn(move || {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let batch = read(&page(&[deepest(open, close, levels)]));
            assert_eq!(batch.rejects, []);
            assert_eq!(read(&page(&[deepest(open, close, levels + 1)])).rejects.len(), 1);
        }
    });
    reading.unwrap().join().unwrap();
}
