//! The planner, as Python sees it: plain tuples in and out.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::told::{AskTuple, Label, NoticeTuple, Row, answer, json, label, seen, told};
use crate::market::asked::{Ask, Reply};
use crate::market::found::{Flags, Found};
use crate::plan::focus::Focus;
use crate::plan::planner;

/// Which request comes next, by what is known of a market.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Planner(Mutex<planner::Planner>);

/// Card, posted, expires, first seen, last seen on offer, missing since (0: never), bids, current
/// bid, buyout price, median.
type LotTuple = (i64, i64, i64, i64, i64, i64, i32, i64, i64, i64);
/// Offset (None: a refresh), rows, worth, why.
type ChoiceTuple = (Option<u32>, f32, f32, &'static str);
impl Planner {
    fn lock(&self) -> MutexGuard<'_, planner::Planner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work without the GIL, in which a fault of ours costs what was known, not the process.
    fn guarded<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut planner::Planner) -> T + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| catch_unwind(AssertUnwindSafe(|| work(&mut self.lock()))));
        done.map_err(|_| PyRuntimeError::new_err("the planner failed: please report it"))
    }
}

#[pymethods]
impl Planner {
    #[new]
    #[pyo3(signature = (*, per_day, per_minute, now))]
    fn new(per_day: usize, per_minute: usize, now: i64) -> Self {
        Self(Mutex::new(planner::Planner::new(Flags::default(), per_day, per_minute, now)))
    }

    /// Names the layout of a state: one of another layout cannot be loaded.
    #[classattr]
    const LAYOUT: u32 = planner::LAYOUT;

    #[staticmethod]
    #[pyo3(signature = (state, /))]
    fn load(state: &[u8]) -> PyResult<Self> {
        match postcard::take_from_bytes(state) {
            Ok((inner, [])) => Ok(Self(Mutex::new(inner))),
            _ => Err(PyValueError::new_err("this is no state of a planner of this version")),
        }
    }

    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let state = py.detach(|| postcard::to_stdvec(&*self.lock()));
        let state = state.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &state))
    }

    #[pyo3(signature = (*, per_day, per_minute, now))]
    fn resume(&self, per_day: usize, per_minute: usize, now: i64) {
        self.lock().resume(per_day, per_minute, now);
    }

    /// What the operator answered of the upstream, by flag; whether that is new.
    #[pyo3(signature = (pins, /))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a dictionary
    fn pin(&self, pins: BTreeMap<String, String>) -> PyResult<bool> {
        let mut flags = Flags::default();
        for (flag, value) in &pins {
            answer(&mut flags, flag, value)
                .ok_or_else(|| PyValueError::new_err(format!("{flag} cannot be {value}")))?;
        }
        Ok(self.lock().pin(flags))
    }

    #[pyo3(signature = (now, /))]
    fn next(&self, py: Python<'_>, now: i64) -> PyResult<(AskTuple, i64, &'static str)> {
        let question = self.guarded(py, |planner| planner.next(now))?;
        let ask = match question.ask {
            Ask::Search { offset, count } => (Some((offset, count)), Vec::new()),
            Ask::Refresh { ids } => (None, ids),
        };
        Ok((ask, question.at, question.why))
    }

    #[pyo3(signature = (at, /))]
    fn sent(&self, at: i64) {
        self.lock().sent(at);
    }

    fn unsent(&self) {
        self.lock().unsent();
    }

    #[pyo3(signature = (ask, /, *, at, failed, truncated, rows))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
    fn observe(
        &self,
        py: Python<'_>,
        ask: AskTuple,
        at: i64,
        failed: bool,
        truncated: bool,
        rows: Vec<Row>,
    ) -> PyResult<(Vec<Label>, Vec<NoticeTuple>)> {
        let seen = rows.iter().map(seen).collect::<PyResult<Vec<_>>>()?;
        let ask = match ask {
            (Some((offset, count)), _) => Ask::Search { offset, count },
            (None, ids) => Ask::Refresh { ids },
        };
        let reply = Reply { at, failed, truncated, seen };
        let news = self.guarded(py, |planner| planner.observe(&ask, &reply))?;
        Ok(told(&news))
    }

    /// What can be said at the end.
    fn conclude(&self, py: Python<'_>) -> (Vec<Label>, Vec<NoticeTuple>) {
        told(&py.detach(|| self.lock().tracker.conclude_all()))
    }

    /// Price of a request, lots that are due, known and open, listings a second, worth of a new one.
    fn outlook(&self) -> (f32, usize, usize, usize, f32, f32) {
        self.lock().outlook()
    }

    /// Reason: replies, and auctions shown new, told, absent and at all.
    fn reasons(&self) -> Vec<(String, u64, u64, u64, u64, u64)> {
        let planner = self.lock();
        let reasons = planner.reasons.iter();
        reasons.map(|(why, y)| (why.clone(), y.replies, y.new, y.told, y.absent, y.shown)).collect()
    }

    /// Listings of each hour: start, listed, low, high.
    fn listed(&self) -> Vec<(i64, f32, f32, f32)> {
        let hours = self.lock().hours();
        hours.iter().map(|h| (h.from, h.listed.0, h.listed.1, h.listed.2)).collect()
    }

    /// Listings of each hour until now: start, seen, listed, seconds without a look.
    fn hours(&self) -> Vec<(i64, u32, f32, f32)> {
        let hours = self.lock().hours();
        hours.iter().map(|h| (h.from, h.seen, h.so_far, h.blind)).collect()
    }

    /// What is held true of the upstream: flag, value as JSON text, since (0: from the start), by
    /// what, and whether it is pinned.
    fn evidence(&self) -> Vec<(&'static str, String, i64, String, bool)> {
        let planner = self.lock();
        let pinned = Found::new(planner.pins).evidence();
        let is_pinned = |flag| pinned.iter().any(|(other, ..)| *other == flag);
        let evidence = planner.tracker.found.evidence().into_iter();
        evidence
            .map(|(flag, value, at, why)| (flag, json(&value), at, why, is_pinned(flag)))
            .collect()
    }

    /// Weights of cards beside that of all others, which is 1.
    #[pyo3(signature = (weights, /))]
    fn set_focus(&self, weights: BTreeMap<i64, f32>) {
        self.lock().focus = Focus::new(weights);
    }

    /// Lots by weight (a share of the largest): how many, past their expiry, told.
    fn by_weight(&self, py: Python<'_>) -> Vec<(f64, usize, usize, usize)> {
        let known = py.detach(|| {
            let planner = self.lock();
            planner.focus.known(&planner.tracker.board, planner.tracker.now)
        });
        known.into_iter().map(|(w, k)| (f64::from(w) / 1e3, k.lots, k.over, k.told)).collect()
    }

    /// What could be asked at `now`: offset (None: a refresh), rows, worth, why.
    #[pyo3(signature = (now, /))]
    fn choices(&self, py: Python<'_>, now: i64) -> PyResult<Vec<ChoiceTuple>> {
        let choices = self.guarded(py, |planner| planner.choices(now))?;
        Ok(choices.iter().map(|c| (c.offset, c.count, c.worth, c.why)).collect())
    }

    /// A lot: the state it was last seen in, what was concluded, how many are wanted more, and
    /// when it is looked at.
    #[pyo3(signature = (auction_id, /))]
    fn lot(&self, auction_id: i64) -> Option<(LotTuple, Option<Label>, Option<usize>, i64)> {
        let planner = self.lock();
        let (lot, before, from) = planner.lot(auction_id)?;
        let state = (
            lot.card_id,
            lot.posted_at,
            lot.expires_at,
            lot.first_seen,
            lot.last_active,
            lot.absent_at,
            lot.bids,
            lot.current_bid,
            lot.buyout_price,
            lot.median_price,
        );
        Some((state, lot.verdict.map(|verdict| label(auction_id, &verdict)), before, from))
    }

    /// A day with so many requests: listed, seen, sales, known, pages, refreshes.
    #[pyo3(signature = (per_day, /))]
    fn forecast(&self, py: Python<'_>, per_day: usize) -> (f32, f32, f32, f32, f32, f32) {
        let f = py.detach(|| self.lock().forecast(per_day));
        (f.listed, f.seen, f.sales, f.known, f.pages, f.refreshes)
    }
}
