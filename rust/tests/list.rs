//! Which page of the list is worth a request, by what was looked at of it.

use m26::market::asked::{HOUR, Reply, SECOND, Seen, Status};
use m26::market::found::Order;
use m26::plan::arrivals::Arrivals;
use m26::plan::candidate::{Candidate, View};
use m26::plan::fading::Fading;
use m26::plan::list::List;

const NOW: i64 = 500_000 * HOUR;

/// An auction that was listed so many seconds after `NOW`, one a second.
fn lot(second: i64, at: i64) -> Seen {
    let posted_at = NOW + second * SECOND;
    Seen {
        auction_id: second,
        status: Status::Active,
        bids: 0,
        current_bid: 400,
        buyout_price: 1_150,
        posted_at,
        seconds_remaining: i32::try_from((posted_at + HOUR - at) / SECOND).unwrap_or_default(),
        median_price: 1_000,
        card_id: 7,
        card_instance_id: second,
        acquired_at: 1,
    }
}

/// The front page a second after the last of these.
fn look(list: &mut List, arrivals: &mut Arrivals, seconds: std::ops::Range<i64>) {
    let at = NOW + seconds.end * SECOND;
    let seen: Vec<Seen> = seconds.rev().map(|second| lot(second, at)).collect();
    let new: Vec<(Seen, f32, i64)> = seen.iter().map(|&seen| (seen, 1.0, HOUR)).collect();
    let rows: Vec<(i64, i64)> = seen.iter().map(|seen| (seen.posted_at, HOUR)).collect();
    let reply = Reply { at, failed: false, truncated: false, seen };
    list.learn(0, &reply, &new, &rows, arrivals);
}

/// The pages for holes, where one has to show so many; what was listed before the first look is none.
fn holes(list: &List, arrivals: &Arrivals, paging: bool, least: f32) -> Vec<Candidate> {
    let fading = &Fading::new(|_| 1.0);
    let (at, page) = (NOW + 171 * SECOND, list.page());
    let view = View { at, arrivals, fading, page, paging, reach: u32::MAX, least };
    list.options(view).into_iter().filter(|page| page.why == "a hole").collect()
}

#[test]
fn a_hole_in_the_list_is_mended_where_it_shows_what_a_request_is_worth() {
    let (mut list, mut arrivals) = (List::default(), Arrivals::new());
    list.set_order(Order::Newest, &arrivals);
    // the rate of listings is known; then a page does not reach the last one
    look(&mut list, &mut arrivals, 0..40);
    look(&mut list, &mut arrivals, 70..170);

    let found = holes(&list, &arrivals, true, 20.0);
    let [hole] = found[..] else { panic!("{found:?}") };
    assert!((20.0..=35.0).contains(&hole.shown) && hole.lost > 0.0, "{hole:?}");
    // it stands behind the page, and its page reaches over both of its ends
    let end = hole.offset + 100;
    assert!((50..=100).contains(&hole.offset) && end > 130, "{hole:?}");

    assert!(holes(&list, &arrivals, true, 60.0).is_empty(), "less than a request is worth");
    assert!(holes(&list, &arrivals, false, 20.0).is_empty(), "no page but the first can be had");
    look(&mut list, &mut arrivals, 30..171);
    assert!(holes(&list, &arrivals, true, 1.0).is_empty(), "mended");
}
