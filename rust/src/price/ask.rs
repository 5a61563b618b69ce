//! The listings of one card in; what stood beside a sale, or stands now, out.

/// What was seen within it is of now, days: as long as an ask has to wait to be too dear.
const LATELY: f64 = 0.25;

/// A listing with a buyout price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Coins.
    pub price: f64,
    /// First seen on offer, days.
    pub from: f64,
    /// Not known to be on offer any more from then on, days.
    pub to: f64,
    /// No end of it is known: `to` is when it was seen last.
    pub open: bool,
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
    pub fn beside(&self, at: f64, stood: f64) -> [Option<f64>; 2] {
        let end = self.asks.partition_point(|ask| ask.from <= at - stood);
        let start = self.asks.partition_point(|ask| ask.from < at - self.longest).min(end);
        cheapest(self.asks[start..end].iter().filter(|ask| ask.to > at))
    }

    /// The two cheapest that stand now, and were seen to after `stood` days: nobody may have looked at
    /// the others, and nobody has at one for [`LATELY`].
    #[must_use]
    pub fn standing(&self, stood: f64) -> [Option<f64>; 2] {
        let stand = |ask: &&Ask| ask.open && ask.to >= -LATELY && ask.to - ask.from >= stood;
        cheapest(self.asks.iter().filter(stand))
    }

    /// All that is to be known of them from now on.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.asks.retain(|ask| ask.open);
        self.asks.shrink_to_fit();
        self
    }
}

fn cheapest<'a>(asks: impl Iterator<Item = &'a Ask>) -> [Option<f64>; 2] {
    let (mut first, mut second) = (f64::INFINITY, f64::INFINITY);
    for ask in asks {
        second = second.min(first.max(ask.price));
        first = first.min(ask.price);
    }
    [first, second].map(|price| price.is_finite().then_some(price))
}
