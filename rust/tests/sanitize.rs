//! The one repair: which bytes it touches.

use std::borrow::Cow;

use m26::json::sanitize::sanitize;

#[test]
fn control_bytes_inside_strings_become_spaces_and_nothing_else_changes() {
    for (page, repaired) in [
        ("{\"a\tb\":\"\u{0}\u{1f}\"}", "{\"a b\":\"  \"}"),
        ("[\"a\"\"\u{1}\"]", "[\"a\"\" \"]"),
        ("\n\t[\r\n\"x\\\"\u{2}\" ,\u{3} 1]", "\n\t[\r\n\"x\\\" \" ,\u{3} 1]"),
        ("[\"\\\\\"\u{1},\"\u{1}\"]", "[\"\\\\\"\u{1},\" \"]"),
        ("[\"\u{1}\",\"cut\u{1}", "[\" \",\"cut\u{1}"),
    ] {
        assert_eq!(sanitize(page.as_bytes()), repaired.as_bytes(), "{page:?}");
    }
}

#[test]
fn a_page_without_them_is_not_copied() {
    for page in ["", "[1,\n2]", "{\"a\":\"\\n\u{7f}\u{85}é\"}", "\"", "\"\\"] {
        assert!(matches!(sanitize(page.as_bytes()), Cow::Borrowed(_)), "{page:?}");
    }
}
