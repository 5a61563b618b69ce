//! Pages with legal JSON of any kind in members that nobody stores, made from the bytes of a fuzzer.
//!
//! Invariant: whatever the bytes are, the page is JSON by its grammar, and every value that becomes a
//! column stands in it as in the page without those members.

use std::fmt::Write;

use super::pages::{Members, NOW, auction, card, object, plus, reply, with};

/// Deepest nesting of a value; far beyond what a definition may have.
const DEEPEST: u8 = 200;
/// The members that may be new: no known one begins like them.
const NAMES: [&str; 6] =
    ["novelty", "noveltie\\u0073", "novelty\\u0000", "novelty\\ud800", "novelty", "novelty😀"];
const PIECES: [&str; 16] = [
    "a",
    "\\u0000",
    "\\ud800",
    "\\udfff",
    "\\ud83d\\ude00",
    "\\u00e9",
    "\\n",
    "\\\\",
    "\\\"",
    "\\/",
    "}",
    "{\\\"",
    "]",
    ",",
    "é",
    "😀",
];

/// Where a member that nobody stores is put, and what it is.
struct Choices<'a> {
    bytes: &'a [u8],
}

impl Choices<'_> {
    /// A number below `below`; 0 when the bytes are used up.
    fn next(&mut self, below: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % below
    }

    fn value(&mut self, depth: u8, text: &mut String) {
        match self.next(if depth == 0 { 10 } else { 14 }) {
            0 => text.push_str("null"),
            1 => text.push_str(["true", "false", "-0", "0", "{}", "[]"][self.next(6)]),
            2 => self.string(text),
            3 => self.digits(text),
            4 | 5 => {
                self.digits(text);
                text.push('.');
                (0..=self.next(9)).for_each(|_| text.push(char::from(b'0' + self.small())));
            }
            6 | 7 => {
                self.digits(text);
                text.push_str(["e", "E+", "e-", "E"][self.next(4)]);
                (0..=self.next(7)).for_each(|_| text.push(char::from(b'0' + self.small())));
            }
            8 => {
                let levels = self.next(usize::from(DEEPEST));
                let (open, close) =
                    [("[", "]"), ("{\"a\":", "}"), ("[{\"b\":", "}]")][self.next(3)];
                text.push_str(&open.repeat(levels));
                self.value(0, text);
                text.push_str(&close.repeat(levels));
            }
            9 => {
                let digits = "9".repeat(1 + 25 * self.next(200));
                let _ = write!(text, "[{digits},0.{digits},\"{digits}\"]");
            }
            10 | 11 => {
                text.push('[');
                for number in 0..self.next(5) {
                    text.push_str(if number > 0 { ", " } else { "" });
                    self.value(depth - 1, text);
                }
                text.push(']');
            }
            _ => {
                text.push('{');
                for number in 0..self.next(5) {
                    text.push_str(if number > 0 { " ," } else { "" });
                    self.string(text);
                    text.push(':');
                    self.value(depth - 1, text);
                }
                text.push('}');
            }
        }
    }

    fn small(&mut self) -> u8 {
        u8::try_from(self.next(10)).unwrap_or(0)
    }

    fn string(&mut self, text: &mut String) {
        text.push('"');
        (0..self.next(6)).for_each(|_| text.push_str(PIECES[self.next(PIECES.len())]));
        text.push('"');
    }

    fn digits(&mut self, text: &mut String) {
        text.push_str(if self.next(2) == 0 { "" } else { "-" });
        text.push(char::from(b'1' + self.small() % 9));
        (0..self.next(40)).for_each(|_| text.push(char::from(b'0' + self.small())));
    }

    fn odd(&mut self) -> String {
        let mut text = String::new();
        self.value(3, &mut text);
        text
    }

    /// The members with some more, and some of the `unread` ones with another value or there twice.
    fn members(&mut self, mut members: Members, unread: &[&str]) -> Members {
        for _ in 0..self.next(4) {
            let name = NAMES[self.next(NAMES.len())];
            members = plus(members, name, self.odd());
            let at = self.next(members.len());
            members[at..].rotate_right(1);
        }
        for _ in 0..self.next(3) {
            let name = unread[self.next(unread.len())];
            let value = self.odd();
            members = if self.next(2) == 0 {
                with(members, name, value)
            } else {
                plus(members, name, value)
            };
        }
        members
    }
}

/// A page as it is, and with what `script` puts into it.
#[must_use]
pub fn pages(script: &[u8]) -> [Vec<u8>; 2] {
    const OF_AUCTIONS: [&str; 2] = ["buyerId", "sellerId"];
    const OF_COPIES: [&str; 4] =
        ["cardState", "isBound", "acquisitionDescription", "cardOwnerBlazeId"];
    const OF_DATA: [&str; 2] = ["cacheTime", "messageTitle"];
    let mut choices = Choices { bytes: script };
    let mut texts = [Vec::new(), Vec::new()];
    for number in 1..=4 {
        let plain = card(13_522_975 + number % 2);
        let odd = choices.members(plain.clone(), &OF_COPIES);
        let refused = if number == 3 { "-1" } else { "100" };
        let item = with(auction(number), "currentBid", refused);
        let odd_item = choices.members(item.clone(), &OF_AUCTIONS);
        for (text, (item, card)) in texts.iter_mut().zip([(item, plain), (odd_item, odd)]) {
            text.push(object(&with(item, "card", object(&card))));
        }
    }
    let [plain, odd] =
        texts.map(|items| reply(&items.join(&b","[..]), &format!(",\"responseTime\":{NOW}000000")));
    let mut text = String::from_utf8(odd).unwrap();
    for before in ["{\"responseInfo\"", "{\"tdfid\":2615288587", "{\"details\"", "{\"cacheTime\""] {
        let added = choices.members(
            Members::new(),
            &[if before.ends_with("Time\"") { OF_DATA[1] } else { "novelty" }],
        );
        let added = String::from_utf8(object(&added)).unwrap();
        if added.len() > 2 {
            let begin = format!("{},", &added[..added.len() - 1]);
            text = text.replacen(before, &format!("{begin}{}", &before[1..]), 1);
        }
    }
    let tdfid = format!("{{\"tdfid\":{},\"tdfclass\":{}", choices.odd(), choices.odd());
    text = text.replacen(
        "{\"tdfid\":2615288587,\"tdfclass\":\"Blaze::Mut::Mobile_SearchAuctionsResponse\"",
        &tdfid,
        choices.next(2),
    );
    [plain, text.into_bytes()]
}
