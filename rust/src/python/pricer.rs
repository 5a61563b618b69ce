//! Fair prices as Python sees them: records of integers in, plain tuples out.

#![allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
#![allow(clippy::cast_precision_loss)] // coins and microseconds, far below 2^52

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::price::DAY;
use crate::price::ask::{Ask, Asks};
use crate::price::fair::Fair;
use crate::price::market::{Card, Market};
use crate::price::sale::Sale;
use crate::price::traits::Traits;

/// Fair, low, high; sales, copies, sales of the week; left out: same copy, over the asks; method, flags,
/// speed.
type FairTuple =
    ((f64, f64, f64), (usize, usize, usize), (u32, u32), String, Vec<&'static str>, f64);

/// Overall; position and program as numbers.
type Kind = (Option<u32>, Option<usize>, Option<usize>);

/// What the cards of a market are worth at one moment.
#[pyclass(frozen)]
pub(super) struct Pricer {
    cards: Vec<Card>,
    market: Market,
}

#[pymethods]
impl Pricer {
    #[new]
    #[pyo3(signature = (cards, sales, asks, shown, *, now, days=30.0))]
    fn new(
        py: Python<'_>,
        cards: Vec<Kind>,
        sales: PyBackedBytes,
        asks: PyBackedBytes,
        shown: PyBackedBytes,
        now: i64,
        days: f64,
    ) -> PyResult<Self> {
        py.detach(|| {
            let cards = read(cards, &sales, &asks, &shown, now)?;
            let market = Market::learned(&cards, days);
            Ok(Self { cards, market })
        })
    }

    fn fair(&self, py: Python<'_>) -> Vec<FairTuple> {
        let fair = py.detach(|| self.cards.iter().map(|card| self.market.fair(card)).collect());
        let told = |fair: Fair| {
            let made = (fair.sales, fair.copies, fair.week);
            let left = (fair.same_copy, fair.over_ask);
            let prices = (fair.fair, fair.low, fair.high);
            (prices, made, left, fair.method.to_owned(), fair.flags, fair.speed)
        };
        <Vec<Fair> as IntoIterator>::into_iter(fair).map(told).collect()
    }
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
    for [card, from, to, price] in records(asks)? {
        one(&mut standing, card)?.push(Ask { price: price as f64, from: days(from), to: days(to) });
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

/// Records of so many 64-bit integers in the machine's order.
fn records<const N: usize>(bytes: &[u8]) -> PyResult<impl Iterator<Item = [i64; N]>> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let (records, left) = whole.as_chunks::<N>();
    if !rest.is_empty() || !left.is_empty() {
        return Err(PyValueError::new_err(format!(
            "{} bytes are no records of {N} integers",
            bytes.len()
        )));
    }
    Ok(records.iter().map(|record| record.map(i64::from_ne_bytes)))
}
