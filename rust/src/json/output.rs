//! Bytes that are put together from many short pieces.
//!
//! Invariant: what lies before `len()` was written; room behind it is used for copying a short
//! piece as a block of fixed size, of which the surplus is overwritten by what comes next.

/// Short pieces are copied as so many bytes.
const BLOCK: usize = 32;
/// Room that is kept from one document to the next.
const MAX_ROOM: usize = 1 << 16;

/// Where the canonical form of a value is: first byte and end, in the output if the lowest bit is
/// set, on the wire otherwise. One word, so that it stays in a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(u64);

impl Span {
    #[inline]
    pub(crate) fn new(from: usize, to: usize, written: bool) -> Self {
        Self((from as u64) << 32 | (to as u64) << 1 | u64::from(written))
    }

    #[inline]
    pub(crate) fn on_wire(from: usize, to: usize) -> Self {
        Self::new(from, to, false)
    }

    #[inline]
    pub(crate) fn from(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline]
    pub(crate) fn to(self) -> usize {
        (self.0 & 0xffff_ffff) as usize >> 1
    }

    #[inline]
    pub(crate) fn is_written(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A growing output.
#[derive(Debug, Default)]
pub(crate) struct Output {
    room: Vec<u8>,
    length: usize,
    /// The piece that was appended last.
    piece: Vec<u8>,
}

impl Output {
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.room.truncate(MAX_ROOM);
        self.room.shrink_to(MAX_ROOM);
        self.piece.clear();
        self.piece.shrink_to(MAX_ROOM);
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[..self.length]
    }

    /// Append one byte.
    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        if self.length == self.room.len() {
            self.grow(1);
        }
        self.room[self.length] = byte;
        self.length += 1;
    }

    /// Append the bytes `from..to` of `source`.
    #[inline]
    pub(crate) fn copy(&mut self, source: &[u8], from: usize, to: usize) {
        let length = to - from;
        if length <= BLOCK {
            let block = source.get(from..).and_then(<[u8]>::first_chunk::<BLOCK>);
            let room = self.room.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut::<BLOCK>);
            if let (Some(block), Some(room)) = (block, room) {
                *room = *block;
                self.length += length;
                return;
            }
        }
        self.copy_any(&source[from..to]);
    }

    #[inline(never)]
    fn copy_any(&mut self, piece: &[u8]) {
        self.grow(piece.len());
        self.room[self.length..][..piece.len()].copy_from_slice(piece);
        self.length += piece.len();
    }

    /// Append a value.
    #[inline]
    pub(crate) fn value(&mut self, wire: &[u8], value: Span) {
        let (from, to) = (value.from(), value.to());
        if value.is_written() {
            self.grow(to - from);
            self.room.copy_within(from..to, self.length);
            self.length += to - from;
        } else {
            self.copy(wire, from, to);
        }
    }

    /// Append what `write` appends.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        write(&mut piece);
        self.copy_any(&piece);
        self.piece = piece;
    }

    /// End a list of elements, each with a comma behind it, in `bracket`.
    pub(crate) fn end_list(&mut self, bracket: u8) {
        match self.room[..self.length].last_mut() {
            Some(last @ b',') => *last = bracket,
            _ => self.byte(bracket),
        }
    }

    /// Drop what lies between `to` and `from`.
    pub(crate) fn keep(&mut self, from: usize, to: usize) {
        if from != to {
            self.room.copy_within(from..self.length, to);
            self.length -= from - to;
        }
    }

    #[inline]
    fn grow(&mut self, bytes: usize) {
        let needed = self.length + bytes;
        if needed > self.room.len() {
            self.room.resize((needed + BLOCK).next_power_of_two(), 0);
        }
    }
}
