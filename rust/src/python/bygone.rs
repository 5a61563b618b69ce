//! What became of auctions whose records are gone, as Python sees it: stored rows in, outcomes out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::closing::{InferredTuple, told_inferred};
use crate::infer::bygone::{self, Stored};
use crate::market::asked::Status;
use crate::market::lot::{Lot, Told};

/// Stored auctions without an outcome.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Bygone(Mutex<bygone::Bygone>);

impl Bygone {
    fn lock(&self) -> MutexGuard<'_, bygone::Bygone> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Bygone {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[pyo3(signature = (rows, /))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
    fn take(&self, py: Python<'_>, rows: Vec<Bound<'_, PyTuple>>) -> PyResult<Vec<InferredTuple>> {
        let rows = rows.iter().map(stored).collect::<PyResult<Vec<_>>>()?;
        Ok(py.detach(|| self.lock().take(rows)).iter().map(told_inferred).collect())
    }

    fn rest(&self, py: Python<'_>) -> Vec<InferredTuple> {
        py.detach(|| self.lock().rest()).iter().map(told_inferred).collect()
    }

    #[getter]
    fn lowest(&self) -> Option<i64> {
        self.lock().lowest()
    }
}

/// A tuple as the stub spells it; longer than `PyO3` reads by itself.
fn stored(row: &Bound<'_, PyTuple>) -> PyResult<Stored> {
    let number = |place: usize| -> PyResult<i64> {
        Ok(row.get_item(place)?.extract::<Option<i64>>()?.unwrap_or_default())
    };
    let small = |place: usize| -> PyResult<i32> { row.get_item(place)?.extract() };
    let status: String = row.get_item(1)?.extract()?;
    let said = Status::of(&status);
    let (observed_at, last_seen) = (number(12)?, number(13)?);
    let (bids, current_bid) = (small(14)?, number(15)?);
    let told = said.filter(|&said| said != Status::Active);
    Ok(Stored {
        platform: row.get_item(0)?.extract()?,
        is_open: row.get_item(16)?.extract()?,
        last_seen,
        lot: Lot {
            auction_id: number(2)?,
            card_id: number(3)?,
            card_instance_id: number(4)?,
            acquired_at: number(5)?,
            posted_at: number(6)?,
            expires_at: number(7)?,
            start_price: number(8)?,
            buyout_price: number(9)?,
            median_price: number(10)?,
            current_bid: number(19)?,
            bids: small(18)?,
            first_seen: number(11)?,
            last_active: number(17)?,
            last_asked: 0,
            times_asked: 0,
            absent_at: 0,
            omitted: false,
            told: told.map(|status| Told { status, at: observed_at, bids, current_bid }),
            relisted: None,
            verdict: None,
        },
        status,
    })
}
