//! Pages in, batches out, as Python sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use super::buffer::CopyBuffer;
use super::told;
use crate::batch::{self, Page};
use crate::card::card::key;
use crate::card::role::CardRules;
use crate::clock::Given;
use crate::history::known::KnownCards;
use crate::rows::copy::CopyStream;
use crate::rows::pgtype::Value;
use crate::rows::record::{AuctionRow, CARD_BYTES};
use crate::rows::schema::Row;

/// What a list of pages came to.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Batch {
    pub(super) inner: batch::Batch,
    auctions: PyOnceLock<Py<CopyBuffer>>,
    cards: PyOnceLock<Py<CopyBuffer>>,
}

type RejectTuple = (usize, Option<usize>, usize, usize, &'static str, String);
type Place = (i32, i32, u32, u32);

#[pymethods]
impl Batch {
    #[getter]
    fn auctions(&self, py: Python<'_>) -> PyResult<Py<CopyBuffer>> {
        let encode = || Py::new(py, CopyBuffer(py.detach(|| self.inner.auctions())));
        Ok(self.auctions.get_or_try_init(py, encode)?.clone_ref(py))
    }

    #[getter]
    fn cards(&self, py: Python<'_>) -> PyResult<Py<CopyBuffer>> {
        let encode = || Py::new(py, CopyBuffer(py.detach(|| self.inner.cards())));
        Ok(self.cards.get_or_try_init(py, encode)?.clone_ref(py))
    }

    #[getter]
    fn rejects(&self) -> Vec<RejectTuple> {
        let rejects = self.inner.rejects.iter();
        rejects
            .map(|r| (r.page, r.item, r.from, r.to, r.fault.reason.code(), r.fault.to_string()))
            .collect()
    }

    #[getter]
    fn drift(&self) -> Vec<(&str, &'static str, u64, &str)> {
        let drift = self.inner.drift.iter();
        drift.map(|(path, kind, count, sample)| (path, kind.code(), count, sample)).collect()
    }

    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        counts.set_item("pages", self.inner.pages)?;
        counts.set_item("auctions", self.inner.rows.len())?;
        counts.set_item("cards", self.inner.new_cards.len())?;
        counts.set_item("rejects", self.inner.rejects.len())?;
        counts.set_item("refused", self.inner.refused.len())?;
        Ok(counts)
    }

    #[getter]
    fn refused(&self) -> Vec<usize> {
        self.inner.refused.clone()
    }

    #[getter]
    fn oldest(&self) -> Option<i64> {
        self.inner.rows.iter().map(|row| row.observed_at).min()
    }

    #[pyo3(signature = (row, /))]
    fn locate(&self, row: usize) -> PyResult<Place> {
        let row = self.inner.rows.get(row).ok_or_else(|| PyIndexError::new_err("no such row"))?;
        Ok((row.page, row.item, row.from, row.to))
    }

    #[pyo3(signature = (row, /))]
    fn locate_card(&self, row: usize) -> PyResult<Place> {
        let card = self.inner.new_cards.get(row);
        self.locate(card.ok_or_else(|| PyIndexError::new_err("no such card"))?.row)
    }

    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.inner.rows.iter().map(|row| tuple(py, row)).collect()
    }

    fn shown(&self) -> Vec<told::Row> {
        self.inner.rows.iter().filter_map(told::shown).collect()
    }

    fn card_rows<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.inner.new_cards.iter().map(|new| tuple(py, new)).collect()
    }
}

impl Batch {
    pub(super) fn slice(&self, start: usize, stop: usize) -> PyResult<&[AuctionRow]> {
        self.inner.rows.get(start..stop).ok_or_else(|| PyIndexError::new_err("no such rows"))
    }
}

fn tuple<'py>(py: Python<'py>, row: &impl Row) -> PyResult<Bound<'py, PyTuple>> {
    let values = row.values().into_iter().map(|value| match value {
        Value::Null => py.None().into_bound_py_any(py),
        Value::Bool(value) => value.into_bound_py_any(py),
        Value::Int4(value) => value.into_bound_py_any(py),
        Value::Int8(value) | Value::Timestamptz(value) => value.into_bound_py_any(py),
        Value::Int8Array(values) => values.into_bound_py_any(py),
        Value::Float4(value) => value.into_bound_py_any(py),
        Value::Text(text) => text.into_bound_py_any(py),
        Value::Jsonb(json) => String::from_utf8_lossy(json).into_bound_py_any(py),
    });
    PyTuple::new(py, values.collect::<PyResult<Vec<_>>>()?)
}

/// Reads pages; remembers which cards it has seen and which of them are committed.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Normalizer {
    /// Boxed: a Python object's memory is aligned to 16 bytes, a searcher in it wants 32.
    reader: Mutex<Box<batch::Normalizer>>,
    /// Beside the reader: a batch is committed while the next one is read.
    known: Arc<KnownCards>,
}

#[pymethods]
impl Normalizer {
    #[new]
    #[pyo3(signature = (*, per_copy, positions))]
    fn new(per_copy: Vec<String>, positions: BTreeMap<i64, String>) -> Self {
        let rules = CardRules { per_copy: per_copy.into_iter().collect(), positions };
        let reader = batch::Normalizer::new(rules);
        Self { known: reader.known(), reader: Mutex::new(Box::new(reader)) }
    }

    #[pyo3(signature = (pages, /, *, platforms, fetched_at, times = None))]
    #[allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
    fn normalize(
        &self,
        py: Python<'_>,
        pages: Vec<PyBackedBytes>,
        platforms: Vec<String>,
        fetched_at: Vec<i64>,
        times: Option<Vec<(i64, i64)>>,
    ) -> PyResult<Batch> {
        let times = times.unwrap_or_else(|| vec![(0, 0); pages.len()]);
        if [platforms.len(), fetched_at.len(), times.len()] != [pages.len(); 3] {
            let message = "pages, platforms, fetched_at and times must have the same length";
            return Err(PyValueError::new_err(message));
        }
        let inner = py.detach(|| {
            let pages = pages.iter().zip(&platforms).zip(&fetched_at).zip(&times);
            let pages: Vec<_> = pages
                .map(|(((body, platform), &fetched_at), &(served_at, observed_at))| Page {
                    body,
                    platform,
                    fetched_at,
                    times: Given { served_at, observed_at },
                })
                .collect();
            // a panic in an earlier call cannot leave a half-learned card: maps are set last
            self.reader.lock().unwrap_or_else(PoisonError::into_inner).normalize(&pages)
        });
        Ok(Batch { inner, auctions: PyOnceLock::new(), cards: PyOnceLock::new() })
    }

    #[pyo3(signature = (batch, /))]
    fn confirm(&self, batch: &Bound<'_, Batch>) {
        self.known.confirm(&batch.get().inner.new_cards);
    }

    #[pyo3(signature = (batch, /))]
    fn missing(&self, batch: &Bound<'_, Batch>) -> Vec<(i64, i64)> {
        let missing = self.known.missing(&batch.get().inner.new_cards);
        missing.iter().map(|new| key(&new.card)).collect()
    }

    #[pyo3(signature = (keys, /))]
    fn know(&self, keys: Vec<(i64, i64)>) {
        self.known.know(keys.into_iter());
    }

    #[pyo3(signature = (batch, /))]
    fn cards(&self, py: Python<'_>, batch: &Bound<'_, Batch>) -> CopyBuffer {
        let batch = batch.get();
        CopyBuffer(py.detach(|| {
            let missing = self.known.missing(&batch.inner.new_cards);
            CopyStream::encode(missing.into_iter(), CARD_BYTES)
        }))
    }
}
