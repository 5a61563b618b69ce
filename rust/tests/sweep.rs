//! A list in no order: which page comes next, and how many are worth their requests.

use m26::market::asked::{HOUR, Reply, SECOND, Seen, Status};
use m26::plan::arrivals::Arrivals;
use m26::plan::candidate::View;
use m26::plan::drawn::Drawn;
use m26::plan::fading::Fading;
use m26::plan::sweep::Sweep;

const NOW: i64 = 500_000 * HOUR;
const PAGE: usize = 100;
/// Auctions that come between two pages, and seconds.
const COME: u32 = 8;
const GAP: i64 = 20;

fn lot(auction_id: i64) -> Seen {
    Seen {
        auction_id,
        status: Status::Active,
        bids: 0,
        current_bid: 400,
        buyout_price: 1_150,
        posted_at: NOW,
        seconds_remaining: 3_600,
        median_price: 1_000,
        card_id: 7,
        card_instance_id: auction_id,
        acquired_at: 1,
    }
}

/// Where an auction stands in an order that tells nothing.
fn place(auction_id: i64) -> u64 {
    auction_id.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[test]
fn a_sweep_goes_on_where_a_list_that_grows_has_moved_to() {
    let (mut sweep, mut arrivals) = (Sweep::default(), Arrivals::new());
    let fading = &Fading::new(|_| 1.0);
    let mut lots: Vec<i64> = (0..3_000).collect();
    lots.sort_by_key(|&id| place(id));
    let (mut twice, mut unmoved, mut before) = (0, 0, Vec::new());
    for turn in 0..240 {
        let at = NOW + turn * GAP * SECOND;
        let (page, reach) = (100.0, u32::MAX);
        let view = View { at, arrivals: &arrivals, fading, page, paging: true, reach, least: 0.0 };
        let offset = sweep.option(view).offset;
        let from = (offset as usize).min(lots.len());
        let ids: Vec<i64> = lots[from..].iter().copied().take(PAGE).collect();
        if turn >= 120 {
            twice += ids.iter().filter(|id| before.contains(*id)).count();
            unmoved += (COME * offset) as usize / lots.len();
        }
        let seen = ids.iter().map(|&id| lot(id)).collect();
        let reply = Reply { at, failed: false, truncated: false, seen };
        if ids.is_empty() {
            sweep.learn_empty(offset);
        } else {
            sweep.learn(offset, &reply, &[], page, &mut arrivals);
        }
        before = ids;
        let next = 3_000 + turn * i64::from(COME);
        lots.extend(next..next + i64::from(COME));
        lots.sort_by_key(|&id| place(id));
    }
    assert!(twice < unmoved / 2, "{twice} rows twice, {unmoved} had it not moved on");
}

#[test]
fn pages_drawn_anew_are_asked_for_as_long_as_they_show_what_is_worth_it() {
    let mut drawn = Drawn::default();
    drawn.set_fading(&Fading::drawn(|age| (-age / 10_000.0).exp()), 15_000.0);
    let mut hourly = [0.7; 24];
    hourly[20] = 2.5;
    let pages = |least| drawn.pages(least, &hourly, 500.0, 100.0, 166.0);
    let ((all, seen), (some, most), (none, _)) = (pages(0.0), pages(6.0), pages(100.0));
    assert!((all - 24.0 * 166.0).abs() < 1.0 && none < 1.0);
    assert!(some > 100.0 && some < all && most < seen && most / some > seen / all);

    // a busy hour without a page leaves more, and pages that show nothing new less
    let quiet = drawn.after(3_600.0, 0.7 / 50_000.0);
    assert!(drawn.after(3_600.0, 2.5 / 50_000.0) > quiet);
    drawn.unseen = quiet;
    (0..100).for_each(|_| drawn.drew((20.0, 0.7 / 50_000.0), 50_000.0, (100.0, 0.0)));
    assert!(drawn.unseen < quiet / 2.0);
}
