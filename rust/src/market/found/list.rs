//! Replies to searches in; order, paging, page size, truncation and visible ends out.

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, MINUTE, Reply, SECOND};
use crate::market::found::Flags;
use crate::market::found::cut::Cut;
use crate::market::found::ends::Ends;
use crate::market::found::page::{Order, Shape, depth, goes_on, overlap, shape};
use crate::market::found::question::Question;

/// Votes in a row that settle an open question, and those that overturn a settled one.
const VOTES: (u8, u8) = (3, 5);
/// The same for the rows of a page: short lists may keep their length by chance.
const PAGES: (u8, u8) = (5, 5);
/// Pages that stand in no order, in a row, that overturn one.
const UNSORTED: u8 = 5;
/// A page this far from the front at least lies apart from it.
const APART: u32 = 50;
/// How long the front of an arbitrary order stays as it is.
const STEADY: i64 = 10 * MINUTE;
/// Rows by which a page is known again.
const SAMPLE: usize = 5;

/// The page at 0 as it was seen last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Front {
    /// When, microseconds.
    pub at: i64,
    /// Its auctions, as served.
    pub ids: Vec<i64>,
    /// How far it lay behind the front, see [`depth`].
    lag: i64,
}

/// What searches showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct List {
    pub order: Question<Order>,
    pub paging: Question<bool>,
    pub page: Question<u32>,
    pub truncate: Question<u32>,
    pub visible: Question<bool>,
    pub cut: Cut,
    pub front: Option<Front>,
    /// Pages in no order, in a row.
    pub unsorted: u8,
    /// Whether the last page was of a list that is cut.
    pub is_cut: bool,
    /// The last page: its place, when it came, and its auctions.
    before: (u32, i64, Vec<i64>),
    /// When the last page came, and what time its first auctions had left.
    last: (i64, Vec<(i64, i32)>),
    /// The front that page sizes are compared with: it differs by some rows from the next.
    compared: Vec<i64>,
    /// Replies in a row that say so while the list is held to be whole.
    cuts: u8,
    ends: Ends,
}

impl List {
    pub fn new(pins: &Flags) -> Self {
        Self {
            order: Question::new(pins.order),
            paging: Question::new(pins.paging),
            page: Question::new(pins.page),
            truncate: Question::new(pins.truncate),
            visible: Question::new(pins.visible),
            cut: Cut::default(),
            front: None,
            unsorted: 0,
            is_cut: false,
            before: (0, 0, Vec::new()),
            last: (0, Vec::new()),
            compared: Vec::new(),
            cuts: 0,
            ends: Ends::default(),
        }
    }

    /// Take in what a search at `offset` showed; false: it was a page from before, which shows nothing.
    pub fn observe(&mut self, offset: u32, reply: &Reply) -> bool {
        if self.is_old(reply) {
            return false;
        }
        let ids: Vec<i64> = reply.seen.iter().map(|seen| seen.auction_id).collect();
        let order = self.ordered(offset, reply, &ids);
        self.paged(offset, reply, &ids, order);
        self.sized(offset, reply, &ids);
        self.cut(offset, reply);
        self.ends.observe(reply, &mut self.visible);
        if offset == 0 && !ids.is_empty() {
            let order = order.or(self.order.held).unwrap_or(Order::None);
            let lag = depth(reply, order).map_or(0, |(lag, _)| lag);
            self.front = Some(Front { at: reply.at, ids: ids.clone(), lag });
        }
        self.before = (offset, reply.at, ids);
        true
    }

    /// Whether the page before is served once more: time has passed, and no auction has less left.
    fn is_old(&mut self, reply: &Reply) -> bool {
        let active = reply.seen.iter().filter(|seen| seen.seconds_remaining > 0);
        let sample: Vec<(i64, i32)> =
            active.map(|seen| (seen.auction_id, seen.seconds_remaining)).take(SAMPLE).collect();
        let (at, before) = &self.last;
        if reply.at - at >= 2 * SECOND && !sample.is_empty() && sample == *before {
            return true;
        }
        self.last = (reply.at, sample);
        false
    }

    fn ordered(&mut self, offset: u32, reply: &Reply, ids: &[i64]) -> Option<Order> {
        match shape(reply) {
            Shape::Unclear => None,
            Shape::Sorted(order) => {
                self.unsorted = 0;
                self.order.vote(order, reply.at, VOTES, || sorted_by(order, reply.seen.len()));
                Some(order)
            }
            Shape::Unsorted => {
                self.unsorted = self.unsorted.saturating_add(1);
                self.arbitrary(offset, reply.at, ids);
                let strict = matches!(self.order.held, Some(Order::Newest | Order::Ending));
                if strict && self.unsorted >= UNSORTED {
                    self.order.drop_held();
                }
                None
            }
        }
    }

    /// Rows in no order: the same as last time, or drawn anew?
    fn arbitrary(&mut self, offset: u32, at: i64, ids: &[i64]) {
        let (place, then, rows) = &self.before;
        if offset > *place
            && at - then <= STEADY
            && let Some(again) = goes_on(rows, ids)
        {
            self.order.vote(Order::None, at, VOTES, || {
                format!(
                    "pages stand in no order, and one goes on with the last {again} of the other"
                )
            });
            return;
        }
        let Some(front) =
            self.front.as_ref().filter(|front| offset == 0 && at - front.at <= STEADY)
        else {
            return;
        };
        let (share, same) = overlap(&front.ids, ids);
        let order = match same {
            Some(true) if share >= 0.5 => Order::None,
            Some(false) if share >= 0.5 => Order::Random,
            _ if share <= 0.2 => Order::Random,
            _ => return,
        };
        let votes = if self.unsorted >= UNSORTED { (2, 2) } else { VOTES };
        let votes = if self.order.held == Some(Order::None) { VOTES } else { votes };
        let percent = (share * 100.0).round();
        self.order.vote(order, at, votes, || {
            format!("pages stand in no order, and {percent} % of the one at 0 came again")
        });
    }

    /// Whether a page further back is another than the one at 0.
    fn paged(&mut self, offset: u32, reply: &Reply, ids: &[i64], order: Option<Order>) {
        let front = self.front.as_ref().filter(|front| reply.at - front.at <= HOUR);
        if offset == 0 || offset < APART.min(self.page.held.unwrap_or(APART)) {
            return;
        }
        let (place, then, rows) = &self.before;
        let (honoured, why) = if self.order.held == Some(Order::None) && !ids.is_empty() {
            if reply.at - then > STEADY || offset.abs_diff(*place) < APART {
                return;
            }
            let (share, _) = overlap(rows, ids);
            let percent = (share * 100.0).round();
            if (0.2..0.5).contains(&share) {
                return;
            }
            (share < 0.2, format!("the page at {offset} shows {percent} % of the page at {place}"))
        } else if ids.is_empty() && front.is_some() {
            (true, format!("the page at {offset} is empty, the one at 0 is not"))
        } else if let (Some(order), Some(front)) = (order, front) {
            let Some((behind, apart)) = depth(reply, order) else { return };
            // ignored: as near to the front as the page at 0, but for chance and whole seconds
            let behind = behind - front.lag;
            let near = 12 * apart + 2 * SECOND;
            if offset < APART || (near..=2 * near).contains(&behind) {
                return;
            }
            let seconds = behind / SECOND;
            let what = "the page at 0";
            (behind > near, format!("the page at {offset} begins {seconds} s behind {what}"))
        } else {
            return;
        };
        self.paging.vote(honoured, reply.at, VOTES, || why);
    }

    /// How many rows a page has, where the list is surely longer.
    fn sized(&mut self, offset: u32, reply: &Reply, ids: &[i64]) {
        let rows = count(ids);
        let is_short = self.page.held.is_some_and(|page| rows < page) && reply.truncated;
        if rows == 0 || is_short {
            return;
        }
        if rows != count(&self.compared) {
            if offset == 0 {
                self.compared = ids.to_vec();
                self.page.unsettle();
            }
            return;
        }
        if offset >= rows && self.paging.held == Some(true) && self.page.held.is_none() {
            let why = format!("the pages at 0 and at {offset} have {rows} rows");
            self.page.settle(rows, reply.at, why);
            return;
        }
        // as many come as go: only of a longer list that is so time and again
        let (share, _) = overlap(&self.compared, ids);
        if offset == 0 && (1.0 - share) * f64::from(rows) >= 2.5 {
            self.compared = ids.to_vec();
            self.page.vote(rows, reply.at, PAGES, || format!("pages have {rows} rows"));
        }
    }

    fn cut(&mut self, offset: u32, reply: &Reply) {
        self.is_cut = reply.truncated;
        if !reply.truncated {
            self.cuts = 0;
            self.truncate.vote(0, reply.at, VOTES, || "replies say that nothing is cut".to_owned());
            return;
        }
        let known = self.cut.known();
        if self.truncate.held == Some(0) {
            self.cuts += 1;
            if self.cuts < VOTES.0 {
                return;
            }
            self.truncate.drop_held();
            self.cut = Cut::default();
        }
        if offset > 0 && self.paging.held != Some(true) {
            return;
        }
        let page = self.page.held.or(self.front.as_ref().map(|front| count(&front.ids)));
        let rows = u32::try_from(reply.seen.len()).unwrap_or(u32::MAX);
        let Some(page) = page else { return };
        let length = self.cut.observe(offset, rows, page);
        if known.is_some() && self.cut.known().is_none() {
            self.truncate.drop_held();
        }
        if let Some(length) = length {
            let why =
                format!("replies say that the list is cut, and nothing comes from {length} on");
            self.truncate.settle(length, reply.at, why);
        }
    }
}

fn sorted_by(order: Order, rows: usize) -> String {
    match order {
        Order::Newest => format!("{rows} rows of a page stand by time of posting, the last first"),
        _ => format!("{rows} rows of a page stand by time of expiry, the next first"),
    }
}

fn count(ids: &[i64]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}
