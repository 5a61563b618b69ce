//! How many auctions were listed in an hour, by the looks that could have shown them.

use m26::market::asked::{HOUR, SECOND, Seen, Status};
use m26::market::lot::Lot;
use m26::plan::arrivals::Arrivals;
use m26::plan::census::Estimate;
use m26::plan::fading::Fading;

const AT: i64 = 500_000;
const BEGIN: i64 = AT * HOUR;
const RUNS: i64 = 8 * HOUR;

/// A market where so many are listed in a usual hour, each for eight hours; the half of them is gone
/// after a quarter of an hour.
fn market(usual: f32) -> Arrivals {
    let mut arrivals = Arrivals::new();
    let seen = Seen {
        auction_id: 1,
        status: Status::Active,
        bids: 0,
        current_bid: 400,
        buyout_price: 1_150,
        posted_at: BEGIN - HOUR,
        seconds_remaining: 7 * 3600,
        median_price: 1_000,
        card_id: 7,
        card_instance_id: 1,
        acquired_at: 1,
    };
    arrivals.first_sight(&Lot::new(&seen, BEGIN), 1.0, 1.0);
    arrivals.looked(BEGIN - HOUR, BEGIN, usual, 1.0);
    let fading = Fading::new(|age| (1.0 - age / 1_800.0).max(0.5));
    arrivals.census.set_fading(fading);
    arrivals
}

/// The hour is looked at for the first time at `at`, and so many are met.
fn looked_at(usual: f32, at: i64, met: usize) -> Estimate {
    let mut arrivals = market(usual);
    arrivals.census.reached(RUNS, (BEGIN, BEGIN + HOUR), at);
    for _ in 0..met {
        arrivals.census.saw(BEGIN + SECOND, RUNS);
        arrivals.census.met(BEGIN + SECOND, RUNS);
    }
    arrivals.listed(AT, (i64::MIN, i64::MAX))
}

#[test]
fn an_hour_that_was_looked_at_late_counts_what_an_earlier_look_would_have_shown() {
    for usual in [700.0, 1_000.0, 1_400.0] {
        let late = looked_at(usual, BEGIN + 3 * HOUR, 500);
        assert_eq!(late.seen, 500);
        let (listed, low, high) = late.listed;
        assert!((listed - 1_000.0).abs() < 50.0, "{usual}: {listed}");
        assert!((low..=high).contains(&1_000.0) && low > 500.0, "{usual}: {low} to {high}");
    }
}

#[test]
fn an_hour_that_nobody_looked_at_counts_as_it_usually_does_and_less_surely() {
    let blind = market(1_000.0).listed(AT, (i64::MIN, i64::MAX));
    let late = looked_at(1_000.0, BEGIN + 3 * HOUR, 500);
    assert!((blind.listed.0 - 1_000.0).abs() < 50.0, "{blind:?}");
    assert!(blind.listed.2 - blind.listed.1 > late.listed.2 - late.listed.1, "{blind:?} {late:?}");
    assert!(blind.blind > 0.99 && late.blind < 0.01);
}
