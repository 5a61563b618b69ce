//! The text of a card that cannot be stored as it is in, a text that can be out.
//!
//! Invariant: what can be stored stands there as it did. U+FFFD is in place of a character that
//! PostgreSQL has not; of a number that it cannot hold its digits are, as a string; null, of what is
//! nested too deeply. Of a name that stands in an object twice the last value is left, as in jsonb.
//! Of a card that is too large, members that no known card has and long ones are left out.

use std::collections::HashMap;

use crate::card::canon::MAX_DEPTH;
use crate::card::card::{MAX_CARD_BYTES, SeenCard};
use crate::card::learner::Learner;
use crate::card::role::{CARD_MEMBERS, FACTS, Fact};
use crate::drift::{Drift, DriftKind};
use crate::error::{Fault, Reason};
use crate::json::number;
use crate::json::parse::{Cursor, Kind};
use crate::json::text::write_canonical;

/// Of a card that is too large, members up to this length are kept: all of them are no more than a
/// card may have.
const MAX_MEMBER_BYTES: usize = MAX_CARD_BYTES / CARD_MEMBERS.len() - 64;

/// Read the card at `cursor`, of which something cannot be stored: `why`.
///
/// # Errors
/// It is no JSON, or its id is none.
#[cold]
pub(crate) fn learn_mended(
    learner: &mut Learner,
    cursor: &mut Cursor<'_>,
    why: Fault,
    drift: &mut Drift,
) -> Result<SeenCard, Fault> {
    let start = cursor.at();
    let mut large = why.reason == Reason::TooLarge;
    loop {
        cursor.jump(start);
        let mut noted = Drift::default();
        let text = mend(cursor, large, &mut noted)?;
        let most = if large { usize::MAX } else { 2 * MAX_CARD_BYTES };
        match learner.learn(&mut Cursor::new(&text, 0), most, &mut noted) {
            Ok((mut seen, _)) => {
                drift.merge(&noted);
                seen.mended_at = why.at;
                return Ok(seen);
            }
            Err(fault) if fault.reason == Reason::TooLarge => large = true,
            Err(fault) => return Err(Fault { at: start, ..*fault }), // its place is in the mended text
        }
    }
}

/// The card at `cursor`, mended, and made smaller if it is too `large`; the cursor has passed it.
/// Members that are not as they were are noted.
///
/// # Errors
/// It is no JSON, or its id stands there twice.
fn mend(cursor: &mut Cursor<'_>, large: bool, drift: &mut Drift) -> Result<Vec<u8>, Fault> {
    let mut mended = Object::default();
    cursor.object(|cursor, key| {
        let (name, at) = (key.decode(), cursor.at());
        let mut value = Vec::new();
        let same = write(cursor, 1, &mut value)? && key.is_kept();
        let raw = &cursor.bytes()[at..cursor.at()];
        let kept = !large || raw.len() <= MAX_MEMBER_BYTES && CARD_MEMBERS.contains(&&*name);
        let once = !kept || mended.put(&name, value);
        if !once && name == FACTS[Fact::CardId as usize].2 {
            return Err(Fault::of_field(Reason::DuplicateKey, at, "cardId"));
        }
        if !(same && kept && once) {
            drift.note(&format!("card.{name}"), DriftKind::Unusable, raw);
        }
        Ok(())
    })?;
    Ok(mended.finish())
}

/// Append the value at `cursor` to `out`; whether it is as it was.
fn write(cursor: &mut Cursor<'_>, depth: u32, out: &mut Vec<u8>) -> Result<bool, Fault> {
    let kind = cursor.kind()?;
    let (bytes, at) = (cursor.bytes(), cursor.at());
    let mut same = match kind {
        Kind::Object | Kind::Array => depth < MAX_DEPTH,
        Kind::Number => number::pass_kept(bytes, at).is_ok(),
        Kind::String | Kind::Bool | Kind::Null => true,
    };
    match kind {
        Kind::Object if same => {
            let mut object = Object::default();
            cursor.object(|cursor, key| {
                let mut value = Vec::new();
                same &= write(cursor, depth + 1, &mut value)? && key.is_kept();
                same &= object.put(&key.decode(), value);
                Ok(())
            })?;
            out.append(&mut object.finish());
        }
        Kind::Array if same => {
            out.push(b'[');
            cursor.array(|cursor| {
                same &= write(cursor, depth + 1, out)?;
                out.push(b',');
                Ok(())
            })?;
            end(out, b']');
        }
        Kind::Object | Kind::Array => {
            cursor.value()?;
            out.extend_from_slice(b"null");
        }
        Kind::String => {
            let text = cursor.string()?;
            same = text.is_kept();
            write_canonical(&text.decode(), out);
        }
        Kind::Number if !same => write_canonical(cursor.number()?.text, out),
        Kind::Number | Kind::Bool | Kind::Null => out.extend_from_slice(cursor.value()?),
    }
    Ok(same)
}

/// The members of an object, in the order of their first sight.
#[derive(Default)]
struct Object {
    members: Vec<Vec<u8>>,
    places: HashMap<String, usize>,
}

impl Object {
    /// Set a member; whether it is new.
    fn put(&mut self, name: &str, value: Vec<u8>) -> bool {
        let next = self.members.len();
        let place = *self.places.entry(name.to_owned()).or_insert(next);
        if place == next {
            self.members.push(value);
        } else {
            self.members[place] = value;
        }
        place == next
    }

    fn finish(self) -> Vec<u8> {
        let mut names: Vec<_> = self.places.iter().collect();
        names.sort_unstable_by_key(|(_, place)| **place);
        let mut text = vec![b'{'];
        for ((name, _), value) in names.into_iter().zip(&self.members) {
            write_canonical(name, &mut text);
            text.push(b':');
            text.extend_from_slice(value);
            text.push(b',');
        }
        end(&mut text, b'}');
        text
    }
}

/// End a list of parts, each with a comma behind it.
fn end(text: &mut Vec<u8>, bracket: u8) {
    match text.last_mut() {
        Some(last @ b',') => *last = bracket,
        _ => text.push(bracket),
    }
}
