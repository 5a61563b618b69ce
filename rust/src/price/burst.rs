//! Sales of one card in; those of a burst weigh less.

/// Half the width of what is looked at around a sale, days.
const AROUND: f64 = 0.25;
/// A burst is more than one and so many times the usual number.
const USUAL: f64 = 2.0;
/// Moments at which the usual number is counted.
const MOMENTS: u32 = 64;

/// A sale that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Days.
    pub at: f64,
    /// Log of its price.
    pub price: f64,
    /// By a bid, not by the buyout price.
    pub by_bid: bool,
    /// The physical copy; 0: not known.
    pub copy: i64,
    /// Of a whole sale.
    pub weight: f64,
    /// Log of the median that its listing showed.
    pub shown: Option<f64>,
}

/// Let what comes in a burst tell together what as many as usual would; whether one is of the last
/// three days.
pub(crate) fn calm(sales: &mut [Kept]) -> bool {
    let [first, .., last] = sales else { return false };
    let (first, days) = (first.at, last.at - first.at);
    let counts: Vec<f64> = sales.iter().map(|sale| around(sales, sale.at)).collect();
    // over time, not over sales: most sales of a card that is passed around are of bursts
    let moments =
        (0..MOMENTS).map(|one| first + days * (f64::from(one) + 0.5) / f64::from(MOMENTS));
    let usual = super::median(moments.map(|at| around(sales, at)).collect());
    let seldom = (sales.len() as f64).sqrt() * 2.0 * AROUND / days.max(1.0);
    let most = 1.0 + USUAL * usual.max(seldom);
    let mut recent = false;
    for (sale, count) in sales.iter_mut().zip(counts) {
        if count > most {
            sale.weight *= most / count;
            recent |= sale.at > -3.0 && count > 2.0 * most;
        }
    }
    recent
}

fn around(sales: &[Kept], at: f64) -> f64 {
    let low = sales.partition_point(|sale| sale.at < at - AROUND);
    let high = sales.partition_point(|sale| sale.at <= at + AROUND);
    (high - low) as f64
}
