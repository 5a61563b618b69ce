//! The time of a reply: what it says, and our own clock, in; when it was made by the server out.
//!
//! Invariant: pure; what is given depends on the replies in their order alone. One source that
//! disagrees with what is known never decides, however often others fail to contradict it once.

const SECOND: i64 = 1_000_000;
/// 2000-01-01 and 2100-01-01, microseconds: outside of them a time is in the wrong unit or a lie.
const TIMES: std::ops::Range<i64> = 946_684_800 * SECOND..4_102_444_800 * SECOND;
/// Times this near to each other (microseconds) agree: a reply may be on its way for 20 s.
const NEAR: i64 = 30 * SECOND;
/// As near as this to our clock a reply is believed while nothing is known of the server's.
const ROUGHLY: i64 = 300 * SECOND;
/// Replies in a row that have to agree on a new difference.
const STEADY: u32 = 3;

/// Whether microseconds since 1970 are a time that can be believed.
#[must_use]
pub fn plausible(micros: i64) -> bool {
    TIMES.contains(&micros)
}

/// What is told of when a reply was made, microseconds; what is not plausible tells nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Our clock when it was received.
    pub ours: i64,
    /// Its `Date` header.
    pub date: i64,
    /// Its `responseTime`.
    pub response: i64,
    /// How much further than usual times may be apart and agree, where our clock runs faster.
    pub slack: i64,
}

/// The times of a reply, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The server's time: what a time left counts from.
    pub served_at: i64,
    /// The same, but never before that of an earlier reply.
    pub observed_at: i64,
}

/// What is known of a server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerClock {
    /// The server's clock minus ours, as it is believed.
    pub skew: i64,
    /// Two sources agree on it.
    pub proven: bool,
    /// The newest time given.
    pub newest: i64,
    /// Another difference, which the last `seen` replies agree on.
    rival: i64,
    seen: u32,
}

impl ServerClock {
    /// A clock as an earlier one left it; its skew has to prove itself.
    #[must_use]
    pub fn new(skew: i64, newest: i64) -> Self {
        Self { skew, newest, ..Self::default() }
    }

    /// The times of the next reply; None where nothing tells any.
    pub fn give(&mut self, told: Told) -> Option<Given> {
        let served_at = self.read(told)?;
        let observed_at = if served_at < self.newest { self.newest + 1 } else { served_at };
        self.newest = observed_at;
        Some(Given { served_at, observed_at })
    }

    /// The server's time of the next reply, whatever was given before.
    pub fn read(&mut self, told: Told) -> Option<i64> {
        let [ours, date, response] = [told.ours, told.date, told.response]
            .map(|micros| Some(micros).filter(|&micros| plausible(micros)));
        let Some(ours) = ours else { return response.or(date) };
        let near = |one: i64, other: i64| (one - other).abs() <= NEAR + told.slack;
        if let Some(response) = response.filter(|&time| self.believes(time, ours, date, near)) {
            self.proven |= near(response, ours + self.skew);
            (self.skew, self.seen) = (response - ours, 0);
            return Some(response);
        }
        self.weigh(ours, date, response, near);
        Some(response.filter(|time| time - ours == self.skew).unwrap_or(ours + self.skew))
    }

    /// Our clock was set forward by so much.
    pub fn shift(&mut self, by: i64) {
        self.skew -= by;
        self.rival -= by;
    }

    fn believes(&self, response: i64, ours: i64, date: Option<i64>, near: impl Near) -> bool {
        near(response, ours + self.skew)
            || !self.proven
                && date.map_or((response - ours).abs() <= ROUGHLY, |date| near(response, date))
    }

    /// Note what a reply says whose `responseTime` is missing or not believed.
    fn weigh(&mut self, ours: i64, date: Option<i64>, response: Option<i64>, near: impl Near) {
        let confirms = date.is_some_and(|date| near(date, ours + self.skew));
        let offset = match (response, date) {
            (None, None) => return,
            _ if confirms => None,
            (Some(response), Some(date)) => near(response, date).then_some(response - ours),
            (Some(time), None) | (None, Some(time)) => Some(time - ours),
        };
        self.proven |= confirms;
        let Some(offset) = offset else {
            self.seen = 0;
            return;
        };
        self.seen = if self.seen > 0 && near(offset, self.rival) { self.seen + 1 } else { 1 };
        self.rival = offset;
        if self.seen >= STEADY {
            *self = Self { proven: true, seen: 0, skew: offset, ..*self };
        }
    }
}

/// Whether two times agree.
trait Near: Fn(i64, i64) -> bool {}

impl<T: Fn(i64, i64) -> bool> Near for T {}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    const T0: i64 = 1_790_000_000 * SECOND;
    const HOUR: i64 = 3_600;

    /// A clock that has heard one reply which all sources agree on, at T0.
    fn settled() -> ServerClock {
        let mut clock = ServerClock::default();
        assert_eq!(clock.give(told(0, Some(0), Some(0))), given(0, 0));
        clock
    }

    /// Seconds after T0; None where the reply does not say.
    fn told(ours: i64, date: Option<i64>, response: Option<i64>) -> Told {
        let micros = |seconds: Option<i64>| seconds.map_or(0, |seconds| T0 + seconds * SECOND);
        let (date, response) = (micros(date), micros(response));
        Told { ours: T0 + ours * SECOND, date, response, slack: 0 }
    }

    #[allow(clippy::unnecessary_wraps)] // as it is compared
    fn given(served: i64, observed: i64) -> Option<Given> {
        let (served_at, observed_at) = (T0 + served * SECOND, T0 + observed * SECOND);
        Some(Given { served_at, observed_at })
    }

    fn served(clock: &mut ServerClock, told: Told) -> i64 {
        (clock.give(told).unwrap().served_at - T0) / SECOND
    }

    #[test]
    fn one_wrong_response_time_never_counts() {
        for wrong in [-HOUR, HOUR, 290, -290, -40] {
            for date in [None, Some(20), Some(20 + wrong)] {
                let mut clock = settled();
                assert_eq!(clock.give(told(20, date, Some(20 + wrong))), given(20, 20), "{wrong}");
                assert_eq!(clock.give(told(40, Some(40), Some(40))), given(40, 40), "{wrong}");
                assert_eq!(clock.skew, 0);
            }
        }
    }

    #[test]
    fn a_response_time_that_cannot_be_a_time_says_nothing() {
        for odd in [0, -1, i64::MIN, i64::MAX, 1_790_000_000, TIMES.end] {
            let mut clock = settled();
            let told = Told { response: odd, ..told(20, None, None) };
            assert_eq!(clock.give(told), given(20, 20), "{odd}");
        }
        assert_eq!(settled().give(Told::default()), None);
    }

    #[test]
    fn a_steady_difference_that_date_agrees_with_is_our_clocks_fault() {
        for skew in [-HOUR, HOUR, -290, 290] {
            let mut clock = settled();
            let times = (1..=5).map(|n| told(n, Some(n + skew), Some(n + skew)));
            let found: Vec<_> = times.map(|told| served(&mut clock, told)).collect();
            assert_eq!(found, [1, 2, 3 + skew, 4 + skew, 5 + skew]);
        }
    }

    #[test]
    fn a_steady_difference_counts_without_date_but_not_against_it() {
        let (mut silent, mut against) = (settled(), settled());
        for n in 1..=9 {
            let time = served(&mut silent, told(n, None, Some(n + HOUR)));
            assert_eq!(time, if n < 3 { n } else { n + HOUR });
            assert_eq!(served(&mut against, told(n, Some(n), Some(n + HOUR))), n);
        }
    }

    #[test]
    fn replies_that_disagree_with_each_other_are_no_steady_difference() {
        let mut clock = settled();
        for n in 1..=12 {
            let wrong = n + HOUR * (1 + n % 2);
            assert_eq!(served(&mut clock, told(n, Some(wrong), Some(wrong))), n);
        }
        for n in [13, 14, 16, 17] {
            assert_eq!(served(&mut clock, told(n, None, Some(n + HOUR))), n);
            clock.read(told(15, Some(15), None)); // a login: its date is as it was
        }
    }

    #[test]
    fn at_the_first_start_two_sources_that_agree_beat_our_clock() {
        for skew in [-HOUR, HOUR] {
            let mut clock = ServerClock::default();
            for n in 1..=3 {
                assert_eq!(served(&mut clock, told(n, Some(n + skew), Some(n + skew))), n + skew);
            }
            assert!(clock.proven);
            let mut alone = ServerClock::default();
            assert_eq!(served(&mut alone, told(1, Some(1), Some(1 + skew))), 1);
            assert_eq!(served(&mut alone, told(2, None, Some(2 + skew))), 2);
        }
    }

    #[test]
    fn a_first_reply_that_is_wrong_as_a_whole_is_forgotten_at_once() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.give(told(1, Some(HOUR), Some(HOUR))), given(HOUR, HOUR));
        let next = clock.give(told(2, Some(2), Some(2))).unwrap();
        assert_eq!((next.served_at, next.observed_at), (T0 + 2 * SECOND, T0 + HOUR * SECOND + 1));
        assert_eq!(clock.skew, 0);
    }

    #[test]
    fn a_clock_of_ours_that_is_a_minute_wrong_is_no_matter() {
        let mut clock = ServerClock::default();
        for n in 1..=3 {
            assert_eq!(served(&mut clock, told(n, None, Some(n - 100))), n - 100);
        }
        assert!(clock.proven);
    }

    #[test]
    fn a_difference_that_was_kept_is_used_until_it_proves_wrong() {
        let mut right = ServerClock::new(HOUR * SECOND, 0);
        assert_eq!(served(&mut right, told(1, None, None)), 1 + HOUR);
        assert_eq!(served(&mut right, told(2, None, Some(2 + HOUR))), 2 + HOUR);
        let mut stale = ServerClock::new(HOUR * SECOND, 0);
        assert_eq!(served(&mut stale, told(1, Some(1), Some(1))), 1);
        let mut lied_to = ServerClock::new(HOUR * SECOND, 0);
        assert_eq!(served(&mut lied_to, told(1, Some(1 + HOUR), Some(1))), 1 + HOUR);
    }

    #[test]
    fn what_is_given_never_goes_back_and_equal_times_stay_equal() {
        let mut clock = settled();
        assert_eq!(clock.give(told(20, None, Some(20))), given(20, 20));
        assert_eq!(clock.give(told(21, None, Some(20))), given(20, 20));
        let back = clock.give(told(22, None, Some(15))).unwrap();
        assert_eq!((back.served_at, back.observed_at), (T0 + 15 * SECOND, T0 + 20 * SECOND + 1));
        let again = clock.give(told(23, None, Some(15))).unwrap();
        assert_eq!(again.observed_at, back.observed_at + 1);
    }

    #[test]
    fn our_clock_may_be_set_while_replies_come() {
        let mut clock = settled();
        clock.shift(HOUR * SECOND);
        assert_eq!(served(&mut clock, told(HOUR + 20, None, Some(20))), 20);
        assert_eq!(served(&mut clock, told(HOUR + 40, None, None)), 40);
    }

    #[test]
    fn without_our_clock_the_response_time_is_the_only_source() {
        let mut clock = ServerClock::default();
        for seconds in [HOUR, 0, -HOUR] {
            let told = Told { ours: 0, ..told(0, None, Some(seconds)) };
            assert_eq!(served(&mut clock, told), seconds);
        }
    }
}
