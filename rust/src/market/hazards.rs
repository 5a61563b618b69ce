//! Stretches of time in which something happened in, where in them it did out: by columns of an axis,
//! in which no hazard changes.
//!
//! Invariant: what happened once has a mass of one, wherever it may have been.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lower edges of the columns by age, seconds.
const AGES: [f32; 18] = [
    0.0, 1.0, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0, 400.0, 900.0, 1800.0, 3600.0, 7200.0,
    14_400.0, 28_800.0, 57_600.0, 86_400.0,
];
/// Lower edges of the columns by time to the end, seconds. The last ten are one: nobody aims a bid
/// better than that, and hardly a look shows what comes in them.
const LEADS: [f32; 12] =
    [0.0, 10.0, 20.0, 45.0, 90.0, 180.0, 600.0, 1800.0, 3600.0, 14_400.0, 28_800.0, 86_400.0];
/// The last column ends here, some eleven days.
const END: f32 = 1e6;
/// The most columns there are.
pub(crate) const COLUMNS: usize = AGES.len();
/// What the columns of a table stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Axis {
    /// Seconds since it was listed: time runs up.
    Age,
    /// Seconds until it ends: time runs down.
    Lead,
}

impl Axis {
    /// Lower edges of the columns.
    pub(crate) fn edges(self) -> &'static [f32] {
        match self {
            Self::Age => &AGES,
            Self::Lead => &LEADS,
        }
    }

    /// The column that holds `x`.
    pub(crate) fn column(self, x: f32) -> usize {
        self.edges().partition_point(|&edge| edge <= x).saturating_sub(1)
    }

    /// Where a column begins and ends.
    pub(crate) fn span(self, column: usize) -> (f32, f32) {
        let edges = self.edges();
        (edges[column], edges.get(column + 1).copied().unwrap_or(END))
    }
}

/// Where in a stretch of an axis something happened: the mass in each column, and the time at risk.
pub(crate) struct Spread {
    pub(super) first: usize,
    pub(super) len: usize,
    pub(super) mass: [f32; COLUMNS],
    pub(super) at_risk: [f32; COLUMNS],
}

impl Spread {
    /// It happened once between `low` and `high`, where something did by `hazards` and it was this
    /// by `share`.
    pub(crate) fn new(
        axis: Axis,
        (low, high): (f32, f32),
        hazards: impl Fn(usize) -> f32,
        share: impl Fn(usize) -> f32,
    ) -> Self {
        let high = high.max(low); // their clock may go back
        let (first, last) = (axis.column(low), axis.column(high));
        let len = last - first + 1;
        let mut spread = Self { first, len, mass: [0.0; COLUMNS], at_risk: [0.0; COLUMNS] };
        let places = |step: usize| if axis == Axis::Age { step } else { len - 1 - step };
        let width = |place: usize| {
            let (from, to) = axis.span(first + place);
            (to.min(high) - from.max(low)).max(0.0)
        };
        // a floor: what did happen was possible
        let mean = |place: usize| hazards(first + place).max(1e-12) * width(place);
        let (mut alive, mut total) = (1.0, f32::MIN_POSITIVE);
        for place in (0..len).map(places) {
            let mean = mean(place);
            let ended = -alive * (-mean).exp_m1();
            spread.mass[place] = ended * share(first + place);
            total += spread.mass[place];
            alive -= ended;
        }
        let mut before = 1.0;
        for place in (0..len).map(places) {
            let mass = spread.mass[place] / total;
            before -= mass;
            spread.mass[place] = mass;
            spread.at_risk[place] = width(place) * (before.max(0.0) + mass * until(mean(place)));
        }
        spread
    }

    /// Mean seconds until it happened.
    pub(crate) fn wait(&self) -> f32 {
        self.at_risk[..self.len].iter().sum()
    }
}

/// The part of a stretch with a mean of so many events that passed before the first, if there was one.
fn until(mean: f32) -> f32 {
    if mean < 0.01 { 0.5 - mean / 12.0 } else { 1.0 / mean - 1.0 / mean.exp_m1() }
}

/// Events of which only an interval is known, counted by kind, row and the columns of its ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Censored {
    /// How many, and the sums of their lower and upper ends.
    counts: BTreeMap<(u8, u8, u8, u8), [f32; 3]>,
}

impl Censored {
    /// Something happened between `low` and `high`; a weight below 0 takes it back.
    pub(crate) fn add(
        &mut self,
        axis: Axis,
        (kind, row): (u8, usize),
        (low, high): (f32, f32),
        weight: f32,
    ) {
        let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        let key = (kind, small(row), small(axis.column(low)), small(axis.column(high)));
        let count = self.counts.entry(key).or_default();
        *count = [count[0] + weight, count[1] + weight * low, count[2] + weight * high];
    }

    /// Each of them counts `keep` of what it did; hardly any is none.
    pub(crate) fn fade(&mut self, keep: f32) {
        self.counts.retain(|_, count| {
            *count = count.map(|sum| sum * keep);
            count[0] > 1e-3
        });
    }

    /// Kind, row, mean interval and number of each.
    pub(crate) fn each(&self, axis: Axis) -> impl Iterator<Item = (u8, usize, (f32, f32), f32)> {
        let mean = move |sum: f32, events: f32, column: u8| {
            let (low, high) = axis.span(usize::from(column));
            (sum / events).clamp(low, high)
        };
        self.counts.iter().map(move |(&(kind, row, first, last), &[events, low, high])| {
            let interval = (mean(low, events, first), mean(high, events, last));
            (kind, usize::from(row), interval, events)
        })
    }
}
