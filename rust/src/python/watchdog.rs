//! A loop that stands still ends its process: beats of the loop in, SIGABRT out.
//!
//! Invariant: it counts its own ticks and reads no clock, so that a process that was stopped and a
//! machine that slept lose one tick and no more. It needs nothing of the interpreter, whose lock the
//! loop may hold for ever.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

const TICK: Duration = Duration::from_secs(1);
/// Ticks between the words and the end.
const GRACE: u64 = 3;

#[derive(Default)]
struct Shared {
    beats: AtomicU64,
    ended: AtomicBool,
}

/// Watches one loop from a thread of its own.
#[pyclass(frozen, module = "m26._native")]
pub(super) struct Watchdog(Arc<Shared>);

#[pymethods]
impl Watchdog {
    #[new]
    #[pyo3(signature = (*, ticks))]
    fn new(ticks: u64) -> PyResult<Self> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        thread::Builder::new().name("watchdog".into()).spawn(move || watch(&watched, ticks))?;
        Ok(Self(shared))
    }

    fn beat(&self) {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
    }

    fn close(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

fn watch(shared: &Shared, ticks: u64) {
    let (mut seen, mut still) = (0, 0);
    loop {
        thread::sleep(TICK);
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        let beats = shared.beats.load(Ordering::Relaxed);
        still = if beats == seen { still + 1 } else { 0 };
        seen = beats;
        if still == ticks {
            // Where nobody reads what is written, the loop may wait for the same as these words. When
            // they are read, it goes on.
            let told = format!("m26: the loop of this process has stood still for {ticks} s\n");
            drop(std::io::stderr().write_all(told.as_bytes()));
        } else if still == ticks + GRACE {
            std::process::abort(); // Python's fault handler writes where each of its threads stands
        }
    }
}
