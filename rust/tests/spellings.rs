//! Any spelling of a document, in any company, has the form and the version of its meaning: against
//! the plainest way to make them.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod pages;

use std::collections::BTreeMap;
use std::fmt::Write;

use m26::batch::Normalizer;
use m26::card::canon::Canon;
use m26::error::Reason::{self, BadUtf8, ControlByte, LoneSurrogate, Malformed, Nul, NumberRange};
use m26::json::parse::Cursor;
use pages::{Members, PER_COPY, auction, card, object, page, read, read_with, reader, with};
use proptest::prelude::*;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

fn canonical(canon: &mut Canon, text: &[u8]) -> Result<String, (Reason, usize)> {
    let mut cursor = Cursor::new(text, 0);
    let form = canon.read(&mut cursor, usize::MAX).and_then(|form| cursor.end().map(|()| form));
    form.map(|form| String::from_utf8(form).unwrap()).map_err(|fault| (fault.reason, fault.at))
}

/// A value that can be spelled in many ways.
#[derive(Clone, Debug)]
enum Model {
    /// As spelled, and in canonical form.
    Atom(&'static str, &'static str),
    Text(String),
    List(Vec<Model>),
    Object(BTreeMap<String, Model>),
}

const ATOMS: [(&str, &str); 16] = [
    ("0", "0"),
    ("-0", "0"),
    ("7", "7"),
    ("-31", "-31"),
    ("1234567", "1234567"),
    ("12345678", "12345678"),
    ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("1.50", "1.50"),
    ("-0.0", "-0.0"),
    ("1E5", "1E5"),
    ("0e-3", "0e-3"),
    ("12345678.5", "12345678.5"),
    ("true", "true"),
    ("false", "false"),
    ("null", "null"),
];

impl Model {
    /// The canonical form, in the plainest way.
    fn canonical(&self) -> String {
        match self {
            Self::Atom(_, form) => (*form).to_owned(),
            Self::Text(text) => text_form(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::canonical).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(members) => {
                let member = |(key, value): (&String, &Self)| {
                    format!("{}:{}", text_form(key), value.canonical())
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
        }
    }

    fn with_integers(self) -> Self {
        match self {
            Self::Atom(_, form) if form.contains(['.', 'E', '-']) => Self::Atom("-0", "0"),
            Self::List(items) => Self::List(items.into_iter().map(Self::with_integers).collect()),
            Self::Object(members) => Self::Object(
                members.into_iter().map(|(key, value)| (key, value.with_integers())).collect(),
            ),
            other => other,
        }
    }

    /// One of its spellings: `choices` decide on order, white space and escapes.
    fn spelled(&self, choices: &mut Choices) -> String {
        match self {
            Self::Atom(text, _) => (*text).to_owned(),
            Self::Text(text) => choices.text(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| choices.spaced(item)).collect();
                format!("[{}{}]", choices.space(), items.join(","))
            }
            Self::Object(members) => {
                let mut texts = Vec::new();
                for (key, value) in members {
                    let key = choices.text(key);
                    let key = format!("{}{key}{}", choices.space(), choices.space());
                    texts.push(format!("{key}:{}", choices.spaced(value)));
                }
                if !texts.is_empty() {
                    let turn = choices.next(texts.len());
                    texts.rotate_left(turn);
                }
                format!("{{{}{}}}", choices.space(), texts.join(","))
            }
        }
    }
}

/// A string in the one spelling that it has.
fn text_form(text: &str) -> String {
    let mut form = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => form.extend(['\\', character]),
            '\0'..='\u{1f}' => write!(form, "\\u{:04x}", u32::from(character)).unwrap(),
            _ => form.push(character),
        }
    }
    form + "\""
}

struct Choices {
    seed: u64,
    /// No white space, no escapes that are not needed.
    plain: bool,
}

impl Choices {
    fn next(&mut self, count: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.seed >> 33).unwrap() % count
    }

    fn space(&mut self) -> &'static str {
        if self.plain { "" } else { ["", "", " ", "\n\t"][self.next(4)] }
    }

    fn spaced(&mut self, value: &Model) -> String {
        let value = value.spelled(self);
        format!("{}{value}{}", self.space(), self.space())
    }

    fn text(&mut self, text: &str) -> String {
        if self.plain {
            return text_form(text);
        }
        let mut spelled = String::from("\"");
        for character in text.chars() {
            let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
            if must || self.next(4) == 0 {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(spelled, "\\u{unit:04X}").unwrap();
                }
            } else {
                spelled.push(character);
            }
        }
        spelled + "\""
    }
}

fn models() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        prop::sample::select(&ATOMS[..]).prop_map(|(text, form)| Model::Atom(text, form)),
        "[ -~\u{1}-\u{1f}é😀]{0,3}".prop_map(Model::Text),
        "[a-z]{0,40}".prop_map(Model::Text),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let keys = "[ab]{0,2}|[\"\\\\\u{7}é😀]{1,2}|k{30,40}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Model::List),
            prop::collection::btree_map(keys, inner, 0..6).prop_map(Model::Object),
        ]
    })
}

/// What a version is made of, by `serde_json`: the definition without the copy and without a twin.
fn attributes_of(card: &[u8]) -> String {
    let mut card: BTreeMap<String, Value> = serde_json::from_slice(card).unwrap();
    card.retain(|name, _| !PER_COPY.contains(&name.as_str()));
    if card.get("cardData").is_some_and(|data| card.get("staticCardData") == Some(data)) {
        card.remove("staticCardData");
    }
    plain_form(&Value::Object(card.into_iter().collect()))
}

fn plain_form(value: &Value) -> String {
    match value {
        Value::String(text) => text_form(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain_form).collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            let member = |(key, value): (&String, &Value)| {
                format!("{}:{}", text_form(key), plain_form(value))
            };
            format!("{{{}}}", sorted.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn of(card: &Members) -> Vec<u8> {
    page(&[object(&with(auction(2), "card", object(card)))])
}

thread_local! {
    /// Readers that have seen the documents of all cases before.
    static WARM: std::cell::RefCell<(Canon, Normalizer)> =
        std::cell::RefCell::new((Canon::default(), reader()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_spelling_has_the_canonical_form_of_its_meaning(
        model in models(), seed in any::<u64>()
    ) {
        let expected = Ok(model.canonical());
        let plain = model.spelled(&mut Choices { seed, plain: true });
        let odd = model.spelled(&mut Choices { seed, plain: false });
        for text in [&plain, &odd, &plain] {
            prop_assert_eq!(&canonical(&mut Canon::default(), text.as_bytes()), &expected);
            WARM.with_borrow_mut(|(warm, _)| {
                for _ in 0..2 {
                    prop_assert_eq!(&canonical(warm, text.as_bytes()), &expected, "{}", text);
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn a_broken_document_has_the_same_fault_whatever_was_read_before(
        model in models(), seed in any::<u64>(), at in any::<usize>(), byte in any::<u8>()
    ) {
        let plain = model.spelled(&mut Choices { seed, plain: seed % 2 == 0 }).into_bytes();
        let mut broken = plain.clone();
        let at = at % broken.len();
        broken[at] = [byte, b'"', b'\\', b',', b'}', b' ', b'0', b'-'][usize::from(byte % 8)];
        let mut warm = Canon::default();
        canonical(&mut warm, &plain).unwrap();
        let expected = canonical(&mut Canon::default(), &broken);
        prop_assert_eq!(canonical(&mut warm, &broken), expected.clone());
        let mut cursor = Cursor::new(&broken, 0);
        let passed = cursor.value().map(drop).and_then(|()| cursor.end());
        let passed = passed.map_err(|fault| (fault.reason, fault.at));
        if matches!(expected, Ok(_) | Err((Malformed | ControlByte | BadUtf8, _))) {
            prop_assert_eq!(passed, expected.map(drop));
        } else {
            prop_assert!(!matches!(passed, Err((LoneSurrogate | Nul | NumberRange, _))));
        }
        prop_assert!(canonical(&mut warm, &plain).is_ok());
    }

    #[test]
    fn a_version_is_the_hash_of_what_serde_json_reads(
        model in models(), seed in any::<u64>(), place in 0..26_usize
    ) {
        let model = model.with_integers(); // serde_json keeps the text of no other numbers
        let text = model.canonical();
        let mut card = card(7);
        card.retain(|(name, _)| name != b"cardData");
        let data = r#"{"value":{"position":14},"tdfid":7}"#;
        card.insert(0, (b"cardData".to_vec(), data.as_bytes().to_vec()));
        let twin = [text.as_str(), r#"{"tdfid":7,"value":{"position":14}}"#, data][place % 3];
        let mut card = with(card, "staticCardData", twin);
        let spelled = model.spelled(&mut Choices { seed, plain: false });
        card.insert(place, (b"novelty".to_vec(), spelled.into_bytes()));
        card.rotate_left(place);
        let expected = attributes_of(&object(&with(card.clone(), "novelty", &text)));
        let cold = read(&of(&card));
        let warm = WARM.with_borrow_mut(|(_, warm)| read_with(warm, &of(&card)));
        for batch in [cold, warm] {
            let card = &batch.new_cards[0].card;
            prop_assert_eq!(std::str::from_utf8(&card.attributes).unwrap(), &expected);
            prop_assert_eq!(card.version, xxh3_64(expected.as_bytes()).cast_signed());
            prop_assert_eq!(card.position.as_deref(), Some("MLB"));
        }
    }
}
