//! What a card of its overall, position and program costs, before one was sold: ridge on log price.

use super::level::{Normal, trust};
use super::solve::Matrix;

/// Kinds of cards: positions and programs as numbers that whoever asks gives out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// 0 to 99.
    pub overall: Option<u32>,
    /// From 0 on.
    pub position: Option<usize>,
    /// From 0 on.
    pub program: Option<usize>,
}

/// A card whose level is known: its traits, that log price, its weight against one that is well known.
pub(crate) type Known = (Traits, f64, f64);

/// What cards cost by their traits.
#[derive(Clone, Debug, PartialEq)]
pub struct Hedonic {
    pub(crate) coefficients: Vec<f64>,
    /// Place of the first program's coefficient, behind those of positions.
    pub(crate) programs_from: usize,
    pub(crate) spread: f64,
}

/// How many cards the prior of an effect is worth.
const RIDGE: f64 = 2.0;
/// Spread where nothing is known, in logs.
const WIDE: f64 = 1.5;

impl Hedonic {
    /// By robust ridge regression.
    pub(crate) fn learned(cards: &[Known]) -> Self {
        let most = |one: fn(&Traits) -> Option<usize>| {
            cards.iter().filter_map(|card| one(&card.0)).max().map_or(0, |most| most + 1)
        };
        let (positions, programs) = (most(|card| card.position), most(|card| card.program));
        let programs_from = 3 + positions;
        let size = programs_from + programs;
        let mut this = Self { coefficients: vec![0.0; size], programs_from, spread: WIDE };
        let mut robust = vec![1.0; cards.len()];
        let known: f64 = cards.iter().map(|card| card.2).sum();
        for _ in 0..if cards.is_empty() { 0 } else { 4 } {
            let mut matrix = Matrix::new(size);
            let mut right = vec![0.0; size];
            for ((traits, level, weight), robust) in cards.iter().zip(&robust) {
                let row = this.row(traits);
                for &(i, one) in &row {
                    right[i] += weight * robust * one * level;
                    for &(j, other) in row.iter().filter(|(j, _)| *j <= i) {
                        matrix.add(i, j, weight * robust * one * other);
                    }
                }
            }
            matrix.add(0, 0, 1e-6);
            (1..size).for_each(|i| matrix.add(i, i, RIDGE));
            this.coefficients = matrix.solved(&right).0;
            let rests: Vec<f64> = cards.iter().map(|card| card.1 - this.mean(&card.0)).collect();
            let square =
                |((card, rest), robust): ((&Known, &f64), &f64)| card.2 * robust * rest * rest;
            let squares: f64 = cards.iter().zip(&rests).zip(&robust).map(square).sum();
            this.spread = (squares / known).sqrt().clamp(0.1, WIDE);
            robust = rests.iter().map(|rest| trust((rest / this.spread).powi(2))).collect();
        }
        this
    }

    /// Log price of such a card.
    #[must_use]
    pub fn of(&self, traits: &Traits) -> Normal {
        Normal { mean: self.mean(traits), variance: self.spread.powi(2) }
    }

    fn mean(&self, traits: &Traits) -> f64 {
        self.row(traits).iter().map(|&(i, one)| self.coefficients[i] * one).sum()
    }

    fn row(&self, traits: &Traits) -> Vec<(usize, f64)> {
        let mut row = vec![(0, 1.0)];
        if let Some(overall) = traits.overall {
            let tens = (f64::from(overall) - 80.0) / 10.0;
            row.extend([(1, tens), (2, tens * tens)]);
        }
        let (programs, size) = (self.programs_from, self.coefficients.len());
        row.extend(
            traits.position.map(|position| (3 + position, 1.0)).filter(|(i, _)| *i < programs),
        );
        row.extend(
            traits.program.map(|program| (programs + program, 1.0)).filter(|(i, _)| *i < size),
        );
        row
    }
}
