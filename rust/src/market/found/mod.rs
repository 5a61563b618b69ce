//! What the upstream can do: questions and replies in, flags, notices and now and then a probe out.
//!
//! - `question`: how votes settle a question; `page`: what one page proves of its order.
//! - `list`, `cut`, `ends`: what searches show; `refresh`, `recall`: what refreshes show.
//! - `probe`: what is asked for that alone.
//!
//! Invariant: what is held follows from the replies alone, in their order, and its state is bounded.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
// shares and ratios of small counts and of times below some days

mod cut;
mod ends;
mod list;
mod page;
mod probe;
mod question;
mod recall;
mod refresh;

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, Reply};
use crate::market::board::Board;
use list::List;
pub use page::{Order, shown_order, stands_in};
use probe::Probes;
use question::Question;
use recall::Recalled;
use refresh::Refreshes;

/// Why a recall is told where no refresh tells of an end.
const UNSHOWN: &str = "nothing shows it while no refresh tells of an end: held as for ever";
/// Why an offset is told as honoured where each request draws its page anew.
const DRAWN: &str =
    "nothing shows it while pages are drawn anew: held as honoured, none is asked for";

/// What a refresh says of auctions that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// Their status and price.
    Full,
    /// Nothing: they are left out.
    Omitted,
    /// One of them makes all of it fail.
    Error,
}

/// How long a refresh knows an ended auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recall {
    /// As long as anyone asks.
    Forever,
    /// So many seconds, within a factor of two.
    Seconds(u32),
}

/// What is held true of an upstream; None: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// How lists are ordered.
    pub order: Option<Order>,
    /// Whether an offset is honoured.
    pub paging: Option<bool>,
    /// Rows of a page.
    pub page: Option<u32>,
    /// Length that lists are cut to; 0: they are not.
    pub truncate: Option<u32>,
    /// Ids that a refresh reads.
    pub batch: Option<u32>,
    /// What a refresh says of ended auctions.
    pub ended: Option<Ended>,
    /// For how long.
    pub recall: Option<Recall>,
    /// Whether searches show auctions that have ended.
    pub visible: Option<bool>,
    /// Whether a bought-out auction shows the price paid.
    pub final_price: Option<bool>,
}

/// The value of a flag, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeValue {
    /// A word.
    Text(&'static str),
    /// A length, or seconds.
    Number(u32),
    /// Whether it is so.
    Bool(bool),
    /// For ever.
    Null,
}

/// A flag was learned, or has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `order`, `paging`, `page`, `truncate`, `batch`, `ended`, `recall`, `visible`, `ended_price`.
    pub flag: &'static str,
    /// What is held true now.
    pub value: NoticeValue,
    /// What was seen.
    pub why: String,
}

/// What is known of the upstream, and by what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    flags: Flags,
    list: List,
    refreshes: Refreshes,
    recalled: Recalled,
    probes: Probes,
    /// The last reply was a page from before once more.
    repeated: bool,
}

impl Found {
    /// Nothing is known but what the operator pinned, which stays as it is.
    #[must_use]
    pub fn new(pins: Flags) -> Self {
        Self {
            flags: pins,
            list: List::new(&pins),
            refreshes: Refreshes::new(&pins),
            recalled: Recalled::new(&pins),
            probes: Probes::default(),
            repeated: false,
        }
    }

    /// What is held true.
    #[must_use]
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Take in a reply before `board` does; what was learned from it.
    pub fn observe(&mut self, ask: &Ask, reply: &Reply, board: &Board) -> Vec<Notice> {
        self.repeated = false;
        match ask {
            Ask::Search { offset, .. } => {
                self.refreshes.search(reply.failed);
                self.repeated = !reply.failed && !self.list.observe(*offset, reply);
                if !reply.failed && !self.repeated {
                    self.refreshes.priced(reply, board);
                }
            }
            Ask::Refresh { ids } => {
                self.refreshes.observe(ids, reply, board, &mut self.recalled);
                self.refreshes.priced(reply, board);
            }
        }
        if let Some(Ended::Omitted | Ended::Error) = self.refreshes.ended.held {
            self.recalled.recall.assume(Recall::Forever, reply.at, UNSHOWN);
        }
        if self.list.order.held == Some(Order::Random) {
            self.list.paging.assume(true, reply.at, DRAWN);
        }
        self.flags = Flags {
            order: self.list.order.held,
            paging: self.list.paging.held,
            page: self.list.page.held,
            truncate: self.list.truncate.held,
            batch: self.refreshes.batch.held,
            ended: self.refreshes.ended.held,
            recall: self.recalled.recall.held,
            visible: self.list.visible.held,
            final_price: self.refreshes.final_price.held,
        };
        self.news()
    }

    /// Whether the last reply was a page from before once more: it shows nothing.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// How many ids of the last refresh were read, whatever was answered.
    #[must_use]
    pub fn surely_read(&self) -> usize {
        self.refreshes.surely_read() as usize
    }

    /// The longest time after its end at which an auction was told, microseconds.
    #[must_use]
    pub fn told_after(&self) -> i64 {
        self.recalled.low
    }

    /// A request that is worth sending only for what it would show; rare.
    pub fn probe(&mut self, now: i64, board: &Board) -> Option<Ask> {
        self.probes.next(now, board, &self.list, &self.refreshes, &self.recalled)
    }

    /// How many ids the next refresh should have.
    #[must_use]
    pub fn batch_wish(&self) -> usize {
        self.refreshes.wish() as usize
    }

    /// At most three ended auctions, and `room`, that should ride along in the next refresh.
    pub fn riders(&mut self, now: i64, _board: &Board, room: usize) -> Vec<i64> {
        match self.flags.ended {
            Some(Ended::Full) => self.recalled.riders(now, room),
            Some(Ended::Omitted | Ended::Error) | None => Vec::new(),
        }
    }

    /// What replies have shown: the flag, its value, since when (microseconds), and what was seen.
    #[must_use]
    pub fn evidence(&self) -> Vec<(&'static str, NoticeValue, i64, String)> {
        fn of<T: Copy + PartialEq>(
            flag: &'static str,
            question: &Question<T>,
            value: fn(T) -> NoticeValue,
        ) -> Option<(&'static str, NoticeValue, i64, String)> {
            let held = question.held.or(question.learned())?;
            Some((flag, value(held), question.since, question.why.clone()))
        }
        let (list, refreshes) = (&self.list, &self.refreshes);
        [
            of("order", &list.order, order),
            of("paging", &list.paging, NoticeValue::Bool),
            of("page", &list.page, NoticeValue::Number),
            of("truncate", &list.truncate, NoticeValue::Number),
            of("batch", &refreshes.batch, NoticeValue::Number),
            of("ended", &refreshes.ended, ended),
            of("recall", &self.recalled.recall, recall),
            of("visible", &list.visible, NoticeValue::Bool),
            of("ended_price", &refreshes.final_price, price),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn news(&mut self) -> Vec<Notice> {
        fn of<T: Copy + PartialEq>(
            flag: &'static str,
            question: &mut Question<T>,
            value: fn(T) -> NoticeValue,
        ) -> Option<Notice> {
            let told = question.take_news()?;
            Some(Notice { flag, value: value(told), why: question.why.clone() })
        }
        let (list, refreshes) = (&mut self.list, &mut self.refreshes);
        [
            of("order", &mut list.order, order),
            of("paging", &mut list.paging, NoticeValue::Bool),
            of("page", &mut list.page, NoticeValue::Number),
            of("truncate", &mut list.truncate, NoticeValue::Number),
            of("batch", &mut refreshes.batch, NoticeValue::Number),
            of("ended", &mut refreshes.ended, ended),
            of("recall", &mut self.recalled.recall, recall),
            of("visible", &mut list.visible, NoticeValue::Bool),
            of("ended_price", &mut refreshes.final_price, price),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn order(order: Order) -> NoticeValue {
    NoticeValue::Text(match order {
        Order::Newest => "newest",
        Order::Ending => "ending",
        Order::Random => "random",
        Order::None => "none",
    })
}

fn ended(ended: Ended) -> NoticeValue {
    NoticeValue::Text(match ended {
        Ended::Full => "full",
        Ended::Omitted => "omitted",
        Ended::Error => "error",
    })
}

fn recall(recall: Recall) -> NoticeValue {
    match recall {
        Recall::Forever => NoticeValue::Null,
        Recall::Seconds(seconds) => NoticeValue::Number(seconds),
    }
}

fn price(shows: bool) -> NoticeValue {
    NoticeValue::Text(if shows { "final" } else { "last_bid" })
}
