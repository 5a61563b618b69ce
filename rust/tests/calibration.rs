//! What is said with a confidence is right so often, in markets that differ.

mod bazaar;

use bazaar::{Eyes, Mood, USUAL, market, play};
use m26::market::asked::{HOUR, Seen, Status};
use m26::market::calibration::{Calibration, Cell, Rule};
use m26::market::judge::{Manners, claimed, judge};
use m26::market::lot::{Fate, Lot};
use m26::market::rates::Rates;

const BANDS: [f32; 7] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/// Per band: labels, what was said, what was right.
type Bands = [(f32, f32, f32); 8];

fn note(bands: &mut Bands, said: f32, right: bool) {
    let band = &mut bands[BANDS.partition_point(|&edge| edge <= said)];
    band.0 += 1.0;
    band.1 += said;
    band.2 += f32::from(u8::from(right));
}

/// Labels of a second day from last looks alone, outcome and price apart.
fn labels(seed: u64, mood: Mood, tells: bool, lead: f64, per_day: i64) -> [Bands; 2] {
    let eyes = Eyes { looks: 3.0, lead, tells, final_price: true };
    let manners = Manners { tells, final_price: Some(true), recall: None };
    let market = market(seed, 5 * per_day / 2, 60, mood);
    let (mut rates, mut calibration) = (Rates::new(), Calibration::new());
    let mut bands = [Bands::default(); 2];
    play(&market, seed + 1, eyes, &mut rates, |rates, truth, lot, now| {
        calibration.settle(now);
        let Some(verdict) = judge(lot, now, &manners, rates, &calibration) else { return };
        let (outcome, price) = truth.agrees(verdict.fate, verdict.final_price);
        if truth.posted > 24 * 3600 && verdict.fate != Fate::Unknown {
            note(&mut bands[0], verdict.confidence, outcome);
            note(&mut bands[1], verdict.price_confidence, price);
        }
        if tells && let Some((cell, ..)) = claimed(lot, (0, now), &manners, rates) {
            calibration.proved(&cell, outcome, if price { 1.0 } else { 0.0 });
        }
    });
    bands
}

fn show(name: &str, bands: &[Bands; 2]) {
    for (what, bands) in ["outcome", "price"].iter().zip(bands) {
        for (n, said, right) in bands {
            if *n > 0.0 {
                println!("{name} {what} n {n} said {:.3} right {:.3}", said / n, right / n);
            }
        }
    }
}

fn hold(name: &str, all: &[Bands; 2], points: f32) {
    show(name, all);
    for (n, said, right) in all.iter().flatten().filter(|band| band.0 >= 200.0) {
        let (said, right) = (said / n, right / n);
        let noise = 2.0 * (said * (1.0 - said) / n).sqrt();
        let gap = (said - right).abs();
        assert!(gap <= points + noise, "{name}: said {said}, right {right} of {n}");
    }
}

#[test]
fn what_is_told_later_makes_confidence_right() {
    for (seed, lead) in [(1, 600.0), (2, 10.0)] {
        hold(&format!("told {lead}"), &labels(seed, USUAL, true, lead, 25_000), 0.03);
    }
}

#[test]
fn looks_alone_make_confidence_right_within_five_points() {
    for (seed, lead) in [(3, 600.0), (4, 60.0), (5, 10.0)] {
        hold(&format!("untold {lead}"), &labels(seed, USUAL, false, lead, 25_000), 0.05);
    }
}

#[test]
fn confidence_is_right_where_habits_are_half_or_double() {
    for (at, by) in [(0, 0.5), (0, 2.0), (1, 0.5), (1, 2.0), (2, 0.5), (2, 2.0)] {
        let mut mood = USUAL;
        *[&mut mood.late_bids, &mut mood.buyouts, &mut mood.withdrawals][at] *= by;
        for tells in [true, false] {
            let name = format!("{mood:?} {tells}");
            hold(&name, &labels(7, mood, tells, 120.0, 15_000), 0.05);
        }
    }
}

fn lot(buyout_price: i64) -> Lot {
    let seen = Seen {
        auction_id: 1,
        status: Status::Active,
        bids: 0,
        current_bid: 500,
        buyout_price,
        posted_at: 0,
        seconds_remaining: 3600,
        median_price: 1000,
        card_id: 1,
        card_instance_id: 1,
        acquired_at: 1,
    };
    Lot::new(&seen, HOUR)
}

#[test]
fn a_new_table_applies_from_the_next_full_hour_alone() {
    let mut table = Calibration::new();
    let cell = Cell::new(&lot(900), Rule::Expired, 0.9, 0.9);
    table.settle(10 * HOUR + 1);
    for at in 0..400 {
        table.proved(&cell, at % 2 == 0, 1.0);
    }
    table.settle(11 * HOUR - 1);
    assert_eq!((table.version, table.rate(&cell)), (1, Calibration::unproved(&cell)));
    table.settle(11 * HOUR);
    let (outcome, price) = table.rate(&cell);
    assert_eq!((table.version, table.applies_from), (2, 11 * HOUR));
    assert!((outcome - 0.5).abs() < 0.06 && price <= outcome, "{outcome} {price}");
}

#[test]
fn a_cell_without_proofs_follows_its_rule_and_other_rules_do_not() {
    let mut table = Calibration::new();
    let cheap = |rule| Cell::new(&lot(300), rule, 0.9, 0.9);
    for _ in 0..400 {
        table.proved(&Cell::new(&lot(1500), Rule::Expired, 0.9, 0.9), false, 0.0);
    }
    table.settle(HOUR);
    assert!(table.rate(&cheap(Rule::Expired)).0 < 0.6);
    let other = cheap(Rule::LastBid);
    assert_eq!(table.rate(&other), Calibration::unproved(&other));
}

#[test]
fn what_is_never_proved_is_less_sure_than_the_rates_say() {
    let mut table = Calibration::new();
    let cell = Cell::new(&lot(900), Rule::Expired, 0.9, 0.9);
    let (unproved, _) = Calibration::unproved(&cell);
    assert!((0.88..0.895).contains(&unproved), "{unproved}");
    for at in 0..4_000 {
        table.proved(&cell, at % 10 > 0, 1.0);
    }
    table.settle(HOUR);
    let (proved, _) = table.rate(&cell);
    assert!((proved - 0.9).abs() < 0.003, "{proved}");
}

#[test]
fn cells_that_do_not_differ_follow_their_rule_more_than_their_few_proofs() {
    let told = |rule, differ: bool| {
        let mut table = Calibration::new();
        for (n, price) in [300, 750, 1000, 1300, 2000].into_iter().enumerate() {
            for at in 0..100 {
                let right = if differ { at < 20 * n } else { at % 2 == 0 };
                table.proved(&Cell::new(&lot(price), rule, 0.7, 0.7), right, 1.0);
            }
        }
        for at in 0..10 {
            table.proved(&Cell::new(&lot(0), rule, 0.7, 0.7), at < 8, 1.0);
        }
        table.settle(HOUR);
        table.rate(&Cell::new(&lot(0), rule, 0.7, 0.7)).0
    };
    let (alike, differ) = (told(Rule::Expired, false), told(Rule::Expired, true));
    assert!((alike - 0.5).abs() < 0.06 && differ > alike + 0.05, "{alike} {differ}");
}

#[test]
fn what_is_certain_stays_so() {
    let mut table = Calibration::new();
    let cell = Cell::new(&lot(900), Rule::LastBid, 1.0, 0.7);
    for _ in 0..400 {
        table.proved(&cell, true, 0.0);
    }
    table.settle(HOUR);
    let (outcome, price) = table.rate(&cell);
    assert!(outcome >= 1.0 && price < 0.2, "{outcome} {price}");
}

#[test]
fn rows_tell_what_was_said_and_what_was_right() {
    let mut table = Calibration::new();
    assert_eq!(table.rows().count(), 0);
    table.proved(&Cell::new(&lot(0), Rule::Relisted, 0.9, 0.5), true, 0.0);
    let rows: Vec<_> = table.rows().collect();
    assert_eq!((rows.len(), rows[0].evidence, rows[0].band), (1, "relisted, unsold", "no buyout"));
    assert_eq!((rows[0].asked, rows[0].agreed, rows[0].price_agreed), (1.0, 1.0, 0.0));
    assert_eq!((rows[0].said, rows[0].price_said), (0.9, 0.5));
}
