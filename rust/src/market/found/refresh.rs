//! Replies to refreshes in; how many ids they take, what they say of ended auctions and for how
//! long, and whether a buyout shows its price out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::asked::{HOUR, MINUTE, Reply, SECOND, Seen, Status};
use crate::market::board::Board;
use crate::market::found::question::Question;
use crate::market::found::recall::Recalled;
use crate::market::found::{Ended, Flags, Recall};
use crate::market::lot::Lot;

/// Votes in a row that settle an open question, and those that overturn a settled one.
const VOTES: (u8, u8) = (2, 4);
/// Ids asked for where the batch is not known, and the most there ever are.
const WISH: u32 = 200;
const MOST: u32 = 1_000;
/// One refresh in so many asks for twice the batch: a batch that grew shows within twenty of them.
const STRETCH: u32 = 8;
/// Ended for so long at least, it has surely ended.
const SURELY: i64 = 5 * SECOND;
/// Ended for no longer than this: left out, it is left out at once.
const JUST: i64 = 2 * MINUTE;
/// Sold so long before its time, an auction was bought out.
const EARLY: i64 = 10 * MINUTE;
/// Seen on offer no longer ago than this: a refresh shows it, most likely.
const FRESH: i64 = 30 * MINUTE;
/// Log odds above which failures are the ended id's doing: one in a million by chance.
const SURE: f64 = 13.8;
/// Log odds above which an unanswered tail was not read: one in a thousand by chance.
const UNREAD: f64 = 7.0;

/// What refreshes showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refreshes {
    pub batch: Question<u32>,
    pub ended: Question<Ended>,
    pub final_price: Question<bool>,
    /// When a refresh last had an id that had surely ended.
    pub sure_at: i64,
    /// Refreshes that failed with such an id, in a row.
    pub fails: u16,
    /// Searches meanwhile, and those of them that failed.
    controls: (u16, u16),
    /// Share of searches that fail, of late.
    loss: f64,
    /// Answered refreshes.
    count: u32,
    /// The most ids that are known to be read.
    reach: u32,
    /// Places of the last ids read, of refreshes whose tail was not.
    tails: Vec<u32>,
    /// Refreshes since the last place of the batch was answered.
    unshown: u16,
    /// What speaks for ended auctions being left out, since the last that was told.
    missing: u8,
}

impl Refreshes {
    pub fn new(pins: &Flags) -> Self {
        Self {
            batch: Question::new(pins.batch),
            ended: Question::new(pins.ended),
            final_price: Question::new(pins.final_price),
            sure_at: 0,
            fails: 0,
            controls: (0, 0),
            loss: 0.05,
            count: 0,
            reach: 0,
            tails: Vec::new(),
            unshown: 0,
            missing: 0,
        }
    }

    /// How many ids a refresh should have.
    pub fn wish(&self) -> u32 {
        let twice = |ids: u32| ids.saturating_mul(2).min(MOST);
        match self.batch.held {
            None => twice(self.reach).max(WISH),
            Some(batch) if self.reach > batch => twice(self.reach),
            Some(batch) if self.count % STRETCH == STRETCH - 1 => twice(batch),
            Some(batch) => batch,
        }
    }

    /// How many ids are read, if the batch showed its length a moment ago; else 0.
    pub fn surely_read(&self) -> u32 {
        if self.unshown <= 1 { self.batch.held.unwrap_or(0) } else { 0 }
    }

    /// A search was answered, or failed: what else fails may be chance as well.
    pub fn search(&mut self, failed: bool) {
        self.loss += 0.05 * (f64::from(u8::from(failed)) - self.loss);
        if self.fails > 0 {
            self.controls.0 = self.controls.0.saturating_add(1);
            self.controls.1 = self.controls.1.saturating_add(u16::from(failed));
        }
    }

    /// Take in what a refresh of `ids` answered.
    pub fn observe(&mut self, ids: &[i64], reply: &Reply, board: &Board, recalled: &mut Recalled) {
        let mut asked: Vec<i64> = Vec::with_capacity(ids.len());
        let mut once = std::collections::BTreeSet::new();
        asked.extend(ids.iter().filter(|&&id| once.insert(id)));
        let batch = self.batch.held.unwrap_or(0);
        let surely = (batch.max(1) as usize).min(asked.len());
        let has_ended = |id: &&i64| {
            let lot = board.get(**id);
            recalled.knows(**id)
                || lot.is_some_and(|lot| lot.is_told() || reply.at - lot.expires_at >= SURELY)
        };
        let sure = asked[..surely].iter().any(|id| has_ended(&id));
        if sure {
            self.sure_at = reply.at;
        }
        if reply.failed {
            if sure {
                self.failed(reply.at);
            }
            return;
        }
        if sure {
            (self.fails, self.controls) = (0, (0, 0));
        }
        self.count = self.count.wrapping_add(1);
        let shown: BTreeMap<i64, &Seen> =
            reply.seen.iter().map(|seen| (seen.auction_id, seen)).collect();
        let last = asked.iter().rposition(|id| shown.contains_key(id)).map_or(0, |last| last + 1);
        self.tail(&asked, last, &shown, reply.at, board);
        // a tail that is left out was read, if the batch showed its length a moment ago
        if last >= surely {
            self.unshown = 0;
        } else if asked.len() >= surely {
            self.unshown = self.unshown.saturating_add(1);
        }
        let surely = surely.min(self.surely_read().max(1) as usize);
        let read = &asked[..last.max(surely)];
        self.told(read, &shown, reply.at, board, recalled);
        if self.ended.believed() == Some(Ended::Full) {
            recalled.observe(read, &shown, reply.at, board);
        }
        recalled.remember(&shown, reply.at, board);
    }

    /// A refresh with an ended id failed: more often than searches fail?
    fn failed(&mut self, at: i64) {
        self.fails = self.fails.saturating_add(1);
        let (searches, lost) = self.controls;
        let meanwhile = (f64::from(lost) + 0.5) / (f64::from(searches) + 1.0);
        let chance = self.loss.max(meanwhile).clamp(0.02, 0.99);
        if f64::from(self.fails) * -chance.ln() >= SURE
            && self.ended.believed() != Some(Ended::Error)
        {
            let (fails, percent) = (self.fails, (chance * 100.0).round());
            let why = format!(
                "{fails} refreshes of ended auctions in a row failed, {percent} % of searches"
            );
            self.ended.settle(Ended::Error, at, why);
        }
    }

    /// Up to where ids were read.
    fn tail(
        &mut self,
        asked: &[i64],
        last: usize,
        shown: &BTreeMap<i64, &Seen>,
        at: i64,
        board: &Board,
    ) {
        if last == 0 {
            return;
        }
        let reached = u32::try_from(last).unwrap_or(u32::MAX);
        let (read, rest) = asked.split_at(last);
        // an auction that ended no longer ago than answered ones would be answered, too
        let mut ages: Vec<i64> = read
            .iter()
            .filter(|id| shown.get(id).is_some_and(|seen| seen.status != Status::Active))
            .filter_map(|&id| board.get(id).filter(|lot| lot.last_active > 0))
            .map(|lot| at - lot.expires_at)
            .collect();
        ages.sort_unstable();
        let oldest = ages.len().checked_sub(2).map(|second| ages[second]);
        let expected = |lot: &Lot| {
            let is_fresh = lot.expires_at > at + SECOND && at - lot.last_active <= FRESH;
            let is_told =
                oldest.is_some_and(|oldest| (SURELY..=oldest).contains(&(at - lot.expires_at)));
            !lot.is_told() && (is_fresh || is_told)
        };
        let missed = rest.iter().filter(|&&id| board.get(id).is_some_and(expected)).count();
        let odds = missed as f64 * 1.6; // each is answered four times in five at least
        let held = self.batch.believed();
        if reached > self.reach || held.is_none_or(|held| reached > held) {
            self.reach = self.reach.max(reached);
        }
        if held.is_some_and(|held| reached >= held) {
            self.tails.retain(|&tail| Some(tail) > held);
        }
        if reached >= MOST {
            self.tails.clear();
            self.settle_batch(MOST, at);
        } else if odds >= UNREAD {
            self.reach = self.reach.min(reached.max(held.unwrap_or(reached)));
            self.tails.push(reached);
            if self.tails.len() > 8 {
                self.tails.remove(0);
            }
            self.weigh(at);
        }
    }

    /// The batch is the longest of the tails, if it is no chance: it came up twice.
    fn weigh(&mut self, at: i64) {
        let Some(&most) = self.tails.iter().max() else { return };
        let times = self.tails.iter().filter(|&&tail| tail == most).count();
        let held = self.batch.believed();
        let needed = if held.is_some_and(|held| most < held) { VOTES.1 } else { VOTES.0 };
        if times >= 2 && self.tails.len() >= usize::from(needed) && held != Some(most) {
            self.settle_batch(most, at);
        }
    }

    fn settle_batch(&mut self, batch: u32, at: i64) {
        self.reach = batch;
        let why = format!("no id behind place {batch} was answered");
        self.batch.settle(batch, at, why);
    }

    /// What was said of auctions that had ended.
    fn told(
        &mut self,
        read: &[i64],
        shown: &BTreeMap<i64, &Seen>,
        at: i64,
        board: &Board,
        recalled: &Recalled,
    ) {
        let was_error = self.ended.believed() == Some(Ended::Error);
        let votes = if was_error { (2, 2) } else { VOTES };
        let ended = read.iter().filter_map(|id| shown.get(id));
        let ended = ended.filter(|seen| seen.status != Status::Active).count();
        if ended > 0 {
            self.missing = 0;
            let why = || format!("a refresh showed {ended} auctions that had ended");
            self.ended.vote(Ended::Full, at, votes, why);
            return;
        }
        let just = match recalled.recall.held {
            Some(Recall::Seconds(seconds)) => JUST.min(i64::from(seconds) * SECOND / 2),
            Some(Recall::Forever) | None => JUST,
        };
        for lot in read.iter().filter(|id| !shown.contains_key(id)).filter_map(|&id| board.get(id))
        {
            if lot.is_told() || lot.last_active == 0 {
                continue;
            }
            // it ended between the last look and now, most likely at its time
            if at - lot.last_active <= just {
                self.missing += 3;
            } else if (SURELY..=just).contains(&(at - lot.expires_at)) {
                self.missing += if lot.last_active + HOUR > lot.expires_at { 2 } else { 1 };
            }
            self.missing = self.missing.min(60);
        }
        if self.missing >= 3 {
            self.missing = 0;
            let why = || "a refresh left out auctions that had just ended".to_owned();
            self.ended.vote(Ended::Omitted, at, votes, why);
        }
    }

    /// Whether a sale before its time shows its price.
    pub fn priced(&mut self, reply: &Reply, board: &Board) {
        for seen in reply.seen.iter().filter(|seen| seen.status == Status::Ended) {
            let Some(lot) = board.get(seen.auction_id).filter(|lot| !lot.is_told()) else {
                continue;
            };
            if seen.buyout_price <= 0 || lot.last_active == 0 {
                continue;
            }
            let was_lower = lot.current_bid < seen.buyout_price;
            let shows = if seen.current_bid == seen.buyout_price && was_lower {
                true
            } else if seen.current_bid < seen.buyout_price
                && (seen.bids == 0 || reply.at + EARLY < lot.expires_at)
            {
                false
            } else {
                continue;
            };
            let why = || format!("bought out, shows {}", seen.current_bid);
            self.final_price.vote(shows, reply.at, VOTES, why);
        }
    }
}
