//! One page as it is handed in.
//!
//! Invariant: nothing of it is read yet.

use crate::clock::Given;

/// One page to read.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The reply's bytes.
    pub body: &'a [u8],
    /// Platform it was collected for.
    pub platform: &'a str,
    /// Our clock when it was received, microseconds; 0 when unknown.
    pub fetched_at: i64,
    /// Its times, as they were decided before; zeros where they were not.
    pub times: Given,
}
