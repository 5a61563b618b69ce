//! Sales of one card within some days in; what they say of the market's moves out.
//!
//! In so short a time a card keeps its level but for noise: what its sales have in common with those of
//! other cards is the market (fixed effects of card and window). Outliers weigh less (Student-t).

use super::level::trust;
use super::sale::Kept;
use super::solve::Matrix;

/// Days of a step of the index.
pub(crate) const STEP: f64 = 0.25;
/// Steps in which a card keeps its level; windows overlap by half.
pub(crate) const WIDTH: usize = 16;

/// Sales of one card.
pub(crate) struct Window {
    first: usize,
    width: usize,
    /// Steps since its start, log price, weight.
    sales: Vec<(f64, f64, f64)>,
}

/// Normal equations of the moves, and how much sales scatter.
pub(crate) struct Sums {
    pub(crate) matrix: Matrix,
    pub(crate) right: Vec<f64>,
    squares: f64,
    sales: f64,
}

impl Sums {
    pub(crate) fn new(steps: usize) -> Self {
        Self { matrix: Matrix::new(steps), right: vec![0.0; steps], squares: 0.0, sales: 0.0 }
    }

    /// Variance of a sale around its card's level.
    pub(crate) fn noise(&self) -> f64 {
        (self.squares / self.sales.max(1.0)).clamp(0.001, 0.1)
    }
}

impl Window {
    /// All windows of a card's sales, in steps from `from` on.
    pub(crate) fn cut(sales: &[Kept], from: f64, steps: usize, into: &mut Vec<Self>) {
        for first in (0..steps.saturating_sub(WIDTH / 2).max(1)).step_by(WIDTH / 2) {
            let (low, high) = (from + first as f64 * STEP, from + (first + WIDTH) as f64 * STEP);
            let start = sales.partition_point(|sale| sale.at < low);
            let end = sales.partition_point(|sale| sale.at < high);
            if end - start > 1 {
                let place = |sale: &Kept| ((sale.at - low) / STEP, sale.price, sale.weight / 2.0);
                let sales = sales[start..end].iter().map(place).collect();
                into.push(Self { first, width: WIDTH.min(steps - first), sales });
            }
        }
    }

    /// Add what it says, given the moves and the noise so far.
    pub(crate) fn add(&self, moves: &[f64], noise: f64, sums: &mut Sums) {
        let shift = |elapsed: f64| -> f64 {
            (0..self.width).map(|step| moves[self.first + step] * share(elapsed, step)).sum()
        };
        let rests: Vec<f64> = self.sales.iter().map(|&(at, price, _)| price - shift(at)).collect();
        let mut level = super::median(rests.clone());
        let mut weights = Vec::new();
        for _ in 0..3 {
            let weigh = |(rest, sale): (&f64, &(f64, f64, f64))| {
                sale.2 * trust((rest - level).powi(2) / noise) / noise
            };
            weights = rests.iter().zip(&self.sales).map(weigh).collect();
            level = mean(&weights, &rests);
        }
        let count = rests.len() as f64;
        for ((rest, weight), sale) in rests.iter().zip(&weights).zip(&self.sales) {
            sums.squares += weight * noise * (rest - level).powi(2) * count / (count - 1.0);
            sums.sales += sale.2;
        }
        // prices less their mean, on elapsed moves less their mean
        let prices: Vec<f64> = self.sales.iter().map(|sale| sale.1).collect();
        let price = mean(&weights, &prices);
        let middle: Vec<f64> = (0..self.width)
            .map(|step| {
                let shares: Vec<f64> = self.sales.iter().map(|sale| share(sale.0, step)).collect();
                mean(&weights, &shares)
            })
            .collect();
        for (sale, weight) in self.sales.iter().zip(&weights) {
            let row: Vec<f64> =
                middle.iter().enumerate().map(|(step, mean)| share(sale.0, step) - mean).collect();
            for (i, one) in row.iter().enumerate() {
                sums.right[self.first + i] += weight * one * (sale.1 - price);
                for (j, other) in row[..=i].iter().enumerate() {
                    sums.matrix.add(self.first + i, self.first + j, weight * one * other);
                }
            }
        }
    }
}

/// How much of a step had passed.
fn share(elapsed: f64, step: usize) -> f64 {
    (elapsed - step as f64).clamp(0.0, 1.0)
}

fn mean(weights: &[f64], values: &[f64]) -> f64 {
    let sum: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
    sum / weights.iter().sum::<f64>()
}
