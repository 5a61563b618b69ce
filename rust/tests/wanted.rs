//! What is known of a lot without an answer, its question is not worth.

use m26::market::asked::{Ask, HOUR, MINUTE, Reply, SECOND, Seen, Status};
use m26::market::found::Flags;
use m26::plan::planner::Planner;
use m26::plan::price::Worths;

/// A copy on offer for an hour, as it is shown at `at`.
fn shown(auction_id: i64, card_instance_id: i64, posted_at: i64, at: i64) -> Seen {
    let left = (posted_at + HOUR - at) / SECOND;
    Seen {
        auction_id,
        status: Status::Active,
        bids: 0,
        current_bid: 900,
        buyout_price: 1_000,
        posted_at,
        seconds_remaining: i32::try_from(left).unwrap_or_default(),
        median_price: 1_000,
        card_id: 7,
        card_instance_id,
        acquired_at: 100 * HOUR - MINUTE,
    }
}

#[test]
fn a_lot_whose_copy_is_listed_again_unsold_waits_behind_one_that_may_be_sold() {
    let start = 100 * HOUR;
    let mut planner = Planner::new(Flags::default(), 100_000, 60, start);
    let mut look = |at: i64, seen: Vec<Seen>| {
        let reply = Reply { at, failed: false, truncated: false, seen };
        planner.observe(&Ask::Search { offset: 0, count: 100 }, &reply);
    };
    let first = start + MINUTE;
    look(first, vec![shown(2, 52, start, first), shown(1, 51, start, first)]);
    let later = start + HOUR + MINUTE;
    look(later, vec![shown(3, 52, later - SECOND, later)]);
    look(later + 2 * HOUR, Vec::new());
    let place = |id| planner.lot(id).and_then(|(_, before, _)| before);
    assert!(place(1).is_some() && place(1) < place(2));
}

#[test]
fn a_sale_known_without_an_answer_makes_a_new_listing_worth_more() {
    let (mut asked, mut known) = (Worths::new(), Worths::new());
    asked.add(0.02, 0.0);
    known.add(0.02, 0.95);
    assert!(known.beyond(0.5) > asked.beyond(0.5));
    assert!((known.share(0.5) - asked.share(0.5)).abs() < 1e-6);
}
