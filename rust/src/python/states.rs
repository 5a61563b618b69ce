//! The states of auctions and what a batch changes, as Python sees them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::buffer::CopyBuffer;
use super::normalizer::Batch;
use crate::history::delta::{self, Journal};
use crate::history::state::{self, Learned, MAX_CAPACITY};
use crate::rows::copy::CopyStream;

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
    fn learn(&self, py: Python<'_>, rows: Vec<StateTuple>) {
        py.detach(|| self.lock().learn(rows.into_iter().map(learned)));
    }

    #[pyo3(signature = (batch, start, stop, /, *, head, part, positions))]
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
    ) -> PyResult<Delta> {
        let batch = batch.get();
        let rows = batch.slice(start, stop)?;
        if positions.len() != batch.inner.pages {
            return Err(PyValueError::new_err("there must be one position a page"));
        }
        let journal = Journal { part: &part, positions: &positions };
        let mut inner = py.detach(|| delta::derive(&self.lock(), rows, head, journal));
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

type StateTuple =
    (String, i64, String, Option<i64>, i64, i64, i32, i64, i64, Option<i64>, Option<f32>, i64);

fn learned(row: StateTuple) -> Learned {
    Learned {
        platform: row.0,
        auction_id: row.1,
        status: row.2,
        buyout_price: row.3,
        current_bid: row.4,
        next_bid: row.5,
        bids: row.6,
        card_version: row.7,
        expires_at: row.8,
        start_price: row.9,
        confidence: row.10,
        newest: row.11,
    }
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

type PageTuple = (usize, usize, usize, usize, usize, usize, usize, usize);

#[pymethods]
impl Delta {
    #[getter]
    fn pages(&self) -> Vec<PageTuple> {
        let pages = self.inner.pages.iter();
        pages
            .map(|p| (p.page, p.seen, p.new, p.changed, p.listed, p.bid, p.closed, p.events))
            .collect()
    }
}
