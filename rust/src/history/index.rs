//! A hash index over a list that is kept beside it.
//!
//! Invariant: it only says where an entry may stand; the caller compares the entry itself. Nothing
//! is taken out of it but everything at once. At most half of the slots are in use.

const HASH: u64 = !0 << 32;
const FEWEST_SLOTS: usize = 16;

/// Numbers of entries by hash: 8 bytes a slot, found with one jump into memory.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Hash in the upper half, the entry's number plus one in the lower; 0 is free.
    slots: Vec<u64>,
    used: usize,
}

impl Index {
    /// An index with room for `entries`.
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self { slots: vec![0; (2 * entries).next_power_of_two().max(FEWEST_SLOTS)], used: 0 }
    }

    /// The entry of this hash that `is` it.
    pub(crate) fn find(&self, hash: u32, mut is: impl FnMut(usize) -> bool) -> Option<usize> {
        let mut at = self.first(hash)?;
        while self.slots[at] != 0 {
            let slot = self.slots[at];
            if slot & HASH == u64::from(hash) << 32 {
                let number = number(slot);
                if is(number) {
                    return Some(number);
                }
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        None
    }

    /// Add an entry that is not in it.
    pub(crate) fn add(&mut self, hash: u32, number: usize) {
        if 2 * (self.used + 1) > self.slots.len() {
            let larger = vec![0; (2 * self.slots.len()).max(FEWEST_SLOTS)];
            for slot in std::mem::replace(&mut self.slots, larger) {
                if slot != 0 {
                    self.place(slot);
                }
            }
        }
        self.used += 1;
        self.place(u64::from(hash) << 32 | (number as u64 + 1));
    }

    /// Take everything out.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.used = 0;
    }

    fn place(&mut self, slot: u64) {
        let Some(mut at) = self.first(hash(slot)) else { return };
        while self.slots[at] != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = slot;
    }

    /// Where a search begins; None when there are no slots.
    fn first(&self, hash: u32) -> Option<usize> {
        Some(hash as usize & self.slots.len().checked_sub(1)?)
    }
}

#[allow(clippy::cast_possible_truncation)] // that is what it is for
fn hash(slot: u64) -> u32 {
    (slot >> 32) as u32
}

#[allow(clippy::cast_possible_truncation)] // the lower half of a slot
fn number(slot: u64) -> usize {
    (slot & !HASH) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_hash_are_told_apart_by_the_caller() {
        let mut index = Index::default();
        let keys: Vec<u32> = (0..1_000).collect();
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(index.find(key % 7, |number| keys[number] == *key), None);
            index.add(key % 7, number);
        }
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(index.find(key % 7, |number| keys[number] == *key), Some(number));
        }
        assert_eq!(index.find(7, |_| true), None);
        index.clear();
        assert_eq!(index.find(0, |_| true), None);
    }

    #[test]
    fn half_of_the_slots_stay_free() {
        let mut index = Index::with_capacity(8);
        for number in 0..100 {
            index.add(u32::MAX - 1, number);
            assert!(2 * index.used <= index.slots.len());
        }
    }
}
