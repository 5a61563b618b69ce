//! A page that is broken gives no row, whatever good items it holds, and costs no other page.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use std::collections::BTreeSet;

use m26::batch::Page;
use m26::clock::Given;
use m26::error::Reason::{self, *};
use m26::reply::envelope::{MAX_ITEMS, MAX_PAGE_BYTES};
use pages::{NOW, auction, ids, object, page, reader, reply, with};

type Case = (Reason, Vec<u8>);

fn page_faults() -> Vec<Case> {
    let [one, two] = [object(&auction(1)), object(&auction(2))];
    let whole = page(&[one.clone(), two.clone()]);
    let stale = object(&with(auction(1), "postingTime", (NOW - 31 * 86_400).to_string()));
    let time = format!(r#","responseTime":{NOW}000000"#);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let listed = |list: &[&[u8]]| reply(&list.concat(), &time);
    let changed = |from: &str, to: &str| text(&whole).replacen(from, to, 1).into_bytes();
    let with_data = |data: &str| reply(&one, &format!("{time},{data}"));
    let mut cases = vec![
        (Empty, b"".to_vec()),
        (Empty, b" \r\n\t ".to_vec()),
        (Empty, b"\xef\xbb\xbf\n".to_vec()),
        (NotJson, b"<html><body>Access Denied</body></html>".to_vec()),
        (NotJson, b"<error><errorcode>404</errorcode></error>".to_vec()),
        (NotJson, b"upstream connect error".to_vec()),
        (NotJson, b"null".to_vec()),
        (NotJson, b"NaN".to_vec()),
        (NotJson, [b"\xef\xbb\xbf\xef\xbb\xbf", &whole[..]].concat()),
        (UnknownShape, b"{}".to_vec()),
        (UnknownShape, b"[]".to_vec()),
        (UnknownShape, [b"[", &whole[..], b"]"].concat()),
        (UnknownShape, changed("\"details\"", "\"auctions\"")),
        (UnknownShape, reply(b"", &time).replaced(b"[]", b"null")),
        (UnknownShape, reply(b"", &time).replaced(b"[]", b"{}")),
        (TooLarge, vec![b' '; MAX_PAGE_BYTES + 1]),
        (TooMany, listed(&[&b"null,".repeat(MAX_ITEMS), b"null"])),
        (NoTime, reply(&one, "")),
        (NoTime, reply(&one, r#","responseTime":1790000000"#)), // seconds
        (StaleMarket, page(&[stale])),
        (ControlByte, [&whole[..whole.len() - 2], b",\"x\":\"\x01"].concat()),
        (BadUtf8, changed("cacheTime", "cache\u{1}").replaced(b"\x01", b"\xff")),
        (Malformed, with_data(r#""x":01"#)),
        (Malformed, with_data(r#""x":"\u00g0""#)),
        (Malformed, with_data(r#""x":[[[}]]"#)),
        (Malformed, with_data(r#""x":{"a":1,}"#)),
        (DuplicateKey, changed("\"truncated\"", "\"details\":[],\"truncated\"")),
        (DuplicateKey, changed("\"truncated\"", r#""d\u0065tails":null,"truncated""#)),
        // two documents, trailing garbage, bytes between tokens
        (Malformed, [&whole[..], &whole[..]].concat()),
        (Malformed, [&whole[..], b"x"].concat()),
        (Malformed, [&whole[..], b"\0"].concat()),
        (Malformed, changed(":{\"tdfid\"", ":\u{1}{\"tdfid\"")),
        // the list's own grammar
        (Malformed, listed(&[&one, &two])),
        (Malformed, listed(&[&one, b" ", &two])),
        (Malformed, listed(&[&one, b",", &two, b","])),
        (Malformed, listed(&[&one, b", ,", &two])),
        (Malformed, listed(&[b",", &one])),
        (Malformed, listed(&[&one, b"]", &two])),
        (Malformed, listed(&[&one, b"}", &two])),
        // brackets of another kind hide where the item ends
        (Malformed, listed(&[&one, b",", &two[..two.len() - 1], b"]"])),
        (Malformed, listed(&[&one, b",{]}"])),
        (Malformed, listed(&[&one, b",{\"a\":[}}"])),
        (Malformed, listed(&[&one, b",{\"a\":\"}"])),
    ];
    for (from, to) in [("}}}", "}}]"), ("}}}", "}}"), ("\"truncated\":false", "\"truncated\":no")] {
        cases.push((Malformed, changed_last(&whole, from, to)));
    }
    cases
}

fn changed_last(whole: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(whole.to_vec()).unwrap();
    let (head, tail) = text.rsplit_once(from).unwrap();
    format!("{head}{to}{tail}").into_bytes()
}

trait Replaced {
    fn replaced(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replaced for Vec<u8> {
    /// The first `from` gives way to `to`.
    fn replaced(self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.windows(from.len()).position(|window| window == from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }
}

#[test]
fn a_broken_page_gives_no_row_and_costs_no_other_page() {
    let good = [page(&[object(&auction(11))]), page(&[object(&auction(13))])];
    for (number, (reason, body)) in page_faults().into_iter().enumerate() {
        let pages = [&good[0], &body, &good[1]].map(|body| Page {
            body: body.as_slice(),
            platform: "ps5",
            fetched_at: 0,
            times: Given::default(),
        });
        let batch = reader().normalize(&pages);
        let shown = String::from_utf8_lossy(&body[..body.len().min(3000)]);
        let found: Vec<_> = batch.rejects.iter().map(|r| (r.page, r.item, r.from, r.to)).collect();
        assert_eq!(found, [(1, None, 0, body.len())], "case {number}: {shown}");
        assert_eq!(batch.rejects[0].fault.reason, reason, "case {number}: {shown}");
        assert_eq!(ids(&batch), [11, 13], "case {number}: {shown}");
        assert_eq!(batch.auctions().rows(), 2);
    }
}

#[test]
fn a_page_cut_anywhere_gives_no_row() {
    let whole = page(&[object(&auction(1)), object(&auction(2))]);
    let mut reader = reader();
    for length in 0..whole.len() {
        let batch = pages::read_with(&mut reader, &whole[..length]);
        assert!(batch.rows.is_empty() && batch.auctions().rows() == 0, "cut at {length}");
        assert_eq!((batch.rejects.len(), batch.rejects[0].item), (1, None), "cut at {length}");
    }
    assert_eq!(pages::read_with(&mut reader, &whole).rows.len(), 2);
}

#[test]
fn every_reason_of_pages_is_provoked_above() {
    let codes: BTreeSet<_> = page_faults().iter().map(|(reason, _)| reason.code()).collect();
    let of_pages = [Empty, NotJson, UnknownShape, StaleMarket, NoTime, TooMany, ControlByte];
    assert!(of_pages.iter().all(|reason| codes.contains(reason.code())));
}
