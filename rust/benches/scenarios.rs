//! What the instruction gate counts: a name, and what is prepared before the count begins.

#[path = "shape.rs"]
mod shape;

use std::any::Any;
use std::hint::black_box;

use m26::history::delta::{Journal, derive};
use m26::history::state::States;
use m26::reply::peek::peek;
use shape::{deck, pages, shown, warm, whole};

/// Auctions of each scenario.
pub const AUCTIONS: usize = shape::PER_PAGE;
/// What is counted, once; what it gives and what it holds is dropped when the count has ended.
pub type Work = Box<dyn FnMut() -> Box<dyn Any>>;
type Scenario = (&'static str, fn() -> Work);

/// Each does the work of [`AUCTIONS`] auctions.
pub const ALL: &[Scenario] = &[
    ("parse, cards known", || parse(0)),
    ("parse, 3 % new cards", || parse(3)),
    ("parse, all cards new", || parse(100)),
    ("peek", peek_of_a_page),
    ("encode auctions", || encode(false)),
    ("encode cards", || encode(true)),
    ("derive, all fresh", || changes(false)),
    ("derive, all unchanged", || changes(true)),
];
const JOURNAL: Journal<'static> = Journal { part: "part", positions: &[0], since: 0 };

/// A page of copies whose cards were seen in another page, but for `new` of them.
fn parse(new: usize) -> Work {
    let cards = deck(0..100);
    let mut reader = warm([&shown(&cards[new..], 1_000)]);
    let page = shown(&cards, 1);
    Box::new(move || Box::new(whole(pages::read_with(&mut reader, black_box(&page)))))
}

fn peek_of_a_page() -> Work {
    let page = shown(&deck(0..100), 1);
    Box::new(move || Box::new(peek(black_box(&page))))
}

fn encode(cards: bool) -> Work {
    let batch = pages::read(&shown(&deck(0..100), 1));
    Box::new(move || Box::new(if cards { batch.cards() } else { batch.auctions() }))
}

/// Events of a page's auctions, whose states are held or not, among those of 5,000 others.
fn changes(held: bool) -> Work {
    let batch = pages::read(&shown(&deck(0..100), 1));
    let mut states = States::new(10_000);
    let mut rows = batch.rows.clone();
    for page in 0..51 {
        if held || page > 0 {
            let delta = derive(&states, &rows, 0, JOURNAL, &[], None);
            states.accept(&delta.touched);
            states.commit();
        }
        for row in &mut rows {
            row.auction_id += 100;
        }
    }
    Box::new(move || Box::new(derive(&states, black_box(&batch.rows), 0, JOURNAL, &[], None)))
}
