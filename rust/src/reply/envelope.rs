//! What surrounds the auctions of one reply.
//!
//! Invariant: the only walk over a reply's outer objects; `peek` and `batch` both come through
//! here, so that classification and storage cannot disagree about what a reply is.

use std::collections::HashSet;

use crate::error::{Fault, Reason};
use crate::json::parse::{Cursor, Kind};

/// Larger pages are rejected unread: 100 real auctions are 1.2 MB.
pub const MAX_PAGE_BYTES: usize = 16 << 20;
/// More items in a page than this is not a page of auctions.
pub const MAX_ITEMS: usize = 10_000;

/// The facts of one reply apart from its auctions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// A Blaze error object, or an error inside a success, is present.
    pub is_error: bool,
    /// `errorname` of a Blaze error.
    pub error_name: Option<String>,
    /// `errorcode` of a Blaze error, or `code` of an error inside a success.
    pub error_code: Option<i64>,
    /// The error's own words, or `responseData.message`.
    pub error_text: Option<String>,
    /// `uiErrorCode`; -1 where it is set and no whole number.
    pub ui_error_code: Option<i64>,
    /// `name=value` of the first captcha member that is set.
    pub captcha: Option<String>,
    /// `captchaUrl` when it is set.
    pub captcha_url: Option<String>,
    /// Server clock, microseconds.
    pub response_time: Option<i64>,
    /// The list was cut by the server.
    pub truncated: Option<bool>,
    /// A `success` member.
    pub success: Option<bool>,
    /// There is a list of auctions.
    pub has_details: bool,
}

impl Envelope {
    /// The reply carries an error in place of a market: an empty list is no evidence of an empty one.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.is_error || self.success == Some(false) || self.ui_error_code.is_some_and(|c| c != 0)
    }
}

/// How a body presents itself before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No bytes but white space.
    Empty,
    /// An XML document that is not HTML.
    Xml,
    /// An HTML page.
    Html,
    /// An object or array, by its first byte; starts at this offset (after a byte order mark).
    Json(usize),
    /// Something else.
    Other,
}

/// What `body` looks like from its first bytes.
#[must_use]
pub fn form(body: &[u8]) -> Form {
    let skipped = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let space = body[skipped..].iter().position(|b| !b.is_ascii_whitespace());
    let Some(space) = space else { return Form::Empty };
    let start = &body[skipped + space..];
    match start[0] {
        b'{' | b'[' => Form::Json(skipped),
        b'<' => {
            let head = start[..start.len().min(512)].to_ascii_lowercase();
            let html = memchr::memmem::find(&head, b"<html").is_some()
                || memchr::memmem::find(&head, b"<!doctype html").is_some();
            if html { Form::Html } else { Form::Xml }
        }
        _ => Form::Other,
    }
}

/// Walk one JSON reply from byte `from`, calling `item` at each element of `details`; it must pass
/// that element.
///
/// # Errors
/// The reply is not valid JSON outside its items, or `item` failed.
pub fn walk<'a>(
    body: &'a [u8],
    from: usize,
    item: &mut dyn FnMut(&mut Cursor<'a>) -> Result<(), Fault>,
) -> Result<Envelope, Fault> {
    let mut envelope = Envelope::default();
    let mut cursor = Cursor::new(body, from);
    if cursor.kind()? == Kind::Array {
        cursor.value()?;
    } else {
        members(&mut cursor, |cursor, key| match key {
            "error" if cursor.kind()? == Kind::Object => error(cursor, &mut envelope),
            "responseInfo" if cursor.kind()? == Kind::Object => {
                members(cursor, |cursor, key| match key {
                    "value" if cursor.kind()? == Kind::Object => value(cursor, &mut envelope, item),
                    _ => cursor.value().map(drop),
                })
            }
            "code" => {
                envelope.error_code = code(cursor)?;
                envelope.is_error |= envelope.error_code.is_some();
                Ok(())
            }
            "reason" | "message" => {
                envelope.error_text = text(cursor)?;
                Ok(())
            }
            "success" => {
                envelope.success = boolean(cursor)?;
                Ok(())
            }
            _ => cursor.value().map(drop),
        })?;
    }
    cursor.end()?;
    Ok(envelope)
}

fn value<'a>(
    cursor: &mut Cursor<'a>,
    envelope: &mut Envelope,
    item: &mut dyn FnMut(&mut Cursor<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    members(cursor, |cursor, key| match key {
        "details" if cursor.kind()? == Kind::Array => {
            envelope.has_details = true;
            let mut count = 0;
            cursor.array(|cursor| {
                if count == MAX_ITEMS {
                    return Err(Fault::new(Reason::TooMany, cursor.at()));
                }
                count += 1;
                item(cursor)
            })
        }
        "responseData" if cursor.kind()? == Kind::Object => response_data(cursor, envelope),
        "truncated" => {
            envelope.truncated = boolean(cursor)?;
            Ok(())
        }
        "success" => {
            envelope.success = boolean(cursor)?;
            Ok(())
        }
        _ => cursor.value().map(drop),
    })
}

fn response_data(cursor: &mut Cursor<'_>, envelope: &mut Envelope) -> Result<(), Fault> {
    members(cursor, |cursor, key| {
        match key {
            "responseTime" => envelope.response_time = integer(cursor)?,
            "uiErrorCode" => {
                let code = set(cursor)?;
                envelope.ui_error_code = Some(code.map_or(0, |code| code.parse().unwrap_or(-1)));
            }
            "message" => envelope.error_text = text(cursor)?.filter(|message| !message.is_empty()),
            _ if key.starts_with("captcha") => {
                if let Some(value) = set(cursor)? {
                    if key == "captchaUrl" {
                        envelope.captcha_url = Some(value.clone());
                    }
                    envelope.captcha.get_or_insert_with(|| format!("{key}={value}"));
                }
            }
            _ => drop(cursor.value()?),
        }
        Ok(())
    })
}

/// A member's value unless it is one that says nothing: null, false, 0 or a blank string, the first
/// three also as text. What it is otherwise does not matter: a captcha or an error in an unknown form
/// is one.
fn set(cursor: &mut Cursor<'_>) -> Result<Option<String>, Fault> {
    let kind = cursor.kind()?;
    let value = spelled(cursor)?;
    let says_nothing = match kind {
        Kind::Null => true,
        Kind::Bool => value == "false",
        Kind::String => {
            ["", "0", "false", "null"].iter().any(|word| value.eq_ignore_ascii_case(word))
        }
        Kind::Number => value
            .bytes()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .all(|byte| matches!(byte, b'-' | b'0' | b'.')),
        Kind::Object | Kind::Array => false,
    };
    Ok((!says_nothing).then_some(value))
}

/// What a member's value spells, without blanks around it: a number or a boolean may come as text.
fn spelled(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    Ok(if cursor.kind()? == Kind::String {
        cursor.string()?.decode().trim_ascii().to_owned()
    } else {
        String::from_utf8_lossy(cursor.value()?).into_owned()
    })
}

fn error(cursor: &mut Cursor<'_>, envelope: &mut Envelope) -> Result<(), Fault> {
    envelope.is_error = true;
    members(cursor, |cursor, key| {
        match key {
            "errorname" => envelope.error_name = text(cursor)?,
            "errorcode" => envelope.error_code = code(cursor)?,
            "errortdf" | "errordf" if cursor.kind()? == Kind::Object => {
                members(cursor, |cursor, key| {
                    if key == "errorString" {
                        envelope.error_text = text(cursor)?;
                    } else {
                        cursor.value()?;
                    }
                    Ok(())
                })?;
            }
            _ => drop(cursor.value()?),
        }
        Ok(())
    })
}

/// Pass an object, each of its keys at most once: one of two might say that this is no market.
fn members<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    cursor.object(|cursor, key| {
        let key = key.decode();
        if seen.contains(&key) {
            return Err(Fault::new(Reason::DuplicateKey, cursor.at()));
        }
        each(cursor, &key)?;
        seen.insert(key);
        Ok(())
    })
}

fn integer(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Fault> {
    if cursor.kind()? == Kind::Number {
        return Ok(cursor.number()?.integer);
    }
    cursor.value()?;
    Ok(None)
}

/// The number of an error.
fn code(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Fault> {
    if cursor.kind()? == Kind::String {
        return Ok(spelled(cursor)?.parse().ok());
    }
    integer(cursor)
}

fn text(cursor: &mut Cursor<'_>) -> Result<Option<String>, Fault> {
    if cursor.kind()? == Kind::String {
        return Ok(Some(cursor.string()?.decode().into_owned()));
    }
    cursor.value()?;
    Ok(None)
}

fn boolean(cursor: &mut Cursor<'_>) -> Result<Option<bool>, Fault> {
    Ok(match spelled(cursor)?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
}
