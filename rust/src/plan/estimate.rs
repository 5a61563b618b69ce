//! First sights and what of the list was looked at in; how many auctions were listed in an hour, out.

#![allow(clippy::cast_precision_loss)] // numbers of auctions and seconds of a day

use crate::market::asked::{Ask, HOUR, Reply, SECOND, Seen};
use crate::market::found::Order;
use crate::market::lot::Lot;
use crate::market::tracker::{News, Tracker};
use crate::plan::arrivals::{Arrivals, whole};
use crate::plan::census::Estimate;
use crate::plan::fading::Fading;
use crate::plan::list::{List, RECENT};

/// One of so many lots is looked at to say how many are on offer.
const SAMPLED: usize = 8;
/// How often what was learned of lives is taken over, microseconds.
const LEARNED: i64 = HOUR / 4;

/// A reply taken in, as whoever follows a market goes on with it.
pub struct Taken {
    /// What it came to.
    pub news: News,
    /// The lots that it showed for the first time: what each stands for, and how long it runs.
    pub new: Vec<(Seen, f32, i64)>,
    /// The lots of a page: when each was posted, and how long it runs.
    pub shown: Vec<(i64, i64)>,
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
    let before = tracker.now;
    let news = tracker.observe(ask, reply);
    let flags = tracker.found.flags();
    if flags.order == Some(Order::Random) && before.div_euclid(HOUR) != tracker.now.div_euclid(HOUR)
    {
        list.sweep.known_alive(on_offer(tracker));
    }
    if let Some(order) = flags.order {
        list.set_order(order, arrivals);
    }
    let offset = match ask {
        Ask::Search { offset, .. } if !reply.failed && !news.repeated => {
            Some(if flags.paging == Some(false) { 0 } else { *offset })
        }
        _ => None,
    };
    if offset.is_some() {
        list.lingered(lingers(tracker).then(|| lingered(tracker, reply)));
    }
    if before.div_euclid(LEARNED) != tracker.now.div_euclid(LEARNED) {
        let fades = |age| if lingers(tracker) { 1.0 } else { tracker.rates.lived(age) };
        arrivals.census.set_fading(Fading::new(fades));
        arrivals.census.forget(tracker.now);
    }
    let new = first_sights(tracker, arrivals, list, reply, &news);
    let length = |seen: &Seen| {
        let lot = tracker.board.get(seen.auction_id)?;
        Some((lot.posted_at, whole(lot.expires_at - lot.posted_at)))
    };
    let shown = offset.map_or_else(Vec::new, |_| reply.seen.iter().filter_map(length).collect());
    Taken { news, new, shown, offset }
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
    let lingers = lingers(tracker);
    let mut fresh = news.new.iter().peekable(); // in the order served
    for seen in &reply.seen {
        if fresh.next_if_eq(&&seen.auction_id).is_none() {
            continue;
        }
        let Some(lot) = tracker.board.get(seen.auction_id) else { continue };
        let age = (lot.first_seen - lot.posted_at).max(0) as f32 / SECOND as f32;
        let survival = if lingers { 1.0 } else { tracker.rates.survival(age) };
        let length = (lot.expires_at - lot.posted_at).max(0);
        arrivals.census.saw(lot.posted_at, whole(length));
        if !list.is_by_posting() || lot.first_seen - lot.posted_at <= RECENT {
            arrivals.first_sight(lot, survival, list.sweep.alike(length));
        }
        new.push((*seen, 1.0 / survival.max(0.05), length));
    }
    new
}

/// How many of the known lots are on offer.
fn on_offer(tracker: &Tracker) -> f32 {
    let open = tracker.board.open(tracker.now..=i64::MAX).step_by(SAMPLED);
    let alive = open.filter(|lot| lot.absent_at == 0);
    let chance = |lot: &Lot| tracker.rates.survives(lot, lot.last_active, tracker.now);
    alive.map(chance).sum::<f32>() * SAMPLED as f32
}

/// The longest time after it was told at which a page shows an auction once more.
fn lingered(tracker: &Tracker, page: &Reply) -> i64 {
    let told = |seen: &Seen| Some(tracker.board.get(seen.auction_id)?.told?.at);
    page.seen.iter().filter_map(told).map(|told| page.at - told).max().unwrap_or(0)
}

/// Whether what ended is still shown.
fn lingers(tracker: &Tracker) -> bool {
    tracker.found.flags().visible == Some(true)
}

/// Listings of the hour that begins at `hour`.
#[must_use]
pub fn listed(tracker: &Tracker, arrivals: &Arrivals, hour: i64) -> Estimate {
    arrivals.listed(hour.div_euclid(HOUR), (i64::MIN, tracker.now))
}
