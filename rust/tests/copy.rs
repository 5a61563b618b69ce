//! COPY streams, byte by byte: the golden files are also loaded into a real PostgreSQL by
//! `tests/native/test_golden_copy.py`.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use m26::batch::{Batch, Normalizer, Page};
use m26::card::role::CardRules;
use m26::clock::Given;
use m26::rows::copy::CopyStream;
use m26::rows::pgtype::{PgType, Value};
use m26::rows::schema::Row;
use pages::{auction, object, page, read, with};

/// The bytes of a golden file: hexadecimal digits after the first word of each line.
fn golden(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits: String = lines.flat_map(|line| line.split(' ').skip(1)).collect();
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn golden_batch() -> Batch {
    let rules = CardRules {
        per_copy: ["cardInstanceId", "acquisitionTimestamp"].map(str::to_owned).into(),
        positions: [(14, "MLB".to_owned())].into(),
    };
    let body = include_bytes!("../../tests/golden/page.json");
    let times = Given::default();
    Normalizer::new(rules).normalize(&[Page { body, platform: "ps5", fetched_at: 0, times }])
}

#[test]
fn rows_and_cards_are_the_golden_bytes() {
    let batch = golden_batch();
    assert_eq!(
        batch.auctions().bytes(),
        golden(include_str!("../../tests/golden/auctions.copy.hex"))
    );
    assert_eq!(batch.cards().bytes(), golden(include_str!("../../tests/golden/cards.copy.hex")));
}

#[test]
fn a_slice_is_the_stream_of_those_rows_alone() {
    let items: Vec<_> = (1..=5)
        .map(|id| object(&with(auction(id), "auctionStatus", format!("\"{}\"", "x".repeat(9)))))
        .collect();
    let batch = read(&page(&items));
    for start in 0..=5 {
        for stop in start..=5 {
            let subset = CopyStream::encode(batch.rows[start..stop].iter(), 1);
            assert_eq!(batch.auctions().slice(start, stop), subset);
            assert_eq!(subset.rows(), stop - start);
            assert_eq!(batch.auctions().slice(1, 5).slice(0, 2), batch.auctions().slice(1, 3));
        }
    }
    assert_eq!(batch.auctions().slice(3, 99), batch.auctions().slice(3, 5));
    for (start, stop) in [(9, 99), (3, 1), (5, 5)] {
        assert_eq!(batch.auctions().slice(start, stop), CopyStream::default());
    }
}

#[test]
fn a_stream_of_no_rows_is_header_and_trailer() {
    let empty = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff";
    assert_eq!(CopyStream::default().bytes(), empty);
    assert_eq!(CopyStream::default().slice(0, 1).bytes(), empty);
    assert_eq!(read(&page(&[])).auctions().bytes(), empty);
    assert_eq!(read(b"").cards(), CopyStream::default());
}

#[test]
fn every_column_gives_a_value_of_its_type() {
    fn fits(ty: PgType, value: Value<'_>) -> bool {
        matches!(
            (ty, value),
            (PgType::Bool, Value::Bool(_))
                | (PgType::Int4, Value::Int4(_))
                | (PgType::Int8, Value::Int8(_))
                | (PgType::Text, Value::Text(_))
                | (PgType::Timestamptz, Value::Timestamptz(_))
                | (PgType::Jsonb, Value::Jsonb(_))
        )
    }
    fn check<R: Row>(row: &R) {
        assert_eq!(row.values().len(), R::COLUMNS.len());
        for (column, value) in R::COLUMNS.iter().zip(row.values()) {
            assert!(fits(column.ty, value), "{}", column.name);
        }
    }
    let batch = read(&page(&[object(&auction(1))]));
    check(&batch.rows[0]);
    check(&batch.new_cards[0]);
}

/// What `values` are as fields of a row.
fn fields(values: &[Value<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        value.write(&mut out);
    }
    out
}

#[test]
fn an_array_is_its_dimension_and_each_element_with_its_length() {
    let ids = [7, -1];
    let expected = [
        &[0, 0, 0, 44][..],        // length
        &[0, 0, 0, 1, 0, 0, 0, 0], // one dimension, no nulls
        &[0, 0, 0, 20],            // of bigint
        &[0, 0, 0, 2, 0, 0, 0, 1], // two elements, from number 1
        &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 255],
    ];
    assert_eq!(fields(&[Value::Int8Array(&ids)]), expected.concat());
    let none = [&[0, 0, 0, 12][..], &[0; 8], &[0, 0, 0, 20]];
    assert_eq!(fields(&[Value::Int8Array(&[])]), none.concat());
}

#[test]
fn a_real_is_four_bytes_and_null_a_length_alone() {
    let expected = [0, 0, 0, 4, 0x3f, 0x40, 0, 0, 255, 255, 255, 255];
    assert_eq!(fields(&[Value::Float4(0.75), Value::Null]), expected);
}
