//! The Python module `m26._native`, and, with its folder, the only place that names PyO3.
//!
//! Invariant: bytes and integers cross in, buffers and plain tuples cross out; each entry point
//! releases the GIL in one visible place; nothing here decides anything.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{IntoPyObjectExt, ffi};

use crate::batch::{self, Page};
use crate::card::card::key;
use crate::card::role::CardRules;
use crate::history::known::KnownCards;
use crate::rows::copy::CopyStream;
use crate::rows::pgtype::Value;
use crate::rows::record::{AuctionRow, CARD_BYTES};
use crate::rows::schema::{Column, Row};

mod peek;
mod states;

/// Bulk normalization of auction-house replies.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::peek::{Peek, peek};
    #[pymodule_export]
    use super::states::{Delta, States};
    #[pymodule_export]
    use super::{Batch, CopyBuffer, Normalizer};

    #[pymodule_export]
    const MAX_PAGE_BYTES: usize = crate::reply::envelope::MAX_PAGE_BYTES;

    #[pymodule_export]
    const RELEASE: bool = !cfg!(debug_assertions);

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use crate::rows::record::{AuctionRow, Current, Event, NewCard, Sighting};
        use crate::rows::schema::{Row, STATE};

        module.add("AUCTION_COLUMNS", super::columns(AuctionRow::COLUMNS))?;
        module.add("CARD_COLUMNS", super::columns(NewCard::COLUMNS))?;
        module.add("EVENT_COLUMNS", super::columns(Event::COLUMNS))?;
        module.add("AUCTION_ROW_COLUMNS", super::columns(Current::COLUMNS))?;
        module.add("SIGHTING_COLUMNS", super::columns(Sighting::COLUMNS))?;
        module.add("STATE_COLUMNS", super::columns(&STATE))
    }
}

/// Python aligns its objects' memory to this many bytes, whatever is in them.
const PYTHON_ALIGNMENT: usize = 16;
const _: () = assert!(
    align_of::<CopyBuffer>() <= PYTHON_ALIGNMENT
        && align_of::<Batch>() <= PYTHON_ALIGNMENT
        && align_of::<Normalizer>() <= PYTHON_ALIGNMENT
        && align_of::<states::States>() <= PYTHON_ALIGNMENT
        && align_of::<states::Delta>() <= PYTHON_ALIGNMENT
        && align_of::<peek::Peek>() <= PYTHON_ALIGNMENT
);

fn columns(table: &[Column]) -> Vec<(&'static str, &'static str)> {
    table.iter().map(|column| (column.name, column.ty.name())).collect()
}

/// PostgreSQL binary COPY bytes, read-only, through the buffer protocol.
#[pyclass(frozen, module = "m26._native")]
struct CopyBuffer(CopyStream);

#[pymethods]
impl CopyBuffer {
    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    #[pyo3(signature = (start, stop, /))]
    fn slice(&self, start: usize, stop: usize) -> Self {
        Self(self.0.slice(start, stop))
    }

    fn __len__(&self) -> usize {
        self.0.bytes().len()
    }

    fn __repr__(&self) -> String {
        format!("<CopyBuffer rows={} bytes={}>", self.0.rows(), self.0.bytes().len())
    }

    #[allow(clippy::needless_pass_by_value)] // the signature is PyO3's
    #[allow(unsafe_code)] // exporting memory to Python is unsafe by nature; here and nowhere else
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = slf.get().0.bytes();
        let length = ffi::Py_ssize_t::try_from(bytes.len())?;
        // SAFETY: `view` comes from the interpreter. `bytes` is owned by a frozen object that
        // `view` holds a reference to, so it neither moves nor changes while it is exported; the
        // read-only flag makes PyBuffer_FillInfo refuse writable requests.
        let result = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                bytes.as_ptr().cast_mut().cast(),
                length,
                1,
                flags,
            )
        };
        if result == -1 { Err(PyErr::fetch(slf.py())) } else { Ok(()) }
    }
}

/// What a list of pages came to.
#[pyclass(frozen, module = "m26._native")]
struct Batch {
    inner: batch::Batch,
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

    fn card_rows<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.inner.new_cards.iter().map(|new| tuple(py, new)).collect()
    }
}

impl Batch {
    fn slice(&self, start: usize, stop: usize) -> PyResult<&[AuctionRow]> {
        self.inner.rows.get(start..stop).ok_or_else(|| PyIndexError::new_err("no such rows"))
    }
}

fn tuple<'py>(py: Python<'py>, row: &impl Row) -> PyResult<Bound<'py, PyTuple>> {
    let values = row.values().into_iter().map(|value| match value {
        Value::Null => py.None().into_bound_py_any(py),
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
struct Normalizer {
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

    #[pyo3(signature = (pages, /, *, platforms, fetched_at))]
    #[allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
    fn normalize(
        &self,
        py: Python<'_>,
        pages: Vec<PyBackedBytes>,
        platforms: Vec<String>,
        fetched_at: Vec<i64>,
    ) -> PyResult<Batch> {
        if pages.len() != platforms.len() || pages.len() != fetched_at.len() {
            let message = "pages, platforms and fetched_at must have the same length";
            return Err(PyValueError::new_err(message));
        }
        let inner = py.detach(|| {
            let pages = pages.iter().zip(&platforms).zip(&fetched_at);
            let pages: Vec<_> = pages
                .map(|((body, platform), &fetched_at)| Page { body, platform, fetched_at })
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
