//! A COPY stream, or a state to keep, as memory that Python may read and not change.
//!
//! Invariant: the only place that hands memory to Python; beside `json::scan` the only one with `unsafe`.

use std::ffi::c_int;

use pyo3::exceptions::PyValueError;
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
        // SAFETY: `view` comes from the interpreter, the bytes are of the frozen object itself.
        unsafe { export(view, flags, slf.as_any(), slf.get().0.bytes()) }
    }
}

/// A state to keep, read-only, through the buffer protocol: to copy a large one would keep every
/// other thread from Python.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct State(pub(super) Vec<u8>);

impl State {
    pub(super) fn of(encoded: postcard::Result<Vec<u8>>) -> PyResult<Self> {
        encoded.map(Self).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pymethods]
impl State {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[allow(clippy::needless_pass_by_value)] // the signature is PyO3's
    #[allow(unsafe_code)] // as above
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: as above.
        unsafe { export(view, flags, slf.as_any(), &slf.get().0) }
    }
}

/// SAFETY: `view` is the interpreter's to fill in; `bytes` are owned by `owner`, which is frozen.
#[allow(unsafe_code)] // as above
unsafe fn export(
    view: *mut ffi::Py_buffer,
    flags: c_int,
    owner: &Bound<'_, PyAny>,
    bytes: &[u8],
) -> PyResult<()> {
    let length = ffi::Py_ssize_t::try_from(bytes.len())?;
    // SAFETY: `view` holds a reference to the owner, so the bytes neither move nor change while they
    // are exported; the read-only flag makes PyBuffer_FillInfo refuse writable requests.
    let result = unsafe {
        ffi::PyBuffer_FillInfo(
            view,
            owner.as_ptr(),
            bytes.as_ptr().cast_mut().cast(),
            length,
            1,
            flags,
        )
    };
    if result == -1 { Err(PyErr::fetch(owner.py())) } else { Ok(()) }
}
