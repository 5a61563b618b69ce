//! What a card is worth: which sales count, what the market did, how sure a price is.
#![allow(clippy::cast_precision_loss, clippy::expect_used)] // tests may panic

use m26::price::ask::{Ask, Asks};
use m26::price::index::Index;
use m26::price::level::{Habits, Normal, Seen};
use m26::price::market::{Card, Market};
use m26::price::sale::{Counted, Sale};
use m26::price::traits::Traits;
use proptest::prelude::*;

/// A sale so many days ago.
fn sale(ago: f64, price: f64, copy: i64) -> Sale {
    Sale { at: -ago, price, copy, by_bid: false, sure: 1.0, shown: 0.0 }
}

fn standing(price: f64, ago: f64) -> Ask {
    Ask { price, from: -ago, to: 0.0, open: true }
}

/// Sales one after another, each of a copy of its own.
fn steady(price: f64, count: i64, first_copy: i64) -> Vec<Sale> {
    (0..count).map(|i| sale(0.5 * (count - i) as f64, price, first_copy + i)).collect()
}

/// A card of no kind.
fn card(sales: &[Sale], asks: Asks) -> Card {
    Card::new(Traits::default(), sales, asks, None)
}

fn counted(sales: &[Sale]) -> Counted {
    Counted::of(sales, &Asks::default())
}

fn near(value: f64, wanted: f64, within: f64) {
    assert!((value / wanted - 1.0).abs() < within, "{value} is not near {wanted}");
}

#[test]
fn a_copy_tells_once_in_three_days() {
    let found = counted(&[sale(5.0, 900.0, 7), sale(3.0, 1000.0, 7), sale(1.0, 1100.0, 7)]);
    assert_eq!(found.sales.iter().map(|kept| kept.at).collect::<Vec<_>>(), [-5.0, -1.0]);
    assert_eq!((found.same_copy, found.over_ask), (1, 0));
}

#[test]
fn a_copy_that_is_passed_around_tells_nothing() {
    let sales: Vec<Sale> = (0..6).map(|i| sale(1.0 - 0.1 * f64::from(i), 5000.0, 7)).collect();
    let found = counted(&sales);
    assert!(found.sales.is_empty(), "{found:?}");
    assert!(found.washed);
}

#[test]
fn copies_that_nobody_knows_are_not_one() {
    assert_eq!(counted(&[sale(2.0, 900.0, 0), sale(1.0, 900.0, 0)]).sales.len(), 2);
}

#[test]
fn a_sale_far_over_what_stood_beside_it_is_no_price() {
    let asks = Asks::new(vec![standing(1000.0, 2.0), standing(1100.0, 2.0)]);
    let found = Counted::of(&[sale(1.0, 1370.0, 1), sale(0.5, 1380.0, 2)], &asks);
    assert_eq!((found.sales.len(), found.over_ask), (1, 1));
    // those that were listed a moment before are no choice that anybody had
    let fresh = Asks::new(vec![standing(1000.0, 1.01), standing(1100.0, 1.01)]);
    assert_eq!(Counted::of(&[sale(1.0, 5000.0, 1)], &fresh).over_ask, 0);
}

#[test]
fn a_burst_tells_as_much_as_usual() {
    let mut sales = steady(1000.0, 20, 100);
    sales.extend((0..10).map(|i| sale(0.4 - 0.01 * f64::from(i), 4000.0, 900 + i64::from(i))));
    let found = counted(&sales);
    let burst: f64 =
        found.sales.iter().filter(|kept| kept.copy >= 900).map(|kept| kept.weight).sum();
    assert!(burst < 4.0, "{burst}");
    assert!(found.washed);
}

#[test]
fn an_outcome_in_doubt_weighs_by_its_confidence() {
    let doubtful = Sale { sure: 0.6, ..sale(1.0, 900.0, 1) };
    let weights: Vec<f64> =
        counted(&[sale(2.0, 900.0, 2), doubtful]).sales.iter().map(|k| k.weight).collect();
    assert_eq!(weights, [1.0, 0.6]);
}

#[test]
fn the_cheapest_two_asks_are_those_that_stand() {
    let asks = Asks::new(vec![
        Ask { price: 5.0, from: -3.0, to: -2.0, open: false },
        Ask { price: 6.0, from: -3.0, to: -0.5, open: true },
        Ask { price: 7.0, from: -0.2, to: -0.19, open: true },
        standing(30.0, 1.0),
        standing(20.0, 0.5),
        standing(10.0, 0.01),
    ]);
    assert_eq!(asks.standing(1.0 / 24.0), [Some(20.0), Some(30.0)]);
    assert_eq!(asks.beside(-2.5, 0.0), [Some(5.0), Some(6.0)]);
    assert_eq!(asks.beside(-9.0, 0.0), [None, None]);
}

#[test]
fn what_all_cards_do_is_the_market() {
    // 200 cards, three sales a day each, everything falls by a fifth within a day
    let path = |at: f64| if at < -3.0 { 0.0 } else { -0.223 * (at + 3.0).min(1.0) };
    let cards: Vec<Vec<Sale>> = (0..200)
        .map(|card| {
            let level = 500.0 + 37.0 * f64::from(card);
            let at = |i: i32| 10.0 - f64::from(i) / 3.0 - f64::from(card % 7) / 50.0;
            (0..30)
                .map(|i| sale(at(i), level * path(-at(i)).exp(), i64::from(card * 1000 + i)))
                .collect()
        })
        .collect();
    let counted: Vec<Counted> = cards.iter().map(|sales| counted(sales)).collect();
    let index = Index::learned(counted.iter().map(|one| one.sales.as_slice()), 10.0);
    near(index.at(-4.0) - index.at(-1.0), 0.223, 0.05);
    assert!((index.at(-8.0) - index.at(-4.0)).abs() < 0.01);
    assert!(index.at(0.0).abs() < 1e-9);
    let market = Market::learned(
        &cards.iter().map(|sales| card(sales, Asks::default())).collect::<Vec<_>>(),
        10.0,
    );
    // sold before the fall, and not since: it fell with the others
    let earlier = |s: Sale| Sale { at: s.at - 4.0, ..s };
    let quiet: Vec<Sale> = steady(1000.0, 8, 1).into_iter().map(earlier).collect();
    near(market.fair(&card(&quiet, Asks::default())).fair, 800.0, 0.05);
}

#[test]
fn an_ask_that_nobody_takes_bounds_a_price() {
    let market = Market::learned(&[], 30.0);
    let sales = steady(1000.0, 3, 1);
    let alone = market.fair(&card(&sales, Asks::default()));
    let asks = Asks::new(vec![standing(700.0, 0.5), standing(720.0, 0.5)]);
    let bound = market.fair(&card(&sales, asks));
    assert!(bound.fair < 0.9 * alone.fair, "{} {}", bound.fair, alone.fair);
    assert!(bound.fair < 800.0, "{}", bound.fair);
}

#[test]
fn a_card_without_sales_costs_what_its_kind_does() {
    let cards: Vec<Card> = (0..60)
        .map(|i| {
            let overall = 70 + i % 30;
            let price = 100.0 * (0.1 * f64::from(overall - 70)).exp();
            let traits =
                Traits { overall: Some(overall), position: Some((i % 5) as usize), program: None };
            let sales = steady(price, 12, i64::from(i) * 100 + 1);
            Card::new(traits, &sales, Asks::default(), None)
        })
        .collect();
    let market = Market::learned(&cards, 30.0);
    let traits = Traits { overall: Some(90), position: Some(2), program: None };
    let found = market.fair(&Card { traits, ..Card::default() });
    near(found.fair, 739.0, 0.1);
    assert_eq!((found.method, found.flags.as_slice()), ("kind", ["thin", "stale"].as_slice()));
    assert!(found.low < found.fair && found.fair < found.high);
}

#[test]
fn a_shown_median_counts_where_it_tells_of_sales_to_come() {
    let market = |shown: fn(f64, f64) -> f64| {
        let mut state = 9_u64;
        let mut draw = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        let cards: Vec<Card> = (0..60)
            .map(|card| {
                let (mut level, mut last) = (1000.0, 1000.0);
                let sales = (0..40).map(|i| {
                    level *= (0.25 * draw()).exp();
                    let price = level * (0.1 * draw()).exp();
                    let told = Sale {
                        shown: shown(level, last),
                        ..sale(20.0 - 0.5 * f64::from(i), price, i64::from(card * 100 + i))
                    };
                    last = price;
                    told
                });
                self::card(&sales.collect::<Vec<_>>(), Asks::default())
            })
            .collect();
        Market::learned(&cards, 30.0).shown
    };
    let exact = market(|level, _| level).of(15).expect("it tells");
    assert!(exact.variance < 0.01, "{exact:?}");
    let late = market(|_, last| last * 3.0_f64.powf((last % 7.0 - 3.0) / 3.0)).of(15);
    assert!(late.is_none_or(|shown| shown.variance > 0.03), "{late:?}");
}

#[test]
fn a_level_that_stands_still_is_known_better_with_each_sale() {
    let still = Habits { speeds: vec![(0.003, 1.0)], ..Habits::default() };
    let prior = Normal { mean: 0.0, variance: 4.0 };
    let seen = |count: u32| -> Vec<Seen> {
        (0..count)
            .map(|i| Seen { at: -0.5 * f64::from(count - i), value: 1.0, weight: 1.0 })
            .collect()
    };
    let [few, many] = [2, 30].map(|count| still.level(&seen(count), prior));
    assert!((many.now.mean - 1.0).abs() < 0.01);
    assert!(many.now.variance < few.now.variance / 5.0);
}

proptest! {
    #[test]
    fn prices_are_finite_and_within_their_interval(
        sales in prop::collection::vec((0.0..40.0_f64, 1.0..1e9_f64, 0..4_i64, any::<bool>(), 0.0..1.0_f64), 0..80),
        asks in prop::collection::vec((1.0..1e9_f64, 0.0..30.0_f64, 0.0..3.0_f64), 0..40),
        shown in prop::option::of((0.0..5.0_f64, 0.0..20.0_f64)),
    ) {
        let mut sales: Vec<Sale> = sales
            .into_iter()
            .map(|(ago, price, copy, by_bid, sure)| Sale { by_bid, sure, shown: price, ..sale(ago, price, copy) })
            .collect();
        sales.sort_by(|one, other| one.at.total_cmp(&other.at));
        let asks = asks.into_iter().map(|(price, ago, days)| Ask { price, from: -ago, to: days - ago, open: days > ago });
        let shown = shown.map(|(ago, log)| (-ago, log));
        let card = Card::new(Traits::default(), &sales, Asks::new(asks.collect()), shown);
        let market = Market::learned(std::slice::from_ref(&card), 30.0);
        let found = market.fair(&card);
        prop_assert!(found.fair.is_finite() && found.fair > 0.0, "{found:?}");
        prop_assert!(found.low <= found.fair && found.fair <= found.high, "{found:?}");
    }
}
