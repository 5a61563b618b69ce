//! The planner, as Python sees it: plain tuples in and out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::market::asked::{Ask, HOUR, Reply, SECOND, Seen, Status};
use crate::market::found::{Flags, Notice, NoticeValue};
use crate::market::lot::{Evidence, Verdict};
use crate::market::tracker::News;
use crate::plan::planner;

/// Which request comes next, by what is known of a market.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Planner(Mutex<planner::Planner>);

/// Offset and count of a search, or the ids of a refresh.
type AskTuple = (Option<(u32, u32)>, Vec<i64>);
/// Id, status, bids, current bid, buyout price, posted (s), seconds left, median, card, copy,
/// acquired (s).
type Row = (i64, String, i32, i64, i64, i64, i32, i64, i64, i64, i64);
/// Id, outcome, via, price, evidence, confidence, price confidence, after, before, closed at.
type Label = (
    i64,
    &'static str,
    Option<&'static str>,
    Option<i64>,
    &'static str,
    f32,
    f32,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);
/// Flag, value as JSON text, why.
type NoticeTuple = (&'static str, String, String);

impl Planner {
    fn lock(&self) -> MutexGuard<'_, planner::Planner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Planner {
    #[new]
    #[pyo3(signature = (*, per_day, per_minute, now))]
    fn new(per_day: usize, per_minute: usize, now: i64) -> Self {
        Self(Mutex::new(planner::Planner::new(Flags::default(), per_day, per_minute, now)))
    }

    #[staticmethod]
    #[pyo3(signature = (state, /))]
    fn load(state: &[u8]) -> PyResult<Self> {
        let inner = postcard::from_bytes(state);
        inner.map(|inner| Self(Mutex::new(inner))).map_err(|error| {
            PyValueError::new_err(format!("this is no state of a planner of this version: {error}"))
        })
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

    #[pyo3(signature = (now, /))]
    fn next(&self, py: Python<'_>, now: i64) -> (AskTuple, i64, &'static str) {
        let question = py.detach(|| self.lock().next(now));
        let ask = match question.ask {
            Ask::Search { offset, count } => (Some((offset, count)), Vec::new()),
            Ask::Refresh { ids } => (None, ids),
        };
        (ask, question.at, question.why)
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
        Ok(told(&py.detach(|| self.lock().observe(&ask, &reply))))
    }

    /// What can be said at the end.
    fn conclude(&self, py: Python<'_>) -> (Vec<Label>, Vec<NoticeTuple>) {
        told(&py.detach(|| self.lock().tracker.conclude_all()))
    }

    /// Price of a request, lots that are due, lots known and open, pages' state: for the operator.
    fn outlook(&self) -> (f32, usize, usize, usize, f32, f32) {
        self.lock().outlook()
    }

    /// Reason: replies, and auctions shown new, told, absent and at all.
    fn reasons(&self) -> Vec<(String, u64, u64, u64, u64, u64)> {
        let planner = self.lock();
        let reasons = planner.reasons.iter();
        reasons.map(|(why, y)| (why.clone(), y.replies, y.new, y.told, y.absent, y.shown)).collect()
    }

    /// Listings of each hour since the beginning: start, listed, low, high.
    fn listed(&self) -> Vec<(i64, f32, f32, f32)> {
        let planner = self.lock();
        let hours = planner.began.div_euclid(HOUR)..=planner.tracker.now.div_euclid(HOUR);
        hours
            .map(|hour| {
                let (listed, low, high) = planner.listed(hour * HOUR);
                (hour * HOUR, listed, low, high)
            })
            .collect()
    }
}

fn seen(row: &Row) -> PyResult<Seen> {
    let status = match &*row.1 {
        "active" => Status::Active,
        "ended" => Status::Ended,
        "expired" => Status::Expired,
        "cancelled" => Status::Cancelled,
        other => return Err(PyValueError::new_err(format!("{other}: no status of an auction"))),
    };
    Ok(Seen {
        auction_id: row.0,
        status,
        bids: row.2,
        current_bid: row.3,
        buyout_price: row.4,
        posted_at: row.5 * SECOND,
        seconds_remaining: row.6,
        median_price: row.7,
        card_id: row.8,
        card_instance_id: row.9,
        acquired_at: row.10 * SECOND,
    })
}

fn told(news: &News) -> (Vec<Label>, Vec<NoticeTuple>) {
    let labels = news.verdicts.iter().map(|(id, verdict)| label(*id, verdict)).collect();
    let notices = news.notices.iter().map(notice).collect();
    (labels, notices)
}

fn notice(notice: &Notice) -> NoticeTuple {
    let value = match &notice.value {
        NoticeValue::Text(text) => format!("\"{text}\""),
        NoticeValue::Number(number) => number.to_string(),
        NoticeValue::Bool(value) => value.to_string(),
        NoticeValue::Null => "null".to_owned(),
    };
    (notice.flag, value, notice.why.clone())
}

fn label(id: i64, verdict: &Verdict) -> Label {
    let (outcome, via) = (verdict.fate.outcome(), verdict.fate.via());
    let evidence = match verdict.evidence {
        Evidence::Gap => "gap",
        Evidence::Absent => "absent",
        Evidence::PastExpiry => "past_expiry",
        Evidence::FinalWindow => "final_window",
        Evidence::Relisted => "relisted",
        Evidence::Status => "status",
    };
    let known = |at: i64| (at != 0).then_some(at);
    let price = (outcome == "sold").then_some(verdict.final_price);
    (
        id,
        outcome,
        via,
        price,
        evidence,
        verdict.confidence,
        verdict.price_confidence,
        known(verdict.closed_after),
        known(verdict.closed_before),
        known(verdict.closed_at),
    )
}
