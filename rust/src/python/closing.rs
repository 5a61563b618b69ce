//! Outcomes as Python sees them: tuples in and out.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::history::closings::{Closed, Inferred};
use crate::history::outcome::{self, Look};
use crate::rows::record::{Closing, Evidence, Outcome, Sale};

pub(super) fn outcome_named(name: &str) -> PyResult<Outcome> {
    let found = Outcome::ALL.into_iter().find(|outcome| outcome.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("there is no outcome {name:?}")))
}

pub(super) fn evidence_named(name: &str) -> PyResult<Evidence> {
    let found = Evidence::ALL.into_iter().find(|evidence| evidence.name() == name);
    found.ok_or_else(|| PyValueError::new_err(format!("there is no evidence {name:?}")))
}

/// Outcome, via, evidence, confidence, price, price confidence; on offer, over by, over: when.
pub(super) type ClosingTuple =
    (String, Option<String>, String, f32, Option<i64>, Option<f32>, Option<i64>, Option<i64>, i64);
/// Page, platform, id, time of the evidence, outcome.
pub(super) type InferredTuple = (i32, String, i64, i64, ClosingTuple);

pub(super) fn concluded(given: InferredTuple) -> PyResult<Inferred> {
    let (page, platform, auction_id, observed_at, closing) = given;
    let (named, via, by, confidence, price, price_confidence, closed_after, ..) = closing;
    let (.., closed_before, closed_at) = closing;
    let outcome = outcome_named(&named)?;
    let via = match via.as_deref() {
        None => None,
        Some("bid") => Some("bid"),
        Some("buyout") => Some("buyout"),
        Some(other) => return Err(PyValueError::new_err(format!("nothing is sold by {other:?}"))),
    };
    let confident = price_confidence.unwrap_or(confidence);
    let sale = price.map(|price| Sale { via, price, confidence: confident });
    if sale.is_some() != (outcome == Outcome::Sold) {
        return Err(PyValueError::new_err("what is sold has a price, and nothing else has one"));
    }
    let evidence = evidence_named(&by)?;
    let closing =
        Closing { outcome, evidence, confidence, sale, closed_after, closed_before, closed_at };
    Ok(Inferred { page, platform, auction_id, observed_at, closing })
}

pub(super) fn told_inferred(inferred: &Inferred) -> InferredTuple {
    let Inferred { page, platform, auction_id, observed_at, closing } = inferred;
    (*page, platform.clone(), *auction_id, *observed_at, told_closing(closing))
}

pub(super) fn told_closing(closing: &Closing) -> ClosingTuple {
    let sale = closing.sale;
    (
        closing.outcome.name().to_owned(),
        sale.and_then(|sale| sale.via).map(str::to_owned),
        closing.evidence.name().to_owned(),
        closing.confidence,
        sale.map(|sale| sale.price),
        sale.map(|sale| sale.confidence),
        closing.closed_after,
        closing.closed_before,
        closing.closed_at,
    )
}

/// Number, platform, id, time of the evidence, end, outcome.
pub(super) type ClosedTuple = (i64, String, i64, i64, i64, ClosingTuple);

pub(super) fn told_closed(closed: &Closed) -> ClosedTuple {
    let Closed { seq, by, expires_at } = closed;
    let closing = told_closing(&by.closing);
    (*seq, by.platform.clone(), by.auction_id, by.observed_at, *expires_at, closing)
}

/// Status, observed, end, bids, buyout, current bid.
type SeenTuple = (String, i64, i64, i32, Option<i64>, i64);
/// What stored states of one auction say of its outcome.
#[pyfunction]
#[pyo3(name = "outcome", signature = (states, /))]
#[allow(clippy::needless_pass_by_value)] // what PyO3 makes of a list
pub(super) fn outcome_of(states: Vec<SeenTuple>) -> Option<(i64, ClosingTuple)> {
    let looks = states.iter().map(|seen| {
        let (observed_at, expires_at, bids) = (seen.1, seen.2, seen.3);
        let (buyout_price, current_bid) = (seen.4, seen.5);
        (
            &*seen.0,
            Look {
                observed_at,
                served_at: observed_at,
                expires_at,
                bids,
                buyout_price,
                current_bid,
            },
        )
    });
    let (closing, seen_at) = outcome::of_history(looks)?;
    Some((seen_at, told_closing(&closing)))
}
