//! What it says that a copy is not listed again, learned from ends that were told.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use m26::market::asked::{Ask, HOUR, MINUTE, Reply, SECOND, Seen, Status};
use m26::market::found::{Ended, Flags, Order};
use m26::market::lot::{Outcome, Verdict};
use m26::market::tracker::Tracker;

const NOW: i64 = 500_000 * HOUR;
const END: i64 = NOW + HOUR;
const SEARCH: Ask = Ask::Search { offset: 0, count: 100 };
/// Two lots whose ends nobody tells: of one the copy is known, of the other it is not.
const UNTOLD: [i64; 2] = [401, 402];

/// An auction of an hour, with the copy of its number unless that is not said.
fn lot(auction_id: i64, copy: i64, posted_at: i64, at: i64) -> Seen {
    Seen {
        auction_id,
        status: Status::Active,
        bids: 0,
        current_bid: 400,
        buyout_price: 1_100,
        posted_at,
        seconds_remaining: i32::try_from((posted_at + HOUR - at) / SECOND).unwrap(),
        median_price: 1_000,
        card_id: 7,
        card_instance_id: copy,
        acquired_at: 1,
    }
}

fn copy(id: i64) -> i64 {
    if id == UNTOLD[1] { 0 } else { id }
}

/// What is said of both where, of 400 told ends, half were sales, and of the others this share of the
/// copies came back.
fn said(back: i64) -> [Verdict; 2] {
    let pins = Flags {
        order: Some(Order::None),
        batch: Some(50),
        ended: Some(Ended::Full),
        ..Flags::default()
    };
    let mut tracker = Tracker::new(pins);
    let mut look = |ask: &Ask, at: i64, seen: Vec<Seen>| {
        tracker.observe(ask, &Reply { at, failed: false, truncated: false, seen });
    };
    let all: Vec<i64> = (1..=400).chain(UNTOLD).collect();
    look(
        &SEARCH,
        NOW + MINUTE,
        all.iter().map(|&id| lot(id, copy(id), NOW, NOW + MINUTE)).collect(),
    );
    for (step, ids) in (1..).zip(all[..400].chunks(50)) {
        let at = END + step * 10 * SECOND;
        let told = |&id: &i64| {
            let (status, bids) =
                if id % 2 == 0 { (Status::Ended, 1) } else { (Status::Expired, 0) };
            Seen { status, bids, seconds_remaining: 0, ..lot(id, copy(id), NOW, END) }
        };
        look(&Ask::Refresh { ids: ids.to_vec() }, at, ids.iter().map(told).collect());
    }
    let again = END + 10 * MINUTE;
    let came: Vec<Seen> = (0..200)
        .filter(|at| at % 10 < back)
        .map(|at| lot(1_000 + at, 2 * at + 1, again - SECOND, again))
        .collect();
    look(&SEARCH, again, came);
    let late = END + 24 * HOUR;
    look(&SEARCH, late, vec![lot(2_000, 2_000, late - MINUTE, late)]);
    UNTOLD.map(|id| tracker.board.get(id).unwrap().verdict.unwrap())
}

/// How likely it is said to have expired, at the most.
fn expired(verdict: &Verdict) -> f32 {
    match verdict.fate.outcome() {
        Outcome::Expired => verdict.confidence,
        _ => 1.0 - verdict.confidence,
    }
}

#[test]
fn a_copy_that_does_not_come_back_speaks_for_a_sale_as_far_as_others_did_come_back() {
    let [silent, unknown] = said(9);
    assert!(expired(&silent) < expired(&unknown) - 0.1, "{silent:?} {unknown:?}");
    let [silent, unknown] = said(0);
    assert!((expired(&silent) - expired(&unknown)).abs() < 1e-3, "{silent:?} {unknown:?}");
}

#[test]
fn a_copy_says_nothing_where_it_is_not_told_when_its_seller_got_it() {
    let again = END + MINUTE;
    for (before, after, sold) in
        [(1, 0, None), (0, 1, None), (1, 1, Some(false)), (1, 2, Some(true))]
    {
        let mut tracker = Tracker::new(Flags::default());
        for (id, acquired_at, posted_at, at) in
            [(1, before, NOW, NOW + MINUTE), (2, after, again - SECOND, again)]
        {
            let seen = vec![Seen { acquired_at, ..lot(id, 9, posted_at, at) }];
            tracker.observe(&SEARCH, &Reply { at, failed: false, truncated: false, seen });
        }
        assert_eq!(tracker.board.get(1).unwrap().relisted.map(|again| again.sold), sold);
    }
}
