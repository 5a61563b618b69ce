//! The Python module `m26._native`, and the only file that names PyO3.
//!
//! Invariant: bytes and integers cross in, buffers and plain tuples cross out; each entry point
//! releases the GIL in one visible place; nothing here decides anything.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{IntoPyObjectExt, ffi};

use crate::batch::{self, Page};
use crate::card::CardRules;
use crate::copy::CopyStream;
use crate::pgtype::{PgType, Value};
use crate::schema::{self, Column};

/// Bulk normalization of auction-house replies.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::{Batch, CopyBuffer, Normalizer, Peek, peek};

    #[pymodule_export]
    const MAX_PAGE_BYTES: usize = crate::batch::MAX_PAGE_BYTES;

    #[pymodule_export]
    const RELEASE: bool = !cfg!(debug_assertions);

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("AUCTION_COLUMNS", super::columns(&crate::schema::AUCTION))?;
        module.add("CARD_COLUMNS", super::columns(&crate::schema::CARD))
    }
}

fn columns<Row>(table: &[Column<Row>]) -> Vec<(&'static str, &'static str)> {
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
    #[pyo3(get)]
    auctions: Py<CopyBuffer>,
    #[pyo3(get)]
    cards: Py<CopyBuffer>,
}

type RejectTuple = (usize, Option<usize>, usize, usize, &'static str, String);
type Place = (i32, i32, u32, u32);

#[pymethods]
impl Batch {
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
        self.inner.rows.iter().map(|row| tuple(py, &schema::AUCTION, row)).collect()
    }

    fn card_rows<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.inner.new_cards.iter().map(|new| tuple(py, &schema::CARD, new)).collect()
    }
}

fn tuple<'py, Row>(
    py: Python<'py>,
    table: &[Column<Row>],
    row: &Row,
) -> PyResult<Bound<'py, PyTuple>> {
    let values = table.iter().map(|column| match (column.get)(row) {
        Value::Null => py.None().into_bound_py_any(py),
        Value::Int4(value) => value.into_bound_py_any(py),
        Value::Int8(value) | Value::Timestamptz(value) => value.into_bound_py_any(py),
        Value::Text(text) => text.into_bound_py_any(py),
        Value::Jsonb(json) => {
            debug_assert_eq!(column.ty, PgType::Jsonb);
            String::from_utf8_lossy(json).into_bound_py_any(py)
        }
    });
    PyTuple::new(py, values.collect::<PyResult<Vec<_>>>()?)
}

/// Reads pages; remembers which cards it has seen and which of them are committed.
#[pyclass(frozen, module = "m26._native")]
struct Normalizer(Mutex<batch::Normalizer>);

#[pymethods]
impl Normalizer {
    #[new]
    #[pyo3(signature = (*, per_copy, positions))]
    fn new(per_copy: Vec<String>, positions: BTreeMap<i64, String>) -> Self {
        let rules = CardRules { per_copy: per_copy.into_iter().collect(), positions };
        Self(Mutex::new(batch::Normalizer::new(rules)))
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
        let mut batch = py.detach(|| {
            let pages = pages.iter().zip(&platforms).zip(&fetched_at);
            let pages: Vec<_> = pages
                .map(|((body, platform), &fetched_at)| Page { body, platform, fetched_at })
                .collect();
            // a panic in an earlier call cannot leave a half-learned card: maps are set last
            self.0.lock().unwrap_or_else(PoisonError::into_inner).normalize(&pages)
        });
        let auctions = Py::new(py, CopyBuffer(std::mem::take(&mut batch.auctions)))?;
        let cards = Py::new(py, CopyBuffer(std::mem::take(&mut batch.cards)))?;
        Ok(Batch { inner: batch, auctions, cards })
    }

    #[pyo3(signature = (batch, /))]
    #[allow(clippy::needless_pass_by_value)] // PyO3 hands a reference to the object over
    fn confirm(&self, py: Python<'_>, batch: Py<Batch>) {
        let batch = &batch.get().inner;
        py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).confirm(batch));
    }
}

/// What classification needs of one reply.
#[pyclass(frozen, module = "m26._native")]
struct Peek(crate::peek::Peek);

#[pymethods]
impl Peek {
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind
    }
    #[getter]
    fn error_name(&self) -> Option<&str> {
        self.0.envelope.error_name.as_deref()
    }
    #[getter]
    fn error_code(&self) -> Option<i64> {
        self.0.envelope.error_code
    }
    #[getter]
    fn error_text(&self) -> Option<&str> {
        self.0.envelope.error_text.as_deref()
    }
    #[getter]
    fn ui_error_code(&self) -> Option<i64> {
        self.0.envelope.ui_error_code
    }
    #[getter]
    fn captcha(&self) -> Option<&str> {
        self.0.envelope.captcha.as_deref()
    }
    #[getter]
    fn captcha_url(&self) -> Option<&str> {
        self.0.envelope.captcha_url.as_deref()
    }
    #[getter]
    fn response_time(&self) -> Option<i64> {
        self.0.envelope.response_time
    }
    #[getter]
    fn truncated(&self) -> Option<bool> {
        self.0.envelope.truncated
    }
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }
    #[getter]
    fn ids_digest(&self) -> i64 {
        self.0.ids_digest
    }
    #[getter]
    fn newest_posted(&self) -> Option<i64> {
        self.0.newest_posted
    }
    #[getter]
    fn success(&self) -> Option<bool> {
        self.0.envelope.success
    }
}

/// Read the envelope of one reply.
#[pyfunction]
#[pyo3(signature = (body, /))]
#[allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
fn peek(py: Python<'_>, body: PyBackedBytes) -> Peek {
    Peek(py.detach(|| crate::peek::peek(&body)))
}
