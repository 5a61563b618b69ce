//! Looks at lots in, hazards that follow them out.
//!
//! Two looks say only that something happened between them or did not (interval-censored data):
//! exposure until it happened, and the event, count where the hazards of the moment put them, again at
//! each fit (EM). Given the state at the first look this is unbiased whatever made us look, as long as
//! that was not the outcome. What was learned fades by half in two days.
//!
//! Invariant: a look counts once; what was missed first and told later is one event.

use crate::market::asked::{DAY, MINUTE, Status};
use crate::market::hazards::{Axis, COLUMNS, Spread};
use crate::market::lot::{EARLY, Lot, Told};
use crate::market::rates::{
    Look, MISSED, Rates, ages, bid_row, end_row, end_rows, length, missed, prior_leaves, sale_row,
    seconds,
};

/// Hazards follow the looks after so many of them, or so long.
const LOOKS: u32 = 2048;
const REST: i64 = 10 * MINUTE;
/// Kinds of early ends: bought, taken back, or either of them.
const BOUGHT: u8 = 0;
const WITHDRAWN: u8 = 1;
const EITHER: u8 = 2;

impl Rates {
    /// Between `before.last_active` and `at` this happened to the lot `before`; once for each look.
    pub fn learn(&mut self, before: &Lot, at: i64, look: Look) {
        let end = before.expires_at;
        if before.last_active == 0 || before.last_active >= end || before.told.is_some() {
            return;
        }
        self.pause(at);
        match look {
            Look::Active { bids, .. } => {
                self.unmiss(before, 1.0);
                self.alive(before, at.min(end), bids, 1.0);
            }
            Look::Gone if before.absent_at == 0 && at < end - MISSED => {
                self.left(before, (0, at), EITHER, before.bids > 0, 1.0);
            }
            Look::Gone => {}
            Look::Told(told, since) => match told.status {
                Status::Active => {}
                Status::Expired => {
                    self.unmiss(before, 1.0);
                    self.alive(before, end, before.bids, 1.0);
                }
                Status::Cancelled => {
                    self.left(before, (since, at.min(end)), WITHDRAWN, false, 1.0);
                }
                Status::Ended => self.sold(before, since, at, &told),
            },
        }
    }

    /// A lot is over and was not told: it counts for what may have become of it, as shares (sold for the
    /// bid seen last, for another, bought, expired, taken back). Which ends are asked after hangs on
    /// what their copies say, so that those that were told are not like all.
    pub(crate) fn suppose(&mut self, lot: &Lot, at: i64, chances: [f32; 5]) {
        let end = lot.expires_at;
        let counted = missed(lot) && lot.relisted.is_none();
        if lot.last_active == 0 || lot.last_active >= end || counted {
            return;
        }
        self.pause(at);
        let [bid, higher, bought, expired, withdrawn] = chances;
        let shown = lot.bids + i32::from(lot.bids == 0);
        for (bids, weight) in [(shown, bid), (shown + 1, higher), (lot.bids, expired)] {
            if weight > 0.0 {
                self.alive(lot, end, bids, weight);
            }
        }
        for (kind, weight) in [(BOUGHT, bought), (WITHDRAWN, withdrawn)] {
            if weight > 0.0 {
                self.left(lot, (lot.last_active, end), kind, lot.bids > 0, weight);
            }
        }
    }

    /// Sold at last: by bid at its end, or bought before it.
    fn sold(&mut self, before: &Lot, since: i64, at: i64, told: &Told) {
        let end = before.expires_at;
        let shown = before.buyout_price > 0 && told.current_bid >= before.buyout_price;
        let early = at < end - EARLY || missed(before);
        if early && before.buyout_price > 0 {
            self.shows_price = Some(shown);
        }
        let bids = told.bids - i32::from(shown);
        if early || shown || told.bids == 0 {
            self.left(before, (since, at.min(end)), BOUGHT, bids > 0 || before.bids > 0, 1.0);
        } else if self.shows_price == Some(true) || before.buyout_price == 0 {
            self.alive(before, end, told.bids, 1.0);
        } else {
            let odds = self.course(before, before.last_active, end).bought_with(bids > before.bids);
            self.left(before, (since, end), BOUGHT, true, odds);
            self.alive(before, end, told.bids, 1.0 - odds);
        }
    }

    /// On offer until `to`, then with so many bids.
    fn alive(&mut self, lot: &Lot, to: i64, bids: i32, weight: f32) {
        let (young, old) = ages(lot, lot.last_active, to);
        let (high, low) = leads(lot, lot.last_active, to);
        let (row, sale) = (bid_row(lot), sale_row(lot));
        let mut bid = old;
        if bids > lot.bids {
            self.meet(lot, to, bids, weight);
            let spread =
                Spread::new(Axis::Lead, (low, high), |at| self.bids.hazard(row, at), |_| 1.0);
            bid = young + spread.wait();
            self.next_bids.add(Axis::Lead, (0, row), (low, high), weight);
        } else {
            self.bids.quiet(row, low, high, weight);
        }
        if lot.bids > 0 {
            self.bought.quiet(sale, young, old, weight);
        } else {
            self.bought.quiet(sale, young, bid, weight);
            self.bought.quiet(sale + 1, bid, old, weight);
            self.withdrawn.quiet(weight * prior_leaves(length(lot)), bid - young);
        }
    }

    /// The first bids of a lot came: one that stayed alone, or more.
    fn meet(&mut self, lot: &Lot, to: i64, bids: i32, weight: f32) {
        let course = self.walk(lot, lot.last_active, to);
        if lot.bids == 0 && course.further > 0.0 {
            let share = (course.once / course.further).min(1.0);
            self.alone.add(share, seconds(to - lot.last_active), bids == 1, weight);
        }
    }

    /// Ended before its time, not before the first of these moments and no later than the other; what
    /// was missed before is not counted again.
    fn left(&mut self, lot: &Lot, (since, to): (i64, i64), kind: u8, bids: bool, weight: f32) {
        let to = if missed(lot) { lot.absent_at } else { to };
        self.unmiss(lot, weight);
        let since = since.min(to).max(lot.last_active);
        let (young, old) = ages(lot, lot.last_active, since);
        self.bought.quiet(sale_row(lot) | usize::from(bids), young, old, weight);
        if !bids {
            self.withdrawn.quiet(weight * prior_leaves(length(lot)), old - young);
        }
        self.ends.add(Axis::Age, (kind, end_row(lot, bids)), ages(lot, since, to), weight);
    }

    /// What was counted when it was missed, if it was, is no longer.
    fn unmiss(&mut self, lot: &Lot, weight: f32) {
        if missed(lot) {
            let interval = ages(lot, lot.last_active, lot.absent_at);
            self.ends.add(Axis::Age, (EITHER, end_row(lot, lot.bids > 0)), interval, -weight);
        }
    }

    /// Let the rates follow what was learned, now and then.
    fn pause(&mut self, at: i64) {
        self.looks += 1;
        if self.fitted_at == 0 {
            self.fitted_at = at;
        }
        let rested = (at - self.fitted_at).max(0);
        if self.looks < LOOKS && rested < REST {
            return;
        }
        let keep = (-seconds(rested) / seconds(2 * DAY)).exp2();
        self.ends.fade(keep);
        self.next_bids.fade(keep);
        self.bought.fade(keep);
        self.bids.fade(keep);
        self.withdrawn.fade(keep);
        self.expect();
        self.bought.fit();
        self.bids.fit();
        self.withdrawn.fit();
        let shares = self.shares.iter_mut().chain(&mut self.young).chain(&mut self.lengths);
        for share in shares {
            *share *= keep;
        }
        self.returns.fade(keep);
        self.alone.fade(keep);
        (self.looks, self.fitted_at) = (0, self.fitted_at.max(at));
    }

    /// Put each event where the hazards of the moment make it likely (a step of EM).
    fn expect(&mut self) {
        for (_, row, interval, events) in self.next_bids.each(Axis::Lead) {
            let hazards = |column| self.bids.hazard(row, column);
            let spread = Spread::new(Axis::Lead, interval, hazards, |_| 1.0);
            self.bids.take(row, &spread, events, |_| 1.0);
        }
        for (kind, row, interval, events) in self.ends.each(Axis::Age) {
            let (row, length) = end_rows(row);
            // with bids nothing is taken back
            let free = row.is_multiple_of(2);
            let back = if free { self.leaves(length) } else { 0.0 };
            let sale = |column| self.bought.hazard(row, column);
            let part = |hazard: f32, column| hazard / (sale(column) + back).max(f32::MIN_POSITIVE);
            let share = |column| match kind {
                BOUGHT => part(sale(column), column),
                WITHDRAWN => part(back, column),
                _ => 1.0,
            };
            let spread = Spread::new(Axis::Age, interval, |at| sale(at) + back, share);
            let backs = std::array::from_fn::<f32, COLUMNS, _>(|column| match kind {
                BOUGHT => 0.0,
                WITHDRAWN => 1.0,
                _ => part(back, column),
            });
            self.bought.take(row, &spread, events, |column| 1.0 - backs[column]);
            if free {
                self.withdrawn.take(prior_leaves(length), &spread, events, |column| backs[column]);
            }
        }
    }
}

/// Time left at two moments, seconds.
fn leads(lot: &Lot, from: i64, to: i64) -> (f32, f32) {
    (seconds((lot.expires_at - from).max(0)), seconds((lot.expires_at - to).max(0)))
}
