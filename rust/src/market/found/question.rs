//! One question about the upstream: replies vote in, what is held true comes out.
//!
//! Invariant: a value is settled by votes in a row, never by counts of all time, so that a switch
//! shows as soon as a steady one, and single odd replies change nothing.

use serde::{Deserialize, Serialize};

/// What is held, and what the last replies spoke for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Question<T> {
    /// What is held true; None: not known (yet, or any more).
    pub held: Option<T>,
    /// When that was settled, microseconds.
    pub since: i64,
    /// By what.
    pub why: String,
    /// When a reply last spoke for or against it, microseconds.
    pub shown_at: i64,
    pinned: bool,
    told: Option<T>,
    news: bool,
    run: Option<T>,
    length: u8,
}

impl<T: Copy + PartialEq> Question<T> {
    /// An open question, or one that the operator answered.
    pub fn new(pin: Option<T>) -> Self {
        let why = if pin.is_some() { "pinned" } else { "" }.to_owned();
        Self {
            held: pin,
            since: 0,
            why,
            shown_at: 0,
            pinned: pin.is_some(),
            told: pin,
            news: false,
            run: None,
            length: 0,
        }
    }

    /// A reply speaks for `value`: settled by `learn` of them in a row, over another value by `switch`.
    pub fn vote(
        &mut self,
        value: T,
        at: i64,
        (learn, switch): (u8, u8),
        why: impl FnOnce() -> String,
    ) {
        self.shown_at = at;
        self.length = if self.run == Some(value) { self.length.saturating_add(1) } else { 1 };
        self.run = Some(value);
        let needed = if self.believed().is_none() { learn } else { switch };
        if self.length >= needed && self.believed() != Some(value) {
            self.settle(value, at, why());
        }
    }

    /// What the last replies spoke for is over.
    pub fn unsettle(&mut self) {
        self.run = None;
        self.length = 0;
    }

    /// Hold `value` from now on; the operator's word stays, that it is contradicted is told.
    pub fn settle(&mut self, value: T, at: i64, why: String) {
        self.unsettle();
        if !self.pinned {
            self.held = Some(value);
        }
        if self.told != Some(value) {
            self.told = Some(value);
            self.since = at;
            self.why = if self.pinned { format!("against what is pinned: {why}") } else { why };
            self.news = true;
        }
    }

    /// Nothing can show it: tell what is gone by until something does.
    pub fn assume(&mut self, value: T, at: i64, why: &str) {
        if self.told.is_none() {
            (self.told, self.since, self.news) = (Some(value), at, true);
            why.clone_into(&mut self.why);
        }
    }

    /// What was held is no longer true, and what is, is not known yet.
    pub fn drop_held(&mut self) {
        if !self.pinned {
            self.held = None;
        }
        self.unsettle();
    }

    /// What replies are compared with.
    pub fn believed(&self) -> Option<T> {
        if self.pinned { self.told } else { self.held }
    }

    /// Whether nothing is known, or the last replies spoke against it.
    pub fn is_open(&self) -> bool {
        self.believed().is_none() || self.is_doubted()
    }

    /// Whether the last replies spoke against what is held.
    pub fn is_doubted(&self) -> bool {
        self.run.is_some() && self.run != self.believed()
    }

    /// Whether the operator answered it.
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// What was settled and not taken yet.
    pub fn take_news(&mut self) -> Option<T> {
        std::mem::take(&mut self.news).then_some(self.told).flatten()
    }

    /// What replies last settled, if any did.
    pub fn learned(&self) -> Option<T> {
        self.told.filter(|_| self.since > 0)
    }
}
