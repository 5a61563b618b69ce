//! Fair prices as Python sees them: records of integers in, plain tuples out.

#![allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
#![allow(clippy::cast_precision_loss)] // coins and microseconds, far below 2^52

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::model::Model;
use super::records::records;
use crate::price::DAY;
use crate::price::ask::{Ask, Asks};
use crate::price::fair::Fair;
use crate::price::market::{Card, Market};
use crate::price::sale::Sale;
use crate::price::traits::Traits;

/// Fair, low, high; sales, copies, sales of the week; left out: same copy, over the asks; method, flags,
/// speed; low and high of the next sale.
type FairTuple = (
    (f64, f64, f64),
    (usize, usize, usize),
    (u32, u32),
    String,
    Vec<&'static str>,
    f64,
    (f64, f64),
);

/// Overall; position and program as numbers.
type Kind = (Option<u32>, Option<usize>, Option<usize>);

/// What the cards of a market are worth at one moment.
#[pyclass]
pub(super) struct Pricer {
    now: i64,
    days: f64,
    cards: Vec<Card>,
    market: Option<Market>,
}

#[pymethods]
impl Pricer {
    #[new]
    #[pyo3(signature = (*, now, days=30.0))]
    fn new(now: i64, days: f64) -> Self {
        Self { now, days, cards: Vec::new(), market: None }
    }

    fn add(
        &mut self,
        py: Python<'_>,
        cards: Vec<Kind>,
        sales: PyBackedBytes,
        asks: PyBackedBytes,
        shown: PyBackedBytes,
    ) -> PyResult<()> {
        let now = self.now;
        let read = py.detach(|| read(cards, &sales, &asks, &shown, now))?;
        self.cards.extend(read);
        Ok(())
    }

    fn learn(&mut self, py: Python<'_>) -> Model {
        let (cards, days) = (&self.cards, self.days);
        let market = py.detach(|| Market::learned(cards, days));
        Model::of(self.market.insert(market))
    }

    fn learned(&mut self, model: Model, at: i64) {
        self.market = Some(model.market((self.now - at) as f64 / DAY));
    }

    fn fair(&self, py: Python<'_>, start: usize, stop: usize) -> PyResult<Vec<FairTuple>> {
        let wrong = || PyValueError::new_err("nothing is learned yet, or there are no such cards");
        let market = self.market.as_ref().ok_or_else(wrong)?;
        let cards = self.cards.get(start..stop).ok_or_else(wrong)?;
        let fair: Vec<Fair> = py.detach(|| cards.iter().map(|card| market.fair(card)).collect());
        Ok(fair.into_iter().map(told).collect())
    }

    fn sold_after(&self, card: usize, since: i64) -> Option<f64> {
        let since = (since - self.now) as f64 / DAY;
        self.market.as_ref()?.sold_after(self.cards.get(card)?, since)
    }
}

fn told(fair: Fair) -> FairTuple {
    let made = (fair.sales, fair.copies, fair.week);
    let left = (fair.same_copy, fair.over_ask);
    let prices = (fair.fair, fair.low, fair.high);
    (
        prices,
        made,
        left,
        fair.method.to_owned(),
        fair.flags,
        fair.speed,
        (fair.sale_low, fair.sale_high),
    )
}

fn read(
    kinds: Vec<Kind>,
    sales: &[u8],
    asks: &[u8],
    shown: &[u8],
    now: i64,
) -> PyResult<Vec<Card>> {
    let days = |at: i64| (at - now) as f64 / DAY;
    let (mut sold, mut standing) = (vec![Vec::new(); kinds.len()], vec![Vec::new(); kinds.len()]);
    let mut medians = vec![None; kinds.len()];
    for [card, at, price, copy, by_bid, sure, shown] in records(sales)? {
        let sure = sure as f64 / 1e6;
        let (price, shown) = (price as f64, shown as f64);
        let sale = Sale { at: days(at), price, copy, by_bid: by_bid != 0, sure, shown };
        one(&mut sold, card)?.push(sale);
    }
    for [card, from, to, price, open] in records(asks)? {
        let (price, open) = (price as f64, open != 0);
        one(&mut standing, card)?.push(Ask { price, from: days(from), to: days(to), open });
    }
    for [card, at, price] in records(shown)? {
        *one(&mut medians, card)? = Some((days(at), (price as f64).ln()));
    }
    let all = kinds.into_iter().zip(sold).zip(standing).zip(medians);
    let cards = all.map(|(((kind, mut sales), asks), shown)| {
        let (overall, position, program) = kind;
        sales.sort_by(|sale: &Sale, other| sale.at.total_cmp(&other.at));
        Card::new(Traits { overall, position, program }, &sales, Asks::new(asks), shown)
    });
    Ok(cards.collect())
}

fn one<T>(all: &mut [T], place: i64) -> PyResult<&mut T> {
    let found = usize::try_from(place).ok().and_then(|place| all.get_mut(place));
    found.ok_or_else(|| PyValueError::new_err(format!("there is no card at place {place}")))
}
