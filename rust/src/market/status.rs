//! An end as a reply told it in; for how much it was sold, and how sure that is, out.
//!
//! Invariant: what was told is never contradicted; weighed is only a price that it does not show.

use crate::market::asked::{MINUTE, SECOND, Status};
use crate::market::calibration::Rule;
use crate::market::lot::{EARLY, Evidence, Fate, Lot, Relisted, Told};
use crate::market::rates::{Rates, missed};
use crate::market::returns::speaks;

/// A copy may change hands more than once before it is seen again.
pub(super) const ONE_SALE: f32 = 0.995;
/// A copy that is listed again this soon after its sale is seen again however it was sold: what is
/// told is forgotten before long, and a sale before the end is older by then than one at it.
const SOON: i64 = 30 * MINUTE;

/// How the upstream speaks of ended auctions, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// A refresh tells the status of ids that have ended.
    pub tells: bool,
    /// After a buyout the price paid is shown, or the bid before it; `None` while not known.
    pub final_price: Option<bool>,
    /// How long a refresh tells of an ended auction, microseconds, within a factor of two.
    pub recall: Option<i64>,
}

/// A verdict before calibration.
pub(super) struct Claim {
    /// `None` where nothing is inferred.
    pub(super) rule: Option<Rule>,
    pub(super) evidence: Evidence,
    pub(super) fate: Fate,
    pub(super) price: i64,
    pub(super) outcome: f32,
    pub(super) sure: f32,
    /// It ended in this interval.
    pub(super) within: (i64, i64),
}

/// The upstream said so; where it does not show the price paid, that is weighed.
pub(super) fn by_status(lot: &Lot, told: &Told, manners: &Manners, rates: &Rates) -> Claim {
    let end = if lot.expires_at > 0 { lot.expires_at } else { told.at };
    let since = lot.last_active.max(lot.posted_at);
    let since = manners.recall.map_or(since, |recall| since.max(told.at - 2 * recall)).min(end);
    let missed = gone_by(lot);
    let by = missed.unwrap_or(told.at).min(told.at);
    let early = missed.is_some() || told.at < end - EARLY;
    let certain = |fate, price, within| Claim {
        rule: None,
        evidence: Evidence::Status,
        fate,
        price,
        outcome: 1.0,
        sure: 1.0,
        within,
    };
    let at_end = (end - SECOND, end + SECOND);
    match told.status {
        Status::Cancelled => return certain(Fate::Cancelled, 0, (since, by.min(end))),
        Status::Expired => return certain(Fate::Expired, 0, at_end),
        Status::Active | Status::Ended => {}
    }
    let buyout = lot.buyout_price;
    let shown = buyout > 0 && told.current_bid >= buyout;
    let bought = |price| certain(Fate::Buyout, price, (since, by.min(end)));
    let bid = || certain(Fate::Bid, told.current_bid, at_end);
    if buyout <= 0 && (early || told.bids == 0) {
        // no rule of the market allows it
        return Claim { sure: 0.5, ..certain(Fate::Sold, told.current_bid, (since, end + SECOND)) };
    }
    match manners.final_price {
        _ if shown => bought(told.current_bid),
        _ if early || told.bids == 0 => bought(buyout),
        Some(true) => bid(),
        _ if buyout <= 0 => bid(),
        hidden => match resale(lot) {
            Some(at) if at < end - EARLY => {
                let within = (at.max(since), (at + SECOND).min(end));
                Claim { sure: ONE_SALE, ..certain(Fate::Buyout, buyout, within) }
            }
            Some(_) => Claim { sure: ONE_SALE, ..bid() },
            None => {
                let share = if hidden.is_some() { 1.0 } else { 0.5 };
                let further = told.bids > lot.bids || lot.last_active == 0;
                let odds = share * rates.course(lot, since, end).bought_with(further);
                let (rule, fate, price, sure) = if odds > 0.5 {
                    (Rule::PricelessBought, Fate::Buyout, buyout, odds)
                } else {
                    (Rule::PricelessBid, Fate::Bid, told.current_bid, 1.0 - odds)
                };
                let within = (since, end + SECOND);
                Claim { rule: Some(rule), sure, ..certain(fate, price, within) }
            }
        },
    }
}

/// When its buyer got the copy, as far as a later listing of it says.
fn resale(lot: &Lot) -> Option<i64> {
    let again = lot.relisted.as_ref().filter(|again| again.sold && again.acquired_at > 0)?;
    speaks(lot, again).then_some(again.acquired_at)
}

/// Whether a later listing of a copy whose sale was told proves for how much that was, of whatever
/// kind it was as often.
pub(super) fn proves_price(lot: &Lot) -> bool {
    let is_soon = |again: &Relisted| again.posted_at - again.acquired_at < SOON;
    lot.is_told() && resale(lot).is_some() && lot.relisted.as_ref().is_some_and(is_soon)
}

/// The moment by which it had ended early, if that is proved.
pub(super) fn gone_by(lot: &Lot) -> Option<i64> {
    missed(lot).then_some(lot.absent_at)
}
