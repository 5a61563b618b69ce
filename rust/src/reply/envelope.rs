//! What surrounds the auctions of one reply.
//!
//! Invariant: the only walk over a reply's outer objects; `peek` and `batch` both come through
//! here, so that classification and storage cannot disagree about what a reply is. Of a fact that is
//! there twice the worse counts: an error, a captcha, a cut list. A list of auctions is there once.

use std::collections::HashSet;

use crate::clock::plausible;
use crate::drift::{Drift, DriftKind};
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
    /// `errorcode` of a Blaze error, or `code` where no auction is listed beside it.
    pub error_code: Option<i64>,
    /// The error's own words, or `responseData.message`.
    pub error_text: Option<String>,
    /// `uiErrorCode`; -1 where it is set and no whole number.
    pub ui_error_code: Option<i64>,
    /// `name=value` of the first captcha member that is set.
    pub captcha: Option<String>,
    /// `captchaUrl` when it is set.
    pub captcha_url: Option<String>,
    /// Server clock, microseconds; only a time that can be one.
    pub response_time: Option<i64>,
    /// The list was cut by the server.
    pub truncated: Option<bool>,
    /// A `success` member.
    pub success: Option<bool>,
    /// There is a list of auctions.
    pub has_details: bool,
    /// Members that are new, or of which nothing could be taken.
    pub drift: Drift,
}

impl Envelope {
    /// The reply carries an error in place of a market: an empty list is no evidence of an empty one.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.is_error || self.success == Some(false) || self.ui_error_code.is_some_and(|c| c != 0)
    }
}

/// What is called at each item; it must pass it.
pub type ItemReader<'r, 'a> = &'r mut dyn FnMut(&mut Cursor<'a>) -> Result<(), Fault>;

/// Walk one JSON reply from byte `from`, calling `item` at each element of `details`.
///
/// # Errors
/// The reply is no JSON outside its items, there are two lists of them, or `item` failed.
pub fn walk<'a>(body: &'a [u8], from: usize, item: ItemReader<'_, 'a>) -> Result<Envelope, Fault> {
    let mut envelope = Envelope::default();
    let mut cursor = Cursor::new(body, from);
    let mut code = None;
    let mut listed = false;
    let item: ItemReader<'_, 'a> = &mut |cursor| {
        listed = true;
        item(cursor)
    };
    if cursor.kind()? == Kind::Array {
        cursor.value()?;
    } else {
        members(&mut cursor, &mut envelope, "reply", |cursor, key, envelope| match key {
            "error" if cursor.kind()? == Kind::Object => error(cursor, envelope),
            "responseInfo" if cursor.kind()? == Kind::Object => response(cursor, envelope, item),
            "code" => {
                code = integer(cursor)?.or(code);
                Ok(())
            }
            "reason" | "message" => {
                envelope.error_text = text(cursor)?.or(envelope.error_text.take());
                Ok(())
            }
            "success" => success(cursor, envelope),
            _ => other(cursor, envelope, "reply", key),
        })?;
    }
    cursor.end()?;
    if !listed {
        envelope.error_code = envelope.error_code.or(code);
        envelope.is_error |= code.is_some();
    }
    Ok(envelope)
}

fn response<'a>(
    cursor: &mut Cursor<'a>,
    envelope: &mut Envelope,
    item: ItemReader<'_, 'a>,
) -> Result<(), Fault> {
    members(cursor, envelope, "responseInfo", |cursor, key, envelope| match key {
        "value" if cursor.kind()? == Kind::Object => value(cursor, envelope, item),
        "tdfid" | "tdfclass" => cursor.value().map(drop),
        _ => other(cursor, envelope, "responseInfo", key),
    })
}

fn value<'a>(
    cursor: &mut Cursor<'a>,
    envelope: &mut Envelope,
    item: ItemReader<'_, 'a>,
) -> Result<(), Fault> {
    members(cursor, envelope, "value", |cursor, key, envelope| match key {
        "details" if envelope.has_details => {
            Err(Fault::of_field(Reason::DuplicateKey, cursor.at(), "details"))
        }
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
        "truncated" if cursor.kind()? == Kind::Bool => {
            let cut = cursor.boolean()?;
            envelope.truncated = Some(cut || envelope.truncated == Some(true));
            Ok(())
        }
        "success" => success(cursor, envelope),
        _ => other(cursor, envelope, "value", key),
    })
}

fn response_data(cursor: &mut Cursor<'_>, envelope: &mut Envelope) -> Result<(), Fault> {
    members(cursor, envelope, "responseData", |cursor, key, envelope| {
        match key {
            "responseTime" => {
                let raw = cursor.clone().value()?;
                envelope.response_time = integer(cursor)?.filter(|&micros| plausible(micros));
                if envelope.response_time.is_none() {
                    envelope.drift.note("responseData.responseTime", DriftKind::Unusable, raw);
                }
            }
            "uiErrorCode" => {
                let code = set(cursor)?.map(|code| code.parse().unwrap_or(-1));
                let before = envelope.ui_error_code.filter(|&code| code != 0);
                envelope.ui_error_code = before.or(code).or(Some(0));
            }
            "message" => {
                let message = text(cursor)?.filter(|message| !message.is_empty());
                envelope.error_text = message.or(envelope.error_text.take());
            }
            "cacheTime" | "messageTitle" => drop(cursor.value()?),
            _ if key.starts_with("captcha") => {
                if let Some(value) = set(cursor)? {
                    if key == "captchaUrl" {
                        envelope.captcha_url = Some(value.clone());
                    }
                    envelope.captcha.get_or_insert_with(|| format!("{key}={value}"));
                }
            }
            _ => other(cursor, envelope, "responseData", key)?,
        }
        Ok(())
    })
}

/// A member's value unless it is one that says nothing: null, false, 0, a blank string, `"0"`. What
/// it is otherwise does not matter: a captcha or an error in an unknown form is one.
fn set(cursor: &mut Cursor<'_>) -> Result<Option<String>, Fault> {
    let kind = cursor.kind()?;
    let value = match kind {
        Kind::String => cursor.string()?.decode().into_owned(),
        _ => String::from_utf8_lossy(cursor.value()?).into_owned(),
    };
    let says_nothing = match kind {
        Kind::Null => true,
        Kind::Bool => value == "false",
        Kind::String => matches!(value.trim(), "" | "0"),
        Kind::Number => value
            .bytes()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .all(|byte| matches!(byte, b'-' | b'0' | b'.')),
        Kind::Object | Kind::Array => false,
    };
    Ok((!says_nothing).then_some(value))
}

fn success(cursor: &mut Cursor<'_>, envelope: &mut Envelope) -> Result<(), Fault> {
    if cursor.kind()? == Kind::Bool {
        let success = cursor.boolean()?;
        envelope.success = Some(success && envelope.success != Some(false));
        return Ok(());
    }
    cursor.value().map(drop)
}

fn error(cursor: &mut Cursor<'_>, envelope: &mut Envelope) -> Result<(), Fault> {
    envelope.is_error = true;
    cursor.object(|cursor, key| {
        match &*key.decode() {
            "errorname" => envelope.error_name = text(cursor)?.or(envelope.error_name.take()),
            "errorcode" => envelope.error_code = integer(cursor)?.or(envelope.error_code),
            "errortdf" | "errordf" if cursor.kind()? == Kind::Object => {
                cursor.object(|cursor, key| {
                    if key.decode() == "errorString" {
                        envelope.error_text = text(cursor)?.or(envelope.error_text.take());
                        return Ok(());
                    }
                    cursor.value().map(drop)
                })?;
            }
            _ => drop(cursor.value()?),
        }
        Ok(())
    })
}

/// Pass an object; names that are there twice are noted.
fn members<'a>(
    cursor: &mut Cursor<'a>,
    envelope: &mut Envelope,
    path: &str,
    mut each: impl FnMut(&mut Cursor<'a>, &str, &mut Envelope) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    cursor.object(|cursor, key| {
        let key = key.decode();
        if seen.contains(&key) {
            envelope.drift.note(&format!("{path}.{key}"), DriftKind::Unusable, b"there twice");
        }
        each(cursor, &key, envelope)?;
        seen.insert(key);
        Ok(())
    })
}

/// Pass a member of which nothing is taken: it is new, or of another type than it was.
fn other(
    cursor: &mut Cursor<'_>,
    envelope: &mut Envelope,
    path: &str,
    key: &str,
) -> Result<(), Fault> {
    let kind = match key {
        "error" | "responseInfo" | "value" | "details" | "responseData" | "truncated" => {
            DriftKind::Unusable
        }
        _ => DriftKind::NewField,
    };
    envelope.drift.note(&format!("{path}.{key}"), kind, cursor.value()?);
    Ok(())
}

fn integer(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Fault> {
    if cursor.kind()? == Kind::Number {
        return Ok(cursor.number()?.integer);
    }
    cursor.value()?;
    Ok(None)
}

fn text(cursor: &mut Cursor<'_>) -> Result<Option<String>, Fault> {
    if cursor.kind()? == Kind::String {
        return Ok(Some(cursor.string()?.decode().into_owned()));
    }
    cursor.value()?;
    Ok(None)
}
