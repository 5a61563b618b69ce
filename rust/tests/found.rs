//! What is found of upstreams that behave in different ways, and that turn while they are asked.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod upstream;

use m26::market::asked::{Ask, HOUR, MINUTE};
use m26::market::found::{Ended, Flags, Found, NoticeValue, Order};
use upstream::{Client, Upstream, Ways, is_true, unknown};

const PER_DAY: i64 = 20_000;

fn variants() -> Vec<(&'static str, Ways)> {
    let plain = Ways::default();
    vec![
        ("default", plain),
        ("paging ignored", Ways { paging: false, ..plain }),
        ("cut to 100", Ways { truncate: 100, ..plain }),
        ("cut to 1000", Ways { truncate: 1_000, ..plain }),
        ("ending", Ways { order: Order::Ending, ..plain }),
        ("no order", Ways { order: Order::None, ..plain }),
        ("random", Ways { order: Order::Random, ..plain }),
        ("omitted", Ways { ended: Ended::Omitted, ..plain }),
        ("error", Ways { ended: Ended::Error, ..plain }),
        ("visible", Ways { visible: 15 * MINUTE, ..plain }),
        ("ending, ignored", Ways { order: Order::Ending, paging: false, ..plain }),
        ("recall 1 h", Ways { recall: HOUR, ..plain }),
        ("recall 6 min", Ways { recall: 6 * MINUTE, ..plain }),
        ("price hidden", Ways { final_price: false, ..plain }),
        ("batch 10", Ways { batch: 10, ..plain }),
        ("batch 37", Ways { batch: 37, ..plain }),
        ("batch 100", Ways { batch: 100, ..plain }),
        ("page 50", Ways { page: 50, ..plain }),
    ]
}

/// Ask until `last`: no notice may be wrong.
fn play(name: &str, client: &mut Client, upstream: &mut Upstream, last: u32) {
    while client.requests < last {
        for notice in client.step(upstream) {
            assert!(is_true(&notice, &upstream.ways), "{name}: {} {notice:?}", client.requests);
        }
    }
}

#[test]
fn every_flag_is_found_and_no_notice_is_wrong_with_and_without_lost_and_doubled_replies() {
    for (name, ways) in variants() {
        for (seed, loss, doubled) in [(1, 0.0, 0.0), (2, 0.1, 0.1)] {
            let ways = Ways { loss, doubled, ..ways };
            let (mut client, mut upstream) =
                (Client::new(seed), Upstream::new(ways, PER_DAY, 1, seed));
            play(name, &mut client, &mut upstream, 700);

            assert_eq!(unknown(client.found.flags(), &ways), [""; 0], "{name}");
            assert!(client.probes < 50, "{name}: {} probes", client.probes);
        }
    }
}

#[test]
fn a_switch_is_told_within_what_could_show_it() {
    for (name, ways) in variants().into_iter().skip(1) {
        // a batch that grew shows when more is asked for; recall when what ended long ago is
        let within = if name.starts_with("batch") || name.starts_with("recall") { 160 } else { 24 };
        let before = Ways { loss: 0.1, ..Ways::default() };
        let (mut client, mut upstream) = (Client::new(7), Upstream::new(before, PER_DAY, 1, 7));
        play(name, &mut client, &mut upstream, 600);
        upstream.ways = Ways { loss: 0.1, ..ways };
        play(name, &mut client, &mut upstream, 600 + within);

        assert_eq!(unknown(client.found.flags(), &upstream.ways), [""; 0], "{name}");
    }
}

#[test]
fn a_pinned_flag_stays_and_what_contradicts_it_is_told_once() {
    let mut upstream = Upstream::new(Ways::default(), PER_DAY, 1, 3);
    let mut client = Client::new(3);
    client.found = Found::new(Flags { order: Some(Order::Ending), ..Flags::default() });
    let mut told = Vec::new();
    for _ in 0..200 {
        told.extend(client.step(&mut upstream).into_iter().filter(|notice| notice.flag == "order"));
    }

    assert_eq!(client.found.flags().order, Some(Order::Ending));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].value, NoticeValue::Text("newest"));
    assert!(told[0].why.starts_with("against what is pinned"));
}

#[test]
fn what_is_known_outlasts_a_restart_at_any_request_and_stays_small() {
    let mut upstream = Upstream::new(Ways::default(), PER_DAY, 1, 4);
    let mut client = Client::new(4);
    for _ in 0..300 {
        client.step(&mut upstream);
        let saved = postcard::to_allocvec(&client.found).unwrap();
        assert!(saved.len() < 20_000);
        client.found = postcard::from_bytes(&saved).unwrap();
        assert_eq!(postcard::to_allocvec(&client.found).unwrap(), saved);
    }

    let (mut again, mut same) = (Client::new(4), Upstream::new(Ways::default(), PER_DAY, 1, 4));
    play("unbroken", &mut again, &mut same, 300);
    assert_eq!(again.found.evidence(), client.found.evidence());
}

#[test]
fn a_market_of_a_few_lots_shows_no_page_size_and_no_cut() {
    let mut upstream = Upstream::new(Ways::default(), 60, 1, 5);
    let mut client = Client::new(5);
    play("short", &mut client, &mut upstream, 600);

    assert_eq!(client.found.flags().page, None);
    assert_eq!(client.found.flags().truncate, Some(0));
    assert_eq!(client.found.flags().paging, Some(true));
}

#[test]
fn refreshes_that_fail_while_searches_fail_as_well_are_no_error_of_ended_auctions() {
    let mut upstream = Upstream::new(Ways::default(), PER_DAY, 1, 6);
    let mut client = Client::new(6);
    play("before", &mut client, &mut upstream, 300);
    upstream.ways.loss = 1.0; // an outage
    play("outage", &mut client, &mut upstream, 400);
    upstream.ways.loss = 0.0;
    play("after", &mut client, &mut upstream, 500);

    assert_eq!(client.found.flags().ended, Some(Ended::Full));
    let Some(Ask::Search { .. }) = client.found.probe(client.now + 24 * HOUR, &client.board) else {
        panic!("nothing showed for a day whether paging is honoured");
    };
}

#[test]
fn where_no_refresh_tells_of_an_end_recall_is_for_ever_and_why_is_said() {
    for ended in [Ended::Omitted, Ended::Error] {
        let ways = Ways { ended, ..Ways::default() };
        let (mut client, mut upstream) = (Client::new(3), Upstream::new(ways, PER_DAY, 1, 3));
        let notices: Vec<_> = (0..300).flat_map(|_| client.step(&mut upstream)).collect();
        let told: Vec<_> = notices.iter().filter(|notice| notice.flag == "recall").collect();
        let [notice] = told[..] else { panic!("{ended:?}: {notices:?}") };
        assert_eq!(notice.value, NoticeValue::Null);
        assert!(notice.why.contains("no refresh tells of an end"), "{notice:?}");
    }
}
