//! What the records of a part say of auctions, as Python sees it: plain tuples in and out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::buffer::State;
use super::closing::{InferredTuple, told_inferred};
use super::normalizer::Batch;
use crate::infer::coverage::KINDS;
use crate::infer::fold::{self, Concluded, Record, Seeing};
use crate::infer::time::Times;
use crate::market::asked::{Ask, SECOND};
use crate::market::calibration::Row;

/// The markets of a part, as its records so far have shown them.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Fold(Mutex<fold::Fold>);

/// Platform, page of the batch, offset and count of a search, ids of a refresh, whether the question
/// is known, whether it failed; served, observed, fetched.
type RecordTuple =
    (String, Option<usize>, Option<(u32, u32)>, Vec<i64>, bool, bool, (i64, i64, i64));
/// Requests by kind.
type Requests = Vec<(&'static str, u32)>;
/// Low, likely, high.
type Listed = (i64, i64, i64);
/// Platform, hour, requests, seen, listed, endings due and known, sales known, blind seconds.
type HourTuple = (String, i64, Requests, u32, Listed, u32, u32, u32, i64);
/// Platform, hour from which it applies, evidence, band, lead, claims asked, (agreed, said) of the
/// outcome and of the price too.
type RowTuple =
    (String, i64, &'static str, &'static str, &'static str, f32, (f32, f32), (f32, f32));

impl Fold {
    fn lock(&self) -> MutexGuard<'_, fold::Fold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Fold {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[staticmethod]
    #[pyo3(signature = (state, /))]
    fn load(py: Python<'_>, state: &[u8]) -> PyResult<Self> {
        let inner = py.detach(|| postcard::from_bytes(state));
        let inner = inner.map_err(|error| {
            PyValueError::new_err(format!("this is no state of a fold of this version: {error}"))
        })?;
        Ok(Self(Mutex::new(inner)))
    }

    fn save(&self, py: Python<'_>) -> PyResult<State> {
        State::of(py.detach(|| postcard::to_stdvec(&*self.lock())))
    }

    #[pyo3(signature = (batch, records, /))]
    #[allow(clippy::needless_pass_by_value)] // owned input is what may be read without the GIL
    #[allow(clippy::type_complexity)] // named above
    fn take(
        &self,
        py: Python<'_>,
        batch: &Bound<'_, Batch>,
        records: Vec<RecordTuple>,
    ) -> (Vec<InferredTuple>, Vec<HourTuple>, Vec<RowTuple>, Vec<InferredTuple>) {
        let batch = &batch.get().inner;
        let Concluded { inferred, coverage, calibration, left } = py.detach(|| {
            let records: Vec<_> = records.iter().map(record).collect();
            self.lock().take(batch, &records)
        });
        let tables = calibration.iter();
        let rows = tables.flat_map(|(key, rows)| rows.iter().map(|row| row_told(key, row)));
        (
            inferred.iter().map(told_inferred).collect(),
            coverage.iter().map(|(key, seeing)| hour_told(key, seeing)).collect(),
            rows.collect(),
            left.iter().map(told_inferred).collect(),
        )
    }

    fn verdicts(&self, py: Python<'_>) -> Vec<InferredTuple> {
        py.detach(|| self.lock().verdicts()).iter().map(told_inferred).collect()
    }
}

fn record(given: &RecordTuple) -> Record<'_> {
    let (platform, page, search, ids, whole, failed, times) = given;
    let (served_at, observed_at, fetched_at) = *times;
    let ask = match *search {
        Some((offset, count)) => Ask::Search { offset, count },
        None => Ask::Refresh { ids: ids.clone() },
    };
    let times = Times { served_at, observed_at, fetched_at };
    Record { platform, page: *page, ask, whole: *whole, failed: *failed, times }
}

fn hour_told((platform, at): &(String, i64), seeing: &Seeing) -> HourTuple {
    let Seeing { hour, seen, listed: (listed, low, high) } = seeing;
    let requests = KINDS.into_iter().zip(hour.requests).filter(|&(_, count)| count > 0);
    let listed = (whole(*low), whole(*listed), whole(*high));
    let (due, known, sales) = (hour.due, hour.known, hour.sales);
    (
        platform.clone(),
        *at,
        requests.collect(),
        *seen,
        listed,
        due,
        known,
        sales,
        hour.blind / SECOND,
    )
}

#[allow(clippy::cast_possible_truncation)] // of a number of auctions nothing is cut
fn whole(number: f32) -> i64 {
    number.round() as i64
}

fn row_told((platform, from): &(String, i64), row: &Row) -> RowTuple {
    let outcome = (row.agreed, row.said);
    let price = (row.price_agreed, row.price_said);
    (platform.clone(), *from, row.evidence, row.band, row.lead, row.asked, outcome, price)
}
