//! Surprises in the upstream's shape that do not stop a row: new fields, new enum values.
//!
//! Invariant: bounded, whatever the input: at most [`MAX_PATHS`] paths, short samples.

use std::collections::BTreeMap;

/// More distinct paths than this in one batch are one surprise, not many.
pub const MAX_PATHS: usize = 500;
const MAX_SAMPLE: usize = 80;

/// What was surprising about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftKind {
    /// A member that no known reply has.
    NewField,
    /// A member that every known reply has is missing.
    MissingField,
    /// A word that is not among the known ones.
    NewValue,
    /// A value that cannot be stored: of another type, outside its range, there twice. Stored as null,
    /// or not at all; in a card's definition with what could not be stored replaced.
    Unusable,
    /// Control bytes inside strings were replaced by spaces.
    ControlBytes,
    /// A reply's time is far from what the other replies say, or before the one before.
    Clock,
}

impl DriftKind {
    /// The code stored in `m26.drift.kind`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NewField => "new_field",
            Self::MissingField => "missing_field",
            Self::NewValue => "new_value",
            Self::Unusable => "unusable",
            Self::ControlBytes => "control_bytes",
            Self::Clock => "clock",
        }
    }
}

/// Counted surprises of one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    seen: BTreeMap<(String, DriftKind), (u64, String)>,
}

impl Drift {
    pub(crate) fn note(&mut self, path: &str, kind: DriftKind, sample: &[u8]) {
        let key = (shorten(path), kind);
        if let Some((count, _)) = self.seen.get_mut(&key) {
            *count += 1;
        } else if self.seen.len() < MAX_PATHS {
            let cut = String::from_utf8_lossy(&sample[..sample.len().min(MAX_SAMPLE)]);
            self.seen.insert(key, (1, cut.replace(char::is_control, " ")));
        }
    }

    /// Take in what `other` noted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, (count, sample)) in &other.seen {
            if let Some((known, _)) = self.seen.get_mut(key) {
                *known += count;
            } else if self.seen.len() < MAX_PATHS {
                self.seen.insert(key.clone(), (*count, sample.clone()));
            }
        }
    }

    /// (path, kind, count, sample) in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, DriftKind, u64, &str)> {
        self.seen
            .iter()
            .map(|((path, kind), (count, sample))| (path.as_str(), *kind, *count, sample.as_str()))
    }
}

fn shorten(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(120).collect()
}
