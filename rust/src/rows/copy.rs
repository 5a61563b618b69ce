//! Rows to PostgreSQL binary COPY bytes.
//!
//! Invariant: a buffer is always a whole COPY stream: header, rows, trailer. A slice of it too.

use crate::rows::schema::Row;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"; // signature, flags, extension length
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// A finished COPY stream and where its rows begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyStream {
    bytes: Vec<u8>,
    /// Start of each row, and the end of the last.
    bounds: Vec<usize>,
}

impl Default for CopyStream {
    /// A stream of no rows.
    fn default() -> Self {
        Self { bytes: [HEADER, TRAILER].concat(), bounds: vec![HEADER.len()] }
    }
}

impl CopyStream {
    /// Encode `rows`.
    pub fn encode<'r, R: Row + 'r>(
        rows: impl ExactSizeIterator<Item = &'r R>,
        bytes_per_row: usize,
    ) -> Self {
        let mut writer = CopyWriter::new(rows.len(), bytes_per_row);
        rows.for_each(|row| writer.push(row));
        writer.finish()
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The COPY stream.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A stream of the rows `start..stop` alone; out-of-range ends are cut back.
    #[must_use]
    pub fn slice(&self, start: usize, stop: usize) -> Self {
        let stop = stop.min(self.rows());
        let start = start.min(stop);
        let shift = self.bounds[start] - HEADER.len();
        let body = &self.bytes[self.bounds[start]..self.bounds[stop]];
        Self {
            bytes: [HEADER, body, TRAILER].concat(),
            bounds: self.bounds[start..=stop].iter().map(|bound| bound - shift).collect(),
        }
    }
}

/// A COPY stream in the making.
#[derive(Debug)]
pub struct CopyWriter {
    bytes: Vec<u8>,
    bounds: Vec<usize>,
}

impl CopyWriter {
    /// A stream with room for `rows`.
    #[must_use]
    pub fn new(rows: usize, bytes_per_row: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER.len() + TRAILER.len() + rows * bytes_per_row);
        bytes.extend_from_slice(HEADER);
        Self { bytes, bounds: Vec::with_capacity(rows + 1) }
    }

    /// Append a row; all rows of a stream are of one kind.
    pub fn push<R: Row>(&mut self, row: &R) {
        self.bounds.push(self.bytes.len());
        let fields = i16::try_from(R::COLUMNS.len()).unwrap_or(i16::MAX);
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        row.write(&mut self.bytes);
    }

    /// The stream.
    #[must_use]
    pub fn finish(mut self) -> CopyStream {
        self.bounds.push(self.bytes.len());
        self.bytes.extend_from_slice(TRAILER);
        CopyStream { bytes: self.bytes, bounds: self.bounds }
    }
}
