//! A body in, what it presents itself as out, from its first bytes alone.
//!
//! Invariant: only what is of the form [`Form::Json`] is ever parsed.

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
