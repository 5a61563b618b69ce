//! Claims and what later proof said of them in; how much a claim's odds have to move out.
//!
//! A claim comes with the chance that the rates give it. Where later proof agreed more or less often,
//! the odds of the next claims of its cell move that much: first as its rule, then as its cell did.
//! The prior is that the rates are right, worth 60 proofs a rule and 40 a cell. Counts fade by half in
//! four days. As long as few proofs speak of a rule, the rates may be off either way: the mean over
//! what they may be is nearer to even odds than they are.
//!
//! Invariant: proofs change nothing until the next full hour.

use serde::{Deserialize, Serialize};

use crate::market::asked::{DAY, HOUR, MINUTE, SECOND};
use crate::market::lot::Lot;
use crate::market::rates::seconds;

/// By which rule an outcome was inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rule {
    /// Missing before its end: bought.
    AbsentBought,
    /// Missing before its end: taken back.
    AbsentWithdrawn,
    /// Past its end: sold to the bidder seen last.
    LastBid,
    /// Past its end, seen with bids: bought.
    BoughtOver,
    /// Past its end, seen without bids: sold.
    SoldUnseen,
    /// Past its end: expired.
    Expired,
    /// Past its end: taken back.
    Withdrawn,
    /// Listed again by its owner.
    Relisted,
    /// Listed again by its buyer: bought.
    ResoldBought,
    /// Listed again by its buyer: sold for a bid.
    ResoldBid,
    /// Told as sold, not for how much: for the last bid.
    PricelessBid,
    /// Told as sold, not for how much: bought.
    PricelessBought,
}

const RULES: [(Rule, &str); 12] = [
    (Rule::AbsentBought, "absent, bought"),
    (Rule::AbsentWithdrawn, "absent, withdrawn"),
    (Rule::LastBid, "final_window, last bid"),
    (Rule::BoughtOver, "final_window, bought"),
    (Rule::SoldUnseen, "past_expiry, sold"),
    (Rule::Expired, "past_expiry, expired"),
    (Rule::Withdrawn, "past_expiry, withdrawn"),
    (Rule::Relisted, "relisted, unsold"),
    (Rule::ResoldBought, "relisted, bought"),
    (Rule::ResoldBid, "relisted, for a bid"),
    (Rule::PricelessBid, "status, last bid"),
    (Rule::PricelessBought, "status, bought"),
];
/// Upper edges of the bands of buyout against median price.
const BANDS: [f32; 4] = [0.6, 0.9, 1.2, 1.6];
const BAND_NAMES: [&str; 6] = ["< 0.6", "0.6–0.9", "0.9–1.2", "1.2–1.6", "≥ 1.6", "no buyout"];
/// Upper edges of the time between the last look and the end.
const LEADS: [i64; 5] = [10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 4 * HOUR];
const LEAD_NAMES: [&str; 6] = ["< 10 s", "< 1 min", "< 5 min", "< 30 min", "< 4 h", "≥ 4 h"];
const CELLS: usize = BAND_NAMES.len() * LEAD_NAMES.len();
/// Prior proofs that the rates are right, of a rule; and that its rule is, of a cell, until it shows
/// how much the cells of a rule differ.
const WEIGHTS: [f32; 2] = [60.0, 40.0];
/// By how much log odds by rates that no proof speaks of are off, as a standard deviation: by as much as
/// 60 proofs tell at odds of 13 to 1.
const DOUBT: f32 = 0.5;

/// A claim: its place in the table and the chances that the rates give it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// By which rule.
    pub rule: Rule,
    band: usize,
    lead: usize,
    /// Of the outcome.
    pub outcome: f32,
    /// Of outcome and price.
    pub price: f32,
}

impl Cell {
    /// A claim about a lot.
    #[must_use]
    pub fn new(lot: &Lot, rule: Rule, outcome: f32, price: f32) -> Self {
        let lead = lot.expires_at - lot.last_active;
        let band = match lot.buyout_price {
            ..=0 => BANDS.len() + 1,
            _ => BANDS.partition_point(|&edge| edge <= lot.price_ratio()),
        };
        Self { rule, band, lead: LEADS.partition_point(|&edge| edge <= lead), outcome, price }
    }

    fn place(&self) -> usize {
        self.rule as usize * CELLS + self.band * LEAD_NAMES.len() + self.lead
    }
}

/// Proofs of one cell, faded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    asked: f32,
    said: [f32; 2],
    agreed: [f32; 2],
}

impl Count {
    fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        for at in 0..2 {
            self.said[at] += other.said[at];
            self.agreed[at] += other.agreed[at];
        }
    }

    /// How far log odds of `said` have to move, given that they moved by `moved` already.
    fn shift(&self, at: usize, moved: f32, weight: f32) -> f32 {
        if self.asked < 1.0 {
            return 0.0;
        }
        let said = expit(logit(self.said[at] / self.asked) + moved);
        let right = (self.agreed[at] + weight * said) / (self.asked + weight);
        (logit(right) - logit(said)).clamp(-3.0, 3.0)
    }
}

/// A row of the table `calibration`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Class of the evidence and its rule.
    pub evidence: &'static str,
    /// Band of buyout against median price.
    pub band: &'static str,
    /// Time from the last look to the end.
    pub lead: &'static str,
    /// Claims that were proved or disproved, faded.
    pub asked: f32,
    /// Of these, outcomes that were right, and that the rates expected to be.
    pub agreed: f32,
    /// See `agreed`.
    pub said: f32,
    /// The same of outcome and price.
    pub price_agreed: f32,
    /// See `price_agreed`.
    pub price_said: f32,
}

/// How often later proof agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    counts: Vec<Count>,
    /// What is added to the log odds of the outcome, and of outcome and price.
    shifts: Vec<[f32; 2]>,
    /// What is left of log odds, by rule.
    certain: [f32; RULES.len()],
    /// Number of the table in use.
    pub version: u32,
    /// The full hour from which it applies, microseconds.
    pub applies_from: i64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self::new()
    }
}

impl Calibration {
    /// Nothing proved: the rates stand as they are.
    #[must_use]
    pub fn new() -> Self {
        let places = RULES.len() * CELLS;
        let (counts, shifts) = (vec![Count::default(); places], vec![[0.0; 2]; places]);
        Self { counts, shifts, certain: [certain(0.0); RULES.len()], version: 0, applies_from: 0 }
    }

    /// Confidence of a claim: of the outcome, and of outcome and price.
    #[must_use]
    pub fn rate(&self, cell: &Cell) -> (f32, f32) {
        let [outcome, price] = self.shifts[cell.place()];
        let certain = self.certain[cell.rule as usize];
        let outcome = moved(cell.outcome, outcome, certain);
        (outcome, moved(cell.price, price, certain).min(outcome))
    }

    /// The same of a claim whose like is never proved.
    #[must_use]
    pub fn unproved(cell: &Cell) -> (f32, f32) {
        let said = |chance| moved(chance, 0.0, certain(0.0));
        (said(cell.outcome), said(cell.price))
    }

    /// It is `at` now: a table made of all proofs so far applies from each full hour.
    pub fn settle(&mut self, at: i64) {
        let hour = at.div_euclid(HOUR) * HOUR;
        if hour <= self.applies_from {
            return;
        }
        let keep = match self.applies_from {
            0 => 1.0,
            before => (-seconds(hour - before) / seconds(4 * DAY)).exp2(),
        };
        for count in &mut self.counts {
            count.asked *= keep;
            count.said = count.said.map(|said| said * keep);
            count.agreed = count.agreed.map(|agreed| agreed * keep);
        }
        let rules = self.counts.chunks(CELLS).zip(self.shifts.chunks_mut(CELLS));
        for ((counts, shifts), certainty) in rules.zip(&mut self.certain) {
            let mut rule = Count::default();
            for count in counts {
                rule.add(count);
            }
            *certainty = certain(rule.asked);
            for at in 0..2 {
                let by_rule = rule.shift(at, 0.0, WEIGHTS[0]);
                let weight = alike(counts, at, by_rule);
                for (count, shift) in counts.iter().zip(&mut *shifts) {
                    shift[at] = by_rule + count.shift(at, by_rule, weight);
                }
            }
        }
        self.version += 1;
        self.applies_from = hour;
    }

    /// Later proof spoke of a claim: whether its outcome was right, and how likely its price was too.
    pub fn proved(&mut self, cell: &Cell, agreed: bool, price_agreed: f32) {
        let agreed = if agreed { [1.0, price_agreed] } else { [0.0; 2] };
        let said = [cell.outcome, cell.price];
        self.counts[cell.place()].add(&Count { asked: 1.0, said, agreed });
    }

    /// The cells of which anything was proved.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let proved = self.counts.iter().enumerate().filter(|(_, count)| count.asked > 0.0);
        proved.map(|(place, count)| Row {
            evidence: RULES[place / CELLS].1,
            band: BAND_NAMES[place % CELLS / LEAD_NAMES.len()],
            lead: LEAD_NAMES[place % LEAD_NAMES.len()],
            asked: count.asked,
            agreed: count.agreed[0],
            said: count.said[0],
            price_agreed: count.agreed[1],
            price_said: count.said[1],
        })
    }
}

/// How many proofs a cell's rule is worth to it: the more, the less its cells differ beyond chance, by
/// the moments of a beta-binomial count. What chance makes of them holds the prior up.
fn alike(counts: &[Count], at: usize, moved: f32) -> f32 {
    let (mut chance, mut sum, mut seen, mut noise) = (0.0, 0.0, 0.0, 0.0);
    for count in counts.iter().filter(|count| count.asked >= 1.0) {
        let said = expit(logit(count.said[at] / count.asked) + moved);
        let variance = count.asked * said * (1.0 - said);
        chance += variance;
        sum += variance * (count.asked - 1.0);
        seen += (count.agreed[at] - count.asked * said).powi(2);
        noise += 2.0 * variance * variance;
    }
    let noise = noise.sqrt();
    if noise <= 0.0 {
        return WEIGHTS[1];
    }
    (sum + WEIGHTS[1] * noise) / ((seen - chance).max(0.0) + noise)
}

/// What is left of log odds after so many proofs: the mean of the chance where they are normal, as
/// the logistic function is nearly a normal distribution's.
fn certain(proofs: f32) -> f32 {
    let variance = DOUBT * DOUBT * WEIGHTS[0] / (WEIGHTS[0] + proofs);
    (1.0 + std::f32::consts::PI / 8.0 * variance).sqrt().recip()
}

/// A chance whose log odds are moved, and as far as they are certain; what is certain stays so.
fn moved(chance: f32, by: f32, certain: f32) -> f32 {
    if chance <= 0.0 || chance >= 1.0 { chance } else { expit((logit(chance) + by) * certain) }
}

fn logit(chance: f32) -> f32 {
    let chance = chance.clamp(1e-4, 1.0 - 1e-4);
    (chance / (1.0 - chance)).ln()
}

fn expit(odds: f32) -> f32 {
    1.0 / (1.0 + (-odds).exp())
}
