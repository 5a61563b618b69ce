//! JSON in one canonical form: keys sorted, no white space, one spelling for each string.
//!
//! Invariant: two documents that mean the same, whatever their key order, white space and escapes,
//! are written as the same bytes; a document with a key twice is refused. What was read before only
//! makes reading faster: results do not depend on it.
//!
//! No tree is built. A value whose text on the wire is canonical already stays where it is; of any
//! other one the canonical form is written behind the others, and its parent copies it from there.

#![allow(clippy::inline_always)] // results that cross a call go through memory: twice the time

mod object;

use crate::card::role::{FACTS, Roles};
use crate::card::shape::{Node, ROOT, Shapes, Step};
use crate::error::{Fault, Reason};
use crate::json::output::{Output, Span};
use crate::json::parse::Cursor;
use crate::json::text::{Text, write_canonical};

/// Deepest nesting of a value that is kept; that of real cards is 6.
pub const MAX_DEPTH: u32 = 64;
/// Memory of shapes that is kept; those of real cards take about 40 KB.
pub const MAX_SHAPE_BYTES: usize = 1 << 20;
/// Items that there is room for from one document to the next.
const MAX_ITEMS: usize = 1 << 12;
/// Far above any page, and far below what a [`Span`] can address when all of it is escaped.
const MAX_WIRE: usize = 1 << 28;

/// A fault is rare. Behind a pointer it leaves room for results to come back in registers.
type Checked<T> = Result<T, Box<Fault>>;

/// How a part of an open value comes into its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it stands on the wire, the key of a member included.
    Whole,
    /// Key of the node (if any) and value, each from its place.
    Joined,
    /// Not at all.
    LeftOut,
}

/// A member or element of a value that is being read.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// First byte on the wire: of the key, of the element.
    from: usize,
    value: Span,
    node: Node,
    form: Form,
}

/// What there was before a value: everything after it belongs to the value.
#[derive(Clone, Copy, Debug)]
struct Mark {
    items: usize,
    output: usize,
    odd: usize,
}

/// Reads values into their canonical form; remembers the shapes of objects.
#[derive(Debug, Default)]
pub struct Canon {
    pub(crate) roles: Roles,
    shapes: Shapes,
    items: Vec<Item>,
    output: Output,
    /// Last byte at which a value may begin.
    pub(crate) limit: usize,
    /// Brackets that are open.
    depth: u32,
    /// Where the key, or the value not on the wire, that was read last ends.
    end: usize,
    /// How often the wire has differed from the canonical form so far.
    odd: usize,
    /// Where the values of the facts begin.
    facts: [Option<usize>; FACTS.len()],
}

impl Canon {
    pub(crate) fn new(roles: Roles) -> Self {
        Self { roles, ..Self::default() }
    }

    /// Pass the value at `cursor`; its canonical form.
    ///
    /// # Errors
    /// The value is not valid, one of its objects has a key twice, or a value in it begins after
    /// byte `limit`.
    pub fn read(&mut self, cursor: &mut Cursor<'_>, limit: usize) -> Result<Vec<u8>, Fault> {
        self.begin(cursor, limit)?;
        let (wire, at) = (cursor.bytes(), cursor.at());
        let value = self.value(wire, at, ROOT, Step::Object).map_err(|fault| *fault)?;
        cursor.jump(self.end_of(value));
        Ok(self.bytes(wire, value).to_vec())
    }

    /// Bytes that the shapes take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.shapes.memory()
    }

    /// Forget the value that was read last. The next one stands at `cursor`, and no value in it may
    /// begin after byte `limit`.
    pub(crate) fn begin(&mut self, cursor: &Cursor<'_>, limit: usize) -> Result<(), Fault> {
        if cursor.bytes().len() > MAX_WIRE {
            return Err(Fault::new(Reason::TooLarge, cursor.at()));
        }
        if self.shapes.memory() > MAX_SHAPE_BYTES {
            self.shapes.clear();
        }
        self.items.clear();
        self.items.shrink_to(MAX_ITEMS);
        self.output.clear();
        self.facts = [None; FACTS.len()];
        self.limit = limit;
        self.depth = 0;
        self.odd = 0;
        Ok(())
    }

    /// Where the values of the facts begin, by [`crate::card::role::Fact`].
    pub(crate) fn facts(&self) -> [Option<usize>; FACTS.len()] {
        self.facts
    }

    /// The canonical form of a value.
    pub(crate) fn bytes<'b>(&'b self, wire: &'b [u8], value: Span) -> &'b [u8] {
        let source = if value.is_written() { self.output.bytes() } else { wire };
        &source[value.from()..value.to()]
    }

    fn mark(&self) -> Mark {
        Mark { items: self.items.len(), output: self.output.len(), odd: self.odd }
    }

    fn enter(&mut self, at: usize) -> Checked<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { fault(Reason::TooDeep, at) } else { Ok(()) }
    }

    fn space(&mut self, cursor: &mut Cursor<'_>) {
        let from = cursor.at();
        cursor.skip_space();
        self.odd += usize::from(cursor.at() > from);
    }

    /// Read the value at `at`, which belongs to `node`.
    #[inline(always)]
    fn value(&mut self, wire: &[u8], at: usize, node: Node, step: Step) -> Checked<Span> {
        if at > self.limit {
            return self.spaced(wire, at, node, step);
        }
        let mut cursor = Cursor::new(wire, at);
        match cursor.byte() {
            Some(b'"') => {
                if cursor.pass_kept_string()? {
                    return self.escaped(wire, at, cursor.at());
                }
            }
            Some(b'0'..=b'9') => cursor.pass_kept_number()?,
            Some(b't' | b'f') => drop(cursor.boolean()?),
            Some(b'{') => return self.object(wire, at, node, step),
            Some(b'[') => return self.array(wire, at, node),
            Some(b'-') => {
                cursor.pass_kept_number()?;
                if &wire[at..cursor.at()] == b"-0" {
                    return Ok(self.write(cursor.at(), |out| out.push(b'0')));
                }
            }
            Some(b'n') => cursor.null()?,
            _ => return self.spaced(wire, at, node, step),
        }
        Ok(Span::on_wire(at, cursor.at()))
    }

    /// Where a value that was just read ends on the wire.
    #[inline]
    fn end_of(&self, value: Span) -> usize {
        if value.is_written() { self.end } else { value.to() }
    }

    /// A value that does not begin here, or not where it may.
    #[cold]
    #[inline(never)]
    fn spaced(&mut self, wire: &[u8], at: usize, node: Node, step: Step) -> Checked<Span> {
        let mut cursor = Cursor::new(wire, at);
        cursor.kind()?;
        if cursor.at() > self.limit {
            return fault(Reason::TooLarge, cursor.at());
        }
        self.odd += 1;
        self.value(wire, cursor.at(), node, step)
    }

    #[inline(never)]
    fn escaped(&mut self, wire: &[u8], from: usize, end: usize) -> Checked<Span> {
        let (text, _) = Text::read(wire, from)?;
        Ok(self.write(end, |out| write_canonical(&text.decode(), out)))
    }

    /// A span of new output for a value that ends at `end`.
    fn write(&mut self, end: usize, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let from = self.output.len();
        self.end = end;
        self.output.append(write);
        self.odd += 1;
        Span::new(from, self.output.len(), true)
    }

    #[inline(never)]
    fn array(&mut self, wire: &[u8], start: usize, node: Node) -> Checked<Span> {
        self.enter(start + 1)?;
        let mark = self.mark();
        let mut whole = start + 1; // so far, elements stand in their canonical form
        let mut cursor = Cursor::new(wire, start + 1);
        self.space(&mut cursor);
        if cursor.byte() != Some(b']') {
            loop {
                let value = self.value(wire, cursor.at(), node, Step::Elements)?;
                cursor.jump(self.end_of(value));
                if self.odd == mark.odd {
                    whole = cursor.at();
                } else {
                    self.items.push(Item { from: 0, value, node, form: Form::Joined });
                }
                if cursor.byte() != Some(b',') {
                    self.space(&mut cursor);
                    match cursor.byte() {
                        Some(b']') => break,
                        Some(b',') => {}
                        _ => return fault(Reason::Malformed, cursor.at()),
                    }
                }
                cursor.jump(cursor.at() + 1);
            }
        }
        self.depth -= 1;
        let end = cursor.at() + 1;
        if self.odd == mark.odd {
            return Ok(Span::on_wire(start, end));
        }
        self.end = end;
        let from = self.output.len();
        self.output.byte(b'[');
        if whole > start + 1 {
            self.output.copy(wire, start + 1, whole);
            self.output.byte(b',');
        }
        for item in &self.items[mark.items..] {
            self.output.value(wire, item.value);
            self.output.byte(b',');
        }
        self.output.end_list(b']');
        Ok(self.written(from, mark))
    }

    /// A value was written from `from` on: what it was made of is not needed any more.
    fn written(&mut self, from: usize, mark: Mark) -> Span {
        self.items.truncate(mark.items);
        self.output.keep(from, mark.output);
        self.odd += 1;
        Span::new(mark.output, self.output.len(), true)
    }
}

#[cold]
fn fault<T>(reason: Reason, at: usize) -> Checked<T> {
    Err(Fault::new(reason, at).into())
}
