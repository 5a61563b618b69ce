//! A symmetric, positive system of equations.

/// A square matrix by rows; only its lower half is read.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    size: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.size + column] += value;
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    /// x of `self · x = right`, and the log of the determinant (Cholesky).
    pub(crate) fn solved(mut self, right: &[f64]) -> (Vec<f64>, f64) {
        let mut found = right.to_vec();
        let mut log_det = 0.0;
        for column in 0..self.size {
            let pivot = self.at(column, column).max(1e-12).sqrt();
            log_det += 2.0 * pivot.ln();
            for row in column..self.size {
                self.values[row * self.size + column] /= pivot;
            }
            for next in column + 1..self.size {
                let factor = self.at(next, column);
                if factor != 0.0 {
                    for row in next..self.size {
                        self.values[row * self.size + next] -= self.at(row, column) * factor;
                    }
                }
            }
        }
        for row in 0..self.size {
            let known: f64 = (0..row).map(|column| self.at(row, column) * found[column]).sum();
            found[row] = (found[row] - known) / self.at(row, row);
        }
        for row in (0..self.size).rev() {
            let known: f64 =
                (row + 1..self.size).map(|below| self.at(below, row) * found[below]).sum();
            found[row] = (found[row] - known) / self.at(row, row);
        }
        (found, log_det)
    }
}
