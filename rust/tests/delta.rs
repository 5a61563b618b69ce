//! The rules by which observations become events, current states and sightings.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod market;

use m26::history::delta::PageCounts;
use m26::history::state::States;
use m26::rows::record::AuctionRow;
use market::{
    NOW, PART, SECOND, after, bid, derived, events, kinds, later, listed, pages, rewritten, said,
    seen, sightings, values, with,
};

#[test]
fn a_first_sight_is_listed_and_its_row_new() {
    let delta = derived(&States::new(10), &[seen(7)], 41);
    let [event] = &events(&delta)[..] else { panic!() };
    let expected = [
        ("seq", "42"),
        ("kind", "listed"),
        ("platform", "ps5"),
        ("auction_id", "7"),
        ("card_id", "13522975"),
        ("card_version", "77"),
        ("card_instance_id", "4133423131"),
        ("observed_at", "1790000000000000"),
        ("posted_at", "1789999940000000"),
        ("expires_at", "1790003600000000"),
        ("status", "active"),
        ("start_price", "250"),
        ("buyout_price", "null"),
        ("current_bid", "250"),
        ("next_bid", "250"),
        ("bids", "0"),
        ("median_price", "2775"),
        ("min_price", "100"),
        ("max_price", "22200"),
        ("outcome", "null"),
        ("outcome_via", "null"),
        ("evidence", "null"),
        ("confidence", "null"),
        ("final_price", "null"),
        ("late", "false"),
        ("price_confidence", "null"),
        ("closed_after", "null"),
        ("closed_before", "null"),
        ("closed_at", "null"),
    ];
    assert_eq!(*event, expected.map(|(column, value)| (column, value.to_owned())).into());

    let [row] = &listed(&delta)[..] else { panic!() };
    let mut expected: std::collections::BTreeMap<_, _> = event.clone();
    expected.retain(|column, _| !["seq", "kind", "late"].contains(column));
    let more = ["acquired_at", "first_seen", "last_seen", "observed_at"];
    let times = ["1789999910000000", "1790000000000000", "1790000000000000", "1790000000000000"];
    expected.extend(more.into_iter().zip(times.map(str::to_owned)));
    assert_eq!(*row, expected);
    assert!(rewritten(&delta).is_empty());

    let [sighting] = &sightings(&delta)[..] else { panic!() };
    let expected = [
        ("part", PART),
        ("pos", "100"),
        ("platform", "ps5"),
        ("observed_at", "1790000000000000"),
        ("auction_ids", "[7]"),
    ];
    assert_eq!(*sighting, expected.map(|(column, value)| (column, value.to_owned())).into());
}

#[test]
fn the_same_state_again_is_only_a_sighting() {
    let first = seen(7);
    let same = with(&later(&first, 60), |row| {
        (row.median_price, row.min_price, row.max_price) = (None, Some(1), Some(2));
        row.expires_at += 5 * SECOND;
        row.start_price = None;
    });
    let delta = derived(&after(&[&first]), std::slice::from_ref(&same), 1);
    assert_eq!((delta.events.rows(), delta.listed.rows(), delta.rewritten.rows()), (0, 0, 0));
    assert_eq!(values(&sightings(&delta)[0], &["auction_ids"]), "[7]");
}

#[test]
fn more_or_higher_bids_are_a_bid_and_any_other_state_a_change() {
    let first = with(&bid(&seen(7), 300), |row| row.buyout_price = Some(900));
    let kind = |change: &dyn Fn(&mut AuctionRow)| {
        let next = with(&later(&first, 1), change);
        let delta = derived(&after(&[&first]), &[next], 1);
        assert_eq!(delta.rewritten.rows(), delta.events.rows());
        kinds(&delta).join(" ")
    };
    assert_eq!(kind(&|row| row.bids = 2), "bid");
    assert_eq!(kind(&|row| row.current_bid = 301), "bid");
    assert_eq!(kind(&|row| (row.bids, row.current_bid) = (0, 301)), "bid");
    assert_eq!(kind(&|row| (row.bids, row.next_bid) = (2, 1)), "bid");
    assert_eq!(kind(&|row| row.bids = 0), "changed");
    assert_eq!(kind(&|row| row.current_bid = 299), "changed");
    assert_eq!(kind(&|row| row.next_bid = 999), "changed");
    assert_eq!(kind(&|row| row.buyout_price = None), "changed");
    assert_eq!(kind(&|row| (row.bids, row.buyout_price) = (2, Some(901))), "changed");
    assert_eq!(kind(&|row| (row.bids, row.status) = (2, "paused".into())), "changed");
}

#[test]
fn the_start_price_is_remembered_from_when_it_was_shown() {
    let first = seen(7);
    let second = bid(&later(&first, 1), 300);
    let third = with(&bid(&later(&second, 1), 400), |row| row.start_price = Some(260));
    let fourth = bid(&later(&third, 1), 500);
    let prices = |delta| events(delta).iter().map(|e| e["start_price"].clone()).collect::<Vec<_>>();
    let all = derived(&States::new(10), &pages(&[&first, &second, &third, &fourth]), 0);
    assert_eq!(prices(&all), ["250", "250", "260", "260"]);
    assert_eq!(listed(&all)[0]["start_price"], "260");
    let delta = derived(&after(&[&first]), std::slice::from_ref(&second), 1);
    assert_eq!(
        (prices(&delta), &*rewritten(&delta)[0]["start_price"]),
        (vec!["250".into()], "250")
    );
    // never shown
    assert_eq!(prices(&derived(&States::new(10), &[second], 0)), ["null"]);
}

#[test]
fn the_end_is_the_one_of_the_newest_running_observation() {
    let first = seen(7);
    let longer = with(&bid(&later(&first, 1), 300), |row| row.expires_at += 30 * SECOND);
    let paused = with(&said(&later(&longer, 1), "paused"), |row| row.expires_at += SECOND);
    let spent = with(&bid(&later(&longer, 2), 400), |row| row.expires_at = row.observed_at);
    let ended = said(&later(&spent, 1), "ended");
    let delta = derived(&States::new(10), &pages(&[&first, &longer, &paused, &spent, &ended]), 0);
    let ends: Vec<_> = events(&delta).iter().map(|event| event["expires_at"].clone()).collect();
    let (one, two) = (NOW + 3_600 * SECOND, NOW + 3_630 * SECOND);
    assert_eq!(ends, [one, two, two, two, two].map(|end| end.to_string()));
    assert_eq!(listed(&delta)[0]["expires_at"], two.to_string());

    let delta = derived(&after(&[&longer]), std::slice::from_ref(&ended), 1);
    assert_eq!(rewritten(&delta)[0]["expires_at"], two.to_string());
    // never seen running: what its first observation says
    let again = later(&ended, 10);
    let delta = derived(&States::new(10), &pages(&[&ended, &again]), 0);
    assert_eq!(listed(&delta)[0]["expires_at"], ended.expires_at.to_string());
}

#[test]
fn a_row_is_rewritten_for_another_card_version_or_an_end_that_moved() {
    let first = seen(7);
    let states = after(&[&first]);
    let written = |change: &dyn Fn(&mut AuctionRow)| {
        let delta = derived(&states, &[with(&later(&first, 9), change)], 1);
        assert_eq!((delta.events.rows(), delta.listed.rows()), (0, 0));
        rewritten(&delta).len()
    };
    assert_eq!(written(&|_| ()), 0);
    assert_eq!(written(&|row| row.card_version = 78), 1);
    assert_eq!(written(&|row| row.card_id = 1), 0);
    assert_eq!(written(&|row| row.expires_at += 5 * SECOND), 0);
    assert_eq!(written(&|row| row.expires_at += 5 * SECOND + 1), 1);
    assert_eq!(written(&|row| row.expires_at -= 5 * SECOND), 0);
    assert_eq!(written(&|row| row.expires_at -= 5 * SECOND + 1), 1);
}

#[test]
fn an_end_that_creeps_is_compared_with_the_one_in_the_database() {
    let first = seen(7);
    let creep = |row: &AuctionRow| with(&later(row, 60), |row| row.expires_at += 3 * SECOND);
    let (second, third) = (creep(&first), creep(&creep(&first)));
    assert_eq!(derived(&after(&[&first]), std::slice::from_ref(&second), 1).rewritten.rows(), 0);
    let states = after(&[&first, &second]);
    assert_eq!(derived(&states, std::slice::from_ref(&third), 1).rewritten.rows(), 1);
    let states = after(&[&first, &second, &third]);
    assert_eq!(derived(&states, &[creep(&third)], 1).rewritten.rows(), 0);
}

#[test]
fn the_row_that_is_written_shows_the_last_observation() {
    let first = seen(7);
    let second = bid(&later(&first, 60), 300);
    let third = with(&later(&second, 60), |row| row.median_price = Some(5));
    let delta = derived(&States::new(10), &pages(&[&first, &second, &third]), 0);
    let times = ["first_seen", "last_seen", "observed_at", "median_price"];
    let expected = format!("{NOW} {0} {0} 5", NOW + 120 * SECOND);
    assert_eq!(values(&listed(&delta)[0], &times), expected);
    assert_eq!(kinds(&delta), ["listed", "bid"]);
}

#[test]
fn an_older_observation_changes_no_state_and_asks_for_the_events_of_its_auction() {
    let newest = bid(&later(&seen(7), 60), 300);
    let old = seen(7);
    let nothing = |delta: &m26::history::delta::Delta| {
        let streams = [&delta.events, &delta.listed, &delta.rewritten, &delta.sightings];
        let is_wanted = delta.wanted.iter().eq([&("ps5".to_owned(), 7)]);
        streams.iter().all(|stream| stream.rows() == 0) && delta.pages.is_empty() && is_wanted
    };
    assert!(nothing(&derived(&after(&[&newest]), std::slice::from_ref(&old), 1)));
    let equal = bid(&newest, 400);
    assert_eq!(kinds(&derived(&after(&[&newest]), std::slice::from_ref(&equal), 1)), ["bid"]);

    // older than one that was only a sighting
    let sighted = later(&newest, 60);
    let between = bid(&later(&newest, 30), 400);
    assert!(nothing(&derived(&after(&[&newest, &sighted]), std::slice::from_ref(&between), 1)));

    // older than an earlier one of the batch
    let delta = derived(&States::new(10), &pages(&[&newest, &old, &sighted]), 0);
    assert_eq!(kinds(&delta), ["listed"]);
    let counted: Vec<_> = delta.pages.iter().map(|page| (page.page, page.seen)).collect();
    assert_eq!(counted, [(0, 1), (2, 1)]);
    let seen: Vec<_> = sightings(&delta).iter().map(|s| s["pos"].clone()).collect();
    assert_eq!(seen, ["100", "102"]);
    assert_eq!(listed(&delta)[0]["first_seen"], newest.observed_at.to_string());
}

#[test]
fn there_and_back_again_are_three_states() {
    let first = seen(7);
    let second = with(&first, |row| row.next_bid = 300);
    let batch = pages(&[&first, &second, &first]);
    let delta = derived(&States::new(10), &batch, 0);
    assert_eq!(kinds(&delta), ["listed", "changed", "changed"]);
    assert_eq!((delta.listed.rows(), delta.rewritten.rows()), (1, 0));
    let delta = derived(&after(&[&first]), &batch[1..], 1);
    assert_eq!(kinds(&delta), ["changed", "changed"]);
    assert_eq!(rewritten(&delta)[0]["next_bid"], "250"); // as it was, but observed since
}

#[test]
fn an_auction_twice_on_one_page_is_seen_twice() {
    let first = seen(7);
    let second = bid(&first, 300);
    let delta = derived(&States::new(10), &[first.clone(), seen(8), second, first], 0);
    assert_eq!(kinds(&delta), ["listed", "listed", "bid", "changed"]);
    assert_eq!(sightings(&delta)[0]["auction_ids"], "[7, 8, 7, 7]");
    assert_eq!(listed(&delta).len(), 2);
    let counts =
        PageCounts { seen: 4, new: 2, changed: 2, listed: 2, bid: 1, events: 4, ..zero(0) };
    assert_eq!(delta.pages, [counts]);
}

#[test]
fn pages_are_counted_each() {
    let mut batch = pages(&[&seen(1), &said(&seen(2), "expired"), &bid(&seen(3), 300), &seen(4)]);
    batch[1].page = 0;
    batch[3].observed_at = NOW - SECOND;
    let delta = derived(&after(&[&seen(3), &seen(4)]), &batch, 5);
    let first = PageCounts { seen: 2, new: 2, listed: 1, closed: 1, events: 2, ..zero(0) };
    let second = PageCounts { seen: 1, changed: 1, bid: 1, events: 1, ..zero(2) };
    assert_eq!(delta.pages, [first, second]);
    let numbers: Vec<_> = events(&delta).iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(numbers, ["6", "7", "8"]);
}

#[test]
fn times_below_a_second_are_kept_and_count() {
    let first = with(&seen(7), |row| row.observed_at += 250_001);
    let states = after(&[&first]);
    let sooner = with(&bid(&first, 300), |row| row.observed_at -= 1);
    assert_eq!(derived(&states, &[sooner], 1).events.rows(), 0);
    let next = with(&bid(&first, 300), |row| row.observed_at += 1);
    let delta = derived(&states, &[next], 1);
    assert_eq!(events(&delta)[0]["observed_at"], (NOW + 250_002).to_string());
}

#[test]
fn an_auction_id_counts_on_each_platform_for_itself() {
    let here = seen(7);
    let there = with(&bid(&seen(7), 300), |row| row.platform = "pc".into());
    let delta = derived(&States::new(10), &pages(&[&here, &there, &here, &there]), 0);
    assert_eq!(kinds(&delta), ["listed", "listed"]);
    let delta = derived(&after(&[&here]), &[there], 1);
    assert_eq!(kinds(&delta), ["listed"]);
}

#[test]
fn rows_stand_in_the_order_of_the_primary_key() {
    let ids = [9, 3, 7, 1];
    let batch: Vec<_> = ids.map(seen).into();
    let delta = derived(&States::new(10), &batch, 0);
    let order = |rows: Vec<market::Fields>| {
        rows.iter().map(|row| row["auction_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(order(listed(&delta)), ["1", "3", "7", "9"]);
    assert_eq!(order(events(&delta)), ["9", "3", "7", "1"]);
}

fn zero(page: usize) -> PageCounts {
    PageCounts { page, ..PageCounts::default() }
}
