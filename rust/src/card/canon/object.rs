//! Objects, member by member: checked, and put into their canonical order.
//!
//! Invariant: a member is passed either because its text equals one that was checked before or by
//! reading it in full; both ways leave the same behind.

use super::{Canon, Checked, Form, Item, Mark, fault};
use crate::card::role::{Role, Scope};
use crate::card::shape::{EMPTY, Node, Order, Step};
use crate::json::output::Span;
use crate::json::parse::Cursor;

/// An object that is being read: locals of its loop, which must stay in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// The next byte to read.
    pub(crate) at: usize,
    /// Node of the last member.
    pub(crate) last: Node,
    /// Where its key begins.
    pub(crate) key: usize,
    /// Where its value begins if nothing stands between key, colon and value.
    value: usize,
    step: Step,
    scope: Scope,
    from: usize,
    mark: Mark,
}

/// A member that was not expected: its node, where its key begins, and its value if nothing stands
/// in between.
struct Found {
    node: Node,
    key: usize,
    value: usize,
}

impl Canon {
    /// What the last member of this object is for.
    pub(crate) fn role(&self, open: &Open) -> Role {
        self.shapes.role(open.last)
    }

    /// Begin the object at `from`; nothing is passed.
    #[inline(always)]
    pub(crate) fn open(&mut self, from: usize, node: Node, step: Step) -> Checked<Open> {
        self.enter(from + 1)?;
        let scope = match step {
            Step::Object => self.shapes.role(node).inside,
            Step::Elements | Step::Next => Scope::Elsewhere,
        };
        let mark = self.mark();
        Ok(Open { at: from, last: node, key: from, value: from, step, scope, from, mark })
    }

    /// Pass the key of the next member; false before the object's closing bracket.
    #[inline(always)]
    pub(crate) fn member(&mut self, wire: &[u8], open: &mut Open) -> Checked<bool> {
        let at = open.at;
        if let Some((node, value)) = self.shapes.expected(open.last, open.step, wire, at) {
            (open.at, open.last, open.step) = (value, node, Step::Next);
            (open.key, open.value) = (at + 1, value);
            return Ok(true);
        }
        if wire.get(at) == Some(&b'}') && open.step == Step::Next {
            return Ok(false);
        }
        let found = self.unexpected(wire, *open)?;
        open.at = self.end;
        let Some(Found { node, key, value }) = found else { return Ok(false) };
        (open.last, open.step, open.key, open.value) = (node, Step::Next, key, value);
        Ok(true)
    }

    #[inline(never)]
    fn unexpected(&mut self, wire: &[u8], open: Open) -> Checked<Option<Found>> {
        let mut cursor = Cursor::new(wire, open.at);
        if open.step == Step::Next {
            self.space(&mut cursor);
            if cursor.byte() != Some(b'}') {
                cursor.eat(b',')?;
                self.space(&mut cursor);
                return self.key(cursor, open).map(Some);
            }
        } else {
            cursor.eat(b'{')?;
            self.space(&mut cursor);
            if cursor.byte() != Some(b'}') {
                return self.key(cursor, open).map(Some);
            }
        }
        self.end = cursor.at();
        Ok(None)
    }

    /// Read a key in full, and know its member from now on.
    fn key(&mut self, mut cursor: Cursor<'_>, open: Open) -> Checked<Found> {
        let key = cursor.at();
        let text = cursor.kept_string()?;
        let value = cursor.at() + 1;
        cursor.eat(b':')?;
        cursor.skip_space();
        self.odd += usize::from(cursor.at() > value);
        self.end = cursor.at();
        let roles = &self.roles;
        let node = self.shapes.find(open.last, open.step, text, |name| roles.of(open.scope, name));
        Ok(Found { node, key, value })
    }

    /// Pass the value of the last member and make both a part of the object.
    #[inline(always)]
    pub(crate) fn take(&mut self, wire: &[u8], open: &mut Open) -> Checked<Span> {
        let node = open.last;
        if let Some(fact) = self.shapes.role(node).fact {
            self.facts[fact as usize] = Some(open.at);
        }
        let value = self.value(wire, open.at, node, Step::Object)?;
        open.at = self.end_of(value);
        let plain = self.shapes.plain(node);
        if !plain {
            self.odd += 1;
        }
        let whole = plain && !value.is_written() && value.from() == open.value;
        let form = if whole { Form::Whole } else { Form::Joined };
        self.items.push(Item { from: open.key, value, node, form });
        Ok(value)
    }

    /// Keep the last member, whose value was passed, out of the canonical form.
    pub(crate) fn leave_out(&mut self, open: &Open) {
        let value = Span::on_wire(0, 0);
        self.items.push(Item { from: 0, value, node: open.last, form: Form::LeftOut });
    }

    /// Keep the member `node` out of the canonical form, which was taken into it.
    pub(crate) fn take_out(&mut self, open: &Open, node: Node) {
        let mut items = self.items[open.mark.items..].iter_mut();
        if let Some(item) = items.find(|item| item.node == node) {
            item.form = Form::LeftOut;
        }
    }

    #[inline(never)]
    pub(super) fn object(
        &mut self,
        wire: &[u8],
        at: usize,
        node: Node,
        step: Step,
    ) -> Checked<Span> {
        let mut open = self.open(at, node, step)?;
        while self.member(wire, &mut open)? {
            self.take(wire, &mut open)?;
        }
        let order = self.close(open)?;
        let end = open.at + 1;
        if self.odd == open.mark.odd && self.shapes.is_sorted(order) {
            self.items.truncate(open.mark.items);
            return Ok(Span::on_wire(open.from, end));
        }
        self.end = end;
        let from = self.output.len();
        self.write_object(wire, open, order);
        Ok(self.written(from, open.mark))
    }

    /// Leave an object before its closing bracket: the order of its members.
    ///
    /// # Errors
    /// [`Reason::DuplicateKey`].
    #[inline]
    pub(crate) fn close(&mut self, open: Open) -> Checked<Order> {
        self.depth -= 1;
        if open.step != Step::Next {
            return Ok(EMPTY);
        }
        if let Some(order) = self.shapes.order(open.last) {
            return Ok(order);
        }
        let nodes = self.items[open.mark.items..].iter().map(|item| item.node);
        let order = self.shapes.learn_order(open.last, nodes);
        order.or_else(|reason| fault(reason, open.from))
    }

    /// Write the canonical form of an object that was closed.
    pub(crate) fn write_object(&mut self, wire: &[u8], open: Open, order: Order) -> Span {
        let from = self.output.len();
        let items = &self.items[open.mark.items..];
        self.output.byte(b'{');
        for &index in self.shapes.members(order) {
            let item = &items[index as usize];
            match item.form {
                Form::Whole => self.output.copy(wire, item.from, item.value.to()),
                Form::LeftOut => continue,
                Form::Joined => {
                    let key = self.shapes.key(item.node);
                    self.output.copy(key, 0, key.len());
                    self.output.value(wire, item.value);
                }
            }
            self.output.byte(b',');
        }
        self.output.end_list(b'}');
        Span::new(from, self.output.len(), true)
    }
}
