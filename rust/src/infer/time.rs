//! Times of replies in; a time out that passes as they do and never jumps.
//!
//! Two clocks tell how much time passed between two replies: the server's, and ours that received
//! them. Where they agree the server's counts. Where they do not, one of them was set, and what
//! passed is the smallest step forward that either of them tells.
//!
//! Invariant: it never goes back, and one clock alone cannot move it by more than the other says.

use serde::{Deserialize, Serialize};

use crate::market::asked::MINUTE;

/// Two steps that differ by no more than this, and half of the smaller one, agree.
const NEAR: i64 = MINUTE;

/// The times of a reply, microseconds; 0 is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// When the server made it.
    pub served_at: i64,
    /// The same, never before an earlier reply of its part.
    pub observed_at: i64,
    /// When it was received, by our clock.
    pub fetched_at: i64,
}

/// What time it is, by the replies so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Time {
    /// Microseconds; 0 before the first reply.
    pub now: i64,
    /// It minus the server's time as told: 0 unless a clock was set.
    pub shift: i64,
    last: Times,
}

impl Time {
    /// The next reply came; whether it is no older than those before.
    pub fn pass(&mut self, times: Times) -> bool {
        let last = std::mem::replace(&mut self.last, times);
        if self.now == 0 {
            self.now = times.served_at;
            return true;
        }
        let served = times.served_at - last.served_at;
        let known = times.fetched_at != 0 && last.fetched_at != 0;
        let received = if known { times.fetched_at - last.fetched_at } else { served };
        let smaller = served.min(received).max(0);
        if (served - received).abs() <= NEAR + smaller / 2 {
            let at = times.served_at + self.shift;
            self.now = self.now.max(at);
            return at + NEAR >= self.now;
        }
        let forward = [served, received].into_iter().filter(|&step| step >= 0).min();
        self.now += forward.unwrap_or(0);
        self.shift = self.now - times.served_at;
        true
    }
}
