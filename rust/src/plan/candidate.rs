//! A page that could be asked for, and what there is to choose it by.

use crate::plan::arrivals::Arrivals;
pub use crate::plan::census::LONGEST;
use crate::plan::fading::Fading;

/// A page that could be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Place in the list.
    pub offset: u32,
    /// New listings that it would show.
    pub shown: f32,
    /// What waiting has cost so far, in listings.
    pub lost: f32,
    /// What it is for.
    pub why: &'static str,
}

impl Candidate {
    /// The same, believed only so far.
    #[must_use]
    pub fn trusted(self, share: f32) -> Self {
        Self { shown: self.shown * share, lost: self.lost * share, ..self }
    }
}

/// What there is to choose by.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// When.
    pub at: i64,
    /// What is listed.
    pub arrivals: &'a Arrivals,
    /// How it fades.
    pub fading: &'a Fading,
    /// Auctions of a page.
    pub page: f32,
    /// Whether pages other than the first can be had, and how far the list can be read.
    pub paging: bool,
    /// See `paging`.
    pub reach: u32,
    /// New listings that are worth a request.
    pub least: f32,
}
