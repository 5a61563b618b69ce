//! The Python module `m26._native`, and, with its folder, the only place that names PyO3.
//!
//! - `normalizer`: pages in, batches out; `buffer`: the memory that is handed to Python.
//! - `states`: committed states, what a batch changes of them, and outcomes of stored ones;
//!   `closing`: outcomes as tuples; `fold`: those that no row says, and coverage; `bygone`: those
//!   of auctions whose records are gone.
//! - `peek`: the facts of one reply; `clock`: when it was made.
//! - `pricer`: what cards are worth; `model`: what holds for all of them; `records`: numbers as bytes.
//! - `watchdog`: ends the process when Python's loop stands still; it alone has a thread.
//!
//! Invariant: bytes and integers cross in, buffers and plain tuples cross out; each entry point
//! releases the GIL in one visible place; nothing here decides anything.

use pyo3::prelude::*;

use crate::rows::schema::Column;

mod buffer;
mod bygone;
mod clock;
mod closing;
mod fold;
mod model;
mod normalizer;
mod peek;
mod planner;
mod pricer;
mod records;
mod states;
mod told;
mod watchdog;

/// Bulk normalization of auction-house replies.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::buffer::{CopyBuffer, State};
    #[pymodule_export]
    use super::bygone::Bygone;
    #[pymodule_export]
    use super::clock::ServerClock;
    #[pymodule_export]
    use super::closing::outcome_of;
    #[pymodule_export]
    use super::fold::Fold;
    #[pymodule_export]
    use super::normalizer::{Batch, Normalizer};
    #[pymodule_export]
    use super::peek::{Peek, peek};
    #[pymodule_export]
    use super::planner::Planner;
    #[pymodule_export]
    use super::pricer::Pricer;
    #[pymodule_export]
    use super::states::{Delta, States};
    #[pymodule_export]
    use super::watchdog::Watchdog;

    #[pymodule_export]
    const MAX_PAGE_BYTES: usize = crate::reply::envelope::MAX_PAGE_BYTES;

    #[pymodule_export]
    const RELEASE: bool = !cfg!(debug_assertions);

    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use crate::error::Reason;
        use crate::rows::record::{AuctionRow, Current, Event, NewCard, Sighting};
        use crate::rows::schema::{Row, STATE};

        module.add("AUCTION_COLUMNS", super::columns(AuctionRow::COLUMNS))?;
        module.add("CARD_COLUMNS", super::columns(NewCard::COLUMNS))?;
        module.add("EVENT_COLUMNS", super::columns(Event::COLUMNS))?;
        module.add("AUCTION_ROW_COLUMNS", super::columns(Current::COLUMNS))?;
        module.add("SIGHTING_COLUMNS", super::columns(Sighting::COLUMNS))?;
        module.add("STATE_COLUMNS", super::columns(&STATE))?;
        let codes = Reason::ALL.iter().map(|reason| reason.code());
        module.add("REJECT_REASONS", PyTuple::new(module.py(), codes)?)
    }
}

/// Python aligns its objects' memory to this many bytes, whatever is in them.
const PYTHON_ALIGNMENT: usize = 16;
const _: () = assert!(
    align_of::<buffer::CopyBuffer>() <= PYTHON_ALIGNMENT
        && align_of::<buffer::State>() <= PYTHON_ALIGNMENT
        && align_of::<normalizer::Batch>() <= PYTHON_ALIGNMENT
        && align_of::<normalizer::Normalizer>() <= PYTHON_ALIGNMENT
        && align_of::<states::States>() <= PYTHON_ALIGNMENT
        && align_of::<states::Delta>() <= PYTHON_ALIGNMENT
        && align_of::<fold::Fold>() <= PYTHON_ALIGNMENT
        && align_of::<peek::Peek>() <= PYTHON_ALIGNMENT
);

fn columns(table: &[Column]) -> Vec<(&'static str, &'static str)> {
    table.iter().map(|column| (column.name, column.ty.name())).collect()
}
