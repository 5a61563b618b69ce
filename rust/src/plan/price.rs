//! What a request is worth at the margin: the shadow price at which the day's budget is just used.
//!
//! A page is due when waiting has cost as much as a request is worth: with V(t) new listings found
//! after t seconds, when V(t) - t V'(t), those that came and went meanwhile, reaches the price. A
//! lot is asked after when its answer is worth a batch's share of the price. Both together use the
//! budget at one price, which is found by bisection.

use crate::market::asked::MINUTE;
use crate::plan::drawn::Drawn;
use crate::plan::fading::{Fading, WAITS};
use serde::{Deserialize, Serialize};

/// The price is worked out again after this long, microseconds.
pub const PRICE_EVERY: i64 = 10 * MINUTE;
/// What a listing was worth that came and went unseen: most that end early are bought.
pub const LOST: f32 = 0.85;
/// Steps of worth.
const STEPS: usize = 32;

/// How much the answers of the lots that came due were worth.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worths {
    counts: [f32; STEPS],
    /// What of their sales was known without being asked after.
    known: f32,
}

impl Worths {
    /// A rough prior: a quarter surely sold, the rest by their price.
    #[must_use]
    pub fn new() -> Self {
        let mut counts = [0.5; STEPS];
        counts[STEPS - 1] = 10.0;
        Self { counts, known: 0.0 }
    }

    /// One more, and what is known of it without an answer.
    pub fn add(&mut self, worth: f32, known: f32) {
        self.counts[step(worth)] += 1.0;
        self.known += known;
        if self.counts.iter().sum::<f32>() > 20_000.0 {
            self.counts.iter_mut().for_each(|count| *count *= 0.5);
            self.known *= 0.5;
        }
    }

    fn total(&self) -> f32 {
        self.counts.iter().sum()
    }

    /// Share of lots worth at least this.
    #[must_use]
    pub fn share(&self, least: f32) -> f32 {
        let from = (0..STEPS).filter(|&i| middle(i) >= least);
        from.map(|i| self.counts[i]).sum::<f32>() / self.total()
    }

    /// What the lots worth at least this are worth, of one lot on average.
    #[must_use]
    pub fn from(&self, least: f32) -> f32 {
        let from = (0..STEPS).filter(|&i| middle(i) >= least);
        (from.map(|i| self.counts[i] * middle(i)).sum::<f32>() + self.known) / self.total()
    }

    /// What a lot is worth beyond `cost`, on average, if it is only asked after where that pays.
    #[must_use]
    pub fn beyond(&self, cost: f32) -> f32 {
        let gain = |i: usize| self.counts[i] * (middle(i) - cost).max(0.0);
        ((0..STEPS).map(gain).sum::<f32>() + self.known) / self.total()
    }
}

impl Default for Worths {
    fn default() -> Self {
        Self::new()
    }
}

fn step(worth: f32) -> usize {
    ((worth.clamp(0.0, 1.0) * STEPS as f32) as usize).min(STEPS - 1)
}

fn middle(step: usize) -> f32 {
    if step == STEPS - 1 { 1.0 } else { (step as f32 + 0.5) / STEPS as f32 }
}

/// A place of the list at which new listings gather.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// How many such places there are, alike.
    pub places: f32,
    /// Share of all listings that come to each.
    pub share: f32,
    /// Most of them that a page shows.
    pub cap: f32,
    /// Of one of them, drawn anew for each request: what was not shown yet.
    pub drawn: Option<Drawn>,
}

/// What is planned with.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Requests a day.
    pub per_day: f32,
    /// Ids of a refresh.
    pub batch: f32,
    /// Whether lots are asked after at all.
    pub asks: bool,
    /// What a new listing is worth beside its answer.
    pub bonus: f32,
}

/// The price of a request, in sales that become known: of hours with so many listings a second, between
/// which requests can be moved.
#[must_use]
pub fn shadow(
    hourly: &[f32],
    streams: &[Stream],
    fading: &Fading,
    worths: &Worths,
    means: Means,
) -> f32 {
    let budget = means.per_day * hourly.len() as f32 / 24.0;
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..24 {
        let price = f32::midpoint(low, high);
        if spent(price, hourly, streams, fading, worths, means) > budget {
            low = price;
        } else {
            high = price;
        }
    }
    high
}

/// Requests of these hours at a price.
fn spent(
    price: f32,
    hourly: &[f32],
    streams: &[Stream],
    fading: &Fading,
    worths: &Worths,
    means: Means,
) -> f32 {
    let (pages, _, refreshes) = yields(price, hourly, streams, fading, worths, means);
    pages + refreshes
}

/// Hours at a price: pages, listings that they show for the first time, refreshes.
#[must_use]
pub fn yields(
    price: f32,
    hourly: &[f32],
    streams: &[Stream],
    fading: &Fading,
    worths: &Worths,
    means: Means,
) -> (f32, f32, f32) {
    let cost = if means.asks { price / means.batch } else { 0.0 };
    let value = worths.beyond(cost) + means.bonus;
    let interval = 86_400.0 / means.per_day;
    let (mut pages, mut seen) = (0.0, 0.0);
    for stream in streams {
        let Some(drawn) = stream.drawn else { continue };
        let (least, most) = (price / value.max(LOST), means.per_day / 24.0);
        let (drawn, shown) = drawn.pages(least, hourly, stream.places, stream.cap, most);
        (pages, seen) = (pages + drawn, seen + shown);
    }
    for &rate in hourly {
        for stream in streams.iter().filter(|stream| stream.drawn.is_none()) {
            let shortest = interval * stream.places;
            let rate = rate * stream.share;
            let full = fading.full(rate, stream.cap).max(shortest);
            let finer = |step: u8| shortest * 1.07_f32.powi(i32::from(step));
            let most = if stream.places > 1.0 { 50 } else { 1 };
            let waits = (0..most).map(finer).chain(WAITS).filter(|&wait| wait >= shortest);
            let mut waits = waits
                .take_while(|&wait| wait < full)
                .chain([full])
                .map(|wait| (wait, fading.page(rate, stream.cap * 0.999, wait)));
            let lost_worth = if stream.places > 1.0 { value.max(LOST) } else { value };
            let due = waits.find(|&(_, (_, lost))| lost * lost_worth >= price);
            let (wait, (shown, _)) = due.unwrap_or((172_800.0, (0.0, 0.0)));
            pages += stream.places * 3_600.0 / wait;
            seen += stream.places * 3_600.0 / wait * shown;
        }
    }
    let refreshes = if means.asks { seen * worths.share(cost) / means.batch } else { 0.0 };
    (pages, seen, refreshes)
}
