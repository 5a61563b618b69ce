//! What replies prove of lots that they do not show.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use m26::market::asked::{Ask, HOUR, MINUTE, Reply, SECOND, Seen, Status};
use m26::market::found::{Ended, Flags, Found, Order, Recall};
use m26::market::lot::Evidence;
use m26::market::tracker::{News, Tracker};

const NOW: i64 = 1_788_220_800 * SECOND;
const SEARCH: Ask = Ask::Search { offset: 0, count: 100 };

/// An auction that was posted `id` seconds after a day ago; two durations take turns.
fn lot(id: i64, at: i64) -> Seen {
    let posted_at = NOW - 24 * HOUR + id * SECOND;
    let expires_at = posted_at + if id % 2 == 0 { 30 * HOUR } else { 72 * HOUR };
    Seen {
        auction_id: id,
        status: Status::Active,
        bids: 0,
        current_bid: 400,
        buyout_price: 1_150,
        posted_at,
        seconds_remaining: i32::try_from((expires_at - at) / SECOND).unwrap(),
        median_price: 726,
        card_id: 7,
        card_instance_id: id,
        acquired_at: 1,
    }
}

fn reply(at: i64, ids: impl IntoIterator<Item = i64>) -> Reply {
    let seen = ids.into_iter().map(|id| lot(id, at)).collect();
    Reply { at, failed: false, truncated: false, seen }
}

fn newest_first() -> impl Iterator<Item = i64> {
    (1..=100).rev()
}

/// A market of which the page with lots 1 to 100 was seen.
fn known() -> Tracker {
    let pins = Flags {
        order: Some(Order::Newest),
        batch: Some(50),
        ended: Some(Ended::Full),
        ..Flags::default()
    };
    let mut tracker = Tracker::new(pins);
    assert_eq!(tracker.observe(&SEARCH, &reply(NOW, newest_first())).new.len(), 100);
    tracker
}

fn refreshed(tracker: &mut Tracker, shown: impl IntoIterator<Item = i64>) -> News {
    let ids = (1..=50).collect();
    tracker.observe(&Ask::Refresh { ids }, &reply(NOW + MINUTE, shown))
}

#[test]
fn a_page_shows_what_is_gone_only_in_the_order_that_is_held() {
    let at = NOW + MINUTE;
    let by_expiry = (1..=100).filter(|id| id % 2 == 0 && *id != 40).chain([1, 3, 99]);
    assert_eq!(known().observe(&SEARCH, &reply(at, by_expiry)).absent, [0_i64; 0]);
    let unsorted = (1..=100).map(|id| id * 37 % 101).filter(|&id| id != 40);
    assert_eq!(known().observe(&SEARCH, &reply(at, unsorted)).absent, [0_i64; 0]);

    let in_order = newest_first().filter(|&id| id != 40);
    assert_eq!(known().observe(&SEARCH, &reply(at, in_order)).absent, [40]);
}

#[test]
fn a_tail_of_a_refresh_that_is_longer_than_chance_was_not_read() {
    let left_out = |shown: i64| refreshed(&mut known(), 1..=shown).absent;
    assert_eq!(left_out(20), [0_i64; 0]);
    assert_eq!(left_out(48), [0_i64; 0]);
    assert_eq!(left_out(49), [50]);
    // where many are left out, some of them stand at the end
    let some = refreshed(&mut known(), (1..=46).step_by(3)).absent;
    assert_eq!(some.len(), 50 - 16);
    assert_eq!(refreshed(&mut known(), (1..=50).filter(|id| *id != 7)).absent, [7]);
}

#[test]
fn auctions_that_nobody_asked_for_show_nothing() {
    let mut tracker = known();
    let before = tracker.board.get(60).unwrap().clone();
    let news = refreshed(&mut tracker, 51..=100);
    assert_eq!((news.new.len(), news.absent.len()), (0, 0));
    assert_eq!(tracker.board.get(60), Some(&before));
}

#[test]
fn a_page_that_is_served_once_more_moves_no_end() {
    let mut tracker = known();
    let before = tracker.board.get(60).unwrap().clone();
    let mut again = reply(NOW, newest_first());
    again.at = NOW + MINUTE;
    assert!(tracker.observe(&SEARCH, &again).repeated);
    assert_eq!(tracker.board.get(60), Some(&before));

    assert!(!tracker.observe(&SEARCH, &reply(NOW + 2 * MINUTE, newest_first())).repeated);
    assert_eq!(tracker.board.get(60).unwrap().last_active, NOW + 2 * MINUTE);
}

#[test]
fn what_a_refresh_no_longer_knows_ended_before_it_forgot() {
    let end = NOW + 6 * HOUR + 2 * SECOND; // of lot 2
    let left_out = |wait: i64| {
        let recall = Some(Recall::Seconds(3600));
        let mut tracker = known();
        tracker.found = Found::new(Flags { recall, ..*tracker.found.flags() });
        let at = end + wait;
        let page = reply(at, (1..=50).filter(|id| id % 2 == 1));
        tracker.observe(&Ask::Refresh { ids: (1..=50).collect() }, &page);
        tracker.board.get(2).and_then(|lot| lot.verdict).unwrap()
    };
    let early = left_out(10 * MINUTE);
    assert_eq!(early.evidence, Evidence::Absent);
    assert!(early.closed_before <= end - 20 * MINUTE, "{early:?}");
    assert_eq!(left_out(40 * MINUTE).evidence, Evidence::PastExpiry);
}
