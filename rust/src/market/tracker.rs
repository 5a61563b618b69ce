//! Replies in, what became of lots out: the one fold over everything that a market has shown.
//!
//! Invariant: what is said of a lot follows from the questions and replies so far, in their order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::market::asked::{Ask, DAY, HOUR, Reply, SECOND, Seen, Status};
use crate::market::board::Board;
use crate::market::calendar::Calendar;
use crate::market::calibration::Calibration;
use crate::market::found::{Ended, Flags, Found, Notice, Recall};
use crate::market::judge::{Manners, chances, claimed, judge};
use crate::market::lot::{Fate, Lot, Verdict};
use crate::market::rates::{Look, Rates};
use crate::market::status::proves_price;

/// How long before a day after its expiry a lot that could still be told is judged untold.
const LAST_WORD: i64 = DAY - HOUR;
/// How long after its expiry a lot is judged where the upstream tells nothing of ended ones.
const SOON: i64 = SECOND;
/// Replies after which what is over is looked for.
const SWEEP_EVERY: u64 = 256;

/// What is known of a market.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tracker {
    /// Its lots.
    pub board: Board,
    /// What the upstream can do.
    pub found: Found,
    /// How soon lots sell.
    pub rates: Rates,
    /// How often later proof agreed.
    pub calibration: Calibration,
    /// Lots that are to be judged untold, and when.
    waiting: Calendar,
    replies: u64,
    /// Time of the last reply.
    pub now: i64,
}

/// What a reply came to.
#[derive(Debug, Default)]
pub struct News {
    /// The page was one from before once more: it shows nothing.
    pub repeated: bool,
    /// What is now said of lots, in order.
    pub verdicts: Vec<(i64, Verdict)>,
    /// What is now said of the upstream.
    pub notices: Vec<Notice>,
    /// Lots that were shown for the first time.
    pub new: Vec<i64>,
    /// Lots whose absence was proven.
    pub absent: Vec<i64>,
    /// Lots whose end was told.
    pub told: Vec<i64>,
    /// Lots that are forgotten now.
    pub left: Vec<Lot>,
}

impl Tracker {
    /// Of a market of which nothing is known but `pins`.
    #[must_use]
    pub fn new(pins: Flags) -> Self {
        Self {
            board: Board::default(),
            found: Found::new(pins),
            rates: Rates::new(),
            calibration: Calibration::new(),
            waiting: Calendar::default(),
            replies: 0,
            now: 0,
        }
    }

    /// How the upstream tells of ends, as far as it is known: it does until it was seen not to.
    #[must_use]
    pub fn manners(&self) -> Manners {
        let flags = self.found.flags();
        Manners {
            tells: flags.ended.is_none_or(|ended| ended == Ended::Full),
            final_price: flags.final_price,
            recall: match flags.recall {
                Some(Recall::Seconds(seconds)) => Some(i64::from(seconds) * SECOND),
                Some(Recall::Forever) | None => None,
            },
        }
    }

    /// Take in a reply.
    pub fn observe(&mut self, ask: &Ask, reply: &Reply) -> News {
        let mut news =
            News { notices: self.found.observe(ask, reply, &self.board), ..News::default() };
        self.now = self.now.max(reply.at);
        self.replies += 1;
        self.calibration.settle(self.now);
        news.repeated = self.found.is_repeated();
        let asked: Option<BTreeSet<i64>> = match ask {
            Ask::Refresh { ids } => Some(ids.iter().copied().collect()),
            Ask::Search { .. } => None,
        };
        let is_asked =
            |seen: &&Seen| asked.as_ref().is_none_or(|ids| ids.contains(&seen.auction_id));
        let is_whole = reply.seen.iter().all(|seen| is_asked(&seen));
        let shown = if news.repeated { &[] } else { reply.seen.as_slice() };
        let mut touched = Vec::with_capacity(shown.len());
        for seen in shown.iter().filter(is_asked) {
            let earlier = self.board.earlier(seen); // before it becomes the copy's newest
            self.see(seen, reply.at, &mut news);
            if let Some(earlier) = earlier {
                self.came_back(earlier, reply.at);
                self.prove_price(earlier, reply.at);
                touched.push(earlier);
            }
            touched.push(seen.auction_id);
        }
        if !reply.failed && !news.repeated && is_whole {
            match ask {
                Ask::Refresh { ids } => self.answered(ids, reply, &mut news),
                Ask::Search { .. } => self.spanned(reply, &mut news),
            }
        }
        touched.extend(&news.absent);
        for id in touched {
            self.conclude(id, false, &mut news);
        }
        self.pass(&mut news);
        if self.replies.is_multiple_of(SWEEP_EVERY) {
            news.left = self.board.sweep(self.now);
        }
        news.left.extend(self.board.prune(self.now));
        news
    }

    /// Say what can be said of every lot that is open.
    pub fn conclude_all(&mut self) -> News {
        let mut news = News::default();
        let open: Vec<i64> = self.waiting.range(i64::MIN..=i64::MAX).map(|(_, id)| id).collect();
        for id in open {
            self.conclude(id, true, &mut news);
        }
        news
    }

    fn see(&mut self, seen: &Seen, at: i64, news: &mut News) {
        let change = self.board.see(seen, at);
        let Some(before) = change.before else {
            news.new.push(seen.auction_id);
            if let Some(lot) = self.board.get(seen.auction_id) {
                self.rates.met(lot);
                if !lot.is_told() {
                    self.waiting.insert(self.due(lot), lot.auction_id);
                }
            }
            return;
        };
        if seen.status == Status::Active {
            let (bids, current_bid) = (seen.bids, seen.current_bid);
            self.rates.learn(&before, at, Look::Active { bids, current_bid });
        } else if !before.is_told()
            && let Some(told) = self.board.get(seen.auction_id).and_then(|lot| lot.told)
        {
            self.prove(&before, at);
            self.prove_price(seen.auction_id, at);
            // a refresh knows it only for so long
            let since = self.manners().recall.map_or(0, |recall| at - 2 * recall);
            self.rates.learn(&before, at, Look::Told(told, since));
            if self.due(&before) > at {
                self.over(seen.auction_id);
            }
            news.told.push(seen.auction_id);
        }
    }

    /// A lot's end is told, or can no longer be.
    fn over(&mut self, id: i64) {
        let tells = self.manners().tells;
        if let Some(lot) = self.board.get(id) {
            let chances = chances(lot, self.now, &self.rates);
            self.rates.returns.over(lot, chances.kinds());
            if tells && !lot.is_told() {
                self.rates.suppose(lot, self.now, chances.shares());
            }
        }
    }

    /// The copy of a lot was listed again; one that is not over yet is counted when it is.
    fn came_back(&mut self, id: i64, at: i64) {
        let Some(lot) = self.board.get(id) else { return };
        if lot.is_told() || self.due(lot) <= at {
            self.rates.returns.came(lot);
        }
    }

    /// A lot's end was told at `at`: was what would have been said of it right?
    fn prove(&mut self, before: &Lot, at: i64) {
        let manners = self.manners();
        // only of what had not ended long before it is told
        let since = manners.recall.map_or(0, |recall| at - recall);
        let since = if before.absent_at > 0 { since.min(before.absent_at) } else { since };
        let claimed = claimed(before, (since, at), &manners, &self.rates);
        let Some((cell, fate, price)) = claimed else { return };
        let told = self.board.get(before.auction_id);
        let judged = |lot| judge(lot, at, &manners, &self.rates, &self.calibration);
        if let Some(truth) = told.and_then(judged) {
            let agreed = fate.outcome() == truth.fate.outcome();
            // where the price is not told, what is said of it is as right as that is likely
            let sure = truth.price_confidence;
            let price_agreed = if price == truth.final_price { sure } else { 1.0 - sure };
            self.calibration.proved(&cell, agreed, price_agreed);
        }
    }

    /// A sale was told and its copy listed again: was what would have been said of the price right?
    fn prove_price(&mut self, id: i64, at: i64) {
        if let Some(lot) = self.board.get(id).filter(|lot| proves_price(lot)) {
            self.prove(&Lot { relisted: None, ..lot.clone() }, at);
        }
    }

    /// When a lot is judged untold.
    fn due(&self, lot: &Lot) -> i64 {
        let manners = self.manners();
        lot.expires_at
            + match (manners.tells, manners.recall) {
                (false, _) => SOON,
                (true, None) => LAST_WORD,
                (true, Some(recall)) => recall.clamp(SOON, LAST_WORD),
            }
    }

    /// Time passed: judge what nobody will tell any more.
    fn pass(&mut self, news: &mut News) {
        for (_, id) in self.waiting.take_before(self.now + 1) {
            let Some(lot) = self.board.get(id) else { continue };
            let due = self.due(lot);
            if lot.is_told() {
                continue;
            }
            if due > self.now {
                self.waiting.insert(due, id);
                continue;
            }
            self.over(id);
            self.conclude(id, false, news);
        }
    }

    fn conclude(&mut self, id: i64, is_last: bool, news: &mut News) {
        let manners = self.manners();
        let due = |lot: &Lot| self.due(lot);
        let Some(lot) = self.board.get(id) else { return };
        let is_over = lot.is_told() || lot.absent_at != 0 || lot.relisted.is_some();
        let is_due = is_last || due(lot) <= self.now;
        let verdict = if is_over || is_due {
            judge(lot, self.now, &manners, &self.rates, &self.calibration)
        } else {
            None
        };
        if verdict.is_none() && lot.verdict.is_none() {
            return;
        }
        let Some(lot) = self.board.get_mut(id) else { return };
        let said = match (lot.verdict, verdict) {
            (Some(old), Some(new)) if old.evidence > new.evidence || is_same(&old, &new) => return,
            (Some(_), None) if lot.absent_at == 0 && lot.expires_at > self.now => Verdict::UNKNOWN,
            (_, Some(new)) => new,
            (_, None) => return,
        };
        lot.verdict = verdict;
        news.verdicts.push((id, said));
    }
}

/// Whether saying `new` after `old` would be news.
fn is_same(old: &Verdict, new: &Verdict) -> bool {
    let close = |a: f32, b: f32| (a - b).abs() < 0.005;
    old.evidence == new.evidence
        && old.fate == new.fate
        && old.final_price == new.final_price
        && close(old.confidence, new.confidence)
        && close(old.price_confidence, new.price_confidence)
}

impl Verdict {
    /// Nothing is said.
    pub const UNKNOWN: Self = Self {
        evidence: crate::market::lot::Evidence::Gap,
        fate: Fate::Unknown,
        final_price: 0,
        confidence: 0.0,
        price_confidence: 0.0,
        closed_after: 0,
        closed_before: 0,
        closed_at: 0,
    };
}
