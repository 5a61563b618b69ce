//! What is known of a lot in, what became of it and how sure that is out: the ladder of evidence.
//!
//! From the top: what the upstream told; the copy listed again; missing before its end; past its end.
//! A rung rules out what it contradicts, the rates weigh what is left, and calibration corrects that
//! by what later proof said of such claims. What is said is what stands if nothing more comes: that the
//! copy is not listed again speaks for it, or against it.
//!
//! Invariant: a pure function; nothing contradicts a status that was told.

use crate::market::asked::SECOND;
use crate::market::calibration::{Calibration, Cell, Rule};
use crate::market::course::{Course, moments};
use crate::market::lot::{EARLY, Evidence, Fate, Lot, Relisted, Verdict};
use crate::market::rates::Rates;
use crate::market::returns::speaks;
pub use crate::market::status::Manners;
use crate::market::status::{Claim, ONE_SALE, by_status, gone_by};

/// What may have become of a lot, as weights.
#[derive(Clone, Copy, Default)]
pub(crate) struct Chances {
    /// Sold for the bid that was seen last.
    bid: f32,
    /// Sold for a bid that nobody saw.
    higher: f32,
    bought: f32,
    expired: f32,
    withdrawn: f32,
}

impl Chances {
    /// That it was sold, that it expired, that it was taken back, of all there are.
    pub(crate) fn kinds(&self) -> [f32; 3] {
        let kinds = [self.bid + self.higher + self.bought, self.expired, self.withdrawn];
        let all = kinds.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        kinds.map(|kind| kind / all)
    }

    /// Of all there are: sold for the bid seen last, for another, bought, expired, taken back.
    pub(crate) fn shares(&self) -> [f32; 5] {
        let shares = [self.bid, self.higher, self.bought, self.expired, self.withdrawn];
        let all = shares.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        shares.map(|share| share / all)
    }

    /// Given something that goes with these chances with a sale, an expiry, a withdrawal.
    fn given(self, [sold, expired, withdrawn]: [f32; 3]) -> Self {
        Self {
            bid: self.bid * sold,
            higher: self.higher * sold,
            bought: self.bought * sold,
            expired: self.expired * expired,
            withdrawn: self.withdrawn * withdrawn,
        }
    }
}

/// What became of a lot, as known at `now`; `None` while it may be on offer.
#[must_use]
pub fn judge(
    lot: &Lot,
    now: i64,
    manners: &Manners,
    rates: &Rates,
    calibration: &Calibration,
) -> Option<Verdict> {
    let claim = claim(lot, (lot.last_active, now, i64::MAX), manners, rates)?;
    let (confidence, price_confidence) = match cell_of(lot, &claim) {
        // what a refresh left out is never told
        Some(cell) if lot.omitted => Calibration::unproved(&cell),
        Some(cell) => calibration.rate(&cell),
        None => (claim.outcome, claim.sure),
    };
    let (closed_after, closed_at, closed_before) = interval(lot, &claim, rates);
    Some(Verdict {
        evidence: claim.evidence,
        fate: claim.fate,
        final_price: claim.price,
        confidence,
        price_confidence,
        closed_after,
        closed_before,
        closed_at,
    })
}

/// What is claimed of a lot as far as it is known at `now`, and that it had not ended by `since`, for
/// [`Calibration::proved`], with outcome and price: ask before the proof is taken into the lot. `None`
/// where nothing is inferred.
#[must_use]
pub fn claimed(
    lot: &Lot,
    (since, now): (i64, i64),
    manners: &Manners,
    rates: &Rates,
) -> Option<(Cell, Fate, i64)> {
    let claim = claim(lot, (since.max(lot.last_active), now, now), manners, rates)?;
    cell_of(lot, &claim).map(|cell| (cell, claim.fate, claim.price))
}

/// What may have become of a lot that is over and was not told, by what its copy says, or its silence
/// until `at`.
pub(crate) fn chances(lot: &Lot, at: i64, rates: &Rates) -> Chances {
    match lot.relisted.as_ref().filter(|again| speaks(lot, again)) {
        Some(again) => listed_again(lot, again, rates).0,
        None => chances_since(lot, lot.last_active, rates).given(rates.returns.silent(lot, at)),
    }
}

/// The same of one that had not ended by `since`, its copy apart.
fn chances_since(lot: &Lot, since: i64, rates: &Rates) -> Chances {
    let gone = gone_by(lot);
    let mut course = rates.course(lot, lot.last_active, gone.unwrap_or(lot.expires_at));
    if since > lot.last_active {
        course = course.not_ended_by(&rates.course(lot, lot.last_active, since));
    }
    if gone.is_some() { early(lot, course) } else { late(lot, course) }
}

fn cell_of(lot: &Lot, claim: &Claim) -> Option<Cell> {
    claim.rule.map(|rule| Cell::new(lot, rule, claim.outcome, claim.sure))
}

/// A claim at `now` of what had not ended by `since`, if the copy is not seen again until `silent`.
fn claim(
    lot: &Lot,
    (since, now, silent): (i64, i64, i64),
    manners: &Manners,
    rates: &Rates,
) -> Option<Claim> {
    if let Some(told) = &lot.told {
        return Some(by_status(lot, told, manners, rates));
    }
    if lot.last_active == 0 {
        return None;
    }
    if let Some(again) = lot.relisted.as_ref().filter(|again| speaks(lot, again)) {
        return Some(by_relisting(lot, again, rates));
    }
    let gone = gone_by(lot);
    let (evidence, by) = match (gone, lot.bids) {
        (Some(by), _) => (Evidence::Absent, by),
        (None, 1..) => (Evidence::FinalWindow, lot.expires_at + SECOND),
        (None, _) => (Evidence::PastExpiry, lot.expires_at + SECOND),
    };
    let chances = chances_since(lot, since, rates).given(rates.returns.silent(lot, silent));
    (gone.is_some() || now > lot.expires_at)
        .then(|| weigh(lot, evidence, chances, (lot.last_active, by)))
}

/// What its copy's next listing leaves possible, and in which interval it ended.
fn listed_again(lot: &Lot, again: &Relisted, rates: &Rates) -> (Chances, (i64, i64)) {
    let end = lot.expires_at;
    let mut by = gone_by(lot).unwrap_or(end).min(again.posted_at);
    let acquired = if again.sold { again.acquired_at } else { 0 };
    if acquired > 0 && acquired <= end {
        by = by.min(acquired + SECOND);
    }
    let early = by < end - EARLY;
    let mut chances = late(lot, rates.course(lot, lot.last_active, end));
    if again.sold {
        (chances.expired, chances.withdrawn) = (0.0, 0.0);
    } else {
        (chances.bid, chances.higher, chances.bought) = (0.0, 0.0, 0.0);
        chances = chances.given(rates.returns.back(lot, again));
    }
    if early {
        (chances.bid, chances.higher, chances.expired) = (0.0, 0.0, 0.0);
    } else if acquired > end - EARLY && acquired <= end + EARLY && chances.bid > 0.0 {
        chances.bought = 0.0;
    }
    let within = match acquired {
        1.. if acquired <= end => (acquired - SECOND, by),
        _ if early => (lot.last_active, by),
        _ => (lot.last_active, end + SECOND),
    };
    (chances, within)
}

/// The copy was listed again, acquired anew or not.
fn by_relisting(lot: &Lot, again: &Relisted, rates: &Rates) -> Claim {
    let (chances, within) = listed_again(lot, again, rates);
    let mut claim = weigh(lot, Evidence::Relisted, chances, within);
    claim.outcome = claim.outcome.min(ONE_SALE);
    claim.sure = claim.sure.min(claim.outcome);
    // a buyer's price is as good as sure, a bidder's is a guess: what proves the one says nothing of the other
    claim.rule = claim.rule.map(|_| match claim.fate {
        Fate::Bid => Rule::ResoldBid,
        Fate::Buyout => Rule::ResoldBought,
        _ => Rule::Relisted,
    });
    claim
}

/// What may have become of what ended before its time.
fn early(lot: &Lot, course: Course) -> Chances {
    let bought = if lot.buyout_price > 0 { course.bought() } else { 0.0 };
    Chances { bought, withdrawn: course.withdrawn, ..Chances::default() }
}

/// What may have become of what is past its end.
fn late(lot: &Lot, course: Course) -> Chances {
    let chances = early(lot, course);
    if lot.bids > 0 {
        return Chances { bid: course.same, higher: course.further, ..chances };
    }
    // a first bid is the start price
    let higher = (course.further - course.once).max(0.0);
    Chances { bid: course.once, higher, expired: course.same, ..chances }
}

/// The likeliest outcome, and if that is a sale its likeliest price.
fn weigh(lot: &Lot, evidence: Evidence, chances: Chances, within: (i64, i64)) -> Claim {
    let Chances { bid, higher, bought, expired, withdrawn } = chances;
    let sold = bid + higher + bought;
    let all = sold + expired + withdrawn;
    if all <= 0.0 {
        let (outcome, sure, fate, evidence) = (0.0, 0.0, Fate::Unknown, Evidence::Gap);
        return Claim { rule: None, evidence, fate, price: 0, outcome, sure, within };
    }
    let absent = evidence == Evidence::Absent;
    let (rule, fate, price, outcome, sure) = if sold >= expired.max(withdrawn) {
        let rule = match (absent, lot.bids > 0, bid >= bought) {
            (true, ..) => Rule::AbsentBought,
            (false, true, true) => Rule::LastBid,
            (false, true, false) => Rule::BoughtOver,
            (false, false, _) => Rule::SoldUnseen,
        };
        if bid >= bought {
            (rule, Fate::Bid, lot.current_bid, sold, bid)
        } else {
            (rule, Fate::Buyout, lot.buyout_price, sold, bought)
        }
    } else if expired >= withdrawn {
        (Rule::Expired, Fate::Expired, 0, expired, expired)
    } else {
        let rule = if absent { Rule::AbsentWithdrawn } else { Rule::Withdrawn };
        (rule, Fate::Cancelled, 0, withdrawn, withdrawn)
    };
    let (outcome, sure) = (outcome / all, sure / all);
    Claim { rule: Some(rule), evidence, fate, price, outcome, sure, within }
}

/// When it ended: not before, most likely, not after; all of the interval where more is possible.
fn interval(lot: &Lot, claim: &Claim, rates: &Rates) -> (i64, i64, i64) {
    let (from, to) = (claim.within.0, claim.within.1.max(claim.within.0));
    let end = if lot.expires_at > 0 { lot.expires_at } else { to };
    let bought = claim.fate == Fate::Buyout;
    match claim.fate {
        Fate::Unknown => (0, 0, 0),
        Fate::Bid | Fate::Expired if claim.sure >= 0.98 => {
            (from.max(end - SECOND), end.clamp(from, to), to.min(end + SECOND).max(from))
        }
        Fate::Bid | Fate::Expired | Fate::Sold => (from, end.clamp(from, to), to),
        Fate::Buyout | Fate::Cancelled => {
            let [low, half, high] = moments(rates, lot, from, to, bought, [0.002, 0.5, 0.995]);
            if claim.sure >= 0.98 {
                ((low - SECOND).max(from), half, (high + SECOND).min(to))
            } else {
                (from, half, to)
            }
        }
    }
}
