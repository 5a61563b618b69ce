//! What is known of a server's clock, as Python sees it: a value that each reply makes another of.

use pyo3::prelude::*;

use crate::clock::{self, Told};

/// A server's clock, as its replies have told it so far.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct ServerClock(clock::ServerClock);

#[pymethods]
impl ServerClock {
    #[new]
    #[pyo3(signature = (*, skew = 0, newest = 0))]
    fn new(skew: i64, newest: i64) -> Self {
        Self(clock::ServerClock::new(skew, newest))
    }

    #[getter]
    fn skew(&self) -> i64 {
        self.0.skew
    }

    #[getter]
    fn proven(&self) -> bool {
        self.0.proven
    }

    /// The clock after a reply, and the reply's times.
    #[pyo3(signature = (*, ours, date = 0, response = 0, slack = 0))]
    fn give(&self, ours: i64, date: i64, response: i64, slack: i64) -> (Self, i64, i64) {
        let mut clock = self.0;
        let given = clock.give(Told { ours, date, response, slack }).unwrap_or_default();
        (Self(clock), given.served_at, given.observed_at)
    }

    /// The clock after something that is no page.
    #[pyo3(signature = (*, ours, date, slack = 0))]
    fn heard(&self, ours: i64, date: i64, slack: i64) -> Self {
        let mut clock = self.0;
        clock.read(Told { ours, date, response: 0, slack });
        Self(clock)
    }

    #[pyo3(signature = (by, /))]
    fn shifted(&self, by: i64) -> Self {
        let mut clock = self.0;
        clock.shift(by);
        Self(clock)
    }
}
