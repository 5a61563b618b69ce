//! What looks teach of a market whose hazards are known.

#![allow(clippy::unwrap_used)] // a test fails by panicking
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // small figures
#![allow(clippy::cast_sign_loss)]

mod bazaar;

use bazaar::{EPOCH, Eyes, HOURS, MEDIAN, Mood, Truth, USUAL, buyout_time, market, play};
use m26::market::asked::{DAY, HOUR, MINUTE, SECOND, Status};
use m26::market::lot::{Fate, Lot, Told};
use m26::market::rates::{Look, Rates};

const EYES: Eyes = Eyes { looks: 3.0, lead: 60.0, tells: true, final_price: true };

fn taught(seed: u64, mood: Mood, eyes: Eyes) -> Rates {
    let mut rates = Rates::new();
    play(&market(seed, 60_000, 36, mood), seed, eyes, &mut rates, |_, _, _, _| {});
    rates
}

/// A lot on offer whose buyout is so much of the median.
fn lot(ratio: f64, age: i64, bids: i32) -> Lot {
    let truth = Truth {
        id: 1,
        posted: 0,
        expires: 24 * HOURS,
        start: MEDIAN / 2,
        buyout: (ratio * MEDIAN as f64) as i64,
        bids: vec![0.0; bids as usize],
        fate: Fate::Expired,
        ended: (24 * HOURS) as f64,
    };
    Lot::new(&truth.seen(age as f64, true), EPOCH + age * SECOND)
}

/// Share of the standard normal distribution below `z`.
fn below(z: f64) -> f64 {
    let steps = 2000;
    let width = (z + 8.0) / f64::from(steps);
    let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    (0..steps).map(|at| density(-8.0 + (f64::from(at) + 0.5) * width) * width).sum()
}

/// What is really bought between two ages of what is on offer at the first.
fn bought(ratio: f64, young: i64, old: i64, mood: Mood) -> f64 {
    let (half, spread) = buyout_time(ratio, mood);
    let alive = |age: i64| 1.0 - below(((age as f64).ln() - half.ln()) / spread);
    1.0 - alive(old) / alive(young)
}

#[test]
fn buyouts_are_learned_by_price_and_age() {
    for mood in [USUAL, Mood { buyouts: 4.0, ..USUAL }] {
        for tells in [true, false] {
            let rates = taught(3, mood, Eyes { tells, ..EYES });
            for (ratio, young, old) in [
                (0.65, 60, 120),
                (0.65, 60, 1800),
                (0.75, 600, 3600),
                (0.95, 900, 4 * HOURS),
                (1.15, 1800, 8 * HOURS),
                (1.42, 3600, 12 * HOURS),
            ] {
                let lot = lot(ratio, young, 0);
                let from = lot.last_active;
                let said = rates.ended_early(&lot, from, from + (old - young) * SECOND);
                let truth = bought(ratio, young, old, mood);
                let gap = (f64::from(said) - truth).abs();
                // a band of prices is one, and within its first minutes hardly any lot is looked at twice
                let most = if old <= 120 { 0.12 } else { 0.1 };
                assert!(gap < most, "{mood:?} {ratio} {young}-{old}: {said}, truly {truth}");
            }
        }
    }
}

#[test]
fn further_bids_are_learned_by_the_time_left() {
    for late_bids in [0.5, 1.0, 2.0] {
        let mood = Mood { late_bids, ..USUAL };
        let rates = taught(5, mood, EYES);
        for lead in [10, 60, 300] {
            let (mut lots, mut more, mut said) = (0.0, 0.0, 0.0);
            for truth in market(6, 60_000, 36, mood) {
                let at = (truth.expires - lead) as f64;
                if truth.ended < truth.expires as f64 || truth.bids_at(at) == 0 {
                    continue;
                }
                let lot = Lot::new(&truth.seen(at, true), bazaar::micros(at));
                lots += 1.0;
                more += f64::from(u8::from(truth.bids_at(truth.ended) > lot.bids));
                said += f64::from(rates.further_bid(&lot, lead * SECOND));
            }
            let gap = (said - more).abs() / lots;
            assert!(gap < 0.04, "{late_bids} {lead}: {} truly {}", said / lots, more / lots);
        }
    }
}

#[test]
fn bids_come_by_how_long_a_lot_runs_and_how_near_its_buyout_is() {
    // half an hour before the end, with a bid of so many percent of the buyout price
    let open = |(hours, bid): (i64, i64)| {
        let lot = lot(1.0, hours * 3600 - 1800, 1);
        let (expires_at, current_bid) =
            (lot.posted_at + hours * HOUR, lot.buyout_price * bid / 100);
        Lot { expires_at, current_bid, ..lot }
    };
    let kinds = [(1, 50), (24, 50), (1, 98)];
    let mut rates = Rates::new();
    for _ in 0..600 {
        for (kind, more) in kinds.into_iter().zip([1, 0, 0]) {
            let lot = open(kind);
            let (bids, current_bid) = (lot.bids + more, lot.current_bid);
            rates.learn(&lot, lot.expires_at - MINUTE, Look::Active { bids, current_bid });
        }
    }
    let last = lot(1.0, 60, 0);
    rates.learn(&last, last.last_active + 2 * DAY, Look::Active { bids: 0, current_bid: 1 });
    let [short, long, near] = kinds.map(|kind| rates.further_bid(&open(kind), 30 * MINUTE));
    assert!(short > long + 0.4 && short > near + 0.4, "{short} {long} {near}");
}

#[test]
fn a_fresh_listing_survives_as_long_as_they_do() {
    let rates = taught(7, USUAL, EYES);
    let market = market(8, 60_000, 36, USUAL);
    for age in [3, 10, 30, 120, 600] {
        let alive = market.iter().filter(|truth| truth.ended > (truth.posted + age) as f64);
        let truth = alive.count() as f64 / market.len() as f64;
        let said = f64::from(rates.survival(age as f32));
        assert!((said - truth).abs() < 0.02, "{age} s: {said}, truly {truth}");
    }
}

#[test]
fn what_vanished_was_taken_back_where_nobody_would_buy_it() {
    for tells in [true, false] {
        let rates = taught(9, USUAL, Eyes { tells, ..EYES });
        let gone = |ratio| {
            let mut lot = lot(ratio, 3600, 0);
            lot.absent_at = lot.last_active + 4 * HOUR;
            rates.bought(&lot)
        };
        assert!(gone(0.75) > 0.97 && gone(0.0) <= 0.0, "{} {}", gone(0.75), gone(0.0));
        assert!(gone(1.2) > 0.8 && gone(2.8) < 0.2, "{} {}", gone(1.2), gone(2.8));
    }
}

#[test]
fn priors_alone_rank_lots_as_the_market_does() {
    let rates = Rates::new();
    let early = |ratio| {
        let lot = lot(ratio, 20, 0);
        rates.ended_early(&lot, lot.last_active, lot.last_active + HOUR)
    };
    assert!(early(0.3) > 0.9 && early(0.7) > 0.5 && early(1.0) < 0.4 && early(2.6) < 0.01);
    let bid = |bids| rates.further_bid(&lot(1.0, 20, bids), 180 * SECOND);
    assert!((0.2..0.4).contains(&bid(1)) && bid(0) < bid(1));
    assert!(rates.survival(0.0) >= 1.0 && rates.survival(60.0) > rates.survival(600.0));
}

#[test]
fn a_change_of_the_market_is_followed_within_days() {
    let mut rates = taught(11, USUAL, EYES);
    let lot = lot(0.95, 900, 0);
    let hour = |rates: &Rates| rates.ended_early(&lot, lot.last_active, lot.last_active + HOUR);
    let before = hour(&rates);
    let fast = Mood { buyouts: 4.0, ..USUAL };
    for day in 1..4 {
        let mut market = market(12, 40_000, 24, fast);
        for truth in &mut market {
            truth.posted += day * 36 * HOURS;
            truth.expires += day * 36 * HOURS;
            truth.ended += (day * 36 * HOURS) as f64;
            truth.bids.iter_mut().for_each(|bid| *bid += (day * 36 * HOURS) as f64);
        }
        play(&market, 13, EYES, &mut rates, |_, _, _, _| {});
    }
    let truth = bought(0.95, 900, 4500, fast);
    assert!(f64::from(before) < truth - 0.2, "{before} {truth}");
    assert!((f64::from(hour(&rates)) - truth).abs() < 0.08, "{} {truth}", hour(&rates));
}

#[test]
fn a_missed_lot_is_counted_once_when_its_end_is_told_later() {
    let alike = |missed: bool| {
        let mut rates = Rates::new();
        for id in 0..600 {
            let mut lot = Lot { auction_id: id, ..lot(1.0, 60, 0) };
            let at = lot.last_active + HOUR;
            if missed {
                rates.learn(&lot, at, Look::Gone);
                lot.absent_at = at;
            }
            let told = Told { status: Status::Ended, at, bids: 1, current_bid: lot.buyout_price };
            rates.learn(&lot, at, Look::Told(told, 0));
        }
        let lot = lot(1.0, 60, 0);
        rates.learn(&lot, lot.last_active + DAY, Look::Active { bids: 0, current_bid: 1 });
        rates.ended_early(&lot, lot.last_active, lot.last_active + HOUR)
    };
    assert!((alike(true) - alike(false)).abs() < 0.01, "{} {}", alike(true), alike(false));
}

#[test]
fn what_was_missed_and_comes_back_counts_as_on_offer() {
    let taught = |missed: bool| {
        let mut rates = Rates::new();
        for id in 0..600 {
            let mut lot = Lot { auction_id: id, ..lot(1.0, 60, 0) };
            let at = lot.last_active + HOUR;
            if missed {
                rates.learn(&lot, at, Look::Gone);
                lot.absent_at = at;
            }
            rates.learn(&lot, at + 1, Look::Active { bids: 0, current_bid: lot.current_bid });
        }
        let lot = lot(1.0, 60, 0);
        rates.learn(&lot, lot.last_active + DAY, Look::Active { bids: 0, current_bid: 1 });
        rates.ended_early(&lot, lot.last_active, lot.last_active + HOUR)
    };
    assert!((taught(true) - taught(false)).abs() < 0.01, "{} {}", taught(true), taught(false));
}

#[test]
fn the_same_looks_give_the_same_rates_wherever_they_are_cut() {
    let whole = taught(15, USUAL, EYES);
    assert_eq!(postcard::to_stdvec(&whole), postcard::to_stdvec(&taught(15, USUAL, EYES)));
    let bytes = postcard::to_stdvec(&whole).unwrap();
    let mut again: Rates = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(whole, again);
    assert!(bytes.len() < 200_000, "{}", bytes.len());
    let (mut whole, more) = (whole, market(16, 5_000, 12, USUAL));
    for rates in [&mut whole, &mut again] {
        play(&more, 16, EYES, rates, |_, _, _, _| {});
    }
    assert_eq!(whole, again);
}

#[test]
fn chances_stay_chances_at_any_moment() {
    let rates = taught(17, USUAL, EYES);
    for ratio in [0.0, 0.1, 0.99, 5.0] {
        for bids in [0, 3] {
            let lot = lot(ratio, 10, bids);
            for (from, to) in [(0, 0), (0, 1), (SECOND, DAY), (0, 30 * DAY), (2 * DAY, 3 * DAY)] {
                let (from, to) = (lot.last_active + from, lot.last_active + to);
                let course = rates.course(&lot, from, to);
                let sum = course.same + course.further + course.bought() + course.withdrawn;
                assert!((sum - 1.0).abs() < 1e-3, "{course:?}");
                let early = rates.ended_early(&lot, from, to);
                assert!((0.0..=1.0).contains(&early) && rates.survives(&lot, from, to) <= 1.0);
                assert!((0.0..=1.001).contains(&rates.sold_at_last(&lot, from)));
            }
        }
    }
}
