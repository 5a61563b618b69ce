//! How new listings fade while nobody looks: survival in, what a page shows after a wait out.

use serde::{Deserialize, Serialize};

/// Points at which survival is read, in seconds of waiting.
pub const WAITS: [f32; 27] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 65.0, 80.0, 100.0, 130.0, 170.0, 220.0, 300.0, 400.0,
    600.0, 900.0, 1_500.0, 2_700.0, 5_400.0, 10_800.0, 16_200.0, 21_600.0, 32_400.0, 43_200.0,
    86_400.0, 172_800.0,
];

/// How new listings fade while nobody looks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fading {
    /// Survival and its integral at each of [`WAITS`].
    points: [(f32, f32); WAITS.len()],
}

impl Fading {
    /// By a survival curve.
    #[must_use]
    pub fn new(survival: impl Fn(f32) -> f32) -> Self {
        let mut points = [(0.0, 0.0); WAITS.len()];
        let (mut last, mut at, mut sum) = (1.0, 0.0, 0.0);
        for (point, &wait) in points.iter_mut().zip(&WAITS) {
            let alive = survival(wait);
            sum += f32::midpoint(last, alive) * (wait - at);
            (last, at) = (alive, wait);
            *point = (alive, sum);
        }
        Self { points }
    }

    /// By a survival curve, where looks come at random, a wait apart on average.
    #[must_use]
    pub fn drawn(survival: impl Fn(f32) -> f32) -> Self {
        let steady = Self::new(survival);
        let points = WAITS.map(|wait| {
            let (mut alive, mut sum, mut last) = (0.0, 0.0, 0.0);
            for step in 0..40 {
                // equally likely spans of the time since the last look
                let next = if step == 39 { 8.0 } else { -(1.0 - (step + 1) as f32 / 40.0).ln() };
                let lived = steady.after(next * wait).1 - steady.after(last * wait).1;
                let weight = 1.0 - (step as f32 + 0.5) / 40.0;
                sum += lived * weight;
                alive += lived * weight * (last + next) / 2.0 / wait;
                last = next;
            }
            (alive, sum)
        });
        Self { points }
    }

    /// Survival and its integral after a wait.
    #[must_use]
    pub fn after(&self, wait: f32) -> (f32, f32) {
        let index = WAITS.partition_point(|&point| point < wait);
        let low = index.checked_sub(1).map_or((0.0, (1.0, 0.0)), |i| (WAITS[i], self.points[i]));
        let Some(&high) = self.points.get(index) else {
            let (alive, sum) = self.points[WAITS.len() - 1];
            return (alive, sum + alive * (wait - WAITS[WAITS.len() - 1]));
        };
        let share = (wait - low.0) / (WAITS[index] - low.0);
        (low.1.0 + share * (high.0 - low.1.0), low.1.1 + share * (high.1 - low.1.1))
    }

    /// After which wait a page is full of new listings.
    #[must_use]
    pub fn full(&self, rate: f32, cap: f32) -> f32 {
        let target = cap / rate.max(1e-9);
        let mut wait = target;
        for _ in 0..3 {
            wait *= target / self.after(wait).1.max(1e-9);
        }
        wait.min(172_800.0)
    }

    /// New listings that a page would show after `wait`, and what waiting has cost of them.
    #[must_use]
    pub fn page(&self, rate: f32, cap: f32, wait: f32) -> (f32, f32) {
        let (alive, sum) = self.after(wait);
        let shown = rate * sum;
        if shown >= cap { (cap, cap) } else { (shown, rate * (sum - wait * alive)) }
    }
}
