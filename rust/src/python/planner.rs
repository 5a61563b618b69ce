//! The planner, as Python sees it: plain tuples in and out.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::buffer::State;
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
/// Flag, value as JSON text, since, why, whether it is pinned.
type EvidenceTuple = (&'static str, String, i64, String, bool);
/// Reason, replies, auctions shown new, told, absent and at all.
type ReasonTuple = (String, u64, u64, u64, u64, u64);
/// A lot, what was concluded, how many are wanted more, when it is looked at.
type ExplainedTuple = (LotTuple, Option<Label>, Option<usize>, i64);

impl Planner {
    /// Work without the GIL, so that whoever waits for a long one keeps nobody else from Python; a
    /// fault of ours costs what was known, not the process.
    fn guarded<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut planner::Planner) -> T + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            catch_unwind(AssertUnwindSafe(|| work(&mut inner)))
        });
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

    fn save(&self, py: Python<'_>) -> PyResult<State> {
        State::of(self.guarded(py, |planner| postcard::to_stdvec(planner))?)
    }

    #[pyo3(signature = (*, per_day, per_minute, now))]
    fn resume(&self, py: Python<'_>, per_day: usize, per_minute: usize, now: i64) -> PyResult<()> {
        self.guarded(py, |planner| planner.resume(per_day, per_minute, now))
    }

    /// What the operator answered of the upstream, by flag; whether that is new.
    #[pyo3(signature = (pins, /))]
    #[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a dictionary
    fn pin(&self, py: Python<'_>, pins: BTreeMap<String, String>) -> PyResult<bool> {
        let mut flags = Flags::default();
        for (flag, value) in &pins {
            answer(&mut flags, flag, value)
                .ok_or_else(|| PyValueError::new_err(format!("{flag} cannot be {value}")))?;
        }
        self.guarded(py, |planner| planner.pin(flags))
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

    #[pyo3(signature = (at, why, /))]
    fn sent(&self, py: Python<'_>, at: i64, why: &str) -> PyResult<()> {
        self.guarded(py, |planner| planner.sent(at, why))
    }

    fn unsent(&self, py: Python<'_>) -> PyResult<()> {
        self.guarded(py, planner::Planner::unsent)
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
    fn conclude(&self, py: Python<'_>) -> PyResult<(Vec<Label>, Vec<NoticeTuple>)> {
        Ok(told(&self.guarded(py, |planner| planner.tracker.conclude_all())?))
    }

    /// Price of a request, lots that are due, known and open, listings a second, worth of a new one.
    fn outlook(&self, py: Python<'_>) -> PyResult<(f32, usize, usize, usize, f32, f32)> {
        self.guarded(py, |planner| planner.outlook())
    }

    /// What came of the questions, by reason.
    fn reasons(&self, py: Python<'_>) -> PyResult<Vec<ReasonTuple>> {
        let reasons = self.guarded(py, |planner| planner.reasons.clone())?.into_iter();
        Ok(reasons.map(|(why, y)| (why, y.replies, y.new, y.told, y.absent, y.shown)).collect())
    }

    /// Listings of each hour: start, listed, low, high.
    fn listed(&self, py: Python<'_>) -> PyResult<Vec<(i64, f32, f32, f32)>> {
        let hours = self.guarded(py, |planner| planner.hours())?;
        Ok(hours.iter().map(|h| (h.from, h.listed.0, h.listed.1, h.listed.2)).collect())
    }

    /// Listings of each hour until now: start, seen, listed, seconds without a look.
    fn hours(&self, py: Python<'_>) -> PyResult<Vec<(i64, u32, f32, f32)>> {
        let hours = self.guarded(py, |planner| planner.hours())?;
        Ok(hours.iter().map(|h| (h.from, h.seen, h.so_far, h.blind)).collect())
    }

    /// What is held true of the upstream: flag, value as JSON text, since (0: from the start), by
    /// what, and whether it is pinned.
    fn evidence(&self, py: Python<'_>) -> PyResult<Vec<EvidenceTuple>> {
        let look =
            |planner: &mut planner::Planner| (planner.pins, planner.tracker.found.evidence());
        let (pins, evidence) = self.guarded(py, look)?;
        let pinned = Found::new(pins).evidence();
        let is_pinned = |flag| pinned.iter().any(|(other, ..)| *other == flag);
        let told = evidence.into_iter();
        Ok(told
            .map(|(flag, value, at, why)| (flag, json(&value), at, why, is_pinned(flag)))
            .collect())
    }

    /// Weights of cards beside that of all others, which is 1.
    #[pyo3(signature = (weights, /))]
    fn set_focus(&self, py: Python<'_>, weights: BTreeMap<i64, f32>) -> PyResult<()> {
        self.guarded(py, |planner| planner.focus = Focus::new(weights))
    }

    /// Lots by weight (a share of the largest): how many, past their expiry, told.
    fn by_weight(&self, py: Python<'_>) -> PyResult<Vec<(f64, usize, usize, usize)>> {
        let known = self.guarded(py, |planner| {
            planner.focus.known(&planner.tracker.board, planner.tracker.now)
        })?;
        let known = known.into_iter();
        Ok(known.map(|(w, k)| (f64::from(w) / 1e3, k.lots, k.over, k.told)).collect())
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
    fn lot(&self, py: Python<'_>, auction_id: i64) -> PyResult<Option<ExplainedTuple>> {
        let found = self.guarded(py, |planner| {
            planner.lot(auction_id).map(|(lot, before, from)| (lot.clone(), before, from))
        })?;
        let Some((lot, before, from)) = found else { return Ok(None) };
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
        let said = lot.verdict.map(|verdict| label(auction_id, &verdict));
        Ok(Some((state, said, before, from)))
    }

    /// A day with so many requests: listed, seen, sales, known, pages, refreshes.
    #[pyo3(signature = (per_day, /))]
    fn forecast(&self, py: Python<'_>, per_day: usize) -> PyResult<(f32, f32, f32, f32, f32, f32)> {
        let f = self.guarded(py, |planner| planner.forecast(per_day))?;
        Ok((f.listed, f.seen, f.sales, f.known, f.pages, f.refreshes))
    }
}
