//! Sales of all cards in; the level of the whole market over time out.
//!
//! A hedonic index of [windows](super::window), the successor of repeat sales (Bailey, Muth and Nourse
//! 1963; Case and Shiller 1989). How much the market moves in a step is what makes the sales likeliest.

use super::sale::Kept;
use super::window::{STEP, Sums, Window};

/// Moves of a step, in logs, that are tried.
const MOVES: [f64; 6] = [0.0005, 0.002, 0.005, 0.01, 0.02, 0.04];
/// A step's move is small as a rule, but a promo falls within hours: Student-t of so many.
const HEAVY: f64 = 2.0;
/// Rounds of iterated weights.
const ROUNDS: usize = 5;

/// Log level of the market; 0 at the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Days.
    pub(crate) from: f64,
    /// At the start of each step, and at the end.
    pub(crate) path: Vec<f64>,
}

impl Index {
    /// The moves of the last `days` before 0; `cards`: sales of each, by time.
    #[must_use]
    pub fn learned<'a>(cards: impl Iterator<Item = &'a [Kept]>, days: f64) -> Self {
        let steps = (days / STEP).ceil().max(1.0) as usize;
        let from = -(steps as f64) * STEP;
        let mut windows = Vec::new();
        for sales in cards {
            Window::cut(sales, from, steps, &mut windows);
        }
        let mut moves = vec![0.0; steps];
        let mut noise = 0.0225; // a scatter of 15 %
        for round in 0..ROUNDS {
            let mut sums = Sums::new(steps);
            for window in &windows {
                window.add(&moves, noise, &mut sums);
            }
            moves = likeliest(&sums, &moves, round == 0);
            noise = sums.noise();
        }
        let mut path = vec![0.0];
        for step in moves.iter().rev() {
            path.push(path[path.len() - 1] - step);
        }
        path.reverse();
        Self { from, path }
    }

    /// Log level at `at`, days; what it was at the end after it, and at the start before.
    #[must_use]
    pub fn at(&self, at: f64) -> f64 {
        let Some(steps) = self.path.len().checked_sub(2) else { return 0.0 };
        let place = ((at - self.from) / STEP).clamp(0.0, (steps + 1) as f64);
        let low = (place as usize).min(steps);
        self.path[low] + (self.path[low + 1] - self.path[low]) * (place - low as f64)
    }
}

/// The moves under that size of a step which makes the sales likeliest.
fn likeliest(sums: &Sums, before: &[f64], first: bool) -> Vec<f64> {
    let mut best = (f64::NEG_INFINITY, Vec::new());
    for size in MOVES {
        let mut matrix = sums.matrix.clone();
        let mut odds = 0.0;
        for (step, moved) in before.iter().enumerate() {
            let far = (moved / size).powi(2);
            let heavy = if first { 1.0 } else { (HEAVY + 1.0) / (HEAVY + far) };
            let prior = heavy / (size * size);
            matrix.add(step, step, prior);
            odds += 0.5 * prior.ln();
        }
        let (moves, log_det) = matrix.solved(&sums.right);
        let fit: f64 = moves.iter().zip(&sums.right).map(|(one, right)| one * right).sum();
        odds += 0.5 * (fit - log_det);
        if odds > best.0 {
            best = (odds, moves);
        }
    }
    best.1
}
