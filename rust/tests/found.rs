//! What is found of upstreams that behave in different ways, and that turn while they are asked.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod upstream;

use m26::market::asked::{HOUR, MINUTE};
use m26::market::found::{Ended, Order};
use upstream::{Client, Upstream, Ways, is_true, unknown};

const PER_DAY: i64 = 20_000;

/// Ask for `requests`: no notice is wrong, and every flag is found within `within` of them.
fn play(name: &str, ways: Ways, per_day: i64, seed: u64, requests: u32) {
    let mut upstream = Upstream::new(ways, per_day, 1 + i64::from(requests) / 4_000, seed);
    let mut client = Client::new(seed);
    let mut log = String::new();
    let mut problems = String::new();
    for _ in 0..requests {
        for notice in client.step(&mut upstream) {
            let right = is_true(&notice, &ways);
            log += &format!("{} {:?} {}; ", client.requests, notice.value, notice.flag);
            if !right {
                problems += &format!(
                    "WRONG {} {:?} {} at {}; ",
                    notice.flag, notice.value, notice.why, client.requests
                );
            }
        }
    }
    let open = unknown(client.found.flags(), &ways);
    println!("{name} {seed}: probes {} open {open:?} {problems} | {log}", client.probes);
}

fn turned(name: &str, ways: Ways, then: Ways, seed: u64) {
    let mut upstream = Upstream::new(ways, PER_DAY, 1, seed);
    let mut client = Client::new(seed);
    let mut log = String::new();
    for n in 0..2400 {
        if n == 1200 {
            upstream.ways = then;
            log.clear();
            log += &format!(" {:?} TURN ", unknown(client.found.flags(), &ways));
        }
        for notice in client.step(&mut upstream) {
            let right = is_true(&notice, &upstream.ways);
            log += &format!(
                "{}{} {:?} {} {}; ",
                if right { "" } else { "WRONG " },
                client.requests,
                notice.value,
                notice.flag,
                if right { "" } else { &notice.why }
            );
        }
    }
    let open = unknown(client.found.flags(), &then);
    println!("{name} {seed}: probes {} open {open:?} | {log}", client.probes);
}

fn variants() -> Vec<(&'static str, Ways)> {
    let d = Ways::default();
    vec![
        ("default", d),
        ("ignored", Ways { paging: false, ..d }),
        ("cut100", Ways { truncate: 100, ..d }),
        ("cut1000", Ways { truncate: 1000, ..d }),
        ("ending", Ways { order: Order::Ending, ..d }),
        ("none", Ways { order: Order::None, ..d }),
        ("random", Ways { order: Order::Random, ..d }),
        ("omitted", Ways { ended: Ended::Omitted, ..d }),
        ("error", Ways { ended: Ended::Error, ..d }),
        ("visible", Ways { visible: 15 * MINUTE, ..d }),
        ("ending+omitted", Ways { order: Order::Ending, ended: Ended::Omitted, ..d }),
        ("ending+ignored", Ways { order: Order::Ending, paging: false, ..d }),
        ("none+ignored", Ways { order: Order::None, paging: false, ..d }),
        ("recall1h", Ways { recall: HOUR, ..d }),
        ("recall6min", Ways { recall: 6 * MINUTE, ..d }),
        ("hidden", Ways { final_price: false, ..d }),
        ("batch10", Ways { batch: 10, ..d }),
        ("batch100", Ways { batch: 100, ..d }),
        ("batch37", Ways { batch: 37, ..d }),
        ("batch700", Ways { batch: 700, ..d }),
        ("page50", Ways { page: 50, ..d }),
    ]
}

#[test]
fn explore() {
    for (name, ways) in variants() {
        for (loss, doubled) in [(0.0, 0.0), (0.2, 0.1)] {
            for seed in 1..3 {
                play(
                    &format!("{name}/{loss}"),
                    Ways { loss, doubled, ..ways },
                    PER_DAY,
                    seed,
                    4_000,
                );
            }
        }
    }
}

#[test]
fn explore_rates() {
    for (name, ways) in variants() {
        for per_day in [60, 1_000, 1_000_000] {
            play(&format!("{name}@{per_day}"), ways, per_day, 5, 1200);
        }
    }
}

#[test]
fn explore_turns() {
    let d = Ways::default();
    for (name, ways) in variants() {
        turned(&format!("to {name}"), d, ways, 3);
        turned(&format!("from {name}"), ways, d, 3);
        turned(
            &format!("lossy to {name}"),
            Ways { loss: 0.1, doubled: 0.1, ..d },
            Ways { loss: 0.1, doubled: 0.1, ..ways },
            4,
        );
        turned(
            &format!("lossy from {name}"),
            Ways { loss: 0.1, doubled: 0.1, ..ways },
            Ways { loss: 0.1, doubled: 0.1, ..d },
            4,
        );
    }
}
