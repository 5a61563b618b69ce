//! Bytes in, records of 64-bit integers out: in the machine's order, or as PostgreSQL's binary COPY.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Begin of a COPY; flags and the length of an extension follow, both 0.
const COPY: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEAD: usize = COPY.len() + 8;
/// A record's number of fields, which is -1 at the end.
const COUNT: usize = 2;
/// A field's length and its eight bytes.
const FIELD: usize = 4 + 8;

/// Records of `N` integers.
pub(super) fn records<const N: usize>(bytes: &[u8]) -> PyResult<Vec<[i64; N]>> {
    let found = if bytes.starts_with(COPY) { copied(bytes) } else { plain(bytes) };
    found.ok_or_else(|| {
        PyValueError::new_err(format!("{} bytes are no records of {N} integers", bytes.len()))
    })
}

fn plain<const N: usize>(bytes: &[u8]) -> Option<Vec<[i64; N]>> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let (records, left) = whole.as_chunks::<N>();
    let read = || records.iter().map(|record| record.map(i64::from_ne_bytes)).collect();
    (rest.is_empty() && left.is_empty()).then(read)
}

fn copied<const N: usize>(bytes: &[u8]) -> Option<Vec<[i64; N]>> {
    let rows = bytes.get(HEAD..)?.strip_suffix(&(-1_i16).to_be_bytes())?;
    let (rows, rest) = (rows.chunks_exact(COUNT + N * FIELD), rows.len() % (COUNT + N * FIELD));
    let fields = i16::try_from(N).ok()?.to_be_bytes();
    let read = |row: &[u8]| {
        let (count, row) = row.split_at(COUNT);
        let mut record = [0; N];
        for (value, field) in record.iter_mut().zip(row.chunks_exact(FIELD)) {
            let (length, digits) = field.split_at(4);
            if length != 8_i32.to_be_bytes() {
                return None;
            }
            *value = i64::from_be_bytes(digits.try_into().ok()?);
        }
        (count == fields).then_some(record)
    };
    if rest != 0 { None } else { rows.map(read).collect() }
}
