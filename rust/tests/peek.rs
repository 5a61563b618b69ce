//! What a reply says about itself, and that it is what `normalize` finds.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use m26::reply::peek::{Peek, peek};
use pages::{NOW, auction, ids, object, page, read, reply, with};

fn kind(body: &str) -> &'static str {
    peek(body.as_bytes()).kind
}

#[test]
fn each_form_of_a_body_has_a_kind() {
    for (body, expected) in [
        ("", "empty"),
        ("\u{feff} \r\n", "empty"),
        ("<html><body>Access Denied</body></html>", "html"),
        ("  <!DOCTYPE HTML PUBLIC>", "html"),
        ("<error><errorcode>404</errorcode></error>", "xml"),
        ("<?xml version=\"1.0\"?><a/>", "xml"),
        ("upstream connect error", "malformed"),
        ("null", "malformed"),
        ("{", "malformed"),
        ("{} {}", "malformed"),
        (r#"{"a":1,"a":2}"#, "json"),
        ("[]", "json"),
        ("{}", "json"),
        (r#"{"error":{"errorname":"ERR_SYSTEM"}}"#, "error"),
        (r#"{"success":false}"#, "error"),
        (r#"{"success":true}"#, "json"),
        (r#"{"code":401}"#, "error"),
        (r#"{"responseInfo":{"value":{"details":[]}}}"#, "search"),
        (r#"{"responseInfo":{"value":{"details":null}}}"#, "json"),
    ] {
        assert_eq!(kind(body), expected, "{body}");
    }
    assert_eq!(peek(&vec![b'['; m26::reply::envelope::MAX_PAGE_BYTES + 1]).kind, "malformed");
    assert_eq!(peek("{\"a\":".repeat(100_000).as_bytes()).kind, "malformed");
    assert_eq!(
        peek(&reply(&b"1,".repeat(m26::reply::envelope::MAX_ITEMS + 1), "")).kind,
        "malformed"
    );
}

#[test]
fn errors_are_read_in_both_spellings_and_in_xml() {
    let facts = |body: &str| {
        let Peek { envelope, .. } = peek(body.as_bytes());
        (envelope.error_name, envelope.error_code, envelope.error_text)
    };
    for member in ["errortdf", "errordf"] {
        let body = format!(
            r#"{{"error":{{"component":1,"errorcode":9,"errorname":"ERR_X","{member}":{{"x":1,"errorString":"why"}}}}}}"#
        );
        assert_eq!(facts(&body), (Some("ERR_X".into()), Some(9), Some("why".into())));
    }
    assert_eq!(
        facts(r#"{"code":401,"reason":"expired session"}"#),
        (None, Some(401), Some("expired session".into()))
    );
    assert_eq!(
        facts("<error>  <errorcode>404</errorcode> <errormessage> no </errormessage></error>"),
        (None, Some(404), Some("no".into()))
    );
}

#[test]
fn a_captcha_is_any_captcha_member_that_is_not_empty() {
    let captcha = |data: &str| peek(&reply(b"", data)).envelope.captcha;
    for empty in ["\"\"", "null", "0", "-0", "0.00", "0e5", "\" \\n\"", "\"0\"", "false"] {
        assert_eq!(captcha(&format!(",\"captchaUrl\":{empty}")), None);
    }
    assert_eq!(captcha(r#","captchaX":"y""#), Some("captchaX=y".into()));
    assert_eq!(captcha(",\"captchaTimeout\":30"), Some("captchaTimeout=30".into()));
    assert_eq!(captcha(",\"captchaTimeout\":true"), Some("captchaTimeout=true".into()));
    for odd in ["1e400", "0.1e-999", "18446744073709551616", "{}", "[]", r#""\u0000""#] {
        assert!(captcha(&format!(",\"captchaUrl\":{odd}")).is_some(), "{odd}");
    }
    let filled = peek(&reply(b"", r#","captchaKey":"k","captchaUrl":"https://c.invalid/\u0031""#));
    assert_eq!(filled.envelope.captcha.as_deref(), Some("captchaKey=k"));
    assert_eq!(filled.envelope.captcha_url.as_deref(), Some("https://c.invalid/1"));
}

#[test]
fn an_error_code_in_an_unknown_form_is_an_error() {
    let code = |value: &str| {
        let body = String::from_utf8(page(&[])).unwrap();
        peek(body.replace("Code\":0", &format!("Code\":{value}")).as_bytes()).envelope
    };
    for (value, number) in
        [("2", 2), ("\"2\"", 2), ("2.0", -1), ("true", -1), ("[2]", -1), ("1e400", -1)]
    {
        assert_eq!(code(value).ui_error_code, Some(number), "{value}");
        assert!(code(value).is_refusal(), "{value}");
    }
    for value in ["0", "-0", "0.0", "false", "null", "\"\"", "\"0\""] {
        assert_eq!(code(value).ui_error_code, Some(0), "{value}");
        assert!(!code(value).is_refusal(), "{value}");
    }
}

#[test]
fn a_code_beside_auctions_is_no_error() {
    for code in ["0", "401", "404", "18446744073709551615"] {
        let of = |items: &[Vec<u8>]| {
            peek(&[format!("{{\"code\":{code},").as_bytes(), &page(items)[1..]].concat())
        };
        let found = of(&[object(&auction(1))]);
        assert_eq!((found.kind, found.envelope.error_code), ("search", None), "{code}");
        assert_eq!(of(&[]).kind, if code.len() > 3 { "search" } else { "error" }, "{code}");
    }
}

#[test]
fn a_search_reply_is_counted_and_dated() {
    let later = with(auction(2), "postingTime", (NOW - 5).to_string());
    let found = peek(&page(&[object(&auction(1)), object(&later), object(&auction(3))]));
    assert_eq!((found.kind, found.count), ("search", 3));
    assert_eq!(found.newest_posted, Some(NOW - 5));
    assert_eq!(found.envelope.response_time, Some(NOW * 1_000_000));
    assert_eq!((found.envelope.truncated, found.envelope.ui_error_code), (Some(false), Some(0)));
    assert!(!found.envelope.is_refusal());
}

#[test]
fn equal_sets_of_auctions_have_equal_digests() {
    let digest = |ids: &[i64]| {
        let items: Vec<_> = ids.iter().map(|&id| object(&auction(id))).collect();
        peek(&page(&items)).ids_digest
    };
    assert_eq!(digest(&[1, 2, 3]), digest(&[3, 1, 2]));
    assert_ne!(digest(&[1, 2, 3]), digest(&[1, 2]));
    assert_ne!(digest(&[1, 2, 3]), digest(&[1, 2, 4]));
    assert_ne!(digest(&[]), digest(&[0]));
}

#[test]
fn an_unreadable_item_is_counted_like_its_reject() {
    for odd in
        ["{\"auctionId\":1e999}", "null", "{\"auctionId\":\"\\ud800\"}", "{\"a\" 1}", "x", "null{}"]
    {
        let body = page(&[object(&auction(1)), odd.as_bytes().to_vec(), object(&auction(3))]);
        let (found, batch) = (peek(&body), read(&body));
        assert_eq!((found.kind, found.count), ("search", 3), "{odd}");
        assert_eq!((ids(&batch), batch.rejects.len()), (vec![1, 3], 1), "{odd}");
    }
}

#[test]
fn control_bytes_are_repaired_as_for_storing() {
    let named = with(auction(2), "auctionStatus", "\"AUCTIONSTATUS_ACTIVE\t\"");
    let newest = object(&with(named, "postingTime", NOW.to_string()));
    let body = page(&[object(&auction(1)), newest]);
    assert_eq!(read(&body).rows.len(), 2);
    let found = peek(&body);
    assert_eq!((found.count, found.newest_posted), (2, Some(NOW)));
    assert_eq!(
        found.ids_digest,
        peek(&page(&[object(&auction(1)), object(&auction(2))])).ids_digest
    );
    let body = reply(b"", ",\"x\":\"\u{1}\",\"captchaUrl\":\"u\"");
    assert_eq!(peek(&body).envelope.captcha_url.as_deref(), Some("u"));
}
