//! Stored auctions that ended before outcomes were inferred: what the rows prove, and nothing else.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use m26::history::closings::Inferred;
use m26::infer::bygone::{Bygone, Stored};
use m26::market::asked::{HOUR, MINUTE, SECOND, Status};
use m26::market::board::KEEP_OPEN;
use m26::market::lot::{Evidence, Fate, Lot, Outcome, Told};

const T0: i64 = 1_790_000_000 * SECOND;

/// An auction of an hour, on offer without a bid as it was seen so long before its end.
fn stored(auction_id: i64, posted_at: i64, lead: i64) -> Stored {
    let (posted_at, expires_at) = (T0 + posted_at, T0 + posted_at + HOUR);
    let last_seen = expires_at - lead;
    let lot = Lot {
        auction_id,
        card_id: 1,
        card_instance_id: auction_id,
        acquired_at: T0 - 24 * HOUR,
        posted_at,
        expires_at,
        start_price: 100,
        buyout_price: 5000,
        median_price: 2000,
        current_bid: 100,
        bids: 0,
        first_seen: posted_at,
        last_active: last_seen,
        last_asked: 0,
        times_asked: 0,
        absent_at: 0,
        omitted: false,
        told: None,
        relisted: None,
        verdict: None,
    };
    let (platform, status) = ("ps5".into(), "active".into());
    Stored { platform, status, is_open: true, last_seen, lot }
}

fn told(mut stored: Stored, named: &str, bids: i32) -> Stored {
    let (status, current_bid) = (Status::of(named).unwrap(), stored.lot.current_bid);
    stored.lot.told = Some(Told { status, at: stored.last_seen, bids, current_bid });
    stored.lot.last_active = 0;
    stored.status = named.into();
    stored
}

/// A row that only passes the time.
fn much_later() -> Stored {
    Stored { is_open: false, ..stored(900, 60 * HOUR, 0) }
}

fn said(rows: Vec<Stored>) -> Vec<(i64, Outcome, Evidence)> {
    let mut bygone = Bygone::default();
    let found = bygone.take(rows.into_iter().chain([much_later()]).collect());
    assert_eq!(bygone.lowest(), None);
    found.iter().map(|by| (by.auction_id, by.closing.outcome, by.closing.evidence)).collect()
}

#[test]
fn a_look_in_the_last_minutes_proves_and_one_long_before_does_not() {
    let mut bid = stored(2, 0, MINUTE);
    (bid.lot.bids, bid.lot.current_bid) = (1, 300);
    let mut bid_before = stored(3, 0, 30 * MINUTE);
    bid_before.lot.bids = 1;
    assert_eq!(
        said(vec![stored(1, 0, MINUTE), bid, bid_before, stored(4, 0, 30 * MINUTE)]),
        [
            (1, Outcome::Expired, Evidence::PastExpiry),
            (2, Outcome::Sold, Evidence::FinalWindow),
            (3, Outcome::Unknown, Evidence::Gap),
            (4, Outcome::Unknown, Evidence::Gap),
        ]
    );
}

#[test]
fn the_next_listing_of_a_copy_proves_whether_it_was_sold() {
    let again = |auction_id, copy, acquired_at| {
        let mut again = Stored { is_open: false, ..stored(auction_id, 2 * HOUR, 0) };
        (again.lot.card_instance_id, again.lot.acquired_at) = (copy, acquired_at);
        again
    };
    let before = || vec![stored(1, 0, 30 * MINUTE)];
    let with = |next| said(before().into_iter().chain([next]).collect());
    let kept = with(again(11, 1, T0 - 24 * HOUR));
    assert_eq!(kept, [(1, Outcome::Expired, Evidence::Relisted)]);
    let sold = with(again(11, 1, T0 + 50 * MINUTE));
    assert_eq!(sold, [(1, Outcome::Sold, Evidence::Relisted)]);
    // another's sale, and one whose time is not told
    for acquired_at in [T0 + 90 * MINUTE, 0] {
        let unknown = with(again(11, 1, acquired_at));
        assert_eq!(unknown, [(1, Outcome::Unknown, Evidence::Gap)]);
    }
}

#[test]
fn told_as_ended_it_was_sold_once_unsold_ones_are_told_as_expired() {
    let ended = || told(stored(1, 0, -MINUTE), "ended", 0);
    assert_eq!(said(vec![ended()]), []);
    let expired = Stored { is_open: false, ..told(stored(2, 0, -MINUTE), "expired", 0) };
    let mut bygone = Bygone::default();
    let found = bygone.take(vec![ended(), expired, much_later()]);
    let [Inferred { closing, observed_at, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((closing.outcome, closing.evidence), (Outcome::Sold, Evidence::Status));
    let sale = closing.sale.unwrap();
    assert_eq!((sale.via, sale.price), (Fate::Buyout.via(), 5000));
    assert_eq!(*observed_at, T0 + HOUR + MINUTE);
}

#[test]
fn wherever_rows_are_cut_and_whoever_goes_on_it_is_the_same() {
    let rows = || -> Vec<Stored> {
        let lead = |n: i64| if n % 2 == 0 { MINUTE } else { 30 * MINUTE };
        let mut rows: Vec<_> = (0..400).map(|n| stored(n, n * HOUR / 4, lead(n))).collect();
        for n in (3..400).step_by(7) {
            rows[n].lot.card_instance_id = rows[n - 3].lot.card_instance_id;
        }
        rows
    };
    let mut whole = Bygone::default();
    let mut wanted = whole.take(rows());
    wanted.extend(whole.rest());
    let mut found = Vec::new();
    let mut bygone = Bygone::default();
    for (step, chunk) in rows().chunks(30).enumerate() {
        found.extend(bygone.take(chunk.to_vec()));
        if step == 6 {
            // another begins with the first that waits; what is closed by then is told no more
            let lowest = bygone.lowest().unwrap();
            bygone = Bygone::default();
            let said: Vec<i64> = found.iter().map(|by: &Inferred| by.auction_id).collect();
            let again = rows().into_iter().filter(|row| row.lot.auction_id >= lowest);
            let again = again.take_while(|row| row.lot.auction_id < 7 * 30);
            let again =
                again.map(|row| Stored { is_open: !said.contains(&row.lot.auction_id), ..row });
            assert_eq!(bygone.take(again.collect()), []);
        }
    }
    found.extend(bygone.rest());
    assert_eq!(found, wanted);
    let is_over = |by: &Inferred| by.auction_id * HOUR / 4 + HOUR + KEEP_OPEN < 100 * HOUR;
    assert!(wanted.iter().all(is_over) && wanted.len() > 250);
}
