//! Events and exposure in, hazards out: constant in each cell, shrunk from cell to margins to prior.
//!
//! Rows come in groups that follow each other in turn, those without bids and with in pairs: each group
//! has columns of its own.
//!
//! Invariant: a cell without data follows its row and column, and these the prior; a hazard is never
//! negative, and where the prior is 0 it stays 0.

use serde::{Deserialize, Serialize};

use crate::market::hazards::{Axis, COLUMNS, Spread};

/// Prior events of a column, a row and a cell: so many real ones weigh as much.
const BY_COLUMN: f32 = 20.0;
const BY_ROW: f32 = 3.0;
const BY_CELL: f32 = 8.0;

/// Hazards by row and column, per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    axis: Axis,
    groups: usize,
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
    /// A table of so many rows, by so many groups, with a prior mean of events between two places of
    /// the axis.
    pub(crate) fn new(
        axis: Axis,
        (rows, groups): (usize, usize),
        mean: impl Fn(usize, f32, f32) -> f32,
    ) -> Self {
        let columns = axis.edges().len();
        let cell = |at: usize| {
            let (low, high) = axis.span(at % columns);
            mean(at / columns, low, high) / (high - low)
        };
        let prior: Vec<f32> = (0..rows * columns).map(cell).collect();
        let none = vec![0.0; prior.len()];
        let mut table = Self {
            axis,
            groups,
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

    /// Hazards follow what was taken in: first the columns of each group, then the rows, then the
    /// cells. A row with bids begins where the one without came to: what a lot costs weighs more than
    /// whether anybody bid.
    pub(crate) fn fit(&mut self) {
        for group in 0..self.groups {
            self.fit_group(group);
        }
    }

    fn fit_group(&mut self, group: usize) {
        let columns = self.axis.edges().len();
        let starts = (group * columns..self.events.len()).step_by(self.groups * columns);
        let half = group % 2;
        let mut cells = Vec::new(); // where it begins against the prior, events, expected
        for at in starts.clone().flat_map(|start| start..start + columns) {
            let before = at - half * columns;
            let is_open = half == 1 && self.prior[before] > 0.0;
            let begin = if is_open { self.hazard[before] / self.prior[before] } else { 1.0 };
            cells.push((begin, self.events[at], begin * self.expected[at]));
        }
        let mut counts = [(0.0, 0.0); COLUMNS];
        for (at, (_, events, expected)) in cells.iter().enumerate() {
            let count = &mut counts[at % columns];
            *count = (count.0 + events, count.1 + expected);
        }
        let factors = self.factors(&counts);
        for (start, cells) in starts.zip(cells.chunks(columns)) {
            let seen: f32 = cells.iter().map(|cell| cell.1).sum();
            let foreseen: f32 = cells.iter().zip(factors).map(|(cell, by)| by * cell.2).sum();
            let row = (BY_ROW + seen) / (BY_ROW + foreseen);
            let mut below = 0.0;
            for (column, (begin, events, expected)) in cells.iter().enumerate() {
                let (at, margin) = (start + column, row * factors[column]);
                let cell = (BY_CELL + events) / (BY_CELL + margin * expected);
                self.hazard[at] = self.prior[at] * begin * margin * cell;
                self.below[at] = below;
                let (low, high) = self.axis.span(column);
                below += self.hazard[at] * (high - low);
            }
        }
    }

    /// How much more happened in each column than the prior expects; one without data is between the
    /// prior and the one that time passed before it, the first of them all of the table.
    fn factors(&self, counts: &[(f32, f32)]) -> [f32; COLUMNS] {
        let columns = self.axis.edges().len();
        let all = |sum: (f32, f32), count: &(f32, f32)| (sum.0 + count.0, sum.1 + count.1);
        let (seen, foreseen) = counts.iter().fold((BY_COLUMN, BY_COLUMN), all);
        let (mut factors, mut before) = ([1.0; COLUMNS], seen / foreseen);
        for step in 0..columns {
            let column = if self.axis == Axis::Age { step } else { columns - 1 - step };
            let (seen, foreseen) = counts[column];
            before = (BY_COLUMN * before.powf(0.9) + seen) / (BY_COLUMN + foreseen);
            factors[column] = before;
        }
        factors
    }
}

/// What happens at any time alike, as often as its prior says times a factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steady {
    /// See [`Table`].
    quiet: f32,
    events: f32,
    expected: f32,
    pub(crate) factor: f32,
}

impl Steady {
    /// As the prior says.
    pub(crate) fn new() -> Self {
        Self { quiet: 0.0, events: 0.0, expected: 0.0, factor: 1.0 }
    }

    /// Nothing happened in so many seconds where the prior expects `hazard` a second.
    pub(crate) fn quiet(&mut self, hazard: f32, seconds: f32) {
        self.quiet += hazard * seconds.max(0.0);
    }

    /// See [`Table::fade`].
    pub(crate) fn fade(&mut self, keep: f32) {
        self.quiet *= keep;
        (self.events, self.expected) = (0.0, self.quiet);
    }

    /// So many events happened, by `share` its own, where the prior expects `hazard` a second.
    pub(crate) fn take(
        &mut self,
        hazard: f32,
        spread: &Spread,
        events: f32,
        share: impl Fn(usize) -> f32,
    ) {
        let own = |place: usize| spread.mass[place] * share(spread.first + place);
        self.events += events * (0..spread.len).map(own).sum::<f32>();
        self.expected += events * hazard * spread.wait();
    }

    /// The factor follows what was taken in.
    pub(crate) fn fit(&mut self) {
        self.factor = (BY_COLUMN + self.events) / (BY_COLUMN + self.expected);
    }
}
