//! What another writer has overtaken, held against all observations in the order of time.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod market;

use std::collections::BTreeMap;

use m26::history::late::Past;
use m26::history::state::States;
use m26::rows::record::AuctionRow;
use market::{
    Fields, NOW, SECOND, Table, bid, derived, derived_from, events, later, pages, said, seen,
    values, with,
};
use proptest::prelude::*;

/// A database: its rows, and its events by number.
#[derive(Default)]
struct Database {
    table: Table,
    events: BTreeMap<i64, Fields>,
    first_seen: BTreeMap<i64, i64>,
    /// Late observations that were counted as events.
    late: usize,
}

impl Database {
    /// Store a batch as a writer does that knows nothing: read back, derive, and once more.
    fn store(&mut self, rows: &[AuctionRow]) {
        let mut states = States::new(100);
        states.learn(self.table.read());
        let head = self.head();
        let mut delta = derived(&states, rows, head);
        if !delta.wanted.is_empty() {
            let mut past: Vec<Past> = self.events.values().map(past).collect();
            past.retain(|event| delta.wanted.contains(&(event.platform.clone(), event.auction_id)));
            past.reverse(); // in any order
            delta = derived_from(&states, rows, head, Some(&past));
            assert!(delta.wanted.is_empty());
        }
        for event in events(&delta) {
            assert!(self.events.insert(number(&event, "seq"), event).is_none());
        }
        for again in &delta.amends.again {
            let mut event = self.events[&again.of].clone();
            event.insert("seq", again.seq.to_string());
            event.insert("kind", "changed".to_owned());
            event.insert("observed_at", again.observed_at.to_string());
            event.insert("late", "true".to_owned());
            for column in ["outcome", "outcome_via", "evidence", "confidence", "final_price"] {
                event.insert(column, "null".to_owned());
            }
            assert!(self.events.insert(again.seq, event).is_none());
        }
        for (seq, at) in &delta.amends.sooner {
            let was = self.events.get_mut(seq).unwrap().insert("observed_at", at.to_string());
            assert!(was.unwrap().parse::<i64>().unwrap() > *at);
        }
        for ((_, id), at) in &delta.amends.first_seen {
            self.first_seen.insert(*id, *at);
        }
        let counted: usize = delta.pages.iter().map(|page| page.events).sum();
        assert_eq!(self.head() - head, i64::try_from(counted).unwrap());
        assert_eq!(delta.pages.iter().map(|page| page.seen).sum::<usize>(), rows.len());
        assert!(self.events.keys().copied().eq(1..=self.head())); // dense
        self.late += delta.pages.iter().map(|page| page.late).sum::<usize>();
        self.table.apply(&delta);
    }

    fn head(&self) -> i64 {
        self.events.keys().last().copied().unwrap_or(0)
    }

    /// The events of each auction in the order of time.
    fn told(&self) -> BTreeMap<i64, Vec<&Fields>> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in self.events.values() {
            told.entry(number(event, "auction_id")).or_default().push(event);
        }
        for line in told.values_mut() {
            line.sort_by_key(|event| (number(event, "observed_at"), number(event, "seq")));
        }
        told
    }

    /// When each state of auction 7 began, in seconds, its kind, and whether it came late.
    fn line(&self) -> Vec<String> {
        let show = |event: &&Fields| {
            let at = (number(event, "observed_at") - NOW) / SECOND;
            format!("{at} {}", values(event, &["kind", "bids", "late"]))
        };
        self.told()[&7].iter().map(show).collect()
    }
}

fn past(event: &Fields) -> Past {
    Past {
        platform: event["platform"].clone(),
        auction_id: number(event, "auction_id"),
        seq: number(event, "seq"),
        observed_at: number(event, "observed_at"),
        status: event["status"].clone(),
        buyout_price: event["buyout_price"].parse().ok(),
        current_bid: number(event, "current_bid"),
        next_bid: number(event, "next_bid"),
        bids: event["bids"].parse().unwrap(),
        expires_at: number(event, "expires_at"),
        start_price: event["start_price"].parse().ok(),
    }
}

fn number(fields: &Fields, column: &str) -> i64 {
    fields[column].parse().unwrap()
}

fn identity(fields: &Fields) -> String {
    values(fields, &["status", "buyout_price", "current_bid", "next_bid", "bids"])
}

fn shown(row: &AuctionRow) -> String {
    let buyout = row.buyout_price.map_or("null".to_owned(), |price| price.to_string());
    format!("{} {buyout} {} {} {}", row.status, row.current_bid, row.next_bid, row.bids)
}

fn stored(batches: &[&[AuctionRow]]) -> Database {
    let mut database = Database::default();
    for rows in batches {
        database.store(rows);
    }
    database
}

/// Auction 7 with so many bids, seen at that second.
fn at(second: i64, bids: i32) -> AuctionRow {
    let raised = (0..bids).fold(seen(7), |row, _| bid(&row, row.current_bid + 50));
    later(&raised, second)
}

#[test]
fn several_late_states_of_one_batch_take_their_places_beside_its_newer_ones() {
    let batch = pages(&[&at(40, 4), &at(10, 1), &at(60, 6), &at(30, 3), &at(20, 2), &at(25, 2)]);
    let database = stored(&[&pages(&[&at(0, 0), &at(50, 5)]), &batch]);
    let bids: Vec<_> = database.line();
    let expected = [
        "0 listed 0 false",
        "10 bid 1 true",
        "20 bid 2 true",
        "30 bid 3 true",
        "40 bid 4 true",
        "50 bid 5 false",
        "60 bid 6 false",
    ];
    assert_eq!((bids.as_slice(), database.late), (&expected.map(str::to_owned)[..], 4));
}

#[test]
fn an_event_of_the_batch_itself_is_dated_by_a_sooner_sight() {
    let database = stored(&[&pages(&[&at(60, 1), &at(30, 1), &at(20, 1)])]);
    assert_eq!(database.line(), ["20 listed 1 false"]);
    assert_eq!((database.late, database.first_seen[&7]), (0, NOW + 20 * SECOND));
}

#[test]
fn a_state_told_again_is_dated_by_a_sooner_sight_too() {
    let late = pages(&[&at(30, 1), &at(50, 0), &at(40, 0)]);
    let database = stored(&[&pages(&[&at(0, 0), &at(60, 0)]), &late]);
    assert_eq!(database.line(), ["0 listed 0 false", "30 bid 1 true", "40 changed 0 true"]);
    // and interrupted once more, after it was seen again
    let mut database = stored(&[&pages(&[&at(0, 0), &at(60, 0)]), &late, &[at(90, 0)]]);
    database.store(&[at(70, 2)]);
    let expected = ["40 changed 0 true", "70 bid 2 true", "90 changed 0 true"];
    assert_eq!(database.line()[2..], expected);
}

#[test]
fn of_two_states_at_one_time_the_later_told_stays_the_later() {
    let mut database = stored(&[&pages(&[&at(0, 0), &at(60, 2)]), &[at(30, 1)], &[at(30, 3)]]);
    let before = database.line();
    assert_eq!(before[1..], ["30 bid 1 true", "30 bid 3 true", "60 bid 2 false"]);
    database.store(&[at(30, 2)]); // the state after them, at the very time
    assert_eq!(database.line(), before);
}

#[test]
fn a_late_end_has_no_outcome_and_the_end_that_was_known() {
    let end = said(&at(50, 1), "ended");
    let database = stored(&[&pages(&[&at(0, 0), &at(60, 2)]), &[end]]);
    let told = database.told();
    let columns = ["kind", "outcome", "expires_at", "start_price", "late"];
    let expected = format!("changed null {} 250 true", NOW + 3_600 * SECOND);
    assert_eq!(values(told[&7][1], &columns), expected);
}

#[test]
fn an_auction_whose_events_are_gone_is_told_of_all_the_same() {
    let mut states = States::new(10);
    states.learn(stored(&[&[at(60, 2)]]).table.read());
    let delta = derived_from(&states, &[at(30, 1)], 1, Some(&[]));
    assert_eq!(values(&events(&delta)[0], &["seq", "kind", "late"]), "2 listed true");
}

/// Pages of auctions in a market, where nothing that was comes back, in the order of time.
fn market() -> impl Strategy<Value = Vec<Vec<AuctionRow>>> {
    let page = prop::collection::btree_map(1..5_i64, 0..2_i32, 1..4);
    prop::collection::vec(page, 2..16).prop_map(|served| {
        let mut bids: BTreeMap<i64, i32> = BTreeMap::new();
        let pages = served.into_iter().zip(0..).map(|(page, second)| {
            let rows = page.into_iter().map(|(id, more)| {
                let count = bids.entry(id).and_modify(|count| *count += more).or_insert(more);
                let row = AuctionRow { auction_id: id, ..at(second, *count) };
                if *count > 4 { said(&row, "ended") } else { row }
            });
            rows.collect()
        });
        pages.collect()
    })
}

/// Batches: the pages of each part in their order, the parts mixed by `choices`.
fn mixed(served: &[Vec<AuctionRow>], parts: &[usize], choices: &[usize]) -> Vec<Vec<AuctionRow>> {
    let mut queues: Vec<Vec<&Vec<AuctionRow>>> = vec![Vec::new(); 3];
    for (page, part) in served.iter().rev().zip(parts.iter().cycle()) {
        queues[*part].push(page); // the last one first: taken from the end
    }
    let mut batches = Vec::new();
    for choice in choices.iter().cycle() {
        queues.retain(|queue| !queue.is_empty());
        let Some(count) = queues.len().checked_sub(1) else { break };
        let queue = &mut queues[choice % (count + 1)];
        let taken = queue.split_off(queue.len().saturating_sub(1 + choice / 3));
        let rows = taken.into_iter().rev().zip(0..);
        let numbered = rows.flat_map(|(rows, page)| {
            rows.iter().map(move |row| AuctionRow { page, ..row.clone() })
        });
        batches.push(numbered.collect());
    }
    batches
}

/// Pages of anything: states come back, times repeat and go backwards.
fn anything() -> impl Strategy<Value = Vec<Vec<AuctionRow>>> {
    let status = prop::sample::select(vec!["active", "active", "active", "ended", "odd"]);
    let row = (1..4_i64, 0..3_i32, status);
    let page = (0..12_i64, prop::collection::vec(row, 1..5)).prop_map(|(second, rows)| {
        let rows = rows.into_iter().map(|(id, bids, status)| {
            let row = AuctionRow { auction_id: id, ..at(second, bids) };
            if status == "active" { row } else { said(&row, status) }
        });
        rows.collect()
    });
    prop::collection::vec(page, 1..14)
}

fn numbered(pages: &[Vec<AuctionRow>]) -> Vec<AuctionRow> {
    let pages = pages.iter().zip(0..);
    pages
        .flat_map(|(rows, page)| rows.iter().map(move |r| AuctionRow { page, ..r.clone() }))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever stores first: the history is that of all observations in the order of time.
    #[test]
    fn every_state_is_told_once_and_dated_by_its_first_sight(
        served in market(),
        parts in prop::collection::vec(0..3_usize, 1..9),
        choices in prop::collection::vec(0..12_usize, 1..9),
    ) {
        let mut expected: BTreeMap<i64, Vec<(i64, String)>> = BTreeMap::new();
        for row in served.iter().flatten() {
            let line = expected.entry(row.auction_id).or_default();
            if line.last().is_none_or(|(_, state)| *state != shown(row)) {
                line.push((row.observed_at, shown(row)));
            }
        }
        let batches = mixed(&served, &parts, &choices);
        let database = stored(&batches.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (id, line) in database.told() {
            let told: Vec<_> =
                line.iter().map(|event| (number(event, "observed_at"), identity(event))).collect();
            prop_assert_eq!(&told, &expected[&id]);
            if let Some(first) = database.first_seen.get(&id) {
                prop_assert_eq!(*first, told[0].0);
            }
            let row = &database.table.auctions[&("ps5".to_owned(), id.to_string())];
            prop_assert_eq!(identity(row), told.last().unwrap().1.clone());
        }
        // once more, all in one: nobody has anything to add
        let (head, told) = (database.head(), format!("{:?}", database.events));
        let mut database = database;
        database.store(&numbered(&served));
        prop_assert_eq!((database.head(), format!("{:?}", database.events)), (head, told));
    }

    /// Of observations that contradict each other: events by time end with the row, and each is
    /// of an observation; where a batch is cut makes no difference.
    #[test]
    fn the_events_in_the_order_of_time_fold_to_the_row(pages in anything(), cut in 0..14_usize) {
        let mut cut_up = Database::default();
        for page in pages.chunks(1 + cut % 4) {
            cut_up.store(&numbered(page));
        }
        let whole = stored(&[&numbered(&pages)]);
        prop_assert_eq!(&whole.events, &cut_up.events);
        prop_assert_eq!(whole.late, cut_up.late);
        for (id, line) in whole.told() {
            let row = &whole.table.auctions[&("ps5".to_owned(), id.to_string())];
            prop_assert_eq!(identity(row), identity(line.last().unwrap()));
            for event in line {
                let seen_then = pages.iter().flatten().any(|row| {
                    row.auction_id == id
                        && row.observed_at == number(event, "observed_at")
                        && shown(row) == identity(event)
                });
                prop_assert!(seen_then, "nobody saw {event:?}");
            }
        }
    }
}

#[test]
fn a_platform_counts_for_itself() {
    let there = with(&at(30, 1), |row| row.platform = "pc".into());
    let database = stored(&[&pages(&[&at(0, 0), &at(60, 2)]), &[there]]);
    assert_eq!((database.late, database.events[&3]["kind"].as_str()), (0, "listed"));
}
