//! What is said of a lot in, the outcome as it is stored out.

use crate::market::lot::{Outcome, Verdict};
use crate::rows::record::{Closing, Sale};

/// What an estimate says of a confidence, in parts of a whole: another one that differs by less is no
/// news, and no event.
const PARTS: f32 = 10_000.0;

/// A verdict by the server's clock, which `shift` is the difference to.
#[must_use]
pub fn closing(verdict: &Verdict, shift: i64, observed_at: i64) -> Closing {
    let outcome = verdict.fate.outcome();
    let sale = (outcome == Outcome::Sold).then(|| Sale {
        via: verdict.fate.via(),
        price: verdict.final_price,
        confidence: said(verdict.price_confidence),
    });
    let told = |at: i64| (at != 0).then(|| at - shift);
    Closing {
        outcome,
        evidence: verdict.evidence,
        confidence: said(verdict.confidence),
        sale,
        closed_after: told(verdict.closed_after),
        closed_before: told(verdict.closed_before),
        closed_at: told(verdict.closed_at).unwrap_or(observed_at),
    }
}

/// A confidence as far as it says anything; what is not certain is not said to be.
fn said(confidence: f32) -> f32 {
    if confidence >= 1.0 { 1.0 } else { (confidence * PARTS).round().min(PARTS - 1.0) / PARTS }
}
