//! Where the price paid is hidden, a lot whose price would stay in doubt is looked at before its end.

use m26::market::asked::{Ask, HOUR, MINUTE, Reply, SECOND, Seen, Status};
use m26::market::found::{Ended, Flags, Order, Recall};
use m26::plan::planner::Planner;

const NOW: i64 = 500_000 * HOUR;
/// The lot in doubt is listed at `NOW` and ends then.
const END: i64 = NOW + 5 * HOUR;

/// A lot that has bids; the first one costs a little more than usual, the others cannot be bought.
fn lot(auction_id: i64, posted_at: i64, at: i64) -> Seen {
    Seen {
        auction_id,
        status: Status::Active,
        bids: 2,
        current_bid: 520,
        buyout_price: if auction_id == 1 { 1_150 } else { 0 },
        posted_at,
        seconds_remaining: i32::try_from((posted_at + 5 * HOUR - at) / SECOND).unwrap_or_default(),
        median_price: 1_000,
        card_id: 7,
        card_instance_id: auction_id,
        acquired_at: 1,
    }
}

/// When before its end the lot was asked after, each page showing one new lot alone.
fn looked_at(final_price: bool) -> Vec<i64> {
    let pins = Flags {
        order: Some(Order::Newest),
        paging: Some(false),
        page: Some(100),
        truncate: Some(0),
        batch: Some(50),
        ended: Some(Ended::Full),
        recall: Some(Recall::Forever),
        visible: Some(false),
        final_price: Some(final_price),
    };
    let mut planner = Planner::new(pins, 4_000, 60, NOW);
    let answer = |planner: &mut Planner, ask: &Ask, at: i64, seen: Vec<Seen>| {
        planner.observe(ask, &Reply { at, failed: false, truncated: false, seen });
    };
    let first = NOW + MINUTE;
    let front = Ask::Search { offset: 0, count: 100 };
    answer(&mut planner, &front, first, vec![lot(1, NOW, first)]);

    let (mut at, mut looks) = (first, Vec::new());
    for id in 2.. {
        let question = planner.next(at);
        at = question.at + SECOND;
        if at >= END {
            break;
        }
        planner.sent(question.at, question.why);
        let seen = match &question.ask {
            Ask::Search { .. } => vec![lot(id, at - SECOND, at)],
            Ask::Refresh { ids } => {
                if ids.contains(&1) {
                    looks.push(at);
                }
                let posted = |id: &i64| planner.tracker.board.get(*id).map(|lot| lot.posted_at);
                ids.iter().filter_map(|id| Some(lot(*id, posted(id)?, at))).collect()
            }
        };
        answer(&mut planner, &question.ask, at, seen);
    }
    looks
}

#[test]
fn a_lot_whose_price_would_stay_in_doubt_is_looked_at_right_before_its_end() {
    let looks = looked_at(false);
    assert!(looks.iter().any(|at| *at > END - 6 * MINUTE), "{looks:?}");
    assert!(looked_at(true).iter().all(|at| *at < END - 6 * MINUTE), "the price is told");
}
