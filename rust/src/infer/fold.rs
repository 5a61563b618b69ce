//! The markets of a part: each record of it in, in order; what it says of auctions out.
//!
//! A page of a question that is not spelled out, an incomplete one and one that is older than those
//! before it say something of the auctions on them, and nothing of those that are not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::error::Reason;
use crate::history::closings::Inferred;
use crate::infer::closing::closing;
use crate::infer::coverage::{Coverage, Hour};
use crate::infer::time::{Time, Times};
use crate::market::asked::{Ask, Reply, Status};
use crate::market::calibration::Row;
use crate::market::found::Flags;
use crate::market::lot::{Evidence, Lot, Verdict};
use crate::market::tracker::{News, Tracker};
use crate::plan::arrivals::Arrivals;
use crate::plan::census::Estimate;
use crate::plan::estimate::{Taken, listed, take};
use crate::plan::list::List;
use crate::rows::record::AuctionRow;

/// A record of a part.
#[derive(Clone, Debug)]
pub struct Record<'r> {
    /// Platform.
    pub platform: &'r str,
    /// Index in the batch of its page; None: it is none of data.
    pub page: Option<usize>,
    /// What was asked.
    pub ask: Ask,
    /// Whether that is known: then what is not shown says something.
    pub whole: bool,
    /// The upstream failed, by its own word.
    pub failed: bool,
    /// Of its reply.
    pub times: Times,
}

/// How much of an hour was seen of a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Seeing {
    /// What was counted.
    pub hour: Hour,
    /// Auctions posted in it that were seen.
    pub seen: u32,
    /// Listings by estimate, and the interval around it.
    pub listed: (f32, f32, f32),
}

/// What records came to.
#[derive(Debug, Default)]
pub struct Concluded {
    /// Outcomes, in the order of the pages of the batch that they come before.
    pub inferred: Vec<Inferred>,
    /// The newest word on hours of which there is news, by platform and start in microseconds.
    pub coverage: BTreeMap<(String, i64), Seeing>,
    /// New tables of how often later proof agreed: the hour from which each applies, and its rows.
    pub calibration: BTreeMap<(String, i64), Vec<Row>>,
    /// The last word on auctions that are forgotten now.
    pub left: Vec<Inferred>,
}

/// What the records of a part have shown so far.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Fold {
    markets: BTreeMap<String, Market>,
}

/// What is known of one platform.
#[derive(Debug, Serialize, Deserialize)]
struct Market {
    tracker: Tracker,
    list: List,
    arrivals: Arrivals,
    coverage: Coverage,
    time: Time,
    /// When the newest reply was observed.
    observed_at: i64,
    /// Unsold auctions were told as expired: those told as ended were sold, then.
    tells_unsold: bool,
    /// The hour whose calibration was told last.
    calibrated: i64,
}

impl Fold {
    /// Take in consecutive records, whose pages `batch` has.
    pub fn take(&mut self, batch: &Batch, records: &[Record<'_>]) -> Concluded {
        let mut concluded = Concluded::default();
        let mut next = 0;
        for record in records {
            if let Some(page) = record.page {
                next = page + 1;
            }
            if !self.markets.contains_key(record.platform) {
                self.markets.insert(record.platform.to_owned(), Market::new());
            }
            let Some(market) = self.markets.get_mut(record.platform) else { continue };
            let Some((ask, reply)) = market.read(batch, record) else { continue };
            let known = record.whole.then_some(&record.ask);
            market.coverage.asked(known, reply.failed, reply.at);
            let news = market.observe(&ask, &reply);
            let page = i32::try_from(next).unwrap_or(i32::MAX);
            let mut ids: Vec<i64> = news.verdicts.iter().map(|&(id, _)| id).collect();
            if !market.tells_unsold && is_unsold(&reply) {
                market.tells_unsold = true;
                let told = market.tracker.board.iter().filter(|lot| lot.is_told());
                ids.extend(told.map(|lot| lot.auction_id));
            }
            market.count(&ids);
            let said = ids.into_iter().filter_map(|id| market.inferred(record.platform, id, page));
            concluded.inferred.extend(said);
            let left = news.left.iter().filter_map(|lot| market.of(record.platform, lot, 0));
            concluded.left.extend(left);
            market.tell(record.platform, &mut concluded);
        }
        concluded
    }

    /// All that is said of auctions now, as if it came before the first page of a batch.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Inferred> {
        let of_market = |(platform, market): (&String, &Market)| {
            let lots = market.tracker.board.iter().filter(|lot| lot.verdict.is_some());
            let ids: Vec<i64> = lots.map(|lot| lot.auction_id).collect();
            ids.into_iter().filter_map(|id| market.inferred(platform, id, 0)).collect::<Vec<_>>()
        };
        self.markets.iter().flat_map(of_market).collect()
    }
}

impl Market {
    fn new() -> Self {
        Self {
            tracker: Tracker::new(Flags::default()),
            list: List::default(),
            arrivals: Arrivals::new(),
            coverage: Coverage::default(),
            time: Time::default(),
            observed_at: 0,
            tells_unsold: false,
            calibrated: 0,
        }
    }

    /// A record as a question and its reply; None: it says nothing of the market.
    fn read(&mut self, batch: &Batch, record: &Record<'_>) -> Option<(Ask, Reply)> {
        let unsure = Ask::Refresh { ids: Vec::new() };
        if record.failed {
            let reply = Reply { at: self.time.now, failed: true, truncated: false, seen: vec![] };
            return (record.whole && self.time.now > 0).then(|| (record.ask.clone(), reply));
        }
        let page = record.page?;
        let mut whole = record.whole;
        let first = batch.rejects.partition_point(|reject| reject.page < page);
        for reject in batch.rejects[first..].iter().take_while(|reject| reject.page == page) {
            reject.item?; // the page as a whole
            whole &= reject.fault.reason == Reason::CardMended;
        }
        if batch.refused.binary_search(&page).is_ok() {
            return None;
        }
        let rows = rows_of(batch, page);
        let times = rows.first().map_or(record.times, |row| Times {
            served_at: row.served_at,
            observed_at: row.observed_at,
            ..record.times
        });
        if times.served_at == 0 {
            return None;
        }
        let fresh = self.time.pass(times);
        self.observed_at = self.observed_at.max(times.observed_at);
        let mut seen = Vec::with_capacity(rows.len());
        for row in rows {
            match row.seen(self.time.now, self.time.shift) {
                Some(auction) if fresh || auction.status != Status::Active => seen.push(auction),
                Some(_) => {}
                None => whole = false,
            }
        }
        let truncated = batch.truncated.binary_search(&page).is_ok();
        let ask = if whole && fresh { record.ask.clone() } else { unsure };
        Some((ask, Reply { at: self.time.now, failed: false, truncated, seen }))
    }

    fn observe(&mut self, ask: &Ask, reply: &Reply) -> News {
        let (tracker, list, arrivals) = (&mut self.tracker, &mut self.list, &mut self.arrivals);
        let Taken { news, new, shown, offset } = take(tracker, list, arrivals, ask, reply);
        if let Some(offset) = offset {
            list.learn(offset, reply, &new, &shown, arrivals);
        }
        for id in &news.new {
            if let Some(lot) = self.tracker.board.get(*id) {
                self.coverage.met(lot);
            }
        }
        news
    }

    /// What is said of a lot, unless that says more than is known of the upstream's words.
    fn said<'l>(&self, lot: &'l Lot) -> Option<&'l Verdict> {
        let is_stored = |said: &&Verdict| self.tells_unsold || said.evidence != Evidence::Status;
        lot.verdict.as_ref().filter(is_stored)
    }

    /// Count what is said of these now.
    fn count(&mut self, ids: &[i64]) {
        for &id in ids {
            let Some(lot) = self.tracker.board.get(id) else { continue };
            let told = self.tells_unsold || !lot.is_told();
            self.coverage.judged(lot, lot.verdict.as_ref().filter(|_| told));
        }
    }

    /// What is said of an auction; None: what was is taken back, as its own row does.
    fn inferred(&self, platform: &str, auction_id: i64, page: i32) -> Option<Inferred> {
        self.of(platform, self.tracker.board.get(auction_id)?, page)
    }

    fn of(&self, platform: &str, lot: &Lot, page: i32) -> Option<Inferred> {
        let (verdict, auction_id) = (self.said(lot)?, lot.auction_id);
        let (platform, observed_at) = (platform.to_owned(), self.observed_at);
        let closing = closing(verdict, self.time.shift, observed_at);
        Some(Inferred { page, platform, auction_id, observed_at, closing })
    }

    /// What is news of hours, and of the calibration.
    fn tell(&mut self, platform: &str, concluded: &mut Concluded) {
        for (at, hour) in self.coverage.news(self.time.now) {
            let Estimate { seen, listed, .. } = listed(&self.tracker, &self.arrivals, at);
            concluded.coverage.insert((platform.to_owned(), at), Seeing { hour, seen, listed });
        }
        let calibration = &self.tracker.calibration;
        if calibration.applies_from != self.calibrated {
            self.calibrated = calibration.applies_from;
            let rows: Vec<Row> = calibration.rows().collect();
            if !rows.is_empty() {
                concluded.calibration.insert((platform.to_owned(), self.calibrated), rows);
            }
        }
    }
}

fn is_unsold(reply: &Reply) -> bool {
    reply.seen.iter().any(|seen| seen.status == Status::Expired)
}

/// The rows of a page.
fn rows_of(batch: &Batch, page: usize) -> &[AuctionRow] {
    let page = i32::try_from(page).unwrap_or(i32::MAX);
    let first = batch.rows.partition_point(|row| row.page < page);
    let count = batch.rows[first..].partition_point(|row| row.page == page);
    &batch.rows[first..first + count]
}
