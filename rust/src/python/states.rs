//! The states of auctions and what a batch changes, as Python sees them.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::buffer::CopyBuffer;
use super::closing::{
    ClosedTuple, InferredTuple, concluded, evidence_named, outcome_named, told_closed,
};
use super::normalizer::Batch;
use crate::history::delta::{self, Journal};
use crate::history::late::Past;
use crate::history::outcome::Standing;
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
    fn unheld(
        &self,
        py: Python<'_>,
        batch: &Bound<'_, Batch>,
        start: usize,
        stop: usize,
    ) -> PyResult<Vec<Named>> {
        let shown =
            batch.get().slice(start, stop)?.iter().map(|row| (&*row.platform, row.auction_id));
        Ok(owned(py.detach(|| self.lock().unheld(shown))))
    }

    #[pyo3(signature = (others, batch, start, stop, /))]
    #[allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
    fn unheld_others(
        &self,
        py: Python<'_>,
        others: Vec<Named>,
        batch: &Bound<'_, Batch>,
        start: usize,
        stop: usize,
    ) -> PyResult<(Vec<Named>, Vec<Named>)> {
        let rows = batch.get().slice(start, stop)?;
        Ok(py.detach(|| {
            let others = others.iter().map(|(platform, id)| (&**platform, *id));
            let unheld = self.lock().unheld(others);
            let shown = rows.iter().map(|row| (&*row.platform, row.auction_id));
            let shown: HashSet<_> = shown.collect();
            let (shown, others) = unheld.into_iter().partition(|other| shown.contains(other));
            (owned(shown), owned(others))
        }))
    }

    #[pyo3(signature = (rows, /))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
    fn learn(&self, py: Python<'_>, rows: Vec<Bound<'_, PyTuple>>) -> PyResult<()> {
        let rows = rows.iter().map(learned).collect::<PyResult<Vec<_>>>()?;
        py.detach(|| self.lock().learn(rows));
        Ok(())
    }

    #[pyo3(signature = (rows, /))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
    fn lend(&self, rows: Vec<Bound<'_, PyTuple>>) -> PyResult<()> {
        self.lock().lend(rows.iter().map(learned).collect::<PyResult<Vec<_>>>()?);
        Ok(())
    }

    #[pyo3(signature = (
        batch, start, stop, /, *, head, part, positions, inferred = Vec::new(), events = None,
        since = 0
    ))]
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
        inferred: Vec<InferredTuple>,
        events: Option<Vec<PastTuple>>,
        since: i64,
    ) -> PyResult<Delta> {
        let batch = batch.get();
        let rows = batch.slice(start, stop)?;
        if positions.len() != batch.inner.pages {
            return Err(PyValueError::new_err("there must be one position a page"));
        }
        let journal = Journal { part: &part, positions: &positions, since };
        let events: Option<Vec<_>> = events.map(|given| given.into_iter().map(told).collect());
        let events = events.as_deref();
        let inferred = inferred.into_iter().map(concluded).collect::<PyResult<Vec<_>>>()?;
        if !inferred.is_sorted_by_key(|closing| closing.page) {
            return Err(PyValueError::new_err("what is inferred must be in the order of pages"));
        }
        let mut inner =
            py.detach(|| delta::derive(&self.lock(), rows, head, journal, &inferred, events));
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

type Named = (String, i64);
fn owned(auctions: Vec<(&str, i64)>) -> Vec<Named> {
    auctions.into_iter().map(|(platform, id)| (platform.to_owned(), id)).collect()
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
        standing: standing(row)?,
        was_active: row.get_item(15)?.extract()?,
        newest: row.get_item(16)?.extract()?,
    })
}

fn standing(row: &Bound<'_, PyTuple>) -> PyResult<Option<Standing>> {
    let Some(named) = row.get_item(10)?.extract::<Option<String>>()? else { return Ok(None) };
    let confidence = row.get_item(12)?.extract()?;
    Ok(Some(Standing {
        evidence: evidence_named(&row.get_item(11)?.extract::<String>()?)?,
        outcome: outcome_named(&named)?,
        confidence,
        price_confidence: row.get_item(13)?.extract::<Option<f32>>()?.unwrap_or(confidence),
        closed_after: row.get_item(14)?.extract()?,
    }))
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
    fn closed(&self) -> Vec<ClosedTuple> {
        self.inner.closed.iter().map(told_closed).collect()
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
    fn pruned(&self) -> Vec<i64> {
        self.inner.pruned.clone()
    }

    #[getter]
    fn first_seen(&self) -> Vec<(&str, i64, i64)> {
        let first_seen = self.inner.amends.first_seen.iter();
        first_seen.map(|((platform, id), &at)| (&**platform, *id, at)).collect()
    }

    #[getter]
    fn moved(&self) -> Vec<(&str, i64)> {
        self.inner.amends.moved.iter().map(|(platform, id)| (&**platform, *id)).collect()
    }
}
