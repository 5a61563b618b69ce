//! Repair of one known fault of the upstream: raw control bytes inside strings.
//!
//! Invariant: the repaired copy has the same length, so every byte offset means the same place.

use std::borrow::Cow;

use crate::json::skip::skip_string;

/// `page` with each control byte inside a string replaced by a space; borrowed when there is none.
#[must_use]
pub fn sanitize(page: &[u8]) -> Cow<'_, [u8]> {
    let mut repaired: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &page[at..]) {
        let from = at + quote;
        let Some(to) = skip_string(page, from) else { break };
        for index in from..to {
            if page[index] < 0x20 {
                repaired.get_or_insert_with(|| page.to_vec())[index] = b' ';
            }
        }
        at = to;
    }
    repaired.map_or(Cow::Borrowed(page), Cow::Owned)
}
