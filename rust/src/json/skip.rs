//! Where a value ends, by brackets and quotes alone.
//!
//! Invariant: nothing that is passed here is ever stored; linear in time, no recursion.

/// Where the value that begins at `from` ends, by brackets and quotes alone; None when they do not
/// match up or nothing stands there. Nothing inside is checked: for an item that is already
/// rejected, or one of which nothing is taken.
#[must_use]
pub fn skip_structure(bytes: &[u8], from: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b'"' => at = skip_string(bytes, at)?,
            byte @ (b'{' | b'[') => {
                open.push(byte + 2); // in ASCII each closing bracket is its opening one + 2
                at += 1;
                continue;
            }
            byte @ (b'}' | b']') => match open.pop() {
                None => return end_of_scalar(bytes, from, at),
                Some(expected) if expected == byte => at += 1,
                Some(_) => return None,
            },
            b',' if open.is_empty() => return end_of_scalar(bytes, from, at),
            _ => {
                at += 1;
                continue;
            }
        }
        if open.is_empty() {
            return Some(at);
        }
    }
}

/// A scalar ends with what follows it; white space between them belongs to neither.
fn end_of_scalar(bytes: &[u8], from: usize, to: usize) -> Option<usize> {
    let length = bytes[from..to].trim_ascii_end().len();
    (length > 0).then_some(from + length)
}

/// The end of the string whose opening quote stands at `at`.
pub(crate) fn skip_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}
