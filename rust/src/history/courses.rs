//! The auctions of a batch, with the states that are held of them: names and ids in, courses out.

use std::collections::HashMap;

use crate::history::course::{Course, OTHER};
use crate::history::index::Index;
use crate::history::outcome::Meaning;
use crate::history::state::{State, States, Word};
use crate::rows::record::AuctionRow;

/// The platforms and statuses of a batch, numbered as they come.
pub(crate) struct Words<'a> {
    states: &'a States,
    pub(crate) list: Vec<Text<'a>>,
    by_text: HashMap<&'a str, Word>,
    last: Word,
    /// The number of `active` in the states.
    pub(crate) active: Option<Word>,
}

pub(crate) struct Text<'a> {
    pub(crate) spelling: &'a str,
    /// Its number in the states.
    held: Option<Word>,
    pub(crate) meaning: Meaning,
}

impl<'a> Words<'a> {
    pub(crate) fn new(states: &'a States) -> Self {
        let active = states.word("active");
        Self { states, list: Vec::new(), by_text: HashMap::new(), last: 0, active }
    }

    pub(crate) fn number(&mut self, text: &'a str) -> Word {
        if self.list.get(self.last as usize).is_some_and(|word| word.spelling == text) {
            return self.last;
        }
        self.last = *self.by_text.entry(text).or_insert_with(|| {
            let held = self.states.word(text);
            let meaning = Meaning::of(text);
            self.list.push(Text { spelling: text, held, meaning });
            Word::try_from(self.list.len() - 1).unwrap_or(OTHER)
        });
        self.last
    }

    pub(crate) fn held(&self, word: Word) -> Option<Word> {
        self.list[word as usize].held
    }
}

/// The held state of an auction, for instance the one that a row shows.
pub(crate) struct Found<'a> {
    hash: u32,
    pub(crate) platform: Word,
    pub(crate) held: Option<&'a State>,
}

impl<'a> Found<'a> {
    pub(crate) fn of(row: &'a AuctionRow, words: &mut Words<'a>) -> Self {
        Self::by(&row.platform, row.auction_id, words, States::held)
    }

    /// Of an auction that no row shows.
    pub(crate) fn named(platform: &'a str, auction_id: i64, words: &mut Words<'a>) -> Self {
        Self::by(platform, auction_id, words, States::known)
    }

    #[inline]
    fn by(
        platform: &'a str,
        auction_id: i64,
        words: &mut Words<'a>,
        find: impl Fn(&'a States, u32, Word, i64) -> Option<&'a State>,
    ) -> Self {
        let states = words.states;
        let (hash, platform) = (states.hash(auction_id), words.number(platform));
        let held = words.held(platform).and_then(|word| find(states, hash, word, auction_id));
        Self { hash, platform, held }
    }
}

/// The auctions of the rows, in order of their first.
pub(crate) struct Courses<'s> {
    index: Index,
    pub(crate) list: Vec<Course<'s>>,
}

impl<'s> Courses<'s> {
    pub(crate) fn new(rows: usize) -> Self {
        Self { index: Index::with_capacity(rows), list: Vec::with_capacity(rows) }
    }

    /// The course of the auction that `row` shows.
    pub(crate) fn of(
        &mut self,
        row: &AuctionRow,
        found: &Found<'s>,
        active: Option<Word>,
    ) -> &mut Course<'s> {
        let number = self.find(row.auction_id, found).unwrap_or_else(|| {
            let new = || Course::new(row, found.platform);
            self.add(
                found,
                found.held.map_or_else(new, |h| Course::resume(h, found.platform, active)),
            )
        });
        &mut self.list[number]
    }

    /// The course of an auction that no row shows now; None: it is not known.
    pub(crate) fn known(
        &mut self,
        auction_id: i64,
        found: &Found<'s>,
        active: Option<Word>,
    ) -> Option<&mut Course<'s>> {
        let number = self.find(auction_id, found).or_else(|| {
            let held = found.held?;
            Some(self.add(found, Course::resume(held, found.platform, active)))
        });
        number.map(|number| &mut self.list[number])
    }

    fn find(&self, auction_id: i64, found: &Found<'_>) -> Option<usize> {
        self.index.find(found.hash, |number| {
            let course: &Course<'_> = &self.list[number];
            course.auction_id == auction_id && course.platform == found.platform
        })
    }

    fn add(&mut self, found: &Found<'_>, course: Course<'s>) -> usize {
        self.index.add(found.hash, self.list.len());
        self.list.push(course);
        self.list.len() - 1
    }
}
