//! The cursor, value by value: what it passes, what it says of what it refuses, and where.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use m26::card::canon::{Canon, MAX_DEPTH};
use m26::error::Reason::{self, *};
use m26::json::parse::{Cursor, Kind};
use m26::json::skip::skip_structure;

/// What `passed` is for what is stored.
fn kept(text: &[u8]) -> Result<(), (Reason, usize)> {
    let mut cursor = Cursor::new(text, 0);
    let read = Canon::default().read(&mut cursor, usize::MAX);
    read.and_then(|_| cursor.end()).map_err(|fault| (fault.reason, fault.at))
}

fn passed(text: &[u8]) -> Result<(), (Reason, usize)> {
    let mut cursor = Cursor::new(text, 0);
    cursor.value().and_then(|_| cursor.end()).map_err(|fault| (fault.reason, fault.at))
}

fn canonical(text: &str) -> String {
    let mut canon = Canon::default();
    let mut read = || canon.read(&mut Cursor::new(text.as_bytes(), 0), usize::MAX).unwrap();
    let first = read();
    assert_eq!(read(), first, "a known shape changes nothing");
    String::from_utf8(first).unwrap()
}

#[test]
fn faults_are_noticed_where_they_stand() {
    for (text, reason, at) in [
        ("", Malformed, 0),
        ("[1,]", Malformed, 3),
        ("[1 2]", Malformed, 3),
        ("[1]x", Malformed, 3),
        (r#"{"a":1,"b"}"#, Malformed, 10),
        ("[\"a\tb\"]", ControlByte, 3),
        (r#"["\u00g0"]"#, Malformed, 2),
        (r#"{"a":1,}"#, Malformed, 7),
        ("[[1}", Malformed, 3),
        ("[1,-]", Malformed, 4),
        ("[1.]", Malformed, 3),
        ("[truth]", Malformed, 1),
        ("[\"open", Malformed, 6),
    ] {
        assert_eq!(passed(text.as_bytes()), Err((reason, at)), "{text}");
        assert_eq!(kept(text.as_bytes()), Err((reason, at)), "{text}");
    }
    assert_eq!(passed(b"[\"ab\xff\"]"), Err((BadUtf8, 4)));
}

#[test]
fn what_cannot_be_stored_is_passed_and_not_kept() {
    let digits = format!("[{}]", "9".repeat(1001));
    for (text, reason, at) in [
        (r#"["\ud800"]"#, LoneSurrogate, 2),
        (r#"{"\udc00":1}"#, LoneSurrogate, 2),
        (r#"["ab\u0000"]"#, Nul, 4),
        (&digits, NumberRange, 1),
        ("[1e401]", NumberRange, 1),
        ("[1,1e-20000]", NumberRange, 3),
        (r#"[{"a":1,"\u0061":2}]"#, DuplicateKey, 1),
    ] {
        assert_eq!(kept(text.as_bytes()), Err((reason, at)), "{text}");
        assert_eq!(passed(text.as_bytes()), Ok(()), "{text}");
    }
    for text in ["[1e400,0.1e-399,-0,-0.0]", "[18446744073709551615,-99999999999999999999]"] {
        assert_eq!(kept(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn depth_counts_open_brackets_and_not_values() {
    let nested = |levels: u32| {
        let levels = levels as usize;
        format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes()
    };
    assert_eq!(kept(&nested(MAX_DEPTH)), Ok(()));
    assert_eq!(kept(&nested(MAX_DEPTH + 1)), Err((TooDeep, MAX_DEPTH as usize + 1)));
    assert_eq!(passed(&nested(1_000_000)), Ok(()));
    let wide = format!("[{}[]]", "[{}],".repeat(1000));
    assert_eq!(kept(wide.as_bytes()), Ok(()));
}

#[test]
fn numbers_are_integers_only_when_written_so() {
    let integer = |text: &str| Cursor::new(text.as_bytes(), 0).number().unwrap().integer;
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("-31", Some(-31)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        ("1e400", None),
        ("1.0", None),
        ("1e0", None),
        ("-0.0", None),
    ] {
        assert_eq!(integer(text), expected, "{text}");
    }
}

#[test]
fn the_canonical_form_has_one_spelling() {
    for (text, expected) in [
        (" { \"b\" : 1 , \"a\" : [ ] } ", r#"{"a":[],"b":1}"#),
        (r#"{"b":{"y":1,"x":2},"\u0061":0}"#, r#"{"a":0,"b":{"x":2,"y":1}}"#),
        (r#""\/\u00e9\u00E9\ud83d\ude00""#, "\"/éé😀\""),
        (r#""\"\\\b\f\n\r\t\u001f""#, r#""\"\\\u0008\u000c\u000a\u000d\u0009\u001f""#),
        ("[-0,-0.0,1.50,1E5]", "[0,-0.0,1.50,1E5]"),
        (r#"{"":1,"\ud83d\ude00":2,"\uffff":3}"#, "{\"\":1,\"\u{ffff}\":3,\"😀\":2}"),
    ] {
        assert_eq!(canonical(text), expected);
        assert_eq!(canonical(expected), expected);
    }
}

#[test]
fn a_value_ends_by_its_brackets_and_quotes() {
    for (text, end) in [
        ("{},", Some(2)),
        (r#"{"a":"}"}]"#, Some(9)),
        (r#"{"a\"}":["]"]},"#, Some(14)),
        (r#""a\\",1"#, Some(5)),
        ("12 \n,", Some(2)),
        ("12]", Some(2)),
        ("12}", Some(2)),
        ("nonsense here]", Some(13)),
        ("[{]}", None),
        ("[", None),
        ("\"open", None),
        ("\"open\\", None),
        ("12", None),
        (",", None),
        (" ]", None),
        ("", None),
    ] {
        assert_eq!(skip_structure(text.as_bytes(), 0), end, "{text}");
    }
    let deep = "[{\"a\":".repeat(100_000) + &"}]".repeat(100_000);
    assert_eq!(skip_structure(deep.as_bytes(), 0), Some(deep.len()));
}

#[test]
fn members_and_elements_are_offered_one_by_one() {
    let text = br#" {"a" : [1, 2 ], "b\n": "x"} "#;
    let mut seen = Vec::new();
    let mut cursor = Cursor::new(text, 0);
    assert_eq!(cursor.kind(), Ok(Kind::Object));
    cursor
        .object(|cursor, key| {
            let key = key.decode().into_owned();
            let value = String::from_utf8(cursor.value()?.to_vec()).unwrap();
            seen.push((key, value));
            Ok(())
        })
        .unwrap();
    cursor.end().unwrap();
    let expected = [("a", "[1, 2 ]"), ("b\n", "\"x\"")];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}
