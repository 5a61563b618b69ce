//! The rule of outcomes: bought out, sold to the last bidder, expired, or nobody can tell.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod market;

use m26::history::state::States;
use m26::rows::record::AuctionRow;
use market::{
    NOW, SECOND, after, bid, derived, events, kinds, later, listed, pages, rewritten, said, seen,
    values, with,
};

const OUTCOME: [&str; 7] =
    ["kind", "outcome", "outcome_via", "evidence", "confidence", "final_price", "price_confidence"];

/// What an auction came to that was seen as `first`, then as `row`, `after` seconds later.
fn came_to(first: &AuctionRow, row: &AuctionRow, after_seconds: i64, status: &str) -> String {
    let row = said(&later(row, after_seconds), status);
    let delta = derived(&after(&[first]), std::slice::from_ref(&row), 1);
    let event = values(&events(&delta)[0], &OUTCOME);
    assert_eq!(
        values(&rewritten(&delta)[0], &OUTCOME[1..]),
        values(&events(&delta)[0], &OUTCOME[1..])
    );
    // the same in one batch
    let delta = derived(&States::new(10), &pages(&[first, &row]), 0);
    assert_eq!(values(&events(&delta)[1], &OUTCOME), event);
    event
}

#[test]
fn what_the_status_says_is_the_outcome() {
    let plain = seen(7);
    let priced = with(&plain, |row| row.buyout_price = Some(900));
    let ended =
        |row: &AuctionRow, after| came_to(&with(row, |row| row.bids = 0), row, after, "ended");
    let (early, close, over) = (3_594, 3_595, 3_700);
    for after in [early, close, over] {
        assert_eq!(ended(&bid(&plain, 400), after), "closed sold bid status 1 400 1");
        assert_eq!(ended(&plain, after), "closed expired null status 1 null null");
    }
    assert_eq!(ended(&priced, early), "closed sold buyout status 0.98 900 0.98");
    assert_eq!(ended(&bid(&priced, 400), early), "closed sold buyout status 0.98 900 0.98");
    for after in [close, over] {
        assert_eq!(ended(&priced, after), "closed unknown null status 0 null null");
        assert_eq!(ended(&bid(&priced, 899), after), "closed sold bid status 1 899 0.95");
        assert_eq!(ended(&bid(&priced, 900), after), "closed sold buyout status 1 900 1");
    }
    let told = |row: &AuctionRow, status| came_to(&plain, row, early, status);
    assert_eq!(told(&priced, "expired"), "closed expired null status 1 null null");
    assert_eq!(told(&bid(&priced, 900), "cancelled"), "closed cancelled null status 1 null null");
    assert_eq!(told(&bid(&plain, 400), "paused"), "changed null null null null null null");
}

#[test]
fn of_an_auction_that_was_never_active_nobody_knows_how_it_ended() {
    let priced = with(&seen(7), |row| row.buyout_price = Some(900));
    let paused = with(&priced, |row| row.status = "paused".into());
    let unknown = "closed unknown null status 0 null null";
    for row in [&priced, &bid(&priced, 400), &bid(&seen(7), 400)] {
        let ended = said(row, "ended");
        let delta = derived(&States::new(10), std::slice::from_ref(&ended), 0);
        assert_eq!(values(&events(&delta)[0], &OUTCOME), unknown);
        assert_eq!(values(&listed(&delta)[0], &OUTCOME[1..]), unknown["closed ".len()..]);
        // seen again, it is still not known
        let again = bid(&later(&ended, 60), 500);
        assert_eq!(kinds(&derived(&after(&[&ended]), &[again], 1)), ["bid"]);
        assert_eq!(came_to(&paused, row, 10, "ended"), unknown);
    }
    let ended = said(&seen(7), "ended");
    let delta = derived(&States::new(10), &[ended], 0);
    assert_eq!(values(&events(&delta)[0], &OUTCOME), "closed expired null status 1 null null");
}

#[test]
fn an_outcome_is_replaced_by_a_more_certain_one_alone() {
    let priced = with(&seen(7), |row| row.buyout_price = Some(900));
    let unknown = said(&later(&priced, 3_700), "ended");
    let sold = said(&bid(&later(&priced, 3_701), 500), "ended");
    let expired = said(&later(&priced, 3_702), "expired");
    let other = said(&later(&priced, 3_703), "cancelled");
    let delta = derived(&States::new(10), &pages(&[&priced, &unknown, &sold, &expired, &other]), 0);
    assert_eq!(kinds(&delta), ["listed", "closed", "closed", "closed", "changed"]);
    let outcome = ["outcome", "confidence", "final_price"];
    let told: Vec<_> = events(&delta).iter().map(|event| values(event, &outcome)).collect();
    let nothing = "null null null";
    assert_eq!(told, [nothing, "unknown 0 null", "sold 1 500", "expired 1 null", nothing]);
    let row = &listed(&delta)[0];
    assert_eq!(values(row, &["status", "outcome", "final_price"]), "cancelled expired null");

    // the same over batches
    let states = after(&[&priced, &unknown]);
    let delta = derived(&states, &[said(&later(&unknown, 1), "ended")], 2);
    assert!(kinds(&delta).is_empty());
    let delta = derived(&states, std::slice::from_ref(&sold), 2);
    assert_eq!((kinds(&delta), delta.rewritten.rows()), (vec!["closed".to_owned()], 1));
    let delta = derived(&after(&[&priced, &unknown, &sold, &expired]), &[other], 4);
    assert_eq!(kinds(&delta), ["changed"]);
    assert_eq!(rewritten(&delta)[0]["outcome"], "null"); // nothing to write over what is known
}

#[test]
fn what_was_bought_out_stays_so_when_it_is_looked_at_after_its_time() {
    let first = with(&bid(&seen(7), 400), |row| row.buyout_price = Some(900));
    let ended = said(&later(&first, 60), "ended");
    let states = after(&[&first, &ended]);
    assert!(kinds(&derived(&states, &[said(&later(&ended, 9_000), "ended")], 2)).is_empty());
}

#[test]
fn a_stronger_outcome_of_the_same_state_is_an_event_too() {
    let row = said(&seen(7), "ended");
    let mut states = States::new(10);
    let held = after(&[&row]);
    assert_eq!(derived(&held, std::slice::from_ref(&row), 1).events.rows(), 0);
    let active = |confidence| m26::history::state::Learned {
        was_active: true,
        ..market::state_of(&row, Some(confidence))
    };
    states.learn([active(0.7)]);
    assert_eq!(kinds(&derived(&states, std::slice::from_ref(&row), 1)), ["closed"]);
    states.learn([active(1.0)]);
    assert_eq!(derived(&states, &[row], 1).events.rows(), 0);
}

#[test]
fn a_sale_is_dated_by_the_reply_or_the_end_whichever_is_first() {
    let first = seen(7);
    let early = said(&bid(&later(&first, 10), 300), "ended");
    let late = said(&bid(&later(&first, 9_000), 300), "ended");
    for (row, closed_at) in [(&early, NOW + 10 * SECOND), (&late, NOW + 3_600 * SECOND)] {
        let delta = derived(&after(&[&first]), std::slice::from_ref(row), 1);
        assert_eq!(rewritten(&delta)[0]["closed_at"], closed_at.to_string());
        assert_eq!(events(&delta)[0]["expires_at"], (NOW + 3_600 * SECOND).to_string());
    }
}

#[test]
fn an_end_that_creeps_is_the_same_wherever_batches_are_cut() {
    let first = with(&seen(7), |row| row.buyout_price = Some(900));
    let crept = with(&later(&first, 60), |row| row.expires_at += 4 * SECOND);
    let ended = said(&later(&first, 3_597), "ended"); // 3 s early, or 7 s
    let whole = derived(&States::new(10), &pages(&[&first, &crept, &ended]), 0);
    let cut = derived(&after(&[&first, &crept]), std::slice::from_ref(&ended), 1);
    for delta in [whole, cut] {
        let event = &events(&delta).pop().unwrap();
        assert_eq!(
            values(event, &["outcome", "expires_at"]),
            format!("unknown {}", first.expires_at)
        );
    }
}

#[test]
fn an_end_counts_as_early_by_the_clock_that_told_the_time_left() {
    let priced = with(&seen(7), |row| row.buyout_price = Some(900));
    let set_back = |row: &AuctionRow, served: i64| {
        let row = said(&later(row, 7_200), "ended"); // an hour behind its time, in the journal's order
        with(&row, |row| row.served_at = NOW + served * SECOND)
    };
    for (served, outcome) in [(3_594, "closed sold buyout"), (3_600, "closed unknown null")] {
        let row = set_back(&priced, served);
        let delta = derived(&after(&[&priced]), std::slice::from_ref(&row), 1);
        assert_eq!(values(&events(&delta)[0], &OUTCOME[..3]), outcome);
    }
}

#[test]
fn an_auction_seen_on_offer_tells_its_end_though_its_page_was_set_behind_another() {
    let moved = with(&later(&seen(7), 7_200), |row| {
        row.served_at = NOW + 60 * SECOND;
        row.expires_at = NOW + 1_860 * SECOND;
    });
    let delta = derived(&after(&[&seen(7)]), std::slice::from_ref(&moved), 1);
    assert_eq!(rewritten(&delta)[0]["expires_at"], moved.expires_at.to_string());
}
