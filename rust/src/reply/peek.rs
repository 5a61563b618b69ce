//! The facts that classification needs of one reply, without building its auctions.
//!
//! Invariant: never fails: a body that cannot be read is of kind `malformed`.

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Fault, Reason};
use crate::json::parse::{Cursor, Kind};
use crate::json::sanitize::sanitize;
use crate::json::skip::skip_structure;
use crate::reply::envelope::{Envelope, MAX_PAGE_BYTES, walk};
use crate::reply::form::{Form, form};

/// Characters of an error's name or words that are read.
const MAX_WORDS: usize = 1_000;

/// What a reply is and what it says about itself.
#[derive(Clone, Debug, Default)]
pub struct Peek {
    /// `search`, `error`, `json`, `xml`, `html`, `empty` or `malformed`.
    pub kind: &'static str,
    /// What surrounds the auctions.
    pub envelope: Envelope,
    /// Number of auctions.
    pub count: usize,
    /// Hash of the set of auction ids.
    pub ids_digest: i64,
    /// Newest `postingTime`, seconds.
    pub newest_posted: Option<i64>,
}

/// Look at one reply.
#[must_use]
pub fn peek(body: &[u8]) -> Peek {
    let of_kind = |kind| Peek { kind, ..Peek::default() };
    if body.len() > MAX_PAGE_BYTES {
        return of_kind("malformed");
    }
    match form(body) {
        Form::Empty => of_kind("empty"),
        Form::Html => of_kind("html"),
        Form::Xml => xml(body),
        Form::Other => of_kind("malformed"),
        Form::Json(start) => {
            let mut control_bytes = false;
            let mut peek = read(body, start, &mut control_bytes);
            if control_bytes {
                peek = read(&sanitize(body), start, &mut control_bytes);
            }
            peek.unwrap_or(of_kind("malformed"))
        }
    }
}

/// `control_bytes` is set when some were met: the body deserves its one repair.
fn read(body: &[u8], start: usize, control_bytes: &mut bool) -> Result<Peek, Fault> {
    let mut ids = Vec::new();
    let mut peek = Peek::default();
    let envelope = walk(body, start, &mut |cursor| {
        peek.count += 1;
        let from = cursor.at();
        let item = identity(cursor);
        if let Err(fault) = item {
            *control_bytes |= fault.reason == Reason::ControlByte;
            cursor.jump(skip_structure(body, from).ok_or(fault)?);
        }
        if let Ok((id, posted)) = item {
            ids.extend(id);
            peek.newest_posted = peek.newest_posted.max(posted);
        }
        Ok(())
    });
    *control_bytes |= matches!(envelope, Err(fault) if fault.reason == Reason::ControlByte);
    peek.envelope = envelope?;
    for words in [
        &mut peek.envelope.error_name,
        &mut peek.envelope.error_text,
        &mut peek.envelope.captcha,
        &mut peek.envelope.captcha_url,
    ] {
        cut(words.as_mut());
    }
    ids.sort_unstable();
    let bytes: Vec<u8> = ids.iter().flat_map(|id: &i64| id.to_be_bytes()).collect();
    peek.ids_digest = xxh3_64(&bytes).cast_signed();
    peek.kind = if peek.envelope.is_error || peek.envelope.success == Some(false) {
        "error"
    } else if peek.envelope.has_details {
        "search"
    } else {
        "json"
    };
    Ok(peek)
}

/// Of words that a person is shown, or a few are looked for in, the first are enough.
fn cut(words: Option<&mut String>) {
    if let Some(words) = words
        && let Some((end, _)) = words.char_indices().nth(MAX_WORDS)
    {
        words.truncate(end);
    }
}

/// (auctionId, postingTime) of the item at `cursor`.
fn identity(cursor: &mut Cursor<'_>) -> Result<(Option<i64>, Option<i64>), Fault> {
    let (mut id, mut posted) = (None, None);
    if cursor.kind()? != Kind::Object {
        return Err(Fault::new(Reason::NotAnObject, cursor.at()));
    }
    cursor.object(|cursor, key| {
        let key = key.decode();
        match cursor.kind()? {
            Kind::Number if key == "auctionId" => id = cursor.number()?.integer,
            Kind::Number if key == "postingTime" => posted = cursor.number()?.integer,
            // a card: nothing in it says what the reply is
            Kind::Object => pass_structure(cursor)?,
            _ => drop(cursor.value()?),
        }
        Ok(())
    })?;
    Ok((id, posted))
}

/// Pass a value by its brackets and quotes. Where these do not match up, it is no value.
fn pass_structure(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let from = cursor.at();
    let to = skip_structure(cursor.bytes(), from);
    cursor.jump(to.ok_or(Fault::new(Reason::Malformed, from))?);
    Ok(())
}

/// The gateway's XML error: `<error><errorcode>…</errorcode><errormessage>…</errormessage></error>`.
fn xml(body: &[u8]) -> Peek {
    let head = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let element = |name: &str| {
        let (_, rest) = head.split_once(&format!("<{name}>"))?;
        let (content, _) = rest.split_once(&format!("</{name}>"))?;
        Some(content.trim().to_owned())
    };
    let envelope = Envelope {
        error_code: element("errorcode").and_then(|code| code.parse().ok()),
        error_text: element("errormessage"),
        ..Envelope::default()
    };
    Peek { kind: "xml", envelope, ..Peek::default() }
}
