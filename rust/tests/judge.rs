//! The ladder of evidence, rung by rung.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use m26::market::asked::{HOUR, MINUTE, SECOND, Seen, Status};
use m26::market::calibration::Calibration;
use m26::market::judge::{Manners, claimed, judge};
use m26::market::lot::{Evidence, Fate, Lot, Relisted, Told, Verdict};
use m26::market::rates::Rates;

const POSTED: i64 = 1_800_000_000 * SECOND;
const END: i64 = POSTED + 8 * HOUR;
const START: i64 = 500;
const BUYOUT: i64 = 900;
const FINAL: Manners = Manners { tells: true, final_price: Some(true), recall: None };
const HIDDEN: Manners = Manners { final_price: Some(false), ..FINAL };
const SILENT: Manners = Manners { tells: false, ..FINAL };

/// A lot as it was last seen so long before its end.
fn seen(lead: i64, bids: i32) -> Lot {
    shown(lead, bids, BUYOUT)
}

fn shown(lead: i64, bids: i32, buyout_price: i64) -> Lot {
    let seen = Seen {
        auction_id: 1,
        status: Status::Active,
        bids,
        current_bid: START + 20 * i64::from((bids - 1).max(0)),
        buyout_price,
        posted_at: POSTED,
        seconds_remaining: i32::try_from(lead / SECOND).unwrap(),
        median_price: 1000,
        card_id: 1,
        card_instance_id: 1,
        acquired_at: POSTED - HOUR,
    };
    Lot::new(&seen, END - lead)
}

fn told(lot: &Lot, status: Status, at: i64, bids: i32, current_bid: i64) -> Lot {
    Lot { told: Some(Told { status, at, bids, current_bid }), ..lot.clone() }
}

fn missed(lot: &Lot, at: i64) -> Lot {
    Lot { absent_at: at, omitted: true, ..lot.clone() }
}

fn again(lot: &Lot, posted_at: i64, sold: bool, acquired_at: i64) -> Lot {
    Lot { relisted: Some(Relisted { posted_at, sold, acquired_at }), ..lot.clone() }
}

fn verdict(lot: &Lot, now: i64, manners: &Manners) -> Option<Verdict> {
    judge(lot, now, manners, &Rates::new(), &Calibration::new())
}

fn at_last(lot: &Lot, manners: &Manners) -> Verdict {
    let verdict = verdict(lot, END + HOUR, manners).unwrap();
    assert!(
        verdict.closed_after <= verdict.closed_at && verdict.closed_at <= verdict.closed_before
    );
    assert!(verdict.price_confidence <= verdict.confidence, "{verdict:?}");
    assert_eq!(
        verdict.final_price > 0,
        matches!(verdict.fate, Fate::Bid | Fate::Buyout | Fate::Sold)
    );
    verdict
}

/// It is certain, and this.
fn certain(lot: &Lot, manners: &Manners, fate: Fate, price: i64) -> Verdict {
    let verdict = at_last(lot, manners);
    assert_eq!(
        (verdict.fate, verdict.final_price, verdict.evidence),
        (fate, price, Evidence::Status)
    );
    assert!(verdict.confidence >= 1.0 && verdict.price_confidence >= 1.0, "{verdict:?}");
    verdict
}

fn spans(verdict: &Verdict, from: i64, to: i64) {
    let interval = (verdict.closed_after, verdict.closed_before);
    assert!(interval.0 >= from && interval.1 <= to, "{interval:?} {from} {to}");
}

#[test]
fn what_is_on_offer_has_no_verdict() {
    assert_eq!(verdict(&seen(HOUR, 1), END - MINUTE, &FINAL), None);
    assert_eq!(verdict(&seen(HOUR, 1), END, &SILENT), None);
}

#[test]
fn a_told_end_is_as_said_whatever_else_is_known() {
    let lot = again(&missed(&seen(HOUR, 0), END - MINUTE), END + HOUR, true, END);
    let expired =
        certain(&told(&lot, Status::Expired, END + MINUTE, 0, START), &FINAL, Fate::Expired, 0);
    spans(&expired, END - SECOND, END + SECOND);
    let lot = told(&seen(HOUR, 0), Status::Cancelled, END + MINUTE, 0, START);
    spans(&certain(&lot, &FINAL, Fate::Cancelled, 0), END - HOUR, END);
}

#[test]
fn a_shown_price_says_how_it_was_sold() {
    let lot = told(&seen(HOUR, 1), Status::Ended, END + MINUTE, 4, 700);
    spans(&certain(&lot, &FINAL, Fate::Bid, 700), END - SECOND, END + SECOND);
    let lot = told(&seen(HOUR, 1), Status::Ended, END + MINUTE, 2, BUYOUT);
    spans(&certain(&lot, &FINAL, Fate::Buyout, BUYOUT), END - HOUR, END);
    let lot = told(&shown(HOUR, 1, 0), Status::Ended, END + MINUTE, 4, 700);
    certain(&lot, &HIDDEN, Fate::Bid, 700);
}

#[test]
fn a_hidden_price_is_the_buyout_where_nothing_else_is_possible() {
    let early = told(&seen(HOUR, 2), Status::Ended, END - 10 * MINUTE, 2, 520);
    spans(&certain(&early, &HIDDEN, Fate::Buyout, BUYOUT), END - HOUR, END - 10 * MINUTE);
    let gone = missed(&seen(HOUR, 2), END - 30 * MINUTE);
    let gone = told(&gone, Status::Ended, END + HOUR, 2, 520);
    spans(&certain(&gone, &HIDDEN, Fate::Buyout, BUYOUT), END - HOUR, END - 30 * MINUTE);
    let no_bids = told(&seen(HOUR, 0), Status::Ended, END + HOUR, 0, START);
    for final_price in [Some(false), None] {
        certain(&no_bids, &Manners { final_price, ..FINAL }, Fate::Buyout, BUYOUT);
    }
}

#[test]
fn a_hidden_price_after_the_end_is_weighed_by_when_it_was_last_seen() {
    let late = told(&seen(20 * SECOND, 2), Status::Ended, END + MINUTE, 2, 520);
    let late = at_last(&late, &HIDDEN);
    assert_eq!((late.fate, late.final_price), (Fate::Bid, 520));
    assert!(late.confidence >= 1.0 && late.price_confidence > 0.99, "{late:?}");
    let long = told(&seen(8 * HOUR - MINUTE, 2), Status::Ended, END + MINUTE, 2, 520);
    let long = at_last(&long, &HIDDEN);
    assert!(long.confidence >= 1.0 && long.price_confidence < 0.95, "{long:?}");
    spans(&long, POSTED, END + SECOND);
    assert!(
        claimed(&Lot { told: None, ..seen(HOUR, 1) }, (0, END - HOUR), &HIDDEN, &Rates::new())
            .is_none()
    );
}

#[test]
fn a_hidden_price_is_proved_by_when_the_buyer_got_the_copy() {
    let late = told(&seen(8 * HOUR - MINUTE, 0), Status::Ended, END + MINUTE, 2, 520);
    let before = at_last(&again(&late, END + HOUR, true, END - HOUR), &HIDDEN);
    assert_eq!((before.fate, before.final_price), (Fate::Buyout, BUYOUT));
    assert!(before.price_confidence > 0.99);
    spans(&before, END - HOUR, END - HOUR + SECOND);
    let at_end = at_last(&again(&late, END + HOUR, true, END), &HIDDEN);
    assert_eq!((at_end.fate, at_end.final_price), (Fate::Bid, 520));
    assert!(at_end.price_confidence > 0.99);
    // a later sale was another's
    let other = again(&late, END + HOUR, true, END + HOUR / 2);
    assert_eq!(at_last(&other, &HIDDEN), at_last(&late, &HIDDEN));
}

#[test]
fn an_end_seen_at_first_sight_is_told_too() {
    let ended = |bids, current_bid| Seen {
        auction_id: 1,
        status: Status::Ended,
        bids,
        current_bid,
        buyout_price: BUYOUT,
        posted_at: POSTED,
        seconds_remaining: 0,
        median_price: 1000,
        card_id: 1,
        card_instance_id: 1,
        acquired_at: 1,
    };
    let lot = |bids, price| Lot::new(&ended(bids, price), POSTED + HOUR);
    spans(&certain(&lot(3, 640), &FINAL, Fate::Bid, 640), POSTED, POSTED + HOUR + SECOND);
    certain(&lot(1, BUYOUT), &FINAL, Fate::Buyout, BUYOUT);
    certain(&lot(0, START), &HIDDEN, Fate::Buyout, BUYOUT);
}

#[test]
fn a_copy_listed_again_says_whether_it_was_sold() {
    let kept = at_last(&again(&seen(HOUR, 0), END + HOUR, false, POSTED - HOUR), &SILENT);
    assert_eq!((kept.fate, kept.evidence), (Fate::Expired, Evidence::Relisted));
    assert!(kept.confidence > 0.98, "{kept:?}");
    let back = at_last(&again(&seen(HOUR, 0), END - MINUTE, false, POSTED - HOUR), &SILENT);
    assert_eq!((back.fate, back.closed_before <= END - MINUTE), (Fate::Cancelled, true));
    let sold = at_last(&again(&seen(HOUR, 0), END + HOUR, true, 0), &SILENT);
    assert!(sold.confidence > 0.98 && sold.price_confidence < 0.95, "{sold:?}");
}

#[test]
fn when_a_copy_was_acquired_says_how_it_was_sold() {
    let sold_at = END - 30 * MINUTE + 7 * SECOND;
    let early = at_last(&again(&seen(HOUR, 2), END + HOUR, true, sold_at), &SILENT);
    assert_eq!((early.fate, early.final_price), (Fate::Buyout, BUYOUT));
    assert!(early.price_confidence > 0.98, "{early:?}");
    spans(&early, sold_at - SECOND, sold_at + SECOND);
    let at_end = at_last(&again(&seen(20 * SECOND, 2), END + HOUR, true, END), &SILENT);
    assert_eq!((at_end.fate, at_end.final_price), (Fate::Bid, 520));
    let another = at_last(&again(&seen(20 * SECOND, 2), END + HOUR, true, END + MINUTE), &SILENT);
    assert_eq!(another.evidence, Evidence::FinalWindow, "it was sold once more, or only then");
}

#[test]
fn what_is_missing_before_its_end_was_bought_or_taken_back() {
    let cheap = missed(&shown(HOUR, 0, 400), END - 30 * MINUTE);
    let bought = verdict(&cheap, END - 20 * MINUTE, &SILENT).unwrap();
    assert_eq!((bought.fate, bought.final_price), (Fate::Buyout, 400));
    assert_eq!(bought.evidence, Evidence::Absent);
    assert!(bought.confidence > 0.9 && bought.confidence < 1.0, "{bought:?}");
    spans(&bought, END - HOUR, END - 30 * MINUTE);
    let dear = at_last(&missed(&shown(HOUR, 0, 4000), END - 30 * MINUTE), &SILENT);
    assert_eq!((dear.fate, dear.final_price), (Fate::Cancelled, 0));
    let bids = at_last(&missed(&seen(HOUR, 1), END - 30 * MINUTE), &SILENT);
    assert!(bids.fate == Fate::Buyout && bids.confidence >= 1.0, "nobody takes back what has bids");
    let impossible = at_last(&missed(&shown(HOUR, 1, 0), END - 30 * MINUTE), &SILENT);
    assert_eq!((impossible.fate, impossible.evidence), (Fate::Unknown, Evidence::Gap));
}

#[test]
fn past_its_end_the_last_bid_is_surer_the_later_it_was_seen() {
    let mut before = 0.0;
    for lead in [30 * MINUTE, 10 * MINUTE, MINUTE, 10 * SECOND, 2 * SECOND] {
        let sold = at_last(&seen(lead, 2), &SILENT);
        assert_eq!((sold.fate, sold.evidence), (Fate::Bid, Evidence::FinalWindow));
        assert!(sold.price_confidence > before && sold.confidence >= 1.0, "{sold:?}");
        before = sold.price_confidence;
        spans(&sold, END - lead, END + SECOND);
    }
    assert!(before > 0.85);
}

#[test]
fn past_its_end_without_bids_it_expired_or_a_sale_is_likelier() {
    let late = at_last(&seen(MINUTE, 0), &SILENT);
    assert_eq!((late.fate, late.evidence), (Fate::Expired, Evidence::PastExpiry));
    let cheap = at_last(&shown(8 * HOUR - MINUTE, 0, 300), &SILENT);
    assert_eq!((cheap.fate, cheap.final_price), (Fate::Buyout, 300));
    let long = at_last(&shown(8 * HOUR - MINUTE, 0, 1300), &SILENT);
    assert!(long.confidence < late.confidence && long.confidence > 0.3, "{long:?}");
}
