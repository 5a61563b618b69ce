//! One page of a list in, what its rows alone prove out: the order, and how far from the front.

use serde::{Deserialize, Serialize};

use crate::market::asked::{Reply, SECOND, Seen, Status};

/// How a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Posted last, first.
    Newest,
    /// First to expire, first.
    Ending,
    /// Each request draws its page anew.
    Random,
    /// Arbitrary, but the same from request to request.
    None,
}

/// What the rows of a page say of their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// They stand in this order.
    Sorted(Order),
    /// In no order of time.
    Unsorted,
    /// Too few, too alike, or in both orders at once.
    Unclear,
}

/// The order that a page stands in, a few odd rows aside; None: in none, or it cannot be told.
#[must_use]
pub fn shown_order(reply: &Reply) -> Option<Order> {
    match shape(reply) {
        Shape::Sorted(order) => Some(order),
        Shape::Unsorted | Shape::Unclear => None,
    }
}

/// Whether a page stands in a strict order, a few odd rows aside: one of few rows in it alone.
#[must_use]
pub fn stands_in(reply: &Reply, order: Order) -> bool {
    let keys: Vec<i64> = match order {
        Order::Newest => reply.seen.iter().map(|seen| -seen.posted_at).collect(),
        Order::Ending => remaining(reply),
        Order::Random | Order::None => return false,
    };
    sortedness(&keys).unwrap_or_else(|| keys.is_sorted())
}

/// See [`Shape`].
pub(super) fn shape(reply: &Reply) -> Shape {
    let posted: Vec<i64> = reply.seen.iter().map(|seen| -seen.posted_at).collect();
    let left = remaining(reply);
    match (sortedness(&posted), sortedness(&left)) {
        (Some(true), Some(false)) => Shape::Sorted(Order::Newest),
        (Some(false), Some(true)) => Shape::Sorted(Order::Ending),
        (Some(true), None) if left.len() < MIN_ROWS => Shape::Sorted(Order::Newest),
        (Some(false), Some(false)) => Shape::Unsorted,
        _ => Shape::Unclear,
    }
}

/// How far the front of the page lies behind the front of the list, and the mean distance of two
/// rows, both in microseconds of the order's own time.
pub(super) fn depth(reply: &Reply, order: Order) -> Option<(i64, i64)> {
    let keys: Vec<i64> = match order {
        Order::Newest => reply.seen.iter().map(|seen| reply.at - seen.posted_at).collect(),
        Order::Ending if reply.seen.first()?.status == Status::Active => {
            remaining(reply).iter().map(|seconds| seconds * SECOND).collect()
        }
        Order::Ending | Order::Random | Order::None => return None,
    };
    if keys.len() < MIN_ROWS {
        return None;
    }
    let mut first = keys[..MIN_ROWS].to_vec();
    first.sort_unstable();
    let mut sorted = keys;
    sorted.sort_unstable();
    let odd = sorted.len() / 10; // a few rows may stand where they do not belong
    let (low, high) = (odd, sorted.len() - 1 - odd);
    let apart = (sorted[high] - sorted[low]) / i64::try_from(high - low).unwrap_or(i64::MAX);
    Some((first[MIN_ROWS / 2], apart))
}

/// Of the rows of `before` that `now` shows as well: their share of the shorter page, and whether
/// they stand in the same order (None: too few to say).
pub(super) fn overlap(before: &[i64], now: &[i64]) -> (f64, Option<bool>) {
    let mut places: Vec<(i64, i64)> = before.iter().copied().zip(0..).collect();
    places.sort_unstable();
    let place = |id| places.binary_search_by_key(id, |&(known, _)| known).ok();
    let kept: Vec<i64> = now.iter().filter_map(place).map(|at| places[at].1).collect();
    let share = kept.len() as f64 / before.len().min(now.len()).max(1) as f64;
    (share, sortedness(&kept))
}

/// How many of the last rows of the page before this one begins with.
pub(super) fn goes_on(before: &[i64], now: &[i64]) -> Option<usize> {
    let from = before.iter().position(|id| Some(id) == now.first())?;
    (from > 0 && now.starts_with(&before[from..])).then(|| before.len() - from)
}

/// Fewer rows than this show no order.
const MIN_ROWS: usize = 5;

/// Seconds left of what is on offer.
fn remaining(reply: &Reply) -> Vec<i64> {
    let active = |seen: &&Seen| seen.status == Status::Active;
    reply.seen.iter().filter(active).map(|seen| i64::from(seen.seconds_remaining)).collect()
}

/// Whether keys rise: by the share of rows in the longest rising subsequence, which a few rows out
/// of place hardly change. None: between, or too few.
fn sortedness(keys: &[i64]) -> Option<bool> {
    if keys.len() < MIN_ROWS {
        return None;
    }
    let mut tails: Vec<i64> = Vec::new();
    for &key in keys {
        let place = tails.partition_point(|&tail| tail <= key);
        if place == tails.len() { tails.push(key) } else { tails[place] = key }
    }
    let odd = keys.len() - tails.len();
    if odd * 5 <= keys.len() && (keys.len() >= 10 || odd == 0) {
        Some(true)
    } else {
        (odd * 5 >= keys.len() * 2).then_some(false)
    }
}
