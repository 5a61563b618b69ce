//! The states of auctions and what a batch changes, as Python sees them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::buffer::CopyBuffer;
use super::normalizer::Batch;
use crate::history::delta::{self, Journal};
use crate::history::late::Past;
use crate::history::outcome::{self, Look};
use crate::history::state::{self, Learned, MAX_CAPACITY};
use crate::rows::copy::CopyStream;
use crate::rows::schema::STATE;

/// The committed state of auctions, as this process last wrote or read it.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct States(Mutex<state::States>);

impl States {
    fn lock(&self) -> MutexGuard<'_, state::States> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl States {
    #[new]
    #[pyo3(signature = (*, capacity = 250_000))]
    fn new(capacity: usize) -> PyResult<Self> {
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(PyValueError::new_err("capacity must be 1 to 2**28"));
        }
        Ok(Self(Mutex::new(state::States::new(capacity))))
    }

    #[pyo3(signature = (batch, start, stop, /))]
    fn unheld<'b>(
        &self,
        py: Python<'_>,
        batch: &'b Bound<'_, Batch>,
        start: usize,
        stop: usize,
    ) -> PyResult<Vec<(&'b str, i64)>> {
        let rows = batch.get().slice(start, stop)?;
        Ok(py.detach(|| self.lock().unheld(rows)))
    }

    #[pyo3(signature = (rows, /))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
    fn learn(&self, py: Python<'_>, rows: Vec<Bound<'_, PyTuple>>) -> PyResult<()> {
        let rows = rows.iter().map(learned).collect::<PyResult<Vec<_>>>()?;
        py.detach(|| self.lock().learn(rows));
        Ok(())
    }

    #[pyo3(signature = (batch, start, stop, /, *, head, part, positions, events = None))]
    #[allow(clippy::too_many_arguments)] // named in Python
    #[allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
    fn derive(
        &self,
        py: Python<'_>,
        batch: &Bound<'_, Batch>,
        start: usize,
        stop: usize,
        head: i64,
        part: String,
        positions: Vec<i64>,
        events: Option<Vec<PastTuple>>,
    ) -> PyResult<Delta> {
        let batch = batch.get();
        let rows = batch.slice(start, stop)?;
        if positions.len() != batch.inner.pages {
            return Err(PyValueError::new_err("there must be one position a page"));
        }
        let journal = Journal { part: &part, positions: &positions };
        let events: Option<Vec<_>> = events.map(|given| given.into_iter().map(told).collect());
        let events = events.as_deref();
        let mut inner = py.detach(|| delta::derive(&self.lock(), rows, head, journal, events));
        let mut buffer = |stream: fn(&mut delta::Delta) -> &mut CopyStream| {
            Py::new(py, CopyBuffer(std::mem::take(stream(&mut inner))))
        };
        Ok(Delta {
            events: buffer(|delta| &mut delta.events)?,
            listed: buffer(|delta| &mut delta.listed)?,
            rewritten: buffer(|delta| &mut delta.rewritten)?,
            sightings: buffer(|delta| &mut delta.sightings)?,
            inner,
        })
    }

    #[pyo3(signature = (delta, /))]
    fn accept(&self, py: Python<'_>, delta: &Bound<'_, Delta>) {
        let touched = &delta.get().inner.touched;
        py.detach(|| self.lock().accept(touched));
    }

    fn commit(&self, py: Python<'_>) {
        py.detach(|| self.lock().commit());
    }

    fn abort(&self) {
        self.lock().abort();
    }

    fn forget(&self) {
        self.lock().forget();
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }
}

/// A tuple of [`STATE`]; longer than `PyO3` reads by itself.
fn learned(row: &Bound<'_, PyTuple>) -> PyResult<Learned> {
    if row.len() != STATE.len() {
        return Err(PyValueError::new_err(format!("a state has {} values", STATE.len())));
    }
    Ok(Learned {
        platform: row.get_item(0)?.extract()?,
        auction_id: row.get_item(1)?.extract()?,
        status: row.get_item(2)?.extract()?,
        buyout_price: row.get_item(3)?.extract()?,
        current_bid: row.get_item(4)?.extract()?,
        next_bid: row.get_item(5)?.extract()?,
        bids: row.get_item(6)?.extract()?,
        card_version: row.get_item(7)?.extract()?,
        expires_at: row.get_item(8)?.extract()?,
        start_price: row.get_item(9)?.extract()?,
        confidence: row.get_item(10)?.extract()?,
        was_active: row.get_item(11)?.extract()?,
        newest: row.get_item(12)?.extract()?,
    })
}

/// Platform, id, number, observed, status, buyout price, current bid, next bid, bids, end, start price.
type PastTuple = (String, i64, i64, i64, String, Option<i64>, i64, i64, i32, i64, Option<i64>);

fn told(event: PastTuple) -> Past {
    let (platform, auction_id, seq, observed_at, status, buyout_price, ..) = event;
    let (.., current_bid, next_bid, bids, expires_at, start_price) = event;
    Past {
        platform,
        auction_id,
        seq,
        observed_at,
        status,
        buyout_price,
        current_bid,
        next_bid,
        bids,
        expires_at,
        start_price,
    }
}

/// Status, observed, end, bids, buyout price, current bid.
type SeenTuple = (String, i64, i64, i32, Option<i64>, i64);
/// Outcome, via, confidence, price; when it was seen and when it was over.
type OutcomeTuple = (&'static str, Option<&'static str>, f32, Option<i64>, i64, i64);

/// What stored states of one auction say of its outcome.
#[pyfunction]
#[pyo3(name = "outcome", signature = (states, /))]
#[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
pub(super) fn outcome_of(states: Vec<SeenTuple>) -> Option<OutcomeTuple> {
    let looks = states.iter().map(|seen| {
        let (observed_at, expires_at, bids) = (seen.1, seen.2, seen.3);
        let (buyout_price, current_bid) = (seen.4, seen.5);
        (
            &*seen.0,
            Look {
                observed_at,
                served_at: observed_at,
                expires_at,
                bids,
                buyout_price,
                current_bid,
            },
        )
    });
    let (closing, seen_at) = outcome::of_history(looks)?;
    let (via, price) = (closing.sale.map(|sale| sale.via), closing.sale.map(|sale| sale.price));
    Some((closing.outcome.name(), via, closing.confidence, price, seen_at, closing.closed_at))
}

/// What rows of a batch change.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Delta {
    #[pyo3(get)]
    events: Py<CopyBuffer>,
    #[pyo3(get)]
    listed: Py<CopyBuffer>,
    #[pyo3(get)]
    rewritten: Py<CopyBuffer>,
    #[pyo3(get)]
    sightings: Py<CopyBuffer>,
    /// Without its streams.
    inner: delta::Delta,
}

type PageTuple = (usize, usize, usize, usize, usize, usize, usize, usize, usize);

#[pymethods]
impl Delta {
    #[getter]
    fn pages(&self) -> Vec<PageTuple> {
        let pages = self.inner.pages.iter();
        pages
            .map(|p| {
                (p.page, p.seen, p.new, p.changed, p.late, p.listed, p.bid, p.closed, p.events)
            })
            .collect()
    }

    #[getter]
    fn wanted(&self) -> Vec<(&str, i64)> {
        self.inner.wanted.iter().map(|(platform, id)| (&**platform, *id)).collect()
    }

    #[getter]
    fn sooner(&self) -> Vec<(i64, i64)> {
        self.inner.amends.sooner.iter().map(|(&seq, &at)| (seq, at)).collect()
    }

    #[getter]
    fn again(&self) -> Vec<(i64, i64, i64)> {
        let again = self.inner.amends.again.iter();
        again.map(|event| (event.seq, event.of, event.observed_at)).collect()
    }

    #[getter]
    fn first_seen(&self) -> Vec<(&str, i64, i64)> {
        let first_seen = self.inner.amends.first_seen.iter();
        first_seen.map(|((platform, id), &at)| (&**platform, *id, at)).collect()
    }
}
