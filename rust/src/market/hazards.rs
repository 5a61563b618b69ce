//! Events and exposure in, hazards out: constant in each cell, shrunk from cell to margins to prior.
//!
//! Invariant: a cell without data follows its row and column, and these the prior; a hazard is never
//! negative, and where the prior is 0 it stays 0.

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
const COLUMNS: usize = AGES.len();
/// Prior events of the whole table, a row, a column, a cell: so many real ones weigh as much.
const WEIGHTS: [f32; 4] = [3.0, 3.0, 6.0, 4.0];

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
    /// Mean seconds until it happened.
    pub(crate) fn wait(&self) -> f32 {
        self.at_risk[..self.len].iter().sum()
    }

    /// Mean of a share that differs by column.
    pub(crate) fn share(&self, of: impl Fn(usize) -> f32) -> f32 {
        (0..self.len).map(|place| self.mass[place] * of(self.first + place)).sum()
    }
}

/// Hazards by row and column, per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    axis: Axis,
    prior: Vec<f32>,
    events: Vec<f32>,
    /// Events that the prior expects of the exposure.
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
        let (events, expected, below) = (none.clone(), none.clone(), none);
        let mut table = Self { axis, hazard: prior.clone(), prior, events, expected, below };
        table.fit(1.0);
        table
    }

    /// Hazard of a cell, per second.
    pub(crate) fn hazard(&self, row: usize, column: usize) -> f32 {
        self.hazard[row * self.axis.edges().len() + column]
    }

    /// Integral of the hazard from 0 to `x`.
    pub(crate) fn sum(&self, row: usize, x: f32) -> f32 {
        let column = self.axis.column(x);
        let at = row * self.axis.edges().len() + column;
        self.below[at] + self.hazard[at] * (x - self.axis.span(column).0).max(0.0)
    }

    /// Nothing happened while it was exposed from `low` to `high`; `weight` is how sure that is.
    pub(crate) fn quiet(&mut self, row: usize, low: f32, high: f32, weight: f32) {
        let edges = self.axis.edges();
        let mut column = self.axis.column(low);
        while column < edges.len() && edges[column] < high {
            let (from, to) = self.axis.span(column);
            let at = row * edges.len() + column;
            self.expected[at] += weight * self.prior[at] * (to.min(high) - from.max(low)).max(0.0);
            column += 1;
        }
    }

    /// Where between `low` and `high` it happened, by these hazards, given that it did.
    pub(crate) fn spread(&self, low: f32, high: f32, hazard: impl Fn(usize) -> f32) -> Spread {
        let (first, last) = (self.axis.column(low), self.axis.column(high));
        let len = last - first + 1;
        let mut spread = Spread { first, len, mass: [0.0; COLUMNS], at_risk: [0.0; COLUMNS] };
        let places = |step: usize| match self.axis {
            Axis::Age => step,
            Axis::Lead => len - 1 - step,
        };
        let width = |place: usize| {
            let (from, to) = self.axis.span(first + place);
            (to.min(high) - from.max(low)).max(0.0)
        };
        let mut alive = 1.0;
        for place in (0..len).map(places) {
            // a floor: what did happen was possible
            let mean = hazard(first + place).max(1e-9) * width(place);
            spread.mass[place] = -alive * (-mean).exp_m1();
            alive -= spread.mass[place];
        }
        let total = spread.mass[..len].iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let mut before = 1.0;
        for place in (0..len).map(places) {
            let mass = spread.mass[place] / total;
            before -= mass;
            spread.mass[place] = mass;
            spread.at_risk[place] = width(place) * (before.max(0.0) + mass / 2.0);
        }
        spread
    }

    /// It was exposed until what `spread` tells happened; `weight` is how sure that is.
    pub(crate) fn exposed(&mut self, row: usize, spread: &Spread, weight: f32) {
        let start = row * self.axis.edges().len() + spread.first;
        for place in 0..spread.len {
            let at = start + place;
            self.expected[at] += weight * self.prior[at] * spread.at_risk[place];
        }
    }

    /// What `spread` tells was an event of this row by `weight`; below 0 takes back.
    pub(crate) fn happened(&mut self, row: usize, spread: &Spread, weight: f32) {
        let start = row * self.axis.edges().len() + spread.first;
        for place in 0..spread.len {
            let event = &mut self.events[start + place];
            *event = (*event + weight * spread.mass[place]).max(0.0);
        }
    }

    /// What was learned counts `keep` of what it did; hazards follow the data.
    pub(crate) fn fit(&mut self, keep: f32) {
        let columns = self.axis.edges().len();
        let [all, by_row, by_column, by_cell] = WEIGHTS;
        let (mut events, mut expected) = (0.0, 0.0);
        for at in 0..self.events.len() {
            self.events[at] *= keep;
            self.expected[at] *= keep;
            events += self.events[at];
            expected += self.expected[at];
        }
        let level = (all + events) / (all + expected);
        let mut per_column = [(by_column, by_column); COLUMNS];
        for start in (0..self.events.len()).step_by(columns) {
            let cells = start..start + columns;
            let seen: f32 = self.events[cells.clone()].iter().sum();
            let foreseen: f32 = self.expected[cells.clone()].iter().sum();
            let row = level * (by_row + seen) / (by_row + level * foreseen);
            for at in cells {
                self.hazard[at] = row;
                per_column[at - start].0 += self.events[at];
                per_column[at - start].1 += row * self.expected[at];
            }
        }
        for start in (0..self.events.len()).step_by(columns) {
            let mut below = 0.0;
            for (column, &(seen, foreseen)) in per_column[..columns].iter().enumerate() {
                let at = start + column;
                let margin = self.hazard[at] * seen / foreseen;
                let cell = (by_cell + self.events[at]) / (by_cell + margin * self.expected[at]);
                self.hazard[at] = self.prior[at] * margin * cell;
                self.below[at] = below;
                let (low, high) = self.axis.span(column);
                below += self.hazard[at] * (high - low);
            }
        }
    }
}
