//! Log prices of one card in; its level now, and how sure that is, out.
//!
//! A local level: a random walk that is seen through noise (Harvey 1989). The noise is Student-t by
//! iterated weights over the smoothed path (Rauch, Tung and Striebel 1965); the walk's speed is
//! averaged over several by their likelihood.

/// Degrees of freedom of a sale's noise.
const FREEDOM: f64 = 4.0;
const ROUNDS: usize = 5;
/// How many sales the market's noise is worth when a card's own is learned.
const WORTH: f64 = 6.0;
const LEAST_NOISE: f64 = 0.0004;
const MOST_NOISE: f64 = 0.04;

/// Weight of a rest so many spreads off, squared, under Student-t.
pub(crate) fn trust(far: f64) -> f64 {
    (FREEDOM + 1.0) / (FREEDOM + far)
}

/// Log density of a rest under Student-t, but for a constant.
pub(crate) fn likely(rest: f64, variance: f64) -> f64 {
    let far = (rest * rest / (FREEDOM * variance)).ln_1p();
    -0.5 * (variance.ln() + (FREEDOM + 1.0) * far)
}

/// A price as it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Days.
    pub at: f64,
    /// Log price, less what the market did since.
    pub value: f64,
    /// Of a whole sale.
    pub weight: f64,
}

/// A normal distribution of a log price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// Its middle.
    pub mean: f64,
    /// Its spread, squared.
    pub variance: f64,
}

impl Normal {
    /// What is left of it beside another view of the same with such a variance, Student-t where that
    /// is far off.
    #[must_use]
    pub fn beside(self, other: f64, noise: f64) -> Self {
        let rest = other - self.mean;
        let robust = trust(rest * rest / (self.variance + noise));
        let gain = self.variance / (self.variance + noise / robust);
        Self { mean: self.mean + gain * rest, variance: self.variance * (1.0 - gain) }
    }
}

/// A card's level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Log price now.
    pub now: Normal,
    /// Variance of a sale around it.
    pub noise: f64,
    /// Spread of its walk in a day.
    pub speed: f64,
}

/// How the cards of a market behave.
#[derive(Clone, Debug, PartialEq)]
pub struct Habits {
    /// Speeds of a walk, and the share of the cards that have each.
    pub speeds: Vec<(f64, f64)>,
    /// Variance of a sale around its card's level.
    pub noise: f64,
}

impl Default for Habits {
    /// Before anything was learned: 6.5 % of scatter, speeds from none to 14 % a day.
    fn default() -> Self {
        let speeds = [0.003, 0.015, 0.035, 0.07, 0.14];
        Self { speeds: speeds.map(|speed| (speed, 0.2)).to_vec(), noise: 0.0042 }
    }
}

impl Habits {
    /// The level of a card now (time 0) by what was `seen` of it, by time; `prior` is before that.
    #[must_use]
    pub fn level(&self, seen: &[Seen], prior: Normal) -> Level {
        let fits = self.fits(seen, prior);
        let of = |value: &dyn Fn(&Level) -> f64| -> f64 {
            fits.iter().map(|(share, level)| share * value(level)).sum()
        };
        let mean = of(&|level| level.now.mean);
        let variance = of(&|level| level.now.variance + (level.now.mean - mean).powi(2));
        let now = Normal { mean, variance };
        Level { now, noise: of(&|level| level.noise), speed: of(&|level| level.speed) }
    }

    /// What was known of a card before each price, at its likeliest speed.
    pub(crate) fn before(&self, seen: &[Seen], prior: Normal) -> Vec<Normal> {
        let fits = self.fits(seen, prior).into_iter();
        let best = fits.max_by(|one, other| one.0.total_cmp(&other.0));
        let speed = best.map_or(0.0, |(_, level)| level.speed);
        let mut path = Path::new(seen);
        path.forwards(prior, speed, self.noise);
        path.backwards(self.noise, self.noise);
        path.forwards(prior, speed, self.noise);
        path.before
    }

    /// A level for each speed, with the share by which that is likely.
    pub(crate) fn fits(&self, seen: &[Seen], prior: Normal) -> Vec<(f64, Level)> {
        let fit = |&(speed, share): &(f64, f64)| {
            let (odds, level) = Path::new(seen).fit(prior, speed, self.noise);
            (odds + share.ln(), level)
        };
        let mut fits: Vec<(f64, Level)> = self.speeds.iter().map(fit).collect();
        let best = fits.iter().map(|(odds, _)| *odds).fold(f64::NEG_INFINITY, f64::max);
        let all: f64 = fits.iter().map(|(odds, _)| (odds - best).exp()).sum();
        for fit in &mut fits {
            fit.0 = (fit.0 - best).exp() / all;
        }
        fits
    }
}

/// Prices of a card and what is made of them at one speed.
struct Path<'a> {
    seen: &'a [Seen],
    /// Weights of Student-t.
    robust: Vec<f64>,
    before: Vec<Normal>,
    after: Vec<Normal>,
}

impl<'a> Path<'a> {
    fn new(seen: &'a [Seen]) -> Self {
        let none = Normal { mean: 0.0, variance: 0.0 };
        let (before, after) = (vec![none; seen.len()], vec![none; seen.len()]);
        Self { seen, robust: vec![1.0; seen.len()], before, after }
    }

    /// Log likelihood and level.
    fn fit(mut self, prior: Normal, speed: f64, usual: f64) -> (f64, Level) {
        let mut noise = usual;
        let mut found = self.forwards(prior, speed, noise);
        for _ in 1..ROUNDS {
            noise = self.backwards(noise, usual);
            found = self.forwards(prior, speed, noise);
        }
        (found.0, Level { now: found.1, noise, speed })
    }

    fn forwards(&mut self, prior: Normal, speed: f64, noise: f64) -> (f64, Normal) {
        let (mut now, mut odds) = (prior, 0.0);
        let mut at = self.seen.first().map_or(0.0, |one| one.at);
        for (place, one) in self.seen.iter().enumerate() {
            now.variance += speed * speed * (one.at - at);
            at = one.at;
            self.before[place] = now;
            let rest = one.value - now.mean;
            odds += one.weight * likely(rest, now.variance + noise / one.weight);
            let gain = now.variance / (now.variance + noise / (self.robust[place] * one.weight));
            now.mean += gain * rest;
            now.variance *= 1.0 - gain;
            self.after[place] = now;
        }
        now.variance += speed * speed * -at.min(0.0);
        (odds, now)
    }

    /// Weights in the light of all prices, and the noise that they show.
    fn backwards(&mut self, noise: f64, usual: f64) -> f64 {
        let (mut squares, mut count) = (WORTH * usual, WORTH);
        let mut later: Option<(Normal, Normal)> = None;
        for place in (0..self.seen.len()).rev() {
            let mut smooth = self.after[place];
            if let Some((next, predicted)) = later {
                let share = smooth.variance / predicted.variance;
                smooth.mean += share * (next.mean - predicted.mean);
                smooth.variance += share * share * (next.variance - predicted.variance);
            }
            later = Some((smooth, self.before[place]));
            let one = &self.seen[place];
            let square = (one.value - smooth.mean).powi(2) + smooth.variance;
            self.robust[place] = trust(square / noise);
            squares += one.weight * self.robust[place] * square;
            count += one.weight;
        }
        (squares / count).clamp(LEAST_NOISE, MOST_NOISE)
    }
}
