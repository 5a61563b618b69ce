//! A COPY stream as memory that Python may read and not change.
//!
//! Invariant: the only place that hands memory to Python; beside `json::scan` the only one with `unsafe`.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::rows::copy::CopyStream;

/// PostgreSQL binary COPY bytes, read-only, through the buffer protocol.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct CopyBuffer(pub(super) CopyStream);

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
    #[allow(unsafe_code)] // exporting memory to Python is unsafe by nature
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
