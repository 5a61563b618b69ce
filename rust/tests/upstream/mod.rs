//! A scripted upstream in virtual time, and a plain client that asks it and tells what it found.

#![allow(dead_code)] // each test binary uses its part of this module
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::must_use_candidate)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#![allow(clippy::cast_possible_wrap)] // numbers are drawn, and small

use m26::market::asked::{Ask, DAY, HOUR, MINUTE, Reply, SECOND, Seen, Status};
use m26::market::board::Board;
use m26::market::found::{Ended, Flags, Found, Notice, NoticeValue, Order, Recall};

pub const NOW: i64 = 1_790_000_000 * SECOND;
const PACE: i64 = 21_600_000;

/// How the upstream behaves.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    pub order: Order,
    pub paging: bool,
    pub page: usize,
    pub truncate: usize,
    pub batch: usize,
    pub ended: Ended,
    pub recall: i64,
    pub visible: i64,
    pub final_price: bool,
    pub loss: f64,
    /// Share of pages that are the one before once more.
    pub doubled: f64,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            order: Order::Newest,
            paging: true,
            page: 100,
            truncate: 0,
            batch: 50,
            ended: Ended::Full,
            recall: i64::MAX,
            visible: 0,
            final_price: true,
            loss: 0.0,
            doubled: 0.0,
        }
    }
}

/// Numbers drawn from one seed.
pub struct Dice(u64);

impl Dice {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }
}

struct Auction {
    id: i64,
    posted: i64,
    expires: i64,
    ended: i64,
    bids: i32,
    start: i64,
    buyout: i64,
    /// Sold for its buyout price, sold to a bidder, or not sold.
    status: Status,
    bought: bool,
}

/// An upstream of `per_day` listings a day that answers as [`Ways`] say.
pub struct Upstream {
    pub ways: Ways,
    dice: Dice,
    auctions: Vec<Auction>,
    /// Indexes, by expiry and in an arbitrary order.
    by_expiry: Vec<usize>,
    arbitrary: Vec<usize>,
    last: Vec<Seen>,
}

impl Upstream {
    pub fn new(ways: Ways, per_day: i64, days: i64, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut auctions = Vec::new();
        let mut posted = NOW - 2 * DAY;
        let (mut id, gap) = (57_000_000, DAY as f64 / per_day as f64);
        while posted < NOW + days * DAY {
            posted += 1 + (-dice.share().max(1e-9).ln() * gap) as i64;
            id += 1 + i64::try_from(dice.below(9)).unwrap();
            let hours = [1, 1, 1, 4, 4, 8, 8, 8, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 72];
            let expires = (posted / SECOND) * SECOND + hours[dice.below(20)] * HOUR;
            let (fate, buyout) = (dice.share(), 2_000 + 100 * dice.below(40) as i64);
            let early = posted + ((expires - posted) as f64 * dice.share().powi(3)) as i64;
            let (status, ended) = match fate {
                f if f < 0.33 => (Status::Ended, early),
                f if f < 0.58 => (Status::Ended, expires),
                f if f < 0.97 => (Status::Expired, expires),
                _ => (Status::Cancelled, early),
            };
            let bids = if status == Status::Ended && fate >= 0.33 { 3 } else { 0 };
            let (start, bought) = (500, fate < 0.33);
            auctions.push(Auction {
                id,
                posted,
                expires,
                ended,
                bids,
                start,
                buyout,
                status,
                bought,
            });
        }
        let mut by_expiry: Vec<usize> = (0..auctions.len()).collect();
        let mut arbitrary = by_expiry.clone();
        by_expiry.sort_by_key(|&place| (auctions[place].expires, place));
        arbitrary.sort_by_key(|&place| Dice(auctions[place].id as u64).draw());
        Self { ways, dice, auctions, by_expiry, arbitrary, last: Vec::new() }
    }

    pub fn answer(&mut self, ask: &Ask, at: i64) -> Reply {
        let mut reply = Reply { at, failed: false, truncated: false, seen: Vec::new() };
        if self.dice.share() < self.ways.loss {
            reply.failed = true;
            return reply;
        }
        match ask {
            Ask::Search { offset, .. } => {
                reply.truncated = self.ways.truncate > 0 && self.alive(at) > self.ways.truncate;
                reply.seen = self.search(*offset as usize, at);
                if self.dice.share() < self.ways.doubled {
                    reply.seen.clone_from(&self.last);
                }
                self.last.clone_from(&reply.seen);
            }
            Ask::Refresh { ids } => match self.refresh(ids, at) {
                Some(seen) => reply.seen = seen,
                None => reply.failed = true,
            },
        }
        reply
    }

    fn alive(&self, at: i64) -> usize {
        let posted = self.auctions.partition_point(|auction| auction.posted <= at);
        let visible = self.ways.visible;
        self.auctions[..posted].iter().filter(|auction| at < auction.ended + visible).count()
    }

    fn search(&mut self, offset: usize, at: i64) -> Vec<Seen> {
        let offset = if self.ways.paging { offset } else { 0 };
        let reach = if self.ways.truncate == 0 { usize::MAX } else { self.ways.truncate };
        let page = self.ways.page.min(reach.saturating_sub(offset));
        let posted = self.auctions.partition_point(|auction| auction.posted <= at);
        let listed = |&place: &usize| {
            let auction = &self.auctions[place];
            auction.posted <= at && at < auction.ended.saturating_add(self.ways.visible)
        };
        let places: Vec<usize> = match self.ways.order {
            Order::Newest => (0..posted).rev().filter(listed).skip(offset).take(page).collect(),
            Order::Ending => {
                let order = self.by_expiry.iter().copied();
                order.filter(listed).skip(offset).take(page).collect()
            }
            Order::None => {
                let order = self.arbitrary.iter().copied();
                order.filter(listed).skip(offset).take(page).collect()
            }
            Order::Random => {
                let mut all: Vec<usize> = (0..posted).filter(listed).collect();
                let drawn = page.min(all.len());
                for place in 0..drawn {
                    let other = place + self.dice.below(all.len() - place);
                    all.swap(place, other);
                }
                all.truncate(drawn);
                all
            }
        };
        places.into_iter().map(|place| self.shown(place, at)).collect()
    }

    fn refresh(&self, ids: &[i64], at: i64) -> Option<Vec<Seen>> {
        let mut seen = Vec::new();
        for id in ids.iter().take(self.ways.batch) {
            let place = self.auctions.binary_search_by_key(id, |auction| auction.id).ok()?;
            let ago = at - self.auctions[place].ended;
            if ago >= 0 {
                match self.ways.ended {
                    Ended::Error => return None,
                    Ended::Omitted => continue,
                    Ended::Full if ago > self.ways.recall => continue,
                    Ended::Full => {}
                }
            }
            seen.push(self.shown(place, at));
        }
        Some(seen)
    }

    fn shown(&self, place: usize, at: i64) -> Seen {
        let auction = &self.auctions[place];
        let is_over = at >= auction.ended;
        let is_priced = is_over && auction.bought && self.ways.final_price;
        let bids = if is_over || at > auction.posted + HOUR { auction.bids } else { 0 };
        let left = (auction.expires - at).max(0) / SECOND;
        Seen {
            auction_id: auction.id,
            status: if is_over { auction.status } else { Status::Active },
            bids: if is_priced { bids + 1 } else { bids },
            current_bid: if is_priced {
                auction.buyout
            } else {
                auction.start + i64::from(bids) * 50
            },
            buyout_price: auction.buyout,
            posted_at: auction.posted / SECOND * SECOND,
            seconds_remaining: if is_over { 0 } else { i32::try_from(left).unwrap() },
            median_price: 2_000,
            card_id: 1,
            card_instance_id: auction.id,
            acquired_at: auction.posted - HOUR,
        }
    }
}

/// A client that asks by turns, at an even pace.
pub struct Client {
    pub found: Found,
    pub board: Board,
    pub now: i64,
    pub requests: u32,
    pub probes: u32,
    turn: usize,
    dice: Dice,
}

impl Client {
    pub fn new(seed: u64) -> Self {
        Self {
            found: Found::new(Flags::default()),
            board: Board::default(),
            now: NOW,
            requests: 0,
            probes: 0,
            turn: 0,
            dice: Dice(seed.wrapping_add(77)),
        }
    }

    /// One request: what was told after it.
    pub fn step(&mut self, upstream: &mut Upstream) -> Vec<Notice> {
        self.now += PACE;
        self.requests += 1;
        let ask = if let Some(ask) = self.found.probe(self.now, &self.board) {
            self.probes += 1;
            ask
        } else {
            self.choose()
        };
        let reply = upstream.answer(&ask, self.now);
        let notices = self.found.observe(&ask, &reply, &self.board);
        for seen in &reply.seen {
            self.board.see(seen, self.now);
        }
        if let (Ask::Refresh { ids }, false) = (&ask, reply.failed) {
            for id in ids.iter().take(self.found.flags().batch.unwrap_or(1) as usize) {
                let shown = reply.seen.iter().any(|seen| seen.auction_id == *id);
                let lot = self.board.get_mut(*id).filter(|_| !shown);
                if let Some(lot) = lot {
                    (lot.omitted, lot.absent_at) = (true, self.now);
                }
            }
        }
        self.board.prune(self.now);
        if self.requests.is_multiple_of(200) {
            self.board.sweep(self.now);
        }
        notices
    }

    fn choose(&mut self) -> Ask {
        let flags = *self.found.flags();
        self.turn += 1;
        let tells = flags.ended.is_none_or(|ended| ended == Ended::Full);
        if self.turn.is_multiple_of(2) {
            let wish = self.found.batch_wish();
            // what just ended, where that is told, then what was seen longest ago
            let span = self.now - 20 * MINUTE..=self.now - 3 * SECOND;
            let ended = self.board.open(span).filter(|lot| tells && !lot.omitted);
            let mut ids: Vec<i64> = ended.map(|lot| lot.auction_id).take(wish).collect();
            let ahead = self.board.open(self.now + SECOND..=self.now + 6 * HOUR);
            let asked = self.turn;
            ids.extend(ahead.map(|lot| lot.auction_id).skip(asked % 300).take(wish - ids.len()));
            let room = 3;
            ids.truncate(wish.saturating_sub(room));
            let riders = self.found.riders(self.now, &self.board, room);
            ids.extend(riders);
            if !ids.is_empty() {
                return Ask::Refresh { ids };
            }
        }
        let is_deep = self.turn % 5 == 3 && flags.paging != Some(false);
        let arbitrary = flags.order == Some(Order::None) && !self.turn.is_multiple_of(3);
        let reach = flags.truncate.filter(|&reach| reach > 0).unwrap_or(4_000);
        let offset = if is_deep || arbitrary {
            let pages = (reach / 100).max(1) as usize;
            100 * u32::try_from(self.dice.below(pages)).unwrap()
        } else {
            0
        };
        Ask::Search { offset, count: 100 }
    }
}

/// Whether a notice is true of the upstream.
pub fn is_true(notice: &Notice, ways: &Ways) -> bool {
    let number = |value: usize| NoticeValue::Number(u32::try_from(value).unwrap());
    match notice.flag {
        "order" => {
            notice.value
                == NoticeValue::Text(match ways.order {
                    Order::Newest => "newest",
                    Order::Ending => "ending",
                    Order::Random => "random",
                    Order::None => "none",
                })
        }
        "paging" => notice.value == NoticeValue::Bool(ways.paging),
        "page" => notice.value == number(ways.page),
        "truncate" => notice.value == number(ways.truncate),
        "batch" => notice.value == number(ways.batch),
        "ended" => {
            notice.value
                == NoticeValue::Text(match ways.ended {
                    Ended::Full => "full",
                    Ended::Omitted => "omitted",
                    Ended::Error => "error",
                })
        }
        "recall" => match notice.value {
            NoticeValue::Null => ways.recall >= 2 * HOUR,
            NoticeValue::Number(seconds) => {
                let seconds = i64::from(seconds) * SECOND;
                seconds / 2 <= ways.recall && ways.recall / 2 <= seconds
            }
            _ => false,
        },
        "visible" => notice.value == NoticeValue::Bool(ways.visible > 0),
        "ended_price" => {
            notice.value == NoticeValue::Text(if ways.final_price { "final" } else { "last_bid" })
        }
        _ => false,
    }
}

/// Whether every flag that can be known is held, and true.
pub fn unknown(flags: &Flags, ways: &Ways) -> Vec<&'static str> {
    let tells = ways.ended == Ended::Full;
    let mut open = Vec::new();
    let known = [
        ("order", flags.order == Some(ways.order)),
        ("paging", flags.paging == Some(ways.paging) || ways.order == Order::Random),
        ("page", flags.page.is_some()),
        ("truncate", flags.truncate.is_some() || (ways.truncate > 0 && !ways.paging)),
        ("batch", flags.batch.is_some()),
        ("ended", flags.ended == Some(ways.ended)),
        (
            "recall",
            !tells
                || matches!(
                    (flags.recall, ways.recall),
                    (Some(Recall::Forever), i64::MAX) | (Some(Recall::Seconds(_)), 0..)
                ),
        ),
        ("visible", flags.visible == Some(ways.visible > 0)),
        ("final_price", !tells || flags.final_price == Some(ways.final_price)),
    ];
    open.extend(known.iter().filter(|(_, known)| !known).map(|&(flag, _)| flag));
    open
}
