//! Events and exposure in, hazards out: constant in each cell, shrunk from cell to margins to prior.
//!
//! Rows come in pairs, without bids and with: the two have columns of their own.
//!
//! Invariant: a cell without data follows its row and column, and these the prior; a hazard is never
//! negative, and where the prior is 0 it stays 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lower edges of the columns by age, seconds.
const AGES: [f32; 18] = [
    0.0, 1.0, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0, 400.0, 900.0, 1800.0, 3600.0, 7200.0,
    14_400.0, 28_800.0, 57_600.0, 86_400.0,
];
/// Lower edges of the columns by time to the end, seconds.
const LEADS: [f32; 14] = [
    0.0, 2.0, 5.0, 10.0, 20.0, 45.0, 90.0, 180.0, 600.0, 1800.0, 3600.0, 14_400.0, 28_800.0,
    86_400.0,
];
/// The last column ends here, some eleven days.
const END: f32 = 1e6;
/// The most columns there are.
pub(crate) const COLUMNS: usize = AGES.len();
/// Prior events of a column, a row and a cell: so many real ones weigh as much.
const BY_COLUMN: f32 = 20.0;
const BY_ROW: f32 = 3.0;
const BY_CELL: f32 = 8.0;

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
    first: usize,
    len: usize,
    mass: [f32; COLUMNS],
    at_risk: [f32; COLUMNS],
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

/// Hazards by row and column, per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    axis: Axis,
    prior: Vec<f32>,
    /// Events that the prior expects of the time in which nothing happened.
    quiet: Vec<f32>,
    /// Events and what the prior expects of all exposure, for the next fit.
    events: Vec<f32>,
    expected: Vec<f32>,
    hazard: Vec<f32>,
    /// Sum of the hazards up to the lower edge of each column.
    below: Vec<f32>,
}

impl Table {
    /// A table of so many rows with a prior mean of events between two places of the axis.
    pub(crate) fn new(axis: Axis, rows: usize, mean: impl Fn(usize, f32, f32) -> f32) -> Self {
        let columns = axis.edges().len();
        let cell = |at: usize| {
            let (low, high) = axis.span(at % columns);
            mean(at / columns, low, high) / (high - low)
        };
        let prior: Vec<f32> = (0..rows * columns).map(cell).collect();
        let none = vec![0.0; prior.len()];
        let mut table = Self {
            axis,
            hazard: prior.clone(),
            prior,
            quiet: none.clone(),
            events: none.clone(),
            expected: none.clone(),
            below: none,
        };
        table.fit();
        table
    }

    /// Hazard of a cell, per second.
    pub(crate) fn hazard(&self, row: usize, column: usize) -> f32 {
        self.hazard[row * self.axis.edges().len() + column]
    }

    /// Integral of the hazard from 0 to `x`.
    pub(crate) fn sum(&self, row: usize, x: f32) -> f32 {
        self.sum_at(row, self.place(x))
    }

    /// The column that holds `x`, and how far in it that is: the same for every row.
    pub(crate) fn place(&self, x: f32) -> (usize, f32) {
        let column = self.axis.column(x);
        (column, (x - self.axis.span(column).0).max(0.0))
    }

    /// What [`Table::sum`] says of a place.
    pub(crate) fn sum_at(&self, row: usize, (column, into): (usize, f32)) -> f32 {
        let at = row * self.axis.edges().len() + column;
        self.below[at] + self.hazard[at] * into
    }

    /// Nothing happened while it was exposed from `low` to `high`; `weight` is how sure that is.
    pub(crate) fn quiet(&mut self, row: usize, low: f32, high: f32, weight: f32) {
        let edges = self.axis.edges();
        let mut column = self.axis.column(low);
        while column < edges.len() && edges[column] < high {
            let (from, to) = self.axis.span(column);
            let at = row * edges.len() + column;
            self.quiet[at] += weight * self.prior[at] * (to.min(high) - from.max(low)).max(0.0);
            column += 1;
        }
    }

    /// What was learned counts `keep` of what it did; events are to be taken in anew.
    pub(crate) fn fade(&mut self, keep: f32) {
        for quiet in &mut self.quiet {
            *quiet *= keep;
        }
        self.expected.copy_from_slice(&self.quiet);
        self.events.fill(0.0);
    }

    /// A row was exposed until so many events as `spread` tells, by `share` its own.
    pub(crate) fn take(
        &mut self,
        row: usize,
        spread: &Spread,
        events: f32,
        share: impl Fn(usize) -> f32,
    ) {
        let start = row * self.axis.edges().len();
        for place in 0..spread.len {
            let column = spread.first + place;
            let at = start + column;
            self.events[at] += events * spread.mass[place] * share(column);
            self.expected[at] += events * self.prior[at] * spread.at_risk[place];
        }
    }

    /// Hazards follow what was taken in: first the columns, of rows without bids and with, then the
    /// rows, then the cells.
    pub(crate) fn fit(&mut self) {
        let columns = self.axis.edges().len();
        let mut counts = [[(0.0, 0.0); COLUMNS]; 2];
        for at in 0..self.events.len() {
            let count = &mut counts[at / columns % 2][at % columns];
            *count = (count.0 + self.events[at], count.1 + self.expected[at]);
        }
        let factors = counts.map(|counts| self.factors(&counts));
        for start in (0..self.events.len()).step_by(columns) {
            let factors = &factors[start / columns % 2];
            let cells = start..start + columns;
            let seen: f32 = self.events[cells.clone()].iter().sum();
            let foreseen: f32 = cells.zip(factors).map(|(at, by)| by * self.expected[at]).sum();
            let row = (BY_ROW + seen) / (BY_ROW + foreseen);
            let mut below = 0.0;
            for (column, factor) in factors[..columns].iter().enumerate() {
                let at = start + column;
                let margin = row * factor;
                let cell = (BY_CELL + self.events[at]) / (BY_CELL + margin * self.expected[at]);
                self.hazard[at] = self.prior[at] * margin * cell;
                self.below[at] = below;
                let (low, high) = self.axis.span(column);
                below += self.hazard[at] * (high - low);
            }
        }
    }

    /// How much more happened in each column than the prior expects; one without data is between the
    /// prior and the one that time passed before it.
    fn factors(&self, counts: &[(f32, f32)]) -> [f32; COLUMNS] {
        let columns = self.axis.edges().len();
        let (mut factors, mut before) = ([1.0; COLUMNS], 1.0f32);
        for step in 0..columns {
            let column = if self.axis == Axis::Age { step } else { columns - 1 - step };
            let (seen, foreseen) = counts[column];
            before = (BY_COLUMN * before.powf(0.9) + seen) / (BY_COLUMN + foreseen);
            factors[column] = before;
        }
        factors
    }
}
