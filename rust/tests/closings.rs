//! Outcomes that no observation says: one event each, and which of two outcomes stands.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod market;

use m26::history::closings::Inferred;
use m26::history::delta::Delta;
use m26::history::outcome::Standing;
use m26::history::state::States;
use m26::infer::closing::closing as concluded;
use m26::market::lot::{Fate, Verdict};
use m26::rows::record::{AuctionRow, Closing, Evidence, Outcome, Sale};
use market::{
    NOW, SECOND, after, bid, derived, derived_with, events, kinds, later, listed, pages, rewritten,
    said, seen, values, with,
};

const OUTCOME: [&str; 4] = ["outcome", "evidence", "confidence", "closed_after"];

fn closing(evidence: Evidence, confidence: f32) -> Closing {
    Closing {
        outcome: Outcome::Sold,
        evidence,
        confidence,
        sale: Some(Sale { via: Some("bid"), price: 400, confidence }),
        closed_after: Some(NOW),
        closed_before: Some(NOW + 9 * SECOND),
        closed_at: NOW + 5 * SECOND,
    }
}

/// That auction 7 was sold, before a page.
fn before(page: i32, evidence: Evidence, confidence: f32) -> Inferred {
    let closing = closing(evidence, confidence);
    Inferred { page, platform: "ps5".into(), auction_id: 7, observed_at: NOW, closing }
}

/// Number, evidence and end of each event that an inference makes.
fn closed(delta: &Delta) -> Vec<(i64, Evidence, i64)> {
    let closed = delta.closed.iter();
    closed.map(|event| (event.seq, event.by.closing.evidence, event.expires_at)).collect()
}

/// The states after a batch is committed.
fn committed(mut states: States, delta: &Delta) -> States {
    states.accept(&delta.touched);
    states.commit();
    states
}

#[test]
fn an_inferred_outcome_is_one_event_in_the_order_of_the_pages() {
    let (first, end) = (seen(7), NOW + 3_600 * SECOND);
    let rows = pages(&[&first, &seen(8), &later(&first, 60), &seen(9)]);
    let inferred = [before(1, Evidence::Absent, 0.6), before(3, Evidence::Relisted, 0.9)];
    // page 2 shows the auction again: the first is withdrawn, the second stands
    let delta = derived_with(&States::new(10), &rows, 40, &inferred);
    assert_eq!(closed(&delta), [(42, Evidence::Absent, end), (45, Evidence::Relisted, end)]);
    let told: Vec<_> =
        events(&delta).iter().map(|e| values(e, &["seq", "kind", "outcome"])).collect();
    assert_eq!(told, ["41 listed null", "43 listed null", "44 changed null", "46 listed null"]);
    assert_eq!(delta.pages.iter().map(|page| page.events).sum::<usize>() + 2, 6);
    let [row, ..] = &listed(&delta)[..] else { panic!() };
    assert_eq!(values(row, &OUTCOME), format!("sold relisted 0.9 {NOW}"));
    assert_eq!(values(row, &["final_price", "price_confidence"]), "400 0.9");
}

#[test]
fn an_auction_that_no_row_shows_is_closed_as_it_is_held() {
    let states = after(&[&seen(7)]);
    let inferred = [before(0, Evidence::Absent, 0.6)];
    let delta = derived_with(&states, &[], 1, &inferred);
    assert_eq!(closed(&delta), [(2, Evidence::Absent, NOW + 3_600 * SECOND)]);
    assert_eq!((delta.events.rows(), delta.listed.rows(), delta.rewritten.rows()), (0, 0, 0));
    // held as committed only then
    assert_eq!(closed(&derived_with(&states, &[], 2, &inferred)).len(), 1);
    let mut states = states;
    states.accept(&delta.touched);
    assert!(closed(&derived_with(&states, &[], 2, &inferred)).is_empty());
    states.abort();
    assert_eq!(closed(&derived_with(&states, &[], 2, &inferred)).len(), 1);
    let states = committed(states, &delta);
    assert!(closed(&derived_with(&states, &[], 2, &inferred)).is_empty());
    // one that nobody knows
    assert!(closed(&derived_with(&States::new(10), &[], 2, &inferred)).is_empty());
}

#[test]
fn stronger_evidence_replaces_weaker_and_never_the_other_way() {
    use Evidence::{Absent, FinalWindow, Gap, PastExpiry, Relisted, Status};
    let order = [
        (Gap, 0.0, false),
        (Status, 0.0, false),
        (Absent, 0.5, true),
        (Absent, 0.8, true),
        (PastExpiry, 0.1, true),
        (FinalWindow, 0.1, true),
        (Relisted, 0.1, true),
        (Status, 0.1, true),
        (Status, 0.98, true),
    ];
    let standing = |(evidence, confidence, is_told)| {
        let outcome = if is_told { Outcome::Sold } else { Outcome::Unknown };
        let sale = is_told.then_some(Sale { via: None, price: 1, confidence: 0.1 });
        Standing::of(&Closing { outcome, sale, ..closing(evidence, confidence) })
    };
    for (n, &weaker) in order.iter().enumerate() {
        for (m, &stronger) in order.iter().enumerate() {
            assert_eq!(standing(weaker).yields_to(&standing(stronger)), n < m, "{n} {m}");
        }
    }
    let known = standing((Absent, 0.5, true));
    let surer_of_the_price = Standing { price_confidence: 0.2, ..known };
    assert!(known.yields_to(&surer_of_the_price) && !surer_of_the_price.yields_to(&known));
    let surer = Standing { confidence: 0.9, price_confidence: 0.05, ..known };
    assert!(!known.yields_to(&surer) && surer.yields_to(&known)); // of what price?
    let other = Standing { outcome: Outcome::Expired, ..surer };
    assert!(known.yields_to(&other) && !other.yields_to(&known));

    let inferred = [before(0, Relisted, 0.9), before(0, Absent, 0.99), before(0, Relisted, 0.95)];
    let delta = derived_with(&after(&[&seen(7)]), &[], 1, &inferred);
    let end = NOW + 3_600 * SECOND;
    assert_eq!(closed(&delta), [(2, Relisted, end), (3, Relisted, end)]);
}

#[test]
fn an_estimate_that_differs_by_nothing_is_no_news() {
    let standing = |confidence, price_confidence| {
        let (evidence, fate) = (Evidence::Absent, Fate::Buyout);
        let (closed_after, closed_before, closed_at) = (NOW, NOW + SECOND, NOW);
        Standing::of(&concluded(
            &Verdict {
                evidence,
                fate,
                final_price: 400,
                confidence,
                price_confidence,
                closed_after,
                closed_before,
                closed_at,
            },
            0,
            NOW,
        ))
    };
    let first = standing(0.912_34, 0.876_54);
    assert!(!first.yields_to(&standing(0.912_340_1, 0.876_540_2)));
    assert!(first.yields_to(&standing(0.912_34, 0.877)));
    // what is not certain is not said to be
    assert!(standing(0.999_999, 0.999_999).yields_to(&standing(1.0, 1.0)));
}

#[test]
fn a_status_replaces_what_was_inferred_and_unknown_does_not() {
    let first = with(&seen(7), |row| row.buyout_price = Some(900));
    let ended = |seconds| said(&later(&first, seconds), "ended");
    let kinds_after = |row: &AuctionRow| {
        let delta = derived_with(
            &after(&[&first]),
            std::slice::from_ref(row),
            1,
            &[before(0, Evidence::PastExpiry, 0.9)],
        );
        let outcome = values(&rewritten(&delta)[0], &OUTCOME[..2]);
        (kinds(&delta).concat(), outcome)
    };
    assert_eq!(kinds_after(&ended(99)), ("closed".into(), "sold status".into()));
    assert_eq!(kinds_after(&ended(3_700)), ("changed".into(), "sold past_expiry".into()));
}

#[test]
fn seen_on_offer_again_only_what_was_inferred_is_withdrawn() {
    let first = with(&seen(7), |row| row.buyout_price = Some(900));
    let again = later(&first, 120);
    let states = after(&[&first]);
    let delta = derived_with(&states, &[], 1, &[before(0, Evidence::Absent, 0.6)]);
    let states = committed(states, &delta);
    for row in [again.clone(), bid(&again, 500)] {
        let delta = derived(&states, std::slice::from_ref(&row), 2);
        assert_eq!(values(&events(&delta)[0], &["kind", "outcome"]), "changed null");
        // an empty evidence: the row's outcome goes
        assert_eq!(values(&rewritten(&delta)[0], &OUTCOME), "null  null null");
    }
    let delta = derived(&states, std::slice::from_ref(&again), 2);
    let states = committed(states, &delta); // once
    assert!(kinds(&derived(&states, &[later(&again, 1)], 3)).is_empty());

    let ended = after(&[&first, &said(&later(&first, 60), "ended")]);
    let delta = derived(&ended, &[again], 2);
    assert_eq!(kinds(&delta), ["changed"]);
    assert_eq!(values(&rewritten(&delta)[0], &OUTCOME), "null null null null");
}

#[test]
fn the_interval_begins_with_the_last_look_while_it_was_on_offer() {
    let first = with(&seen(7), |row| row.buyout_price = Some(900));
    let interval = |rows: &[&AuctionRow]| {
        let columns = ["closed_after", "closed_before", "closed_at"];
        let (last, others) = rows.split_last().unwrap();
        let cut = derived(&after(others), std::slice::from_ref(*last), 9);
        let told = values(&events(&cut)[0], &columns);
        let whole = derived(&States::new(10), &pages(rows), 0);
        assert_eq!(values(events(&whole).last().unwrap(), &columns), told);
        let seconds = |time: &str| time.parse().map_or(-1, |time: i64| (time - NOW) / SECOND);
        told.split(' ').map(seconds).collect::<Vec<_>>()
    };
    let at = |seconds| later(&first, seconds);
    let over = |seconds| said(&at(seconds), "expired");
    assert_eq!(interval(&[&first, &at(60), &over(90)]), [60, 90, 90]);
    assert_eq!(interval(&[&first, &over(9_000)]), [0, 3_605, 3_600]); // it ended in time
    assert_eq!(interval(&[&over(90)]), [-1, 90, 90]);
    // still on offer after its time, as an upstream that counts whole seconds says
    let overdue = with(&at(3_610), |row| row.expires_at = row.served_at);
    assert_eq!(interval(&[&first, &overdue, &over(9_000)]), [3_610, 3_610, 3_610]);
    // an outcome that is replaced keeps where its interval began
    let ended = said(&at(3_700), "ended");
    assert_eq!(interval(&[&first, &at(60), &ended, &over(9_000)]), [60, 3_605, 3_600]);
    let paused = said(&at(70), "paused");
    assert_eq!(interval(&[&first, &at(60), &paused, &over(90)]), [-1, 90, 90]);
}

#[test]
fn where_a_batch_is_cut_makes_no_difference() {
    let first = with(&seen(7), |row| row.buyout_price = Some(900));
    let rows = pages(&[
        &first,
        &seen(8),
        &later(&first, 60),
        &bid(&later(&first, 90), 400),
        &said(&later(&first, 99), "ended"),
    ]);
    let inferred = [
        before(1, Evidence::Gap, 0.0),
        before(2, Evidence::Absent, 0.6),
        before(4, Evidence::FinalWindow, 0.9),
        before(5, Evidence::Relisted, 0.9), // after all of them
    ];
    let told = |delta: &Delta| {
        let made = events(delta);
        let made = made.iter().map(|e| (e["seq"].parse().unwrap(), values(e, &OUTCOME)));
        let repeated = delta.closed.iter().map(|e| (e.seq, e.by.closing.evidence.name().into()));
        let mut all: Vec<(i64, String)> = made.chain(repeated).collect();
        all.sort();
        all
    };
    let whole = told(&derived_with(&States::new(10), &rows, 0, &inferred));
    assert_eq!(whole.len(), 8, "{whole:?}");
    for cut in 1..rows.len() {
        let page = i32::try_from(cut).unwrap();
        let due = inferred.partition_point(|closing| closing.page < page);
        let states = States::new(10);
        let head = derived_with(&states, &rows[..cut], 0, &inferred[..due]);
        let (mut parts, states) = (told(&head), committed(states, &head));
        let seq = i64::try_from(parts.len()).unwrap();
        parts.extend(told(&derived_with(&states, &rows[cut..], seq, &inferred[due..])));
        assert_eq!(parts, whole, "cut before {cut}");
    }
}
