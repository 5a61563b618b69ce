//! The listings of one card in; what stood beside a sale, or stands now, out.

/// A listing with a buyout price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Coins.
    pub price: f64,
    /// First seen on offer, days.
    pub from: f64,
    /// Not known to be on offer any more from then on, days.
    pub to: f64,
}

/// Asks of a card, by the time they were first seen.
#[derive(Clone, Debug, Default)]
pub struct Asks {
    asks: Vec<Ask>,
    longest: f64,
}

impl Asks {
    /// In any order.
    #[must_use]
    pub fn new(mut asks: Vec<Ask>) -> Self {
        asks.sort_by(|one, other| one.from.total_cmp(&other.from));
        let longest = asks.iter().map(|ask| ask.to - ask.from).fold(0.0, f64::max);
        Self { asks, longest }
    }

    /// The two cheapest of those that had stood for `stood` days at `at`, and stood on.
    #[must_use]
    pub fn cheapest(&self, at: f64, stood: f64) -> [Option<f64>; 2] {
        let end = self.asks.partition_point(|ask| ask.from <= at - stood);
        let start = self.asks.partition_point(|ask| ask.from < at - self.longest).min(end);
        let (mut first, mut second) = (f64::INFINITY, f64::INFINITY);
        for ask in self.asks[start..end].iter().filter(|ask| ask.to > at) {
            second = second.min(first.max(ask.price));
            first = first.min(ask.price);
        }
        [first, second].map(|price| price.is_finite().then_some(price))
    }
}
