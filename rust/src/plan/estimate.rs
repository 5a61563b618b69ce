//! First sights and what of the list was looked at in; how many auctions were listed in an hour, out.

#![allow(clippy::cast_precision_loss)] // numbers of auctions and seconds of a day

use crate::market::asked::{Ask, HOUR, Reply, SECOND, Seen};
use crate::market::found::Order;
use crate::market::tracker::{News, Tracker};
use crate::plan::arrivals::Arrivals;
use crate::plan::list::{List, RECENT};

/// A reply taken in, as whoever follows a market goes on with it.
pub struct Taken {
    /// What it came to.
    pub news: News,
    /// The lots that it showed for the first time: what each stands for, and how long it runs.
    pub new: Vec<(Seen, f32, i64)>,
    /// The place of the page that it is, where it is one and shows the list.
    pub offset: Option<u32>,
}

/// Take in a reply; what its page shows of the list is left to [`List::learn`].
pub fn take(
    tracker: &mut Tracker,
    list: &mut List,
    arrivals: &mut Arrivals,
    ask: &Ask,
    reply: &Reply,
) -> Taken {
    let news = tracker.observe(ask, reply);
    let flags = tracker.found.flags();
    if let Some(order) = flags.order {
        list.set_order(order, arrivals);
    }
    let offset = match ask {
        Ask::Search { offset, .. } if !reply.failed && !news.repeated => {
            Some(if flags.paging == Some(false) { 0 } else { *offset })
        }
        _ => None,
    };
    let new = first_sights(tracker, arrivals, list, reply, &news);
    Taken { news, new, offset }
}

/// The lots that `reply`, taken in by `tracker`, showed for the first time: what each stands for, and
/// how long it runs, microseconds.
fn first_sights(
    tracker: &Tracker,
    arrivals: &mut Arrivals,
    list: &List,
    reply: &Reply,
    news: &News,
) -> Vec<(Seen, f32, i64)> {
    let mut new = Vec::with_capacity(news.new.len());
    let lingers = tracker.found.flags().visible == Some(true); // what ended is still shown
    let mut fresh = news.new.iter().peekable(); // in the order served
    for seen in &reply.seen {
        if fresh.next_if_eq(&&seen.auction_id).is_none() {
            continue;
        }
        let Some(lot) = tracker.board.get(seen.auction_id) else { continue };
        let age = (lot.first_seen - lot.posted_at).max(0) as f32 / SECOND as f32;
        let survival = if lingers { 1.0 } else { tracker.rates.survival(age) };
        let length = (lot.expires_at - lot.posted_at).max(0);
        if list.is_by_posting() && lot.first_seen - lot.posted_at > RECENT {
            arrivals.late_sight(lot); // of its time only a part is looked at
        } else {
            arrivals.first_sight(lot, survival, list.sweep.alike(length));
        }
        new.push((*seen, 1.0 / survival.max(0.05), length));
    }
    new
}

/// Listings of the hour that begins at `hour`: the estimate, and an interval that should hold the
/// truth nine times of ten.
#[must_use]
pub fn listed(tracker: &Tracker, arrivals: &Arrivals, hour: i64) -> (f32, f32, f32) {
    let count = arrivals.counts.get(&hour.div_euclid(HOUR)).copied().unwrap_or_default();
    let missed = (3_600.0 - count.looked).clamp(0.0, 3_600.0);
    let strict = matches!(tracker.found.flags().order, Some(Order::Newest | Order::Ending) | None);
    let unseen = if strict { missed * arrivals.rate(hour) } else { 0.0 };
    let listed = count.listed + unseen;
    let spread = 1.65 * (count.variance + unseen * unseen * 0.1 + listed * 0.5).sqrt();
    (listed, (listed - spread).max(count.seen as f32), listed + spread)
}
