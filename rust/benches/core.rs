//! The core by itself, one thread, no Python: `cargo bench --bench core`.
//!
//! Figures are times of one page of 100 auctions, in a cache that has room for little of the deck.

mod shape;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use m26::batch::Batch;
use m26::history::delta::{Delta, Journal, derive};
use m26::history::state::States;
use m26::reply::peek::peek;
use shape::{PER_PAGE, deck, pages, shown, warm, whole};

fn main() {
    divan::main();
}

/// Pages that show every known card once.
fn catalogue() -> Vec<Vec<u8>> {
    let deck = deck(0..1_000);
    let firsts = (1..).step_by(PER_PAGE);
    deck.chunks(PER_PAGE).zip(firsts).map(|(cards, first)| shown(cards, first)).collect()
}

#[divan::bench(sample_count = 50, sample_size = 10)]
fn page_of_known_cards(bencher: Bencher) {
    let pages = catalogue();
    let mut reader = warm(&pages);
    let mut next = pages.iter().cycle();
    bencher
        .counter(BytesCount::of_slice(&pages[0]))
        .counter(ItemsCount::new(PER_PAGE))
        .bench_local(|| next.next().map(|page| pages::read_with(&mut reader, black_box(page))));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn page_of_new_cards(bencher: Bencher) {
    let page = shown(&deck(0..100), 1);
    bencher
        .counter(BytesCount::of_slice(&page))
        .counter(ItemsCount::new(PER_PAGE))
        .with_inputs(pages::reader)
        .bench_local_values(|mut reader| pages::read_with(&mut reader, black_box(&page)));
}

#[divan::bench(sample_count = 50, sample_size = 10)]
fn peek_of_a_page(bencher: Bencher) {
    let page = shown(&deck(0..100), 1);
    bencher
        .counter(BytesCount::of_slice(&page))
        .counter(ItemsCount::new(PER_PAGE))
        .bench_local(|| peek(black_box(&page)));
}

#[divan::bench(sample_count = 50, sample_size = 10)]
fn copy_of_auctions(bencher: Bencher) {
    let batch = batch_of(1);
    bencher.counter(ItemsCount::new(PER_PAGE)).bench_local(|| black_box(&batch).auctions());
}

#[divan::bench(sample_count = 20, sample_size = 2)]
fn copy_of_cards(bencher: Bencher) {
    let batch = batch_of(1);
    bencher.counter(ItemsCount::new(PER_PAGE)).bench_local(|| black_box(&batch).cards());
}

#[divan::bench(sample_count = 50, sample_size = 10)]
fn derive_of_fresh_auctions(bencher: Bencher) {
    let (states, batch) = (held(200_000), batch_of(1_000_001));
    bencher.counter(ItemsCount::new(PER_PAGE)).bench_local(|| events(&states, black_box(&batch)));
}

#[divan::bench(sample_count = 50, sample_size = 10)]
fn derive_of_unchanged_auctions(bencher: Bencher) {
    let (states, batch) = (held(200_000), batch_of(101));
    assert_eq!(events(&states, &batch).events.rows(), 0);
    bencher.counter(ItemsCount::new(PER_PAGE)).bench_local(|| events(&states, black_box(&batch)));
}

/// A page's batch of auctions from `first` on.
fn batch_of(first: i64) -> Batch {
    whole(pages::read(&shown(&deck(0..100), first)))
}

/// States of auctions 1 to `count`.
fn held(count: usize) -> States {
    let mut states = States::new(count);
    let one = batch_of(1);
    for first in (0..).step_by(PER_PAGE).take(count / PER_PAGE) {
        let mut rows = one.rows.clone();
        for (id, row) in (1..).zip(&mut rows) {
            row.auction_id = first + id;
        }
        let delta = derive(&states, &rows, 0, JOURNAL, &[], None);
        states.accept(&delta.touched);
        states.commit();
    }
    states
}

const JOURNAL: Journal<'static> = Journal { part: "part", positions: &[0], since: 0 };

fn events(states: &States, batch: &Batch) -> Delta {
    derive(states, &batch.rows, 0, JOURNAL, &[], None)
}
