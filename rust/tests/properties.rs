//! The checks of the fuzz targets, for a few seconds in every test run.

#[path = "../fuzz/checks.rs"]
mod checks;

use checks::pages::{auction, object, page, plus};
use proptest::prelude::*;

/// Pieces of JSON, and of what almost is.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    " ",
    "\n",
    "\u{1}",
    "\u{feff}",
    "0",
    "1",
    "-",
    "-0",
    "1.5",
    "1e5",
    "1e400",
    "1E-20000",
    "9223372036854775807",
    "9223372036854775808",
    "true",
    "false",
    "null",
    "nul",
    "NaN",
    "\"a\"",
    "\"\"",
    "\"b\":",
    "{\"a\":1}",
    "[1,2]",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\u00e9",
    "é",
    "😀",
    "\\n",
    "\\x",
    "\"\\u0061\":1",
    "\"a\":[",
    "[[[[[[[[[[",
    "{\"k\":{",
    "<html>",
    "\"details\":[",
    "\"responseInfo\":{",
    "\"auctionId\":",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

/// Bytes that are often valid: a JSON value of pieces, or pieces alone.
fn json_like() -> impl Strategy<Value = Vec<u8>> {
    let leaf = pieces().prop_map(|bytes| serde_json::json!(String::from_utf8_lossy(&bytes)));
    let number = any::<f64>().prop_map(|number| serde_json::json!(number));
    let integer = any::<i64>().prop_map(|number| serde_json::json!(number));
    let value = prop_oneof![leaf, number, integer].prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-c\u{1}é\"]{0,2}", inner, 0..4)
                .prop_map(|members| serde_json::json!(members)),
        ]
    });
    let valid = (value, prop::collection::vec(any::<u8>(), 0..5))
        .prop_map(|(value, script)| checks::edited(value.to_string().as_bytes(), &script));
    prop_oneof![valid, pieces(), prop::collection::vec(any::<u8>(), 0..40)]
}

/// Pages of two auctions with something added, then edited here and there.
fn pages() -> impl Strategy<Value = Vec<u8>> {
    let edited =
        (json_like(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(value, script)| {
            let odd = object(&plus(auction(2), "novelty", value));
            checks::edited(&page(&[object(&auction(1)), odd]), &script)
        });
    prop_oneof![3 => edited, 1 => json_like()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_page_of_anything_gives_whole_rows_and_placed_rejects(page in pages()) {
        checks::normalize(&page);
    }

    #[test]
    fn peek_says_what_normalize_does(page in pages()) {
        checks::peek(&page);
    }

    #[test]
    fn what_is_accepted_is_json_and_its_canonical_form_means_the_same(text in json_like()) {
        checks::parse(&text);
    }

    #[test]
    fn a_changed_card_is_never_taken_for_the_known_one(
        script in prop::collection::vec(any::<u8>(), 0..17)
    ) {
        checks::cards(&script);
    }

    #[test]
    fn a_reader_that_knows_such_pages_reads_like_one_that_knows_none(page in pages()) {
        checks::warm(&page);
    }

    #[test]
    fn the_repair_touches_control_bytes_in_strings_alone(page in prop_oneof![pages(), json_like()]) {
        checks::sanitize(&page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_member_that_nobody_stores_costs_nothing_whatever_is_in_it(
        script in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        checks::members(&script);
    }
}
