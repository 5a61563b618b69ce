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

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_790_000_000_000_000;
    const HOUR: i64 = 60 * MINUTE;

    /// What time it is after replies that were served and received then, after the first.
    fn after(steps: &[(i64, i64)]) -> Time {
        let mut time = Time::default();
        for &(served, fetched) in [(0, 0)].iter().chain(steps) {
            let served_at = T0 + served;
            time.pass(Times { served_at, observed_at: served_at, fetched_at: T0 + fetched });
        }
        time
    }

    #[test]
    fn it_passes_as_both_clocks_tell() {
        let time = after(&[(20, 21), (9 * HOUR, 9 * HOUR + 5)]);
        assert_eq!((time.now - T0, time.shift), (9 * HOUR, 0));
    }

    #[test]
    fn a_server_clock_that_jumps_and_comes_back_moves_nothing() {
        let away = [(MINUTE, MINUTE), (2 * MINUTE + HOUR, 2 * MINUTE)];
        let jumped = after(&away);
        assert_eq!((jumped.now - T0, jumped.shift), (2 * MINUTE, -HOUR));
        let back = after(&[away[0], away[1], (3 * MINUTE, 3 * MINUTE)]);
        assert_eq!((back.now - T0, back.shift), (3 * MINUTE, 0));
    }

    #[test]
    fn our_own_clock_may_be_set() {
        for by in [-HOUR, HOUR] {
            let time = after(&[(MINUTE, MINUTE + by), (2 * MINUTE, 2 * MINUTE + by)]);
            assert_eq!((time.now - T0, time.shift), (2 * MINUTE, 0));
        }
    }

    #[test]
    fn an_older_reply_is_told_and_time_stands_still() {
        let mut time = after(&[(HOUR, HOUR)]);
        let served_at = T0 + MINUTE;
        let old = Times { served_at, observed_at: T0 + HOUR + 1, fetched_at: served_at };
        assert!(!time.pass(old));
        assert_eq!(time.now, T0 + HOUR);
    }
}
