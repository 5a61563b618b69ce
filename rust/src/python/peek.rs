//! The facts of one reply, as Python sees them.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// What classification needs of one reply.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Peek(crate::reply::peek::Peek);

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
pub(super) fn peek(py: Python<'_>, body: PyBackedBytes) -> Peek {
    Peek(py.detach(|| crate::reply::peek::peek(&body)))
}
