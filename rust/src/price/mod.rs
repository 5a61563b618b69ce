//! What a card is worth: sales, asks and shown medians of a market in; fair prices with intervals out.
//!
//! [`market`] learns from every card what holds for all: the [`index`], what cards of their
//! [`traits`] cost, how fast values move and how much sales scatter. [`fair`] prices one card by it:
//! the sales that [`sale`] lets count, a local [`level`], the [`shown`] median, and what the [`ask`]s
//! bound.
//!
//! Invariant: pure functions; times are days before the moment that is asked about, prices are logs.

pub mod ask;
pub mod fair;
pub mod index;
pub mod level;
pub mod market;
pub mod sale;
pub mod shown;
pub mod solve;
pub mod traits;
pub mod window;

/// Microseconds of a day.
pub const DAY: f64 = 86_400e6;

/// The middle of values; 0 of none.
#[must_use]
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
